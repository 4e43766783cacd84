//! What every request and response passes: its id, who may send it, security headers, the log line, the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use super::cors;
use super::route::Needs;
use super::wire::Problem;
use crate::app::AppState;
use crate::connections::Paced;
use crate::error::{Code, Error, shorten};
use crate::keys::{Auth, Holder};
use crate::shares::{self, Shown};
use crate::storage::{AuditEntry, now};
use crate::tenants::Scope;
use crate::traces::Span;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For everything that is not a page: nothing in it may run or be framed.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

/// Our pages need none of what browsers hand out on request.
pub(super) const NO_POWERS: &str =
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), display-capture=()";

pub(super) async fn guard(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = uuid::Uuid::now_v7().simple().to_string();
    let method = request.method().clone();
    let path = shorten(request.uri().path(), 300);
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "none".to_owned(), |path| path.as_str().to_owned());

    let span = tracing::info_span!("request", id);
    let known = if method.as_str().len() > 7 { "other" } else { method.as_str() };
    let trace = Span::of_request(known, &route, request.headers());
    let origin = cors::origin(&app, &request);
    let question = origin.is_some() && cors::is_question(&request);
    let late = Arc::new(AtomicBool::new(false));
    let patience = Duration::from_secs(app.config.client_timeout_s);
    let key = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    // A browser asks what it may send before it sends a key.
    let (caller, refusal) = match allowed(&app, &request, origin.is_some()) {
        Ok(()) if question => (None, None),
        Ok(()) => admit(&app, &method, request.uri(), key.as_deref(), &route).await,
        Err(error) => (None, Some(error)),
    };
    let caller = match caller {
        Some(Holder { caller, note: true, .. }) => {
            if let Err(error) = app.keys.used(&app.storage, &caller.actor).await {
                tracing::warn!(detail = error.detail, cause = ?error.cause, "failed to note the use of a key");
            }
            Some(caller)
        }
        caller => caller.map(|holder| holder.caller),
    };
    let mut response = match refusal {
        None if question => cors::answer(),
        None => {
            let mut request = request.map(|body| Body::new(Paced::new(body, patience, Arc::clone(&late))));
            if let Some(caller) = &caller {
                request.extensions_mut().insert(caller.clone());
            }
            trace.around(next.run(request).instrument(span.clone())).await
        }
        Some(error) => error.into_response(),
    };
    if late.load(Ordering::Relaxed) {
        response = too_slow(patience);
    }
    reword(&mut response);
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        // Its detail begins with "quota NAME:".
        if problem.code == Code::QuotaExhausted.name()
            && let Some(quota) = problem.detail.strip_prefix("quota ").and_then(|rest| rest.split(':').next())
        {
            app.metrics.refused(quota);
        }
        let body = serde_json::to_vec(&Problem { request_id: id.clone(), ..problem }).unwrap_or_default();
        *response.body_mut() = Body::from(body);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    }
    secure(response.headers_mut(), &id);
    if let Some(origin) = origin {
        cors::allow(response.headers_mut(), origin);
    }

    let status = response.status().as_u16();
    trace.note("http.response.status_code", i64::from(status));
    trace.note("glovebox.request_id", id.clone());
    if let Some(caller) = &caller {
        trace.note("glovebox.tenant", caller.tenant.to_string());
    }
    if status >= 500 {
        trace.fail("the answer is a failure of ours");
    }
    // What only looks changes nothing, and is worth an entry if it was refused.
    if !method.is_safe() || matches!(status, 401 | 403) {
        let (actor, tenant) = caller.map_or_else(
            || ("nobody".to_owned(), String::new()),
            |caller| (caller.actor.to_string(), caller.tenant.to_string()),
        );
        let (action, target) = (format!("{} {route}", shorten(method.as_str(), 20)), path.clone());
        let status = status.into();
        let entry = AuditEntry { number: 0, at: now(), actor, tenant, action, target, status, request_id: id.clone() };
        app.audit.push(&app.storage, entry);
    }
    let ms = (began.elapsed().as_secs_f64() * 10_000.0).round() / 10.0;
    let _entered = span.enter();
    match route.as_str() {
        "/healthz" | "/readyz" | "/metrics" => tracing::debug!(%method, path, status, ms, "answered"),
        _ => tracing::info!(%method, path, status, ms, "answered"),
    }
    app.metrics.request(known, &route, status);
    response
}

