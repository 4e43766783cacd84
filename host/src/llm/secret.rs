//! Secrets: keys that never show themselves.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

/// Bytes of a file that holds a key.
const MAX_FILE: u64 = 16 * 1024;

/// A key. It is shown as `[redacted]`, and its memory is wiped when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Keeps a key.
    #[must_use]
    pub fn new(key: String) -> Secret {
        Secret(Zeroizing::new(key))
    }

    /// Reads a key from a file that nobody but its owner may read.
    ///
    /// # Errors
    ///
    /// In words: no such file, a mode that lets others in, no key in it.
    pub fn from_file(path: &Path) -> Result<Secret, String> {
        let shown = path.display();
        let mut file = File::open(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        let metadata = file.metadata().map_err(|error| format!("cannot read {shown}: {error}"))?;
        if metadata.mode() & 0o077 != 0 {
            return Err(format!(
                "{shown} can be read by others (mode {:o}); run: chmod 600 {shown}",
                metadata.mode() & 0o777
            ));
        }
        let mut text = Zeroizing::new(String::new());
        (&mut file)
            .take(MAX_FILE)
            .read_to_string(&mut text)
            .map_err(|error| format!("cannot read {shown}: {error}"))?;
        match text.trim() {
            "" => Err(format!("{shown} is empty; write the key into it")),
            key => Ok(Secret::new(key.to_owned())),
        }
    }

    /// The key itself, for the header that it is sent in.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_file_that_others_can_read_is_refused_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, " sk-1\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = Secret::from_file(&path).unwrap_err();
        assert!(error.ends_with(&format!("(mode 640); run: chmod 600 {}", path.display())), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let secret = Secret::from_file(&path).unwrap();
        assert_eq!((secret.expose(), format!("{secret:?}")), ("sk-1", "[redacted]".to_owned()));
    }
}
