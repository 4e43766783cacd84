//! Runs: from a request to a record. Each goes on in a task of its own; callers watch its [`Live`] entry.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use glovebox_runtime::{Echo, Ending, Event, EventBody, Job, Lineage, Mode, Outcome, Program, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::{App, AppState, Turn, Turned};
use crate::error::{Code, Error, Result};
use crate::files::{Workspace, media_type};
use crate::journal::Journal;
use crate::line::Ticket;
use crate::live::{Doing, Live, Record, Taken};
use crate::quota::Admission;
use crate::storage::{CheckpointRecord, FileRecord, RequestKey, RunRecord, SessionRecord, Staged, Status, new_id, now};
use crate::tenants::Tenant;
use crate::traces::{self, Span};
use crate::turns::{self, Over};

/// How often a run that an earlier server accepted looks whether it can begin.
const AGAIN: Duration = Duration::from_millis(100);

/// A program that is to be run.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Name of the image.
    pub image: String,
    /// Name of the policy.
    pub policy: String,
    /// Where it runs and with which files.
    pub place: Place,
    /// The program.
    pub program: Program,
    /// Live or deterministic.
    pub mode: Mode,
    /// Seed of its random generators.
    pub seed: Option<u64>,
    /// When it is written down.
    pub keep: Keep,
    /// The caller's key for this request.
    pub key: Option<RequestKey>,
}

/// Where a program runs.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a session, after the turns before it.
    Session(SessionRecord),
    /// In a workspace of its own, with copies of these files.
    Alone(Vec<String>),
}

/// When a run is written down for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Before the caller hears its id: it was promised.
    AtOnce,
    /// Before, too; and if it is not over when this server ends, the next one begins it anew.
    Durable,
    /// When it is over: the caller waits and was promised nothing before.
    AtEnd,
}

/// Checks and begins a run.
///
/// # Errors
///
/// Unknown image, policy or file; not ready; busy; arguments that no program can be given; a session that is busy, has
/// ended or may take no more turns; a key that is taken.
pub async fn start(app: &AppState, tenant: &Tenant, new: NewRun) -> Result<Arc<Live>> {
    let policy = &app.policy(tenant, &new.policy)?;
    app.ready_image(&new.image, policy)?;
    check(&new.program)?;
    let id = new_id("run");
    let (session, files) = match &new.place {
        Place::Session(session) => {
            let taken = app.turns.take(&session.id, Doing::Run(id.clone())).await?;
            // What was read before it was ours may have changed.
            let session = app.storage.session(tenant, &session.id).await?;
            turns::check(app, tenant, &session).await?;
            (Some((session, taken)), Vec::new())
        }
        Place::Alone(ids) => (None, known_files(app, tenant, ids).await?),
    };
    let ticket = app.queue.join(tenant)?;
    let mut limits = policy.limits.clone();
    let admission = app.meter.run(&app.storage, tenant, &app.quota(tenant), &mut limits).await?;
    let record = RunRecord {
        id,
        session_id: session.as_ref().map(|(session, _)| session.id.clone()),
        ask_id: None,
        status: Status::Queued,
        image: new.image.clone(),
        policy: policy.name.clone(),
        code: new.program.source.clone(),
        request: request(&new, &files),
        created_at: now(),
        finished_at: None,
        outcome: None,
        error_code: None,
        error_detail: None,
        checkpoint: None,
        undone: false,
    };
    // A turn ends with its server: what it began from may be another one's by then.
    let durable = new.keep == Keep::Durable && session.is_none();
    if new.keep != Keep::AtEnd {
        app.storage.accept_run(tenant, &record, durable, new.key.as_ref()).await?;
    }
    let job = Job {
        image: new.image,
        program: new.program,
        workspace: app.storage.workspace(tenant, record.session_id.as_ref().unwrap_or(&record.id)),
        limits,
        mode: new.mode,
        seed: new.seed,
    };
    let live = register(app, tenant, &record, durable);
    tokio::spawn(traces::here(go(app.clone(), live.clone(), record, job, files, (ticket, admission), session)));
    Ok(live)
}

fn register(app: &App, tenant: &Tenant, record: &RunRecord, durable: bool) -> Arc<Live> {
    let mut live = Live::new(tenant, Record::Run(record.clone()));
    live.durable = durable;
    let live = Arc::new(live);
    live.journal.push("accepted", &json!({ "id": record.id }));
    app.live.add(&live);
    app.metrics.waiting.fetch_add(1, Ordering::Relaxed);
    live
}

