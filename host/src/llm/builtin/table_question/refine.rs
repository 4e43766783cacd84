//! A question that goes on from the one before it: the earlier plan with what the new words change.

use super::super::columns::{default_agg, is_measure, is_time, time_column};
use super::super::plan::{Agg, Chart, Filter, Order, TablePlan, Task, Top};
use super::super::words::Token;
use super::super::{filters, mentions};
use super::Reading;
use crate::engine::sample::Table;

/// The plan before, changed as the question wants; `None` if the question stands on its own.
pub fn refine(tokens: &[Token], before: &TablePlan, table: &Table) -> Option<TablePlan> {
    let mentions = mentions::find(tokens, table);
    let conditions = filters::find(tokens, &mentions, table);
    let reading = Reading::new(tokens, table, &mentions, &conditions);
    let whole = (!reading.measures.is_empty() || reading.agg() == Some(Agg::Count))
        && (!reading.groups.is_empty() || reading.every().is_some());
    if whole && !reading.all_has(&["instead", "same"]) {
        return None;
    }
    if !goes_on(tokens, &reading) {
        return None;
    }
    if reading.housekeeping().is_some() && !reading.all_has(&["it", "that", "this", "them", "result"]) {
        return None;
    }
    let filters = if reading.says("remove the filter") || reading.says("without filter") || reading.says("for all") {
        Vec::new()
    } else {
        narrowed(&before.filters, &conditions.filters)
    };
    let task = match reading.housekeeping() {
        Some(task) => task,
        None => reading.changed(&before.task)?,
    };
    let plan = TablePlan { filters, task, ..before.clone() };
    (plan != *before).then_some(plan)
}

/// Words that speak of the answer before, or a piece too short to be a question.
fn goes_on(tokens: &[Token], reading: &Reading) -> bool {
    const FIRST: &[&str] = &[
        "and",
        "but",
        "now",
        "then",
        "only",
        "just",
        "without",
        "excluding",
        "except",
        "by",
        "per",
        "as",
        "for",
        "in",
        "split",
        "with",
        "instead",
    ];
    let first = tokens.first().map_or("", |token| token.text.as_str());
    let points = reading.all_has(&["instead", "now", "same", "again", "also", "too"])
        || reading.says("what about")
        || reading.says("how about")
        || [
            "make it",
            "make that",
            "show it",
            "show that",
            "draw it",
            "draw that",
            "do it",
            "do that",
            "plot it",
            "as well",
        ]
        .iter()
        .any(|phrase| reading.says(phrase));
    let piece =
        tokens.len() <= 4 && reading.columns.is_empty() && (reading.chart() != Chart::Auto || reading.agg().is_some());
    FIRST.contains(&first) || points || piece
}

/// Conditions of both; the new ones replace those on the same column.
fn narrowed(before: &[Filter], new: &[Filter]) -> Vec<Filter> {
    let kept = before.iter().filter(|old| !new.iter().any(|filter| column_of(filter) == column_of(old)));
    kept.chain(new).cloned().collect()
}

fn column_of(filter: &Filter) -> &str {
    match filter {
        Filter::OneOf { column, .. }
        | Filter::Text { column, .. }
        | Filter::Compare { column, .. }
        | Filter::Date { column, .. }
        | Filter::Month { column, .. }
        | Filter::Flag { column, .. }
        | Filter::Missing { column } => column,
    }
}

