//! Workers that have nothing to do: which one takes a job, and which ones are too many.

use std::path::Path;

/// Something that is in a compartment, or in none yet.
pub(super) trait Resident {
    /// Where it is.
    fn compartment(&self) -> Option<&Path>;
}

/// Idle workers, the one that worked last at the end.
pub(super) struct Idle<W> {
    workers: Vec<W>,
    most: usize,
}

impl<W: Resident> Idle<W> {
    /// At most so many.
    pub(super) fn new(most: usize) -> Idle<W> {
        Idle { workers: Vec::new(), most: most.max(1) }
    }

    pub(super) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Workers that are in no compartment.
    pub(super) fn outsiders(&self) -> usize {
        self.workers.iter().filter(|worker| worker.compartment().is_none()).count()
    }

    /// Adds one. Returns those that are too many now: whoever has rested longest, outsiders last.
    #[must_use]
    pub(super) fn put(&mut self, worker: W) -> Vec<W> {
        self.workers.push(worker);
        let mut surplus = Vec::new();
        while self.workers.len() > self.most {
            let oldest = self.workers.iter().position(|worker| worker.compartment().is_some());
            surplus.push(self.workers.remove(oldest.unwrap_or(0)));
        }
        surplus
    }

    /// The one that a condition holds for.
    pub(super) fn take(&mut self, is: impl Fn(&W) -> bool) -> Option<W> {
        let index = self.workers.iter().rposition(is)?;
        Some(self.workers.remove(index))
    }

    /// A usable worker of this compartment, the most recent first; else one that is in none.
    pub(super) fn choose(&mut self, compartment: &Path, usable: impl Fn(&W) -> bool) -> Option<W> {
        let there = |worker: &W| worker.compartment() == Some(compartment) && usable(worker);
        let outside = |worker: &W| worker.compartment().is_none() && usable(worker);
        self.take(there).or_else(|| self.take(outside))
    }

    /// All that are in no compartment.
    pub(super) fn take_outsiders(&mut self) -> Vec<W> {
        self.workers.extract_if(.., |worker| worker.compartment().is_none()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Fake(u32, Option<&'static str>);

    impl Resident for Fake {
        fn compartment(&self) -> Option<&Path> {
            self.1.map(Path::new)
        }
    }

    #[test]
    fn a_worker_never_serves_two_compartments() {
        let mut idle = Idle::new(8);
        for worker in [Fake(1, Some("a")), Fake(2, None), Fake(3, Some("b")), Fake(4, Some("a"))] {
            assert_eq!(idle.put(worker), []);
        }
        let mut choose = |compartment: &str| idle.choose(Path::new(compartment), |_| true);
        assert_eq!(choose("a"), Some(Fake(4, Some("a"))), "the warmest");
        assert_eq!(choose("a"), Some(Fake(1, Some("a"))));
        assert_eq!(choose("a"), Some(Fake(2, None)), "one that is in none");
        assert_eq!(choose("a"), None, "never b's");
        assert_eq!(choose("b"), Some(Fake(3, Some("b"))));
    }

    #[test]
    fn the_longest_rest_ends_first_and_spares_stay() {
        let mut idle = Idle::new(2);
        assert_eq!(idle.put(Fake(1, None)), []);
        assert_eq!(idle.put(Fake(2, Some("a"))), []);
        assert_eq!(idle.put(Fake(3, Some("b"))), [Fake(2, Some("a"))]);
        assert_eq!((idle.outsiders(), idle.len()), (1, 2));
        assert_eq!(idle.choose(Path::new("b"), |worker| worker.0 != 3), Some(Fake(1, None)), "not usable");
        assert_eq!(idle.put(Fake(4, None)), []);
        assert_eq!(idle.take_outsiders(), [Fake(4, None)]);
    }
}