/// Begins anew what earlier servers accepted and did not end; gives how many.
///
/// # Errors
///
/// The database failed.
pub async fn take_over(app: &AppState) -> Result<usize> {
    let taken = app.storage.take_over().await?;
    let count = taken.len();
    for (tenant, record) in taken {
        let live = register(app, &tenant, &record, true);
        tokio::spawn(again(app.clone(), live, record));
    }
    Ok(count)
}

/// The life of a run that an earlier server accepted.
async fn again(app: AppState, live: Arc<Live>, mut record: RunRecord) {
    let waiting = async {
        loop {
            match prepare(&app, &live.tenant, &record).await {
                Err(error) if error.is_momentary() || error.code == Code::ImageNotReady => {
                    tokio::time::sleep(AGAIN).await
                }
                prepared => break prepared,
            }
        }
    };
    let error = tokio::select! {
        prepared = waiting => match prepared {
            Ok((job, files, pass)) => return go(app, live, record, job, files, pass, None).await,
            Err(error) => Some(error),
        },
        () = live.cancel.cancelled() => None,
    };
    app.metrics.waiting.fetch_sub(1, Ordering::Relaxed);
    if !live.is_left() {
        match error {
            Some(error) => {
                record.finished_at = Some(now());
                fail(&mut record, &error, &live.id);
            }
            None => end(&mut record, cancelled()),
        }
        if let Err(error) = app.storage.finish_run(&live.tenant, record, Vec::new(), &live.journal.snapshot()).await {
            tracing::error!(run = live.id, detail = error.detail, cause = ?error.cause, "failed to write down a run's end");
        }
    }
    app.live.remove(&live.id);
    live.journal.close();
}

/// All that a recorded run needs to begin.
async fn prepare(
    app: &AppState,
    tenant: &Tenant,
    record: &RunRecord,
) -> Result<(Job, Vec<FileRecord>, (Ticket, Admission))> {
    let policy = &app.policy(tenant, &record.policy)?;
    app.ready_image(&record.image, policy)?;
    let Recorded { program, mode, seed, files } = Recorded::of(record)?;
    let files = known_files(app, tenant, &files).await?;
    let ticket = app.queue.join(tenant)?;
    let mut limits = policy.limits.clone();
    let admission = app.meter.run(&app.storage, tenant, &app.quota(tenant), &mut limits).await?;
    let workspace = app.storage.workspace(tenant, &record.id);
    Ok((Job { image: record.image.clone(), program, workspace, limits, mode, seed }, files, (ticket, admission)))
}

/// The whole life of a run.
async fn go(
    app: AppState,
    live: Arc<Live>,
    mut record: RunRecord,
    job: Job,
    files: Vec<FileRecord>,
    (ticket, admission): (Ticket, Admission),
    session: Option<(SessionRecord, Taken)>,
) {
    let began = Instant::now();
    let (workspace, alone) = (job.workspace.clone(), session.is_none());
    let span = Span::new("run");
    span.note("glovebox.run", live.id.clone());
    span.note("glovebox.tenant", live.tenant.to_string());
    span.note("glovebox.image", record.image.clone());
    span.note("glovebox.policy", record.policy.clone());
    let slot = span.around(async { Span::new("wait for a worker").around(ticket.wait(&live.cancel)).await }).await;
    app.metrics.waited(began.elapsed());
    app.metrics.waiting.fetch_sub(1, Ordering::Relaxed);
    app.metrics.running.fetch_add(1, Ordering::Relaxed);
    let result = match (slot, &session) {
        (None, _) if live.is_left() => Ok(()),
        (None, _) => {
            end(&mut record, cancelled());
            let events = live.journal.snapshot();
            app.storage.finish_run(&live.tenant, record.clone(), Vec::new(), &events).await.map(drop)
        }
        (Some(slot), None) => {
            live.set_running();
            span.around(by_itself(&app, &live, job, files, &mut record, (slot, ticket))).await
        }
        (Some(slot), Some((session, _))) => {
            live.set_running();
            span.note("glovebox.session", session.id.clone());
            span.around(in_session(&app, &live, session, job, &mut record, (slot, ticket))).await
        }
    };
    let ending = match &result {
        Ok(()) => record.outcome.as_ref().map_or("interrupted", |outcome| outcome.ending.name()),
        Err(error) => {
            record.outcome = None;
            record.finished_at = Some(now());
            fail(&mut record, error, &live.id);
            let events = live.journal.snapshot();
            if app.storage.finish_run(&live.tenant, record.clone(), Vec::new(), &events).await.is_err() {
                // Without its events, so that at least its end is known.
                if app.storage.save_run(&live.tenant, &record).await.is_err() {
                    live.lose(error);
                }
            }
            "failed"
        }
    };
    span.note("glovebox.ending", ending);
    if let Some(outcome) = &record.outcome {
        span.note("glovebox.fuel", i64::try_from(outcome.usage.fuel).unwrap_or(i64::MAX));
        span.note("glovebox.memory_peak_bytes", i64::try_from(outcome.usage.memory_peak_bytes).unwrap_or(i64::MAX));
    }
    if result.is_err() {
        span.fail("our side failed");
    }
    drop(span);
    admission.settle(record.outcome.as_ref());
    app.metrics.run(ending, began.elapsed());
    app.metrics.running.fetch_sub(1, Ordering::Relaxed);
    drop(session);
    // First out of the registry, then closed: who is woken finds the record.
    app.live.remove(&live.id);
    live.journal.close();
    if alone {
        remove_workspace(workspace).await;
    }
}

