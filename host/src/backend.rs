//! The real backend: image store, worker pool and engine behind [`Backend`]. The one place that knows how they are made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use cap_std::fs::Dir;
use glovebox_runtime::{Event, ImageStore, Job, Outcome, RunError};
use tokio_util::sync::CancellationToken;

use crate::app::{Backend, ImageInfo, ImageState, Trial, Tried, Turn, Turned};
use crate::config::Config;
use crate::engine::sample::Sample;
use crate::engine::{Answer, AnswerEvent, Ask, Engine, EngineError, answer};
use crate::error::{Code, Error, Result};
use crate::jail::Locked;
use crate::llm::{LlmError, ModelInfo, Models};
use crate::workers::{Pool, PoolConfig};

/// Workers, images and models of this machine.
pub struct Local {
    engine: Engine,
    images: Arc<Images>,
}

/// The images with their state as last seen: looking at the cache takes longer than a run.
pub struct Images {
    store: ImageStore,
    known: Mutex<BTreeMap<String, ImageInfo>>,
}

/// One step of a preparation.
#[derive(Clone, Debug)]
pub struct Step {
    /// Name of the image.
    pub image: String,
    /// From 1.
    pub step: u32,
    /// How many there are.
    pub steps: u32,
    /// What is being done.
    pub message: String,
}

impl Images {
    /// Reads the descriptions of all images and looks which are prepared.
    ///
    /// # Errors
    ///
    /// A malformed description, or a cache that cannot be used.
    pub fn open(config: &Config) -> Result<Arc<Images>, RunError> {
        let store = crate::images::open(&config.cache_dir, config.images_dir.as_deref())?;
        let mut known = BTreeMap::new();
        for info in store.list()? {
            let manifest = info.manifest;
            let (state, detail) = match info.state {
                glovebox_runtime::ImageState::Ready => (ImageState::Ready, None),
                glovebox_runtime::ImageState::Unprepared => (ImageState::Missing, Some("not prepared yet".to_owned())),
                glovebox_runtime::ImageState::Missing => {
                    let file = &manifest.module.file;
                    (
                        ImageState::Missing,
                        Some(format!("{file} is not here; build it with `cargo xtask image build {}`", manifest.name)),
                    )
                }
            };
            let info = ImageInfo {
                name: manifest.name.clone(),
                version: manifest.version,
                language: manifest.language,
                kind: manifest.kind,
                summary: manifest.summary,
                packages: manifest.packages,
                state,
                detail,
            };
            known.insert(manifest.name, info);
        }
        Ok(Arc::new(Images { store, known: Mutex::new(known) }))
    }

    /// Every image by name.
    #[must_use]
    pub fn list(&self) -> Vec<ImageInfo> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &ImageStore {
        &self.store
    }

    /// Prepares an image unless it is ready. Blocks for a minute or so.
    ///
    /// # Errors
    ///
    /// As [`ImageStore::prepare`].
    pub fn prepare(&self, name: &str, on_step: &mut dyn FnMut(Step)) -> Result<(), RunError> {
        self.set(name, ImageState::Preparing, Some("starting".into()));
        let prepared = self.store.prepare(name, &mut |progress| {
            self.set(name, ImageState::Preparing, Some(progress.message.clone()));
            on_step(Step {
                image: progress.image,
                step: progress.step,
                steps: progress.steps,
                message: progress.message,
            });
        });
        match &prepared {
            Ok(()) => self.set(name, ImageState::Ready, None),
            Err(error) => self.set(name, ImageState::Failed, Some(error.to_string())),
        }
        prepared
    }

    /// The images that are not ready, from now on shown as being prepared: for those who will prepare them one by one.
    #[must_use]
    pub fn announce(&self) -> Vec<String> {
        let waiting = self.list().into_iter().filter(|image| image.state != ImageState::Ready);
        let names: Vec<_> = waiting.map(|image| image.name).collect();
        for name in &names {
            self.set(name, ImageState::Preparing, Some("waiting to be prepared".into()));
        }
        names
    }

