//! What a pool and its workers say to each other: JSON values behind a length.

use std::io::{Read, Write};
use std::path::PathBuf;

use glovebox_runtime::{Answer, Event, Job, Outcome, Room};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::jail::Locked;

use super::trial::{Trial, Tried};
use super::turn::{Kept, Turn};

/// Longest message. Rich output is bounded by a limit far below it.
const MAX_FRAME: u32 = 512 << 20;

/// To a worker.
#[derive(Serialize, Deserialize)]
pub(super) enum Request {
    /// Lock yourself into this directory for good. The first word to a worker; answered with `Locked`.
    Enter(PathBuf),
    /// Run a job. Answered with events and one `Outcome` or `Failed`.
    Run(Box<Job>),
    /// Take a session's turn. Answered with events and one `Turned`, `Checkpoint` or `Failed`.
    Turn(Box<Turn>),
    /// Let two guests talk. Answered with one `Tried` or `Failed`.
    Trial(Box<Trial>),
    /// Drop a session's instance. Not answered.
    Forget(String),
    /// End the running job.
    Cancel,
    /// To the `Call` of that number; `None`: refused.
    Answer(u64, Option<Answer>),
}

/// From a worker.
#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    /// It has mapped its images and waits to be told where to work.
    Ready,
    /// It is locked, and takes jobs now.
    Locked(Locked),
    /// Something that the job did.
    Event(Event),
    /// The job is over. What the events brought already (output, displays) is left out.
    Outcome(Box<Outcome>),
    /// The turn is over; the outcome as in `Outcome`.
    Turned(Box<Outcome>, Option<Kept>),
    /// The trial is over.
    Tried(Box<Tried>),
    /// The checkpoint that the turn was to go on from cannot be used.
    Checkpoint { path: PathBuf, reason: String },
    /// The job's program asks its host for something. Answered with `Answer`, unless the job ends first.
    Call { number: u64, request: String, room: Room },
    /// Our side failed.
    Failed(String),
}

/// Writes a message and flushes.
pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> std::io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}

/// Reads a message; `None` at the end of the stream.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> std::io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut body = vec![0; checked(length)?];
    from.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Like [`write`], for the pool's side.
pub(super) async fn send(to: &mut (impl AsyncWriteExt + Unpin), message: &impl Serialize) -> std::io::Result<()> {
    to.write_all(&encode(message)?).await?;
    to.flush().await
}

/// Like [`read`], for the pool's side; the end of the stream is an error here. Not cancel-safe.
pub(super) async fn receive<T: DeserializeOwned>(from: &mut (impl AsyncReadExt + Unpin)) -> std::io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    let mut body = vec![0; checked(length)?];
    from.read_exact(&mut body).await?;
    Ok(serde_json::from_slice(&body)?)
}

fn encode(message: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).ok().filter(|length| *length <= MAX_FRAME);
    let length = length.ok_or_else(|| std::io::Error::other("a message is too long"))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

fn checked(length: [u8; 4]) -> std::io::Result<usize> {
    match u32::from_le_bytes(length) {
        length @ 0..=MAX_FRAME => Ok(length as usize),
        length => Err(std::io::Error::other(format!("a message of {length} bytes is too long"))),
    }
}
