//! The guest's clocks: the machine's, or a virtual one driven by fuel.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Mode;
use crate::interrupt::Wish;

/// Where deterministic runs begin: 2024-01-01T00:00:00Z.
const VIRTUAL_EPOCH_NS: u64 = 1_704_067_200_000_000_000;
/// Virtual time that a unit of fuel takes: 5 units a nanosecond, about what a real core does.
const FUEL_PER_NS: u64 = 5;

/// The clocks of a guest, which never go back: a session that is woken goes on where it was.
#[derive(Debug)]
pub(crate) struct GuestClock {
    mode: Mode,
    /// Monotonic nanoseconds at `started`.
    base_ns: u64,
    started: Instant,
    /// What was written down of it since the last turn: a virtual clock that takes over begins there, in this instance
    /// as in one that is woken.
    settled_ns: Option<u64>,
    /// Virtual nanoseconds spent asleep in this turn.
    slept_ns: u64,
    /// Cuts sleep short.
    pub(crate) wish: Wish,
}

impl GuestClock {
    /// `base_ns`: what the monotonic clock shows at first.
    pub(crate) fn new(mode: Mode, base_ns: u64) -> GuestClock {
        let settled_ns = Some(base_ns);
        GuestClock { mode, base_ns, started: Instant::now(), settled_ns, slept_ns: 0, wish: Wish::default() }
    }

    /// What is written down of it between turns.
    pub(crate) fn settle(&mut self, fuel_used: u64) -> u64 {
        let now = self.monotonic_ns(fuel_used);
        *self.settled_ns.insert(now)
    }

    /// Begins a turn, before which `fuel_used` was spent in the last one.
    pub(crate) fn begin(&mut self, mode: Mode, fuel_used: u64) {
        if self.mode == Mode::Deterministic || mode != self.mode {
            let wish = self.wish.clone();
            let now = self.settled_ns.unwrap_or_else(|| self.monotonic_ns(fuel_used));
            *self = GuestClock { wish, ..GuestClock::new(mode, now) };
        }
        self.settled_ns = None;
    }

    /// Nanoseconds since 1970. `fuel_used` drives the virtual clock.
    pub(crate) fn realtime_ns(&self, fuel_used: u64) -> u64 {
        match self.mode {
            Mode::Live => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
            }
            Mode::Deterministic => VIRTUAL_EPOCH_NS.saturating_add(self.monotonic_ns(fuel_used)),
        }
    }

    /// Nanoseconds since the guest's start, without the time that a session slept.
    pub(crate) fn monotonic_ns(&self, fuel_used: u64) -> u64 {
        let since = match self.mode {
            Mode::Live => u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
            Mode::Deterministic => self.slept_ns.saturating_add(fuel_used / FUEL_PER_NS),
        };
        self.base_ns.saturating_add(since)
    }

    /// Sleeps; in virtual time without waiting.
    pub(crate) async fn sleep(&mut self, duration: Duration) {
        match self.mode {
            Mode::Live => self.wish.or(tokio::time::sleep(duration)).await,
            Mode::Deterministic => {
                let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                self.slept_ns = self.slept_ns.saturating_add(ns);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_virtual_clock_goes_on_from_turn_to_turn_and_after_a_wake() {
        let mut clock = GuestClock::new(Mode::Deterministic, 1000);
        clock.begin(Mode::Deterministic, 0);
        assert_eq!(clock.monotonic_ns(50), 1010);
        clock.begin(Mode::Deterministic, 50);
        assert_eq!(clock.monotonic_ns(5), 1011);
        clock.begin(Mode::Live, 5);
        assert!(clock.monotonic_ns(0) >= 1011);
        let written = clock.settle(0);
        std::thread::sleep(Duration::from_millis(1));
        clock.begin(Mode::Deterministic, 0);
        assert_eq!(clock.monotonic_ns(0), written);
        assert!(GuestClock::new(Mode::Live, 5000).monotonic_ns(0) >= 5000);
    }
}
