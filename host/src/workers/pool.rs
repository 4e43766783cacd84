//! The pool's side: starts workers, hands them jobs, kills the ones that do not answer.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use glovebox_runtime::{
    CancellationToken, Clock, Display, Ending, Event, EventBody, Job, Lineage, Mode, Outcome, RunError, Usage,
};
use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Semaphore, mpsc};

use super::frame::{self, Reply, Request};

/// Longest start of a worker.
const START: Duration = Duration::from_secs(30);
/// How much longer than its wall time a run may take before its worker is killed: a single host
/// call or bulk instruction can be that long.
const GRACE: Duration = Duration::from_secs(3);
/// The same for deterministic runs, whose meter is fuel.
const DETERMINISTIC: Duration = Duration::from_secs(3600);
/// How long a worker may take to end a cancelled run.
const CANCEL: Duration = Duration::from_secs(1);
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
    /// Images that workers map before their first job.
    pub preload: Vec<String>,
}

/// A pool of worker processes.
#[derive(Clone)]
pub struct Pool(Arc<Inner>);

struct Inner {
    config: PoolConfig,
    free: Semaphore,
    idle: Mutex<Vec<Worker>>,
    waiting: AtomicUsize,
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
            idle: Mutex::new(Vec::new()),
            waiting: AtomicUsize::new(0),
            config,
        }));
        let first = Worker::start(&pool.0.config).await?;
        pool.0.put_back(first);
        for _ in 1..workers {
            pool.0.clone().refill();
        }
        Ok(pool)
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

    /// Tells idle workers to map an image that was just prepared.
    pub async fn preload(&self, image: &str) {
        let idle = std::mem::take(&mut *self.0.idle.lock().unwrap_or_else(PoisonError::into_inner));
        for mut worker in idle {
            if worker.tell(&Request::Load(image.into())).await.is_ok() {
                self.0.put_back(worker);
            }
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
        let _place = {
            let _waiting = Waiting::new(&self.0.waiting);
            tokio::select! {
                place = self.0.free.acquire() => place.map_err(|_| RunError::Worker("pool is closed".into()))?,
                () = cancel.cancelled() => return Ok(Heard::default().stopped(&job, Ending::Cancelled, on_event)),
            }
        };
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut worker = match idle.and_then(Worker::if_alive) {
            Some(worker) => worker,
            None => Worker::start(&self.0.config).await?,
        };
        let replace = ReplaceOnDrop(Some(self.0.clone()));
        let result = worker.run(job, on_event, cancel).await;
        if matches!(result, Ok((_, Fate::Keep))) && worker.jobs < JOBS_PER_WORKER {
            replace.disarm();
            self.0.put_back(worker);
        }
        result.map(|(outcome, _)| outcome)
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").field("config", &self.0.config).finish_non_exhaustive()
    }
}

impl Inner {
    fn put_back(&self, worker: Worker) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(worker);
    }

    /// Starts a worker in the background.
    fn refill(self: Arc<Self>) {
        tokio::spawn(async move {
            match Worker::start(&self.config).await {
                Ok(worker) => {
                    let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                    if idle.len() < self.config.workers.max(1) {
                        idle.push(worker);
                    }
                }
                Err(error) => tracing::warn!(%error, "a worker did not start"),
            }
        });
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
struct ReplaceOnDrop(Option<Arc<Inner>>);

impl ReplaceOnDrop {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for ReplaceOnDrop {
    fn drop(&mut self) {
        if let Some(pool) = self.0.take().filter(|_| tokio::runtime::Handle::try_current().is_ok()) {
            pool.refill();
        }
    }
}

/// What becomes of a worker after a job.
enum Fate {
    Keep,
    /// It was killed.
    Gone,
}

/// A live worker process.
struct Worker {
    child: Child,
    stdin: ChildStdin,
    /// Replies, read by a task of its own: reading a frame must not be cut in the middle.
    replies: mpsc::Receiver<Reply>,
    jobs: u32,
}

impl Worker {
    async fn start(config: &PoolConfig) -> Result<Worker, RunError> {
        let mut command = Command::new(&config.program);
        command.arg("worker").arg("--cache-dir").arg(&config.cache_dir);
        if let Some(dir) = &config.images_dir {
            command.arg("--images-dir").arg(dir);
        }
        // Nothing of ours is handed on, keys in the environment least of all.
        command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let failed = |error: std::io::Error| RunError::Worker(format!("did not start: {error}"));
        let mut child = command.spawn().map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (stdin, stdout) = pipes.ok_or_else(|| RunError::Worker("has no pipes".into()))?;
        let (sender, replies) = mpsc::channel(64);
        tokio::spawn(read_replies(stdout, sender));
        let mut worker = Worker { child, stdin, replies, jobs: 0 };
        match tokio::time::timeout(START, worker.replies.recv()).await {
            Ok(Some(Reply::Ready)) => {}
            Ok(_) => return Err(RunError::Worker("did not start: its first word was wrong".into())),
            Err(_) => return Err(RunError::Worker(format!("did not start within {} s", START.as_secs()))),
        }
        for image in &config.preload {
            worker.tell(&Request::Load(image.clone())).await?;
        }
        Ok(worker)
    }

    fn if_alive(mut self) -> Option<Worker> {
        matches!(self.child.try_wait(), Ok(None)).then_some(self)
    }

    async fn tell(&mut self, request: &Request) -> Result<(), RunError> {
        frame::send(&mut self.stdin, request)
            .await
            .map_err(|error| RunError::Worker(format!("does not listen: {error}")))
    }

    async fn run(
        &mut self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<(Outcome, Fate), RunError> {
        self.jobs += 1;
        let patience = match job.mode {
            Mode::Live => Duration::from_millis(job.limits.wall_time_ms) + GRACE,
            Mode::Deterministic => DETERMINISTIC,
        };
        let request = Request::Run(Box::new(job));
        self.tell(&request).await?;
        let Request::Run(job) = request else { return Err(RunError::Worker("was asked for nothing".into())) };
        let mut heard = Heard::default();
        let mut kill = std::pin::pin!(tokio::time::sleep(patience));
        let mut cancelled = false;
        loop {
            tokio::select! {
                reply = self.replies.recv() => match reply {
                    Some(Reply::Event(event)) => heard.event(event, on_event),
                    Some(Reply::Outcome(outcome)) => return Ok((heard.outcome(*outcome, on_event), Fate::Keep)),
                    Some(Reply::Failed(reason)) => return Err(RunError::Worker(format!("failed: {reason}"))),
                    Some(Reply::Ready) => return Err(RunError::Worker("broke its protocol".into())),
                    None => return Err(RunError::Worker(format!("died ({})", self.epitaph().await))),
                },
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.tell(&Request::Cancel).await?;
                    kill.as_mut().reset(tokio::time::Instant::now() + CANCEL);
                }
                () = &mut kill => {
                    let _ = self.child.start_kill();
                    let ending = if cancelled { Ending::Cancelled } else { Ending::OutOfTime { clock: Clock::Wall } };
                    return Ok((heard.stopped(&job, ending, on_event), Fate::Gone));
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
