//! Models: which models there are and which one answers when none is named.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::builtin::Builtin;
use super::openai::{OpenAi, OpenAiConfig, Secret};
use super::recorded::Recorded;
use super::{Llm, LlmError};

const DEFAULT_OPENAI_MODEL: &str = "gpt-5-mini";

/// The configured models by name. `builtin` is always there. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    entries: Arc<[Entry]>,
    default: Arc<str>,
}

struct Entry {
    provider: &'static str,
    model: Arc<dyn Llm>,
}

/// A model as shown to users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelInfo {
    /// What to ask for.
    pub name: String,
    /// `builtin`, `openai` (any server that speaks its chat completions) or `recorded`.
    pub provider: String,
    /// True for the model that answers when none is named.
    pub default: bool,
}

/// What models to set up.
#[derive(Clone, Debug, Default)]
pub struct ModelsConfig {
    /// Models of a server that speaks OpenAI's chat completions; the first of them becomes the default.
    pub openai: Vec<OpenAiConfig>,
    /// A recording to replay as `recorded`.
    pub recorded: Option<PathBuf>,
    /// Name of the default model, if it isn't the usual one.
    pub default: Option<String>,
}

impl ModelsConfig {
    /// Reads `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `OPENAI_MODEL` (one name or several with commas),
    /// `GLOVEBOX_MODEL` and `GLOVEBOX_RECORDED`.
    #[must_use]
    pub fn from_env() -> ModelsConfig {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> ModelsConfig {
        let var = |name| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let (base, key) = (var("OPENAI_BASE_URL"), var("OPENAI_API_KEY"));
        let mut openai = Vec::new();
        if base.is_some() || key.is_some() {
            let names = var("OPENAI_MODEL").unwrap_or_else(|| DEFAULT_OPENAI_MODEL.to_owned());
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                let mut config = OpenAiConfig::new(name);
                config.base_url = base.clone().unwrap_or(config.base_url);
                config.key = key.clone().map(Secret::new);
                openai.push(config);
            }
        }
        ModelsConfig { openai, recorded: var("GLOVEBOX_RECORDED").map(PathBuf::from), default: var("GLOVEBOX_MODEL") }
    }
}

impl Models {
    /// The models that the environment names; see [`ModelsConfig::from_env`].
    ///
    /// # Errors
    ///
    /// As [`Models::from_config`].
    pub fn from_env() -> Result<Models, LlmError> {
        Models::from_config(ModelsConfig::from_env())
    }

    /// Sets models up. Opens no connection.
    ///
    /// # Errors
    ///
    /// [`LlmError::Misconfigured`] for a base URL, a name or a recording that can't be used,
    /// [`LlmError::Unknown`] for a default that doesn't exist.
    pub fn from_config(config: ModelsConfig) -> Result<Models, LlmError> {
        let mut entries = vec![Entry { provider: "builtin", model: Arc::new(Builtin::new()) }];
        if let Some(path) = &config.recorded {
            entries.push(Entry { provider: "recorded", model: Arc::new(Recorded::from_file(path)?) });
        }
        let mut default = "builtin".to_owned();
        for (number, openai) in config.openai.into_iter().enumerate() {
            if number == 0 {
                default.clone_from(&openai.model);
            }
            entries.push(Entry { provider: "openai", model: Arc::new(OpenAi::new(openai)?) });
        }
        let models = Models { entries: entries.into(), default: config.default.unwrap_or(default).into() };
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
        let given = models.into_iter().map(|model| Entry { provider: "custom", model });
        let entries = std::iter::once(Entry { provider: "builtin", model: builtin }).chain(given).collect();
        Models { entries, default }.check()
    }

    fn check(self) -> Result<Models, LlmError> {
        for (number, entry) in self.entries.iter().enumerate() {
            let name = entry.model.name();
            if self.entries[..number].iter().any(|earlier| earlier.model.name() == name) {
                let reason = format!("`{name}` names two models; give the model of the server another name");
                return Err(LlmError::Misconfigured { setting: "OPENAI_MODEL".into(), reason });
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
        let info = |entry: &Entry| ModelInfo {
            name: entry.model.name().to_owned(),
            provider: entry.provider.to_owned(),
            default: entry.model.name() == &*self.default,
        };
        let mut list: Vec<ModelInfo> = self.entries.iter().map(info).collect();
        list.sort_by_key(|model| !model.default);
        list
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
        Models::from_config(ModelsConfig::from_vars(find))
    }

    fn default_of(vars: &[(&str, &str)]) -> String {
        models(vars).unwrap().get(None).unwrap().name().to_owned()
    }

    #[test]
    fn without_settings_there_is_the_builtin_model_alone() {
        let list = models(&[("OPENAI_API_KEY", " ")]).unwrap().list();
        assert_eq!(list, [ModelInfo { name: "builtin".into(), provider: "builtin".into(), default: true }]);
    }

    #[test]
    fn a_key_or_a_base_url_makes_a_server_the_default() {
        assert_eq!(default_of(&[("OPENAI_API_KEY", "sk-1")]), "gpt-5-mini");
        assert_eq!(
            default_of(&[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"), ("OPENAI_MODEL", "qwen, llama")]),
            "qwen"
        );
        assert_eq!(default_of(&[("OPENAI_API_KEY", "sk-1"), ("GLOVEBOX_MODEL", "builtin")]), "builtin");
    }

    #[test]
    fn an_unknown_or_double_name_is_refused_with_the_way_out() {
        let error = models(&[("OPENAI_API_KEY", "sk-1"), ("GLOVEBOX_MODEL", "gpt-9")]).unwrap_err().to_string();
        assert_eq!(error, "unknown model `gpt-9` (there are: builtin, gpt-5-mini)");
        let error = models(&[("OPENAI_API_KEY", "sk-1"), ("OPENAI_MODEL", "builtin")]).unwrap_err().to_string();
        assert!(error.starts_with("OPENAI_MODEL: `builtin` names two models"), "{error}");
        let error = models(&[("OPENAI_BASE_URL", "ftp://x")]).unwrap_err().to_string();
        assert!(error.starts_with("OPENAI_BASE_URL: "), "{error}");
    }
}