/// A place in the line before the workers, given back when the program is over.
type Slot = (crate::line::Slot, Ticket);

/// Runs a program in a workspace of its own and writes it down.
async fn by_itself(
    app: &App,
    live: &Live,
    job: Job,
    files: Vec<FileRecord>,
    record: &mut RunRecord,
    slot: Slot,
) -> Result<()> {
    let (path, limit) = (job.workspace.clone(), job.limits.artifact_mib << 20);
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        sources.push((app.storage.content(&live.tenant, &file.sha256).await?, file.name));
    }
    let workspace = blocking(move || {
        let workspace = Workspace::create(&path)?;
        for (source, name) in sources {
            workspace.place(&source, &name)?;
        }
        Ok(workspace)
    })
    .await?;
    let mut on_event = |event: Event| note(&live.journal, event);
    let mut outcome = Span::new("execute").around(app.backend.run(job, &mut on_event, &live.cancel)).await?;
    drop(slot);
    if live.is_left() && outcome.ending == Ending::Cancelled {
        return Ok(());
    }
    let span = Span::new("keep");
    let left = collect(app, workspace, &mut outcome, limit).await?;
    span.note("glovebox.artifacts", i64::try_from(left.len()).unwrap_or(i64::MAX));
    end(record, outcome);
    app.storage.finish_run(&live.tenant, record.clone(), left, &live.journal.snapshot()).await.map(drop)
}

/// Runs a program in a session and writes it down with the checkpoint that it led to, or takes back what it did.
async fn in_session(
    app: &App,
    live: &Live,
    session: &SessionRecord,
    job: Job,
    record: &mut RunRecord,
    slot: Slot,
) -> Result<()> {
    let tenant = &live.tenant;
    let ready = turns::ready(app, tenant, session).await?;
    for (name, value) in start_of(app, tenant, &ready.head).await? {
        record.request[name] = value;
    }
    let (workspace, limit) = (job.workspace.clone(), job.limits.artifact_mib << 20);
    let save = app.storage.new_layer(tenant);
    let turn = Turn {
        session: session.id.clone(),
        job,
        scratch: ready.scratch.clone(),
        at: ready.layers.clone(),
        save: save.clone(),
    };
    let mut on_event = |event: Event| note(&live.journal, event);
    let turned = Span::new("execute").around(app.backend.turn(turn, &mut on_event, &live.cancel)).await;
    drop(slot);
    match turned {
        Ok(Turned { outcome, kept: Some(kept) }) => {
            end(record, outcome.clone());
            let events = live.journal.snapshot();
            Span::new("keep")
                .around(turns::keep(app, tenant, ready, Over { run: record, outcome, kept, events, ask: None }))
                .await
        }
        Ok(Turned { mut outcome, kept: None }) => {
            turns::discard(save).await;
            let left = turns::undo(app, tenant, ready, &workspace, &mut outcome, limit).await;
            turns::tell(&live.journal, &outcome);
            end(record, outcome);
            record.undone = true;
            app.storage.finish_run(tenant, record.clone(), left, &live.journal.snapshot()).await.map(drop)
        }
        Err(error) => {
            turns::discard(save).await;
            let error = turns::failure(error, &ready.head);
            turns::abandon(app, tenant, ready).await;
            Err(error)
        }
    }
}

