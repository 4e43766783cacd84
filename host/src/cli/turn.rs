//! Takes a turn of a session: streams what it says, lets Ctrl-C interrupt it, saves what it made, tells how it ended.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use glovebox_runtime::{Display, Ending};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::answers::{self, Run};
use super::door::Door;
use super::{Failure, INFRASTRUCTURE, out};

/// A turn that is over.
pub(super) struct Taken {
    /// The API's record of it.
    pub(super) record: Value,
    /// The same, as far as it is read here.
    pub(super) run: Run,
    /// Whether the output stopped in the middle of a line.
    pub(super) mid_line: bool,
    /// Warnings that were told while it went on.
    told: Vec<String>,
}

/// Runs a program as a session's next turn. `body` is that of `POST /sessions/{id}/runs`. Unless `quiet`, output is
/// printed as it comes.
///
/// # Errors
///
/// It was refused, or Glovebox failed.
pub(super) async fn take(door: &Door, session: &str, body: &Value, quiet: bool) -> Result<Taken, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::ours)?;
    let mut events = door.stream(&format!("/api/v1/sessions/{session}/runs"), body).await?;
    let (mut id, mut interrupted, mut mid_line, mut told) = (None, false, false, Vec::new());
    loop {
        let event = tokio::select! {
            event = events.next() => event?,
            _ = interrupt.recv() => {
                if interrupted {
                    std::process::exit(130);
                }
                interrupted = true;
                eprintln!("\nglovebox: interrupting the turn; Ctrl-C again leaves at once");
                cancel(door, id.as_deref()).await?;
                continue;
            }
        };
        let Some((kind, data)) = event else {
            return Err(Failure::ours("the server ended before the turn did; `glovebox session history` has its fate"));
        };
        match kind.as_str() {
            "accepted" => {
                id = data["id"].as_str().map(str::to_owned);
                if interrupted {
                    cancel(door, id.as_deref()).await?;
                }
            }
            "failed" => {
                let problem: answers::Problem = answers::read(data, Some("error"))?;
                return Err(Failure::new(INFRASTRUCTURE, out::tame(&problem.detail)));
            }
            "done" => {
                let record = data["run"].clone();
                return Ok(Taken { run: answers::read(record.clone(), None)?, record, mid_line, told });
            }
            "limit_warning" => {
                let warning = data["message"].as_str().unwrap_or_default().to_owned();
                eprintln!("glovebox: {}", out::tame(&warning));
                told.push(warning);
            }
            _ if quiet => {}
            kind => show(kind, data, &mut mid_line)?,
        }
    }
}

/// Asks for the end of a turn. Before its id is known, that waits for `accepted`.
async fn cancel(door: &Door, id: Option<&str>) -> Result<(), Failure> {
    if let Some(id) = id {
        door.post(&format!("/api/v1/runs/{id}/cancel"), &json!({})).await?;
    }
    Ok(())
}

/// Output as it comes. What a program writes is the user's: it goes out as it is.
fn show(kind: &str, data: Value, mid_line: &mut bool) -> Result<(), Failure> {
    let text = || data["text"].as_str().unwrap_or_default();
    match kind {
        "stdout" => {
            out::print(text());
            *mid_line = !text().ends_with('\n');
        }
        "stderr" => {
            let mut stderr = std::io::stderr().lock();
            let _ = stderr.write_all(text().as_bytes());
            *mid_line = !text().ends_with('\n');
        }
        "display" => {
            let display: Display = answers::read(data, None)?;
            if let Some(text) = out::text_of(&display) {
                let gap = if *mid_line { "\n" } else { "" };
                out::print(&format!("{gap}{text}\n"));
                *mid_line = false;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Saves pictures and files of a turn and gives their paths. Pictures are numbered from `first`.
///
/// # Errors
///
/// The directory cannot be written, or the server is gone.
pub(super) async fn save(door: &Door, run: &Run, first: usize, out: &Path) -> Result<Vec<String>, Failure> {
    let mut written = Vec::new();
    for artifact in &run.artifacts {
        written.push(door.save(&artifact.url, out, &artifact.path).await?);
    }
    if let Some(outcome) = &run.outcome {
        written.extend(out::write_displays(&outcome.displays, first, out)?);
    }
    Ok(written)
}

/// Whether a turn showed something that a terminal cannot.
pub(super) fn has_pictures(run: &Run) -> bool {
    let pictures = |display: &Display| display.data.keys().any(|kind| kind.starts_with("image/"));
    run.outcome.as_ref().is_some_and(|outcome| outcome.displays.iter().any(pictures))
}

/// Says on stderr how a turn ended, unless it simply did, and gives its exit code.
pub(super) fn end(Taken { run, told, .. }: &Taken) -> u8 {
    let Some(outcome) = &run.outcome else { return INFRASTRUCTURE };
    for warning in outcome.warnings.iter().filter(|warning| !told.contains(warning)) {
        eprintln!("glovebox: {}", out::tame(warning));
    }
    // Its traceback was printed and says the same.
    let seen = matches!(outcome.ending, Ending::Raised { .. }) && !outcome.stderr.is_empty();
    if outcome.ending == Ending::Cancelled && !run.undone {
        eprintln!("glovebox: interrupted; what it had done by then stays");
    } else if !outcome.ending.is_success() && !seen {
        eprintln!("glovebox: {}", out::tame(&outcome.ending.sentence()));
    }
    if run.undone && !outcome.warnings.iter().any(|warning| warning.contains("undone")) {
        eprintln!("glovebox: the turn was undone: variables and files are as they were before it");
    }
    outcome.ending.exit_code()
}

/// [`end`] as the exit code of a command.
pub(super) fn exit(taken: &Taken) -> ExitCode {
    ExitCode::from(end(taken))
}
