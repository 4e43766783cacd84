//! What makes accepted work outlive its server: whose it is, who may begin it anew, and keys of requests sent twice.

use sqlx::{FromRow, Row, Sqlite, Transaction};

use super::{RunRecord, Storage, days_ago, now};
use crate::error::{Code, Error, Result};
use crate::tenants::Tenant;

/// Servers that may begin a run anew after the one that accepted it. One that ends its server each time stops there.
const TAKES: i64 = 3;
/// Days that a key is known.
const KEY_DAYS: u64 = 1;

/// A caller's name for a request, and what the request was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// The header's value.
    pub key: String,
    /// SHA-256 of method, path and body, in lower-case hex.
    pub request: String,
}

impl Storage {
    /// Writes down a run that is accepted. What is `durable` is begun anew by the next server if this one ends before it.
    ///
    /// # Errors
    ///
    /// `conflict` if the key is taken; the database failed.
    pub async fn accept_run(
        &self,
        tenant: &Tenant,
        run: &RunRecord,
        durable: bool,
        key: Option<&RequestKey>,
    ) -> Result<()> {
        let mut transaction = self.0.write.begin().await?;
        super::runs::upsert(&mut transaction, tenant, run, self.0.lease).await?;
        if durable {
            sqlx::query("UPDATE runs SET takes_left = ? WHERE id = ?")
                .bind(TAKES)
                .bind(&run.id)
                .execute(&mut *transaction)
                .await?;
        }
        claim(&mut transaction, tenant, key, &run.id).await?;
        Ok(transaction.commit().await?)
    }

    /// The runs that earlier servers accepted and did not end, oldest first. From now on they are this server's.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn take_over(&self) -> Result<Vec<(Tenant, RunRecord)>> {
        let rows = sqlx::query(
            "UPDATE runs SET lease = ?1, takes_left = takes_left - 1 \
             WHERE finished_at IS NULL AND takes_left > 0 AND lease < ?1 RETURNING *",
        )
        .bind(self.0.lease)
        .fetch_all(&self.0.write)
        .await?;
        let mut taken = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(tenant) = Tenant::new(row.try_get("tenant")?) {
                taken.push((tenant, RunRecord::from_row(&row)?));
            }
        }
        taken.sort_by(|(_, a), (_, b)| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
        Ok(taken)
    }

    /// What this key stands for, if it was used before.
    ///
    /// # Errors
    ///
    /// `idempotency_key_reused` if the request was another one; the database failed.
    pub async fn known_by(&self, tenant: &Tenant, key: &RequestKey) -> Result<Option<String>> {
        let known: Option<(String, String)> =
            sqlx::query_as("SELECT request, thing FROM idempotency WHERE tenant = ? AND key = ?")
                .bind(tenant.as_str())
                .bind(&key.key)
                .fetch_optional(&self.0.read)
                .await?;
        match known {
            None => Ok(None),
            Some((request, thing)) if request == key.request => Ok(Some(thing)),
            Some(_) => {
                let detail = "idempotency-key was sent with another request before; use a new one for each request";
                Err(Error::new(Code::IdempotencyKeyReused, detail))
            }
        }
    }

    /// Forgets keys that are too old to be sent again.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn forget_keys(&self) -> Result<()> {
        let before = days_ago(KEY_DAYS);
        sqlx::query("DELETE FROM idempotency WHERE created_at < ?").bind(before).execute(&self.0.write).await?;
        Ok(())
    }
}

/// Notes what a key stands for.
pub(super) async fn claim(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    key: Option<&RequestKey>,
    thing: &str,
) -> Result<()> {
    let Some(RequestKey { key, request }) = key else { return Ok(()) };
    let done = sqlx::query(
        "INSERT INTO idempotency (tenant, key, request, thing, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(key)
    .bind(request)
    .bind(thing)
    .bind(now())
    .execute(&mut **transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::new(Code::Conflict, "a request with this idempotency-key is just being accepted"));
    }
    Ok(())
}
