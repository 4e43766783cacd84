//! The project's commands: `cargo xtask run` and `cargo xtask test`, and what they are made of.

mod bench;
mod conformance;
mod images;
mod javascript;
mod machine;
mod vendor;
mod verify;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

const HELP: &str = "\
cargo xtask run [-- ARGS…]        set everything up, then `glovebox serve`, or `glovebox ARGS…`
cargo xtask test                  everything that must pass, from a clean clone
cargo xtask image build NAME      build a guest image from its sources (rustpython, javascript, python)
cargo xtask image verify          compare the guest artifacts with their hashes
cargo xtask shots [DIR]           screenshots of every state of the page, target/shots if no DIR is given
cargo xtask soak [MINUTES]        a service at four fifths of its load, 15 minutes if no number is given: what it holds stays flat
cargo xtask vendor                take the page's libraries from npm again, by version and hash
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<ExitCode> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["run", rest @ ..] => run(rest.strip_prefix(&["--"]).unwrap_or(rest)),
        ["test"] => verify::test().map(|()| ExitCode::SUCCESS),
        ["image", "build", name] => images::build(name).map(|()| ExitCode::SUCCESS),
        ["image", "test", "python", rest @ ..] => conformance::test(rest),
        ["image", "verify"] => images::verify().map(|()| ExitCode::SUCCESS),
        ["shots"] => verify::shots(&target_dir().join("shots")).map(|()| ExitCode::SUCCESS),
        ["shots", dir] => verify::shots(Path::new(dir)).map(|()| ExitCode::SUCCESS),
        ["soak"] => verify::soak("15").map(|()| ExitCode::SUCCESS),
        ["soak", minutes] => verify::soak(minutes).map(|()| ExitCode::SUCCESS),
        ["vendor"] => vendor::vendor().map(|()| ExitCode::SUCCESS),
        ["bench", rest @ ..] => bench::bench(rest),
        _ => {
            print!("{HELP}{}{}", conformance::HELP, bench::HELP);
            Ok(if args.is_empty() || args == ["help"] { ExitCode::SUCCESS } else { ExitCode::from(2) })
        }
    }
}

/// Sets the machine up, builds, and becomes `glovebox`.
fn run(args: &[&str]) -> Result<ExitCode> {
    machine::check(machine::FOR_RUNNING)?;
    images::verify()?;
    images::build("rustpython")?;
    step("building glovebox (a few minutes the first time)");
    call(cargo().args(["build", "--release", "--package", "glovebox"]))?;
    let args = if args.is_empty() { &["serve"] } else { args };
    step("preparing the guest images (compiled and warmed up once on this machine)");
    call(Command::new(binary()).args(["image", "prepare"]))?;
    let status = Command::new(binary()).args(args).status().context("failed to start glovebox")?;
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

/// The repository.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where cargo builds.
fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

fn binary() -> PathBuf {
    target_dir().join("release/glovebox")
}

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs a command; its failure is ours.
fn call(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let shown = command.get_args().map(|arg| arg.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let status = command.status().with_context(|| format!("failed to start {name}"))?;
    if !status.success() {
        bail!("`{name} {shown}` failed ({status})");
    }
    Ok(())
}

/// Says what happens next.
fn step(message: &str) {
    eprintln!("==> {message}");
}
