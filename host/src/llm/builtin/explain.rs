//! Explanations: what was done, what came out, what was assumed. The plan is made again from the
//! question, which always gives the same one; the figures come from what the program printed. If the
//! program that ran is not the plan's own, because it was repaired, its statements tell the steps.

use super::columns::{column, opened};
use super::describe::{self, filter_words, steps, understood};
use super::numerals::numerals;
use super::plan::{Agg, Filter, ImageTask, Plan, TablePlan, Task, TextTask};
use super::program::{render, table_of};
use super::python::{capital, choice, human, listing, plain};
use super::table_question::taken;
use super::words::tokenize;
use super::{steps, unknown};
use crate::engine::sample::{Content, Table};
use crate::llm::PlanContext;

/// The last line of each explanation.
pub const SIGNATURE: &str = "Made by the builtin rule-based planner, no language model.";
/// What to do for more than the rules can.
pub const CONFIGURE: &str = "For free questions configure a language model: set `OPENAI_API_KEY`, and `OPENAI_BASE_URL` for any server with the same API (vLLM, Ollama, llama.cpp …).";
/// Most findings repeated.
const MAX_FINDINGS: usize = 8;

/// Markdown for the user.
pub fn explain(context: &PlanContext, plan: &Plan, from: Option<&str>) -> String {
    let mut text = String::new();
    if let Some(from) = from {
        text += &format!("This goes on from “{}”.\n\n", plain(from));
    }
    text += &unanswered(plan);
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
    let own = render(plan, &context.samples);
    let done = match context.program.as_deref() {
        Some(program) if program.trim() != own.trim() => steps::of_program(program, &context.artifacts),
        _ => Vec::new(),
    };
    let other = context.program.as_deref().is_some_and(|program| program.trim() != own.trim());
    let done = match (done.is_empty(), other) {
        (false, _) => done,
        (true, false) => steps(plan),
        (true, true) => vec!["look at the file only, for the program that does what was asked failed".to_owned()],
    };
    for (number, step) in done.iter().enumerate() {
        text += &format!("{}. {}.\n", number + 1, capital(step));
    }
    let assumed = assumptions(plan, context);
    if !assumed.is_empty() {
        text += "\n**Assumed**\n\n";
        for line in assumed {
            text += &format!("- {line}\n");
        }
    }
    let left = caveats(plan, context);
    if !left.is_empty() {
        text += "\n**To keep in mind**\n\n";
        for line in left {
            text += &format!("- {line}\n");
        }
    }
    if let (Some(picture), Some(shows)) =
        (context.artifacts.iter().find(|name| name.ends_with(".png")), describe::picture(plan))
    {
        text += &format!("\n**The picture** `{}` shows {shows}.\n", plain(picture));
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

/// Names of columns that the question has and the table has not.
fn unanswered(plan: &Plan) -> String {
    let Plan::Table(TablePlan { task: Task::Unknown { names, near }, .. }) = plan else { return String::new() };
    let names: Vec<String> = names.iter().map(|name| format!("“{}”", plain(name))).collect();
    let near: Vec<String> = near.iter().map(|name| format!("`{}`", plain(name))).collect();
    let hint = if near.is_empty() {
        "No column has a similar name".to_owned()
    } else {
        format!("The nearest {} {}", if near.len() == 1 { "is" } else { "are" }, choice(&near))
    };
    format!(
        "There is no column for {}, so nothing was computed. {hint}; the table below lists all of them. Ask again with one of these names.\n\n",
        choice(&names)
    )
}

/// What the data or the reading of it leaves uncertain.
fn caveats(plan: &Plan, context: &PlanContext) -> Vec<String> {
    let mut lines = Vec::new();
    let files = describe::files(plan);
    for sample in context.samples.iter().filter(|sample| files.contains(&sample.name)).map(opened) {
        let Content::Table(table) = &sample.content else { continue };
        for column in table.columns.iter().filter(|column| numerals(sample, &column.name).is_some()).take(4) {
            lines.push(format!(
                "`{}` is written as text; it was turned into numbers, and what is none counts as missing.",
                plain(&column.name)
            ));
        }
        if sample.notes.iter().any(|note| note.contains("on_bad_lines=")) {
            lines.push("Rows with too many fields were passed over.".into());
        }
        if sample.notes.iter().any(|note| note.contains("encoding_errors=")) {
            lines.push("Bytes that are no text in this encoding were replaced.".into());
        }
    }
    let program = context.program.as_deref().unwrap_or("");
    if program.contains("pd.to_datetime(") && program.contains("errors='coerce'") {
        lines.push("A date that cannot be read counts as missing.".into());
    }
    let places = match plan {
        Plan::Table(plan) if !matches!(plan.task, Task::Unknown { .. } | Task::Overview { understood: false }) => {
            let tokens = tokenize(&context.question);
            table_of(plan, &context.samples)
                .map_or(Vec::new(), |table| unknown::overlooked(&tokens, &taken(&tokens, &table), &plan.source.file))
        }
        _ => Vec::new(),
    };
    for place in places {
        lines.push(format!("“{}” was not found in the data and has no part in the answer.", plain(&place)));
    }
    lines
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
        Plan::Image(image) | Plan::Media(image) => match &image.task {
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
