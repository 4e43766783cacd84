//! The sampler: knows every file before a model sees it.
//!
//! The format is told by content; the name only breaks ties. Everything streams: memory and time are bounded whatever
//! the file holds, because the files are anybody's. What cannot be read is described, not refused: a broken workbook
//! becomes a note that a person and a model can act on.

mod archive;
mod arrow;
mod cell;
mod column;
mod count;
mod date;
mod dates;
mod delimited;
mod dialect;
mod encoding;
mod image;
mod json;
mod parquet;
mod pdf;
mod prompt;
mod role;
mod sniff;
mod sqlite;
mod table;
mod text;
mod workbook;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};

use super::sample::{Content, Sample};
use sniff::Format;

pub use prompt::{DEFAULT_PROMPT_BYTES, describe_stream, to_prompt};

/// Files of a workspace that are sampled.
const MAX_FILES: usize = 50;
/// Directories below the workspace that are entered.
const MAX_DEPTH: usize = 4;
/// Directory entries that are looked at.
const MAX_ENTRIES: usize = 10_000;
/// Bytes at the beginning of a file that its format is told by.
const START: usize = 256 * 1024;
/// Bytes of a file that are read; of longer JSON Lines, rows are estimated. Delimited text is read to its end.
const MAX_READ: u64 = 2 * 1024 * 1024 * 1024;

/// Why a file could not be sampled.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// No such file in the workspace.
    #[error("no file `{name}` in the workspace")]
    NotFound {
        /// Path below the workspace.
        name: String,
    },
    /// A directory, a pipe, a device.
    #[error("`{name}` is not a regular file: only regular files can be sampled")]
    NotAFile {
        /// Path below the workspace.
        name: String,
    },
    /// A link or `..` that leads out of the workspace.
    #[error("`{name}` leads out of the workspace: give a path below it")]
    Outside {
        /// Path below the workspace.
        name: String,
    },
    /// The system refused.
    #[error("cannot read `{name}`: {source}")]
    Unreadable {
        /// Path below the workspace.
        name: String,
        /// Why.
        source: io::Error,
    },
}

/// Finds out what is in the file at `path` below `dir`, in this process: [`crate::sampling`] does it in a locked one.
///
/// # Errors
///
/// [`SampleError`] if there is no such regular file or it cannot be read. A broken file is no error: its sample says so.
pub fn sample_file(dir: &Dir, path: &str) -> Result<Sample, SampleError> {
    let (file, size) = open(dir, path)?;
    read(path, file, size).map_err(|source| SampleError::Unreadable { name: path.to_owned(), source })
}

/// Opens the regular file at `path` below `dir`; with its size in bytes.
///
/// # Errors
///
/// As [`sample_file`].
pub fn open(dir: &Dir, path: &str) -> Result<(File, u64), SampleError> {
    let name = || path.to_owned();
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SampleError::NotFound { name: name() },
        io::ErrorKind::PermissionDenied if escapes(&source) => SampleError::Outside { name: name() },
        io::ErrorKind::IsADirectory => SampleError::NotAFile { name: name() },
        _ => SampleError::Unreadable { name: name(), source },
    };
    let mut options = OpenOptions::new();
    // Without this flag, opening a pipe waits for a writer that may never come.
    options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    let file = dir.open_with(path, &options).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(SampleError::NotAFile { name: name() });
    }
    Ok((file.into_std(), metadata.len()))
}

/// Samples all regular files below `dir`, at most 50, hidden ones left out, in order of their paths: by `sample`, on as
/// many threads as there are cores. A file that cannot be read has a sample that says so.
///
/// # Errors
///
/// When `dir` itself cannot be listed.
pub fn sample_workspace(
    dir: &Dir,
    sample: impl Fn(&Dir, &str) -> Result<Sample, SampleError> + Sync,
) -> io::Result<Vec<Sample>> {
    let mut paths = Vec::new();
    let mut budget = MAX_ENTRIES;
    list(dir, "", MAX_DEPTH, &mut budget, &mut paths)?;
    paths.sort_unstable();
    let left_out = paths.len().saturating_sub(MAX_FILES);
    paths.truncate(MAX_FILES);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(paths.len()));
    let work = || {
        while let Some((at, path)) = Some(next.fetch_add(1, Relaxed)).and_then(|at| Some((at, paths.get(at)?))) {
            let sample = sample(dir, path).unwrap_or_else(|error| unsampled(path, 0, &[], error.to_string()));
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, sample));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(paths.len());
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    let mut samples: Vec<Sample> = done.into_iter().map(|(_, sample)| sample).collect();
    if let (Some(last), 1..) = (samples.last_mut(), left_out) {
        last.notes.push(format!("the workspace holds {left_out} more files that were not sampled"));
    }
    Ok(samples)
}

/// The sample of a file whose content is not known, for the reason `why`.
pub fn unsampled(name: &str, size: u64, start: &[u8], why: String) -> Sample {
    Sample {
        name: name.to_owned(),
        size,
        media_type: "application/octet-stream".to_owned(),
        content: Content::Binary { magic: sniff::magic(start) },
        notes: vec![why],
    }
}

