//! Sink: the output, bounded.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Caps, MediaError};

/// A file that takes a bounded number of bytes.
pub(crate) struct Bounded {
    file: File,
    at: u64,
    limit: u64,
    full: Full,
}

/// Whether the output met its limit: FFmpeg tells only that writing failed.
#[derive(Clone, Default)]
pub(crate) struct Full(Arc<AtomicBool>);

impl Full {
    /// The error to report for a failure to write.
    pub(crate) fn explain(&self, error: impl std::fmt::Display, caps: &Caps) -> MediaError {
        if self.0.load(Ordering::Relaxed) {
            return MediaError::Cap(format!(
                "the result is larger than the {} bytes that it may have",
                caps.output_bytes
            ));
        }
        MediaError::output(error)
    }
}

impl Bounded {
    pub(crate) fn new(file: File, caps: &Caps) -> (Bounded, Full) {
        let full = Full::default();
        (Bounded { file, at: 0, limit: caps.output_bytes, full: full.clone() }, full)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.at.saturating_add(bytes.len() as u64) > self.limit {
            self.full.0.store(true, Ordering::Relaxed);
            return Err(io::ErrorKind::StorageFull.into());
        }
        let count = self.file.write(bytes)?;
        self.at += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Bounded {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = self.file.seek(to)?;
        Ok(self.at)
    }
}
