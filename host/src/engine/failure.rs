//! Failure: what a model is told of a program that failed, so that its next one is better: the innermost frames of
//! the program itself, the line, the columns that there are, and what is there instead of what is missing.

use std::collections::BTreeSet;

use glovebox_runtime::{Ending, Outcome};

use super::prompt::clip;
use super::sample::{Content, Sample, Table};
use super::{Ask, Language};

/// What is told of a program that ended well and left nothing.
pub(super) const NOTHING_SHOWN: &str =
    "it ended well but showed nothing: nothing was printed, displayed or written to a file";
/// Frames of the program's own that are kept, the innermost ones.
const FRAMES: usize = 6;
/// Lines around the failing one.
const AROUND: usize = 2;
/// Bytes of a shown line.
const LINE_BYTES: usize = 240;
/// Names that are compared with a missing one, and listed.
const NAMES: usize = 2000;
const LISTED: usize = 60;

/// Why an outcome does not count as a success, in a line; `None` if it does or if somebody ended it.
pub(super) fn reason(outcome: &Outcome) -> Option<String> {
    if !outcome.ending.is_success() {
        return Some(outcome.ending.sentence());
    }
    let silent = outcome.stdout.trim().is_empty() && outcome.displays.is_empty() && outcome.artifacts.is_empty();
    silent.then(|| NOTHING_SHOWN.to_owned())
}

/// A traceback of Python without the frames of libraries. What is none stays as it is.
pub(super) fn trimmed(traceback: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut frames: Vec<(bool, String)> = Vec::new();
    for line in traceback.lines() {
        if let Some(file) = file_of(line) {
            frames.push((is_own(file), line.to_owned()));
        } else if let (true, Some((_, text))) = (line.starts_with("    "), frames.last_mut()) {
            text.push('\n');
            text.push_str(line);
        } else {
            flush(&mut frames, &mut out);
            out.push(line.to_owned());
        }
    }
    flush(&mut frames, &mut out);
    out.join("\n")
}

