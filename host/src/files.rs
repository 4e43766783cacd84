//! Files: safe names, types by content, and copies in workspaces, always beneath a directory handle.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use rustix::fs::ioctl_ficlone;

use crate::storage::{Staged, Storage};

/// Bytes that a file name may have.
const NAME_BYTES: usize = 200;

/// A name that is safe on any disk and in any header, made of what a client called its file: the
/// last path part, without control characters and characters that a disk or shell may refuse.
#[must_use]
pub fn safe_name(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let invisible = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let kept: String = last
        .chars()
        .filter(|c| !invisible(*c))
        .map(|c| if matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|') { '_' } else { c })
        .collect();
    let name = kept.trim().trim_start_matches('.').trim();
    if name.is_empty() { "file".to_owned() } else { with_suffix(name, "") }
}

/// `name`, or the first of `name-2`, `name-3` … that is not taken; the extension stays at the end.
pub fn free_name(name: &str, mut taken: impl FnMut(&str) -> bool) -> String {
    let mut candidate = name.to_owned();
    for number in 2u32.. {
        if !taken(&candidate) {
            break;
        }
        candidate = with_suffix(name, &format!("-{number}"));
    }
    candidate
}

/// Puts `suffix` before the extension and cuts what is too long, not the extension.
fn with_suffix(name: &str, suffix: &str) -> String {
    let dot = name.rfind('.').filter(|dot| *dot > 0 && name.len() - dot <= 16).unwrap_or(name.len());
    let (stem, extension) = name.split_at(dot);
    let mut end = stem.len().min(NAME_BYTES - extension.len() - suffix.len());
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{suffix}{extension}", &stem[..end])
}

/// Media type by content; a text's by its extension as well. `head` is the beginning of the file.
#[must_use]
pub fn media_type(head: &[u8], name: &str) -> String {
    let kind = glovebox_runtime::sniff(head);
    if !matches!(kind.as_str(), "text/plain" | "application/json") {
        return kind;
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    match extension.as_str() {
        "csv" => "text/csv",
        "tsv" | "tab" => "text/tab-separated-values",
        "jsonl" | "ndjson" => "application/x-ndjson",
        "md" => "text/markdown",
        "html" | "htm" => "text/html",
        "py" => "text/x-python",
        _ => return kind,
    }
    .into()
}

/// A workspace that programs work on. Everything in it is hostile: it is reached beneath this handle alone.
#[derive(Debug)]
pub struct Workspace(Dir);

impl Workspace {
    /// Creates the directory, which must not exist yet.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub fn create(path: &Path) -> io::Result<Workspace> {
        std::fs::create_dir(path)?;
        Workspace::open(path)
    }

    /// Opens the directory of a session.
    ///
    /// # Errors
    ///
    /// It is gone or the disk failed.
    pub fn open(path: &Path) -> io::Result<Workspace> {
        Ok(Workspace(Dir::open_ambient_dir(path, ambient_authority())?))
    }

    /// The handle.
    #[must_use]
    pub fn dir(&self) -> &Dir {
        &self.0
    }

    /// Puts a copy of `source` in under `name` or, if that is taken, a similar name, and returns the name.
    /// The copy shares its blocks with the original where the file system can, and is never a link to it.
    ///
    /// # Errors
    ///
    /// The disk failed or is full.
    pub fn place(&self, source: &Path, name: &str) -> io::Result<String> {
        let mut from = File::open(source)?;
        loop {
            let name = free_name(name, |candidate| self.0.symlink_metadata(candidate).is_ok());
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            match self.0.open_with(&name, &options) {
                Ok(to) => {
                    copy(&mut from, &mut to.into_std())?;
                    return Ok(name);
                }
                // A program of the session was faster; take the next name.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes a file if it is there.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match self.0.remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Takes a copy of a regular file out, at most `limit` bytes of it. `None` if there is none by
    /// now, or if it is a link, a directory or a device: a program may have replaced it.
    ///
    /// # Errors
    ///
    /// The disk failed or is full.
    pub fn take(&self, storage: &Storage, path: &str, limit: u64) -> io::Result<Option<Staged>> {
        match self.open_regular(path) {
            Some(file) => storage.stage(file, limit).map(Some),
            None => Ok(None),
        }
    }

    /// Opens a regular file for reading, never through a link.
    #[must_use]
    pub fn open_regular(&self, path: &str) -> Option<File> {
        // Asked before it is opened: opening a pipe would wait for its writer.
        if !self.0.symlink_metadata(path).ok()?.is_file() {
            return None;
        }
        let file = self.0.open(path).ok()?.into_std();
        file.metadata().ok()?.is_file().then_some(file)
    }

    /// Paths and sizes of all regular files, sorted, at most `most` of them. Links are not followed.
    ///
    /// # Errors
    ///
    /// The disk failed.
    pub fn files(&self, most: usize) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        let mut directories = vec![(String::new(), self.0.try_clone()?)];
        while let Some((prefix, dir)) = directories.pop() {
            for entry in dir.entries()? {
                let entry = entry?;
                // Names that are not text cannot be told to a client either.
                let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
                let kind = entry.file_type()?;
                let path = format!("{prefix}{name}");
                if kind.is_dir() && path.len() < 4096 && directories.len() < most {
                    directories.push((format!("{path}/"), entry.open_dir()?));
                } else if kind.is_file() && found.len() < most {
                    found.push((path, entry.metadata()?.len()));
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

pub(crate) fn copy(from: &mut File, to: &mut File) -> io::Result<()> {
    if ioctl_ficlone(&*to, &*from).is_err() {
        from.rewind()?;
        io::copy(from, to)?;
    }
    Ok(())
}

/// Writes everything of `source` to `target`, replacing a file of that name, but not through a link.
///
/// # Errors
///
/// The disk failed or is full.
pub fn export(source: &mut impl Read, target: &Dir, path: &str) -> io::Result<()> {
    if let Some((parent, _)) = path.rsplit_once('/') {
        target.create_dir_all(parent)?;
    }
    match target.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = target.open_with(path, &options)?.into_std();
    io::copy(source, &mut file)?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_its_path_and_what_cannot_be_seen() {
        for (given, safe) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\me\\data.csv", "data.csv"),
            ("a\u{202e}txt.exe\n", "atxt.exe"),
            ("..", "file"),
            ("", "file"),
            (".hidden", "hidden"),
            ("what?.csv", "what_.csv"),
            ("Umsätze 2024.xlsx", "Umsätze 2024.xlsx"),
        ] {
            assert_eq!(safe_name(given), safe, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_keeps_its_extension() {
        let name = safe_name(&format!("{}.parquet", "ä".repeat(300)));
        assert!(name.len() <= NAME_BYTES && name.ends_with("ä.parquet"));
        assert!(safe_name(&"x".repeat(999)).len() == NAME_BYTES);
        assert!(free_name(&name, |candidate| candidate == name).len() <= NAME_BYTES);
    }

    #[test]
    fn a_second_file_of_the_same_name_gets_a_number_before_its_extension() {
        let taken = ["a.csv", "a-2.csv"];
        assert_eq!(free_name("a.csv", |name| taken.contains(&name)), "a-3.csv");
        assert_eq!(free_name("README", |name| name == "README"), "README-2");
    }

    #[test]
    fn types_are_told_by_content_before_names() {
        assert_eq!(media_type(b"\x89PNG\r\n\x1a\n....", "report.csv"), "image/png");
        assert_eq!(media_type(b"a,b\n1,2\n", "report.csv"), "text/csv");
        assert_eq!(media_type(b"\0\x01\x02", "report.csv"), "application/octet-stream");
        assert_eq!(media_type(b" [1]", "x.json"), "application/json");
        assert_eq!(media_type(b"hello", "x.unknown"), "text/plain");
    }

    #[test]
    fn a_link_in_a_workspace_is_never_followed() {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, "s").unwrap();
        let workspace = Workspace::create(&dir.path().join("w")).unwrap();
        std::os::unix::fs::symlink(&secret, dir.path().join("w/link")).unwrap();
        std::os::unix::fs::symlink("real", dir.path().join("w/inner")).unwrap();
        std::fs::write(dir.path().join("w/real"), "r").unwrap();
        assert!(workspace.open_regular("link").is_none());
        assert!(workspace.open_regular("inner").is_none());
        assert!(workspace.open_regular("../secret").is_none());
        assert!(workspace.open_regular("real").is_some());
        assert_eq!(workspace.files(10).unwrap(), [("real".to_owned(), 1)]);
        assert_eq!(workspace.place(&secret, "link").unwrap(), "link-2");
        assert_eq!(std::fs::read_to_string(&secret).unwrap(), "s");
    }
}
