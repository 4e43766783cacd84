//! Metrics: counters in memory, shown as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the duration buckets, in seconds.
const BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// What happened since the start.
#[derive(Debug, Default)]
pub struct Metrics {
    runs: Counter,
    asks: Counter,
    requests: Counter,
    refusals: Counter,
    run_seconds: Histogram,
    wait_seconds: Histogram,
    ask_seconds: Histogram,
    /// Runs and questions that wait for a worker.
    pub waiting: AtomicI64,
    /// Runs and questions under way.
    pub running: AtomicI64,
    /// Turns of sessions that were undone.
    pub turns_undone: AtomicI64,
    /// Sessions that began as a fork.
    pub forks: AtomicI64,
    /// Sessions that were put to sleep.
    pub hibernations: AtomicI64,
}

type Counter = Mutex<BTreeMap<String, u64>>;

#[derive(Debug, Default)]
struct Histogram(Mutex<([u64; BUCKETS.len()], u64, f64)>);

impl Metrics {
    /// A run is over: the name of its ending, or `failed` if that was our fault.
    pub fn run(&self, ending: &str, took: Duration) {
        count(&self.runs, format!("ending=\"{ending}\""));
        self.run_seconds.add(took);
    }

    /// A run has a worker, or was given up before.
    pub fn waited(&self, time: Duration) {
        self.wait_seconds.add(time);
    }

    /// A quota of this name refused something.
    pub fn refused(&self, quota: &str) {
        count(&self.refusals, format!("quota=\"{quota}\""));
    }

    /// A question is over: `done` or a code.
    pub fn ask(&self, result: &str, took: Duration) {
        count(&self.asks, format!("result=\"{result}\""));
        self.ask_seconds.add(took);
    }

    /// A request was answered. The route is a pattern of ours, never what the client sent.
    pub fn request(&self, method: &str, route: &str, status: u16) {
        count(&self.requests, format!("method=\"{method}\",route=\"{route}\",status=\"{status}\""));
    }

    /// All of it as Prometheus text, version 0.0.4, with what is true at this moment: name, help and value of each.
    #[must_use]
    pub fn text(&self, gauges: &[(&str, &str, u64)]) -> String {
        let mut text = String::new();
        show_counter(&mut text, "glovebox_runs_total", "Runs by ending; failed is ours.", &self.runs);
        show_counter(&mut text, "glovebox_asks_total", "Questions by result.", &self.asks);
        show_counter(&mut text, "glovebox_http_requests_total", "HTTP requests.", &self.requests);
        show_counter(&mut text, "glovebox_quota_refusals_total", "Refusals by quota.", &self.refusals);
        self.wait_seconds.show(&mut text, "glovebox_wait_seconds", "Time that runs waited for a worker.");
        self.run_seconds.show(&mut text, "glovebox_run_seconds", "Duration of runs, waiting included.");
        self.ask_seconds.show(&mut text, "glovebox_ask_seconds", "Duration of questions.");
        for (name, help, value) in [
            ("glovebox_queue_waiting", "Runs and questions that wait for a worker.", &self.waiting),
            ("glovebox_running", "Runs and questions under way.", &self.running),
        ] {
            let _ =
                writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {}", value.load(Ordering::Relaxed));
        }
        for (name, help, value) in gauges {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        }
        for (name, help, value) in [
            ("glovebox_turns_undone_total", "Turns of sessions that were undone.", &self.turns_undone),
            ("glovebox_forks_total", "Sessions that began as a fork.", &self.forks),
            ("glovebox_hibernations_total", "Sessions that were put to sleep.", &self.hibernations),
        ] {
            let value = value.load(Ordering::Relaxed);
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}");
        }
        text
    }
}

fn count(counter: &Counter, labels: String) {
    *counter.lock().unwrap_or_else(PoisonError::into_inner).entry(labels).or_default() += 1;
}

fn show_counter(text: &mut String, name: &str, help: &str, counter: &Counter) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
    for (labels, value) in counter.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let _ = writeln!(text, "{name}{{{labels}}} {value}");
    }
}

impl Histogram {
    fn add(&self, took: Duration) {
        let mut histogram = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seconds = took.as_secs_f64();
        for (bucket, bound) in histogram.0.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= bound);
        }
        histogram.1 += 1;
        histogram.2 += seconds;
    }

    fn show(&self, text: &mut String, name: &str, help: &str) {
        let (buckets, count, sum) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (value, bound) in buckets.iter().zip(BUCKETS) {
            let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {value}");
        }
        let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_counted_once_and_in_every_bucket_that_holds_it() {
        let metrics = Metrics::default();
        metrics.run("exited", Duration::from_millis(3));
        metrics.waited(Duration::from_millis(3));
        metrics.refused("fuel_per_day");
        let text = metrics.text(&[("glovebox_workers", "Workers.", 2)]);
        assert!(text.contains("glovebox_workers 2\n") && text.contains("glovebox_wait_seconds_count 1\n"));
        assert!(text.contains("glovebox_quota_refusals_total{quota=\"fuel_per_day\"} 1\n"));
        assert!(text.contains("glovebox_runs_total{ending=\"exited\"} 1\n"));
        assert!(text.contains("glovebox_run_seconds_bucket{le=\"0.002\"} 0\n"));
        assert!(text.contains("glovebox_run_seconds_bucket{le=\"0.005\"} 1\n"));
        assert!(text.contains("glovebox_run_seconds_bucket{le=\"+Inf\"} 1\n"));
    }
}
