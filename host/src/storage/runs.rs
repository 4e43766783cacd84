//! Rows of runs, of what they left, and of what their streams said.

use glovebox_runtime::Outcome;
use serde_json::Value;
use sqlx::{FromRow, Sqlite, Transaction};

use super::{Staged, Status, Storage, days_ago, new_id};
use crate::error::{Code, Error, Result};
use crate::tenants::Tenant;

/// A program that ran or will run.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct RunRecord {
    /// `run_…`
    pub id: String,
    /// The session whose workspace it works on.
    pub session_id: Option<String>,
    /// The question that it answers.
    pub ask_id: Option<String>,
    /// How far it is.
    pub status: Status,
    /// Name of the image.
    pub image: String,
    /// Name of the policy.
    pub policy: String,
    /// Source text.
    pub code: String,
    /// Arguments, environment, seed and files.
    #[sqlx(json)]
    pub request: Value,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339, once it is over.
    pub finished_at: Option<String>,
    /// How it went, if it is done.
    #[sqlx(json(nullable))]
    pub outcome: Option<Outcome>,
    /// Why Glovebox failed, by code.
    pub error_code: Option<String>,
    /// Why Glovebox failed, in a sentence.
    pub error_detail: Option<String>,
    /// Number of its session's checkpoint that was made after it.
    pub checkpoint: Option<i64>,
    /// Whether its session went back to the state before it.
    pub undone: bool,
}

/// A file that a run left.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ArtifactRecord {
    /// `art_…`
    pub id: String,
    /// The run that left it.
    pub run_id: String,
    /// Path below the workspace.
    pub path: String,
    /// Bytes.
    pub size: i64,
    /// Lower-case hex.
    pub sha256: String,
    /// By content.
    pub media_type: String,
    /// Number of its session's checkpoint that has it.
    pub checkpoint: Option<i64>,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct StoredEvent {
    /// Place in the stream, from 1.
    pub seq: i64,
    /// Such as `stdout`.
    pub kind: String,
    /// JSON.
    pub data: String,
}

/// A run with its artifacts.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// The run.
    pub run: RunRecord,
    /// What it left.
    pub artifacts: Vec<ArtifactRecord>,
}

