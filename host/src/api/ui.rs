//! The page and the API's documentation, embedded in the binary.

use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::AppState;
use crate::error::{Error, Result};

/// What a page may load: only from here; pictures also from data and blobs.
const PAGE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; font-src 'self'; \
                    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_bytes!(concat!("../ui/", $name)))),*] };
}

/// Every file under `ui/`, also this module's `docs.js` and `docs.css`. A test keeps it complete.
const FILES: &[(&str, &[u8])] = files![
    "api.js",
    "app.js",
    "composer.js",
    "display.js",
    "docs.css",
    "docs.html",
    "docs.js",
    "dom.js",
    "events.js",
    "examples.js",
    "favicon.svg",
    "format.js",
    "highlight.js",
    "icons.js",
    "index.html",
    "live.js",
    "markdown.js",
    "result.js",
    "sample.js",
    "sidebar.js",
    "start.js",
    "strings.js",
    "style.css",
    "suggest.js",
    "table.js",
    "turn.js",
];

/// `GET /`
///
/// Frames may show artifacts, from their own origin, and nothing else.
pub(super) async fn index(State(app): State<AppState>) -> Result<Response> {
    let mut response = serve("index.html")?;
    if let Some(origin) = app.links.origin() {
        let policy = HeaderValue::from_str(&format!("{PAGE}; frame-src {origin}")).map_err(Error::internal)?;
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

/// `GET /docs`
pub(super) async fn docs() -> Result<Response> {
    serve("docs.html")
}

/// `GET /ui/{file}`
pub(super) async fn file(Path(file): Path<String>) -> Result<Response> {
    serve(&file)
}

fn serve(wanted: &str) -> Result<Response> {
    let (name, content) =
        FILES.iter().find(|(name, _)| *name == wanted).ok_or_else(|| Error::not_found("file", wanted))?;
    let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    };
    let mut response = (*content).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE));
    // Embedded in the binary: asked for again after every update, and small.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_served() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ui");
        let mut there: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".md"))
            .collect();
        there.sort();
        let listed: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed, there);
    }
}
