//! Explainer: what the program did and what its result shows. Asks the model; a failure, and a
//! model that can't be asked, get a local text, since neither may cost the user the result.

use std::fmt::Write as _;

use glovebox_runtime::{Display, Ending, Outcome};

use super::executor::Execution;
use super::extract;
use super::generator::question;
use super::prompt::{clip, fence, one_line, render};
use super::{EngineError, Work};
use crate::llm::{Completion, PlanContext, Purpose};

/// Bytes in a prompt: the program, its printed output, each display, all displays, each chart's data.
const PROGRAM_BYTES: usize = 16 * 1024;
const STDOUT_BYTES: usize = 8 * 1024;
const DISPLAY_BYTES: usize = 2 * 1024;
const DISPLAYS_BYTES: usize = 10 * 1024;
const CHART_BYTES: usize = 2 * 1024;
/// Artifacts that are named; more are counted.
const ARTIFACTS: usize = 50;
/// Bytes of output in a local text.
const LOCAL_BYTES: usize = 4 * 1024;

/// Markdown for the user, and what could be asked next.
pub(super) async fn explain(work: &mut Work<'_>, done: &Execution) -> Result<(String, Vec<String>), EngineError> {
    if !done.outcome.ending.is_success() {
        return Ok((failure(done), Vec::new()));
    }
    let reason = match work.complete(&completion(work, done)).await {
        Ok(Some(reply)) => match extract::explanation(&reply) {
            (text, _) if text.is_empty() => "its reply was empty".to_owned(),
            (text, suggestions) => return Ok((text, suggestions)),
        },
        Ok(None) => "the question was cancelled".to_owned(),
        Err(EngineError::Llm(error)) => error.to_string(),
        Err(error) => return Err(error),
    };
    Ok((fallback(&done.outcome, &reason), Vec::new()))
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
            ("program", &fence(&clip(&done.program, PROGRAM_BYTES), "python")),
            ("stdout", &fenced(&outcome.stdout, STDOUT_BYTES)),
            ("displays", &fenced(&displays, DISPLAYS_BYTES)),
            ("artifacts", &fenced(&artifacts, LOCAL_BYTES)),
            ("notes", &notes(done)),
        ],
    );
    let shown = if displays.is_empty() { String::new() } else { format!("\n{displays}") };
    Completion {
        purpose: Purpose::Explain,
        messages,
        context: PlanContext {
            question: work.ask.question.clone(),
            samples: work.samples.clone(),
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

fn notes(done: &Execution) -> String {
    let mut notes = Vec::new();
    if done.attempts.len() > 1 {
        notes.push(format!("It took {} attempts; this is the last one.", done.attempts.len()));
    }
    if done.outcome.output_truncated {
        notes.push("The printed output was longer than allowed and is cut.".to_owned());
    }
    notes.extend(done.outcome.warnings.iter().take(5).map(|warning| format!("Warning: {}", one_line(warning, 300))));
    if notes.is_empty() { String::new() } else { format!("Notes:\n{}", fence(&notes.join("\n"), "text")) }
}

/// The text for a program that did not succeed.
fn failure(done: &Execution) -> String {
    let ending = &done.outcome.ending;
    if *ending == Ending::Cancelled {
        return "The question was cancelled while its program ran. What it had made until then is kept.".to_owned();
    }
    let mut text = match done.attempts.len() {
        1 => "**The program failed**, so there is no result to rely on.".to_owned(),
        n => format!("**The program failed** in each of {n} attempts, so there is no result to rely on."),
    };
    let _ = write!(text, " The last error was:\n\n{}\n", fence(&clip(&ending.sentence(), LOCAL_BYTES), "text"));
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
