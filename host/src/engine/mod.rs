//! The analysis engine: a question and files in, an [`Answer`] out. Has never heard of HTTP.
//!
//! ```text
//! sampler    files              → Sample        names, types, a few rows
//! generator  question + Sample  → Program       asks the model
//! executor   Program + Limits   → Outcome       runs it on all of the data; a failure goes back to the generator
//! explainer  question + Outcome → explanation   asks the model
//! ```

mod executor;
mod explainer;
pub mod extract;
mod generator;
mod prompt;
pub mod sample;
pub mod sampler;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use glovebox_runtime::{Event, Job, Limits, Outcome, RunError};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::llm::{Completion, Llm, LlmError, Models};
use crate::workers::Pool;
use executor::RunJob;
use sample::Sample;

/// What answering needs: workers to run programs in and models to ask. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Where programs run.
    pub pool: Pool,
    /// Who can be asked.
    pub models: Models,
    /// Repairs of a program that failed, beyond its first run. Default 3.
    pub max_repairs: u32,
}

impl Engine {
    /// An engine with 3 repairs.
    #[must_use]
    pub fn new(pool: Pool, models: Models) -> Engine {
        Engine { pool, models, max_repairs: 3 }
    }
}

/// Answers a question about the files of a workspace. `on_event` gets what happens as it happens.
///
/// A program that fails is a normal answer: `outcome` says how, `explanation` says so in words. So is
/// a reply without a program, and a question that was cancelled (`outcome` is `None` if that came
/// before the first run).
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
    if let Some(interpreter) = ask.interpreter.clone() {
        return answer_with(&executor::InSession(interpreter), model, engine.max_repairs, &ask, on_event, cancel).await;
    }
    answer_with(&engine.pool, model, engine.max_repairs, &ask, on_event, cancel).await
}

async fn answer_with<R: RunJob>(
    runner: &R,
    model: Arc<dyn Llm>,
    max_repairs: u32,
    ask: &Ask,
    on_event: &mut (dyn FnMut(AnswerEvent) + Send),
    cancel: &CancellationToken,
) -> Result<Answer, EngineError> {
    let mut work = Work { ask, model, samples: Vec::new(), on_event, cancel, usage: TokenUsage::default() };

    work.stage(Stage::Sampling, 1, "reading the files".into());
    let Some(samples) = sample(ask, cancel).await? else {
        return Ok(work.without_program(CANCELLED.into(), Vec::new()));
    };
    work.samples = samples;

    work.stage(Stage::Generating, 1, format!("asking {} for a program", work.model.name()));
    let Some(reply) = generator::generate(&mut work).await? else {
        return Ok(work.without_program(CANCELLED.into(), Vec::new()));
    };
    let Some(program) = reply.program else { return Ok(work.without_program(reply.text, reply.suggestions)) };

    let done = executor::execute(&mut work, runner, program, reply.suggestions, max_repairs).await?;

    work.stage(
        Stage::Explaining,
        u32::try_from(done.attempts.len()).unwrap_or(u32::MAX),
        "explaining the result".into(),
    );
    let (explanation, suggestions) = explainer::explain(&mut work, &done).await?;
    Ok(Answer {
        explanation,
        program: done.program,
        outcome: Some(done.outcome),
        suggestions: if suggestions.is_empty() { done.suggestions } else { suggestions },
        attempts: done.attempts,
        usage: work.usage,
        model: work.model.name().to_owned(),
    })
}

const CANCELLED: &str = "The question was cancelled before a program ran.";

/// Reads the files on a thread that may block. `None` if the question was cancelled meanwhile.
async fn sample(ask: &Ask, cancel: &CancellationToken) -> Result<Option<Vec<Sample>>, EngineError> {
    let workspace = ask.workspace.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let dir = cap_std::fs::Dir::open_ambient_dir(workspace, cap_std::ambient_authority())?;
        sampler::sample_workspace(&dir)
    });
    let samples = tokio::select! {
        samples = reading => samples,
        () = cancel.cancelled() => return Ok(None),
    };
    let samples = samples.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
    samples.map(Some).map_err(|source| EngineError::Io { action: "failed to read the files of the workspace", source })
}

