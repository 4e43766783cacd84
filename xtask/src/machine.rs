//! What the machine must have: installed where we may, named with the exact command where not.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{call, step};

/// A program and the Debian package that has it.
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
}

/// Building and serving.
pub(crate) const FOR_RUNNING: &[Tool] =
    &[Tool { program: "cc", package: "gcc" }, Tool { program: "make", package: "make" }];

/// The browser test besides.
pub(crate) const FOR_TESTING: &[Tool] = &[
    Tool { program: "node", package: "nodejs" },
    Tool { program: "npm", package: "npm" },
    Tool { program: "chromium", package: "chromium" },
];

/// Finds what is missing and installs it, or says how.
pub(crate) fn check(tools: &[Tool]) -> Result<()> {
    wasm_target()?;
    let missing: Vec<_> = tools.iter().filter(|tool| !on_path(tool.program)).map(|tool| tool.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = missing.join(" ");
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if !root || !on_path("apt-get") {
        bail!("missing: {packages}; install with: sudo apt-get update && sudo apt-get install -y {packages}");
    }
    step(&format!("installing {packages}"));
    call(Command::new("apt-get").args(["update", "-q"]))?;
    call(Command::new("apt-get").args(["install", "-q", "-y", "--no-install-recommends"]).args(missing))
}

/// `rust-toolchain.toml` names the target, but only rustup reads that.
fn wasm_target() -> Result<()> {
    let output = Command::new("rustc").args(["--print", "target-libdir", "--target", "wasm32-wasip1"]).output();
    let installed = output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
    if installed {
        return Ok(());
    }
    if !on_path("rustup") {
        bail!("the Rust target wasm32-wasip1 is missing; install it with your Rust, or use rustup");
    }
    step("adding the Rust target wasm32-wasip1");
    call(Command::new("rustup").args(["target", "add", "wasm32-wasip1"]))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}
