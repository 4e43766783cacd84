//! [`Plan`] → Python source text, as an analyst would write it.

mod aggregate;
mod chart;
mod explore;
mod image;
mod known;
mod load;
mod media;
mod relation;
mod text;
mod tidy;
mod trend;

use super::columns::{column, joined, tables};
use super::plan::{Plan, Source, TablePlan, Task};
use crate::engine::sample::{Column, Sample, Table};

/// Writes the program for a plan.
pub fn render(plan: &Plan, samples: &[Sample]) -> String {
    let mut script = Script::default();
    match plan {
        Plan::Table(plan) => match table_of(plan, samples) {
            Some(table) => render_table(&mut script, plan, &table, samples),
            None => text::files(&mut script),
        },
        Plan::Image(plan) => image::render(&mut script, plan),
        Plan::Media(plan) => media::render(&mut script, plan),
        Plan::Archive { file, format } => known::archive(&mut script, file, format),
        Plan::Known { file, what, lacks } => known::known(&mut script, file, what, lacks, samples),
        Plan::Text(plan) => text::render(&mut script, plan),
        Plan::Json { file, .. } => text::json(&mut script, file),
        Plan::Files => text::files(&mut script),
    }
    script.finish()
}

/// The table that a plan works on, after its join.
pub fn table_of(plan: &TablePlan, samples: &[Sample]) -> Option<Table> {
    let all = tables(samples);
    let find = |source: &Source| all.iter().find(|(other, _)| other == source).map(|(_, table)| *table);
    let left = find(&plan.source)?;
    match &plan.join {
        Some(join) => Some(joined(left, find(&join.source)?, join)),
        None => Some(left.clone()),
    }
}

fn render_table(script: &mut Script, plan: &TablePlan, table: &Table, samples: &[Sample]) {
    let view = View { plan, table };
    load::load(script, &view, samples);
    match &plan.task {
        Task::Overview { .. } => explore::overview(script, &view),
        Task::Unknown { names, .. } => explore::unknown(script, names),
        Task::Aggregate { .. } => aggregate::render(script, &view),
        Task::Trend { .. } => trend::render(script, &view),
        Task::Distribution { column, by, chart } => {
            relation::distribution(script, &view, column, by.as_deref(), *chart)
        }
        Task::Relationship { x, y, by } => relation::relationship(script, &view, x, y, by.as_deref()),
        Task::Correlation { columns } => relation::correlation(script, &view, columns),
        Task::Pivot { measure, how, rows, columns } => {
            relation::pivot(script, &view, measure.as_deref(), *how, rows, columns)
        }
        Task::Rows { sort, limit, from_end, columns } => {
            explore::rows(script, &view, sort.as_ref(), *limit, *from_end, columns)
        }
        Task::Missing => tidy::missing(script, &view),
        Task::Duplicates => tidy::duplicates(script),
        Task::Clean => tidy::clean(script, &view),
        Task::Outliers { columns } => tidy::outliers(script, columns),
        Task::Export { format } => tidy::export(script, &view, format),
    }
}

/// A plan with the table it is about.
pub(super) struct View<'a> {
    pub plan: &'a TablePlan,
    pub table: &'a Table,
}

impl View<'_> {
    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        column(self.table, name)
    }

    /// A name for a new column that no column in `taken` has.
    pub fn free_name(wanted: String, taken: &[String]) -> String {
        let mut name = wanted;
        while taken.contains(&name) {
            name.push('_');
        }
        name
    }
}

/// Lines of a program.
#[derive(Default)]
pub(super) struct Script {
    imports: std::collections::BTreeSet<&'static str>,
    settings: Vec<String>,
    lines: Vec<String>,
}

impl Script {
    /// `import …`, once.
    pub fn import(&mut self, line: &'static str) {
        self.imports.insert(line);
    }

    /// A line between the imports and the rest, once.
    pub fn setting(&mut self, line: &str) {
        if !self.settings.iter().any(|other| other == line) {
            self.settings.push(line.to_owned());
        }
    }

    /// A line.
    pub fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Several lines.
    pub fn lines(&mut self, text: &str) {
        self.lines.extend(text.lines().map(str::to_owned));
    }

    /// An empty line and a comment.
    pub fn step(&mut self, comment: &str) {
        self.lines.push(String::new());
        self.lines.push(format!("# {comment}"));
    }

    fn finish(self) -> String {
        let mut text = String::new();
        // The standard library first, as usual.
        let (own, others): (Vec<&str>, Vec<&str>) = self.imports.iter().copied().partition(|line| {
            !["pandas", "matplotlib", "PIL", "numpy", "glovebox"].iter().any(|name| line.contains(name))
        });
        for (at, block) in [own, others].iter().filter(|block| !block.is_empty()).enumerate() {
            if at > 0 {
                text.push('\n');
            }
            for line in block {
                text.push_str(line);
                text.push('\n');
            }
        }
        if !self.settings.is_empty() {
            text.push('\n');
            text.push_str(&self.settings.join("\n"));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(self.lines.join("\n").trim_start_matches('\n'));
        text.push('\n');
        text
    }
}
