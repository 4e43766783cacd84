//! Replay: runs a recorded program once more, on what it ran on then, and compares.
//!
//! Files come from the storage by their hashes, a turn's variables from the checkpoint before it. It happens beside
//! everything else, in directories of its own, and nothing of it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use glovebox_runtime::{Echo, Job, Mode, Outcome, Program};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppState, Turn};
use crate::error::{Code, Error, Result, shorten};
use crate::files::Workspace;
use crate::runs::{blocking, remove_workspace};
use crate::storage::{Area, FileRecord, RunRecord, RunView, new_id};
use crate::tenants::Tenant;
use crate::tree::Stamps;
use crate::turns;

/// Bytes of a text that are shown of a difference.
const SHOWN: usize = 500;
/// Differences that are told.
const MOST: usize = 50;

/// What came of a replay.
#[derive(Clone, Debug, PartialEq)]
pub struct Replayed {
    /// Whether the run was deterministic.
    pub deterministic: bool,
    /// What differed; nothing: it went as recorded.
    pub differences: Vec<Difference>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Which part.
    pub what: String,
    /// As it was recorded.
    pub recorded: Value,
    /// As it went now.
    pub replayed: Value,
}

/// What a record has of a run besides its program.
#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    stdin: String,
    #[serde(default)]
    echo: Echo,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    files: Vec<Input>,
    checkpoint: Option<i64>,
}

#[derive(Deserialize)]
struct Input {
    id: String,
    name: String,
    sha256: String,
}

/// Runs a recorded program once more and compares.
///
/// # Errors
///
/// `not_found`; `conflict` if it is not over or what it ran on is gone; `busy`, `image_not_ready`; our side failed.
pub async fn replay(app: &AppState, tenant: &Tenant, id: &str) -> Result<Replayed> {
    if app.live(tenant, id).is_some() {
        return Err(Error::new(Code::Conflict, format!("run {id} is not over; wait for its end and replay it then")));
    }
    let view = app.storage.run(tenant, id).await?;
    let Some(recorded) = view.run.outcome.clone() else {
        return Err(Error::new(
            Code::Conflict,
            format!("run {id} has no outcome that a replay could be compared with"),
        ));
    };
    let ticket = app.queue.join(tenant)?;
    let mut limits = app.policy(tenant, &view.run.policy)?.limits.clone();
    let granted = limits.fuel;
    let admission = app.meter.run(&app.storage, tenant, &app.quota(tenant), &mut limits).await?;
    if limits.fuel < granted {
        return Err(Error::new(Code::QuotaExhausted, "quota fuel_per_day: not enough is left for the run's own limit"));
    }
    let cancel = CancellationToken::new();
    // Who goes away while it is replayed ends it; its directories are removed even then.
    let _guard = cancel.clone().drop_guard();
    let (task_app, task_tenant) = (app.clone(), tenant.clone());
    let task = tokio::spawn(async move {
        let place = new_id("replay");
        let slot = ticket.wait(&cancel).await;
        let replayed = match slot {
            Some(_slot) => once_more(&task_app, &task_tenant, &view, &recorded, &place, &cancel).await,
            None => Err(Error::new(Code::Cancelled, "the replay was cancelled")),
        };
        task_app.backend.forget(&place).await;
        remove_workspace(task_app.storage.workspace(&task_tenant, &place)).await;
        remove_workspace(task_app.storage.aside(&task_tenant).join(&place)).await;
        let outcome = replayed?;
        admission.settle(Some(&outcome));
        let differences = compare(&view, &recorded, &outcome);
        Ok(Replayed { deterministic: recorded.lineage.deterministic, differences })
    });
    task.await.map_err(Error::internal)?
}

async fn once_more(
    app: &App,
    tenant: &Tenant,
    view: &RunView,
    recorded: &Outcome,
    place: &str,
    cancel: &CancellationToken,
) -> Result<Outcome> {
    let RunView { run, .. } = view;
    let policy = &app.policy(tenant, &run.policy)?;
    app.ready_image(&run.image, policy)?;
    let request: Request = serde_json::from_value(run.request.clone())
        .map_err(|error| Error::internal(anyhow::Error::new(error).context("a run's record")))?;
    let (workspace, aside) = (app.storage.workspace(tenant, place), app.storage.aside(tenant).join(place));
    let dir = aside.clone();
    blocking(move || std::fs::create_dir(dir)).await?;
    let layers = match &run.session_id {
        None => {
            alone(app, tenant, run, &request.files, workspace.clone()).await?;
            None
        }
        Some(session) => Some(in_copy(app, tenant, run, session, &request, &workspace, &aside).await?),
    };
    let job = Job {
        image: run.image.clone(),
        program: Program {
            source: run.code.clone(),
            filename: None,
            args: request.args,
            env: request.env,
            stdin: request.stdin,
            echo: request.echo,
        },
        workspace,
        limits: policy.limits.clone(),
        mode: request.mode,
        seed: recorded.lineage.seed,
    };
    let mut ignore = |_| {};
    let Some(at) = layers else { return Ok(app.backend.run(job, &mut ignore, cancel).await?) };
    let turn =
        Turn { session: place.to_owned(), job, scratch: aside.join("scratch"), at, save: aside.join("new.layer") };
    Ok(app.backend.turn(turn, &mut ignore, cancel).await?.outcome)
}

