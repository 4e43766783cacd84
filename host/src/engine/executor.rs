//! Executor: runs a program on all of the data. A failure goes back to the generator, a bounded
//! number of times; the last outcome counts, good or bad.

use std::collections::BTreeMap;
use std::sync::Arc;

use glovebox_runtime::{Echo, Ending, Event, Job, Mode, Outcome, Program, RunError};
use tokio_util::sync::CancellationToken;

use super::prompt::one_line;
use super::{AnswerEvent, Attempt, EngineError, Interpreter, Stage, Work, generator};
use crate::workers::Pool;

/// Runs a job: the pool of workers, or a script in tests.
pub(super) trait RunJob: Sync {
    /// See [`Pool::run`].
    fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> impl Future<Output = Result<Outcome, RunError>> + Send;
}

impl RunJob for Pool {
    async fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError> {
        Pool::run(self, job, on_event, cancel).await
    }
}

/// The interpreter of a session.
pub(super) struct InSession(pub(super) Arc<dyn Interpreter>);

impl RunJob for InSession {
    async fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError> {
        self.0.run(job, on_event, cancel).await
    }
}

/// What came of a program and its repairs.
pub(super) struct Execution {
    /// The last program that was run.
    pub(super) program: String,
    /// Its outcome.
    pub(super) outcome: Outcome,
    /// Every program that was run, that one last.
    pub(super) attempts: Vec<Attempt>,
    /// Suggestions of the reply with the first program.
    pub(super) suggestions: Vec<String>,
    /// Why there was no further repair; `None` if none was needed.
    pub(super) gave_up: Option<String>,
}

/// Runs `program` and at most `max_repairs` successors.
pub(super) async fn execute<R: RunJob>(
    work: &mut Work<'_>,
    runner: &R,
    program: String,
    suggestions: Vec<String>,
    max_repairs: u32,
) -> Result<Execution, EngineError> {
    let outcome = run(work, runner, &program, 1).await?;
    let mut done =
        Execution { attempts: vec![attempt(&program, &outcome)], program, outcome, suggestions, gave_up: None };
    for number in 2..=max_repairs.saturating_add(1) {
        if !is_repairable(&done.outcome.ending) {
            return Ok(done);
        }
        work.stage(Stage::Repairing, number, format!("repairing: {}", one_line(&done.outcome.ending.sentence(), 200)));
        let next = match next_program(work, &done).await? {
            Ok(next) => next,
            Err(reason) => {
                done.gave_up = Some(reason);
                return Ok(done);
            }
        };
        done.outcome = run(work, runner, &next, number).await?;
        done.attempts.push(attempt(&next, &done.outcome));
        done.program = next;
    }
    if is_repairable(&done.outcome.ending) {
        done.gave_up = Some(match max_repairs {
            0 => "repairs are switched off".into(),
            1 => "one repair did not help".into(),
            n => format!("{n} repairs did not help"),
        });
    }
    Ok(done)
}

/// A cancelled run is what somebody wanted; everything else that went wrong can be mended.
fn is_repairable(ending: &Ending) -> bool {
    !ending.is_success() && *ending != Ending::Cancelled
}

/// The repaired program, or why there is none. A model that fails now costs the repair, not the answer.
async fn next_program(work: &mut Work<'_>, done: &Execution) -> Result<Result<String, String>, EngineError> {
    let found = match generator::repair(work, &done.program, &done.outcome, &done.attempts).await {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(Err("it was cancelled".into())),
        Err(EngineError::Llm(error)) => return Ok(Err(format!("the model could not be asked for a repair ({error})"))),
        Err(error) => return Err(error),
    };
    Ok(match found.program {
        None if found.too_long => Err("the repaired program was too long".into()),
        None => Err("the model had no other program".into()),
        // The same program on the same files fails the same way.
        Some(next) if done.attempts.iter().any(|tried| tried.program.trim() == next.trim()) => {
            Err("the model sent the same program again".into())
        }
        Some(next) => Ok(next),
    })
}

async fn run<R: RunJob>(work: &mut Work<'_>, runner: &R, program: &str, number: u32) -> Result<Outcome, EngineError> {
    (work.on_event)(AnswerEvent::Program { source: program.to_owned(), attempt: number });
    work.stage(Stage::Running, number, "running the program".into());
    let job = Job {
        image: work.ask.image.clone(),
        program: Program {
            source: program.to_owned(),
            filename: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            stdin: String::new(),
            echo: Echo::Last,
        },
        workspace: work.ask.workspace.clone(),
        limits: work.ask.limits.clone(),
        mode: Mode::Live,
        seed: None,
    };
    let on_event = &mut *work.on_event;
    let mut forward = |event| on_event(AnswerEvent::Run { attempt: number, event });
    Ok(runner.run(job, &mut forward, work.cancel).await?)
}

fn attempt(program: &str, outcome: &Outcome) -> Attempt {
    let ending = &outcome.ending;
    Attempt {
        program: program.to_owned(),
        ending: ending.name().to_owned(),
        error: (!ending.is_success()).then(|| one_line(&ending.sentence(), 500)),
    }
}
