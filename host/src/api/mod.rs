//! The HTTP interface: the route table. Only this module knows our wire format and status codes.

mod admin;
mod artifacts;
mod asks;
mod batches;
mod body;
mod catalog;
mod checkpoints;
mod cors;
mod error;
mod evals;
mod events;
mod files;
mod guard;
mod health;
mod openapi;
mod piston;
mod route;
mod runs;
mod sandbox_fusion;
mod sessions;
mod shares;
mod shown;
mod ui;
mod uploads;
pub mod wire;

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use tower_http::catch_panic::CatchPanicLayer;

use self::route::Needs::Nothing;
use self::route::{Needs, Route, route};
use crate::app::AppState;
use crate::shares::Shown;
use crate::tenants::Scope::{Admin, Ask, Read, Run};

pub use error::problem;
pub use openapi::document;
pub use shown::artifacts_app;

/// Every route with its methods and what each needs; `{id}` is a parameter. Tests compare this with the API description, and
/// try each method with keys that must not open it.
fn routes() -> Vec<Route> {
    vec![
        route("/api/v1/files").post(Run, files::upload).get(Read, files::list),
        route("/api/v1/files/{id}").get(Shown::File, files::show).delete(Run, files::delete),
        route("/api/v1/files/{id}/content").get(Shown::File, files::content),
        route("/api/v1/files/{id}/sample").get(Shown::File, files::sample),
        route("/api/v1/uploads").post(Run, uploads::create),
        route("/api/v1/uploads/{id}").get(Run, uploads::show).put(Run, uploads::send).delete(Run, uploads::delete),
        route("/api/v1/runs").post(Run, runs::create),
        route("/api/v1/runs/{id}").get(Shown::Run, runs::show),
        route("/api/v1/runs/{id}/events").get(Shown::Run, runs::events),
        route("/api/v1/runs/{id}/cancel").post(Run, runs::cancel),
        route("/api/v1/runs/{id}/replay").post(Run, runs::replay),
        route("/api/v1/runs/{id}/artifacts").get(Shown::Run, runs::artifacts),
        route("/api/v1/sessions").post(Run, sessions::create).get(Read, sessions::list),
        route("/api/v1/sessions/{id}")
            .get(Shown::Session, sessions::show)
            .patch(Run, sessions::rename)
            .delete(Run, sessions::delete),
        route("/api/v1/sessions/{id}/files").post(Run, sessions::add_files),
        route("/api/v1/sessions/{id}/runs").post(Run, runs::create_in_session),
        route("/api/v1/sessions/{id}/asks").post(Ask, asks::create),
        route("/api/v1/sessions/{id}/checkpoints")
            .post(Run, checkpoints::create)
            .get(Shown::Session, checkpoints::list),
        route("/api/v1/sessions/{id}/checkpoints/{k}/restore").post(Run, checkpoints::restore),
        route("/api/v1/sessions/{id}/forks").post(Run, checkpoints::fork),
        route("/api/v1/sessions/{id}/hibernate").post(Run, checkpoints::hibernate),
        route("/api/v1/sessions/{id}/history").get(Shown::Session, sessions::history),
        route("/api/v1/sessions/{id}/artifacts").get(Shown::Session, sessions::artifacts),
        route("/api/v1/sessions/{id}/archive").get(Shown::Session, sessions::archive),
        route("/api/v1/sessions/{id}/shares").post(Run, shares::create).get(Run, shares::list),
        route("/api/v1/sessions/{id}/shares/{share}").delete(Run, shares::delete),
        route("/api/v1/asks/{id}").get(Shown::Ask, asks::show),
        route("/api/v1/asks/{id}/events").get(Shown::Ask, asks::events),
        route("/api/v1/asks/{id}/cancel").post(Ask, asks::cancel),
        route("/api/v1/artifacts/{id}").get(Shown::Artifact, artifacts::show),
        route("/api/v1/artifacts/{id}/content").get(Shown::Artifact, artifacts::content),
        route("/api/v1/artifacts/{id}/url").post(Shown::Artifact, shown::url),
        route("/api/v1/images").get(Read, catalog::images),
        route("/api/v1/policies").get(Read, catalog::policies),
        route("/api/v1/models").get(Read, catalog::models),
        route("/api/v1/usage").get(Read, catalog::usage),
        route("/api/v1/usage/days").get(Read, catalog::usage_days),
        route("/api/v1/admin/usage").get(Admin, catalog::usage_of_all),
        route("/api/v1/batches").post(Run, batches::create),
        route("/api/v1/evals").post(Run, evals::create).get(Read, evals::list),
        route("/api/v1/evals/{id}").get(Read, evals::show).delete(Run, evals::delete),
        route("/api/v1/evals/{id}/events").get(Read, evals::events),
        route("/api/v1/evals/{id}/verdicts").get(Read, evals::verdicts),
        route("/api/v1/evals/{id}/cancel").post(Run, evals::cancel),
        route("/api/v1/evals/{id}/resume").post(Run, evals::resume),
        route("/run_code").post(Run, sandbox_fusion::run_code),
        route("/run_jupyter").post(Run, sandbox_fusion::run_jupyter),
        route("/v1/ping").get(Nothing, sandbox_fusion::ping),
        route("/api/v2/execute").post(Run, piston::execute),
        route("/api/v2/runtimes").get(Read, piston::runtimes),
        route("/healthz").get(Nothing, health::healthz),
        route("/readyz").get(Nothing, health::readyz),
        route("/metrics").get(Admin, health::metrics),
        route("/api/v1/admin/tenants").get(Admin, admin::tenants).post(Admin, admin::add_tenant),
        route("/api/v1/admin/tenants/{name}").patch(Admin, admin::change_tenant),
        route("/api/v1/admin/keys").get(Admin, admin::keys).post(Admin, admin::make_key),
        route("/api/v1/admin/keys/{id}").delete(Admin, admin::revoke_key),
        route("/api/v1/admin/audit").get(Admin, admin::audit),
    ]
}

/// The page, which shows nothing of anybody.
fn pages() -> Vec<Route> {
    vec![
        route("/openapi.json").get(Nothing, openapi::json),
        route("/docs").get(Nothing, ui::docs),
        route("/").get(Nothing, ui::index),
        route("/ui/{*file}").get(Nothing, ui::file),
    ]
}

/// What a method of a route needs; `None` if it is not served.
fn needs(path: &str, method: &Method) -> Option<Needs> {
    static TABLE: LazyLock<HashMap<&'static str, Vec<(Method, Needs)>>> =
        LazyLock::new(|| routes().into_iter().chain(pages()).map(|route| (route.path, route.needs)).collect());
    let method = if method == Method::HEAD { &Method::GET } else { method };
    TABLE.get(path)?.iter().find(|(known, _)| known == method).map(|(_, needs)| *needs)
}

/// The whole application, as the server and the tests use it.
pub fn app(state: AppState) -> Router {
    let mut router = Router::new();
    for Route { path, router: methods, .. } in routes().into_iter().chain(pages()) {
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
pub(crate) mod tests;
