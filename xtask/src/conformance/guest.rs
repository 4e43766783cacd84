//! Fresh runs in the sandbox, through the product's own command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{binary, call, cargo, images, root, step};

/// Ample limits: what is tested is agreement, and a test of numpy may want gigabytes.
const POLICY: &str = "generous";

pub(super) struct Guest {
    binary: PathBuf,
    /// Where prepared images are kept, if not where they are anyhow.
    cache: Option<PathBuf>,
    /// Tells images apart whose results are kept: everything that `image.toml` names by digest.
    pub(super) digest: String,
}

/// One fresh run's end.
pub(super) struct Run {
    /// `exited 0`, `trapped …`, as the outcome has it.
    pub(super) ending: String,
    pub(super) stdout: String,
    /// Milliseconds of wall time inside the run.
    pub(super) wall_ms: f64,
}

impl Guest {
    /// Builds the product and prepares the image. `GLOVEBOX_BINARY` names one that is built already; with a cache of its own
    /// it is the tests that ask, which have built it: a build of the package alone would choose other features and begin anew.
    pub(super) fn prepare(cache: Option<&Path>) -> Result<Guest> {
        let given = std::env::var_os("GLOVEBOX_BINARY").map(PathBuf::from);
        if given.is_none() && cache.is_none() {
            call(cargo().args(["build", "--release", "--package", "glovebox"]))?;
        }
        let folder = std::env::var_os("GLOVEBOX_IMAGES_DIR").map_or_else(|| root().join("guest-images"), PathBuf::from);
        let digest = images::sha256(&folder.join("python/image.toml"))?[..16].to_owned();
        let guest = Guest { binary: given.unwrap_or_else(binary), cache: cache.map(Path::to_owned), digest };
        step("preparing the image");
        call(guest.command().args(["image", "prepare", "python"]))?;
        Ok(guest)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        if std::env::var_os("GLOVEBOX_IMAGES_DIR").is_none() {
            command.env("GLOVEBOX_IMAGES_DIR", root().join("guest-images"));
        }
        if let Some(cache) = &self.cache {
            command.env("GLOVEBOX_CACHE_DIR", cache);
        }
        command
    }

    /// Runs a program on copies of files; what it wrote is in `out` afterwards.
    pub(super) fn run(&self, program: &Path, files: &[PathBuf], out: &Path) -> Result<Run> {
        if out.exists() {
            fs::remove_dir_all(out)?;
        }
        fs::create_dir_all(out)?;
        let mut command = self.command();
        command.args(["run", "--json", "--policy", POLICY, "--out"]).arg(out);
        for file in files {
            command.arg("--file").arg(file);
        }
        let output = command.arg(program).stdin(Stdio::null()).output()?;
        let outcome: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| format!("no outcome: {}", String::from_utf8_lossy(&output.stderr)))?;
        let ending = &outcome["ending"];
        let mut text = ending["kind"].as_str().unwrap_or("unknown").to_owned();
        for field in ["code", "reason", "exception", "message"] {
            match &ending[field] {
                Value::Null => {}
                Value::String(value) => text = format!("{text} {value}"),
                value => text = format!("{text} {value}"),
            }
        }
        Ok(Run {
            ending: text,
            stdout: outcome["stdout"].as_str().unwrap_or_default().to_owned(),
            wall_ms: outcome["timing"]["wall_ms"].as_f64().unwrap_or_default(),
        })
    }
}
