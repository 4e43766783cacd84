//! The JavaScript image: built with a C compiler that pip fetches, checked in with the digest of each source.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::images::{ZSTD_LEVEL, hex, list, sha256};
use crate::{call, cargo, root, step, target_dir};

const IMAGE: &str = "guest-images/javascript";

/// `lock.toml`: what the module that is checked in was built from.
#[derive(Deserialize)]
struct Lock {
    /// Path in the repository and sha256.
    sources: BTreeMap<String, String>,
}

/// Compares the sources with the lock: whoever changes them builds the image.
pub(crate) fn verify() -> Result<()> {
    let path = root().join(IMAGE).join("lock.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    let lock: Lock = toml::from_str(&text).with_context(|| format!("{}", path.display()))?;
    let found = sources()?;
    let changed = found.iter().find(|(path, digest)| lock.sources.get(*path) != Some(digest)).map(|(path, _)| path);
    let gone = lock.sources.keys().find(|path| !found.contains_key(*path));
    if let Some(path) = changed.or(gone) {
        bail!("{path} is not what the JavaScript image was built from; run `cargo xtask image build javascript`");
    }
    Ok(())
}

/// Compiles the module, and writes its digests and those of its sources.
pub(crate) fn build() -> Result<()> {
    let dir = root().join(IMAGE);
    let sources = sources()?;
    let zig = compiler(&dir)?;
    step("building the JavaScript image (about a minute)");
    let target = target_dir().join("guest-javascript");
    call(
        cargo()
            .args(["build", "--release", "--locked", "--target", "wasm32-wasip1"])
            .arg("--manifest-path")
            .arg(dir.join("Cargo.toml"))
            .env("CARGO_TARGET_DIR", &target)
            .env("RQUICKJS_SYS_NO_WASI_SDK", "1")
            .env("CRATE_CC_NO_DEFAULTS", "0")
            .env("CC_wasm32_wasip1", dir.join("recipe/zig-cc"))
            .env("AR_wasm32_wasip1", dir.join("recipe/zig-ar"))
            // The digest makes cargo compile again when our changes to QuickJS are others.
            .env(
                "CFLAGS_wasm32_wasip1",
                format!(
                    "-O3 -fno-sanitize=all -DCHANGES_{} -ffile-prefix-map={}=/target",
                    &sha256(&dir.join("recipe/quickjs.diff"))?[..16],
                    target.display(),
                ),
            )
            // Sources are named alike wherever the repository lies: the module holds no path of the machine that built it.
            .env(
                "RUSTFLAGS",
                format!("--remap-path-prefix={}=/guest --remap-path-prefix={}=/cargo", dir.display(), cargo_home()),
            )
            .env("ZIG_GLOBAL_CACHE_DIR", target.join("zig-cache"))
            .env("ZIG", zig),
    )?;
    let wasm = target.join("wasm32-wasip1/release/javascript_guest.wasm");
    let wasm = fs::read(&wasm).with_context(|| format!("failed to read {}", wasm.display()))?;
    let packed = zstd::encode_all(wasm.as_slice(), ZSTD_LEVEL)?;
    fs::write(dir.join("javascript.wasm.zst"), &packed)?;
    seal(&dir.join("image.toml"), &digest(&packed), &digest(&wasm))?;
    let mut lock = String::from(
        "# What javascript.wasm.zst was built from. Written by `cargo xtask image build javascript`.\n\n[sources]\n",
    );
    for (path, digest) in sources {
        // Writing to a String cannot fail.
        let _ = writeln!(lock, "{path:?} = {digest:?}");
    }
    fs::write(dir.join("lock.toml"), lock)?;
    Ok(())
}

fn cargo_home() -> String {
    let home = || format!("{}/.cargo", std::env::var("HOME").unwrap_or_default());
    std::env::var("CARGO_HOME").unwrap_or_else(|_| home())
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex(&sha2::Sha256::digest(bytes))
}

/// Fetches the C compiler, unless it is there: zig from its Python wheel, pinned by its hash.
fn compiler(dir: &Path) -> Result<PathBuf> {
    let place = target_dir().join("zig");
    let zig = place.join("ziglang/zig");
    if !zig.is_file() {
        step("fetching the C compiler (90 MB, once)");
        call(
            Command::new("python3")
                .args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"])
                .arg("--target")
                .arg(&place)
                .arg("-r")
                .arg(dir.join("recipe/toolchain.txt")),
        )?;
    }
    // Absolute: the compiler is called from other directories.
    zig.canonicalize().with_context(|| format!("failed to find {}", zig.display()))
}

/// Writes the digests of a new module into `image.toml`, whose other lines are by hand.
fn seal(path: &Path, packed: &str, wasm: &str) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    let line = |line: &str| match line.split_once(" = ") {
        Some(("sha256", _)) => format!("sha256 = \"{packed}\"\n"),
        Some(("wasm_sha256", _)) => format!("wasm_sha256 = \"{wasm}\"\n"),
        _ => format!("{line}\n"),
    };
    fs::write(path, text.lines().map(line).collect::<String>())?;
    Ok(())
}

/// Path and sha256 of each file that the module is made from.
fn sources() -> Result<BTreeMap<String, String>> {
    let dir = root().join(IMAGE);
    let mut files = ["Cargo.toml", "Cargo.lock", "build.rs"].map(|name| dir.join(name)).to_vec();
    files.extend(["zig-cc", "zig-ar", "quickjs.diff", "toolchain.txt"].map(|name| dir.join("recipe").join(name)));
    files.push(root().join("rust-toolchain.toml"));
    for sub in ["src", "guest", "vendor"] {
        list(&dir.join(sub), &mut files)?;
    }
    let name = |path: &Path| path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned();
    files.iter().map(|path| Ok((name(path), sha256(path)?))).collect()
}
