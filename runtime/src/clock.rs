//! The guest's clocks: the machine's, or a virtual one driven by fuel.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::Mode;

/// Where deterministic runs begin: 2024-01-01T00:00:00Z.
const VIRTUAL_EPOCH_NS: u64 = 1_704_067_200_000_000_000;
/// Virtual time that a unit of fuel takes: 5 units a nanosecond, about what a real core does.
const FUEL_PER_NS: u64 = 5;

/// The clocks of one run.
#[derive(Debug)]
pub(crate) struct GuestClock {
    mode: Mode,
    started: Instant,
    /// Virtual nanoseconds spent asleep.
    slept_ns: u64,
}

impl GuestClock {
    pub(crate) fn new(mode: Mode) -> GuestClock {
        GuestClock { mode, started: Instant::now(), slept_ns: 0 }
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

    /// Nanoseconds since the start of the run.
    pub(crate) fn monotonic_ns(&self, fuel_used: u64) -> u64 {
        match self.mode {
            Mode::Live => u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
            Mode::Deterministic => self.slept_ns.saturating_add(fuel_used / FUEL_PER_NS),
        }
    }

    /// Sleeps; in virtual time without waiting.
    pub(crate) async fn sleep(&mut self, duration: Duration) {
        match self.mode {
            Mode::Live => tokio::time::sleep(duration).await,
            Mode::Deterministic => {
                let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
                self.slept_ns = self.slept_ns.saturating_add(ns);
            }
        }
    }
}
