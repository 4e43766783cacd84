//! `glovebox eval`: judges completions of a benchmark; `glovebox eval generate`: asks a model for them.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use glovebox_runtime::Limits;
use serde_json::json;

use super::eval_progress::{Shown, text};
use super::out::{self, Progress};
use super::{Done, Failure, INFRASTRUCTURE};
use crate::config::Config;
use crate::eval::files::Problems;
use crate::eval::generate::{Wanted, generate};
use crate::eval::run::{EvalError, Plan, Told, evaluate, parse_ks};
use crate::eval::{FUEL_PER_SECOND, Judge, Settings, Verdict};
use crate::llm::Models;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct EvalArgs {
    #[command(subcommand)]
    command: Option<EvalCommand>,
    /// Problems as JSON Lines, also .gz: HumanEval(+), MBPP(+), EvalPlus, APPS, CodeContests, LiveCodeBench, DS-1000 or plain
    #[arg(long, value_name = "FILE", required = true)]
    problems: Option<PathBuf>,
    /// Completions as JSON Lines: `task_id` with `completion` or `solution`
    #[arg(long, value_name = "FILE", required = true)]
    completions: Option<PathBuf>,
    /// Write the verdicts here, and go on where an interrupted evaluation ended; without it they go to stdout
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Begin anew, whatever the file of verdicts holds
    #[arg(long)]
    fresh: bool,
    /// Image to run the programs in
    #[arg(long, default_value = "python")]
    image: String,
    /// Policy with its limits, where the options below do not say otherwise
    #[arg(long, default_value = "default")]
    policy: String,
    /// Fuel of a sample; 5 billion are about a second of one core
    #[arg(long, value_name = "N", conflicts_with = "timeout_s")]
    fuel: Option<u64>,
    /// The same in seconds on the reference machine [default: 2]
    #[arg(long, value_name = "SECONDS")]
    timeout_s: Option<f64>,
    /// Memory of a sample in MiB
    #[arg(long, value_name = "N", default_value_t = 512)]
    memory_mib: u64,
    /// Worker processes [default: one per core]
    #[arg(long, short, value_name = "N")]
    jobs: Option<usize>,
    /// Judge at most so many completions
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// The same verdicts, byte for byte, every time: fixed seed, virtual clock, no times
    #[arg(long)]
    deterministic: bool,
    /// Seed of random generators in deterministic evaluations
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The k of pass@k
    #[arg(long, value_name = "K,…", default_value = "1,10,100")]
    pass_at: String,
    /// How often a sample is tried again when Glovebox itself failed
    #[arg(long, value_name = "N", default_value_t = 3)]
    retries: u32,
    /// Print the summary as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum EvalCommand {
    /// Ask a model for samples of each problem
    Generate(GenerateArgs),
}

#[derive(Args)]
struct GenerateArgs {
    /// Problems as JSON Lines
    #[arg(long, value_name = "FILE")]
    problems: PathBuf,
    /// Write the completions here, and go on where an interrupted run ended
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Model to ask; `glovebox models` lists them
    #[arg(long, short)]
    model: Option<String>,
    /// Samples of each problem
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1)]
    samples: u64,
    /// Take only the first problems
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Calls under way at once
    #[arg(long, short, value_name = "N", default_value_t = 4)]
    jobs: usize,
    /// Ask nothing more once so many tokens, sent and received, are used
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// Ask nothing more once so much is spent, by the prices of the configuration
    #[arg(long, value_name = "USD")]
    max_cost_usd: Option<f64>,
}

pub(super) async fn eval(config: Config, args: EvalArgs) -> Done {
    match args.command {
        Some(EvalCommand::Generate(args)) => ask(config, args).await,
        None => judge(config, args).await,
    }
}

