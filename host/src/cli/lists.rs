//! `glovebox policy`: what limits there are, and whether they are right.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;
use glovebox_runtime::{Policy, QUOTAS};

use super::sample::grid;
use super::{Done, Failure, USAGE, out};
use crate::config::Config;

#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check policy files
    Check {
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Show the limits of a policy, or of all
    Explain {
        /// Its name
        name: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn policy(config: &Config, command: PolicyCommand) -> Done {
    match command {
        PolicyCommand::Check { files } => {
            let mut wrong = 0;
            for file in files {
                let source = file.display().to_string();
                let name = file.file_stem().and_then(|name| name.to_str()).unwrap_or("policy");
                let text = std::fs::read_to_string(&file).map_err(|error| format!("cannot read {source}: {error}"));
                match text.and_then(|text| Policy::parse(name, &source, &text)) {
                    Ok(_) => out::print(&format!("{source}: OK\n")),
                    Err(error) => {
                        wrong += 1;
                        eprintln!("{error}");
                    }
                }
            }
            Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
        }
        PolicyCommand::Explain { name, json } => {
            let policies = out::policies(config)?;
            let chosen: Vec<_> = match &name {
                None => policies.iter().collect(),
                Some(name) => {
                    let unknown =
                        || Failure::new(USAGE, format!("unknown policy `{name}` (there are: {})", policies.names()));
                    vec![policies.get(name).ok_or_else(unknown)?]
                }
            };
            if json {
                out::print_json(&chosen)?;
            } else {
                out::print(&chosen.into_iter().map(explain).collect::<Result<Vec<_>, _>>()?.join("\n"));
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn explain(policy: &Policy) -> Result<String, Failure> {
    let limits = serde_json::to_value(&policy.limits).map_err(Failure::ours)?;
    let rows: Vec<_> =
        glovebox_runtime::limit_names().into_iter().map(|name| [name.to_owned(), limits[name].to_string()]).collect();
    let images = if policy.images.is_empty() { "all".to_owned() } else { policy.images.join(", ") };
    let permitted =
        [("models", policy.models), ("sharing", policy.sharing)].into_iter().filter(|(_, granted)| *granted);
    let services = policy.limits.services.iter().map(String::as_str).chain(permitted.map(|(name, _)| name));
    let services = services.collect::<Vec<_>>().join(", ");
    let services = if services.is_empty() { "none".to_owned() } else { services };
    let jail = if policy.jail.is_empty() { "not demanded".to_owned() } else { policy.jail.join(", ") };
    let quota = serde_json::to_value(&policy.quota).map_err(Failure::ours)?;
    let quotas = QUOTAS.iter().filter(|name| !quota[**name].is_null());
    let quotas: Vec<_> = quotas.map(|name| [(*name).to_owned(), quota[*name].to_string()]).collect();
    let altogether =
        if quotas.is_empty() { "quotas: none\n".to_owned() } else { format!("quotas:\n{}", grid(&quotas)) };
    let Policy { name, description, .. } = policy;
    Ok(format!(
        "{name}: {description}\nimages: {images}\nservices: {services}\njail: {jail}\nlimits of a run:\n{}{altogether}",
        grid(&rows)
    ))
}
