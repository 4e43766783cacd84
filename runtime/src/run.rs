//! run(): the whole life of a guest.

use std::path::Path;
use std::pin::pin;

use cap_std::fs::Dir;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use crate::artifact::{collect, hex, survey};
use crate::guest::{Guest, Setup, Turn};
use crate::image::Image;
use crate::meter::{Clocks, Stopped, Watch};
use crate::mount::{Access, Mount};
use crate::stdio::Voice;
use crate::{Display, Ending, Event, EventBody, Job, Lineage, Mode, Outcome, OutputOverflow, RunError, Timing, Usage};

/// The guest's working directory.
pub const WORKSPACE: &str = "/mnt/data";

/// Runs a job in a fresh guest and waits for its end. `on_event` gets each event as it comes.
///
/// A guest that crashes, loops or meets a ceiling is a normal result; see [`Outcome::ending`].
/// Needs a tokio runtime with time enabled. The guest's work is done on the calling task.
///
/// # Errors
///
/// Only when our side failed: the workspace cannot be opened, the disk is full.
pub async fn run(
    image: &Image,
    job: &Job,
    on_event: &mut (dyn FnMut(Event) + Send),
    cancel: &CancellationToken,
) -> Result<Outcome, RunError> {
    let mut clocks = Clocks::start(&job.limits, job.mode);
    let mut events = Numbered { seq: 0, on_event, displays: Vec::new() };
    let voice = Voice::new(&job.limits);
    let workspace = open_workspace(&job.workspace)?;
    let before = survey(&workspace)?;
    let scratch = tempfile::Builder::new().prefix("glovebox-").tempdir();
    let scratch = scratch.map_err(RunError::io("failed to make a directory in", std::env::temp_dir()))?;
    let seed = job.seed.or((job.mode == Mode::Deterministic).then_some(0));

    let mut mounts = image.mounts().to_vec();
    mounts.push(Mount::new(&job.workspace, WORKSPACE, Access::ReadWrite));
    mounts.push(Mount::new(scratch.path(), "/tmp", Access::ReadWrite));
    mounts.push(image.dev());
    let filename = job.program.filename.as_deref().unwrap_or(image.filename());
    let mut env = image.env();
    env.extend(job.program.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mut argv = vec![filename];
    argv.extend(job.program.args.iter().map(String::as_str));

    events.send(EventBody::Started { image: image.name().to_owned() });
    let setup = Setup {
        mounts: &mounts,
        env,
        args: argv.clone(),
        stdin: job.program.stdin.clone(),
        limits: &job.limits,
        mode: job.mode,
        seed,
        voice: voice.clone(),
        before: &before,
    };
    let mut guest = Guest::new(image.pre(), image.memory(), setup).await?;
    let turn = Turn { source: &job.program.source, filename, argv, cwd: WORKSPACE, seed, echo: job.program.echo };
    let request = serde_json::to_vec(&turn)
        .map_err(|error| RunError::Engine { action: "failed to write a request", reason: error.to_string() })?;

    let result = {
        let mut running = pin!(guest.turn(&request));
        let mut cancelled = pin!(cancel.clone().cancelled_owned());
        let mut deadline = pin!(clocks.deadline());
        Watch {
            guest: running.as_mut(),
            clocks: &mut clocks,
            cancel: cancelled.as_mut(),
            deadline: deadline.as_mut(),
            drain: || {
                let mut spoken = voice.lock();
                events.send_all(spoken.take_pending());
                spoken.truncated && job.limits.output_overflow == OutputOverflow::End
            },
        }
        .await
    };
    let mut spoken = voice.lock();
    spoken.finish();
    events.send_all(spoken.take_pending());
    let error = spoken.error.take();
    let ending = ending(result, error, &guest);
    let usage = Usage {
        fuel: guest.fuel_used(),
        memory_peak_bytes: guest.store.data().memory.peak(),
        output_bytes: spoken.output_bytes,
    };
    // The guest is gone before its files are looked at.
    drop(guest);
    let (artifacts, left_out) = collect(&workspace, &before, &job.limits)?;
    let mut warnings = std::mem::take(&mut spoken.warnings);
    warnings.extend(left_out);
    for artifact in &artifacts {
        events.send(EventBody::Artifact(artifact.clone()));
    }
    events.send(EventBody::Ended { ending: ending.clone(), usage });
    Ok(Outcome {
        ending,
        stdout: std::mem::take(&mut spoken.stdout),
        stderr: std::mem::take(&mut spoken.stderr),
        output_truncated: spoken.truncated,
        displays: events.displays,
        artifacts,
        warnings,
        usage,
        timing: (job.mode == Mode::Live)
            .then(|| Timing { wall_ms: clocks.wall().as_secs_f64() * 1e3, cpu_ms: clocks.cpu().as_secs_f64() * 1e3 }),
        lineage: Lineage {
            image: image.digest().to_owned(),
            source_sha256: hex(&Sha256::digest(&job.program.source)),
            inputs: before.inputs,
            seed,
            deterministic: job.mode == Mode::Deterministic,
        },
    })
}

fn open_workspace(path: &Path) -> Result<Dir, RunError> {
    Dir::open_ambient_dir(path, cap_std::ambient_authority()).map_err(RunError::io("failed to open workspace", path))
}

/// Numbers events and keeps what the outcome shows.
struct Numbered<'a> {
    seq: u64,
    on_event: &'a mut (dyn FnMut(Event) + Send),
    displays: Vec<Display>,
}

impl Numbered<'_> {
    fn send(&mut self, body: EventBody) {
        if let EventBody::Display(display) = &body {
            self.displays.push(display.clone());
        }
        self.seq += 1;
        (self.on_event)(Event { seq: self.seq, body });
    }

    fn send_all(&mut self, bodies: Vec<EventBody>) {
        for body in bodies {
            self.send(body);
        }
    }
}

/// Errno of a full disk and of a file that is too large, in WASI preview 1 and so in guests.
const DISK_ERRNOS: [&str; 2] = ["[Errno 51]", "[Errno 22]"];

type TurnResult = Result<wasmtime::Result<i32>, Stopped>;

/// Names how a guest ended.
fn ending(result: TurnResult, error: Option<(String, String, String)>, guest: &Guest) -> Ending {
    let state = guest.store.data();
    let failure = match result {
        Err(Stopped::OutOfTime(clock)) => return Ending::OutOfTime { clock },
        Err(Stopped::Cancelled) => return Ending::Cancelled,
        Err(Stopped::TooMuchOutput) => return Ending::TooMuchOutput,
        Ok(Err(failure)) => failure,
        Ok(Ok(status)) => {
            let Some((exception, message, traceback)) = error.filter(|_| status != 0) else {
                return Ending::Exited { code: (status & 255) as u8 };
            };
            if exception == "MemoryError" && state.memory.refused {
                return Ending::OutOfMemory;
            }
            let full = DISK_ERRNOS.iter().any(|errno| message.contains(errno));
            if exception == "OSError" && full && state.wasi.ledger.refused {
                return Ending::OutOfDisk;
            }
            return Ending::Raised { exception, message, traceback };
        }
    };
    if let Some(exit) = failure.downcast_ref::<I32Exit>() {
        return Ending::Exited { code: (exit.0 & 255) as u8 };
    }
    match failure.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => Ending::OutOfFuel,
        // An interpreter that cannot recover from a refused allocation aborts.
        _ if state.memory.refused => Ending::OutOfMemory,
        Some(trap) => Ending::Trapped { reason: trap.to_string() },
        None => Ending::Trapped { reason: crate::stdio::shorten(&format!("{failure:#}"), 2000) },
    }
}
