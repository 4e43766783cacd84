//! Tables of figures, for people and as JSON.

use serde_json::{Map, Value, json};

/// The command line of a bench.
#[derive(Debug)]
pub struct Options(Vec<String>);

impl Options {
    /// Reads it. Cargo's own `--bench` is left out.
    #[must_use]
    pub fn read() -> Options {
        Options(std::env::args().skip(1).filter(|argument| argument != "--bench").collect())
    }

    /// Whether a flag is given.
    #[must_use]
    pub fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|argument| argument == flag)
    }

    /// What follows a flag.
    #[must_use]
    pub fn value(&self, flag: &str) -> Option<&str> {
        let at = self.0.iter().position(|argument| argument == flag)?;
        self.0.get(at + 1).map(String::as_str)
    }

    /// A number that follows a flag.
    #[must_use]
    pub fn number(&self, flag: &str, default: usize) -> usize {
        self.value(flag).and_then(|text| text.parse().ok()).unwrap_or(default)
    }
}

/// One row: what is measured, then columns in the order in which they were put.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    cells: Vec<(String, String)>,
}

impl Row {
    /// A row without columns.
    #[must_use]
    pub fn new(name: &str) -> Row {
        Row { name: name.into(), cells: Vec::new() }
    }

    /// Adds a column.
    pub fn put(&mut self, column: &str, text: impl Into<String>) {
        self.cells.push((column.into(), text.into()));
    }

    /// A figure with its target, what stands beside it, and how it was measured.
    #[must_use]
    pub fn figure(name: &str, target: &str, ours: String, beside: &str, how: &str) -> Row {
        let mut row = Row::new(name);
        for (column, text) in [("target", target), ("ours", ours.as_str()), ("beside it", beside), ("how", how)] {
            row.put(column, text);
        }
        row
    }
}

/// Prints a table; as JSON if `--json` is given.
pub fn print(options: &Options, about: &str, rows: &[Row]) {
    if options.has("--json") {
        let rows: Vec<Value> = rows.iter().map(to_json).collect();
        println!("{}", json!({"about": about, "figures": rows}));
        return;
    }
    let Some(first) = rows.first() else { return };
    let titles = std::iter::once("figure").chain(first.cells.iter().map(|(column, _)| column.as_str()));
    let mut lines: Vec<Vec<&str>> = vec![titles.collect()];
    for row in rows {
        lines.push(std::iter::once(row.name.as_str()).chain(row.cells.iter().map(|(_, text)| text.as_str())).collect());
    }
    let columns = lines[0].len();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    println!("{about}\n");
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

fn to_json(row: &Row) -> Value {
    let mut object = Map::new();
    object.insert("figure".into(), row.name.clone().into());
    object.extend(row.cells.iter().map(|(column, text)| (column.replace(' ', "_"), Value::from(text.as_str()))));
    Value::Object(object)
}
