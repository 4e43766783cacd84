//! Turns: what happens to a session around a program that runs in it.
//!
//! Before it, the workspace is brought to what the head checkpoint says. After it, either a new checkpoint is written
//! with all that the program did, in one transaction, or everything goes back to the head. Nobody hears of a turn
//! before. So a live interpreter is only a cache: losing it, or the whole server, loses nothing that was told.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_runtime::{Ending, Outcome};
use serde_json::json;

use crate::app::{App, Kept};
use crate::error::{Code, Error, Result};
use crate::files::{Workspace, free_name, media_type};
use crate::runs::blocking;
use crate::storage::{
    Area, AskRecord, CheckpointRecord, FileRecord, KeptTurn, NewState, NewTree, Node, RunRecord, SessionRecord, Staged,
    StoredEvent, Tree, days_ago, file_name,
};
use crate::tenants::Tenant;
use crate::tree::{Areas, PutBackError, Snapshot, Stamps, put_back, snapshot};

/// What is known of the files of sessions in use, so that a turn reads only what changed.
#[derive(Debug, Default)]
pub struct Known(Mutex<HashMap<String, (Tenant, Files, Instant)>>);

/// The files of a session as they were at the last look.
#[derive(Debug)]
struct Files {
    tree_id: String,
    tree: Tree,
    stamps: Stamps,
}

impl Known {
    fn take(&self, session: &str) -> Option<Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(session).map(|(_, files, _)| files)
    }

    fn put(&self, tenant: &Tenant, session: &str, files: Files) {
        let entry = (tenant.clone(), files, Instant::now());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(session.to_owned(), entry);
    }

    /// Forgets what is known of a session's files: the next turn looks at all of them.
    pub fn forget(&self, session: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(session);
    }

    /// The sessions that nobody has used for so long, the one used last at the end.
    #[must_use]
    pub fn idle(&self, time: Duration) -> Vec<(Tenant, String)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut idle: Vec<_> = known.iter().filter(|(_, (.., used))| used.elapsed() >= time).collect();
        idle.sort_by_key(|(_, (.., used))| *used);
        idle.into_iter().map(|(session, (tenant, ..))| (tenant.clone(), session.clone())).collect()
    }
}

/// A session that is ready for a turn: its files are those of its head.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Where it is.
    pub(crate) head: CheckpointRecord,
    /// The head's layers, oldest first.
    pub(crate) layers: Vec<PathBuf>,
    /// What its guest sees as `/tmp`.
    pub(crate) scratch: PathBuf,
    files: Files,
}

/// Refuses a session that may take no turn, and a tenant whose checkpoints take up too much.
///
/// # Errors
///
/// `session_ended`, `quota`.
pub(crate) async fn check(app: &App, tenant: &Tenant, session: &SessionRecord) -> Result<()> {
    check_alive(app, session)?;
    let most = app.config.session_turns;
    if session.turns.unsigned_abs() >= most {
        let detail = format!(
            "session {} has taken {} turns, and `session_turns` allows {most}; go on in a new session",
            session.id, session.turns
        );
        return Err(Error::new(Code::Quota, detail));
    }
    check_room(app, tenant).await
}

/// Refuses a session at the end of its life.
///
/// # Errors
///
/// `session_ended`.
pub(crate) fn check_alive(app: &App, session: &SessionRecord) -> Result<()> {
    if !has_ended(app, session) {
        return Ok(());
    }
    let days = app.config.session_life_days;
    let detail = format!(
        "session {} ended {days} days after its beginning (`session_life_days`); its history and files can still be read",
        session.id
    );
    Err(Error::new(Code::SessionEnded, detail))
}

/// Whether a session is at the end of its life.
#[must_use]
pub(crate) fn has_ended(app: &App, session: &SessionRecord) -> bool {
    let days = app.config.session_life_days;
    days > 0 && session.created_at < days_ago(days)
}

