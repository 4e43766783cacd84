//! Rows of sessions and of the files they work on.

use sqlx::FromRow;

use super::trees::Tree;
use super::{FileRecord, Storage, checkpoints, days_ago, new_id, now};
use crate::error::{Error, Result};
use crate::tenants::Tenant;

/// A session: an interpreter and a workspace with their history.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct SessionRecord {
    /// `ses_…`
    pub id: String,
    /// What the user calls it; empty until the first question names it.
    pub title: String,
    /// Image of its runs.
    pub image: String,
    /// Policy of its runs.
    pub policy: String,
    /// RFC 3339.
    pub created_at: String,
    /// Of the last turn or change.
    pub updated_at: String,
    /// Number of the checkpoint that it is at; `None` in one of an older Glovebox that has not been used since.
    pub head: Option<i64>,
    /// Turns that it has taken, undone ones included.
    pub turns: i64,
    /// The session that it is a fork of.
    pub forked_from_session: Option<String>,
    /// That session's checkpoint.
    pub forked_from_checkpoint: Option<i64>,
}

impl Storage {
    /// Opens a session, with its checkpoint 0: nothing.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn add_session(&self, tenant: &Tenant, title: &str, image: &str, policy: &str) -> Result<SessionRecord> {
        let now = now();
        let record = SessionRecord {
            id: new_id("ses"),
            title: title.to_owned(),
            image: image.to_owned(),
            policy: policy.to_owned(),
            created_at: now.clone(),
            updated_at: now,
            head: Some(0),
            turns: 0,
            forked_from_session: None,
            forked_from_checkpoint: None,
        };
        let mut transaction = self.0.write.begin().await?;
        sqlx::query(
            "INSERT INTO sessions (id, tenant, title, image, policy, created_at, updated_at, head, checkpoints_made) \
             VALUES (?, ?, ?, ?, ?, ?, ?, 0, 1)",
        )
        .bind(&record.id)
        .bind(tenant.as_str())
        .bind(&record.title)
        .bind(&record.image)
        .bind(&record.policy)
        .bind(&record.created_at)
        .bind(&record.updated_at)
        .execute(&mut *transaction)
        .await?;
        let tree = new_id("tree");
        super::trees::insert(&mut transaction, tenant, &tree, &Tree::new()).await?;
        sqlx::query(
            "INSERT INTO checkpoints (id, tenant, session_id, number, name, tree_id, created_at) VALUES (?, ?, ?, 0, '', ?, ?)",
        )
        .bind(new_id("chk"))
        .bind(tenant.as_str())
        .bind(&record.id)
        .bind(&tree)
        .bind(&record.created_at)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(record)
    }

    /// Every session, the one used last first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn sessions(&self, tenant: &Tenant) -> Result<Vec<SessionRecord>> {
        Ok(sqlx::query_as("SELECT * FROM sessions WHERE tenant = ? ORDER BY updated_at DESC, id DESC")
            .bind(tenant.as_str())
            .fetch_all(&self.0.read)
            .await?)
    }

    /// One session.
    ///
    /// # Errors
    ///
    /// `not_found`, also if it is someone else's; the database failed.
    pub async fn session(&self, tenant: &Tenant, id: &str) -> Result<SessionRecord> {
        sqlx::query_as("SELECT * FROM sessions WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.0.read)
            .await?
            .ok_or_else(|| Error::not_found("session", id))
    }

    /// Renames a session. With `only_if_empty`, one that has a title keeps it.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn set_title(&self, tenant: &Tenant, id: &str, title: &str, only_if_empty: bool) -> Result<()> {
        sqlx::query(
            "UPDATE sessions SET title = ?, updated_at = ? WHERE tenant = ? AND id = ? AND (title = '' OR NOT ?)",
        )
        .bind(title)
        .bind(now())
        .bind(tenant.as_str())
        .bind(id)
        .bind(only_if_empty)
        .execute(&self.0.write)
        .await?;
        Ok(())
    }

    /// Number of sessions.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn count_sessions(&self, tenant: &Tenant) -> Result<u64> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM sessions WHERE tenant = ?")
            .bind(tenant.as_str())
            .fetch_one(&self.0.read)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// Forgets a session with its checkpoints, runs, questions, artifacts and events. Its directories are the
    /// caller's to remove.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn delete_session(&self, tenant: &Tenant, id: &str) -> Result<bool> {
        let mut transaction = self.0.write.begin().await?;
        let contents: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT a.sha256 FROM artifacts a JOIN runs r ON r.id = a.run_id WHERE r.tenant = ? AND r.session_id = ?",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_all(&mut *transaction)
        .await?;
        let held = checkpoints::held_by_session(&mut transaction, id).await?;
        let done = sqlx::query("DELETE FROM sessions WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        let unused = checkpoints::drop_unused(&mut transaction, tenant, held).await?;
        transaction.commit().await?;
        self.remove(tenant, unused).await;
        self.sweep(tenant, contents).await?;
        Ok(done.rows_affected() > 0)
    }

    /// The files of a session under their names in its workspace, in the order they were added.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn session_files(&self, tenant: &Tenant, id: &str) -> Result<Vec<FileRecord>> {
        Ok(sqlx::query_as(
            "SELECT f.id, sf.name, f.size, f.sha256, f.media_type, f.created_at FROM session_files sf \
             JOIN files f ON f.id = sf.file_id WHERE f.tenant = ? AND sf.session_id = ? ORDER BY sf.added_at, f.id",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_all(&self.0.read)
        .await?)
    }

    /// The files that a session got at this time or later, under their names in its workspace.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn session_files_since(&self, tenant: &Tenant, id: &str, time: &str) -> Result<Vec<FileRecord>> {
        Ok(sqlx::query_as(
            "SELECT f.id, sf.name, f.size, f.sha256, f.media_type, f.created_at FROM session_files sf \
             JOIN files f ON f.id = sf.file_id WHERE f.tenant = ? AND sf.session_id = ? AND sf.added_at >= ? \
             ORDER BY sf.added_at, f.id",
        )
        .bind(tenant.as_str())
        .bind(id)
        .bind(time)
        .fetch_all(&self.0.read)
        .await?)
    }

    /// Notes that the copy of a file in a session's workspace has another name.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn rename_session_file(&self, session: &str, file: &str, name: &str) -> Result<()> {
        sqlx::query("UPDATE session_files SET name = ? WHERE session_id = ? AND file_id = ?")
            .bind(name)
            .bind(session)
            .bind(file)
            .execute(&self.0.write)
            .await?;
        Ok(())
    }

    /// Notes that a session's workspace has a copy of a file.
    ///
    /// # Errors
    ///
    /// `not_found` if the session or the file is gone; the database failed.
    pub async fn add_session_file(&self, tenant: &Tenant, session: &str, file: &str, name: &str) -> Result<()> {
        let done = sqlx::query(
            "INSERT INTO session_files (session_id, file_id, name, added_at) \
             SELECT s.id, f.id, ?1, ?2 FROM sessions s, files f \
             WHERE s.tenant = ?3 AND f.tenant = ?3 AND s.id = ?4 AND f.id = ?5",
        )
        .bind(name)
        .bind(now())
        .bind(tenant.as_str())
        .bind(session)
        .bind(file)
        .execute(&self.0.write)
        .await?;
        if done.rows_affected() == 0 { Err(Error::not_found("session or file", session)) } else { Ok(()) }
    }

    /// Sessions that nobody used for so many days.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn idle_sessions(&self, tenant: &Tenant, days: u64) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("SELECT id FROM sessions WHERE tenant = ? AND updated_at < ?")
            .bind(tenant.as_str())
            .bind(days_ago(days))
            .fetch_all(&self.0.read)
            .await?)
    }
}
