//! Programs that read standard input: a fresh run for each case, compared here.

use glovebox_runtime::{CancellationToken, Echo, Ending, Job, Limits, Mode, Outcome, Program, RunError};
use serde_json::json;

use super::judge::{Finding, Inner, furnish};
use super::{Comparison, Detail, Problem, Stdio, Verdict, report};

/// KiB that a program may print.
const OUTPUT_KIB: u64 = 16 * 1024;
/// Exit codes of the checker's program. An exception in a checker mostly means an output that it cannot read.
const YES: u8 = 0;
const CHECKER: &str = "
def _verdict():
    import json
    with open(0, 'rb', closefd=False) as file:
        texts = json.loads(file.read())
    return check(texts['input'], texts['output'], texts['expected'])
raise SystemExit(0 if _verdict() is True else 43)
";

/// Judges a program by its cases; the first that fails decides.
pub(super) async fn judge(
    inner: &Inner,
    problem: &Problem,
    check: &Stdio,
    program: &str,
    cancel: &CancellationToken,
) -> Result<Finding, RunError> {
    let limits = Limits { output_kib: OUTPUT_KIB, artifacts: 0, ..inner.limits(problem) };
    let mut most = Finding { verdict: Verdict::Passed, detail: None, fuel: 0, memory_bytes: 0 };
    for (number, case) in check.cases.iter().enumerate() {
        let outcome = run(inner, problem, program, &case.stdin, &limits, cancel).await?;
        most.fuel = most.fuel.max(outcome.usage.fuel);
        most.memory_bytes = most.memory_bytes.max(outcome.usage.memory_peak_bytes);
        let wrong = || {
            let message = format!("it printed {}, not {}", short(&outcome.stdout), short(&case.expected));
            (Verdict::WrongAnswer, Some(Detail::new(message)))
        };
        // A program may end itself with `sys.exit()`; any other code than 0 is a failure.
        let (verdict, detail) = match report::ended(&outcome.ending) {
            Some(ended) => ended,
            None if outcome.output_truncated => {
                (Verdict::WrongAnswer, Some(Detail::new(format!("it printed more than {} MiB", OUTPUT_KIB >> 10))))
            }
            None => match check.compare.holds(&outcome.stdout, &case.expected) {
                Some(true) => continue,
                Some(false) => wrong(),
                None => {
                    let texts =
                        json!({ "input": case.stdin, "output": outcome.stdout, "expected": case.expected }).to_string();
                    if checked(inner, problem, &check.compare, &texts, cancel).await? { continue } else { wrong() }
                }
            },
        };
        let detail = detail.map(|detail| Detail { case: Some(number as u64), ..detail });
        return Ok(Finding { verdict, detail, ..most });
    }
    Ok(most)
}

/// What the problem's checker says, in a sandbox of its own that no sample has seen.
async fn checked(
    inner: &Inner,
    problem: &Problem,
    compare: &Comparison,
    texts: &str,
    cancel: &CancellationToken,
) -> Result<bool, RunError> {
    let Comparison::Checker { code } = compare else { return Ok(false) };
    let limits = Limits { memory_mib: 2048, ..inner.limits(problem) };
    let outcome = run(inner, problem, &format!("{code}\n{CHECKER}"), texts, &limits, cancel).await?;
    Ok(outcome.ending == Ending::Exited { code: YES })
}

async fn run(
    inner: &Inner,
    problem: &Problem,
    source: &str,
    stdin: &str,
    limits: &Limits,
    cancel: &CancellationToken,
) -> Result<Outcome, RunError> {
    let place = inner.directory()?;
    let workspace = place.path().join("data");
    furnish(&workspace, problem)?;
    let job = Job {
        image: inner.settings.image.clone(),
        program: Program { source: source.into(), stdin: stdin.into(), echo: Echo::None, ..Program::default() },
        workspace,
        limits: limits.clone(),
        mode: inner.mode(),
        seed: Some(inner.seed()),
    };
    let outcome = inner.backend.run(job, &mut |_| {}, cancel).await?;
    // Killed from outside, after its clock: nothing is known of it. Deterministic runs have no clock to meet.
    let overdue = matches!(outcome.ending, Ending::OutOfTime { .. }) && inner.mode() == Mode::Deterministic;
    if cancel.is_cancelled() || overdue {
        return Err(RunError::Worker("was stopped".into()));
    }
    Ok(outcome)
}

fn short(text: &str) -> String {
    const LONGEST: usize = 200;
    let text = text.trim_end();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{:?} … ({} bytes)", &text[..end], text.len()),
        None => format!("{text:?}"),
    }
}
