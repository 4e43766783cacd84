//! App: everything that the handlers share, and [`Backend`], the one door to workers, images and models.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use cap_std::fs::Dir;
use glovebox_runtime::{Event, Job, LayerError, Outcome, Policies, Policy, Quota, RunError};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::audit::Audit;
use crate::config::Config;
use crate::connections::Connections;
use crate::engine::sample::Sample;
use crate::engine::{Answer, AnswerEvent, Ask};
use crate::error::{Code, Error, Result};
use crate::evals::Evals;
use crate::jail::Locked;
use crate::keys::Keys;
use crate::line::Queue;
use crate::links::Links;
use crate::live::{Live, Locks, Registry, Turns};
pub use crate::llm::ModelInfo;
use crate::metrics::Metrics;
use crate::quota::Meter;
use crate::reload::Current;
use crate::storage::Storage;
use crate::tenants::Tenant;
use crate::turns::Known;
use crate::uploads::Uploads;
pub use crate::workers::{Kept, Trial, Tried, Turn, Turned};

/// What runs programs and answers questions. The tests have one that needs no sandbox.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Runs a job and waits for its end.
    async fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError>;

    /// Takes a session's turn and waits for its end.
    async fn turn(
        &self,
        turn: Turn,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> Result<Turned, RunError>;

    /// Lets two guests talk and waits for their end.
    async fn trial(&self, trial: Trial, _cancel: &CancellationToken) -> Result<Tried, RunError> {
        Err(RunError::Worker(format!("cannot judge with {}: there are no workers", trial.image)))
    }

    /// Drops a session's live instance, if it has one. Its files stay.
    async fn forget(&self, session: &str);

    /// Whether a session has a live instance.
    fn is_live(&self, session: &str) -> bool;

    /// Rewrites a layer compressed and gives its new size in bytes. Blocks.
    fn compress(&self, layer: &Path) -> Result<u64, LayerError> {
        glovebox_runtime::compress_layer(layer)
    }

    /// Answers a question.
    async fn answer(
        &self,
        ask: Ask,
        on_event: &mut (dyn FnMut(AnswerEvent) + Send),
        cancel: &CancellationToken,
    ) -> Result<Answer>;

    /// Looks at a file beneath `dir`. Blocks.
    fn sample(&self, dir: &Dir, path: &str) -> Result<Sample>;

    /// Every known image and whether it can be used.
    fn images(&self) -> Vec<ImageInfo>;

    /// Every model that can be asked.
    fn models(&self) -> Vec<ModelInfo>;

    /// What workers gave up before their first job; `None` before there was one.
    fn jail(&self) -> Option<Locked>;

    /// Why no program can run now; `Ok` if one can.
    fn alive(&self) -> std::result::Result<(), String>;
}

/// A guest image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Image)]
pub struct ImageInfo {
    /// Such as `python`.
    pub name: String,
    /// Of the image.
    pub version: String,
    /// Of its programs.
    pub language: String,
    /// `reactor`: takes turns in sessions; `command`: runs one program at a time and has no sessions.
    #[schema(value_type = String)]
    pub kind: glovebox_runtime::Kind,
    /// One sentence.
    pub summary: String,
    /// Packages by name, with their versions.
    pub packages: BTreeMap<String, String>,
    /// Whether it can be used.
    pub state: ImageState,
    /// How far the preparation is, or why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Whether an image can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageState {
    /// It can.
    Ready,
    /// Soon: it is being compiled and warmed up.
    Preparing,
    /// It was never prepared.
    Missing,
    /// It cannot; the detail says why.
    Failed,
}

/// Everything that the handlers share.
pub struct App {
    /// The settings.
    pub config: Config,
    /// What is kept.
    pub storage: Storage,
    /// Named limits.
    pub policies: Current,
    /// Tenants and their keys.
    pub keys: Keys,
    /// Who did what.
    pub audit: Audit,
    /// What tenants use, and may use.
    pub meter: Meter,
    /// What runs and answers.
    pub backend: Arc<dyn Backend>,
    /// Counters.
    pub metrics: Metrics,
    /// What is under way.
    pub live: Registry,
    /// Which program may run next.
    pub queue: Queue,
    /// Which question may be answered next: mostly waiting for a model, so more at once than workers.
    pub ask_queue: Queue,
    /// One turn at a time in each session.
    pub turns: Turns,
    /// Held while uploads are put into a session's workspace, or its files taken down or put back.
    pub files: Locks,
    /// Evaluations under way.
    pub evals: Evals,
    /// What is known of the files of sessions in use.
    pub known: Known,
    /// Signed links to artifacts.
    pub links: Links,
    /// How many connections there are and may be.
    pub connections: Connections,
    /// Uploads in parts that are under way.
    pub uploads: Uploads,
}

/// The policy of who names none and has none of their own.
const DEFAULT_POLICY: &str = "default";

