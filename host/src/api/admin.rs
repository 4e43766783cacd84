//! `/admin`: tenants, keys and the audit log, for administrators. Nothing here opens a tenant's files.

use axum::Json as Answer;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::wire::Problem;
use crate::app::{App, AppState};
use crate::error::{Error, Result};
use crate::keys::NewKey;
use crate::storage::{AuditEntry, KeyRecord, TenantRecord};
use crate::tenants::{Scope, Tenant};

/// Characters of a label.
const LABEL: usize = 200;
/// Entries of the audit log in one answer.
const ENTRIES: i64 = 10_000;

/// Tenants.
#[derive(Serialize, ToSchema)]
pub(super) struct Tenants {
    /// By name.
    tenants: Vec<TenantRecord>,
}

/// A new tenant.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantRequest {
    /// Lower-case letters, digits, `-` and `_`; at most 64.
    name: String,
    /// Policies that it may use, its own first; none: all.
    #[serde(default)]
    policies: Vec<String>,
}

/// What is to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantChange {
    /// Policies that it may use from now on.
    policies: Option<Vec<String>>,
    /// Whether its keys open nothing from now on. What is under way goes on.
    disabled: Option<bool>,
}

/// Keys, without their secrets.
#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    /// The newest first.
    keys: Vec<KeyRecord>,
}

/// A new key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRequest {
    /// Whose it is.
    tenant: String,
    /// What it is for.
    #[serde(default)]
    label: String,
    /// What it allows: `read`, `run`, `ask`, `admin`.
    scopes: Vec<Scope>,
    /// Days until it opens nothing any more; absent: it has no end.
    expires_in_days: Option<u32>,
}

/// A key that was just made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeKey {
    /// The whole key. It is shown now and never again.
    key: String,
    /// The part that may be shown.
    id: String,
    /// Whose it is.
    tenant: String,
    /// What it allows.
    scopes: Vec<Scope>,
    /// From when on it opens nothing.
    expires_at: Option<String>,
}

/// Which keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfTenant {
    tenant: Option<String>,
}

/// Which entries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    #[serde(default)]
    after: i64,
}

/// Every tenant.
#[utoipa::path(get, path = "/api/v1/admin/tenants", tag = "admin", responses((status = 200, body = Tenants)))]
pub(super) async fn tenants(State(app): State<AppState>) -> Result<Answer<Tenants>> {
    Ok(Answer(Tenants { tenants: app.storage.tenants().await? }))
}

/// Add a tenant.
#[utoipa::path(post, path = "/api/v1/admin/tenants", tag = "admin", request_body = TenantRequest,
    responses((status = 201, body = TenantRecord), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn add_tenant(
    State(app): State<AppState>,
    Json(request): Json<TenantRequest>,
) -> Result<(StatusCode, Answer<TenantRecord>)> {
    let TenantRequest { name, policies } = request;
    let tenant = Tenant::new(&name).ok_or_else(|| {
        let name = crate::error::shorten(&name, 80);
        Error::invalid(format!("name: `{name}` is not 1 to 64 lower-case letters, digits, `-` and `_`"))
    })?;
    known(&app, &policies)?;
    app.storage.add_tenant(&tenant, &policies).await?;
    app.keys.reload(&app.storage).await?;
    Ok((StatusCode::CREATED, Answer(one(&app, &tenant)?)))
}

/// Change a tenant.
#[utoipa::path(patch, path = "/api/v1/admin/tenants/{name}", tag = "admin", params(("name" = String, Path)), request_body = TenantChange,
    responses((status = 200, body = TenantRecord), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn change_tenant(
    State(app): State<AppState>,
    Path(name): Path<String>,
    Json(change): Json<TenantChange>,
) -> Result<Answer<TenantRecord>> {
    let tenant = Tenant::new(&name).ok_or_else(|| Error::not_found("tenant", &name))?;
    let TenantChange { policies, disabled } = change;
    if let Some(policies) = &policies {
        known(&app, policies)?;
    }
    app.storage.change_tenant(&tenant, policies.as_deref(), disabled).await?;
    app.keys.reload(&app.storage).await?;
    Ok(Answer(one(&app, &tenant)?))
}

/// Every key, or a tenant's.
#[utoipa::path(get, path = "/api/v1/admin/keys", tag = "admin", params(("tenant" = Option<String>, Query)),
    responses((status = 200, body = Keys), (status = 404, body = Problem)))]
