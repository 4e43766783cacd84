//! Why an operation gave nothing.

use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// Why an operation gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", content = "message", rename_all = "snake_case")]
pub enum MediaError {
    /// What was asked makes no sense.
    #[error("{0}")]
    Request(String),
    /// An input is no media file, or one that cannot be used.
    #[error("{0}")]
    Input(String),
    /// A cap was reached.
    #[error("{0}")]
    Cap(String),
    /// Writing failed.
    #[error("{0}")]
    Output(String),
}

impl MediaError {
    pub(crate) fn request(message: impl Into<String>) -> MediaError {
        MediaError::Request(message.into())
    }

    pub(crate) fn input(name: &str, message: impl Display) -> MediaError {
        MediaError::Input(format!("{name}: {message}"))
    }

    pub(crate) fn too_large(what: &str, is: u64, limit: u64, unit: &str) -> MediaError {
        MediaError::Cap(format!("{what}: {is} {unit}; at most {limit} are allowed"))
    }

    pub(crate) fn output(error: impl Display) -> MediaError {
        MediaError::Output(format!("failed to write the result: {error}"))
    }
}
