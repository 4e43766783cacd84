//! The side that works: `glovebox media-worker`. One operation, then the end.

use std::fs::File;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use glovebox_media::{Input, MediaError, Op, Report};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

use super::Check;
use super::process::{MAX_INPUTS, PROFILE, Task, receive, send};
use crate::jail;

/// Standard input is the socket to the process that asks.
pub(super) fn main(check: bool) -> anyhow::Result<()> {
    let locked = jail::lock(PROFILE);
    let mut socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    if check {
        send(&mut socket, &Check { ffmpeg: glovebox_media::version(), jail: locked? })?;
        return Ok(());
    }
    let files = files(&socket)?;
    let task: Task = receive(&mut socket)?;
    let result = match locked {
        Ok(_) => perform(task, files),
        // Nothing is read outside of the jail.
        Err(error) => Err(MediaError::Output(error.to_string())),
    };
    send(&mut socket, &result)?;
    Ok(())
}

fn files(socket: &UnixStream) -> anyhow::Result<Vec<File>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_INPUTS + 1))];
    let mut attached = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let message = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut attached, flags)?;
    anyhow::ensure!(message.bytes == 1, "nothing was asked");
    let mut files = Vec::new();
    for message in attached.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            files.extend(rights.map(File::from));
        }
    }
    Ok(files)
}

fn perform(task: Task, mut files: Vec<File>) -> Result<Report, MediaError> {
    let Task { op, names, caps } = task;
    let wanted = names.len() + usize::from(!matches!(op, Op::Probe));
    if files.len() != wanted {
        return Err(MediaError::Request(format!("{} files came instead of {wanted}", files.len())));
    }
    let output = files.split_off(names.len()).pop();
    let inputs = names.into_iter().zip(files).map(|(name, file)| Input { name, file }).collect();
    glovebox_media::perform(&op, inputs, output, &caps)
}
