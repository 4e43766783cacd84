//! Question + table → filters and [`Task`]: the rules for tables.
//!
//! Mentions of columns and values are found first, then conditions; what is left of the words tells
//! the intent. Rules go from the most specific wording to the most general, and end with a guess
//! from the columns alone.

mod figures;
mod reading;
mod refine;
mod relations;
mod upkeep;
mod wording;

use super::plan::{Filter, Task};
use super::words::Token;
use super::{filters, mentions, unknown};
use crate::engine::sample::Table;
use reading::Reading;
pub use refine::refine;

/// Marks the tokens that name a column or a value or belong to a condition.
pub fn taken(tokens: &[Token], table: &Table) -> Vec<bool> {
    let mentions = mentions::find(tokens, table);
    let mut taken = filters::find(tokens, &mentions, table).used;
    for mention in &mentions {
        mention.span.clone().for_each(|at| taken[at] = true);
    }
    taken
}

/// Plans what to do with a table. `about` is the name of its file and sheet.
pub fn task(tokens: &[Token], table: &Table, about: &str) -> (Vec<Filter>, Task) {
    let mentions = mentions::find(tokens, table);
    let conditions = filters::find(tokens, &mentions, table);
    let reading = Reading::new(tokens, table, &mentions, &conditions);
    let names = unknown::names(tokens, &taken(tokens, table), about);
    if !names.is_empty() && !reading.beyond() {
        let near = unknown::near(&names, table);
        return (Vec::new(), Task::Unknown { names, near });
    }
    let task = reading.task();
    let mut filters = conditions.filters;
    if let Task::Missing | Task::Overview { understood: false } = task {
        filters.clear();
    }
    (filters, task)
}

impl Reading<'_> {
    /// True for what no rule here can do.
    fn beyond(&self) -> bool {
        const BEYOND: &[&str] = &[
            "predict",
            "prediction",
            "forecast",
            "forecasting",
            "cluster",
            "clustering",
            "regress",
            "classify",
            "classifier",
            "train",
            "anova",
            "significance",
            "significant",
            "hypothesis",
            "translate",
            "sentiment",
            "why",
        ];
        self.has(BEYOND)
    }

    fn task(&self) -> Task {
        if self.beyond() {
            return Task::Overview { understood: false };
        }
        let nothing = self.columns.is_empty() && !self.filtered;
        if nothing && (self.words.is_empty() || self.overview_words()) {
            return Task::Overview { understood: true };
        }
        self.housekeeping()
            .or_else(|| self.two_columns())
            .or_else(|| self.trend())
            .or_else(|| self.spread())
            .or_else(|| self.ranking())
            .or_else(|| self.aggregate())
            .or_else(|| self.rows())
            .unwrap_or_else(|| self.guess())
    }
}
