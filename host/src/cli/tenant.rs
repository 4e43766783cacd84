//! `glovebox tenant`, `key` and `audit`: for administrators, through the API of the server or of this process.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::door::Door;
use super::out;
use super::sample::grid;
use super::{Done, Failure};
use crate::config::Config;

#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Add a tenant
    Add {
        /// Lower-case letters, digits, `-` and `_`
        name: String,
        /// A policy that it may use, its own first; none: all
        #[arg(long = "policy", value_name = "NAME")]
        policies: Vec<String>,
    },
    /// List the tenants
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Change the policies that a tenant may use
    Policies {
        /// The tenant
        name: String,
        /// Its policies, its own first
        #[arg(required = true, value_name = "POLICY")]
        policies: Vec<String>,
    },
    /// What each tenant used, by day in UTC
    Usage {
        /// Print JSON in place of CSV
        #[arg(long)]
        json: bool,
    },
    /// Let no key of a tenant open anything
    Disable {
        /// The tenant
        name: String,
    },
    /// Let its keys open again what they say
    Enable {
        /// The tenant
        name: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeName {
    /// Look at what is the tenant's
    Read,
    /// Bring files, run programs, make, change and delete
    Run,
    /// Ask questions
    Ask,
    /// Manage tenants and keys
    Admin,
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; it is shown once
    Create {
        /// Whose it is
        #[arg(long, value_name = "NAME")]
        tenant: String,
        /// What it allows, with commas
        #[arg(long, value_enum, value_delimiter = ',', default_value = "read,run,ask")]
        scopes: Vec<ScopeName>,
        /// What it is for
        #[arg(long, default_value = "")]
        label: String,
        /// Days until it opens nothing any more
        #[arg(long, value_name = "DAYS")]
        expires_in_days: Option<u32>,
    },
    /// List the keys, without their secrets
    List {
        /// Of this tenant alone
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Let a key open nothing any more
    Revoke {
        /// The part after `gbx_`
        id: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the audit log as JSON lines, oldest first
    Export {
        /// The number of the last entry that you have
        #[arg(long, default_value_t = 0)]
        after: i64,
    },
}

pub(super) async fn tenant(config: Config, command: TenantCommand) -> Done {
    let door = Door::open(&config).await?;
    let change = async |name: &str, change: Value| -> Result<(), Failure> {
        let path = format!("/api/v1/admin/tenants/{}", segment(name)?);
        door.patch(&path, &change).await.map(drop)
    };
    match command {
        TenantCommand::Add { name, policies } => {
            let body = json!({ "name": name, "policies": policies });
            door.post("/api/v1/admin/tenants", &body).await?;
            out::print(&format!("added {name}; make it a key: glovebox key create --tenant {name}\n"));
        }
        TenantCommand::List { json } => {
            let answer = door.get("/api/v1/admin/tenants").await?;
            if json {
                out::print_json(&answer)?;
            } else {
                let row = |tenant: &Value| {
                    let policies = words(&tenant["policies"]);
                    let state = if tenant["disabled"] == true { "disabled" } else { "enabled" };
                    [text(&tenant["name"]), state.to_owned(), if policies.is_empty() { "all".into() } else { policies }]
                };
                out::print(&grid(&table(["tenant", "state", "policies"], &answer["tenants"], row)));
            }
        }
        TenantCommand::Usage { json: true } => out::print_json(&door.get("/api/v1/admin/usage").await?)?,
        TenantCommand::Usage { json: false } => out::print(&door.text("/api/v1/admin/usage?format=csv").await?),
        TenantCommand::Policies { name, policies } => change(&name, json!({ "policies": policies })).await?,
        TenantCommand::Disable { name } => change(&name, json!({ "disabled": true })).await?,
        TenantCommand::Enable { name } => change(&name, json!({ "disabled": false })).await?,
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn key(config: Config, command: KeyCommand) -> Done {
    let door = Door::open(&config).await?;
    match command {
        KeyCommand::Create { tenant, scopes, label, expires_in_days } => {
            let names = scopes.iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<_> = names.map(|name| name.get_name().to_owned()).collect();
            let body = json!({ "tenant": tenant, "scopes": names, "label": label, "expires_in_days": expires_in_days });
            let made = door.post("/api/v1/admin/keys", &body).await?;
            // Nothing but the key goes to stdout, so that it can be kept where it belongs.
            eprintln!("key {} of {tenant}, shown this once:", text(&made["id"]));
            out::print(&format!("{}\n", text(&made["key"])));
        }
        KeyCommand::List { tenant, json } => {
            let of = tenant.map(|name| segment(&name).map(|name| format!("?tenant={name}"))).transpose()?;
            let answer = door.get(&format!("/api/v1/admin/keys{}", of.unwrap_or_default())).await?;
            if json {
                out::print_json(&answer)?;
            } else {
                let row = |key: &Value| {
                    let state = match (&key["revoked_at"], &key["expires_at"]) {
                        (Value::String(at), _) => format!("revoked {}", day(at)),
                        (_, Value::String(at)) => format!("until {}", day(at)),
                        _ => "valid".to_owned(),
                    };
                    let used = key["last_used_at"].as_str().map_or("never", day).to_owned();
                    [text(&key["id"]), text(&key["tenant"]), words(&key["scopes"]), state, used, text(&key["label"])]
                };
                let head = ["key", "tenant", "scopes", "state", "last used", "label"];
                out::print(&grid(&table(head, &answer["keys"], row)));
            }
        }
        KeyCommand::Revoke { id } => {
            // A whole key is understood, too: what leaked is what is at hand.
            let id = id.strip_prefix("gbx_").and_then(|rest| rest.split('_').next()).unwrap_or(&id);
            door.delete(&format!("/api/v1/admin/keys/{}", segment(id)?)).await?;
        }
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn audit(config: Config, command: AuditCommand) -> Done {
    let AuditCommand::Export { mut after } = command;
    let door = Door::open(&config).await?;
    loop {
        let lines = door.text(&format!("/api/v1/admin/audit?after={after}")).await?;
        let last = lines.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok());
        out::print(&lines);
        match last.and_then(|entry| entry["number"].as_i64()) {
            Some(number) => after = number,
            None => break,
        }
    }
    door.close().await;
    Ok(ExitCode::SUCCESS)
}

/// A name as a part of a path: what could not be one is refused here, in place of meaning something else there.
fn segment(name: &str) -> Result<&str, Failure> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(fits) {
        return Ok(name);
    }
    Err(Failure::usage(format!("`{}` is not a name of letters, digits, `-` and `_`", out::tame(name))))
}

fn table<const N: usize>(head: [&str; N], rows: &Value, row: impl Fn(&Value) -> [String; N]) -> Vec<[String; N]> {
    let rows = rows.as_array().into_iter().flatten().map(row);
    std::iter::once(head.map(str::to_owned)).chain(rows).collect()
}

fn text(value: &Value) -> String {
    out::tame(value.as_str().unwrap_or_default())
}

fn words(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}

fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}
