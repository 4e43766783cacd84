//! The worker's side: `glovebox worker`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use glovebox_runtime::{
    Answer, Answering, CancellationToken, Event, EventBody, Image, ImageStore, Outcome, Room, RunError, Services,
    run_with,
};
use tokio::sync::{mpsc, oneshot};

use crate::jail;

use super::frame::{self, Reply, Request};
use super::sessions::Sessions;
use super::trial::Templates;

/// A worker without a job for so long has the time to make the next one faster; a busy one would lose by it.
const IDLE: Duration = Duration::from_millis(5);

/// What a worker is started with.
#[derive(Debug)]
pub struct Setting {
    /// Cache of prepared images.
    pub cache: PathBuf,
    /// Directory of further images.
    pub images_dir: Option<PathBuf>,
    /// Images that it maps. It can map no others later.
    pub images: Vec<String>,
    /// Sessions that it keeps alive.
    pub live_sessions: usize,
}

/// Maps images, locks this process where it is told to, then runs jobs from standard input until it ends. Standard output
/// carries events and outcomes.
///
/// # Errors
///
/// If the process cannot be locked, the pipes to the pool break or the image store cannot be opened.
pub fn worker_main(setting: &Setting) -> anyhow::Result<()> {
    let store = crate::images::open(&setting.cache, setting.images_dir.as_deref())?;
    let images = Images::load(&store, &setting.images);
    glovebox_runtime::open_pagemap();
    frame::write(&mut std::io::stdout().lock(), &Reply::Ready)?;
    // The first word says where its jobs will be. There is no second thread yet, which would stay free.
    let compartment = match frame::read::<Request>(&mut std::io::stdin().lock())? {
        Some(Request::Enter(compartment)) => compartment,
        Some(_) => anyhow::bail!("it was given work before it was told where"),
        None => return Ok(()),
    };
    let locked = jail::worker::lock(&compartment, &[&setting.cache])?;
    // A guest's `/tmp`, for one. This process has set none before.
    let temporary = Some(compartment.join("tmp")).filter(|dir| dir.is_dir());
    let _ = tempfile::env::override_temp_dir(temporary.as_deref().unwrap_or(&compartment));
    frame::write(&mut std::io::stdout().lock(), &Reply::Locked(locked))?;
    let (requests, inbox) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        while let Ok(Some(request)) = frame::read::<Request>(&mut stdin) {
            if requests.send(request).is_err() {
                break;
            }
        }
        // The pool is gone; so is the reason to finish anything.
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(serve(images, inbox, Sessions::new(setting.live_sessions)))
}

async fn serve(
    images: Images,
    mut inbox: mpsc::UnboundedReceiver<Request>,
    mut sessions: Sessions,
) -> anyhow::Result<()> {
    let out = RefCell::new(BufWriter::new(std::io::stdout().lock()));
    let say = |reply: &Reply| frame::write(&mut *out.borrow_mut(), reply);
    let (services, mut calls) = PoolServices::pair();
    let mut templates = Templates::default();
    let mut next = None;
    while let Some(request) = match next.take() {
        Some(request) => Some(request),
        None => inbox.recv().await,
    } {
        match request {
            Request::Cancel | Request::Answer(..) | Request::Enter(_) => {}
            Request::Forget(session) => sessions.forget(&session),
            Request::Run(job) => {
                let image = images.get(&job.image);
                let reply = match &image {
                    Ok(image) => {
                        watch(&mut inbox, &mut calls, &say, async |on_event, cancel| {
                            let services = Some(services.clone());
                            let outcome = run_with(image, &job, services, on_event, &cancel).await?;
                            Ok(Reply::Outcome(Box::new(without_events(outcome))))
                        })
                        .await
                    }
                    Err(error) => Ok(Reply::Failed(error.to_string())),
                };
                say(&reply.unwrap_or_else(failed))?;
                // The caller has its answer; what the next run needs is made while nobody waits.
                if let Ok(image) = image {
                    image.make_room();
                    match tokio::time::timeout(IDLE, inbox.recv()).await {
                        Ok(None) => return Ok(()),
                        Ok(request) => next = request,
                        Err(_) => image.make_ready().await,
                    }
                }
            }
            Request::Trial(trial) => {
                let reply = match images.get(&trial.image) {
                    Ok(image) => {
                        watch(&mut inbox, &mut calls, &say, async |_, cancel| {
                            let tried = templates.trial(&image, &trial, &cancel).await?;
                            Ok(Reply::Tried(Box::new(tried)))
                        })
                        .await
                    }
                    Err(error) => Ok(Reply::Failed(error.to_string())),
                };
                say(&reply.unwrap_or_else(failed))?;
            }
            Request::Turn(turn) => {
                let reply = match images.get(&turn.job.image) {
                    Ok(image) => {
                        watch(&mut inbox, &mut calls, &say, async |on_event, cancel| {
                            let services = services.clone();
                            let (outcome, kept) = sessions.turn(&image, &turn, services, on_event, &cancel).await?;
                            Ok(Reply::Turned(Box::new(without_events(outcome)), kept))
                        })
                        .await
                    }
                    Err(error) => Ok(Reply::Failed(error.to_string())),
                };
                say(&reply.unwrap_or_else(failed))?;
            }
        }
    }
    Ok(())
}

