//! Job: everything a run needs to know, as a plain value.
//!
//! A job can be run in this process, sent to a worker process, or kept to be run again.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Limits;

/// One program, the image it runs in, the directory it works on, and its ceilings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Name of the image, such as `python`.
    pub image: String,
    /// The program and what it is given.
    pub program: Program,
    /// Host directory that the guest sees as `/mnt/data`, its working directory, read-write.
    pub workspace: PathBuf,
    /// The ceilings of this run.
    #[serde(default)]
    pub limits: Limits,
    /// Real clock and entropy, or the same result every time.
    #[serde(default)]
    pub mode: Mode,
    /// Seed of the guest's random generators. Live runs without one are seeded by the system;
    /// deterministic runs without one use 0.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// A program and its surroundings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Source text.
    pub source: String,
    /// Name shown in tracebacks. Default: the image's, such as `main.py`.
    #[serde(default)]
    pub filename: Option<String>,
    /// Arguments after the program's name.
    #[serde(default)]
    pub args: Vec<String>,
    /// Variables added to the image's environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What the program reads from standard input.
    #[serde(default)]
    pub stdin: String,
    /// What happens to the value of the last expression.
    #[serde(default)]
    pub echo: Echo,
}

/// What happens to the value of the program's last expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Echo {
    /// Shown, as in a notebook.
    #[default]
    Last,
    /// Dropped, as in a script.
    None,
}

/// Where time and randomness come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The machine's clocks and entropy.
    #[default]
    Live,
    /// A virtual clock driven by fuel, a fixed seed, sorted directories: the same job gives the
    /// same outcome and artifacts, byte for byte.
    Deterministic,
}
