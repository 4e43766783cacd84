//! Judge: one sample in, one verdict out, whatever happens.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glovebox_runtime::{CancellationToken, Limits, Mode, Outcome, RunError};
use tokio::sync::Semaphore;

use super::{Check, Completion, Detail, Judged, Problem, Verdict, prepared, report, stdio};
use crate::app::Backend;
use crate::workers::{Part, SERVICE, Trial};

/// How samples are judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Image that they run in.
    pub image: String,
    /// What a sample may use, unless its problem says otherwise. Its clocks are set from the fuel.
    pub limits: Limits,
    /// Fixed seed and virtual clock; verdicts without times.
    pub deterministic: bool,
    /// Of random generators.
    pub seed: u64,
    /// How often a sample is tried again when our side failed.
    pub retries: u32,
    /// Samples that are at the workers at once.
    pub at_once: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            image: "python".into(),
            limits: Limits { fuel: 2 * super::FUEL_PER_SECOND, memory_mib: 512, ..Limits::default() },
            deterministic: false,
            seed: 0,
            retries: 3,
            at_once: 1,
        }
    }
}

/// Judges samples on a backend's workers.
#[derive(Clone)]
pub struct Judge(Arc<Inner>);

pub(super) struct Inner {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) settings: Settings,
    shelf: prepared::Shelf,
    places: Semaphore,
}

/// What was found in one attempt.
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) detail: Option<Detail>,
    pub(super) fuel: u64,
    pub(super) memory_bytes: u64,
}

impl Finding {
    pub(super) fn new((verdict, detail): (Verdict, Option<Detail>), outcome: Option<&Outcome>) -> Finding {
        let usage = outcome.map(|outcome| outcome.usage).unwrap_or_default();
        Finding { verdict, detail, fuel: usage.fuel, memory_bytes: usage.memory_peak_bytes }
    }
}

impl Judge {
    /// A judge that works in a new directory in `dir`, which is where the backend's workers may go.
    ///
    /// # Errors
    ///
    /// The directory cannot be made.
    pub fn new(backend: Arc<dyn Backend>, settings: Settings, dir: &Path) -> std::io::Result<Judge> {
        let places = Semaphore::new(settings.at_once.max(1));
        Ok(Judge(Arc::new(Inner { backend, settings, shelf: prepared::Shelf::new(dir)?, places })))
    }

    /// How samples are judged.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Judges a sample. Never fails: what cannot be judged is [`Verdict::Infrastructure`] after some more tries.
    pub async fn judge(&self, problem: &Problem, completion: &Completion, cancel: &CancellationToken) -> Judged {
        let started = Instant::now();
        let deterministic = self.0.settings.deterministic;
        let (finding, retries) = match completion.program(problem) {
            Some(program) => self.0.judge(problem, &program, cancel).await,
            None => {
                let detail = Detail::new("there is no program in the completion");
                (Finding::new((Verdict::NoProgram, Some(detail)), None), 0)
            }
        };
        Judged {
            problem: problem.id.clone(),
            sample: completion.sample.unwrap_or_default(),
            verdict: finding.verdict,
            detail: finding.detail,
            fuel: finding.fuel,
            memory_mib: finding.memory_bytes.div_ceil(1 << 20),
            ms: (!deterministic).then(|| (started.elapsed().as_secs_f64() * 1e5).round() / 1e2),
            retries: (!deterministic && retries > 0).then_some(retries),
        }
    }
}

impl Inner {
    async fn judge(&self, problem: &Problem, program: &str, cancel: &CancellationToken) -> (Finding, u32) {
        for attempt in 0.. {
            let _place = self.places.acquire().await;
            let found = match &problem.check {
                Check::Stdio(check) => stdio::judge(self, problem, check, program, cancel).await,
                _ => self.try_out(problem, program, cancel).await,
            };
            let error = match found {
                Ok(finding) => return (finding, attempt),
                Err(error) => error,
            };
            if cancel.is_cancelled() || attempt >= self.settings.retries {
                let message = if cancel.is_cancelled() { "cancelled".into() } else { error.to_string() };
                let verdict = (Verdict::Infrastructure, Some(Detail::new(message)));
                return (Finding::new(verdict, None), attempt);
            }
            tokio::time::sleep(Duration::from_millis(50 << attempt.min(6))).await;
        }
        unreachable!("the last attempt returns")
    }