fn failed(error: RunError) -> Reply {
    match error {
        RunError::Checkpoint { path, reason } => Reply::Checkpoint { path, reason },
        error => Reply::Failed(error.to_string()),
    }
}

fn broken(error: std::io::Error) -> RunError {
    RunError::Worker(format!("cannot reach its pool: {error}"))
}

/// What the events brought already is not sent twice.
fn without_events(mut outcome: Outcome) -> Outcome {
    outcome.displays.clear();
    outcome.stdout.clear();
    outcome.stderr.clear();
    outcome
}

/// What a guest asks for, with the place for the answer.
struct Call {
    request: String,
    room: Room,
    answer: oneshot::Sender<Option<Answer>>,
}

/// Answers a guest's calls by asking the pool.
struct PoolServices(mpsc::UnboundedSender<Call>);

impl PoolServices {
    fn pair() -> (Arc<dyn Services>, mpsc::UnboundedReceiver<Call>) {
        let (sender, calls) = mpsc::unbounded_channel();
        (Arc::new(PoolServices(sender)), calls)
    }
}

impl Services for PoolServices {
    fn call(&self, request: String, room: Room) -> Answering<'_> {
        let (answer, answered) = oneshot::channel();
        // The receiver lives as long as the worker.
        let _ = self.0.send(Call { request, room, answer });
        Box::pin(async { answered.await.ok().flatten() })
    }
}

/// Lets a guest work, hands its events and calls on and listens for a cancellation.
async fn watch(
    inbox: &mut mpsc::UnboundedReceiver<Request>,
    calls: &mut mpsc::UnboundedReceiver<Call>,
    say: &impl Fn(&Reply) -> std::io::Result<()>,
    work: impl AsyncFnOnce(&mut (dyn FnMut(Event) + Send), CancellationToken) -> Result<Reply, RunError>,
) -> Result<Reply, RunError> {
    let cancel = CancellationToken::new();
    let (events, mut pending) = mpsc::unbounded_channel();
    let mut on_event = move |event| {
        // The receiver lives as long as the run.
        let _ = events.send(event);
    };
    let forward = |event: Event| {
        // `Ended` belongs to the outcome; a broken pipe shows when the outcome is sent.
        if !matches!(event.body, EventBody::Ended { .. }) {
            let _ = say(&Reply::Event(event));
        }
    };
    // The call that waits for its answer, and how many there were: an answer may come after its caller is gone.
    let (mut waiting, mut number) = (None, 0);
    let reply = {
        let mut running = std::pin::pin!(work(&mut on_event, cancel.clone()));
        loop {
            tokio::select! {
                biased;
                Some(event) = pending.recv() => forward(event),
                Some(call) = calls.recv() => {
                    number += 1;
                    waiting = Some((number, call.answer));
                    say(&Reply::Call { number, request: call.request, room: call.room }).map_err(broken)?;
                }
                request = inbox.recv() => match request {
                    Some(Request::Cancel) | None => cancel.cancel(),
                    Some(Request::Answer(of, answer)) => {
                        if let Some((_, waiting)) = waiting.take_if(|(number, _)| *number == of) {
                            // Whoever asked may have ended by now.
                            let _ = waiting.send(answer);
                        }
                    }
                    Some(_) => {}
                },
                reply = &mut running => break reply?,
            }
        }
    };
    while let Ok(event) = pending.try_recv() {
        forward(event);
    }
    Ok(reply)
}

/// Images that this worker has mapped, or why it could not.
struct Images(HashMap<String, Result<Arc<Image>, String>>);

impl Images {
    fn load(store: &ImageStore, names: &[String]) -> Images {
        let load = |name: &String| (name.clone(), store.load(name).map_err(|error| error.to_string()));
        Images(names.iter().map(load).collect())
    }

    fn get(&self, name: &str) -> Result<Arc<Image>, RunError> {
        match self.0.get(name) {
            Some(Ok(image)) => Ok(image.clone()),
            Some(Err(reason)) => Err(RunError::Worker(reason.clone())),
            None => Err(RunError::Worker(format!("has not mapped the image `{name}`"))),
        }
    }
}
