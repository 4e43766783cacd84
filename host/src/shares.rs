//! Shared links: each has a key that opens one session with what came before it, to look at it and nothing else.
//!
//! The key is in the link's fragment, which browsers send to no server. It is a key like others, so it is kept as a hash,
//! ends, can be revoked, and is in the audit log; what it opens is decided here and nowhere else.

use crate::ancestry::Ancestry;
use crate::app::App;
use crate::error::{Code, Error, Result};
use crate::keys::{Auth, NewKey};
use crate::sessions::checked_title;
use crate::storage::{KeyRecord, now};
use crate::tenants::{Scope, Tenant};

/// Days that a link works if its maker does not say.
pub const DAYS: u32 = 30;
/// The longest life of a link, in days.
pub const MOST_DAYS: u32 = 365;
/// Links of a session that work at a time.
const LINKS: usize = 50;

/// What a route that shared links open shows; its `{id}` says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A session.
    Session,
    /// A run.
    Run,
    /// A question.
    Ask,
    /// Something that a run left.
    Artifact,
    /// A file that the session works on.
    File,
}

/// Makes a link to a session. What is returned has the key, which nobody can see again.
///
/// # Errors
///
/// `not_found`; `forbidden` where the server wants no keys or the tenant's policy does not share; `invalid_request`;
/// `quota`; the database failed.
pub async fn make(app: &App, tenant: &Tenant, session: &str, label: &str, days: u32) -> Result<(KeyRecord, NewKey)> {
    app.storage.session(tenant, session).await?;
    allowed(app, tenant)?;
    let label = checked_title(label)?;
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Error::invalid(format!("expires_in_days: 1 to {MOST_DAYS}, not {days}")));
    }
    if list(app, tenant, session).await?.len() >= LINKS {
        let detail = format!("session {session} has {LINKS} links already, and may not have more; end one");
        return Err(Error::new(Code::Quota, detail));
    }
    let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(i64::from(days) * 24);
    let key = NewKey::random();
    app.storage.add_share(tenant, session, &key, &label, &format!("{ends:.3}")).await?;
    app.keys.reload(&app.storage).await?;
    let made = app.storage.shares(tenant, session).await?.into_iter().find(|share| share.id == key.id);
    Ok((made.ok_or_else(|| Error::not_found("session", session))?, key))
}

/// The links to a session that work, the newest first.
///
/// # Errors
///
/// `not_found`; the database failed.
pub async fn list(app: &App, tenant: &Tenant, session: &str) -> Result<Vec<KeyRecord>> {
    app.storage.session(tenant, session).await?;
    let now = now();
    let mut shares = app.storage.shares(tenant, session).await?;
    shares.retain(|share| share.revoked_at.is_none() && share.expires_at.as_ref().is_none_or(|at| *at > now));
    Ok(shares)
}

/// Ends a link.
///
/// # Errors
///
/// `not_found`; the database failed.
pub async fn end(app: &App, tenant: &Tenant, session: &str, share: &str) -> Result<()> {
    let there = list(app, tenant, session).await?;
    if !there.iter().any(|one| one.id == share) {
        return Err(Error::not_found("share", share));
    }
    app.storage.revoke_key(share).await?;
    app.keys.reload(&app.storage).await
}

/// Whether a link to a session shows this thing: it is of that session, or of what came before it.
///
/// # Errors
///
/// `forbidden` where the tenant's policy does not share any more; the database failed.
pub async fn shows(app: &App, tenant: &Tenant, session: &str, what: Shown, id: &str) -> Result<bool> {
    allowed(app, tenant)?;
    if what == Shown::Session {
        return Ok(id == session);
    }
    if what == Shown::File {
        return Ok(app.storage.session_files(tenant, session).await?.iter().any(|file| file.id == id));
    }
    // What has only begun is not in the database.
    if let Some(live) = app.live(tenant, id) {
        return Ok(live.session.as_deref() == Some(session));
    }
    let of = match what {
        Shown::Ask => app.storage.place_of_ask(tenant, id).await?,
        Shown::Run => app.storage.place_of_run(tenant, id).await?,
        Shown::Artifact => {
            let run = app.storage.artifact(tenant, id).await?.run_id;
            app.storage.place_of_run(tenant, &run).await?
        }
        Shown::Session | Shown::File => None,
    };
    let Some((of, checkpoint)) = of else { return Ok(false) };
    if of == session {
        return Ok(true);
    }
    let session = app.storage.session(tenant, session).await?;
    Ok(Ancestry::of(&app.storage, tenant, &session).await?.has(&of, checkpoint))
}

/// Whether the tenant may share anything.
fn allowed(app: &App, tenant: &Tenant) -> Result<()> {
    if app.config.auth != Auth::Keys {
        let detail = "this server asks nobody for a key, so there is nothing that a link could open; \
                      start it with `auth = \"keys\"` to share";
        return Err(Error::new(Code::Forbidden, detail));
    }
    let policy = app.policy(tenant, "")?;
    if policy.sharing {
        return Ok(());
    }
    Err(Error::new(Code::Forbidden, format!("the policy `{}` does not allow to share sessions", policy.name)))
}

/// What a link's holder hears who wants more than to look.
#[must_use]
pub fn only_to_look() -> Error {
    Error::new(Code::Forbidden, "this link opens one session, to look at it and nothing else")
}

/// The only scope of a link's key.
pub const SCOPES: [Scope; 1] = [Scope::Read];
