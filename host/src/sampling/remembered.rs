//! Samples of this process's lifetime, by what identifies a file's content without reading it.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::engine::sample::Sample;

/// Samples that are remembered; the oldest makes room.
const MOST: usize = 128;
/// Bytes of a sample's JSON beyond which it is not remembered.
const LARGEST: usize = 256 << 10;
/// A file that changed so lately may change again without its times telling.
const SETTLED: Duration = Duration::from_secs(2);

/// A file as it was. The time of its last change of any kind cannot be set by a program, unlike the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    name: String,
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    pub(super) fn of(file: &File, name: &str) -> io::Result<Identity> {
        let facts = file.metadata()?;
        Ok(Identity {
            name: name.to_owned(),
            device: facts.dev(),
            inode: facts.ino(),
            size: facts.size(),
            modified: (facts.mtime(), facts.mtime_nsec()),
            changed: (facts.ctime(), facts.ctime_nsec()),
        })
    }

    fn settled(&self) -> bool {
        let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(self.changed.0).unwrap_or(0));
        SystemTime::now().duration_since(changed).is_ok_and(|age| age > SETTLED)
    }
}

static KNOWN: Mutex<VecDeque<(Identity, Sample)>> = Mutex::new(VecDeque::new());

pub(super) fn get(identity: &Identity) -> Option<Sample> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().find(|(known, _)| known == identity).map(|(_, sample)| sample.clone())
}

/// Remembers a sample whose JSON has so many `bytes`.
pub(super) fn put(identity: Identity, sample: &Sample, bytes: usize) {
    if bytes > LARGEST || !identity.settled() {
        return;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST {
        known.pop_front();
    }
    known.push_back((identity, sample.clone()));
}
