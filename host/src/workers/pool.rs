//! The pool's side: starts workers, hands them jobs, kills the ones that do not answer.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use glovebox_runtime::{
    Answer, CancellationToken, Clock, Display, Ending, Event, EventBody, Job, Lineage, Mode, Outcome, RunError, Usage,
};
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use super::compartment;
use super::frame::{self, Reply, Request};
use super::turn::{Kept, Turn, Turned};
use crate::jail::Locked;
use crate::media::MediaService;

mod homes;
mod idle;
mod trials;
use homes::Homes;
use idle::Idle;

/// Longest start of a worker.
const START: Duration = Duration::from_secs(30);
/// How much longer than its wall time a run may take before its worker is killed: a single host
/// call or bulk instruction can be that long.
const GRACE: Duration = Duration::from_secs(3);
/// The same for deterministic runs, whose meter is fuel.
const DETERMINISTIC: Duration = Duration::from_secs(3600);
/// How long a worker may take to end a cancelled run.
const CANCEL: Duration = Duration::from_secs(2);
/// Jobs after which a worker is replaced, so that whatever leaks stays small.
const JOBS_PER_WORKER: u32 = 10_000;

/// How a pool starts its workers.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// The glovebox binary.
    pub program: PathBuf,
    /// Processes; one per core is best.
    pub workers: usize,
    /// Cache of prepared images.
    pub cache_dir: PathBuf,
    /// Directory of further images.
    pub images_dir: Option<PathBuf>,
    /// Images that workers map before they lock themselves.
    pub preload: Vec<String>,
    /// Every job is beneath a directory in this one: its compartment, which a worker enters for good.
    pub root: PathBuf,
    /// Workers that wait for a compartment that has none, beside those that work.
    pub spares: usize,
    /// Sessions that are kept alive in all workers together.
    pub live_sessions: usize,
}

/// A pool of worker processes.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    config: PoolConfig,
    free: Semaphore,
    idle: Mutex<Idle<Worker>>,
    images: Mutex<Vec<String>>,
    locked: OnceLock<Locked>,
    waiting: AtomicUsize,
    homes: Mutex<Homes>,
    media: MediaService,
}

impl Pool {
    /// Starts the workers. Those that fail to start are tried again when a job needs them.
    ///
    /// # Errors
    ///
    /// If not one worker can be started.
    pub async fn start(config: PoolConfig) -> Result<Pool, RunError> {
        let workers = config.workers.max(1);
        let pool = Pool(Arc::new(Inner {
            free: Semaphore::new(workers),
            // As many again may rest in compartments whose next job can come any moment.
            idle: Mutex::new(Idle::new(2 * workers + config.spares)),
            images: Mutex::new(config.preload.clone()),
            locked: OnceLock::new(),
            waiting: AtomicUsize::new(0),
            homes: Mutex::default(),
            media: MediaService::new(&config.program),
            config,
        }));
        let first = pool.0.start().await?;
        pool.0.put_back(first);
        for _ in 1..workers {
            pool.0.clone().refill();
        }
        Ok(pool)
    }

    /// Lets a worker lock itself into the compartment of this path, and tells what it gave up.
    ///
    /// # Errors
    ///
    /// It cannot be locked far enough, or our side failed.
    pub async fn locked(&self, path: &Path) -> Result<Locked, RunError> {
        let worker = self.0.worker_for(None, path).await?;
        self.0.put_back(worker);
        self.0.locked.get().cloned().ok_or_else(|| RunError::Worker("did not say how it is locked".into()))
    }

    /// What the first worker that locked itself gave up.
    #[must_use]
    pub fn jail(&self) -> Option<Locked> {
        self.0.locked.get().cloned()
    }

