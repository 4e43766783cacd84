//! Error: why the service refused or could not do something, with a stable code. The cause stays in the log.

use std::fmt;
use std::io::ErrorKind;

use glovebox_runtime::RunError;

/// What kind of error; its name is part of the contract with clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// No such thing, or someone else's.
    NotFound,
    /// No such route for this method.
    MethodNotAllowed,
    /// The body is not what its type says.
    InvalidJson,
    /// Understood and refused; the detail says why.
    InvalidRequest,
    /// The body's type is not one of those expected.
    UnsupportedMediaType,
    /// No image of that name.
    UnknownImage,
    /// The image is being prepared, is missing or has failed.
    ImageNotReady,
    /// No policy of that name.
    UnknownPolicy,
    /// No model of that name.
    UnknownModel,
    /// A file exceeds the upload limit.
    FileTooLarge,
    /// A JSON body exceeds its limit.
    BodyTooLarge,
    /// Collides with the present state.
    Conflict,
    /// The queue is full.
    Busy,
    /// The request came from another site.
    ForbiddenOrigin,
    /// The request names a host that is not ours.
    ForbiddenHost,
    /// No key was shown, or none that is valid.
    Unauthorized,
    /// The key does not allow this.
    Forbidden,
    /// The model could not be reached or gave no usable reply.
    ModelUnavailable,
    /// The caller ended it.
    Cancelled,
    /// Something else goes on in the session.
    SessionBusy,
    /// The session has reached the end of its life.
    SessionEnded,
    /// What a checkpoint consists of is damaged or gone.
    CheckpointDamaged,
    /// The tenant has as much as it may have.
    Quota,
    /// The key of a request was sent with another one before.
    IdempotencyKeyReused,
    /// The client took too long with its body.
    RequestTimeout,
    /// The tenant has used what it may use for now.
    QuotaExhausted,
    /// The server's disk is full.
    DiskFull,
    /// The server stopped meanwhile.
    Interrupted,
    /// Our side failed; worth a retry.
    Infrastructure,
}

impl Code {
    /// Every code, for the documentation and the tests.
    pub const ALL: [Code; 29] = [
        Code::NotFound,
        Code::MethodNotAllowed,
        Code::InvalidJson,
        Code::InvalidRequest,
        Code::UnsupportedMediaType,
        Code::UnknownImage,
        Code::ImageNotReady,
        Code::UnknownPolicy,
        Code::UnknownModel,
        Code::FileTooLarge,
        Code::BodyTooLarge,
        Code::Conflict,
        Code::Busy,
        Code::ForbiddenOrigin,
        Code::ForbiddenHost,
        Code::Unauthorized,
        Code::Forbidden,
        Code::ModelUnavailable,
        Code::Cancelled,
        Code::SessionBusy,
        Code::SessionEnded,
        Code::CheckpointDamaged,
        Code::Quota,
        Code::IdempotencyKeyReused,
        Code::RequestTimeout,
        Code::QuotaExhausted,
        Code::DiskFull,
        Code::Interrupted,
        Code::Infrastructure,
    ];

    /// The stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Code::NotFound => "not_found",
            Code::MethodNotAllowed => "method_not_allowed",
            Code::InvalidJson => "invalid_json",
            Code::InvalidRequest => "invalid_request",
            Code::UnsupportedMediaType => "unsupported_media_type",
            Code::UnknownImage => "unknown_image",
            Code::ImageNotReady => "image_not_ready",
            Code::UnknownPolicy => "unknown_policy",
            Code::UnknownModel => "unknown_model",
            Code::FileTooLarge => "file_too_large",
            Code::BodyTooLarge => "body_too_large",
            Code::Conflict => "conflict",
            Code::Busy => "busy",
            Code::ForbiddenOrigin => "forbidden_origin",
            Code::ForbiddenHost => "forbidden_host",
            Code::Unauthorized => "unauthorized",
            Code::Forbidden => "forbidden",
            Code::ModelUnavailable => "model_unavailable",
            Code::Cancelled => "cancelled",
            Code::SessionBusy => "session_busy",
            Code::SessionEnded => "session_ended",
            Code::CheckpointDamaged => "checkpoint_damaged",
            Code::Quota => "quota",
            Code::IdempotencyKeyReused => "idempotency_key_reused",
            Code::RequestTimeout => "request_timeout",
            Code::QuotaExhausted => "quota_exhausted",
            Code::DiskFull => "disk_full",
            Code::Interrupted => "interrupted",
            Code::Infrastructure => "infrastructure",
        }
    }

    /// The code of that name; [`Code::Infrastructure`] for names of another version.
    #[must_use]
    pub fn from_name(name: &str) -> Code {
        Code::ALL.into_iter().find(|code| code.name() == name).unwrap_or(Code::Infrastructure)
    }
}

