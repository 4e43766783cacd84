//! The HTTP interface: the route table. Only this module knows our wire format and status codes.

mod artifacts;
mod asks;
mod batches;
mod body;
mod catalog;
mod checkpoints;
mod error;
mod evals;
mod events;
mod files;
mod guard;
mod health;
mod openapi;
mod piston;
mod runs;
mod sandbox_fusion;
mod sessions;
mod ui;
mod uploads;
pub mod wire;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, patch, post};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::AppState;

pub use error::problem;
pub use openapi::document;

/// Every route with its methods; `{id}` is a parameter. A test compares this with the API description.
fn routes() -> Vec<(&'static str, MethodRouter<AppState>)> {
    vec![
        ("/api/v1/files", post(files::upload).get(files::list)),
        ("/api/v1/files/{id}", get(files::show).delete(files::delete)),
        ("/api/v1/files/{id}/content", get(files::content)),
        ("/api/v1/files/{id}/sample", get(files::sample)),
        ("/api/v1/uploads", post(uploads::create)),
        ("/api/v1/uploads/{id}", get(uploads::show).put(uploads::send).delete(uploads::delete)),
        ("/api/v1/runs", post(runs::create)),
        ("/api/v1/runs/{id}", get(runs::show)),
        ("/api/v1/runs/{id}/events", get(runs::events)),
        ("/api/v1/runs/{id}/cancel", post(runs::cancel)),
        ("/api/v1/runs/{id}/replay", post(runs::replay)),
        ("/api/v1/runs/{id}/artifacts", get(runs::artifacts)),
        ("/api/v1/sessions", post(sessions::create).get(sessions::list)),
        ("/api/v1/sessions/{id}", get(sessions::show).merge(patch(sessions::rename)).delete(sessions::delete)),
        ("/api/v1/sessions/{id}/files", post(sessions::add_files)),
        ("/api/v1/sessions/{id}/runs", post(runs::create_in_session)),
        ("/api/v1/sessions/{id}/asks", post(asks::create)),
        ("/api/v1/sessions/{id}/checkpoints", post(checkpoints::create).get(checkpoints::list)),
        ("/api/v1/sessions/{id}/checkpoints/{k}/restore", post(checkpoints::restore)),
        ("/api/v1/sessions/{id}/forks", post(checkpoints::fork)),
        ("/api/v1/sessions/{id}/hibernate", post(checkpoints::hibernate)),
        ("/api/v1/sessions/{id}/history", get(sessions::history)),
        ("/api/v1/sessions/{id}/artifacts", get(sessions::artifacts)),
        ("/api/v1/sessions/{id}/archive", get(sessions::archive)),
        ("/api/v1/asks/{id}", get(asks::show)),
        ("/api/v1/asks/{id}/events", get(asks::events)),
        ("/api/v1/asks/{id}/cancel", post(asks::cancel)),
        ("/api/v1/artifacts/{id}", get(artifacts::show)),
        ("/api/v1/artifacts/{id}/content", get(artifacts::content)),
        ("/api/v1/images", get(catalog::images)),
        ("/api/v1/policies", get(catalog::policies)),
        ("/api/v1/models", get(catalog::models)),
        ("/api/v1/usage", get(catalog::usage)),
        ("/api/v1/batches", post(batches::create)),
        ("/api/v1/evals", post(evals::create).get(evals::list)),
        ("/api/v1/evals/{id}", get(evals::show).delete(evals::delete)),
        ("/api/v1/evals/{id}/events", get(evals::events)),
        ("/api/v1/evals/{id}/verdicts", get(evals::verdicts)),
        ("/api/v1/evals/{id}/cancel", post(evals::cancel)),
        ("/api/v1/evals/{id}/resume", post(evals::resume)),
        ("/run_code", post(sandbox_fusion::run_code)),
        ("/run_jupyter", post(sandbox_fusion::run_jupyter)),
        ("/v1/ping", get(sandbox_fusion::ping)),
        ("/api/v2/execute", post(piston::execute)),
        ("/api/v2/runtimes", get(piston::runtimes)),
        ("/healthz", get(health::healthz)),
        ("/readyz", get(health::readyz)),
        ("/metrics", get(health::metrics)),
    ]
}

/// The whole application, as the server and the tests use it.
pub fn app(state: AppState) -> Router {
    let mut router = Router::new()
        .route("/openapi.json", get(openapi::json))
        .route("/docs", get(ui::docs))
        .route("/", get(ui::index))
        .route("/ui/{*file}", get(ui::file));
    for (path, methods) in routes() {
        router = router.route(path, methods);
    }
    router
        .fallback(error::no_route)
        .method_not_allowed_fallback(error::no_method)
        // Bodies have limits of their own: JSON in `body`, uploads in `files`.
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(from_fn_with_state(state.clone(), guard::guard))
        .with_state(state)
}

#[cfg(test)]
mod tests;
