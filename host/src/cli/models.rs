//! `glovebox models`: which models can be asked, and whether they answer.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::sample::grid;
use super::{Done, Failure, out};
use crate::config::Config;
use crate::llm::{ModelInfo, Models};

#[derive(Args)]
pub(crate) struct ModelsArgs {
    /// Ask each model for a word, or the one that is named
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    ping: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A model, and what came of asking it.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    info: ModelInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    ping: Option<Ping>,
}

#[derive(Serialize)]
struct Ping {
    ok: bool,
    milliseconds: u64,
    input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(super) async fn models(config: Config, args: ModelsArgs) -> Done {
    let file = config.models_file();
    let models = Models::load(file.as_deref()).map_err(Failure::usage)?;
    if let Some(name) = args.ping.as_deref().filter(|name| !name.is_empty()) {
        models.get(Some(name)).map_err(Failure::usage)?;
    }
    let mut rows = Vec::new();
    for info in models.list() {
        let wanted = args.ping.as_deref().is_some_and(|name| name.is_empty() || name == info.name);
        // The two that answer without a server have nothing to be asked for.
        let ping = if wanted && info.server.is_some() { Some(ping(&models, &info.name).await) } else { None };
        rows.push(Row { info, ping });
    }
    let failed = rows.iter().any(|row| row.ping.as_ref().is_some_and(|ping| !ping.ok));
    if args.json {
        out::print_json(&rows)?;
    } else {
        out::print(&table(&rows, args.ping.is_some()));
        if rows.len() == 1 {
            let usual =
                "set OPENAI_API_KEY, OPENAI_BASE_URL or ANTHROPIC_API_KEY, or write a models.toml (README, Models)";
            eprintln!("no language model is configured: {usual}");
        }
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

async fn ping(models: &Models, name: &str) -> Ping {
    let began = Instant::now();
    let reply = models.ping(name).await;
    let milliseconds = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match reply {
        Ok(reply) => Ping {
            ok: true,
            milliseconds,
            input_tokens: reply.usage.input_tokens,
            output_tokens: reply.usage.output_tokens,
            error: None,
        },
        Err(error) => {
            Ping { ok: false, milliseconds, input_tokens: 0, output_tokens: 0, error: Some(error.to_string()) }
        }
    }
}

fn table(rows: &[Row], pinged: bool) -> String {
    let titles = ["model", "provider", "at the server", "server", "key", "price in/out", ""].map(str::to_owned);
    let mut cells = vec![titles];
    for Row { info, ping } in rows {
        let none = || "–".to_owned();
        let price = match (info.price_input_usd_per_mtok, info.price_output_usd_per_mtok) {
            (Some(input), Some(output)) => format!("${input}/${output} per Mtok"),
            _ => none(),
        };
        let mut last = if info.default { "default".to_owned() } else { String::new() };
        if pinged {
            let said = match ping {
                None => "needs no server".to_owned(),
                Some(Ping { ok: true, milliseconds, input_tokens, output_tokens, .. }) => {
                    format!("answered in {milliseconds} ms ({input_tokens} + {output_tokens} tokens)")
                }
                Some(Ping { error, .. }) => out::tame(error.as_deref().unwrap_or("failed")),
            };
            last = if last.is_empty() { said } else { format!("{last}; {said}") };
        }
        cells.push([
            info.name.clone(),
            info.provider.clone(),
            info.model.clone().unwrap_or_else(none),
            info.server.clone().unwrap_or_else(none),
            info.key.clone().unwrap_or_else(none),
            price,
            last,
        ]);
    }
    grid(&cells)
}
