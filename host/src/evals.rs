//! Evaluations over the API: each judges the files in its directory and writes its verdicts there, so that it survives the
//! server. Readers follow the file.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use glovebox_runtime::Limits;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppState};
use crate::error::{Code, Error, Result};
use crate::eval::run::{EvalError, Evaluated, Plan, Told, evaluate};
use crate::eval::{Judge, Settings, Tally};
use crate::quota::Admission;
use crate::runs::{blocking, remove_workspace};
use crate::storage::{EvalRecord, EvalResult, EvalSettings, EvalStatus, new_id, now};
use crate::tenants::Tenant;

/// Evaluations that may be under way at once.
const AT_ONCE: usize = 16;
/// Bad lines that are told in words.
const BAD_SHOWN: usize = 100;
/// How often an evaluation's progress is written down.
const NOTE_EVERY: Duration = Duration::from_secs(2);

/// Name of the file with verdicts in an evaluation's directory.
pub const VERDICTS: &str = "verdicts.jsonl";

/// Where problems or completions come from.
#[derive(Clone, Debug)]
pub enum Lines {
    /// An uploaded file, by id.
    File(String),
    /// JSON Lines.
    Text(String),
}

/// Those under way.
#[derive(Debug, Default)]
pub struct Evals(Mutex<HashMap<String, Arc<LiveEval>>>);

/// An evaluation under way.
#[derive(Debug)]
pub struct LiveEval {
    tenant: Tenant,
    /// Ends it.
    pub cancel: CancellationToken,
    progress: Mutex<EvalRecord>,
    /// Changes with every verdict.
    changes: watch::Sender<u64>,
}

impl LiveEval {
    /// What is known of it now.
    #[must_use]
    pub fn record(&self) -> EvalRecord {
        self.progress().clone()
    }

    /// Hears of every verdict.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn progress(&self) -> MutexGuard<'_, EvalRecord> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Evals {
    /// One under way, if it is the tenant's.
    #[must_use]
    pub fn get(&self, tenant: &Tenant, id: &str) -> Option<Arc<LiveEval>> {
        self.all().get(id).filter(|live| live.tenant == *tenant).cloned()
    }

