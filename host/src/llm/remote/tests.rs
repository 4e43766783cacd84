//! Against scripted servers on the loopback: what real ones do on bad days.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::engine::TokenUsage;
use crate::llm::{Message, MessageRole, PlanContext, Purpose};

const KEY: &str = "sk-very-secret-0123456789";

/// What the server does with one connection: chunks with a pause before each, then the end.
#[derive(Clone)]
enum Act {
    Send(Vec<u8>),
    Wait(u64),
    /// Repeats the bytes, one every so many milliseconds, until the client leaves.
    Forever(Vec<u8>, u64),
}

fn send(text: impl Into<String>) -> Vec<Act> {
    vec![Act::Send(text.into().into_bytes())]
}

struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Plays one script for each connection; the last one also for all that follow.
    async fn start(scripts: Vec<Vec<Act>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            for number in 0.. {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let script = scripts[number.min(scripts.len() - 1)].clone();
                let kept = Arc::clone(&kept);
                tokio::spawn(async move {
                    let request = read_request(&mut socket).await;
                    kept.lock().unwrap().push(request);
                    for act in script {
                        match act {
                            Act::Send(bytes) => drop(socket.write_all(&bytes).await),
                            Act::Wait(ms) => sleep(Duration::from_millis(ms)).await,
                            Act::Forever(bytes, ms) => {
                                while socket.write_all(&bytes).await.is_ok() {
                                    sleep(Duration::from_millis(ms)).await;
                                }
                            }
                        }
                        drop(socket.flush().await);
                    }
                });
            }
        });
        Server { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(socket: &mut tokio::net::TcpStream) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return text,
            Ok(n) => all.extend_from_slice(&buffer[..n]),
        }
    }
}

fn http(status: &str, content_type: &str, extra: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\nconnection: close\r\n{extra}\r\n{body}",
        body.len()
    )
}

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nconnection: close\r\n\r\n";

fn delta(text: &str) -> String {
    format!(
        "data: {}\r\n\r\n",
        json!({"choices": [{"delta": {"content": text}, "finish_reason": null}], "usage": null})
    )
}

fn stream() -> String {
    let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":3}}\n\n";
    format!(": ping\n\n{}{}{stop}{usage}data: [DONE]\n\n", delta("Größe "), delta("🦆 4.2"))
}

fn whole(text: &str) -> String {
    json!({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}).to_string()
}

fn model(url: &str) -> Remote {
    let patience = Patience {
        connect: Duration::from_secs(2),
        idle: Duration::from_secs(2),
        total: Duration::from_secs(6),
        retries: 3,
        pause: Duration::from_millis(2),
    };
    speaking(Protocol::Chat, url, patience)
}

fn speaking(protocol: Protocol, url: &str, patience: Patience) -> Remote {
    let key = Some(Secret::new(KEY.into()));
    let setting = "OPENAI_BASE_URL".into();
    Remote::new(RemoteConfig { base_url: url.into(), key, setting, patience, ..RemoteConfig::new(protocol, "m") })
        .unwrap()
}

async fn complete(model: &Remote) -> (Result<Reply, LlmError>, String) {
    let messages = vec![Message { role: MessageRole::System, content: "rules".into() }];
    let request = Completion { purpose: Purpose::Generate, messages, context: PlanContext::default() };
    let mut heard = String::new();
    let reply = model.complete(&request, &mut |text| heard.push_str(text)).await;
    (reply, heard)
}

/// Completes against a server with these scripts.
async fn play(scripts: Vec<Vec<Act>>) -> (Result<Reply, LlmError>, String, Vec<String>) {
    let server = Server::start(scripts).await;
    let (reply, heard) = complete(&model(&server.url)).await;
    if let Err(error) = &reply {
        assert!(!format!("{error} {error:?}").contains(KEY), "the key shows: {error}");
    }
    (reply, heard, server.requests())
}

