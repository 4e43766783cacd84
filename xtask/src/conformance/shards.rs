//! Tests cut into shards that one fresh run can do within its limits.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::outcomes::End;

/// Native seconds of a shard: a guest takes two or three times that, and some seconds to start pytest.
const SECONDS: f64 = 20.0;
/// Tests of a shard: each costs pytest a few milliseconds besides.
const TESTS: usize = 2_500;

/// Tests of one or more files of one package.
#[derive(Default)]
pub(super) struct Shard {
    pub(super) tests: Vec<String>,
    pub(super) seconds: f64,
}

impl Shard {
    /// For `suite.py` in the sandbox, with its bundle.
    pub(super) fn request(&self) -> Value {
        let mut files: Vec<_> = self.tests.iter().map(|test| file(test)).collect();
        files.dedup();
        json!({"root": null, "package": package(&self.tests[0]), "files": files, "tests": self.tests})
    }
}

pub(super) fn file(test: &str) -> &str {
    test.split("::").next().unwrap_or(test)
}

pub(super) fn package(test: &str) -> &str {
    test.split('/').next().unwrap_or(test)
}

/// Cuts tests, in the order of their names, so that a file's stay together where that can be.
pub(super) fn cut<'a>(tests: impl Iterator<Item = (&'a String, &'a End)>) -> Vec<Shard> {
    let mut files: BTreeMap<&str, Vec<(&String, &End)>> = BTreeMap::new();
    for (test, end) in tests {
        files.entry(file(test)).or_default().push((test, end));
    }
    let mut shards = Vec::new();
    let mut now = Shard::default();
    for tests in files.values() {
        let seconds: f64 = tests.iter().map(|(_, end)| end.seconds).sum();
        let other = now.tests.first().is_some_and(|first| package(first) != package(tests[0].0));
        if other || now.seconds + seconds > SECONDS || now.tests.len() + tests.len() > TESTS {
            shards.push(std::mem::take(&mut now));
        }
        for (test, end) in tests {
            if now.seconds + end.seconds > SECONDS || now.tests.len() >= TESTS {
                shards.push(std::mem::take(&mut now));
            }
            now.tests.push((*test).clone());
            now.seconds += end.seconds;
        }
    }
    shards.push(now);
    shards.retain(|shard| !shard.tests.is_empty());
    shards
}
