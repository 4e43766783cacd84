//! Rows of questions and their answers.

use sqlx::{FromRow, Sqlite, Transaction};

use super::jobs::claim;
use super::runs::insert_events;
use super::{RequestKey, Status, Storage, StoredEvent};
use crate::engine::{Attempt, Details, TokenUsage};
use crate::error::{Error, Result};
use crate::tenants::Tenant;

/// A question and, once it is done, its answer. The run that answered it is a [`super::RunRecord`] of its own.
#[derive(Clone, Debug, PartialEq, FromRow)]
pub struct AskRecord {
    /// `ask_…`
    pub id: String,
    /// The session it was asked in.
    pub session_id: String,
    /// How far it is.
    pub status: Status,
    /// In the user's words.
    pub question: String,
    /// The model that answered; before that, the one that was asked for.
    pub model: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339, once it is over.
    pub finished_at: Option<String>,
    /// Markdown.
    pub explanation: String,
    /// Source text of the last program.
    pub program: String,
    /// What could be asked next.
    #[sqlx(json)]
    pub suggestions: Vec<String>,
    /// Every program that was tried.
    #[sqlx(json)]
    pub attempts: Vec<Attempt>,
    /// What the model used.
    #[sqlx(json)]
    pub usage: TokenUsage,
    /// How the answer came about.
    #[sqlx(json)]
    pub details: Details,
    /// Why there is no answer, by code.
    pub error_code: Option<String>,
    /// Why there is no answer, in a sentence.
    pub error_detail: Option<String>,
}

impl Storage {
    /// Writes a question down.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn save_ask(&self, tenant: &Tenant, ask: &AskRecord) -> Result<()> {
        self.write_ask(tenant, ask, &[], None).await
    }

    /// Writes down a question that is accepted.
    ///
    /// # Errors
    ///
    /// `conflict` if the key is taken; the database failed.
    pub async fn accept_ask(&self, tenant: &Tenant, ask: &AskRecord, key: Option<&RequestKey>) -> Result<()> {
        self.write_ask(tenant, ask, &[], key).await
    }

    /// Writes down how a question ended and what its stream said. Its run has to be written before.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn finish_ask(&self, tenant: &Tenant, ask: &AskRecord, events: &[StoredEvent]) -> Result<()> {
        self.write_ask(tenant, ask, events, None).await
    }

    async fn write_ask(
        &self,
        tenant: &Tenant,
        ask: &AskRecord,
        events: &[StoredEvent],
        key: Option<&RequestKey>,
    ) -> Result<()> {
        let mut transaction = self.0.write.begin().await?;
        upsert(&mut transaction, tenant, ask).await?;
        claim(&mut transaction, tenant, key, &ask.id).await?;
        sqlx::query("UPDATE sessions SET updated_at = ? WHERE tenant = ? AND id = ?")
            .bind(super::now())
            .bind(tenant.as_str())
            .bind(&ask.session_id)
            .execute(&mut *transaction)
            .await?;
        insert_events(&mut transaction, tenant, &ask.id, events).await?;
        Ok(transaction.commit().await?)
    }

    /// One question.
    ///
    /// # Errors
    ///
    /// `not_found`, also if it is someone else's; the database failed.
    pub async fn ask(&self, tenant: &Tenant, id: &str) -> Result<AskRecord> {
        sqlx::query_as("SELECT * FROM asks WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(&self.0.read)
            .await?
            .ok_or_else(|| Error::not_found("ask", id))
    }

    /// The questions of a session, oldest first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn session_asks(&self, tenant: &Tenant, session: &str) -> Result<Vec<AskRecord>> {
        Ok(sqlx::query_as("SELECT * FROM asks WHERE tenant = ? AND session_id = ? ORDER BY created_at, id")
            .bind(tenant.as_str())
            .bind(session)
            .fetch_all(&self.0.read)
            .await?)
    }
}

/// What the questions of a day used of a model.
#[derive(Clone, Debug, FromRow)]
pub struct DayUsage {
    /// Such as `2026-01-31`, in UTC.
    pub day: String,
    /// Name of the model.
    pub model: String,
    /// Questions.
    pub asks: i64,
    /// Calls of the model.
    pub calls: i64,
    /// Tokens sent.
    pub input_tokens: i64,
    /// Tokens received.
    pub output_tokens: i64,
    /// Millionths of a US dollar, by the prices at the time.
    pub cost_micro_usd: i64,
}

impl Storage {
    /// What a tenant's questions used, by day and model, newest day first. Questions of deleted sessions are not counted.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn model_usage(&self, tenant: &Tenant) -> Result<Vec<DayUsage>> {
        Ok(sqlx::query_as(
            "SELECT substr(created_at, 1, 10) AS day, model, count(*) AS asks, \
             coalesce(sum(json_extract(usage, '$.calls')), 0) AS calls, \
             coalesce(sum(json_extract(usage, '$.input_tokens')), 0) AS input_tokens, \
             coalesce(sum(json_extract(usage, '$.output_tokens')), 0) AS output_tokens, \
             coalesce(sum(json_extract(usage, '$.cost_micro_usd')), 0) AS cost_micro_usd \
             FROM asks WHERE tenant = ? GROUP BY 1, 2 ORDER BY 1 DESC, 2",
        )
        .bind(tenant.as_str())
        .fetch_all(&self.0.read)
        .await?)
    }
}

pub(super) async fn upsert(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    ask: &AskRecord,
) -> Result<(), sqlx::Error> {
    use sqlx::types::Json;
    sqlx::query(
        "INSERT INTO asks (id, tenant, session_id, status, question, model, created_at, finished_at, explanation, \
         program, suggestions, attempts, usage, details, error_code, error_detail) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, model = excluded.model, \
         finished_at = excluded.finished_at, explanation = excluded.explanation, program = excluded.program, \
         suggestions = excluded.suggestions, attempts = excluded.attempts, usage = excluded.usage, \
         details = excluded.details, error_code = excluded.error_code, error_detail = excluded.error_detail",
    )
    .bind(&ask.id)
    .bind(tenant.as_str())
    .bind(&ask.session_id)
    .bind(ask.status)
    .bind(&ask.question)
    .bind(&ask.model)
    .bind(&ask.created_at)
    .bind(&ask.finished_at)
    .bind(&ask.explanation)
    .bind(&ask.program)
    .bind(Json(&ask.suggestions))
    .bind(Json(&ask.attempts))
    .bind(Json(&ask.usage))
    .bind(Json(&ask.details))
    .bind(&ask.error_code)
    .bind(&ask.error_detail)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
