//! Sample: what is known of a file before a model sees it. Plain values; the sampler makes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What the sampler found out about one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sample {
    /// Path below the workspace, such as `penguins.csv`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// By content, such as `text/csv`.
    pub media_type: String,
    /// Structure by format.
    #[serde(flatten)]
    pub content: Content,
    /// What a person should know: guessed encoding, ragged rows, a cut preview.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Structure by format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Content {
    /// CSV, TSV, JSON arrays of records, JSON Lines: one table.
    Table(Table),
    /// A workbook: a table per sheet.
    Workbook {
        /// In the order of the file.
        sheets: Vec<Sheet>,
    },
    /// JSON that is not a table.
    Json {
        /// Shape in words, such as `object with 3 keys: a (number), b (array of 12 objects)`.
        structure: String,
        /// The beginning, pretty-printed.
        preview: String,
    },
    /// Text, Markdown, logs, source code.
    Text {
        /// Lines in the file.
        lines: u64,
        /// Character encoding.
        encoding: String,
        /// The beginning.
        preview: String,
    },
    /// PNG, JPEG or GIF.
    Image(ImageFacts),
    /// Anything else.
    Binary {
        /// First bytes as hex.
        magic: String,
    },
}

/// One sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sheet {
    /// Its name.
    pub name: String,
    /// Its content.
    pub table: Table,
}

/// A table's columns and first rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Table {
    /// Rows, the header not counted. Exact unless `rows_estimated`.
    pub rows: u64,
    /// True if only a part was read.
    pub rows_estimated: bool,
    /// How to read it; absent for JSON and workbooks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialect: Option<Dialect>,
    /// In order.
    pub columns: Vec<Column>,
    /// The first rows (at most 8) followed by a random sample (at most 12), cells as text; `null` is missing.
    pub head: Vec<Vec<Option<String>>>,
}

/// How a delimited text file is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Dialect {
    /// Field separator, such as `,`.
    pub delimiter: String,
    /// True if the first row holds names.
    pub header: bool,
    /// Name as Python's codecs have it, such as `utf-8`, `cp1252`, `utf-16`.
    pub encoding: String,
    /// Decimal mark, `.` or `,`.
    pub decimal: String,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// As in the file.
    pub name: String,
    /// By its values.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// What it is likely used for.
    pub role: Role,
    /// Rows without a value.
    pub missing: u64,
    /// Different values; a lower bound if `distinct_capped`.
    pub distinct: u64,
    /// True if counting stopped.
    pub distinct_capped: bool,
    /// Smallest value: a number, or a date or text as text.
    #[serde(default)]
    pub min: Option<Value>,
    /// Largest value.
    #[serde(default)]
    pub max: Option<Value>,
    /// Mean of numbers.
    #[serde(default)]
    pub mean: Option<f64>,
    /// Most frequent values with their counts, at most 8, most frequent first.
    #[serde(default)]
    pub top: Vec<(String, u64)>,
    /// Counts in 10 equal bins from min to max, numbers only: the page draws them.
    #[serde(default)]
    pub histogram: Vec<u64>,
    /// strftime pattern of dates, such as `%Y-%m-%d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_format: Option<String>,
}

/// Type of a column by its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Whole numbers.
    Integer,
    /// Numbers.
    Float,
    /// true and false in any spelling.
    Boolean,
    /// Dates without time.
    Date,
    /// Dates with time.
    Datetime,
    /// Anything else.
    Text,
    /// No value at all.
    Empty,
}

/// What a column is likely used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Names a row: unique or nearly so.
    Id,
    /// Puts rows into groups.
    Category,
    /// A quantity to add up or average.
    Measure,
    /// A point in time.
    Time,
    /// Free text.
    Text,
}

/// Facts about an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImageFacts {
    /// `png`, `jpeg` or `gif`.
    pub format: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 1 for a still image.
    pub frames: u32,
    /// Of the whole animation; 0 for a still image.
    pub duration_ms: u64,
    /// Pixel layout in words, such as `RGB`, `palette of 64 colours`.
    pub color: String,
}
