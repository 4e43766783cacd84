//! Artifacts from an origin of their own: what is active in them runs there, sandboxed, or not at all.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{Content, Disposition, download};
use super::wire::Problem;
use crate::app::AppState;
use crate::error::{Code, Error, Result};
use crate::tenants::Tenant;

/// What a page may do that a program left: run what it brought along, and reach nobody. Without `allow-same-origin` its
/// origin is none, so it has no storage and every request of it is a stranger's.
const PAGE: &str = "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    img-src data: blob:; media-src data: blob:; font-src data:; connect-src 'none'; form-action 'none'; base-uri 'none'";
/// What everything else may do: be looked at.
const STILL: &str = "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; \
    form-action 'none'; base-uri 'none'";
/// Uses of a link that make its content part of another page's program.
const AS_CODE: [&[u8]; 8] =
    [b"script", b"serviceworker", b"worker", b"sharedworker", b"style", b"manifest", b"object", b"embed"];

/// A link to an artifact.
#[derive(Serialize, ToSchema)]
pub(super) struct ArtifactLink {
    /// Where its bytes are, without a key, until the link ends.
    url: String,
    /// RFC 3339.
    expires_at: String,
    /// Whether a browser shows it (`inline`), in a frame too, or saves it (`attachment`).
    disposition: &'static str,
}

/// A link that shows the artifact for five minutes from an origin of its own, where what is active in it can harm nobody.
#[utoipa::path(post, path = "/api/v1/artifacts/{id}/url", tag = "artifacts", params(("id" = String, Path)),
    responses((status = 200, body = ArtifactLink), (status = 404, body = Problem)))]
pub(super) async fn url(
    State(app): State<AppState>,
    tenant: Tenant,
    Path(id): Path<String>,
) -> Result<Json<ArtifactLink>> {
    let artifact = app.storage.artifact(&tenant, &id).await?;
    let (url, ends) = app.links.make(&tenant, &artifact.id)?;
    let ends = jiff::Timestamp::from_second(i64::try_from(ends).unwrap_or(i64::MAX)).map_err(Error::internal)?;
    let disposition = match how(&artifact.media_type) {
        (Disposition::Inline, _) => "inline",
        (Disposition::Attachment, _) => "attachment",
    };
    Ok(Json(ArtifactLink { url, expires_at: format!("{ends:.3}"), disposition }))
}

/// How a type is treated by browsers, and under which policy. The type is the content's, not the name's.
fn how(kind: &str) -> (Disposition, &'static str) {
    match kind.split(';').next().unwrap_or_default().trim() {
        "text/html" | "image/svg+xml" => (Disposition::Inline, PAGE),
        "image/png" | "image/jpeg" | "image/gif" | "image/webp" | "video/mp4" | "video/webm" | "audio/mpeg"
        | "audio/ogg" | "audio/wav" | "text/plain" | "text/csv" | "application/json" => (Disposition::Inline, STILL),
        // A browser's PDF viewer does not work in a sandbox, and is not let out of it.
        _ => (Disposition::Attachment, STILL),
    }
}

/// The application behind the artifacts' own address.
pub fn artifacts_app(state: AppState) -> Router {
    Router::new()
        .route("/{tenant}/{id}/{ends}/{mark}", get(content).fallback(nothing))
        // No tenant is called `~`.
        .route("/~/{*file}", get(frame).fallback(nothing))
        .route("/healthz", post(nothing).get(|| async { "alive\n" }))
        .fallback(nothing)
        .layer(from_fn_with_state(state.clone(), protect))
        .with_state(state)
}

async fn content(
    State(app): State<AppState>,
    Path((tenant, id, ends, mark)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Result<Response> {
    // What is wrong with a link is not told: who has a good one need not know, and who has none should not.
    let checked = ends.parse().ok().and_then(|ends| app.links.check(&tenant, &id, ends, &mark));
    let tenant = checked.ok_or_else(gone)?;
    let artifact = app.storage.artifact(&tenant, &id).await.map_err(|_| gone())?;
    let (disposition, policy) = how(&artifact.media_type);
    let name = artifact.path.rsplit('/').next().unwrap_or(&artifact.path);
    let path = app.storage.content(&tenant, &artifact.sha256).await?;
    let mut kind = artifact.media_type.clone();
    if kind.starts_with("text/") && !kind.contains("charset") {
        kind.push_str("; charset=utf-8");
    }
    let content = Content { path, name, kind: &kind, sha256: &artifact.sha256, disposition };
    let mut response = download(content, &headers).await?;
    let policy = format!("{policy}; frame-ancestors {}", pages(&app));
    let policy = HeaderValue::from_str(&policy).map_err(Error::internal)?;
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

/// The frame in which our pages show interactive charts and pages that programs made, with its libraries.
async fn frame(State(app): State<AppState>, Path(file): Path<String>) -> Result<Response> {
    super::ui::framed(&file, &pages(&app))
}

fn gone() -> Error {
    Error::new(Code::NotFound, "this link has ended or never was one; ask for a new one")
}

async fn nothing() -> Error {
    Error::new(Code::NotFound, "only artifacts are served here")
}

/// Origins of the pages that may show artifacts in a frame.
fn pages(app: &AppState) -> String {
    let port = app.config.listen.port();
    // A policy cannot name `[::1]`: its grammar has no IPv6 addresses.
    let mut origins: Vec<_> = ["localhost", "127.0.0.1"].iter().map(|host| format!("http://{host}:{port}")).collect();
    origins.extend(app.config.hosts.iter().flat_map(|host| [format!("https://{host}"), format!("http://{host}")]));
    origins.extend(app.config.cors_origins.iter().cloned());
    origins.join(" ")
}

/// Headers of every answer; and no answer at all to other methods, other host names, and pages that want to use an
/// artifact as their code.
async fn protect(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let dest = request.headers().get("sec-fetch-dest").map(HeaderValue::as_bytes).unwrap_or_default();
    let refused = if !matches!(*request.method(), Method::GET | Method::HEAD) {
        Some(Error::new(Code::MethodNotAllowed, "artifacts can only be read"))
    } else if !known_here(&app, request.headers()) {
        Some(Error::new(Code::ForbiddenHost, "artifacts are not served under this name"))
    } else if AS_CODE.contains(&dest) && !request.uri().path().starts_with("/~/") {
        Some(Error::new(Code::ForbiddenOrigin, "an artifact cannot be part of another page"))
    } else {
        None
    };
    let mut response = match refused {
        None => next.run(request).await,
        Some(error) => error.into_response(),
    };
    let id = uuid::Uuid::now_v7().simple().to_string();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let body = serde_json::to_vec(&Problem { request_id: id.clone(), ..problem }).unwrap_or_default();
        *response.body_mut() = Body::from(body);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    // The path is the key to the artifact: it stays out of the log.
    tracing::debug!(id, status = response.status().as_u16(), "answered a link");
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'; frame-ancestors 'none'");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("permissions-policy"), super::guard::NO_POWERS);
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

/// Whether the request is for the artifacts' origin, and not for a name that somebody pointed here.
fn known_here(app: &AppState, headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let ours = app.links.origin().and_then(|origin| origin.split_once("://"));
    ours.is_some_and(|(_, ours)| ours.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
}