    /// A trial: the sample on one side, its tests on the other.
    async fn try_out(&self, problem: &Problem, program: &str, cancel: &CancellationToken) -> Result<Finding, RunError> {
        let place = self.directory()?;
        let wrong = |error| io("failed to write a set-up", place.path(), error);
        let Some(setups) = self.shelf.prepare(problem).map_err(wrong)? else {
            return Err(RunError::Worker("was given a problem without tests".into()));
        };
        let part = |name: &str, setup, program, limits: Limits| -> Result<Part, RunError> {
            let workspace = place.path().join(name);
            furnish(&workspace, problem)?;
            let services = [SERVICE.to_owned()].into();
            Ok(Part { setup, setup_limits: ample(), program, limits: Limits { services, ..limits }, workspace })
        };
        let limits = self.limits(problem);
        // The tests' own limits: whoever judges has at least as much as whoever is judged.
        let fuel = limits.fuel.saturating_mul(4).max(ample().fuel);
        let wall_time_ms = limits.wall_time_ms.saturating_mul(2);
        let generous = Limits { fuel, wall_time_ms, cpu_time_ms: wall_time_ms, ..ample() };
        let trial = Trial {
            image: self.settings.image.clone(),
            subject: part("subject", setups.subject, prepared::serve(), limits)?,
            judge: part("judge", setups.judge, prepared::judge(program), generous)?,
            mode: self.mode(),
            seed: self.seed(),
        };
        let tried = self.backend.trial(trial, cancel).await?;
        if cancel.is_cancelled() {
            return Err(RunError::Worker("was told to stop".into()));
        }
        Ok(Finding::new(report::weigh(&tried), tried.subject.as_ref()))
    }

    /// A directory for one attempt.
    pub(super) fn directory(&self) -> Result<tempfile::TempDir, RunError> {
        let dir = self.shelf.dir();
        let made = tempfile::Builder::new().prefix("attempt-").tempdir_in(dir);
        made.map_err(|error| io("failed to make a directory in", dir, error))
    }

    pub(super) fn mode(&self) -> Mode {
        if self.settings.deterministic { Mode::Deterministic } else { Mode::Live }
    }

    /// Of a sample: always the same, or always another one.
    pub(super) fn seed(&self) -> u64 {
        if self.settings.deterministic { self.settings.seed } else { rand::random() }
    }

    /// A sample's limits. Its clocks leave twenty times the time that its fuel takes, for machines that are slow or busy:
    /// they are there for programs that wait.
    pub(super) fn limits(&self, problem: &Problem) -> Limits {
        let set = &self.settings.limits;
        let fuel = problem.fuel.unwrap_or(set.fuel);
        let wall_time_ms = 30_000 + (fuel / (super::FUEL_PER_SECOND / 1000)).saturating_mul(20);
        let memory_mib = problem.memory_mib.unwrap_or(set.memory_mib);
        let services = Default::default();
        Limits { fuel, memory_mib, wall_time_ms, cpu_time_ms: wall_time_ms, services, ..set.clone() }
    }
}

/// Limits of trusted code.
fn ample() -> Limits {
    Limits { wall_time_ms: 600_000, cpu_time_ms: 600_000, memory_mib: 2048, ..Limits::default() }
}

/// A working directory with the problem's files.
pub(super) fn furnish(workspace: &Path, problem: &Problem) -> Result<(), RunError> {
    std::fs::create_dir(workspace).map_err(|error| io("failed to make", workspace, error))?;
    for (name, text) in &problem.files {
        let path = workspace.join(name);
        std::fs::write(&path, text).map_err(|error| io("failed to write", &path, error))?;
    }
    Ok(())
}

pub(super) fn io(action: &'static str, path: &Path, source: std::io::Error) -> RunError {
    RunError::Io { action, path: path.to_owned(), source }
}
