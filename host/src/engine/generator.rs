//! Generator: a question and samples in, a program out. Asks the model; the prompts are in `prompts/`.

use std::fmt::Write as _;

use glovebox_runtime::{Ending, Outcome};

use super::extract::{self, Extract, Refused};
use super::failure::{self, NOTHING_SHOWN};
use super::prompt::{clip, fence, one_line, render};
use super::work::Stop;
use super::{Alternative, Ask, Attempt, EngineError, Exchange, Language, Stage, Work, sampler};
use crate::llm::{Completion, LlmError, Message, MessageRole, PlanContext, Purpose, Reply};

/// Bytes of the samples in a prompt.
const SAMPLE_BYTES: usize = sampler::DEFAULT_PROMPT_BYTES;
/// Bytes of the question in a prompt; the rest of a longer one is cut from its middle.
const QUESTION_BYTES: usize = 16 * 1024;
/// Earlier questions in a prompt, the newest ones, bytes of each one's program and result, and of all.
const EXCHANGES: usize = 6;
const EXCHANGE_PROGRAM_BYTES: usize = 4 * 1024;
const EXCHANGE_RESULT_BYTES: usize = 2 * 1024;
const HISTORY_BYTES: usize = 16 * 1024;
/// Bytes of the package list in a prompt.
const PACKAGE_BYTES: usize = 8 * 1024;
/// Bytes of a traceback, of each of the two output streams and of the columns, in a repair.
const TRACEBACK_BYTES: usize = 5 * 1024;
const OUTPUT_BYTES: usize = 2 * 1024;
const SCHEMA_BYTES: usize = 4 * 1024;
/// Bytes of a reply that is sent back because it cannot be used.
const REFUSED_BYTES: usize = 8 * 1024;
/// The ending of what was never run.
pub(super) const NOT_RUN: &str = "not_run";

/// What a reply, or several, came to.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// The program; `None` makes the text the answer.
    pub(super) program: Option<String>,
    /// Others that were suggested.
    pub(super) alternatives: Vec<Alternative>,
    /// What could be asked next.
    pub(super) suggestions: Vec<String>,
    /// The prose.
    pub(super) text: String,
    /// Replies before that could not be used.
    pub(super) refused: Vec<Attempt>,
}

/// Asks for the first program. A reply without one is an answer in itself; one with code that cannot be run is sent
/// back, which counts as a repair.
pub(super) async fn generate(work: &mut Work<'_>) -> Result<Result<Draft, Stop>, EngineError> {
    let mut messages = first_messages(work);
    let mut refused: Vec<Attempt> = Vec::new();
    loop {
        let completion =
            completion(work, if refused.is_empty() { Purpose::Generate } else { Purpose::Repair }, messages);
        let reply = match work.complete(&completion).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(Stop::Spent(reason))) if !refused.is_empty() => return Ok(Ok(unusable(refused, &reason))),
            Err(EngineError::Llm(error)) if !refused.is_empty() => {
                return Ok(Ok(unusable(refused, &error.to_string())));
            }
            Ok(Err(stop)) => return Ok(Err(stop)),
            Err(error) => return Err(error),
        };
        let found = read(work, &reply)?;
        let Some(Refused { code, reason }) = found.refused else {
            let Extract { program, alternatives, suggestions, text, .. } = found;
            return Ok(Ok(Draft { program, alternatives, suggestions, text, refused }));
        };
        let again = refused.iter().any(|attempt| attempt.error.as_deref() == Some(reason.as_str()));
        refused.push(Attempt { program: code, ending: NOT_RUN.into(), error: Some(reason.clone()) });
        let most = work.ask.effort.max_repairs as usize;
        if again || refused.len() > most {
            return Ok(Ok(unusable(refused, "it was told so, and sent such a reply again")));
        }
        work.stage(Stage::Repairing, refused.len() + 1, format!("repair {} of {most}: {reason}", refused.len()));
        messages = first_messages(work);
        messages.push(Message { role: MessageRole::Assistant, content: clip(&reply.text, REFUSED_BYTES) });
        messages.extend(refusal(work.ask, &reason));
    }
}

