//! Clocks and medians.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

/// The middle one; 0 of none.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// The value below which a part of them is, 0.99 for instance.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let index = (values.len() as f64 * part) as usize;
    values.get(index.min(values.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// Processor time of this thread.
#[must_use]
pub fn thread_cpu() -> Duration {
    cpu(ClockId::ThreadCPUTime)
}

/// Processor time of this process.
#[must_use]
pub fn process_cpu() -> Duration {
    cpu(ClockId::ProcessCPUTime)
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Processor time of all child processes that have ended, in steps of 10 ms.
#[must_use]
pub fn children_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command may hold blanks: fields are counted behind its parenthesis.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(13).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The peak of the largest among a process and those that it started. A sum would count the pages of the program's file,
/// which they share, several times.
#[must_use]
pub fn peak_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let own = line.and_then(|rest| rest.split_whitespace().next()).and_then(|text| text.parse().ok()).unwrap_or(0);
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).map(peak_kib).fold(own, u64::max)
}

/// Milliseconds since then.
#[must_use]
pub fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// What the machine has to do besides, on how many cores: figures of a busy machine are worth less.
#[must_use]
pub fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{} on {cores} cores", load.split(' ').next().unwrap_or("unknown"))
}

/// A runtime on this thread, as a worker has it.
///
/// # Errors
///
/// If the system refuses what tokio needs.
pub fn tokio() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// What something took, time after time: elapsed, and processor time of this process, which a busy machine changes less.
#[derive(Clone, Debug, Default)]
pub struct Times {
    elapsed: Vec<f64>,
    cpu: Vec<f64>,
}

/// When something began.
#[derive(Clone, Copy, Debug)]
pub struct Began(Instant, Duration);

impl Began {
    /// Now.
    #[must_use]
    pub fn now() -> Began {
        Began(Instant::now(), process_cpu())
    }
}

impl Times {
    /// Notes what took from then until now.
    pub fn push(&mut self, began: Began) {
        self.elapsed.push(ms(began.0));
        self.cpu.push((process_cpu() - began.1).as_secs_f64() * 1e3);
    }

    /// Median of the processor time.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        median(&mut self.cpu.clone())
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut elapsed = self.elapsed.clone();
        let p50 = median(&mut elapsed);
        let best = elapsed.first().copied().unwrap_or(0.0);
        write!(formatter, "{p50:.2} (best {best:.2}, CPU {:.2})", self.cpu())
    }
}
