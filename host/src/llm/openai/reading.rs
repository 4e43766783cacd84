//! Reading: puts a reply together from the chunks of a stream, or takes it from one document.

use serde_json::Value;

use super::{Failure, MAX_REPLY_BYTES, OnText, OpenAi};
use crate::engine::TokenUsage;
use crate::llm::{LlmError, Reply};

/// A reply as far as it has come.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) text: String,
    usage: TokenUsage,
    /// Events that were chunks of a completion.
    pub(super) events: usize,
    /// The server said why it stopped writing.
    pub(super) finished: bool,
    /// The server said that nothing follows.
    pub(super) done: bool,
}

impl Reading {
    pub(super) fn event(&mut self, from: &OpenAi, data: &str, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        // Some servers forget the empty line between events.
        let parsed = serde_json::from_str::<Value>(data);
        let parts: Vec<&str> = if parsed.is_ok() { vec![data] } else { data.lines().collect() };
        for part in parts {
            if part.trim() == "[DONE]" {
                (self.finished, self.done) = (true, true);
                return Ok(());
            }
            let value = serde_json::from_str(part)
                .map_err(|error| from.no_completion(&format!("broken JSON in its stream ({error})")))?;
            self.take(from, &value, on_text)?;
        }
        Ok(())
    }

    /// Reads a chunk of a stream or a whole completion; they differ in `delta` and `message` only.
    pub(super) fn take(&mut self, from: &OpenAi, value: &Value, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
            let code = ["status", "code"].iter().find_map(|key| u16::try_from(error.get(key)?.as_u64()?).ok());
            let message = from.clean(&message_of(value));
            return Err(Failure::Final(LlmError::Refused {
                model: from.model.clone(),
                status: code.unwrap_or(500),
                message,
            }));
        }
        if let Some(usage) = value.get("usage").filter(|usage| usage.is_object()) {
            let tokens = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
            self.usage.input_tokens = tokens("prompt_tokens");
            self.usage.output_tokens = tokens("completion_tokens");
        }
        let Some(choices) = value.get("choices").and_then(Value::as_array) else { return Ok(()) };
        self.events += 1;
        let Some(choice) = choices.first() else { return Ok(()) };
        self.finished |= choice.get("finish_reason").is_some_and(Value::is_string);
        let Some(message) = choice.get("delta").or_else(|| choice.get("message")) else { return Ok(()) };
        for text in [&message["content"], &message["refusal"]].into_iter().flat_map(texts) {
            if self.text.len() + text.len() > MAX_REPLY_BYTES {
                return Err(Failure::Final(from.too_long()));
            }
            self.text.push_str(text);
            on_text(text);
        }
        Ok(())
    }

    pub(super) fn into_reply(self, from: &OpenAi) -> Result<Reply, Failure> {
        if self.events == 0 {
            return Err(from.no_completion("it has no `choices`"));
        }
        if self.text.trim().is_empty() {
            return Err(Failure::Final(from.nonsense("it is empty")));
        }
        Ok(Reply { text: self.text, usage: TokenUsage { calls: 1, ..self.usage } })
    }
}

/// The text of a `content`: a string, or a list of parts.
fn texts(content: &Value) -> Vec<&str> {
    match content {
        Value::String(text) if !text.is_empty() => vec![text],
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).filter(|text| !text.is_empty()).collect()
        }
        _ => Vec::new(),
    }
}

/// The message of an error body in the forms that servers give it.
pub(super) fn message_of(value: &Value) -> String {
    let error = value.get("error").unwrap_or(value);
    let message = ["message", "detail"].iter().find_map(|key| error.get(key)?.as_str());
    let code = error.get("code").and_then(Value::as_str).map(|code| format!(" ({code})")).unwrap_or_default();
    match message.or_else(|| error.as_str()) {
        Some(message) => format!("{message}{code}"),
        None => error.to_string(),
    }
}
