//! Models: which models there are and which one answers when none is named.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::builtin::Builtin;
use super::recorded::Recorded;
use super::remote::{Remote, RemoteConfig};
use super::settings::ModelsConfig;
use super::{Completion, Llm, LlmError, Message, MessageRole, PlanContext, Purpose, Reply};

/// The configured models by name. `builtin` is always there. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    entries: Arc<[Entry]>,
    default: Arc<str>,
}

struct Entry {
    provider: &'static str,
    model: Arc<dyn Llm>,
    /// Of a server's model.
    remote: Option<RemoteFacts>,
}

/// What users may know of a server's model.
#[derive(Clone)]
struct RemoteFacts {
    server: String,
    config: RemoteConfig,
}

/// A model as shown to users. Holds no secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelInfo {
    /// What to ask for.
    pub name: String,
    /// `builtin`, `recorded`, `openai-chat` (any server that speaks its chat completions), `openai-responses` or
    /// `anthropic`.
    pub provider: String,
    /// True for the model that answers when none is named.
    pub default: bool,
    /// What its server calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Base URL of its server, without what may be secret in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Where its key is from: the name of a variable or a file; absent without key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// US dollars for a million tokens sent, if configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_input_usd_per_mtok: Option<f64>,
    /// US dollars for a million tokens received, if configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_output_usd_per_mtok: Option<f64>,
}

impl Models {
    /// The models of a file, if there is one, and of the environment; see [`ModelsConfig::load`].
    ///
    /// # Errors
    ///
    /// As [`ModelsConfig::load`] and [`Models::from_config`].
    pub fn load(file: Option<&Path>) -> Result<Models, LlmError> {
        Models::from_config(ModelsConfig::load(file)?)
    }

    /// Sets models up. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`LlmError::Misconfigured`] for a base URL, a name or a recording that can't be used,
    /// [`LlmError::Unknown`] for a default that doesn't exist.
    pub fn from_config(config: ModelsConfig) -> Result<Models, LlmError> {
        let mut entries = vec![Entry { provider: "builtin", model: Arc::new(Builtin::new()), remote: None }];
        for (name, path) in &config.recorded {
            let model = Recorded::from_file(path)?.named(name);
            entries.push(Entry { provider: "recorded", model: Arc::new(model), remote: None });
        }
        let usual = config.remote.first().map_or("builtin", |remote| remote.name.as_str()).to_owned();
        for remote in config.remote {
            let provider = remote.protocol.name();
            let model = Remote::new(remote.clone())?;
            let facts = RemoteFacts { server: model.server().to_owned(), config: remote };
            entries.push(Entry { provider, model: Arc::new(model), remote: Some(facts) });
        }
        let models = Models { entries: entries.into(), default: config.default.unwrap_or(usual).into() };
        models.check()
    }

    /// These models and `builtin`, the first of them the default: for tests and embedding.
    ///
    /// # Errors
    ///
    /// [`LlmError::Misconfigured`] if two have the same name.
    pub fn of(models: Vec<Arc<dyn Llm>>) -> Result<Models, LlmError> {
        let default = models.first().map_or("builtin", |model| model.name()).into();
        let builtin: Arc<dyn Llm> = Arc::new(Builtin::new());
        let given = models.into_iter().map(|model| Entry { provider: "custom", model, remote: None });
        let entries =
            std::iter::once(Entry { provider: "builtin", model: builtin, remote: None }).chain(given).collect();
        Models { entries, default }.check()
    }

    fn check(self) -> Result<Models, LlmError> {
        for (number, entry) in self.entries.iter().enumerate() {
            let name = entry.model.name();
            if self.entries[..number].iter().any(|earlier| earlier.model.name() == name) {
                let reason = "two models have this name; give one of them another".into();
                return Err(LlmError::Misconfigured { setting: format!("model `{name}`"), reason });
            }
        }
        self.get(None)?;
        Ok(self)
    }

    /// The model of that name, or the default.
    ///
    /// # Errors
    ///
    /// [`LlmError::Unknown`], which lists what there is.
    pub fn get(&self, name: Option<&str>) -> Result<Arc<dyn Llm>, LlmError> {
        let name = name.unwrap_or(&self.default);
        let entry = self.entries.iter().find(|entry| entry.model.name() == name);
        entry.map(|entry| Arc::clone(&entry.model)).ok_or_else(|| LlmError::Unknown {
            name: name.chars().filter(|c| !c.is_control()).take(100).collect(),
            known: self.entries.iter().map(|entry| entry.model.name()).collect::<Vec<_>>().join(", "),
        })
    }

