//! A server of language models that knows its replies beforehand, or makes them of what it is asked. It speaks chat
//! completions, responses or messages, as the path says.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use glovebox_tests::Server;
use serde_json::{Value, json};

/// The key that the product is given for it.
pub(crate) const KEY: &str = "sk-never-to-be-seen-0123456789";

/// What the server replies to one request.
pub(crate) enum Say {
    /// A streamed reply.
    Text(String),
    /// A page, where a completion was expected.
    Page,
    /// A stream with these bytes in place of events.
    Raw(Vec<u8>),
    /// A letter a second, for ever.
    Trickle,
}

impl Say {
    pub(crate) fn text(text: &str) -> Say {
        Say::Text(text.to_owned())
    }

    /// A reply with one program.
    pub(crate) fn program(program: &str) -> Say {
        Say::Text(format!("Here it is:\n\n```python\n{program}\n```\n"))
    }
}

/// The server; it ends with the test.
pub(crate) struct Script {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Script {
    /// Gives these replies, in this order, and then none.
    pub(crate) fn start(replies: Vec<Say>) -> Script {
        let mut replies = replies.into_iter();
        Script::of(move |_| replies.next())
    }

    /// Makes each reply of the request's messages, as one text.
    pub(crate) fn of(mut reply: impl FnMut(&str) -> Option<Say> + Send + 'static) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let request = read_request(&mut stream);
                let said = reply(&messages(&request));
                kept.lock().expect("not poisoned").push(request.clone());
                let Some(said) = said else { return };
                std::thread::spawn(move || respond(&mut stream, &request, said));
            }
        });
        Script { url, requests }
    }

    /// What it was asked, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// The environment of a product whose default model is this script.
    pub(crate) fn env(&self) -> [(&str, &str); 3] {
        [("OPENAI_BASE_URL", &self.url), ("OPENAI_API_KEY", KEY), ("OPENAI_MODEL", "scripted")]
    }

    /// A server whose default model is this script.
    pub(crate) fn server(&self) -> Server {
        Server::start(&self.env())
    }
}

fn respond(stream: &mut TcpStream, request: &str, said: Say) {
    let kind = if matches!(said, Say::Page) { "text/html" } else { "text/event-stream" };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
    let mut send = |bytes: &[u8]| stream.write_all(bytes).and_then(|()| stream.flush()).is_ok();
    send(head.as_bytes());
    match said {
        Say::Text(text) => send(reply(request, &text).as_bytes()),
        Say::Page => send(b"<html><body>Welcome to nginx</body></html>"),
        Say::Raw(bytes) => send(&bytes),
        Say::Trickle => {
            while send(piece("x").as_bytes()) {
                std::thread::sleep(Duration::from_secs(1));
            }
            false
        }
    };
}

fn read_request(stream: &mut TcpStream) -> String {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            if all.len() >= head.len() + 4 + length.unwrap_or(0) {
                return text;
            }
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return text,
            Ok(read) => all.extend_from_slice(&buffer[..read]),
        }
    }
}

/// The contents of a request's messages.
fn messages(request: &str) -> String {
    let body = request.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let messages = ["messages", "input"].into_iter().filter_map(|name| body[name].as_array()).flatten();
    let contents = messages.filter_map(|message| message["content"].as_str());
    body["system"].as_str().into_iter().chain(contents).collect::<Vec<_>>().join("\n")
}

/// An event with a piece of text.
pub(crate) fn piece(text: &str) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": text }, "finish_reason": null }] }))
}

/// A reply as the service that was asked gives it, with thoughts that nobody is to see.
fn reply(request: &str, text: &str) -> String {
    let events = match request.split_whitespace().nth(1) {
        Some("/v1/responses") => [
            json!({ "type": "response.reasoning_summary_text.delta", "delta": "a thought" }),
            json!({ "type": "response.output_text.delta", "delta": text }),
            json!({ "type": "response.completed", "response": { "usage": { "input_tokens": 100, "output_tokens": 10 } } }),
        ]
        .to_vec(),
        Some("/v1/messages") => [
            json!({ "type": "message_start", "message": { "usage": { "input_tokens": 100, "output_tokens": 1 } } }),
            json!({ "type": "content_block_delta", "delta": { "type": "thinking_delta", "thinking": "a thought" } }),
            json!({ "type": "content_block_delta", "delta": { "type": "text_delta", "text": text } }),
            json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 10 } }),
            json!({ "type": "message_stop" }),
        ]
        .to_vec(),
        _ => return completion(text),
    };
    events
        .iter()
        .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default()))
        .collect()
}

fn completion(text: &str) -> String {
    let body: String = text.split_inclusive('\n').map(piece).collect();
    let end = json!({ "choices": [{ "delta": {}, "finish_reason": "stop" }] });
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 100, "completion_tokens": 10 } });
    format!("{body}data: {end}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}
