//! Remote models over HTTP, at any base URL: OpenAI's chat completions (OpenAI, Azure, vLLM, Ollama, llama.cpp …),
//! OpenAI's responses, Anthropic's messages. One transport for all; what they say differs in `protocol` and `reading`.
//!
//! The server is not trusted: its replies are bounded in size and time, its words are cleaned before
//! they are shown, it cannot send us to another host, and the key goes nowhere but into its header.

mod protocol;
mod reading;
mod redact;

use std::error::Error as _;
use std::fmt;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::StreamExt as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::breaker::Breaker;
use super::secret::Secret;
use super::sse;
use super::{Completion, Llm, LlmError, Reply};
use crate::engine::TokenUsage;
pub use protocol::Protocol;
use reading::{Reading, message_of};
use redact::Secrets;

/// Bytes of a reply's text.
const MAX_REPLY_BYTES: usize = 1024 * 1024;
/// Bytes on the wire for one reply: a stream spends some 200 bytes on each token.
const MAX_WIRE_BYTES: usize = 128 * 1024 * 1024;
/// Bytes of a reply that is one JSON document, and of one event of a stream.
const MAX_DOCUMENT_BYTES: usize = 8 * 1024 * 1024;
const MAX_ERROR_BYTES: usize = 16 * 1024;
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 3;

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
    /// Before the first retry; doubles with each, half of it is chance. Default 1 s. `Retry-After` counts instead; beyond 30 s
    /// there is no retry.
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
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteConfig {
    /// What the model is called here.
    pub name: String,
    /// What the server calls it.
    pub model: String,
    /// What the server speaks.
    pub protocol: Protocol,
    /// Up to the version, such as `https://api.openai.com/v1`.
    pub base_url: String,
    /// Local servers need none.
    pub key: Option<Secret>,
    /// Where the key is from, for people: the name of a variable or a file.
    pub key_source: String,
    /// Where the base URL is set, for error messages, such as `OPENAI_BASE_URL`.
    pub setting: String,
    /// The header that carries the key, if it is another than usual; the key then stands there alone.
    pub key_header: Option<String>,
    /// Further headers; their values may be secret.
    pub headers: Vec<(String, Secret)>,
    /// How freely it writes; the server's default if absent.
    pub temperature: Option<f64>,
    /// Tokens of a reply; the server's limit if absent.
    pub max_output_tokens: Option<u64>,
    /// How much it thinks, such as `low`; the server's default if absent.
    pub reasoning_effort: Option<String>,
    /// US dollars for a million tokens, sent and received.
    pub price: Option<(f64, f64)>,
    /// How long to wait, and how often to try.
    pub patience: Patience,
}

impl RemoteConfig {
    /// A model of the protocol's own server, without a key.
    #[must_use]
    pub fn new(protocol: Protocol, model: &str) -> RemoteConfig {
        RemoteConfig {
            name: model.to_owned(),
            model: model.to_owned(),
            protocol,
            base_url: protocol.base_url().to_owned(),
            key: None,
            key_source: String::new(),
            setting: "base_url".to_owned(),
            key_header: None,
            headers: Vec::new(),
            temperature: None,
            max_output_tokens: None,
            reasoning_effort: None,
            price: None,
            patience: Patience::default(),
        }
    }
}

