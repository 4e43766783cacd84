//! Rows of evaluations. What they judge and what they find lies in files beside the database.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::Storage;
use crate::error::{Error, Result};
use crate::eval::Summary;
use crate::tenants::Tenant;

/// An evaluation.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct EvalRecord {
    /// `eval_…`
    pub id: String,
    /// How far it is.
    pub status: EvalStatus,
    /// How samples are judged.
    #[sqlx(json)]
    pub settings: EvalSettings,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339, once it is over.
    pub finished_at: Option<String>,
    /// What was found.
    #[sqlx(json)]
    pub result: EvalResult,
    /// Why it failed, in a sentence.
    pub error_detail: Option<String>,
}

/// How far an evaluation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(rename_all = "snake_case")]
pub enum EvalStatus {
    /// Under way.
    Running,
    /// Every sample has a verdict.
    Done,
    /// Ended by its owner; it can be resumed.
    Cancelled,
    /// The server stopped; it can be resumed.
    Interrupted,
    /// Its files cannot be read or written; it can be resumed.
    Failed,
}

/// How the samples of an evaluation are judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EvalSettings {
    /// Name of the image.
    pub image: String,
    /// Name of the policy.
    pub policy: String,
    /// Fuel of a sample.
    pub fuel: u64,
    /// Memory of a sample in MiB.
    pub memory_mib: u64,
    /// Fixed seed, virtual clock, no times: the same verdicts every time.
    pub deterministic: bool,
    /// Of random generators.
    pub seed: u64,
    /// How often a sample is tried again when our side failed.
    pub retries: u32,
    /// Completions that are judged at most.
    pub limit: Option<u64>,
    /// The k of pass@k.
    pub pass_at: Vec<u64>,
}

/// What an evaluation found so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EvalResult {
    /// Completions that are to be judged.
    pub total: u64,
    /// Completions that have a verdict.
    pub judged: u64,
    /// Lines that could not be used.
    pub bad_lines: u64,
    /// The first of them, in words.
    pub bad: Vec<String>,
    /// Counts, pass@k and distributions, once there are verdicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

impl Storage {
    /// Directory of an evaluation's files.
    #[must_use]
    pub fn eval_dir(&self, id: &str) -> PathBuf {
        self.root().join("evals").join(id)
    }

    /// Writes an evaluation down, anew or again.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn save_eval(&self, tenant: &Tenant, eval: &EvalRecord) -> Result<()> {
        sqlx::query(
            "INSERT INTO evals (id, tenant, status, settings, created_at, finished_at, result, error_detail) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status, \
             finished_at = excluded.finished_at, result = excluded.result, error_detail = excluded.error_detail \
             WHERE tenant = excluded.tenant",
        )
        .bind(&eval.id)
        .bind(tenant.as_str())
        .bind(eval.status)
        .bind(sqlx::types::Json(&eval.settings))
        .bind(&eval.created_at)
        .bind(&eval.finished_at)
        .bind(sqlx::types::Json(&eval.result))
        .bind(&eval.error_detail)
        .execute(&self.0.write)
        .await?;
        Ok(())
    }

    /// One evaluation.
    ///
    /// # Errors
    ///
    /// `not_found`, also if it is someone else's; the database failed.
    pub async fn eval(&self, tenant: &Tenant, id: &str) -> Result<EvalRecord> {
        sqlx::query_as("SELECT * FROM evals WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.0.read)
            .await?
            .ok_or_else(|| Error::not_found("evaluation", id))
    }

    /// A tenant's evaluations, newest first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn evals(&self, tenant: &Tenant) -> Result<Vec<EvalRecord>> {
        Ok(sqlx::query_as("SELECT * FROM evals WHERE tenant = ? ORDER BY created_at DESC, id DESC")
            .bind(tenant.as_str())
            .fetch_all(&self.0.read)
            .await?)
    }

    /// Forgets an evaluation; its directory is the caller's to remove.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn delete_eval(&self, tenant: &Tenant, id: &str) -> Result<bool> {
        let deleted = sqlx::query("DELETE FROM evals WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(id)
            .execute(&self.0.write)
            .await?;
        Ok(deleted.rows_affected() > 0)
    }

    /// Evaluations that ended so many days ago.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn old_evals(&self, tenant: &Tenant, days: u64) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar("SELECT id FROM evals WHERE tenant = ? AND status <> 'running' AND finished_at < ?")
            .bind(tenant.as_str())
            .bind(super::days_ago(days))
            .fetch_all(&self.0.read)
            .await?)
    }
}
