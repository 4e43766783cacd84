//! Reading requests and writing contents: the caller, JSON with a limit, uploads, downloads.

use std::path::PathBuf;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tokio_util::io::ReaderStream;
use tower_http::services::ServeFile;

use crate::app::AppState;
use crate::error::{Code, Error, Result};
use crate::files::{media_type, safe_name};
use crate::storage::{FileRecord, RequestKey};
use crate::tenants::{Caller, Tenant};

/// MiB that a JSON body may have where nothing else is said.
const JSON_MIB: usize = 4;
/// Bytes of a caller's key for a request.
const KEY_BYTES: usize = 255;
/// Files that one request may upload.
const FILES_PER_REQUEST: usize = 100;

/// Whose things a request is about: the guard has found that out.
impl FromRequestParts<AppState> for Tenant {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &AppState) -> Result<Tenant> {
        let caller = parts.extensions.get::<Caller>();
        caller.map(|caller| caller.tenant.clone()).ok_or_else(|| Error::internal(anyhow::anyhow!("nobody let it in")))
    }
}

/// A JSON body of at most so many MiB.
pub(super) struct Json<T, const MIB: usize = JSON_MIB>(pub(super) T);

impl<T: DeserializeOwned, const MIB: usize> FromRequest<AppState> for Json<T, MIB> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &AppState) -> Result<Json<T, MIB>> {
        let body = json_bytes::<MIB>(request).await?;
        Ok(Json(parse(&body)?))
    }
}

/// A JSON body with the caller's key for the request, if there is one (the header `idempotency-key`).
pub(super) struct Keyed<T>(pub(super) T, pub(super) Option<RequestKey>);

impl<T: DeserializeOwned> FromRequest<AppState> for Keyed<T> {
    type Rejection = Error;

    async fn from_request(request: Request, _: &AppState) -> Result<Keyed<T>> {
        let about = format!("{} {}\n", request.method(), request.uri().path());
        let key = match request.headers().get("idempotency-key") {
            None => None,
            Some(key) => Some(
                key.to_str().ok().filter(|key| (1..=KEY_BYTES).contains(&key.len())).map(str::to_owned).ok_or_else(
                    || Error::invalid(format!("idempotency-key must have 1 to {KEY_BYTES} visible ASCII characters")),
                )?,
            ),
        };
        let body = json_bytes::<JSON_MIB>(request).await?;
        let key = key.map(|key| {
            let hash = Sha256::new().chain_update(about).chain_update(&body).finalize();
            RequestKey { key, request: hash.iter().map(|byte| format!("{byte:02x}")).collect() }
        });
        Ok(Keyed(parse(&body)?, key))
    }
}

async fn json_bytes<const MIB: usize>(request: Request) -> Result<Bytes> {
    let limit = MIB << 20;
    if !is_type(request.headers(), "application/json") {
        let detail = "the body must be JSON; send the header `content-type: application/json`";
        return Err(Error::new(Code::UnsupportedMediaType, detail));
    }
    let too_large = || {
        Error::new(Code::BodyTooLarge, format!("a JSON body can have {MIB} MiB at most here; upload data as a file"))
    };
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(too_large());
    }
    axum::body::to_bytes(request.into_body(), limit).await.map_err(|_| too_large())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| match error.is_data() {
        true => Error::invalid(error.to_string()),
        false => Error::new(Code::InvalidJson, format!("the body is not JSON: {error}")),
    })
}

/// A JSON body, or none at all where every field may be left out.
pub(super) struct JsonOrNothing<T>(pub(super) T);

impl<T: DeserializeOwned + Default> FromRequest<AppState> for JsonOrNothing<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &AppState) -> Result<JsonOrNothing<T>> {
        if !request.headers().contains_key(header::CONTENT_TYPE) && request.body().is_end_stream() {
            return Ok(JsonOrNothing(T::default()));
        }
        <Json<T>>::from_request(request, app).await.map(|Json(value)| JsonOrNothing(value))
    }
}

