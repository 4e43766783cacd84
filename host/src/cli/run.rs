//! `glovebox run`: a script in the sandbox, without a server. Its output streams; its exit code is ours.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use glovebox_runtime::{Echo, Event, EventBody, Job, Mode, Outcome, Program};

use super::out::{self, Progress};
use super::{Done, Failure};
use crate::app::Backend;
use crate::config::Config;

/// Bytes that a script may have.
pub(super) const SCRIPT_LIMIT: u64 = 4 << 20;

#[derive(Args)]
pub(crate) struct RunArgs {
    /// Image to run it in
    #[arg(long, default_value = "python")]
    image: String,
    /// Policy with its limits
    #[arg(long, default_value = "default")]
    policy: String,
    /// Copy a file into the working directory (repeatable)
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write files and pictures that it makes into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The same result every time: fixed seed, virtual clock
    #[arg(long)]
    deterministic: bool,
    /// Seed of its random generators
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print the outcome as one JSON document
    #[arg(long)]
    json: bool,
    /// The script, or - for standard input; everything after it is the script's
    #[arg(required = true, num_args = 1.., trailing_var_arg = true, value_names = ["SCRIPT", "ARGS"])]
    command: Vec<String>,
}

pub(super) async fn run(config: Config, mut args: RunArgs) -> Done {
    let script_args = args.command.split_off(1);
    let policy = out::policy(&config, &args.policy, &args.image)?;
    let (source, filename) = script(Path::new(&args.command[0]))?;
    let mut progress = Progress::new();
    let backend = out::backend(&config, &args.image, 1, &mut progress).await?;
    progress.end();
    let (_dir, workspace) = out::workspace(&args.files)?;
    let job = Job {
        image: args.image,
        program: Program { source, filename, args: script_args, echo: Echo::Last, ..Program::default() },
        workspace: workspace.clone(),
        limits: policy.limits,
        mode: if args.deterministic { Mode::Deterministic } else { Mode::Live },
        seed: args.seed,
    };
    let (quiet, keep_displays) = (args.json, args.out.is_some());
    let mut on_event = |event: Event| {
        if !quiet {
            show(&event.body, keep_displays);
        }
    };
    let outcome = backend.run(job, &mut on_event, &out::cancel_on_interrupt()).await.map_err(Failure::ours)?;
    if let Some(dir) = &args.out {
        let mut written = out::write_artifacts(&outcome, &workspace, dir)?;
        written.extend(out::write_displays(&outcome.displays, 1, dir)?);
        out::tell(&written);
    }
    if args.json {
        out::print_json(&outcome)?;
    }
    Ok(end(&outcome))
}

/// Says on stderr how it ended, unless it simply did, and gives its exit code.
pub(super) fn end(outcome: &Outcome) -> ExitCode {
    for warning in &outcome.warnings {
        eprintln!("glovebox: {}", out::tame(warning));
    }
    if !outcome.ending.is_success() {
        eprintln!("glovebox: {}", out::tame(&outcome.ending.sentence()));
    }
    ExitCode::from(outcome.ending.exit_code())
}

/// A script and its name, from a file or, for `-`, from standard input.
pub(super) fn script(path: &Path) -> Result<(String, Option<String>), Failure> {
    let mut source = String::new();
    let name = path.display();
    let readable = |error: std::io::Error| Failure::usage(format!("cannot read {name}: {error}"));
    let filename = if path.as_os_str() == "-" {
        std::io::stdin().take(SCRIPT_LIMIT + 1).read_to_string(&mut source).map_err(readable)?;
        None
    } else {
        let file = std::fs::File::open(path).map_err(readable)?;
        file.take(SCRIPT_LIMIT + 1).read_to_string(&mut source).map_err(readable)?;
        path.file_name().and_then(|name| name.to_str()).map(str::to_owned)
    };
    if source.len() as u64 > SCRIPT_LIMIT {
        return Err(Failure::usage(format!("{name} is larger than {} MiB; give data with --file", SCRIPT_LIMIT >> 20)));
    }
    Ok((source, filename))
}

/// Output as it comes. What a script writes is the user's: it goes out as it is.
fn show(event: &EventBody, keep_displays: bool) {
    match event {
        EventBody::Stdout { text } => out::print(text),
        EventBody::Stderr { text } => {
            let mut stderr = std::io::stderr().lock();
            let _ = stderr.write_all(text.as_bytes());
        }
        EventBody::Display(display) => match out::text_of(display) {
            Some(text) => out::print(&format!("{text}\n")),
            None if !keep_displays => eprintln!("glovebox: a picture was shown; --out DIR saves it"),
            None => {}
        },
        EventBody::LimitWarning { message, .. } => eprintln!("glovebox: {message}"),
        _ => {}
    }
}
