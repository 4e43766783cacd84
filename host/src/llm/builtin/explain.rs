//! Explanations: what was done, what came out, what was assumed. The plan is made again from the
//! question, which always gives the same one; the figures come from what the program printed.

use super::columns::column;
use super::describe::{filter_words, steps, understood};
use super::plan::{Agg, Filter, ImageTask, Plan, TablePlan, Task, TextTask};
use super::program::table_of;
use super::python::{capital, human, listing, plain};
use crate::engine::sample::Table;
use crate::llm::PlanContext;

/// The last line of each explanation.
pub const SIGNATURE: &str = "Made by the builtin rule-based planner, no language model.";
/// What to do for more than the rules can.
pub const CONFIGURE: &str = "For free questions configure a language model: set `OPENAI_API_KEY`, and `OPENAI_BASE_URL` for any server with the same API (vLLM, Ollama, llama.cpp …).";
/// Most findings repeated.
const MAX_FINDINGS: usize = 8;

/// Markdown for the user.
pub fn explain(context: &PlanContext, plan: &Plan) -> String {
    let mut text = String::new();
    if !understood(plan) {
        text += &format!(
            "The question was not understood by the rule-based planner, so this is an overview instead. {CONFIGURE}\n\n"
        );
    }
    let result = context.result.as_deref().unwrap_or("");
    let findings = findings(result);
    if !findings.is_empty() {
        text += "**Result**\n\n";
        for finding in findings {
            text += &format!("- {finding}\n");
        }
        text.push('\n');
    }
    text += "**What was done**\n\n";
    for (number, step) in steps(plan).iter().enumerate() {
        text += &format!("{}. {}.\n", number + 1, capital(step));
    }
    let assumed = assumptions(plan, context);
    if !assumed.is_empty() {
        text += "\n**Assumed**\n\n";
        for line in assumed {
            text += &format!("- {line}\n");
        }
    }
    if !context.artifacts.is_empty() {
        let names: Vec<String> = context.artifacts.iter().take(8).map(|name| format!("`{}`", plain(name))).collect();
        let more = context.artifacts.len().saturating_sub(8);
        text += &format!(
            "\n**Files:** {}{}\n",
            listing(&names),
            if more > 0 { format!(" and {more} more") } else { String::new() }
        );
    }
    text + "\n" + SIGNATURE
}

/// The sentences that the program printed. Tables and tracebacks are left out.
fn findings(result: &str) -> Vec<String> {
    result
        .lines()
        .take(400)
        .map(str::trim)
        .filter(|line| line.ends_with('.') && line.contains(' ') && line.len() <= 240 && !line.contains("  "))
        .map(safe)
        .take(MAX_FINDINGS)
        .collect()
}

/// Data in Markdown: nothing of it may become a link, a picture, a heading or HTML.
fn safe(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars().filter(|c| !c.is_control()) {
        match c {
            '<' => out.push_str("&lt;"),
            '[' | ']' | '`' | '*' | '#' | '!' | '|' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    out
}

fn assumptions(plan: &Plan, context: &PlanContext) -> Vec<String> {
    match plan {
        Plan::Table(plan) => table_of(plan, &context.samples)
            .map_or(Vec::new(), |table| table_assumptions(plan, &table, &context.question)),
        Plan::Image(image) => match &image.task {
            ImageTask::Edit { .. } if image.files.len() > 1 => vec![format!(
                "Of the {} pictures only `{}` was changed; name another one in the question.",
                image.files.len(),
                plain(&image.files[0])
            )],
            ImageTask::Edit { .. } => vec!["The original file was not changed.".into()],
            _ => Vec::new(),
        },
        Plan::Text(text) if matches!(text.task, TextTask::Words { .. } | TextTask::Overview { .. }) => {
            vec!["A word is a run of letters; case does not count.".into()]
        }
        _ => Vec::new(),
    }
}

fn table_assumptions(plan: &TablePlan, table: &Table, question: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let (used, how): (Vec<&String>, Option<Agg>) = match &plan.task {
        Task::Aggregate { measures, how, by, .. } => {
            (by.iter().chain(measures).collect(), Some(*how).filter(|_| !measures.is_empty()))
        }
        Task::Trend { time, measures, how, by, .. } => {
            (std::iter::once(time).chain(measures).chain(by).collect(), Some(*how).filter(|_| !measures.is_empty()))
        }
        Task::Distribution { column, by, .. } => (std::iter::once(column).chain(by).collect(), None),
        Task::Relationship { x, y, by } => ([x, y].into_iter().chain(by).collect(), None),
        Task::Pivot { measure, how, rows, columns } => {
            ([rows, columns].into_iter().chain(measure).collect(), Some(*how).filter(|_| measure.is_some()))
        }
        Task::Correlation { columns } | Task::Outliers { columns } => (columns.iter().collect(), None),
        _ => (Vec::new(), None),
    };
    let columns: Vec<String> = used.iter().take(8).map(|name| format!("`{}`", plain(name))).collect();
    if !columns.is_empty() {
        lines.push(format!(
            "The question is about the column{} {}.",
            if columns.len() > 1 { "s" } else { "" },
            listing(&columns)
        ));
    }
    let gaps: Vec<String> = used
        .iter()
        .filter_map(|name| {
            column(table, name).filter(|c| c.missing > 0).map(|c| format!("{} ({})", human(name), c.missing))
        })
        .collect();
    if !gaps.is_empty() {
        lines.push(format!("Rows without a value are left out: {}.", listing(&gaps)));
    }
    let lower = question.to_lowercase();
    let said = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    match how {
        Some(Agg::Mean) if !said(&["average", "mean", "avg", "typical"]) => {
            lines.push("No figure was named, so the average is shown.".into())
        }
        Some(Agg::Sum) if !said(&["total", "sum", "how much", "share", "percent", "overall", "combined"]) => {
            lines.push("Values are added up, as suits such a quantity.".into())
        }
        _ => {}
    }
    if !plan.filters.is_empty() {
        lines.push(format!("“Only” means: {}.", filter_words(&plan.filters)));
    }
    if plan.filters.iter().any(|filter| matches!(filter, Filter::Text { .. })) {
        lines.push("Upper and lower case are taken as the same.".into());
    }
    if plan.join.is_some() {
        lines.push("Rows of the first table without a partner in the second are kept.".into());
    }
    if table.rows_estimated {
        lines.push("The file was only sampled for planning; the program read all of it.".into());
    }
    lines
}