    /// Like [`Self::prepare`], in a process of its own: the compiler needs a gigabyte, which a server
    /// would not give back.
    ///
    /// # Errors
    ///
    /// That the process failed; why, it has said on standard error.
    pub fn prepare_apart(&self, name: &str, config: &Config) -> std::result::Result<(), String> {
        self.set(name, ImageState::Preparing, Some("compiling and warming up, once on this machine".into()));
        let prepared = std::env::current_exe().and_then(|program| {
            let mut command = std::process::Command::new(program);
            command.args(["image", "prepare", name]).env("GLOVEBOX_CACHE_DIR", &config.cache_dir);
            if let Some(dir) = &config.images_dir {
                command.env("GLOVEBOX_IMAGES_DIR", dir);
            }
            command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).status()
        });
        let failure = match prepared {
            Ok(status) if status.success() => {
                self.set(name, ImageState::Ready, None);
                return Ok(());
            }
            Ok(status) => format!("preparing it failed ({status}); `glovebox image prepare {name}` says why"),
            Err(error) => format!("preparing it failed: {error}"),
        };
        self.set(name, ImageState::Failed, Some(failure.clone()));
        Err(failure)
    }

    fn set(&self, name: &str, state: ImageState, detail: Option<String>) {
        if let Some(info) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name) {
            info.state = state;
            info.detail = detail;
        }
    }
}

/// The workers of a backend.
#[derive(Clone, Debug)]
pub struct Crew {
    /// How many work at once.
    pub workers: usize,
    /// How many wait for somebody new besides.
    pub spares: usize,
    /// Where they work: everything that a job touches is beneath a directory in this one.
    pub root: PathBuf,
}

impl Crew {
    /// One worker, for a command that works in a temporary directory.
    #[must_use]
    pub fn alone() -> Crew {
        Crew { workers: 1, spares: 0, root: std::env::temp_dir() }
    }
}

impl Local {
    /// Starts the workers.
    ///
    /// # Errors
    ///
    /// The models of the environment cannot be set up, or a worker cannot be started.
    pub async fn start(config: &Config, images: Arc<Images>, crew: Crew) -> Result<Arc<Local>> {
        let models = Models::load(config.models_file().as_deref()).map_err(|error| llm_error(&error))?;
        let pool = pool(config, &images, crew).await?;
        Ok(Arc::new(Local { engine: Engine::new(pool, models), images }))
    }

    /// Tells the workers of an image that was just prepared.
    pub fn preload(&self, image: &str) {
        self.engine.pool.preload(image);
    }

    /// What a worker gives up before its first job in the compartment of this path.
    ///
    /// # Errors
    ///
    /// It cannot be locked far enough, or our side failed.
    pub async fn locked(&self, path: &Path) -> Result<Locked, RunError> {
        self.engine.pool.locked(path).await
    }
}

#[async_trait]
impl Backend for Local {
    fn jail(&self) -> Option<Locked> {
        self.engine.pool.jail()
    }

    async fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError> {
        self.engine.pool.run(job, on_event, cancel).await
    }

    async fn turn(
        &self,
        turn: Turn,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Turned, RunError> {
        self.engine.pool.turn(turn, on_event, cancel).await
    }

    async fn trial(&self, trial: Trial, cancel: &CancellationToken) -> Result<Tried, RunError> {
        self.engine.pool.trial(trial, cancel).await
    }

    async fn forget(&self, session: &str) {
        self.engine.pool.forget(session).await;
    }

    fn is_live(&self, session: &str) -> bool {
        self.engine.pool.is_live(session)
    }

    async fn answer(
        &self,
        ask: Ask,
        on_event: &mut (dyn FnMut(AnswerEvent) + Send),
        cancel: &CancellationToken,
    ) -> Result<Answer> {
        answer(&self.engine, ask, on_event, cancel).await.map_err(|error| match error {
            EngineError::Llm(error) => llm_error(&error),
            EngineError::Run(error) => error.into(),
            other => Error::internal(other),
        })
    }

    fn sample(&self, dir: &Dir, path: &str) -> Result<Sample> {
        crate::sampling::sample_file(dir, path).map_err(|error| Error::invalid(error.to_string()))
    }

    fn images(&self) -> Vec<ImageInfo> {
        self.images.list()
    }

    fn models(&self) -> Vec<ModelInfo> {
        self.engine.models.list()
    }

    fn alive(&self) -> std::result::Result<(), String> {
        Ok(())
    }
}

/// The model's errors are written for users and never hold a key.
fn llm_error(error: &LlmError) -> Error {
    let code = if matches!(error, LlmError::Unknown { .. }) { Code::UnknownModel } else { Code::ModelUnavailable };
    Error::new(code, error.to_string())
}

async fn pool(config: &Config, images: &Images, crew: Crew) -> Result<Pool> {
    let ready = images.list().into_iter().filter(|image| image.state == ImageState::Ready);
    let config = PoolConfig {
        program: std::env::current_exe()?,
        workers: crew.workers,
        root: std::path::absolute(crew.root)?,
        spares: crew.spares,
        cache_dir: std::path::absolute(&config.cache_dir)?,
        images_dir: config.images_dir.clone(),
        preload: ready.map(|image| image.name).collect(),
        live_sessions: config.live_sessions,
    };
    Ok(Pool::start(config).await?)
}
