//! `/artifacts`: files that programs left. Nothing in them may run in our pages' origin.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::body::{Content, Disposition, download};
use super::wire::{Artifact, Problem};
use crate::app::AppState;
use crate::error::Result;
use crate::tenants::Tenant;

/// One artifact.
#[utoipa::path(get, path = "/api/v1/artifacts/{id}", tag = "artifacts", params(("id" = String, Path)),
    responses((status = 200, body = Artifact), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Json<Artifact>> {
    Ok(Json(app.storage.artifact(&tenant, &id).await?.into()))
}

/// The bytes: PNG, JPEG, GIF and WebP inline, everything else as an attachment.
#[utoipa::path(get, path = "/api/v1/artifacts/{id}/content", tag = "artifacts", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream"), (status = 206, content_type = "application/octet-stream"),
        (status = 404, body = Problem), (status = 416)))]
pub(super) async fn content(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let artifact = app.storage.artifact(&tenant, &id).await?;
    let picture = matches!(artifact.media_type.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp");
    let disposition = if picture { Disposition::Inline } else { Disposition::Attachment };
    let name = artifact.path.rsplit('/').next().unwrap_or(&artifact.path);
    let path = app.storage.content(&tenant, &artifact.sha256).await?;
    let kind = if is_active(&artifact.media_type) { "application/octet-stream" } else { &artifact.media_type };
    let content = Content { path, name, kind, sha256: &artifact.sha256, disposition };
    download(content, &headers).await
}

/// Whether a browser could run what is in a content of this type. Here, in the origin of our page, it is only bytes; a
/// link of `shown` has its type.
fn is_active(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.contains("html")
        || kind.contains("xml") && !kind.contains("openxml")
        || kind.contains("script")
        || kind == "application/pdf"
}
