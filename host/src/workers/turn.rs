//! A turn of a session, as the pool hands it to a worker.

use std::path::PathBuf;

use glovebox_runtime::{Job, Outcome};
use serde::{Deserialize, Serialize};

/// A program for a session. Everything that the session is lies in files, so that any worker can take the turn; one
/// that has it alive is faster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Turn {
    /// Id of the session.
    pub session: String,
    /// The program, its limits, and the session's workspace.
    pub job: Job,
    /// Host directory that the guest sees as `/tmp`.
    pub scratch: PathBuf,
    /// Layers of the session's memory, oldest first; none for a fresh interpreter.
    pub at: Vec<PathBuf>,
    /// File that gets the memory that the turn changed.
    pub save: PathBuf,
}

/// What came of a turn.
#[derive(Clone, Debug)]
pub struct Turned {
    /// How it went.
    pub outcome: Outcome,
    /// The session's memory after it. `None`: the turn was stopped in its middle and left no usable interpreter, so the
    /// session is where it was before.
    pub kept: Option<Kept>,
}

/// A session's memory after a turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Layers, oldest first; the last is the turn's own.
    pub layers: Vec<PathBuf>,
    /// Bytes of the turn's layer.
    pub bytes: u64,
}
