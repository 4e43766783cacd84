//! `glovebox eval` beside a native CPython process for each sample, with the same programs and checks.
//!
//! `cargo xtask bench eval`; `--samples N` are judged of each kind of problem (10,000), `--native N` natively (200).
//! The Python is `GLOVEBOX_NATIVE_PYTHON`, else `python3`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use glovebox_benches::table::{Options, Row, print};
use glovebox_benches::{measure, native};
use serde_json::{Value, json};

/// How long between two looks at a process's memory.
const LOOK: Duration = Duration::from_millis(20);

/// A problem of HumanEval's shape and a solution.
struct Sample {
    problem: Value,
    solution: String,
}

fn main() -> Result<()> {
    let options = Options::read();
    let (many, few) = (options.number("--samples", 10_000), options.number("--native", 200));
    let cores = std::thread::available_parallelism()?.get();
    let shaped = shaped()?;
    let tables = vec![tables()];
    let mut rows = Vec::new();
    for (name, samples, target, times) in
        [("functions", &shaped, "400/s, 4x native", 4.0), ("pandas", &tables, "250/s, 50x native", 50.0)]
    {
        let ours = ours(samples, many, cores)?;
        let theirs = natively(samples, few, cores);
        let mut row = Row::new(name);
        row.put("target", target);
        row.put("glovebox eval", format!("{:.0} verdicts/s, {:.0} MiB", ours.rate, ours.peak_mib));
        row.put("infrastructure", ours.infrastructure.to_string());
        let words = |rate: &f64| format!("{rate:.1}/s");
        row.put("native processes", theirs.as_ref().map_or_else(|error| format!("absent: {error}"), words));
        let ratio = |rate: f64| {
            format!("{:.1}x ({})", ours.rate / rate, if ours.rate >= times * rate { "met" } else { "missed" })
        };
        row.put("ratio", theirs.map_or_else(|_| String::new(), ratio));
        rows.push(row);
    }
    let about = format!("{many} samples each, {cores} workers, whole process; load {}", measure::load());
    print(&options, &about, &rows);
    Ok(())
}

/// Our problems with their own solutions.
fn shaped() -> Result<Vec<Sample>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/humaneval-shaped.jsonl");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let sample = |line: &str| -> Result<Sample> {
        let problem: Value = serde_json::from_str(line)?;
        let part = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let solution = part("prompt") + &part("canonical_solution");
        Ok(Sample { problem, solution })
    };
    text.lines().map(sample).collect()
}

/// A problem that imports pandas on both sides.
fn tables() -> Sample {
    let prompt = "import pandas as pd\n\n\ndef totals(rows):\n    \"\"\"Sum of `value` by `name`.\"\"\"\n";
    let body = "    frame = pd.DataFrame(rows, columns=['name', 'value'])\n    return frame.groupby('name').value.sum().to_dict()\n";
    let test = "def check(candidate):\n    assert candidate([('a', 1), ('b', 2), ('a', 3)]) == {'a': 4, 'b': 2}\n";
    let problem = json!({"task_id": "Tables/0", "prompt": prompt, "entry_point": "totals", "test": test});
    Sample { problem, solution: format!("{prompt}{body}") }
}

/// One evaluation.
struct Evaluated {
    rate: f64,
    peak_mib: f64,
    infrastructure: u64,
}

fn ours(samples: &[Sample], count: usize, jobs: usize) -> Result<Evaluated> {
    let dir = tempfile::tempdir()?;
    let lines = |values: Vec<Value>| values.iter().map(|value| format!("{value}\n")).collect::<String>();
    fs::write(dir.path().join("p.jsonl"), lines(samples.iter().map(|sample| sample.problem.clone()).collect()))?;
    let completion = |sample: &Sample| json!({"task_id": sample.problem["task_id"], "solution": sample.solution});
    fs::write(dir.path().join("c.jsonl"), lines(samples.iter().cycle().take(count).map(completion).collect()))?;
    let binary = std::env::var("GLOVEBOX_BINARY").unwrap_or_else(|_| "glovebox".to_owned());
    // An image that is not prepared yet would be measured with it.
    ensure!(Command::new(&binary).args(["image", "prepare", "python"]).stderr(Stdio::null()).status()?.success());
    let mut command = Command::new(binary);
    command.current_dir(dir.path()).args([
        "eval",
        "--problems",
        "p.jsonl",
        "--completions",
        "c.jsonl",
        "-o",
        "v.jsonl",
    ]);
    command.args(["--deterministic", "--json", "--jobs", &jobs.to_string()]);
    let begun = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut most = 0;
    // The summary fits the pipe.
    while child.try_wait()?.is_none() {
        most = most.max(measure::peak_kib(child.id()));
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output()?;
    let seconds = begun.elapsed().as_secs_f64();
    let summary: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).context("no summary")?;
    let passed = summary["verdicts"]["passed"].as_u64().unwrap_or(0);
    ensure!(passed == count as u64, "{passed} of {count} passed: {:?}", summary["verdicts"]);
    let infrastructure = summary["verdicts"]["infrastructure"].as_u64().unwrap_or(0);
    Ok(Evaluated { rate: count as f64 / seconds, peak_mib: most as f64 / 1024.0, infrastructure })
}

/// Samples a second, each in a process of its own, as many at once as there are cores.
fn natively(samples: &[Sample], count: usize, jobs: usize) -> Result<f64, String> {
    let programs: Vec<String> = samples
        .iter()
        .map(|sample| {
            let part = |name: &str| sample.problem[name].as_str().unwrap_or_default();
            format!("{}\n{}\ncheck({})\n", sample.solution, part("test"), part("entry_point"))
        })
        .collect();
    programs.iter().try_for_each(|program| native::output(program).map(drop))?;
    let (next, begun) = (AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        let work = || -> Result<(), String> {
            while let Some(program) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|at| *at < count) {
                native::output(&programs[program % programs.len()])?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a thread failed".to_owned())?)
    })?;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}
