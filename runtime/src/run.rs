//! run(): the whole life of a guest that takes one turn.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::image::Image;
use crate::session::Session;
use crate::{Event, Job, Outcome, RunError, Services};

/// The guest's working directory.
pub const WORKSPACE: &str = "/mnt/data";

/// Runs a job in a fresh guest and waits for its end. `on_event` gets each event as it comes.
///
/// A guest that crashes, loops or meets a ceiling is a normal result; see [`Outcome::ending`].
/// Needs a tokio runtime with time enabled. The guest's work is done on the calling task.
///
/// # Errors
///
/// Only when our side failed: the workspace cannot be opened, the disk is full.
pub async fn run(
    image: &Image,
    job: &Job,
    on_event: &mut (dyn FnMut(Event) + Send),
    cancel: &CancellationToken,
) -> Result<Outcome, RunError> {
    run_with(image, job, None, on_event, cancel).await
}

/// As [`run`], with somebody who answers the guest's calls.
///
/// # Errors
///
/// As [`run`].
pub async fn run_with(
    image: &Image,
    job: &Job,
    services: Option<Arc<dyn Services>>,
    on_event: &mut (dyn FnMut(Event) + Send),
    cancel: &CancellationToken,
) -> Result<Outcome, RunError> {
    let scratch = tempfile::Builder::new().prefix("glovebox-").tempdir();
    let scratch = scratch.map_err(RunError::io("failed to make a directory in", std::env::temp_dir()))?;
    let mut session = Session::once(image, job, scratch.path()).await?;
    session.offer(services);
    session.turn(job, on_event, cancel).await
}