/// Reads a reply to the first prompt.
pub(super) fn read(work: &Work<'_>, reply: &Reply) -> Result<Extract, EngineError> {
    let found = extract_from(reply, &work.ask.language, None);
    if found.too_long {
        let reason =
            format!("its program is longer than {} KiB; ask for less at once", extract::MAX_PROGRAM_BYTES / 1024);
        return Err(LlmError::Nonsense { model: work.model.name().to_owned(), reason }.into());
    }
    Ok(found)
}

/// What a reply holds. A program that ends where the limit of tokens ended the reply is not whole and is never run.
fn extract_from(reply: &Reply, language: &Language, base: Option<&str>) -> Extract {
    let found = extract::extract_for(&reply.text, language, base);
    if reply.truncated { found.cut_off(&reply.text) } else { found }
}

/// The answer if no reply could be used.
fn unusable(refused: Vec<Attempt>, why_no_more: &str) -> Draft {
    let reason = refused.last().and_then(|attempt| attempt.error.clone()).unwrap_or_default();
    let text = format!(
        "**The model's reply could not be used**: {reason}. There was no further attempt: {}.\n\nAsk again, or ask \
         another model.",
        one_line(why_no_more, 500)
    );
    Draft { text, refused, ..Draft::default() }
}

/// One of several completions that are asked for at once.
pub(super) fn variant(work: &Work<'_>, number: u32, of: u32) -> Completion {
    let mut messages = first_messages(work);
    if number > 1
        && let Some(last) = messages.last_mut()
    {
        let _ = write!(
            last.content,
            "\n\n(This is request {number} of {of} for the same question; the best program is kept. Take a way of your \
             own, not the most obvious one.)"
        );
    }
    completion(work, Purpose::Generate, messages)
}

fn completion(work: &Work<'_>, purpose: Purpose, messages: Vec<Message>) -> Completion {
    Completion {
        purpose,
        messages,
        context: PlanContext {
            question: work.ask.question.clone(),
            samples: work.samples.clone(),
            history: work.ask.history.clone(),
            ..PlanContext::default()
        },
    }
}

/// Asks for a program in place of one that failed. `tried` are all attempts so far; the last one failed, or was a
/// reply that could not be used.
pub(super) async fn repair(
    work: &mut Work<'_>,
    program: &str,
    outcome: &Outcome,
    tried: &[Attempt],
) -> Result<Result<Extract, Stop>, EngineError> {
    let details = failure_details(work, program, outcome);
    let language = work.ask.language.clone();
    let mut messages = first_messages(work);
    messages.push(Message { role: MessageRole::Assistant, content: fence(program, language.tag()) });
    messages.extend(render(
        include_str!("prompts/repair.md"),
        &[
            ("ending", &ending_clause(outcome)),
            ("details", &details),
            ("earlier", &earlier_failures(tried)),
            ("advice", advice(outcome)),
            ("tag", language.tag()),
        ],
    ));
    if let Some(Attempt { program, error: Some(reason), .. }) = tried.last().filter(|last| last.ending == NOT_RUN) {
        let content = fence(&clip(program, REFUSED_BYTES), "");
        messages.push(Message { role: MessageRole::Assistant, content });
        messages.extend(refusal(work.ask, reason));
    }
    let mut completion = completion(work, Purpose::Repair, messages);
    completion.context.program = Some(program.to_owned());
    completion.context.result = Some(details);
    let reply = work.complete(&completion).await?;
    Ok(reply.map(|reply| extract_from(&reply, &language, Some(program))))
}

/// What the model is told of a reply that cannot be used.
fn refusal(ask: &Ask, reason: &str) -> Vec<Message> {
    let values = [("reason", reason), ("language", ask.language.name()), ("tag", ask.language.tag())];
    render(include_str!("prompts/refused.md"), &values)
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
            ("language", ask.language.name()),
            ("tag", ask.language.tag()),
            ("packages", &packages(ask)),
            ("memory_mib", &ask.limits.memory_mib.to_string()),
            ("cpu_seconds", &ask.limits.cpu_time_ms.div_ceil(1000).to_string()),
            ("wall_seconds", &ask.limits.wall_time_ms.div_ceil(1000).to_string()),
            ("output_kib", &ask.limits.output_kib.to_string()),
            ("rules", rules(ask).trim()),
            ("media", if ask.has_media() { include_str!("prompts/media.md").trim() } else { NO_MEDIA }),
            ("samples", &samples),
            ("state", state(ask)),
            ("history", &history(&ask.history, &ask.language)),
            ("question", &question(ask)),
        ],
    )
}