/// Adds the regular files below `dir` to `paths`. A directory inside that cannot be read is passed over.
fn list(dir: &Dir, prefix: &str, depth: usize, budget: &mut usize, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in dir.entries()? {
        let Ok(entry) = entry else { continue };
        if *budget == 0 {
            return Ok(());
        }
        *budget -= 1;
        // A name that is not UTF-8 cannot be given to a model, nor to `sample_file`.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        if name.starts_with('.') {
            continue;
        }
        if kind.is_file() {
            paths.push(format!("{prefix}{name}"));
        } else if kind.is_dir() && depth > 1 {
            // A link that took its place meanwhile cannot lead out of `dir`: cap-std sees to it.
            if let Ok(inner) = dir.open_dir(&name) {
                let _ = list(&inner, &format!("{prefix}{name}/"), depth - 1, budget, paths);
            }
        }
    }
    Ok(())
}

/// True for the error with which cap-std refuses a path that leaves its directory.
fn escapes(error: &io::Error) -> bool {
    error.raw_os_error().is_none() && error.to_string().contains("outside")
}

/// A file being sampled.
struct Input {
    name: String,
    file: File,
    size: u64,
    /// Its first bytes, at most [`START`].
    start: Vec<u8>,
}

impl Input {
    /// True if the file's name ends in one of `extensions`, given in lower case.
    fn is_named(&self, extensions: &[&str]) -> bool {
        self.extension().is_some_and(|e| extensions.contains(&e.as_str()))
    }

    fn extension(&self) -> Option<String> {
        let (stem, extension) = self.name.rsplit_once('.')?;
        (!stem.is_empty() && extension.len() <= 10).then(|| extension.to_lowercase())
    }

    /// True if [`Input::start`] is the whole file.
    fn complete(&self) -> bool {
        self.start.len() as u64 >= self.size
    }

    /// The file from byte `offset` on, up to [`MAX_READ`].
    fn reader(&self, offset: u64) -> io::Result<io::Take<&File>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file.take(MAX_READ))
    }

    /// The file from byte `offset` to its end, for readers whose memory doesn't grow with it.
    fn whole(&self, offset: u64) -> io::Result<&File> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }

    /// The whole file, or its first `most` bytes.
    fn read_all(&self, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.reader(0)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// What a format's own module finds out.
struct Finding {
    media_type: &'static str,
    content: Content,
    notes: Vec<String>,
}

/// Finds out what is in a file of `size` bytes. Its name breaks ties.
///
/// # Errors
///
/// When reading fails.
pub fn read(name: &str, mut file: File, size: u64) -> io::Result<Sample> {
    let mut start = Vec::new();
    (&mut file).take(START as u64).read_to_end(&mut start)?;
    let input = Input { name: name.to_owned(), file, size, start };
    let format = sniff::format(&input.start);
    let mut finding = match format {
        Format::Image(kind) => image::sample(&input, kind)?,
        Format::Zip => workbook::sample(&input)?,
        Format::Parquet => parquet::sample(&input)?,
        Format::Arrow { framed } => arrow::sample(&input, framed)?,
        Format::Ole => workbook::foreign(&input, workbook::Older::Xls)?,
        Format::Sqlite => sqlite::sample(&input)?,
        Format::Pdf => pdf::sample(&input)?,
        Format::Packed(packing) => archive::packed(&input, packing)?,
        Format::Binary(kind) => sniff::binary(&input, kind),
        Format::Text => text_based(&input)?,
    };
    if let Some(claim) = sniff::contradiction(&input, format, finding.media_type) {
        finding.notes.insert(0, claim);
    }
    if finding.notes.len() > 40 {
        let more = finding.notes.len() - 40;
        finding.notes.truncate(40);
        finding.notes.push(format!("{more} more notes of this kind"));
    }
    Ok(Sample {
        name: input.name,
        size,
        media_type: finding.media_type.to_owned(),
        content: finding.content,
        notes: finding.notes,
    })
}

/// JSON if it parses, else a table if it has the shape of one, else text.
fn text_based(input: &Input) -> io::Result<Finding> {
    let how = encoding::detect(&input.start, input.complete());
    let mut notes = Vec::new();
    if json::begins_like_json(input, how) {
        match json::sample(input, how)? {
            Ok(finding) => return Ok(finding),
            Err(why) if input.is_named(&["json", "jsonl", "ndjson", "geojson", "ipynb"]) => {
                notes.push(format!("named as JSON, but it is not valid JSON: {why}"));
                return text::sample(input, how, notes);
            }
            Err(_) => {}
        }
    }
    match dialect::sniff(input, how) {
        Some(found) => delimited::sample(input, how, &found),
        None => text::sample(input, how, notes),
    }
}

/// Text of at most `most` bytes, with an ellipsis if it was or is `cut`; broken bytes become U+FFFD.
fn clip(bytes: &[u8], most: usize, cut: bool) -> String {
    let mut kept = &bytes[..bytes.len().min(most)];
    if cut {
        // Leave out a character that the cut went through.
        if let Err(e) = std::str::from_utf8(kept)
            && e.error_len().is_none()
        {
            kept = &kept[..e.valid_up_to()];
        }
    }
    let mut text = String::from_utf8_lossy(kept).into_owned();
    if cut {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests;