    /// Ends all of them; they can be resumed.
    pub async fn interrupt(&self, grace: Duration) {
        self.all().values().for_each(|live| live.cancel.cancel());
        let began = Instant::now();
        while !self.all().is_empty() && began.elapsed() < grace {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<LiveEval>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes an evaluation in and begins it.
///
/// # Errors
///
/// Unknown image, policy or file; not ready; too many are under way; the disk failed or is full.
pub async fn start(
    app: &AppState,
    tenant: &Tenant,
    settings: EvalSettings,
    problems: Lines,
    completions: Lines,
) -> Result<EvalRecord> {
    app.ready_image(&settings.image, &app.policy(tenant, &settings.policy)?)?;
    let id = new_id("eval");
    let dir = app.storage.eval_dir(&id);
    let mut sources = Vec::with_capacity(2);
    for (name, lines) in [("problems.jsonl", problems), ("completions.jsonl", completions)] {
        sources.push((
            dir.join(name),
            match lines {
                Lines::Text(text) => Source::Text(text),
                Lines::File(id) => {
                    let file = app.storage.file(tenant, &id).await?.ok_or_else(|| Error::not_found("file", &id))?;
                    Source::Blob(app.storage.content(tenant, &file.sha256).await?, file.name.ends_with(".gz"))
                }
            },
        ));
    }
    let place = dir.clone();
    let placed = blocking(move || {
        std::fs::create_dir_all(&place)?;
        sources.into_iter().try_for_each(|(path, source)| source.place(path))
    });
    if let Err(error) = placed.await {
        remove_workspace(dir).await;
        return Err(error);
    }
    let record = EvalRecord {
        id,
        status: EvalStatus::Running,
        settings,
        created_at: now(),
        finished_at: None,
        result: EvalResult::default(),
        error_detail: None,
    };
    begin(app, tenant, record).await
}

/// Goes on with an evaluation that was cancelled, interrupted or failed.
///
/// # Errors
///
/// `not_found`; `conflict` if it is under way or done; as [`start`].
pub async fn resume(app: &AppState, tenant: &Tenant, id: &str) -> Result<EvalRecord> {
    let record = app.storage.eval(tenant, id).await?;
    if matches!(record.status, EvalStatus::Running | EvalStatus::Done) {
        return Err(Error::new(
            Code::Conflict,
            "only an evaluation that was cancelled, interrupted or failed can be resumed",
        ));
    }
    app.ready_image(&record.settings.image, &app.policy(tenant, &record.settings.policy)?)?;
    begin(app, tenant, EvalRecord { status: EvalStatus::Running, finished_at: None, error_detail: None, ..record })
        .await
}

/// Ends an evaluation if it is under way and forgets it with its files.
///
/// # Errors
///
/// `not_found`; the database failed.
pub async fn delete(app: &App, tenant: &Tenant, id: &str) -> Result<()> {
    if let Some(live) = app.evals.get(tenant, id) {
        live.cancel.cancel();
        let mut changes = live.subscribe();
        drop(live);
        // Its sender goes with it.
        while changes.changed().await.is_ok() {}
    }
    if !app.storage.delete_eval(tenant, id).await? {
        return Err(Error::not_found("evaluation", id));
    }
    remove_workspace(app.storage.eval_dir(id)).await;
    Ok(())
}

/// A file as it is put into the directory.
enum Source {
    Text(String),
    /// Where it lies, and whether it is compressed.
    Blob(PathBuf, bool),
}

impl Source {
    fn place(self, path: PathBuf) -> std::io::Result<()> {
        match self {
            Source::Text(text) => std::fs::write(path, text),
            Source::Blob(blob, false) => {
                let (mut from, mut to) = (std::fs::File::open(blob)?, std::fs::File::create(path)?);
                crate::files::copy(&mut from, &mut to)
            }
            Source::Blob(blob, true) => {
                let mut from = flate2::read::MultiGzDecoder::new(std::io::BufReader::new(std::fs::File::open(blob)?));
                std::io::copy(&mut from, &mut std::fs::File::create(path)?).map(drop)
            }
        }
    }
}

async fn begin(app: &AppState, tenant: &Tenant, record: EvalRecord) -> Result<EvalRecord> {
    let judge = judge(app, tenant, &record.settings)?;
    // Its samples are counted as they are judged; it begins as one run does.
    let admission =
        app.meter.run(&app.storage, tenant, &app.quota(tenant), &mut Limits { fuel: 1, ..Limits::default() }).await?;
    let live = Arc::new(LiveEval {
        tenant: tenant.clone(),
        cancel: CancellationToken::new(),
        progress: Mutex::new(record.clone()),
        changes: watch::Sender::new(0),
    });
    {
        let mut all = app.evals.all();
        if all.len() >= AT_ONCE {
            let detail = format!("{} evaluations are under way; try again when one is over", all.len());
            return Err(Error::new(Code::Busy, detail));
        }
        if all.contains_key(&record.id) {
            return Err(Error::new(Code::Conflict, "it is under way already"));
        }
        all.insert(record.id.clone(), live.clone());
    }
    if let Err(error) = app.storage.save_eval(tenant, &record).await {
        app.evals.all().remove(&record.id);
        return Err(error);
    }
    tokio::spawn(go(app.clone(), live, judge, admission));
    Ok(record)
}

fn judge(app: &App, tenant: &Tenant, settings: &EvalSettings) -> Result<Judge> {
    let granted = &app.policy(tenant, &settings.policy)?.limits;
    let limits = Limits { fuel: settings.fuel, memory_mib: settings.memory_mib, ..granted.clone() };
    let settings = Settings {
        image: settings.image.clone(),
        limits,
        deterministic: settings.deterministic,
        seed: settings.seed,
        retries: settings.retries,
        // Whoever comes meanwhile waits for one sample at most.
        at_once: app.config.workers.max(1),
    };
    Ok(Judge::new(app.backend.clone(), settings, &app.storage.aside(tenant))?)
}

/// The whole life of an evaluation.
async fn go(app: AppState, live: Arc<LiveEval>, judge: Judge, admission: Admission) {
    let record = live.record();
    let dir = app.storage.eval_dir(&record.id);
    let plan = Plan {
        problems: dir.join("problems.jsonl"),
        completions: dir.join("completions.jsonl"),
        out: Some(dir.join(VERDICTS)),
        fresh: false,
        limit: record.settings.limit,
        window: app.config.workers.max(1) * 32,
    };
    let (ks, cancel, told) = (record.settings.pass_at.clone(), live.cancel.clone(), live.clone());
    let (meter, storage, quota) = (app.meter.clone(), app.storage.clone(), app.quota(&live.tenant));
    // On a thread of its own: it reads and writes files as they come.
    let evaluating = tokio::task::spawn_blocking(move || {
        let mut tally = Tally::new(ks.clone());
        told.progress().result = EvalResult::default();
        let mut tell = |what: Told<'_>| {
            if let Told::Verdict { verdict, .. } = &what
                && !meter.used(&storage, &told.tenant, &quota, verdict.judged.fuel)
            {
                told.cancel.cancel();
            }
            told.hear(&what, &mut tally);
        };
        tokio::runtime::Handle::current().block_on(evaluate(&judge, &plan, ks, &mut tell, &cancel))
    });
    let mut evaluating = std::pin::pin!(evaluating);
    let mut clock = tokio::time::interval(NOTE_EVERY);
    let evaluated = loop {
        tokio::select! {
            evaluated = &mut evaluating => break evaluated,
            _ = clock.tick() => {
                let record = live.record();
                if let Err(error) = app.storage.save_eval(&live.tenant, &record).await {
                    tracing::warn!(eval = record.id, detail = error.detail, "failed to note how far an evaluation is");
                }
            }
        }
    };
    let evaluated = evaluated.unwrap_or_else(|panic| {
        Err(EvalError::File { path: dir.join(VERDICTS), source: std::io::Error::other(panic) })
    });
    let record = live.end(evaluated);
    if let Err(error) = app.storage.save_eval(&live.tenant, &record).await {
        tracing::error!(eval = record.id, detail = error.detail, "failed to write down how an evaluation ended");
    }
    drop(admission);
    app.evals.all().remove(&record.id);
}

impl LiveEval {
    fn hear(&self, told: &Told<'_>, tally: &mut Tally) {
        let mut record = self.progress();
        let result = &mut record.result;
        match told {
            Told::Total(total) => result.total = *total,
            Told::Bad(bad) => {
                result.bad_lines += 1;
                if result.bad.len() < BAD_SHOWN {
                    result.bad.push(crate::error::shorten(&bad.to_string(), 500));
                }
            }
            Told::Verdict { verdict, .. } => {
                tally.add(&verdict.judged);
                result.judged += 1;
                // A summary takes longer than a verdict.
                if result.judged.is_power_of_two() || result.judged.is_multiple_of(256) {
                    result.summary = Some(tally.summary());
                }
            }
        }
        let judged = result.judged;
        drop(record);
        self.changes.send_replace(judged);
    }

    fn end(&self, evaluated: std::result::Result<Evaluated, EvalError>) -> EvalRecord {
        let mut record = self.progress();
        record.finished_at = Some(now());
        match evaluated {
            Ok(evaluated) => {
                record.status = if evaluated.cancelled { EvalStatus::Cancelled } else { EvalStatus::Done };
                record.result.summary = Some(evaluated.tally.summary());
            }
            Err(error) => {
                tracing::error!(eval = record.id, %error, "an evaluation failed");
                record.status = EvalStatus::Failed;
                record.error_detail =
                    Some("its files could not be read or written; resume it when the disk is well".into());
            }
        }
        record.clone()
    }
}