/// Refuses a tenant whose checkpoints take up too much.
///
/// # Errors
///
/// `quota`.
pub(crate) async fn check_room(app: &App, tenant: &Tenant) -> Result<()> {
    let (used, most) = (app.storage.checkpoint_bytes(tenant).await?, app.config.checkpoint_mib << 20);
    if used < most {
        return Ok(());
    }
    let detail = format!(
        "checkpoints take up {} MiB, and `checkpoint_mib` allows {}; delete sessions that are not needed",
        used >> 20,
        app.config.checkpoint_mib
    );
    Err(Error::new(Code::Quota, detail))
}

/// Brings a session's files to what its head says and tells where to begin. Call with the session taken.
///
/// # Errors
///
/// `checkpoint_damaged`; the disk or the database failed.
pub(crate) async fn ready(app: &App, tenant: &Tenant, session: &SessionRecord) -> Result<Ready> {
    let head = match session.head {
        Some(number) => app.storage.checkpoint(tenant, &session.id, number).await?,
        None => adopt(app, tenant, session).await?,
    };
    let known = app.known.take(&session.id).filter(|files| files.tree_id == head.tree_id);
    let mut files = match known {
        Some(files) => files,
        // The server was started since, or something went wrong: files of half a turn may lie there.
        None => bring(app, tenant, &head, Stamps::default()).await?,
    };
    files.stamps.settle();
    let layers = app.storage.layers_of(tenant, &head).await?;
    Ok(Ready { layers, scratch: app.storage.scratch(tenant, &session.id), head, files })
}

impl Ready {
    /// Nothing happened: what is known of the files stays known.
    pub(crate) fn unused(self, app: &App, tenant: &Tenant) {
        app.known.put(tenant, &self.head.session_id, self.files);
    }
}

/// The first checkpoint of a session that an older Glovebox made: no memory, and the files that are there.
async fn adopt(app: &App, tenant: &Tenant, session: &SessionRecord) -> Result<CheckpointRecord> {
    let (_, now, _lock) = look(app, tenant, &session.id, Tree::new(), Stamps::default()).await?;
    let Snapshot { tree, contents, .. } = now;
    let state = NewState { tree: NewTree::New(tree, contents), layers: Vec::new(), added: None };
    app.storage.add_checkpoint(tenant, &session.id, "", state).await
}

/// A turn that was kept and is to be written down.
pub(crate) struct Over<'a> {
    /// Its record; gets the outcome and the checkpoint's number.
    pub(crate) run: &'a mut RunRecord,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The memory after it.
    pub(crate) kept: Kept,
    /// What its stream said.
    pub(crate) events: Vec<StoredEvent>,
    /// The question that it answered, and what that stream said.
    pub(crate) ask: Option<(&'a AskRecord, Vec<StoredEvent>)>,
}

/// Writes down a turn that was kept: its record, what it left, what was said, the checkpoint, and the question that it
/// answered. Fails as a whole; then the session is at its head as before.
///
/// # Errors
///
/// The disk is full, or it or the database failed.
pub(crate) async fn keep(app: &App, tenant: &Tenant, ready: Ready, mut over: Over<'_>) -> Result<()> {
    let Ready { head, files, .. } = ready;
    let save = over.kept.layers.last().cloned();
    match write(app, tenant, &head, files, &mut over).await {
        Ok(files) => {
            app.known.put(tenant, &head.session_id, files);
            if let Some(layer) = save {
                flush(layer);
            }
            Ok(())
        }
        Err(error) => {
            over.run.checkpoint = None;
            over.run.outcome = None;
            if let Some(layer) = save {
                discard(layer).await;
            }
            go_back(app, tenant, &head, Stamps::default()).await;
            Err(error)
        }
    }
}

