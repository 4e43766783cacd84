//! The worker's side: `glovebox worker`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use glovebox_runtime::{CancellationToken, EventBody, Image, ImageStore, Job, RunError, run};
use tokio::sync::mpsc;

use super::frame::{self, Reply, Request};

/// Runs jobs from standard input until it ends. Standard output carries events and outcomes.
///
/// # Errors
///
/// If the pipes to the pool break or the image store cannot be opened.
pub fn worker_main(cache: &Path, images_dir: Option<&Path>) -> anyhow::Result<()> {
    let store = crate::images::open(cache, images_dir)?;
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
    runtime.block_on(serve(store, inbox))
}

async fn serve(store: ImageStore, mut inbox: mpsc::UnboundedReceiver<Request>) -> anyhow::Result<()> {
    let out = RefCell::new(BufWriter::new(std::io::stdout().lock()));
    let say = |reply: &Reply| frame::write(&mut *out.borrow_mut(), reply);
    let mut images = Images { store, loaded: HashMap::new() };
    say(&Reply::Ready)?;
    while let Some(request) = inbox.recv().await {
        match request {
            // A job for it will say what is wrong.
            Request::Load(name) => drop(images.get(&name)),
            Request::Cancel => {}
            Request::Run(job) => {
                let image = images.get(&job.image);
                let reply = match &image {
                    Ok(image) => run_one(image, &job, &mut inbox, &say).await,
                    Err(error) => Ok(Reply::Failed(error.to_string())),
                };
                say(&reply.unwrap_or_else(|error| Reply::Failed(error.to_string())))?;
                // The caller has its answer; what the next run needs is made while nobody waits.
                if let Ok(image) = image {
                    image.make_ready();
                }
            }
        }
    }
    Ok(())
}

async fn run_one(
    image: &Image,
    job: &Job,
    inbox: &mut mpsc::UnboundedReceiver<Request>,
    say: &impl Fn(&Reply) -> std::io::Result<()>,
) -> Result<Reply, RunError> {
    let cancel = CancellationToken::new();
    let (events, mut pending) = mpsc::unbounded_channel();
    let mut on_event = move |event| {
        // The receiver lives as long as the run.
        let _ = events.send(event);
    };
    let forward = |event: glovebox_runtime::Event| {
        // `Ended` belongs to the outcome; a broken pipe shows when the outcome is sent.
        if !matches!(event.body, EventBody::Ended { .. }) {
            let _ = say(&Reply::Event(event));
        }
    };
    let mut outcome = {
        let mut running = std::pin::pin!(run(image, job, &mut on_event, &cancel));
        loop {
            tokio::select! {
                biased;
                Some(event) = pending.recv() => forward(event),
                request = inbox.recv() => {
                    if matches!(request, Some(Request::Cancel) | None) {
                        cancel.cancel();
                    }
                }
                outcome = &mut running => break outcome?,
            }
        }
    };
    while let Ok(event) = pending.try_recv() {
        forward(event);
    }
    outcome.displays.clear();
    outcome.stdout.clear();
    outcome.stderr.clear();
    Ok(Reply::Outcome(Box::new(outcome)))
}

/// Images that this worker has mapped.
struct Images {
    store: ImageStore,
    loaded: HashMap<String, Arc<Image>>,
}

impl Images {
    fn get(&mut self, name: &str) -> Result<Arc<Image>, RunError> {
        if let Some(image) = self.loaded.get(name) {
            return Ok(image.clone());
        }
        let image = self.store.load(name)?;
        self.loaded.insert(name.into(), image.clone());
        Ok(image)
    }
}
