//! `cargo xtask vendor`: the libraries that the page loads on demand, from npm by version and hash, into
//! `host/src/ui/vendor`. They are checked in, so that building and serving need neither npm nor the internet.

use std::process::Command;

use anyhow::Result;

use crate::{call, root, step};

pub(crate) fn vendor() -> Result<()> {
    let place = root().join("xtask/vendor");
    step("fetching the packages of xtask/vendor/package-lock.json");
    call(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&place))?;
    step("writing host/src/ui/vendor");
    call(Command::new("node").arg("build.mjs").current_dir(&place))
}