/// Whether the body is said to be of that type.
pub(super) fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(header::CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

/// Takes the files of a `multipart/form-data` body to disk as they arrive and keeps them, all or none.
pub(super) async fn receive(app: &AppState, tenant: &Tenant, request: Request) -> Result<Vec<FileRecord>> {
    if !is_type(request.headers(), "multipart/form-data") {
        let detail = "files come as `multipart/form-data`, in parts named `file`";
        return Err(Error::new(Code::UnsupportedMediaType, detail));
    }
    let mut form = Multipart::from_request(request, app).await.map_err(|error| Error::invalid(error.body_text()))?;
    app.meter.storage(&app.storage, tenant, &app.quota(tenant)).await?;
    let broken = |error: axum::extract::multipart::MultipartError| {
        Error::invalid(format!("the upload broke off: {}", error.body_text()))
    };
    let mut uploads = Vec::new();
    while let Some(mut part) = form.next_field().await.map_err(broken)? {
        if part.name() != Some("file") {
            let name = crate::error::shorten(part.name().unwrap_or_default(), 80);
            return Err(Error::invalid(format!("unknown part `{name}`; files come in parts named `file`")));
        }
        let Some(name) = part.file_name().map(safe_name) else {
            return Err(Error::invalid("a part named `file` has no file name"));
        };
        if uploads.len() == FILES_PER_REQUEST {
            return Err(Error::invalid(format!("at most {FILES_PER_REQUEST} files in one request")));
        }
        let (upload, mut size) = (app.storage.upload(), 0);
        while let Some(piece) = part.chunk().await.map_err(broken)? {
            size += piece.len() as u64;
            if size > app.config.upload_limit() {
                let limit = app.config.upload_limit_mib;
                let detail = format!("{name} is larger than {limit} MiB, the limit `upload_limit_mib` of this server");
                return Err(Error::new(Code::FileTooLarge, detail));
            }
            upload.push(piece).await;
        }
        let staged = upload.finish().await?;
        let kind = media_type(&staged.blob.head, &name);
        uploads.push((name, kind, staged));
    }
    if uploads.is_empty() {
        return Err(Error::invalid("no file in the request; send it in a part named `file`"));
    }
    app.storage.add_files(tenant, uploads).await
}

/// How a browser is to treat a content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Disposition {
    /// Shown if it is a picture that cannot run anything.
    Inline,
    /// Saved.
    Attachment,
}

/// A stored content as it is served.
pub(super) struct Content<'a> {
    /// Where it lies.
    pub(super) path: PathBuf,
    /// What it is saved as.
    pub(super) name: &'a str,
    /// Its media type.
    pub(super) kind: &'a str,
    /// Its digest, as hex.
    pub(super) sha256: &'a str,
    /// How a browser is to treat it.
    pub(super) disposition: Disposition,
}

/// A content as a response: streamed, the part that `request` asks for (RFC 9110 ranges: players seek by them, cut
/// downloads go on by them), never sniffed, never run.
pub(super) async fn download(content: Content<'_>, request: &HeaderMap) -> Result<Response> {
    let mut part = Request::new(Body::empty());
    let tag = format!("\"{}\"", content.sha256);
    // A content never changes under its digest: another tag asks for another content, which is sent whole.
    let same = request.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == tag.as_bytes());
    if let (Some(range), true) = (request.get(header::RANGE), same) {
        part.headers_mut().insert(header::RANGE, range.clone());
    }
    let served = ServeFile::new(&content.path).try_call(part).await?;
    if served.status() == StatusCode::NOT_FOUND {
        return Err(Error::internal(anyhow::anyhow!("{} is gone", content.path.display())));
    }
    let mut response = served.map(Body::new);
    response.headers_mut().remove(header::LAST_MODIFIED);
    protect(&mut response, content.name, content.kind, content.disposition);
    set(&mut response, header::ETAG, &tag);
    set(&mut response, header::CACHE_CONTROL, "private, max-age=31536000, immutable");
    Ok(response)
}

/// A file without a name of its own in storage as a response.
pub(super) fn send(file: tokio::fs::File, name: &str, kind: &str, size: u64) -> Response {
    let mut response = Response::new(Body::from_stream(ReaderStream::with_capacity(file, 64 * 1024)));
    set(&mut response, header::CONTENT_LENGTH, &size.to_string());
    protect(&mut response, name, kind, Disposition::Attachment);
    response
}

fn protect(response: &mut Response, name: &str, kind: &str, disposition: Disposition) {
    set(response, header::CONTENT_TYPE, kind);
    set(response, header::CONTENT_DISPOSITION, &content_disposition(&safe_name(name), disposition));
    set(response, header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'");
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// RFC 6266: an ASCII name for old clients and the real one for all others.
fn content_disposition(name: &str, disposition: Disposition) -> String {
    let kind = if disposition == Disposition::Inline { "inline" } else { "attachment" };
    let plain: String =
        name.chars().map(|c| if c.is_ascii_graphic() && !"\"\\%;".contains(c) || c == ' ' { c } else { '_' }).collect();
    let mut exact = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
            exact.push(char::from(byte));
        } else {
            exact.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_cannot_leave_its_header() {
        let header = content_disposition("a\"; x=\"\r\n\u{e4}.csv", Disposition::Attachment);
        assert_eq!(
            header,
            "attachment; filename=\"a__ x=____.csv\"; filename*=UTF-8''a%22%3B%20x%3D%22%0D%0A%C3%A4.csv"
        );
    }
}