async fn write(
    app: &App,
    tenant: &Tenant,
    head: &CheckpointRecord,
    files: Files,
    over: &mut Over<'_>,
) -> Result<Files> {
    let artifacts = std::mem::take(&mut over.outcome.artifacts);
    let Files { tree: last, stamps, .. } = files;
    let (last, Snapshot { tree, contents, stamps }, lock) = look(app, tenant, &head.session_id, last, stamps).await?;
    let left = name_left(app, tenant, &tree, &contents, artifacts).await;
    let new_tree =
        if tree == last { NewTree::Same(head.tree_id.clone()) } else { NewTree::New(tree.clone(), contents) };
    let added = over.kept.layers.last().map(|path| (file_name(path), over.kept.bytes));
    let layers = over.kept.layers.iter().map(|path| file_name(path)).collect();
    let state = NewState { tree: new_tree, layers, added };
    over.run.outcome = Some(over.outcome.clone());
    let ask = over.ask.as_ref().map(|(ask, said)| (*ask, said.as_slice()));
    let keep = app.config.checkpoints_kept;
    let turn = KeptTurn { run: &mut *over.run, left, events: &over.events, ask, state, keep };
    let made = app.storage.finish_turn(tenant, turn).await?;
    drop(lock);
    Ok(Files { tree_id: made.tree_id, tree, stamps })
}

/// Takes back what a turn did: the session is at its head as before, which the outcome says. What it left is taken out
/// before, at most `limit` bytes of each file; the outcome's own list becomes empty.
pub(crate) async fn undo(
    app: &App,
    tenant: &Tenant,
    ready: Ready,
    workspace: &Path,
    outcome: &mut Outcome,
    limit: u64,
) -> Vec<(String, String, Staged)> {
    let left = rescue(app, workspace, outcome, limit).await.unwrap_or_else(|error| {
        tracing::warn!(session = ready.head.session_id, detail = error.detail, "lost what an undone turn left");
        outcome.warnings.push(format!("the files that this turn left could not be kept: {}", error.detail));
        Vec::new()
    });
    outcome.warnings.push(undone_sentence(&outcome.ending, ready.head.number));
    app.metrics.turns_undone.fetch_add(1, Ordering::Relaxed);
    abandon(app, tenant, ready).await;
    left
}

/// What the user is told of a turn that was undone.
#[must_use]
fn undone_sentence(ending: &Ending, head: i64) -> String {
    format!(
        "this turn was undone, because its interpreter could not go on ({}): variables and files are those of checkpoint \
         {head}; artifacts that it left can still be fetched",
        ending.sentence()
    )
}

/// Our side failed during a turn: the session is at its head as before.
pub(crate) async fn abandon(app: &App, tenant: &Tenant, ready: Ready) {
    go_back(app, tenant, &ready.head, ready.files.stamps).await;
}

/// What the caller hears if a turn could not take place.
#[must_use]
pub(crate) fn failure(error: glovebox_runtime::RunError, head: &CheckpointRecord) -> Error {
    let mut error = Error::from(error);
    if error.code == Code::CheckpointDamaged {
        let (what, number) = (&error.detail, head.number);
        error.detail = format!("{what}; it is checkpoint {number}: restore an earlier one by its number");
    }
    error
}

/// Brings a session to its head: no live interpreter, the head's files. If that fails, the next turn does it.
async fn go_back(app: &App, tenant: &Tenant, head: &CheckpointRecord, stamps: Stamps) {
    app.backend.forget(&head.session_id).await;
    match bring(app, tenant, head, stamps).await {
        Ok(files) => app.known.put(tenant, &head.session_id, files),
        Err(error) => {
            tracing::error!(session = head.session_id, detail = error.detail, cause = ?error.cause,
                "failed to put the files of a session back; its next turn tries again");
        }
    }
}

/// Goes back between two programs of one turn.
///
/// # Errors
///
/// `checkpoint_damaged`; the disk or the database failed.
pub(crate) async fn start_again(app: &App, tenant: &Tenant, head: &CheckpointRecord) -> Result<()> {
    app.backend.forget(&head.session_id).await;
    bring(app, tenant, head, Stamps::default()).await.map(drop)
}

