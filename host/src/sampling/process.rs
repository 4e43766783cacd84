//! The side that asks: starts the process, reads its answer, ends it when it takes too long.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::engine::sample::Sample;

const MEMORY: &str = "it needs more memory than a sample may use";
/// Bytes of an answer; a sample is a few KiB, of a table with thousands of columns some MiB.
const MAX_ANSWER: u64 = 32 << 20;
/// Bytes of a message on standard error.
const MAX_COMPLAINT: u64 = 4 << 10;
/// How long any file may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes that are read in a second on a slow and busy machine: a larger file may take longer.
const SLOWEST: u64 = 16 << 20;
/// Bytes beyond which a larger file takes no longer, because no more is read.
const MAX_READ: u64 = 2 << 30;

/// Samples an open file of `size` bytes in a process of its own. Also gives the bytes of its answer.
///
/// # Errors
///
/// Why there is no sample, in words for a person.
pub(super) fn sample(name: &str, file: File, size: u64) -> Result<(Sample, usize), String> {
    if cfg!(test) {
        // A unit test is not the program that it tests; `tests/src/formats.rs` starts real processes.
        let sample = crate::engine::sampler::read(name, file, size).map_err(|error| error.to_string())?;
        return Ok((sample, 0));
    }
    let _slot = Slot::wait();
    let limit = PATIENCE + Duration::from_secs(size.min(MAX_READ) / SLOWEST);
    let mut command = Command::new(std::env::current_exe().map_err(|error| error.to_string())?);
    command.args(["sample-worker", "--", name]).stdin(Stdio::from(file));
    ask(command, limit)
}

fn ask(mut command: Command, limit: Duration) -> Result<(Sample, usize), String> {
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().map_err(|error| format!("its process did not start: {error}"))?;
    let mut worker = Worker { child };
    let answer = worker.answer(limit)?;
    let sample = serde_json::from_slice(&answer).map_err(|_| worker.obituary())?;
    Ok((sample, answer.len()))
}

/// A running process; dropping it kills it.
struct Worker {
    child: Child,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    /// All that it says. Reading is left to a thread, so that waiting can have an end.
    fn answer(&mut self, limit: Duration) -> Result<Vec<u8>, String> {
        let Some(pipe) = self.child.stdout.take() else { return Err("its process has no output".to_owned()) };
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut answer = Vec::new();
            let read = pipe.take(MAX_ANSWER + 1).read_to_end(&mut answer);
            // Nobody listens any more if it took too long.
            let _ = send.send(read.map(|_| answer));
        });
        match receive.recv_timeout(limit) {
            Ok(Ok(answer)) if answer.len() as u64 > MAX_ANSWER => Err("there is too much to say of it".to_owned()),
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("the answer of its process broke off: {error}")),
            Err(RecvTimeoutError::Timeout) => Err(format!("it took longer than {} seconds", limit.as_secs())),
            Err(RecvTimeoutError::Disconnected) => Err("the answer of its process broke off".to_owned()),
        }
    }

    /// Why there is no answer.
    fn obituary(&mut self) -> String {
        use std::os::unix::process::ExitStatusExt;
        let _ = self.child.kill();
        let complaint = self.child.stderr.take().and_then(|pipe| {
            let mut text = Vec::new();
            pipe.take(MAX_COMPLAINT).read_to_end(&mut text).ok()?;
            String::from_utf8_lossy(&text).lines().next().map(|line| line.trim_start_matches("glovebox: ").to_owned())
        });
        let complaint = complaint.filter(|line| !line.trim().is_empty());
        // An allocation beyond the ceiling aborts; the jail leaves it no signal to do so by, only a crash.
        if complaint.as_ref().is_some_and(|line| line.starts_with("memory allocation of")) {
            return MEMORY.to_owned();
        }
        match self.child.wait() {
            Ok(status) if status.code() == Some(70) => complaint.unwrap_or_else(|| "its process failed".to_owned()),
            Ok(status) if status.signal() == Some(6) => MEMORY.to_owned(),
            Ok(status) => format!("its process ended by {status}: the file may be damaged or made to do harm"),
            Err(error) => format!("its process was lost: {error}"),
        }
    }
}

/// One of the places for processes, as many as there are cores: each may use a gigabyte.
struct Slot;

static TAKEN: Mutex<usize> = Mutex::new(0);
static FREE: Condvar = Condvar::new();

impl Slot {
    fn wait() -> Slot {
        let most = std::thread::available_parallelism().map_or(2, usize::from);
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = FREE.wait_while(taken, |taken| *taken >= most).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Slot
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FREE.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(script: &str, limit: Duration) -> String {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null());
        ask(command, limit).unwrap_err()
    }

    #[test]
    fn a_process_that_dies_leaves_a_reason() {
        let patient = Duration::from_secs(60);
        assert!(why("kill -SEGV $$", patient).contains("made to do harm"));
        assert!(why("kill -ABRT $$", patient).contains("more memory"));
        assert!(why("echo 'memory allocation of 9 bytes failed' >&2; kill -SEGV $$", patient).contains("more memory"));
        assert_eq!(
            why("echo 'glovebox: cannot read `a`: it is gone' >&2; exit 70", patient),
            "cannot read `a`: it is gone"
        );
        assert!(why("echo '{\"name\": 7'", patient).contains("its process ended"));
        assert!(why("exec sleep 600", Duration::from_millis(20)).contains("it took longer than"));
    }
}
