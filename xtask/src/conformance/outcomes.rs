//! How tests ended: the lines that `suite.py` writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// One test's end.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct End {
    pub(super) outcome: String,
    pub(super) why: String,
    pub(super) seconds: f64,
}

impl End {
    pub(super) fn failed(why: &str) -> End {
        End { outcome: "failed".into(), why: why.into(), seconds: 0.0 }
    }

    pub(super) fn passed(&self) -> bool {
        self.outcome == "passed"
    }
}

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Line {
    Test {
        test: String,
        #[serde(flatten)]
        end: End,
    },
    Start {
        start: String,
    },
    File {
        file: String,
        why: String,
    },
    Done {
        end: i32,
    },
}

/// What a run of pytest wrote.
#[derive(Default)]
pub(super) struct Outcomes {
    pub(super) tests: BTreeMap<String, End>,
    /// The last one that began.
    pub(super) started: Option<String>,
    /// Files that could not be collected, with the reason.
    pub(super) files: BTreeMap<String, String>,
    /// pytest came to its end.
    pub(super) done: bool,
}

impl Outcomes {
    pub(super) fn read(text: &str) -> Outcomes {
        let mut outcomes = Outcomes::default();
        // The last line may be torn.
        for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            match line {
                Line::Test { test, end } => drop(outcomes.tests.insert(test, end)),
                Line::Start { start } => outcomes.started = Some(start),
                Line::File { file, why } => drop(outcomes.files.insert(file, why)),
                Line::Done { .. } => outcomes.done = true,
            }
        }
        outcomes
    }
}

/// Tests as lines, to be read again.
pub(super) fn lines<'a>(tests: impl IntoIterator<Item = (&'a String, &'a End)>) -> String {
    tests.into_iter().fold(String::new(), |mut text, (test, end)| {
        let line = Line::Test { test: test.clone(), end: end.clone() };
        // Neither can fail: the line is text and numbers.
        let _ = writeln!(text, "{}", serde_json::to_string(&line).unwrap_or_default());
        text
    })
}