impl Reading<'_> {
    fn changed(&self, before: &Task) -> Option<Task> {
        let chart = if self.says("as a table") || self.says("no chart") { Chart::None } else { self.chart() };
        let drawn = |old: Chart| if chart == Chart::Auto { old } else { chart };
        let adds = self.all_has(&[
            "also",
            "too",
            "split",
            "additionally",
            "further",
            "colour",
            "color",
            "coloured",
            "colored",
        ]) || self.says("as well")
            || self.says("and by");
        match before {
            Task::Aggregate { measures, how, by, chart: old, top, share } => {
                let (measures, how) = self.figure(measures, *how, adds)?;
                let groups = self.names(&self.groups);
                let time = time_column(self.table).filter(|_| {
                    self.every().is_some()
                        || self.says("over time")
                        || self.columns.iter().any(|&at| is_time(&self.table.columns[at]))
                });
                if let Some(time) = time {
                    let by = if adds || self.says("over time") { by.first().cloned() } else { None };
                    let at = self.table.columns.iter().position(|column| column.name == time.name)?;
                    let every = self.every().unwrap_or_else(|| self.natural_step(at));
                    return Some(Task::Trend { time: time.name.clone(), measures, how, every, by, chart });
                }
                let by = joined(by, groups, adds);
                if let ([one, ..], Chart::Histogram | Chart::Box | Chart::Violin) = (&measures[..], chart) {
                    return Some(Task::Distribution { column: one.clone(), by: by.first().cloned(), chart });
                }
                if let ([x, y, ..], Chart::Scatter) = (&measures[..], chart) {
                    return Some(Task::Relationship { x: x.clone(), y: y.clone(), by: by.first().cloned() });
                }
                if let ([rows, columns, ..], Chart::Heatmap) = (&by[..], chart) {
                    let measure = measures.first().cloned();
                    return Some(Task::Pivot { measure, how, rows: rows.clone(), columns: columns.clone() });
                }
                let share = *share
                    || chart == Chart::Pie
                    || self.has(&["percent", "percentage", "percentages", "share", "shares", "proportion", "%"]);
                let how = if share && how == Agg::Mean { Agg::Sum } else { how };
                Some(Task::Aggregate { measures, how, by, chart: drawn(*old), top: self.ranked().or(*top), share })
            }
            Task::Trend { time, measures, how, every, by, chart: old } => {
                let (measures, how) = self.figure(measures, *how, adds)?;
                let groups = self.names(&self.groups);
                if !groups.is_empty() && self.all_has(&["instead"]) {
                    return Some(Task::Aggregate {
                        measures,
                        how,
                        by: groups,
                        chart,
                        top: self.ranked(),
                        share: false,
                    });
                }
                Some(Task::Trend {
                    time: time.clone(),
                    measures,
                    how,
                    every: self.every().unwrap_or(*every),
                    by: groups.into_iter().next().or_else(|| by.clone()),
                    chart: drawn(*old),
                })
            }
            Task::Distribution { column, by, chart: old } => {
                let column = self.measures.first().map_or_else(|| column.clone(), |&at| self.name(at));
                let by = self.groups.first().map(|&at| self.name(at)).or_else(|| by.clone());
                if let Some(how) = self.agg().filter(|how| !matches!(how, Agg::Count | Agg::Distinct)) {
                    return Some(Task::Aggregate {
                        measures: vec![column],
                        how,
                        by: by.into_iter().collect(),
                        chart,
                        top: None,
                        share: false,
                    });
                }
                Some(Task::Distribution { column, by, chart: drawn(*old) })
            }
            Task::Relationship { x, y, by } => {
                let (mut x, mut y) = (x.clone(), y.clone());
                match self.measures[..] {
                    [one] => y = self.name(one),
                    [one, two, ..] => (x, y) = (self.name(one), self.name(two)),
                    [] => {}
                }
                Some(Task::Relationship {
                    x,
                    y,
                    by: self.groups.first().map(|&at| self.name(at)).or_else(|| by.clone()),
                })
            }
            Task::Pivot { measure, how, rows, columns } => {
                let measures: Vec<String> = measure.iter().cloned().collect();
                let (measures, how) = self.figure(&measures, *how, false)?;
                let (rows, columns) = match self.groups[..] {
                    [] => (rows.clone(), columns.clone()),
                    [one] => (rows.clone(), self.name(one)),
                    [one, two, ..] => (self.name(one), self.name(two)),
                };
                Some(Task::Pivot { measure: measures.into_iter().next(), how, rows, columns })
            }
            Task::Rows { sort, limit, from_end, columns } => {
                if self.agg().is_some() || !self.groups.is_empty() || chart != Chart::Auto {
                    return None;
                }
                let sort = self.sort.map(|at| (self.name(at), Order::Ascending)).or_else(|| sort.clone());
                let limit = self.numbers.first().map(|(_, value)| value.clamp(1.0, 100_000.0) as usize).or(*limit);
                Some(Task::Rows { sort, limit, from_end: *from_end, columns: columns.clone() })
            }
            Task::Outliers { .. } | Task::Correlation { .. } if self.filtered => Some(before.clone()),
            _ => None,
        }
    }

    /// Measures and figure after the change; `None` if a figure has nothing to be made of.
    fn figure(&self, measures: &[String], how: Agg, adds: bool) -> Option<(Vec<String>, Agg)> {
        let new = self.names(
            &self.measures.iter().copied().filter(|&at| is_measure(&self.table.columns[at])).collect::<Vec<_>>(),
        );
        let asked = self.agg();
        if asked == Some(Agg::Count) {
            return Some((Vec::new(), Agg::Count));
        }
        let how = match (asked, new.first()) {
            (Some(asked), _) => asked,
            (None, Some(first)) if measures.is_empty() => default_agg(first),
            (None, _) => how,
        };
        let measures = joined(measures, new, adds);
        (how == Agg::Count || !measures.is_empty()).then_some((measures, how))
    }

    fn ranked(&self) -> Option<Top> {
        let (count, order) = self.top()?;
        count.map(|count| Top { count, order })
    }
}

/// The new ones behind the old if they are added, else in their place.
fn joined(old: &[String], new: Vec<String>, adds: bool) -> Vec<String> {
    if new.is_empty() {
        return old.to_vec();
    }
    let mut all = if adds { old.to_vec() } else { Vec::new() };
    for name in new {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all.truncate(3);
    all
}
