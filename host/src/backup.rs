//! Backup: a data directory in another place, taken while a server works on it, and put back, each file by its hash.
//!
//! The database is copied first, by SQLite, as it is at one moment. Then come the contents that this copy names. One of
//! them may be deleted meanwhile; then the database is copied once more, and what is new is added. A backup without its
//! list is not finished and not restored.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The list of a backup's files; written last.
const LIST: &str = "backup.json";
const DATABASE: &str = "glovebox.db";
/// Times that the database is copied before we say that too much is deleted meanwhile.
const ATTEMPTS: usize = 10;

/// What is in a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct List {
    /// Layout of this list.
    version: u32,
    /// When it was finished.
    pub created_at: String,
    /// The store of objects that has the contents, which are then not in the backup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<String>,
    /// Every file, by its path.
    pub files: BTreeMap<String, Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

/// Copies a data directory to a new directory; a server may be working on it.
///
/// # Errors
///
/// There is no data, the target is not empty, the disk fails, or a content is not what its name says.
pub fn backup(data_dir: &Path, to: &Path) -> Result<List> {
    let database = data_dir.join(DATABASE);
    ensure!(
        database.is_file(),
        "{} holds no data of glovebox; name its data directory with --data-dir",
        data_dir.display()
    );
    empty(to)?;
    let mut files = BTreeMap::new();
    for attempt in 1.. {
        let copy = to.join(DATABASE);
        let _ = fs::remove_file(&copy);
        snapshot(&database, &copy)?;
        let named = named(&copy)?;
        files.retain(|path, _| named.contains_key(path));
        let mut gone = 0;
        for (path, hash) in named {
            if files.contains_key(&path) {
                continue;
            }
            match take(&data_dir.join(&path), &to.join(&path))? {
                None => gone += 1,
                Some(entry) => {
                    ensure!(
                        hash.is_none_or(|hash| hash == entry.sha256),
                        "{path} is damaged: its content is not what its name says; delete what uses it, or restore an older backup"
                    );
                    files.insert(path, entry);
                }
            }
        }
        if gone == 0 {
            files.insert(DATABASE.to_owned(), entry(&copy)?);
            break;
        }
        ensure!(
            attempt < ATTEMPTS,
            "{gone} contents that the database names are not there; is the data directory whole?"
        );
    }
    // What has no row that names each file: judging under way, workspaces of the first layout, images, the key of links.
    for rest in ["evals", "images", crate::links::KEY_FILE] {
        walk(data_dir, Path::new(rest), &mut |path| {
            if let Some(entry) = take(&data_dir.join(path), &to.join(path))? {
                files.insert(path.display().to_string(), entry);
            }
            Ok(())
        })?;
    }
    for session in old_sessions(&to.join(DATABASE))? {
        walk(data_dir, &session, &mut |path| {
            if let Some(entry) = take(&data_dir.join(path), &to.join(path))? {
                files.insert(path.display().to_string(), entry);
            }
            Ok(())
        })?;
    }
    let list = List { version: 1, created_at: crate::storage::now(), objects: store(&to.join(DATABASE))?, files };
    let mut file = tempfile::NamedTempFile::new_in(to)?;
    file.write_all(&serde_json::to_vec_pretty(&list)?)?;
    file.as_file().sync_all()?;
    file.persist(to.join(LIST))?;
    File::open(to)?.sync_all()?;
    Ok(list)
}

/// Puts a backup into an empty or new data directory. The database comes last: without it the directory holds nothing.
///
/// # Errors
///
/// The backup is not finished or a file is not what the list says, the target is not empty, the disk fails.
pub fn restore(from: &Path, data_dir: &Path) -> Result<List> {
    let text = fs::read(from.join(LIST))
        .with_context(|| format!("{} is not a finished backup: it has no {LIST}", from.display()))?;
    let list: List = serde_json::from_slice(&text).with_context(|| format!("{LIST} of the backup is damaged"))?;
    ensure!(list.version == 1, "this backup has layout {}, and this glovebox reads layout 1", list.version);
    ensure!(list.files.contains_key(DATABASE), "the backup holds no database");
    for path in list.files.keys() {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        ensure!(plain, "the list of the backup names {path:?}, which is not inside of it");
    }
    empty(data_dir)?;
    let database = list.files.get_key_value(DATABASE);
    for (path, wanted) in list.files.iter().filter(|(path, _)| *path != DATABASE).chain(database) {
        let entry = take(&from.join(path), &data_dir.join(path))?;
        if entry.as_ref() != Some(wanted) {
            let _ = fs::remove_file(data_dir.join(path));
            bail!("{path} of the backup is damaged or missing; nothing was started with it: take another backup");
        }
    }
    File::open(data_dir)?.sync_all()?;
    Ok(list)
}

