//! Collects the files that a guest left, treating every name and size as hostile.
//!
//! Everything happens beneath a handle of the workspace directory: links are never followed, only
//! regular files with one name are read, and only after the guest is gone.

use std::collections::BTreeMap;
use std::io::Read;

use cap_std::fs::{Dir, File, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use sha2::{Digest, Sha256};

use crate::{Artifact, Limits, RunError};

/// How deep directories are looked into.
const MAX_DEPTH: usize = 16;
/// Longest path that is collected, in bytes.
const MAX_PATH: usize = 512;
/// Inputs up to this size are hashed for the lineage; a caller that knows the hash of a larger one says so itself.
const MAX_HASHED_INPUT: u64 = 8 << 20;

/// What was in a workspace before the run.
#[derive(Debug, Default)]
pub(crate) struct Before {
    stamps: BTreeMap<String, Stamp>,
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    /// Path to SHA-256 of the files small enough to hash.
    pub(crate) inputs: BTreeMap<String, String>,
}

/// Facts that change whenever a file's content does. A guest cannot set the change time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp { inode: metadata.ino(), size: metadata.len(), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

/// Looks at a workspace before the run. What is as it was in `known`, an earlier look, is not hashed again.
pub(crate) fn survey(workspace: &Dir, known: &Before) -> Result<Before, RunError> {
    let mut before = Before::default();
    let mut buffer = Vec::new();
    walk(workspace, &mut |entry| {
        before.files += 1;
        let Entry::File { path, file, metadata } = entry else { return };
        before.bytes += metadata.len();
        let stamp = Stamp::of(metadata);
        before.stamps.insert(path.to_owned(), stamp);
        if let Some(sha256) = known.inputs.get(path).filter(|_| known.stamps.get(path) == Some(&stamp)) {
            before.inputs.insert(path.to_owned(), sha256.clone());
        } else if metadata.len() <= MAX_HASHED_INPUT
            && let Ok((sha256, _)) = digest(file, metadata.len(), &mut buffer)
        {
            before.inputs.insert(path.to_owned(), sha256);
        }
    })
    .map_err(RunError::io("failed to list the workspace", "."))?;
    Ok(before)
}

/// New and changed files, by path, and what was left out and why.
pub(crate) fn collect(
    workspace: &Dir,
    before: &Before,
    limits: &Limits,
) -> Result<(Vec<Artifact>, Vec<String>), RunError> {
    let mut artifacts = Vec::new();
    let mut warnings = Vec::new();
    let mut room = limits.artifact_mib.saturating_mul(1 << 20);
    let mut left_out = 0u64;
    let mut buffer = Vec::new();
    walk(workspace, &mut |entry| {
        let (path, file, metadata) = match entry {
            Entry::File { path, file, metadata } => (path, file, metadata),
            Entry::Refused { path, reason } => {
                if warnings.len() < MAX_WARNINGS {
                    warnings.push(format!("{} was not collected: {reason}", path.escape_debug()));
                }
                return;
            }
            Entry::Directory => return,
        };
        if before.stamps.get(path) == Some(&Stamp::of(metadata)) {
            return;
        }
        if artifacts.len() as u64 >= limits.artifacts || metadata.len() > room {
            left_out += 1;
            return;
        }
        match digest(file, metadata.len(), &mut buffer) {
            Ok((sha256, media_type)) => {
                room -= metadata.len();
                artifacts.push(Artifact { path: path.to_owned(), size: metadata.len(), sha256, media_type });
            }
            Err(error) => warnings.push(format!("{} was not collected: {error}", path.escape_debug())),
        }
    })
    .map_err(RunError::io("failed to list the workspace", "."))?;
    if left_out > 0 {
        warnings.push(format!("{left_out} files were not collected: limits artifacts and artifact_mib"));
    }
    artifacts.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((artifacts, warnings))
}

/// Most sentences about single files.
const MAX_WARNINGS: usize = 20;

enum Entry<'a> {
    File { path: &'a str, file: File, metadata: &'a Metadata },
    Directory,
    Refused { path: &'a str, reason: &'static str },
}

/// Visits everything beneath `root`, sorted by name. What cannot be listed deeper down is skipped:
/// only the root itself is ours.
fn walk(root: &Dir, visit: &mut dyn FnMut(Entry<'_>)) -> std::io::Result<()> {
    let mut open = vec![(String::new(), root.try_clone()?, 0usize)];
    while let Some((prefix, dir, depth)) = open.pop() {
        let mut names: Vec<_> = match dir.entries() {
            Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.file_name()).collect(),
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
        };
        names.sort();
        for name in names {
            let shown = format!("{prefix}{}", name.to_string_lossy());
            let refuse = |reason| Entry::Refused { path: &shown, reason };
            let Some(name) = name.to_str() else {
                visit(refuse("its name is not UTF-8"));
                continue;
            };
            if name.chars().any(char::is_control) || shown.len() > MAX_PATH {
                visit(refuse("its name has control characters or is too long"));
                continue;
            }
            let Ok(metadata) = dir.symlink_metadata(name) else { continue };
            if metadata.is_dir() {
                visit(Entry::Directory);
                match open_nofollow(&dir, name, rustix::fs::OFlags::DIRECTORY) {
                    Ok(inner) if depth < MAX_DEPTH => {
                        open.push((format!("{shown}/"), Dir::from_std_file(inner.into_std()), depth + 1));
                    }
                    _ => visit(refuse("the directory is too deep")),
                }
                continue;
            }
            if !metadata.is_file() {
                visit(refuse("it is a link or a special file"));
                continue;
            }
            match open_regular(&dir, name) {
                Ok((_, metadata)) if metadata.nlink() != 1 => visit(refuse("it has several names")),
                Ok((file, metadata)) => visit(Entry::File { path: &shown, file, metadata: &metadata }),
                Err(_) => visit(refuse("it is not a readable regular file")),
            }
        }
    }
    Ok(())
}

