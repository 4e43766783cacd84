//! Rows of uploaded files.

use sqlx::FromRow;

use super::{Staged, Storage, new_id, now};
use crate::error::Result;
use crate::tenants::Tenant;

/// An uploaded file.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct FileRecord {
    /// `file_…`
    pub id: String,
    /// Safe name, without path parts.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Lower-case hex.
    pub sha256: String,
    /// By content.
    pub media_type: String,
    /// RFC 3339.
    pub created_at: String,
}

impl Storage {
    /// Keeps uploaded contents, all or none, under their names and media types.
    ///
    /// # Errors
    ///
    /// The disk or the database failed.
    pub async fn add_files(&self, tenant: &Tenant, uploads: Vec<(String, String, Staged)>) -> Result<Vec<FileRecord>> {
        let _gate = self.0.blob_gate.read().await;
        let mut records = Vec::with_capacity(uploads.len());
        for (name, media_type, staged) in uploads {
            let blob = self.keep(tenant, staged).await?;
            let size = i64::try_from(blob.size).unwrap_or(i64::MAX);
            records.push(FileRecord {
                id: new_id("file"),
                name,
                size,
                sha256: blob.sha256,
                media_type,
                created_at: now(),
            });
        }
        let mut transaction = self.0.write.begin().await?;
        for record in &records {
            sqlx::query(
                "INSERT INTO files (id, tenant, name, size, sha256, media_type, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&record.id)
            .bind(tenant.as_str())
            .bind(&record.name)
            .bind(record.size)
            .bind(&record.sha256)
            .bind(&record.media_type)
            .bind(&record.created_at)
            .execute(&mut *transaction)
            .await?;
        }
        transaction.commit().await?;
        Ok(records)
    }

    /// Every file, newest first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn files(&self, tenant: &Tenant) -> Result<Vec<FileRecord>> {
        Ok(sqlx::query_as("SELECT * FROM files WHERE tenant = ? ORDER BY created_at DESC, id DESC")
            .bind(tenant.as_str())
            .fetch_all(&self.0.read)
            .await?)
    }

    /// One file; `None` also if it is someone else's.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn file(&self, tenant: &Tenant, id: &str) -> Result<Option<FileRecord>> {
        Ok(sqlx::query_as("SELECT * FROM files WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.0.read)
            .await?)
    }

    /// A file's sample as JSON, if it was taken before.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn file_sample(&self, tenant: &Tenant, id: &str) -> Result<Option<String>> {
        let row: Option<Option<String>> = sqlx::query_scalar("SELECT sample FROM files WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.0.read)
            .await?;
        Ok(row.flatten())
    }

    /// Remembers a file's sample.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn set_file_sample(&self, tenant: &Tenant, id: &str, sample: &str) -> Result<()> {
        sqlx::query("UPDATE files SET sample = ? WHERE tenant = ? AND id = ?")
            .bind(sample)
            .bind(tenant.as_str())
            .bind(id)
            .execute(&self.0.write)
            .await?;
        Ok(())
    }

    /// The sessions that work on a copy of a file, with the copy's name.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn sessions_with_file(&self, tenant: &Tenant, id: &str) -> Result<Vec<(String, String)>> {
        Ok(sqlx::query_as(
            "SELECT s.id, sf.name FROM session_files sf JOIN sessions s ON s.id = sf.session_id \
             WHERE s.tenant = ? AND sf.file_id = ?",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_all(&self.0.read)
        .await?)
    }

    /// Forgets a file, its copies in checkpoints and, unless something else has the same, its content.
    /// False if there is none.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn delete_file(&self, tenant: &Tenant, id: &str) -> Result<bool> {
        let mut transaction = self.0.write.begin().await?;
        sqlx::query(
            "DELETE FROM tree_files WHERE (tree_id, area, path, content) IN \
             (SELECT c.tree_id, 'data', sf.name, f.sha256 FROM files f JOIN session_files sf ON sf.file_id = f.id \
              JOIN checkpoints c ON c.session_id = sf.session_id WHERE f.tenant = ? AND f.id = ?)",
        )
        .bind(tenant.as_str())
        .bind(id)
        .execute(&mut *transaction)
        .await?;
        let sha256: Option<String> =
            sqlx::query_scalar("DELETE FROM files WHERE tenant = ? AND id = ? RETURNING sha256")
                .bind(tenant.as_str())
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await?;
        super::trees::drop_unused_blobs(&mut transaction, tenant, sha256.as_slice()).await?;
        transaction.commit().await?;
        let existed = sha256.is_some();
        self.sweep(tenant, sha256.into_iter().collect()).await?;
        Ok(existed)
    }
}
