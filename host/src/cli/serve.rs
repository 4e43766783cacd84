//! `glovebox serve`: the server, from its configuration to its last connection.

use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use clap::Args;

use super::out::policies;
use super::{Done, Failure};
use crate::app::App;
use crate::backend::{Crew, Images, Local};
use crate::config::Config;
use crate::keys::{Auth, Keys, NewKey};
use crate::storage::Storage;
use crate::tenants::{Scope, Tenant};
use crate::traces::Exporter;

#[derive(Args)]
pub(crate) struct Serve {
    /// Address to listen on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Open the page in a browser
    #[arg(long)]
    open: bool,
}

pub(super) async fn serve(config: Config, args: Serve) -> Done {
    // The port first: the most frequent mistake should not cost a wait.
    let listener = crate::server::bind(config.listen).await.map_err(Failure::ours)?;
    let address = listener.local_addr().map_err(Failure::ours)?;
    let artifacts_listener = crate::server::bind(config.artifacts_listen).await.map_err(Failure::ours)?;
    let shown = artifacts_listener.local_addr().map_err(Failure::ours)?;
    let connections = crate::connections::make_room(config.connections);
    if connections < config.connections {
        tracing::warn!(connections, wanted = config.connections, "the limit of open files allows fewer connections");
    }
    let config = Config { listen: address, connections, ..config };
    let policies = policies(&config)?;
    let traces = config.traces_endpoint.as_deref().map(|endpoint| Exporter::start(endpoint, config.traces_percent));
    let traces = traces.transpose().map_err(Failure::ours)?;
    let storage = config.open_storage().await.map_err(Failure::ours)?;
    let images = Images::open(&config).map_err(Failure::ours)?;
    let crew = Crew { workers: config.workers, spares: 1, root: storage.work() };
    let backend = Local::start(&config, images.clone(), crew).await?;
    check_jail(&config, &backend, &storage).await?;
    prepare_in_background(&config, images, backend.clone());
    let keys = Keys::load(&storage).await.map_err(super::out::failed)?;
    let first = first_key(&config, &keys, &storage).await.map_err(super::out::failed)?;
    let state = App::new(config, storage, policies, keys, backend);
    let origin = state.config.artifacts_origin.clone().unwrap_or_else(|| format!("http://{shown}"));
    state.links.open(&state.config.data_dir, &origin).map_err(Failure::ours)?;
    let artifacts = crate::api::artifacts_app(state.clone());
    let artifacts = tokio::spawn(crate::server::serve_artifacts(artifacts_listener, artifacts, state.clone()));
    tracing::info!(%origin, "artifacts have an origin of their own");

    let taken = crate::runs::take_over(&state).await.map_err(super::out::failed)?;
    if taken > 0 {
        tracing::info!(taken, "took over runs that an earlier server had accepted");
    }
    let page = format!("http://{address}/");
    if let Some(key) = first {
        super::out::print(&format!("the first key, with every scope, shown this once:\n{key}\n"));
    }
    super::out::print(&format!(
        "glovebox is at {page}\nopen it, drop a file, ask a question; the API is described at {page}docs; Ctrl-C stops\n"
    ));
    tracing::info!(%page, data_dir = %state.config.data_dir.display(), workers = state.config.workers, "listening");
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "keys and files travel in the clear from here: put a reverse proxy with TLS in front");
    }
    if args.open {
        open(&page);
    }
    crate::server::serve(listener, crate::api::app(state.clone()), state).await.map_err(Failure::ours)?;
    artifacts.abort();
    if let Some(traces) = traces {
        tokio::task::block_in_place(|| traces.stop());
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the key of the first administrator, where keys are wanted and no one has one.
async fn first_key(config: &Config, keys: &Keys, storage: &Storage) -> crate::error::Result<Option<String>> {
    if config.auth == Auth::None || keys.has_admin() {
        return Ok(None);
    }
    let key = NewKey::random();
    storage.add_key(&Tenant::local(), &key, "made at the first start", &Scope::ALL, None).await?;
    keys.reload(storage).await?;
    Ok(Some(key.text))
}

/// Looks at the jail that workers have on this machine, where it has to be whole.
async fn check_jail(config: &Config, backend: &Local, storage: &Storage) -> Result<(), Failure> {
    // Asked in any case: policies may demand layers, also those that are read later.
    let locked = backend.locked(&storage.aside(&Tenant::local())).await.map_err(Failure::ours)?;
    if !config.require_jail || locked.is_full() {
        return Ok(());
    }
    Err(Failure::ours(format!(
        "workers cannot have their whole jail here ({locked}), and require_jail is set; `glovebox doctor` says how to get it"
    )))
}

/// The server answers meanwhile, and says that it is warming.
fn prepare_in_background(config: &Config, images: Arc<Images>, backend: Arc<Local>) {
    let runtime = tokio::runtime::Handle::current();
    let waiting = images.announce();
    let config = config.clone();
    std::thread::spawn(move || {
        let _runtime = runtime.enter();
        for image in waiting {
            tracing::info!(image, "preparing an image: compiling and warming up, once on this machine");
            match images.prepare_apart(&image, &config) {
                Ok(()) => {
                    backend.preload(&image);
                    tracing::info!(image, "image ready");
                }
                Err(error) => tracing::error!(image, error, "image cannot be used"),
            }
        }
    });
}

fn open(page: &str) {
    let opened =
        Command::new("xdg-open").arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if opened.is_err() {
        eprintln!("no browser was found; open {page} yourself");
    }
}
