//! What is under way: the registry of runs and questions, the queue before the workers, and the turns of sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::error::{Code, Error, Result};
use crate::journal::Journal;
use crate::storage::{AskRecord, RunRecord, Status};
use crate::tenants::Tenant;

/// A run or a question under way.
#[derive(Debug)]
pub struct Live {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub tenant: Tenant,
    /// The session it belongs to.
    pub session: Option<String>,
    /// What it has said.
    pub journal: Journal,
    /// Ends it.
    pub cancel: CancellationToken,
    record: Mutex<Record>,
}

/// What is under way.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a handful exist at a time, each behind its own Arc")]
pub enum Record {
    /// A run.
    Run(RunRecord),
    /// A question.
    Ask(AskRecord),
}

impl Live {
    /// Something that begins.
    #[must_use]
    pub fn new(tenant: &Tenant, record: Record) -> Live {
        let (id, session) = match &record {
            Record::Run(run) => (run.id.clone(), run.session_id.clone()),
            Record::Ask(ask) => (ask.id.clone(), Some(ask.session_id.clone())),
        };
        let cancel = CancellationToken::new();
        Live { id, tenant: tenant.clone(), session, journal: Journal::default(), cancel, record: Mutex::new(record) }
    }

    /// The record as it is now.
    #[must_use]
    pub fn record(&self) -> Record {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes that it has a worker.
    pub fn set_running(&self) {
        match &mut *self.record.lock().unwrap_or_else(PoisonError::into_inner) {
            Record::Run(run) => run.status = Status::Running,
            Record::Ask(ask) => ask.status = Status::Running,
        }
    }

    /// Ends it when the guard is dropped, as a handler is when its client goes away.
    #[must_use]
    pub fn cancel_on_drop(&self) -> DropGuard {
        self.cancel.clone().drop_guard()
    }
}

/// Everything under way.
#[derive(Debug)]
pub struct Registry {
    entries: Mutex<HashMap<String, Arc<Live>>>,
    count: watch::Sender<usize>,
}

impl Default for Registry {
    fn default() -> Registry {
        Registry { entries: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl Registry {
    /// Adds what begins.
    pub fn add(&self, live: &Arc<Live>) {
        self.with(|entries| entries.insert(live.id.clone(), live.clone()));
    }

    /// Removes what is written down.
    pub fn remove(&self, id: &str) {
        self.with(|entries| entries.remove(id));
    }

    /// One by id; `None` also if it is someone else's.
    #[must_use]
    pub fn get(&self, tenant: &Tenant, id: &str) -> Option<Arc<Live>> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(id).filter(|live| live.tenant == *tenant).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Live>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Those of a session, oldest first.
    #[must_use]
    pub fn of_session(&self, tenant: &Tenant, session: &str) -> Vec<Arc<Live>> {
        let mut found = self.all();
        found.retain(|live| live.tenant == *tenant && live.session.as_deref() == Some(session));
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }

    /// Waits until nothing is under way.
    pub async fn idle(&self) {
        let mut count = self.count.subscribe();
        let _ = count.wait_for(|count| *count == 0).await;
    }

    fn with<T>(&self, change: impl FnOnce(&mut HashMap<String, Arc<Live>>) -> T) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut entries);
        self.count.send_replace(entries.len());
    }
}

/// The line before the workers. Longer than its limit it does not get: those who come then are told to come back.
#[derive(Debug)]
pub struct Queue {
    slots: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
    most: usize,
}

/// A place in the line.
#[derive(Debug)]
pub struct Ticket {
    slots: Arc<Semaphore>,
    inside: Arc<AtomicUsize>,
}

impl Queue {
    /// A line before `workers` workers in which `limit` may wait.
    #[must_use]
    pub fn new(workers: usize, limit: usize) -> Queue {
        let slots = Arc::new(Semaphore::new(workers.max(1)));
        Queue { slots, inside: Arc::default(), most: workers.max(1).saturating_add(limit) }
    }

    /// Joins the line.
    ///
    /// # Errors
    ///
    /// `busy` if it is full.
    pub fn join(&self) -> Result<Ticket> {
        let joined = self
            .inside
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |inside| (inside < self.most).then_some(inside + 1));
        match joined {
            Ok(_) => Ok(Ticket { slots: self.slots.clone(), inside: self.inside.clone() }),
            Err(inside) => Err(Error::new(
                Code::Busy,
                format!("{inside} runs and questions are under way or waiting; try again in a moment"),
            )),
        }
    }
}

impl Ticket {
    /// Waits for a worker; `None` if it was cancelled before.
    pub async fn wait(&self, cancel: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            slot = self.slots.clone().acquire_owned() => slot.ok(),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One turn at a time in each session; the others wait in the order they came.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// Waits for the session's turn.
    pub async fn take(&self, session: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            let existing = turns.get(session).and_then(Weak::upgrade);
            existing.unwrap_or_else(|| {
                let turn = Arc::default();
                turns.insert(session.to_owned(), Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_place_that_is_given_up_is_free_again() {
        let queue = Queue::new(1, 1);
        let first = queue.join().unwrap();
        let slot = first.wait(&CancellationToken::new()).await;
        let second = queue.join().unwrap();
        assert_eq!(queue.join().unwrap_err().code, Code::Busy);
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        assert!(second.wait(&cancelled).await.is_none());
        drop((first, slot));
        assert!(second.wait(&CancellationToken::new()).await.is_some());
        assert!(queue.join().is_ok());
    }

    #[tokio::test]
    async fn a_session_has_one_turn_at_a_time_and_others_do_not_wait_for_it() {
        let turns = Turns::default();
        let turn = turns.take("a").await;
        let _other = turns.take("b").await;
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(20), turns.take("a"));
        assert!(waiting.await.is_err());
        drop(turn);
        turns.take("a").await;
    }
}
