//! `glovebox replay`: re-runs a recorded run and tells whether the same came out.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::{Run, read};
use super::door::Door;
use super::{Done, Failure, out};
use crate::config::Config;

/// Characters shown of each side of a difference.
const SHOWN: usize = 300;

#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// The run's id, as `glovebox session history` and the API tell it
    run: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Verdict {
    equal: bool,
    #[serde(default)]
    deterministic: bool,
    #[serde(default)]
    differences: Vec<Difference>,
}

#[derive(Deserialize)]
struct Difference {
    what: String,
    #[serde(default)]
    recorded: Value,
    #[serde(default)]
    replayed: Value,
}

pub(super) async fn replay(config: Config, args: ReplayArgs) -> Done {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !args.run.starts_with("run_") || !args.run.chars().all(plain) {
        return Err(Failure::usage(format!(
            "`{}` is not the id of a run; `glovebox session history SESSION` shows them",
            crate::error::shorten(&out::tame(&args.run), 80)
        )));
    }
    let door = Door::open(&config).await?;
    let done = ask(&door, &args).await;
    door.close().await;
    done
}

async fn ask(door: &Door, args: &ReplayArgs) -> Done {
    let run: Run = read(door.get(&format!("/api/v1/runs/{}", args.run)).await?, None)?;
    door.prepare(&run.image).await?;
    let answer = door.post(&format!("/api/v1/runs/{}/replay", args.run), &json!({})).await?;
    if args.json {
        out::print_json(&answer)?;
    }
    let verdict: Verdict = read(answer, None)?;
    if !args.json {
        out::print(&words(&verdict));
        if !verdict.equal && !verdict.deterministic {
            eprintln!(
                "glovebox: the run was not deterministic, so the time and random numbers differ each time; \
                 runs with --deterministic can be compared"
            );
        }
    }
    Ok(ExitCode::from(u8::from(!verdict.equal)))
}

fn words(verdict: &Verdict) -> String {
    let Some(first) = verdict.differences.first() else {
        return if verdict.equal { "equal\n".into() } else { "different\n".into() };
    };
    let mut text = format!("different: {}\n", out::tame(&first.what));
    for (name, value) in [("recorded", &first.recorded), ("replayed", &first.replayed)] {
        text.push_str(&format!("  {name}: {}\n", crate::error::shorten(&out::tame(&value.to_string()), SHOWN)));
    }
    let others: Vec<_> = verdict.differences[1..].iter().map(|other| out::tame(&other.what)).collect();
    if !others.is_empty() {
        text.push_str(&format!("also different: {}\n", others.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown_and_the_others_are_named() {
        let verdict: Verdict = serde_json::from_value(json!({ "equal": false, "differences": [
            { "what": "stdout", "recorded": "a\u{1b}[2J", "replayed": "b" },
            { "what": "usage.fuel", "recorded": 1, "replayed": 2 },
        ]}))
        .unwrap();
        let text = words(&verdict);
        assert!(text.starts_with("different: stdout\n  recorded: \"a\\u001b[2J\"\n  replayed: \"b\"\n"), "{text}");
        assert!(text.ends_with("also different: usage.fuel\n"), "{text}");
        assert_eq!(words(&serde_json::from_value(json!({ "equal": true })).unwrap()), "equal\n");
    }
}