#[tokio::test]
async fn a_stream_is_read_wherever_it_is_cut() {
    let bytes = stream().into_bytes();
    for step in [1, 2, 3, 7, 64] {
        let mut script = send(STREAM_HEAD);
        for piece in bytes.chunks(step) {
            script.extend([Act::Send(piece.to_vec())]);
        }
        let (reply, heard, requests) = play(vec![script]).await;
        let reply = reply.unwrap();
        assert_eq!((reply.text.as_str(), heard.as_str()), ("Größe 🦆 4.2", "Größe 🦆 4.2"), "{step} bytes at once");
        assert_eq!(reply.usage, TokenUsage { input_tokens: 12, output_tokens: 3, calls: 1, ..TokenUsage::default() });
        assert!(
            requests[0].starts_with("POST /v1/chat/completions ") && requests[0].contains(&format!("Bearer {KEY}"))
        );
        assert!(
            requests[0].contains("\"include_usage\":true") && requests[0].contains("\"role\":\"system\""),
            "{}",
            requests[0]
        );
    }
}

#[tokio::test]
async fn a_reply_in_one_document_and_one_without_usage_are_read() {
    let (reply, heard, _) = play(vec![send(http("200 OK", "application/json", "", &whole("hi")))]).await;
    assert_eq!(
        reply.unwrap(),
        Reply { text: "hi".into(), usage: TokenUsage { calls: 1, ..TokenUsage::default() }, truncated: false }
    );
    assert_eq!(heard, "hi");
    let parts =
        json!({"choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]});
    let (reply, ..) = play(vec![send(http("200 OK", "application/json", "", &parts.to_string()))]).await;
    assert_eq!(reply.unwrap().text, "ab");
    // A stream that ends after its finish_reason, without usage and [DONE], and one without empty lines.
    let stop = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n";
    let (reply, ..) = play(vec![send(format!("{STREAM_HEAD}{stop}"))]).await;
    assert_eq!(reply.unwrap().usage.input_tokens, 0);
    let (reply, ..) = play(vec![send(format!("{STREAM_HEAD}{stop}{stop}data: [DONE]\n"))]).await;
    assert_eq!(reply.unwrap().text, "xx");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_as_it_wishes() {
    let busy = http(
        "429 Too Many Requests",
        "application/json",
        "retry-after: 1\r\n",
        "{\"error\":{\"message\":\"slow down\"}}",
    );
    let good = http("200 OK", "application/json", "", &whole("hi"));
    let start = Instant::now();
    let (reply, _, requests) = play(vec![send(busy), send(good)]).await;
    assert_eq!((reply.unwrap().text.as_str(), requests.len()), ("hi", 2));
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_failing_server_is_asked_four_times_and_then_named() {
    let body = format!("{{\"error\":{{\"message\":\"boom\\u0007 {KEY}\"}}}}");
    let (reply, _, requests) = play(vec![send(http("503 Service Unavailable", "application/json", "", &body))]).await;
    assert_eq!(requests.len(), 4);
    assert_eq!(reply.unwrap_err().to_string(), "model m: the server answered 503: boom [redacted]");
}

#[tokio::test]
async fn what_a_retry_cannot_help_is_not_retried() {
    for (status, body, expected) in [
        (
            "401 Unauthorized",
            format!("{{\"error\":{{\"message\":\"bad key {KEY}\",\"code\":\"invalid_api_key\"}}}}"),
            "401: bad key [redacted] (invalid_api_key)",
        ),
        ("404 Not Found", "{\"detail\":\"no such model\"}".into(), "404: no such model"),
        (
            "429 Too Many Requests",
            "{\"error\":{\"message\":\"You exceeded your current quota\"}}".into(),
            "429: You exceeded",
        ),
        ("400 Bad Request", "plain\nwords".into(), "400: plain words"),
    ] {
        let (reply, _, requests) = play(vec![send(http(status, "application/json", "", &body))]).await;
        let error = reply.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(requests.len(), 1, "{status}");
    }
}

#[tokio::test]
async fn servers_that_know_less_are_asked_more_simply() {
    let refuse = |word: &str| {
        send(http(
            "400 Bad Request",
            "application/json",
            "",
            &format!("{{\"error\":{{\"message\":\"unknown field {word}\"}}}}"),
        ))
    };
    let good = send(http("200 OK", "application/json", "", &whole("hi")));
    let (reply, _, requests) = play(vec![refuse("stream_options"), refuse("stream"), good]).await;
    assert_eq!(reply.unwrap().text, "hi");
    assert!(requests[1].contains("\"stream\":true") && !requests[1].contains("stream_options"));
    assert!(requests[2].contains("\"stream\":false"));
}

#[tokio::test]
async fn a_stream_that_breaks_is_retried_only_before_its_first_word() {
    let chunked = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let good = send(http("200 OK", "application/json", "", &whole("hi")));
    let (reply, _, requests) = play(vec![send(format!("{chunked}5\r\n: pin")), send(""), good.clone()]).await;
    assert_eq!((reply.unwrap().text.as_str(), requests.len()), ("hi", 3));
    let piece = delta("half a rep");
    let cut = format!("{chunked}{:x}\r\n{piece}\r\n", piece.len());
    for cut in [cut, format!("{STREAM_HEAD}{piece}")] {
        let (reply, heard, requests) = play(vec![send(cut), good.clone()]).await;
        assert!(matches!(reply, Err(LlmError::Unreachable { .. })), "{reply:?}");
        assert_eq!((heard.as_str(), requests.len()), ("half a rep", 1));
    }
}

#[tokio::test]
async fn what_is_no_completion_is_called_nonsense() {
    for (content_type, body, expected) in [
        ("application/json", "{\"choices\": [", "broken JSON"),
        ("application/json", "[1, 2]", "holds no reply"),
        ("application/json", "{\"choices\":[{\"message\":{\"content\":\"\"}}]}", "is empty"),
        ("text/html; charset=utf-8", "<html>Welcome</html>", "a web page"),
        ("text/event-stream", "data: {{{\n\n", "broken JSON in its stream"),
        ("text/plain", "hello", "no event"),
        ("application/octet-stream", "\u{0}\u{1}", "no event"),
    ] {
        let (reply, ..) = play(vec![send(http("200 OK", content_type, "", body))]).await;
        let error = reply.unwrap_err();
        assert!(matches!(error, LlmError::Nonsense { .. }) && error.to_string().contains(expected), "{body}: {error}");
    }
    let (reply, ..) = play(vec![send("not http at all\r\n\r\n")]).await;
    assert!(matches!(reply, Err(LlmError::Unreachable { .. })), "{reply:?}");
    let error = "data: {\"error\":{\"message\":\"overloaded\",\"code\":529}}\n\n";
    let (reply, ..) = play(vec![send(format!("{STREAM_HEAD}{error}"))]).await;
    assert_eq!(reply.unwrap_err().to_string(), "model m: the server answered 529: overloaded");
}

#[tokio::test]
async fn silence_and_endless_dribble_end_in_time() {
    let start = Instant::now();
    let silent = play(vec![vec![Act::Wait(60_000)]]);
    let mut stops = send(format!("{STREAM_HEAD}{}", delta("a")));
    stops.push(Act::Wait(60_000));
    let mut dribbles = send(STREAM_HEAD);
    dribbles.push(Act::Forever(b": still thinking\n\n".to_vec(), 50));
    let (silent, stops, dribbles) = tokio::join!(silent, play(vec![stops]), play(vec![dribbles]));
    for (reply, seconds) in [(silent.0, 2), (stops.0, 2), (dribbles.0, 6)] {
        assert!(matches!(reply, Err(LlmError::TooSlow { seconds: s, .. }) if s == seconds), "{reply:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn an_endless_reply_is_cut_off_at_its_limit() {
    let mut script = send(STREAM_HEAD);
    script.push(Act::Forever(delta(&"a".repeat(60_000)).into_bytes(), 0));
    let (reply, heard, _) = play(vec![script]).await;
    assert!(reply.unwrap_err().to_string().contains("longer than 1024 KiB"));
    assert!(heard.len() <= MAX_REPLY_BYTES);
    let mut script = send(STREAM_HEAD);
    script.push(Act::Forever(vec![b'a'; 60_000], 0));
    let (reply, ..) = play(vec![script]).await;
    assert!(reply.unwrap_err().to_string().contains("longer than"));
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused_and_one_at_home_is_followed() {
    let other = Server::start(vec![send(http("200 OK", "application/json", "", &whole("stolen")))]).await;
    let away =
        http("307 Temporary Redirect", "text/plain", &format!("location: {}/chat/completions\r\n", other.url), "");
    let (reply, ..) = play(vec![send(away)]).await;
    let error = reply.unwrap_err().to_string();
    assert!(error.contains("307: it redirects to another host"), "{error}");
    assert!(other.requests().is_empty());
    let home = http("307 Temporary Redirect", "text/plain", "location: /v2/chat\r\n", "");
    let (reply, _, requests) = play(vec![send(home), send(http("200 OK", "application/json", "", &whole("hi")))]).await;
    assert_eq!(reply.unwrap().text, "hi");
    assert!(requests[1].starts_with("POST /v2/chat "));
}

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_secrets() {
    let url = format!("http://user:{KEY}@127.0.0.1:1/v1?api-key={KEY}");
    let model = model(&url);
    let error = complete(&model).await.0.unwrap_err().to_string();
    assert!(
        error.contains("cannot reach http://127.0.0.1:1/v1: ") && !error.contains(KEY) && !error.contains("user"),
        "{error}"
    );
    assert!(!format!("{model:?} {:?}", Secret::new(KEY.into())).contains(KEY));
}

#[test]
fn a_base_url_or_key_that_cannot_work_is_refused() {
    for url in ["", "localhost:11434/v1", "ftp://x/v1", "http://", "data:text/plain,x"] {
        let config = RemoteConfig { base_url: url.into(), ..RemoteConfig::new(Protocol::Chat, "m") };
        assert!(matches!(Remote::new(config), Err(LlmError::Misconfigured { .. })), "{url}");
    }
    let key = Some(Secret::new("sk-1\r\nx: y".into()));
    let key_source = "OPENAI_API_KEY".into();
    let config = RemoteConfig { key, key_source, ..RemoteConfig::new(Protocol::Chat, "m") };
    let error = Remote::new(config).unwrap_err().to_string();
    assert!(error.starts_with("OPENAI_API_KEY: ") && !error.contains("sk-1"), "{error}");
}

#[test]
fn the_path_is_completed_once_and_a_query_is_kept() {
    for (base, full) in [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
        ("http://h/openai/v1?api-version=1", "http://h/openai/v1/chat/completions?api-version=1"),
    ] {
        assert_eq!(model(base).url.as_str(), full);
    }
}

/// The events of a stream, as the two newer protocols name them.
fn events(values: &[Value]) -> String {
    let event = |value: &Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap_or(""));
    format!("{STREAM_HEAD}{}", values.iter().map(event).collect::<String>())
}

fn quick() -> Patience {
    Patience { retries: 1, pause: Duration::from_millis(1), ..Patience::default() }
}

#[tokio::test]
async fn a_response_is_read_as_a_stream_and_as_a_document() {
    let usage = json!({"input_tokens": 12, "output_tokens": 3});
    let stream = events(&[
        json!({"type": "response.created", "response": {"status": "in_progress", "error": null}}),
        json!({"type": "response.reasoning_summary_text.delta", "delta": "hidden"}),
        json!({"type": "response.output_text.delta", "delta": "Größe "}),
        json!({"type": "response.output_text.delta", "delta": "4"}),
        json!({"type": "response.completed", "response": {"usage": usage, "error": null}}),
    ]);
    let document = json!({"object": "response", "error": null, "usage": usage, "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "Größe 4"}]},
    ]});
    for answer in [stream, http("200 OK", "application/json", "", &document.to_string())] {
        let server = Server::start(vec![send(answer)]).await;
        let model = speaking(Protocol::Responses, &server.url, quick());
        let (reply, shown) = complete(&model).await;
        let reply = reply.unwrap();
        assert_eq!((reply.text.as_str(), shown.as_str()), ("Größe 4", "Größe 4"));
        assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.calls), (12, 3, 1));
        let request = &server.requests()[0];
        assert!(request.starts_with("POST /v1/responses HTTP/1.1"), "{request}");
        assert!(request.to_lowercase().contains(&format!("authorization: bearer {KEY}")), "{request}");
        assert!(request.contains(r#""store":false"#), "{request}");
    }
}

#[tokio::test]
async fn a_message_is_read_as_a_stream_and_as_a_document() {
    let stream = events(&[
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 12, "output_tokens": 1}}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "hidden"}}),
        json!({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Größe "}}),
        json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "4"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
        json!({"type": "message_stop"}),
    ]);
    let document = json!({"type": "message", "usage": {"input_tokens": 12, "output_tokens": 3}, "stop_reason": "end_turn",
        "content": [{"type": "thinking", "thinking": "hidden"}, {"type": "text", "text": "Größe 4"}]});
    for answer in [stream, http("200 OK", "application/json", "", &document.to_string())] {
        let server = Server::start(vec![send(answer)]).await;
        let model = speaking(Protocol::Messages, server.url.trim_end_matches("/v1"), quick());
        let (reply, shown) = complete(&model).await;
        let reply = reply.unwrap();
        assert_eq!((reply.text.as_str(), shown.as_str()), ("Größe 4", "Größe 4"));
        assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (12, 3));
        let request = &server.requests()[0];
        assert!(request.starts_with("POST /v1/messages HTTP/1.1"), "{request}");
        let lower = request.to_lowercase();
        assert!(lower.contains(&format!("x-api-key: {KEY}")) && lower.contains("anthropic-version: "), "{request}");
        assert!(request.contains(r#""system":"rules""#) && request.contains(r#""max_tokens":8192"#), "{request}");
    }
}

#[tokio::test]
async fn a_tool_call_becomes_text_that_holds_its_arguments() {
    let chat = json!({"choices": [{"finish_reason": "tool_calls", "message": {"content": null, "tool_calls": [
        {"function": {"name": "python", "arguments": "{\"code\": \"print(1)\"}"}}]}}]});
    let message = json!({"type": "message", "content": [
        {"type": "tool_use", "name": "python", "input": {"code": "print(1)"}}]});
    let response =
        json!({"output": [{"type": "function_call", "name": "python", "arguments": "{\"code\": \"print(1)\"}"}]});
    for (protocol, document) in [(Protocol::Chat, chat), (Protocol::Messages, message), (Protocol::Responses, response)]
    {
        let server = Server::start(vec![send(http("200 OK", "application/json", "", &document.to_string()))]).await;
        let (reply, _) = complete(&speaking(protocol, &server.url, quick())).await;
        let text = reply.unwrap().text;
        let found = crate::engine::extract::extract(&text).program;
        assert_eq!(found.as_deref().map(str::trim), Some("print(1)"), "{text}");
    }
}

#[tokio::test]
async fn an_overloaded_server_is_asked_again_and_then_left_alone() {
    let overloaded =
        events(&[json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})]);
    let server = Server::start(vec![send(overloaded)]).await;
    let model = speaking(Protocol::Messages, &server.url, quick());
    for _ in 0..5 {
        let error = complete(&model).await.0.unwrap_err();
        assert_eq!(error.to_string(), "model m: the server answered 529: Overloaded");
    }
    assert_eq!(server.requests().len(), 10);
    let error = complete(&model).await.0.unwrap_err();
    assert!(matches!(error, LlmError::Resting { .. }), "{error}");
    assert_eq!(server.requests().len(), 10, "it was asked although it rests");
}

#[tokio::test]
async fn tokens_cost_what_the_configuration_says() {
    let server = Server::start(vec![send(format!("{STREAM_HEAD}{}", stream()))]).await;
    let config = RemoteConfig {
        base_url: server.url.clone(),
        price: Some((0.25, 2.0)),
        ..RemoteConfig::new(Protocol::Chat, "m")
    };
    let (reply, _) = complete(&Remote::new(config).unwrap()).await;
    assert_eq!(reply.unwrap().usage.cost_micro_usd, 9);
}

#[tokio::test]
async fn a_server_that_repeats_what_is_secret_is_not_repeated() {
    let piece = |text: &str| format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": text } }] }));
    let text = format!("You sent Bearer {KEY}, and tok-0123456789ab. {}", &KEY[..9]);
    let cut: String = text.chars().map(|c| piece(&c.to_string())).collect();
    let call = json!({"choices": [{"finish_reason": "tool_calls", "message": {"tool_calls": [
        {"function": {"arguments": format!("{{\"code\": \"print('{KEY}')\"}}")}}]}}]});
    let error = http("401 Unauthorized", "text/plain", "", &text);
    let scripts = vec![
        send(format!("{STREAM_HEAD}{cut}data: [DONE]\n\n")),
        send(http("200 OK", "application/json", "", &call.to_string())),
        send(error),
    ];
    let server = Server::start(scripts).await;
    let config = RemoteConfig {
        base_url: server.url.clone(),
        key: Some(Secret::new(KEY.into())),
        headers: vec![("x-gateway-token".into(), Secret::new("tok-0123456789ab".into()))],
        patience: quick(),
        ..RemoteConfig::new(Protocol::Chat, "m")
    };
    assert!(!format!("{config:?}").contains("tok-"), "{config:?}");
    let model = Remote::new(config).unwrap();
    let (reply, heard) = complete(&model).await;
    // A beginning of it that turns out to be nothing else is told in the end.
    let shown = format!("You sent Bearer [redacted], and [redacted]. {}", &KEY[..9]);
    assert_eq!((reply.unwrap().text, heard), (shown.clone(), shown.clone()));
    assert_eq!(complete(&model).await.0.unwrap().text.trim(), "{\"code\": \"print('[redacted]')\"}");
    let error = complete(&model).await.0.unwrap_err().to_string();
    assert_eq!(error, format!("model m: the server answered 401: {shown}"));
}

#[tokio::test]
async fn what_passes_is_asked_again_in_every_protocol_and_a_long_pause_is_not_cut_short() {
    let good = json!({"type": "response.completed", "response": {"output": [
        {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}]}});
    for trouble in [
        json!({"type": "error", "code": "rate_limit_exceeded", "message": "too fast"}),
        json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "oops"}}}),
    ] {
        let server = Server::start(vec![send(events(&[trouble])), send(events(std::slice::from_ref(&good)))]).await;
        let (reply, heard) = complete(&speaking(Protocol::Responses, &server.url, quick())).await;
        assert_eq!((reply.unwrap().text.as_str(), heard.as_str()), ("hi", "hi"));
        assert_eq!(server.requests().len(), 2);
    }
    let later = http("429 Too Many Requests", "text/plain", "retry-after: 3600\r\n", "in an hour");
    let (reply, _, requests) = play(vec![send(later)]).await;
    assert_eq!(
        (reply.unwrap_err().to_string().as_str(), requests.len()),
        ("model m: the server answered 429: in an hour", 1)
    );
}

#[tokio::test]
async fn an_empty_reply_says_why_it_is_empty() {
    let chat = json!({"choices": [{"finish_reason": "length", "delta": {}}]});
    let message = json!({"type": "message", "content": [], "stop_reason": "refusal"});
    let response = json!({"type": "response.incomplete", "response": {"output": [],
        "incomplete_details": {"reason": "max_output_tokens"}}});
    for (protocol, event, expected) in [
        (Protocol::Chat, chat, "before its first word; raise max_output_tokens"),
        (Protocol::Messages, message, "the server refuses to answer this"),
        (Protocol::Responses, response, "before its first word; raise max_output_tokens"),
    ] {
        let server = Server::start(vec![send(events(&[event]))]).await;
        let error = complete(&speaking(protocol, &server.url, quick())).await.0.unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }
}
