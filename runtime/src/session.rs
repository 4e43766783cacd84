//! Session: a live guest that takes turns, and what must be kept of it to go on later or twice.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use cap_std::fs::Dir;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use crate::artifact::{Before, collect, hex, survey};
use crate::command::{self, Placed};
use crate::guest::{Guest, Setup, Surroundings, Turn};
use crate::image::Image;
use crate::interrupt::Interrupt;
use crate::layer::{Layer, Rest};
use crate::memory::Start;
use crate::meter::{Clocks, Stopped, Watch};
use crate::mount::{Access, Mount};
use crate::prepare::save_sparse;
use crate::run::WORKSPACE;
use crate::stdio::Voice;
use crate::{
    Display, Ending, Event, EventBody, Job, Kind, Lineage, Mode, Outcome, OutputOverflow, RunError, Services, Timing,
    Usage,
};

/// A live guest. Variables, imports and open files stay from turn to turn.
///
/// Between turns no guest code is on the stack, so that a session is its memory, its directories and what the host
/// keeps of its open files. [`Session::save`] writes the memory that changed since the last save; [`Session::wake`]
/// makes another instance of it, in this process or in another, as often as is wanted. The directories are the
/// caller's to keep and to copy.
///
/// A turn that is stopped in its middle (a limit, a crash) leaves no usable interpreter: [`Session::is_intact`] is false
/// then, and the caller goes back to what was saved. A cancelled turn is interrupted first, where the interpreter can be:
/// CPython raises `KeyboardInterrupt` and stays intact unless the program takes longer than a second to end.
pub struct Session {
    guest: Guest,
    start: Start,
    image: String,
    name: String,
    filename: String,
    voice: Voice,
    workspace: Dir,
    scratch: Dir,
    known: [Before; 2],
    /// Stack pointer between turns.
    rest: Option<i32>,
    turns: u64,
    /// Mappings that it takes up at most.
    mappings: usize,
    intact: bool,
    /// Whether the instance was made ahead, so that it has to be told that its first turn is one.
    fresh: bool,
    /// Whether a cancelled turn is interrupted first, so that the interpreter may stay usable.
    interruptible: bool,
    /// Files that were open when it was saved and cannot be opened now.
    lost: Vec<String>,
    /// Who answers its calls.
    services: Option<Arc<dyn Services>>,
    /// Of a command: its program's file, there until the run is over.
    program: Option<Placed>,
}

/// Layers of a session after which a save writes the whole difference to the image again.
const LONGEST_CHAIN: usize = 16;

impl Session {
    /// A fresh guest of `image`. Of the job the workspace, the environment, the arguments and the limits are used.
    /// `scratch`: host directory that the guest sees as `/tmp`.
    ///
    /// # Errors
    ///
    /// Our side failed: a directory cannot be opened, no memory. Or the image is a command, which takes no turns.
    pub async fn open(image: &Image, job: &Job, scratch: &Path) -> Result<Session, RunError> {
        takes_turns(image)?;
        Session::make(image, job, scratch, Vec::new()).await
    }

    /// A guest that goes on where a session was saved: `layers` as [`Session::layers`] told them then, oldest first;
    /// without any, a fresh guest. The directories must be as they were, too.
    ///
    /// # Errors
    ///
    /// [`RunError::Checkpoint`] if a layer is damaged, newer, or of another image; otherwise as [`Session::open`].
    pub async fn wake(image: &Image, job: &Job, scratch: &Path, layers: &[PathBuf]) -> Result<Session, RunError> {
        takes_turns(image)?;
        let layers = Layer::open_chain(layers, image.digest())
            .map_err(|(path, error)| RunError::Checkpoint { path, reason: error.to_string() })?;
        Session::make(image, job, scratch, layers).await
    }

    /// Another session that goes on from where this one was saved last, sharing the pages that were saved.
    ///
    /// # Errors
    ///
    /// As [`Session::open`].
    pub async fn fork(&self, image: &Image, job: &Job, scratch: &Path) -> Result<Session, RunError> {
        Session::make(image, job, scratch, self.start.layers.clone()).await
    }

