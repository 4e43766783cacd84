//! Blobs: contents on disk under their SHA-256. Written beside, hashed, flushed, and renamed into place.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Storage;
use crate::tenants::Tenant;

/// Bytes kept of a content's beginning, to tell its type.
const HEAD: usize = 8 * 1024;

/// Facts about a content.
#[derive(Clone, Debug)]
pub struct Blob {
    /// Bytes.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
    /// The first 8 KiB.
    pub head: Vec<u8>,
}

/// A content on disk that has no name yet; removed unless it is kept.
#[derive(Debug)]
pub struct Staged {
    /// Facts about it.
    pub blob: Blob,
    path: PathBuf,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Already gone if it was kept; a failure leaves a file that the next start removes.
        let _ = fs::remove_file(&self.path);
    }
}

/// A content that arrives piece by piece. Dropping it forgets what has arrived.
#[derive(Debug)]
pub struct Upload {
    pieces: mpsc::Sender<Bytes>,
    writer: JoinHandle<io::Result<Staged>>,
}

impl Upload {
    /// Adds a piece; waits while the disk is slower than the sender.
    pub async fn push(&self, piece: Bytes) {
        // The writer only goes away on an error, which `finish` tells.
        let _ = self.pieces.send(piece).await;
    }

    /// Waits until everything is on disk.
    ///
    /// # Errors
    ///
    /// A full or broken disk.
    pub async fn finish(self) -> io::Result<Staged> {
        drop(self.pieces);
        self.writer.await.map_err(io::Error::other)?
    }
}

impl Storage {
    /// Begins a content that arrives piece by piece.
    #[must_use]
    pub fn upload(&self) -> Upload {
        let (pieces, mut arriving) = mpsc::channel::<Bytes>(8);
        let path = self.staging_path();
        let writer = tokio::task::spawn_blocking(move || {
            let mut staging = Staging::create(path)?;
            while let Some(piece) = arriving.blocking_recv() {
                staging.write_all(&piece)?;
            }
            staging.finish()
        });
        Upload { pieces, writer }
    }

    /// Copies an open file into the staging area, at most `limit` bytes of it. Blocks.
    ///
    /// # Errors
    ///
    /// A full or broken disk.
    pub fn stage(&self, source: impl Read, limit: u64) -> io::Result<Staged> {
        let mut staging = Staging::create(self.staging_path())?;
        io::copy(&mut source.take(limit), &mut staging)?;
        staging.finish()
    }

    /// Where a content is.
    #[must_use]
    pub fn blob_path(&self, tenant: &Tenant, sha256: &str) -> PathBuf {
        self.blob_path_of(tenant.as_str(), sha256)
    }

    pub(super) fn blob_path_of(&self, tenant: &str, sha256: &str) -> PathBuf {
        self.0.root.join("blobs").join(tenant).join(&sha256[..sha256.len().min(2)]).join(sha256)
    }

    fn staging_path(&self) -> PathBuf {
        self.tmp().join(uuid::Uuid::new_v4().simple().to_string())
    }

    /// Gives a staged content its place. Call with the blob gate held for reading, before its row is written.
    pub(super) async fn keep(&self, tenant: &Tenant, staged: Staged) -> io::Result<Blob> {
        let target = self.blob_path(tenant, &staged.blob.sha256);
        tokio::task::spawn_blocking(move || {
            if !target.exists() {
                let shard = target.parent().unwrap_or(Path::new("."));
                fs::create_dir_all(shard)?;
                fs::rename(&staged.path, &target)?;
                // The name has to survive a power cut as well as the bytes do.
                File::open(shard)?.sync_all()?;
            }
            Ok(staged.blob.clone())
        })
        .await
        .map_err(io::Error::other)?
    }

    /// Removes those of the contents that no row mentions any more.
    pub(super) async fn sweep(&self, tenant: &Tenant, candidates: Vec<String>) -> Result<(), sqlx::Error> {
        if candidates.is_empty() {
            return Ok(());
        }
        let _gate = self.0.blob_gate.write().await;
        for sha256 in candidates {
            let used: i64 = sqlx::query_scalar(
                "SELECT EXISTS (SELECT 1 FROM files WHERE tenant = ?1 AND sha256 = ?2) \
                 OR EXISTS (SELECT 1 FROM artifacts WHERE tenant = ?1 AND sha256 = ?2)",
            )
            .bind(tenant.as_str())
            .bind(&sha256)
            .fetch_one(&self.0.write)
            .await?;
            if used == 0
                && let Err(error) = fs::remove_file(self.blob_path(tenant, &sha256))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%sha256, %error, "failed to remove an unused content; the next start tries again");
            }
        }
        Ok(())
    }
}

struct Staging {
    path: PathBuf,
    file: File,
    hash: Sha256,
    size: u64,
    head: Vec<u8>,
    finished: bool,
}

impl Staging {
    fn create(path: PathBuf) -> io::Result<Staging> {
        let file = File::options().write(true).create_new(true).open(&path)?;
        Ok(Staging { path, file, hash: Sha256::new(), size: 0, head: Vec::new(), finished: false })
    }

    fn finish(mut self) -> io::Result<Staged> {
        self.file.sync_all()?;
        self.finished = true;
        let sha256 = self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let blob = Blob { size: self.size, sha256, head: std::mem::take(&mut self.head) };
        Ok(Staged { blob, path: self.path.clone() })
    }
}

impl Write for Staging {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.file.write(piece)?;
        let piece = &piece[..written];
        self.hash.update(piece);
        self.size += written as u64;
        let missing = HEAD.saturating_sub(self.head.len()).min(written);
        self.head.extend_from_slice(&piece[..missing]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if !self.finished {
            let _ = fs::remove_file(&self.path);
        }
    }
}
