//! Prepares an image: verify, unpack, compile once, warm up, save the memory.
//!
//! Code and memory are separate directories of the cache: a new library zip or warm-up needs a new
//! memory image, but never a new compilation. Each is published whole, so that an interrupted
//! preparation goes on after its last finished step.

use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::Engine;

use crate::artifact::hex;
use crate::cache::{self, Draft};
use crate::guest::{Guest, Setup, Surroundings, Turn};
use crate::image::{ImageSource, Keys, Kind, Manifest, Unpack, open_parts};
use crate::memory::{HotPages, Start};
use crate::module::{self, Split};
use crate::mount::{Access, Mount};
use crate::stdio::Voice;
use crate::{Limits, Mode, RunError, command};

/// Compiled code.
pub(crate) const CODE: &str = "code.cwasm";
/// Memory before the warm-up: the module's data.
pub(crate) const INITIAL: &str = "initial.img";
/// Memory after the warm-up.
pub(crate) const MEMORY: &str = "memory.img";
/// Pages of the memory that nearly every run touches.
pub(crate) const HOT: &str = "hot.json";
/// Largest module that is unpacked.
const MAX_WASM: u64 = 512 << 20;
/// Longest warm-up.
const WARM_UP: Duration = Duration::from_secs(600);

/// A step of preparing an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Name of the image.
    pub image: String,
    /// 1-based.
    pub step: u32,
    /// How many there are.
    pub steps: u32,
    /// What is being done, such as `compiling`.
    pub message: String,
}

pub(crate) fn prepare(
    engine: &Engine,
    manifest: &Manifest,
    source: &ImageSource,
    keys: &Keys,
    cache_dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), RunError> {
    let steps = if manifest.kind == Kind::Reactor { 4 } else { 3 };
    let mut say = |step, message: &str| {
        progress(Progress { image: manifest.name.clone(), step, steps, message: message.into() });
    };
    let (code, image) = (keys.code_dir(cache_dir), keys.image_dir(cache_dir));
    let _lock = cache::lock(cache_dir, &manifest.name)?;
    dev_dir(cache_dir)?;
    let stamp = match cache::check(&code) {
        Ok(stamp) => stamp,
        Err(_) => {
            say(1, "unpacking the interpreter");
            let wasm = unpack_module(manifest, source)?;
            say(2, "compiling it for this machine (once)");
            compile(engine, manifest, &wasm, &code)?;
            cache::check(&code).map_err(|reason| RunError::image(&manifest.name, reason))?
        }
    };
    if cache::check(&image).is_ok() {
        return Ok(());
    }
    say(3, "unpacking its library");
    let draft = Draft::new(&image)?;
    unpack_mounts(manifest, source, draft.dir())?;
    if manifest.kind == Kind::Command {
        // Starts from its beginning each time: the memory before that is beside its code.
        command_fits(engine, manifest, &code, stamp.memory_min)?;
        return draft.publish(stamp.memory_min);
    }
    say(4, "warming it up");
    let room = Room::new(manifest, draft.dir(), cache_dir)?;
    warm_up(engine, manifest, &code, stamp.memory_min, &draft, &room)?;
    find_hot_pages(engine, manifest, &code, stamp.memory_min, &draft, &room)?;
    draft.publish(stamp.memory_min)
}

/// Looks whether a command's imports and its entry have the types that they should have: only compiled code tells.
fn command_fits(engine: &Engine, manifest: &Manifest, code: &Path, memory_min: usize) -> Result<(), RunError> {
    let parts = open_parts(engine, &code.join(CODE), &code.join(INITIAL), memory_min, None);
    let (pre, _) = parts.map_err(|error| RunError::image(&manifest.name, error.to_string()))?;
    for name in [command::START, command::INITIALIZE] {
        let export = pre.module().get_export(name);
        if let Some(function) = export.as_ref().and_then(|export| export.func())
            && (function.params().len(), function.results().len()) != (0, 0)
        {
            let reason = format!("its function `{name}` takes or gives values, which the entry of a command does not");
            return Err(RunError::image(&manifest.name, reason));
        }
    }
    Ok(())
}

/// The directory that guests see as `/dev`: an empty file named `null`, made special by [`crate::wasi`].
pub(crate) fn dev_dir(cache: &Path) -> Result<PathBuf, RunError> {
    let dir = cache.join("dev");
    std::fs::create_dir_all(&dir).map_err(RunError::io("failed to make", &dir))?;
    let null = dir.join("null");
    if !null.exists() {
        std::fs::write(&null, "").map_err(RunError::io("failed to write", &null))?;
    }
    Ok(dir)
}

/// The image's own mounts, unpacked beneath `dir`.
pub(crate) fn mounts(manifest: &Manifest, dir: &Path) -> Vec<Mount> {
    let mount = |(index, files): (usize, &crate::image::MountFiles)| {
        Mount::new(&mount_dir(dir, index), &files.guest_path, Access::ReadOnly)
    };
    manifest.mounts.iter().enumerate().map(mount).collect()
}