fn flush(frames: &mut Vec<(bool, String)>, out: &mut Vec<String>) {
    let own = frames.iter().filter(|(own, _)| *own).count();
    let (mut seen, mut left_out) = (0, 0);
    for (own_frame, text) in frames.drain(..) {
        seen += usize::from(own_frame);
        if own_frame && seen + FRAMES > own {
            out.push(text);
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        out.push(format!("  [… {left_out} frames of libraries and callers left out …]"));
    }
}

/// The file of a line that begins a frame.
fn file_of(line: &str) -> Option<&str> {
    line.strip_prefix("  File \"")?.split_once('"').map(|(file, _)| file)
}

/// Programs run under a bare name, and modules of the user's lie in the workspace.
fn is_own(file: &str) -> bool {
    file.starts_with("/mnt/data/") || !file.contains('/') && !file.starts_with("<frozen")
}

/// The number of the line of the program that failed, from 1.
fn line_of(traceback: &str, language: &Language) -> Option<usize> {
    let number = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    match language {
        Language::Python => {
            let own = |line: &&str| file_of(line).is_some_and(|file| is_own(file) && !file.contains('/'));
            number(traceback.lines().rfind(own)?.split_once("\", line ")?.1)
        }
        _ => traceback.lines().find_map(|line| number(line.split_once("main.js:")?.1)),
    }
}

/// The failing line with its number and its neighbours, as text to be fenced.
pub(super) fn place(outcome: &Outcome, program: &str, language: &Language) -> Option<String> {
    let Ending::Raised { traceback, .. } = &outcome.ending else { return None };
    let failing = line_of(traceback, language)?;
    let lines: Vec<&str> = program.lines().collect();
    lines.get(failing.checked_sub(1)?)?;
    let shown = failing.saturating_sub(AROUND).max(1)..=(failing + AROUND).min(lines.len());
    let line = |number: usize| {
        let mark = if number == failing { '>' } else { ' ' };
        format!("{mark} {number:>4} | {}", clip(lines[number - 1], LINE_BYTES))
    };
    Some(shown.map(line).collect::<Vec<_>>().join("\n"))
}

/// The columns of the files that the program names, or of all files.
pub(super) fn schema(samples: &[Sample], program: &str) -> String {
    let named = samples.iter().filter(|sample| program.contains(sample.name.as_str()));
    let mut concerned: Vec<&Sample> = named.collect();
    if concerned.is_empty() {
        concerned = samples.iter().collect();
    }
    let mut text = String::new();
    for sample in concerned.into_iter().take(LISTED) {
        for (sheet, table) in tables(sample) {
            let columns: Vec<String> = table
                .columns
                .iter()
                .take(LISTED)
                .map(|column| format!("{:?} ({})", column.name, format!("{:?}", column.kind).to_lowercase()))
                .collect();
            let more = table.columns.len().saturating_sub(LISTED);
            let more = if more > 0 { format!(", … {more} more") } else { String::new() };
            text.push_str(&format!("{:?}{sheet}: {}{more}\n", sample.name, columns.join(", ")));
        }
    }
    text
}

/// The tables in a file, each with what follows the file's name.
pub(super) fn tables(sample: &Sample) -> Vec<(String, &Table)> {
    match &sample.content {
        Content::Table(table) => vec![(String::new(), table)],
        Content::Workbook { sheets } => {
            sheets.iter().map(|sheet| (format!(" sheet {:?}", sheet.name), &sheet.table)).collect()
        }
        Content::Database { tables } => {
            tables.iter().map(|table| (format!(" table {:?}", table.name), &table.table)).collect()
        }
        Content::Archive(archive) => archive.inner.as_deref().map(tables).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// What would have worked, each in a line.
pub(super) fn hints(outcome: &Outcome, samples: &[Sample], ask: &Ask) -> Vec<String> {
    let Ending::Raised { exception, message, .. } = &outcome.ending else { return Vec::new() };
    let message = &message[..message.floor_char_boundary(4096)];
    let mut hints = Vec::new();
    if let Some(module) = missing_module(message) {
        hints.push(instead_of(&module, ask));
    }
    let about_columns =
        matches!(exception.as_str(), "KeyError" | "AttributeError" | "ValueError" | "UndefinedVariableError")
            || message.contains("not in index")
            || message.contains("columns");
    if about_columns {
        let columns: BTreeSet<&str> = samples
            .iter()
            .flat_map(tables)
            .flat_map(|(_, table)| &table.columns)
            .map(|column| column.name.as_str())
            .take(NAMES)
            .collect();
        for wanted in quoted(message).into_iter().filter(|wanted| !columns.contains(wanted.as_str())).take(5) {
            let near = nearest(&wanted, columns.iter().copied());
            if !near.is_empty() {
                hints.push(format!("there is no column {wanted:?}; the nearest are {}", near.join(", ")));
            }
        }
    }
    if matches!(exception.as_str(), "FileNotFoundError" | "IsADirectoryError") || message.contains("ENOENT") {
        for wanted in quoted(message).into_iter().take(2) {
            let near = nearest(&wanted, samples.iter().map(|sample| sample.name.as_str()));
            let near = if near.is_empty() { "the workspace has no file".into() } else { near.join(", ") };
            hints.push(format!("there is no file {wanted:?}; there are: {near}"));
        }
    }
    hints
}

fn missing_module(message: &str) -> Option<String> {
    let rest = message.split_once("No module named ")?.1;
    let name: String = rest
        .trim_start_matches(['\'', '"'])
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
        .collect();
    (!name.is_empty()).then_some(name)
}

/// What is there instead of a package that is not.
fn instead_of(module: &str, ask: &Ask) -> String {
    let top = module.split('.').next().unwrap_or(module);
    let media = if ask.has_media() { " or `from glovebox import media` for videos and animations" } else { "" };
    let instead = match top {
        "polars" | "dask" | "modin" | "vaex" | "duckdb" | "pyspark" | "cudf" | "datatable" => {
            "use pandas (`chunksize` and `usecols` for large files)".to_owned()
        }
        "plotly" | "altair" | "bokeh" | "vega" | "pyecharts" | "holoviews" | "hvplot" => {
            "draw with matplotlib or seaborn; for an interactive chart display a Vega-Lite or Plotly description with \
             `display(…, raw=True)`, as the rules say"
                .to_owned()
        }
        "cv2" | "skimage" | "imageio" | "wand" => format!("use Pillow and numpy for pictures{media}"),
        "moviepy" | "av" | "ffmpeg" | "pydub" | "librosa" | "soundfile" => {
            if ask.has_media() {
                "use `from glovebox import media`: probe, frames, contact_sheet, convert, concatenate, extract_audio, encode"
                    .to_owned()
            } else {
                "Pillow reads and writes animated GIF and WebP; sound and video cannot be read here".to_owned()
            }
        }
        "requests" | "httpx" | "aiohttp" | "urllib3" | "yfinance" | "bs4" | "selenium" | "openai" => {
            "there is no network; work with the files of the workspace, or say what has to be uploaded".to_owned()
        }
        "xgboost" | "lightgbm" | "catboost" | "torch" | "tensorflow" | "keras" | "jax"
            if ask.packages.contains_key("scikit-learn") =>
        {
            "scikit-learn has `HistGradientBoostingClassifier`, `RandomForestClassifier`, `MLPClassifier` and their \
             regressors"
                .to_owned()
        }
        "pyarrow" | "fastparquet" if ask.packages.contains_key("fastparquet") => {
            "use pandas; `pandas.read_parquet` and `to_parquet` work with their own engine".to_owned()
        }
        "sqlalchemy" | "psycopg2" | "pymysql" if ask.packages.contains_key("pandas") => {
            "use `sqlite3`, whose connections `pandas.read_sql_query` takes; there is no network for other databases"
                .to_owned()
        }
        "geopandas" | "folium" | "cartopy" if ask.packages.contains_key("shapely") => {
            "compute with shapely, and draw longitude and latitude with matplotlib".to_owned()
        }
        "sklearn" | "scipy" | "statsmodels" | "xgboost" | "lightgbm" | "catboost" | "torch" | "tensorflow"
        | "keras" | "jax" => {
            "compute it with numpy (`numpy.linalg.lstsq`, `numpy.polyfit`, `numpy.corrcoef`) and pandas".to_owned()
        }
        "pyarrow" | "fastparquet" => "this image cannot read Parquet; ask for the table as CSV".to_owned(),
        "xlrd" | "odf" | "pyxlsb" => "only XLSX can be read here, with openpyxl through `pandas.read_excel`".to_owned(),
        "geopandas" | "folium" | "cartopy" | "shapely" => {
            "draw longitude and latitude as a scatter plot with matplotlib".to_owned()
        }
        "multiprocessing" | "joblib" | "concurrent" => "there is one thread; work on whole columns instead".to_owned(),
        "sqlite3" | "sqlalchemy" => "databases cannot be opened here; ask for the tables as CSV".to_owned(),
        _ => "use the language's own library and the packages that are listed".to_owned(),
    };
    let packages: Vec<&str> = ask.packages.keys().map(String::as_str).take(LISTED).collect();
    format!("there is no package {top:?} and nothing can be installed: {instead}. Packages: {}", packages.join(", "))
}

/// The names between quotes in a message; all of it if there are none.
fn quoted(message: &str) -> Vec<String> {
    for mark in ['\'', '`', '"'] {
        let inside = message.split(mark).skip(1).step_by(2).filter(|name| !name.trim().is_empty() && name.len() <= 200);
        let names: Vec<String> = inside.take(16).map(str::to_owned).collect();
        if !names.is_empty() {
            return names;
        }
    }
    let whole = message.trim();
    if whole.is_empty() || whole.len() > 100 { Vec::new() } else { vec![whole.to_owned()] }
}

/// The names that are most like one, quoted, at most 3.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let plain = |text: &str| text.to_lowercase().replace(['_', '-', ' ', '.'], "");
    let goal = plain(&clip(wanted, 200));
    let mut near: Vec<(f64, &str)> = names
        .map(|name| {
            let other = plain(&name[..name.floor_char_boundary(200)]);
            let contains = !goal.is_empty() && (other.contains(&goal) || goal.contains(&other) && !other.is_empty());
            (strsim::jaro_winkler(&goal, &other) + f64::from(u8::from(contains)), name)
        })
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(3).map(|(_, name)| format!("{:?}", &name[..name.floor_char_boundary(200)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACEBACK: &str = "Traceback (most recent call last):\n  File \"/py/python-lib.zip/pandas/core/indexes/base.py\", line 3812, in get_loc\n    return self._engine.get_loc(casted_key)\n  File \"pandas/_libs/index.pyx\", line 167, in x\nKeyError: 'mass'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"main.py\", line 7, in <module>\n    print(f())\n          ~^^\n  File \"main.py\", line 2, in f\n    return df[\"mass\"].mean()\n  File \"/py/python-lib.zip/pandas/core/frame.py\", line 4113, in __getitem__\n    indexer = self.columns.get_loc(key)\nKeyError: 'mass'\n";

    #[test]
    fn a_traceback_keeps_the_frames_of_the_program_and_its_failing_line() {
        let text = trimmed(TRACEBACK);
        assert!(
            text.contains("main.py\", line 2, in f\n    return df") && text.ends_with("KeyError: 'mass'"),
            "{text}"
        );
        assert!(!text.contains("frame.py") && !text.contains("index.pyx") && text.contains("2 frames"), "{text}");
        assert_eq!(line_of(TRACEBACK, &Language::Python), Some(2));
        assert_eq!(line_of("main.js:12:3\nx\n\nTypeError", &Language::JavaScript), Some(12));
        assert_eq!(trimmed("no traceback\n    at all"), "no traceback\n    at all");
    }

    #[test]
    fn names_in_messages_are_found_and_their_neighbours() {
        assert_eq!(quoted("\"['mass', 'sex'] not in index\""), ["mass", "sex"]);
        assert_eq!(quoted("'mass'"), ["mass"]);
        assert_eq!(quoted("mass"), ["mass"]);
        let near = nearest("mass", ["species", "body_mass_g", "sex"].into_iter());
        assert_eq!(near[0], "\"body_mass_g\"");
        assert_eq!(missing_module("No module named 'polars.io'").as_deref(), Some("polars.io"));
    }
}