/// What a turn starts from: its record's request has it, so that it can be replayed.
pub(crate) async fn start_of(
    app: &App,
    tenant: &Tenant,
    head: &CheckpointRecord,
) -> Result<[(&'static str, Value); 2]> {
    let uploads = app.storage.session_files_since(tenant, &head.session_id, &head.created_at).await?;
    Ok([("checkpoint", json!(head.number)), ("files", named(&uploads))])
}

fn end(record: &mut RunRecord, outcome: Outcome) {
    record.finished_at = Some(now());
    record.status = Status::Done;
    record.outcome = Some(outcome);
}

/// Moves what a program left out of its workspace into the staging area; the outcome's own list becomes empty.
///
/// # Errors
///
/// The disk failed or is full.
pub(crate) async fn collect(
    app: &App,
    workspace: Workspace,
    outcome: &mut Outcome,
    limit: u64,
) -> Result<Vec<(String, String, Staged)>> {
    let artifacts = std::mem::take(&mut outcome.artifacts);
    if artifacts.is_empty() {
        return Ok(Vec::new());
    }
    let storage = app.storage.clone();
    blocking(move || {
        let mut left = Vec::with_capacity(artifacts.len());
        for artifact in artifacts {
            if let Some(staged) = workspace.take(&storage, &artifact.path, limit)? {
                let kind = media_type(&staged.blob.head, &artifact.path);
                left.push((artifact.path, kind, staged));
            }
        }
        Ok(left)
    })
    .await
}

/// Writes a runtime's event into a stream. Its end is not noted: `done` has it, with the whole record.
fn note(journal: &Journal, event: Event) {
    match event.body {
        EventBody::Stdout { text } => journal.push_text("stdout", &text),
        EventBody::Stderr { text } => journal.push_text("stderr", &text),
        EventBody::Ended { .. } => {}
        body => {
            if let Ok(Value::Object(mut data)) = serde_json::to_value(&body)
                && let Some(Value::String(kind)) = data.remove("type")
            {
                journal.push(&kind, &Value::Object(data));
            }
        }
    }
}

/// Files by id, in the order asked for.
pub(crate) async fn known_files(app: &App, tenant: &Tenant, ids: &[String]) -> Result<Vec<FileRecord>> {
    let mut files = Vec::with_capacity(ids.len());
    for id in ids {
        files.push(app.storage.file(tenant, id).await?.ok_or_else(|| Error::not_found("file", id))?);
    }
    Ok(files)
}

/// Work with files, on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(std::io::Error::other)??)
}

/// Removes a workspace with everything in it.
pub(crate) async fn remove_workspace(path: PathBuf) {
    let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(&path)).await;
    if let Ok(Err(error)) = removed
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "failed to remove a workspace; the next start tries again");
    }
}

fn check(program: &Program) -> Result<()> {
    if program.args.iter().any(|arg| arg.contains('\0')) {
        return Err(Error::invalid("args: an argument cannot hold a NUL character"));
    }
    for (name, value) in &program.env {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(Error::invalid(format!(
                "env: `{}` is not a variable",
                crate::error::shorten(&name.escape_debug().to_string(), 80)
            )));
        }
    }
    Ok(())
}

/// What a record has of a run besides its source.
struct Recorded {
    program: Program,
    mode: Mode,
    seed: Option<u64>,
    files: Vec<String>,
}

impl Recorded {
    fn of(record: &RunRecord) -> Result<Recorded> {
        #[derive(Deserialize)]
        struct Request {
            args: Vec<String>,
            env: BTreeMap<String, String>,
            stdin: String,
            echo: Echo,
            mode: Mode,
            seed: Option<u64>,
            files: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            id: String,
        }
        let Request { args, env, stdin, echo, mode, seed, files } =
            serde_json::from_value(record.request.clone()).map_err(Error::internal)?;
        let program = Program { source: record.code.clone(), filename: None, args, env, stdin, echo };
        Ok(Recorded { program, mode, seed, files: files.into_iter().map(|file| file.id).collect() })
    }
}

fn request(new: &NewRun, files: &[FileRecord]) -> Value {
    json!({
        "args": new.program.args, "env": new.program.env, "stdin": new.program.stdin, "echo": new.program.echo,
        "mode": new.mode, "seed": new.seed, "files": named(files),
    })
}

fn named(files: &[FileRecord]) -> Value {
    files.iter().map(|file| json!({ "id": file.id, "name": file.name, "sha256": file.sha256 })).collect()
}

fn fail(record: &mut RunRecord, error: &Error, id: &str) {
    tracing::error!(run = id, code = error.code.name(), detail = error.detail, cause = ?error.cause, "a run failed");
    record.status = Status::Failed;
    record.error_code = Some(error.code.name().to_owned());
    record.error_detail = Some(error.detail.clone());
}

/// The outcome of a program that was cancelled before it had a worker.
pub(crate) fn cancelled() -> Outcome {
    Outcome {
        ending: Ending::Cancelled,
        stdout: String::new(),
        stderr: String::new(),
        output_truncated: false,
        displays: Vec::new(),
        artifacts: Vec::new(),
        warnings: Vec::new(),
        usage: Usage::default(),
        timing: None,
        lineage: Lineage::default(),
    }
}