fn mount_dir(dir: &Path, index: usize) -> PathBuf {
    dir.join("mounts").join(index.to_string())
}

/// Reads a file of the image and compares its hash.
fn verified(manifest: &Manifest, source: &ImageSource, file: &str, sha256: Option<&str>) -> Result<Vec<u8>, RunError> {
    let bytes = source.read(file).map_err(RunError::io("failed to read", file))?;
    let found = hex(&Sha256::digest(&bytes));
    match sha256 {
        Some(expected) if expected != found => Err(RunError::image(
            &manifest.name,
            format!("{file} has sha256 {found}, but image.toml says {expected}; get the file again"),
        )),
        _ => Ok(bytes.into_owned()),
    }
}

fn unpack_module(manifest: &Manifest, source: &ImageSource) -> Result<Vec<u8>, RunError> {
    let file = &manifest.module.file;
    let packed = verified(manifest, source, file, manifest.module.sha256.as_deref())?;
    let wasm = if file.ends_with(".zst") {
        let mut wasm = Vec::new();
        let unpacked =
            zstd::Decoder::new(packed.as_slice()).and_then(|decoder| decoder.take(MAX_WASM).read_to_end(&mut wasm));
        unpacked.map_err(RunError::io("failed to unpack", file))?;
        wasm
    } else {
        packed
    };
    let found = hex(&Sha256::digest(&wasm));
    match &manifest.module.wasm_sha256 {
        Some(expected) if *expected != found => Err(RunError::image(
            &manifest.name,
            format!("the module in {file} has sha256 {found}, but image.toml says {expected}"),
        )),
        _ => Ok(wasm),
    }
}

fn split(manifest: &Manifest, wasm: &[u8]) -> Result<Split, RunError> {
    let split = match manifest.kind {
        Kind::Reactor => module::split(wasm),
        Kind::Command => command::split(wasm),
    };
    split.map_err(|reason| RunError::image(&manifest.name, reason))
}

/// Looks whether an image could be prepared, without compiling it.
pub(crate) fn check(manifest: &Manifest, source: &ImageSource) -> Result<(), RunError> {
    for file in manifest.mounts.iter().flat_map(|mount| &mount.files) {
        verified(manifest, source, &file.file, Some(&file.sha256))?;
    }
    split(manifest, &unpack_module(manifest, source)?)?;
    Ok(())
}

fn compile(engine: &Engine, manifest: &Manifest, wasm: &[u8], place: &Path) -> Result<(), RunError> {
    let split = split(manifest, wasm)?;
    let code = engine.precompile_module(&split.code).map_err(RunError::engine("failed to compile a guest"))?;
    let draft = Draft::new(place)?;
    let path = draft.dir().join(CODE);
    std::fs::write(&path, code).map_err(RunError::io("failed to write", &path))?;
    let path = draft.dir().join(INITIAL);
    let write = || -> std::io::Result<()> {
        let file = std::fs::File::create(&path)?;
        file.set_len(split.memory_min as u64)?;
        split.data.iter().try_for_each(|(offset, bytes)| file.write_all_at(bytes, *offset as u64))
    };
    write().map_err(RunError::io("failed to write", &path))?;
    draft.publish(split.memory_min)
}

fn unpack_mounts(manifest: &Manifest, source: &ImageSource, dir: &Path) -> Result<(), RunError> {
    for (index, mount) in manifest.mounts.iter().enumerate() {
        let place = mount_dir(dir, index);
        std::fs::create_dir_all(&place).map_err(RunError::io("failed to make", &place))?;
        for file in &mount.files {
            let bytes = verified(manifest, source, &file.file, Some(&file.sha256))?;
            let path = place.join(&file.file);
            let written = match file.unpack {
                Unpack::None => std::fs::write(&path, bytes),
                Unpack::TarZst => {
                    zstd::Decoder::new(bytes.as_slice()).and_then(|tar| tar::Archive::new(tar).unpack(&place))
                }
            };
            written.map_err(RunError::io("failed to unpack", &path))?;
        }
    }
    Ok(())
}

/// Where the guest lives while its image is made.
struct Room {
    mounts: Vec<Mount>,
    limits: Limits,
    runtime: tokio::runtime::Runtime,
    _scratch: tempfile::TempDir,
}

impl Room {
    fn new(manifest: &Manifest, files: &Path, cache_dir: &Path) -> Result<Room, RunError> {
        let scratch =
            tempfile::tempdir().map_err(RunError::io("failed to make a directory in", std::env::temp_dir()))?;
        let mut mounts = mounts(manifest, files);
        for (name, guest) in [("data", crate::run::WORKSPACE), ("tmp", "/tmp")] {
            let dir = scratch.path().join(name);
            std::fs::create_dir(&dir).map_err(RunError::io("failed to make", &dir))?;
            mounts.push(Mount::new(&dir, guest, Access::ReadWrite));
        }
        mounts.push(Mount::new(&dev_dir(cache_dir)?, "/dev", Access::ReadOnly));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Ok(Room {
            mounts,
            limits: Limits { fuel: u64::MAX, memory_mib: 4096, ..Limits::default() },
            runtime: runtime.map_err(RunError::io("failed to start", "tokio"))?,
            _scratch: scratch,
        })
    }

