//! `cargo xtask image test python`: does the image agree with native CPython, and how fast is it beside it?
//!
//! Everything runs in the product: each shard of tests or calls is a fresh `glovebox run`. Results of shards are kept in
//! `target/conformance` under the image's digest, so that a test that was stopped goes on where it was. The reports are
//! `target/conformance/*.md`; with `--write` they become `docs/python-conformance.md`.

mod answers;
mod differential;
mod guest;
mod kept;
mod misses;
mod native;
mod outcomes;
mod pool;
mod sample;
mod shards;
mod speed;
mod suite_runs;
mod suites;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::{images, machine, root, step, target_dir};
use guest::Guest;
use native::Native;

pub(crate) const HELP: &str = "\
cargo xtask image test python     the Python image beside native CPython: differential calls, numpy's and pandas' own
                                  tests, speed; [differential|suites|speed|sample], --only TEXT (in a test file's path),
                                  --jobs N, --write (docs/python-conformance.md, and what `cargo xtask test` expects)
";

/// Parts, in the order of the report.
const PARTS: [&str; 3] = ["differential", "suites", "speed"];

/// What all parts need.
struct Conformance {
    native: Native,
    guest: Guest,
    /// `target/conformance`.
    dir: PathBuf,
    only: Option<String>,
    jobs: usize,
    write: bool,
}

pub(crate) fn test(args: &[&str]) -> Result<ExitCode> {
    if args == ["sample"] {
        return sample(None).map(|()| ExitCode::SUCCESS);
    }
    let mut parts = Vec::new();
    let (mut only, mut jobs, mut write) = (None, 1, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--only" => only = Some((*args.next().context("--only needs a text")?).to_owned()),
            "--jobs" => jobs = args.next().context("--jobs needs a number")?.parse()?,
            "--write" => write = true,
            part if PARTS.contains(&part) => parts.push(part),
            other => bail!("unknown argument `{other}`\n{HELP}"),
        }
    }
    if parts.is_empty() {
        parts.extend(PARTS);
    }
    machine::check(machine::FOR_RUNNING)?;
    if std::env::var_os("GLOVEBOX_IMAGES_DIR").is_none() {
        images::verify()?;
    }
    let dir = target_dir().join("conformance");
    fs::create_dir_all(&dir)?;
    let this = Conformance { native: Native::prepare(&dir)?, guest: Guest::prepare(None)?, dir, only, jobs, write };
    let mut good = true;
    for part in parts {
        step(part);
        let report = match part {
            "differential" => differential::compare(&this)?,
            "suites" => suites::compare(&this)?,
            _ => speed::measure(&this)?,
        };
        good &= report.good;
        println!("{}", report.text);
        fs::write(this.dir.join(part).with_extension("md"), report.text)?;
    }
    if write {
        this.write_docs()?;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The fixed part of the differential test; the product is built already.
pub(crate) fn sample(cache: Option<&Path>) -> Result<()> {
    sample::check(&Guest::prepare(cache)?)
}

/// What a part found.
struct Report {
    /// Markdown.
    text: String,
    /// No miss without a named reason.
    good: bool,
}

impl Conformance {
    fn write_docs(&self) -> Result<()> {
        let mut text = String::from(
            "# The Python image beside native CPython\n\nWritten by `cargo xtask image test python --write`; \
             how it is done is in [the folder of the tests](../guest-images/python/conformance/README.md).\n",
        );
        for part in PARTS {
            if let Ok(section) = fs::read_to_string(self.dir.join(part).with_extension("md")) {
                text.push('\n');
                text.push_str(&section);
            }
        }
        fs::write(root().join("docs/python-conformance.md"), text)?;
        Ok(())
    }
}

/// The folder of the programs that run on both sides.
fn programs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-images/python/conformance"))
}
