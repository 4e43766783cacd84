//! The command line. stdout carries the result, stderr the progress; `--json` prints one JSON document.

mod answers;
mod ask;
mod backup;
mod doctor;
mod door;
mod eval;
mod eval_progress;
mod image;
mod image_add;
mod lists;
mod live;
mod models;
mod out;
mod question;
mod recipe;
mod repl;
mod replay;
mod run;
mod sample;
mod serve;
mod session;
mod statement;
mod tenant;
mod tree;
mod turn;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Overrides};
use crate::workers::Setting;

/// Exit code for failures of ours, as opposed to the script's.
pub(crate) const INFRASTRUCTURE: u8 = 70;
/// Exit code for a command that cannot be understood, as clap has it.
pub(crate) const USAGE: u8 = 2;

/// Files and a sentence in; charts, tables, files, code and an explanation out.
#[derive(Parser)]
#[command(name = "glovebox", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Common {
    /// Settings as TOML
    #[arg(long, global = true, value_name = "FILE", env = "GLOVEBOX_CONFIG")]
    config: Option<PathBuf>,
    /// Where files, sessions and results are kept
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How the log on stderr is written
    #[arg(long, global = true, value_enum, default_value = "text", env = "GLOVEBOX_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server with its page and API
    Serve(serve::Serve),
    /// Ask a question about files
    Ask(ask::AskArgs),
    /// Run a script in the sandbox
    Run(run::RunArgs),
    /// Sessions: live interpreters that keep their variables, go back and fork
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Type code into a session
    Repl(repl::ReplArgs),
    /// Run a recorded run again and compare
    Replay(replay::ReplayArgs),
    /// Judge completions of a benchmark, or ask a model for them
    Eval(Box<eval::EvalArgs>),
    /// Show what is in files
    Sample(sample::SampleArgs),
    /// Guest images: list, prepare, inspect, add
    #[command(subcommand)]
    Image(image::ImageCommand),
    /// Policies: check files, explain limits
    #[command(subcommand)]
    Policy(lists::PolicyCommand),
    /// Tenants of a server with keys
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Keys of a server that wants them
    #[command(subcommand)]
    Key(tenant::KeyCommand),
    /// Who changed what on a server, and who was refused
    #[command(subcommand)]
    Audit(tenant::AuditCommand),
    /// List the models that can be asked, and see whether they answer
    Models(models::ModelsArgs),
    /// Check this machine
    Doctor(doctor::DoctorArgs),
    /// Copy the data directory, also while a server works on it
    Backup(backup::BackupArgs),
    /// Put a backup into a new data directory
    Restore(backup::RestoreArgs),
    /// Run jobs for a parent process
    #[command(hide = true)]
    Worker(Worker),
    /// Find out what is in the file on standard input, for a parent process
    #[command(hide = true)]
    SampleWorker {
        /// What the file is called
        name: String,
    },
    /// Do one operation on audio or video for a parent process
    #[command(hide = true)]
    MediaWorker {
        /// Only say how it is locked
        #[arg(long)]
        check: bool,
    },
}

#[derive(Args)]
struct Worker {
    /// Cache of prepared images
    #[arg(long)]
    cache_dir: PathBuf,
    /// Directory of further images
    #[arg(long)]
    images_dir: Option<PathBuf>,
    /// Image that it maps; may be given several times
    #[arg(long = "image")]
    images: Vec<String>,
    /// Sessions that it keeps alive
    #[arg(long, default_value_t = 256)]
    live_sessions: usize,
}

/// Why a command failed: a sentence for stderr, and the exit code.
pub(crate) struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure { message: message.into(), code }
    }

    /// A failure of ours.
    pub(crate) fn ours(error: impl std::fmt::Display) -> Failure {
        Failure::new(INFRASTRUCTURE, error.to_string())
    }

    /// A mistake in the command.
    pub(crate) fn usage(error: impl std::fmt::Display) -> Failure {
        Failure::new(USAGE, error.to_string())
    }
}

