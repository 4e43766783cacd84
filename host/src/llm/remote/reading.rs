//! Reading: puts a reply together from the events of a stream, or takes it from one document.

use serde_json::Value;

use super::{Failure, MAX_REPLY_BYTES, OnText, Protocol, Remote};
use crate::engine::TokenUsage;
use crate::llm::{LlmError, Reply};

/// A reply as far as it has come.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) text: String,
    /// Bytes of the text that were told.
    told: usize,
    /// Arguments of a tool call: a model may send its program so, unasked.
    call: String,
    usage: TokenUsage,
    /// Events that were parts of a reply.
    pub(super) events: usize,
    /// The server said why it stopped writing.
    pub(super) finished: bool,
    /// Its word for it.
    reason: String,
    /// The server said that nothing follows.
    pub(super) done: bool,
}

impl Reading {
    pub(super) fn event(&mut self, from: &Remote, data: &str, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        // Some servers forget the empty line between events.
        let parsed = serde_json::from_str::<Value>(data);
        let parts: Vec<&str> = if parsed.is_ok() { vec![data] } else { data.lines().collect() };
        for part in parts {
            if part.trim() == "[DONE]" {
                (self.finished, self.done) = (true, true);
                return Ok(());
            }
            let value = serde_json::from_str(part)
                .map_err(|error| from.no_reply(&format!("broken JSON in its stream ({error})")))?;
            self.take(from, &value, on_text)?;
        }
        Ok(())
    }

    /// Reads an event of a stream, or a whole document.
    pub(super) fn take(&mut self, from: &Remote, value: &Value, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        let failed = value.get("error").or_else(|| value.pointer("/response/error")).filter(|error| !error.is_null());
        if failed.is_some() || value["type"] == "error" {
            return Err(self.failure(from, failed.unwrap_or(value)));
        }
        match from.config.protocol {
            Protocol::Chat => self.chat(from, value, on_text),
            Protocol::Responses => self.response(from, value, on_text),
            Protocol::Messages => self.message(from, value, on_text),
        }
    }

    /// An error that the server reports within a reply.
    fn failure(&self, from: &Remote, error: &Value) -> Failure {
        let code = ["status", "code"].iter().find_map(|key| u16::try_from(error.get(key)?.as_u64()?).ok());
        // One server names the trouble in `type`, another in `code`, where `type` is `error`.
        let names = |word: &str| {
            ["type", "code"].iter().filter_map(|key| error.get(key)?.as_str()).any(|kind| kind.contains(word))
        };
        let status = code.unwrap_or(match () {
            () if names("overloaded") => 529,
            () if names("rate_limit") => 429,
            () => 500,
        });
        let passing = ["overloaded", "rate_limit", "server_error", "api_error"].into_iter().any(names);
        let error =
            LlmError::Refused { model: from.config.name.clone(), status, message: from.clean(&message_of(error)) };
        if passing && self.text.is_empty() { Failure::Retry { error, after: None } } else { Failure::Final(error) }
    }

