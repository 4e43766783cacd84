//! Config: one TOML file, `GLOVEBOX_*` variables over it, flags over both; every default is here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::engine::{Effort, MOST_REPAIRS};
use crate::keys::Auth;
use crate::storage::{Objects, OpenError, Storage};

/// Every setting of the server, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Address to listen on. Default `127.0.0.1:8080`. Other addresses than loopback need `auth = "keys"`.
    pub listen: SocketAddr,
    /// Whether callers need a key: `none` or `keys`. Default `none`.
    pub auth: Auth,
    /// Names by which the server is known besides its address, with commas, such as `glovebox.example.com`. Requests for
    /// other names are refused, unless callers need keys and no name is given. Default: none.
    pub hosts: Vec<String>,
    /// Days that entries of the audit log are kept. Default 400.
    pub audit_days: u64,
    /// Where files, sessions and results are kept. Default: `glovebox` below the XDG data home.
    pub data_dir: PathBuf,
    /// Where prepared images are kept. Default: `glovebox` below the XDG cache home.
    pub cache_dir: PathBuf,
    /// Directory with more policies, read after the built-in ones. Default: none.
    pub policies_dir: Option<PathBuf>,
    /// Directory with guest images, beside those that came with the binary. Default: `images` in the data
    /// directory, once it is there.
    pub images_dir: Option<PathBuf>,
    /// TOML file with the language models; see [`crate::llm::ModelsConfig`]. Default: `glovebox/models.toml` below the XDG
    /// config home, once it is there.
    pub models_file: Option<PathBuf>,
    /// Largest file that can be uploaded, in MiB. Default 512.
    pub upload_limit_mib: u64,
    /// Worker processes. Default: one per core.
    pub workers: usize,
    /// Runs and questions that may wait for a worker; more are refused as busy. Default 64.
    pub queue_limit: usize,
    /// Days until idle sessions, runs outside of sessions and unused files are deleted. Default 0: never.
    pub retention_days: u64,
    /// Seconds that running programs get to finish when the server is told to stop. Default 30.
    pub shutdown_grace_s: u64,
    /// Seconds until a session that nobody uses is put to sleep. Default 300.
    pub session_idle_s: u64,
    /// Sessions that a tenant may have. Default 10 000.
    pub session_max: u64,
    /// Turns that a session may take. Default 10 000.
    pub session_turns: u64,
    /// Days after which a session takes no more turns. Default 0: never.
    pub session_life_days: u64,
    /// Checkpoints without a name that a session keeps; older ones are forgotten, once there are a tenth more. Default 50.
    pub checkpoints_kept: usize,
    /// What the checkpoints of a tenant may take up, memory and files, in MiB. Default 8192. A turn begins only below
    /// it; uploads and artifacts are not counted.
    pub checkpoint_mib: u64,
    /// Sessions that are kept awake at once, in all workers. Default 512.
    pub live_sessions: usize,
    /// Whether the server refuses to start where workers cannot have every layer of their jail. Default false: it says
    /// which ones are missing, and goes on with the others.
    pub require_jail: bool,
    /// Repairs that an answer may take unless the question says otherwise. Default 3, at most 10.
    pub ask_repairs: u32,
    /// Tokens that an answer may use; a question can only ask for less. Default 200 000.
    pub ask_tokens: u64,
    /// Seconds that an answer may take; a question can only ask for less. Default 600.
    pub ask_seconds: u64,
    /// What an answer may cost, in hundredths of a US dollar; a question can only ask for less. Default 100.
    pub ask_cost_cents: u64,
    /// Connections at once. Default 4096, or fewer if the system gives fewer descriptors.
    pub connections: usize,
    /// Connections at once from one address. Default 256; more behind a proxy, which is one address.
    pub connections_per_address: usize,
    /// Seconds that a client may take for its headers and for each piece of a body, and that it may leave our answer
    /// unread times six. Default 10.
    pub client_timeout_s: u64,
    /// Origins whose pages may call the API, such as `https://app.example`. Separated by commas. Default: none.
    pub cors_origins: Vec<String>,
    /// Address that serves artifacts through signed links, so that what is active in them has an origin of its own. Default
    /// `127.0.0.1:0`: a port that is free.
    pub artifacts_listen: SocketAddr,
    /// Origin by which browsers reach that address, such as `https://artifacts.example`. Default: the address itself.
    pub artifacts_origin: Option<String>,
    /// Where contents are kept beside this machine's disk: `s3://BUCKET/PREFIX` or `file:///DIRECTORY`. Default: nowhere.
    pub objects: Option<String>,
    /// Where spans of OpenTelemetry are sent, as protobuf over HTTP. Default: nowhere.
    pub traces_endpoint: Option<String>,
    /// Of each hundred traces, how many are sent.
    pub traces_percent: u64,
}

