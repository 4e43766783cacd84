//! Settings: which models there are, from one TOML file and from the variables that other tools read, too.
//!
//! ```toml
//! default = "gpt"
//!
//! [[model]]
//! name = "gpt"
//! provider = "openai-responses"
//! model = "gpt-5-mini"
//! key_env = "OPENAI_API_KEY"
//! price_input_usd_per_mtok = 0.25
//! price_output_usd_per_mtok = 2.0
//!
//! [[model]]
//! name = "local"
//! provider = "openai-chat"
//! model = "qwen3-coder"
//! base_url = "http://127.0.0.1:11434/v1"
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::LlmError;
use super::remote::{Patience, Protocol, RemoteConfig};
use super::secret::Secret;

const DEFAULT_OPENAI_MODEL: &str = "gpt-5-mini";
const DEFAULT_ANTHROPIC_MODEL: &str = "claude-sonnet-4-5";

/// What models to set up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelsConfig {
    /// Models of servers; the first of them is the default.
    pub remote: Vec<RemoteConfig>,
    /// Recordings to replay, by name.
    pub recorded: Vec<(String, PathBuf)>,
    /// Name of the default model, if it isn't the usual one.
    pub default: Option<String>,
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    default: Option<String>,
    #[serde(default)]
    model: Vec<Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Provider {
    #[serde(rename = "openai-chat")]
    Chat,
    #[serde(rename = "openai-responses")]
    Responses,
    #[serde(rename = "anthropic")]
    Anthropic,
    #[serde(rename = "recorded")]
    Recorded,
}

/// A model in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    provider: Provider,
    model: Option<String>,
    base_url: Option<String>,
    key_env: Option<String>,
    key_file: Option<PathBuf>,
    key_header: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    file: Option<PathBuf>,
    temperature: Option<f64>,
    max_output_tokens: Option<u64>,
    reasoning_effort: Option<String>,
    price_input_usd_per_mtok: Option<f64>,
    price_output_usd_per_mtok: Option<f64>,
    connect_s: Option<u64>,
    idle_s: Option<u64>,
    total_s: Option<u64>,
    retries: Option<u32>,
}

impl ModelsConfig {
    /// Reads the file, if there is one, and the environment: `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `OPENAI_MODEL` (one name
    /// or several with commas), `ANTHROPIC_BASE_URL`, `ANTHROPIC_API_KEY`, `ANTHROPIC_MODEL`, `GLOVEBOX_MODEL` (the
    /// default) and `GLOVEBOX_RECORDED`. A model of the file hides one of the environment with the same name.
    ///
    /// # Errors
    ///
    /// [`LlmError::Misconfigured`]: the file cannot be read or understood, or a key is missing.
    pub fn load(file: Option<&Path>) -> Result<ModelsConfig, LlmError> {
        let var = |name: &str| std::env::var(name).ok();
        let text = match file {
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|error| wrong(path, &format!("cannot be read: {error}")))?;
                Some((path, text))
            }
            None => None,
        };
        Self::from(text.as_ref().map(|(path, text)| (*path, text.as_str())), var)
    }

    pub(super) fn from(
        file: Option<(&Path, &str)>,
        var: impl Fn(&str) -> Option<String>,
    ) -> Result<ModelsConfig, LlmError> {
        let var = |name: &str| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let mut config = match file {
            Some((path, text)) => Self::from_file(path, text, &var)?,
            None => ModelsConfig::default(),
        };
        for (protocol, prefix, usual) in [
            (Protocol::Chat, "OPENAI", DEFAULT_OPENAI_MODEL),
            (Protocol::Messages, "ANTHROPIC", DEFAULT_ANTHROPIC_MODEL),
        ] {
            let of = |name: &str| format!("{prefix}_{name}");
            let (base, key) = (var(&of("BASE_URL")), var(&of("API_KEY")));
            if base.is_none() && key.is_none() {
                continue;
            }
            let names = var(&of("MODEL")).unwrap_or_else(|| usual.to_owned());
            for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
                if config.remote.iter().any(|known| known.name == name) {
                    continue;
                }
                let mut remote = RemoteConfig::new(protocol, name);
                remote.base_url = base.clone().unwrap_or(remote.base_url);
                remote.setting = of("BASE_URL");
                if let Some(key) = &key {
                    remote.key = Some(Secret::new(key.clone()));
                    remote.key_source = of("API_KEY");
                }
                config.remote.push(remote);
            }
        }
        if let Some(path) = var("GLOVEBOX_RECORDED") {
            config.recorded.push(("recorded".to_owned(), path.into()));
        }
        config.default = var("GLOVEBOX_MODEL").or(config.default);
        Ok(config)
    }

    fn from_file(path: &Path, text: &str, var: &impl Fn(&str) -> Option<String>) -> Result<ModelsConfig, LlmError> {
        let file: File = toml::from_str(text).map_err(|error| wrong(path, &unreadable(&error, text)))?;
        let mut config = ModelsConfig { default: file.default, ..ModelsConfig::default() };
        // Paths in the file are meant from where it lies.
        let beside = |other: &Path| path.parent().unwrap_or(Path::new("")).join(other);
        for entry in file.model {
            let protocol = match entry.provider {
                Provider::Chat => Protocol::Chat,
                Provider::Responses => Protocol::Responses,
                Provider::Anthropic => Protocol::Messages,
                Provider::Recorded => {
                    let missing =
                        || wrong(path, &format!("model `{}`: say which recording, as file = \"…\"", entry.name));
                    config.recorded.push((entry.name.clone(), beside(entry.file.as_deref().ok_or_else(missing)?)));
                    continue;
                }
            };
            config.remote.push(entry.remote(protocol, path, &beside, var)?);
        }
        Ok(config)
    }
}