async fn judge(mut config: Config, args: EvalArgs) -> Done {
    let (Some(problems), Some(completions)) = (args.problems.clone(), args.completions.clone()) else {
        return Err(Failure::usage("give --problems and --completions"));
    };
    let ks = parse_ks(&args.pass_at).map_err(Failure::usage)?;
    let policy = out::policy(&config, &args.policy, &args.image)?;
    let jobs = args.jobs.unwrap_or(config.workers).max(1);
    let settings = Settings {
        image: args.image.clone(),
        limits: Limits { fuel: fuel(&args)?, memory_mib: args.memory_mib, ..policy.limits },
        deterministic: args.deterministic,
        seed: args.seed,
        retries: args.retries,
        // The next one is made ready while each worker is busy.
        at_once: 2 * jobs,
    };
    config.workers = jobs;
    for path in [&problems, &completions] {
        std::fs::File::open(path)
            .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    }
    let mut progress = Progress::new();
    let backend = out::backend(&config, &args.image, jobs, &mut progress).await?;
    progress.end();
    let judge = Judge::new(backend, settings, &std::env::temp_dir()).map_err(Failure::ours)?;
    let plan = Plan {
        problems,
        completions,
        out: args.out.clone(),
        fresh: args.fresh,
        limit: args.limit,
        // One that takes long must not leave the others without work.
        window: jobs * 32,
    };
    let mut shown = Shown::new();
    let to_stdout = args.out.is_none();
    let mut tell = |told: Told<'_>| {
        if let (Told::Verdict { verdict, .. }, true) = (&told, to_stdout)
            && let Ok(line) = serde_json::to_string(verdict)
        {
            out::print(&format!("{line}\n"));
        }
        shown.tell(&told);
    };
    let evaluated = evaluate(&judge, &plan, ks, &mut tell, &out::cancel_on_interrupt()).await;
    shown.end();
    let evaluated = evaluated.map_err(|error| match error {
        EvalError::Foreign { .. } => Failure::usage(error),
        EvalError::File { .. } => Failure::ours(error),
    })?;
    let summary = evaluated.tally.summary();
    let said = if args.json {
        let rate = shown.rate(&evaluated);
        let mut document = serde_json::to_value(&summary).map_err(Failure::ours)?;
        document["bad_lines"] = json!(evaluated.bad);
        document["resumed"] = json!(evaluated.resumed);
        document["interrupted"] = json!(evaluated.cancelled);
        document["verdicts_per_second"] = json!((rate * 10.0).round() / 10.0);
        format!("{document:#}\n")
    } else {
        text(&summary, &evaluated, shown.rate(&evaluated))
    };
    if to_stdout {
        let _ = std::io::stderr().lock().write_all(said.as_bytes());
    } else {
        out::print(&said);
    }
    let infrastructure = evaluated.tally.count(Verdict::Infrastructure);
    Ok(match () {
        () if evaluated.cancelled => ExitCode::from(130),
        () if infrastructure > 0 => ExitCode::from(INFRASTRUCTURE),
        () if evaluated.bad > 0 => ExitCode::from(1),
        () => ExitCode::SUCCESS,
    })
}

fn fuel(args: &EvalArgs) -> Result<u64, Failure> {
    let Some(seconds) = args.timeout_s else { return Ok(args.fuel.unwrap_or(2 * FUEL_PER_SECOND)) };
    if !(seconds > 0.0 && seconds <= 86_400.0) {
        return Err(Failure::usage("--timeout-s is a number of seconds, at most a day"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "checked")]
    Ok((seconds * FUEL_PER_SECOND as f64) as u64)
}

async fn ask(config: Config, args: GenerateArgs) -> Done {
    let models = Models::load(config.models_file().as_deref()).map_err(Failure::usage)?;
    let model = models.get(args.model.as_deref()).map_err(Failure::usage)?;
    if model.name() == "builtin" {
        return Err(Failure::usage(
            "the built-in planner writes no such programs; configure a model (glovebox models says how)",
        ));
    }
    let mut bad = 0;
    let problems = Problems::open(&args.problems, &mut |one| {
        bad += 1;
        eprintln!("glovebox: {}", out::tame(&one.to_string()));
    });
    let mut problems =
        problems.map_err(|error| Failure::usage(format!("cannot read {}: {error}", args.problems.display())))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a budget in dollars")]
    let max_cost_micro_usd = args.max_cost_usd.map(|usd| (usd.max(0.0) * 1e6) as u64);
    let wanted = Wanted {
        samples: args.samples,
        limit: args.limit,
        jobs: args.jobs,
        max_tokens: args.max_tokens,
        max_cost_micro_usd,
    };
    let mut progress = Progress::new();
    let cancel = out::cancel_on_interrupt();
    let generated = generate(
        &model,
        &mut problems,
        &wanted,
        &args.out,
        &mut |done| progress.say(&format!("{} of {} samples", done.samples, done.wanted)),
        &cancel,
    )
    .await;
    progress.end();
    let done = generated.map_err(|error| Failure::usage(format!("{}: {error}", args.out.display())))?;
    let usage = done.usage;
    let (sent, received) = (usage.input_tokens, usage.output_tokens);
    eprintln!("{} of {} samples, {sent} tokens sent, {received} received", done.samples, done.wanted);
    Ok(match done.stopped {
        Some(why) => {
            eprintln!("glovebox: stopped: {}; the same command goes on from here", out::tame(&why));
            ExitCode::from(if cancel.is_cancelled() { 130 } else { INFRASTRUCTURE })
        }
        None if bad > 0 => ExitCode::from(1),
        None => ExitCode::SUCCESS,
    })
}
