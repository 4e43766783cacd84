//! run(): the whole life of a guest that takes one turn.

use tokio_util::sync::CancellationToken;

use crate::image::Image;
use crate::session::Session;
use crate::{Event, Job, Outcome, RunError};

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
    let scratch = tempfile::Builder::new().prefix("glovebox-").tempdir();
    let scratch = scratch.map_err(RunError::io("failed to make a directory in", std::env::temp_dir()))?;
    Session::once(image, job, scratch.path()).await?.turn(job, on_event, cancel).await
}
