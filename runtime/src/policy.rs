//! Policy: reads `policies/*.toml`, refuses what it does not know, resolves to [`Limits`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Limits, RunError};

/// Services that policies may grant to programs. What they are is the business of who runs jobs.
const SERVICES: &[&str] = &["media"];
/// What policies may grant to tenants beside.
const PERMISSIONS: &[&str] = &["models", "sharing"];

/// Layers of the jail of worker processes that policies may demand. What they are is the business of who runs jobs.
pub const JAIL: [&str; 4] = ["landlock", "seccomp", "limits", "namespaces"];

/// A named set of limits and permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Name of its file, without `.toml`.
    #[serde(default)]
    pub name: String,
    /// For whom it is, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Images that may be used; empty allows all.
    #[serde(default)]
    pub images: Vec<String>,
    /// Layers of the jail without which nothing runs under this policy, of [`JAIL`].
    #[serde(default)]
    pub jail: Vec<String>,
    /// Ceilings of each run.
    #[serde(rename = "run", default)]
    pub limits: Limits,
    /// What a tenant whose own policy this is may use altogether.
    #[serde(default)]
    pub quota: Quota,
    /// May its tenants ask models beside the builtin planner? The library reads it and leaves the rest to the host.
    #[serde(default = "yes")]
    pub models: bool,
    /// May its tenants share sessions by links? As `models`.
    #[serde(default = "yes")]
    pub sharing: bool,
}

fn yes() -> bool {
    true
}

/// What a tenant may use altogether; `None` where there is no end. This library reads it and leaves the counting to whoever
/// knows of tenants. A day is one in UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Runs and questions under way or waiting at once.
    pub concurrent_runs: Option<u64>,
    /// Runs and questions that may begin within any minute.
    pub runs_per_minute: Option<u64>,
    /// WebAssembly instructions.
    pub fuel_per_day: Option<u64>,
    /// The largest memory of each run times its time, in MiB and seconds. Counted when a run is over.
    pub memory_mib_s_per_day: Option<u64>,
    /// Different contents of files and artifacts, and checkpoints, in MiB. Looked at before a run and an upload.
    pub storage_mib: Option<u64>,
    /// Tokens of models, sent and received.
    pub model_tokens_per_day: Option<u64>,
    /// What models cost, in hundredths of a US dollar.
    pub model_cents_per_day: Option<u64>,
}

/// Names of all quotas, in the order of [`Quota`].
pub const QUOTAS: [&str; 7] = [
    "concurrent_runs",
    "runs_per_minute",
    "fuel_per_day",
    "memory_mib_s_per_day",
    "storage_mib",
    "model_tokens_per_day",
    "model_cents_per_day",
];

impl Policy {
    /// Reads a policy. `source` is what messages call it, such as `policies/acme.toml`.
    ///
    /// # Errors
    ///
    /// A sentence that names the setting and, for an unknown one, the nearest known name.
    pub fn parse(name: &str, source: &str, toml: &str) -> Result<Policy, String> {
        let mut table: toml::Table = toml.parse().map_err(|error| format!("{source}: {error}"))?;
        check_names(source, "", &table, &["description", "images", "jail", "run", "quota", "services"])?;
        let services = table.remove("services").map(|services| granted(source, &services)).transpose()?;
        let permitted = |name| services.as_ref().is_none_or(|services| services.get(name) != Some(&false));
        let (models, sharing) = (permitted("models"), permitted("sharing"));
        let services: Option<BTreeSet<String>> = services.map(|services| {
            let granted = services.into_iter().filter(|(name, granted)| *granted && SERVICES.contains(&name.as_str()));
            granted.map(|(name, _)| name).collect()
        });
        if let Some(quota) = table.get("quota") {
            let quota = quota.as_table().ok_or_else(|| format!("{source}: quota must be a table, `[quota]`"))?;
            check_names(source, "quota.", quota, &QUOTAS)?;
            for (setting, value) in quota {
                if value.as_integer().is_none_or(|number| number < 1) {
                    return Err(format!("{source}: quota.{setting} must be a whole number from 1 on, not {value}"));
                }
            }
        }
        if let Some(run) = table.get("run") {
            let run = run.as_table().ok_or_else(|| format!("{source}: run must be a table, `[run]`"))?;
            check_names(source, "run.", run, &limit_names())?;
            for (setting, value) in run.iter().filter(|(setting, _)| *setting != "output_overflow") {
                match value.as_integer() {
                    Some(1..) => {}
                    Some(_) => return Err(format!("{source}: run.{setting} must be at least 1")),
                    None => return Err(format!("{source}: run.{setting} must be a whole number, not {value}")),
                }
            }
        }
        let mut policy: Policy = table.try_into().map_err(|error| format!("{source}: {error}"))?;
        policy.limits.services = services.unwrap_or(policy.limits.services);
        if let Some(unknown) = policy.jail.iter().find(|layer| !JAIL.contains(&layer.as_str())) {
            let hint = nearest(unknown, &JAIL).map(|name| format!(" (did you mean {name}?)"));
            let all = || format!(" (known: {})", JAIL.join(", "));
            return Err(format!("{source}: unknown layer of the jail {unknown}{}", hint.unwrap_or_else(all)));
        }
        if policy.limits.memory_mib > 4096 {
            return Err(format!("{source}: run.memory_mib can be 4096 at most, the size of a 32-bit memory"));
        }
        Ok(Policy { name: name.into(), models, sharing, ..policy })
    }

