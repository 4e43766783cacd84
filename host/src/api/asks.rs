//! `/asks`: questions in a session.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::body::Keyed;
use super::events::{self, Subject};
use super::runs::{Reply, once};
use super::wire::{self, AskRequest, AskResult, Problem};
use crate::app::AppState;
use crate::error::Result;
use crate::tenants::Tenant;

/// Ask a question about a session's files. Waits for the answer, unless `wait` is false or events are accepted.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/asks", tag = "sessions", params(("id" = String, Path)), request_body = AskRequest,
    responses((status = 201, body = AskResult), (status = 202, body = AskResult), (status = 200, content_type = "text/event-stream"),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "`session_busy`, `session_ended` or `quota`"),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn create(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    headers: HeaderMap,
    Keyed(request, key): Keyed<AskRequest>,
) -> Result<Response> {
    let (key, wait) = (key.as_ref(), request.wait);
    once(&app, &tenant, Subject::Ask, key, Reply::of(&headers, wait), async || {
        let session = app.storage.session(&tenant, &id).await?;
        let (model, wanted) = (request.model.clone(), request.wanted());
        crate::asks::start(&app, &tenant, session, &request.question, model, wanted, key).await
    })
    .await
}

/// A question and, once it is done, its answer.
#[utoipa::path(get, path = "/api/v1/asks/{id}", tag = "asks", params(("id" = String, Path)),
    responses((status = 200, body = AskResult), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<AskResult>> {
    Ok(Answer(wire::ask(&app, &tenant, &id).await?))
}

/// The events of a question, live or past, after the one that `Last-Event-ID` names.
#[utoipa::path(get, path = "/api/v1/asks/{id}/events", tag = "asks",
    params(("id" = String, Path), ("last-event-id" = Option<u32>, Header, description = "number of the last event seen")),
    responses((status = 200, content_type = "text/event-stream"), (status = 204, description = "all of them were seen"), (status = 404, body = Problem)))]
pub(super) async fn events(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    events::resume(&app, tenant, Subject::Ask, id, &headers).await
}

/// End a question and the program that runs for it.
#[utoipa::path(post, path = "/api/v1/asks/{id}/cancel", tag = "asks", params(("id" = String, Path)),
    responses((status = 202, body = AskResult), (status = 404, body = Problem)))]
pub(super) async fn cancel(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Response> {
    let ask = wire::ask(&app, &tenant, &id).await?;
    if let Some(live) = app.live(&tenant, &id) {
        live.cancel.cancel();
    }
    Ok((StatusCode::ACCEPTED, Answer(ask)).into_response())
}
