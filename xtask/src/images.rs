//! Guest images: their artifacts verified, the ones made here built.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::{call, cargo, javascript, machine, root, step, target_dir};

/// Level at which modules are compressed: slow once, small for ever.
pub(crate) const ZSTD_LEVEL: i32 = 19;

/// Images whose artifacts are checked in.
const CHECKED_IN: [&str; 2] = ["python", "javascript"];

/// Compares the artifacts that are checked in with the hashes in their `image.toml`, and what the JavaScript image is
/// built from with its lock.
pub(crate) fn verify() -> Result<()> {
    CHECKED_IN.into_iter().try_for_each(verify_artifacts)?;
    javascript::verify()
}

/// Compares the Python image's bill of materials with its lock.
pub(crate) fn bill_of_materials() -> Result<()> {
    call(Command::new("python3").arg(root().join("guest-images/python/recipe/sbom.py")).arg("--check"))
}

fn verify_artifacts(image: &str) -> Result<()> {
    let dir = root().join("guest-images").join(image);
    let path = dir.join("image.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("{}", path.display()))?;
    let module = manifest.get("module").into_iter();
    let mounts = manifest.get("mount").and_then(toml::Value::as_array).into_iter().flatten();
    let files = mounts.filter_map(|mount| mount.get("file")?.as_array()).flatten();
    for entry in module.chain(files) {
        let field = |name| entry.get(name).and_then(toml::Value::as_str);
        let (Some(file), Some(expected)) = (field("file"), field("sha256")) else {
            bail!("{}: a file without name or sha256", path.display());
        };
        let found = sha256(&dir.join(file)).with_context(|| {
            format!("guest artifact guest-images/{image}/{file} is missing; restore it with git checkout")
        })?;
        if found != expected {
            bail!("guest-images/{image}/{file} has sha256 {found}, expected {expected}; restore it with git checkout");
        }
    }
    Ok(())
}

/// Builds an image.
pub(crate) fn build(name: &str) -> Result<()> {
    match name {
        "rustpython" => rustpython(),
        "javascript" => javascript::build(),
        "python" => python(),
        _ => bail!("unknown image `{name}` (there are: python, rustpython, javascript)"),
    }
}

/// Builds the Python image from its sources; what is unchanged since the last time is kept in the target folder.
fn python() -> Result<()> {
    machine::check(machine::FOR_PYTHON)?;
    step("building the Python image (an hour the first time, minutes after a change)");
    let recipe = root().join("guest-images/python/recipe/build.py");
    call(Command::new("python3").arg(recipe).arg(target_dir().join("python-image")))?;
    verify_artifacts("python")
}

/// Compiles the RustPython guest unless its sources are those of the last build.
fn rustpython() -> Result<()> {
    let dir = root().join("guest-images/rustpython");
    let packed = dir.join("rustpython.wasm.zst");
    let stamp = dir.join("rustpython.wasm.zst.sha256");
    let sources = source_digest(&dir)?;
    if let (Ok(text), Ok(found)) = (fs::read_to_string(&stamp), sha256(&packed))
        && text == stamp_text(&found, &sources)
    {
        return Ok(());
    }
    machine::check(&[])?;
    step("building the RustPython image (about 5 minutes, once)");
    let target = target_dir().join("guest");
    call(
        cargo()
            .args(["build", "--release", "--locked", "--target", "wasm32-wasip1", "--ignore-rust-version"])
            .arg("--manifest-path")
            .arg(dir.join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", &target),
    )?;
    let wasm = target.join("wasm32-wasip1/release/rustpython_guest.wasm");
    let wasm = fs::read(&wasm).with_context(|| format!("failed to read {}", wasm.display()))?;
    step("compressing it");
    let draft = dir.join("rustpython.wasm.zst.partial");
    fs::write(&draft, zstd::encode_all(wasm.as_slice(), ZSTD_LEVEL)?)?;
    fs::rename(&draft, &packed)?;
    fs::write(&stamp, stamp_text(&sha256(&packed)?, &sources))?;
    Ok(())
}

fn stamp_text(packed: &str, sources: &str) -> String {
    format!("{packed}  rustpython.wasm.zst\nsources {sources}\n")
}

/// Digest of everything that the guest is built from.
fn source_digest(dir: &Path) -> Result<String> {
    let mut files =
        vec![dir.join("Cargo.toml"), dir.join("Cargo.lock"), dir.join("build.rs"), root().join("rust-toolchain.toml")];
    for sub in ["src", "guest"] {
        list(&dir.join(sub), &mut files)?;
    }
    files.sort();
    let mut hasher = Sha256::new();
    for file in files.iter().filter(|file| file.is_file()) {
        hasher.update(file.strip_prefix(root()).unwrap_or(file).to_string_lossy().as_bytes());
        hasher.update(fs::read(file)?);
    }
    Ok(hex(&hasher.finalize()))
}

pub(crate) fn list(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("failed to list {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

pub(crate) fn sha256(path: &Path) -> Result<String> {
    Ok(hex(&Sha256::digest(fs::read(path)?)))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
