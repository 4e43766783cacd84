//! Sessions: an interpreter and a workspace with their history, from opening to deletion. See `turns` for what happens
//! in them and `checkpoints` for going back, forking and sleeping.

use std::fs::File;
use std::io::{self, BufWriter};

use glovebox_runtime::Kind;

use crate::app::{App, AppState};
use crate::archive::ZipWriter;
use crate::error::{Code, Error, Result};
use crate::files::Workspace;
use crate::live::Doing;
use crate::runs::{blocking, known_files, remove_workspace};
use crate::storage::{FileRecord, SessionRecord};
use crate::tenants::Tenant;

/// Characters that a title may have.
const TITLE_CHARS: usize = 200;
/// Files that an archive may have; more do not fit its directory.
const ARCHIVE_FILES: usize = 60_000;

/// Opens a session and copies the files into its workspace.
///
/// # Errors
///
/// Unknown image, policy or file; a title that is too long; `quota`; the disk or the database failed.
pub async fn open(
    app: &AppState,
    tenant: &Tenant,
    title: &str,
    image: &str,
    policy: &str,
    files: &[String],
) -> Result<SessionRecord> {
    let title = checked_title(title)?;
    let policy = &app.policy(tenant, policy)?;
    if app.image(image, policy)?.kind == Kind::Command {
        return Err(Error::invalid(format!(
            "image {image} runs one program at a time and has no sessions; use POST /runs"
        )));
    }
    let files = known_files(app, tenant, files).await?;
    check_count(app, tenant, 1).await?;
    let session = app.storage.add_session(tenant, &title, image, &policy.name).await?;
    let path = app.storage.workspace(tenant, &session.id);
    let opened = async {
        let scratch = app.storage.scratch(tenant, &session.id);
        blocking(move || Workspace::create(&path).and_then(|_| Workspace::create(&scratch)).map(drop)).await?;
        attach(app, tenant, &session.id, files).await
    };
    if let Err(error) = opened.await {
        delete(app, tenant, &session.id).await?;
        return Err(error);
    }
    Ok(session)
}

/// Refuses a tenant with more sessions than allowed.
///
/// # Errors
///
/// `quota`; the database failed.
pub(crate) async fn check_count(app: &App, tenant: &Tenant, more: u64) -> Result<()> {
    let (have, most) = (app.storage.count_sessions(tenant).await?, app.config.session_max);
    if have + more <= most {
        return Ok(());
    }
    let detail = format!("there are {have} sessions, and `session_max` allows {most}; delete some that are not needed");
    Err(Error::new(Code::Quota, detail))
}

/// A title without line breaks and of a bearable length.
///
/// # Errors
///
/// Too long.
pub fn checked_title(title: &str) -> Result<String> {
    let title: String = title.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if title.chars().count() > TITLE_CHARS {
        return Err(Error::invalid(format!("title is too long; at most {TITLE_CHARS} characters")));
    }
    Ok(title)
}

/// Copies files into a session's workspace; those that are there already stay as they are.
/// Returns them under their names in the workspace.
///
/// # Errors
///
/// The session is gone, or the disk or the database failed.
pub async fn attach(app: &AppState, tenant: &Tenant, session: &str, files: Vec<FileRecord>) -> Result<Vec<FileRecord>> {
    let mut attached = Vec::with_capacity(files.len());
    // While the files are taken down or put back, what is neither in a tree nor in a row would be lost.
    let _lock = app.files.lock(session).await;
    let present = app.storage.session_files(tenant, session).await?;
    for mut file in files {
        let known = present.iter().chain(&attached).find(|other: &&FileRecord| other.id == file.id);
        if let Some(known) = known.cloned() {
            attached.push(known);
            continue;
        }
        let source = app.storage.content(tenant, &file.sha256).await?;
        let path = app.storage.workspace(tenant, session);
        let wanted = file.name.clone();
        let name = blocking(move || Workspace::open(&path)?.place(&source, &wanted)).await?;
        app.storage.add_session_file(tenant, session, &file.id, &name).await?;
        file.name = name;
        attached.push(file);
    }
    Ok(attached)
}

/// Deletes everything of a session. Its forks are sessions of their own and stay.
///
/// # Errors
///
/// `not_found`, `session_busy`, or the database failed.
pub async fn delete(app: &AppState, tenant: &Tenant, id: &str) -> Result<()> {
    app.storage.session(tenant, id).await?;
    let _taken = app.turns.take(id, Doing::Short("its deletion")).await?;
    app.backend.forget(id).await;
    app.known.forget(id);
    if !app.storage.delete_session(tenant, id).await? {
        return Err(Error::not_found("session", id));
    }
    remove_workspace(app.storage.workspace(tenant, id)).await;
    remove_workspace(app.storage.scratch(tenant, id)).await;
    // The keys of its shared links are gone with it.
    app.keys.reload(&app.storage).await
}

/// Deletes a file with all of its copies in sessions and their checkpoints.
///
/// # Errors
///
/// `not_found`, or the disk or the database failed.
pub async fn delete_file(app: &AppState, tenant: &Tenant, id: &str) -> Result<()> {
    for (session, name) in app.storage.sessions_with_file(tenant, id).await? {
        let _lock = app.files.lock(&session).await;
        let path = app.storage.workspace(tenant, &session);
        blocking(move || Workspace::open(&path)?.remove(&name)).await?;
        app.known.forget(&session);
    }
    if app.storage.delete_file(tenant, id).await? { Ok(()) } else { Err(Error::not_found("file", id)) }
}

/// Everything in a session's workspace as a zip, in a file without a name.
///
/// # Errors
///
/// `invalid_request` if it does not fit a zip; the disk failed.
pub async fn archive(app: &AppState, tenant: &Tenant, session: &SessionRecord) -> Result<File> {
    let path = app.storage.workspace(tenant, &session.id);
    let tmp = app.storage.tmp();
    let made = blocking(move || {
        let workspace = Workspace::open(&path)?;
        let mut zip = ZipWriter::new(BufWriter::new(tempfile::tempfile_in(tmp)?));
        for (name, _) in workspace.files(ARCHIVE_FILES)? {
            // What has gone since is left out.
            if let Some(file) = workspace.open_regular(&name) {
                match zip.add(&name, file) {
                    Err(error) if error.kind() == io::ErrorKind::FileTooLarge => return Ok(None),
                    other => other?,
                }
            }
        }
        Ok(Some(zip.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?))
    });
    made.await?.ok_or_else(|| Error::invalid("the workspace has more than 4 GiB; download its files one by one"))
}

/// Deletes what nobody has used for the configured number of days.
///
/// # Errors
///
/// The database failed.
pub async fn expire(app: &AppState, tenant: &Tenant, days: u64) -> Result<()> {
    for id in app.storage.idle_sessions(tenant, days).await? {
        if app.live.of_session(tenant, &id).is_empty() {
            match delete(app, tenant, &id).await {
                // Somebody has just begun to use it.
                Err(error) if error.code == Code::SessionBusy => continue,
                other => other?,
            }
            tracing::info!(session = id, days, "deleted an idle session");
        }
    }
    for id in app.storage.old_evals(tenant, days).await? {
        crate::evals::delete(app, tenant, &id).await?;
    }
    app.storage.forget_older_than(tenant, days).await
}
