//! Outcome: how a run ended, what it printed, showed and left, and what it used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The result of a run. A guest that fails is a normal result; see [`Ending`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Text written to standard output, up to the output limit.
    pub stdout: String,
    /// Text written to standard error, up to the output limit.
    pub stderr: String,
    /// True if output was dropped because of [`crate::Limits::output_kib`].
    pub output_truncated: bool,
    /// Rich output in the order it was shown.
    pub displays: Vec<Display>,
    /// Files that are new or changed, by path.
    pub artifacts: Vec<Artifact>,
    /// Limits that were met without ending the run, one sentence each.
    pub warnings: Vec<String>,
    /// Deterministic measures of what was used.
    pub usage: Usage,
    /// Measures by the clock; absent in deterministic mode, where outcomes are compared byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// What was run: enough to tell whether two outcomes should be equal.
    pub lineage: Lineage,
}

/// How a guest ended. Anything but `Exited { code: 0 }` is a failure of the program, never of Glovebox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Ending {
    /// Ran to its end or called exit.
    Exited {
        /// 0 to 255.
        code: u8,
    },
    /// An uncaught exception.
    Raised {
        /// Its type, such as `ZeroDivisionError`.
        exception: String,
        /// Its text.
        message: String,
        /// The traceback as the guest formats it.
        traceback: String,
    },
    /// Met [`crate::Limits::fuel`].
    OutOfFuel,
    /// Met [`crate::Limits::memory_mib`].
    OutOfMemory,
    /// Met a time limit.
    OutOfTime {
        /// Which one.
        clock: Clock,
    },
    /// Met a workspace limit and did not handle the error.
    OutOfDisk,
    /// Wrote more than [`crate::Limits::output_kib`] under a policy that ends such runs.
    TooMuchOutput,
    /// The guest crashed.
    Trapped {
        /// Wasmtime's words.
        reason: String,
    },
    /// The caller asked for it.
    Cancelled,
}

impl Ending {
    /// True only for `Exited { code: 0 }`.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Ending::Exited { code: 0 })
    }

    /// The stable snake_case name, as in JSON's `kind`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Ending::Exited { .. } => "exited",
            Ending::Raised { .. } => "raised",
            Ending::OutOfFuel => "out_of_fuel",
            Ending::OutOfMemory => "out_of_memory",
            Ending::OutOfTime { .. } => "out_of_time",
            Ending::OutOfDisk => "out_of_disk",
            Ending::TooMuchOutput => "too_much_output",
            Ending::Trapped { .. } => "trapped",
            Ending::Cancelled => "cancelled",
        }
    }

    /// One sentence for a person.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Ending::Exited { code: 0 } => "finished".into(),
            Ending::Exited { code } => format!("exited with status {code}"),
            Ending::Raised { exception, message, .. } if message.is_empty() => exception.clone(),
            Ending::Raised { exception, message, .. } => format!("{exception}: {message}"),
            Ending::OutOfFuel => "stopped: it used all its fuel (limit `fuel`)".into(),
            Ending::OutOfMemory => "stopped: it needed more memory than it may have (limit `memory_mib`)".into(),
            Ending::OutOfTime { clock: Clock::Wall } => "stopped: it ran out of time (limit `wall_time_ms`)".into(),
            Ending::OutOfTime { clock: Clock::Cpu } => {
                "stopped: it ran out of processor time (limit `cpu_time_ms`)".into()
            }
            Ending::OutOfDisk => {
                "stopped: its workspace is full (limits `workspace_mib`, `workspace_files`, `file_mib`)".into()
            }
            Ending::TooMuchOutput => "stopped: it printed more than it may (limit `output_kib`)".into(),
            Ending::Trapped { reason } => format!("crashed: {reason}"),
            Ending::Cancelled => "cancelled".into(),
        }
    }

    /// Exit code of the command line: the script's own; 1 for an exception, 124 wall or processor
    /// time, 125 fuel, 137 memory, 126 another limit, 134 a crash, 130 cancelled.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Ending::Exited { code } => *code,
            Ending::Raised { .. } => 1,
            Ending::OutOfTime { .. } => 124,
            Ending::OutOfFuel => 125,
            Ending::OutOfDisk | Ending::TooMuchOutput => 126,
            Ending::OutOfMemory => 137,
            Ending::Trapped { .. } => 134,
            Ending::Cancelled => 130,
        }
    }
}

/// A clock that limits a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// Elapsed time.
    Wall,
    /// Processor time.
    Cpu,
}

/// Rich output: the same thing in several formats, as in Jupyter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Display {
    /// MIME type to content. Binary types are base64; JSON types are JSON values.
    pub data: BTreeMap<String, Value>,
    /// MIME type to facts about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// True for the value of the last expression.
    #[serde(default)]
    pub main: bool,
    /// A chart's data (type, axes, series), so that a page can draw it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<Value>,
}

/// A file that the guest left in its workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Path below the workspace, with `/`, never absolute, never with `..`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// Type by content, `application/octet-stream` if unknown.
    pub media_type: String,
}

/// What a run used, by measures that do not depend on the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Fuel spent.
    pub fuel: u64,
    /// Largest memory held at once, in bytes, the image's own included.
    pub memory_peak_bytes: u64,
    /// Bytes written to stdout and stderr, dropped ones included.
    pub output_bytes: u64,
}

/// What a run used by the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Elapsed milliseconds from the start of the run to its ending.
    pub wall_ms: f64,
    /// Processor milliseconds in the guest and in its host calls.
    pub cpu_ms: f64,
}

/// What was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// Digest of the image: its module, mounts and warm-up.
    pub image: String,
    /// SHA-256 of the source text.
    pub source_sha256: String,
    /// Workspace files at the start: path to SHA-256.
    pub inputs: BTreeMap<String, String>,
    /// The seed in use, if one was given or implied.
    pub seed: Option<u64>,
    /// True if the run was deterministic.
    pub deterministic: bool,
}
