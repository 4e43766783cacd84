//! Opening a data directory: lock it, check its version, migrate, and tidy up what a crash left.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::sync::RwLock;

use super::{Inner, Objects, Storage, now};

/// The layout of the data directory that this program reads and writes.
const DATA_VERSION: &str = "9";
/// Layouts that are brought to that one when they are opened.
const OLDER: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Cannot be created or written.
    #[error("the data directory {} cannot be written: {source}; make it writable or choose another with --data-dir", path.display())]
    NotWritable {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Another server uses it.
    #[error("the data directory {} is in use by another glovebox; stop that one or choose another directory with --data-dir", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// Written by another version.
    #[error(
        "the data directory {} has layout {found}, and this glovebox reads layout {DATA_VERSION}; \
         use the glovebox that wrote it, or choose another directory with --data-dir", path.display()
    )]
    OtherVersion {
        /// The directory.
        path: PathBuf,
        /// Its version.
        found: String,
    },
    /// The database is damaged or does not answer.
    #[error("the database {} cannot be used: {source}; restore a backup or choose another directory with --data-dir", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// SQLite's words.
        source: sqlx::Error,
    },
    /// The store of objects cannot be used.
    #[error("{0}")]
    Objects(String),
}

impl Storage {
    /// Opens the data directory, creating it if there is none.
    ///
    /// # Errors
    ///
    /// [`OpenError`], each with its way out.
    pub async fn open(root: &Path) -> Result<Storage, OpenError> {
        Storage::open_with(root, None).await
    }

    /// The same, with contents in a store of objects as well. What is not there yet is sent there first.
    ///
    /// # Errors
    ///
    /// [`OpenError`], each with its way out.
    pub async fn open_with(root: &Path, objects: Option<Objects>) -> Result<Storage, OpenError> {
        let not_writable = |source| OpenError::NotWritable { path: root.to_owned(), source };
        for dir in ["blobs", "work", "evals", "tmp"] {
            fs::create_dir_all(root.join(dir)).map_err(not_writable)?;
        }
        private(root).map_err(not_writable)?;
        let lock = File::create(root.join("lock")).map_err(not_writable)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| OpenError::Locked { path: root.to_owned() })?;

