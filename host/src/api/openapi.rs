//! The API description: OpenAPI 3.1, made from the handlers.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;

use super::{
    admin, artifacts, asks, batches, catalog, checkpoints, evals, files, health, piston, runs, sandbox_fusion,
    sessions, shares, shown, uploads,
};

/// The description of our own API.
#[derive(OpenApi)]
#[openapi(
    info(title = "Glovebox", description = "A code interpreter you can run yourself: files and a sentence in; charts, tables, files, code and an explanation out. Errors are `application/problem+json` with a stable `code`."),
    paths(
        files::upload, files::list, files::show, files::delete, files::content, files::sample,
        uploads::create, uploads::show, uploads::send, uploads::delete,
        runs::create, runs::show, runs::events, runs::cancel, runs::replay, runs::artifacts,
        sessions::create, sessions::list, sessions::show, sessions::rename, sessions::delete, sessions::add_files,
        runs::create_in_session, asks::create, sessions::history, sessions::artifacts, sessions::archive,
        checkpoints::create, checkpoints::list, checkpoints::restore, checkpoints::fork, checkpoints::hibernate,
        shares::create, shares::list, shares::delete,
        asks::show, asks::events, asks::cancel,
        artifacts::show, artifacts::content, shown::url,
        catalog::images, catalog::policies, catalog::models, catalog::usage, catalog::usage_days, catalog::usage_of_all,
        batches::create, evals::create, evals::list, evals::show, evals::events, evals::verdicts, evals::cancel, evals::resume, evals::delete,
        sandbox_fusion::run_code, sandbox_fusion::run_jupyter, sandbox_fusion::ping, piston::execute, piston::runtimes,
        admin::tenants, admin::add_tenant, admin::change_tenant, admin::keys, admin::make_key, admin::revoke_key, admin::audit,
        health::healthz, health::readyz, health::metrics,
    ),
    tags(
        (name = "files", description = "Uploads"),
        (name = "runs", description = "Programs"),
        (name = "sessions", description = "Interpreters that live on, with their files and history"),
        (name = "asks", description = "Questions"),
        (name = "artifacts", description = "Files that programs left"),
        (name = "catalog", description = "What can be chosen"),
        (name = "evals", description = "Judging model-written programs"),
        (name = "harnesses", description = "APIs of other products that evaluation harnesses call"),
        (name = "admin", description = "Tenants, keys and the audit log; needs a key with the scope `admin`"),
        (name = "operation", description = "For those who look after the server"),
    )
)]
struct Description;

/// The API description as JSON text.
pub fn document() -> &'static str {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    DOCUMENT.get_or_init(|| Description::openapi().to_pretty_json().unwrap_or_default())
}

/// `GET /openapi.json`
pub(super) async fn json() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
