//! Plan: what a question asks for, as a value. Question → plan is in `question.rs` and its
//! neighbours, plan → Python in `program/`.

/// What a question asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Something about a table.
    Table(TablePlan),
    /// Something about an image or an animation, through Pillow.
    Image(ImagePlan),
    /// Something about video or sound, or an animation that becomes one, through FFmpeg.
    Media(ImagePlan),
    /// Something about a text file.
    Text(TextPlan),
    /// JSON that is no table: show its structure and the tables inside.
    Json {
        /// Path.
        file: String,
        /// True if the question asked for an overview.
        understood: bool,
    },
    /// An archive: list what is in it.
    Archive {
        /// Path.
        file: String,
        /// `zip`, `tar`, `tar.gz` …
        format: String,
    },
    /// A file that the image's Python cannot open: what the sampler learned of it.
    Known {
        /// Path.
        file: String,
        /// What it is, for a person: `a Parquet file`.
        what: &'static str,
        /// What is missing: `pyarrow, the package that reads such files, is not in this image`.
        lacks: &'static str,
    },
    /// Files of unknown kind, or none: list them.
    Files,
}

/// A table, the rows wanted, and what to do with them.
#[derive(Clone, Debug, PartialEq)]
pub struct TablePlan {
    /// Where the table is.
    pub source: Source,
    /// A second table to put beside it.
    pub join: Option<Join>,
    /// All must hold.
    pub filters: Vec<Filter>,
    /// What to do.
    pub task: Task,
}

/// A table of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Path.
    pub file: String,
    /// Sheet of a workbook.
    pub sheet: Option<String>,
}

/// A second table with a common key.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// The second table.
    pub source: Source,
    /// Key in the first table.
    pub left: String,
    /// Key in the second.
    pub right: String,
}

/// A condition on rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// The column has one of the values, or none of them.
    OneOf {
        /// Column.
        column: String,
        /// Values as in the file.
        values: Vec<String>,
        /// True to leave them out.
        not: bool,
    },
    /// The text of the column, compared without case.
    Text {
        /// Column.
        column: String,
        /// What to look for.
        text: String,
        /// True for a part, false for all of the text.
        part: bool,
        /// True to leave such rows out.
        not: bool,
    },
    /// A number compared.
    Compare {
        /// Column.
        column: String,
        /// Python operator: `>`, `>=`, `<`, `<=`, `==`, `!=`.
        operator: &'static str,
        /// Number.
        value: f64,
    },
    /// A date compared.
    Date {
        /// Column.
        column: String,
        /// Python operator.
        operator: &'static str,
        /// `YYYY-MM-DD`.
        date: String,
    },
    /// The month of a date, 1 to 12.
    Month {
        /// Column.
        column: String,
        /// Month.
        month: u32,
    },
    /// A column of true and false.
    Flag {
        /// Column.
        column: String,
        /// Which rows to keep.
        value: bool,
    },
    /// Rows that lack a value.
    Missing {
        /// Column.
        column: String,
    },
}

/// What to do with a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Columns, types, statistics, a chart or two.
    Overview {
        /// False if the question was not understood: the answer says so.
        understood: bool,
    },
    /// The question names columns that are not there: show which ones are.
    Unknown {
        /// Names as the question has them.
        names: Vec<String>,
        /// Columns that look or sound like one of them.
        near: Vec<String>,
    },
    /// One figure per group, or one figure.
    Aggregate {
        /// Columns; empty for counts of rows.
        measures: Vec<String>,
        /// Which figure.
        how: Agg,
        /// Group columns.
        by: Vec<String>,
        /// Drawn as.
        chart: Chart,
        /// Only the largest or smallest groups.
        top: Option<Top>,
        /// Parts of the whole in percent.
        share: bool,
    },
    /// A figure by time.
    Trend {
        /// Time column.
        time: String,
        /// Columns; empty for counts of rows.
        measures: Vec<String>,
        /// Which figure.
        how: Agg,
        /// Length of a step.
        every: Every,
        /// A line for each value of it.
        by: Option<String>,
        /// Drawn as.
        chart: Chart,
    },
    /// How the values of a column are spread.
    Distribution {
        /// Column with numbers.
        column: String,
        /// Group column.
        by: Option<String>,
        /// Histogram, box or violin.
        chart: Chart,
    },
    /// Two columns with numbers against each other.
    Relationship {
        /// Horizontal.
        x: String,
        /// Vertical.
        y: String,
        /// Colour.
        by: Option<String>,
    },
    /// All columns with numbers against each other.
    Correlation {
        /// Columns.
        columns: Vec<String>,
    },
    /// A table with groups on both sides.
    Pivot {
        /// Column; `None` counts rows.
        measure: Option<String>,
        /// Which figure.
        how: Agg,
        /// Group column down.
        rows: String,
        /// Group column across.
        columns: String,
    },
    /// Some rows.
    Rows {
        /// Sort by it.
        sort: Option<(String, Order)>,
        /// Most rows; `None` for all.
        limit: Option<usize>,
        /// The last ones instead of the first.
        from_end: bool,
        /// Only these columns; empty for all.
        columns: Vec<String>,
    },
    /// What is missing where.
    Missing,
    /// Rows that occur twice.
    Duplicates,
    /// A tidied copy of the table.
    Clean,
    /// Values far from the others.
    Outliers {
        /// Columns with numbers.
        columns: Vec<String>,
    },
    /// The table in another format.
    Export {
        /// `csv`, `json` or `xlsx`.
        format: &'static str,
    },
}