/// What the stages share while one question is answered.
struct Work<'a> {
    ask: &'a Ask,
    model: Arc<dyn Llm>,
    samples: Vec<Sample>,
    on_event: &'a mut (dyn FnMut(AnswerEvent) + Send),
    cancel: &'a CancellationToken,
    usage: TokenUsage,
}

impl Work<'_> {
    fn stage(&mut self, stage: Stage, attempt: u32, message: String) {
        (self.on_event)(AnswerEvent::Stage { stage, attempt, message });
    }

    /// Asks the model and adds up what it used. `None` if the question was cancelled meanwhile.
    async fn complete(&mut self, completion: &Completion) -> Result<Option<String>, EngineError> {
        let on_event = &mut *self.on_event;
        let mut on_text = |text: &str| on_event(AnswerEvent::Text { text: text.to_owned() });
        let reply = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Ok(None),
            reply = self.model.complete(completion, &mut on_text) => reply?,
        };
        self.usage.add(reply.usage);
        Ok(Some(reply.text))
    }

    fn without_program(self, text: String, suggestions: Vec<String>) -> Answer {
        let empty = "The model's reply held neither a program nor a text. Ask again, or ask another model.";
        Answer {
            explanation: if text.is_empty() { empty.to_owned() } else { text },
            program: String::new(),
            outcome: None,
            suggestions,
            attempts: Vec::new(),
            usage: self.usage,
            model: self.model.name().to_owned(),
        }
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
    /// Packages of the image besides the language's own library, by name with their versions.
    pub packages: BTreeMap<String, String>,
    /// Name of the model to ask; `None` is the configured default.
    pub model: Option<String>,
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

/// The answer to a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Markdown for the user: what was done, what the result shows, what was assumed.
    pub explanation: String,
    /// Source text of the last program; empty if the model answered without one.
    pub program: String,
    /// The last program's outcome; `None` without a program.
    pub outcome: Option<Outcome>,
    /// What could be asked next.
    pub suggestions: Vec<String>,
    /// Every program that was tried, in order, the last included.
    pub attempts: Vec<Attempt>,
    /// What the model used.
    pub usage: TokenUsage,
    /// Name of the model that answered.
    pub model: String,
}

/// One program that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Source text.
    pub program: String,
    /// Name of its ending, such as `exited`.
    pub ending: String,
    /// The error in one line; `None` if it succeeded.
    pub error: Option<String>,
}

/// Tokens, as the provider counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenUsage {
    /// Sent.
    pub input_tokens: u64,
    /// Received.
    pub output_tokens: u64,
    /// Calls made.
    pub calls: u64,
}

impl TokenUsage {
    /// Adds what another call used.
    pub fn add(&mut self, other: TokenUsage) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.calls = self.calls.saturating_add(other.calls);
    }
}

/// What happens while a question is answered, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AnswerEvent {
    /// A stage begins.
    Stage {
        /// Which.
        stage: Stage,
        /// 1 for the first program, 2 for its first repair, and so on.
        attempt: u32,
        /// For a person: `reading penguins.csv`, `repairing: KeyError: 'mass'`.
        message: String,
    },
    /// A piece of the model's text as it arrives.
    Text {
        /// The piece.
        text: String,
    },
    /// A whole program, about to be run.
    Program {
        /// Source text.
        source: String,
        /// As in `Stage`.
        attempt: u32,
    },
    /// Something that the running program did.
    Run {
        /// As in `Stage`.
        attempt: u32,
        /// The runtime's event.
        event: Event,
    },
}

/// A stage of answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading the files.
    Sampling,
    /// The model writes a program.
    Generating,
    /// The program runs.
    Running,
    /// The model mends a program that failed.
    Repairing,
    /// The model explains.
    Explaining,
}

#[cfg(test)]
mod tests;