impl Entry {
    fn remote(
        self,
        protocol: Protocol,
        path: &Path,
        beside: &impl Fn(&Path) -> PathBuf,
        var: &impl Fn(&str) -> Option<String>,
    ) -> Result<RemoteConfig, LlmError> {
        let refuse = |reason: String| Err(wrong(path, &format!("model `{}`: {reason}", self.name)));
        let Some(model) = self.model.clone() else {
            return refuse("say what the server calls it, as model = \"…\"".into());
        };
        let mut remote = RemoteConfig::new(protocol, &model);
        remote.name.clone_from(&self.name);
        remote.setting = format!("base_url of model `{}`", self.name);
        remote.base_url = self.base_url.clone().unwrap_or(remote.base_url);
        match (&self.key_env, &self.key_file) {
            (Some(_), Some(_)) => return refuse("give key_env or key_file, not both".into()),
            (Some(name), None) => {
                if !is_variable(name) {
                    // It may be the key itself, so it is not shown.
                    return refuse("key_env is the name of a variable, such as OPENAI_API_KEY, not a key".into());
                }
                let Some(key) = var(name) else {
                    return refuse(format!("the variable {name}, named by key_env, is not set"));
                };
                (remote.key, remote.key_source) = (Some(Secret::new(key)), name.clone());
            }
            (None, Some(file)) => {
                let file = beside(file);
                match Secret::from_file(&file) {
                    Ok(key) => (remote.key, remote.key_source) = (Some(key), file.display().to_string()),
                    Err(reason) => return refuse(reason),
                }
            }
            (None, None) => {}
        }
        remote.price = match (self.price_input_usd_per_mtok, self.price_output_usd_per_mtok) {
            (None, None) => None,
            (Some(input), Some(output)) if input >= 0.0 && output >= 0.0 && input + output < 1e6 => {
                Some((input, output))
            }
            (Some(_), Some(_)) => return refuse("a price is a number of US dollars, not below 0".into()),
            _ => return refuse("give both prices, price_input_usd_per_mtok and price_output_usd_per_mtok".into()),
        };
        if self.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
            return refuse("temperature is a number from 0 to 2".into());
        }
        if self.max_output_tokens == Some(0) {
            return refuse("max_output_tokens is at least 1".into());
        }
        let seconds =
            |given: Option<u64>, usual: Duration| given.map_or(usual, |s| Duration::from_secs(s.clamp(1, 86_400)));
        let usual = Patience::default();
        remote.patience = Patience {
            connect: seconds(self.connect_s, usual.connect),
            idle: seconds(self.idle_s, usual.idle),
            total: seconds(self.total_s, usual.total),
            retries: self.retries.unwrap_or(usual.retries).min(20),
            pause: usual.pause,
        };
        remote.key_header = self.key_header;
        remote.headers = self.headers.into_iter().map(|(name, value)| (name, Secret::new(value))).collect();
        remote.temperature = self.temperature;
        remote.max_output_tokens = self.max_output_tokens;
        remote.reasoning_effort = self.reasoning_effort;
        Ok(remote)
    }
}

/// What is wrong with the text, and in which line. The line itself is not shown, and no string of it: people write keys
/// into such files.
fn unreadable(error: &toml::de::Error, text: &str) -> String {
    let line = error.span().map(|span| {
        let before = text.as_bytes().iter().take(span.start);
        format!("line {}: ", before.filter(|byte| **byte == b'\n').count() + 1)
    });
    let mut message = without_strings(error.message());
    // As serde says it: unknown field `a`, expected one of `b`, `c`.
    let mut names =
        message.strip_prefix("unknown field ").into_iter().flat_map(|names| names.split('`').skip(1).step_by(2));
    if let Some(name) = names.next() {
        let known: Vec<&str> = names.collect();
        let nearest = known.iter().map(|known| (strsim::jaro_winkler(name, known), known));
        let nearest = nearest.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
        message = match nearest {
            _ if is_key(name) => {
                "keys are not written into this file; say key_env = \"NAME_OF_A_VARIABLE\" or key_file = \"FILE\""
                    .into()
            }
            Some((_, known)) => format!("unknown setting {name} (did you mean {known}?)"),
            None => format!("unknown setting {name} (there are: {})", known.join(", ")),
        };
    }
    format!("{}{message}", line.unwrap_or_default())
}

