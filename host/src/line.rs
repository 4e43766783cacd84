//! The line before the workers: fair between tenants. Each has a line of its own, and a free place goes to them in turn, so
//! that a tenant with five hundred programs waiting does not hold up another's one (bar L-04).

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::error::{Code, Error, Result};
use crate::tenants::Tenant;

/// The line. A tenant's own gets no longer than its limit: those who come then are told to come back.
#[derive(Clone, Debug)]
pub struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    most: usize,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Tenants with somebody waiting, whose turn is next at the front.
    waiting: VecDeque<(Tenant, VecDeque<oneshot::Sender<Slot>>)>,
    /// Who waits or works, by tenant.
    inside: HashMap<Tenant, usize>,
}

/// A place in the line; left when it is dropped.
#[derive(Debug)]
pub struct Ticket {
    queue: Queue,
    tenant: Tenant,
}

/// A place at the workers; free again when it is dropped.
#[derive(Debug)]
pub struct Slot(Option<Queue>);

impl Queue {
    /// A line before `workers` workers in which `limit` of each tenant may wait.
    #[must_use]
    pub fn new(workers: usize, limit: usize) -> Queue {
        let workers = workers.max(1);
        let state = State { free: workers, waiting: VecDeque::new(), inside: HashMap::new() };
        Queue(Arc::new(Inner { state: Mutex::new(state), most: workers.saturating_add(limit) }))
    }

    /// Joins the line.
    ///
    /// # Errors
    ///
    /// `busy` if the tenant's is full.
    pub fn join(&self, tenant: &Tenant) -> Result<Ticket> {
        let mut state = self.state();
        let inside = state.inside.entry(tenant.clone()).or_default();
        if *inside >= self.0.most {
            let detail = format!("{inside} runs and questions are under way or waiting; try again in a moment");
            return Err(Error::new(Code::Busy, detail));
        }
        *inside += 1;
        Ok(Ticket { queue: self.clone(), tenant: tenant.clone() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives free places away, one tenant after the other.
    fn serve(&self, state: &mut State) {
        while state.free > 0
            && let Some((tenant, mut line)) = state.waiting.pop_front()
        {
            if let Some(next) = line.pop_front() {
                match next.send(Slot(Some(self.clone()))) {
                    Ok(()) => state.free -= 1,
                    // Whoever waited has gone away. The place is not theirs to give back: the lock is held here.
                    Err(mut slot) => drop(slot.0.take()),
                }
            }
            if !line.is_empty() {
                state.waiting.push_back((tenant, line));
            }
        }
    }
}

impl Ticket {
    /// Waits for a place at the workers; `None` if it was cancelled before.
    pub async fn wait(&self, cancel: &CancellationToken) -> Option<Slot> {
        if cancel.is_cancelled() {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.queue.state();
            match state.waiting.iter_mut().find(|(tenant, _)| *tenant == self.tenant) {
                Some((_, line)) => {
                    // Who went away leaves something behind, which a long wait must not let grow.
                    if line.len() >= self.queue.0.most {
                        line.retain(|sender| !sender.is_closed());
                    }
                    line.push_back(sender);
                }
                None => state.waiting.push_back((self.tenant.clone(), [sender].into())),
            }
            self.queue.serve(&mut state);
        }
        tokio::select! {
            biased;
            slot = receiver => slot.ok(),
            () = cancel.cancelled() => None,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        if let Some(inside) = state.inside.get_mut(&self.tenant) {
            *inside -= 1;
            if *inside == 0 {
                state.inside.remove(&self.tenant);
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            let mut state = queue.state();
            state.free += 1;
            queue.serve(&mut state);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> Tenant {
        Tenant::new(name).unwrap()
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_a_place_that_is_given_up_is_free_again() {
        let (queue, a) = (Queue::new(1, 1), tenant("a"));
        let first = queue.join(&a).unwrap();
        let slot = first.wait(&CancellationToken::new()).await;
        let second = queue.join(&a).unwrap();
        assert_eq!(queue.join(&a).unwrap_err().code, Code::Busy);
        assert!(queue.join(&tenant("b")).is_ok(), "another's line is its own");
        let cancelled = CancellationToken::new();
        cancelled.cancel();
        assert!(second.wait(&cancelled).await.is_none());
        drop((first, slot));
        assert!(second.wait(&CancellationToken::new()).await.is_some());
        assert!(queue.join(&a).is_ok());
    }

    #[tokio::test]
    async fn a_free_place_goes_to_the_tenants_in_turn() {
        let queue = Queue::new(1, 1000);
        let holder = queue.join(&tenant("z")).unwrap();
        let held = holder.wait(&CancellationToken::new()).await;
        let served = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for name in ["a", "a", "a", "b", "a", "c", "b"] {
            let (ticket, served) = (queue.join(&tenant(name)).unwrap(), served.clone());
            tasks.push(tokio::spawn(async move {
                let slot = ticket.wait(&CancellationToken::new()).await;
                served.lock().unwrap().push(name);
                drop(slot);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*served.lock().unwrap(), ["a", "b", "c", "a", "b", "a", "a"]);
    }

    #[tokio::test]
    async fn who_goes_away_while_waiting_takes_no_place_along() {
        let (queue, a) = (Queue::new(1, 10), tenant("a"));
        let holder = queue.join(&a).unwrap();
        let held = holder.wait(&CancellationToken::new()).await;
        for _ in 0..3 {
            let gone = queue.join(&a).unwrap();
            let cancel = CancellationToken::new();
            let waiting = tokio::time::timeout(std::time::Duration::from_millis(1), gone.wait(&cancel));
            assert!(waiting.await.is_err());
        }
        drop(held);
        let again = queue.join(&a).unwrap();
        let slot = again.wait(&CancellationToken::new()).await;
        assert!(slot.is_some());
        // A place that was given, and its receiver is dropped before it looked.
        let ticket = queue.join(&a).unwrap();
        {
            let cancel = CancellationToken::new();
            let mut waiting = Box::pin(ticket.wait(&cancel));
            assert!(futures::poll!(&mut waiting).is_pending());
            drop(slot);
        }
        assert!(ticket.wait(&CancellationToken::new()).await.is_some());
        drop((holder, again, ticket));
        assert!(queue.state().inside.is_empty() && queue.state().free == 1);
    }
}