/// Moves a session's head to another of its checkpoints.
///
/// # Errors
///
/// `checkpoint_damaged`; the disk or the database failed. Then it is where it was.
pub(crate) async fn move_to(app: &App, tenant: &Tenant, session: &SessionRecord, to: &CheckpointRecord) -> Result<()> {
    let stamps = app.known.take(&session.id).map(|files| files.stamps).unwrap_or_default();
    let moved = async {
        let files = bring(app, tenant, to, stamps).await?;
        app.storage.set_head(tenant, &session.id, to.number).await?;
        Ok(files)
    };
    match moved.await {
        Ok(files) => {
            app.backend.forget(&session.id).await;
            app.known.put(tenant, &session.id, files);
            Ok(())
        }
        Err(error) => {
            if let Some(number) = session.head {
                let head = app.storage.checkpoint(tenant, &session.id, number).await?;
                go_back(app, tenant, &head, Stamps::default()).await;
            }
            Err(error)
        }
    }
}

/// Looks at a session's files as they are now, uploads since the last turn included; if there are changes, the state
/// is written down under that name. `None`: nothing changed, and the head is what it says.
///
/// # Errors
///
/// The disk or the database failed.
pub(crate) async fn keep_uploads(
    app: &App,
    tenant: &Tenant,
    ready: Ready,
    name: &str,
    always: bool,
) -> Result<Option<CheckpointRecord>> {
    let Ready { head, layers, files, .. } = ready;
    let (last, now, lock) = look(app, tenant, &head.session_id, files.tree, files.stamps).await?;
    let same = now.tree == last;
    let mut files = Files { tree_id: head.tree_id.clone(), tree: now.tree, stamps: now.stamps };
    let made = if same && !always {
        None
    } else {
        let tree = if same { NewTree::Same(head.tree_id) } else { NewTree::New(files.tree.clone(), now.contents) };
        let state = NewState { tree, layers: layers.iter().map(|path| file_name(path)).collect(), added: None };
        let made = app.storage.add_checkpoint(tenant, &head.session_id, name, state).await?;
        files.tree_id.clone_from(&made.tree_id);
        Some(made)
    };
    drop(lock);
    app.known.put(tenant, &head.session_id, files);
    Ok(made)
}

/// Takes down a session's files; gives back what was there at the last look as well. Until the lock that comes with it
/// is dropped, no upload is added.
async fn look(
    app: &App,
    tenant: &Tenant,
    session: &str,
    last: Tree,
    stamps: Stamps,
) -> Result<(Tree, Snapshot, tokio::sync::OwnedMutexGuard<()>)> {
    let lock = app.files.lock(session).await;
    let uploads = app.storage.session_files(tenant, session).await?;
    let uploads: Vec<u64> = uploads.iter().map(|file| file.size.unsigned_abs()).collect();
    let (data, tmp) = (app.storage.workspace(tenant, session), app.storage.scratch(tenant, session));
    let (storage, tenant) = (app.storage.clone(), tenant.clone());
    let (last, now) = blocking(move || {
        let now = snapshot(&storage, &tenant, &Areas::open(&data, &tmp)?, &last, &stamps, &uploads)?;
        Ok((last, now))
    })
    .await?;
    Ok((last, now, lock))
}

/// Brings a session's directories to a checkpoint's files and to the uploads that came after it.
async fn bring(app: &App, tenant: &Tenant, to: &CheckpointRecord, stamps: Stamps) -> Result<Files> {
    let _lock = app.files.lock(&to.session_id).await;
    let (data, tmp) = (app.storage.workspace(tenant, &to.session_id), app.storage.scratch(tenant, &to.session_id));
    let uploads = app.storage.session_files_since(tenant, &to.session_id, &to.created_at).await?;
    let (tree, stamps, renamed) = fill(app, tenant, to, &data, &tmp, uploads, stamps).await?;
    for (file, name) in renamed {
        app.storage.rename_session_file(&to.session_id, &file, &name).await?;
    }
    Ok(Files { tree_id: to.tree_id.clone(), tree, stamps })
}

