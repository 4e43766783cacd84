//! Meter: counts memory, output and time, and stops the guest at a ceiling.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use crate::interrupt::Interrupt;
use crate::{Clock, Limits, Mode};

/// Fuel between two looks at the clocks: about 2 ms of work.
pub(crate) const YIELD_FUEL: u64 = 10_000_000;

/// Counts memory and says no where the limit would be passed.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    limit: usize,
    /// Sizes by kind: Wasmtime tells only the size before and after a growth.
    held: usize,
    peak: usize,
    /// True once a growth was refused: tells an abort for want of memory from a crash.
    pub(crate) refused: bool,
}

impl MemoryMeter {
    /// `base`: bytes of the image that the instance has from the start.
    pub(crate) fn new(limits: &Limits) -> MemoryMeter {
        let limit = usize::try_from(limits.memory_mib.saturating_mul(1 << 20)).unwrap_or(usize::MAX);
        MemoryMeter { limit, held: 0, peak: 0, refused: false }
    }

    /// Counts memory that is there without having been asked for.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.held += bytes;
        self.peak = self.peak.max(self.held);
    }

    /// Begins a turn of a session.
    pub(crate) fn begin(&mut self, limits: &Limits) {
        let held = self.held;
        *self = MemoryMeter { held, peak: held, ..MemoryMeter::new(limits) };
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak as u64
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let held = self.held.saturating_add(desired.saturating_sub(current));
        if held > self.limit {
            self.refused = true;
            return false;
        }
        self.held = held;
        self.peak = self.peak.max(held);
        true
    }
}

impl wasmtime::ResourceLimiter for MemoryMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(current, desired))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _max: Option<usize>) -> wasmtime::Result<bool> {
        // A table element takes a pointer.
        const ELEMENT: usize = size_of::<usize>();
        Ok(self.grow(current * ELEMENT, desired * ELEMENT))
    }
}

/// Why a guest was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// A time limit.
    OutOfTime(Clock),
    /// The caller's wish.
    Cancelled,
    /// The output limit, where the policy ends such runs.
    TooMuchOutput,
}

/// Polls a guest until it ends or must be stopped, with its clocks in view.
///
/// The guest yields every [`YIELD_FUEL`] and whenever it waits in a host call, so that the clocks
/// are looked at in both cases. Processor time is summed over the polls alone: what else the
/// thread does between them is not the guest's.
pub(crate) struct Watch<'a, F, D> {
    pub(crate) guest: Pin<&'a mut F>,
    pub(crate) clocks: &'a mut Clocks,
    pub(crate) cancel: Pin<&'a mut tokio_util::sync::WaitForCancellationFutureOwned>,
    pub(crate) deadline: Pin<&'a mut tokio::time::Sleep>,
    /// Asked once the caller cancels: whether the guest gets the time to end by itself.
    pub(crate) interrupt: Option<Interrupt>,
    /// Called after every poll: hands on what happened. True asks to stop.
    pub(crate) drain: D,
    /// False at first: the guest has not been polled, the caller has not cancelled.
    pub(crate) begun: bool,
    pub(crate) cancelled: bool,
}

/// The clocks of a run.
#[derive(Debug)]
pub(crate) struct Clocks {
    started: Instant,
    cpu: Duration,
    wall_limit: Option<Duration>,
    cpu_limit: Option<Duration>,
}

impl Clocks {
    /// In deterministic mode fuel alone is the limit.
    pub(crate) fn start(limits: &Limits, mode: Mode) -> Clocks {
        let limit = |ms| (mode == Mode::Live).then(|| Duration::from_millis(ms));
        Clocks {
            started: Instant::now(),
            cpu: Duration::ZERO,
            wall_limit: limit(limits.wall_time_ms),
            cpu_limit: limit(limits.cpu_time_ms),
        }
    }

    /// A timer that fires at the wall limit.
    pub(crate) fn deadline(&self) -> tokio::time::Sleep {
        // "Never", as tokio's own timers have it: 30 years.
        tokio::time::sleep(self.wall_limit.unwrap_or(Duration::from_secs(86_400 * 365 * 30)))
    }

    pub(crate) fn wall(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn cpu(&self) -> Duration {
        self.cpu
    }

    fn over(&self) -> Option<Clock> {
        if self.wall_limit.is_some_and(|limit| self.started.elapsed() >= limit) {
            return Some(Clock::Wall);
        }
        self.cpu_limit.is_some_and(|limit| self.cpu >= limit).then_some(Clock::Cpu)
    }
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl<F: Future, D: FnMut() -> bool + Unpin> Future for Watch<'_, F, D> {
    type Output = Result<F::Output, Stopped>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.cancelled || this.cancel.as_mut().poll(context).is_ready() {
            this.cancelled = true;
            // A guest that has not begun has nothing to interrupt.
            if !this.begun || !this.interrupt.as_mut().is_some_and(|interrupt| interrupt.go_on(context)) {
                return Poll::Ready(Err(Stopped::Cancelled));
            }
        }
        this.begun = true;
        let before = thread_cpu();
        let polled = this.guest.as_mut().poll(context);
        this.clocks.cpu += thread_cpu().saturating_sub(before);
        if (this.drain)() {
            return Poll::Ready(Err(Stopped::TooMuchOutput));
        }
        if let Poll::Ready(output) = polled {
            return Poll::Ready(Ok(output));
        }
        if let Some(clock) = this.clocks.over() {
            return Poll::Ready(Err(Stopped::OutOfTime(clock)));
        }
        // Wakes us if the guest only waits.
        if this.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(Stopped::OutOfTime(Clock::Wall)));
        }
        Poll::Pending
    }
}
