//! Report: from how both sides of a trial ended to a verdict.

use glovebox_runtime::{Ending, Outcome};
use serde::Deserialize;

use super::{Detail, Verdict};
use crate::workers::Tried;

/// Type of the display that is the judge's report. The judge's side alone is looked at.
const REPORT: &str = "application/vnd.glovebox.report+json";

/// What the judge found.
#[derive(Debug, Deserialize)]
struct Report {
    verdict: Found,
    #[serde(default)]
    exception: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default)]
    traceback: Option<String>,
    #[serde(default)]
    test: Option<String>,
    #[serde(default)]
    case: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Found {
    Passed,
    Failed,
    Raised,
    WrongAnswer,
    /// The problem itself is at fault.
    Broken,
    /// The sample's side had ended.
    Gone,
}

/// The verdict of a trial.
///
/// A sample passes only if its side was there until the judge was done, and then ended as it should.
pub(super) fn weigh(tried: &Tried) -> (Verdict, Option<Detail>) {
    let Some(subject) = &tried.subject else {
        let why = tried.judge.ending.sentence();
        let message = format!("what the problem does before its tests did not succeed: {why}\n{}", tried.judge.stderr);
        return (Verdict::Infrastructure, Some(Detail::new(message.trim_end())));
    };
    if !tried.heard
        && let Some(verdict) = ended(&subject.ending)
    {
        return verdict;
    }
    let report = tried.judge.displays.iter().rev().find_map(|display| display.data.get(REPORT));
    let report = report.and_then(|report| Report::deserialize(report).ok());
    let Some(report) = report.filter(|_| tried.judge.ending.is_success()) else { return unheard(&tried.judge) };
    let verdict = match report.verdict {
        Found::Passed if tried.heard => return ended(&subject.ending).unwrap_or((Verdict::Passed, None)),
        // Its side ended well and too early: nothing did that but the sample.
        Found::Passed | Found::Gone => {
            return (Verdict::Raised, Some(Detail::new("it ended before the tests were over")));
        }
        Found::Failed => Verdict::Failed,
        Found::Raised => Verdict::Raised,
        Found::WrongAnswer => Verdict::WrongAnswer,
        Found::Broken => Verdict::Infrastructure,
    };
    let Report { exception, message, traceback, test, case, .. } = report;
    let message = match verdict {
        Verdict::Infrastructure => format!("the problem's own code does not run: {message}"),
        _ => message,
    };
    (verdict, Some(Detail { message, exception, traceback, test, case }))
}

/// The judge came to no end.
fn unheard(judge: &Outcome) -> (Verdict, Option<Detail>) {
    let verdict = match judge.ending {
        Ending::OutOfFuel | Ending::OutOfTime { .. } => Verdict::OutOfFuel,
        Ending::OutOfMemory => Verdict::OutOfMemory,
        _ => Verdict::Infrastructure,
    };
    (verdict, Some(Detail::new(format!("in the tests: {}", judge.ending.sentence()))))
}

/// What the end of a sample's own guest says; `None` if it ended well.
pub(super) fn ended(ending: &Ending) -> Option<(Verdict, Option<Detail>)> {
    let sentence = Detail::new(ending.sentence());
    let (verdict, detail) = match ending {
        Ending::Exited { code: 0 } => return None,
        Ending::Raised { exception, message, traceback } => {
            let traceback = Some(traceback.clone());
            let detail = Detail { message: message.clone(), exception: Some(exception.clone()), traceback, ..sentence };
            (Verdict::Raised, detail)
        }
        // The clock is there for those that sleep; whoever computes meets its fuel first.
        Ending::OutOfFuel | Ending::OutOfTime { .. } => (Verdict::OutOfFuel, sentence),
        Ending::OutOfMemory => (Verdict::OutOfMemory, sentence),
        Ending::Exited { .. } | Ending::OutOfDisk | Ending::TooMuchOutput | Ending::Trapped { .. } => {
            (Verdict::Raised, sentence)
        }
        Ending::Cancelled => (Verdict::Infrastructure, sentence),
    };
    Some((verdict, Some(detail)))
}
