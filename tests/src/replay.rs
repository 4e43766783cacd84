//! The same job gives the same outcome and artifacts, byte for byte.

use glovebox_runtime::{Mode, Outcome};
use glovebox_tests::{job, run_here};

const SCRIPT: &str = "
import os, random, time, uuid, datetime
import numpy as np
import pandas as pd
import matplotlib.pyplot as plt

print(random.random(), np.random.rand(), uuid.uuid4(), os.urandom(4).hex())
print(time.time(), time.monotonic(), time.perf_counter(), datetime.datetime.now())
time.sleep(3600)
print(time.time())
for name in 'zebra', 'apple', 'mango':
    open(name + '.txt', 'w').close()
print(os.listdir('.'), os.stat('apple.txt').st_mtime, os.stat('apple.txt').st_ino)
print({'a', 'b', 'c'}, id(object()) > 0)
df = pd.DataFrame({'k': list('abab'), 'v': np.random.rand(4)})
df.groupby('k').v.mean().plot.bar()
plt.savefig('chart.png')
plt.show()
df
";

fn replay(seed: Option<u64>) -> Outcome {
    let workspace = tempfile::tempdir().expect("a directory");
    let mut job = job("python", SCRIPT, workspace.path());
    job.mode = Mode::Deterministic;
    job.seed = seed;
    run_here(&job)
}

#[test]
fn a_deterministic_run_can_be_repeated_to_the_last_byte() {
    let (first, second) = (replay(None), replay(None));
    assert!(first.ending.is_success(), "{}", first.stderr);
    assert_eq!(first, second);
    assert_eq!(first.artifacts.len(), 4);
    assert!(first.timing.is_none());
}

#[test]
fn another_seed_gives_another_result() {
    assert_ne!(replay(Some(1)).stdout, replay(Some(2)).stdout);
}

#[test]
fn fuel_is_the_same_on_every_run() {
    let fuel = |_| {
        let workspace = tempfile::tempdir().expect("a directory");
        let mut job = job("python", "print(sum(range(100000)))", workspace.path());
        job.mode = Mode::Deterministic;
        run_here(&job).usage.fuel
    };
    let used: Vec<u64> = (0..3).map(fuel).collect();
    assert!(used[0] > 100_000 && used.iter().all(|fuel| *fuel == used[0]), "{used:?}");
}
