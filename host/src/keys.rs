//! Keys: what is shown at the door, and who may come in with it.
//!
//! A key is `gbx_ID_SECRET`: the id finds its row, the secret has 256 random bits. Only the SHA-256 of the whole is kept,
//! which is enough for a secret that nobody can guess. All rows are in memory, so that a request waits for no database; this
//! process is the only one that changes them.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};
use crate::storage::{KeyRecord, Storage, TenantRecord, now};
use crate::tenants::{Caller, Scope, Tenant};

/// What every key begins with, so that scanners for leaked secrets know it.
const PREFIX: &str = "gbx";
/// Time between two notes of when a key was last used, in milliseconds.
const USED_EVERY_MS: i64 = 60_000;

/// Whether callers have to show a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// No: whoever reaches the server is its user. On loopback only.
    #[default]
    None,
    /// Yes, all of them.
    Keys,
}

/// A key as it is shown, once.
#[derive(Clone)]
pub struct NewKey {
    /// The part that may be shown.
    pub id: String,
    /// All of it.
    pub text: String,
}

impl NewKey {
    /// A random one.
    #[must_use]
    pub fn random() -> NewKey {
        let id: String = rand::random::<[u8; 6]>().iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("{PREFIX}_{id}_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        NewKey { id, text }
    }

    /// What is kept of it.
    #[must_use]
    pub fn hash(&self) -> String {
        hash(&self.text)
    }
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NewKey").field("id", &self.id).finish_non_exhaustive()
    }
}

fn hash(text: &str) -> String {
    glovebox_runtime::hex(&Sha256::digest(text))
}

/// Who holds a valid key.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Who it is.
    pub caller: Caller,
    /// Whether the use is to be noted with [`Keys::used`].
    pub note: bool,
    /// The session that the key shows, if it is a shared link's.
    pub shows: Option<String>,
    scopes: Vec<Scope>,
}

impl Holder {
    /// The user of a server without keys, who may do everything.
    #[must_use]
    pub fn local() -> Holder {
        Holder { caller: Caller::local(), note: false, shows: None, scopes: Scope::ALL.to_vec() }
    }

    /// Whether the key allows this.
    ///
    /// # Errors
    ///
    /// `forbidden`: the key does not have the scope.
    pub fn may(&self, scope: Scope) -> Result<()> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let scopes = self.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(", ");
        let (needed, id) = (scope.name(), &self.caller.actor);
        Err(Error::new(Code::Forbidden, format!("this needs a key with the scope `{needed}`; key {id} has: {scopes}")))
    }
}

/// Tenants and keys, as they are now.
#[derive(Debug, Default)]
pub struct Keys {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    tenants: HashMap<Tenant, TenantRecord>,
    keys: HashMap<String, KeyRecord>,
}

