//! Generator: a question and samples in, a program out. Asks the model; the prompts are in `prompts/`.

use std::fmt::Write as _;

use glovebox_runtime::{Ending, Outcome};

use super::extract::{self, Extract};
use super::prompt::{clip, fence, one_line, render};
use super::{Ask, Attempt, EngineError, Exchange, Work, sampler};
use crate::llm::{Completion, LlmError, Message, MessageRole, PlanContext, Purpose};

/// Bytes of the samples in a prompt.
const SAMPLE_BYTES: usize = 24 * 1024;
/// Bytes of the question in a prompt; the rest of a longer one is cut from its middle.
const QUESTION_BYTES: usize = 16 * 1024;
/// Earlier questions in a prompt, the newest ones, and bytes of each one's program and result.
const EXCHANGES: usize = 6;
const EXCHANGE_PROGRAM_BYTES: usize = 4 * 1024;
const EXCHANGE_RESULT_BYTES: usize = 2 * 1024;
/// Bytes of the package list in a prompt.
const PACKAGE_BYTES: usize = 8 * 1024;
/// Bytes of a traceback, and of each of the two output streams, in a repair.
const TRACEBACK_BYTES: usize = 5 * 1024;
const OUTPUT_BYTES: usize = 2 * 1024;

/// Asks for the first program. A reply without one is an answer in itself.
pub(super) async fn generate(work: &mut Work<'_>) -> Result<Option<Extract>, EngineError> {
    let completion = Completion {
        purpose: Purpose::Generate,
        messages: first_messages(work),
        context: PlanContext {
            question: work.ask.question.clone(),
            samples: work.samples.clone(),
            ..PlanContext::default()
        },
    };
    let Some(reply) = work.complete(&completion).await? else { return Ok(None) };
    let found = extract::extract(&reply);
    if found.too_long {
        let reason =
            format!("its program is longer than {} KiB; ask for less at once", extract::MAX_PROGRAM_BYTES / 1024);
        return Err(LlmError::Nonsense { model: work.model.name().to_owned(), reason }.into());
    }
    Ok(Some(found))
}

/// Asks for a program in place of one that failed. `tried` are all attempts so far, the failed one last.
pub(super) async fn repair(
    work: &mut Work<'_>,
    program: &str,
    outcome: &Outcome,
    tried: &[Attempt],
) -> Result<Option<Extract>, EngineError> {
    let details = failure_details(outcome);
    let mut messages = first_messages(work);
    messages.push(Message { role: MessageRole::Assistant, content: fence(program, "python") });
    messages.extend(render(
        include_str!("prompts/repair.md"),
        &[
            ("ending", &ending_clause(&outcome.ending)),
            ("details", &details),
            ("earlier", &earlier_failures(tried)),
            ("advice", advice(outcome)),
        ],
    ));
    let completion = Completion {
        purpose: Purpose::Repair,
        messages,
        context: PlanContext {
            question: work.ask.question.clone(),
            samples: work.samples.clone(),
            program: Some(program.to_owned()),
            result: Some(details),
            artifacts: Vec::new(),
        },
    };
    Ok(work.complete(&completion).await?.map(|reply| extract::extract(&reply)))
}

fn first_messages(work: &Work<'_>) -> Vec<Message> {
    let ask = work.ask;
    let samples = match sampler::to_prompt(&work.samples, SAMPLE_BYTES) {
        text if text.trim().is_empty() => "(the workspace is empty)".to_owned(),
        text => fence(&clip(&text, SAMPLE_BYTES), "text"),
    };
    render(
        include_str!("prompts/generate.md"),
        &[
            ("image", &ask.image),
            ("packages", &packages(ask)),
            ("memory_mib", &ask.limits.memory_mib.to_string()),
            ("cpu_seconds", &ask.limits.cpu_time_ms.div_ceil(1000).to_string()),
            ("wall_seconds", &ask.limits.wall_time_ms.div_ceil(1000).to_string()),
            ("samples", &samples),
            ("state", state(ask)),
            ("history", &history(&ask.history)),
            ("question", &question(ask)),
        ],
    )
}

/// What the program can count on besides the files.
fn state(ask: &Ask) -> &'static str {
    if ask.interpreter.is_none() || ask.history.iter().all(|exchange| exchange.program.is_empty()) {
        "It stands on its own: imports, reading, work, result. Earlier programs have left no variables, only files."
    } else {
        "It goes on in the interpreter in which the earlier programs below ran: their imports, variables and functions are \
         still there and may be used instead of reading and computing again. Use only names that these programs have \
         surely defined."
    }
}

/// The question as it goes into a prompt.
pub(super) fn question(ask: &Ask) -> String {
    clip(ask.question.trim(), QUESTION_BYTES)
}

