//! Recorded: replays replies from a list, so that tests need no network and no luck.

use std::path::Path;
use std::sync::Mutex;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Completion, Llm, LlmError, Purpose, Reply};
use crate::engine::TokenUsage;

/// Largest recording that is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// One reply and what it replies to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedReply {
    /// The kind of completion that gets it.
    pub purpose: Purpose,
    /// All of the text.
    pub text: String,
    /// What it pretends to have cost.
    #[serde(default)]
    pub usage: TokenUsage,
    /// It pretends to have met the limit of tokens.
    #[serde(default)]
    pub truncated: bool,
}

/// A model that knows its replies beforehand: each completion gets the next unused one of its purpose.
#[derive(Debug)]
pub struct Recorded {
    name: String,
    replies: Vec<RecordedReply>,
    used: Mutex<[usize; 3]>,
}

impl Recorded {
    /// Replays these replies.
    #[must_use]
    pub fn new(replies: Vec<RecordedReply>) -> Recorded {
        Recorded { name: "recorded".to_owned(), replies, used: Mutex::new([0; 3]) }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, name: &str) -> Recorded {
        Recorded { name: name.to_owned(), ..self }
    }

    /// Replays a JSON file: a list of `{"purpose": "generate" | "repair" | "explain", "text": "…"}`.
    ///
    /// # Errors
    ///
    /// [`LlmError::Misconfigured`] if the file cannot be read or is no such list.
    pub fn from_file(path: &Path) -> Result<Recorded, LlmError> {
        let broken = |reason: String| LlmError::Misconfigured {
            setting: "recording".into(),
            reason: format!("{}: {reason}; it must be a JSON list of {{\"purpose\", \"text\"}}", path.display()),
        };
        let size = std::fs::metadata(path).map_err(|error| broken(error.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(broken(format!("is larger than {} MiB", MAX_BYTES / 1024 / 1024)));
        }
        let text = std::fs::read_to_string(path).map_err(|error| broken(error.to_string()))?;
        Ok(Recorded::new(serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?))
    }

    fn next(&self, purpose: Purpose) -> Result<&RecordedReply, LlmError> {
        // A panic elsewhere cannot leave the counters half written.
        let mut used = self.used.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = &mut used[purpose as usize];
        let reply = self.replies.iter().filter(|reply| reply.purpose == purpose).nth(*count);
        let reply = reply.ok_or(LlmError::Exhausted { purpose, used: *count })?;
        *count += 1;
        Ok(reply)
    }
}

#[async_trait]
impl Llm for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    async fn complete(
        &self,
        request: &Completion,
        on_text: &mut (dyn for<'t> FnMut(&'t str) + Send),
    ) -> Result<Reply, LlmError> {
        let reply = self.next(request.purpose)?;
        // In lines, as a stream would come.
        reply.text.split_inclusive('\n').for_each(on_text);
        let usage = TokenUsage { calls: reply.usage.calls.max(1), ..reply.usage };
        Ok(Reply { text: reply.text.clone(), usage, truncated: reply.truncated })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(purpose: Purpose) -> Completion {
        Completion { purpose, messages: Vec::new(), context: crate::llm::PlanContext::default() }
    }

    #[tokio::test]
    async fn replies_come_in_order_within_their_purpose_and_then_run_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let list = r#"[{"purpose":"generate","text":"a\nb"},{"purpose":"explain","text":"c"},{"purpose":"generate","text":"d"}]"#;
        std::fs::write(file.path(), list).unwrap();
        let model = Recorded::from_file(file.path()).unwrap();
        let mut heard = Vec::new();
        let mut on_text = |text: &str| heard.push(text.to_owned());
        assert_eq!(model.complete(&ask(Purpose::Generate), &mut on_text).await.unwrap().text, "a\nb");
        assert_eq!(model.complete(&ask(Purpose::Generate), &mut on_text).await.unwrap().text, "d");
        assert_eq!(model.complete(&ask(Purpose::Explain), &mut on_text).await.unwrap().usage.calls, 1);
        let error = model.complete(&ask(Purpose::Generate), &mut on_text).await.unwrap_err();
        assert!(matches!(error, LlmError::Exhausted { used: 2, .. }), "{error}");
        assert_eq!(heard, ["a\n", "b", "d", "c"]);
    }

    #[test]
    fn a_broken_recording_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "{").unwrap();
        let error = Recorded::from_file(file.path()).unwrap_err().to_string();
        assert!(error.starts_with("recording: ") && error.contains("JSON list"), "{error}");
        assert!(Recorded::from_file(Path::new("/nonexistent.json")).is_err());
    }
}
