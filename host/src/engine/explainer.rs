//! Explainer: what the program did and what its result shows. Asks the model; a failure, and a
//! model that can't be asked, get a local text, since neither may cost the user the result.

use std::fmt::Write as _;

use glovebox_runtime::{Display, Ending, Outcome};

use super::check::{self, Known};
use super::executor::Execution;
use super::extract;
use super::failure::{NOTHING_SHOWN, tables};
use super::generator::question;
use super::prompt::{clip, fence, one_line, render};
use super::sample::Sample;
use super::{EngineError, Stage, Work, sampler};
use crate::llm::{Completion, Message, MessageRole, PlanContext, Purpose};

/// Bytes of the samples in a prompt: the columns are what is needed, not the rows.
const SAMPLE_BYTES: usize = 6 * 1024;
/// Bytes in a prompt: the program, its printed output, each display, all displays, each chart's data.
const PROGRAM_BYTES: usize = 16 * 1024;
const STDOUT_BYTES: usize = 8 * 1024;
const DISPLAY_BYTES: usize = 2 * 1024;
const DISPLAYS_BYTES: usize = 10 * 1024;
const CHART_BYTES: usize = 2 * 1024;
const STDERR_BYTES: usize = 2 * 1024;
/// Artifacts that are named; more are counted.
const ARTIFACTS: usize = 50;
/// Bytes of output in a local text.
const LOCAL_BYTES: usize = 4 * 1024;

/// Markdown for the user, and what could be asked next. What the text names is looked up; if something does not exist,
/// the model may correct itself once, and what is left is marked.
pub(super) async fn explain(work: &mut Work<'_>, done: &Execution) -> Result<(String, Vec<String>), EngineError> {
    if let Some(error) = done.failure() {
        return Ok((failure(done, &error), Vec::new()));
    }
    let first = completion(work, done);
    let reply = match ask(work, &first).await? {
        Ok(reply) => reply,
        Err(reason) => return Ok((fallback(&done.outcome, &reason), Vec::new())),
    };
    let (mut text, mut suggestions) = extract::explanation(&reply);
    // Its names come from the plan of the program, and it would write the same again.
    if work.model.name() == "builtin" {
        return Ok((text, suggestions));
    }
    let known = Known::of(work, done);
    let mut checked = check::check(&text, &known);
    if !checked.missing.is_empty() {
        let number = done.attempts.len();
        let what = one_line(&checked.missing.join(", "), 120);
        work.stage(
            Stage::Explaining,
            number,
            format!("correcting the explanation, which names what is not there: {what}"),
        );
        let corrected = ask(work, &correction(&first, &reply, &checked.missing)).await?;
        if let Ok((better, next)) = corrected.map(|reply| extract::explanation(&reply)) {
            let again = check::check(&better, &known);
            if again.missing.len() <= checked.missing.len() {
                text = better;
                suggestions = if next.is_empty() { suggestions } else { next };
                checked = again;
            }
            checked.corrected = true;
        }
        text = check::mark(&text, &checked.missing);
    }
    work.details.checked = Some(checked);
    Ok((text, suggestions))
}

/// A reply with a text in it, or why there is none.
async fn ask(work: &mut Work<'_>, completion: &Completion) -> Result<Result<String, String>, EngineError> {
    Ok(match work.complete(completion).await {
        Ok(Ok(reply)) if extract::explanation(&reply.text).0.is_empty() => Err("its reply was empty".to_owned()),
        Ok(Ok(reply)) => Ok(reply.text),
        Ok(Err(stop)) => Err(stop.reason()),
        Err(EngineError::Llm(error)) => Err(error.to_string()),
        Err(error) => return Err(error),
    })
}

/// The same conversation, with the reply and what is wrong with it.
fn correction(first: &Completion, reply: &str, missing: &[String]) -> Completion {
    let mut completion = first.clone();
    completion.messages.push(Message { role: MessageRole::Assistant, content: clip(reply, PROGRAM_BYTES) });
    let missing = fence(&clip(&missing.join("\n"), LOCAL_BYTES), "text");
    completion.messages.extend(render(include_str!("prompts/correct.md"), &[("missing", &missing)]));
    completion
}

fn completion(work: &Work<'_>, done: &Execution) -> Completion {
    let outcome = &done.outcome;
    let fenced = |text: &str, max: usize| {
        if text.trim().is_empty() { "(nothing)".into() } else { fence(&clip(text, max), "text") }
    };
    let displays = displays(&outcome.displays);
    let artifacts = artifact_list(outcome);
    let messages = render(
        include_str!("prompts/explain.md"),
        &[
            ("question", &question(work.ask)),
            ("samples", &fenced(&sampler::to_prompt(&work.samples, SAMPLE_BYTES), SAMPLE_BYTES)),
            ("program", &fence(&clip(&done.program, PROGRAM_BYTES), work.ask.language.tag())),
            ("stdout", &fenced(&outcome.stdout, STDOUT_BYTES)),
            ("displays", &fenced(&displays, DISPLAYS_BYTES)),
            ("artifacts", &fenced(&artifacts, LOCAL_BYTES)),
            ("notes", &notes(done, &work.samples)),
        ],
    );
    let shown = if displays.is_empty() { String::new() } else { format!("\n{displays}") };
    Completion {
        purpose: Purpose::Explain,
        messages,
        context: PlanContext {
            question: work.ask.question.clone(),
            samples: work.samples.clone(),
            history: work.ask.history.clone(),
            program: Some(done.program.clone()),
            result: Some(clip(&format!("{}{shown}", outcome.stdout), STDOUT_BYTES + DISPLAYS_BYTES)),
            artifacts: outcome.artifacts.iter().map(|artifact| artifact.path.clone()).collect(),
        },
    }
}