/// Puts the files of a run outside of sessions into a workspace.
async fn alone(app: &App, tenant: &Tenant, run: &RunRecord, files: &[Input], workspace: PathBuf) -> Result<()> {
    let mut sources = Vec::with_capacity(files.len());
    for file in files {
        sources.push((app.storage.content(tenant, &file.sha256).await?, file.name.clone()));
    }
    let missing: Vec<_> = sources.iter().filter(|(path, _)| !path.exists()).map(|(_, name)| name.as_str()).collect();
    if !missing.is_empty() {
        return Err(gone(run, &missing.join(", ")));
    }
    blocking(move || {
        let workspace = Workspace::create(&workspace)?;
        for (source, name) in sources {
            workspace.place(&source, &name)?;
        }
        Ok(())
    })
    .await
}

/// Copies the state before a turn: its files, and names for its layers that stay when they are pruned.
async fn in_copy(
    app: &App,
    tenant: &Tenant,
    run: &RunRecord,
    session: &str,
    request: &Request,
    workspace: &Path,
    aside: &Path,
) -> Result<Vec<PathBuf>> {
    let Some(number) = request.checkpoint else {
        return Err(gone(run, "its checkpoint, which was not recorded"));
    };
    let before = app.storage.checkpoint(tenant, session, number).await.map_err(|error| match error.code {
        Code::NotFound => gone(run, &format!("checkpoint {number}")),
        _ => error,
    })?;
    let mut uploads = Vec::new();
    for Input { id, name, sha256 } in &request.files {
        let Ok(metadata) = std::fs::metadata(app.storage.content(tenant, sha256).await?) else {
            return Err(gone(run, name));
        };
        uploads.push(FileRecord {
            id: id.clone(),
            name: name.clone(),
            size: i64::try_from(metadata.len()).unwrap_or(i64::MAX),
            sha256: sha256.clone(),
            media_type: String::new(),
            created_at: String::new(),
        });
    }
    let mut present: BTreeSet<_> = uploads.iter().map(|file| file.name.clone()).collect();
    let (tree, ..) =
        turns::fill(app, tenant, &before, workspace, &aside.join("scratch"), uploads, Stamps::default()).await?;
    present.extend(tree.into_keys().filter(|(area, _)| *area == Area::Data).map(|(_, path)| path));
    // A deleted upload is gone from checkpoints, too.
    let inputs = run.outcome.iter().flat_map(|outcome| outcome.lineage.inputs.keys());
    if let Some(missing) = inputs.into_iter().find(|path| !present.contains(*path)) {
        return Err(gone(run, missing));
    }
    let mut at = Vec::new();
    for (number, layer) in app.storage.layers_of(tenant, &before).await?.into_iter().enumerate() {
        let copy = aside.join(format!("{number}.layer"));
        std::fs::hard_link(&layer, &copy)
            .map_err(|_| gone(run, &format!("the memory of checkpoint {}", before.number)))?;
        at.push(copy);
    }
    Ok(at)
}

fn gone(run: &RunRecord, what: &str) -> Error {
    let detail = format!("run {} cannot be replayed: {} is gone", run.id, shorten(what, 300));
    Error::new(Code::Conflict, detail)
}

fn compare(view: &RunView, recorded: &Outcome, replayed: &Outcome) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut differ = |what: String, recorded: Value, replayed: Value| {
        if recorded != replayed && found.len() < MOST {
            found.push(Difference { what, recorded: short(recorded), replayed: short(replayed) });
        }
    };
    differ("image".into(), json!(recorded.lineage.image), json!(replayed.lineage.image));
    differ("ending".into(), json!(recorded.ending), json!(replayed.ending));
    for (name, then, now) in
        [("stdout", &recorded.stdout, &replayed.stdout), ("stderr", &recorded.stderr, &replayed.stderr)]
    {
        if let Some((line, then, now)) = first_line(then, now) {
            differ(format!("{name} line {line}"), json!(then), json!(now));
        }
    }
    for at in 0..recorded.displays.len().max(replayed.displays.len()) {
        let value = |outcome: &Outcome| outcome.displays.get(at).map_or(Value::Null, |display| json!(display));
        differ(format!("display {}", at + 1), value(recorded), value(replayed));
    }
    let then = view.artifacts.iter().map(|one| (one.path.as_str(), one.sha256.as_str()));
    let now = replayed.artifacts.iter().map(|one| (one.path.as_str(), one.sha256.as_str()));
    let (then, now): (BTreeMap<_, _>, BTreeMap<_, _>) = (then.collect(), now.collect());
    let paths: BTreeSet<_> = then.keys().chain(now.keys()).collect();
    for path in paths {
        differ(format!("artifact {path}"), json!(then.get(path)), json!(now.get(path)));
    }
    differ("fuel".into(), json!(recorded.usage.fuel), json!(replayed.usage.fuel));
    found
}

/// The first line in which two texts differ, from 1; `None` of a text that ends before it.
fn first_line<'a>(one: &'a str, other: &'a str) -> Option<(usize, Option<&'a str>, Option<&'a str>)> {
    if one == other {
        return None;
    }
    let (mut ones, mut others) = (one.split('\n'), other.split('\n'));
    (1..).find_map(|number| match (ones.next(), others.next()) {
        (one, other) if one != other => Some((number, one, other)),
        _ => None,
    })
}

fn short(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(shorten(&text, SHOWN)),
        value if value.to_string().len() > SHOWN => Value::String(shorten(&value.to_string(), SHOWN)),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_found() {
        assert_eq!(first_line("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_line("a\nb\n", "a\nc\n"), Some((2, Some("b"), Some("c"))));
        assert_eq!(first_line("a", "a\nb"), Some((2, None, Some("b"))));
        assert_eq!(first_line("a\n", "a"), Some((2, Some(""), None)));
    }
}