/// A code, a sentence for the caller, and a cause for the log.
#[derive(Debug)]
pub struct Error {
    /// What kind.
    pub code: Code,
    /// For the caller: what is wrong with what, and the way out.
    pub detail: String,
    /// For the log alone.
    pub cause: Option<anyhow::Error>,
    /// Seconds after which the caller may try again.
    pub retry_after_s: Option<u64>,
}

/// What our operations give.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Whether it is our side's, and so worth a retry.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(
            self.code,
            Code::Infrastructure | Code::Busy | Code::ImageNotReady | Code::DiskFull | Code::Interrupted
        )
    }

    /// Whether a moment's wait may be enough: a full line, or a tenant's other runs.
    #[must_use]
    pub fn is_momentary(&self) -> bool {
        self.code == Code::Busy || (self.code == Code::QuotaExhausted && self.retry_after_s == Some(1))
    }

    /// An error without a hidden cause.
    pub fn new(code: Code, detail: impl Into<String>) -> Error {
        Error { code, detail: detail.into(), cause: None, retry_after_s: None }
    }

    /// With the seconds after which the caller may try again.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Error {
        Error { retry_after_s: Some(seconds.max(1)), ..self }
    }

    fn caused(code: Code, detail: impl Into<String>, cause: anyhow::Error) -> Error {
        Error { cause: Some(cause), ..Error::new(code, detail) }
    }

    /// Nothing of that kind with that id, or someone else's.
    #[must_use]
    pub fn not_found(kind: &str, id: &str) -> Error {
        Error::new(Code::NotFound, format!("there is no {kind} `{}`", shorten(id, 80)))
    }

    /// The request is understood and cannot be met.
    pub fn invalid(detail: impl Into<String>) -> Error {
        Error::new(Code::InvalidRequest, detail)
    }

    /// There is no room for what we have to write. What was acknowledged is not touched.
    fn disk_full(cause: anyhow::Error) -> Error {
        let detail = "the disk of the server is full; delete sessions or files, or give it more room, and try again";
        Error::caused(Code::DiskFull, detail, cause)
    }

    /// Our side failed. The caller hears that, and the log hears why.
    pub fn internal(cause: impl Into<anyhow::Error>) -> Error {
        let detail = "internal error; the server's log has the cause under this request's id";
        Error::caused(Code::Infrastructure, detail, cause.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Error {}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        let full = error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == SQLITE_FULL);
        let cause = anyhow::Error::new(error).context("database");
        if full { Error::disk_full(cause) } else { Error::internal(cause) }
    }
}

/// How a message ends that tells of a full disk (ENOSPC).
const NO_SPACE: &str = "(os error 28)";

/// What SQLite calls a full disk.
const SQLITE_FULL: &str = "13";

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
        let cause = anyhow::Error::new(error).context("data directory");
        if full { Error::disk_full(cause) } else { Error::internal(cause) }
    }
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Error {
        match error {
            RunError::UnknownImage { .. } => Error::new(Code::UnknownImage, error.to_string()),
            // Paths are ours; the caller hears which checkpoint it is from who knows the session.
            RunError::Checkpoint { ref reason, .. } => {
                let detail = format!("the memory of the checkpoint cannot be used: {}", shorten(reason, 300));
                Error::caused(Code::CheckpointDamaged, detail, error.into())
            }
            RunError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => source.into(),
            // A worker can say it in words only.
            RunError::Worker(ref words) if words.contains(NO_SPACE) => Error::disk_full(error.into()),
            error => {
                let detail = "the sandbox could not run the program; try again";
                Error::caused(Code::Infrastructure, detail, error.into())
            }
        }
    }
}

/// `text`, cut to at most `bytes` bytes between characters, with `…` if it was cut.
#[must_use]
pub fn shorten(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), code);
        }
    }

    #[test]
    fn a_cut_text_ends_between_characters() {
        assert_eq!(shorten("äöü", 3), "ä…");
        assert_eq!(shorten("abc", 3), "abc");
    }
}
