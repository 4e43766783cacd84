//! `/runs`: programs, alone or in a session; their events, their end, what they left.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use glovebox_runtime::{Mode, Program};

use super::body::Json;
use super::events::{self, Subject};
use super::wire::{self, Artifacts, Problem, Replay, Run, RunRequest, SessionRunRequest};
use crate::app::AppState;
use crate::error::Result;
use crate::live::Live;
use crate::runs::{Keep, NewRun, Place, start};
use crate::tenants::Tenant;

/// Run a program in a workspace of its own. Waits for its end, unless `wait` is false or events are accepted.
/// A client that goes away while it waits, or while it reads the events of a run with `wait`, ends the run.
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs", request_body = RunRequest,
    responses((status = 201, body = Run), (status = 202, body = Run), (status = 200, content_type = "text/event-stream"),
        (status = 422, body = Problem), (status = 503, body = Problem, description = "`busy` or `image_not_ready`")))]
pub(super) async fn create(
    State(app): State<AppState>,
    tenant: Tenant,
    headers: HeaderMap,
    Json(request): Json<RunRequest>,
) -> Result<Response> {
    let reply = Reply::of(&headers, request.wait);
    let live = start(&app, &tenant, new_run(request, reply.keep())).await?;
    answer(&app, live, Subject::Run, reply).await
}

/// The program that a request asks for, in a workspace of its own.
pub(super) fn new_run(request: RunRequest, keep: Keep) -> NewRun {
    let RunRequest { code, image, files, policy, args, env, stdin, echo, seed, deterministic, wait: _ } = request;
    NewRun {
        image: image.unwrap_or_else(|| "python".into()),
        policy: policy.unwrap_or_default(),
        place: Place::Alone(files),
        program: Program { source: code, filename: None, args, env, stdin, echo },
        mode: mode(deterministic),
        seed,
        keep,
    }
}

/// Take a turn: run a program in a session, where variables and files of the turns before it are still there. If its
/// interpreter cannot go on after it (out of fuel or time, cancelled, crashed), the turn is undone, and says so.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/runs", tag = "sessions", params(("id" = String, Path)), request_body = SessionRunRequest,
    responses((status = 201, body = Run), (status = 202, body = Run), (status = 200, content_type = "text/event-stream"),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "`session_busy`, `session_ended` or `quota`"),
        (status = 422, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn create_in_session(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(request): Json<SessionRunRequest>,
) -> Result<Response> {
    let SessionRunRequest { code, args, env, stdin, echo, seed, deterministic, wait } = request;
    let reply = Reply::of(&headers, wait);
    let session = app.storage.session(&tenant, &id).await?;
    let new = NewRun {
        image: session.image.clone(),
        policy: session.policy.clone(),
        place: Place::Session(session),
        program: Program { source: code, filename: None, args, env, stdin, echo },
        mode: mode(deterministic),
        seed,
        keep: reply.keep(),
    };
    let live = start(&app, &tenant, new).await?;
    answer(&app, live, Subject::Run, reply).await
}

/// A run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = Run), (status = 404, body = Problem)))]
pub(super) async fn show(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Answer<Run>> {
    Ok(Answer(wire::run(&app, &tenant, &id).await?))
}

/// The events of a run, live or past, after the one that `Last-Event-ID` names.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", tag = "runs",
    params(("id" = String, Path), ("last-event-id" = Option<u32>, Header, description = "number of the last event seen")),
    responses((status = 200, content_type = "text/event-stream"), (status = 204, description = "all of them were seen"), (status = 404, body = Problem)))]
pub(super) async fn events(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    events::resume(&app, tenant, Subject::Run, id, &headers).await
}

/// End a run. It becomes `done` with the ending `cancelled`; one that is over already stays as it is.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs", params(("id" = String, Path)),
    responses((status = 202, body = Run), (status = 404, body = Problem)))]
pub(super) async fn cancel(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Response> {
    let run = wire::run(&app, &tenant, &id).await?;
    if let Some(live) = app.live(&tenant, &id) {
        live.cancel.cancel();
    }
    Ok((StatusCode::ACCEPTED, Answer(run)).into_response())
}

/// Run a program once more from its record, beside everything else, and compare.
#[utoipa::path(post, path = "/api/v1/runs/{id}/replay", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = Replay), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "what it ran on is gone, or it is not over"), (status = 503, body = Problem)))]
pub(super) async fn replay(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<Replay>> {
    Ok(Answer(crate::replay::replay(&app, &tenant, &id).await?.into()))
}

/// What a run left.
#[utoipa::path(get, path = "/api/v1/runs/{id}/artifacts", tag = "runs", params(("id" = String, Path)),
    responses((status = 200, body = Artifacts), (status = 404, body = Problem)))]
pub(super) async fn artifacts(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<Artifacts>> {
    Ok(Answer(Artifacts { artifacts: wire::run(&app, &tenant, &id).await?.artifacts }))
}

/// How a caller wants to hear of what it began.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// The result; leaving ends it.
    Result,
    /// Its id at once.
    Id,
    /// Its events; leaving ends it.
    Events,
    /// Its events; it goes on without a reader.
    EventsDetached,
}

impl Reply {
    pub(super) fn of(headers: &HeaderMap, wait: Option<bool>) -> Reply {
        match (events::wanted(headers), wait.unwrap_or(true)) {
            (false, true) => Reply::Result,
            (false, false) => Reply::Id,
            (true, true) => Reply::Events,
            (true, false) => Reply::EventsDetached,
        }
    }

    fn keep(self) -> Keep {
        if self == Reply::Result { Keep::AtEnd } else { Keep::AtOnce }
    }
}

/// Answers as the caller wants to hear it.
pub(super) async fn answer(app: &AppState, live: Arc<Live>, subject: Subject, reply: Reply) -> Result<Response> {
    let status = match reply {
        Reply::Events => {
            let guard = live.cancel_on_drop();
            return Ok(events::inline(app, live, subject, Some(guard)));
        }
        Reply::EventsDetached => return Ok(events::inline(app, live, subject, None)),
        Reply::Id => StatusCode::ACCEPTED,
        Reply::Result => {
            let guard = live.cancel_on_drop();
            live.journal.closed().await;
            guard.disarm();
            StatusCode::CREATED
        }
    };
    let (mut response, path) = match subject {
        Subject::Run => (Answer(wire::run(app, &live.tenant, &live.id).await?).into_response(), "runs"),
        Subject::Ask => (Answer(wire::ask(app, &live.tenant, &live.id).await?).into_response(), "asks"),
    };
    *response.status_mut() = status;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/{path}/{}", live.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn mode(deterministic: bool) -> Mode {
    if deterministic { Mode::Deterministic } else { Mode::Live }
}