fn open_nofollow(dir: &Dir, name: &str, flags: rustix::fs::OFlags) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((flags | rustix::fs::OFlags::NOFOLLOW).bits().cast_signed());
    dir.open_with(name, &options)
}

fn open_regular(dir: &Dir, name: &str) -> std::io::Result<(File, Metadata)> {
    // NONBLOCK: a FIFO put in the file's place must not hold us.
    let file = open_nofollow(dir, name, rustix::fs::OFlags::NONBLOCK)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("not a regular file"));
    }
    Ok((file, metadata))
}

/// SHA-256 in hex, and the media type by content.
fn digest(mut file: File, size: u64, buffer: &mut Vec<u8>) -> std::io::Result<(String, String)> {
    buffer.resize(64 * 1024, 0);
    let mut hasher = Sha256::new();
    let mut media_type = None;
    let mut left = size;
    loop {
        let read = file.read(buffer)?;
        if read == 0 {
            break;
        }
        media_type.get_or_insert_with(|| sniff(&buffer[..read]));
        hasher.update(&buffer[..read]);
        left = left.checked_sub(read as u64).ok_or_else(|| std::io::Error::other("it grew while it was read"))?;
    }
    if left > 0 {
        return Err(std::io::Error::other("it shrank while it was read"));
    }
    Ok((hex(&hasher.finalize()), media_type.unwrap_or_else(|| "text/plain".into())))
}

/// Media type of a file by its first bytes.
#[must_use]
pub fn sniff(head: &[u8]) -> String {
    if let Some(kind) = infer::get(head) {
        return kind.mime_type().to_owned();
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return "application/octet-stream".into(),
    };
    if text.contains('\0') {
        return "application/octet-stream".into();
    }
    let start = text.trim_start();
    if start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg")) {
        "image/svg+xml".into()
    } else if start.starts_with('{') || start.starts_with('[') {
        "application/json".into()
    } else {
        "text/plain".into()
    }
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Dir) {
        let path = tempfile::tempdir().expect("a directory");
        let dir = Dir::open_ambient_dir(path.path(), cap_std::ambient_authority()).expect("open");
        (path, dir)
    }

    #[test]
    fn new_and_changed_files_are_collected_and_others_are_not() {
        let (_path, dir) = workspace();
        dir.write("old.txt", "old").expect("write");
        dir.write("edited.txt", "a").expect("write");
        let before = survey(&dir, &Before::default()).expect("survey");
        dir.write("edited.txt", "bb").expect("write");
        dir.create_dir("sub").expect("mkdir");
        dir.write("sub/new.csv", "a,b\n").expect("write");
        let (artifacts, warnings) = collect(&dir, &before, &Limits::default()).expect("collect");
        let paths: Vec<_> = artifacts.iter().map(|artifact| artifact.path.as_str()).collect();
        assert_eq!(paths, ["edited.txt", "sub/new.csv"]);
        assert_eq!(warnings, Vec::<String>::new());
    }

    #[test]
    fn links_and_hostile_names_are_refused_with_a_reason() {
        let (path, dir) = workspace();
        let before = survey(&dir, &Before::default()).expect("survey");
        std::os::unix::fs::symlink("/etc/passwd", path.path().join("passwd")).expect("symlink");
        std::os::unix::fs::symlink("/etc", path.path().join("etc")).expect("symlink");
        dir.write("one", "1").expect("write");
        dir.hard_link("one", &dir, "two").expect("link");
        dir.write("a\nb", "1").expect("write");
        rustix::fs::mkfifoat(rustix::fs::CWD, path.path().join("fifo"), rustix::fs::Mode::RUSR).expect("fifo");
        let (artifacts, warnings) = collect(&dir, &before, &Limits::default()).expect("collect");
        assert_eq!(artifacts, []);
        assert_eq!(warnings.len(), 6, "{warnings:?}");
    }

    #[test]
    fn more_files_than_the_limit_are_left_out_with_a_warning() {
        let (_path, dir) = workspace();
        let before = survey(&dir, &Before::default()).expect("survey");
        for n in 0..5 {
            dir.write(format!("{n}.txt"), "x").expect("write");
        }
        let limits = Limits { artifacts: 3, ..Limits::default() };
        let (artifacts, warnings) = collect(&dir, &before, &limits).expect("collect");
        assert_eq!((artifacts.len(), warnings.len()), (3, 1));
    }

    #[test]
    fn types_are_known_by_content() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n0000"), "image/png");
        assert_eq!(sniff(b"<svg xmlns='x'>"), "image/svg+xml");
        assert_eq!(sniff(b"a,b\n1,2\n"), "text/plain");
        assert_eq!(sniff(b"\0\x01\x02"), "application/octet-stream");
    }
}
