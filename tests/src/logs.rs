//! What the server writes to its log while callers try to write in it, and to find secrets and contents there.

use std::io::{Read, Write};
use std::net::TcpStream;

use glovebox_tests::{Client, Server};
use serde_json::{Value, json};

/// What nobody may find in the log.
const CANARIES: [&str; 7] = [
    "canary-in-a-program",
    "canary-in-a-file",
    "canary-in-a-question",
    "canary-in-an-output",
    "canary-in-a-name",
    "canary-in-a-title",
    "canary-of-the-model",
];

/// Sends what an HTTP library would not.
fn raw(server: &Server, request: &[u8]) {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).expect("it listens");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(2))).expect("a time");
    let _ = stream.write_all(request);
    let _ = stream.read(&mut [0; 1024]);
}

#[test]
fn every_line_of_the_log_is_an_event_of_ours_without_secrets_and_contents() {
    let server = Server::start(&[
        ("GLOVEBOX_AUTH", "keys"),
        ("GLOVEBOX_LOG", "debug"),
        ("GLOVEBOX_LOG_FORMAT", "json"),
        ("OPENAI_API_KEY", "sk-canary-of-the-model-55d1c0"),
        ("OPENAI_BASE_URL", "http://user:canary-of-the-model@127.0.0.1:9/v1?key=canary-of-the-model"),
    ]);
    let key = server.said.lines().find(|line| line.starts_with("gbx_")).expect("the first key").to_owned();
    let client = Client::with_key(&server.url, &key);
    let hostile = "\u{202e}\u{2028}\u{1b}[2J\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\r\n";

    let file = client.upload("canary-in-a-name.csv", b"a,b\ncanary-in-a-file,2\n");
    let session = client.session(&[&file]);
    let title = json!({ "title": format!("canary-in-a-title {hostile}") });
    client.send("PATCH", &format!("/api/v1/sessions/{session}"), |request| request.json(&title));
    let turns = format!("/api/v1/sessions/{session}/runs");
    let code = "secret = 'canary-in-a-program'\nimport sys\nprint('canary-in-an-output')\nprint('canary-in-an-output', file=sys.stderr)\nraise ValueError('canary-in-an-output')";
    client.post(&turns, &json!({ "code": code }));
    client.post(&turns, &json!({ "code": "import os; os.abort() # canary-in-a-program" }));
    client.post(
        &format!("/api/v1/sessions/{session}/asks"),
        &json!({ "question": format!("canary-in-a-question {hostile}") }),
    );
    client.post("/api/v1/runs", &json!({ "code": "1", "image": hostile, "policy": hostile }));
    client.post("/api/v1/runs", &json!({ "code": "1", "files": [hostile] }));
    for path in
        ["/%0a%0dforged", "/%1b%5b2J", "/%e2%80%a8", "/api/v1/runs/%e2%80%ae", "/%ff%fe", "/?key=canary-in-a-program"]
    {
        client.get(path);
    }
    let _ = Client::with_key(&server.url, &format!("{key}x")).get("/api/v1/files");
    let long = "x".repeat(6000);
    for request in [
        format!("GET /{long} HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", "\u{202e}evil"),
        "GET / HTTP/1.1\r\nhost: a\x1b[2Jb\r\n\r\n".to_owned(),
        "FORGED\u{2028}LINE / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        format!("{} / HTTP/1.1\r\nhost: localhost\r\n\r\n", "M".repeat(200)),
        format!(
            "POST /api/v1/files HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {key}\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 90\r\n\r\n--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"\x1b[2J\u{202e}\"\r\n\r\ncanary-in-a-file\r\n--b--\r\n"
        ),
    ] {
        raw(&server, request.as_bytes());
    }

    let log = server.log();
    let mut answered = 0;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        assert!(event["timestamp"].is_string() && event["level"].is_string(), "{line}");
        assert_ne!(event["message"], "forged", "{line}");
        answered += usize::from(event["message"] == "answered");
        let odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
        assert!(!line.contains(odd) && line.len() < 20_000, "{line:?}");
    }
    assert!(answered >= 15, "{answered} requests were logged: {log}");
    for canary in CANARIES {
        let line = log.lines().find(|line| line.contains(canary));
        assert_eq!(line, None, "{canary} is in the log");
    }
    let secret = key.splitn(3, '_').nth(2).expect("its secret");
    assert!(!log.contains(secret), "the key is in the log");
}
