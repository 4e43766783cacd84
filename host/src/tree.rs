//! Tree: takes down what is in a session's directories, and puts it back.
//!
//! A guest writes there, so everything is reached beneath a directory handle and no link is followed. No guest runs
//! meanwhile. Only files that changed since the last look are read, told by their stamps.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use crate::files::copy;
use crate::storage::{Area, Node, Staged, Storage, Tree};
use crate::tenants::Tenant;

/// How deep directories are looked into; what is deeper is not kept.
const MAX_DEPTH: usize = 64;
/// Longest path that is kept, in bytes.
const MAX_PATH: usize = 4096;
/// File systems note a change only so finely: two changes within this time may leave one stamp.
const GRAIN: Duration = Duration::from_millis(20);

/// The directories of a session.
#[derive(Debug)]
pub(crate) struct Areas {
    data: Dir,
    tmp: Dir,
}

/// What is known of the files in a session's directories, so that they need not be read again.
#[derive(Debug, Default)]
pub(crate) struct Stamps(HashMap<(Area, String), (Stamp, String)>);

/// Facts that change whenever a file's content does. A guest cannot set the change time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// What is in the directories now.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// All of it.
    pub(crate) tree: Tree,
    /// Contents that may be new to the storage.
    pub(crate) contents: Vec<Staged>,
    /// For the next look.
    pub(crate) stamps: Stamps,
}

/// Why files could not be put back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutBackError {
    /// The content of a file is gone.
    #[error("the content of {path} is gone")]
    Gone {
        /// Below its area.
        path: String,
    },
    /// The disk failed or is full.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Areas {
    /// Opens the directories, and makes those that are not there.
    pub(crate) fn open(data: &Path, tmp: &Path) -> io::Result<Areas> {
        let open = |path: &Path| {
            match std::fs::create_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            Dir::open_ambient_dir(path, ambient_authority())
        };
        Ok(Areas { data: open(data)?, tmp: open(tmp)? })
    }

    fn dir(&self, area: Area) -> &Dir {
        match area {
            Area::Data => &self.data,
            Area::Tmp => &self.tmp,
        }
    }
}

impl Stamps {
    /// Forgets the files that changed a moment ago: a guest that starts now could change them unseen.
    pub(crate) fn settle(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let limit = now.saturating_sub(GRAIN).as_nanos() as i128;
        self.0
            .retain(|_, (stamp, _)| i128::from(stamp.changed.0) * 1_000_000_000 + i128::from(stamp.changed.1) < limit);
    }

