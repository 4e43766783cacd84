//! Where guests run in the benches: images, workspaces, jobs.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use glovebox_runtime::{
    Echo, Image, ImageSource, ImageState, ImageStore, Job, Limits, Mode, Outcome, Program, Session,
};

/// The cache of prepared images: `GLOVEBOX_CACHE_DIR`, else where the product has it.
#[must_use]
pub fn cache() -> PathBuf {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    var("GLOVEBOX_CACHE_DIR").unwrap_or_else(|| {
        let base = var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")));
        base.unwrap_or_else(std::env::temp_dir).join("glovebox")
    })
}

/// The images in `guest-images`, so that the benches need not be built anew with the product.
///
/// # Errors
///
/// As [`ImageStore::new`].
pub fn store() -> Result<ImageStore> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-images"))? {
        let path = entry?.path();
        if path.join("image.toml").is_file() {
            sources.push(ImageSource::Dir(path));
        }
    }
    Ok(ImageStore::new(sources, &cache())?)
}

/// A prepared image, or why there is none.
///
/// # Errors
///
/// It is not part of this build, or cannot be prepared.
pub fn image(name: &str) -> Result<std::sync::Arc<Image>> {
    let store = store()?;
    if store.info(name)?.state == ImageState::Missing {
        bail!("the image {name} is not built here");
    }
    store.prepare(name, &mut |step| eprintln!("{name}: {}", step.message))?;
    Ok(store.load(name)?)
}

/// A workspace and a `/tmp`, gone when it is dropped.
#[derive(Debug)]
pub struct Place {
    dir: tempfile::TempDir,
    image: String,
}

impl Place {
    /// For the python image, in the default directory for temporary files.
    ///
    /// # Errors
    ///
    /// If no directory can be made.
    pub fn new() -> Result<Place> {
        Place::of("python", &std::env::temp_dir())
    }

    /// Below `parent`.
    ///
    /// # Errors
    ///
    /// If no directory can be made.
    pub fn of(image: &str, parent: &Path) -> Result<Place> {
        let dir = tempfile::Builder::new().prefix("glovebox-bench-").tempdir_in(parent)?;
        for name in ["data", "tmp", "layers"] {
            std::fs::create_dir(dir.path().join(name))?;
        }
        Ok(Place { dir, image: image.into() })
    }

    /// The guest's `/tmp`.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.dir.path().join("tmp")
    }

    /// A layer file.
    #[must_use]
    pub fn layer(&self, name: &str) -> PathBuf {
        self.dir.path().join("layers").join(name)
    }

    /// A job in its workspace, with memory enough for any bench.
    #[must_use]
    pub fn job(&self, source: &str) -> Job {
        Job {
            image: self.image.clone(),
            program: Program { source: source.into(), echo: Echo::None, ..Program::default() },
            workspace: self.dir.path().join("data"),
            limits: Limits {
                memory_mib: 3072,
                fuel: u64::MAX,
                wall_time_ms: 600_000,
                cpu_time_ms: 600_000,
                ..Limits::default()
            },
            mode: Mode::Live,
            seed: None,
        }
    }
}

/// Takes a turn that must succeed.
///
/// # Errors
///
/// What the program says if it does not.
pub fn turn(runtime: &tokio::runtime::Runtime, session: &mut Session, job: &Job) -> Result<Outcome> {
    let outcome = runtime.block_on(session.turn(job, &mut |_| {}, &Default::default()))?;
    if !outcome.ending.is_success() {
        bail!("`{}` ended as {:?}: {}", job.program.source, outcome.ending, outcome.stderr);
    }
    Ok(outcome)
}
