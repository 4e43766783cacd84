//! What an evaluation shows: a bar with rate and time left on a terminal, a line now and then elsewhere, a summary.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::out::tame;
use crate::eval::run::{Evaluated, Told};
use crate::eval::{Distribution, Summary, Verdict};

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);
/// Bad lines that are shown one by one.
const BAD_SHOWN: u64 = 20;

/// Progress on stderr.
pub(super) struct Shown {
    bar: Option<ProgressBar>,
    total: u64,
    done: u64,
    new: u64,
    passed: u64,
    failures: u64,
    bad: u64,
    began: Instant,
    said: Instant,
}

impl Shown {
    pub(super) fn new() -> Shown {
        let now = Instant::now();
        Shown { bar: None, total: 0, done: 0, new: 0, passed: 0, failures: 0, bad: 0, began: now, said: now }
    }

    pub(super) fn tell(&mut self, told: &Told<'_>) {
        match told {
            Told::Total(total) => self.begin(*total),
            Told::Bad(bad) => {
                self.bad += 1;
                if self.bad <= BAD_SHOWN {
                    self.line(&format!("glovebox: {}", tame(&bad.to_string())));
                } else if self.bad == BAD_SHOWN + 1 {
                    self.line("glovebox: more lines that cannot be used are counted, not shown");
                }
            }
            Told::Verdict { verdict, again } => {
                self.done += 1;
                self.passed += u64::from(verdict.judged.verdict == Verdict::Passed);
                self.failures += u64::from(verdict.judged.verdict == Verdict::Infrastructure);
                if *again {
                    self.began = Instant::now();
                } else {
                    self.new += 1;
                }
                self.show();
            }
        }
    }

    fn begin(&mut self, total: u64) {
        self.total = total;
        self.bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            bar
        });
    }

    fn show(&mut self) {
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            if self.said.elapsed() >= Duration::from_millis(100) {
                self.said = Instant::now();
                bar.set_message(self.state());
            }
        } else if self.said.elapsed() >= PAUSE {
            self.said = Instant::now();
            eprintln!("{}/{} {}", self.done, self.total, self.state());
        }
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shown")]
    fn state(&self) -> String {
        let rate = self.new as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
        let left = self.total.saturating_sub(self.done) as f64 / rate.max(1e-3);
        let failures = if self.failures > 0 { format!(", {} infrastructure", self.failures) } else { String::new() };
        let share = 100.0 * self.passed as f64 / self.done.max(1) as f64;
        let left = left.min(1e6) as u64;
        format!("{rate:.0}/s, {}:{:02} left, {share:.1} % passed{failures}", left / 60, left % 60)
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// New verdicts a second.
    #[expect(clippy::cast_precision_loss, reason = "shown")]
    pub(super) fn rate(&self, evaluated: &Evaluated) -> f64 {
        self.new as f64 / evaluated.elapsed.as_secs_f64().max(1e-3)
    }
}

/// A summary for people.
#[expect(clippy::cast_precision_loss, reason = "percentages")]
pub(super) fn text(summary: &Summary, evaluated: &Evaluated, rate: f64) -> String {
    let mut lines = Vec::new();
    for one in &summary.pass_at_k {
        lines.push(format!(
            "pass@{:<4} {:6.2} %   95 %: {:.2} to {:.2} %   ({} problems)",
            one.k,
            100.0 * one.estimate,
            100.0 * one.low,
            100.0 * one.high,
            one.problems
        ));
    }
    lines.push(format!("{} samples of {} problems", summary.samples, summary.problems));
    for (verdict, count) in &summary.verdicts {
        let share = 100.0 * *count as f64 / summary.samples.max(1) as f64;
        lines.push(format!("  {:<15} {count:>8}  {share:5.1} %", verdict.name()));
    }
    let mut spread = |name: &str, values: Option<Distribution>, scale: f64| {
        if let Some(Distribution { p50, p90, p99, max, .. }) = values {
            let [p50, p90, p99, max] = [p50, p90, p99, max].map(|value| value / scale);
            lines.push(format!("{name:<14} median {p50:.2}, 90 % {p90:.2}, 99 % {p99:.2}, most {max:.2}"));
        }
    };
    spread("fuel, billions", summary.fuel, 1e9);
    spread("memory, MiB", summary.memory_mib, 1.0);
    spread("ms", summary.ms, 1.0);
    if summary.retries > 0 {
        lines.push(format!("{} attempts failed on our side and were repeated", summary.retries));
    }
    if evaluated.bad > 0 {
        lines.push(format!("{} lines could not be used", evaluated.bad));
    }
    if evaluated.resumed > 0 {
        lines.push(format!("{} verdicts were there already", evaluated.resumed));
    }
    lines.push(format!("{rate:.0} verdicts a second"));
    lines.join("\n") + "\n"
}
