//! What is under way: the registry of runs and questions, and who has which session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedMutexGuard, watch};
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
    /// Whether the next server begins it anew if this one ends before it.
    pub durable: bool,
    left: AtomicBool,
    lost: Mutex<Option<(Code, String)>>,
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
        let (tenant, journal, record) = (tenant.clone(), Journal::default(), Mutex::new(record));
        Live {
            id,
            tenant,
            session,
            journal,
            cancel,
            durable: false,
            left: AtomicBool::new(false),
            lost: Mutex::default(),
            record,
        }
    }

    /// Notes that its end could not be written down, and why: who waits for it has nothing to read.
    pub fn lose(&self, why: &Error) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some((why.code, why.detail.clone()));
    }

    /// Why its end was not written down, if it was not.
    ///
    /// # Errors
    ///
    /// That is the error.
    pub fn kept(&self) -> Result<()> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
        lost.map_or(Ok(()), |(code, detail)| Err(Error::new(code, detail)))
    }

    /// Ends it because the server stops: what is durable is not written down as ended, but left to the next server.
    pub fn stop(&self) {
        self.left.store(self.durable, Ordering::Release);
        self.cancel.cancel();
    }

    /// Whether it is left to the next server.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
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

/// Who has which session: one turn at a time, and nothing else beside it. Who comes meanwhile is told so.
#[derive(Debug, Default)]
pub struct Turns(Arc<Mutex<HashMap<String, Holder>>>);

#[derive(Debug)]
struct Holder {
    what: Doing,
    over: watch::Receiver<()>,
}

/// What goes on in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A run, by id.
    Run(String),
    /// A question, by id.
    Ask(String),
    /// Something short, such as `a restore`.
    Short(&'static str),
    /// It is being put to sleep, which nobody needs to know: others wait for it.
    Sleep,
}

/// A session that is had; free again when this is dropped.
#[derive(Debug)]
pub struct Taken {
    session: String,
    turns: Arc<Mutex<HashMap<String, Holder>>>,
    _over: watch::Sender<()>,
}

impl Turns {
    /// Takes a session.
    ///
    /// # Errors
    ///
    /// `session_busy`, naming what goes on in it.
    pub async fn take(&self, session: &str, what: Doing) -> Result<Taken> {
        loop {
            let mut over = {
                let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                match turns.get(session) {
                    None => {
                        let (sender, over) = watch::channel(());
                        turns.insert(session.to_owned(), Holder { what, over });
                        return Ok(Taken { session: session.to_owned(), turns: self.0.clone(), _over: sender });
                    }
                    Some(holder) if holder.what == Doing::Sleep => holder.over.clone(),
                    Some(holder) => return Err(holder.what.busy(session)),
                }
            };
            // An error says that the sender is gone: it is over.
            let _ = over.changed().await;
        }
    }

    /// Takes a session if nothing goes on in it.
    #[must_use]
    pub fn try_take(&self, session: &str, what: Doing) -> Option<Taken> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.contains_key(session) {
            return None;
        }
        let (sender, over) = watch::channel(());
        turns.insert(session.to_owned(), Holder { what, over });
        Some(Taken { session: session.to_owned(), turns: self.0.clone(), _over: sender })
    }

    /// Whether a program or a question runs in a session.
    #[must_use]
    pub fn is_running(&self, session: &str) -> bool {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.get(session).is_some_and(|holder| matches!(holder.what, Doing::Run(_) | Doing::Ask(_)))
    }
}

impl Doing {
    fn busy(&self, session: &str) -> Error {
        let out = |kind: &str, id: &str| {
            format!("session {session} is busy with {kind} {id}; wait for its end (its events tell) or cancel it")
        };
        let detail = match self {
            Doing::Run(id) => out("run", id),
            Doing::Ask(id) => out("ask", id),
            Doing::Short(what) => format!("session {session} is busy with {what}; try again in a moment"),
            Doing::Sleep => format!("session {session} is being put to sleep; try again in a moment"),
        };
        Error::new(Code::SessionBusy, detail)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.session);
    }
}

/// Locks by name, for which others wait in the order they came.
#[derive(Debug, Default)]
pub struct Locks(Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>);

impl Locks {
    /// Waits for the lock.
    pub async fn lock(&self, name: &str) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.retain(|_, lock| lock.strong_count() > 0);
            let existing = locks.get(name).and_then(Weak::upgrade);
            existing.unwrap_or_else(|| {
                let lock = Arc::default();
                locks.insert(name.to_owned(), Arc::downgrade(&lock));
                lock
            })
        };
        lock.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_is_had_by_one_who_is_named_to_the_others() {
        let turns = Turns::default();
        let turn = turns.take("a", Doing::Run("run_1".into())).await.unwrap();
        let _other = turns.take("b", Doing::Short("a restore")).await.unwrap();
        let busy = turns.take("a", Doing::Short("a fork")).await.unwrap_err();
        assert_eq!(busy.code, Code::SessionBusy);
        assert!(busy.detail.contains("run_1") && busy.detail.contains("cancel"), "{busy}");
        assert!(turns.is_running("a") && !turns.is_running("b"));
        drop(turn);
        assert!(turns.take("a", Doing::Short("a fork")).await.is_ok());
    }

    #[tokio::test]
    async fn a_turn_waits_for_a_session_that_is_being_put_to_sleep() {
        let turns = Arc::new(Turns::default());
        let sleep = turns.try_take("a", Doing::Sleep).unwrap();
        assert!(turns.try_take("a", Doing::Sleep).is_none());
        let waiting = tokio::spawn({
            let turns = turns.clone();
            async move { turns.take("a", Doing::Run("run_1".into())).await.map(drop) }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(sleep);
        waiting.await.unwrap().unwrap();
    }
}