const NO_MEDIA: &str = "- Sound and video can be neither read nor written here.";

/// How a program of this image shows what it found.
fn rules(ask: &Ask) -> &'static str {
    match ask.language {
        Language::Python if ask.packages.contains_key("pandas") => include_str!("prompts/rules_python.md"),
        Language::Python => include_str!("prompts/rules_python_plain.md"),
        Language::JavaScript => include_str!("prompts/rules_javascript.md"),
        Language::Other(_) => include_str!("prompts/rules_other.md"),
    }
}

/// What the program can count on besides the files.
fn state(ask: &Ask) -> &'static str {
    // Candidates run side by side in interpreters of their own.
    if ask.interpreter.is_none()
        || ask.effort.candidates > 1
        || ask.history.iter().all(|exchange| exchange.program.is_empty())
    {
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

/// The newest earlier questions that fit into the budget, in their order.
fn history(exchanges: &[Exchange], language: &Language) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut bytes = 0;
    for exchange in exchanges.iter().rev().take(EXCHANGES) {
        let program = fence(&clip(&exchange.program, EXCHANGE_PROGRAM_BYTES), language.tag());
        let result = fence(&clip(&exchange.result, EXCHANGE_RESULT_BYTES), "text");
        let question = one_line(&exchange.question, EXCHANGE_RESULT_BYTES);
        let head = if question.is_empty() {
            "Earlier program of the user:".to_owned()
        } else {
            format!("Earlier question: {question}\nIts program:")
        };
        let text = format!("{head}\n{program}\nIts output (data):\n{result}\n\n");
        bytes += text.len();
        if bytes > HISTORY_BYTES {
            break;
        }
        told.push(text);
    }
    told.into_iter().rev().collect()
}

/// Continues the sentence `it …`. Only the part that the guest cannot write; its words are fenced.
fn ending_clause(outcome: &Outcome) -> String {
    match &outcome.ending {
        Ending::Raised { .. } => "raised an exception.".into(),
        Ending::Trapped { .. } => "crashed the interpreter.".into(),
        ending if ending.is_success() => format!("{}.", NOTHING_SHOWN.trim_start_matches("it ")),
        Ending::Exited { .. } => format!("{}.", outcome.ending.sentence()),
        _ => format!("was {}.", outcome.ending.sentence()),
    }
}

/// What the failed program said, and what would have worked, bounded and fenced.
fn failure_details(work: &Work<'_>, program: &str, outcome: &Outcome) -> String {
    let mut parts = Vec::new();
    let mut part = |title: &str, text: &str, max: usize| {
        if !text.trim().is_empty() {
            parts.push(format!("{title}:\n{}", fence(&clip(text, max), "text")));
        }
    };
    match &outcome.ending {
        Ending::Raised { traceback, .. } if !traceback.trim().is_empty() => {
            part("Traceback", &failure::trimmed(traceback), TRACEBACK_BYTES)
        }
        Ending::Raised { .. } | Ending::Trapped { .. } => part("Error", &outcome.ending.sentence(), TRACEBACK_BYTES),
        _ => {}
    }
    if let Some(place) = failure::place(outcome, program, &work.ask.language) {
        part("The failing line", &place, OUTPUT_BYTES);
    }
    let hints = failure::hints(outcome, &work.samples, work.ask);
    part("Hints", &hints.join("\n"), OUTPUT_BYTES);
    if matches!(outcome.ending, Ending::Raised { .. }) {
        part("Columns of the files concerned", &failure::schema(&work.samples, program), SCHEMA_BYTES);
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
        ending if ending.is_success() => {
            "Print the key numbers, end with the expression that is the result, or draw and save the chart."
        }
        Ending::Exited { .. } => "Do not call exit: let errors raise, and reach the end.",
        _ => "",
    }
}
