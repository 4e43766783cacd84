//! Links to artifacts: what they show, to whom, and for how long.

use glovebox_tests::{Client, Server};
use serde_json::json;

/// The origin and the path of a link.
fn split(url: &str) -> (String, String) {
    let path = url.match_indices('/').nth(2).expect("a path").0;
    (url[..path].to_owned(), url[path..].to_owned())
}

#[test]
fn a_page_that_a_program_left_is_shown_from_another_origin_and_sandboxed() {
    let server = Server::start(&[]);
    let client = server.client();
    let run = client.run("open('page.html', 'w').write('<!doctype html><html><script>alert(1)</script></html>')\nopen('t.bin', 'wb').write(bytes([0, 1, 2]))");
    for artifact in run["artifacts"].as_array().expect("artifacts") {
        let page = artifact["path"] == "page.html";
        let id = artifact["id"].as_str().expect("an id");
        let link = client.post(&format!("/api/v1/artifacts/{id}/url"), &json!({})).json(200);
        assert_eq!(link["disposition"], if page { "inline" } else { "attachment" }, "{link}");
        let (origin, path) = split(link["url"].as_str().expect("a url"));
        assert_ne!(origin, server.url);
        let other = Client::new(&origin);
        let shown = other.get(&path);
        assert_eq!((shown.status, shown.body.len() as u64), (200, artifact["size"].as_u64().expect("a size")));
        let policy = shown.header("content-security-policy");
        assert!(policy.starts_with("sandbox") && !policy.contains("allow-same-origin"), "{policy}");
        assert!(policy.contains("default-src 'none'") && policy.contains("form-action 'none'"), "{policy}");
        assert!(
            policy.contains(&format!(
                "frame-ancestors http://localhost:{}",
                server.url.rsplit(':').next().expect("a port")
            )),
            "{policy}"
        );
        assert_eq!(policy.contains("allow-scripts"), page);
        assert_eq!(shown.header("content-type").starts_with("text/html"), page);
        assert_eq!((shown.header("x-content-type-options"), shown.header("x-frame-options")), ("nosniff", ""));

        // Nothing but what was signed.
        let parts: Vec<_> = path.split('/').collect();
        let changed = |at: usize, with: &str| {
            let mut parts = parts.clone();
            parts[at] = with;
            parts.join("/")
        };
        let later = (parts[3].parse::<u64>().expect("a time") + 60).to_string();
        let mark: String = parts[4].chars().rev().collect();
        for path in [changed(1, "other"), changed(2, "art_0"), changed(3, &later), changed(4, &mark), changed(4, "x")] {
            other.get(&path).problem(404, "not_found");
        }
        other.get("/api/v1/files").problem(404, "not_found");
        other.send("POST", &path, |request| request).problem(405, "method_not_allowed");
        other.send("GET", &path, |request| request.header("sec-fetch-dest", "script")).problem(403, "forbidden_origin");
        other.send("GET", &path, |request| request.header("host", "evil.example")).problem(403, "forbidden_host");
        // In the page's own origin it is only bytes.
        let here = client.get(artifact["url"].as_str().expect("a url"));
        assert_eq!(here.header("content-type"), "application/octet-stream");
        assert!(here.header("content-disposition").starts_with("attachment"));
        assert!(!server.log().contains(parts[4]), "the log holds a link that works");
    }
    client.post("/api/v1/artifacts/art_0/url", &json!({})).problem(404, "not_found");
    let page = client.get("/");
    let page = page.header("content-security-policy");
    assert!(page.contains("frame-src 'self' http://127.0.0.1:"), "{page}");
}
