//! Rows of tenants, keys and the audit log. These alone are not a tenant's: who reads them is an administrator.

use serde::Serialize;
use sqlx::FromRow;
use sqlx::types::Json;
use utoipa::ToSchema;

use super::{Storage, days_ago, now};
use crate::error::{Code, Error, Result};
use crate::keys::NewKey;
use crate::tenants::{Scope, Tenant};

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub struct TenantRecord {
    /// Its name, which is also a directory.
    pub name: String,
    /// Policies that it may use; the first is used where none is named. None: all, and `default` first.
    pub policies: Vec<String>,
    /// Whether its keys open nothing at present.
    pub disabled: bool,
    /// RFC 3339.
    pub created_at: String,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyRecord {
    /// The part of the key that may be shown: `gbx_ID_…`
    pub id: String,
    /// Whose it is.
    pub tenant: String,
    /// What it is for, in its maker's words.
    pub label: String,
    /// SHA-256 of the whole key, as hex.
    #[serde(skip)]
    pub hash: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// The only session that it opens, to look at; absent in all but the keys of shared links.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// From when on it opens nothing.
    pub expires_at: Option<String>,
    /// Since when it opens nothing.
    pub revoked_at: Option<String>,
    /// To the minute.
    pub last_used_at: Option<String>,
}

/// Something that was done, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow, ToSchema)]
pub struct AuditEntry {
    /// Grows with time.
    pub number: i64,
    /// RFC 3339.
    pub at: String,
    /// Id of the key; `local` on a server without keys; `nobody` for a caller without a valid one.
    pub actor: String,
    /// Whose things it was about.
    pub tenant: String,
    /// Method and route.
    pub action: String,
    /// The path.
    pub target: String,
    /// HTTP status of the answer.
    pub status: i64,
    /// Of the request.
    pub request_id: String,
}

#[derive(FromRow)]
struct KeyRow {
    id: String,
    tenant: String,
    label: String,
    hash: String,
    scopes: Json<Vec<Scope>>,
    session_id: Option<String>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    last_used_at: Option<String>,
}

impl From<KeyRow> for KeyRecord {
    fn from(row: KeyRow) -> KeyRecord {
        let KeyRow { id, tenant, label, hash, scopes: Json(scopes), session_id, .. } = row;
        let KeyRow { created_at, expires_at, revoked_at, last_used_at, .. } = row;
        KeyRecord { id, tenant, label, hash, scopes, session_id, created_at, expires_at, revoked_at, last_used_at }
    }
}

impl Storage {
    /// Every tenant, by name.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn tenants(&self) -> Result<Vec<TenantRecord>> {
        let rows: Vec<(String, Json<Vec<String>>, bool, String)> =
            sqlx::query_as("SELECT name, policies, disabled, created_at FROM tenants ORDER BY name")
                .fetch_all(&self.0.read)
                .await?;
        let tenant =
            |(name, Json(policies), disabled, created_at)| TenantRecord { name, policies, disabled, created_at };
        Ok(rows.into_iter().map(tenant).collect())
    }

    /// Adds a tenant.
    ///
    /// # Errors
    ///
    /// `conflict` if there is one of that name; the database failed.
    pub async fn add_tenant(&self, tenant: &Tenant, policies: &[String]) -> Result<()> {
        let added =
            sqlx::query("INSERT INTO tenants (name, policies, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
                .bind(tenant.as_str())
                .bind(Json(policies))
                .bind(now())
                .execute(&self.0.write)
                .await?;
        if added.rows_affected() == 0 {
            return Err(Error::new(Code::Conflict, format!("there is a tenant `{tenant}` already")));
        }
        Ok(())
    }

    /// Changes a tenant; `None` leaves a thing as it is.
    ///
    /// # Errors
    ///
    /// `not_found`; the database failed.
    pub async fn change_tenant(
        &self,
        tenant: &Tenant,
        policies: Option<&[String]>,
        disabled: Option<bool>,
    ) -> Result<()> {
        let changed = sqlx::query(
            "UPDATE tenants SET policies = coalesce(?, policies), disabled = coalesce(?, disabled) WHERE name = ?",
        )
        .bind(policies.map(Json))
        .bind(disabled)
        .bind(tenant.as_str())
        .execute(&self.0.write)
        .await?;
        if changed.rows_affected() == 0 { Err(Error::not_found("tenant", tenant.as_str())) } else { Ok(()) }
    }

    /// Keys, newest first; of one tenant or of all.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn keys(&self, tenant: Option<&Tenant>) -> Result<Vec<KeyRecord>> {
        let rows: Vec<KeyRow> =
            sqlx::query_as("SELECT * FROM keys WHERE ?1 IS NULL OR tenant = ?1 ORDER BY created_at DESC, id")
                .bind(tenant.map(Tenant::as_str))
                .fetch_all(&self.0.read)
                .await?;
        Ok(rows.into_iter().map(KeyRecord::from).collect())
    }

    /// Adds a key that was just made.
    ///
    /// # Errors
    ///
    /// `not_found` without such a tenant; the database failed.
    pub async fn add_key(
        &self,
        tenant: &Tenant,
        key: &NewKey,
        label: &str,
        scopes: &[Scope],
        expires_at: Option<&str>,
    ) -> Result<()> {
        let added = sqlx::query(
            "INSERT INTO keys (id, tenant, label, hash, scopes, created_at, expires_at) \
             SELECT ?, name, ?, ?, ?, ?, ? FROM tenants WHERE name = ?",
        )
        .bind(&key.id)
        .bind(label)
        .bind(key.hash())
        .bind(Json(scopes))
        .bind(now())
        .bind(expires_at)
        .bind(tenant.as_str())
        .execute(&self.0.write)
        .await?;
        if added.rows_affected() == 0 { Err(Error::not_found("tenant", tenant.as_str())) } else { Ok(()) }
    }

    /// Adds the key of a link that shares a session.
    ///
    /// # Errors
    ///
    /// `not_found` without such a session; the database failed.
    pub async fn add_share(
        &self,
        tenant: &Tenant,
        session: &str,
        key: &NewKey,
        label: &str,
        expires_at: &str,
    ) -> Result<()> {
        let added = sqlx::query(
            "INSERT INTO keys (id, tenant, label, hash, scopes, session_id, created_at, expires_at) \
             SELECT ?, tenant, ?, ?, ?, id, ?, ? FROM sessions WHERE tenant = ? AND id = ?",
        )
        .bind(&key.id)
        .bind(label)
        .bind(key.hash())
        .bind(Json(crate::shares::SCOPES))
        .bind(now())
        .bind(expires_at)
        .bind(tenant.as_str())
        .bind(session)
        .execute(&self.0.write)
        .await?;
        if added.rows_affected() == 0 { Err(Error::not_found("session", session)) } else { Ok(()) }
    }

    /// The keys of all links that ever shared a session, the newest first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn shares(&self, tenant: &Tenant, session: &str) -> Result<Vec<KeyRecord>> {
        let rows: Vec<KeyRow> =
            sqlx::query_as("SELECT * FROM keys WHERE tenant = ? AND session_id = ? ORDER BY created_at DESC, id")
                .bind(tenant.as_str())
                .bind(session)
                .fetch_all(&self.0.read)
                .await?;
        Ok(rows.into_iter().map(KeyRecord::from).collect())
    }

    /// Lets a key open nothing any more.
    ///
    /// # Errors
    ///
    /// `not_found`; the database failed.
    pub async fn revoke_key(&self, id: &str) -> Result<()> {
        let revoked = sqlx::query("UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?")
            .bind(now())
            .bind(id)
            .execute(&self.0.write)
            .await?;
        if revoked.rows_affected() == 0 { Err(Error::not_found("key", id)) } else { Ok(()) }
    }

    /// Notes when a key was used.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn key_used(&self, id: &str, at: &str) -> Result<()> {
        sqlx::query("UPDATE keys SET last_used_at = ? WHERE id = ?").bind(at).bind(id).execute(&self.0.write).await?;
        Ok(())
    }

    /// Writes entries of the audit log, all or none.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn add_audit(&self, entries: &[AuditEntry]) -> Result<()> {
        let mut transaction = self.0.write.begin().await?;
        for entry in entries {
            sqlx::query(
                "INSERT INTO audit (at, actor, tenant, action, target, status, request_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(&entry.at)
            .bind(&entry.actor)
            .bind(&entry.tenant)
            .bind(&entry.action)
            .bind(&entry.target)
            .bind(entry.status)
            .bind(&entry.request_id)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Entries of the audit log after a number, oldest first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn audit(&self, after: i64, limit: i64) -> Result<Vec<AuditEntry>> {
        Ok(sqlx::query_as("SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?")
            .bind(after)
            .bind(limit)
            .fetch_all(&self.0.read)
            .await?)
    }

    /// Forgets entries of the audit log that are older.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn forget_audit(&self, days: u64) -> Result<()> {
        sqlx::query("DELETE FROM audit WHERE at < ?").bind(days_ago(days)).execute(&self.0.write).await?;
        Ok(())
    }
}
