//! Builds a [`Table`] from rows as they stream by: statistics per column, the first rows and a random sample of the rest.

use std::collections::{HashMap, HashSet};

use super::clip;
use super::column::ColumnStats;
use super::count::Reservoir;
use crate::engine::sample::{Dialect, Table};

/// Columns that are described. More are counted and noted.
pub const MAX_COLUMNS: usize = 200;
/// Different values counted per column; fewer in a wide table, so that memory stays bounded.
const MAX_DISTINCT: usize = 10_000;
/// Different values counted over all columns.
const DISTINCT_BUDGET: usize = 1_000_000;
const FIRST_ROWS: usize = 8;
const SAMPLED_ROWS: usize = 12;
/// Bytes of a cell that are shown.
const CELL: usize = 120;
/// Bytes of a column's name that are kept.
const NAME: usize = 200;

/// A row as shown: `None` is missing.
type Row = Vec<Option<String>>;

/// A table in the making.
#[derive(Debug)]
pub struct TableBuilder {
    names: Vec<String>,
    /// Where each name is; filled by [`TableBuilder::column`] only.
    places: HashMap<String, usize>,
    columns: Vec<ColumnStats>,
    decimal: u8,
    /// Rows so far.
    pub rows: u64,
    first: Vec<Row>,
    sampled: Reservoir<(u64, Row)>,
    notes: Vec<String>,
}

impl TableBuilder {
    /// A table with these column names. Empty and repeated names are changed as pandas changes them.
    pub fn new(names: Vec<String>, decimal: u8) -> Self {
        let total_columns = names.len();
        let mut notes = Vec::new();
        let names = unique_names(names, &mut notes);
        if total_columns > MAX_COLUMNS {
            notes.push(format!("{total_columns} columns; the first {MAX_COLUMNS} are described"));
        }
        let distinct = MAX_DISTINCT.min(DISTINCT_BUDGET / total_columns.clamp(1, MAX_COLUMNS));
        let columns = names.iter().map(|_| ColumnStats::new(decimal, distinct)).collect();
        let sampled = Reservoir::new(SAMPLED_ROWS);
        TableBuilder { names, places: HashMap::new(), columns, decimal, rows: 0, first: Vec::new(), sampled, notes }
    }

    /// The position of the column called `name`, added if it is new; `None` if there are too many.
    /// For a table begun without names.
    pub fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(at) = self.places.get(name) {
            return Some(*at);
        }
        if self.names.len() == MAX_COLUMNS {
            return None;
        }
        // How many columns there will be is not known yet: the first hundred get most of the budget.
        let distinct = if self.names.len() < DISTINCT_BUDGET / MAX_DISTINCT { MAX_DISTINCT } else { MAX_DISTINCT / 10 };
        let mut stats = ColumnStats::new(self.decimal, distinct);
        stats.push_missing(self.rows);
        self.places.insert(name.to_owned(), self.names.len());
        self.names.push(name.to_owned());
        self.columns.push(stats);
        Some(self.names.len() - 1)
    }

    /// Adds a row; `cell(i)` is the value in column `i`.
    pub fn push<'a>(&mut self, cell: impl Fn(usize) -> Option<&'a [u8]>) {
        for (i, column) in self.columns.iter_mut().enumerate() {
            match cell(i) {
                Some(bytes) => column.push(bytes),
                None => column.push_missing(1),
            }
        }
        let width = self.columns.len();
        let shown = || (0..width).map(|i| cell(i).and_then(shown_cell)).collect::<Row>();
        if self.first.len() < FIRST_ROWS {
            self.first.push(shown());
        } else {
            let row = self.rows;
            self.sampled.offer(|| (row, shown()));
        }
        self.rows += 1;
    }

    /// Adds rows without any value.
    pub fn push_blank(&mut self, rows: u64) {
        for column in &mut self.columns {
            column.push_missing(rows);
        }
        self.rows += rows;
    }

    /// The table, and what a person should know of it.
    pub fn finish(self, rows_estimated: bool, dialect: Option<Dialect>) -> (Table, Vec<String>) {
        let mut notes = self.notes;
        let mut columns = Vec::with_capacity(self.columns.len());
        for (stats, name) in self.columns.into_iter().zip(self.names) {
            let (column, column_notes) = stats.finish(name);
            columns.push(column);
            notes.extend(column_notes);
        }
        let mut sampled = self.sampled.items;
        sampled.sort_unstable_by_key(|(row, _)| *row);
        let mut head = self.first;
        head.extend(sampled.into_iter().map(|(_, row)| row));
        for row in &mut head {
            row.resize(columns.len(), None);
        }
        (Table { rows: self.rows, rows_estimated, dialect, columns, head }, notes)
    }
}

/// A cell as shown in the head; `None` if it marks a missing value.
fn shown_cell(bytes: &[u8]) -> Option<String> {
    let missing = super::cell::missing(bytes.trim_ascii()).is_some();
    (!missing).then(|| clip(bytes, CELL, bytes.len() > CELL))
}

/// At most [`MAX_COLUMNS`] names, each different, as `pandas.read_csv` makes them.
fn unique_names(names: Vec<String>, notes: &mut Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut unique = Vec::with_capacity(names.len().min(MAX_COLUMNS));
    let mut repeated = None;
    for (i, name) in names.into_iter().take(MAX_COLUMNS).enumerate() {
        let base =
            if name.is_empty() { format!("Unnamed: {i}") } else { clip(name.as_bytes(), NAME, name.len() > NAME) };
        let mut candidate = base.clone();
        let mut copy = 0;
        while !seen.insert(candidate.clone()) {
            copy += 1;
            candidate = format!("{base}.{copy}");
            repeated = Some(base.clone());
        }
        unique.push(candidate);
    }
    if let Some(name) = repeated {
        notes.push(format!("column name `{name}` is repeated; pandas numbers the copies: `{name}.1`"));
    }
    unique
}
