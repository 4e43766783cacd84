//! RunError: the failures that are ours.

use std::path::PathBuf;

/// Glovebox could not do its part. Never the program's fault: a caller may try again, and an
/// evaluation must not count it as a wrong answer.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No image of that name.
    #[error("unknown image `{name}` (there are: {known})")]
    UnknownImage {
        /// What was asked for.
        name: String,
        /// What there is, comma-separated.
        known: String,
    },
    /// An image's file is missing, damaged or of the wrong kind.
    #[error("image {image}: {reason}")]
    Image {
        /// Name of the image.
        image: String,
        /// What is wrong and the way out.
        reason: String,
    },
    /// A file or directory of ours could not be used.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `failed to open`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Wasmtime refused something that it should have done.
    #[error("{action}: {reason}")]
    Engine {
        /// What was tried.
        action: &'static str,
        /// Wasmtime's words.
        reason: String,
    },
    /// A checkpoint of a session cannot be used.
    #[error("checkpoint file {}: {reason}", path.display())]
    Checkpoint {
        /// The layer file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The worker process died or broke its protocol.
    #[error("the worker process {0}")]
    Worker(String),
}

impl RunError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> RunError {
        let path = path.into();
        move |source| RunError::Io { action, path, source }
    }

    pub(crate) fn engine(action: &'static str) -> impl FnOnce(wasmtime::Error) -> RunError {
        move |error| RunError::Engine { action, reason: format!("{error:#}") }
    }

    pub(crate) fn image(image: &str, reason: impl Into<String>) -> RunError {
        RunError::Image { image: image.into(), reason: reason.into() }
    }
}
