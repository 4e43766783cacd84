//! Check: compares the names in an explanation with what there is. A model that explains a result likes to speak of
//! columns and files that would have been there elsewhere.

use std::collections::{BTreeSet, HashSet};

use super::executor::Execution;
use super::failure::tables;
use super::{Ask, Check, Work};
use crate::engine::sample::{Content, Sample};

/// Names of an explanation that are looked up.
const MOST: usize = 200;
/// Bytes of a text that words are taken from.
const TEXT_BYTES: usize = 512 * 1024;
/// Endings that make a word the name of a file.
const EXTENSIONS: [&str; 34] = [
    "csv", "tsv", "txt", "json", "jsonl", "ndjson", "parquet", "feather", "arrow", "xlsx", "xls", "ods", "db",
    "sqlite", "md", "log", "pdf", "html", "png", "jpg", "jpeg", "svg", "gif", "webp", "mp4", "webm", "mov", "avi",
    "mkv", "mp3", "wav", "zip", "tar", "gz",
];
/// Words between backticks that are no names of anything in the files.
const COMMON: [&str; 24] = [
    "nan",
    "none",
    "null",
    "na",
    "nat",
    "true",
    "false",
    "inf",
    "int",
    "float",
    "str",
    "bool",
    "object",
    "category",
    "int64",
    "float64",
    "datetime64",
    "datetime",
    "mean",
    "median",
    "sum",
    "count",
    "program.py",
    "main.py",
];

/// What an explanation may name.
pub(super) struct Known {
    files: HashSet<String>,
    /// Whole names and values, and the words of all texts, in lower case.
    words: HashSet<String>,
    /// The texts, in lower case, for names of several words.
    text: String,
}

impl Known {
    /// What the files, the program and its outcome hold.
    pub(super) fn of(work: &Work<'_>, done: &Execution) -> Known {
        let mut known = Known { files: HashSet::new(), words: HashSet::new(), text: String::new() };
        known.add_samples(&work.samples);
        known.add_ask(work.ask);
        let outcome = &done.outcome;
        for artifact in &outcome.artifacts {
            known.add_file(&artifact.path);
        }
        known.add_text(&done.program);
        known.add_text(&outcome.stdout);
        known.add_text(&outcome.stderr);
        for display in &outcome.displays {
            if let Some(text) = display.data.get("text/plain").and_then(|value| value.as_str()) {
                known.add_text(text);
            }
            if let Some(chart) = &display.chart {
                known.add_text(&chart.to_string());
            }
        }
        known.words.extend(COMMON.map(str::to_owned));
        known
    }

    fn add_ask(&mut self, ask: &Ask) {
        self.add_text(&ask.question);
        self.words.insert(ask.image.to_lowercase());
        self.words.extend(ask.packages.keys().map(|name| name.to_lowercase()));
        for exchange in &ask.history {
            self.add_text(&exchange.program);
            self.add_text(&exchange.result);
        }
    }

    fn add_samples(&mut self, samples: &[Sample]) {
        for sample in samples {
            self.add_file(&sample.name);
            for (sheet, table) in tables(sample) {
                self.add_text(&sheet);
                for column in &table.columns {
                    self.words.insert(column.name.trim().to_lowercase());
                    self.words.extend(column.top.iter().map(|(value, _)| value.trim().to_lowercase()));
                }
                self.words.extend(table.head.iter().flatten().flatten().map(|cell| cell.trim().to_lowercase()));
            }
            match &sample.content {
                Content::Json { structure, preview } => {
                    self.add_text(structure);
                    self.add_text(preview);
                }
                Content::Text { preview, .. } => self.add_text(preview),
                Content::Document(document) => self.add_text(&document.preview),
                Content::Archive(archive) => {
                    for entry in &archive.entries {
                        self.add_file(&entry.name);
                    }
                }
                _ => {}
            }
        }
    }

    fn add_file(&mut self, path: &str) {
        let path = path.to_lowercase();
        if let Some((_, name)) = path.rsplit_once('/') {
            self.files.insert(name.to_owned());
        }
        self.files.insert(path);
    }