    /// A chunk of a stream or a whole completion; they differ in `delta` and `message` only.
    fn chat(&mut self, from: &Remote, value: &Value, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        self.count(&value["usage"], "prompt_tokens", "completion_tokens");
        let Some(choices) = value.get("choices").and_then(Value::as_array) else { return Ok(()) };
        self.events += 1;
        let Some(choice) = choices.first() else { return Ok(()) };
        self.finish(&choice["finish_reason"]);
        let Some(message) = choice.get("delta").or_else(|| choice.get("message")) else { return Ok(()) };
        for text in [&message["content"], &message["refusal"]].into_iter().flat_map(texts) {
            self.add(from, text, on_text)?;
        }
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            self.add_call(from, call.pointer("/function/arguments"))?;
        }
        Ok(())
    }

    /// An event of a stream of a response, or a whole one.
    fn response(&mut self, from: &Remote, value: &Value, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        let kind = value["type"].as_str().unwrap_or_default();
        match kind {
            "response.output_text.delta" | "response.refusal.delta" => {
                self.events += 1;
                if let Some(text) = value["delta"].as_str() {
                    self.add(from, text, on_text)?;
                }
            }
            "response.function_call_arguments.delta" => {
                self.events += 1;
                self.add_call(from, value.get("delta"))?;
            }
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.events += 1;
                (self.finished, self.done) = (true, true);
                let response = &value["response"];
                self.finish(&response["incomplete_details"]["reason"]);
                self.count(&response["usage"], "input_tokens", "output_tokens");
                if self.text.is_empty() && self.call.is_empty() {
                    self.output(from, response, on_text)?;
                }
            }
            kind if kind.starts_with("response.") => self.events += 1,
            _ => {
                if !value["output"].is_array() {
                    return Ok(());
                }
                self.events += 1;
                self.finished = true;
                self.finish(&value["incomplete_details"]["reason"]);
                self.count(&value["usage"], "input_tokens", "output_tokens");
                self.output(from, value, on_text)?;
            }
        }
        Ok(())
    }

    /// What a whole response holds, without what the model thought.
    fn output(&mut self, from: &Remote, response: &Value, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        let items = response["output"].as_array().into_iter().flatten();
        for item in items.filter(|item| item["type"] != "reasoning") {
            for part in item["content"].as_array().into_iter().flatten() {
                if let Some(text) = part["text"].as_str().or_else(|| part["refusal"].as_str()) {
                    self.add(from, text, on_text)?;
                }
            }
            self.add_call(from, item.get("arguments"))?;
        }
        Ok(())
    }

    /// Notes why the server stopped writing, if it says so.
    fn finish(&mut self, reason: &Value) {
        if let Some(reason) = reason.as_str() {
            self.finished = true;
            reason.clone_into(&mut self.reason);
        }
    }

    /// An event of a stream of a message, or a whole one.
    fn message(&mut self, from: &Remote, value: &Value, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        match value["type"].as_str().unwrap_or_default() {
            "message_start" => {
                self.events += 1;
                self.count(&value["message"]["usage"], "input_tokens", "output_tokens");
            }
            "content_block_start" => {
                if let Some(text) = value["content_block"]["text"].as_str() {
                    self.add(from, text, on_text)?;
                }
            }
            "content_block_delta" => {
                if let Some(text) = value["delta"]["text"].as_str() {
                    self.add(from, text, on_text)?;
                }
                self.add_call(from, value["delta"].get("partial_json"))?;
            }
            "message_delta" => {
                self.finish(&value["delta"]["stop_reason"]);
                self.count(&value["usage"], "input_tokens", "output_tokens");
            }
            "message_stop" => (self.finished, self.done) = (true, true),
            "message" => {
                self.events += 1;
                self.finished = true;
                self.finish(&value["stop_reason"]);
                self.count(&value["usage"], "input_tokens", "output_tokens");
                for block in value["content"].as_array().into_iter().flatten() {
                    if let Some(text) = block["text"].as_str() {
                        self.add(from, text, on_text)?;
                    }
                    if block["input"].is_object() {
                        self.add_call(from, Some(&Value::String(block["input"].to_string())))?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes over the counts that are there; streams bring them in pieces.
    fn count(&mut self, usage: &Value, input: &str, output: &str) {
        for (key, count) in [(input, &mut self.usage.input_tokens), (output, &mut self.usage.output_tokens)] {
            if let Some(tokens) = usage.get(key).and_then(Value::as_u64) {
                *count = tokens;
            }
        }
    }

    fn add(&mut self, from: &Remote, text: &str, on_text: &mut OnText<'_>) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        if self.text.len() + self.call.len() + text.len() > MAX_REPLY_BYTES {
            return Err(Failure::Final(from.too_long()));
        }
        self.text.push_str(text);
        let clean = from.secrets.hide_in_reply(&self.text[self.told..]);
        self.text.truncate(self.told);
        self.text.push_str(&clean);
        let end = self.text.len() - from.secrets.held_back(&clean);
        self.tell(end, on_text);
        Ok(())
    }

    /// Tells the text up to there.
    fn tell(&mut self, end: usize, on_text: &mut OnText<'_>) {
        if end > self.told {
            on_text(&self.text[self.told..end]);
            self.told = end;
        }
    }

    fn add_call(&mut self, from: &Remote, arguments: Option<&Value>) -> Result<(), Failure> {
        let Some(arguments) = arguments.and_then(Value::as_str) else { return Ok(()) };
        if self.text.len() + self.call.len() + arguments.len() > MAX_REPLY_BYTES {
            return Err(Failure::Final(from.too_long()));
        }
        self.call.push_str(arguments);
        Ok(())
    }

    pub(super) fn into_reply(mut self, from: &Remote, on_text: &mut OnText<'_>) -> Result<Reply, Failure> {
        if self.events == 0 {
            return Err(from.no_reply("it holds no reply"));
        }
        self.tell(self.text.len(), on_text);
        if !self.call.trim().is_empty() {
            // As JSON after the prose, which is one of the forms that a program is looked for in.
            self.text = format!("{}\n{}\n", self.text.trim_end(), from.secrets.hide_in_reply(&self.call));
        }
        let truncated = matches!(self.reason.as_str(), "length" | "max_tokens" | "max_output_tokens");
        if self.text.trim().is_empty() {
            return Err(Failure::Final(from.nonsense(match self.reason.as_str() {
                _ if truncated => "it reached its limit of tokens before its first word; raise max_output_tokens",
                "refusal" | "content_filter" => "it is empty, since the server refuses to answer this",
                _ => "it is empty",
            })));
        }
        let usage = TokenUsage { calls: 1, ..self.usage };
        Ok(Reply { text: self.text, usage: from.priced(usage), truncated })
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
