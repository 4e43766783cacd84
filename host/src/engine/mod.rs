//! The analysis engine: a question and files in, an [`Answer`] out. Has never heard of HTTP.
//!
//! ```text
//! sampler    files              → Sample        names, types, a few rows
//! generator  question + Sample  → Program       asks the model
//! executor   Program + Limits   → Outcome       runs it on all of the data; a failure goes back to the generator
//! explainer  question + Outcome → explanation   asks the model
//! ```

mod answer;
mod candidates;
mod check;
mod effort;
mod executor;
mod explainer;
pub mod extract;
mod failure;
mod generator;
mod language;
mod prompt;
pub mod sample;
pub mod sampler;
mod work;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use glovebox_runtime::{Event, Job, Limits, Outcome, RunError};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use answer::{Alternative, Answer, AnswerEvent, Attempt, Candidate, Check, Details, Stage, TokenUsage};
pub use effort::{Effort, MOST_CANDIDATES, MOST_REPAIRS, Wanted};
pub use language::Language;
pub(crate) use prompt::render;

use crate::llm::{Llm, LlmError, Models};
use crate::workers::Pool;
use executor::RunJob;
use generator::Draft;
use sample::Sample;
use work::{Stop, Work};

/// What answering needs: workers to run programs in and models to ask. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Where programs run.
    pub pool: Pool,
    /// Who can be asked.
    pub models: Models,
}

impl Engine {
    /// Workers and models.
    #[must_use]
    pub fn new(pool: Pool, models: Models) -> Engine {
        Engine { pool, models }
    }
}

/// Answers a question about the files of a workspace. `on_event` gets what happens as it happens.
///
/// A program that fails is a normal answer: `outcome` says how, `explanation` says so in words. So is
/// a reply without a program, and a question that was cancelled or whose budget was used up (`outcome` is
/// `None` if that came before the first run).
///
/// # Errors
///
/// Only when our side failed: the model could not be asked for a first program, the workspace could
/// not be read, a worker broke.
pub async fn answer(
    engine: &Engine,
    ask: Ask,
    on_event: &mut (dyn FnMut(AnswerEvent) + Send),
    cancel: &CancellationToken,
) -> Result<Answer, EngineError> {
    let model = engine.models.get(ask.model.as_deref())?;
    let fresh = &engine.pool;
    match ask.interpreter.clone() {
        Some(live) => answer_with(&executor::InSession(live), fresh, model, &ask, on_event, cancel).await,
        None => answer_with(fresh, fresh, model, &ask, on_event, cancel).await,
    }
}

/// `runner` runs the programs that count, `fresh` those that are only tried.
async fn answer_with<R: RunJob, F: RunJob>(
    runner: &R,
    fresh: &F,
    model: Arc<dyn Llm>,
    ask: &Ask,
    on_event: &mut (dyn FnMut(AnswerEvent) + Send),
    cancel: &CancellationToken,
) -> Result<Answer, EngineError> {
    let mut work = Work::new(ask, model, on_event, cancel);

    let reading = format!("reading {}", names_of_files(&ask.workspace).await);
    work.stage(Stage::Sampling, 1, reading);
    let Some(samples) = sample(ask, cancel).await? else {
        return Ok(work.without_run(CANCELLED.into(), String::new(), Vec::new()));
    };
    work.samples = samples;

    let draft = if ask.effort.candidates > 1 {
        work.stage(
            Stage::Generating,
            1,
            format!("asking {} for {} programs", work.model.name(), ask.effort.candidates),
        );
        candidates::best(&mut work, fresh).await?
    } else {
        work.stage(Stage::Generating, 1, format!("asking {} for a program", work.model.name()));
        generator::generate(&mut work).await?
    };
    let mut draft = match draft {
        Ok(draft) => draft,
        Err(stop) => return Ok(work.without_run(stopped(stop), String::new(), Vec::new())),
    };
    let Some(program) = draft.program.take() else { return Ok(in_words(work, draft)) };

    let refused = draft.refused.clone();
    let Some(done) = executor::execute(&mut work, runner, &program, draft).await? else {
        let reason = work.spent().unwrap_or_default();
        return Ok(work.without_run(stopped(Stop::Spent(reason)), program, refused));
    };

    work.stage(Stage::Explaining, done.attempts.len(), "explaining the result".into());
    let (explanation, suggestions) = explainer::explain(&mut work, &done).await?;
    work.details.alternatives = done.alternatives;
    Ok(Answer {
        explanation,
        program: done.program,
        outcome: Some(done.outcome),
        suggestions: if suggestions.is_empty() { done.suggestions } else { suggestions },
        attempts: done.attempts,
        usage: work.usage,
        model: work.model.name().to_owned(),
        details: work.details,
    })
}

