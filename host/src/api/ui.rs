//! The page and the API's documentation, embedded in the binary.

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use crate::app::AppState;
use crate::error::{Error, Result};

/// What a page may load: only from here; pictures and recordings also from data and blobs.
const PAGE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self'; \
                    connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What `frame.html` may do, which shows the pages and interactive charts that programs make. It has an origin of its
/// own that nobody shares (`sandbox` without `allow-same-origin`, also when it is opened by itself), so its scripts
/// reach neither the page nor the API, and they can ask nobody for anything but our libraries.
const FRAME: &str = "sandbox allow-scripts; default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
                     img-src data: blob:; media-src data: blob:; font-src data:; worker-src 'none'; connect-src 'none'; \
                     base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

/// What `index.html` says of the artifacts' origin before somebody fills it in.
const NO_ORIGIN: &str = r#"<meta name="artifacts" content="">"#;

macro_rules! files {
    ($($name:literal),* $(,)?) => { &[$(($name, include_bytes!(concat!("../ui/", $name)))),*] };
}

/// Every file under `ui/`, also this module's `docs.js` and `docs.css`. A test keeps it complete.
const FILES: &[(&str, &[u8])] = files![
    "api.js",
    "app.js",
    "auth.js",
    "branches.js",
    "composer.js",
    "diff.js",
    "display.js",
    "docs.css",
    "docs.html",
    "docs.js",
    "dom.js",
    "editor.js",
    "events.js",
    "examples.js",
    "examples/orbit.gif",
    "examples/penguins.LICENSE-CC0-1.0.txt",
    "examples/penguins.csv",
    "examples/seattle-weather.csv",
    "explore.js",
    "export.js",
    "favicon.svg",
    "format.js",
    "frame.html",
    "frame.js",
    "frames.js",
    "highlight.js",
    "icons.js",
    "index.html",
    "live.js",
    "markdown.js",
    "result.js",
    "sample.js",
    "share.js",
    "sidebar.js",
    "signin.js",
    "start.js",
    "strings.js",
    "style.css",
    "suggest.js",
    "table.js",
    "theme.js",
    "turn.js",
    "vendor/LICENSES.txt",
    "vendor/chart.js",
    "vendor/d3.js",
    "vendor/editor.js",
    "vendor/plotly.js",
    "vendor/vega.js",
    "vendor/vendored.json",
    "zip.js",
];

/// `GET /`
///
/// Frames may show artifacts, from their own origin, and nothing else.
pub(super) async fn index(State(app): State<AppState>) -> Result<Response> {
    let mut response = serve("index.html")?;
    if let Some(origin) = app.links.origin() {
        // An origin is a scheme, a host and a port (`config` looks), so nothing in it ends the attribute.
        let page = String::from_utf8_lossy(content("index.html")?.1).replace(NO_ORIGIN, &with_origin(origin));
        *response.body_mut() = page.into();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        let policy = HeaderValue::from_str(&PAGE.replace("frame-src 'self'", &format!("frame-src 'self' {origin}")))
            .map_err(Error::internal)?;
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

/// `GET /~/{file}` of the artifacts' own origin: the frame that shows what programs made, and its libraries. `ancestors`
/// are the origins of our pages.
pub(super) fn framed(wanted: &str, ancestors: &str) -> Result<Response> {
    if !matches!(wanted, "frame.html" | "frame.js") && !wanted.starts_with("vendor/") {
        return Err(Error::not_found("file", wanted));
    }
    let mut response = serve(wanted)?;
    let headers = response.headers_mut();
    if wanted == "frame.html" {
        let policy = FRAME.replace("frame-ancestors 'self'", &format!("frame-ancestors {ancestors}"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).map_err(Error::internal)?);
        headers.remove(header::X_FRAME_OPTIONS);
    }
    Ok(response)
}

fn with_origin(origin: &str) -> String {
    NO_ORIGIN.replace("\"\"", &format!("\"{origin}\""))
}

fn content(wanted: &str) -> Result<&'static (&'static str, &'static [u8])> {
    FILES.iter().find(|(name, _)| *name == wanted).ok_or_else(|| Error::not_found("file", wanted))
}

fn serve(wanted: &str) -> Result<Response> {
    let (name, content) = content(wanted)?;
    let kind = match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("csv") => "text/csv; charset=utf-8",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    };
    let mut response = (*content).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE));
    // Embedded in the binary: asked for again after every update, and small.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if *name == "frame.html" {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FRAME));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
        // Looking a name up would tell somebody outside what the page holds.
        headers.insert(header::X_DNS_PREFETCH_CONTROL, HeaderValue::from_static("off"));
    }
    if *name == "frame.js" || name.starts_with("vendor/") {
        // The frame has no origin that could be "same", and these are public anyway.
        let anyone = HeaderValue::from_static("cross-origin");
        headers.insert(HeaderName::from_static("cross-origin-resource-policy"), anyone);
    }
    if name.starts_with("vendor/") {
        // Large, the same in every frame, and changed by a release at most.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sha2::{Digest, Sha256};

    use super::*;

    /// Names below `dir`, subdirectories included.
    fn names(dir: &Path, above: &str) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            let name = format!("{above}{}", entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                found.extend(names(&entry.path(), &format!("{name}/")));
            } else {
                found.push(name);
            }
        }
        found
    }

    #[test]
    fn every_file_of_the_page_is_served() {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ui");
        let mut there = names(Path::new(dir), "");
        there.retain(|name| !name.ends_with(".md"));
        there.sort();
        let listed: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed, there);
    }

    #[test]
    fn the_libraries_are_those_that_were_vendored() {
        let content = |wanted: &str| FILES.iter().find(|(name, _)| *name == wanted).unwrap().1;
        let list: serde_json::Value = serde_json::from_slice(content("vendor/vendored.json")).unwrap();
        let files = list["files"].as_object().unwrap();
        assert!(files.len() >= 5);
        for (name, facts) in files {
            let hash = Sha256::digest(content(&format!("vendor/{name}")));
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(facts["sha256"], hash.as_str(), "{name}");
        }
    }

    #[tokio::test]
    async fn only_the_frame_may_run_what_programs_made_and_it_has_no_origin() {
        let policy =
            |response: Response| response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        let page = policy(serve("index.html").unwrap());
        assert!(!page.contains("unsafe"), "{page}");
        let frame = policy(serve("frame.html").unwrap());
        assert!(frame.starts_with("sandbox allow-scripts;"), "{frame}");
        assert!(!frame.contains("allow-same-origin") && frame.contains("connect-src 'none'"), "{frame}");
        let away = policy(framed("frame.html", "http://127.0.0.1:1").unwrap());
        assert_eq!(away, frame.replace("frame-ancestors 'self'", "frame-ancestors http://127.0.0.1:1"));
        for file in ["app.js", "index.html", "../frame.html", "vendor/../app.js"] {
            assert!(framed(file, "x").is_err(), "{file}");
        }
        let page = std::str::from_utf8(content("index.html").unwrap().1).unwrap();
        assert!(
            page.contains(NO_ORIGIN) && with_origin("http://a:1") == r#"<meta name="artifacts" content="http://a:1">"#
        );
    }
}
