//! Intents about the table itself: cleaning, gaps, duplicates, outliers, other formats, some of its rows.

use super::super::columns::{is_measure, searched};
use super::super::plan::{Order, Task};
use super::Reading;

impl Reading<'_> {
    /// Cleaning, missing values, duplicates, outliers, other formats.
    pub(super) fn housekeeping(&self) -> Option<Task> {
        if self.has(&["convert", "export", "save", "turn", "transform", "write"]) {
            let formats: &[(&[&str], &str)] =
                &[(&["json"], "json"), (&["excel", "xlsx", "workbook", "spreadsheet"], "xlsx"), (&["csv"], "csv")];
            if let Some((_, format)) = formats.iter().find(|(words, _)| self.has(words)) {
                return Some(Task::Export { format });
            }
        }
        if self.has(&[
            "clean",
            "cleanup",
            "tidy",
            "cleaned",
            "cleaning",
            "dedupe",
            "deduplicate",
            "sanitize",
            "sanitise",
        ]) || ((self.has(&["remove", "drop", "fix", "delete", "fill"]))
            && self.has(&["duplicates", "duplicate", "missing", "nan", "nulls", "null", "empty"]))
        {
            return Some(Task::Clean);
        }
        if self.has(&["missing", "null", "nulls", "nan", "nans", "incomplete", "blanks", "completeness"])
            || self.says("empty values")
            || self.says("empty cells")
        {
            return Some(Task::Missing);
        }
        if self.has(&["duplicate", "duplicates", "duplicated", "twice"]) {
            return Some(Task::Duplicates);
        }
        if self.has(&["outlier", "outliers", "anomaly", "anomalies", "unusual", "extreme"]) {
            return Some(Task::Outliers {
                columns: if self.measures.is_empty() { self.all_measures() } else { self.names(&self.measures) },
            })
            .filter(|task| !matches!(task, Task::Outliers { columns } if columns.is_empty()));
        }
        None
    }

    pub(super) fn rows(&self) -> Option<Task> {
        let asks = self.has(&[
            "show", "list", "display", "find", "give", "filter", "select", "rows", "records", "entries", "get",
            "where", "sort", "sorted", "order", "ordered", "head", "preview", "only", "with", "without",
        ]);
        let ends = self.has(&["first", "last", "head", "tail", "random"]);
        if self.sort.is_none()
            && !ends
            && !(self.filtered && (asks || self.columns.is_empty()))
            && !(asks && self.has(&["rows", "records", "entries", "preview", "all", "everything"]))
        {
            return None;
        }
        if !self.filtered && !ends && self.sort.is_none() && !self.measures.is_empty() {
            return None;
        }
        let down = self.has(&["descending", "desc", "decreasing"])
            || self.says("high to low")
            || self.says("largest first")
            || self.says("highest first");
        let sort = self.sort.map(|at| (self.name(at), if down { Order::Descending } else { Order::Ascending }));
        let limit = self.numbers.first().map(|(_, value)| value.clamp(1.0, 100_000.0) as usize).or(ends.then_some(10));
        let wanted: Vec<usize> = if self.columns.len() > 1 && asks { self.columns.clone() } else { Vec::new() };
        Some(Task::Rows { sort, limit, from_end: self.has(&["last", "tail"]), columns: self.names(&wanted) })
    }

    pub(super) fn all_measures(&self) -> Vec<String> {
        searched(self.table)
            .iter()
            .filter(|column| is_measure(column))
            .map(|column| column.name.clone())
            .take(12)
            .collect()
    }
}
