//! The sessions that a worker has alive: a cache, since each can be woken from its files.

use std::collections::HashMap;
use std::sync::Arc;

use glovebox_runtime::{CancellationToken, Event, Image, Outcome, RunError, Services, Session};

use super::turn::{Kept, Turn};

/// Mappings that all sessions may take up: of the 65,530 that Linux allows a process, the rest is for runs.
const MAPPINGS: usize = 45_000;

/// Live sessions, the least recently used of which gives way.
pub(super) struct Sessions {
    live: HashMap<String, Held>,
    most: usize,
    clock: u64,
}

struct Held {
    session: Session,
    used: u64,
}

impl Sessions {
    pub(super) fn new(most: usize) -> Sessions {
        Sessions { live: HashMap::new(), most: most.max(1), clock: 0 }
    }

    /// Drops a session's instance.
    pub(super) fn forget(&mut self, session: &str) {
        self.live.remove(session);
    }

    /// Takes a turn: in the live instance if it is where the turn begins, else in one that is woken.
    pub(super) async fn turn(
        &mut self,
        image: &Image,
        turn: &Turn,
        services: Arc<dyn Services>,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<(Outcome, Option<Kept>), RunError> {
        let live = self.live.remove(&turn.session).map(|held| held.session);
        let mut session = match live.filter(|session| session.is_intact() && session.layers() == turn.at) {
            Some(session) => session,
            None => Session::wake(image, &turn.job, &turn.scratch, &turn.at).await?,
        };
        session.offer(Some(services));
        let outcome = session.turn(&turn.job, on_event, cancel).await?;
        if !session.is_intact() {
            return Ok((outcome, None));
        }
        // Before the turn is acknowledged: from then on nothing may be lost.
        let bytes = session.save(&turn.save)?;
        let kept = Kept { layers: session.layers(), bytes };
        self.keep(&turn.session, session);
        Ok((outcome, Some(kept)))
    }

    fn keep(&mut self, id: &str, session: Session) {
        self.clock += 1;
        self.live.insert(id.to_owned(), Held { session, used: self.clock });
        let mappings = |live: &HashMap<String, Held>| live.values().map(|held| held.session.mappings()).sum::<usize>();
        while self.live.len() > 1 && (self.live.len() > self.most || mappings(&self.live) > MAPPINGS) {
            let oldest = self.live.iter().min_by_key(|(_, held)| held.used).map(|(id, _)| id.clone());
            oldest.and_then(|id| self.live.remove(&id));
        }
    }
}
