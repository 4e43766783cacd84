//! Cache: prepared files that are trusted only after a check.
//!
//! Compiled code is executed as it is, so whoever can write the cache can run code as us. The cache
//! is a directory that only its user may enter; everything in it is written aside, named in a stamp
//! with size and SHA-256, and moved into place as a whole, stamp last. A file whose identity (inode,
//! size, time of change) is not the stamped one is hashed again before it is used.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::RunError;
use crate::artifact::hex;

/// Name of the stamp in a prepared directory.
const STAMP: &str = "stamp.json";
/// Version of the layout; a directory of another version is prepared again.
const LAYOUT: u32 = 2;

/// What a prepared directory holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    layout: u32,
    files: BTreeMap<String, StampedFile>,
    /// Declared minimum of the module's memory in bytes.
    pub(crate) memory_min: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct StampedFile {
    sha256: String,
    size: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    changed: (i64, i64),
}

/// Makes a directory that only its user may enter, and refuses one that others may write.
pub(crate) fn make_private(dir: &Path) -> Result<(), RunError> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(RunError::io("failed to make", dir))?;
    let metadata = std::fs::metadata(dir).map_err(RunError::io("failed to look at", dir))?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if !ours || metadata.permissions().mode() & 0o022 != 0 {
        return Err(RunError::Io {
            action: "refused to use",
            path: dir.into(),
            source: std::io::Error::other(
                "others may write it, and it holds code that is run; choose another with GLOVEBOX_CACHE_DIR, or chmod 700",
            ),
        });
    }
    Ok(())
}

/// Checks a prepared directory.
///
/// # Errors
///
/// In a few words, what is wrong with it.
pub(crate) fn check(dir: &Path) -> Result<Stamp, String> {
    let text = match std::fs::read(dir.join(STAMP)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err("it is not prepared".into()),
        Err(error) => return Err(format!("its cache cannot be read: {error}")),
    };
    let stamp: Stamp = serde_json::from_slice(&text).map_err(|_| "its cache is damaged (stamp)".to_owned())?;
    if stamp.layout != LAYOUT {
        return Err("its cache is of another version".into());
    }
    for (name, stamped) in &stamp.files {
        let path = dir.join(name);
        let found = identity(&path).map_err(|_| format!("its cache is damaged ({name} is missing)"))?;
        let same = (found.size, found.inode, found.changed) == (stamped.size, stamped.inode, stamped.changed);
        if !same && sha256(&path).ok().as_ref() != Some(&stamped.sha256) {
            return Err(format!("its cache is damaged ({name})"));
        }
    }
    Ok(stamp)
}

fn identity(path: &Path) -> std::io::Result<StampedFile> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok(StampedFile {
        sha256: String::new(),
        size: metadata.len(),
        inode: metadata.ino(),
        changed: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// A directory under construction beside its final place.
pub(crate) struct Draft {
    dir: PathBuf,
    place: PathBuf,
    stamp: Stamp,
}

impl Draft {
    /// Begins anew; what an interrupted attempt left is removed.
    pub(crate) fn new(place: &Path) -> Result<Draft, RunError> {
        let dir = place.with_extension("partial");
        remove(&dir)?;
        std::fs::create_dir_all(&dir).map_err(RunError::io("failed to make", &dir))?;
        Ok(Draft { dir, place: place.into(), stamp: Stamp { layout: LAYOUT, ..Stamp::default() } })
    }

    /// Where the files go.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Stamps every file, syncs, and moves the directory into place.
    pub(crate) fn publish(mut self, memory_min: usize) -> Result<(), RunError> {
        let mut names = Vec::new();
        list(&self.dir, "", &mut names).map_err(RunError::io("failed to list", &self.dir))?;
        for name in names {
            let path = self.dir.join(&name);
            let sync = std::fs::File::open(&path).and_then(|file| file.sync_all());
            sync.map_err(RunError::io("failed to write", &path))?;
            let mut stamped = identity(&path).map_err(RunError::io("failed to look at", &path))?;
            stamped.sha256 = sha256(&path).map_err(RunError::io("failed to read", &path))?;
            self.stamp.files.insert(name, stamped);
        }
        self.stamp.memory_min = memory_min;
        let stamp = self.dir.join(STAMP);
        let text = serde_json::to_vec_pretty(&self.stamp).unwrap_or_default();
        std::fs::write(&stamp, text).map_err(RunError::io("failed to write", &stamp))?;
        std::fs::File::open(&stamp)
            .and_then(|file| file.sync_all())
            .map_err(RunError::io("failed to write", &stamp))?;
        remove(&self.place)?;
        std::fs::rename(&self.dir, &self.place).map_err(RunError::io("failed to make", &self.place))
    }
}

fn list(dir: &Path, prefix: &str, names: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

/// Removes a directory if it is there.
pub(crate) fn remove(dir: &Path) -> Result<(), RunError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(RunError::io("failed to remove", dir)(error)),
        _ => Ok(()),
    }
}

/// Holds a file lock until dropped: one process at a time prepares an image.
pub(crate) fn lock(cache: &Path, name: &str) -> Result<std::fs::File, RunError> {
    let path = cache.join(format!("{name}.lock"));
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(RunError::io("failed to open", &path))?;
    file.lock().map_err(RunError::io("failed to lock", &path))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a directory");
        let place = root.path().join("x");
        let draft = Draft::new(&place).expect("draft");
        std::fs::write(draft.dir().join("a"), "content").expect("write");
        draft.publish(0).expect("publish");
        (root, place)
    }

    #[test]
    fn a_published_directory_is_trusted() {
        let (_root, place) = published();
        assert!(check(&place).is_ok());
    }

    #[test]
    fn a_changed_missing_or_cut_file_is_not() {
        let (_root, place) = published();
        std::fs::write(place.join("a"), "contenT").expect("write");
        assert_eq!(check(&place), Err("its cache is damaged (a)".into()));
        std::fs::remove_file(place.join("a")).expect("remove");
        assert!(check(&place).is_err());
    }

    #[test]
    fn a_draft_is_never_taken_for_the_real_thing() {
        let root = tempfile::tempdir().expect("a directory");
        let place = root.path().join("x");
        let draft = Draft::new(&place).expect("draft");
        std::fs::write(draft.dir().join("a"), "half").expect("write");
        drop(draft);
        assert_eq!(check(&place), Err("it is not prepared".into()));
    }

    #[test]
    fn a_cache_that_others_may_write_is_refused() {
        let root = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o777)).expect("chmod");
        assert!(make_private(root.path()).is_err());
    }
}