/// What is wrong with the configuration, and where.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// Settings given as flags; `None` leaves the setting to the environment and the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
}

/// The settings by name: as in the file, and as `GLOVEBOX_<NAME>` in the environment.
pub const SETTINGS: [&str; 35] = [
    "listen",
    "auth",
    "hosts",
    "audit_days",
    "data_dir",
    "cache_dir",
    "policies_dir",
    "images_dir",
    "models_file",
    "upload_limit_mib",
    "workers",
    "queue_limit",
    "retention_days",
    "shutdown_grace_s",
    "session_idle_s",
    "session_max",
    "session_turns",
    "session_life_days",
    "checkpoints_kept",
    "checkpoint_mib",
    "live_sessions",
    "require_jail",
    "ask_repairs",
    "ask_tokens",
    "ask_seconds",
    "ask_cost_cents",
    "connections",
    "connections_per_address",
    "client_timeout_s",
    "cors_origins",
    "artifacts_listen",
    "artifacts_origin",
    "objects",
    "traces_endpoint",
    "traces_percent",
];

const PREFIX: &str = "GLOVEBOX_";

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080),
            auth: Auth::None,
            hosts: Vec::new(),
            audit_days: 400,
            data_dir: xdg("XDG_DATA_HOME", ".local/share"),
            cache_dir: xdg("XDG_CACHE_HOME", ".cache"),
            policies_dir: None,
            images_dir: None,
            models_file: None,
            upload_limit_mib: 512,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            queue_limit: 64,
            retention_days: 0,
            shutdown_grace_s: 30,
            session_idle_s: 300,
            session_max: 10_000,
            session_turns: 10_000,
            session_life_days: 0,
            checkpoints_kept: 50,
            checkpoint_mib: 8192,
            live_sessions: 512,
            require_jail: false,
            ask_repairs: 3,
            ask_tokens: 200_000,
            ask_seconds: 600,
            ask_cost_cents: 100,
            connections: 4096,
            connections_per_address: 256,
            client_timeout_s: 10,
            cors_origins: Vec::new(),
            artifacts_listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            artifacts_origin: None,
            objects: None,
            traces_endpoint: None,
            traces_percent: 100,
        }
    }
}

