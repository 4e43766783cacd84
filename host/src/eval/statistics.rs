//! Statistics: counts, pass@k with confidence intervals, and distributions in constant memory.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Judged, Verdict};

/// Two-sided 95 % of the normal distribution.
const Z: f64 = 1.959_963_985;
/// Buckets of a distribution per factor of e: values are told within 1 %.
const BUCKETS: f64 = 100.0;

/// Adds verdicts up.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    ks: Vec<u64>,
    verdicts: BTreeMap<Verdict, u64>,
    /// Samples with a verdict of their own, and those of them that passed.
    problems: HashMap<String, (u64, u64)>,
    fuel: Values,
    memory_mib: Values,
    ms: Values,
    retries: u64,
}

/// What an evaluation found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// Problems that have samples.
    pub problems: u64,
    /// Samples, all of them.
    pub samples: u64,
    /// How many have which verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Estimates over the problems with at least k samples, infrastructure failures left out.
    pub pass_at_k: Vec<PassAtK>,
    /// Fuel of a sample.
    pub fuel: Option<Distribution>,
    /// Memory of a sample in MiB.
    pub memory_mib: Option<Distribution>,
    /// Milliseconds of a sample; absent in deterministic runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<Distribution>,
    /// Attempts in which our side failed and that were repeated.
    pub retries: u64,
}

/// The chance that at least one of k samples passes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PassAtK {
    /// Samples.
    pub k: u64,
    /// The unbiased estimate.
    pub estimate: f64,
    /// Lower end of its 95 % confidence interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Problems that it rests on.
    pub problems: u64,
}

/// How values are distributed; percentiles within 1 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Distribution {
    /// The smallest.
    pub min: f64,
    /// Half of them are at most this.
    pub p50: f64,
    /// Nine of ten are.
    pub p90: f64,
    /// 99 of 100 are.
    pub p99: f64,
    /// The largest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
}

impl Tally {
    /// A tally that estimates pass@k for these k.
    #[must_use]
    pub fn new(ks: Vec<u64>) -> Tally {
        Tally { ks, ..Tally::default() }
    }

    /// Counts a sample.
    #[expect(clippy::cast_precision_loss, reason = "percentiles within 1 %")]
    pub fn add(&mut self, judged: &Judged) {
        *self.verdicts.entry(judged.verdict).or_default() += 1;
        self.retries += u64::from(judged.retries.unwrap_or_default());
        let (samples, passed) = self.problems.entry(judged.problem.clone()).or_default();
        if judged.verdict == Verdict::Infrastructure {
            return;
        }
        *samples += 1;
        *passed += u64::from(judged.verdict == Verdict::Passed);
        if judged.verdict != Verdict::NoProgram {
            self.fuel.add(judged.fuel as f64);
            self.memory_mib.add(judged.memory_mib as f64);
            judged.ms.into_iter().for_each(|ms| self.ms.add(ms));
        }
    }

    /// How many have this verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    /// What was found.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            problems: self.problems.len() as u64,
            samples: self.verdicts.values().sum(),
            verdicts: self.verdicts.clone(),
            pass_at_k: self.ks.iter().filter_map(|k| self.pass_at(*k)).collect(),
            fuel: self.fuel.distribution(),
            memory_mib: self.memory_mib.distribution(),
            ms: self.ms.distribution(),
            retries: self.retries,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn pass_at(&self, k: u64) -> Option<PassAtK> {
        let counted = self.problems.values().filter(|(samples, _)| *samples >= k.max(1));
        let mut estimates: Vec<f64> = counted.map(|(samples, passed)| pass_at_k(*samples, *passed, k)).collect();
        // Sums of floats depend on their order, and that of a hash map is another one each time.
        estimates.sort_by(f64::total_cmp);
        let count = estimates.len() as f64;
        if estimates.is_empty() {
            return None;
        }
        let estimate = estimates.iter().sum::<f64>() / count;
        let (low, high) = if estimates.iter().all(|one| *one == 0.0 || *one == 1.0) {
            wilson(estimate, count)
        } else {
            let variance = estimates.iter().map(|one| (one - estimate).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
            let error = Z * (variance / count).sqrt();
            ((estimate - error).max(0.0), (estimate + error).min(1.0))
        };
        Some(PassAtK { k, estimate, low, high, problems: estimates.len() as u64 })
    }
}

/// The unbiased estimator of pass@k of Chen et al. 2021: 1 - C(n - c, k) / C(n, k).
#[expect(clippy::cast_precision_loss, reason = "counts of samples")]
fn pass_at_k(samples: u64, passed: u64, k: u64) -> f64 {
    if samples - passed < k {
        return 1.0;
    }
    1.0 - (samples - passed + 1..=samples).map(|i| 1.0 - k as f64 / i as f64).product::<f64>()
}

/// Wilson's interval of a proportion.
fn wilson(share: f64, count: f64) -> (f64, f64) {
    let scale = 1.0 + Z * Z / count;
    let middle = (share + Z * Z / (2.0 * count)) / scale;
    let error = Z / scale * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
    ((middle - error).max(0.0), (middle + error).min(1.0))
}

/// A histogram with logarithmic buckets.
#[derive(Clone, Debug, Default)]
struct Values {
    buckets: BTreeMap<i32, u64>,
    count: u64,
    sum: f64,
    ends: Option<(f64, f64)>,
}

impl Values {
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a float is small")]
    fn add(&mut self, value: f64) {
        *self.buckets.entry((value.max(1e-9).ln() * BUCKETS).round() as i32).or_default() += 1;
        self.count += 1;
        self.sum += value;
        let (min, max) = self.ends.unwrap_or((value, value));
        self.ends = Some((min.min(value), max.max(value)));
    }