/// What a client hears that does not send what it began. The rest of its body may never come, so the connection ends.
fn too_slow(patience: Duration) -> Response {
    let detail = format!(
        "the body came too slowly; a pause can be {} s at most, the limit `client_timeout_s`",
        patience.as_secs()
    );
    let mut response = Error::new(Code::RequestTimeout, detail).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// What axum itself refuses, such as a parameter that is not UTF-8, is plain text. It becomes a problem like all others.
fn reword(response: &mut Response) {
    let plain =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let status = response.status();
    // A text of somebody's, of which no such part exists.
    let plain = plain && !response.headers().contains_key(header::CONTENT_DISPOSITION);
    if !plain || !(status.is_client_error() || status.is_server_error()) {
        return;
    }
    *response = if status.is_client_error() {
        Error::invalid("the request cannot be read: a parameter or header is not what it should be; /docs has the API")
    } else {
        Error::internal(anyhow::anyhow!("a plain answer with status {status}"))
    }
    .into_response();
}

fn secure(headers: &mut HeaderMap, id: &str) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::CONTENT_SECURITY_POLICY, NOTHING);
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(header::CACHE_CONTROL, "no-store");
    set(HeaderName::from_static("permissions-policy"), NO_POWERS);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Who sends a request, and why they may not if so; nobody where nothing is needed.
async fn admit(
    app: &AppState,
    method: &Method,
    uri: &Uri,
    key: Option<&str>,
    route: &str,
) -> (Option<Holder>, Option<Error>) {
    if app.config.auth == Auth::None {
        return (Some(Holder::local()), None);
    }
    let needs = super::needs(route, method);
    if needs == Some(Needs::Nothing) {
        return (None, None);
    }
    let holder = match app.keys.identify(key) {
        Ok(holder) => holder,
        Err(refusal) => return (None, Some(refusal)),
    };
    let may = match (needs, &holder.shows) {
        // Nothing is served there; who may know that has a key.
        (None | Some(Needs::Nothing), _) => Ok(()),
        (Some(Needs::Shared(what)), Some(session)) => looks(app, &holder, session, what, uri.path(), route).await,
        (Some(Needs::Key(_)), Some(_)) => Err(shares::only_to_look()),
        (Some(Needs::Shared(_)), None) => holder.may(Scope::Read),
        (Some(Needs::Key(scope)), None) => holder.may(scope),
    };
    (Some(holder), may.err())
}

/// Whether the link that shares `session` shows what the path names.
async fn looks(
    app: &AppState,
    holder: &Holder,
    session: &str,
    what: Shown,
    path: &str,
    route: &str,
) -> Result<(), Error> {
    // The path fits the route, segment by segment. Our ids have nothing to decode; what has is none of them.
    let place = route.split('/').position(|segment| segment == "{id}");
    let id = place.and_then(|place| path.split('/').nth(place)).unwrap_or_default();
    let shown = shares::shows(app, &holder.caller.tenant, session, what, id).await?;
    if shown { Ok(()) } else { Err(Error::not_found("such thing behind this link:", id)) }
}

/// A page of another site can send requests here from the user's browser. Two things tell such a
/// page: a host name that is not ours (its DNS points here), and an origin that is not ours.
fn allowed(app: &AppState, request: &Request, listed: bool) -> Result<(), Error> {
    let headers = request.headers();
    let host = request.uri().authority().map(|authority| authority.as_str());
    let host = host.or_else(|| headers.get(header::HOST).and_then(|host| host.to_str().ok()));
    // A browser always sends one. Who sends none is a program, and could send any.
    if let Some(host) = host
        && !is_ours(app, host)
    {
        let port = app.config.listen.port();
        return Err(Error::new(
            Code::ForbiddenHost,
            format!("this server is not known as `{}`; use http://localhost:{port}", shorten(host, 100)),
        ));
    }
    if listed || matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let refused = |who: &str| {
        let detail = format!("a page of {who} may not change anything here");
        Err(Error::new(Code::ForbiddenOrigin, detail))
    };
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or("null");
        let ours = origin.split_once("://").is_some_and(|(scheme, from)| {
            matches!(scheme, "http" | "https") && host.is_some_and(|host| host.eq_ignore_ascii_case(from))
        });
        return if ours { Ok(()) } else { refused(&shorten(origin, 100)) };
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(b"cross-site" | b"same-site") => refused("another site"),
        _ => Ok(()),
    }
}

fn is_ours(app: &AppState, host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let (listen, known) = (app.config.listen.ip(), &app.config.hosts);
    // A page whose name leads here has no key to show.
    if app.config.auth == Auth::Keys && known.is_empty() {
        return true;
    }
    known.iter().any(|known| known.eq_ignore_ascii_case(name))
        || ["localhost", "127.0.0.1", "[::1]"].iter().any(|ours| ours.eq_ignore_ascii_case(name))
        || name.trim_matches(['[', ']']) == listen.to_string()
}