    fn setup<'a>(&'a self, manifest: &'a Manifest, voice: &Voice) -> Setup<'a> {
        Setup {
            kind: Kind::Reactor,
            mounts: &self.mounts,
            env: manifest.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            args: vec![],
            limits: &self.limits,
            mode: Mode::Deterministic,
            voice: voice.clone(),
            clock_ns: 0,
        }
    }

    /// The same image on every machine: replay depends on it.
    fn surroundings(&self, random_seed: Option<u64>) -> Surroundings<'_> {
        Surroundings { limits: &self.limits, mode: Mode::Deterministic, random_seed, stdin: "", present: (0, 0) }
    }
}

/// Runs the image's warm-up and saves its memory.
fn warm_up(
    engine: &Engine,
    manifest: &Manifest,
    code: &Path,
    memory_min: usize,
    draft: &Draft,
    room: &Room,
) -> Result<(), RunError> {
    let (pre, initial) = open_parts(engine, &code.join(CODE), &code.join(INITIAL), memory_min, None)?;
    let voice = Voice::new(&room.limits);
    let failed = |reason: String| {
        let spoken = voice.lock();
        let said = format!("{}{}", spoken.stdout, spoken.stderr);
        RunError::image(&manifest.name, format!("its warm-up failed: {reason}\n{}", said.trim()))
    };
    let warming = async {
        let start = Start { image: initial, layers: Vec::new() };
        let mut guest = Guest::new(&pre, &start, room.setup(manifest, &voice)).await?;
        guest.begin(&room.surroundings(Some(0)))?;
        let rest = guest.stack_pointer();
        match tokio::time::timeout(WARM_UP, guest.warm()).await {
            Ok(Ok(0)) => {}
            Ok(Ok(status)) => return Err(failed(format!("status {status}"))),
            Ok(Err(error)) => return Err(failed(format!("{error:#}"))),
            Err(_) => return Err(failed(format!("not done after {} s", WARM_UP.as_secs()))),
        }
        if rest.is_none() || guest.stack_pointer() != rest {
            return Err(failed("its stack pointer is not at rest, so that its memory is not its whole state".into()));
        }
        let path = draft.dir().join(MEMORY);
        save_sparse(&path, guest.memory()).map_err(RunError::io("failed to write", &path))
    };
    // On a thread of its own: the caller may be inside of a runtime, where another one cannot be entered.
    let on_thread = || room.runtime.block_on(warming);
    std::thread::scope(|scope| scope.spawn(on_thread).join()).unwrap_or_else(|_| Err(failed("it panicked".into())))
}

/// Runs a turn that does next to nothing and notes which pages it touched: every run will.
fn find_hot_pages(
    engine: &Engine,
    manifest: &Manifest,
    code: &Path,
    memory_min: usize,
    draft: &Draft,
    room: &Room,
) -> Result<(), RunError> {
    let (pre, warm) = open_parts(engine, &code.join(CODE), &draft.dir().join(MEMORY), memory_min, None)?;
    let voice = Voice::new(&room.limits);
    room.runtime.block_on(async {
        let start = Start { image: warm, layers: Vec::new() };
        let mut guest = Guest::new(&pre, &start, room.setup(manifest, &voice)).await?;
        guest.begin(&room.surroundings(Some(0)))?;
        let turn = Turn {
            source: "print()",
            filename: &manifest.filename,
            argv: vec![&manifest.filename],
            env: Default::default(),
            fresh: false,
            cwd: crate::run::WORKSPACE,
            // As most runs: seeded by the host's entropy.
            seed: None,
            echo: crate::Echo::Last,
        };
        let request = serde_json::to_vec(&turn).unwrap_or_default();
        match guest.turn(&request).await {
            Ok(0) => {}
            other => {
                let said = format!("{}{}", voice.lock().stdout, voice.lock().stderr);
                let reason = format!("its first turn failed: {other:?}\n{}", said.trim());
                return Err(RunError::image(&manifest.name, reason));
            }
        }
        let path = draft.dir().join(HOT);
        let hot = serde_json::to_vec(&HotPages::of(guest.memory())).unwrap_or_default();
        std::fs::write(&path, hot).map_err(RunError::io("failed to write", &path))
    })
}

/// Writes a memory; pages of zeros become holes.
pub(crate) fn save_sparse(path: &Path, memory: &[u8]) -> std::io::Result<()> {
    const PAGE: usize = 4096;
    let mut file = std::fs::File::create(path)?;
    file.set_len(memory.len() as u64)?;
    for (index, page) in memory.chunks(PAGE).enumerate() {
        if page.iter().any(|&byte| byte != 0) {
            file.write_all_at(page, (index * PAGE) as u64)?;
        }
    }
    file.flush()
}
