//! Policies that are read again when their files change, without a restart. What is under way keeps the limits it began with.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use glovebox_runtime::Policies;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::AppState;

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The policies as they are now.
#[derive(Debug)]
pub struct Current(RwLock<Arc<Policies>>);

impl Current {
    /// Begins with these.
    #[must_use]
    pub fn new(policies: Policies) -> Current {
        Current(RwLock::new(Arc::new(policies)))
    }

    /// As they are at this moment.
    #[must_use]
    pub fn get(&self) -> Arc<Policies> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, policies: Policies) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policies);
    }
}

/// The policies that Glovebox brings along, and those of a directory.
///
/// # Errors
///
/// A sentence that names the file and the setting.
pub fn load(dir: Option<&Path>) -> Result<Policies, String> {
    let mut policies = Policies::embedded()?;
    if let Some(dir) = dir {
        policies.add_dir(dir)?;
    }
    Ok(policies)
}

/// Reads the policies again when a file of their directory changes, and on SIGHUP. With an error in them all stay as they were.
pub async fn watch(app: AppState) {
    let Some(dir) = app.config.policies_dir.clone() else { return };
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    let mut seen = print_of(&dir);
    loop {
        let asked = tokio::select! {
            _ = hangup.recv() => true,
            () = tokio::time::sleep(LOOK) => false,
        };
        let now = print_of(&dir);
        if !asked && now == seen {
            continue;
        }
        seen = now;
        match load(Some(&dir)) {
            Ok(policies) => {
                tracing::info!(policies = policies.names(), "read the policies again");
                app.policies.set(policies);
            }
            Err(error) => tracing::error!(error, "the policies stay as they were"),
        }
    }
}

/// What changes when a file does.
fn print_of(dir: &Path) -> Vec<(std::ffi::OsString, Option<SystemTime>, u64)> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut print: Vec<_> = entries
        .filter_map(|entry| {
            let metadata = entry.path().metadata().ok()?;
            Some((entry.file_name(), metadata.modified().ok(), metadata.len()))
        })
        .collect();
    print.sort();
    print
}