    /// May this policy use the image?
    #[must_use]
    pub fn allows(&self, image: &str) -> bool {
        self.images.is_empty() || self.images.iter().any(|allowed| allowed == image)
    }
}

/// Names of all limits, in the order of [`Limits`].
#[must_use]
pub fn limit_names() -> Vec<&'static str> {
    vec![
        "fuel",
        "wall_time_ms",
        "cpu_time_ms",
        "memory_mib",
        "output_kib",
        "output_overflow",
        "display_kib",
        "workspace_mib",
        "workspace_files",
        "file_mib",
        "open_handles",
        "artifacts",
        "artifact_mib",
    ]
}

/// What a table such as `media = true` says.
fn granted(source: &str, services: &toml::Value) -> Result<BTreeMap<String, bool>, String> {
    let table = services.as_table().ok_or_else(|| format!("{source}: services must be a table, `[services]`"))?;
    check_names(source, "services.", table, &[SERVICES, PERMISSIONS].concat())?;
    let answer = |(name, value): (&String, &toml::Value)| match value.as_bool() {
        Some(granted) => Ok((name.clone(), granted)),
        None => Err(format!("{source}: services.{name} must be true or false, not {value}")),
    };
    table.iter().map(answer).collect()
}

fn check_names(source: &str, prefix: &str, table: &toml::Table, known: &[&str]) -> Result<(), String> {
    let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    let hint = nearest(unknown, known).map(|name| format!(" (did you mean {prefix}{name}?)"));
    let all = || format!(" (known: {})", known.join(", "));
    Err(format!("{source}: unknown setting {prefix}{unknown}{}", hint.unwrap_or_else(all)))
}

/// The known name that a mistyped one most likely means.
#[must_use]
pub fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|name| (strsim::jaro_winkler(unknown, name), *name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// All policies of an installation.
#[derive(Clone, Debug)]
pub struct Policies(BTreeMap<String, Policy>);

impl Policies {
    /// The three that Glovebox brings along.
    ///
    /// # Errors
    ///
    /// Never with the files of this repository, which a test reads.
    pub fn embedded() -> Result<Policies, String> {
        let files = [
            ("default", include_str!("../../policies/default.toml")),
            ("strict", include_str!("../../policies/strict.toml")),
            ("generous", include_str!("../../policies/generous.toml")),
        ];
        let mut policies = BTreeMap::new();
        for (name, toml) in files {
            policies.insert(name.to_owned(), Policy::parse(name, &format!("policies/{name}.toml"), toml)?);
        }
        Ok(Policies(policies))
    }

    /// Adds the `*.toml` files of a directory; a file named like an embedded policy replaces it.
    ///
    /// # Errors
    ///
    /// A sentence that names the file and the setting.
    pub fn add_dir(&mut self, dir: &Path) -> Result<(), String> {
        let entries = std::fs::read_dir(dir).map_err(|error| format!("failed to list {}: {error}", dir.display()))?;
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.extension().is_none_or(|extension| extension != "toml") || name.is_empty() {
                continue;
            }
            let source = path.display().to_string();
            let toml = std::fs::read_to_string(&path).map_err(|error| format!("failed to read {source}: {error}"))?;
            let policy = Policy::parse(&name, &source, &toml)?;
            self.0.insert(name, policy);
        }
        Ok(())
    }

    /// The policy of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.0.get(name)
    }

    /// All policies by name.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.values()
    }

    /// Names, comma-separated, for messages.
    #[must_use]
    pub fn names(&self) -> String {
        self.0.keys().cloned().collect::<Vec<_>>().join(", ")
    }
}

