//! `cargo xtask bench`: figures of this machine, beside what is installed on it.

use std::process::ExitCode;

use anyhow::Result;

use crate::{binary, call, cargo, images, machine};

pub(crate) const HELP: &str = "\
cargo xtask bench start           figures of starts, turns, forks and sleep, with targets; --json, --rounds N, --only TEXT
cargo xtask bench many-sessions   many sessions over REST, asleep and live; --asleep N, --live N, --clients N, --json
cargo xtask bench compute         computing beside native CPython, for each way of metering; --json, --rounds N
cargo xtask bench eval            verdicts a second beside a native process for each; --samples N, --native N, --json
cargo xtask bench sampler         the sampler beside pandas.read_csv; --mb N, --rounds N, --json
cargo xtask bench [-- ARGS…]      criterion benches of fresh runs
";

pub(crate) fn bench(args: &[&str]) -> Result<ExitCode> {
    let (name, args) = match args {
        ["start", rest @ ..] => ("start", rest),
        ["many-sessions", rest @ ..] => ("many_sessions", rest),
        ["sampler", rest @ ..] => ("sampler", rest),
        ["eval", rest @ ..] => ("eval", rest),
        ["compute", rest @ ..] => ("compute", rest),
        rest => ("fresh_runs", rest.strip_prefix(&["--"]).unwrap_or(rest)),
    };
    machine::check(machine::FOR_RUNNING)?;
    images::verify()?;
    images::build("rustpython")?;
    call(cargo().args(["build", "--release", "--package", "glovebox"]))?;
    let mut command = cargo();
    command.env("GLOVEBOX_BINARY", binary());
    // With the product's features of shared dependencies, or Wasmtime would be built twice.
    command.args(["bench", "--package", "glovebox-benches", "--package", "glovebox", "--bench", name, "--"]);
    call(command.args(args))?;
    Ok(ExitCode::SUCCESS)
}