    fn add_text(&mut self, text: &str) {
        let text = text[..text.floor_char_boundary(TEXT_BYTES)].to_lowercase();
        self.words.extend(text.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned));
        self.words.extend(text.split_whitespace().map(|word| word.trim_matches(is_mark).to_owned()));
        if self.text.len() < 4 * TEXT_BYTES {
            self.text.push_str(&text);
            self.text.push('\n');
        }
    }

    fn has(&self, name: &str) -> bool {
        let name = name.trim().to_lowercase();
        let path = name.trim_start_matches("/mnt/data/").trim_start_matches("./");
        if is_file(path) {
            return self.files.contains(path);
        }
        let bare = name.trim_matches(is_mark);
        self.words.contains(&name)
            || self.words.contains(bare)
            || self.files.contains(path)
            || bare.contains(|c: char| !c.is_alphanumeric() && c != '_') && self.text.contains(bare)
    }
}

fn is_mark(c: char) -> bool {
    ".,;:!?()[]{}<>\"'`*|=".contains(c)
}

/// True for a name with one of the known endings.
fn is_file(name: &str) -> bool {
    let ending = name.rsplit_once('.');
    ending.is_some_and(|(stem, ending)| !stem.is_empty() && EXTENSIONS.contains(&ending) && !name.contains("://"))
}

/// Looks up what an explanation names between backticks, and the words that look like files.
pub(super) fn check(explanation: &str, known: &Known) -> Check {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for (number, line) in explanation.lines().enumerate() {
        if number > 2000 || names.len() >= MOST {
            break;
        }
        for (at, piece) in line.split('`').enumerate() {
            if at % 2 == 1 {
                names.extend(named(piece));
            } else {
                let words = piece.split_whitespace().map(|word| word.trim_matches(is_mark));
                names.extend(
                    words.filter(|word| is_file(&word.to_lowercase()) && !word.contains('/')).map(str::to_owned),
                );
            }
        }
    }
    let missing: Vec<String> = names.iter().filter(|name| !known.has(name)).cloned().collect();
    Check { named: u32::try_from(names.len()).unwrap_or(u32::MAX), missing, corrected: false }
}

/// What is between two backticks, if it is a name: no number, no code, no ending alone.
fn named(piece: &str) -> Option<String> {
    let piece = piece.trim();
    let is_code = piece.contains(['(', '=', '[', '{', '<', '>', '%', '$', '\\']) && !is_file(piece);
    let is_number = piece.chars().all(|c| c.is_ascii_digit() || ".,+-%eE ".contains(c));
    let is_long = piece.len() > 200 || piece.split_whitespace().count() > 6;
    (!piece.is_empty() && !is_code && !is_number && !is_long && !piece.starts_with('.')).then(|| piece.to_owned())
}

/// Marks what does not exist, so that nobody looks for it.
pub(super) fn mark(explanation: &str, missing: &[String]) -> String {
    let mut text = explanation.to_owned();
    for name in missing {
        let (marked, quoted) = (format!("{name} *(does not exist)*"), format!("`{name}`"));
        text = if text.contains(&quoted) { text.replace(&quoted, &marked) } else { text.replacen(name, &marked, 1) };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let mut known = Known { files: HashSet::new(), words: HashSet::new(), text: String::new() };
        known.add_file("data/penguins.csv");
        known.add_file("mass.png");
        known.words.insert("body mass (g)".into());
        known.add_text("df.groupby('species')['mass_kg'].mean()\nAdelie 3.7");
        known
    }

    #[test]
    fn names_that_do_not_exist_are_found_and_marked() {
        let text = "The file `penguins.csv` has `Body mass (g)` and `species`; `island` is in islands.csv, see mass.png \
                    and `Adelie` (`3.7`, `df.groupby(...)`, `.csv`).";
        let check = check(text, &known());
        assert_eq!(check.missing, ["island", "islands.csv"]);
        let marked = mark(text, &check.missing);
        assert!(marked.contains("island *(does not exist)* is in islands.csv *(does not exist)*"), "{marked}");
    }

    #[test]
    fn an_explanation_without_names_has_nothing_missing() {
        for text in ["", "It is **4.2 kg**.", "`", "``` `x", "Version 3.13 of e.g. D3.js"] {
            assert!(check(text, &known()).missing.is_empty() || text.contains("`x"), "{text}");
        }
    }
}
