//! Audio and video: asked for here, done by FFmpeg in a jailed process of its own per operation.
//!
//! FFmpeg reads anybody's files, and its decoders are the weakest code in this house. So it never runs in a process that
//! holds anything: `glovebox media-worker` is started for one operation, locks itself ([`crate::jail`]), is handed open
//! files over a socket, and ends. See `docs/decisions/0011-media.md`.

#[cfg(feature = "media")]
mod process;
mod service;
#[cfg(feature = "media")]
mod worker;

use std::fs::File;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::engine::sample::MediaFacts;
use crate::jail::Locked;

pub use service::MediaService;

/// Why an operation gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct MediaError {
    /// `request` (it makes no sense), `not_found`, `input` (damaged, or of a kind that is not read), `cap` (too large),
    /// `output`, `process` (it died), `missing` (built without).
    pub kind: String,
    /// A sentence that names the file and the fault.
    pub message: String,
}

impl MediaError {
    fn new(kind: &str, message: impl Into<String>) -> MediaError {
        MediaError { kind: kind.into(), message: message.into() }
    }

    #[cfg(not(feature = "media"))]
    fn missing() -> MediaError {
        let what = "audio and video are not available: this glovebox was built without the feature media";
        MediaError::new("missing", what)
    }
}

/// What `glovebox media-worker --check` says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Version of FFmpeg's codec library.
    pub ffmpeg: String,
    /// What its jail holds.
    pub jail: Locked,
}

/// What is in a file of audio or video. Blocks; `name` is for messages. The file is read from its beginning.
///
/// # Errors
///
/// The file is no media file or a damaged one, or the process that reads it died.
pub fn probe_file(file: File, name: &str) -> Result<MediaFacts, MediaError> {
    probe_with(this_program()?, file, name)
}

/// The running program, which is its own media worker as well.
fn this_program() -> Result<PathBuf, MediaError> {
    std::env::current_exe().map_err(|error| MediaError::new("process", format!("cannot find this program: {error}")))
}

#[cfg(feature = "media")]
fn probe_with(program: PathBuf, file: File, name: &str) -> Result<MediaFacts, MediaError> {
    use glovebox_media::{Caps, Op};
    let inputs = vec![(name.to_owned(), file)];
    let report = process::perform(&program, &Op::Probe, inputs, None, &Caps::default(), &Default::default())?;
    let probe = report.probe.ok_or_else(|| MediaError::new("process", format!("{name}: nothing was said of it")))?;
    // The same names on both sides.
    let facts = serde_json::to_value(probe).and_then(serde_json::from_value);
    facts.map_err(|error| MediaError::new("process", format!("{name}: {error}")))
}

#[cfg(not(feature = "media"))]
fn probe_with(_: PathBuf, _: File, _: &str) -> Result<MediaFacts, MediaError> {
    Err(MediaError::missing())
}

/// Starts a media worker that only says how it is locked.
///
/// # Errors
///
/// It cannot be started or locked, or was not built.
#[cfg(feature = "media")]
pub fn check() -> Result<Check, MediaError> {
    process::check(&this_program()?)
}

/// Starts a media worker that only says how it is locked.
///
/// # Errors
///
/// Always: it was not built.
#[cfg(not(feature = "media"))]
pub fn check() -> Result<Check, MediaError> {
    Err(MediaError::missing())
}

/// `glovebox media-worker`: locks itself, does one operation, ends. With `check` it only says how it is locked.
///
/// # Errors
///
/// If the socket on standard input breaks, or the feature is missing.
#[cfg(feature = "media")]
pub fn worker_main(check: bool) -> anyhow::Result<()> {
    worker::main(check)
}

/// `glovebox media-worker`, of a build that has none.
///
/// # Errors
///
/// Always.
#[cfg(not(feature = "media"))]
pub fn worker_main(_check: bool) -> anyhow::Result<()> {
    Err(MediaError::missing().into())
}
