//! Guest programs as data: `programs/GROUP/NAME.py` or `NAME.js` beside `NAME.toml` with what must come of it.

use std::collections::BTreeMap;
use std::path::Path;

use glovebox_runtime::{Clock, Echo, Ending, Limits, Mode, Outcome};
use glovebox_tests::{here, job, run_here};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    images: Vec<String>,
    #[serde(default)]
    echo: Echo,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    stdin: String,
    /// Limits that differ from the defaults.
    #[serde(default)]
    limits: Limits,
    /// Files of the workspace by name and content.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Files from `tests/data`.
    #[serde(default)]
    data: Vec<String>,
    ending: String,
    code: Option<u8>,
    clock: Option<Clock>,
    exception: Option<String>,
    stdout: Option<String>,
    #[serde(default)]
    stdout_has: Vec<String>,
    #[serde(default)]
    stdout_lacks: Vec<String>,
    #[serde(default)]
    stderr_has: Vec<String>,
    #[serde(default)]
    stderr_lacks: Vec<String>,
    #[serde(default)]
    warnings_has: Vec<String>,
    output_truncated: Option<bool>,
    artifacts: Option<Vec<String>>,
    displays: Option<Vec<ExpectedDisplay>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedDisplay {
    #[serde(default)]
    main: bool,
    has: Vec<String>,
    text: Option<String>,
    /// Type of the chart that comes with it.
    chart: Option<String>,
    /// Numbers of the chart's elements, in order.
    values: Option<Vec<f64>>,
}

