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
    /// CSV, TSV, JSON arrays of records, JSON Lines, Parquet, Arrow: one table.
    Table(Table),
    /// A workbook (XLSX, XLS, ODS): a table per sheet.
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
    /// A database file: its tables and views.
    Database {
        /// In the order of the file.
        tables: Vec<Sheet>,
    },
    /// PDF.
    Document(DocumentFacts),
    /// PNG, JPEG, WebP or GIF.
    Image(ImageFacts),
    /// Audio and video.
    Media(MediaFacts),
    /// ZIP, TAR and compressed files: listed, not unpacked.
    Archive(ArchiveFacts),
    /// Anything else.
    Binary {
        /// First bytes as hex.
        magic: String,
    },
}

/// One sheet of a workbook, or one table of a database.
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
    /// First quartile, median and third quartile of numbers; estimates if there are many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quartiles: Option<[f64; 3]>,
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
    /// A place: latitude, longitude, country, postal code.
    Geo,
    /// Free text.
    Text,
}

/// Facts about an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImageFacts {
    /// `png`, `jpeg`, `webp` or `gif`.
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

/// Facts about a document of pages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DocumentFacts {
    /// `pdf`.
    pub format: String,
    /// Pages in the file.
    pub pages: u64,
    /// As the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Text of the first pages; empty if there is none to be found, as in a scan.
    pub preview: String,
}

/// Facts about audio or video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaFacts {
    /// Container, such as `mp4`, `matroska`, `wav`.
    pub format: String,
    /// Of the whole file; 0 if it does not say.
    pub duration_ms: u64,
    /// In the order of the file.
    pub streams: Vec<StreamFacts>,
}

/// One stream of audio or video.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamFacts {
    /// `video`, `audio`, `subtitle` or `other`.
    pub kind: String,
    /// Such as `h264`, `aac`.
    pub codec: String,
    /// Pixels; 0 without picture.
    pub width: u32,
    /// Pixels; 0 without picture.
    pub height: u32,
    /// Pictures in a second, on average; 0 without picture.
    pub frames_per_second: f64,
    /// Pictures in the stream, counted or from rate and duration; 0 if unknown.
    pub frames: u64,
    /// Channels of sound; 0 without sound.
    pub channels: u32,
    /// Samples of sound in a second; 0 without sound.
    pub sample_rate: u32,
}

/// Facts about an archive or a compressed file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ArchiveFacts {
    /// `zip`, `tar`, `tar.gz`, `gzip`, …
    pub format: String,
    /// Files in it. Exact unless `files_estimated`.
    pub files: u64,
    /// True if the listing stopped before the end.
    pub files_estimated: bool,
    /// Bytes of all files once unpacked, as the archive claims.
    pub unpacked_bytes: u64,
    /// The first files.
    pub entries: Vec<ArchiveEntry>,
    /// What is in the only file, if that is one table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    // A sample holds an archive that holds a sample: without this the API description would never end.
    #[schema(no_recursion)]
    pub inner: Option<Box<Sample>>,
}

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArchiveEntry {
    /// As the archive has it; anybody's text.
    pub name: String,
    /// Bytes once unpacked, as the archive claims.
    pub size: u64,
}
