//! The native CPython beside which we are measured.

use std::process::{Command, Stdio};
use std::time::Instant;

use crate::measure::{children_cpu, median, ms};

/// Which one: `GLOVEBOX_NATIVE_PYTHON`, else `python3`.
#[must_use]
pub fn python() -> String {
    std::env::var("GLOVEBOX_NATIVE_PYTHON").unwrap_or_else(|_| "python3".into())
}

fn command(source: &str, dir: &std::path::Path) -> Command {
    let mut command = Command::new(python());
    // One thread, as a guest has.
    command.args(["-c", source]).current_dir(dir).env("OPENBLAS_NUM_THREADS", "1").env("OMP_NUM_THREADS", "1");
    command
}

/// What a program prints.
///
/// # Errors
///
/// The last line that says why it did not run.
pub fn output(source: &str) -> Result<String, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    finish(command(source, dir.path()))
}

fn finish(mut command: Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(said.trim().lines().last().unwrap_or("failed without a word").to_owned())
}

/// Median elapsed and mean CPU milliseconds of a program's whole process.
///
/// # Errors
///
/// As [`output`].
pub fn process(source: &str, rounds: usize) -> Result<(f64, f64), String> {
    repeat(rounds, || output(source))
}

/// The same of another program than CPython.
///
/// # Errors
///
/// It is not installed, or fails.
pub fn other(program: &str, arguments: &[&str], rounds: usize) -> Result<(f64, f64), String> {
    repeat(rounds, || {
        let mut command = Command::new(program);
        command.args(arguments);
        finish(command)
    })
}

fn repeat(rounds: usize, run: impl Fn() -> Result<String, String>) -> Result<(f64, f64), String> {
    run()?;
    let before = children_cpu();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let at = Instant::now();
        run()?;
        times.push(ms(at));
    }
    let cpu = (children_cpu() - before).as_secs_f64() * 1e3 / rounds as f64;
    Ok((median(&mut times), cpu))
}
