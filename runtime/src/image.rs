//! Image: a guest's module and files by digest, prepared once, shared by all runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use twox_hash::XxHash3_128;
use wasmtime::{Engine, InstancePre, Module};

use crate::artifact::hex;
use crate::cache::{self, Stamp};
use crate::command::{self, CommandLine};
use crate::guest::{Guest, Setup, State, Surroundings, Turn, link};
use crate::memory::{HotPages, MemoryImage, Start};
use crate::mount::{Access, Mount};
use crate::prepare::{self, Progress};
use crate::run::WORKSPACE;
use crate::stdio::Voice;
use crate::{Echo, Limits, Mode, RunError, engine};

/// An image's description, `image.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Short name, such as `python`.
    pub name: String,
    /// Version of the image.
    pub version: String,
    /// Language that it runs.
    pub language: String,
    /// How it is entered.
    pub kind: Kind,
    /// One sentence for people and models.
    pub summary: String,
    /// SPDX expression of everything inside.
    pub licence: String,
    /// Default name of a script.
    pub filename: String,
    /// Least memory limit that it can work with, in MiB.
    pub min_memory_mib: u64,
    /// The module.
    pub module: ModuleFile,
    /// How a command is started; reactors have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandLine>,
    /// Read-only files that the guest needs.
    #[serde(default, rename = "mount")]
    pub mounts: Vec<MountFiles>,
    /// Environment of every run.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What a script can import, with versions.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads an `image.toml`.
    ///
    /// # Errors
    ///
    /// One sentence on what is wrong in it.
    pub fn parse(text: &str) -> Result<Manifest, String> {
        let manifest: Manifest = toml::from_str(text).map_err(|error| format!("image.toml: {}", one_line(&error)))?;
        manifest.check().map_err(|reason| format!("image.toml: {reason}"))?;
        Ok(manifest)
    }

    /// Names of the files that belong to it, beside `image.toml`.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let mounted = self.mounts.iter().flat_map(|mount| &mount.files).map(|file| file.file.as_str());
        std::iter::once(self.module.file.as_str()).chain(mounted)
    }

    fn check(&self) -> Result<(), String> {
        for (what, name) in [("name", &self.name), ("filename", &self.filename)] {
            check_name(name).map_err(|reason| format!("{what} {reason}"))?;
        }
        for file in self.files() {
            check_name(file).map_err(|reason| format!("file {reason}"))?;
        }
        let mounted = self.mounts.iter().flat_map(|mount| &mount.files).map(|file| &file.sha256);
        for sha256 in mounted.chain(&self.module.sha256).chain(&self.module.wasm_sha256) {
            if sha256.len() != 64 || !sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(format!("sha256 {sha256:?} is not 64 digits and letters a to f"));
            }
        }
        let mut taken = vec![WORKSPACE, "/tmp", "/dev", command::PROGRAM];
        for mount in &self.mounts {
            let path = mount.guest_path.as_str();
            let plain = path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|part| check_name(part).is_ok()));
            if !plain
                || taken.iter().any(|taken| Path::new(path).starts_with(taken) || Path::new(taken).starts_with(path))
            {
                return Err(format!("guest_path {path:?} is not an absolute path, or another directory is there"));
            }
            taken.push(path);
        }
        match (self.kind, &self.command) {
            (Kind::Reactor, None) => Ok(()),
            (Kind::Reactor, Some(_)) => Err("[command] is for kind = \"command\" alone".into()),
            (Kind::Command, None) => Err("kind = \"command\" needs [command] with argv".into()),
            (Kind::Command, Some(line)) => line.check(),
        }
    }
}

/// A name that is one part of a path and that a terminal shows as it is.
fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!("{name:?} is not a plain name (letters, digits and . _ - +, no dot first)"));
    }
    Ok(())
}

fn one_line(error: &toml::de::Error) -> String {
    error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// How a guest is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Warmed up once, then runs source text turn by turn.
    Reactor,
    /// Runs one program from its start to its end.
    Command,
}