pub(super) async fn keys(State(app): State<AppState>, Query(of): Query<OfTenant>) -> Result<Answer<Keys>> {
    let tenant =
        of.tenant.map(|name| Tenant::new(&name).ok_or_else(|| Error::not_found("tenant", &name))).transpose()?;
    Ok(Answer(Keys { keys: app.storage.keys(tenant.as_ref()).await? }))
}

/// Make a key. It is shown in the answer, and never again.
#[utoipa::path(post, path = "/api/v1/admin/keys", tag = "admin", request_body = KeyRequest,
    responses((status = 201, body = MadeKey), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn make_key(
    State(app): State<AppState>,
    Json(request): Json<KeyRequest>,
) -> Result<(StatusCode, Answer<MadeKey>)> {
    let KeyRequest { tenant: name, label, mut scopes, expires_in_days } = request;
    let tenant = Tenant::new(&name).ok_or_else(|| Error::not_found("tenant", &name))?;
    if label.chars().count() > LABEL || label.chars().any(char::is_control) {
        return Err(Error::invalid(format!("label: one line of at most {LABEL} characters")));
    }
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Error::invalid("scopes: at least one of read, run, ask, admin"));
    }
    let expires_at = expires_in_days.map(in_days).transpose()?;
    let key = NewKey::random();
    app.storage.add_key(&tenant, &key, &label, &scopes, expires_at.as_deref()).await?;
    app.keys.reload(&app.storage).await?;
    let made = MadeKey { key: key.text, id: key.id, tenant: name, scopes, expires_at };
    Ok((StatusCode::CREATED, Answer(made)))
}

/// Let a key open nothing any more. What it began goes on.
#[utoipa::path(delete, path = "/api/v1/admin/keys/{id}", tag = "admin", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn revoke_key(State(app): State<AppState>, Path(id): Path<String>) -> Result<StatusCode> {
    app.storage.revoke_key(&id).await?;
    app.keys.reload(&app.storage).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The audit log after an entry's number, oldest first, as JSON lines; at most 10,000 of them.
#[utoipa::path(get, path = "/api/v1/admin/audit", tag = "admin", params(("after" = Option<i64>, Query)),
    responses((status = 200, content_type = "application/x-ndjson", body = AuditEntry)))]
pub(super) async fn audit(State(app): State<AppState>, Query(After { after }): Query<After>) -> Result<Response> {
    app.audit.flush(&app.storage).await;
    let mut lines = String::new();
    for entry in app.storage.audit(after, ENTRIES).await? {
        lines += &serde_json::to_string(&entry).map_err(Error::internal)?;
        lines.push('\n');
    }
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response())
}

fn one(app: &App, tenant: &Tenant) -> Result<TenantRecord> {
    app.keys.tenant(tenant).ok_or_else(|| Error::not_found("tenant", tenant.as_str()))
}

fn known(app: &App, policies: &[String]) -> Result<()> {
    let there = app.policies.get();
    match policies.iter().find(|name| there.get(name).is_none()) {
        Some(name) => Err(Error::invalid(format!(
            "policies: unknown policy `{}` (there are: {})",
            crate::error::shorten(name, 80),
            there.names()
        ))),
        None => Ok(()),
    }
}

fn in_days(days: u32) -> Result<String> {
    let hours = i64::from(days) * 24;
    let at = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(hours));
    let at = at.ok().filter(|_| days > 0).ok_or_else(|| Error::invalid("expires_in_days: at least 1"))?;
    Ok(format!("{at:.3}"))
}
