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

/// What this process takes of the machine; zero where it cannot be told.
struct Process {
    memory: u64,
    descriptors: u64,
}

impl Process {
    fn now() -> Process {
        // The second number is the resident pages (proc(5)).
        let pages = std::fs::read_to_string("/proc/self/statm").ok();
        let pages = pages.and_then(|numbers| numbers.split(' ').nth(1)?.parse::<u64>().ok()).unwrap_or(0);
        let descriptors = std::fs::read_dir("/proc/self/fd").map_or(0, |open| open.count() as u64);
        Process { memory: pages * rustix::param::page_size() as u64, descriptors }
    }
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
    let Process { memory, descriptors } = Process::now();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let text = app.metrics.text(&[
        ("glovebox_workers", "Programs that can run at once.", count(app.config.workers)),
        ("glovebox_connections", "Open connections.", count(app.connections.open())),
        ("glovebox_connections_refused", "Connections refused since the start.", app.connections.refused()),
        ("process_resident_memory_bytes", "Memory of the server, its workers not included.", memory),
        ("process_open_fds", "Descriptors of the server.", descriptors),
    ]);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