impl Keys {
    /// Reads them all.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn load(storage: &Storage) -> Result<Keys> {
        let keys = Keys::default();
        keys.reload(storage).await?;
        Ok(keys)
    }

    /// Reads them again, after a change.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn reload(&self, storage: &Storage) -> Result<()> {
        let tenants = storage.tenants().await?;
        let tenants = tenants.into_iter().filter_map(|record| Some((Tenant::new(&record.name)?, record))).collect();
        let keys = storage.keys(None).await?.into_iter().map(|record| (record.id.clone(), record)).collect();
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = State { tenants, keys };
        Ok(())
    }

    /// Who shows this `Authorization` header.
    ///
    /// # Errors
    ///
    /// `unauthorized`: no key, or none that is known, alive and of an enabled tenant; which of these it is, is not told.
    pub fn identify(&self, authorization: Option<&str>) -> Result<Holder> {
        let refused = || {
            Error::new(
                Code::Unauthorized,
                "this server wants a key that is valid: send the header `authorization: Bearer gbx_…`; \
                 `glovebox key create` makes one",
            )
        };
        let text = authorization.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| {
            // RFC 9110: the scheme's case does not matter.
            scheme.eq_ignore_ascii_case("bearer")
        });
        let text = text.map(|(_, text)| text.trim()).ok_or_else(refused)?;
        let mut parts = text.splitn(3, '_');
        let id = (parts.next() == Some(PREFIX)).then(|| parts.next()).flatten().ok_or_else(refused)?;
        let state = self.state();
        let key = state.keys.get(id).filter(|key| same(&key.hash, &hash(text))).ok_or_else(refused)?;
        let now = now();
        let over = key.revoked_at.is_some() || key.expires_at.as_ref().is_some_and(|at| *at <= now);
        let tenant = Tenant::new(&key.tenant).filter(|tenant| state.tenants.get(tenant).is_some_and(|it| !it.disabled));
        let tenant = tenant.filter(|_| !over).ok_or_else(refused)?;
        let fresh = key.last_used_at.as_deref().is_some_and(|at| milliseconds_between(at, &now) < USED_EVERY_MS);
        let (caller, shows) = (Caller { tenant, actor: id.into() }, key.session_id.clone());
        Ok(Holder { caller, note: !fresh, shows, scopes: key.scopes.clone() })
    }

    /// Notes that a key was used just now.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn used(&self, storage: &Storage, id: &str) -> Result<()> {
        let now = now();
        if let Some(key) = self.state.write().unwrap_or_else(PoisonError::into_inner).keys.get_mut(id) {
            key.last_used_at = Some(now.clone());
        }
        storage.key_used(id, &now).await
    }

    /// A tenant.
    #[must_use]
    pub fn tenant(&self, tenant: &Tenant) -> Option<TenantRecord> {
        self.state().tenants.get(tenant).cloned()
    }

    /// All tenants, by name.
    #[must_use]
    pub fn tenants(&self) -> Vec<Tenant> {
        let mut tenants: Vec<_> = self.state().tenants.keys().cloned().collect();
        tenants.sort();
        tenants
    }

    /// Whether a key with the scope `admin` is there that can be used.
    #[must_use]
    pub fn has_admin(&self) -> bool {
        self.state().keys.values().any(|key| key.revoked_at.is_none() && key.scopes.contains(&Scope::Admin))
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares two hashes in a time that does not depend on where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

fn milliseconds_between(earlier: &str, later: &str) -> i64 {
    let at = |text: &str| text.parse::<jiff::Timestamp>().map_or(0, |time| time.as_millisecond());
    at(later) - at(earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(change: impl Fn(&mut KeyRecord, &mut TenantRecord)) -> (Keys, String) {
        let new = NewKey::random();
        let mut key = KeyRecord {
            id: new.id.clone(),
            tenant: "acme".into(),
            label: String::new(),
            hash: new.hash(),
            scopes: vec![Scope::Read],
            session_id: None,
            created_at: now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let mut tenant = TenantRecord { name: "acme".into(), policies: Vec::new(), disabled: false, created_at: now() };
        change(&mut key, &mut tenant);
        let state =
            State { tenants: [(Tenant::new("acme").unwrap(), tenant)].into(), keys: [(new.id.clone(), key)].into() };
        (Keys { state: RwLock::new(state) }, format!("Bearer {}", new.text))
    }

    fn code(keys: &Keys, header: &str, scope: Scope) -> Option<Code> {
        keys.identify(Some(header)).and_then(|holder| holder.may(scope)).err().map(|error| error.code)
    }

    #[test]
    fn a_key_opens_what_its_scopes_say() {
        let (keys, header) = keys(|_, _| ());
        let holder = keys.identify(Some(&header)).unwrap();
        assert_eq!((holder.caller.tenant.as_str(), holder.note), ("acme", true));
        assert_eq!(code(&keys, &header, Scope::Run), Some(Code::Forbidden));
        assert_eq!(code(&keys, &header.replace("Bearer", "bearer"), Scope::Read), None);
        assert!(header.len() > "Bearer gbx__".len() + 12 + 42, "{}", header.len());
    }

    #[test]
    fn whatever_is_wrong_with_a_key_the_answer_is_the_same() {
        let refusal = |change: fn(&mut KeyRecord, &mut TenantRecord), bend: fn(&str) -> String| {
            let (keys, header) = keys(change);
            let error = keys.identify(Some(&bend(&header))).unwrap_err();
            assert!(!error.detail.contains(&header[7..]), "{}", error.detail);
            (error.code, error.detail)
        };
        let whole = |header: &str| header.to_owned();
        let all = [
            refusal(|key, _| key.revoked_at = Some(now()), whole),
            refusal(|key, _| key.expires_at = Some("2020-01-01T00:00:00.000Z".into()), whole),
            refusal(|_, tenant| tenant.disabled = true, whole),
            refusal(|key, _| key.tenant = "gone".into(), whole),
            refusal(|_, _| (), |header| header[..header.len() - 1].to_owned()),
            refusal(|_, _| (), |header| format!("{header}x")),
            refusal(|_, _| (), |header| header.replace("Bearer", "Basic")),
            refusal(|_, _| (), |_| "Bearer gbx".into()),
            refusal(|_, _| (), |_| "Bearer ".into()),
            refusal(|_, _| (), |_| "Bearer gbx__".into()),
        ];
        assert!(all.iter().all(|refusal| *refusal == all[0] && refusal.0 == Code::Unauthorized), "{all:#?}");
    }

    #[test]
    fn a_key_is_not_shown_by_accident() {
        let key = NewKey::random();
        assert!(!format!("{key:?}").contains(&key.text) && !key.hash().contains(&key.text));
        assert_ne!(key.text, NewKey::random().text);
    }
}
