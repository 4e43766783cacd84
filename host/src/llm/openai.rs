//! OpenAI-compatible chat completions at any base URL: OpenAI, Azure, vLLM, Ollama, llama.cpp.
//!
//! The server is not trusted: its replies are bounded in size and time, its words are cleaned before
//! they are shown, it cannot send us to another host, and the key goes nowhere but into its header.

mod reading;

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::sse;
use super::{Completion, Llm, LlmError, MessageRole, Reply};
use reading::{Reading, message_of};

/// Bytes of a reply's text.
const MAX_REPLY_BYTES: usize = 1024 * 1024;
/// Bytes on the wire for one reply: a stream spends some 200 bytes on each token.
const MAX_WIRE_BYTES: usize = 128 * 1024 * 1024;
/// Bytes of a reply that is one JSON document, and of one event of a stream.
const MAX_DOCUMENT_BYTES: usize = 8 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 16 * 1024;
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 3;

/// A key that never shows itself.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keeps a key.
    #[must_use]
    pub fn new(key: String) -> Secret {
        Secret(key)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// How long to wait, and how often to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For a connection. Default 10 s.
    pub connect: Duration,
    /// For the first byte, and for each next one. Default 60 s.
    pub idle: Duration,
    /// For the whole reply, retries included. Default 300 s.
    pub total: Duration,
    /// Tries after the first one, if the server is busy or the connection broke before any text. Default 3.
    pub retries: u32,
    /// Before the first retry; doubles with each, half of it is chance. Default 1 s. `Retry-After` counts instead, up to 30 s.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(300),
            retries: 3,
            pause: Duration::from_secs(1),
        }
    }
}

/// A server and one of its models.
#[derive(Clone, Debug)]
pub struct OpenAiConfig {
    /// Name of the model, for the server and for users.
    pub model: String,
    /// Up to `/v1`. Default `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as bearer token; local servers need none.
    pub key: Option<Secret>,
    /// How long to wait, and how often to try.
    pub patience: Patience,
}

impl OpenAiConfig {
    /// A model of OpenAI itself, without a key.
    #[must_use]
    pub fn new(model: &str) -> OpenAiConfig {
        let base_url = "https://api.openai.com/v1".to_owned();
        OpenAiConfig { model: model.to_owned(), base_url, key: None, patience: Patience::default() }
    }
}

/// A model behind OpenAI's chat completions.
pub struct OpenAi {
    model: String,
    url: Url,
    shown_url: String,
    key: Option<Secret>,
    patience: Patience,
    client: Client,
}

/// Gets the pieces of a reply as they arrive.
type OnText<'a> = dyn FnMut(&str) + Send + 'a;

/// What is asked of servers that don't know all of the request's fields.
#[derive(Clone, Copy)]
struct Style {
    stream: bool,
    usage: bool,
}

/// Why one try failed, and whether another one makes sense.
enum Failure {
    Final(LlmError),
    Retry { error: LlmError, after: Option<Duration> },
    Simplify { error: LlmError, style: Style },
}

impl OpenAi {
    /// Sets a model up. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`LlmError::Misconfigured`] if the base URL or the key can't be used.
    pub fn new(config: OpenAiConfig) -> Result<OpenAi, LlmError> {
        let bad_url =
            |reason: &str| LlmError::Misconfigured { setting: "OPENAI_BASE_URL".into(), reason: reason.into() };
        let mut url = Url::parse(&config.base_url).map_err(|error| bad_url(&format!("is no URL ({error})")))?;
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err(bad_url(
                "must start with http:// or https:// and name a host, such as http://127.0.0.1:11434/v1",
            ));
        }
        if config.key.as_ref().is_some_and(|key| key.0.chars().any(|c| !c.is_ascii_graphic())) {
            let reason = "has characters that no key has; copy it again".into();
            return Err(LlmError::Misconfigured { setting: "OPENAI_API_KEY".into(), reason });
        }
        let shown_url = shown(&url);
        url.set_fragment(None);
        if !url.path().trim_end_matches('/').ends_with("/chat/completions") {
            let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        let local = url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
        if url.scheme() == "http" && config.key.is_some() && !local {
            tracing::warn!(url = shown_url, "OPENAI_API_KEY is sent without encryption; use https");
        }
        let mut client = Client::builder()
            .user_agent(concat!("glovebox/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.patience.connect)
            .redirect(same_origin())
            .referer(false);
        if url.scheme() == "http" {
            // Machines without certificates can reach a local server all the same.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| LlmError::Unreachable {
            model: config.model.clone(),
            url: shown_url.clone(),
            reason: chain(error),
        })?;
        Ok(OpenAi { model: config.model, url, shown_url, key: config.key, patience: config.patience, client })
    }

    fn body(&self, request: &Completion, style: Style) -> Value {
        let messages: Vec<Value> = request
            .messages
            .iter()
            .map(|message| {
                let role = match message.role {
                    MessageRole::System => "system",
                    MessageRole::User => "user",
                    MessageRole::Assistant => "assistant",
                };
                json!({ "role": role, "content": message.content })
            })
            .collect();
        let mut body = json!({ "model": self.model, "messages": messages, "stream": style.stream });
        if style.stream && style.usage {
            body["stream_options"] = json!({ "include_usage": true });
        }
        body
    }

    /// Tries until there is a reply, or no hope of one.
    async fn with_retries(&self, request: &Completion, on_text: &mut OnText<'_>) -> Result<Reply, LlmError> {
        let mut style = Style { stream: true, usage: true };
        let mut retries = 0;
        loop {
            match self.once(request, style, on_text).await {
                Ok(reply) => return Ok(reply),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Simplify { error, style: simpler }) => {
                    tracing::debug!(model = self.model, %error, "asking again with a simpler request");
                    style = simpler;
                }
                Err(Failure::Retry { error, .. }) if retries >= self.patience.retries => return Err(error),
                Err(Failure::Retry { error, after }) => {
                    let pause = after.unwrap_or_else(|| backoff(self.patience.pause, retries)).min(MAX_RETRY_AFTER);
                    retries += 1;
                    tracing::warn!(model = self.model, %error, retries, pause_ms = pause.as_millis(), "asking again");
                    sleep(pause).await;
                }
            }
        }
    }

