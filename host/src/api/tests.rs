//! The API tested through `app(state).oneshot(…)`, with a backend that needs no sandbox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use cap_std::fs::Dir;
use glovebox_runtime::{
    Artifact, Ending, Event, EventBody, Job, LayerError, Lineage, Outcome, Policies, RunError, Usage,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::{App, AppState, Backend, ImageInfo, ImageState, Kept, ModelInfo, Turn, Turned};
use crate::config::Config;
use crate::engine::sample::{Content, Sample};
use crate::engine::{Answer, AnswerEvent, Ask, Stage, TokenUsage};
use crate::error::Result;

mod sessions;
mod tenancy;
mod uploads;

/// Echoes its program, leaves it as `echo.txt`, waits if it is told to. In a session it remembers: its layers hold the
/// programs that ran.
#[derive(Default)]
struct Echo {
    /// Layers of the sessions that are live.
    live: Mutex<BTreeMap<String, Vec<PathBuf>>>,
}

impl Echo {
    fn run_in(&self, job: &Job, earlier: &[String]) -> (Ending, String) {
        let words: Vec<_> = job.program.source.split(' ').collect();
        let path = |name: &str| job.workspace.join(name);
        match words.as_slice() {
            ["write", name, text] => std::fs::write(path(name), text).unwrap(),
            ["remove", name] => std::fs::remove_file(path(name)).unwrap(),
            ["recall"] => return (Ending::Exited { code: 0 }, earlier.join(",")),
            ["fuel"] => {
                std::fs::write(path("half.txt"), "half").unwrap();
                return (Ending::OutOfFuel, String::new());
            }
            ["raise"] => {
                let text = String::new;
                let ending = Ending::Raised { exception: "E".into(), message: text(), traceback: text() };
                return (ending, String::new());
            }
            _ => std::fs::write(path("echo.txt"), &job.program.source).unwrap(),
        }
        (Ending::Exited { code: 0 }, job.program.source.clone())
    }
}

#[async_trait]
impl Backend for Echo {
    fn jail(&self) -> Option<crate::jail::Locked> {
        Some(crate::jail::Locked { landlock: "full".into(), seccomp: true, limits: true, namespaces: Some(false) })
    }

    async fn turn(
        &self,
        turn: Turn,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> std::result::Result<Turned, RunError> {
        let source = turn.job.program.source.clone();
        on_event(Event { seq: 1, body: EventBody::Started { image: turn.job.image.clone() } });
        on_event(Event { seq: 2, body: EventBody::Stdout { text: source.clone() } });
        let live = self.live.lock().unwrap().remove(&turn.session);
        let mut earlier = Vec::new();
        for layer in live.unwrap_or(turn.at.clone()) {
            let text = std::fs::read_to_string(&layer).unwrap_or_default();
            if !text.starts_with("layer ") {
                return Err(RunError::Checkpoint { path: layer, reason: "it is damaged".into() });
            }
            earlier.push(text["layer ".len()..].to_owned());
        }
        let files = std::fs::read_dir(&turn.job.workspace).unwrap();
        let mut files: Vec<_> = files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let (mut ending, stdout) = self.run_in(&turn.job, &earlier);
        if source == "break" {
            return Err(RunError::Worker("died of a secret".into()));
        }
        if source == "wait" {
            cancel.cancelled().await;
            ending = Ending::Cancelled;
        }
        let kept = matches!(ending, Ending::Exited { .. } | Ending::Raised { .. }).then(|| {
            std::fs::write(&turn.save, format!("layer {source}")).unwrap();
            let layers: Vec<_> = turn.at.iter().chain([&turn.save]).cloned().collect();
            self.live.lock().unwrap().insert(turn.session.clone(), layers.clone());
            Kept { layers, bytes: 6 + source.len() as u64 }
        });
        let left = match source.as_str() {
            "fuel" => Some("half.txt"),
            _ if stdout == source => Some("echo.txt"),
            _ => None,
        };
        let left = left.filter(|name| turn.job.workspace.join(name).exists());
        let none = String::new;
        let left = left.map(|path| Artifact { path: path.into(), size: 0, sha256: none(), media_type: none() });
        let outcome = Outcome { artifacts: left.into_iter().collect(), ..outcome(ending, stdout, files.join(",")) };
        Ok(Turned { outcome, kept })
    }

    async fn forget(&self, session: &str) {
        self.live.lock().unwrap().remove(session);
    }

    fn is_live(&self, session: &str) -> bool {
        self.live.lock().unwrap().contains_key(session)
    }

    fn compress(&self, layer: &Path) -> std::result::Result<u64, LayerError> {
        match std::fs::read_to_string(layer)?.as_str() {
            "layer huge" => Err(LayerError::Io(std::io::ErrorKind::StorageFull.into())),
            _ => Ok(1),
        }
    }

    async fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> std::result::Result<Outcome, RunError> {
        let source = job.program.source.clone();
        on_event(Event { seq: 1, body: EventBody::Started { image: job.image } });
        on_event(Event { seq: 2, body: EventBody::Stdout { text: source.clone() } });
        if source == "break" {
            return Err(RunError::Worker("died of a secret".into()));
        }
        let mut ending = Ending::Exited { code: 0 };
        if source == "wait" {
            cancel.cancelled().await;
            ending = Ending::Cancelled;
        }
        let files =
            std::fs::read_dir(&job.workspace).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let stderr = files.collect::<Vec<_>>().join(",");
        std::fs::write(job.workspace.join("echo.txt"), &source).unwrap();
        let artifact = Artifact { path: "echo.txt".into(), size: 0, sha256: String::new(), media_type: String::new() };
        Ok(Outcome { artifacts: vec![artifact], ..outcome(ending, source, stderr) })
    }

    async fn answer(
        &self,
        ask: Ask,
        on_event: &mut (dyn FnMut(AnswerEvent) + Send),
        cancel: &CancellationToken,
    ) -> Result<Answer> {
        on_event(AnswerEvent::Stage { stage: Stage::Generating, attempt: 1, message: "thinking".into() });
        let job = Job {
            image: ask.image,
            program: glovebox_runtime::Program { source: ask.question.clone(), ..Default::default() },
            workspace: ask.workspace,
            limits: ask.limits,
            mode: Default::default(),
            seed: None,
        };
        let mut forward = |event| on_event(AnswerEvent::Run { attempt: 1, event });
        let outcome = match &ask.interpreter {
            // As the engine does it: what fails is tried once more.
            Some(interpreter) if ask.question == "twice" => {
                interpreter.run(job.clone(), &mut forward, cancel).await?;
                interpreter.run(job, &mut forward, cancel).await?
            }
            Some(interpreter) => interpreter.run(job, &mut forward, cancel).await?,
            None => self.run(job, &mut forward, cancel).await?,
        };
        Ok(Answer {
            explanation: format!("after {} questions", ask.history.len()),
            program: ask.question,
            outcome: Some(outcome),
            suggestions: vec!["more?".into()],
            attempts: Vec::new(),
            usage: TokenUsage::default(),
            model: "echo".into(),
            details: crate::engine::Details::default(),
        })
    }

    fn sample(&self, _: &Dir, path: &str) -> Result<Sample> {
        let content = Content::Binary { magic: String::new() };
        Ok(Sample { name: path.into(), size: 0, media_type: "x/y".into(), content, notes: Vec::new() })
    }

    fn images(&self) -> Vec<ImageInfo> {
        let image = |name: &str, state| ImageInfo {
            name: name.into(),
            version: "1".into(),
            language: "echo".into(),
            kind: glovebox_runtime::Kind::Reactor,
            summary: "Echoes.".into(),
            packages: Default::default(),
            state,
            detail: None,
        };
        vec![image("python", ImageState::Ready), image("slow", ImageState::Preparing)]
    }

    fn models(&self) -> Vec<ModelInfo> {
        vec![ModelInfo { name: "echo".into(), provider: "test".into(), default: true, ..ModelInfo::default() }]
    }

    fn alive(&self) -> std::result::Result<(), String> {
        Ok(())
    }
}

pub(crate) fn outcome(ending: Ending, stdout: String, stderr: String) -> Outcome {
    Outcome {
        ending,
        stdout,
        stderr,
        output_truncated: false,
        displays: Vec::new(),
        artifacts: Vec::new(),
        warnings: Vec::new(),
        usage: Usage::default(),
        timing: None,
        lineage: Lineage::default(),
    }
}

struct Server {
    _dir: tempfile::TempDir,
    state: AppState,
}

impl Server {
    async fn new() -> Server {
        Server::with(Config::default()).await
    }

    async fn with(config: Config) -> Server {
        Server::with_policies(config, Policies::embedded().unwrap()).await
    }

    async fn with_policies(config: Config, policies: Policies) -> Server {
        let (dir, storage) = crate::storage::tests::open().await;
        let config = Config { upload_limit_mib: 1, workers: 1, queue_limit: 1, ..config };
        let keys = crate::keys::Keys::load(&storage).await.unwrap();
        let state = App::new(config, storage, policies, keys, Arc::new(Echo::default()));
        Server { _dir: dir, state }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        super::app(self.state.clone()).oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        read(self.send(Request::get(path).body(Body::empty()).unwrap()).await).await
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        read(self.send(request.body(Body::from(body.to_string())).unwrap()).await).await
    }

    async fn upload(&self, path: &str, files: &[(&str, &[u8])]) -> (StatusCode, Value) {
        let mut body = Vec::new();
        for (name, content) in files {
            body.extend_from_slice(
                format!("--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n").as_bytes(),
            );
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--b--\r\n");
        let request = Request::post(path).header("content-type", "multipart/form-data; boundary=b");
        read(self.send(request.body(Body::from(body)).unwrap()).await).await
    }

    /// The ids and kinds of a stream.
    async fn stream(&self, path: &str, last: Option<&str>) -> Vec<(String, String, Value)> {
        let mut request = Request::get(path);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        events(self.send(request.body(Body::empty()).unwrap()).await).await
    }
}

async fn read(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn events(response: Response<Body>) -> Vec<(String, String, Value)> {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    };
    text.split("\n\n")
        .filter(|block| block.contains("data:"))
        .map(|block| {
            (field(block, "id:"), field(block, "event:"), serde_json::from_str(&field(block, "data:")).unwrap())
        })
        .collect()
}

fn kinds(events: &[(String, String, Value)]) -> Vec<&str> {
    events.iter().map(|event| event.1.as_str()).collect()
}

#[tokio::test]
async fn a_run_works_on_copies_of_its_files_and_its_artifacts_can_be_fetched() {
    let server = Server::new().await;
    let (status, files) = server.upload("/api/v1/files", &[("../a.csv", b"a,b\n"), ("b.bin", b"\0\x01")]).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(files["files"][0]["name"], "a.csv");
    assert_eq!(files["files"][1]["media_type"], "application/octet-stream");
    let request = json!({"code": "hello", "files": [files["files"][0]["id"]]});
    let (status, run) = server.call("POST", "/api/v1/runs", request).await;
    assert_eq!((status, &run["status"]), (StatusCode::CREATED, &json!("done")), "{run}");
    assert_eq!(run["outcome"]["stderr"], "a.csv");
    assert!(run["outcome"].get("artifacts").is_none());
    let url = run["artifacts"][0]["url"].as_str().unwrap();
    let response = server.send(Request::get(url).body(Body::empty()).unwrap()).await;
    assert_eq!(
        response.headers()["content-disposition"],
        "attachment; filename=\"echo.txt\"; filename*=UTF-8''echo.txt"
    );
    assert_eq!(response.headers()["content-security-policy"], "sandbox; default-src 'none'");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    assert_eq!(server.get(&format!("/api/v1/runs/{}", run["id"].as_str().unwrap())).await.1, run);
}

#[tokio::test]
async fn a_stream_resumes_after_the_last_event_seen_and_a_seen_stream_is_not_repeated() {
    let server = Server::new().await;
    let request =
        Request::post("/api/v1/runs").header("content-type", "application/json").header("accept", "text/event-stream");
    let live = events(server.send(request.body(Body::from(r#"{"code": "hi"}"#)).unwrap()).await).await;
    assert_eq!(kinds(&live), ["accepted", "started", "stdout", "done"]);
    assert_eq!(live[3].2["run"]["outcome"]["stdout"], "hi");
    let path = format!("/api/v1/runs/{}/events", live[0].2["id"].as_str().unwrap());
    assert_eq!(server.stream(&path, None).await, live);
    assert_eq!(server.stream(&path, Some("2")).await, live[2..]);
    assert_eq!(server.stream(&path, Some("3")).await, live[3..]);
    let request = Request::get(&path).header("last-event-id", "4").body(Body::empty()).unwrap();
    assert_eq!(server.send(request).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_background_run_goes_on_alone_until_it_is_cancelled() {
    let server = Server::new().await;
    let (status, run) = server.call("POST", "/api/v1/runs", json!({"code": "wait", "wait": false})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let path = format!("/api/v1/runs/{}", run["id"].as_str().unwrap());
    assert!(["queued", "running"].contains(&server.get(&path).await.1["status"].as_str().unwrap()));
    assert_eq!(server.call("POST", &format!("{path}/cancel"), json!({})).await.0, StatusCode::ACCEPTED);
    let seen = server.stream(&format!("{path}/events"), None).await;
    assert_eq!(seen.last().unwrap().2["run"]["outcome"]["ending"]["kind"], "cancelled");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_run_it_waits_for() {
    let server = Server::new().await;
    let request = Request::post("/api/v1/runs").header("content-type", "application/json");
    let waiting = server.send(request.body(Body::from(r#"{"code": "wait"}"#)).unwrap());
    assert!(tokio::time::timeout(std::time::Duration::from_millis(200), waiting).await.is_err());
    tokio::time::timeout(std::time::Duration::from_secs(5), server.state.live.idle()).await.unwrap();
}

#[tokio::test]
async fn a_full_queue_is_busy_and_says_when_to_come_back() {
    let server = Server::new().await;
    for _ in 0..2 {
        server.call("POST", "/api/v1/runs", json!({"code": "wait", "wait": false})).await;
    }
    let request = Request::post("/api/v1/runs").header("content-type", "application/json");
    let response = server.send(request.body(Body::from(r#"{"code": "x"}"#)).unwrap()).await;
    assert!(response.headers().contains_key("retry-after"));
    let (status, problem) = read(response).await;
    assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("busy")));
    server.state.cancel_all(std::time::Duration::from_secs(5)).await;
    assert!(server.state.live.all().is_empty());
}

#[tokio::test]
async fn a_failure_of_ours_is_failed_and_keeps_its_cause_to_itself() {
    let server = Server::new().await;
    let (_, run) = server.call("POST", "/api/v1/runs", json!({"code": "break"})).await;
    assert_eq!((&run["status"], &run["error"]["code"]), (&json!("failed"), &json!("infrastructure")));
    assert!(!run.to_string().contains("secret"));
}

#[tokio::test]
async fn a_session_keeps_files_history_and_workspace_and_leaves_nothing_behind() {
    let server = Server::new().await;
    let (_, session) = server.call("POST", "/api/v1/sessions", json!({})).await;
    let path = format!("/api/v1/sessions/{}", session["id"].as_str().unwrap());
    let (status, files) = server.upload(&format!("{path}/files"), &[("a.csv", b"1"), ("a.csv", b"2")]).await;
    assert_eq!((status, &files["files"][1]["name"]), (StatusCode::CREATED, &json!("a-2.csv")));
    server.call("POST", &format!("{path}/runs"), json!({"code": "one"})).await;
    let (status, ask) = server.call("POST", &format!("{path}/asks"), json!({"question": "two"})).await;
    assert_eq!((status, &ask["status"]), (StatusCode::CREATED, &json!("done")), "{ask}");
    assert_eq!(ask["run"]["outcome"]["stdout"], "two");
    assert!(
        ask["run"]["outcome"]["stderr"].as_str().unwrap().contains("echo.txt"),
        "the first run's file is still there"
    );
    let (_, second) = server.call("POST", &format!("{path}/asks"), json!({"question": "three"})).await;
    assert_eq!(second["explanation"], "after 2 questions", "and programs of the user's");
    let (_, history) = server.get(&format!("{path}/history")).await;
    let turns: Vec<_> =
        history["turns"].as_array().unwrap().iter().map(|turn| turn["kind"].as_str().unwrap()).collect();
    assert_eq!(turns, ["run", "ask", "ask"]);
    assert_eq!(server.get(&path).await.1["title"], "two");
    assert_eq!(server.get(&format!("{path}/artifacts")).await.1["artifacts"].as_array().unwrap().len(), 3);
    let archive = server.send(Request::get(format!("{path}/archive")).body(Body::empty()).unwrap()).await;
    assert_eq!(archive.headers()["content-type"], "application/zip");
    let stream = server.stream(&format!("/api/v1/asks/{}/events", ask["id"].as_str().unwrap()), None).await;
    assert_eq!(kinds(&stream), ["accepted", "stage", "run", "run", "done"]);

    let file = files["files"][0]["id"].as_str().unwrap();
    assert_eq!(server.call("DELETE", &format!("/api/v1/files/{file}"), json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(server.get(&path).await.1["files"].as_array().unwrap().len(), 1);
    let workspace = server.state.storage.workspace(&crate::tenants::Tenant::local(), session["id"].as_str().unwrap());
    assert!(!workspace.join("a.csv").exists() && workspace.join("a-2.csv").exists());
    assert_eq!(server.call("DELETE", &path, json!({})).await.0, StatusCode::NO_CONTENT);
    assert_eq!(server.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(server.get(&format!("/api/v1/asks/{}", ask["id"].as_str().unwrap())).await.0, StatusCode::NOT_FOUND);
    assert!(!workspace.exists());
}

#[tokio::test]
async fn every_mistake_is_a_problem_with_a_code_and_the_requests_id() {
    let server = Server::new().await;
    let cases = [
        ("POST", "/api/v1/runs", json!({"code": "x", "imagee": "python"}), 422, "invalid_request", "imagee"),
        ("POST", "/api/v1/runs", json!({}), 422, "invalid_request", "code"),
        ("POST", "/api/v1/runs", json!({"code": "x", "image": "perl"}), 422, "unknown_image", "python"),
        ("POST", "/api/v1/runs", json!({"code": "x", "image": "slow"}), 503, "image_not_ready", "prepared"),
        ("POST", "/api/v1/runs", json!({"code": "x", "policy": "none"}), 422, "unknown_policy", "strict"),
        ("POST", "/api/v1/runs", json!({"code": "x", "files": ["file_0"]}), 404, "not_found", "file_0"),
        ("POST", "/api/v1/runs", json!({"code": "x", "env": {"a=b": "c"}}), 422, "invalid_request", "a=b"),
        ("POST", "/api/v1/sessions", json!({"image": "perl"}), 422, "unknown_image", "perl"),
        ("GET", "/api/v1/runs/run_0", json!({}), 404, "not_found", "run_0"),
        ("DELETE", "/api/v1/sessions/ses_0", json!({}), 404, "not_found", "ses_0"),
        ("GET", "/nowhere", json!({}), 404, "not_found", "/nowhere"),
        ("PUT", "/api/v1/runs", json!({}), 405, "method_not_allowed", "PUT"),
    ];
    for (method, path, body, status, code, named) in cases {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let response = server.send(request.body(Body::from(body.to_string())).unwrap()).await;
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        let (given, problem) = read(response).await;
        assert_eq!((given.as_u16(), problem["code"].as_str()), (status, Some(code)), "{method} {path}: {problem}");
        assert_eq!(problem["request_id"], id);
        assert!(problem["detail"].as_str().unwrap().contains(named), "{problem}");
    }
    let text = Request::post("/api/v1/runs").header("content-type", "text/plain").body(Body::from("{}")).unwrap();
    assert_eq!(read(server.send(text).await).await.1["code"], "unsupported_media_type");
    let broken =
        Request::post("/api/v1/runs").header("content-type", "application/json").body(Body::from("{")).unwrap();
    assert_eq!(read(server.send(broken).await).await.1["code"], "invalid_json");
    let large = json!({"code": "x".repeat(5 << 20)});
    assert_eq!(server.call("POST", "/api/v1/runs", large).await.1["code"], "body_too_large");
    let (status, problem) = server.upload("/api/v1/files", &[("big.bin", &vec![0; (1 << 20) + 1])]).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("file_too_large")));
    assert!(problem["detail"].as_str().unwrap().contains("1 MiB"));
}

#[tokio::test]
async fn a_page_of_another_site_can_neither_write_nor_pose_as_us() {
    let server = Server::new().await;
    let code = async |headers: &[(&str, &str)], method: &str| {
        let mut request = Request::builder().method(method).uri("/api/v1/files");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (status, problem) = read(server.send(request.body(Body::empty()).unwrap()).await).await;
        (status.as_u16(), problem["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(code(&[("host", "evil.example:8080")], "GET").await.1, "forbidden_host");
    assert_eq!(code(&[("host", "localhost.evil.example")], "GET").await.1, "forbidden_host");
    assert_eq!(
        code(&[("host", "localhost:8080"), ("origin", "https://evil.example")], "POST").await.1,
        "forbidden_origin"
    );
    assert_eq!(code(&[("host", "localhost:8080"), ("origin", "null")], "POST").await.1, "forbidden_origin");
    assert_eq!(
        code(&[("host", "localhost:8080"), ("origin", "http://localhost:9999")], "POST").await.1,
        "forbidden_origin"
    );
    assert_eq!(
        code(&[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")], "POST").await.1,
        "forbidden_origin"
    );
    assert_eq!(
        code(&[("host", "localhost:8080"), ("origin", "http://localhost:8080")], "POST").await.1,
        "unsupported_media_type"
    );
    for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST"] {
        assert_eq!(code(&[("host", host)], "GET").await.0, 200, "{host}");
    }
}

#[tokio::test]
async fn every_response_has_the_security_headers() {
    let server = Server::new().await;
    for path in ["/", "/docs", "/nowhere", "/api/v1/files", "/openapi.json", "/healthz"] {
        let response = server.send(Request::get(path).body(Body::empty()).unwrap()).await;
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "no-referrer", "{path}");
        assert!(headers["content-security-policy"].to_str().unwrap().contains("frame-ancestors 'none'"), "{path}");
        assert!(headers.contains_key("x-request-id"), "{path}");
    }
}

#[tokio::test]
async fn every_route_is_in_the_api_description_and_nothing_else_is() {
    let description: Value = serde_json::from_str(super::document()).unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let described: Vec<_> = description["paths"].as_object().unwrap().keys().cloned().collect();
    let mut served: Vec<_> = super::routes().into_iter().map(|route| route.path.to_owned()).collect();
    served.sort();
    let mut sorted = described;
    sorted.sort();
    assert_eq!(served, sorted);
}

#[tokio::test]
async fn health_readiness_and_metrics_answer() {
    let server = Server::new().await;
    assert_eq!(server.get("/healthz").await.0, StatusCode::OK);
    let (status, readiness) = server.get("/readyz").await;
    assert_eq!((status, &readiness["status"]), (StatusCode::OK, &json!("ready")), "{readiness}");
    server.call("POST", "/api/v1/runs", json!({"code": "x"})).await;
    let response = server.send(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    let text = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("glovebox_runs_total{ending=\"exited\"} 1"), "{text}");
    assert!(text.contains("route=\"/api/v1/runs\",status=\"201\""), "{text}");
}
