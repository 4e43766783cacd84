//! What the machine must have: installed where we may, named with the exact command where not.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{call, step};

/// What a Debian package brings.
pub(crate) struct Tool {
    brings: Brings,
    package: &'static str,
}

/// How to see that a package is there, or that somebody has the same from elsewhere.
enum Brings {
    /// A program on the path.
    Program(&'static str),
    /// A C library that pkg-config knows.
    Library(&'static str),
    /// The library of clang, which reads C headers for the bindings.
    Clang,
}

const fn program(program: &'static str, package: &'static str) -> Tool {
    Tool { brings: Brings::Program(program), package }
}

const fn library(library: &'static str, package: &'static str) -> Tool {
    Tool { brings: Brings::Library(library), package }
}

/// Building and serving.
pub(crate) const FOR_RUNNING: &[Tool] = &[
    program("cc", "gcc"),
    program("make", "make"),
    program("pkg-config", "pkg-config"),
    program("clang", "clang"),
    Tool { brings: Brings::Clang, package: "libclang-dev" },
    library("libavcodec", "libavcodec-dev"),
    library("libavformat", "libavformat-dev"),
    library("libavutil", "libavutil-dev"),
    library("libavfilter", "libavfilter-dev"),
    library("libavdevice", "libavdevice-dev"),
    library("libswscale", "libswscale-dev"),
    library("libswresample", "libswresample-dev"),
];

/// The browser test besides, somebody else's look at our videos, and somebody else's client.
pub(crate) const FOR_TESTING: &[Tool] = &[
    program("node", "nodejs"),
    program("npm", "npm"),
    program("chromium", "chromium"),
    program("ffprobe", "ffmpeg"),
    program("python3", "python3"),
    program("pip3", "python3-pip"),
];

/// Building the Python image.
pub(crate) const FOR_PYTHON: &[Tool] = &[
    program("cc", "gcc"),
    program("make", "make"),
    program("patch", "patch"),
    program("zstd", "zstd"),
    program("pkg-config", "pkg-config"),
    program("python3", "python3"),
    program("pip3", "python3-pip"),
    library("zlib", "zlib1g-dev"),
];

/// Finds what is missing and installs it, or says how.
pub(crate) fn check(tools: &[Tool]) -> Result<()> {
    wasm_target()?;
    let missing: Vec<_> = tools.iter().filter(|tool| !tool.is_there()).map(|tool| tool.package).collect();
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

impl Tool {
    fn is_there(&self) -> bool {
        match self.brings {
            Brings::Program(program) => on_path(program),
            Brings::Library(library) => {
                Command::new("pkg-config").args(["--exists", library]).status().is_ok_and(|status| status.success())
            }
            // Where bindgen looks: a place that was named, or clang's own.
            Brings::Clang => std::env::var_os("LIBCLANG_PATH").is_some() || clang_library(),
        }
    }
}

fn clang_library() -> bool {
    let machine = format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    let llvm = std::fs::read_dir("/usr/lib").into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let llvm = llvm.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("llvm-")));
    let places = ["/usr/lib".into(), "/usr/lib64".into(), machine.into()];
    places.into_iter().chain(llvm.map(|path| path.join("lib"))).any(|place: std::path::PathBuf| {
        let files = std::fs::read_dir(place).into_iter().flatten().filter_map(Result::ok);
        files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libclang"))
    })
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
