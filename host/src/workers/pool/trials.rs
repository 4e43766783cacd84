//! Trials in the pool: as runs, but two guests and no events.

use std::sync::Arc;
use std::time::Duration;

use glovebox_runtime::{CancellationToken, Mode, RunError};

use super::{CANCEL, DETERMINISTIC, GRACE, Inner, JOBS_PER_WORKER, Pool, ReplaceOnDrop, Worker};
use crate::workers::frame::{Reply, Request};
use crate::workers::trial::{Trial, Tried};

impl Pool {
    /// Runs a trial in the next free worker and waits for its end.
    ///
    /// # Errors
    ///
    /// Our side failed, which is worth a retry, or it was cancelled.
    pub async fn trial(&self, trial: Trial, cancel: &CancellationToken) -> Result<Tried, RunError> {
        let Some(_place) = self.place(cancel).await? else {
            return Err(RunError::Worker("was not asked: the trial was cancelled".into()));
        };
        let worker = self.0.worker_for(Some(&trial.image), &trial.subject.workspace).await?;
        self.0.try_out(worker, trial, cancel).await
    }
}

impl Inner {
    async fn try_out(
        self: &Arc<Self>,
        mut worker: Worker,
        trial: Trial,
        cancel: &CancellationToken,
    ) -> Result<Tried, RunError> {
        let replace = ReplaceOnDrop { pool: Some(self.clone()), id: worker.id };
        let tried = worker.trial(trial, cancel).await?;
        let orphans = self.homes().orphans(worker.id);
        let listens = orphans.is_empty() || worker.tell_all(orphans).await.is_ok();
        if worker.jobs < JOBS_PER_WORKER && listens {
            replace.disarm();
            self.put_back(worker);
        }
        Ok(tried)
    }
}

impl Worker {
    async fn trial(&mut self, trial: Trial, cancel: &CancellationToken) -> Result<Tried, RunError> {
        self.jobs += 1;
        let patience = match trial.mode {
            Mode::Live => Duration::from_millis(trial.judge.limits.wall_time_ms) + GRACE,
            Mode::Deterministic => DETERMINISTIC,
        };
        self.tell(&Request::Trial(Box::new(trial))).await?;
        let mut kill = std::pin::pin!(tokio::time::sleep(patience));
        let mut cancelled = false;
        loop {
            tokio::select! {
                reply = self.replies.recv() => return match reply {
                    Some(Reply::Tried(tried)) => Ok(*tried),
                    Some(Reply::Failed(reason)) => Err(RunError::Worker(format!("failed: {reason}"))),
                    Some(_) => Err(RunError::Worker("broke its protocol".into())),
                    None => Err(RunError::Worker(format!("died ({})", self.epitaph().await))),
                },
                () = cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    self.tell(&Request::Cancel).await?;
                    kill.as_mut().reset(tokio::time::Instant::now() + CANCEL);
                }
                () = &mut kill => {
                    let _ = self.child.start_kill();
                    return Err(RunError::Worker("did not end a trial in time and was killed".into()));
                }
            }
        }
    }
}
