//! Runs: from a request to a record. Each goes on in a task of its own; callers watch its [`Live`] entry.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use glovebox_runtime::{Ending, Event, EventBody, Job, Lineage, Mode, Outcome, Program, Usage};
use serde_json::{Value, json};

use crate::app::{App, AppState};
use crate::error::{Error, Result};
use crate::files::{Workspace, media_type};
use crate::journal::Journal;
use crate::live::{Live, Record, Ticket};
use crate::storage::{FileRecord, RunRecord, SessionRecord, Staged, Status, new_id, now};
use crate::tenants::Tenant;

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
}

/// Where a program runs.
#[derive(Clone, Debug)]
pub enum Place {
    /// In the workspace of a session, after the turns before it.
    Session(SessionRecord),
    /// In a workspace of its own, with copies of these files.
    Alone(Vec<String>),
}

/// When a run is written down for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Before the caller hears its id: it was promised.
    AtOnce,
    /// When it is over: the caller waits and was promised nothing before.
    AtEnd,
}

/// Checks and begins a run.
///
/// # Errors
///
/// Unknown image, policy or file; not ready; busy; arguments that no program can be given.
pub async fn start(app: &AppState, tenant: &Tenant, new: NewRun) -> Result<Arc<Live>> {
    let policy = app.policy(&new.policy)?;
    app.ready_image(&new.image, policy)?;
    check(&new.program)?;
    let (session_id, files) = match &new.place {
        Place::Session(session) => (Some(session.id.clone()), Vec::new()),
        Place::Alone(ids) => (None, known_files(app, tenant, ids).await?),
    };
    let ticket = app.queue.join()?;
    let record = RunRecord {
        id: new_id("run"),
        session_id,
        ask_id: None,
        status: Status::Queued,
        image: new.image.clone(),
        policy: new.policy.clone(),
        code: new.program.source.clone(),
        request: request(&new, &files),
        created_at: now(),
        finished_at: None,
        outcome: None,
        error_code: None,
        error_detail: None,
    };
    if new.keep == Keep::AtOnce {
        app.storage.save_run(tenant, &record).await?;
    }
    let job = Job {
        image: new.image,
        program: new.program,
        workspace: app.storage.workspaces().join(record.session_id.as_ref().unwrap_or(&record.id)),
        limits: policy.limits.clone(),
        mode: new.mode,
        seed: new.seed,
    };
    let live = Arc::new(Live::new(tenant, Record::Run(record.clone())));
    live.journal.push("accepted", &json!({ "id": record.id }));
    app.live.add(&live);
    app.metrics.waiting.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(go(app.clone(), live.clone(), record, job, files, ticket));
    Ok(live)
}

/// The whole life of a run.
async fn go(app: AppState, live: Arc<Live>, mut record: RunRecord, job: Job, files: Vec<FileRecord>, ticket: Ticket) {
    let began = Instant::now();
    let workspace = job.workspace.clone();
    let (artifact_limit, alone) = (job.limits.artifact_mib << 20, record.session_id.is_none());
    let turn = match &record.session_id {
        Some(session) => Some(app.turns.take(session).await),
        None => None,
    };
    let slot = ticket.wait(&live.cancel).await;
    app.metrics.waiting.fetch_sub(1, Ordering::Relaxed);
    app.metrics.running.fetch_add(1, Ordering::Relaxed);
    let result = if slot.is_some() {
        live.set_running();
        run(&app, &live, job, files, artifact_limit, alone).await
    } else {
        Ok((cancelled(), Vec::new()))
    };
    drop((slot, ticket));

    record.finished_at = Some(now());
    let mut left = Vec::new();
    let ending = match result {
        Ok((outcome, artifacts)) => {
            left = artifacts;
            record.status = Status::Done;
            let name = outcome.ending.name();
            record.outcome = Some(outcome);
            name
        }
        Err(error) => {
            fail(&mut record, &error, &live.id);
            "failed"
        }
    };
    let events = live.journal.snapshot();
    if let Err(error) = app.storage.finish_run(&live.tenant, record.clone(), left, &events).await {
        tracing::error!(run = live.id, cause = ?error.cause, "failed to write a run down");
        // Without its files and events, so that at least its end is known.
        fail(&mut record, &error, &live.id);
        record.outcome = None;
        let _ = app.storage.save_run(&live.tenant, &record).await;
    }
    app.metrics.run(ending, began.elapsed());
    app.metrics.running.fetch_sub(1, Ordering::Relaxed);
    drop(turn);
    // First out of the registry, then closed: who is woken finds the record.
    app.live.remove(&live.id);
    live.journal.close();
    if alone {
        remove_workspace(workspace).await;
    }
}

async fn run(
    app: &App,
    live: &Live,
    job: Job,
    files: Vec<FileRecord>,
    artifact_limit: u64,
    alone: bool,
) -> Result<(Outcome, Vec<(String, String, Staged)>)> {
    let path = job.workspace.clone();
    let sources: Vec<_> =
        files.into_iter().map(|file| (app.storage.blob_path(&live.tenant, &file.sha256), file.name)).collect();
    let workspace = blocking(move || {
        let workspace = if alone { Workspace::create(&path)? } else { Workspace::open(&path)? };
        for (source, name) in sources {
            workspace.place(&source, &name)?;
        }
        Ok(workspace)
    })
    .await?;
    let mut on_event = |event: Event| note(&live.journal, event);
    let mut outcome = app.backend.run(job, &mut on_event, &live.cancel).await?;
    let left = collect(app, workspace, &mut outcome, artifact_limit).await?;
    Ok((outcome, left))
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

fn request(new: &NewRun, files: &[FileRecord]) -> Value {
    let files: Vec<_> =
        files.iter().map(|file| json!({ "id": file.id, "name": file.name, "sha256": file.sha256 })).collect();
    json!({
        "args": new.program.args, "env": new.program.env, "stdin": new.program.stdin, "echo": new.program.echo,
        "mode": new.mode, "seed": new.seed, "files": files,
    })
}

fn fail(record: &mut RunRecord, error: &Error, id: &str) {
    tracing::error!(run = id, code = error.code.name(), detail = error.detail, cause = ?error.cause, "a run failed");
    record.status = Status::Failed;
    record.error_code = Some(error.code.name().to_owned());
    record.error_detail = Some(error.detail.clone());
}

/// The outcome of a program that was cancelled before it had a worker.
fn cancelled() -> Outcome {
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
