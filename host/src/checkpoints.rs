//! Checkpoints: naming one, going back to one, forking from one, and letting a session sleep on its last one.

use std::time::Duration;

use glovebox_runtime::LayerError;

use crate::app::{App, AppState};
use crate::error::{Code, Error, Result};
use crate::live::Doing;
use crate::runs::remove_workspace;
use crate::sessions::{check_count, checked_title};
use crate::storage::{CheckpointRecord, SessionRecord, new_id};
use crate::tenants::Tenant;
use crate::tree::Stamps;
use crate::turns;

/// Sessions that one fork may make.
const FORKS: u32 = 64;
/// Named checkpoints that a session may have: they are never pruned.
const NAMED: usize = 1_000;

/// Names the state that a session is in, uploads since its last turn included.
///
/// # Errors
///
/// `not_found`, `session_busy`, `session_ended`, `quota`; the disk or the database failed.
pub async fn name(app: &AppState, tenant: &Tenant, id: &str, name: &str) -> Result<CheckpointRecord> {
    let name = checked_title(name)?;
    app.storage.session(tenant, id).await?;
    let _taken = app.turns.take(id, Doing::Short("a checkpoint")).await?;
    let session = app.storage.session(tenant, id).await?;
    turns::check_alive(app, &session)?;
    turns::check_room(app, tenant).await?;
    if app.storage.checkpoints(tenant, id).await?.iter().filter(|one| !one.name.is_empty()).count() >= NAMED {
        let detail = format!("session {id} has {NAMED} named checkpoints already, and may not have more; fork it");
        return Err(Error::new(Code::Quota, detail));
    }
    let name = if name.is_empty() { format!("after turn {}", session.turns) } else { name };
    let ready = turns::ready(app, tenant, &session).await?;
    let head = ready.head.clone();
    // One that has a name keeps it.
    let another = !head.name.is_empty() && head.name != name;
    if let Some(made) = turns::keep_uploads(app, tenant, ready, &name, another).await? {
        return Ok(made);
    }
    app.storage.name_checkpoint(&head, &name).await?;
    Ok(CheckpointRecord { name, ..head })
}

/// The checkpoint of a session that `key` names, by number or id.
///
/// # Errors
///
/// `not_found`; the database failed.
pub async fn find(app: &App, tenant: &Tenant, session: &str, key: &str) -> Result<CheckpointRecord> {
    if let Ok(number) = key.parse::<i64>() {
        return app.storage.checkpoint(tenant, session, number).await;
    }
    let all = app.storage.checkpoints(tenant, session).await?;
    all.into_iter().find(|one| one.id == key).ok_or_else(|| Error::not_found("checkpoint", key))
}

/// Brings a session back to one of its checkpoints: variables and files. Uploads that came later stay.
///
/// # Errors
///
/// `not_found`, `session_busy`, `session_ended`, `checkpoint_damaged`; the disk or the database failed.
pub async fn restore(app: &AppState, tenant: &Tenant, id: &str, key: &str) -> Result<SessionRecord> {
    app.storage.session(tenant, id).await?;
    let taken = app.turns.take(id, Doing::Short("a restore")).await?;
    let session = app.storage.session(tenant, id).await?;
    turns::check_alive(app, &session)?;
    let to = find(app, tenant, id, key).await?;
    // In a task of its own: a client that leaves must not leave the workspace half restored.
    let (task_app, task_tenant) = (app.clone(), tenant.clone());
    let moved = tokio::spawn(async move {
        let moved = turns::move_to(&task_app, &task_tenant, &session, &to).await;
        drop(taken);
        moved
    });
    moved.await.map_err(Error::internal)??;
    app.storage.session(tenant, id).await
}

