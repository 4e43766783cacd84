//! Storage: one struct over SQLite and a directory. Bytes first, then their row; every query takes a tenant.
//!
//! ```text
//! data_dir/lock            held while a server runs
//! data_dir/glovebox.db     everything but bytes
//! data_dir/blobs/          contents of files and artifacts, by tenant and SHA-256
//! data_dir/work/TENANT/    what guests work in: see `places`
//!   workspaces/            one directory per session, and per run outside of sessions while it goes on
//!   scratch/               what the guest of each session has as /tmp
//!   layers/                memory of checkpoints, shared by forks
//!   tmp/                   what workers need for a moment; emptied at start
//! data_dir/evals/          inputs and verdicts of evaluations, by id
//! data_dir/tmp/            uploads under way; emptied at start
//! ```

mod asks;
mod blobs;
mod checkpoints;
mod evals;
mod files;
mod jobs;
mod objects;
mod open;
mod places;
mod runs;
mod sessions;
mod tenants;
mod trees;
mod usage;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub use asks::{AskRecord, DayUsage};
pub use blobs::{Blob, Staged, Upload};
pub use checkpoints::{CheckpointRecord, KeptTurn, NewState, file_name};
pub use evals::{EvalRecord, EvalResult, EvalSettings, EvalStatus};
pub use files::FileRecord;
pub use jobs::RequestKey;
pub use objects::Objects;
pub use open::OpenError;
pub use runs::{ArtifactRecord, RunRecord, RunView, StoredEvent};
pub use sessions::SessionRecord;
pub use tenants::{AuditEntry, KeyRecord, TenantRecord};
pub use trees::{Area, NewTree, Node, Tree};
pub use usage::UsageRecord;

use serde::{Deserialize, Serialize};
use sqlx::SqlitePool;
use tokio::sync::RwLock;

use crate::tenants::Tenant;

/// Everything that is kept. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Storage(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// One connection: SQLite has one writer anyway, and waiting here is fair while its own waiting sleeps.
    write: SqlitePool,
    read: SqlitePool,
    /// Where contents are beside this machine's disk, if anywhere.
    objects: Option<Objects>,
    /// Read while a blob is put in place and its row written, written while unused blobs are removed.
    blob_gate: RwLock<()>,
    /// Tenants whose directories are known to be there.
    compartments: Mutex<HashSet<Tenant>>,
    /// Which opening of this data directory this is: a number that only grows.
    lease: i64,
    _lock: std::fs::File,
}

impl Storage {
    /// The data directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0.root
    }

    /// Where unfinished things are; emptied at start.
    #[must_use]
    pub fn tmp(&self) -> PathBuf {
        self.0.root.join("tmp")
    }

    /// Whether the database answers and can be written.
    ///
    /// # Errors
    ///
    /// The database's words.
    pub async fn check(&self) -> Result<(), sqlx::Error> {
        sqlx::query("SELECT value FROM meta").execute(&self.0.read).await?;
        sqlx::query("UPDATE meta SET value = value WHERE key = 'checked'").execute(&self.0.write).await?;
        Ok(())
    }

    /// Ends all connections, so that the database is one tidy file.
    pub async fn close(&self) {
        self.0.read.close().await;
        self.0.write.close().await;
    }
}

/// How far a run or a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum Status {
    /// Waits for a worker.
    Queued,
    /// Under way.
    Running,
    /// Over; a program that failed is done as well.
    Done,
    /// Glovebox failed; worth a retry.
    Failed,
}

impl Status {
    /// True when nothing more will happen.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Status::Done | Status::Failed)
    }
}

/// A new id: the prefix, and a number that grows with time and cannot be guessed.
#[must_use]
pub fn new_id(prefix: &str) -> String {
    format!("{prefix}_{}", uuid::Uuid::now_v7().simple())
}

/// Now as RFC 3339 in UTC with milliseconds; of one length, so that texts sort as times do.
#[must_use]
pub fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// Days ago, as [`now`] writes it.
pub(crate) fn days_ago(days: u64) -> String {
    let hours = i64::try_from(days).unwrap_or(i64::MAX / 24).saturating_mul(24);
    let time = jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_hours(hours));
    format!("{:.3}", time.unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

#[cfg(test)]
pub(crate) mod tests;
