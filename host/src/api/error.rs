//! Errors on the wire: `application/problem+json`, with a stable code and the request's id.

use std::any::Any;

use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::wire::Problem;
use crate::error::{Code, Error};

/// HTTP status of a code.
pub(super) fn status(code: Code) -> StatusCode {
    match code {
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Code::InvalidJson => StatusCode::BAD_REQUEST,
        Code::InvalidRequest
        | Code::UnknownImage
        | Code::UnknownPolicy
        | Code::UnknownModel
        | Code::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::FileTooLarge | Code::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::Conflict
        | Code::Cancelled
        | Code::SessionBusy
        | Code::SessionEnded
        | Code::CheckpointDamaged
        | Code::Quota => StatusCode::CONFLICT,
        Code::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::QuotaExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Busy | Code::ImageNotReady | Code::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
        Code::ForbiddenOrigin | Code::ForbiddenHost | Code::Forbidden => StatusCode::FORBIDDEN,
        Code::Unauthorized => StatusCode::UNAUTHORIZED,
        Code::ModelUnavailable => StatusCode::BAD_GATEWAY,
        Code::Infrastructure => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error as its JSON. The request id is empty; the response gets it on its way out.
#[must_use]
pub fn problem(code: Code, detail: &str) -> Problem {
    let title = match code {
        Code::NotFound => "Not found",
        Code::MethodNotAllowed => "Method not allowed",
        Code::InvalidJson => "Not JSON",
        Code::InvalidRequest => "Invalid request",
        Code::UnsupportedMediaType => "Unsupported media type",
        Code::UnknownImage => "Unknown image",
        Code::ImageNotReady => "Image not ready",
        Code::UnknownPolicy => "Unknown policy",
        Code::UnknownModel => "Unknown model",
        Code::FileTooLarge => "File too large",
        Code::BodyTooLarge => "Body too large",
        Code::Conflict => "Conflict",
        Code::Busy => "Busy",
        Code::ForbiddenOrigin => "Request from another site",
        Code::ForbiddenHost => "Unknown host name",
        Code::Unauthorized => "Key needed",
        Code::Forbidden => "Not allowed",
        Code::ModelUnavailable => "Model unavailable",
        Code::Cancelled => "Cancelled",
        Code::SessionBusy => "Session busy",
        Code::SessionEnded => "Session ended",
        Code::CheckpointDamaged => "Checkpoint damaged",
        Code::Quota => "Quota reached",
        Code::IdempotencyKeyReused => "Idempotency key reused",
        Code::RequestTimeout => "Request timeout",
        Code::QuotaExhausted => "Quota exhausted",
        Code::DiskFull => "Disk full",
        Code::Interrupted => "Interrupted",
        Code::Infrastructure => "Infrastructure error",
    };
    Problem {
        r#type: "about:blank".into(),
        title: title.into(),
        status: status(code).as_u16(),
        detail: detail.into(),
        code: code.name().into(),
        request_id: String::new(),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(code = self.code.name(), "{cause:#}");
        }
        let problem = problem(self.code, &self.detail);
        let mut response = status(self.code).into_response();
        if self.code == Code::Busy || self.code == Code::ImageNotReady {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"glovebox\""));
        }
        // The body is written by the guard, which knows the request's id.
        response.extensions_mut().insert(problem);
        response
    }
}

/// Nothing is served at this path.
pub(super) async fn no_route(uri: Uri) -> Error {
    let path = crate::error::shorten(uri.path(), 200);
    Error::new(Code::NotFound, format!("nothing is served at {path}; /docs lists what is"))
}

/// Something is served here, but not with this method.
pub(super) async fn no_method(method: Method, uri: Uri) -> Error {
    let path = crate::error::shorten(uri.path(), 200);
    Error::new(Code::MethodNotAllowed, format!("{path} does not take {method}; /docs lists what it takes"))
}

/// A bug of ours. The client hears that much.
pub(super) fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    Error::internal(anyhow::anyhow!("a handler panicked: {text}")).into_response()
}