    async fn once(&self, request: &Completion, style: Style, on_text: &mut OnText<'_>) -> Result<Reply, Failure> {
        let mut call = self.client.post(self.url.clone()).json(&self.body(request, style));
        if let Some(key) = &self.key {
            call = call.bearer_auth(&key.0);
        }
        let response = timeout(self.patience.idle, call.send()).await;
        let response = response.map_err(|_| Failure::Final(self.too_slow(self.patience.idle)))?;
        let response = response.map_err(|error| self.broken(error, true))?;
        if !response.status().is_success() {
            return Err(self.refused(response, style).await);
        }
        let content_type = media_type(response.headers());
        match content_type.as_str() {
            "application/json" => self.read_document(response, on_text).await,
            "text/html" => {
                Err(Failure::Final(self.nonsense("it is a web page, not a chat completion; check OPENAI_BASE_URL")))
            }
            _ => self.read_stream(response, on_text).await,
        }
    }

    async fn read_document(&self, response: Response, on_text: &mut OnText<'_>) -> Result<Reply, Failure> {
        let bytes = self.read_all(response, MAX_DOCUMENT_BYTES).await?;
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|error| self.no_completion(&format!("broken JSON ({error})")))?;
        let mut reading = Reading::default();
        reading.take(self, &value, on_text)?;
        reading.into_reply(self)
    }

    async fn read_stream(&self, response: Response, on_text: &mut OnText<'_>) -> Result<Reply, Failure> {
        let mut stream = response.bytes_stream();
        let mut parser = sse::Parser::default();
        let mut reading = Reading::default();
        let mut wire = 0;
        loop {
            let chunk = timeout(self.patience.idle, stream.next()).await;
            let chunk = chunk.map_err(|_| Failure::Final(self.too_slow(self.patience.idle)))?;
            let events = match chunk {
                Some(Ok(bytes)) => {
                    wire += bytes.len();
                    if wire > MAX_WIRE_BYTES {
                        return Err(Failure::Final(self.too_long()));
                    }
                    parser.feed(&bytes, MAX_DOCUMENT_BYTES).map_err(|sse::TooLong| Failure::Final(self.too_long()))?
                }
                Some(Err(error)) if !reading.finished => return Err(self.broken(error, reading.text.is_empty())),
                // The reply was whole before the connection broke.
                Some(Err(_)) => return reading.into_reply(self),
                None => {
                    if let Some(event) = parser.finish() {
                        reading.event(self, &event, on_text)?;
                    }
                    break;
                }
            };
            for event in events {
                reading.event(self, &event, on_text)?;
            }
            if reading.done {
                return reading.into_reply(self);
            }
        }
        if reading.finished {
            return reading.into_reply(self);
        }
        if reading.events == 0 {
            return Err(self.no_completion("it holds no event of a chat completion"));
        }
        let error = LlmError::Unreachable {
            model: self.model.clone(),
            url: self.shown_url.clone(),
            reason: "the reply ended in its middle".into(),
        };
        Err(if reading.text.is_empty() { Failure::Retry { error, after: None } } else { Failure::Final(error) })
    }

    async fn read_all(&self, response: Response, max: usize) -> Result<Vec<u8>, Failure> {
        let mut stream = response.bytes_stream();
        let mut all = Vec::new();
        loop {
            let chunk = timeout(self.patience.idle, stream.next()).await;
            match chunk.map_err(|_| Failure::Final(self.too_slow(self.patience.idle)))? {
                Some(Ok(bytes)) if all.len() + bytes.len() <= max => all.extend_from_slice(&bytes),
                Some(Ok(_)) => return Err(Failure::Final(self.too_long())),
                Some(Err(error)) => return Err(self.broken(error, true)),
                None => return Ok(all),
            }
        }
    }

    /// What an error status means for the next try.
    async fn refused(&self, response: Response, style: Style) -> Failure {
        let status = response.status();
        let after = retry_after(response.headers());
        let message = match self.error_text(response).await {
            _ if status.is_redirection() => {
                "it redirects to another host; set OPENAI_BASE_URL to where it leads".to_owned()
            }
            text if text.is_empty() => status.canonical_reason().unwrap_or("no message").to_owned(),
            text => text,
        };
        let names = |word: &str| matches!(status.as_u16(), 400 | 422) && message.contains(word);
        let (no_usage, no_stream) =
            (style.stream && style.usage && names("stream_options"), style.stream && names("stream"));
        // Spent credit comes as 429 too, and no pause brings it back.
        let spent = message.contains("insufficient_quota") || message.contains("exceeded your current quota");
        let error = LlmError::Refused { model: self.model.clone(), status: status.as_u16(), message };
        if no_usage {
            Failure::Simplify { error, style: Style { usage: false, ..style } }
        } else if no_stream {
            Failure::Simplify { error, style: Style { stream: false, usage: false } }
        } else if (status == StatusCode::TOO_MANY_REQUESTS && !spent) || status.is_server_error() {
            Failure::Retry { error, after }
        } else {
            Failure::Final(error)
        }
    }

    /// The server's own words about an error: `error.message` of a JSON body, else the body's text.
    async fn error_text(&self, response: Response) -> String {
        let html = media_type(response.headers()) == "text/html";
        let mut stream = response.bytes_stream();
        let mut body = Vec::new();
        while let Ok(Some(Ok(bytes))) = timeout(self.patience.idle, stream.next()).await {
            body.extend_from_slice(&bytes);
            if body.len() > MAX_ERROR_BYTES {
                break;
            }
        }
        match serde_json::from_slice::<Value>(&body) {
            Ok(value) => self.clean(&message_of(&value)),
            Err(_) if html => "(a web page)".to_owned(),
            Err(_) => self.clean(&String::from_utf8_lossy(&body)),
        }
    }

    /// Foreign words, fit to be shown: one line, no control characters, no key, at most 300 characters.
    fn clean(&self, text: &str) -> String {
        let text = match &self.key {
            Some(key) if !key.0.is_empty() => text.replace(&key.0, "[redacted]"),
            _ => text.to_owned(),
        };
        let words: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
        words.join(" ").chars().take(300).collect()
    }

    fn broken(&self, error: reqwest::Error, may_retry: bool) -> Failure {
        if error.is_timeout() && error.is_connect() {
            return Failure::Final(
                self.unreachable(format!("no connection within {} s", self.patience.connect.as_secs())),
            );
        }
        // Nobody listens, or the address is wrong: that seldom mends itself within seconds.
        let hopeless = error.is_connect() || error.is_builder() || error.is_redirect();
        let error = self.unreachable(chain(error));
        if may_retry && !hopeless { Failure::Retry { error, after: None } } else { Failure::Final(error) }
    }

    fn unreachable(&self, reason: String) -> LlmError {
        LlmError::Unreachable { model: self.model.clone(), url: self.shown_url.clone(), reason: self.clean(&reason) }
    }

    fn too_slow(&self, limit: Duration) -> LlmError {
        LlmError::TooSlow { model: self.model.clone(), seconds: limit.as_secs() }
    }

    fn too_long(&self) -> LlmError {
        self.nonsense(&format!("it is longer than {} KiB", MAX_REPLY_BYTES / 1024))
    }

    fn no_completion(&self, what: &str) -> Failure {
        Failure::Final(self.nonsense(&format!("{what}; check that OPENAI_BASE_URL names a server of chat completions")))
    }

    fn nonsense(&self, reason: &str) -> LlmError {
        LlmError::Nonsense { model: self.model.clone(), reason: self.clean(reason) }
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_lowercase()
}