/// The answer if the model sent no program.
fn in_words(work: Work<'_>, draft: Draft) -> Answer {
    let empty = "The model's reply held neither a program nor a text. Ask again, or ask another model.";
    let Draft { text, suggestions, refused, .. } = draft;
    let text = if text.is_empty() { empty.to_owned() } else { text };
    Answer { suggestions, ..work.without_run(text, String::new(), refused) }
}

/// The answer if there was no run.
fn stopped(stop: Stop) -> String {
    match stop {
        Stop::Cancelled => CANCELLED.to_owned(),
        Stop::Spent(reason) => format!(
            "**There is no result**: {reason}, and no program had run by then. Ask for less, or with a larger budget."
        ),
    }
}

const CANCELLED: &str = "The question was cancelled before a program ran.";

/// Reads the files on a thread that may block. `None` if the question was cancelled meanwhile.
async fn sample(ask: &Ask, cancel: &CancellationToken) -> Result<Option<Vec<Sample>>, EngineError> {
    let workspace = ask.workspace.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let dir = cap_std::fs::Dir::open_ambient_dir(workspace, cap_std::ambient_authority())?;
        sampler::sample_workspace(&dir, crate::sampling::sample_file)
    });
    let samples = tokio::select! {
        samples = reading => samples,
        () = cancel.cancelled() => return Ok(None),
    };
    let samples = samples.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    samples.map(Some).map_err(|source| EngineError::Io { action: "failed to read the files of the workspace", source })
}

/// The first files of a workspace, for people.
async fn names_of_files(workspace: &Path) -> String {
    let workspace = workspace.to_owned();
    let listing = tokio::task::spawn_blocking(move || {
        let entries = std::fs::read_dir(workspace).ok()?.take(1000).flatten();
        let mut names: Vec<String> =
            entries.map(|entry| prompt::one_line(&entry.file_name().to_string_lossy(), 80)).collect();
        names.sort_unstable();
        Some(names)
    });
    let names = listing.await.ok().flatten().unwrap_or_default();
    match names.len() {
        0 => "the files".into(),
        1..=4 => names.join(", "),
        n => format!("{} and {} more files", names[..3].join(", "), n - 3),
    }
}

/// Why there is no answer. The program's own failures are not among it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The model gave no program.
    #[error(transparent)]
    Llm(#[from] LlmError),
    /// A run could not take place; worth a retry.
    #[error("the program could not be run: {0}")]
    Run(#[from] RunError),
    /// The workspace could not be read.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

/// A session's interpreter, in which variables of earlier programs are still there. Every program of one question
/// starts where the session was; what the last one leaves stays.
#[async_trait]
pub trait Interpreter: Send + Sync + std::fmt::Debug {
    /// Runs a program of the question.
    async fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError>;
}

/// A question about the files of a workspace.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What the user wants to know, in their words.
    pub question: String,
    /// Host directory with the files; the program runs in it and leaves its artifacts there.
    pub workspace: PathBuf,
    /// Earlier questions and programs of the same session, oldest first.
    pub history: Vec<Exchange>,
    /// Where programs run if not in fresh ones of `image`.
    pub interpreter: Option<Arc<dyn Interpreter>>,
    /// Image to run the program in, such as `python`.
    pub image: String,
    /// Ceilings of each run.
    pub limits: Limits,
    /// What programs of the image are written in.
    pub language: Language,
    /// Packages of the image besides the language's own library, by name with their versions.
    pub packages: BTreeMap<String, String>,
    /// Name of the model to ask; `None` is the configured default.
    pub model: Option<String>,
    /// How much the answer may take.
    pub effort: Effort,
}

impl Ask {
    /// Whether programs can use `from glovebox import media`: the policy grants the service, this build has it, and the
    /// image has the module.
    #[must_use]
    pub fn has_media(&self) -> bool {
        cfg!(feature = "media") && self.image == "python" && self.limits.services.contains("media")
    }
}

/// An earlier question with its program and its result in short; or a program of the user's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The question; empty if the user wrote the program.
    pub question: String,
    /// The program that answered it.
    pub program: String,
    /// What it printed, shortened.
    pub result: String,
}

#[cfg(test)]
mod tests;