impl Config {
    /// Reads the file (if one is given), the environment and the flags, in this order.
    ///
    /// # Errors
    ///
    /// An unreadable file, an unknown setting, a value of the wrong kind, an address that is not loopback.
    pub fn load(overrides: &Overrides) -> Result<Config, ConfigError> {
        let environment: Vec<_> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with(PREFIX))
            .collect();
        let file = match &overrides.file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| ConfigError(format!("failed to read {}: {error}", path.display())))?;
                Some((path.display().to_string(), text))
            }
        };
        Config::resolve(file.as_ref().map(|(name, text)| (name.as_str(), text.as_str())), &environment, overrides)
    }

    fn resolve(
        file: Option<(&str, &str)>,
        environment: &[(String, String)],
        overrides: &Overrides,
    ) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        if let Some((name, text)) = file {
            let table: toml::Table =
                text.parse().map_err(|error| ConfigError(format!("{name}: {}", one_line(&error))))?;
            for (key, value) in table {
                let text = match value {
                    toml::Value::String(text) => text,
                    toml::Value::Integer(number) => number.to_string(),
                    toml::Value::Boolean(flag) => flag.to_string(),
                    other => {
                        return Err(ConfigError(format!(
                            "{name}: {key} must be text, a number, true or false, not {}",
                            other.type_str()
                        )));
                    }
                };
                config.set(&key, &text).map_err(|reason| ConfigError(format!("{name}: {reason}")))?;
            }
        }
        for (variable, value) in environment {
            let Some(setting) = variable.strip_prefix(PREFIX).map(str::to_ascii_lowercase) else { continue };
            // Other parts read variables of their own with this prefix; only what looks like a
            // slip of the pen is refused.
            match nearest(&setting) {
                Some((_, 0)) => {
                    config.set(&setting, value).map_err(|reason| ConfigError(format!("{variable}: {reason}")))?
                }
                Some((known, 1..=2)) => {
                    let meant = known.to_ascii_uppercase();
                    return Err(ConfigError(format!("unknown variable {variable} (did you mean {PREFIX}{meant}?)")));
                }
                _ => {}
            }
        }
        if let Some(listen) = &overrides.listen {
            config.set("listen", listen).map_err(|reason| ConfigError(format!("--listen: {reason}")))?;
        }
        if let Some(dir) = &overrides.data_dir {
            config.data_dir.clone_from(dir);
        }
        config.check()
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<(), String> {
        match setting {
            "listen" => self.listen = address(value)?,
            "auth" => {
                self.auth = match value {
                    "none" => Auth::None,
                    "keys" => Auth::Keys,
                    _ => return Err(format!("auth must be `none` or `keys`, not `{value}`")),
                }
            }
            "audit_days" => self.audit_days = number(setting, value, 1, 36_500)?,
            "data_dir" => self.data_dir = path(setting, value)?,
            "cache_dir" => self.cache_dir = path(setting, value)?,
            "policies_dir" => self.policies_dir = Some(path(setting, value)?),
            "images_dir" => self.images_dir = Some(path(setting, value)?),
            "models_file" => self.models_file = Some(path(setting, value)?),
            "upload_limit_mib" => self.upload_limit_mib = number(setting, value, 1, 1 << 20)?,
            "workers" => self.workers = number(setting, value, 1, 1024)? as usize,
            "queue_limit" => self.queue_limit = number(setting, value, 0, 100_000)? as usize,
            "retention_days" => self.retention_days = number(setting, value, 0, 36_500)?,
            "shutdown_grace_s" => self.shutdown_grace_s = number(setting, value, 0, 3_600)?,
            "session_idle_s" => self.session_idle_s = number(setting, value, 1, 31_536_000)?,
            "session_max" => self.session_max = number(setting, value, 1, 10_000_000)?,
            "session_turns" => self.session_turns = number(setting, value, 1, 1_000_000_000)?,
            "session_life_days" => self.session_life_days = number(setting, value, 0, 36_500)?,
            "checkpoints_kept" => self.checkpoints_kept = number(setting, value, 1, 100_000)? as usize,
            "checkpoint_mib" => self.checkpoint_mib = number(setting, value, 1, 1 << 40)?,
            "live_sessions" => self.live_sessions = number(setting, value, 1, 1_000_000)? as usize,
            "require_jail" => self.require_jail = flag(setting, value)?,
            "ask_repairs" => self.ask_repairs = number(setting, value, 0, MOST_REPAIRS.into())? as u32,
            "ask_tokens" => self.ask_tokens = number(setting, value, 1, 1_000_000_000)?,
            "ask_seconds" => self.ask_seconds = number(setting, value, 1, 86_400)?,
            "ask_cost_cents" => self.ask_cost_cents = number(setting, value, 1, 1_000_000)?,
            "connections" => self.connections = number(setting, value, 1, 1_000_000)? as usize,
            "connections_per_address" => self.connections_per_address = number(setting, value, 1, 1_000_000)? as usize,
            "client_timeout_s" => self.client_timeout_s = number(setting, value, 1, 3_600)?,
            "hosts" => self.hosts = list(value, |name| host(setting, name))?,
            "cors_origins" => self.cors_origins = list(value, |name| origin(setting, name))?,
            "artifacts_listen" => self.artifacts_listen = address(value)?,
            "artifacts_origin" => self.artifacts_origin = Some(origin(setting, value)?),
            "traces_endpoint" => self.traces_endpoint = Some(endpoint(setting, value)?),
            "traces_percent" => self.traces_percent = number(setting, value, 0, 100)?,
            "objects" => self.objects = Some(value.to_owned()),
            unknown => {
                return Err(match nearest(unknown) {
                    Some((known, distance)) if distance <= 1 + unknown.len() / 3 => {
                        format!("unknown setting {unknown} (did you mean {known}?)")
                    }
                    _ => format!("unknown setting {unknown} (there are: {})", SETTINGS.join(", ")),
                });
            }
        }
        Ok(())
    }

    fn check(mut self) -> Result<Config, ConfigError> {
        if self.images_dir.is_none() {
            self.images_dir = Some(self.added_images()).filter(|dir| dir.is_dir());
        }
        if !self.listen.ip().is_loopback() && self.auth == Auth::None {
            return Err(ConfigError(format!(
                "refused to listen on {}: without keys anyone who reaches it could use it; \
                 set auth = \"keys\" (GLOVEBOX_AUTH=keys), or listen on 127.0.0.1",
                self.listen
            )));
        }
        Ok(self)
    }

    /// Opens the data directory, with the store of objects if one is configured.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub async fn open_storage(&self) -> Result<Storage, OpenError> {
        let objects = self.objects.as_deref().map(Objects::open).transpose().map_err(OpenError::Objects)?;
        Storage::open_with(&self.data_dir, objects).await
    }

    /// Where images are added unless `images_dir` says otherwise.
    #[must_use]
    pub fn added_images(&self) -> PathBuf {
        self.data_dir.join("images")
    }

    /// The file with the language models, if there is one.
    #[must_use]
    pub fn models_file(&self) -> Option<PathBuf> {
        let usual = || Some(xdg("XDG_CONFIG_HOME", ".config").join("models.toml")).filter(|path| path.is_file());
        self.models_file.clone().or_else(usual)
    }

    /// What an answer may take.
    #[must_use]
    pub fn effort(&self) -> Effort {
        Effort {
            candidates: 1,
            max_repairs: self.ask_repairs,
            max_tokens: self.ask_tokens,
            max_seconds: self.ask_seconds,
            max_cost_micro_usd: self.ask_cost_cents * 10_000,
        }
    }

    /// Bytes that an uploaded file may have.
    #[must_use]
    pub fn upload_limit(&self) -> u64 {
        self.upload_limit_mib << 20
    }
}