fn packages(ask: &Ask) -> String {
    let names: Vec<String> =
        ask.packages.iter().map(|(name, version)| format!("{name} {version}").trim().to_owned()).collect();
    if names.is_empty() { "none".to_owned() } else { clip(&names.join(", "), PACKAGE_BYTES) }
}

fn history(exchanges: &[Exchange]) -> String {
    let newest = &exchanges[exchanges.len().saturating_sub(EXCHANGES)..];
    let mut text = String::new();
    for exchange in newest {
        let program = fence(&clip(&exchange.program, EXCHANGE_PROGRAM_BYTES), "python");
        let result = fence(&clip(&exchange.result, EXCHANGE_RESULT_BYTES), "text");
        let question = one_line(&exchange.question, EXCHANGE_RESULT_BYTES);
        let head = if question.is_empty() {
            "Earlier program of the user:".to_owned()
        } else {
            format!("Earlier question: {question}\nIts program:")
        };
        let _ = write!(text, "{head}\n{program}\nIts output (data):\n{result}\n\n");
    }
    text
}

/// Continues the sentence `it …`. Only the part that the guest cannot write; its words are fenced.
fn ending_clause(ending: &Ending) -> String {
    match ending {
        Ending::Raised { .. } => "raised an exception.".into(),
        Ending::Trapped { .. } => "crashed the interpreter.".into(),
        Ending::Exited { .. } => format!("{}.", ending.sentence()),
        _ => format!("was {}.", ending.sentence()),
    }
}

/// What the failed program said, bounded and fenced.
fn failure_details(outcome: &Outcome) -> String {
    let mut parts = Vec::new();
    let mut part = |title: &str, text: &str, max: usize| {
        if !text.trim().is_empty() {
            parts.push(format!("{title}:\n{}", fence(&clip(text, max), "text")));
        }
    };
    match &outcome.ending {
        Ending::Raised { traceback, .. } if !traceback.trim().is_empty() => {
            part("Traceback", traceback, TRACEBACK_BYTES)
        }
        Ending::Raised { .. } | Ending::Trapped { .. } => part("Error", &outcome.ending.sentence(), TRACEBACK_BYTES),
        _ => {}
    }
    // Guests print the traceback of an uncaught exception to stderr as well; once is enough.
    if !matches!(&outcome.ending, Ending::Raised { traceback, .. } if outcome.stderr.trim() == traceback.trim()) {
        part("Standard error", &outcome.stderr, OUTPUT_BYTES);
    }
    part("Printed until then", &outcome.stdout, OUTPUT_BYTES);
    for warning in outcome.warnings.iter().take(5) {
        part("Warning", warning, 500);
    }
    if parts.is_empty() { "It printed nothing.".to_owned() } else { parts.join("\n") }
}

fn earlier_failures(tried: &[Attempt]) -> String {
    let earlier: Vec<&str> = tried.iter().rev().skip(1).rev().filter_map(|attempt| attempt.error.as_deref()).collect();
    if earlier.is_empty() {
        return String::new();
    }
    let list: Vec<String> =
        earlier.iter().enumerate().map(|(i, error)| format!("attempt {}: {error}", i + 1)).collect();
    format!("Attempts before that one failed too:\n{}\n\n", fence(&list.join("\n"), "text"))
}

/// What to do differently: the way out of each ending.
fn advice(outcome: &Outcome) -> &'static str {
    match &outcome.ending {
        Ending::OutOfFuel | Ending::OutOfTime { .. } => {
            "Do less work: no Python loops over rows, only the columns that are needed, aggregate before drawing, work on a sample if the question allows it and say so in the output."
        }
        Ending::OutOfMemory => {
            "Do less work at once: read only the needed columns (`usecols`), use smaller types (`dtype`, `category`), or read in chunks and aggregate each (`chunksize`)."
        }
        Ending::Raised { exception, .. } if exception == "MemoryError" => {
            "Do less work at once: read only the needed columns (`usecols`), use smaller types (`dtype`, `category`), or read in chunks and aggregate each (`chunksize`)."
        }
        Ending::OutOfDisk => "Write fewer and smaller files.",
        Ending::TooMuchOutput => "Print far less: totals and the first rows instead of everything.",
        Ending::Raised { exception, .. } if exception == "ModuleNotFoundError" || exception == "ImportError" => {
            "Use only the packages listed in the first message; nothing can be installed."
        }
        Ending::Trapped { .. } => "Reach the same result with other, simpler functions.",
        Ending::Exited { .. } => "Do not call exit: let errors raise, and reach the end.",
        _ => "",
    }
}