    fn get(&self, key: &(Area, String), stamp: Stamp) -> Option<&str> {
        self.0.get(key).filter(|(known, _)| *known == stamp).map(|(_, sha256)| sha256.as_str())
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Stamp {
        Stamp { inode: metadata.ino(), size: metadata.len(), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

/// Takes down everything. `last` is what was there at the last look; `uploads` are the sizes of contents that the
/// storage has and that may have come since.
pub(crate) fn snapshot(
    storage: &Storage,
    tenant: &Tenant,
    areas: &Areas,
    last: &Tree,
    known: &Stamps,
    uploads: &[u64],
) -> io::Result<Snapshot> {
    let mut now = Snapshot { tree: Tree::new(), contents: Vec::new(), stamps: Stamps::default() };
    for area in [Area::Data, Area::Tmp] {
        walk(areas.dir(area), &mut |dir, name, path, metadata| {
            let key = (area, path.to_owned());
            if metadata.is_dir() {
                now.tree.insert(key, Node::Dir);
                return Ok(Visit::Enter);
            }
            if metadata.is_symlink() {
                // A text that is no text cannot be written down; a guest cannot make one.
                if let Some(text) = dir.read_link_contents(name)?.to_str() {
                    now.tree.insert(key, Node::Link(text.to_owned()));
                }
                return Ok(Visit::Next);
            }
            let Some((file, metadata)) = open_regular(dir, name) else { return Ok(Visit::Next) };
            let (stamp, size) = (Stamp::of(&metadata), metadata.len());
            let sha256 = match known.get(&key, stamp) {
                Some(sha256) => sha256.to_owned(),
                None => content(storage, tenant, file, size, last.get(&key), uploads, &mut now.contents)?,
            };
            now.stamps.0.insert(key.clone(), (stamp, sha256.clone()));
            now.tree.insert(key, Node::File { sha256, size });
            Ok(Visit::Next)
        })?;
    }
    Ok(now)
}

/// The hash of a file's content, which is staged unless the storage is known to have it.
fn content(
    storage: &Storage,
    tenant: &Tenant,
    file: File,
    size: u64,
    last: Option<&Node>,
    uploads: &[u64],
    contents: &mut Vec<Staged>,
) -> io::Result<String> {
    let before = match last {
        Some(Node::File { sha256, size: before }) if *before == size => Some(sha256),
        _ => None,
    };
    if before.is_some() || uploads.contains(&size) {
        let sha256 = digest(file.try_clone()?)?;
        if before == Some(&sha256) {
            return Ok(sha256);
        }
        if let Some(staged) = storage.stage_kept(tenant, &sha256, size) {
            contents.push(staged);
            return Ok(sha256);
        }
        io::Seek::rewind(&mut &file)?;
    }
    let staged = storage.stage_file(file)?;
    let sha256 = staged.blob.sha256.clone();
    contents.push(staged);
    Ok(sha256)
}

/// Makes the directories hold what `tree` says and nothing else. Files that are as they should be stay.
pub(crate) fn put_back(
    storage: &Storage,
    tenant: &Tenant,
    areas: &Areas,
    tree: &Tree,
    known: &Stamps,
) -> Result<Stamps, PutBackError> {
    let mut stamps = Stamps::default();
    for area in [Area::Data, Area::Tmp] {
        let root = areas.dir(area);
        let mut present = Vec::new();
        walk(root, &mut |dir, name, path, metadata| {
            let key = (area, path.to_owned());
            let wanted = tree.get(&key);
            let fits = match wanted {
                Some(Node::Dir) => metadata.is_dir(),
                Some(Node::Link(text)) => metadata.is_symlink() && dir.read_link_contents(name)?.to_str() == Some(text),
                Some(Node::File { sha256, size }) if metadata.is_file() && metadata.len() == *size => {
                    match open_regular(dir, name) {
                        None => false,
                        Some((file, metadata)) => {
                            let stamp = Stamp::of(&metadata);
                            let same = match known.get(&key, stamp) {
                                Some(known) => known == sha256,
                                None => digest(file)? == *sha256,
                            };
                            if same {
                                stamps.0.insert(key.clone(), (stamp, sha256.clone()));
                            }
                            same
                        }
                    }
                }
                _ => false,
            };
            if fits {
                present.push(key);
                return Ok(if metadata.is_dir() { Visit::Enter } else { Visit::Next });
            }
            if metadata.is_dir() {
                dir.remove_dir_all(name)?;
            } else {
                dir.remove_file(name)?;
            }
            Ok(Visit::Next)
        })?;
        present.sort();
        // Sorted by path: a directory comes before what is in it.
        for (key, node) in tree.iter().filter(|((of, _), _)| *of == area) {
            if present.binary_search(key).is_ok() {
                continue;
            }
            let path = key.1.as_str();
            match node {
                Node::Dir => root.create_dir(path)?,
                Node::Link(text) => root.symlink_contents(text, path)?,
                Node::File { sha256, .. } => {
                    let stamp = write(&storage.content_blocking(tenant, sha256)?, root, path)?;
                    stamps.0.insert(key.clone(), (stamp, sha256.clone()));
                }
            }
        }
    }
    Ok(stamps)
}

fn write(blob: &Path, root: &Dir, path: &str) -> Result<Stamp, PutBackError> {
    let mut from = match File::open(blob) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PutBackError::Gone { path: path.to_owned() });
        }
        other => other?,
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut to = root.open_with(path, &options)?.into_std();
    copy(&mut from, &mut to)?;
    Ok(Stamp::of(&Metadata::from_just_metadata(to.metadata()?)))
}

/// What to do after an entry was visited.
#[derive(PartialEq, Eq)]
enum Visit {
    Enter,
    Next,
}

/// Visits everything beneath `root`. Names that are not text are passed over: no guest can make or reach one.
fn walk(root: &Dir, visit: &mut dyn FnMut(&Dir, &str, &str, &Metadata) -> io::Result<Visit>) -> io::Result<()> {
    let mut open = vec![(String::new(), root.try_clone()?, 0usize)];
    while let Some((prefix, dir, depth)) = open.pop() {
        let names: Vec<_> =
            dir.entries()?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<_>>()?;
        for name in names {
            let Some(name) = name.to_str() else { continue };
            let path = format!("{prefix}{name}");
            if path.len() > MAX_PATH {
                continue;
            }
            let metadata = dir.symlink_metadata(name)?;
            if visit(&dir, name, &path, &metadata)? == Visit::Enter && depth < MAX_DEPTH {
                let inner = open_nofollow(&dir, name, OFlags::DIRECTORY)?;
                open.push((format!("{path}/"), Dir::from_std_file(inner), depth + 1));
            }
        }
    }
    Ok(())
}

fn open_nofollow(dir: &Dir, name: &str, flags: OFlags) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags((flags | OFlags::NOFOLLOW).bits().cast_signed());
    Ok(dir.open_with(name, &options)?.into_std())
}

/// `None` for what is no regular file: a guest can make none of these, and none is kept.
fn open_regular(dir: &Dir, name: &str) -> Option<(File, Metadata)> {
    if !dir.symlink_metadata(name).ok()?.is_file() {
        return None;
    }
    let file = open_nofollow(dir, name, OFlags::NONBLOCK).ok()?;
    let metadata = Metadata::from_just_metadata(file.metadata().ok()?);
    metadata.is_file().then_some((file, metadata))
}

/// SHA-256 of a file's content.
fn digest(mut file: File) -> io::Result<String> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 * 1024]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(glovebox_runtime::hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Place {
        _dir: tempfile::TempDir,
        storage: Storage,
        root: std::path::PathBuf,
    }

    impl Place {
        async fn new() -> Place {
            let (dir, storage) = crate::storage::tests::open().await;
            let root = dir.path().join("place");
            std::fs::create_dir(&root).unwrap();
            Place { _dir: dir, storage, root }
        }

        fn areas(&self) -> Areas {
            Areas::open(&self.root.join("data"), &self.root.join("tmp")).unwrap()
        }

        fn look(&self, last: &Tree, known: &Stamps) -> Snapshot {
            snapshot(&self.storage, &Tenant::local(), &self.areas(), last, known, &[]).unwrap()
        }

        /// Looks, and keeps the contents as a checkpoint would.
        async fn keep(&self) -> (Tree, Stamps) {
            let Snapshot { tree, contents, stamps } = self.look(&Tree::new(), &Stamps::default());
            let uploads = contents.into_iter().map(|staged| ("x".to_owned(), "x/y".to_owned(), staged)).collect();
            self.storage.add_files(&Tenant::local(), uploads).await.unwrap();
            (tree, stamps)
        }

        fn put_back(&self, tree: &Tree, known: &Stamps) -> Result<Stamps, PutBackError> {
            put_back(&self.storage, &Tenant::local(), &self.areas(), tree, known)
        }

        fn read(&self, path: &str) -> String {
            std::fs::read_to_string(self.root.join("data").join(path)).unwrap()
        }
    }

    #[tokio::test]
    async fn everything_comes_back_as_it_was_and_nothing_else_stays() {
        let place = Place::new().await;
        let data = place.root.join("data");
        place.areas();
        std::fs::create_dir_all(data.join("a/b")).unwrap();
        std::fs::write(data.join("a/b/deep\n\u{1}.txt"), "deep").unwrap();
        std::fs::write(data.join("same.txt"), "same").unwrap();
        std::fs::write(data.join("edited.txt"), "one").unwrap();
        std::fs::write(place.root.join("tmp/scratch"), "tmp").unwrap();
        symlink("/etc/passwd", data.join("out")).unwrap();
        symlink("a/b", data.join("in")).unwrap();
        let (tree, stamps) = place.keep().await;
        assert_eq!(tree.len(), 8);

        std::fs::remove_dir_all(data.join("a")).unwrap();
        std::fs::write(data.join("a"), "now a file").unwrap();
        std::fs::write(data.join("edited.txt"), "two").unwrap();
        std::fs::remove_file(data.join("in")).unwrap();
        std::fs::create_dir(data.join("in")).unwrap();
        std::fs::write(data.join("in/new"), "new").unwrap();
        std::fs::remove_file(place.root.join("tmp/scratch")).unwrap();
        let kept = std::fs::metadata(data.join("same.txt")).unwrap();
        let stamps = place.put_back(&tree, &stamps).unwrap();
        assert_eq!((place.read("a/b/deep\n\u{1}.txt"), place.read("edited.txt")), ("deep".into(), "one".into()));
        assert_eq!(
            MetadataExt::ino(&Metadata::from_just_metadata(kept)),
            place.areas().data.metadata("same.txt").unwrap().ino()
        );
        let again = place.look(&tree, &stamps);
        assert_eq!((again.tree, again.contents.len()), (tree, 0));
    }

    #[tokio::test]
    async fn a_file_is_read_again_only_if_its_stamp_changed() {
        let place = Place::new().await;
        place.areas();
        std::fs::write(place.root.join("data/a"), "one").unwrap();
        let (tree, mut stamps) = place.keep().await;
        stamps.0.get_mut(&(Area::Data, "a".into())).unwrap().1 = "known without reading".into();
        let node = |snapshot: &Snapshot| snapshot.tree[&(Area::Data, "a".to_owned())].clone();
        assert_eq!(node(&place.look(&tree, &stamps)), Node::File { sha256: "known without reading".into(), size: 3 });
        // What changed within the grain of the clock is not trusted.
        stamps.settle();
        assert_eq!(node(&place.look(&tree, &stamps)), tree[&(Area::Data, "a".to_owned())]);
        std::fs::write(place.root.join("data/a"), "two").unwrap();
        let changed = place.look(&tree, &stamps);
        assert_ne!(node(&changed), tree[&(Area::Data, "a".to_owned())]);
        assert_eq!(changed.contents.len(), 1);
    }

    #[tokio::test]
    async fn a_link_is_a_text_and_what_it_names_is_never_touched() {
        let place = Place::new().await;
        place.areas();
        let outside = place.root.join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("secret"), "secret").unwrap();
        symlink(&outside, place.root.join("data/dir")).unwrap();
        let (tree, _) = place.keep().await;
        assert_eq!(tree.len(), 1);
        assert!(matches!(&tree[&(Area::Data, "dir".to_owned())], Node::Link(_)));
        place.put_back(&Tree::new(), &Stamps::default()).unwrap();
        assert!(outside.join("secret").exists() && !place.root.join("data/dir").exists());
        place.put_back(&tree, &Stamps::default()).unwrap();
        assert!(place.root.join("data/dir").is_symlink());
    }

    #[tokio::test]
    async fn a_content_that_is_gone_is_named() {
        let place = Place::new().await;
        let node = Node::File { sha256: "ab".repeat(32), size: 1 };
        let tree = Tree::from([((Area::Data, "lost.csv".to_owned()), node)]);
        let error = place.put_back(&tree, &Stamps::default()).unwrap_err();
        assert_eq!(error.to_string(), "the content of lost.csv is gone");
    }
}