/// Runs every program of a group in each of its images and reports all that differ.
fn check_group(group: &str) {
    let dir = here().join("programs").join(group);
    let mut names: Vec<_> = std::fs::read_dir(&dir)
        .expect("the group exists")
        .map(|entry| entry.expect("listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    names.sort();
    assert!(!names.is_empty());
    let mut wrong = Vec::new();
    for path in names {
        let text = std::fs::read_to_string(&path).expect("readable");
        let expected: Expected = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let source =
            ["py", "js"].map(|extension| path.with_extension(extension)).into_iter().find(|path| path.is_file());
        let source = std::fs::read_to_string(source.expect("a program beside it")).expect("readable");
        for image in &expected.images {
            let outcome = run_one(image, &source, &expected);
            let name = path.file_stem().expect("named").to_string_lossy().into_owned();
            wrong.extend(
                differences(&outcome, &expected).into_iter().map(|difference| format!("{image} {name}: {difference}")),
            );
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn run_one(image: &str, source: &str, expected: &Expected) -> Outcome {
    // A canary outside the workspace, which no program may read or change.
    let outside = tempfile::tempdir().expect("a directory");
    let canary = outside.path().join("canary.txt");
    std::fs::write(&canary, "canary").expect("written");
    let workspace = outside.path().join("workspace");
    std::fs::create_dir(&workspace).expect("made");
    for (name, content) in &expected.files {
        std::fs::write(workspace.join(name), content).expect("written");
    }
    for name in &expected.data {
        std::fs::copy(here().join("data").join(name), workspace.join(name)).expect("copied");
    }
    let mut job = job(image, source, &workspace);
    job.limits = expected.limits.clone();
    job.program.echo = expected.echo;
    job.program.args.clone_from(&expected.args);
    job.program.env.clone_from(&expected.env);
    job.program.stdin.clone_from(&expected.stdin);
    let outcome = run_here(&job);
    assert_eq!(
        std::fs::read_to_string(&canary).ok().as_deref(),
        Some("canary"),
        "a program changed what is not its own"
    );
    assert_eq!(names(outside.path()), ["canary.txt", "workspace"], "a program left something outside");
    outcome
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .expect("listed")
        .map(|entry| entry.expect("listed").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn differences(outcome: &Outcome, expected: &Expected) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut demand = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let said = || format!("\n  stdout: {:.800}\n  stderr: {:.1500}", outcome.stdout, outcome.stderr);
    demand(
        outcome.ending.name() == expected.ending,
        format!("ended as {:?}, not {}{}", outcome.ending, expected.ending, said()),
    );
    match &outcome.ending {
        Ending::Exited { code } => demand(*code == expected.code.unwrap_or(0), format!("status {code}{}", said())),
        Ending::Raised { exception, .. } => {
            if let Some(name) = &expected.exception {
                demand(exception == name, format!("raised {exception}, not {name}"));
            }
        }
        Ending::OutOfTime { clock } => demand(Some(*clock) == expected.clock, format!("met the {clock:?} clock")),
        _ => {}
    }
    if let Some(stdout) = &expected.stdout {
        demand(outcome.stdout == *stdout, format!("printed {:?}, not {stdout:?}", outcome.stdout));
    }
    for (stream, text, has, lacks) in [
        ("stdout", &outcome.stdout, &expected.stdout_has, &expected.stdout_lacks),
        ("stderr", &outcome.stderr, &expected.stderr_has, &expected.stderr_lacks),
    ] {
        for part in has {
            demand(text.contains(part.as_str()), format!("{stream} lacks {part:?}: {text:.1500}"));
        }
        for part in lacks {
            demand(!text.contains(part.as_str()), format!("{stream} has {part:?}"));
        }
    }
    for part in &expected.warnings_has {
        let there = outcome.warnings.iter().any(|warning| warning.contains(part.as_str()));
        demand(there, format!("warnings lack {part:?}: {:?}", outcome.warnings));
    }
    if let Some(truncated) = expected.output_truncated {
        demand(outcome.output_truncated == truncated, format!("output_truncated is {}", outcome.output_truncated));
    }
    if let Some(artifacts) = &expected.artifacts {
        let found: Vec<_> = outcome.artifacts.iter().map(|artifact| &artifact.path).collect();
        demand(found.iter().eq(&artifacts.iter().collect::<Vec<_>>()), format!("left {found:?}, not {artifacts:?}"));
    }
    if let Some(displays) = &expected.displays {
        demand(
            outcome.displays.len() == displays.len(),
            format!("showed {} things, not {}{}", outcome.displays.len(), displays.len(), said()),
        );
        for (shown, expected) in outcome.displays.iter().zip(displays) {
            demand(shown.main == expected.main, format!("main is {}", shown.main));
            for mime in &expected.has {
                demand(shown.data.contains_key(mime), format!("shown without {mime}: {:?}", shown.data.keys()));
            }
            if let Some(text) = &expected.text {
                let plain = shown.data.get("text/plain").and_then(|value| value.as_str());
                demand(plain == Some(text), format!("showed {plain:?}, not {text:?}"));
            }
            let chart = shown.chart.clone().unwrap_or_default();
            if let Some(kind) = &expected.chart {
                demand(chart["type"] == kind.as_str(), format!("a chart of type {}, not {kind}", chart["type"]));
            }
            if let Some(values) = &expected.values {
                let elements = chart["elements"].as_array().into_iter().flatten();
                let found: Vec<f64> = elements.filter_map(|element| element["value"].as_f64()).collect();
                demand(found == *values, format!("a chart of {found:?}, not {values:?}"));
            }
        }
    }
    wrong
}

#[test]
fn the_scientific_python_counts_reads_and_draws_as_a_native_one() {
    check_group("science");
}

#[test]
fn every_ending_is_named() {
    check_group("endings");
}

#[test]
fn every_limit_holds() {
    check_group("limits");
}

#[test]
fn nothing_outside_the_workspace_is_reached() {
    check_group("escape");
}

#[test]
fn rich_output_is_shown() {
    check_group("display");
}

#[test]
fn files_go_in_and_out() {
    check_group("files");
}

#[test]
fn the_scientific_stack_works() {
    check_group("python");
}

#[test]
fn javascript_computes_draws_and_fails_well() {
    check_group("javascript");
}

#[test]
fn a_deterministic_javascript_run_can_be_repeated_to_the_last_byte() {
    let source = include_str!("../programs/javascript/repeats.js");
    let replay = |seed| {
        let workspace = tempfile::tempdir().expect("a directory");
        let mut job = job("javascript", source, workspace.path());
        job.mode = Mode::Deterministic;
        job.seed = seed;
        run_here(&job)
    };
    let (first, second) = (replay(None), replay(None));
    assert!(first.ending.is_success(), "{}", first.stderr);
    assert_eq!(first, second);
    assert_eq!(first.artifacts.len(), 3);
    assert_ne!(first.stdout, replay(Some(1)).stdout);
}
