//! Which worker has which session alive.

use std::collections::{HashMap, HashSet};

use crate::workers::frame::Request;

/// Sessions by worker, and those that a worker still has but need not keep.
#[derive(Default)]
pub(super) struct Homes {
    of: HashMap<String, u64>,
    orphans: HashMap<u64, HashSet<String>>,
}

impl Homes {
    /// The worker that has a session alive.
    pub(super) fn of(&self, session: &str) -> Option<u64> {
        self.of.get(session).copied()
    }

    /// A worker takes a session's turn; what another has of it is out of date.
    pub(super) fn moved(&mut self, session: &str, worker: u64) {
        let before = self.of.insert(session.to_owned(), worker);
        if let Some(before) = before.filter(|before| *before != worker) {
            self.orphans.entry(before).or_default().insert(session.to_owned());
        }
        if let Some(orphans) = self.orphans.get_mut(&worker) {
            orphans.remove(session);
        }
    }

    /// A session is to have no live instance. Returns the worker that is to be told so.
    pub(super) fn forget(&mut self, session: &str) -> Option<u64> {
        let worker = self.of.remove(session)?;
        self.orphans.entry(worker).or_default().insert(session.to_owned());
        Some(worker)
    }

    /// What a worker is to be told.
    pub(super) fn orphans(&mut self, worker: u64) -> Vec<Request> {
        let orphans = self.orphans.remove(&worker).unwrap_or_default();
        orphans.into_iter().map(Request::Forget).collect()
    }

    /// A worker is gone with everything that it had.
    pub(super) fn gone(&mut self, worker: u64) {
        self.of.retain(|_, home| *home != worker);
        self.orphans.remove(&worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_moves_is_forgotten_where_it_was_and_a_dead_worker_has_none() {
        let mut homes = Homes::default();
        homes.moved("s", 1);
        homes.moved("s", 2);
        assert_eq!((homes.of("s"), homes.orphans(1).len(), homes.orphans(2).len()), (Some(2), 1, 0));
        homes.moved("s", 1);
        homes.moved("s", 2);
        homes.moved("s", 1);
        assert_eq!(homes.orphans(1).len(), 0, "it came back before it was told");
        homes.gone(1);
        assert_eq!(homes.of("s"), None);
        assert_eq!(homes.forget("s"), None);
    }
}
