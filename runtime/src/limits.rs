//! Limits: every ceiling that one run can meet.
//!
//! Each field names its unit, its default, and what it does not count. The defaults are those of
//! `policies/default.toml` (a test keeps the two equal). [`crate::meter`] and [`crate::wasi`]
//! enforce them; a ceiling that is met ends the run with a named [`crate::Ending`] or shows itself
//! to the guest as the error that a full disk or a full table gives anywhere else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// The ceilings of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Fuel: most WebAssembly instructions cost 1. About 5 billion are one second of one core.
    /// Default 50 000 000 000. Time spent in host calls (file access, sleep) is not counted.
    pub fuel: u64,
    /// Elapsed time in milliseconds, sleeping and waiting included. Default 60 000.
    /// A single host call or bulk memory instruction is not interrupted in its middle.
    pub wall_time_ms: u64,
    /// Processor time of the run in milliseconds. Default 30 000. Checked whenever the guest
    /// yields, every few million units of fuel.
    pub cpu_time_ms: u64,
    /// Memory the guest may hold at once, in MiB, summed over its linear memories, exception heap
    /// and tables. Default 1024. Memory that the host uses on the guest's behalf is not counted.
    pub memory_mib: u64,
    /// Text on stdout and stderr together, in KiB. Default 1024. The rest is dropped and marked.
    pub output_kib: u64,
    /// What happens to a run that meets `output_kib`. Default `cut`.
    pub output_overflow: OutputOverflow,
    /// Rich output (charts, tables, images sent with `display`), in KiB of JSON. Default 32 768.
    pub display_kib: u64,
    /// Bytes of files in the workspace and in `/tmp`, in MiB. Default 1024. Inputs are counted.
    pub workspace_mib: u64,
    /// Files, directories and links in the workspace and in `/tmp`. Default 5 000.
    pub workspace_files: u64,
    /// Size of one file in MiB. Default 512.
    pub file_mib: u64,
    /// Files and directories open at once. Default 256.
    pub open_handles: u64,
    /// Files collected as artifacts. Default 200. More are left out, with a warning.
    pub artifacts: u64,
    /// Size of all artifacts together in MiB. Default 256. What does not fit is left out, with a warning.
    pub artifact_mib: u64,
    /// Services of the host that the program may ask for. Default: `media`. Who runs jobs has to offer them, too.
    pub services: BTreeSet<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            fuel: 50_000_000_000,
            wall_time_ms: 60_000,
            cpu_time_ms: 30_000,
            memory_mib: 1024,
            output_kib: 1024,
            output_overflow: OutputOverflow::Cut,
            display_kib: 32_768,
            workspace_mib: 1024,
            workspace_files: 5_000,
            file_mib: 512,
            open_handles: 256,
            artifacts: 200,
            artifact_mib: 256,
            services: BTreeSet::from(["media".to_owned()]),
        }
    }
}

/// What happens to a run that prints more than it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputOverflow {
    /// It runs on, and the rest of its output is dropped.
    #[default]
    Cut,
    /// It ends as [`crate::Ending::TooMuchOutput`].
    End,
}
