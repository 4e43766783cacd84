//! Direct runs: for callers who want an answer and no record, such as judges. Files come as bytes and go as bytes; nothing
//! is left when the answer is given.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use glovebox_runtime::{Event, EventBody, Job, Limits, Mode, Outcome, OutputOverflow, Policy, Program, RunError};
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppState, Turn};
use crate::error::{Code, Error, Result};
use crate::eval::FUEL_PER_SECOND;
use crate::files::{Workspace, export};
use crate::line::{Slot, Ticket};
use crate::quota::Admission;
use crate::runs::{blocking, remove_workspace};
use crate::storage::new_id;
use crate::tenants::Tenant;
use crate::traces::Span;

/// How long a caller waits for a place in the line. Harnesses send hundreds of programs at once and take a refusal for a
/// wrong answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes that a caller can fetch of one run.
const FETCHED: u64 = 64 << 20;
/// Least memory that is granted: an interpreter with its libraries holds half of it before a program begins.
const MIN_MEMORY_MIB: u64 = 256;

/// What a direct run may use up; never more than its policy grants.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Allowance {
    /// Seconds of computing on the reference, counted in fuel; the clock allows ten times as much and five seconds.
    pub seconds: Option<f64>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Text on stdout and stderr together, in bytes.
    pub output_bytes: Option<u64>,
}

impl Allowance {
    fn of(self, policy: &Policy) -> Limits {
        let granted = &policy.limits;
        let mut limits = Limits { artifacts: 0, services: Default::default(), ..granted.clone() };
        if let Some(seconds) = self.seconds {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "clamped"
            )]
            let (fuel, wall) = ((seconds * FUEL_PER_SECOND as f64) as u64, (seconds * 10_000.0) as u64);
            limits.fuel = granted.fuel.min(fuel.max(1));
            limits.wall_time_ms = granted.wall_time_ms.min(wall.saturating_add(5000));
        }
        if let Some(bytes) = self.memory_bytes {
            limits.memory_mib = granted.memory_mib.min((bytes >> 20).max(MIN_MEMORY_MIB));
        }
        if let Some(bytes) = self.output_bytes {
            limits.output_kib = granted.output_kib.min(bytes.div_ceil(1024));
            limits.output_overflow = OutputOverflow::End;
        }
        limits
    }
}

/// Where a direct run happens and with what.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// Name of the image.
    pub image: String,
    /// Name of the policy; empty: the tenant's own.
    pub policy: String,
    /// Files of the working directory: path and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// Paths of files that are wanted afterwards; those that are not there are left out.
    pub fetch: Vec<String>,
    /// What it may use up.
    pub allowance: Allowance,
}

/// What came of a direct run.
#[derive(Clone, Debug)]
pub struct Done {
    /// How it went.
    pub outcome: Outcome,
    /// Stdout and stderr as they came.
    pub output: String,
    /// The files that were wanted.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A working directory that goes with whoever holds it.
struct Place {
    root: PathBuf,
}

impl Place {
    /// Makes it with its files.
    async fn new(app: &App, tenant: &Tenant, files: Vec<(String, Vec<u8>)>) -> Result<Place> {
        let place = Place { root: app.storage.workspace(tenant, &new_id("run")) };
        let (root, data) = (place.root.clone(), place.data());
        blocking(move || {
            std::fs::create_dir(&root)?;
            std::fs::create_dir(root.join("tmp"))?;
            let workspace = Workspace::create(&data)?;
            files.iter().try_for_each(|(path, content)| export(&mut content.as_slice(), workspace.dir(), path))
        })
        .await?;
        Ok(place)
    }

    fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Contents of regular files, as many as fit; never through a link.
    async fn fetch(&self, paths: Vec<String>) -> Result<BTreeMap<String, Vec<u8>>> {
        let data = self.data();
        blocking(move || {
            let workspace = Workspace::open(&data)?;
            let (mut found, mut left) = (BTreeMap::new(), FETCHED);
            for path in paths {
                let Some(file) = workspace.open_regular(&path) else { continue };
                let mut content = Vec::new();
                file.take(left + 1).read_to_end(&mut content)?;
                if content.len() as u64 <= left {
                    left -= content.len() as u64;
                    found.insert(path, content);
                }
            }
            Ok(found)
        })
        .await
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Also when the caller goes away in the middle.
        if tokio::runtime::Handle::try_current().is_ok() {
            tokio::spawn(remove_workspace(self.root.clone()));
        }
    }
}

/// A run's place at the workers and on the disk, with its count in the metrics; all given back when it is dropped.
struct Entered<'a> {
    app: &'a App,
    place: Place,
    began: Instant,
    _running: Gauge<'a>,
    admission: Option<Admission>,
    _slot: Option<Slot>,
    _ticket: Ticket,
}

impl<'a> Entered<'a> {
    async fn new(app: &'a App, tenant: &Tenant, setting: &mut Setting, limits: &mut Limits) -> Result<Entered<'a>> {
        check(setting)?;
        let began = Instant::now();
        let waiting = Gauge::new(&app.metrics.waiting);
        let ticket = join(app, tenant).await?;
        let admission = admitted(app, tenant, limits).await?;
        let slot = ticket.wait(&CancellationToken::new()).await;
        drop(waiting);
        let running = Gauge::new(&app.metrics.running);
        let place = Place::new(app, tenant, std::mem::take(&mut setting.files)).await?;
        Ok(Entered { app, place, began, admission: Some(admission), _running: running, _slot: slot, _ticket: ticket })
    }

    fn job(&self, setting: &Setting, program: Program, limits: Limits) -> Job {
        let (image, workspace) = (setting.image.clone(), self.place.data());
        Job { image, program, workspace, limits, mode: Mode::Live, seed: None }
    }

    /// Counts what it used.
    fn settle(&mut self, outcomes: &[Outcome]) {
        if let Some(admission) = self.admission.take() {
            admission.settle_all(outcomes);
        }
    }

    /// Counts its end, and passes it on.
    fn ended<T>(&self, result: std::result::Result<T, RunError>, ending: impl Fn(&T) -> &'static str) -> Result<T> {
        let name = result.as_ref().map_or("failed", ending);
        self.app.metrics.run(name, self.began.elapsed());
        Ok(result?)
    }
}

/// Counts one more while it lives.
struct Gauge<'a>(&'a AtomicI64);

