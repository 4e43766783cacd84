//! Mount: the only place where a guest is handed real directories.

use std::path::{Path, PathBuf};

use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::RunError;

/// What a guest may do with a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    ReadWrite,
}

/// A host directory under a guest path.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    pub(crate) host: PathBuf,
    pub(crate) guest: String,
    pub(crate) access: Access,
}

impl Mount {
    pub(crate) fn new(host: &Path, guest: &str, access: Access) -> Mount {
        Mount { host: host.to_owned(), guest: guest.to_owned(), access }
    }
}

/// Descriptor of the first preopened directory; 0 to 2 are the standard streams.
pub(crate) const FIRST_PREOPEN: u32 = 3;

/// Hands the directories to a guest, in order. Returns the descriptor of the one at `guest_path`.
pub(crate) fn preopen(wasi: &mut WasiCtxBuilder, mounts: &[Mount], guest_path: &str) -> Result<u32, RunError> {
    for mount in mounts {
        let permissions = match mount.access {
            Access::ReadOnly => FsPerms::ReadOnly,
            Access::ReadWrite => FsPerms::ReadWrite,
        };
        wasi.preopened_dir(&mount.host, &mount.guest, permissions).map_err(|error| RunError::Io {
            action: "failed to open",
            path: mount.host.clone(),
            source: std::io::Error::other(format!("{error:#}")),
        })?;
    }
    let index = mounts.iter().position(|mount| mount.guest == guest_path);
    Ok(index.and_then(|index| u32::try_from(index).ok()).map_or(u32::MAX, |index| FIRST_PREOPEN + index))
}
