//! `/evals`: judging the completions of a benchmark; its verdicts as they come, its end, going on after a stop.

use std::convert::Infallible;
use std::io::SeekFrom;
use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncSeekExt, BufReader};
use tokio::sync::watch;
use utoipa::ToSchema;

use super::body::{self, Json};
use super::events;
use super::wire::Problem;
use crate::app::{App, AppState};
use crate::error::{Error, Result};
use crate::eval::FUEL_PER_SECOND;
use crate::evals::{self, Lines, LiveEval, VERDICTS};
use crate::storage::{EvalRecord, EvalResult, EvalSettings, EvalStatus};
use crate::tenants::Tenant;

/// MiB that a body can have: problems and completions may come inside.
const BODY_MIB: usize = 64;

/// What is to be judged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvalRequest {
    /// Id of an uploaded file in JSON Lines, also `.gz`, or a list of problems.
    #[schema(value_type = Object)]
    problems: Box<RawValue>,
    /// Id of an uploaded file in JSON Lines, also `.gz`, or a list of completions.
    #[schema(value_type = Object)]
    completions: Box<RawValue>,
    /// Image to run the programs in; `python` without it.
    #[serde(default)]
    image: Option<String>,
    /// Policy with the most that a sample may have; `default` without it.
    #[serde(default)]
    policy: Option<String>,
    /// Fuel of a sample.
    #[serde(default)]
    fuel: Option<u64>,
    /// The same in seconds on the reference; 2 without both.
    #[serde(default)]
    timeout_s: Option<f64>,
    /// Memory of a sample in MiB; 512 without it.
    #[serde(default)]
    memory_mib: Option<u64>,
    /// The same verdicts, byte for byte, every time.
    #[serde(default)]
    deterministic: bool,
    /// Of random generators in deterministic evaluations.
    #[serde(default)]
    seed: u64,
    /// How often a sample is tried again when our side failed; 3 without it.
    #[serde(default)]
    retries: Option<u32>,
    /// Judge at most so many completions.
    #[serde(default)]
    limit: Option<u64>,
    /// The k of pass@k; 1, 10 and 100 without it.
    #[serde(default)]
    pass_at: Option<Vec<u64>>,
    /// Without it, or with `false`, its id comes at once; with `true` its end is waited for.
    #[serde(default)]
    wait: bool,
}

/// An evaluation.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Eval {
    /// `eval_…`
    id: String,
    /// How far it is.
    status: EvalStatus,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339, once it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<String>,
    /// How samples are judged.
    settings: EvalSettings,
    /// What was found so far.
    #[serde(flatten)]
    result: EvalResult,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Evaluations.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EvalList {
    /// Newest first.
    evals: Vec<Eval>,
}

impl From<EvalRecord> for Eval {
    fn from(record: EvalRecord) -> Eval {
        let EvalRecord { id, status, settings, created_at, finished_at, result, error_detail } = record;
        Eval { id, status, created_at, finished_at, settings, result, error: error_detail }
    }
}