impl Policy {
    /// The policy as an error of ours, for callers that have no better place.
    ///
    /// # Errors
    ///
    /// If the policy does not allow the image.
    pub fn check_image(&self, image: &str) -> Result<(), RunError> {
        if self.allows(image) {
            return Ok(());
        }
        Err(RunError::Image {
            image: image.into(),
            reason: format!("policy {} allows only: {}", self.name, self.images.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_the_default_limits() {
        let policies = Policies::embedded().expect("embedded policies are right");
        assert_eq!(policies.get("default").map(|policy| &policy.limits), Some(&Limits::default()));
    }

    #[test]
    fn every_limit_has_a_name_here() {
        let limits = serde_json::to_value(Limits::default()).expect("serializes");
        let mut names: Vec<_> = limits.as_object().expect("object").keys().cloned().collect();
        // Granted in a table of their own.
        names.retain(|name| name != "services");
        let mut listed: Vec<_> = limit_names().into_iter().map(str::to_owned).collect();
        names.sort();
        listed.sort();
        assert_eq!(names, listed);
    }

    #[test]
    fn a_mistyped_setting_is_answered_with_the_nearest_name() {
        let error = Policy::parse("acme", "policies/acme.toml", "[run]\nmemory_mb = 5\n");
        assert_eq!(
            error,
            Err("policies/acme.toml: unknown setting run.memory_mb (did you mean run.memory_mib?)".into())
        );
    }

    #[test]
    fn services_are_granted_by_name_and_strict_grants_none() {
        let policies = Policies::embedded().expect("embedded policies are right");
        let services = |name: &str| policies.get(name).map(|policy| policy.limits.services.len());
        assert_eq!((services("default"), services("strict"), services("generous")), (Some(1), Some(0), Some(1)));
        let error = Policy::parse("a", "a", "[services]\nmedai = true\n");
        assert_eq!(error, Err("a: unknown setting services.medai (did you mean services.media?)".into()));
        assert!(Policy::parse("a", "a", "[services]\nmedia = 1\n").is_err());
        assert!(!policies.get("strict").is_some_and(|policy| policy.sharing));
        let permitted = |toml: &str| Policy::parse("a", "a", toml).map(|policy| (policy.models, policy.sharing));
        assert_eq!(permitted(""), Ok((true, true)));
        assert_eq!(permitted("[services]\nmedia = true\nmodels = false\n"), Ok((false, true)));
        assert_eq!(permitted("[services]\nsharing = false\n"), Ok((true, false)));
    }

    #[test]
    fn layers_of_the_jail_are_demanded_by_name() {
        let policy = Policy::parse("a", "a", "jail = ['landlock', 'namespaces']\n");
        assert_eq!(policy.map(|policy| policy.jail), Ok(vec!["landlock".into(), "namespaces".into()]));
        let error = Policy::parse("a", "a", "jail = ['landlok']\n");
        assert_eq!(error, Err("a: unknown layer of the jail landlok (did you mean landlock?)".into()));
        assert!(Policy::parse("a", "a", "jail = true\n").is_err());
    }

    #[test]
    fn zero_and_text_are_no_limits() {
        assert!(Policy::parse("a", "a", "[run]\nfuel = 0\n").is_err());
        assert!(Policy::parse("a", "a", "[run]\nfuel = \"many\"\n").is_err());
        assert!(Policy::parse("a", "a", "[run]\nmemory_mib = 5000\n").is_err());
    }
}