impl Storage {
    /// Writes a run down, or what has become of it.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn save_run(&self, tenant: &Tenant, run: &RunRecord) -> Result<()> {
        let mut transaction = self.0.write.begin().await?;
        upsert(&mut transaction, tenant, run, self.0.lease).await?;
        Ok(transaction.commit().await?)
    }

    /// Writes down how a run ended, what it left and what its stream said, all or nothing.
    ///
    /// # Errors
    ///
    /// The disk or the database failed.
    pub async fn finish_run(
        &self,
        tenant: &Tenant,
        run: RunRecord,
        files: Vec<(String, String, Staged)>,
        events: &[StoredEvent],
    ) -> Result<RunView> {
        let _gate = self.0.blob_gate.read().await;
        let mut artifacts = Vec::with_capacity(files.len());
        for (path, media_type, staged) in files {
            let blob = self.keep(tenant, staged).await?;
            let size = i64::try_from(blob.size).unwrap_or(i64::MAX);
            let (id, run_id) = (new_id("art"), run.id.clone());
            let checkpoint = run.checkpoint;
            artifacts.push(ArtifactRecord { id, run_id, path, size, sha256: blob.sha256, media_type, checkpoint });
        }
        let mut transaction = self.0.write.begin().await?;
        upsert(&mut transaction, tenant, &run, self.0.lease).await?;
        insert_artifacts(&mut transaction, tenant, &artifacts).await?;
        insert_events(&mut transaction, tenant, &run.id, events).await?;
        if let Some(session) = &run.session_id {
            sqlx::query("UPDATE sessions SET turns = turns + 1, updated_at = ? WHERE id = ?")
                .bind(super::now())
                .bind(session)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(RunView { run, artifacts })
    }

    /// One run with its artifacts.
    ///
    /// # Errors
    ///
    /// `not_found`, also if it is someone else's; the database failed.
    pub async fn run(&self, tenant: &Tenant, id: &str) -> Result<RunView> {
        let run: Option<RunRecord> = sqlx::query_as("SELECT * FROM runs WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.0.read)
            .await?;
        let run = run.ok_or_else(|| Error::not_found("run", id))?;
        let artifacts = sqlx::query_as(
            "SELECT a.*, r.checkpoint FROM artifacts a JOIN runs r ON r.id = a.run_id \
             WHERE a.tenant = ? AND a.run_id = ? ORDER BY a.position",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_all(&self.0.read)
        .await?;
        Ok(RunView { run, artifacts })
    }

    /// The session of a run, and the checkpoint that the run led to; `None` for a run without session.
    ///
    /// # Errors
    ///
    /// `not_found`, also if it is someone else's; the database failed.
    pub async fn place_of_run(&self, tenant: &Tenant, id: &str) -> Result<Option<(String, Option<i64>)>> {
        let place: Option<(Option<String>, Option<i64>)> =
            sqlx::query_as("SELECT session_id, checkpoint FROM runs WHERE tenant = ? AND id = ?")
                .bind(tenant.as_str())
                .bind(id)
                .fetch_optional(&self.0.read)
                .await?;
        let (session, checkpoint) = place.ok_or_else(|| Error::not_found("run", id))?;
        Ok(session.map(|session| (session, checkpoint)))
    }

    /// The same of a question: its session, and the checkpoint that its run led to.
    ///
    /// # Errors
    ///
    /// `not_found`, also if it is someone else's; the database failed.
    pub async fn place_of_ask(&self, tenant: &Tenant, id: &str) -> Result<Option<(String, Option<i64>)>> {
        let place: Option<(String, Option<i64>)> = sqlx::query_as(
            "SELECT a.session_id, r.checkpoint FROM asks a LEFT JOIN runs r ON r.ask_id = a.id \
             WHERE a.tenant = ? AND a.id = ?",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(&self.0.read)
        .await?;
        place.map(Some).ok_or_else(|| Error::not_found("ask", id))
    }

    /// The run that answered a question.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn run_of_ask(&self, tenant: &Tenant, ask: &str) -> Result<Option<RunView>> {
        let id: Option<String> = sqlx::query_scalar("SELECT id FROM runs WHERE tenant = ? AND ask_id = ?")
            .bind(tenant.as_str())
            .bind(ask)
            .fetch_optional(&self.0.read)
            .await?;
        match id {
            Some(id) => Ok(Some(self.run(tenant, &id).await?)),
            None => Ok(None),
        }
    }

    /// The runs that a session's user started, oldest first; those of questions are in their asks.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn session_runs(&self, tenant: &Tenant, session: &str) -> Result<Vec<RunView>> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT id FROM runs WHERE tenant = ? AND session_id = ? AND ask_id IS NULL ORDER BY created_at, id",
        )
        .bind(tenant.as_str())
        .bind(session)
        .fetch_all(&self.0.read)
        .await?;
        let mut runs = Vec::with_capacity(ids.len());
        for id in ids {
            runs.push(self.run(tenant, &id).await?);
        }
        Ok(runs)
    }

    /// The programs that a session's user ran last, newest first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn recent_runs(&self, tenant: &Tenant, session: &str, most: i64) -> Result<Vec<RunRecord>> {
        Ok(sqlx::query_as(
            "SELECT * FROM runs WHERE tenant = ? AND session_id = ? AND ask_id IS NULL AND status = 'done' \
             ORDER BY created_at DESC, id DESC LIMIT ?",
        )
        .bind(tenant.as_str())
        .bind(session)
        .bind(most)
        .fetch_all(&self.0.read)
        .await?)
    }

    /// What the runs of a session left, oldest run first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn session_artifacts(&self, tenant: &Tenant, session: &str) -> Result<Vec<ArtifactRecord>> {
        Ok(sqlx::query_as(
            "SELECT a.*, r.checkpoint FROM artifacts a JOIN runs r ON r.id = a.run_id \
             WHERE a.tenant = ? AND r.session_id = ? \
             ORDER BY r.created_at, r.id, a.position",
        )
        .bind(tenant.as_str())
        .bind(session)
        .fetch_all(&self.0.read)
        .await?)
    }

    /// One artifact.
    ///
    /// # Errors
    ///
    /// `not_found`, also if it is someone else's; the database failed.
    pub async fn artifact(&self, tenant: &Tenant, id: &str) -> Result<ArtifactRecord> {
        sqlx::query_as(
            "SELECT a.*, r.checkpoint FROM artifacts a JOIN runs r ON r.id = a.run_id WHERE a.tenant = ? AND a.id = ?",
        )
        .bind(tenant.as_str())
        .bind(id)
        .fetch_optional(&self.0.read)
        .await?
        .ok_or_else(|| Error::not_found("artifact", id))
    }

    /// What a finished stream said after event `after`, without its last event.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn events(&self, tenant: &Tenant, stream: &str, after: i64) -> Result<Vec<StoredEvent>> {
        Ok(sqlx::query_as(
            "SELECT seq, kind, data FROM events WHERE tenant = ? AND stream = ? AND seq > ? ORDER BY seq",
        )
        .bind(tenant.as_str())
        .bind(stream)
        .bind(after)
        .fetch_all(&self.0.read)
        .await?)
    }

    /// Number of a finished stream's last stored event; 0 if nothing was stored.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn last_event(&self, tenant: &Tenant, stream: &str) -> Result<i64> {
        let last: Option<i64> = sqlx::query_scalar("SELECT max(seq) FROM events WHERE tenant = ? AND stream = ?")
            .bind(tenant.as_str())
            .bind(stream)
            .fetch_one(&self.0.read)
            .await?;
        Ok(last.unwrap_or(0))
    }

    /// Forgets runs outside of sessions and files without a session that are older than so many days.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn forget_older_than(&self, tenant: &Tenant, days: u64) -> Result<()> {
        let before = days_ago(days);
        let mut contents: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT a.sha256 FROM artifacts a JOIN runs r ON r.id = a.run_id \
             WHERE r.tenant = ? AND r.session_id IS NULL AND r.created_at < ?",
        )
        .bind(tenant.as_str())
        .bind(&before)
        .fetch_all(&self.0.read)
        .await?;
        sqlx::query(
            "DELETE FROM runs WHERE tenant = ? AND session_id IS NULL AND created_at < ? AND status IN ('done', 'failed')",
        )
        .bind(tenant.as_str())
        .bind(&before)
        .execute(&self.0.write)
        .await?;
        let files: Vec<String> = sqlx::query_scalar(
            "DELETE FROM files WHERE tenant = ? AND created_at < ? AND id NOT IN (SELECT file_id FROM session_files) \
             RETURNING sha256",
        )
        .bind(tenant.as_str())
        .bind(&before)
        .fetch_all(&self.0.write)
        .await?;
        contents.extend(files);
        Ok(self.sweep(tenant, contents).await?)
    }
}