impl<'a> Gauge<'a> {
    fn new(count: &'a AtomicI64) -> Gauge<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Gauge(count)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs a program and gives what it printed and left.
///
/// # Errors
///
/// Unknown or unready image, unknown policy, a file name that leads out of the working directory, no place in the line for
/// two minutes, or our side failed.
pub async fn run(app: &AppState, tenant: &Tenant, mut setting: Setting, program: Program) -> Result<Done> {
    let policy = &app.policy(tenant, &setting.policy)?;
    app.ready_image(&setting.image, policy)?;
    let mut limits = setting.allowance.of(policy);
    let mut entered = Entered::new(app, tenant, &mut setting, &mut limits).await?;
    let job = entered.job(&setting, program, limits);
    let mut output = String::new();
    let mut on_event = |event: Event| match event.body {
        EventBody::Stdout { text } | EventBody::Stderr { text } => output.push_str(&text),
        _ => {}
    };
    let outcome = Span::new("execute").around(app.backend.run(job, &mut on_event, &CancellationToken::new())).await;
    let outcome = entered.ended(outcome, |outcome| outcome.ending.name())?;
    entered.settle(std::slice::from_ref(&outcome));
    let files = entered.place.fetch(setting.fetch).await?;
    Ok(Done { outcome, output, files })
}

/// What came of a notebook.
#[derive(Clone, Debug)]
pub struct Notebook {
    /// How each cell went that was begun.
    pub cells: Vec<Outcome>,
    /// The files that were wanted.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Runs cells one after the other in one interpreter: an exception ends its cell alone, a limit all of them. `each`
/// bounds one cell, the setting's allowance their sum.
///
/// # Errors
///
/// As [`run`].
pub async fn notebook(
    app: &AppState,
    tenant: &Tenant,
    mut setting: Setting,
    cells: Vec<String>,
    each: Allowance,
) -> Result<Notebook> {
    let policy = &app.policy(tenant, &setting.policy)?;
    app.ready_image(&setting.image, policy)?;
    let (mut whole, each) = (setting.allowance.of(policy), each.of(policy));
    let mut entered = Entered::new(app, tenant, &mut setting, &mut whole).await?;
    let id = new_id("ses");
    let outcomes = take_turns(&entered, &setting, &id, cells, (&whole, &each)).await;
    app.backend.forget(&id).await;
    let name = |outcomes: &Vec<Outcome>| outcomes.last().map_or("exited", |outcome| outcome.ending.name());
    let cells = entered.ended(outcomes, name)?;
    entered.settle(&cells);
    let files = entered.place.fetch(setting.fetch).await?;
    Ok(Notebook { cells, files })
}

async fn take_turns(
    entered: &Entered<'_>,
    setting: &Setting,
    id: &str,
    cells: Vec<String>,
    (whole, each): (&Limits, &Limits),
) -> std::result::Result<Vec<Outcome>, RunError> {
    let (began, mut fuel) = (Instant::now(), whole.fuel);
    let (mut outcomes, mut at) = (Vec::with_capacity(cells.len()), Vec::new());
    for (number, source) in cells.into_iter().enumerate() {
        let spent = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let limits = Limits {
            fuel: each.fuel.min(fuel),
            wall_time_ms: each.wall_time_ms.min(whole.wall_time_ms.saturating_sub(spent)),
            ..whole.clone()
        };
        let turn = Turn {
            session: id.to_owned(),
            job: entered.job(setting, Program { source, ..Program::default() }, limits),
            scratch: entered.place.root.join("tmp"),
            at: std::mem::take(&mut at),
            save: entered.place.root.join(format!("layer-{number}")),
        };
        let turned = entered.app.backend.turn(turn, &mut |_| {}, &CancellationToken::new()).await?;
        fuel = fuel.saturating_sub(turned.outcome.usage.fuel);
        outcomes.push(turned.outcome);
        match turned.kept {
            Some(kept) => at = kept.layers,
            None => break,
        }
    }
    Ok(outcomes)
}

/// Joins the line, and waits for a place in it while it is full.
async fn join(app: &App, tenant: &Tenant) -> Result<Ticket> {
    let began = Instant::now();
    loop {
        match app.queue.join(tenant) {
            Err(error) if error.code == Code::Busy && began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            joined => return joined,
        }
    }
}

/// Waits while as many of the tenant's runs are under way as may be; harnesses send hundreds at once.
async fn admitted(app: &App, tenant: &Tenant, limits: &mut Limits) -> Result<Admission> {
    let (began, quota) = (Instant::now(), app.quota(tenant));
    loop {
        match app.meter.run(&app.storage, tenant, &quota, limits).await {
            Err(error) if error.is_momentary() && began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            admitted => return admitted,
        }
    }
}

/// Refuses names that lead out of the working directory, or nowhere.
fn check(setting: &Setting) -> Result<()> {
    let paths = setting.files.iter().map(|(path, _)| path).chain(&setting.fetch);
    let strange = |path: &str| {
        path.len() > 1000
            || path.contains(['\0', '\\'])
            || path.split('/').any(|part| part.is_empty() || part == "." || part == ".." || part.len() > 255)
    };
    match paths.into_iter().find(|path| strange(path)) {
        Some(path) => Err(Error::invalid(format!(
            "files: {:?} is not a path within the working directory",
            crate::error::shorten(path, 80)
        ))),
        None => Ok(()),
    }
}