fn nearest(name: &str) -> Option<(&'static str, usize)> {
    SETTINGS
        .iter()
        .map(|known| (*known, strsim::damerau_levenshtein(known, name)))
        .min_by_key(|(_, distance)| *distance)
}

fn flag(setting: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("{setting} must be true or false, not `{value}`"))
}

fn address(value: &str) -> Result<SocketAddr, String> {
    let value = value.trim().replace("localhost", "127.0.0.1");
    if let Ok(port) = value.trim_start_matches(':').parse::<u16>() {
        return Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    }
    value.parse().map_err(|_| format!("`{value}` is not an address; write it as 127.0.0.1:8080"))
}

fn list(value: &str, one: impl Fn(&str) -> Result<String, String>) -> Result<Vec<String>, String> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(one).collect()
}

fn host(setting: &str, value: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if value.is_empty() || !value.chars().all(fits) {
        return Err(format!("{setting}: `{value}` is not a host name; write it as glovebox.example, without port"));
    }
    Ok(value.to_ascii_lowercase())
}

/// An address of HTTP with a path.
fn endpoint(setting: &str, value: &str) -> Result<String, String> {
    let known = reqwest::Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if known {
        Ok(value.to_owned())
    } else {
        Err(format!("{setting} must be an address such as http://127.0.0.1:4318/v1/traces"))
    }
}

/// Exactly what a browser sends as `Origin`: a scheme, a host, perhaps a port, and nothing else.
fn origin(setting: &str, value: &str) -> Result<String, String> {
    let wrong = || format!("{setting}: `{value}` is not an origin; write it as https://app.example");
    let (scheme, authority) = value.trim().split_once("://").ok_or_else(wrong)?;
    let (name, port) = authority.split_once(':').unwrap_or((authority, "1"));
    if !matches!(scheme, "http" | "https") || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    host(setting, name).map_err(|_| wrong())?;
    Ok(value.trim().to_ascii_lowercase())
}

