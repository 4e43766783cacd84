//! `/sessions`: interpreters that live on, with their files and history.

use axum::Json as Answer;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::body::{Json, is_type, receive, send};
use super::files::all;
use super::wire::{
    Artifact, Artifacts, Files, FilesRequest, History, Inherited, Problem, Run, Session, SessionRequest, Sessions,
    TitleRequest, Turn, ask_result,
};
use crate::ancestry::Ancestry;
use crate::app::AppState;
use crate::error::Result;
use crate::files::safe_name;
use crate::live::Record;
use crate::runs::known_files;
use crate::sessions;
use crate::storage::{RunView, SessionRecord};
use crate::tenants::Tenant;

/// Open a session.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "sessions", request_body = SessionRequest,
    responses((status = 201, body = Session), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create(
    State(app): State<AppState>,
    tenant: Tenant,
    Json(request): Json<SessionRequest>,
) -> Result<Response> {
    let SessionRequest { title, image, policy, files } = request;
    let image = image.as_deref().unwrap_or("python");
    let policy = policy.as_deref().unwrap_or_default();
    let session = sessions::open(&app, &tenant, &title, image, policy, &files).await?;
    Ok((StatusCode::CREATED, Answer(Session::of(&app, &tenant, session).await?)).into_response())
}

/// Every session, the one used last first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", responses((status = 200, body = Sessions)))]
pub(super) async fn list(State(app): State<AppState>, tenant: Tenant) -> Result<Answer<Sessions>> {
    let mut sessions = Vec::new();
    for session in app.storage.sessions(&tenant).await? {
        sessions.push(Session::of(&app, &tenant, session).await?);
    }
    Ok(Answer(Sessions { sessions }))
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Session), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<Session>> {
    let session = app.storage.session(&tenant, &id).await?;
    Ok(Answer(Session::of(&app, &tenant, session).await?))
}

/// Rename a session.
#[utoipa::path(patch, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)), request_body = TitleRequest,
    responses((status = 200, body = Session), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn rename(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    Json(request): Json<TitleRequest>,
) -> Result<Answer<Session>> {
    app.storage.session(&tenant, &id).await?;
    app.storage.set_title(&tenant, &id, &sessions::checked_title(&request.title)?, false).await?;
    show(State(app), tenant, Path(id)).await
}

/// Delete everything of a session. Uploaded files and its forks stay.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem, description = "`session_busy`")))]
pub(super) async fn delete(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<StatusCode> {
    sessions::delete(&app, &tenant, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Add files to a session: uploads as in `POST /files`, or ids of files as JSON.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/files", tag = "sessions", params(("id" = String, Path)), request_body = FilesRequest,
    responses((status = 201, body = Files), (status = 404, body = Problem), (status = 413, body = Problem)))]
pub(super) async fn add_files(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response> {
    app.storage.session(&tenant, &id).await?;
    let files = if is_type(request.headers(), "multipart/form-data") {
        receive(&app, &tenant, request).await?
    } else {
        let Json(FilesRequest { files }) = <Json<_>>::from_request(request, &app).await?;
        known_files(&app, &tenant, &files).await?
    };
    let attached = sessions::attach(&app, &tenant, &id, files).await?;
    Ok((StatusCode::CREATED, Answer(all(attached))).into_response())
}

/// What of a history.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    #[serde(default)]
    inherited: bool,
}

/// The runs and questions of a session, oldest first, those under way included.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/history", tag = "sessions",
    params(("id" = String, Path), ("inherited" = Option<bool>, Query, description = "what came before a fork, too")),
    responses((status = 200, body = History), (status = 404, body = Problem)))]
pub(super) async fn history(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    Query(Which { inherited }): Query<Which>,
) -> Result<Answer<History>> {
    let session = app.storage.session(&tenant, &id).await?;
    let inherited = if inherited { Some(before(&app, &tenant, &session).await?) } else { None };
    Ok(Answer(History { turns: turns(&app, &tenant, &id).await?, inherited }))
}

/// What came before a fork, as far as it was not undone.
async fn before(app: &AppState, tenant: &Tenant, session: &SessionRecord) -> Result<Inherited> {
    let ancestry = Ancestry::of(&app.storage, tenant, session).await?;
    let mut all = Vec::new();
    for (id, _) in &ancestry.sessions {
        let turns = turns(app, tenant, id).await?;
        all.extend(turns.into_iter().filter(|turn| {
            let run = match turn {
                Turn::Run { run } => Some(&**run),
                Turn::Ask { ask } => ask.run.as_ref(),
            };
            run.is_some_and(|run| ancestry.has(id, run.checkpoint))
        }));
    }
    Ok(Inherited { turns: all, missing: ancestry.missing })
}

/// Every turn of a session, oldest first, those under way included.
async fn turns(app: &AppState, tenant: &Tenant, id: &str) -> Result<Vec<Turn>> {
    // Asked first: what ends in between is then found in both places, not in neither.
    let live = app.live.of_session(tenant, id);
    let mut turns: Vec<(String, Turn)> = Vec::new();
    for view in app.storage.session_runs(tenant, id).await? {
        turns.push((view.run.created_at.clone(), turn(view.into())));
    }
    for ask in app.storage.session_asks(tenant, id).await? {
        let run = app.storage.run_of_ask(tenant, &ask.id).await?;
        turns.push((ask.created_at.clone(), Turn::Ask { ask: Box::new(ask_result(ask, run)) }));
    }
    for live in live {
        let known = turns.iter_mut().find(|(_, turn)| match turn {
            Turn::Run { run } => run.id == live.id,
            Turn::Ask { ask } => ask.id == live.id,
        });
        match (known, live.record()) {
            (Some((_, Turn::Run { run })), Record::Run(now)) if !run.status.is_over() => run.status = now.status,
            (Some((_, Turn::Ask { ask })), Record::Ask(now)) if !ask.status.is_over() => ask.status = now.status,
            (None, Record::Run(run)) => {
                turns.push((run.created_at.clone(), turn(RunView { run, artifacts: Vec::new() }.into())))
            }
            _ => {}
        }
    }
    turns.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(turns.into_iter().map(|(_, turn)| turn).collect())
}

/// What the runs of a session left, oldest first.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/artifacts", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Artifacts), (status = 404, body = Problem)))]
pub(super) async fn artifacts(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<Artifacts>> {
    app.storage.session(&tenant, &id).await?;
    let artifacts = app.storage.session_artifacts(&tenant, &id).await?;
    Ok(Answer(Artifacts { artifacts: artifacts.into_iter().map(Artifact::from).collect() }))
}

/// Everything in a session's workspace, as a zip.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/archive", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/zip"), (status = 404, body = Problem)))]
pub(super) async fn archive(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Response> {
    let session = app.storage.session(&tenant, &id).await?;
    let file = tokio::fs::File::from_std(sessions::archive(&app, &tenant, &session).await?);
    let size = file.metadata().await?.len();
    let title = if session.title.is_empty() { "session" } else { &session.title };
    Ok(send(file, &safe_name(&format!("{}.zip", title.replace(['/', '\\'], "_"))), "application/zip", size))
}

fn turn(run: Run) -> Turn {
    Turn::Run { run: Box::new(run) }
}
