//! Tenant: whose things these are. There is one today; every query asks for it, so that more are only a wider door.

use std::fmt;
use std::sync::Arc;

/// Whose files, sessions and runs these are. Also a directory name: lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The only user of a single-user server.
    #[must_use]
    pub fn local() -> Tenant {
        Tenant("local".into())
    }

    /// A tenant by name; `None` if the name could not be a directory.
    #[must_use]
    pub fn new(name: &str) -> Option<Tenant> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        (!name.is_empty() && name.len() <= 64 && name.chars().all(fits)).then(|| Tenant(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_cannot_be_named_like_a_path() {
        assert!(Tenant::new("team-7").is_some());
        for name in ["", "..", "a/b", "A", "a b", "ä"] {
            assert!(Tenant::new(name).is_none(), "{name:?}");
        }
    }
}