        let path = root.join("glovebox.db");
        let database = |source| OpenError::Database { path: path.clone(), source };
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(30))
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        // SQLite itself rolls a transaction back when the disk is full. sqlx then fails to roll it back once more, and
        // takes all that follows for parts of it, which are never committed: such a connection is not used again.
        let write = pool(1)
            .after_release(|connection, _| Box::pin(whole(connection)))
            .connect_with(options.clone())
            .await
            .map_err(database)?;
        let known = |found: &String| found == DATA_VERSION || OLDER.contains(&found.as_str());
        if let Some(found) = version(&write).await.map_err(database)?.filter(|found| !known(found)) {
            return Err(OpenError::OtherVersion { path: root.to_owned(), found });
        }
        sqlx::migrate!("./migrations").run(&write).await.map_err(|error| database(error.into()))?;
        super::places::move_in(root).map_err(not_writable)?;
        sqlx::query("INSERT INTO meta (key, value) VALUES ('data_version', ?), ('checked', '') ON CONFLICT DO NOTHING")
            .bind(DATA_VERSION)
            .execute(&write)
            .await
            .map_err(database)?;
        let lease: String = sqlx::query_scalar(
            "INSERT INTO meta (key, value) VALUES ('lease', '1') \
             ON CONFLICT (key) DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value",
        )
        .fetch_one(&write)
        .await
        .map_err(database)?;
        let lease = lease.parse().unwrap_or(i64::MAX);
        let read = pool(4).connect_lazy_with(options);

        let (root, blob_gate) = (root.to_owned(), RwLock::new(()));
        let storage = Storage(Arc::new(Inner {
            root,
            write,
            read,
            objects,
            blob_gate,
            compartments: Mutex::default(),
            lease,
            _lock: lock,
        }));
        storage.interrupt_unfinished().await.map_err(database)?;
        storage.remove_leftovers().await.map_err(|error| match error {
            Leftover::Io(source) => not_writable(source),
            Leftover::Database(source) => database(source),
        })?;
        storage.settle().await.map_err(OpenError::Objects)?;
        Ok(storage)
    }

    /// Runs and questions that a crash or a stop cut off are failed, and say so; but not what a server begins anew.
    async fn interrupt_unfinished(&self) -> Result<(), sqlx::Error> {
        for table in [
            "UPDATE runs SET status = 'failed', finished_at = ?, error_code = 'interrupted', \
             error_detail = 'the server stopped while this was running; start it again' \
             WHERE status IN ('queued', 'running') AND takes_left = 0",
            "UPDATE asks SET status = 'failed', finished_at = ?, error_code = 'interrupted', \
             error_detail = 'the server stopped while this was running; ask again' \
             WHERE status IN ('queued', 'running')",
            "UPDATE evals SET status = 'interrupted', finished_at = ? WHERE status = 'running'",
        ] {
            let done = sqlx::query(table).bind(now()).execute(&self.0.write).await?;
            if done.rows_affected() > 0 {
                tracing::warn!(count = done.rows_affected(), "marked work of an earlier server as interrupted");
            }
        }
        Ok(())
    }

    /// Unfinished uploads, directories without a session, layers and blobs without a row.
    async fn remove_leftovers(&self) -> Result<(), Leftover> {
        let compartments = self.compartments()?;
        for dir in compartments.iter().map(|compartment| compartment.join("tmp")).chain([self.tmp()]) {
            for entry in entries(&dir)? {
                remove(&entry.path())?;
            }
        }
        let sessions: Vec<String> = sqlx::query_scalar("SELECT id FROM sessions").fetch_all(&self.0.read).await?;
        let sessions: std::collections::HashSet<_> = sessions.into_iter().collect();
        for dir in
            compartments.iter().flat_map(|compartment| ["workspaces", "scratch"].map(|part| compartment.join(part)))
        {
            for entry in entries(&dir)? {
                if !entry.file_name().to_str().is_some_and(|name| sessions.contains(name)) {
                    remove(&entry.path())?;
                }
            }
        }
        let evals: Vec<String> = sqlx::query_scalar("SELECT id FROM evals").fetch_all(&self.0.read).await?;
        for entry in fs::read_dir(self.root().join("evals"))? {
            let entry = entry?;
            if !evals.iter().any(|id| entry.file_name().to_str() == Some(id)) {
                remove(&entry.path())?;
            }
        }
        let layers: Vec<String> = sqlx::query_scalar("SELECT file FROM layers").fetch_all(&self.0.read).await?;
        let layers: std::collections::HashSet<_> = layers.into_iter().collect();
        for dir in compartments.iter().map(|compartment| compartment.join("layers")) {
            for entry in entries(&dir)? {
                if !entry.file_name().to_str().is_some_and(|name| layers.contains(name)) {
                    remove(&entry.path())?;
                }
            }
        }
        let used: std::collections::HashSet<PathBuf> =
            self.used().await?.into_iter().map(|(tenant, sha256)| self.blob_path_of(&tenant, &sha256)).collect();
        for tenant in fs::read_dir(self.0.root.join("blobs"))? {
            let tenant = tenant?;
            for shard in fs::read_dir(tenant.path())? {
                for blob in fs::read_dir(shard?.path())? {
                    let blob = blob?;
                    let path = blob.path();
                    if used.contains(&path) {
                        continue;
                    }
                    if let (Some(objects), Some(tenant), Some(sha256)) =
                        (&self.0.objects, tenant.file_name().to_str(), blob.file_name().to_str())
                    {
                        objects.remove(tenant, sha256).await?;
                    }
                    remove(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Every content that a row names: tenant and SHA-256.
    pub(super) async fn used(&self) -> Result<Vec<(String, String)>, sqlx::Error> {
        sqlx::query_as(
            "SELECT tenant, sha256 FROM files UNION SELECT tenant, sha256 FROM artifacts \
             UNION SELECT tenant, sha256 FROM tree_blobs",
        )
        .fetch_all(&self.0.read)
        .await
    }
}

#[derive(Debug, thiserror::Error)]
enum Leftover {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Whether nothing was begun on a connection that is not over.
async fn whole(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // What was dropped is rolled back by the connection's thread, before it answers.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

async fn version(pool: &SqlitePool) -> Result<Option<String>, sqlx::Error> {
    let known: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'").fetch_one(pool).await?;
    if known == 0 {
        return Ok(None);
    }
    sqlx::query_scalar("SELECT value FROM meta WHERE key = 'data_version'").fetch_optional(pool).await
}

/// What is in a directory, if it is there.
fn entries(dir: &Path) -> std::io::Result<Vec<fs::DirEntry>> {
    match fs::read_dir(dir) {
        Ok(entries) => entries.collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Users' data is nobody else's business.
fn private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}
