//! The side that asks: starts the jailed process, hands it open files, waits, kills it when it must.
//!
//! On the socket: one byte with all files attached (inputs, then the output), then the request as JSON behind its length
//! in four bytes, little-endian; back comes the answer in the same form.

use std::fs::File;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use glovebox_media::{Caps, Op, Report};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use serde::{Deserialize, Serialize};

use super::{Check, MediaError};
use crate::jail::Profile;

/// Inputs of one operation: what one message can carry, with room for the output.
pub(super) const MAX_INPUTS: usize = 64;
/// Longest request and answer, in bytes.
const MAX_MESSAGE: usize = 4 << 20;
/// Longest operation. Its processor time has a lower limit.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often the wish to stop is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// What the process may use up. FFmpeg needs a few hundred MiB for pictures of 8K.
pub(super) const PROFILE: Profile = Profile { memory_mib: 2048, cpu_seconds: 300, file_mib: 513, descriptors: 80 };

/// A request, after the files.
#[derive(Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) op: Op,
    /// What people call the inputs.
    pub(super) names: Vec<String>,
    pub(super) caps: Caps,
}

/// A wish, from another thread, that the work end.
pub(super) type Stop = Arc<AtomicBool>;

/// Does one operation in a process of its own. Blocks.
pub(super) fn perform(
    program: &Path,
    op: &Op,
    inputs: Vec<(String, File)>,
    output: Option<File>,
    caps: &Caps,
    stop: &Stop,
) -> Result<Report, MediaError> {
    if inputs.len() > MAX_INPUTS {
        let message = format!("{} files at once are too many; {MAX_INPUTS} can be joined in one step", inputs.len());
        return Err(MediaError::new("request", message));
    }
    let (names, mut files): (Vec<_>, Vec<_>) = inputs.into_iter().unzip();
    let what = names.first().map_or_else(|| "the operation".to_owned(), Clone::clone);
    files.extend(output);
    let task = Task { op: op.clone(), names, caps: caps.clone() };
    let mut worker = Worker::start(program, &[])?;
    let talk = worker.ask(&task, &files).and_then(|()| worker.answer::<Result<Report, _>>(stop));
    match talk {
        Ok(Some(answer)) => answer.map_err(|error: glovebox_media::MediaError| {
            let value = serde_json::to_value(&error).unwrap_or_default();
            MediaError::new(value["kind"].as_str().unwrap_or("output"), error.to_string())
        }),
        Ok(None) => Err(MediaError::new("process", format!("{what}: it was stopped; no result was kept"))),
        Err(error) => Err(MediaError::new("process", format!("{what}: {}", worker.obituary(&error)))),
    }
}

/// Asks a worker how it is locked.
pub(super) fn check(program: &Path) -> Result<Check, MediaError> {
    let mut worker = Worker::start(program, &["--check"])?;
    match worker.answer(&Stop::default()) {
        Ok(Some(check)) => Ok(check),
        Ok(None) => Err(MediaError::new("process", "the media worker was stopped")),
        Err(error) => Err(MediaError::new("process", worker.obituary(&error))),
    }
}

/// A running process; dropping it kills it.
struct Worker {
    child: Child,
    socket: UnixStream,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    fn start(program: &Path, args: &[&str]) -> Result<Worker, MediaError> {
        let failed =
            |error: std::io::Error| MediaError::new("process", format!("the media worker did not start: {error}"));
        let (socket, theirs) = UnixStream::pair().map_err(failed)?;
        socket.set_read_timeout(Some(GLANCE)).map_err(failed)?;
        socket.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut command = Command::new(program);
        command.arg("media-worker").args(args).env_clear().process_group(0);
        command.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(failed)?;
        // The command holds the other end of the socket: with it gone, the process's end is ours to see.
        drop(command);
        Ok(Worker { child, socket })
    }

    fn ask(&mut self, task: &Task, files: &[File]) -> std::io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_INPUTS + 1))];
        let mut attached = SendAncillaryBuffer::new(&mut space);
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        if !files.is_empty() && !attached.push(SendAncillaryMessage::ScmRights(&files)) {
            return Err(std::io::Error::other("too many files"));
        }
        rustix::net::sendmsg(&self.socket, &[IoSlice::new(b"!")], &mut attached, SendFlags::NOSIGNAL)?;
        send(&mut self.socket, task)
    }

    /// The answer; `None` if somebody wishes to stop.
    fn answer<T: serde::de::DeserializeOwned>(&mut self, stop: &Stop) -> std::io::Result<Option<T>> {
        let until = Instant::now() + PATIENCE;
        let mut bytes = Vec::new();
        let mut chunk = [0; 64 << 10];
        loop {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if Instant::now() > until {
                return Err(std::io::Error::other(format!("it took longer than {} seconds", PATIENCE.as_secs())));
            }
            match self.socket.read(&mut chunk) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
            if let Some(length) = bytes.first_chunk::<4>() {
                let length = u32::from_le_bytes(*length) as usize;
                if length > MAX_MESSAGE {
                    return Err(std::io::Error::other("its answer is too long"));
                }
                if let Some(answer) = bytes.get(4..4 + length) {
                    return Ok(Some(serde_json::from_slice(answer)?));
                }
            }
        }
    }

    /// Why there is no answer.
    fn obituary(&mut self, error: &std::io::Error) -> String {
        if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) {
            return format!("the media worker failed: {error}");
        }
        match self.child.wait() {
            Ok(status) => format!(
                "the media worker died ({status}): the file may be made to harm, or need more than {} MiB of memory or {} \
                 seconds of a processor",
                PROFILE.memory_mib, PROFILE.cpu_seconds
            ),
            Err(error) => format!("the media worker died: {error}"),
        }
    }
}

/// Writes a message behind its length.
pub(super) fn send(to: &mut impl Write, message: &impl Serialize) -> std::io::Result<()> {
    let body = serde_json::to_vec(message)?;
    let length = u32::try_from(body.len()).ok().filter(|length| *length as usize <= MAX_MESSAGE);
    let length = length.ok_or_else(|| std::io::Error::other("a message is too long"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&body)
}

/// Reads a message behind its length.
pub(super) fn receive<T: serde::de::DeserializeOwned>(from: &mut impl Read) -> std::io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_MESSAGE {
        return Err(std::io::Error::other("a message is too long"));
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(serde_json::from_slice(&body)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_dies_is_an_error_that_names_the_file() {
        let file = tempfile::tempfile().expect("a file");
        let inputs = vec![("clip.mp4".to_owned(), file)];
        let died = perform(Path::new("/bin/false"), &Op::Probe, inputs, None, &Caps::default(), &Stop::default());
        let error = died.expect_err("nobody answers");
        assert_eq!(error.kind, "process");
        assert!(error.message.starts_with("clip.mp4: the media worker died (exit status: 1)"), "{error}");
    }

    #[test]
    fn a_wish_to_stop_ends_the_work() {
        let stop = Stop::default();
        stop.store(true, Ordering::Relaxed);
        // Reads what it is asked, and never answers.
        let ended = perform(Path::new("/bin/cat"), &Op::Probe, Vec::new(), None, &Caps::default(), &stop);
        assert!(ended.is_err());
    }
}
