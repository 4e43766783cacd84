//! Rows of what tenants used, by day.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::Storage;
use crate::error::Result;
use crate::tenants::Tenant;

/// What a tenant used on a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, FromRow, ToSchema)]
#[schema(as = TenantUsage)]
pub struct UsageRecord {
    /// Whose it is.
    pub tenant: String,
    /// In UTC, such as `2026-01-31`.
    pub day: String,
    /// Programs that ran, those of questions not counted.
    pub runs: i64,
    /// Questions.
    pub asks: i64,
    /// WebAssembly instructions.
    pub fuel: i64,
    /// The largest memory of each run times its time, in MiB and milliseconds.
    pub memory_mib_ms: i64,
    /// Tokens of models, sent and received.
    pub model_tokens: i64,
    /// What they cost, in millionths of a US dollar.
    pub model_micro_usd: i64,
    /// Requests that a quota refused.
    pub refused: i64,
}

impl Storage {
    /// Adds what was used since the last time.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn add_usage(&self, records: &[UsageRecord]) -> Result<()> {
        let mut transaction = self.0.write.begin().await?;
        for record in records {
            sqlx::query(
                "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET runs = runs + excluded.runs, \
                 asks = asks + excluded.asks, fuel = fuel + excluded.fuel, \
                 memory_mib_ms = memory_mib_ms + excluded.memory_mib_ms, \
                 model_tokens = model_tokens + excluded.model_tokens, \
                 model_micro_usd = model_micro_usd + excluded.model_micro_usd, refused = refused + excluded.refused",
            )
            .bind(&record.tenant)
            .bind(&record.day)
            .bind(record.runs)
            .bind(record.asks)
            .bind(record.fuel)
            .bind(record.memory_mib_ms)
            .bind(record.model_tokens)
            .bind(record.model_micro_usd)
            .bind(record.refused)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// What one tenant used, or all of them, newest day first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn usage(&self, tenant: Option<&Tenant>) -> Result<Vec<UsageRecord>> {
        Ok(sqlx::query_as("SELECT * FROM usage WHERE ?1 IS NULL OR tenant = ?1 ORDER BY day DESC, tenant")
            .bind(tenant.map(Tenant::as_str))
            .fetch_all(&self.0.read)
            .await?)
    }

    /// What a tenant used on a day.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn usage_of_day(&self, tenant: &Tenant, day: &str) -> Result<UsageRecord> {
        let found = sqlx::query_as("SELECT * FROM usage WHERE tenant = ? AND day = ?")
            .bind(tenant.as_str())
            .bind(day)
            .fetch_optional(&self.0.read)
            .await?;
        let none = || UsageRecord { tenant: tenant.to_string(), day: day.into(), ..UsageRecord::default() };
        Ok(found.unwrap_or_else(none))
    }

    /// Bytes that a tenant keeps: different contents of files and artifacts, and checkpoints.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn stored_bytes(&self, tenant: &Tenant) -> Result<u64> {
        let contents: i64 = sqlx::query_scalar(
            "SELECT coalesce(sum(size), 0) FROM (SELECT sha256, max(size) AS size FROM \
             (SELECT sha256, size FROM files WHERE tenant = ?1 UNION ALL SELECT sha256, size FROM artifacts WHERE tenant = ?1) \
             GROUP BY sha256)",
        )
        .bind(tenant.as_str())
        .fetch_one(&self.0.read)
        .await?;
        Ok(contents.unsigned_abs() + self.checkpoint_bytes(tenant).await?)
    }
}