    /// All models, the default first.
    #[must_use]
    pub fn list(&self) -> Vec<ModelInfo> {
        let info = |entry: &Entry| {
            let remote = entry.remote.as_ref();
            let config = remote.map(|remote| &remote.config);
            ModelInfo {
                name: entry.model.name().to_owned(),
                provider: entry.provider.to_owned(),
                default: entry.model.name() == &*self.default,
                model: config.map(|config| config.model.clone()),
                server: remote.map(|remote| remote.server.clone()),
                key: config.map(|config| config.key_source.clone()).filter(|source| !source.is_empty()),
                price_input_usd_per_mtok: config.and_then(|config| Some(config.price?.0)),
                price_output_usd_per_mtok: config.and_then(|config| Some(config.price?.1)),
            }
        };
        let mut list: Vec<ModelInfo> = self.entries.iter().map(info).collect();
        list.sort_by_key(|model| !model.default);
        list
    }

    /// Asks a model for one word, to learn whether it answers.
    ///
    /// # Errors
    ///
    /// [`LlmError::Unknown`], and whatever the model fails with.
    pub async fn ping(&self, name: &str) -> Result<Reply, LlmError> {
        let model = self.get(Some(name))?;
        let content = "Reply with the single word: ready".to_owned();
        let completion = Completion {
            purpose: Purpose::Explain,
            messages: vec![Message { role: MessageRole::User, content }],
            context: PlanContext::default(),
        };
        model.complete(&completion, &mut |_| {}).await
    }
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn models(vars: &[(&str, &str)]) -> Result<Models, LlmError> {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Models::from_config(ModelsConfig::from(None, find)?)
    }

    fn default_of(vars: &[(&str, &str)]) -> String {
        models(vars).unwrap().get(None).unwrap().name().to_owned()
    }

    #[test]
    fn without_settings_there_is_the_builtin_model_alone() {
        let list = models(&[("OPENAI_API_KEY", " ")]).unwrap().list();
        let list: Vec<_> = list.iter().map(|one| (one.name.as_str(), one.provider.as_str(), one.default)).collect();
        assert_eq!(list, [("builtin", "builtin", true)]);
    }

    #[test]
    fn a_key_or_a_base_url_makes_a_server_the_default() {
        assert_eq!(default_of(&[("OPENAI_API_KEY", "sk-1")]), "gpt-5-mini");
        assert_eq!(
            default_of(&[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"), ("OPENAI_MODEL", "qwen, llama")]),
            "qwen"
        );
        assert_eq!(default_of(&[("OPENAI_API_KEY", "sk-1"), ("GLOVEBOX_MODEL", "builtin")]), "builtin");
        assert_eq!(default_of(&[("ANTHROPIC_API_KEY", "sk-1"), ("ANTHROPIC_MODEL", "claude-x")]), "claude-x");
    }

    #[test]
    fn the_list_shows_where_a_key_is_from_and_never_the_key() {
        let list = models(&[("OPENAI_API_KEY", "sk-1"), ("OPENAI_BASE_URL", "http://me:pw@127.0.0.1:1/v1?k=v")])
            .unwrap()
            .list();
        let shown = serde_json::to_string(&list).unwrap();
        assert!(shown.contains("OPENAI_API_KEY") && shown.contains("http://127.0.0.1:1/v1"), "{shown}");
        assert!(!["sk-1", "pw", "k=v"].iter().any(|secret| shown.contains(secret)), "{shown}");
    }

    #[test]
    fn an_unknown_or_double_name_is_refused_with_the_way_out() {
        let error = models(&[("OPENAI_API_KEY", "sk-1"), ("GLOVEBOX_MODEL", "gpt-9")]).unwrap_err().to_string();
        assert_eq!(error, "unknown model `gpt-9` (there are: builtin, gpt-5-mini)");
        let error = models(&[("OPENAI_API_KEY", "sk-1"), ("OPENAI_MODEL", "builtin")]).unwrap_err().to_string();
        assert!(error.starts_with("model `builtin`: two models have this name"), "{error}");
        let error = models(&[("OPENAI_BASE_URL", "ftp://x")]).unwrap_err().to_string();
        assert!(error.starts_with("OPENAI_BASE_URL: "), "{error}");
    }
}
