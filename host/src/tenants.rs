//! Tenant: whose things these are. Every query takes one, and a worker serves one in its life.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose files, sessions and runs these are. Also a directory name: lower-case letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The only user of a single-user server, and the tenant of the first key of any other.
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

/// What a key allows. None of them includes another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To look at the tenant's files, sessions, runs, answers and artifacts.
    Read,
    /// To bring files, run programs, and make, change and delete what is the tenant's.
    Run,
    /// To ask questions, which costs tokens of a model.
    Ask,
    /// To manage tenants and keys, and to see metrics and the audit log. It opens nobody's files.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 4] = [Scope::Read, Scope::Run, Scope::Ask, Scope::Admin];

    /// The name in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Run => "run",
            Scope::Ask => "ask",
            Scope::Admin => "admin",
        }
    }
}

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose things it is about.
    pub tenant: Tenant,
    /// Id of the key that was shown; `local` on a server without keys.
    pub actor: Arc<str>,
}

impl Caller {
    /// The user of a server without keys.
    #[must_use]
    pub fn local() -> Caller {
        Caller { tenant: Tenant::local(), actor: "local".into() }
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
