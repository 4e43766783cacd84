//! Sampling in a process of its own. Every file is anybody's, so its bytes are parsed where there is nothing to take:
//! `glovebox sample-worker` gets one open file, locks itself ([`crate::jail`]), answers with one sample, ends.
//!
//! A child that dies of a file (a bomb, a crash, too long) leaves a sample that says so; the other files are still used.
//! What was found out is remembered by the file's identity and times, so that a follow-up question reads nothing again.

mod process;
mod remembered;

use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use anyhow::Context;
use cap_std::fs::Dir;

use crate::engine::sample::{Content, Sample};
use crate::engine::sampler::{self, SampleError};
use crate::jail::{self, Profile};

/// What the process may use up. Sampling a table needs some 64 MiB, a workbook or a PDF several times its size; what is
/// mapped of the program itself counts as well. The file is the memory into which archives are unpacked.
const PROFILE: Profile = Profile { memory_mib: 1536, cpu_seconds: 600, file_mib: 257, descriptors: 16 };

/// Finds out what is in the file at `path` below `dir`, in a locked process. Blocks.
///
/// # Errors
///
/// [`SampleError`] if there is no such regular file or it cannot be read. A file of which the process dies is no error:
/// its sample says so.
pub fn sample_file(dir: &Dir, path: &str) -> Result<Sample, SampleError> {
    let unreadable = |source| SampleError::Unreadable { name: path.to_owned(), source };
    let (file, size) = sampler::open(dir, path)?;
    let identity = remembered::Identity::of(&file, path).map_err(unreadable)?;
    if let Some(sample) = remembered::get(&identity) {
        return Ok(sample);
    }
    let ours = file.try_clone().map_err(unreadable)?;
    match process::sample(path, file, size) {
        Ok((sample, bytes)) => {
            let sample = with_recording(sample, ours);
            remembered::put(identity, &sample, bytes);
            Ok(sample)
        }
        Err(why) => {
            let mut start = [0; 16];
            let known = ours.read_at(&mut start, 0).unwrap_or(0);
            Ok(sampler::unsampled(path, size, &start[..known], format!("it was not looked into: {why}")))
        }
    }
}

/// Lets FFmpeg, in a process of its own, say what is in a recording.
fn with_recording(mut sample: Sample, mut file: std::fs::File) -> Sample {
    let kinds = ["audio/", "video/", "application/ogg"];
    let recording = kinds.iter().any(|kind| sample.media_type.starts_with(kind));
    if !recording || !matches!(sample.content, Content::Binary { .. }) {
        return sample;
    }
    // The descriptor shares its position with the one that was read.
    let rewound = std::io::Seek::rewind(&mut file).map_err(|error| error.to_string());
    match rewound.and_then(|()| crate::media::probe_file(file, &sample.name).map_err(|error| error.to_string())) {
        Ok(facts) => {
            sample.content = Content::Media(facts);
            // What was guessed from the first bytes is known now.
            sample.notes.retain(|note| note.starts_with("the name says"));
        }
        Err(why) => sample.notes.push(why),
    }
    sample
}

/// `glovebox sample-worker`: locks itself, samples the file on standard input, answers on standard output.
///
/// # Errors
///
/// If it cannot be locked, or the file cannot be read.
pub fn worker_main(name: &str) -> anyhow::Result<()> {
    let file = std::fs::File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let size = file.metadata()?.len();
    jail::lock(PROFILE)?;
    let sample = sampler::read(name, file, size).with_context(|| format!("cannot read `{name}`"))?;
    let answer = serde_json::to_vec(&sample)?;
    std::io::stdout().write_all(&answer)?;
    Ok(())
}