/// Makes sessions that begin with the state of another one, at its head or at the checkpoint that `key` names. Each has
/// files of its own; memory is shared until it is changed.
///
/// # Errors
///
/// `not_found`, `session_busy`, `session_ended`, `quota`, `checkpoint_damaged`, a count out of range; the disk or the
/// database failed. Then there is none of them.
pub async fn fork(
    app: &AppState,
    tenant: &Tenant,
    id: &str,
    count: u32,
    key: Option<&str>,
    title: Option<&str>,
) -> Result<Vec<SessionRecord>> {
    if !(1..=FORKS).contains(&count) {
        return Err(Error::invalid(format!("count must be between 1 and {FORKS}, not {count}")));
    }
    let title = title.map(checked_title).transpose()?;
    app.storage.session(tenant, id).await?;
    let taken = app.turns.take(id, Doing::Short("a fork")).await?;
    let session = app.storage.session(tenant, id).await?;
    turns::check_alive(app, &session)?;
    check_count(app, tenant, u64::from(count)).await?;
    let at = match (key, session.head) {
        (Some(key), _) => find(app, tenant, id, key).await?,
        (None, Some(number)) => app.storage.checkpoint(tenant, id, number).await?,
        (None, None) => {
            let ready = turns::ready(app, tenant, &session).await?;
            let head = ready.head.clone();
            ready.unused(app, tenant);
            head
        }
    };
    let title = title.unwrap_or_else(|| session.title.clone());
    let children: Vec<_> = (0..count).map(|_| (new_id("ses"), title.clone())).collect();
    let (task_app, task_tenant, ids) = (app.clone(), tenant.clone(), children.clone());
    let made = tokio::spawn(async move {
        let made = make(&task_app, &task_tenant, &session, &at, &ids).await;
        if made.is_err() {
            for (id, _) in &ids {
                remove_workspace(task_app.storage.workspace(&task_tenant, id)).await;
                remove_workspace(task_app.storage.scratch(&task_tenant, id)).await;
            }
        }
        drop(taken);
        made
    });
    made.await.map_err(Error::internal)??;
    app.metrics.forks.fetch_add(i64::from(count), std::sync::atomic::Ordering::Relaxed);
    let mut sessions = Vec::with_capacity(children.len());
    for (id, _) in children {
        sessions.push(app.storage.session(tenant, &id).await?);
    }
    Ok(sessions)
}

async fn make(
    app: &App,
    tenant: &Tenant,
    session: &SessionRecord,
    at: &CheckpointRecord,
    children: &[(String, String)],
) -> Result<()> {
    let uploads = app.storage.session_files_since(tenant, &session.id, &at.created_at).await?;
    let mut renamed = Vec::new();
    for (id, _) in children {
        let (data, tmp) = (app.storage.workspace(tenant, id), app.storage.scratch(tenant, id));
        let filled = turns::fill(app, tenant, at, &data, &tmp, uploads.clone(), Stamps::default()).await?;
        renamed = filled.2;
    }
    app.storage.fork_session(tenant, session, at, children).await?;
    for (id, _) in children {
        for (file, name) in &renamed {
            app.storage.rename_session_file(id, file, name).await?;
        }
    }
    Ok(())
}

/// Puts a session to sleep: its checkpoints are compressed and its live interpreter is dropped. Its next turn wakes it.
///
/// # Errors
///
/// `not_found`, `session_busy`; the disk is full or failed, and then it stays awake.
pub async fn hibernate(app: &AppState, tenant: &Tenant, id: &str) -> Result<SessionRecord> {
    app.storage.session(tenant, id).await?;
    let taken = app.turns.take(id, Doing::Sleep).await?;
    app.storage.session(tenant, id).await?;
    let (task_app, task_tenant, task_id) = (app.clone(), tenant.clone(), id.to_owned());
    let slept = tokio::spawn(async move {
        let slept = sleep(&task_app, &task_tenant, &task_id).await;
        drop(taken);
        slept
    });
    slept.await.map_err(Error::internal)??;
    app.storage.session(tenant, id).await
}

async fn sleep(app: &AppState, tenant: &Tenant, id: &str) -> Result<()> {
    for layer in app.storage.uncompressed_layers(tenant, id).await? {
        let (backend, path) = (app.backend.clone(), layer.clone());
        let compressed = tokio::task::spawn_blocking(move || backend.compress(&path)).await.map_err(Error::internal)?;
        let bytes = compressed.map_err(|error| {
            tracing::error!(session = id, layer = %layer.display(), %error, "failed to compress; the session stays awake");
            let mut error = match error {
                LayerError::Io(error) => Error::from(error),
                damaged => Error::new(Code::CheckpointDamaged, format!("a checkpoint cannot be read: {damaged}")),
            };
            error.detail = format!("session {id} could not be put to sleep and stays awake: {}", error.detail);
            error
        })?;
        app.storage.set_compressed(&layer, bytes).await?;
    }
    app.backend.forget(id).await;
    app.known.forget(id);
    app.metrics.hibernations.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    Ok(())
}

/// Puts those to sleep that nobody has used for the configured time.
pub async fn sweep(app: &AppState) {
    for (tenant, id) in app.known.idle(Duration::from_secs(app.config.session_idle_s)) {
        let Some(taken) = app.turns.try_take(&id, Doing::Sleep) else { continue };
        // Why it failed is in the log; it is tried again at the next sweep.
        let slept = sleep(app, &tenant, &id).await;
        drop(taken);
        tracing::debug!(session = id, slept = slept.is_ok(), "put an idle session to sleep");
    }
}
