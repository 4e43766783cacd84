//! A client of the API whose calls block, so that tests read from top to bottom.

use reqwest::multipart::{Form, Part};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::runtime::Runtime;

/// A client of one server.
pub struct Client {
    runtime: Runtime,
    http: reqwest::Client,
    url: String,
}

/// A whole response.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    headers: reqwest::header::HeaderMap,
    /// The bytes.
    pub body: Vec<u8>,
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct ServerEvent {
    /// Its `id`.
    pub id: u64,
    /// Its `event`.
    pub kind: String,
    /// Its `data`.
    pub data: Value,
}

impl Client {
    /// A client of the server at this URL.
    ///
    /// # Panics
    ///
    /// If this process cannot start a thread.
    #[must_use]
    pub fn new(url: &str) -> Client {
        Client::with_key(url, "")
    }

    /// A client that shows a key.
    ///
    /// # Panics
    ///
    /// If this process cannot start a thread, or the key could not be a header.
    #[must_use]
    pub fn with_key(url: &str, key: &str) -> Client {
        let mut headers = reqwest::header::HeaderMap::new();
        if !key.is_empty() {
            headers.insert("authorization", format!("Bearer {key}").parse().expect("a header"));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let http = reqwest::Client::builder().no_proxy().default_headers(headers).build();
        Client { runtime: runtime.expect("tokio starts"), http: http.expect("a client"), url: url.into() }
    }

    /// Sends a request that `with` has completed.
    ///
    /// # Panics
    ///
    /// If there is no response.
    pub fn send(&self, method: &str, path: &str, with: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Reply {
        self.try_send(method, path, with).expect("the server answers")
    }

    /// As [`Self::send`], but nothing if the server went away.
    ///
    /// # Panics
    ///
    /// If there is no such method.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Option<Reply> {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let request = with(self.http.request(method, format!("{}{path}", self.url)));
        self.runtime.block_on(async {
            let response = request.send().await.ok()?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Some(Reply { status, headers, body: response.bytes().await.ok()?.to_vec() })
        })
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, |request| request)
    }

    /// `POST` with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, |request| request.json(body))
    }

    /// Runs a program outside of sessions and waits for it.
    pub fn run(&self, code: &str) -> Value {
        self.post("/api/v1/runs", &serde_json::json!({ "code": code })).json(201)
    }

    /// Uploads a file and gives its id.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn upload(&self, name: &str, content: &[u8]) -> String {
        let uploaded = self.send("POST", "/api/v1/files", |request| request.multipart(form(name, content))).json(201);
        uploaded["files"][0]["id"].as_str().expect("an id").to_owned()
    }

    /// Uploads a file of `tests/data`.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub fn upload_data(&self, name: &str) -> String {
        self.upload(name, &std::fs::read(crate::here().join("data").join(name)).expect("in tests/data"))
    }

    /// A session with these files.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn session(&self, files: &[&str]) -> String {
        let session = self.post("/api/v1/sessions", &serde_json::json!({ "files": files })).json(201);
        session["id"].as_str().expect("an id").to_owned()
    }

    /// Reads a stream of events until `enough` of them came or it ends.
    ///
    /// # Panics
    ///
    /// If it is no stream of events.
    pub fn events(&self, path: &str, after: Option<u64>, enough: impl Fn(&[ServerEvent]) -> bool) -> Vec<ServerEvent> {
        self.runtime.block_on(async {
            let mut request = self.http.get(format!("{}{path}", self.url)).header("accept", "text/event-stream");
            if let Some(id) = after {
                request = request.header("last-event-id", id);
            }
            let mut response = request.send().await.expect("the server answers");
            assert_eq!(response.status(), 200);
            let (mut text, mut events) = (String::new(), Vec::new());
            while let Some(bytes) = response.chunk().await.expect("the stream goes on") {
                // Our events are ASCII here: JSON escapes nothing else that these tests print.
                text.push_str(&String::from_utf8_lossy(&bytes));
                while let Some((event, rest)) = text.split_once("\n\n") {
                    events.extend(parse(event));
                    text = rest.to_owned();
                }
                if enough(&events) {
                    break;
                }
            }
            events
        })
    }
}

/// A form with one file.
#[must_use]
pub fn form(name: &str, content: &[u8]) -> Form {
    Form::new().part("file", Part::bytes(content.to_vec()).file_name(name.to_owned()))
}

fn parse(event: &str) -> Option<ServerEvent> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim));
    let data = serde_json::from_str(field("data")?).expect("data is JSON");
    Some(ServerEvent { id: field("id")?.parse().ok()?, kind: field("event")?.to_owned(), data })
}

impl Reply {
    /// A header, or an empty text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON of a response that has this status.
    ///
    /// # Panics
    ///
    /// If it has another status or is not JSON.
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The detail of an error with this status and code, whose shape is checked.
    ///
    /// # Panics
    ///
    /// If it is anything else.
    pub fn problem(&self, status: u16, code: &str) -> String {
        let problem = self.json(status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert!(!self.header("x-request-id").is_empty(), "{problem}");
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        problem["detail"].as_str().expect("a detail").to_owned()
    }
}