impl From<crate::error::Error> for Failure {
    fn from(error: crate::error::Error) -> Failure {
        // No log to look into here: the cause is the message.
        let cause = error.cause.map(|cause| format!(": {cause:#}")).unwrap_or_default();
        Failure::new(INFRASTRUCTURE, format!("{}{cause}", error.detail))
    }
}

pub(crate) type Done = Result<ExitCode, Failure>;

/// The `glovebox` command, from its arguments to its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { common, command } = Cli::parse();
    // Before anything else happens in this process.
    if let Command::MediaWorker { check } = command {
        return media_worker(check);
    }
    if let Command::SampleWorker { name } = &command {
        return sample_worker(name);
    }
    let default = if matches!(command, Command::Serve(_)) { "info" } else { "error" };
    crate::log::start(common.log_format == LogFormat::Json, default);
    let done = match command {
        // A worker has an empty environment and no configuration: everything it needs is in its arguments.
        Command::Worker(worker) => work(worker),
        command => dispatch(&common, command),
    };
    match done {
        Ok(code) => code,
        Err(Failure { message, code }) => {
            eprintln!("glovebox: {message}");
            ExitCode::from(code)
        }
    }
}

fn dispatch(common: &Common, command: Command) -> Done {
    let listen = if let Command::Serve(serve) = &command { serve.listen.clone() } else { None };
    let overrides = Overrides { file: common.config.clone(), listen, data_dir: common.data_dir.clone() };
    let config = Config::load(&overrides).map_err(Failure::usage)?;
    match command {
        Command::Serve(serve) => block_on(serve::serve(config, serve)),
        Command::Ask(args) => block_on(ask::ask(config, args)),
        Command::Run(args) => block_on(run::run(config, args)),
        Command::Session(command) => block_on(session::session(config, command)),
        Command::Repl(args) => block_on(repl::repl(config, args)),
        Command::Replay(args) => block_on(replay::replay(config, args)),
        Command::Eval(args) => block_on(eval::eval(config, *args)),
        Command::Sample(args) => sample::sample(&args),
        Command::Image(command) => image::image(&config, command),
        Command::Policy(command) => lists::policy(&config, command),
        Command::Tenant(command) => block_on(tenant::tenant(config, command)),
        Command::Key(command) => block_on(tenant::key(config, command)),
        Command::Audit(command) => block_on(tenant::audit(config, command)),
        Command::Models(args) => block_on(models::models(config, args)),
        Command::Doctor(args) => block_on(doctor::doctor(config, args)),
        Command::Worker(worker) => work(worker),
        Command::Backup(args) => backup::backup(&config, &args),
        Command::Restore(args) => backup::restore(&config, &args),
        Command::SampleWorker { name } => Ok(sample_worker(&name)),
        Command::MediaWorker { check } => Ok(media_worker(check)),
    }
}

fn sample_worker(name: &str) -> ExitCode {
    match crate::sampling::worker_main(name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("glovebox: {error:#}");
            ExitCode::from(INFRASTRUCTURE)
        }
    }
}

fn media_worker(check: bool) -> ExitCode {
    // Whoever asked reads its socket, not this.
    if crate::media::worker_main(check).is_ok() { ExitCode::SUCCESS } else { ExitCode::from(INFRASTRUCTURE) }
}

fn work(worker: Worker) -> Done {
    let Worker { cache_dir: cache, images_dir, images, live_sessions } = worker;
    let setting = Setting { cache, images_dir, images, live_sessions };
    crate::workers::worker_main(&setting).map_err(|error| Failure::ours(format!("{error:#}")))?;
    Ok(ExitCode::SUCCESS)
}

fn block_on(work: impl Future<Output = Done>) -> Done {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::ours)?;
    let done = runtime.block_on(work);
    // Whoever is still writing is not waited for.
    runtime.shutdown_background();
    done
}
