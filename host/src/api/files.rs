//! `/files`: uploads, their facts, samples and bytes.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::body::{Content, Disposition, download, receive};
use super::wire::{File, Files, Problem};
use crate::app::AppState;
use crate::engine::sample::Sample;
use crate::error::{Error, Result};
use crate::runs::known_files;
use crate::storage::FileRecord;
use crate::tenants::Tenant;

/// Upload files: `multipart/form-data`, one or more parts named `file`.
#[utoipa::path(post, path = "/api/v1/files", tag = "files",
    request_body(content = String, content_type = "multipart/form-data"),
    responses((status = 201, body = Files), (status = 413, body = Problem, description = "`file_too_large`")))]
pub(super) async fn upload(State(app): State<AppState>, tenant: Tenant, request: Request) -> Result<Response> {
    let files = receive(&app, &tenant, request).await?;
    Ok((StatusCode::CREATED, Json(all(files))).into_response())
}

/// Every file, newest first.
#[utoipa::path(get, path = "/api/v1/files", tag = "files", responses((status = 200, body = Files)))]
pub(super) async fn list(State(app): State<AppState>, tenant: Tenant) -> Result<Json<Files>> {
    Ok(Json(all(app.storage.files(&tenant).await?)))
}

/// One file.
#[utoipa::path(get, path = "/api/v1/files/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 200, body = File), (status = 404, body = Problem)))]
pub(super) async fn show(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<Json<File>> {
    Ok(Json(one(&app, &tenant, id).await?.into()))
}

/// Delete a file with its copies in sessions.
#[utoipa::path(delete, path = "/api/v1/files/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<StatusCode> {
    crate::sessions::delete_file(&app, &tenant, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The bytes, as an attachment.
#[utoipa::path(get, path = "/api/v1/files/{id}/content", tag = "files", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream"), (status = 404, body = Problem)))]
pub(super) async fn content(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let file = one(&app, &tenant, id).await?;
    let path = app.storage.content(&tenant, &file.sha256).await?;
    let disposition = Disposition::Attachment;
    let content = Content { path, name: &file.name, kind: &file.media_type, sha256: &file.sha256, disposition };
    download(content, &headers).await
}

/// What the file holds: format, columns with types and ranges, first rows.
#[utoipa::path(get, path = "/api/v1/files/{id}/sample", tag = "files", params(("id" = String, Path)),
    responses((status = 200, body = Sample), (status = 404, body = Problem)))]
pub(super) async fn sample(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Json<Sample>> {
    let file = one(&app, &tenant, id).await?;
    if let Some(known) = app.storage.file_sample(&tenant, &file.id).await?
        && let Ok(sample) = serde_json::from_str(&known)
    {
        return Ok(Json(sample));
    }
    let (backend, tmp) = (app.backend.clone(), app.storage.tmp());
    let (blob, name) = (app.storage.content(&tenant, &file.sha256).await?, file.name.clone());
    let looking = tokio::task::spawn_blocking(move || {
        // The sampler goes by names as well as by content, so the content gets its name for a moment.
        let dir = tempfile::tempdir_in(tmp)?;
        std::fs::hard_link(&blob, dir.path().join(&name))
            .or_else(|_| std::fs::copy(&blob, dir.path().join(&name)).map(drop))?;
        backend.sample(&Dir::open_ambient_dir(dir.path(), ambient_authority())?, &name)
    });
    let sample: Sample = looking.await.map_err(Error::internal)??;
    let text = serde_json::to_string(&sample).map_err(Error::internal)?;
    app.storage.set_file_sample(&tenant, &file.id, &text).await?;
    Ok(Json(sample))
}

async fn one(app: &AppState, tenant: &Tenant, id: String) -> Result<FileRecord> {
    known_files(app, tenant, std::slice::from_ref(&id)).await?.pop().ok_or_else(|| Error::not_found("file", &id))
}

pub(super) fn all(files: Vec<FileRecord>) -> Files {
    Files { files: files.into_iter().map(File::from).collect() }
}
