//! The audit log: who changed what, and who was refused. Entries are gathered for a moment, since each write to the disk
//! takes longer than most requests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::storage::{AuditEntry, Storage};

/// How long entries are gathered.
const GATHER: Duration = Duration::from_millis(250);
/// Entries that wait for the database at most; what comes then is counted, and the count is written.
const MOST: usize = 100_000;

/// Entries that are not written yet.
#[derive(Clone, Debug, Default)]
pub struct Audit(Arc<Mutex<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    entries: Vec<AuditEntry>,
    lost: usize,
    /// Whether somebody will write them.
    awaited: bool,
}

impl Audit {
    /// Takes an entry down. It is on the disk within a second.
    pub fn push(&self, storage: &Storage, entry: AuditEntry) {
        let mut pending = self.pending();
        if pending.entries.len() < MOST {
            pending.entries.push(entry);
        } else {
            pending.lost += 1;
        }
        if std::mem::replace(&mut pending.awaited, true) {
            return;
        }
        drop(pending);
        let (audit, storage) = (self.clone(), storage.clone());
        tokio::spawn(async move {
            tokio::time::sleep(GATHER).await;
            audit.flush(&storage).await;
        });
    }

    /// Writes what is waiting. What cannot be written waits on.
    pub async fn flush(&self, storage: &Storage) {
        let (entries, lost) = {
            let mut pending = self.pending();
            pending.awaited = false;
            (std::mem::take(&mut pending.entries), std::mem::take(&mut pending.lost))
        };
        if lost > 0 {
            tracing::error!(lost, "entries of the audit log were lost: the database was too slow");
        }
        if entries.is_empty() {
            return;
        }
        if let Err(error) = storage.add_audit(&entries).await {
            tracing::error!(detail = error.detail, cause = ?error.cause, "failed to write the audit log; trying again");
            let mut pending = self.pending();
            let later = std::mem::replace(&mut pending.entries, entries);
            pending.entries.extend(later);
        }
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