    #[expect(clippy::cast_precision_loss, reason = "counts")]
    fn distribution(&self) -> Option<Distribution> {
        let (min, max) = self.ends?;
        let at = |share: f64| {
            let mut left = (share * self.count as f64).ceil();
            let bucket = self.buckets.iter().find(|(_, count)| {
                left -= **count as f64;
                left <= 0.0
            });
            bucket.map_or(max, |(bucket, _)| (f64::from(*bucket) / BUCKETS).exp()).clamp(min, max)
        };
        let round = |value: f64| (value * 100.0).round() / 100.0;
        let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| round(at(share)));
        Some(Distribution {
            min: round(min),
            p50,
            p90,
            p99,
            max: round(max),
            mean: round(self.sum / self.count as f64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(problem: &str, verdict: Verdict, fuel: u64) -> Judged {
        let (problem, detail) = (problem.into(), None);
        Judged { problem, sample: 0, verdict, detail, fuel, memory_mib: 1, ms: None, retries: None }
    }

    #[test]
    fn pass_at_k_is_the_unbiased_estimator() {
        // Of the 10 pairs of 5 samples, 3 hold no passing one if 2 pass: 1 - 3/10.
        assert!((pass_at_k(5, 2, 2) - 0.7).abs() < 1e-12);
        assert!((pass_at_k(200, 1, 1) - 0.005).abs() < 1e-12);
        assert_eq!((pass_at_k(5, 0, 3), pass_at_k(5, 3, 3), pass_at_k(5, 5, 5)), (0.0, 1.0, 1.0));
    }

    #[test]
    fn infrastructure_failures_are_no_samples() {
        let mut tally = Tally::new(vec![1, 2]);
        for verdict in [Verdict::Passed, Verdict::Infrastructure] {
            tally.add(&judged("a", verdict, 10));
        }
        let summary = tally.summary();
        assert_eq!((summary.samples, summary.pass_at_k.len()), (2, 1), "nobody has two samples");
        let one = summary.pass_at_k[0];
        assert_eq!((one.estimate, one.problems), (1.0, 1));
        assert!(one.low > 0.1 && one.low < 0.3 && one.high == 1.0, "{one:?}");
    }

    #[test]
    fn an_interval_gets_narrower_with_more_problems() {
        let width = |problems: u64| {
            let mut tally = Tally::new(vec![1]);
            for number in 0..problems {
                for verdict in [Verdict::Passed, if number % 2 == 0 { Verdict::Failed } else { Verdict::Passed }] {
                    tally.add(&judged(&number.to_string(), verdict, 1));
                }
            }
            let one = tally.summary().pass_at_k[0];
            assert!((one.estimate - 0.75).abs() < 1e-9 && one.low < 0.75 && one.high > 0.75, "{one:?}");
            one.high - one.low
        };
        assert!(width(400) < width(40) / 2.0);
    }

    #[test]
    fn percentiles_are_within_a_hundredth() {
        let mut tally = Tally::new(Vec::new());
        for fuel in 1..=1000 {
            tally.add(&judged("a", Verdict::Passed, fuel * 1_000_000));
        }
        let fuel = tally.summary().fuel.expect("values");
        assert!((fuel.p50 / 5e8 - 1.0).abs() < 0.011 && (fuel.p99 / 9.9e8 - 1.0).abs() < 0.011, "{fuel:?}");
        assert_eq!((fuel.min, fuel.max, fuel.mean), (1e6, 1e9, 500.5e6));
    }
}
