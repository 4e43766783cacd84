//! Circuit breaker: a server that failed several times in a row is left alone for a while, so that questions fail at
//! once instead of after minutes, and a server in trouble is not kept there.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Failures in a row that open the circuit.
const FAILURES: u32 = 5;
/// How long it stays open; then one call may try.
const PAUSE: Duration = Duration::from_secs(30);

/// What is known of a server's health.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    /// Whether a call may be made; if not, how long to wait. After the pause one caller may, and the others wait for
    /// what becomes of it.
    pub(super) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open_until {
            Some(until) if now < until => Err(until - now),
            Some(_) => {
                state.open_until = Some(now + PAUSE);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The server answered, be it with a refusal that is about the request.
    pub(super) fn succeeded(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// The server did not answer, or said that it is in trouble.
    pub(super) fn failed(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures = state.failures.saturating_add(1);
        if state.failures >= FAILURES {
            state.open_until = Some(now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_keeps_failing_is_left_alone_until_one_call_may_try() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..FAILURES {
            assert_eq!(breaker.admit(now), Ok(()));
            breaker.failed(now);
        }
        assert_eq!(breaker.admit(now), Err(PAUSE));
        assert_eq!(breaker.admit(now + PAUSE), Ok(()));
        assert!(breaker.admit(now + PAUSE).is_err(), "one call at a time may try");
        breaker.succeeded();
        assert_eq!((breaker.admit(now), breaker.admit(now)), (Ok(()), Ok(())));
    }

    #[test]
    fn a_success_between_failures_keeps_the_circuit_closed() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..3 * FAILURES {
            breaker.failed(now);
            breaker.succeeded();
            assert_eq!(breaker.admit(now), Ok(()));
        }
    }
}
