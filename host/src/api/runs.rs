//! `/runs`: programs, alone or in a session; their events, their end, what they left.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use glovebox_runtime::{Mode, Program};

use super::body::Keyed;
use super::events::{self, Subject};
use super::wire::{self, Artifacts, Problem, Replay, Run, RunRequest, SessionRunRequest};
use crate::app::AppState;
use crate::error::{Code, Error, Result};
use crate::live::Live;
use crate::runs::{Keep, NewRun, Place, start};
use crate::storage::RequestKey;
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
    Keyed(request, key): Keyed<RunRequest>,
) -> Result<Response> {
    let reply = Reply::of(&headers, request.wait);
    let new = new_run(request, reply.keep(&key), key.clone());
    once(&app, &tenant, Subject::Run, key.as_ref(), reply, async || start(&app, &tenant, new.clone()).await).await
}

/// The program that a request asks for, in a workspace of its own.
pub(super) fn new_run(request: RunRequest, keep: Keep, key: Option<RequestKey>) -> NewRun {
    let RunRequest { code, image, files, policy, args, env, stdin, echo, seed, deterministic, wait: _ } = request;
    NewRun {
        image: image.unwrap_or_else(|| "python".into()),
        policy: policy.unwrap_or_default(),
        place: Place::Alone(files),
        program: Program { source: code, filename: None, args, env, stdin, echo },
        mode: mode(deterministic),
        seed,
        keep,
        key,
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
    Keyed(request, key): Keyed<SessionRunRequest>,
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
        keep: reply.keep(&key),
        key: key.clone(),
    };
    once(&app, &tenant, Subject::Run, key.as_ref(), reply, async || start(&app, &tenant, new.clone()).await).await
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

    fn keep(self, key: &Option<RequestKey>) -> Keep {
        match self {
            Reply::Id => Keep::Durable,
            Reply::Result if key.is_some() => Keep::Durable,
            Reply::Result => Keep::AtEnd,
            Reply::Events | Reply::EventsDetached => Keep::AtOnce,
        }
    }
}

/// Begins something and answers; or, if the key was used for this request before, answers with what it began then.
pub(super) async fn once(
    app: &AppState,
    tenant: &Tenant,
    subject: Subject,
    key: Option<&RequestKey>,
    reply: Reply,
    begin: impl AsyncFnOnce() -> Result<Arc<Live>>,
) -> Result<Response> {
    let Some(key) = key else { return answer(app, begin().await?, subject, reply, false).await };
    let known = match app.storage.known_by(tenant, key).await? {
        Some(known) => known,
        None => match begin().await {
            Ok(live) => return answer(app, live, subject, reply, true).await,
            // Somebody else may have been faster with the same request.
            Err(error) => app.storage.known_by(tenant, key).await?.ok_or(error)?,
        },
    };
    let under_way = app.live(tenant, &known);
    if reply == Reply::Result && under_way.is_some() {
        let detail = format!("{known} has this idempotency-key and is under way; try again in a moment");
        return Err(Error::new(Code::Conflict, detail).retry_after(1));
    }
    let status = if reply == Reply::Id { StatusCode::ACCEPTED } else { StatusCode::CREATED };
    let mut response = match (reply, under_way) {
        (Reply::Events | Reply::EventsDetached, _) => {
            events::resume(app, tenant.clone(), subject, known, &HeaderMap::new()).await?
        }
        _ => record(app, tenant, subject, &known, status).await?,
    };
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

/// Answers as the caller wants to hear it. What has a key goes on without its caller, who may come back.
async fn answer(app: &AppState, live: Arc<Live>, subject: Subject, reply: Reply, keyed: bool) -> Result<Response> {
    let status = match reply {
        Reply::Events => {
            let guard = (!keyed).then(|| live.cancel_on_drop());
            return Ok(events::inline(app, live, subject, guard));
        }
        Reply::EventsDetached => return Ok(events::inline(app, live, subject, None)),
        Reply::Id => StatusCode::ACCEPTED,
        Reply::Result => {
            let guard = (!keyed).then(|| live.cancel_on_drop());
            live.journal.closed().await;
            if let Some(guard) = guard {
                guard.disarm();
            }
            live.kept()?;
            if live.is_left() {
                let detail = "the server stops; the next one begins this anew: ask for its result with the same key";
                return Err(Error::new(Code::Interrupted, detail));
            }
            StatusCode::CREATED
        }
    };
    record(app, &live.tenant, subject, &live.id, status).await
}

/// The record of something, with its address.
async fn record(app: &AppState, tenant: &Tenant, subject: Subject, id: &str, status: StatusCode) -> Result<Response> {
    let (mut response, path) = match subject {
        Subject::Run => (Answer(wire::run(app, tenant, id).await?).into_response(), "runs"),
        Subject::Ask => (Answer(wire::ask(app, tenant, id).await?).into_response(), "asks"),
    };
    *response.status_mut() = status;
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/{path}/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

fn mode(deterministic: bool) -> Mode {
    if deterministic { Mode::Deterministic } else { Mode::Live }
}
