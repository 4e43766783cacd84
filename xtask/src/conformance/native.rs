//! The native CPython 3.13 with the image's packages from PyPI's wheels, pinned by hash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::programs;
use crate::{call, step, target_dir};

const VERSION: &str = "3.13";

pub(super) struct Native {
    python: PathBuf,
    /// Where the wheels are unpacked.
    pub(super) site: PathBuf,
    /// tests.zip and plugins.zip.
    pub(super) bundles: PathBuf,
}

impl Native {
    /// Finds the interpreter and installs the packages, unless that was done with the same list.
    pub(super) fn prepare(dir: &Path) -> Result<Native> {
        let python = find()?;
        let wanted = fs::read_to_string(programs().join("requirements.txt"))?;
        let bundler = fs::read_to_string(programs().join("bundle.py"))?;
        let (site, stamp) = (dir.join("site"), dir.join("site.txt"));
        let said = format!("{}\n{wanted}{bundler}", python.display());
        let native = Native { python, site, bundles: dir.to_owned() };
        if fs::read_to_string(&stamp).is_ok_and(|text| text == said) {
            return Ok(native);
        }
        step("installing native packages (wheels pinned by hash)");
        if native.site.exists() {
            fs::remove_dir_all(&native.site)?;
        }
        // Any pip will do: the wheels are chosen for the version that runs them, and need no building.
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]);
        pip.args(["--ignore-requires-python", "--implementation", "cp", "--python-version", VERSION]).args(platforms());
        call(pip.arg("--target").arg(&native.site).arg("-r").arg(programs().join("requirements.txt")))?;
        call(native.command(&programs().join("bundle.py")).arg(&native.site).arg(&native.bundles))?;
        fs::write(&stamp, said)?;
        Ok(native)
    }

    /// The interpreter on a program, alone with these packages and with one thread.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-s", "-P"]).arg(program).env("PYTHONPATH", &self.site).env("PYTHONHASHSEED", "0");
        command.env("OPENBLAS_NUM_THREADS", "1").env("LANG", "C.UTF-8").env("TZ", "UTC").env("MPLBACKEND", "agg");
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// What a program prints when run in a folder.
    pub(super) fn output(&self, program: &Path, dir: &Path) -> Result<String> {
        let output = self.command(program).current_dir(dir).stdin(Stdio::null()).output()?;
        if !output.status.success() {
            bail!("{} failed natively: {}", program.display(), String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

fn platforms() -> Vec<String> {
    let machine = std::env::consts::ARCH;
    let tags = ["manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014"];
    tags.iter().flat_map(|tag| ["--platform".into(), format!("{tag}_{machine}")]).collect()
}

/// `GLOVEBOX_NATIVE_PYTHON`, the one that the image's recipe built, or an installed one.
fn find() -> Result<PathBuf> {
    let named = std::env::var_os("GLOVEBOX_NATIVE_PYTHON").map(PathBuf::from);
    let built = target_dir().join("python-image/results/native/bin/python3.13");
    for python in named.into_iter().chain([built, "python3.13".into(), "python3".into()]) {
        let version = Command::new(&python).arg("--version").stderr(Stdio::null()).output();
        if version.is_ok_and(|out| String::from_utf8_lossy(&out.stdout).starts_with(&format!("Python {VERSION}."))) {
            return Ok(python);
        }
    }
    None.with_context(|| {
        format!("no native Python {VERSION}: set GLOVEBOX_NATIVE_PYTHON, or run `cargo xtask image build python`")
    })
}