    async fn make(image: &Image, job: &Job, scratch: &Path, layers: Vec<Arc<Layer>>) -> Result<Session, RunError> {
        let workspace = open_directory(&job.workspace)?;
        let scratch_dir = open_directory(scratch)?;
        let voice = Voice::new(&job.limits);
        let mut mounts = image.mounts().to_vec();
        mounts.push(Mount::new(&job.workspace, WORKSPACE, Access::ReadWrite));
        mounts.push(Mount::new(scratch, "/tmp", Access::ReadWrite));
        mounts.push(image.dev());
        let filename = job.program.filename.as_deref().unwrap_or(image.filename());
        let mut env = image.env();
        env.extend(job.program.env.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut args = vec![filename];
        args.extend(job.program.args.iter().map(String::as_str));
        let line = image.manifest().command.as_ref();
        let program = line.map(|line| Placed::new(line, &job.program, image.filename())).transpose()?;
        if let Some(program) = &program {
            mounts.extend(program.mounts(&job.workspace));
            args = program.argv.iter().map(String::as_str).collect();
        }
        let rest = layers.last().map_or_else(Rest::default, |layer| layer.rest().clone());
        let start = Start { image: image.memory().clone(), layers };
        if program.is_some() {
            command::check_memory(image.name(), start.len(), &job.limits)?;
        }
        let setup = Setup {
            kind: image.manifest().kind,
            mounts: &mounts,
            env,
            args,
            limits: &job.limits,
            mode: job.mode,
            voice: voice.clone(),
            clock_ns: rest.clock_ns,
        };
        let ahead = if job.mode == Mode::Live && start.layers.is_empty() { image.take_ahead() } else { None };
        let fresh = ahead.is_some();
        let mut guest = match ahead {
            Some(mut guest) => {
                guest.adopt(setup)?;
                guest
            }
            None => Guest::new(image.pre(), &start, setup).await?,
        };
        let lost = guest.reopen(&rest).await;
        // Image, heap, guard, and the engine's own for exceptions.
        let mappings = 8 + start.layers.iter().map(|layer| mappings(layer)).sum::<usize>();
        Ok(Session {
            rest: guest.stack_pointer(),
            guest,
            start,
            image: image.digest().to_owned(),
            name: image.name().to_owned(),
            filename: image.filename().to_owned(),
            voice,
            workspace,
            scratch: scratch_dir,
            known: Default::default(),
            turns: rest.turns,
            mappings,
            intact: true,
            fresh,
            interruptible: true,
            lost,
            services: None,
            program,
        })
    }

    /// A guest for one turn, which a command can take as well: nobody needs it when that is cancelled.
    pub(crate) async fn once(image: &Image, job: &Job, scratch: &Path) -> Result<Session, RunError> {
        let session = Session::make(image, job, scratch, Vec::new()).await?;
        Ok(Session { interruptible: false, ..session })
    }

    /// Who answers the guest's calls from now on, where the job's limits grant services; `None`, as at first, refuses.
    pub fn offer(&mut self, services: Option<Arc<dyn Services>>) {
        self.services = services;
    }

    /// Turns taken since the session's beginning, in all of its instances.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.turns
    }

