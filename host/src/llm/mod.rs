//! Language models: one trait, one file per provider. Only this module opens outgoing connections.

mod breaker;
pub mod builtin;
mod models;
pub mod recorded;
pub mod remote;
mod secret;
mod settings;
mod sse;

pub use models::{ModelInfo, Models};
pub use secret::Secret;
pub use settings::ModelsConfig;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::engine::TokenUsage;

/// A model that completes a conversation.
#[async_trait]
pub trait Llm: Send + Sync {
    /// Name shown to users, such as `builtin` or `gpt-5`.
    fn name(&self) -> &str;

    /// Answers a conversation. `on_text` gets every piece of the reply as it arrives.
    ///
    /// # Errors
    ///
    /// [`LlmError`]: unreachable, refused, too slow, too long.
    // The lifetime is spelled out because async_trait would tie an elided one to the call.
    async fn complete(
        &self,
        request: &Completion,
        on_text: &mut (dyn for<'t> FnMut(&'t str) + Send),
    ) -> Result<Reply, LlmError>;
}

/// A conversation to be completed, with the facts that a model without language skills needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Completion {
    /// What is wanted: a program, a repair or an explanation.
    pub purpose: Purpose,
    /// System, user and assistant messages in order.
    pub messages: Vec<Message>,
    /// The question and samples as values, for `builtin`, which plans by rules instead of reading the messages.
    pub context: PlanContext,
}

/// What a completion is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A first program.
    Generate,
    /// A mended program.
    Repair,
    /// An explanation of a result.
    Explain,
}

/// What a completion is about, as values.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PlanContext {
    /// The user's question.
    pub question: String,
    /// The workspace's files.
    pub samples: Vec<crate::engine::sample::Sample>,
    /// Earlier questions of the session, oldest first.
    #[serde(default)]
    pub history: Vec<crate::engine::Exchange>,
    /// The program so far (repair, explain).
    pub program: Option<String>,
    /// What it printed or how it failed (repair, explain).
    pub result: Option<String>,
    /// Artifacts that exist (explain).
    pub artifacts: Vec<String>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who speaks.
    pub role: MessageRole,
    /// The text.
    pub content: String,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageRole {
    /// Rules.
    System,
    /// The user, or us on their behalf.
    User,
    /// The model.
    Assistant,
}

/// A model's reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// All of the text.
    pub text: String,
    /// What it cost.
    pub usage: TokenUsage,
    /// The model stopped at its limit of tokens, so the text may end in its middle.
    #[serde(default)]
    pub truncated: bool,
}

/// Why a model gave no reply. No key and no full URL with credentials ever appears in the text.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    /// No connection.
    #[error("model {model}: cannot reach {url}: {reason}; check {setting} and the network, or use --model builtin")]
    Unreachable {
        /// Name of the model.
        model: String,
        /// Base URL.
        url: String,
        /// Where the base URL is set.
        setting: String,
        /// Why.
        reason: String,
    },
    /// It failed several times in a row.
    #[error(
        "model {model}: {url} failed several times in a row and is asked again in {seconds} s; other models can be asked"
    )]
    Resting {
        /// Name of the model.
        model: String,
        /// Base URL.
        url: String,
        /// Until it is asked again.
        seconds: u64,
    },
    /// An error status.
    #[error("model {model}: the server answered {status}: {message}")]
    Refused {
        /// Name of the model.
        model: String,
        /// HTTP status.
        status: u16,
        /// Its message, shortened.
        message: String,
    },
    /// No reply in time.
    #[error("model {model}: no answer within {seconds} s")]
    TooSlow {
        /// Name of the model.
        model: String,
        /// The limit.
        seconds: u64,
    },
    /// Not the reply of a language model.
    #[error("model {model}: the reply makes no sense: {reason}")]
    Nonsense {
        /// Name of the model.
        model: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No such model is configured.
    #[error("unknown model `{name}` (there are: {known})")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A setting cannot be used.
    #[error("{setting}: {reason}")]
    Misconfigured {
        /// Its name, such as `OPENAI_BASE_URL`.
        setting: String,
        /// What is wrong and the way out.
        reason: String,
    },
    /// A recording has no further reply.
    #[error("model recorded: {used} {purpose:?} replies were recorded and all are used; add one to the recording")]
    Exhausted {
        /// What was asked for.
        purpose: Purpose,
        /// Replies of that kind in the recording.
        used: usize,
    },
}