/// Where an image's module is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleFile {
    /// Name of a file beside `image.toml`; compressed with zstd if it ends in `.zst`.
    pub file: String,
    /// SHA-256 of that file; absent for images that are built on the machine.
    #[serde(default)]
    pub sha256: Option<String>,
    /// SHA-256 of the unpacked module.
    #[serde(default)]
    pub wasm_sha256: Option<String>,
}

/// Files under one guest path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountFiles {
    /// Where the guest sees them.
    pub guest_path: String,
    /// The files.
    #[serde(default, rename = "file")]
    pub files: Vec<MountFile>,
}

/// One file of a mount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MountFile {
    /// Name beside `image.toml` and in the mount.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// What is done with it.
    #[serde(default)]
    pub unpack: Unpack,
}

/// What is done with a file of a mount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unpack {
    /// Mounted as it is.
    #[default]
    #[serde(rename = "none")]
    None,
    /// A tar archive, compressed with zstd, unpacked into the mount.
    #[serde(rename = "tar.zst")]
    TarZst,
}

/// Where an image's files come from.
#[derive(Clone, Debug)]
pub enum ImageSource {
    /// A directory with `image.toml`.
    Dir(PathBuf),
    /// Files inside the binary: name and content, `image.toml` among them.
    Embedded(&'static [(&'static str, &'static [u8])]),
}

impl ImageSource {
    /// The content of a file.
    pub(crate) fn read(&self, file: &str) -> std::io::Result<std::borrow::Cow<'static, [u8]>> {
        match self {
            ImageSource::Dir(dir) => std::fs::read(dir.join(file)).map(Into::into),
            ImageSource::Embedded(files) => files
                .iter()
                .find(|(name, _)| *name == file)
                .map(|(_, content)| (*content).into())
                .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotFound, "not in this binary")),
        }
    }

    /// Its description.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is malformed.
    pub fn manifest(&self) -> Result<Manifest, RunError> {
        let name = match self {
            ImageSource::Dir(dir) => dir.display().to_string(),
            ImageSource::Embedded(_) => "of this binary".into(),
        };
        let toml = self.read("image.toml").map_err(RunError::io("failed to read image.toml of", &name))?;
        Manifest::parse(&String::from_utf8_lossy(&toml)).map_err(|reason| RunError::image(&name, reason))
    }

    /// Looks whether everything is there and fit to be prepared: the description, every file by its hash, and
    /// what the module imports and exports.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<Manifest, RunError> {
        let manifest = self.manifest()?;
        prepare::check(&manifest, self)?;
        Ok(manifest)
    }

    fn has(&self, file: &str) -> bool {
        match self {
            ImageSource::Dir(dir) => dir.join(file).is_file(),
            ImageSource::Embedded(files) => files.iter().any(|(name, _)| *name == file),
        }
    }
}

/// All images of an installation and the cache of what was prepared of them.
pub struct ImageStore {
    images: BTreeMap<String, (Manifest, ImageSource)>,
    cache: PathBuf,
    engine: Engine,
}

/// What can be said of an image without loading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageInfo {
    /// Its description.
    pub manifest: Manifest,
    /// Whether it can be used.
    pub state: ImageState,
    /// Digest of module, mounts, environment and engine.
    pub digest: String,
}

/// Whether an image can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageState {
    /// Prepared.
    Ready,
    /// Its files are here, but it has to be prepared.
    Unprepared,
    /// Its module is not here.
    Missing,
}

impl ImageStore {
    /// Reads the descriptions of the images. `cache` is private to the user and made if needed.
    /// Of two images with one name the later wins.
    ///
    /// # Errors
    ///
    /// A malformed `image.toml`, or a cache that cannot be used.
    pub fn new(sources: Vec<ImageSource>, cache: &Path) -> Result<ImageStore, RunError> {
        let mut images = BTreeMap::new();
        for source in sources {
            let manifest = source.manifest()?;
            images.insert(manifest.name.clone(), (manifest, source));
        }
        cache::make_private(cache)?;
        Ok(ImageStore { images, cache: cache.to_owned(), engine: engine::engine()? })
    }