fn path(setting: &str, value: &str) -> Result<PathBuf, String> {
    if value.is_empty() {
        return Err(format!("{setting} is empty; name a directory"));
    }
    Ok(PathBuf::from(value))
}

fn number(setting: &str, value: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = value.trim().parse().map_err(|_| format!("{setting} must be a whole number, not `{value}`"))?;
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("{setting} must be between {least} and {most}, not {number}"))
}

fn xdg(variable: &str, below_home: &str) -> PathBuf {
    let given = std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = given.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(below_home)));
    base.unwrap_or_else(|| Path::new("/var/tmp").to_path_buf()).join("glovebox")
}

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        Config::resolve(Some(("glovebox.toml", text)), &[], &Overrides::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_typo_in_the_file_is_answered_with_the_nearest_setting() {
        let error = read("upload_limit_mb = 3").unwrap_err();
        assert_eq!(error, "glovebox.toml: unknown setting upload_limit_mb (did you mean upload_limit_mib?)");
        assert!(read("colour = 3").unwrap_err().contains("there are: listen"));
    }

    #[test]
    fn a_typo_in_the_environment_is_answered_and_other_variables_are_left_alone() {
        let with = |name: &str, value: &str| {
            Config::resolve(None, &[(name.to_owned(), value.to_owned())], &Overrides::default())
        };
        assert!(with("GLOVEBOX_WORKER", "2").unwrap_err().to_string().contains("GLOVEBOX_WORKERS"));
        assert!(with("GLOVEBOX_SOMETHING_ELSE", "2").is_ok());
        assert_eq!(with("GLOVEBOX_WORKERS", "7").unwrap().workers, 7);
    }

    #[test]
    fn an_address_that_others_can_reach_is_refused() {
        let refusal = read("listen = '0.0.0.0:8080'").unwrap_err();
        assert!(refusal.contains("without keys") && refusal.contains("GLOVEBOX_AUTH=keys"), "{refusal}");
        assert!(read("listen = '0.0.0.0:8080'\nauth = 'keys'").is_ok());
        assert!(read("auth = 'key'").unwrap_err().contains("`none` or `keys`"));
        assert_eq!(read("hosts = 'A.example, b.example'").unwrap().hosts, ["a.example", "b.example"]);
        assert!(read("hosts = 'https://a.example'").unwrap_err().contains("not a host name"));
        assert!(read("require_jail = true").unwrap().require_jail);
        assert!(read("listen = '[::1]:9000'").is_ok());
        assert_eq!(read("listen = 'localhost:1'").unwrap().listen.port(), 1);
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_more() {
        let config = read("cors_origins = 'https://App.example, http://localhost:3000'").unwrap();
        assert_eq!(config.cors_origins, ["https://app.example", "http://localhost:3000"]);
        for wrong in ["*", "null", "app.example", "https://a.example/", "https://a.example/x", "ftp://a", "https://a:b"]
        {
            let error = read(&format!("cors_origins = '{wrong}'")).unwrap_err();
            assert!(error.contains("is not an origin"), "{wrong}: {error}");
            assert!(read(&format!("artifacts_origin = '{wrong}'")).is_err(), "{wrong}");
        }
        assert!(read("hosts = 'glovebox.example:443'").unwrap_err().contains("without port"));
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let environment = [("GLOVEBOX_LISTEN".to_owned(), "127.0.0.1:2".to_owned())];
        let file = Some(("c.toml", "listen = '127.0.0.1:1'\nqueue_limit = 5"));
        let config = Config::resolve(file, &environment, &Overrides::default()).unwrap();
        assert_eq!((config.listen.port(), config.queue_limit), (2, 5));
        let flags = Overrides { listen: Some("127.0.0.1:3".into()), ..Overrides::default() };
        assert_eq!(Config::resolve(file, &environment, &flags).unwrap().listen.port(), 3);
    }

    #[test]
    fn values_outside_their_range_are_refused_by_name() {
        assert!(read("workers = 0").unwrap_err().contains("workers must be between 1 and 1024"));
        assert!(read("workers = 'many'").unwrap_err().contains("whole number"));
        assert!(read("workers = [1]").unwrap_err().contains("not array"));
    }
}