pub(super) async fn insert_artifacts(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    artifacts: &[ArtifactRecord],
) -> Result<(), sqlx::Error> {
    for (position, artifact) in artifacts.iter().enumerate() {
        sqlx::query(
            "INSERT INTO artifacts (id, tenant, run_id, path, size, sha256, media_type, position) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&artifact.id)
        .bind(tenant.as_str())
        .bind(&artifact.run_id)
        .bind(&artifact.path)
        .bind(artifact.size)
        .bind(&artifact.sha256)
        .bind(&artifact.media_type)
        .bind(i64::try_from(position).unwrap_or(i64::MAX))
        .execute(&mut **transaction)
        .await?;
    }
    Ok(())
}

pub(super) async fn insert_events(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    stream: &str,
    events: &[StoredEvent],
) -> Result<(), sqlx::Error> {
    // A handful to a statement: each statement is a way to another thread and back.
    for events in events.chunks(64) {
        let mut insert = sqlx::QueryBuilder::<Sqlite>::new("INSERT INTO events (tenant, stream, seq, kind, data) ");
        insert.push_values(events, |mut row, event| {
            row.push_bind(tenant.as_str()).push_bind(stream).push_bind(event.seq);
            row.push_bind(event.kind.as_str()).push_bind(event.data.as_str());
        });
        insert.build().execute(&mut **transaction).await?;
    }
    Ok(())
}

/// Writes a run down. One that has ended stays as it is, and so does one that another server has taken since.
pub(super) async fn upsert(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    run: &RunRecord,
    lease: i64,
) -> Result<()> {
    let done = sqlx::query(
        "INSERT INTO runs (id, tenant, session_id, ask_id, status, image, policy, code, request, created_at, \
         finished_at, outcome, error_code, error_detail, checkpoint, undone, lease) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, request = excluded.request, \
         finished_at = excluded.finished_at, outcome = excluded.outcome, error_code = excluded.error_code, \
         error_detail = excluded.error_detail, checkpoint = excluded.checkpoint, undone = excluded.undone \
         WHERE runs.finished_at IS NULL AND runs.lease = excluded.lease",
    )
    .bind(&run.id)
    .bind(tenant.as_str())
    .bind(&run.session_id)
    .bind(&run.ask_id)
    .bind(run.status)
    .bind(&run.image)
    .bind(&run.policy)
    .bind(&run.code)
    .bind(sqlx::types::Json(&run.request))
    .bind(&run.created_at)
    .bind(&run.finished_at)
    .bind(run.outcome.as_ref().map(sqlx::types::Json))
    .bind(&run.error_code)
    .bind(&run.error_detail)
    .bind(run.checkpoint)
    .bind(run.undone)
    .bind(lease)
    .execute(&mut **transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::new(Code::Conflict, format!("run {} has ended, or another server has it", run.id)));
    }
    Ok(())
}