    /// All images by name.
    pub fn list(&self) -> Result<Vec<ImageInfo>, RunError> {
        self.images.keys().map(|name| self.info(name)).collect()
    }

    /// One image.
    ///
    /// # Errors
    ///
    /// If there is none of that name.
    pub fn info(&self, name: &str) -> Result<ImageInfo, RunError> {
        let (manifest, source) = self.get(name)?;
        if !source.has(&manifest.module.file) {
            let digest = String::new();
            return Ok(ImageInfo { manifest: manifest.clone(), state: ImageState::Missing, digest });
        }
        let keys = self.keys(name)?;
        let ready =
            cache::check(&keys.code_dir(&self.cache)).is_ok() && cache::check(&keys.image_dir(&self.cache)).is_ok();
        let state = if ready { ImageState::Ready } else { ImageState::Unprepared };
        Ok(ImageInfo { manifest: manifest.clone(), state, digest: keys.image })
    }

    /// Prepares an image unless it is prepared already: unpack, compile, warm up, save. Blocks for
    /// a minute or so; a second caller waits for the first. Steps that were finished before are not
    /// done again.
    ///
    /// # Errors
    ///
    /// A missing or damaged file of the image, a module that breaks the contract, a full disk.
    pub fn prepare(&self, name: &str, progress: &mut dyn FnMut(Progress)) -> Result<(), RunError> {
        let (manifest, source) = self.get(name)?;
        if !source.has(&manifest.module.file) {
            return Err(RunError::image(
                name,
                format!("{} is missing; build it with `cargo xtask image build {name}`", manifest.module.file),
            ));
        }
        let keys = self.keys(name)?;
        prepare::prepare(&self.engine, manifest, source, &keys, &self.cache, progress)
    }

    /// Maps a prepared image.
    ///
    /// # Errors
    ///
    /// If it is not prepared, or the cache was damaged.
    pub fn load(&self, name: &str) -> Result<Arc<Image>, RunError> {
        let (manifest, _) = self.get(name)?;
        let keys = self.keys(name)?;
        let (code, files) = (keys.code_dir(&self.cache), keys.image_dir(&self.cache));
        let unusable = |reason| RunError::image(name, format!("{reason}; run `glovebox image prepare {name}`"));
        let code_stamp = cache::check(&code).map_err(unusable)?;
        cache::check(&files).map_err(unusable)?;
        Image::open(&self.engine, manifest.clone(), keys.image, &code, &code_stamp, &files, &self.cache).map(Arc::new)
    }

    /// Removes what was prepared of an image, unless another one uses it too. The image itself stays.
    ///
    /// # Errors
    ///
    /// An unknown name, or files that cannot be removed.
    pub fn forget(&self, name: &str) -> Result<(), RunError> {
        let keys = self.keys(name)?;
        let others = self.images.keys().filter(|other| *other != name).filter_map(|other| self.keys(other).ok());
        let shared = others.into_iter().any(|other| other.code == keys.code);
        let code = (!shared).then(|| keys.code_dir(&self.cache));
        std::iter::once(keys.image_dir(&self.cache)).chain(code).try_for_each(|dir| cache::remove(&dir))
    }

