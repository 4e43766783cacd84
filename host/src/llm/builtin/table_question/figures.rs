//! Intents about figures: rankings, figures per group, and the guess from columns alone.

use super::super::columns::{default_agg, is_numeric, is_time, time_column};
use super::super::plan::{Agg, Chart, Order, Task, Top};
use super::super::words::is_stop;
use super::Reading;
use crate::engine::sample::Role;

impl Reading<'_> {
    /// `top 5 …`, `which … has the most …`, `the heaviest penguins`.
    pub(super) fn ranking(&self) -> Option<Task> {
        let (count, order) = self.top()?;
        let mut measures = self.measures.clone();
        measures.extend(self.adjective_measure().filter(|_| self.measures.is_empty()));
        let common = self.has(&["common", "frequent", "often", "popular", "rows", "entries", "records"])
            || self.agg() == Some(Agg::Count);
        let asks_rows = self.has(&["rows", "records", "entries", "observations"]) && !measures.is_empty();
        if !self.groups.is_empty() && !asks_rows && (self.marked_group() || measures.is_empty() || count.is_some()) {
            let (measures, how) = if measures.is_empty() || common {
                (Vec::new(), Agg::Count)
            } else {
                let names = self.names(&measures[..1]);
                let how = self.agg().unwrap_or_else(|| default_agg(&names[0]));
                (names, how)
            };
            let which = self.all_has(&["which", "what"]);
            let few = self.table.columns[self.groups[0]].distinct <= 10;
            let all =
                count.is_none() && ((which && few) || (!which && self.groups.len() == 1 && self.says_figure(order)));
            let top = if all { None } else { Some(Top { count: count.unwrap_or(10), order }) };
            let how = match (order, top, how) {
                // `highest body mass by species`: a figure of each group, no ranking
                (Order::Descending, None, _) if !which && !measures.is_empty() && self.agg().is_none() => Agg::Max,
                (Order::Ascending, None, _) if !which && !measures.is_empty() && self.agg().is_none() => Agg::Min,
                _ => how,
            };
            return Some(Task::Aggregate {
                measures,
                how,
                by: self.names(&self.groups[..self.groups.len().min(2)]),
                chart: self.chart(),
                top,
                share: false,
            });
        }
        let column = self.sort.or(measures.first().copied())?;
        let single = count.is_none() && !self.plural_rows();
        if single
            && self.groups.is_empty()
            && self.all_has(&["what"])
            && self.says_figure(order)
            && time_column(self.table).is_none()
        {
            let how = if order == Order::Descending { Agg::Max } else { Agg::Min };
            return Some(Task::Aggregate {
                measures: vec![self.name(column)],
                how,
                by: Vec::new(),
                chart: Chart::Auto,
                top: None,
                share: false,
            });
        }
        Some(Task::Rows {
            sort: Some((self.name(column), order)),
            limit: Some(count.unwrap_or(10)),
            from_end: false,
            columns: Vec::new(),
        })
    }

    pub(super) fn aggregate(&self) -> Option<Task> {
        let chart = self.chart();
        let share = chart == Chart::Pie
            || self.has(&[
                "share",
                "shares",
                "percent",
                "percentage",
                "percentages",
                "proportion",
                "proportions",
                "fraction",
                "%",
                "ratio",
            ]);
        let compares = self.has(&[
            "compare",
            "comparison",
            "compared",
            "versus",
            "vs",
            "differ",
            "differs",
            "difference",
            "differences",
        ]);
        let asked = self.agg();
        let drawn = matches!(chart, Chart::Bar | Chart::Pie | Chart::Line | Chart::Area);
        let wants_rows = self.has(&["list", "rows", "records", "filter", "select", "entries", "display"])
            && asked.is_none()
            && !drawn
            && !share;
        if wants_rows {
            return None;
        }
        let (measures, mut how) = self.figures();
        if asked == Some(Agg::Distinct) && measures.is_empty() {
            return self.distinct();
        }
        let marked = self.all_has(&["by", "per", "each", "every", "across"]) && !self.groups.is_empty();
        if asked.is_none() && !share && !compares && !drawn && !marked {
            return None;
        }
        if asked == Some(Agg::Count) && self.groups.is_empty() {
            // How many rows fulfil the conditions?
            return Some(Task::Aggregate {
                measures: Vec::new(),
                how: Agg::Count,
                by: Vec::new(),
                chart: Chart::None,
                top: None,
                share,
            });
        }
        if measures.is_empty() && self.groups.is_empty() {
            let how = asked?;
            // `averages`: of everything
            let all = self.all_measures();
            return (!all.is_empty() && self.columns.is_empty()).then(|| Task::Aggregate {
                measures: all.into_iter().take(8).collect(),
                how,
                by: Vec::new(),
                chart: Chart::Auto,
                top: None,
                share: false,
            });
        }
        if measures.is_empty() {
            how = Agg::Count;
        }
        let mut groups = self.groups.clone();
        if let Some(other) = self.loose.filter(|_| measures.is_empty()) {
            if !share && (self.says("how many") || self.says("number of")) {
                // `how many species per island`
                return Some(Task::Aggregate {
                    measures: vec![self.name(other)],
                    how: Agg::Distinct,
                    by: self.names(&groups),
                    chart,
                    top: None,
                    share: false,
                });
            }
            groups.push(other);
        }
        let share = share && !groups.is_empty();
        if share && !matches!(how, Agg::Count | Agg::Distinct) {
            how = Agg::Sum;
        }
        groups.truncate(3);
        let measures = if groups.len() > 1 { measures.into_iter().take(1).collect() } else { measures };
        Some(Task::Aggregate { measures, how, by: self.names(&groups), chart, top: None, share })
    }

    /// `how many different islands`, `unique values of species`.
    pub(super) fn distinct(&self) -> Option<Task> {
        let column = self.groups.first().or(self.columns.first()).copied()?;
        if let [group, column] = self.columns[..]
            && self.all_has(&["per", "by", "each"])
        {
            // `how many different species per island`
            let (by, what) = if self.groups.contains(&column)
                && self.all_words.iter().rposition(|w| matches!(*w, "per" | "by" | "each")).is_some()
            {
                (column, group)
            } else {
                (group, column)
            };
            return Some(Task::Aggregate {
                measures: vec![self.name(what)],
                how: Agg::Distinct,
                by: vec![self.name(by)],
                chart: self.chart(),
                top: None,
                share: false,
            });
        }
        Some(Task::Aggregate {
            measures: Vec::new(),
            how: Agg::Count,
            by: vec![self.name(column)],
            chart: self.chart(),
            top: None,
            share: false,
        })
    }

    /// The measured columns and the figure asked for.
    pub(super) fn figures(&self) -> (Vec<String>, Agg) {
        let mut measures = self.measures.clone();
        if measures.is_empty() {
            measures.extend(self.adjective_measure());
        }
        let asked = self.agg();
        if asked == Some(Agg::Count) {
            return (Vec::new(), Agg::Count);
        }
        if measures.is_empty()
            && (asked.is_some() || self.filtered)
            && !self.condition_measures.is_empty()
            && asked.is_some()
        {
            measures.clone_from(&self.condition_measures);
        }
        if measures.is_empty() {
            return (Vec::new(), Agg::Count);
        }
        let names = self.names(&measures);
        let how = asked.filter(|how| *how != Agg::Count).unwrap_or_else(|| default_agg(&names[0]));
        (names, how)
    }

    /// No verb that is known: what would one want to know of such columns?
    pub(super) fn guess(&self) -> Task {
        let content =
            self.words.iter().filter(|word| word.len() > 2 && !is_stop(word) && word.parse::<f64>().is_err()).count();
        let known = self.columns.len() + usize::from(self.filtered);
        if known == 0 || content > known * 2 + 2 {
            return Task::Overview { understood: false };
        }
        match (&self.measures[..], &self.groups[..]) {
            ([], []) => match self.columns.first().filter(|_| !self.filtered) {
                Some(&at) if is_time(&self.table.columns[at]) => Task::Trend {
                    time: self.name(at),
                    measures: Vec::new(),
                    how: Agg::Count,
                    every: self.natural_step(at),
                    by: None,
                    chart: Chart::Auto,
                },
                Some(&at) if is_numeric(&self.table.columns[at]) && self.table.columns[at].role != Role::Id => {
                    Task::Distribution { column: self.name(at), by: None, chart: Chart::Auto }
                }
                Some(&at) => Task::Aggregate {
                    measures: Vec::new(),
                    how: Agg::Count,
                    by: vec![self.name(at)],
                    chart: Chart::Auto,
                    top: Some(Top { count: 20, order: Order::Descending }),
                    share: false,
                },
                None => Task::Rows { sort: None, limit: None, from_end: false, columns: Vec::new() },
            },
            ([], groups) => Task::Aggregate {
                measures: Vec::new(),
                how: Agg::Count,
                by: self.names(&groups[..groups.len().min(2)]),
                chart: Chart::Auto,
                top: None,
                share: false,
            },
            ([one], []) => Task::Distribution { column: self.name(*one), by: None, chart: Chart::Auto },
            ([x, y], []) => Task::Relationship { x: self.name(*x), y: self.name(*y), by: None },
            (many, []) => Task::Correlation { columns: self.names(many) },
            (measures, groups) => {
                let names = self.names(&measures[..1]);
                let how = default_agg(&names[0]);
                Task::Aggregate {
                    measures: names,
                    how,
                    by: self.names(&groups[..groups.len().min(2)]),
                    chart: Chart::Auto,
                    top: None,
                    share: false,
                }
            }
        }
    }
}
