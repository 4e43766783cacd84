//! `/sessions/{id}/shares`: links that show a session to whoever has them.

use axum::Json as Answer;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::JsonOrNothing;
use super::wire::Problem;
use crate::app::AppState;
use crate::error::Result;
use crate::shares;
use crate::storage::KeyRecord;
use crate::tenants::Tenant;

/// A link to be made.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ShareRequest {
    /// For whom it is, in its maker's words.
    #[serde(default)]
    label: String,
    /// Days until it shows nothing any more, 1 to 365; 30 if absent.
    expires_in_days: Option<u32>,
}

/// A link, without its key.
#[derive(Serialize, ToSchema)]
pub(super) struct Share {
    /// Of its key, the part that may be shown.
    id: String,
    /// What it shows.
    session_id: String,
    /// For whom it is.
    label: String,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    expires_at: Option<String>,
    /// To the minute; absent as long as nobody used it.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
}

/// A link that was just made.
#[derive(Serialize, ToSchema)]
pub(super) struct MadeShare {
    #[serde(flatten)]
    share: Share,
    /// A key that shows this session with `authorization: Bearer`. It is told now and never again.
    key: String,
    /// The link, relative to the address of the page. Browsers send what follows `#` to no server.
    link: String,
}

/// Links.
#[derive(Serialize, ToSchema)]
pub(super) struct Shares {
    /// The newest first.
    shares: Vec<Share>,
}

impl From<KeyRecord> for Share {
    fn from(key: KeyRecord) -> Share {
        let KeyRecord { id, session_id, label, created_at, expires_at, last_used_at, .. } = key;
        Share { id, session_id: session_id.unwrap_or_default(), label, created_at, expires_at, last_used_at }
    }
}

/// Make a link that shows the session, with what came before it and what will follow, to whoever has it.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/shares", tag = "sessions", params(("id" = String, Path)), request_body = ShareRequest,
    responses((status = 201, body = MadeShare), (status = 403, body = Problem), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    JsonOrNothing(request): JsonOrNothing<ShareRequest>,
) -> Result<(StatusCode, Answer<MadeShare>)> {
    let days = request.expires_in_days.unwrap_or(shares::DAYS);
    let (share, key) = shares::make(&app, &tenant, &id, &request.label, days).await?;
    let link = format!("#{id}&share={}", key.text);
    Ok((StatusCode::CREATED, Answer(MadeShare { share: share.into(), key: key.text, link })))
}

/// The links to a session that work.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/shares", tag = "sessions", params(("id" = String, Path)),
    responses((status = 200, body = Shares), (status = 404, body = Problem)))]
pub(super) async fn list(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<Shares>> {
    let shares = shares::list(&app, &tenant, &id).await?;
    Ok(Answer(Shares { shares: shares.into_iter().map(Share::from).collect() }))
}

/// End a link: at once, but for artifacts that it opened within the last five minutes.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}/shares/{share}", tag = "sessions",
    params(("id" = String, Path), ("share" = String, Path)), responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(app): State<AppState>,
    tenant: Tenant,
    Path((id, share)): Path<(String, String)>,
) -> Result<StatusCode> {
    shares::end(&app, &tenant, &id, &share).await?;
    Ok(StatusCode::NO_CONTENT)
}
