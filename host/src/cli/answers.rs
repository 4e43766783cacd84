//! What the commands read of the API's answers, and how they write sizes and times.

use glovebox_runtime::{Display, Ending};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Failure;
use crate::engine::{Alternative, Attempt, Candidate};

/// A session.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) image: String,
    pub(super) policy: String,
    #[serde(default)]
    pub(super) state: String,
    pub(super) head: Option<u64>,
    pub(super) forked_from: Option<Origin>,
    #[serde(default)]
    pub(super) turns: u64,
    #[serde(default)]
    pub(super) bytes: u64,
    pub(super) created_at: String,
    pub(super) updated_at: String,
    #[serde(default)]
    pub(super) files: Vec<File>,
}

/// Where a session was forked from.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Origin {
    pub(super) session: String,
    pub(super) checkpoint: Option<u64>,
}

/// A file.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct File {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) size: u64,
}

/// A file that a program left.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Artifact {
    pub(super) path: String,
    pub(super) size: u64,
    pub(super) url: String,
}

/// A checkpoint.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Checkpoint {
    pub(super) number: u64,
    pub(super) parent: Option<u64>,
    #[serde(default, deserialize_with = "said")]
    pub(super) name: Option<String>,
    pub(super) run_id: Option<String>,
    pub(super) created_at: String,
    #[serde(default)]
    pub(super) bytes: u64,
    #[serde(default)]
    pub(super) head: bool,
}

/// A program that was run.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) code: String,
    pub(super) image: String,
    pub(super) created_at: String,
    pub(super) checkpoint: Option<u64>,
    #[serde(default)]
    pub(super) undone: bool,
    pub(super) outcome: Option<Outcome>,
    #[serde(default)]
    pub(super) artifacts: Vec<Artifact>,
    pub(super) error: Option<Problem>,
}

/// How a program went.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Outcome {
    pub(super) ending: Ending,
    #[serde(default)]
    pub(super) stdout: String,
    #[serde(default)]
    pub(super) stderr: String,
    #[serde(default)]
    pub(super) displays: Vec<Display>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
}

/// Why something failed.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Problem {
    pub(super) detail: String,
}

/// A question.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ask {
    pub(super) question: String,
    pub(super) created_at: String,
    pub(super) checkpoint: Option<u64>,
    #[serde(default)]
    pub(super) explanation: String,
    #[serde(default)]
    pub(super) attempts: Vec<Attempt>,
    #[serde(default)]
    pub(super) candidates: Vec<Candidate>,
    #[serde(default)]
    pub(super) alternatives: Vec<Alternative>,
    pub(super) run: Option<Run>,
    pub(super) error: Option<Problem>,
}

/// One step of a session.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Turn {
    Run { run: Box<Run> },
    Ask { ask: Box<Ask> },
}

/// Reads an answer, or a part of it by name.
///
/// # Errors
///
/// It is not what this version expects.
pub(super) fn read<T: DeserializeOwned>(mut answer: Value, part: Option<&str>) -> Result<T, Failure> {
    let value = match part {
        Some(part) => answer[part].take(),
        None => answer,
    };
    serde_json::from_value(value)
        .map_err(|error| Failure::ours(format!("the server answers as another version of glovebox would: {error}")))
}

/// A text, if there is one and it says something.
fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Bytes in words.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// How long ago that was, in words; a time that cannot be read stays as it is.
pub(super) fn ago(time: &str) -> String {
    let Ok(then) = time.parse::<Timestamp>() else { return time.to_owned() };
    let seconds = Timestamp::now().as_second().saturating_sub(then.as_second()).max(0);
    match seconds {
        0..=4 => "now".into(),
        5..=99 => format!("{seconds} s ago"),
        100..=5_999 => format!("{} min ago", seconds / 60),
        6_000..=172_799 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// The first line that says something, cut to `bytes`.
pub(super) fn gist(text: &str, bytes: usize) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = super::out::tame(lines.next().unwrap_or_default()).replace('\t', " ");
    let more = if lines.next().is_some() { " …" } else { "" };
    format!("{}{more}", crate::error::shorten(&first, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_words() {
        assert_eq!([0, 1023, 1024, 1_048_575, 5 << 30].map(size), ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "5.0 GiB"]);
        assert_eq!(ago("2020-01-01T00:00:00Z").split_once(' ').unwrap().1, "days ago");
        assert_eq!(ago(&crate::storage::now()), "now");
        assert_eq!(ago("soon"), "soon");
    }

    #[test]
    fn a_gist_is_one_line() {
        assert_eq!(gist("\n\n  x = 1\n", 40), "x = 1");
        assert_eq!(gist("def f():\n    pass", 40), "def f(): …");
    }
}