/// The text form of everything displayed; charts by their data, since a model may not see pictures.
fn displays(displays: &[Display]) -> String {
    let mut text = String::new();
    for (number, display) in displays.iter().enumerate() {
        if text.len() > DISPLAYS_BYTES {
            let _ = writeln!(text, "… and {} more", displays.len() - number);
            break;
        }
        let kinds: Vec<&str> = display.data.keys().map(String::as_str).collect();
        let plain = display.data.get("text/plain").and_then(|value| value.as_str()).unwrap_or("");
        let _ = writeln!(text, "[{}] {}\n{}", number + 1, kinds.join(", "), clip(plain, DISPLAY_BYTES));
        if let Some(chart) = &display.chart {
            let _ = writeln!(text, "chart data: {}", clip(&chart.to_string(), CHART_BYTES));
        }
    }
    text
}

fn artifact_list(outcome: &Outcome) -> String {
    let mut text = String::new();
    for artifact in outcome.artifacts.iter().take(ARTIFACTS) {
        let _ = writeln!(text, "{} ({}, {} bytes)", one_line(&artifact.path, 200), artifact.media_type, artifact.size);
    }
    if outcome.artifacts.len() > ARTIFACTS {
        let _ = writeln!(text, "… and {} more", outcome.artifacts.len() - ARTIFACTS);
    }
    text
}

/// What could mislead: warnings of the program, remarks on its files, missing values in the columns it names.
fn notes(done: &Execution, samples: &[Sample]) -> String {
    let mut notes = Vec::new();
    if done.attempts.len() > 1 {
        notes.push(format!("It took {} attempts; this is the last one.", done.attempts.len()));
    }
    if done.outcome.output_truncated {
        notes.push("The printed output was longer than allowed and is cut.".to_owned());
    }
    notes.extend(done.outcome.warnings.iter().take(5).map(|warning| format!("Warning: {}", one_line(warning, 300))));
    if !done.outcome.stderr.trim().is_empty() {
        notes.push(format!("It wrote to standard error: {}", clip(done.outcome.stderr.trim(), STDERR_BYTES)));
    }
    for sample in samples.iter().filter(|sample| done.program.contains(sample.name.as_str())).take(10) {
        let file = one_line(&sample.name, 100);
        notes.extend(sample.notes.iter().take(5).map(|note| format!("{file}: {}", one_line(note, 300))));
        let used = tables(sample).into_iter().flat_map(|(_, table)| &table.columns).filter(|column| {
            column.missing > 0 && column.name.len() > 1 && done.program.contains(column.name.as_str())
        });
        let gaps = used.take(10).map(|column| format!("{} ({})", one_line(&column.name, 100), column.missing));
        let gaps = gaps.collect::<Vec<_>>().join(", ");
        if !gaps.is_empty() {
            notes.push(format!("{file}: values are missing in {gaps}"));
        }
    }
    if notes.is_empty() { String::new() } else { format!("Notes:\n{}", fence(&notes.join("\n"), "text")) }
}

/// The text for a program that did not succeed.
fn failure(done: &Execution, error: &str) -> String {
    let ending = &done.outcome.ending;
    if *ending == Ending::Cancelled {
        return "The question was cancelled while its program ran. What it had made until then is kept.".to_owned();
    }
    let mut text = match done.attempts.len() {
        1 => "**The program failed**, so there is no result to rely on.".to_owned(),
        n => format!("**The program failed** in each of {n} attempts, so there is no result to rely on."),
    };
    let error = if error == NOTHING_SHOWN { error.to_owned() } else { clip(&ending.sentence(), LOCAL_BYTES) };
    let _ = write!(text, " The last error was:\n\n{}\n", fence(&error, "text"));
    if let Some(reason) = &done.gave_up {
        let _ = write!(text, "\nThere was no further attempt: {}.\n", one_line(reason, 500));
    }
    let way_out = match ending {
        Ending::OutOfFuel
        | Ending::OutOfTime { .. }
        | Ending::OutOfMemory
        | Ending::OutOfDisk
        | Ending::TooMuchOutput => "Ask about a part of the data, or use a policy with a higher limit.",
        _ => "Ask again in other words, name the columns to use, or correct the program and run it.",
    };
    let _ = write!(text, "\n{way_out}");
    text
}

/// The text for a result that the model could not explain.
fn fallback(outcome: &Outcome, reason: &str) -> String {
    let mut text =
        format!("The program ran to its end. There is no explanation by the model: {}.\n", one_line(reason, 500));
    if !outcome.stdout.trim().is_empty() {
        let _ = write!(text, "\nIt printed:\n\n{}\n", fence(&clip(outcome.stdout.trim(), LOCAL_BYTES), "text"));
    }
    if !outcome.displays.is_empty() {
        let _ = write!(
            text,
            "\nIt displayed {} result{}.\n",
            outcome.displays.len(),
            if outcome.displays.len() == 1 { "" } else { "s" }
        );
    }
    if !outcome.artifacts.is_empty() {
        let _ = write!(text, "\nIt made these files:\n\n{}\n", fence(&artifact_list(outcome), "text"));
    }
    text.trim_end().to_owned()
}
