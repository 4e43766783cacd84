//! `/uploads`: large files in parts, so that a cut connection costs only what was under way.

use axum::Json as Answer;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use super::wire::{File, Problem};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::tenants::Tenant;
use crate::uploads::{self, Part, Sender};

/// An upload in parts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Upload {
    /// `upl_…`
    pub id: String,
    /// Safe name.
    pub name: String,
    /// Bytes that it will have.
    pub size: u64,
    /// Bytes that have arrived.
    pub received: u64,
    /// The file, once all have.
    pub file: Option<File>,
}

impl From<&Part> for Upload {
    fn from(part: &Part) -> Upload {
        let file = part.file().map(File::from);
        Upload { id: part.id.clone(), name: part.name.clone(), size: part.size, received: part.received(), file }
    }
}

/// Body of `POST /uploads`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadRequest {
    /// What the file is called.
    pub name: String,
    /// Bytes that it will have.
    pub size: u64,
}

/// Where the bytes of a request belong.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Bytes that came before; must be `received`.
    from: u64,
}

/// Begin an upload in parts.
#[utoipa::path(post, path = "/api/v1/uploads", tag = "files", request_body = UploadRequest,
    responses((status = 201, body = Upload), (status = 409, body = Problem, description = "`quota`: too many are under way"),
        (status = 429, body = Problem, description = "`quota_exhausted`"),
        (status = 413, body = Problem, description = "`file_too_large`")))]
pub(super) async fn create(
    State(app): State<AppState>,
    tenant: Tenant,
    Json(request): Json<UploadRequest>,
) -> Result<Response> {
    app.meter.storage(&app.storage, &tenant, &app.quota(&tenant)).await?;
    let part = uploads::begin(&app, &tenant, &request.name, request.size)?;
    if request.size == 0 {
        Sender::new(&part, 0)?.finish(&app).await?;
    }
    Ok((StatusCode::CREATED, Answer(Upload::from(&*part))).into_response())
}

/// How much has arrived.
#[utoipa::path(get, path = "/api/v1/uploads/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 200, body = Upload), (status = 404, body = Problem)))]
pub(super) async fn show(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Answer<Upload>> {
    Ok(Answer(Upload::from(&*uploads::find(&app, &tenant, &id)?)))
}

/// Send the next bytes, any number of them. With the last one comes the file.
#[utoipa::path(put, path = "/api/v1/uploads/{id}", tag = "files", 
    params(("id" = String, Path), ("from" = u64, Query, description = "bytes that came before; must be `received`")),
    request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = Upload), (status = 404, body = Problem), (status = 422, body = Problem),
        (status = 409, body = Problem, description = "`conflict`: another number of bytes has arrived, or somebody is sending")))]
pub(super) async fn send(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
    from: Result<Query<Place>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Answer<Upload>> {
    let part = uploads::find(&app, &tenant, &id)?;
    let Query(Place { from }) = from.map_err(|error| Error::invalid(error.body_text()))?;
    let sender = Sender::new(&part, from)?;
    let mut body = request.into_body().into_data_stream();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|error| Error::invalid(format!("the upload broke off: {error}")))?;
        sender.push(piece).await?;
    }
    sender.finish(&app).await?;
    Ok(Answer(Upload::from(&*part)))
}

/// Forget an upload and what arrived of it. A file that it became stays.
#[utoipa::path(delete, path = "/api/v1/uploads/{id}", tag = "files", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete(State(app): State<AppState>, tenant: Tenant, Path(id): Path<String>) -> Result<StatusCode> {
    uploads::delete(&app, &tenant, &id)?;
    Ok(StatusCode::NO_CONTENT)
}
