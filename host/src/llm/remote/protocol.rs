//! Protocols: what the three kinds of servers want to be asked.

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{RemoteConfig, Style};
use crate::llm::{Completion, MessageRole};

/// Tokens of a reply where the protocol demands a number and none is configured.
const MESSAGES_TOKENS: u64 = 8192;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// OpenAI's chat completions, which most servers speak.
    #[serde(rename = "openai-chat")]
    Chat,
    /// OpenAI's responses.
    #[serde(rename = "openai-responses")]
    Responses,
    /// Anthropic's messages.
    #[serde(rename = "anthropic")]
    Messages,
}

impl Protocol {
    /// As it is written in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Chat => "openai-chat",
            Protocol::Responses => "openai-responses",
            Protocol::Messages => "anthropic",
        }
    }

    /// Where its first server is, up to the version.
    #[must_use]
    pub fn base_url(self) -> &'static str {
        match self {
            Protocol::Chat | Protocol::Responses => "https://api.openai.com/v1",
            Protocol::Messages => "https://api.anthropic.com/v1",
        }
    }

    /// What a reply of it is called.
    pub(super) fn noun(self) -> &'static str {
        match self {
            Protocol::Chat => "chat completion",
            Protocol::Responses => "response",
            Protocol::Messages => "message",
        }
    }

    /// The address of the service below a base URL, which may name it already.
    pub(super) fn locate(self, url: &mut Url) {
        let service = match self {
            Protocol::Chat => "/chat/completions",
            Protocol::Responses => "/responses",
            Protocol::Messages => "/messages",
        };
        let path = url.path().trim_end_matches('/').to_owned();
        if path.ends_with(service) {
            return;
        }
        // Tools of Anthropic's leave the version to the client.
        let version = if self == Protocol::Messages && !path.ends_with("/v1") { "/v1" } else { "" };
        url.set_path(&format!("{path}{version}{service}"));
    }

    /// The header that carries the key, and what stands before it there.
    pub(super) fn key_header(self) -> (&'static str, &'static str) {
        match self {
            Protocol::Chat | Protocol::Responses => ("authorization", "Bearer "),
            Protocol::Messages => ("x-api-key", ""),
        }
    }

    /// Headers that every request has.
    pub(super) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Protocol::Messages => &[("anthropic-version", "2023-06-01")],
            _ => &[],
        }
    }

    /// The request's body.
    pub(super) fn body(self, config: &RemoteConfig, request: &Completion, style: Style) -> Value {
        let mut body = Map::new();
        body.insert("model".into(), config.model.clone().into());
        body.insert("stream".into(), style.stream.into());
        if let Some(temperature) = config.temperature {
            body.insert("temperature".into(), temperature.into());
        }
        match self {
            Protocol::Chat => {
                body.insert("messages".into(), messages(request, true));
                if style.stream && style.usage {
                    body.insert("stream_options".into(), json!({ "include_usage": true }));
                }
                if let Some(tokens) = config.max_output_tokens {
                    // OpenAI's own models refuse the older name, and other servers do not know the newer one.
                    let own = config.base_url.contains("://api.openai.com/");
                    body.insert(if own { "max_completion_tokens" } else { "max_tokens" }.into(), tokens.into());
                }
                if let Some(effort) = &config.reasoning_effort {
                    body.insert("reasoning_effort".into(), effort.clone().into());
                }
            }
            Protocol::Responses => {
                body.insert("input".into(), messages(request, true));
                // Nothing of a question is to be kept there.
                body.insert("store".into(), false.into());
                if let Some(tokens) = config.max_output_tokens {
                    body.insert("max_output_tokens".into(), tokens.into());
                }
                if let Some(effort) = &config.reasoning_effort {
                    body.insert("reasoning".into(), json!({ "effort": effort }));
                }
            }
            Protocol::Messages => {
                let system: Vec<&str> = request
                    .messages
                    .iter()
                    .filter(|message| message.role == MessageRole::System)
                    .map(|message| message.content.as_str())
                    .collect();
                if !system.is_empty() {
                    body.insert("system".into(), system.join("\n\n").into());
                }
                body.insert("messages".into(), messages(request, false));
                body.insert("max_tokens".into(), config.max_output_tokens.unwrap_or(MESSAGES_TOKENS).into());
            }
        }
        Value::Object(body)
    }
}

fn messages(request: &Completion, with_system: bool) -> Value {
    let messages = request.messages.iter().filter(|message| with_system || message.role != MessageRole::System);
    messages
        .map(|message| {
            let role = match message.role {
                MessageRole::System => "system",
                MessageRole::User => "user",
                MessageRole::Assistant => "assistant",
            };
            json!({ "role": role, "content": message.content })
        })
        .collect()
}