/// Makes directories hold a checkpoint's files and these uploads. Gives the checkpoint's tree, stamps, and the uploads
/// that got another name since theirs is taken.
///
/// # Errors
///
/// `checkpoint_damaged`; the disk or the database failed.
pub(crate) async fn fill(
    app: &App,
    tenant: &Tenant,
    from: &CheckpointRecord,
    data: &Path,
    tmp: &Path,
    uploads: Vec<FileRecord>,
    stamps: Stamps,
) -> Result<(Tree, Stamps, Vec<(String, String)>)> {
    let tree = app.storage.tree(tenant, &from.tree_id).await?;
    let (mut wanted, mut renamed) = (tree.clone(), Vec::new());
    for file in uploads {
        let node = Node::File { sha256: file.sha256, size: file.size.unsigned_abs() };
        if wanted.get(&(Area::Data, file.name.clone())) == Some(&node) {
            continue;
        }
        let name = free_name(&file.name, |name| wanted.contains_key(&(Area::Data, name.to_owned())));
        if name != file.name {
            renamed.push((file.id, name.clone()));
        }
        wanted.insert((Area::Data, name), node);
    }
    let (storage, tenant, number) = (app.storage.clone(), tenant.clone(), from.number);
    let (data, tmp) = (data.to_owned(), tmp.to_owned());
    let work = move || {
        let areas = Areas::open(&data, &tmp)?;
        put_back(&storage, &tenant, &areas, &wanted, &stamps)
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(Error::internal)?;
    let stamps = done.map_err(|error| match error {
        PutBackError::Io(error) => error.into(),
        gone @ PutBackError::Gone { .. } => {
            let detail = format!("checkpoint {number} cannot be used: {gone}; restore another one by its number");
            Error::new(Code::CheckpointDamaged, detail)
        }
    })?;
    Ok((tree, stamps, renamed))
}

/// The files that a turn left, by path, type, hash and size, as the snapshot has them.
type Left = Vec<(String, String, String, u64)>;

async fn name_left(
    app: &App,
    tenant: &Tenant,
    tree: &Tree,
    contents: &[Staged],
    artifacts: Vec<glovebox_runtime::Artifact>,
) -> Left {
    let mut left = Vec::with_capacity(artifacts.len());
    for artifact in artifacts {
        let Some(Node::File { sha256, size }) = tree.get(&(Area::Data, artifact.path.clone())) else { continue };
        let staged = contents.iter().find(|staged| staged.blob.sha256 == *sha256).map(|staged| &staged.blob.head);
        let head = match staged.filter(|head| !head.is_empty()) {
            Some(head) => Some(head.clone()),
            None => match app.storage.content(tenant, sha256).await {
                Ok(path) => head_of(path).await,
                Err(_) => None,
            },
        };
        let kind = head.map(|head| media_type(&head, &artifact.path)).unwrap_or(artifact.media_type);
        left.push((artifact.path, kind, sha256.clone(), *size));
    }
    left
}

/// The beginning of a kept content.
async fn head_of(path: PathBuf) -> Option<Vec<u8>> {
    use std::io::Read;
    let read = blocking(move || {
        let mut head = Vec::new();
        std::fs::File::open(path)?.take(8 * 1024).read_to_end(&mut head)?;
        Ok(head)
    });
    read.await.ok()
}

/// Takes out what an undone turn left, before its workspace goes back.
async fn rescue(
    app: &App,
    workspace: &Path,
    outcome: &mut Outcome,
    limit: u64,
) -> Result<Vec<(String, String, Staged)>> {
    let path = workspace.to_owned();
    let workspace = blocking(move || Workspace::open(&path)).await?;
    crate::runs::collect(app, workspace, outcome, limit).await
}

/// Brings a layer to the disk after its turn was acknowledged: until then only a power cut could lose it.
fn flush(layer: PathBuf) {
    tokio::task::spawn_blocking(move || {
        if let Err(error) = std::fs::File::open(&layer).and_then(|file| file.sync_data()) {
            // Compressed or pruned meanwhile, or a disk that fails.
            tracing::debug!(layer = %layer.display(), %error, "did not flush a layer");
        }
    });
}

/// Removes a layer that no checkpoint got.
pub(crate) async fn discard(layer: PathBuf) {
    let _ = tokio::fs::remove_file(layer).await;
}

/// Tells the reader of a stream that a turn was undone.
pub(crate) fn tell(journal: &crate::journal::Journal, outcome: &Outcome) {
    if let Some(message) = outcome.warnings.last() {
        journal.push("limit_warning", &json!({ "limit": "session", "message": message }));
    }
}
