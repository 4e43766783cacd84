//! Intents about columns and time: relationships, pivots, trends, distributions.

use super::super::columns::{default_agg, is_time, is_year, searched, time_column};
use super::super::plan::{Agg, Chart, Task};
use super::Reading;

impl Reading<'_> {
    /// Relationships, correlations and pivots.
    pub(super) fn two_columns(&self) -> Option<Task> {
        let chart = self.chart();
        let related = self.has(&[
            "correlation",
            "correlations",
            "correlate",
            "correlated",
            "correlates",
            "relationship",
            "relationships",
            "relation",
            "related",
            "relate",
            "depend",
            "depends",
            "association",
        ]);
        let against = self.has(&["vs", "versus", "against"]) && !self.compared;
        if related
            || chart == Chart::Scatter
            || (against && self.measures.len() >= 2)
            || (chart == Chart::Auto && against && self.measures.len() == 2)
        {
            if self.measures.len() == 2 || (self.measures.len() > 2 && chart == Chart::Scatter) {
                // `A against B` has A upright; `between A and B` has A across.
                let (x, y) = if against { (1, 0) } else { (0, 1) };
                return Some(Task::Relationship {
                    x: self.name(self.measures[x]),
                    y: self.name(self.measures[y]),
                    by: self.groups.first().map(|&at| self.name(at)),
                });
            }
            if let ([measure], true) = (&self.measures[..], chart == Chart::Scatter)
                && let Some(time) = time_column(self.table)
            {
                return Some(Task::Relationship {
                    x: time.name.clone(),
                    y: self.name(*measure),
                    by: self.groups.first().map(|&at| self.name(at)),
                });
            }
            if related && self.measures.len() != 1 && self.groups.len() < 2 {
                let columns = if self.measures.len() > 2 { self.names(&self.measures) } else { self.all_measures() };
                if columns.len() >= 2 {
                    return Some(Task::Correlation { columns });
                }
            }
            if related && self.measures.len() == 1 && self.groups.is_empty() {
                return Some(Task::Correlation { columns: self.all_measures() })
                    .filter(|t| matches!(t, Task::Correlation { columns } if columns.len() > 1));
            }
        }
        let pivot = self.has(&["pivot", "crosstab", "crosstabulation", "contingency", "matrix"])
            || self.says("cross tab")
            || chart == Chart::Heatmap;
        let mut groups = self.groups.clone();
        if groups.len() == 1 {
            groups.splice(0..0, self.loose);
        }
        if pivot && groups.len() >= 2 {
            let measure = self.measures.first().map(|&at| self.name(at));
            let how = self
                .agg()
                .filter(|how| measure.is_some() || *how == Agg::Count)
                .unwrap_or_else(|| measure.as_deref().map_or(Agg::Count, default_agg));
            let measure = measure.filter(|_| how != Agg::Count);
            return Some(Task::Pivot { measure, how, rows: self.name(groups[0]), columns: self.name(groups[1]) });
        }
        let numbers = self.all_measures();
        (chart == Chart::Heatmap && self.groups.len() < 2 && numbers.len() > 1 && self.measures.len() != 1)
            .then_some(Task::Correlation { columns: numbers })
    }

    pub(super) fn trend(&self) -> Option<Task> {
        let time = self
            .columns
            .iter()
            .copied()
            .find(|&at| is_time(&self.table.columns[at]))
            .or_else(|| searched(self.table).iter().position(is_time));
        let every = self.every();
        let over = self.says("over time")
            || self.says("over the years")
            || self.says("over the year")
            || self.says("year over year")
            || self.has(&[
                "trend",
                "trends",
                "timeline",
                "evolution",
                "evolve",
                "evolved",
                "develop",
                "developed",
                "development",
                "growth",
                "grow",
                "grew",
                "progression",
            ])
            || self.says("time series");
        let time_named = time.is_some_and(|at| self.columns.contains(&at))
            && self.top().is_none()
            && !self.has(&["list", "rows", "show", "sorted"]);
        if every.is_none()
            && !over
            && !(time_named && (self.chart() != Chart::Auto || !self.measures.is_empty()))
            && !(self.chart() == Chart::Line && self.groups.is_empty())
        {
            return None;
        }
        let Some(time) = time else {
            // No dates, but a column of years will do.
            let year = searched(self.table).iter().position(is_year)?;
            let (measures, how) = self.figures();
            let mut by = vec![year];
            by.extend(self.groups.iter().copied().filter(|&at| at != year).take(1));
            let chart = if self.chart() == Chart::Auto { Chart::Line } else { self.chart() };
            return Some(Task::Aggregate { measures, how, by: self.names(&by), chart, top: None, share: false });
        };
        let (measures, how) = self.figures();
        if measures.is_empty() && how != Agg::Count {
            return None;
        }
        let by = self.groups.first().map(|&at| self.name(at));
        Some(Task::Trend {
            time: self.name(time),
            measures,
            how,
            every: every.unwrap_or_else(|| self.natural_step(time)),
            by,
            chart: self.chart(),
        })
    }

    pub(super) fn spread(&self) -> Option<Task> {
        let chart = self.chart();
        let spread = self.has(&[
            "distribution",
            "distributions",
            "distributed",
            "spread",
            "histogram",
            "range",
            "describe",
            "variation",
            "summarise",
            "summarize",
            "summary",
            "statistics",
            "stats",
            "quartiles",
            "percentiles",
        ]) || matches!(chart, Chart::Histogram | Chart::Box | Chart::Violin);
        if !spread {
            return None;
        }
        let column = self.measures.first().copied().or_else(|| self.adjective_measure());
        let Some(column) = column else {
            // The distribution of a category is its counts.
            return (!self.groups.is_empty()).then(|| Task::Aggregate {
                measures: Vec::new(),
                how: Agg::Count,
                by: self.names(&self.groups[..self.groups.len().min(2)]),
                chart: Chart::Auto,
                top: None,
                share: false,
            });
        };
        Some(Task::Distribution { column: self.name(column), by: self.groups.first().map(|&at| self.name(at)), chart })
    }
}