    fn get(&self, name: &str) -> Result<&(Manifest, ImageSource), RunError> {
        self.images.get(name).ok_or_else(|| RunError::UnknownImage {
            name: name.into(),
            known: self.images.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    /// What an image's prepared files depend on.
    fn keys(&self, name: &str) -> Result<Keys, RunError> {
        let (manifest, source) = self.get(name)?;
        let module = match &manifest.module.sha256 {
            Some(sha256) => sha256.clone(),
            None => {
                let bytes = source.read(&manifest.module.file);
                hex(&Sha256::digest(bytes.map_err(RunError::io("failed to read", &manifest.module.file))?))
            }
        };
        let mut hasher = EngineHasher(Sha256::new());
        std::hash::Hash::hash(&self.engine.precompile_compatibility_hash(), &mut hasher);
        hasher.0.update(env!("CARGO_PKG_VERSION"));
        let engine = hex(&hasher.0.finalize());
        let mut image = Sha256::new();
        for part in [&manifest.name, &manifest.version, &module, &engine] {
            image.update(part);
            image.update([0]);
        }
        // The interpreter holds the directory of its library zip: another zip needs another warm-up.
        image.update(serde_json::to_vec(&(&manifest.mounts, &manifest.env)).unwrap_or_default());
        // The code of a command is split by other rules.
        let mut prefix = "";
        if let Some(command) = &manifest.command {
            image.update(serde_json::to_vec(command).unwrap_or_default());
            prefix = "command-";
        }
        Ok(Keys {
            name: name.into(),
            code: format!("{prefix}{}-{}", module.get(..16).unwrap_or(&module), &engine[..16]),
            image: hex(&image.finalize()),
        })
    }
}

/// Lets SHA-256 take what implements `Hash`.
struct EngineHasher(Sha256);

impl std::hash::Hasher for EngineHasher {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

/// Names of an image's prepared files.
pub(crate) struct Keys {
    name: String,
    code: String,
    image: String,
}

impl Keys {
    pub(crate) fn code_dir(&self, cache: &Path) -> PathBuf {
        cache.join("code").join(&self.code)
    }

    pub(crate) fn image_dir(&self, cache: &Path) -> PathBuf {
        cache.join("images").join(format!("{}-{}", self.name, &self.image[..16]))
    }
}

/// A prepared image: compiled code and warm memory, both mapped, shared by all its runs.
pub struct Image {
    manifest: Manifest,
    digest: String,
    pre: InstancePre<State>,
    memory: Arc<MemoryImage>,
    mounts: Vec<Mount>,
    dev: PathBuf,
    /// An instance for the next run, which has run nothing of anybody's.
    ahead: Mutex<Option<Guest>>,
}

impl Image {
    pub(crate) fn open(
        engine: &Engine,
        manifest: Manifest,
        digest: String,
        code: &Path,
        code_stamp: &Stamp,
        files: &Path,
        cache: &Path,
    ) -> Result<Image, RunError> {
        let memory_min = code_stamp.memory_min;
        let memory = match manifest.kind {
            Kind::Reactor => files.join(prepare::MEMORY),
            Kind::Command => code.join(prepare::INITIAL),
        };
        let hot = std::fs::read(files.join(prepare::HOT)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let (pre, memory) = open_parts(engine, &code.join(prepare::CODE), &memory, memory_min, hot)?;
        let mounts = prepare::mounts(&manifest, files);
        let dev = prepare::dev_dir(cache)?;
        Ok(Image { manifest, digest, pre, memory, mounts, dev, ahead: Mutex::default() })
    }

    /// Short name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Its description.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Digest of everything that its runs depend on.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Maps memory for the next run and frees that of finished ones: to be called between runs. It takes as long as it
    /// saves the next run, which nobody waits for.
    pub fn make_room(&self) {
        self.memory.map_ahead();
    }

    /// Makes an instance for the next run ahead of time, which takes an empty turn: to be called while idle. A live run
    /// that finds it starts sooner, but both together cost more than a run that does not: a caller that is busy calls
    /// [`Image::make_room`] alone. An instance that ran anything of anybody's is never used again; deterministic runs
    /// begin at the image itself, so that they spend the same fuel everywhere.
    pub async fn make_ready(&self) {
        self.make_room();
        // A command has no empty turn: it would run from its start to its end.
        if self.manifest.kind == Kind::Command || self.ahead().is_some() {
            return;
        }
        match self.make_ahead().await {
            Ok(guest) => {
                *self.ahead() = guest;
                // For a deterministic run, which does not take it.
                self.make_room();
            }
            // The next run makes its own, and says what is wrong.
            Err(error) => tracing::debug!(%error, "no instance was made ahead"),
        }
    }

    /// This image, further warmed up: its guests begin where the session was that wrote `memory` with
    /// [`Session::export`](crate::Session::export). That makes them cheaper than forks where many are wanted, for the
    /// price of a file as large as the whole memory. Nothing but memory goes on: its open files and its clock are not there.
    ///
    /// # Errors
    ///
    /// The file cannot be read or mapped, or no guest starts from it.
    pub async fn grown(&self, memory: &Path) -> Result<Image, RunError> {
        let failed = RunError::io("failed to map", memory);
        let image = MemoryImage::open(memory, self.memory.declared_min(), None);
        let image = image.and_then(|image| Ok((XxHash3_128::oneshot(image.content()?), image)));
        let (content, image) = image.map_err(failed)?;
        let grown = Image {
            manifest: self.manifest.clone(),
            digest: format!("{}+{content:032x}", self.digest),
            pre: self.pre.clone(),
            memory: image,
            mounts: self.mounts.clone(),
            dev: self.dev.clone(),
            ahead: Mutex::default(),
        };
        if let Some(guest) = grown.make_ahead().await? {
            grown.memory.learn(guest.memory());
        }
        Ok(grown)
    }

    async fn make_ahead(&self) -> Result<Option<Guest>, RunError> {
        let limits = Limits::default();
        let voice = Voice::new(&limits);
        // An empty directory stands where each run has its own.
        let mut mounts = self.mounts.clone();
        mounts.push(Mount::new(&self.dev, WORKSPACE, Access::ReadOnly));
        mounts.push(Mount::new(&self.dev, "/tmp", Access::ReadOnly));
        mounts.push(self.dev());
        let filename = self.filename();
        let (env, args) = (self.env(), vec![filename]);
        let (kind, mode) = (Kind::Reactor, Mode::Live);
        let setup = Setup { kind, mounts: &mounts, env, args, limits: &limits, mode, voice, clock_ns: 0 };
        let start = Start { image: self.memory.clone(), layers: Vec::new() };
        let mut guest = Guest::new(&self.pre, &start, setup).await?;
        let stdin = "";
        guest.begin(&Surroundings { limits: &limits, mode: Mode::Live, random_seed: None, stdin, present: (0, 0) })?;
        let turn = Turn {
            source: "",
            filename,
            argv: vec![filename],
            env: BTreeMap::new(),
            cwd: WORKSPACE,
            fresh: false,
            seed: None,
            echo: Echo::None,
        };
        let rest = guest.stack_pointer();
        let request = serde_json::to_vec(&turn).unwrap_or_default();
        let taken = guest.turn(&request).await;
        let usable = matches!(taken, Ok(0)) && guest.stack_pointer() == rest && guest.is_clean();
        Ok(usable.then_some(guest))
    }

    fn ahead(&self) -> MutexGuard<'_, Option<Guest>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instance that was made ahead, if there is one.
    pub(crate) fn take_ahead(&self) -> Option<Guest> {
        self.ahead().take()
    }

    pub(crate) fn filename(&self) -> &str {
        &self.manifest.filename
    }

    pub(crate) fn env(&self) -> Vec<(&str, &str)> {
        self.manifest.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    pub(crate) fn dev(&self) -> Mount {
        Mount::new(&self.dev, "/dev", Access::ReadOnly)
    }

    pub(crate) fn pre(&self) -> &InstancePre<State> {
        &self.pre
    }

    pub(crate) fn memory(&self) -> &Arc<MemoryImage> {
        &self.memory
    }
}

/// Maps compiled code and a memory image.
pub(crate) fn open_parts(
    engine: &Engine,
    code: &Path,
    memory: &Path,
    memory_min: usize,
    hot: Option<HotPages>,
) -> Result<(InstancePre<State>, Arc<MemoryImage>), RunError> {
    // SAFETY: deserializing runs the file's machine code. It was written by `prepare` into a
    // directory that belongs to this user alone, and its hash was compared with the stamp's.
    let module = unsafe { Module::deserialize_file(engine, code) };
    let module = module.map_err(RunError::engine("failed to load compiled code"))?;
    let pre = link(engine, &module).map_err(RunError::engine("failed to link a guest"))?;
    let memory = MemoryImage::open(memory, memory_min, hot).map_err(RunError::io("failed to map", memory))?;
    Ok((pre, memory))
}