/// Judge completions. Answers with the evaluation's id at once; with events if they are accepted; at its end with `wait`.
/// It goes on without a reader.
#[utoipa::path(post, path = "/api/v1/evals", tag = "evals", request_body = EvalRequest,
    responses((status = 202, body = Eval), (status = 201, body = Eval, description = "with `wait`"),
        (status = 200, content_type = "text/event-stream"), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn create(
    State(app): State<AppState>,
    tenant: Tenant,
    headers: HeaderMap,
    Json(request): Json<EvalRequest, BODY_MIB>,
) -> Result<Response> {
    let wait = request.wait;
    let settings = settings(&app, &tenant, &request)?;
    let (problems, completions) = (lines("problems", &request.problems)?, lines("completions", &request.completions)?);
    let record = evals::start(&app, &tenant, settings, problems, completions).await?;
    let id = record.id.clone();
    let mut response = if events::wanted(&headers) {
        follow(&app, &tenant, &id, 0).await?
    } else if wait {
        if let Some(live) = app.evals.get(&tenant, &id) {
            ended(live).await;
        }
        (StatusCode::CREATED, Answer(Eval::from(known(&app, &tenant, &id).await?))).into_response()
    } else {
        (StatusCode::ACCEPTED, Answer(Eval::from(record))).into_response()
    };
    if let Ok(location) = HeaderValue::from_str(&format!("/api/v1/evals/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// All evaluations, newest first.
#[utoipa::path(get, path = "/api/v1/evals", tag = "evals", responses((status = 200, body = EvalList)))]
pub(super) async fn list(State(app): State<AppState>, tenant: Tenant) -> Result<Answer<EvalList>> {
    let evals = app.storage.evals(&tenant).await?;
    let now = |record: EvalRecord| app.evals.get(&tenant, &record.id).map_or(record, |live| live.record()).into();
    Ok(Answer(EvalList { evals: evals.into_iter().map(now).collect() }))
}

/// An evaluation: how far it is and what was found so far.
#[utoipa::path(get, path = "/api/v1/evals/{id}", tag = "evals", params(("id" = String, Path)),
    responses((status = 200, body = Eval), (status = 404, body = Problem)))]
pub(super) async fn show(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Answer<Eval>> {
    Ok(Answer(known(&app, &tenant, &id).await?.into()))
}

/// Verdicts in the order of the completions, those to come as well, then `done` with the evaluation. `Last-Event-ID` is the
/// number of verdicts that were seen.
#[utoipa::path(get, path = "/api/v1/evals/{id}/events", tag = "evals",
    params(("id" = String, Path), ("last-event-id" = Option<u64>, Header, description = "number of the last event seen")),
    responses((status = 200, content_type = "text/event-stream"), (status = 204, description = "all of them were seen"), (status = 404, body = Problem)))]
pub(super) async fn events(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let record = known(&app, &tenant, &id).await?;
    let seen = match headers.get("last-event-id") {
        None => 0,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|value| value.trim().parse::<u64>().ok())
            .ok_or_else(|| Error::invalid("last-event-id is not the id of an event"))?,
    };
    if record.status != EvalStatus::Running && seen > record.result.judged {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    follow(&app, &tenant, &id, seen).await
}

/// The verdicts so far as JSON Lines: the very bytes that `glovebox eval` writes.
#[utoipa::path(get, path = "/api/v1/evals/{id}/verdicts", tag = "evals", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/x-ndjson"), (status = 404, body = Problem)))]
pub(super) async fn verdicts(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Response> {
    let record = known(&app, &tenant, &id).await?;
    let (name, kind) = (format!("{id}.jsonl"), "application/x-ndjson");
    match open(&app, &record.id).await? {
        Some(file) => {
            let size = file.metadata().await?.len();
            Ok(body::send(file, &name, kind, size))
        }
        None => Ok(([(header::CONTENT_TYPE, kind)], "").into_response()),
    }
}

/// End an evaluation. Its verdicts stay, and it can be resumed.
#[utoipa::path(post, path = "/api/v1/evals/{id}/cancel", tag = "evals", params(("id" = String, Path)),
    responses((status = 202, body = Eval), (status = 404, body = Problem)))]
