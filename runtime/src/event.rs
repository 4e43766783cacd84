//! Event: what happens while a run goes on, in order.

use serde::{Deserialize, Serialize};

use crate::{Artifact, Display, Ending, Usage};

/// One event of a run. Numbers start at 1 and have no gaps, so that a client can resume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the run's sequence.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventBody {
    /// The guest is about to run.
    Started {
        /// Name of the image.
        image: String,
    },
    /// Text on standard output.
    Stdout {
        /// The text.
        text: String,
    },
    /// Text on standard error.
    Stderr {
        /// The text.
        text: String,
    },
    /// Rich output.
    Display(Display),
    /// An uncaught exception; the run goes on to its ending.
    Error {
        /// Exception type.
        name: String,
        /// Exception text.
        value: String,
        /// Formatted traceback.
        traceback: String,
    },
    /// The program says how far it is.
    Progress {
        /// Part done, 0 to 1, if it knows.
        #[serde(default)]
        fraction: Option<f64>,
        /// What it is doing.
        #[serde(default)]
        message: String,
    },
    /// A limit was met without ending the run.
    LimitWarning {
        /// Name of the limit.
        limit: String,
        /// One sentence.
        message: String,
    },
    /// A file was collected.
    Artifact(Artifact),
    /// The run is over; always the last event.
    Ended {
        /// How.
        ending: Ending,
        /// What it used.
        usage: Usage,
    },
}
