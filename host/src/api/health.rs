//! `/healthz`, `/readyz`, `/metrics`: for those who look after the server.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{AppState, ImageState};

/// Whether the server can do its work.
#[derive(Serialize, ToSchema)]
pub(super) struct Readiness {
    /// `ready`, `warming` or `unavailable`.
    status: &'static str,
    /// Why it is not ready.
    reasons: Vec<String>,
}

/// Alive: the process answers.
#[utoipa::path(get, path = "/healthz", tag = "operation", responses((status = 200, body = String)))]
pub(super) async fn healthz() -> &'static str {
    "alive\n"
}

/// Ready: the database answers, a program can run, and an image is prepared.
#[utoipa::path(get, path = "/readyz", tag = "operation", responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub(super) async fn readyz(State(app): State<AppState>) -> Response {
    let mut reasons = Vec::new();
    if let Err(error) = app.storage.check().await {
        tracing::error!(%error, "the database does not answer");
        reasons.push("the database does not answer".to_owned());
    }
    if let Err(reason) = app.backend.alive() {
        reasons.push(reason);
    }
    let images = app.backend.images();
    let warming = images.iter().any(|image| image.state == ImageState::Preparing);
    if !images.iter().any(|image| image.state == ImageState::Ready) {
        reasons.push("no image is ready".to_owned());
        reasons.extend(images.iter().filter_map(|image| Some(format!("{}: {}", image.name, image.detail.as_deref()?))));
    }
    let (code, status) = match (reasons.is_empty(), warming) {
        (true, _) => (StatusCode::OK, "ready"),
        (false, true) => (StatusCode::SERVICE_UNAVAILABLE, "warming"),
        (false, false) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    (code, Json(Readiness { status, reasons })).into_response()
}

/// Counters as Prometheus text.
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, body = String)))]
pub(super) async fn metrics(State(app): State<AppState>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.text()).into_response()
}