/// A message without what stands in double quotes.
fn without_strings(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}\"…\"{}", &message[..first], &message[last + 1..]),
        (Some(first), _) => format!("{}\"…", &message[..first]),
        _ => message.to_owned(),
    }
}

/// Whether a setting's name says that its value would be a key.
fn is_key(name: &str) -> bool {
    let name = name.to_lowercase();
    ["key", "api_key", "apikey", "token", "secret", "password", "authorization"].iter().any(|word| name == *word)
}

/// Whether it can be a variable's name.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn wrong(path: &Path, reason: &str) -> LlmError {
    LlmError::Misconfigured { setting: path.display().to_string(), reason: reason.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, vars: &[(&str, &str)]) -> Result<ModelsConfig, String> {
        let find = |name: &str| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        ModelsConfig::from(Some((Path::new("models.toml"), text)), find).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_offers_several_models_with_prices_and_limits() {
        let text = r#"
            default = "cheap"
            [[model]]
            name = "cheap"
            provider = "openai-responses"
            model = "gpt-5-mini"
            key_env = "MY_KEY"
            price_input_usd_per_mtok = 0.25
            price_output_usd_per_mtok = 2.0
            total_s = 60
            [[model]]
            name = "clever"
            provider = "anthropic"
            model = "claude"
            base_url = "http://127.0.0.1:1"
            max_output_tokens = 100
        "#;
        let config =
            read(text, &[("MY_KEY", " sk-1 "), ("OPENAI_API_KEY", "sk-2"), ("OPENAI_MODEL", "cheap,third")]).unwrap();
        let names: Vec<_> = config.remote.iter().map(|one| (one.name.as_str(), one.protocol)).collect();
        assert_eq!(names, [("cheap", Protocol::Responses), ("clever", Protocol::Messages), ("third", Protocol::Chat)]);
        assert_eq!(config.default.as_deref(), Some("cheap"));
        let cheap = &config.remote[0];
        assert_eq!(
            (cheap.model.as_str(), cheap.key_source.as_str(), cheap.price),
            ("gpt-5-mini", "MY_KEY", Some((0.25, 2.0)))
        );
        assert_eq!(cheap.patience.total, Duration::from_secs(60));
        assert!(!format!("{config:?}").contains("sk-"), "{config:?}");
    }

    #[test]
    fn what_is_wrong_in_the_file_is_named() {
        let entry = |more: &str| format!("[[model]]\nname = \"a\"\nprovider = \"openai-chat\"\nmodel = \"m\"\n{more}");
        for (text, message) in [
            (entry("base_ulr = \"x\""), "models.toml: line 5: unknown setting base_ulr (did you mean base_url?)"),
            ("defualt = \"a\"".into(), "models.toml: line 1: unknown setting defualt (did you mean default?)"),
            (entry("api_key = \"sk-0\""), "models.toml: line 5: keys are not written into this file; say key_env"),
            (entry("key_env = \"sk-0\""), "models.toml: model `a`: key_env is the name of a variable"),
            (entry("headers = \"sk-0\""), "models.toml: line 5: invalid type: string \"…\", expected a map"),
            (entry("retries = \"sk-0\\\"x\""), "models.toml: line 5: invalid type: string \"…\", expected"),
            (entry("headers = { a = \"sk-0 }"), "models.toml: line 5: "),
            (entry("key_env = \"NONE\""), "models.toml: model `a`: the variable NONE, named by key_env, is not set"),
            (entry("key_file = \"/nowhere/key\""), "models.toml: model `a`: cannot read /nowhere/key"),
            (entry("temperature = 9"), "models.toml: model `a`: temperature is a number from 0 to 2"),
            (entry("price_input_usd_per_mtok = 1"), "models.toml: model `a`: give both prices"),
            ("[[model]]\nname = \"a\"\nprovider = \"recorded\"".into(), "models.toml: model `a`: say which recording"),
            ("[[model]]\nname = \"a\"\nprovider = \"telepathy\"".into(), "unknown variant `telepathy`"),
        ] {
            let error = read(&text, &[]).unwrap_err();
            assert!(error.contains(message), "{error}");
            assert!(!error.contains("sk-0"), "the key shows: {error}");
        }
    }
}
