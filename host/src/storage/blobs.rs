//! Blobs: contents on disk under their SHA-256. Written beside, hashed, flushed, and renamed into place.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use rustix::fs::ioctl_ficlone;
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

    /// Like [`Self::stage`] of a whole file that nobody writes; shares its blocks where the file system can. Blocks.
    ///
    /// # Errors
    ///
    /// A full or broken disk.
    pub fn stage_file(&self, mut source: File) -> io::Result<Staged> {
        let mut staging = Staging::create(self.staging_path())?;
        if ioctl_ficlone(&staging.file, &source).is_ok() {
            io::copy(&mut source, &mut staging.noting())?;
        } else {
            io::copy(&mut source, &mut staging)?;
        }
        staging.finish()
    }

    /// Gives a kept content a second name in the staging area, so that it stays until its new row is written.
    /// `None` if there is no such content of this size. Blocks.
    #[must_use]
    pub fn stage_kept(&self, tenant: &Tenant, sha256: &str, size: u64) -> Option<Staged> {
        let (kept, path) = (self.blob_path(tenant, sha256), self.staging_path());
        fs::hard_link(&kept, &path).ok()?;
        let staged = Staged { blob: Blob { size, sha256: sha256.to_owned(), head: Vec::new() }, path };
        (staged.path.metadata().ok()?.len() == size).then_some(staged)
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
    /// With a store of objects it is there as well when this returns.
    pub(super) async fn keep(&self, tenant: &Tenant, staged: Staged) -> io::Result<Blob> {
        let blob = self.place(tenant, staged).await?;
        if let Some(objects) = &self.0.objects {
            objects.ensure(tenant.as_str(), &blob.sha256, &self.blob_path(tenant, &blob.sha256)).await?;
        }
        Ok(blob)
    }

    /// Gives a staged content its place on this machine.
    pub(super) async fn place(&self, tenant: &Tenant, staged: Staged) -> io::Result<Blob> {
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
                 OR EXISTS (SELECT 1 FROM artifacts WHERE tenant = ?1 AND sha256 = ?2) \
                 OR EXISTS (SELECT 1 FROM tree_blobs WHERE tenant = ?1 AND sha256 = ?2)",
            )
            .bind(tenant.as_str())
            .bind(&sha256)
            .fetch_one(&self.0.write)
            .await?;
            if used > 0 {
                continue;
            }
            // While the copy here is there, the next start knows that it has to try again.
            if let Some(objects) = &self.0.objects
                && let Err(error) = objects.remove(tenant.as_str(), &sha256).await
            {
                tracing::warn!(%sha256, %error, "failed to remove an unused content; the next start tries again");
                continue;
            }
            if let Err(error) = fs::remove_file(self.blob_path(tenant, &sha256))
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

    fn noting(&mut self) -> Noting<'_> {
        Noting(self)
    }

    fn note(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.size += piece.len() as u64;
        let missing = HEAD.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..missing]);
    }

    fn finish(mut self) -> io::Result<Staged> {
        self.file.sync_all()?;
        self.finished = true;
        let sha256 = self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let blob = Blob { size: self.size, sha256, head: std::mem::take(&mut self.head) };
        Ok(Staged { blob, path: self.path.clone() })
    }
}

/// Notes what is in the file already.
struct Noting<'a>(&'a mut Staging);

impl Write for Noting<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.0.note(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for Staging {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let written = self.file.write(piece)?;
        self.note(&piece[..written]);
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