/// A model behind a server.
pub struct Remote {
    config: RemoteConfig,
    url: Url,
    shown_url: String,
    headers: HeaderMap,
    client: Client,
    breaker: Breaker,
    secrets: Secrets,
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

impl Remote {
    /// Sets a model up. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`LlmError::Misconfigured`] if the base URL, the key or a header can't be used.
    pub fn new(config: RemoteConfig) -> Result<Remote, LlmError> {
        let bad_url = |reason: &str| LlmError::Misconfigured { setting: config.setting.clone(), reason: reason.into() };
        let mut url = Url::parse(&config.base_url).map_err(|error| bad_url(&format!("is no URL ({error})")))?;
        if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
            return Err(bad_url(
                "must start with http:// or https:// and name a host, such as http://127.0.0.1:11434/v1",
            ));
        }
        let headers = headers(&config)?;
        let shown_url = shown(&url);
        let secrets = Secrets::of(&config, &url);
        url.set_fragment(None);
        config.protocol.locate(&mut url);
        let local = url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
        if url.scheme() == "http" && config.key.is_some() && !local {
            tracing::warn!(url = shown_url, key = config.key_source, "the key is sent without encryption; use https");
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
            model: config.name.clone(),
            url: shown_url.clone(),
            setting: config.setting.clone(),
            reason: chain(error),
        })?;
        Ok(Remote { config, url, shown_url, headers, client, breaker: Breaker::default(), secrets })
    }

    /// What it was set up with.
    #[must_use]
    pub fn config(&self) -> &RemoteConfig {
        &self.config
    }

    /// The server's URL without what may be secret in it.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.shown_url
    }

    /// What the tokens cost by the configured prices.
    fn priced(&self, usage: TokenUsage) -> TokenUsage {
        // A dollar for a million tokens is a millionth of a dollar for one.
        let cost =
            |(input, output): (f64, f64)| usage.input_tokens as f64 * input + usage.output_tokens as f64 * output;
        TokenUsage { cost_micro_usd: self.config.price.map_or(0.0, cost).round() as u64, ..usage }
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
                    tracing::debug!(model = self.config.name, %error, "asking again with a simpler request");
                    style = simpler;
                }
                Err(Failure::Retry { error, .. }) if retries >= self.patience().retries => return Err(error),
                Err(Failure::Retry { error, after }) => {
                    let pause = after.unwrap_or_else(|| backoff(self.patience().pause, retries));
                    retries += 1;
                    tracing::warn!(model = self.config.name, %error, retries, pause_ms = pause.as_millis(), "asking again");
                    sleep(pause).await;
                }
            }
        }
    }

    async fn once(&self, request: &Completion, style: Style, on_text: &mut OnText<'_>) -> Result<Reply, Failure> {
        let body = self.config.protocol.body(&self.config, request, style);
        let call = self.client.post(self.url.clone()).headers(self.headers.clone()).json(&body);
        let response = timeout(self.patience().idle, call.send()).await;
        let response = response.map_err(|_| Failure::Final(self.too_slow(self.patience().idle)))?;
        let response = response.map_err(|error| self.broken(error, true))?;
        if !response.status().is_success() {
            return Err(self.refused(response, style).await);
        }
        let content_type = media_type(response.headers());
        match content_type.as_str() {
            "application/json" => self.read_document(response, on_text).await,
            "text/html" => {
                let what =
                    format!("it is a web page, not a {}; check {}", self.config.protocol.noun(), self.config.setting);
                Err(Failure::Final(self.nonsense(&what)))
            }
            _ => self.read_stream(response, on_text).await,
        }
    }

    async fn read_document(&self, response: Response, on_text: &mut OnText<'_>) -> Result<Reply, Failure> {
        let bytes = self.read_all(response, MAX_DOCUMENT_BYTES).await?;
        let value: Value =
            serde_json::from_slice(&bytes).map_err(|error| self.no_reply(&format!("broken JSON ({error})")))?;
        let mut reading = Reading::default();
        reading.take(self, &value, on_text)?;
        reading.into_reply(self, on_text)
    }

    async fn read_stream(&self, response: Response, on_text: &mut OnText<'_>) -> Result<Reply, Failure> {
        let mut stream = response.bytes_stream();
        let mut parser = sse::Parser::default();
        let mut reading = Reading::default();
        let mut wire = 0;
        loop {
            let chunk = timeout(self.patience().idle, stream.next()).await;
            let chunk = chunk.map_err(|_| Failure::Final(self.too_slow(self.patience().idle)))?;
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
                Some(Err(_)) => return reading.into_reply(self, on_text),
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
                return reading.into_reply(self, on_text);
            }
        }
        if reading.finished {
            return reading.into_reply(self, on_text);
        }
        if reading.events == 0 {
            return Err(self.no_reply(&format!("it holds no event of a {}", self.config.protocol.noun())));
        }
        let error = LlmError::Unreachable {
            model: self.config.name.clone(),
            url: self.shown_url.clone(),
            setting: self.config.setting.clone(),
            reason: "the reply ended in its middle".into(),
        };
        Err(if reading.text.is_empty() { Failure::Retry { error, after: None } } else { Failure::Final(error) })
    }

    async fn read_all(&self, response: Response, max: usize) -> Result<Vec<u8>, Failure> {
        let mut stream = response.bytes_stream();
        let mut all = Vec::new();
        loop {
            let chunk = timeout(self.patience().idle, stream.next()).await;
            match chunk.map_err(|_| Failure::Final(self.too_slow(self.patience().idle)))? {
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
                format!("it redirects to another host; set {} to where it leads", self.config.setting)
            }
            text if text.is_empty() => status.canonical_reason().unwrap_or("no message").to_owned(),
            text => text,
        };
        let names = |word: &str| matches!(status.as_u16(), 400 | 422) && message.contains(word);
        let (no_usage, no_stream) =
            (style.stream && style.usage && names("stream_options"), style.stream && names("stream"));
        // Spent credit comes as 429 too, and no pause brings it back.
        let spent = message.contains("insufficient_quota") || message.contains("exceeded your current quota");
        let error = LlmError::Refused { model: self.config.name.clone(), status: status.as_u16(), message };
        if no_usage {
            Failure::Simplify { error, style: Style { usage: false, ..style } }
        } else if no_stream {
            Failure::Simplify { error, style: Style { stream: false, usage: false } }
        } else if after.is_some_and(|pause| pause > MAX_RETRY_AFTER) {
            // Before that it would only be refused again.
            Failure::Final(error)
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
        while let Ok(Some(Ok(bytes))) = timeout(self.patience().idle, stream.next()).await {
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

    /// Foreign words, fit to be shown: one line, no control characters, no secret, at most 300 characters.
    fn clean(&self, text: &str) -> String {
        let text = self.secrets.hide(text);
        let words: Vec<&str> =
            text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
        words.join(" ").chars().take(300).collect()
    }

    fn broken(&self, error: reqwest::Error, may_retry: bool) -> Failure {
        if error.is_timeout() && error.is_connect() {
            return Failure::Final(
                self.unreachable(format!("no connection within {} s", self.patience().connect.as_secs())),
            );
        }
        // Nobody listens, or the address is wrong: that seldom mends itself within seconds.
        let hopeless = error.is_connect() || error.is_builder() || error.is_redirect();
        let error = self.unreachable(chain(error));
        if may_retry && !hopeless { Failure::Retry { error, after: None } } else { Failure::Final(error) }
    }

    fn unreachable(&self, reason: String) -> LlmError {
        LlmError::Unreachable {
            model: self.config.name.clone(),
            url: self.shown_url.clone(),
            setting: self.config.setting.clone(),
            reason: self.clean(&reason),
        }
    }

    fn too_slow(&self, limit: Duration) -> LlmError {
        LlmError::TooSlow { model: self.config.name.clone(), seconds: limit.as_secs() }
    }

    fn too_long(&self) -> LlmError {
        self.nonsense(&format!("it is longer than {} KiB", MAX_REPLY_BYTES / 1024))
    }

    fn no_reply(&self, what: &str) -> Failure {
        let (setting, noun) = (&self.config.setting, self.config.protocol.noun());
        Failure::Final(self.nonsense(&format!("{what}; check that {setting} names a server of {noun}s")))
    }

    fn patience(&self) -> Patience {
        self.config.patience
    }

    fn nonsense(&self, reason: &str) -> LlmError {
        LlmError::Nonsense { model: self.config.name.clone(), reason: self.clean(reason) }
    }
}

fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_lowercase()
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds: f64 = match value.parse() {
        Ok(seconds) => seconds,
        Err(_) => {
            let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
            at.duration_since(jiff::Timestamp::now()).as_secs_f64().max(0.0)
        }
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// The headers of every request. What may be secret is marked, so that nothing that prints headers shows it.
fn headers(config: &RemoteConfig) -> Result<HeaderMap, LlmError> {
    let mut all = HeaderMap::new();
    let bad = |setting: &str, reason: &str| LlmError::Misconfigured { setting: setting.into(), reason: reason.into() };
    let name = |name: &str| {
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(&format!("header `{name}`"), "is no name of a header"))
    };
    for (key, value) in config.protocol.headers() {
        all.insert(HeaderName::from_static(key), HeaderValue::from_static(value));
    }
    for (key, value) in &config.headers {
        let value = HeaderValue::from_str(value.expose());
        let mut value = value.map_err(|_| bad(&format!("header `{key}`"), "has a value that cannot be sent"))?;
        value.set_sensitive(true);
        all.insert(name(key)?, value);
    }
    if let Some(key) = &config.key {
        if key.expose().chars().any(|c| !c.is_ascii_graphic()) {
            return Err(bad(&config.key_source, "has characters that no key has; copy it again"));
        }
        let (header, before) = match &config.key_header {
            Some(header) => (name(header)?, ""),
            None => {
                let (header, before) = config.protocol.key_header();
                (HeaderName::from_static(header), before)
            }
        };
        let value = HeaderValue::from_str(&format!("{before}{}", key.expose()));
        let mut value = value.map_err(|_| bad(&config.key_source, "cannot be sent in a header"))?;
        value.set_sensitive(true);
        all.insert(header, value);
    }
    Ok(all)
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

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("name", &self.config.name).field("url", &self.shown_url).finish_non_exhaustive()
    }
}

/// Whether an error is the server's trouble, not the request's.
fn is_trouble(error: &LlmError) -> bool {
    match error {
        LlmError::Unreachable { .. } | LlmError::TooSlow { .. } => true,
        LlmError::Refused { status, .. } => *status >= 500,
        _ => false,
    }
}

#[async_trait]
impl Llm for Remote {
    fn name(&self) -> &str {
        &self.config.name
    }

    async fn complete(
        &self,
        request: &Completion,
        on_text: &mut (dyn for<'t> FnMut(&'t str) + Send),
    ) -> Result<Reply, LlmError> {
        self.breaker.admit(Instant::now()).map_err(|pause| LlmError::Resting {
            model: self.config.name.clone(),
            url: self.shown_url.clone(),
            seconds: pause.as_secs() + 1,
        })?;
        let reply = timeout(self.patience().total, self.with_retries(request, on_text)).await;
        let reply = reply.unwrap_or_else(|_| Err(self.too_slow(self.patience().total)));
        match &reply {
            Err(error) if is_trouble(error) => self.breaker.failed(Instant::now()),
            _ => self.breaker.succeeded(),
        }
        reply
    }
}

#[cfg(test)]
mod tests;