/// Makes the directory, for this user alone; refuses one with something in it.
fn empty(dir: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::create_dir_all(dir).with_context(|| format!("failed to make {}", dir.display()))?;
    let mut there = fs::read_dir(dir).with_context(|| format!("failed to read {}", dir.display()))?;
    ensure!(there.next().is_none(), "{} is not empty; name a new directory", dir.display());
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    Ok(())
}

/// The database as it is at one moment, without its log.
fn snapshot(database: &Path, to: &Path) -> Result<()> {
    let connection = Connection::open(database)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    let text = to.to_str().context("the path of the backup is not UTF-8")?;
    connection.execute("VACUUM INTO ?1", [text]).context("failed to copy the database")?;
    File::open(to)?.sync_all()?;
    let copy = Connection::open(to)?;
    let verdict: String = copy.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    ensure!(verdict == "ok", "the database is damaged: {verdict}");
    Ok(())
}

/// The contents that a database names, with the hash of those that are called by it.
fn named(database: &Path) -> Result<BTreeMap<String, Option<String>>> {
    let database = Connection::open(database)?;
    let mut named = BTreeMap::new();
    // Contents that a store of objects has stay there.
    let mut blobs = database.prepare(
        "SELECT * FROM (SELECT tenant, sha256 FROM files UNION SELECT tenant, sha256 FROM artifacts \
         UNION SELECT tenant, sha256 FROM tree_blobs) WHERE NOT EXISTS (SELECT 1 FROM meta WHERE key = 'objects')",
    )?;
    let mut rows = blobs.query([])?;
    while let Some(row) = rows.next()? {
        let (tenant, sha256): (String, String) = (row.get(0)?, row.get(1)?);
        named.insert(format!("blobs/{tenant}/{}/{sha256}", &sha256[..2.min(sha256.len())]), Some(sha256));
    }
    let mut layers = database.prepare("SELECT tenant, file FROM layers")?;
    let mut rows = layers.query([])?;
    while let Some(row) = rows.next()? {
        let (tenant, file): (String, String) = (row.get(0)?, row.get(1)?);
        named.insert(format!("work/{tenant}/layers/{file}"), None);
    }
    Ok(named)
}

/// The store of objects that a database's contents are in.
fn store(database: &Path) -> Result<Option<String>> {
    use rusqlite::OptionalExtension;
    let database = Connection::open(database)?;
    Ok(database.query_row("SELECT value FROM meta WHERE key = 'objects'", [], |row| row.get(0)).optional()?)
}

/// Workspaces of sessions whose files are nowhere else.
fn old_sessions(database: &Path) -> Result<Vec<PathBuf>> {
    let database = Connection::open(database)?;
    let mut sessions = database.prepare("SELECT tenant, id FROM sessions WHERE head IS NULL")?;
    let places = sessions.query_map([], |row| {
        let (tenant, id): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(Path::new("work").join(tenant).join("workspaces").join(id))
    })?;
    Ok(places.collect::<Result<_, _>>()?)
}

/// Copies a regular file and gives what was copied; `None` if it is gone. Links are not followed: guests make them.
fn take(from: &Path, to: &Path) -> Result<Option<Entry>> {
    if !from.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(None);
    }
    let Ok(mut source) = File::open(from) else { return Ok(None) };
    let parent = to.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let mut target = tempfile::NamedTempFile::new_in(parent)?;
    let entry = hash(&mut source, &mut target).with_context(|| format!("failed to copy {}", from.display()))?;
    target.as_file().sync_all()?;
    target.persist(to)?;
    File::open(parent)?.sync_all()?;
    Ok(Some(entry))
}

fn entry(path: &Path) -> Result<Entry> {
    hash(&mut File::open(path)?, &mut std::io::sink())
}

fn hash(source: &mut impl Read, target: &mut impl Write) -> Result<Entry> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hash.update(&buffer[..read]);
        target.write_all(&buffer[..read])?;
        size += read as u64;
    }
    Ok(Entry { size, sha256: hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect() })
}

/// Every regular file at or below `path`, which is relative to `root`.
fn walk(root: &Path, path: &Path, each: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    let mut waiting = vec![PathBuf::from(path)];
    while let Some(path) = waiting.pop() {
        match root.join(&path).symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {
                for entry in fs::read_dir(root.join(&path))? {
                    waiting.push(path.join(entry?.file_name()));
                }
            }
            Ok(metadata) if metadata.is_file() => each(&path)?,
            _ => {}
        }
    }
    Ok(())
}