/// The state of the router.
pub type AppState = Arc<App>;

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        config: Config,
        storage: Storage,
        policies: Policies,
        keys: Keys,
        backend: Arc<dyn Backend>,
    ) -> AppState {
        let queue = Queue::new(config.workers, config.queue_limit);
        let ask_queue = Queue::new(4 * config.workers, config.queue_limit);
        let connections = Connections::new(config.connections, config.connections_per_address);
        Arc::new(App {
            config,
            storage,
            policies: Current::new(policies),
            keys,
            audit: Audit::default(),
            meter: Meter::default(),
            backend,
            metrics: Metrics::default(),
            live: Registry::default(),
            queue,
            ask_queue,
            turns: Turns::default(),
            files: Locks::default(),
            evals: Evals::default(),
            known: Known::default(),
            links: Links::default(),
            connections,
            uploads: Uploads::default(),
        })
    }

    /// The policy of that name, if the tenant may use it; without a name the tenant's own.
    ///
    /// # Errors
    ///
    /// `unknown_policy`: also one that is another tenant's.
    pub fn policy(&self, tenant: &Tenant, name: &str) -> Result<Policy> {
        let policies = self.policies.get();
        let granted = self.keys.tenant(tenant).map(|tenant| tenant.policies).unwrap_or_default();
        let own = granted.first().map_or(DEFAULT_POLICY, String::as_str);
        let name = if name.is_empty() { own } else { name };
        let allowed = granted.is_empty() || granted.iter().any(|policy| policy == name);
        policies.get(name).filter(|_| allowed).cloned().ok_or_else(|| {
            let known = if granted.is_empty() { policies.names() } else { granted.join(", ") };
            Error::new(
                Code::UnknownPolicy,
                format!("unknown policy `{}` (there are: {known})", crate::error::shorten(name, 80)),
            )
        })
    }

    /// What a tenant may use altogether: its own policy says.
    #[must_use]
    pub fn quota(&self, tenant: &Tenant) -> Quota {
        self.policy(tenant, "").map(|policy| policy.quota).unwrap_or_default()
    }

    /// The models that a tenant may ask; the first is the default one where the default of all is not among them.
    pub fn models_of(&self, tenant: &Tenant) -> Vec<ModelInfo> {
        let mut models = self.backend.models();
        if self.policy(tenant, "").is_ok_and(|policy| policy.models) {
            return models;
        }
        models.retain(|model| model.provider == "builtin");
        if let Some(first) = models.first_mut() {
            first.default = true;
        }
        models
    }

    /// The policies that a tenant may use, by name.
    pub fn policies_of(&self, tenant: &Tenant) -> Vec<Policy> {
        let granted = self.keys.tenant(tenant).map(|tenant| tenant.policies).unwrap_or_default();
        let may = |policy: &&Policy| granted.is_empty() || granted.contains(&policy.name);
        self.policies.get().iter().filter(may).cloned().collect()
    }

    /// The image of that name, if it is known and the policy allows it.
    ///
    /// # Errors
    ///
    /// `unknown_image`, `invalid_request`.
    pub fn image(&self, name: &str, policy: &Policy) -> Result<ImageInfo> {
        let images = self.backend.images();
        let known = || images.iter().map(|image| image.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(image) = images.iter().find(|image| image.name == name) else {
            let name = crate::error::shorten(name, 80);
            return Err(Error::new(Code::UnknownImage, format!("unknown image `{name}` (there are: {})", known())));
        };
        if !policy.allows(name) {
            let allowed = policy.images.join(", ");
            return Err(Error::invalid(format!("policy {} does not allow image {name}, only: {allowed}", policy.name)));
        }
        Ok(image.clone())
    }

    /// The image of that name, if it can be used now.
    ///
    /// # Errors
    ///
    /// As [`App::image`], `image_not_ready`, and `infrastructure` if workers lack what the policy demands of their jail.
    pub fn ready_image(&self, name: &str, policy: &Policy) -> Result<ImageInfo> {
        let image = self.image(name, policy)?;
        let demanded = policy.jail.iter().map(String::as_str);
        let lacks = self.backend.jail().map_or_else(|| demanded.clone().collect(), |jail| jail.lacks(demanded.clone()));
        if !lacks.is_empty() {
            let detail = format!(
                "policy {} demands layers of the jail that workers do not have on this machine: {}; `glovebox doctor` says how to get them",
                policy.name,
                lacks.join(", ")
            );
            return Err(Error::new(Code::Infrastructure, detail));
        }
        let detail = image.detail.as_deref().unwrap_or_default();
        let reason = match image.state {
            ImageState::Ready => return Ok(image),
            ImageState::Preparing => format!("image {name} is being prepared; try again in a moment. {detail}"),
            ImageState::Missing => {
                format!("image {name} is not prepared; run `glovebox image prepare {name}`. {detail}")
            }
            ImageState::Failed => format!("image {name} cannot be used: {detail}"),
        };
        Err(Error::new(Code::ImageNotReady, reason.trim_end()))
    }

    /// Ends everything that is under way and waits until it is written down, at most `grace`.
    pub async fn cancel_all(&self, grace: std::time::Duration) {
        for live in self.live.all() {
            live.stop();
        }
        let _ = tokio::time::timeout(grace, self.live.idle()).await;
    }

    /// A run or question under way.
    #[must_use]
    pub fn live(&self, tenant: &Tenant, id: &str) -> Option<Arc<Live>> {
        self.live.get(tenant, id)
    }
}
