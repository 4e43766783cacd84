//! Directories that guests work in: one for each tenant, beneath which a worker sees everything that it needs, and
//! nothing of anybody else. Contents that are kept (`blobs`) and the database are never in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use super::Storage;
use crate::tenants::Tenant;

/// Directories of a tenant: of workspaces, of what guests see as `/tmp`, of memory, and of what lives for a moment.
const PARTS: [&str; 4] = ["workspaces", "scratch", "layers", "tmp"];

impl Storage {
    /// The directory beneath which all guests work.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    /// A session's workspace, or a run's outside of sessions.
    #[must_use]
    pub fn workspace(&self, tenant: &Tenant, id: &str) -> PathBuf {
        self.part(tenant, "workspaces").join(id)
    }

    /// What a session's guest sees as `/tmp`.
    #[must_use]
    pub fn scratch(&self, tenant: &Tenant, session: &str) -> PathBuf {
        self.part(tenant, "scratch").join(session)
    }

    /// Where a tenant's layers are.
    #[must_use]
    pub fn layers(&self, tenant: &Tenant) -> PathBuf {
        self.part(tenant, "layers")
    }

    /// Where a layer will be that is not there yet.
    #[must_use]
    pub fn new_layer(&self, tenant: &Tenant) -> PathBuf {
        self.layers(tenant).join(format!("{}.layer", uuid::Uuid::now_v7().simple()))
    }

    /// Where workers find what is needed for a moment; emptied at start.
    #[must_use]
    pub fn aside(&self, tenant: &Tenant) -> PathBuf {
        self.part(tenant, "tmp")
    }

    /// A part of a tenant's directory, made when it is first asked for.
    fn part(&self, tenant: &Tenant, part: &str) -> PathBuf {
        let compartment = self.work().join(tenant.as_str());
        let mut made = self.0.compartments.lock().unwrap_or_else(PoisonError::into_inner);
        // What cannot be made is found missing by whoever uses it, with the path in the message.
        if !made.contains(tenant) && make(&compartment).is_ok() {
            made.insert(tenant.clone());
        }
        compartment.join(part)
    }

    /// The directories of all tenants that have one.
    pub(super) fn compartments(&self) -> std::io::Result<Vec<PathBuf>> {
        let found = fs::read_dir(self.work())?.map(|entry| entry.map(|entry| entry.path()));
        found.filter(|path| path.as_ref().map_or(true, |path| path.is_dir())).collect()
    }
}

fn make(compartment: &Path) -> std::io::Result<()> {
    PARTS.iter().try_for_each(|part| fs::create_dir_all(compartment.join(part)))
}

/// Brings the directories of layout 4, which knew one tenant, to their places.
pub(super) fn move_in(root: &Path) -> std::io::Result<()> {
    let compartment = root.join("work").join(Tenant::local().as_str());
    for part in ["workspaces", "scratch", "layers"] {
        let (before, after) = (root.join(part), compartment.join(part));
        if before.is_dir() && !after.exists() {
            fs::create_dir_all(&compartment)?;
            fs::rename(before, after)?;
        }
    }
    Ok(())
}