pub(super) async fn cancel(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Response> {
    if let Some(live) = app.evals.get(&tenant, &id) {
        live.cancel.cancel();
        ended(live).await;
    }
    Ok((StatusCode::ACCEPTED, Answer(Eval::from(known(&app, &tenant, &id).await?))).into_response())
}

/// Go on with an evaluation that was cancelled, interrupted by a stop of the server, or failed: completions that have a
/// verdict keep it.
#[utoipa::path(post, path = "/api/v1/evals/{id}/resume", tag = "evals", params(("id" = String, Path)),
    responses((status = 202, body = Eval), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn resume(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Response> {
    let record = evals::resume(&app, &tenant, &id).await?;
    Ok((StatusCode::ACCEPTED, Answer(Eval::from(record))).into_response())
}

/// Forget an evaluation with its verdicts; one that is under way is ended.
#[utoipa::path(delete, path = "/api/v1/evals/{id}", tag = "evals", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<StatusCode> {
    evals::delete(&app, &tenant, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn settings(app: &App, tenant: &Tenant, request: &EvalRequest) -> Result<EvalSettings> {
    let policy = &app.policy(tenant, request.policy.as_deref().unwrap_or_default())?;
    let (policy, granted) = (policy.name.clone(), &policy.limits);
    let fuel = match (request.fuel, request.timeout_s) {
        (Some(_), Some(_)) => return Err(Error::invalid("give fuel or timeout_s, not both")),
        (Some(fuel), None) => fuel,
        (None, None) => 2 * FUEL_PER_SECOND,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "checked"
        )]
        (None, Some(seconds)) if seconds > 0.0 && seconds <= 86_400.0 => (seconds * FUEL_PER_SECOND as f64) as u64,
        (None, Some(_)) => return Err(Error::invalid("timeout_s is a number of seconds, at most a day")),
    };
    let memory_mib = request.memory_mib.unwrap_or(512);
    for (name, wanted, most) in [("fuel", fuel, granted.fuel), ("memory_mib", memory_mib, granted.memory_mib)] {
        if wanted == 0 || wanted > most {
            return Err(Error::invalid(format!(
                "{name}: {wanted} is not within 1 and {most}, which policy `{policy}` grants"
            )));
        }
    }
    let pass_at = request.pass_at.clone().unwrap_or_else(|| vec![1, 10, 100]);
    if pass_at.contains(&0) || pass_at.len() > 20 {
        return Err(Error::invalid("pass_at: at most 20 numbers above 0"));
    }
    Ok(EvalSettings {
        image: request.image.clone().unwrap_or_else(|| "python".into()),
        policy,
        fuel,
        memory_mib,
        deterministic: request.deterministic,
        seed: request.seed,
        retries: request.retries.unwrap_or(3).min(20),
        limit: request.limit,
        pass_at,
    })
}

/// The id of a file, or a list as JSON Lines. Values stay as they were written: numbers of any size survive.
fn lines(name: &str, value: &RawValue) -> Result<Lines> {
    if let Ok(id) = serde_json::from_str::<String>(value.get()) {
        return Ok(Lines::File(id));
    }
    let list: Vec<Box<RawValue>> = serde_json::from_str(value.get())
        .map_err(|_| Error::invalid(format!("{name}: give the id of a file in JSON Lines, or a list")))?;
    // A value may be spread over lines.
    Ok(Lines::Text(list.iter().map(|line| line.get().replace(['\n', '\r'], " ") + "\n").collect()))
}

/// What is known of an evaluation now.
async fn known(app: &App, tenant: &Tenant, id: &str) -> Result<EvalRecord> {
    match app.evals.get(tenant, id) {
        Some(live) => Ok(live.record()),
        None => app.storage.eval(tenant, id).await,
    }
}

/// Waits until it is over and written down.
async fn ended(live: Arc<LiveEval>) {
    let mut changes = live.subscribe();
    drop(live);
    while changes.changed().await.is_ok() {}
}

async fn open(app: &App, id: &str) -> Result<Option<File>> {
    match File::open(app.storage.eval_dir(id).join(VERDICTS)).await {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A client's place in the verdicts.
struct Reader {
    app: AppState,
    tenant: Tenant,
    id: String,
    file: Option<BufReader<File>>,
    /// Bytes of whole lines that were read.
    at: u64,
    /// Number of the last line that was read.
    number: u64,
    /// Lines that the client has already.
    seen: u64,
    changes: Option<watch::Receiver<u64>>,
    over: bool,
}

async fn follow(app: &AppState, tenant: &Tenant, id: &str, seen: u64) -> Result<Response> {
    let reader = Reader {
        app: app.clone(),
        tenant: tenant.clone(),
        id: id.to_owned(),
        file: None,
        at: 0,
        number: 0,
        seen,
        changes: app.evals.get(tenant, id).map(|live| live.subscribe()),
        over: false,
    };
    let events = stream::unfold(reader, async |mut reader| {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let alive = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Reader {
    async fn next(&mut self) -> Option<Event> {
        while !self.over {
            if let Some(changes) = &mut self.changes {
                changes.borrow_and_update();
            }
            while let Some(line) = self.line().await.ok().flatten() {
                self.number += 1;
                if self.number > self.seen {
                    return Some(Event::default().id(self.number.to_string()).event("verdict").data(line.trim_end()));
                }
            }
            match &mut self.changes {
                Some(changes) => {
                    if changes.changed().await.is_err() {
                        // Over, and written down: what came last is still to be read.
                        self.changes = None;
                    }
                }
                None => self.over = true,
            }
            if self.over {
                let record = known(&self.app, &self.tenant, &self.id).await.ok()?;
                let data = json!({ "eval": Eval::from(record) }).to_string();
                return Some(Event::default().id((self.number + 1).to_string()).event("done").data(data));
            }
        }
        None
    }

    /// The next whole line of the file.
    async fn line(&mut self) -> std::io::Result<Option<String>> {
        if self.file.is_none() {
            let Ok(Some(file)) = open(&self.app, &self.id).await else { return Ok(None) };
            self.file = Some(BufReader::new(file));
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        let mut line = String::new();
        let read = file.read_line(&mut line).await?;
        if !line.ends_with('\n') {
            // Its end is not written yet.
            file.seek(SeekFrom::Start(self.at)).await?;
            return Ok(None);
        }
        self.at += read as u64;
        Ok(Some(line))
    }
}
