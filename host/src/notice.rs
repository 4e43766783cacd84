//! Notice: who serves a data directory. A running server leaves its address there, so that commands find it.
//!
//! Whether a notice holds is told by the lock of the directory alone: a server that was killed leaves one behind.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const FILE: &str = "server.json";

/// A running server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Such as `http://127.0.0.1:8080`.
    pub url: String,
    /// Its process.
    pub pid: u32,
}

/// A notice that is taken down when this is dropped.
#[derive(Debug)]
pub struct Posted(PathBuf);

impl Notice {
    /// Posts that this process serves `data_dir` at `address`. Only the directory's user can read it.
    ///
    /// # Errors
    ///
    /// The disk failed or is full.
    pub fn post(data_dir: &Path, address: SocketAddr) -> io::Result<Posted> {
        let notice = Notice { url: format!("http://{address}"), pid: std::process::id() };
        // Named temporary files are for their user alone; moved into place, nobody reads half of it.
        let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
        file.write_all(&serde_json::to_vec(&notice)?)?;
        file.persist(data_dir.join(FILE))?;
        Ok(Posted(data_dir.join(FILE)))
    }

    /// The notice in a data directory, if there is one that can be understood.
    #[must_use]
    pub fn read(data_dir: &Path) -> Option<Notice> {
        serde_json::from_slice(&fs::read(data_dir.join(FILE)).ok()?).ok()
    }

    /// Takes down what a killed server left. Only who holds the directory's lock may do that.
    pub fn clear(data_dir: &Path) {
        let _ = fs::remove_file(data_dir.join(FILE));
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.url.strip_prefix("http://")?.trim_end_matches('/').parse().ok()
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_private_and_goes_with_its_server() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let address = "127.0.0.1:8080".parse().unwrap();
        let posted = Notice::post(dir.path(), address).unwrap();
        let read = Notice::read(dir.path()).unwrap();
        assert_eq!((read.address(), read.pid), (Some(address), std::process::id()));
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(posted);
        assert_eq!(Notice::read(dir.path()), None);
    }

    #[test]
    fn a_notice_that_cannot_be_understood_is_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(FILE), "{\"url\":").unwrap();
        assert_eq!(Notice::read(dir.path()), None);
        let elsewhere = Notice { url: "http://example.com:80".into(), pid: 1 };
        assert_eq!(elsewhere.address(), None);
    }
}
