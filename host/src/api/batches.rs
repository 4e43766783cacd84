//! `/batches`: many programs in one request, each a run of its own, with their results in the order of the request.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::body::Json;
use super::error::problem;
use super::runs::new_run;
use super::wire::{self, Problem, Run, RunRequest};
use crate::app::AppState;
use crate::error::{Error, Result};
use crate::runs::{Keep, start};
use crate::tenants::Tenant;

/// MiB that a body can have.
const BODY_MIB: usize = 64;
/// Programs of one batch.
const MOST: usize = 10_000;

/// Many programs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// Bodies of `POST /runs`, each with a `custom_id` if you like; `wait` is not looked at.
    #[schema(value_type = Vec<RunRequest>)]
    requests: Vec<Box<RawValue>>,
}

/// What came of one of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchItem {
    /// Its place in the request, from 0.
    index: usize,
    /// The caller's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_id: Option<String>,
    /// The run; a program that raised or met a limit has one as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Run>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Problem>,
}

/// What came of all of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct Batch {
    /// In the order of the request.
    results: Vec<BatchItem>,
}

/// Run many programs, each in a workspace of its own. A bad one is an error of its own. With
/// `Accept: application/x-ndjson` a line comes for each as soon as those before it are over; leaving ends the rest.
#[utoipa::path(post, path = "/api/v1/batches", tag = "runs", request_body = BatchRequest,
    responses((status = 200, body = Batch), (status = 200, content_type = "application/x-ndjson", body = BatchItem),
        (status = 413, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn create(
    State(app): State<AppState>,
    tenant: Tenant,
    headers: HeaderMap,
    Json(request): Json<BatchRequest, BODY_MIB>,
) -> Result<Response> {
    if request.requests.len() > MOST {
        let detail = format!("requests: {} are more than the {MOST} of one batch", request.requests.len());
        return Err(Error::invalid(detail));
    }
    let lines = headers.get_all(header::ACCEPT).iter();
    let lines = lines.filter_map(|accept| accept.to_str().ok()).any(|accept| accept.contains("application/x-ndjson"));
    let items = items(app, tenant, request.requests);
    if !lines {
        return Ok((StatusCode::OK, Answer(Batch { results: items.collect().await })).into_response());
    }
    let text = items.map(|item| {
        let line = serde_json::to_string(&item).unwrap_or_default();
        Ok::<_, Infallible>(line + "\n")
    });
    let mut response = Response::new(Body::from_stream(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The results in order; as many are under way as there are workers, and as many again wait for one.
fn items(app: AppState, tenant: Tenant, requests: Vec<Box<RawValue>>) -> impl Stream<Item = BatchItem> {
    let at_once = 2 * app.config.workers.max(1);
    stream::iter(requests.into_iter().enumerate())
        .map(move |(index, request)| one(app.clone(), tenant.clone(), index, request))
        .buffered(at_once)
}

/// A run with the caller's name for it.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    custom_id: Option<String>,
}

async fn one(app: AppState, tenant: Tenant, index: usize, request: Box<RawValue>) -> BatchItem {
    let custom_id = serde_json::from_str::<Named>(request.get()).ok().and_then(|named| named.custom_id);
    let (run, error) = match run(&app, &tenant, &request).await {
        Ok(run) => (Some(run), None),
        Err(error) => (None, Some(problem(error.code, &error.detail))),
    };
    BatchItem { index, custom_id, run, error }
}

async fn run(app: &AppState, tenant: &Tenant, request: &RawValue) -> Result<Run> {
    let mut fields: serde_json::Map<_, _> =
        serde_json::from_str(request.get()).map_err(|error| Error::invalid(error.to_string()))?;
    fields.remove("custom_id");
    let request: RunRequest =
        serde_json::from_value(fields.into()).map_err(|error| Error::invalid(error.to_string()))?;
    let new = new_run(request, Keep::AtEnd, None);
    let live = loop {
        match start(app, tenant, new.clone()).await {
            // Others are in the line; this one was taken in already.
            Err(error) if error.is_momentary() => tokio::time::sleep(Duration::from_millis(50)).await,
            started => break started?,
        }
    };
    let guard = live.cancel_on_drop();
    live.journal.closed().await;
    guard.disarm();
    wire::run(app, &live.tenant, &live.id).await
}