    /// Number of worker processes.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.0.config.workers.max(1)
    }

    /// Jobs that wait for a free worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Lets workers have an image that was just prepared: those that wait for their first job are replaced, since a
    /// locked one can map no code.
    pub fn preload(&self, image: &str) {
        {
            let mut images = self.0.images.lock().unwrap_or_else(PoisonError::into_inner);
            if images.iter().any(|known| known == image) {
                return;
            }
            images.push(image.to_owned());
        }
        let outdated = self.0.idle().take_outsiders();
        for _ in outdated {
            self.0.clone().refill();
        }
    }

    /// Runs a job in the next free worker and waits for its end. `on_event` gets each event as it
    /// comes, `Ended` last. Cancelling ends the run as [`Ending::Cancelled`]; dropping the future
    /// kills the worker.
    ///
    /// # Errors
    ///
    /// Only when our side failed; worth a retry.
    pub async fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError> {
        let Some(_place) = self.place(cancel).await? else {
            return Ok(Heard::default().stopped(&job, Ending::Cancelled, on_event));
        };
        let worker = self.0.worker_for(Some(&job.image), &job.workspace).await?;
        let (outcome, _) = self.0.work(worker, Request::Run(Box::new(job)), on_event, cancel).await?;
        Ok(outcome)
    }

    /// Takes a session's turn and waits for its end, as [`Pool::run`] does: in the worker that has the session alive,
    /// if it is free, else in another. The caller sees to it that a session takes one turn at a time.
    ///
    /// # Errors
    ///
    /// [`RunError::Checkpoint`] if the session's files cannot be used; else only when our side failed.
    pub async fn turn(
        &self,
        turn: Turn,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Turned, RunError> {
        let Some(_place) = self.place(cancel).await? else {
            let outcome = Heard::default().stopped(&turn.job, Ending::Cancelled, on_event);
            return Ok(Turned { outcome, kept: None });
        };
        let session = turn.session.clone();
        let home = self.0.homes().of(&session);
        let worker = match home.and_then(|id| self.0.take_idle(id)).and_then(Worker::if_alive) {
            Some(worker) => worker,
            None => self.0.worker_for(Some(&turn.job.image), &turn.job.workspace).await?,
        };
        self.0.homes().moved(&session, worker.id);
        let (outcome, kept) = self.0.work(worker, Request::Turn(Box::new(turn)), on_event, cancel).await?;
        if kept.is_none() {
            self.0.homes().forget(&session);
        }
        Ok(Turned { outcome, kept })
    }

    /// Drops a session's live instance, if it has one. Its files stay.
    pub async fn forget(&self, session: &str) {
        let Some(id) = self.0.homes().forget(session) else { return };
        // A busy worker hears of it after its job.
        let Some(mut worker) = self.0.take_idle(id) else { return };
        let orphans = self.0.homes().orphans(id);
        if worker.tell_all(orphans).await.is_ok() {
            self.0.put_back(worker);
        }
    }

    /// Whether a worker has the session alive.
    #[must_use]
    pub fn is_live(&self, session: &str) -> bool {
        self.0.homes().of(session).is_some()
    }

    /// Waits for a free worker; `None` if the caller cancels first.
    async fn place(&self, cancel: &CancellationToken) -> Result<Option<SemaphorePermit<'_>>, RunError> {
        let _waiting = Waiting::new(&self.0.waiting);
        tokio::select! {
            place = self.0.free.acquire() => place.map(Some).map_err(|_| RunError::Worker("pool is closed".into())),
            () = cancel.cancelled() => Ok(None),
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Inner {
    fn put_back(&self, worker: Worker) {
        let surplus = self.idle().put(worker);
        for worker in surplus {
            self.homes().gone(worker.id);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle<Worker>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn homes(&self) -> MutexGuard<'_, Homes> {
        self.homes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_idle(&self, id: u64) -> Option<Worker> {
        self.idle().take(|worker| worker.id == id)
    }

    /// A worker that has mapped the image, in the compartment of this workspace.
    async fn worker_for(self: &Arc<Self>, image: Option<&str>, workspace: &Path) -> Result<Worker, RunError> {
        let compartment = compartment::of(&self.config.root, workspace)?;
        let has = |worker: &Worker| image.is_none_or(|image| worker.images.iter().any(|mapped| mapped == image));
        let found = self.idle().choose(&compartment, has);
        let mut worker = match found.and_then(Worker::if_alive) {
            Some(worker) => worker,
            None => self.start().await?,
        };
        if worker.compartment.is_none() {
            let locked = worker.enter(compartment).await?;
            if self.locked.set(locked.clone()).is_ok() && !locked.is_full() {
                tracing::warn!(jail = %locked, "this machine does not give workers a whole jail; see `glovebox doctor`");
            }
            // The next compartment should not wait for a process to start.
            if self.idle().outsiders() < self.config.spares {
                self.clone().refill();
            }
        }
        Ok(worker)
    }

    async fn start(&self) -> Result<Worker, RunError> {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Worker::start(&self.config, images).await
    }

    /// Lets a worker do one thing; afterwards it is put back or replaced.
    async fn work(
        self: &Arc<Self>,
        mut worker: Worker,
        request: Request,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<(Outcome, Option<Kept>), RunError> {
        let replace = ReplaceOnDrop { pool: Some(self.clone()), id: worker.id };
        let (outcome, kept, fate) = worker.work(request, &self.media, on_event, cancel).await?;
        let orphans = self.homes().orphans(worker.id);
        let listens = orphans.is_empty() || worker.tell_all(orphans).await.is_ok();
        if fate == Fate::Keep && worker.jobs < JOBS_PER_WORKER && listens {
            replace.disarm();
            self.put_back(worker);
        }
        Ok((outcome, kept))
    }

    /// Starts a worker in the background, if there are too few.
    fn refill(self: Arc<Self>) {
        tokio::spawn(async move {
            if !self.is_short() {
                return;
            }
            match self.start().await {
                Ok(worker) if self.is_short() => self.put_back(worker),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "a worker did not start"),
            }
        });
    }

    fn is_short(&self) -> bool {
        let idle = self.idle();
        idle.outsiders() < self.config.spares || idle.len() < self.config.workers.max(1)
    }
}

/// Counts a job as waiting while it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Waiting<'a> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts a replacement unless disarmed: also when the caller of `run` goes away in the middle.
struct ReplaceOnDrop {
    pool: Option<Arc<Inner>>,
    id: u64,
}

impl ReplaceOnDrop {
    fn disarm(mut self) {
        self.pool = None;
    }
}

impl Drop for ReplaceOnDrop {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else { return };
        pool.homes().gone(self.id);
        if tokio::runtime::Handle::try_current().is_ok() {
            pool.refill();
        }
    }
}

/// What becomes of a worker after a job.
#[derive(PartialEq, Eq)]
enum Fate {
    Keep,
    /// It was killed.
    Gone,
}

/// A live worker process.
struct Worker {
    /// Tells it from all others of this process.
    id: u64,
    child: Child,
    stdin: ChildStdin,
    /// Replies, read by a task of its own: reading a frame must not be cut in the middle.
    replies: mpsc::Receiver<Reply>,
    jobs: u32,
    /// Images that it has mapped.
    images: Vec<String>,
    /// Where it works; `None` before its first job.
    compartment: Option<PathBuf>,
}

impl idle::Resident for Worker {
    fn compartment(&self) -> Option<&Path> {
        self.compartment.as_deref()
    }
}

impl Worker {
    async fn start(config: &PoolConfig, images: Vec<String>) -> Result<Worker, RunError> {
        let mut command = Command::new(&config.program);
        command.arg("worker").arg("--cache-dir").arg(&config.cache_dir);
        command.args(images.iter().flat_map(|image| ["--image", image.as_str()]));
        let share = config.live_sessions.div_ceil(config.workers.max(1));
        command.arg("--live-sessions").arg(share.to_string());
        if let Some(dir) = &config.images_dir {
            command.arg("--images-dir").arg(dir);
        }
        // Nothing of ours is handed on, keys in the environment least of all.
        // Ctrl-C in a terminal is for us alone: we end the program and keep the worker.
        command.process_group(0);
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let failed = |error: std::io::Error| RunError::Worker(format!("did not start: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| RunError::Worker("has no pipes".into()))?;
        let (sender, replies) = mpsc::channel(64);
        tokio::spawn(read_replies(stdout, sender));
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut worker = Worker { id, child, stdin, replies, jobs: 0, images, compartment: None };
        match tokio::time::timeout(START, worker.replies.recv()).await {
            Ok(Some(Reply::Ready)) => Ok(worker),
            Ok(Some(_)) => Err(RunError::Worker("did not start: its first word was wrong".into())),
            Ok(None) => Err(RunError::Worker(format!("did not start ({})", worker.epitaph().await))),
            Err(_) => Err(RunError::Worker(format!("did not start within {} s", START.as_secs()))),
        }
    }

    /// Lets it lock itself into a compartment.
    async fn enter(&mut self, compartment: PathBuf) -> Result<Locked, RunError> {
        self.tell(&Request::Enter(compartment.clone())).await?;
        match tokio::time::timeout(START, self.replies.recv()).await {
            Ok(Some(Reply::Locked(locked))) => {
                self.compartment = Some(compartment);
                Ok(locked)
            }
            Ok(Some(_)) => Err(RunError::Worker("broke its protocol".into())),
            Ok(None) => Err(RunError::Worker(format!("did not lock itself ({})", self.epitaph().await))),
            Err(_) => Err(RunError::Worker(format!("did not lock itself within {} s", START.as_secs()))),
        }
    }

    fn if_alive(mut self) -> Option<Worker> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    async fn tell(&mut self, request: &Request) -> Result<(), RunError> {
        frame::send(&mut self.stdin, request)
            .await
            .map_err(|error| RunError::Worker(format!("does not listen: {error}")))
    }

    async fn tell_all(&mut self, requests: Vec<Request>) -> Result<(), RunError> {
        for request in requests {
            self.tell(&request).await?;
        }
        Ok(())
    }

    async fn work(
        &mut self,
        request: Request,
        media: &MediaService,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<(Outcome, Option<Kept>, Fate), RunError> {
        self.jobs += 1;
        self.tell(&request).await?;
        let job = match &request {
            Request::Run(job) => job,
            Request::Turn(turn) => &turn.job,
            _ => return Err(RunError::Worker("was asked for nothing".into())),
        };
        let patience = match job.mode {
            Mode::Live => Duration::from_millis(job.limits.wall_time_ms) + GRACE,
            Mode::Deterministic => DETERMINISTIC,
        };
        let mut heard = Heard::default();
        let mut kill = std::pin::pin!(tokio::time::sleep(patience));
        let mut cancelled = false;
        let mut answering: Option<BoxFuture<'_, (u64, Option<Answer>)>> = None;
        loop {
            tokio::select! {
                reply = self.replies.recv() => match reply {
                    Some(Reply::Event(event)) => heard.event(event, on_event),
                    Some(Reply::Outcome(outcome)) => return Ok((heard.outcome(*outcome, on_event), None, Fate::Keep)),
                    Some(Reply::Turned(outcome, kept)) => {
                        return Ok((heard.outcome(*outcome, on_event), kept, Fate::Keep));
                    }
                    Some(Reply::Checkpoint { path, reason }) => return Err(RunError::Checkpoint { path, reason }),
                    Some(Reply::Failed(reason)) => return Err(RunError::Worker(format!("failed: {reason}"))),
                    Some(Reply::Call { number, request, room }) => {
                        // Granted by the policy; a worker's word is not enough.
                        let granted = job.limits.services.contains("media");
                        answering = Some(Box::pin(async move {
                            let answer = async { media.call(&job.workspace, request, room).await };
                            (number, if granted { answer.await } else { None })
                        }));
                    }
                    Some(Reply::Ready | Reply::Locked(_) | Reply::Tried(_)) => return Err(RunError::Worker("broke its protocol".into())),
                    None => return Err(RunError::Worker(format!("died ({})", self.epitaph().await))),
                },
                (number, answer) = under_way(&mut answering) => {
                    answering = None;
                    self.tell(&Request::Answer(number, answer)).await?;
                }
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.tell(&Request::Cancel).await?;
                    kill.as_mut().reset(tokio::time::Instant::now() + CANCEL);
                }
                () = &mut kill => {
                    let _ = self.child.start_kill();
                    let ending = if cancelled { Ending::Cancelled } else { Ending::OutOfTime { clock: Clock::Wall } };
                    return Ok((heard.stopped(job, ending, on_event), None, Fate::Gone));
                }
            }
        }
    }

    async fn epitaph(&mut self) -> String {
        match tokio::time::timeout(CANCEL, self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            _ => "no exit status".into(),
        }
    }
}

/// What is under way, if anything is.
async fn under_way<T>(work: &mut Option<BoxFuture<'_, T>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

async fn read_replies(stdout: ChildStdout, sender: mpsc::Sender<Reply>) {
    let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
    while let Ok(reply) = frame::receive::<Reply>(&mut stdout).await {
        if sender.send(reply).await.is_err() {
            break;
        }
    }
}

/// What a job said so far.
#[derive(Default)]
struct Heard {
    seq: u64,
    stdout: String,
    stderr: String,
    displays: Vec<Display>,
}

impl Heard {
    fn event(&mut self, event: Event, on_event: &mut (dyn FnMut(Event) + Send)) {
        self.seq = event.seq;
        match &event.body {
            EventBody::Stdout { text } => self.stdout.push_str(text),
            EventBody::Stderr { text } => self.stderr.push_str(text),
            EventBody::Display(display) => self.displays.push(display.clone()),
            _ => {}
        }
        on_event(event);
    }

    fn outcome(self, outcome: Outcome, on_event: &mut (dyn FnMut(Event) + Send)) -> Outcome {
        let outcome = Outcome { stdout: self.stdout, stderr: self.stderr, displays: self.displays, ..outcome };
        let body = EventBody::Ended { ending: outcome.ending.clone(), usage: outcome.usage };
        on_event(Event { seq: self.seq + 1, body });
        outcome
    }

    /// The outcome of a job whose worker cannot say it any more.
    fn stopped(self, job: &Job, ending: Ending, on_event: &mut (dyn FnMut(Event) + Send)) -> Outcome {
        let outcome = Outcome {
            ending,
            stdout: String::new(),
            stderr: String::new(),
            output_truncated: false,
            displays: Vec::new(),
            artifacts: Vec::new(),
            warnings: vec![
                "the run was stopped from outside: its files were not collected and its use was not measured".into(),
            ],
            usage: Usage::default(),
            timing: None,
            lineage: Lineage { seed: job.seed, deterministic: job.mode == Mode::Deterministic, ..Lineage::default() },
        };
        self.outcome(outcome, on_event)
    }
}