/// Seconds only; dates are as rare as they are wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: f64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok().map(|pause| pause.min(MAX_RETRY_AFTER))
}

/// Doubling pauses of which half is chance, so that many clients don't come back at once.
fn backoff(pause: Duration, retries: u32) -> Duration {
    let full = pause.saturating_mul(1 << retries.min(5));
    full.mul_f64(rand::random_range(0.5..=1.0))
}

/// Follows a few redirects, but never to another host, port or protocol: they would get the prompt.
fn same_origin() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let stays = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
        if stays && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
    })
}

/// A URL without what may be secret in it: user, password, query.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path().trim_end_matches('/'))
}

/// An error and its causes in one line, without the URL, whose query may hold a key.
fn chain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("model", &self.model).field("url", &self.shown_url).finish_non_exhaustive()
    }
}

#[async_trait]
impl Llm for OpenAi {
    fn name(&self) -> &str {
        &self.model
    }

    async fn complete(
        &self,
        request: &Completion,
        on_text: &mut (dyn for<'t> FnMut(&'t str) + Send),
    ) -> Result<Reply, LlmError> {
        let reply = timeout(self.patience.total, self.with_retries(request, on_text)).await;
        reply.unwrap_or_else(|_| Err(self.too_slow(self.patience.total)))
    }
}

#[cfg(test)]
mod tests;
