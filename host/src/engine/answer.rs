//! Answer: what comes of a question, and what is told while it comes about. Plain values.

use glovebox_runtime::{Event, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Effort;

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
    /// How it came about.
    #[serde(flatten)]
    pub details: Details,
}

/// How an answer came about, besides its attempts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// Versions of the prompts, such as `generate 2, repair 2, explain 2`.
    pub prompt_version: String,
    /// What it was allowed to take.
    pub effort: Effort,
    /// Other programs that the model suggested, for the user to choose.
    pub alternatives: Vec<Alternative>,
    /// Programs that were run side by side before one of them was kept; empty if only one was asked for.
    pub candidates: Vec<Candidate>,
    /// Whether what the explanation names exists; `None` if there was nothing to check.
    pub checked: Option<Check>,
}

/// A program that the model suggested besides the one that was run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alternative {
    /// What the model says of it, in a line.
    pub title: String,
    /// Source text.
    pub program: String,
}

/// One of several programs that were run side by side, each on a copy of the files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Candidate {
    /// Source text.
    pub program: String,
    /// Name of its ending, such as `exited`.
    pub ending: String,
    /// The error in one line; `None` if it succeeded.
    pub error: Option<String>,
    /// Names of the files that it made.
    pub artifacts: Vec<String>,
    /// Fuel that it used.
    pub fuel: u64,
    /// True for the one that became the answer.
    pub kept: bool,
}

/// What came of comparing an explanation with the files and the result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Files, columns and artifacts that the explanation names.
    pub named: u32,
    /// Those that do not exist; they are marked in the text.
    pub missing: Vec<String>,
    /// True if the model was asked to write it anew.
    pub corrected: bool,
}

/// One program that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Source text.
    pub program: String,
    /// Name of its ending, such as `exited`; `not_run` if it could not be run at all.
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
    /// What it cost by the prices in the configuration, in millionths of a US dollar; 0 without prices.
    #[serde(default)]
    pub cost_micro_usd: u64,
}

impl TokenUsage {
    /// Adds what another call used.
    pub fn add(&mut self, other: TokenUsage) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.calls = self.calls.saturating_add(other.calls);
        self.cost_micro_usd = self.cost_micro_usd.saturating_add(other.cost_micro_usd);
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
    /// One of several programs that run side by side came to its end.
    Candidate {
        /// From 1.
        number: u32,
        /// How many there are.
        of: u32,
        /// Name of its ending.
        ending: String,
        /// The error in one line; `None` if it succeeded.
        error: Option<String>,
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
