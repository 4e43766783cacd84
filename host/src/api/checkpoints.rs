//! `/sessions/{id}/checkpoints`, `/forks`, `/hibernate`: going back, branching, and sleeping.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::body::JsonOrNothing;
use super::wire::{Checkpoint, CheckpointRequest, Checkpoints, ForkRequest, Problem, Session, Sessions};
use crate::app::AppState;
use crate::checkpoints;
use crate::error::Result;
use crate::tenants::Tenant;

/// Name the state that a session is in. A checkpoint is made after every turn; one with a name is never pruned.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/checkpoints", tag = "sessions", params(("id" = String, Path)), request_body = CheckpointRequest,
    responses((status = 201, body = Checkpoint), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn create(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    JsonOrNothing(request): JsonOrNothing<CheckpointRequest>,
) -> Result<Response> {
    let made = checkpoints::name(&app, &tenant, &id, &request.name).await?;
    let head = Some(made.number);
    Ok((StatusCode::CREATED, Answer(Checkpoint::new(made, head))).into_response())
}

/// The checkpoints of a session, oldest first; a tree through `parent`.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/checkpoints", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Checkpoints), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<Checkpoints>> {
    let session = app.storage.session(&tenant, &id).await?;
    let checkpoints = app.storage.checkpoints(&tenant, &id).await?.into_iter();
    let checkpoints = checkpoints.map(|one| Checkpoint::new(one, session.head)).collect();
    Ok(Answer(Checkpoints { checkpoints }))
}

/// Go back to a checkpoint, by number or id: variables and files. Uploads that came later stay, and so do the
/// checkpoints after it.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/checkpoints/{k}/restore", tag = "sessions",
    params(("id" = String, Path), ("k" = String, Path, description = "number or id of the checkpoint")),
    responses((status = 200, body = Session), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "`session_busy`, `session_ended` or `checkpoint_damaged`")))]
pub(super) async fn restore(
    State(app): State<AppState>,
    tenant: Tenant,
    Path((id, key)): Path<(String, String)>,
) -> Result<Answer<Session>> {
    let session = checkpoints::restore(&app, &tenant, &id, &key).await?;
    Ok(Answer(Session::of(&app, &tenant, session).await?))
}

/// Make sessions that begin with the state of this one, at its head or at another checkpoint.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/forks", tag = "sessions", params(("id" = String, Path)), request_body = ForkRequest,
    responses((status = 201, body = Sessions), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 409, body = Problem, description = "`session_busy`, `session_ended`, `quota` or `checkpoint_damaged`")))]
pub(super) async fn fork(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    JsonOrNothing(request): JsonOrNothing<ForkRequest>,
) -> Result<Response> {
    let ForkRequest { count, checkpoint, title } = request;
    let key = checkpoint.map(|key| key.text());
    let made = checkpoints::fork(&app, &tenant, &id, count.unwrap_or(1), key.as_deref(), title.as_deref()).await?;
    let mut sessions = Vec::with_capacity(made.len());
    for session in made {
        sessions.push(Session::of(&app, &tenant, session).await?);
    }
    Ok((StatusCode::CREATED, Answer(Sessions { sessions })).into_response())
}

/// Put a session to sleep: its memory goes to disk, compressed. Its next turn wakes it. Idle ones do so by themselves.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/hibernate", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Session), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 507, body = Problem, description = "`disk_full`; the session stays awake")))]
pub(super) async fn hibernate(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<Session>> {
    let session = checkpoints::hibernate(&app, &tenant, &id).await?;
    Ok(Answer(Session::of(&app, &tenant, session).await?))
}