    /// Whether the interpreter can take another turn.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.intact
    }

    /// The files that [`Session::wake`] needs, oldest first; none before the first save.
    #[must_use]
    pub fn layers(&self) -> Vec<PathBuf> {
        self.start.layers.iter().map(|layer| layer.path().to_owned()).collect()
    }

    /// Mappings that it takes up, of the 65,530 that Linux gives a process unless told otherwise (vm.max_map_count).
    #[must_use]
    pub fn mappings(&self) -> usize {
        self.mappings
    }

    /// Runs a program in the guest, after those of earlier turns. The job's limits, mode, seed and input are this
    /// turn's; its image and workspace are the session's.
    ///
    /// A deterministic turn without a seed goes on with the random numbers of the turns before it.
    ///
    /// # Errors
    ///
    /// Only when our side failed, or the session [is not intact](Session::is_intact).
    pub async fn turn(
        &mut self,
        job: &Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError> {
        if !self.intact {
            return Err(RunError::Engine { action: "failed to take a turn", reason: "the guest has ended".into() });
        }
        let mut clocks = Clocks::start(&job.limits, job.mode);
        let mut events = Numbered { seq: 0, on_event, displays: Vec::new() };
        let before = survey(&self.workspace, &self.known[0])?;
        let scratch = survey(&self.scratch, &self.known[1])?;
        let deterministic = job.mode == Mode::Deterministic;
        let first = self.turns == 0;
        let seed = job.seed.or((deterministic && first).then_some(0));
        // Each turn draws other numbers, and the same ones when it is replayed.
        let random_seed = job.seed.or(deterministic.then_some(self.turns));
        self.guest.begin(&Surroundings {
            limits: &job.limits,
            mode: job.mode,
            random_seed,
            stdin: &job.program.stdin,
            present: (before.bytes + scratch.bytes, before.files + scratch.files),
        })?;
        self.guest.store.data_mut().services = self.services.clone().filter(|_| !job.limits.services.is_empty());
        events.send(EventBody::Started { image: self.name.clone() });
        let filename = job.program.filename.as_deref().unwrap_or(&self.filename);
        let mut argv = vec![filename];
        argv.extend(job.program.args.iter().map(String::as_str));
        let turn = Turn {
            source: &job.program.source,
            filename,
            argv,
            // At its instance's first turn a guest reads its environment from the host.
            env: if first && !self.fresh { Default::default() } else { job.program.env.clone() },
            cwd: WORKSPACE,
            fresh: std::mem::take(&mut self.fresh),
            seed,
            echo: job.program.echo,
        };
        let request = serde_json::to_vec(&turn)
            .map_err(|error| RunError::Engine { action: "failed to write a request", reason: error.to_string() })?;
        for path in std::mem::take(&mut self.lost) {
            let message = format!("{path} was open when this session was saved and cannot be opened again");
            let mut spoken = self.voice.lock();
            spoken.note(&message);
            spoken.warnings.push(message);
        }
        self.intact = false;
        self.turns = self.turns.saturating_add(1);

        let result = {
            let voice = &self.voice;
            let wish = self.guest.store.data().wasi.clock.wish.clone();
            let window = self.guest.window();
            let interrupt = self.interruptible.then(|| Interrupt::new(wish, window, self.start.image.clone()));
            let mut running = pin!(self.guest.turn(&request));
            let mut cancelled = pin!(cancel.clone().cancelled_owned());
            let mut deadline = pin!(clocks.deadline());
            Watch {
                guest: running.as_mut(),
                clocks: &mut clocks,
                cancel: cancelled.as_mut(),
                deadline: deadline.as_mut(),
                interrupt,
                begun: false,
                cancelled: false,
                drain: || {
                    let mut spoken = voice.lock();
                    events.send_all(spoken.take_pending());
                    spoken.truncated && job.limits.output_overflow == OutputOverflow::End
                },
            }
            .await
        };
        self.intact = matches!(result, Ok(Ok(_))) && self.guest.stack_pointer() == self.rest;
        let mut spoken = self.voice.lock();
        spoken.finish();
        events.send_all(spoken.take_pending());
        let error = spoken.error.take();
        let interrupted = self.intact
            && cancel.is_cancelled()
            && error.as_ref().is_some_and(|(exception, ..)| exception == "KeyboardInterrupt");
        let ending = if interrupted { Ending::Cancelled } else { ending(result, error, &self.guest) };
        if self.program.is_some() {
            let state = self.guest.store.data();
            let (memory, disk) = (state.memory.refused, state.wasi.ledger.refused);
            spoken.warnings.extend(command::warnings(&ending, memory, disk, &job.limits));
        }
        let usage = Usage {
            fuel: self.guest.fuel_used(),
            memory_peak_bytes: self.guest.store.data().memory.peak(),
            output_bytes: spoken.output_bytes,
        };
        let (artifacts, left_out) = collect(&self.workspace, &before, &job.limits)?;
        let mut warnings = std::mem::take(&mut spoken.warnings);
        warnings.extend(left_out);
        for artifact in &artifacts {
            events.send(EventBody::Artifact(artifact.clone()));
        }
        events.send(EventBody::Ended { ending: ending.clone(), usage });
        let inputs = before.inputs.clone();
        self.known = [before, scratch];
        Ok(Outcome {
            ending,
            stdout: std::mem::take(&mut spoken.stdout),
            stderr: std::mem::take(&mut spoken.stderr),
            output_truncated: spoken.truncated,
            displays: events.displays,
            artifacts,
            warnings,
            usage,
            timing: (!deterministic).then(|| Timing {
                wall_ms: clocks.wall().as_secs_f64() * 1e3,
                cpu_ms: clocks.cpu().as_secs_f64() * 1e3,
            }),
            lineage: Lineage {
                image: self.image.clone(),
                source_sha256: hex(&Sha256::digest(&job.program.source)),
                inputs,
                seed: job.seed.or(seed),
                deterministic,
            },
        })
    }

    /// Writes the memory that changed since the last save to a new file, after which [`Session::layers`] has what a
    /// wake or a fork needs. Now and then it writes everything that differs from the image, so that the list stays
    /// short. Returns the bytes of pages written.
    ///
    /// # Errors
    ///
    /// The disk is full or fails, the file exists already, or the session is not intact. The session itself stays as it is.
    pub fn save(&mut self, path: &Path) -> Result<u64, RunError> {
        if !self.intact {
            return Err(RunError::Engine { action: "failed to save a session", reason: "the guest has ended".into() });
        }
        let whole = self.should_start_anew();
        let saved = self.guest.save(&self.start, &self.image, self.turns, path, whole);
        let layer = saved.map_err(|error| match error {
            crate::LayerError::Io(source) => {
                RunError::Io { action: "failed to save a session in", path: path.into(), source }
            }
            error => RunError::Checkpoint { path: path.into(), reason: error.to_string() },
        })?;
        let bytes = layer.page_bytes();
        // What an older layer had mapped may still be there.
        self.mappings += mappings(&layer);
        if whole {
            self.start.layers.clear();
        }
        self.start.layers.push(Arc::new(layer));
        Ok(bytes)
    }

    /// Writes the whole memory to a new file, from which [`Image::grown`] makes an image. Pages of zeros take no room.
    ///
    /// # Errors
    ///
    /// The disk is full or fails, or the session is not intact.
    pub fn export(&self, path: &Path) -> Result<(), RunError> {
        if !self.intact {
            return Err(RunError::Engine {
                action: "failed to export a session",
                reason: "the guest has ended".into(),
            });
        }
        save_sparse(path, self.guest.memory()).map_err(RunError::io("failed to write", path))
    }

    /// A long chain is slow to wake, and one whose layers hold the same pages again and again wastes the disk.
    fn should_start_anew(&self) -> bool {
        let Some((first, later)) = self.start.layers.split_first() else { return true };
        let sum: u64 = later.iter().map(|layer| layer.page_bytes()).sum();
        self.start.layers.len() >= LONGEST_CHAIN && sum >= first.page_bytes() / 2
            || self.start.layers.len() >= 4 * LONGEST_CHAIN
    }
}

fn takes_turns(image: &Image) -> Result<(), RunError> {
    match image.manifest().kind {
        Kind::Reactor => Ok(()),
        Kind::Command => Err(RunError::image(image.name(), "it runs one program at a time and has no sessions")),
    }
}

/// Mappings of a layer: its own, and each long run splits one into three.
fn mappings(layer: &Layer) -> usize {
    1 + 2 * layer.long_runs()
}

fn open_directory(path: &Path) -> Result<Dir, RunError> {
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

/// How Python and JavaScript name a full disk and a file that is too large (in Python, errno of WASI preview 1).
const DISK_ERRNOS: [&str; 4] = ["[Errno 51]", "[Errno 22]", "ENOSPC: ", "EFBIG: "];

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
            if matches!(exception.as_str(), "OSError" | "Error") && full && state.wasi.ledger.refused {
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