/// Order of sorted rows or groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Only some groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// How many.
    pub count: usize,
    /// Largest first, or smallest first.
    pub order: Order,
}

/// A figure made of many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agg {
    /// Rows.
    Count,
    /// Different values.
    Distinct,
    /// Sum.
    Sum,
    /// Mean.
    Mean,
    /// Median.
    Median,
    /// Smallest.
    Min,
    /// Largest.
    Max,
    /// Standard deviation.
    Std,
}

impl Agg {
    /// The name that pandas has for it.
    pub fn pandas(self) -> &'static str {
        match self {
            Agg::Count => "size",
            Agg::Distinct => "nunique",
            Agg::Sum => "sum",
            Agg::Mean => "mean",
            Agg::Median => "median",
            Agg::Min => "min",
            Agg::Max => "max",
            Agg::Std => "std",
        }
    }

    /// For titles and sentences: `average body mass`.
    pub fn words(self) -> &'static str {
        match self {
            Agg::Count => "number of",
            Agg::Distinct => "number of different",
            Agg::Sum => "total",
            Agg::Mean => "average",
            Agg::Median => "median",
            Agg::Min => "minimum",
            Agg::Max => "maximum",
            Agg::Std => "standard deviation of",
        }
    }
}

/// How to draw a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// Whatever suits the result.
    Auto,
    /// Bars.
    Bar,
    /// Lines.
    Line,
    /// Filled lines.
    Area,
    /// A pie.
    Pie,
    /// Points.
    Scatter,
    /// Histogram.
    Histogram,
    /// Box plot.
    Box,
    /// Violins.
    Violin,
    /// Coloured cells.
    Heatmap,
    /// No chart: only the table was asked for.
    None,
}

/// Steps of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// Each day.
    Day,
    /// Each week.
    Week,
    /// Each month of each year.
    Month,
    /// Each quarter of each year.
    Quarter,
    /// Each year.
    Year,
    /// January to December, all years together.
    MonthOfYear,
    /// Monday to Sunday.
    Weekday,
    /// 0 to 23.
    Hour,
}

/// What to do with images.
#[derive(Clone, Debug, PartialEq)]
pub struct ImagePlan {
    /// Paths of the files meant.
    pub files: Vec<String>,
    /// What to do.
    pub task: ImageTask,
}

/// What to do with an image.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageTask {
    /// Size, frames, duration, colours.
    Facts {
        /// False if the question was not understood.
        understood: bool,
    },
    /// Each frame as a PNG.
    Frames {
        /// Every n-th.
        step: usize,
    },
    /// Frames side by side on one picture.
    ContactSheet,
    /// The most frequent colours.
    Colors,
    /// The picture at a time.
    FrameAt {
        /// From the start.
        seconds: f64,
    },
    /// The sound as a file of its own.
    Sound {
        /// `mp3`, `m4a`, `ogg`, `flac` or `wav`.
        format: &'static str,
    },
    /// All files one after the other.
    Join {
        /// `mp4`, `webm` or `gif`.
        format: &'static str,
    },
    /// Changes in order, then a file in a format.
    Edit {
        /// In the order they happen.
        changes: Vec<Change>,
        /// `gif`, `png`, `jpg`, `webp`, `apng`, `mp4`, `webm` …; `None` keeps it.
        format: Option<&'static str>,
    },
}

/// A change to an image or to all frames of an animation.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// To a width, a height or both, in pixels.
    Resize {
        /// Pixels.
        width: Option<u32>,
        /// Pixels.
        height: Option<u32>,
    },
    /// By a factor.
    Scale(f64),
    /// To fit in a square of so many pixels.
    Fit(u32),
    /// To the middle part of this size in pixels; `None` is the largest square.
    CropCentre(Option<(u32, u32)>),
    /// To left, top, right, bottom in pixels.
    CropBox(u32, u32, u32, u32),
    /// Degrees clockwise.
    Rotate(f64),
    /// Left and right.
    Mirror,
    /// Top and bottom.
    Flip,
    /// Shades of grey.
    Grayscale,
    /// Plays so many times as fast; below 1 slower.
    Speed(f64),
    /// Plays backwards.
    Reverse,
    /// Plays forwards, then backwards.
    Boomerang,
    /// Only the first frames.
    FirstFrames(usize),
    /// Only every n-th frame.
    EveryFrame(usize),
    /// Only a part in time, in seconds from the start.
    Trim {
        /// From here.
        start: Option<f64>,
        /// Until here.
        end: Option<f64>,
    },
    /// Without so many seconds at its end.
    CutEnd(f64),
    /// So many pictures in a second.
    Rate(f64),
    /// Without sound.
    Mute,
}

/// What to do with a text file.
#[derive(Clone, Debug, PartialEq)]
pub struct TextPlan {
    /// Path.
    pub file: String,
    /// Name as Python's codecs have it.
    pub encoding: String,
    /// What to do.
    pub task: TextTask,
}

/// What to do with a text.
#[derive(Clone, Debug, PartialEq)]
pub enum TextTask {
    /// Lines, words, characters, the most frequent words.
    Overview {
        /// False if the question was not understood.
        understood: bool,
    },
    /// The most frequent words.
    Words {
        /// How many.
        count: usize,
    },
    /// Lines with a text in them.
    Search {
        /// What to look for, without case.
        text: String,
    },
    /// The first or last lines.
    Lines {
        /// How many.
        count: usize,
        /// The last ones.
        from_end: bool,
    },
}
