//! Executor: runs a program on all of the data. A failure goes back to the generator, a bounded
//! number of times; the last outcome counts, good or bad.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use glovebox_runtime::{Echo, Ending, Event, Job, Mode, Outcome, Program, RunError};
use tokio_util::sync::CancellationToken;

use super::generator::{self, Draft, NOT_RUN};
use super::prompt::one_line;
use super::{Alternative, AnswerEvent, Attempt, EngineError, Interpreter, Stage, Work, failure};
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
    /// Every program that was tried, in order; replies that could not be run are among them.
    pub(super) attempts: Vec<Attempt>,
    /// Other programs that were suggested.
    pub(super) alternatives: Vec<Alternative>,
    /// Suggestions of the reply with the first program.
    pub(super) suggestions: Vec<String>,
    /// Why there was no further repair; `None` if none was needed.
    pub(super) gave_up: Option<String>,
}

impl Execution {
    /// Why the outcome is no success; `None` if it is one.
    pub(super) fn failure(&self) -> Option<String> {
        failure::reason(&self.outcome)
    }
}

/// Runs the program of a draft, and at most `max_repairs` successors. `None` if the time for the answer is over before
/// the first run.
pub(super) async fn execute<R: RunJob>(
    work: &mut Work<'_>,
    runner: &R,
    program: &str,
    draft: Draft,
) -> Result<Option<Execution>, EngineError> {
    let Draft { alternatives, suggestions, refused, .. } = draft;
    let Some(outcome) = run(work, runner, program, refused.len() + 1).await? else { return Ok(None) };
    let mut attempts = refused;
    attempts.push(attempt(program, &outcome));
    let program = program.to_owned();
    let mut done = Execution { program, outcome, attempts, alternatives, suggestions, gave_up: None };
    let most = work.ask.effort.max_repairs as usize;
    loop {
        // A cancelled run is what somebody wanted; everything else that went wrong can be mended.
        let Some(error) = done.attempts.last().and_then(|last| last.error.clone()) else { return Ok(Some(done)) };
        if done.outcome.ending == Ending::Cancelled {
            return Ok(Some(done));
        }
        if let Some(reason) = no_more(&done.attempts, most) {
            done.gave_up = Some(reason);
            return Ok(Some(done));
        }
        let number = done.attempts.len();
        work.stage(Stage::Repairing, number + 1, format!("repair {number} of {most}: {}", one_line(&error, 200)));
        match next_program(work, &mut done).await? {
            Next::Program(next) => {
                let Some(outcome) = run(work, runner, &next, number + 1).await? else {
                    done.gave_up = work.spent();
                    return Ok(Some(done));
                };
                done.attempts.push(attempt(&next, &outcome));
                done.outcome = outcome;
                done.program = next;
            }
            Next::Refused(refused) => done.attempts.push(refused),
            Next::None(reason) => {
                done.gave_up = Some(reason);
                return Ok(Some(done));
            }
        }
    }
}

/// Why another repair makes no sense.
fn no_more(attempts: &[Attempt], most: usize) -> Option<String> {
    let (last, earlier) = attempts.split_last()?;
    if earlier.iter().any(|one| one.ending == last.ending && one.error == last.error) {
        let error = one_line(last.error.as_deref().unwrap_or_default(), 200);
        return Some(format!("another program ended with the same error ({error})"));
    }
    (attempts.len() > most).then(|| match most {
        0 => "repairs are switched off".into(),
        1 => "one repair did not help".into(),
        n => format!("{n} repairs did not help"),
    })
}

/// What came of asking for a repair.
enum Next {
    Program(String),
    /// The reply cannot be run, but the next one may.
    Refused(Attempt),
    /// There is none, and why.
    None(String),
}

/// The repaired program, or why there is none. A model that fails now costs the repair, not the answer.
async fn next_program(work: &mut Work<'_>, done: &mut Execution) -> Result<Next, EngineError> {
    let found = match generator::repair(work, &done.program, &done.outcome, &done.attempts).await {
        Ok(Ok(found)) => found,
        Ok(Err(stop)) => return Ok(Next::None(stop.reason())),
        Err(EngineError::Llm(error)) => {
            return Ok(Next::None(format!("the model could not be asked for a repair ({error})")));
        }
        Err(error) => return Err(error),
    };
    if let Some(refused) = found.refused {
        let (program, error) = (refused.code, Some(refused.reason));
        return Ok(Next::Refused(Attempt { program, ending: NOT_RUN.into(), error }));
    }
    if !found.alternatives.is_empty() {
        done.alternatives = found.alternatives;
    }
    Ok(match found.program {
        None if found.too_long => Next::None("the repaired program was too long".into()),
        None => Next::None("the model had no other program".into()),
        // The same program on the same files fails the same way.
        Some(next) if done.attempts.iter().any(|tried| tried.program.trim() == next.trim()) => {
            Next::None("the model sent the same program again".into())
        }
        Some(next) => Next::Program(next),
    })
}

/// Runs a program; `None` if the time for the answer is over.
async fn run<R: RunJob>(
    work: &mut Work<'_>,
    runner: &R,
    program: &str,
    number: usize,
) -> Result<Option<Outcome>, EngineError> {
    let Some(job) = job(work, program, work.ask.workspace.clone()) else { return Ok(None) };
    let attempt = u32::try_from(number).unwrap_or(u32::MAX);
    (work.on_event)(AnswerEvent::Program { source: program.to_owned(), attempt });
    work.stage(Stage::Running, number, "running the program".into());
    let on_event = &mut *work.on_event;
    let mut forward = |event| on_event(AnswerEvent::Run { attempt, event });
    Ok(Some(runner.run(job, &mut forward, work.cancel).await?))
}

/// A program as a job within the time that is left for the answer; `None` if there is none.
pub(super) fn job(work: &Work<'_>, program: &str, workspace: PathBuf) -> Option<Job> {
    let left = u64::try_from(work.time_left()?.as_millis()).unwrap_or(u64::MAX).max(1);
    let mut limits = work.ask.limits.clone();
    limits.wall_time_ms = limits.wall_time_ms.min(left);
    Some(Job {
        image: work.ask.image.clone(),
        program: Program {
            source: program.to_owned(),
            filename: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            stdin: String::new(),
            echo: Echo::Last,
        },
        workspace,
        limits,
        mode: Mode::Live,
        seed: None,
    })
}

fn attempt(program: &str, outcome: &Outcome) -> Attempt {
    Attempt {
        program: program.to_owned(),
        ending: outcome.ending.name().to_owned(),
        error: failure::reason(outcome).map(|reason| one_line(&reason, 500)),
    }
}
