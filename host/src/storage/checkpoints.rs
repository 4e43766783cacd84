//! Rows of checkpoints: the memory of a session as layers, its files as a tree, and where its head is.

use std::fs;
use std::path::{Path, PathBuf};

use sqlx::types::Json;
use sqlx::{FromRow, Sqlite, Transaction};

use super::runs::{ArtifactRecord, insert_artifacts, insert_events};
use super::trees::{self, NewTree};
use super::{AskRecord, RunRecord, SessionRecord, Storage, StoredEvent, new_id, now};
use crate::error::{Error, Result};
use crate::tenants::Tenant;

/// A state that a session can go back to.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct CheckpointRecord {
    /// `chk_…`
    pub id: String,
    /// Whose state it is.
    pub session_id: String,
    /// In its session, from 0: the state before the first turn.
    pub number: i64,
    /// The one before it.
    pub parent: Option<i64>,
    /// The turn that led to it.
    pub run_id: Option<String>,
    /// The user's; empty if it has none and may be pruned.
    pub name: String,
    /// Its files.
    pub tree_id: String,
    /// RFC 3339.
    pub created_at: String,
    /// Bytes of the layer that it added.
    pub bytes: i64,
}

/// A state that is about to be written down.
#[derive(Debug)]
pub struct NewState {
    /// Its files.
    pub tree: NewTree,
    /// Its memory, oldest layer first.
    pub layers: Vec<String>,
    /// The last of them and its bytes, if it is new.
    pub added: Option<(String, u64)>,
}

/// A turn that is over and was kept.
#[derive(Debug)]
pub struct KeptTurn<'a> {
    /// The turn; it gets its checkpoint's number.
    pub run: &'a mut RunRecord,
    /// Files that it left, by path, media type, SHA-256 and size. The tree has their contents.
    pub left: Vec<(String, String, String, u64)>,
    /// What its stream said.
    pub events: &'a [StoredEvent],
    /// The question that it answered, and what that stream said.
    pub ask: Option<(&'a AskRecord, &'a [StoredEvent])>,
    /// What the session is from now on.
    pub state: NewState,
    /// Unnamed checkpoints that the session keeps.
    pub keep: usize,
}

/// What no row names any more.
#[derive(Debug, Default)]
pub(super) struct Unused {
    layers: Vec<String>,
    contents: Vec<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.session_id, c.number, c.parent, c.run_id, c.name, c.tree_id, c.created_at, \
             coalesce(l.bytes, 0) AS bytes FROM checkpoints c LEFT JOIN layers l ON l.file = c.layer ",
            $rest
        )
    };
}

impl Storage {
    /// A checkpoint of a session by number.
    ///
    /// # Errors
    ///
    /// `not_found`, also if it is someone else's; the database failed.
    pub async fn checkpoint(&self, tenant: &Tenant, session: &str, number: i64) -> Result<CheckpointRecord> {
        sqlx::query_as(select!("WHERE c.tenant = ? AND c.session_id = ? AND c.number = ?"))
            .bind(tenant.as_str())
            .bind(session)
            .bind(number)
            .fetch_optional(&self.0.read)
            .await?
            .ok_or_else(|| Error::not_found("checkpoint", &number.to_string()))
    }

    /// The checkpoints of a session, oldest first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn checkpoints(&self, tenant: &Tenant, session: &str) -> Result<Vec<CheckpointRecord>> {
        Ok(sqlx::query_as(select!("WHERE c.tenant = ? AND c.session_id = ? ORDER BY c.number"))
            .bind(tenant.as_str())
            .bind(session)
            .fetch_all(&self.0.read)
            .await?)
    }

    /// The layers of a checkpoint, oldest first.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn layers_of(&self, tenant: &Tenant, checkpoint: &CheckpointRecord) -> Result<Vec<PathBuf>> {
        let files: Vec<String> =
            sqlx::query_scalar("SELECT file FROM checkpoint_layers WHERE checkpoint_id = ? ORDER BY position")
                .bind(&checkpoint.id)
                .fetch_all(&self.0.read)
                .await?;
        let dir = self.layers(tenant);
        Ok(files.into_iter().map(|file| dir.join(file)).collect())
    }

    /// The layers of a session's checkpoints that are not compressed yet.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn uncompressed_layers(&self, tenant: &Tenant, session: &str) -> Result<Vec<PathBuf>> {
        let files: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT l.file FROM layers l JOIN checkpoint_layers cl ON cl.file = l.file \
             JOIN checkpoints c ON c.id = cl.checkpoint_id \
             WHERE c.tenant = ? AND c.session_id = ? AND l.compressed = 0 ORDER BY l.file",
        )
        .bind(tenant.as_str())
        .bind(session)
        .fetch_all(&self.0.read)
        .await?;
        let dir = self.layers(tenant);
        Ok(files.into_iter().map(|file| dir.join(file)).collect())
    }

    /// Notes that a layer is compressed and has so many bytes now.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn set_compressed(&self, layer: &Path, bytes: u64) -> Result<()> {
        sqlx::query("UPDATE layers SET bytes = ?, compressed = 1 WHERE file = ?")
            .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
            .bind(file_name(layer))
            .execute(&self.0.write)
            .await?;
        Ok(())
    }

    /// Bytes that a tenant's checkpoints take up, memory and files.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn checkpoint_bytes(&self, tenant: &Tenant) -> Result<u64> {
        let bytes: Option<i64> = sqlx::query_scalar("SELECT bytes FROM tenant_usage WHERE tenant = ?")
            .bind(tenant.as_str())
            .fetch_optional(&self.0.read)
            .await?;
        Ok(bytes.unwrap_or(0).unsigned_abs())
    }

    /// Bytes of the layers that a session's checkpoints have, those that forks share included.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn session_bytes(&self, tenant: &Tenant, session: &str) -> Result<i64> {
        Ok(sqlx::query_scalar(
            "SELECT coalesce(sum(bytes), 0) FROM layers WHERE file IN (SELECT cl.file FROM checkpoint_layers cl \
             JOIN checkpoints c ON c.id = cl.checkpoint_id WHERE c.tenant = ? AND c.session_id = ?)",
        )
        .bind(tenant.as_str())
        .bind(session)
        .fetch_one(&self.0.read)
        .await?)
    }

    /// Writes down a turn with what it left, and moves the head of its session to the new state, all or nothing.
    ///
    /// # Errors
    ///
    /// The disk or the database failed; then the session is where it was.
    pub async fn finish_turn(&self, tenant: &Tenant, turn: KeptTurn<'_>) -> Result<CheckpointRecord> {
        let KeptTurn { run, left, events, ask, state, keep } = turn;
        let session = run.session_id.clone().unwrap_or_default();
        let gate = self.0.blob_gate.read().await;
        let state = self.keep_contents(tenant, state).await?;
        let mut transaction = self.0.write.begin().await?;
        let made = insert(&mut transaction, tenant, &session, Some(&run.id), "", state).await?;
        run.checkpoint = Some(made.number);
        if let Some((ask, said)) = ask {
            super::asks::upsert(&mut transaction, tenant, ask).await?;
            insert_events(&mut transaction, tenant, &ask.id, said).await?;
        }
        super::runs::upsert(&mut transaction, tenant, run, self.0.lease).await?;
        let left = left.into_iter().map(|(path, media_type, sha256, size)| ArtifactRecord {
            id: new_id("art"),
            run_id: run.id.clone(),
            path,
            size: i64::try_from(size).unwrap_or(i64::MAX),
            sha256,
            media_type,
            checkpoint: run.checkpoint,
        });
        insert_artifacts(&mut transaction, tenant, &left.collect::<Vec<_>>()).await?;
        insert_events(&mut transaction, tenant, &run.id, events).await?;
        let unused = prune(&mut transaction, tenant, &session, keep).await?;
        transaction.commit().await?;
        drop(gate);
        self.remove(tenant, unused).await;
        Ok(made)
    }

    /// Writes down a state that no turn led to, and moves the head of its session to it.
    ///
    /// # Errors
    ///
    /// The disk or the database failed.
    pub async fn add_checkpoint(
        &self,
        tenant: &Tenant,
        session: &str,
        name: &str,
        state: NewState,
    ) -> Result<CheckpointRecord> {
        let _gate = self.0.blob_gate.read().await;
        let state = self.keep_contents(tenant, state).await?;
        let mut transaction = self.0.write.begin().await?;
        let made = insert(&mut transaction, tenant, session, None, name, state).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// Names a checkpoint; it is not pruned any more.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn name_checkpoint(&self, checkpoint: &CheckpointRecord, name: &str) -> Result<()> {
        sqlx::query("UPDATE checkpoints SET name = ? WHERE id = ?")
            .bind(name)
            .bind(&checkpoint.id)
            .execute(&self.0.write)
            .await?;
        Ok(())
    }

    /// Moves the head of a session to one of its checkpoints.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn set_head(&self, tenant: &Tenant, session: &str, number: i64) -> Result<()> {
        sqlx::query("UPDATE sessions SET head = ?, updated_at = ? WHERE tenant = ? AND id = ?")
            .bind(number)
            .bind(now())
            .bind(tenant.as_str())
            .bind(session)
            .execute(&self.0.write)
            .await?;
        Ok(())
    }

    /// Opens sessions, by id and title, that begin with a checkpoint of another one and with copies of its uploads.
    /// Their directories are the caller's to fill.
    ///
    /// # Errors
    ///
    /// The database failed; then there is none of them.
    pub async fn fork_session(
        &self,
        tenant: &Tenant,
        from: &SessionRecord,
        at: &CheckpointRecord,
        children: &[(String, String)],
    ) -> Result<()> {
        let now = now();
        let mut transaction = self.0.write.begin().await?;
        for (id, title) in children {
            sqlx::query(
                "INSERT INTO sessions (id, tenant, title, image, policy, created_at, updated_at, head, checkpoints_made, \
                 forked_from_session, forked_from_checkpoint) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 1, ?, ?)",
            )
            .bind(id)
            .bind(tenant.as_str())
            .bind(title)
            .bind(&from.image)
            .bind(&from.policy)
            .bind(&now)
            .bind(&now)
            .bind(&from.id)
            .bind(at.number)
            .execute(&mut *transaction)
            .await?;
            let checkpoint = new_id("chk");
            sqlx::query(
                "INSERT INTO checkpoints (id, tenant, session_id, number, name, tree_id, created_at) \
                 VALUES (?, ?, ?, 0, '', ?, ?)",
            )
            .bind(&checkpoint)
            .bind(tenant.as_str())
            .bind(id)
            .bind(&at.tree_id)
            .bind(&now)
            .execute(&mut *transaction)
            .await?;
            sqlx::query(
                "INSERT INTO checkpoint_layers (checkpoint_id, position, file) \
                 SELECT ?, position, file FROM checkpoint_layers WHERE checkpoint_id = ?",
            )
            .bind(&checkpoint)
            .bind(&at.id)
            .execute(&mut *transaction)
            .await?;
            // What came after the checkpoint has come after the child's first one, too: its tree has none of it.
            sqlx::query(
                "INSERT INTO session_files (session_id, file_id, name, added_at) SELECT ?1, file_id, name, \
                 CASE WHEN added_at >= ?2 THEN ?3 ELSE added_at END FROM session_files WHERE session_id = ?4",
            )
            .bind(id)
            .bind(&at.created_at)
            .bind(&now)
            .bind(&from.id)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Of each run of a session with a checkpoint, that one's number and the number of the one before it.
    ///
    /// # Errors
    ///
    /// The database failed.
    pub async fn steps(&self, tenant: &Tenant, session: &str) -> Result<Vec<(i64, Option<i64>)>> {
        Ok(sqlx::query_as(
            "SELECT checkpoint, request ->> 'checkpoint' FROM runs \
             WHERE tenant = ?1 AND session_id = ?2 AND checkpoint IS NOT NULL \
             UNION ALL SELECT number, parent FROM checkpoints WHERE tenant = ?1 AND session_id = ?2 AND run_id IS NULL",
        )
        .bind(tenant.as_str())
        .bind(session)
        .fetch_all(&self.0.read)
        .await?)
    }

    async fn keep_contents(&self, tenant: &Tenant, mut state: NewState) -> Result<NewState> {
        if let NewTree::New(_, contents) = &mut state.tree {
            for staged in std::mem::take(contents) {
                self.keep(tenant, staged).await?;
            }
        }
        Ok(state)
    }

    /// Removes files that no row names any more. A failure costs space until the next start.
    pub(super) async fn remove(&self, tenant: &Tenant, unused: Unused) {
        for layer in unused.layers {
            if let Err(error) = fs::remove_file(self.layers(tenant).join(&layer)) {
                tracing::warn!(layer, %error, "failed to remove an unused layer; the next start tries again");
            }
        }
        if let Err(error) = self.sweep(tenant, unused.contents).await {
            tracing::warn!(%error, "failed to look for unused contents; the next start tries again");
        }
    }
}

/// Writes a checkpoint with the next number of its session and moves the head to it.
async fn insert(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    session: &str,
    run: Option<&str>,
    name: &str,
    state: NewState,
) -> Result<CheckpointRecord> {
    let created_at = now();
    let before: Option<(Option<i64>, i64)> =
        sqlx::query_as("SELECT head, checkpoints_made FROM sessions WHERE tenant = ? AND id = ?")
            .bind(tenant.as_str())
            .bind(session)
            .fetch_optional(&mut **transaction)
            .await?;
    let (parent, number) = before.ok_or_else(|| Error::not_found("session", session))?;
    let tree_id = match state.tree {
        NewTree::Same(id) => id,
        NewTree::New(tree, _) => {
            let id = new_id("tree");
            trees::insert(transaction, tenant, &id, &tree).await?;
            id
        }
    };
    let (layer, bytes) = state.added.map_or((None, 0), |(file, bytes)| (Some(file), bytes));
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    if let Some(layer) = &layer {
        sqlx::query("INSERT INTO layers (file, tenant, bytes) VALUES (?, ?, ?)")
            .bind(layer)
            .bind(tenant.as_str())
            .bind(bytes)
            .execute(&mut **transaction)
            .await?;
    }
    let id = new_id("chk");
    sqlx::query(
        "INSERT INTO checkpoints (id, tenant, session_id, number, parent, run_id, name, tree_id, layer, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&id)
    .bind(tenant.as_str())
    .bind(session)
    .bind(number)
    .bind(parent)
    .bind(run)
    .bind(name)
    .bind(&tree_id)
    .bind(&layer)
    .bind(&created_at)
    .execute(&mut **transaction)
    .await?;
    sqlx::query("INSERT INTO checkpoint_layers (checkpoint_id, position, file) SELECT ?, key, value FROM json_each(?)")
        .bind(&id)
        .bind(Json(&state.layers))
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "UPDATE sessions SET head = ?1, checkpoints_made = ?1 + 1, updated_at = ?2, turns = turns + ?3 WHERE id = ?4",
    )
    .bind(number)
    .bind(&created_at)
    .bind(run.is_some())
    .bind(session)
    .execute(&mut **transaction)
    .await?;
    Ok(CheckpointRecord {
        id,
        session_id: session.to_owned(),
        number,
        parent,
        run_id: run.map(str::to_owned),
        name: name.to_owned(),
        tree_id,
        created_at,
        bytes,
    })
}

/// Forgets the oldest unnamed checkpoints beyond `keep`, once there are a tenth more. Number 0 and the head stay.
async fn prune(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    session: &str,
    keep: usize,
) -> Result<Unused, sqlx::Error> {
    let old: Vec<(String, i64, Option<i64>)> = sqlx::query_as(
        "SELECT c.id, c.number, c.parent FROM checkpoints c JOIN sessions s ON s.id = c.session_id \
         WHERE s.id = ? AND c.name = '' AND c.number > 0 AND c.number <> s.head ORDER BY c.number DESC LIMIT -1 OFFSET ?",
    )
    .bind(session)
    .bind(i64::try_from(keep.saturating_sub(1)).unwrap_or(i64::MAX))
    .fetch_all(&mut **transaction)
    .await?;
    // Some at once: not every turn has to do it.
    if old.len() <= keep / 10 {
        return Ok(Unused::default());
    }
    for (_, number, parent) in old.iter().rev() {
        sqlx::query("UPDATE checkpoints SET parent = ? WHERE session_id = ? AND parent = ?")
            .bind(parent)
            .bind(session)
            .bind(number)
            .execute(&mut **transaction)
            .await?;
    }
    let ids: Vec<_> = old.into_iter().map(|(id, ..)| id).collect();
    let held = held_by(transaction, &ids).await?;
    sqlx::query("DELETE FROM checkpoints WHERE id IN (SELECT value FROM json_each(?))")
        .bind(Json(&ids))
        .execute(&mut **transaction)
        .await?;
    drop_unused(transaction, tenant, held).await
}

/// What checkpoints hold, to be asked before they are deleted.
pub(super) struct Held {
    layers: Vec<String>,
    trees: Vec<String>,
}

/// What these checkpoints hold.
async fn held_by(transaction: &mut Transaction<'static, Sqlite>, ids: &[String]) -> Result<Held, sqlx::Error> {
    let layers = sqlx::query_scalar(
        "SELECT DISTINCT file FROM checkpoint_layers WHERE checkpoint_id IN (SELECT value FROM json_each(?))",
    )
    .bind(Json(ids))
    .fetch_all(&mut **transaction)
    .await?;
    let trees =
        sqlx::query_scalar("SELECT DISTINCT tree_id FROM checkpoints WHERE id IN (SELECT value FROM json_each(?))")
            .bind(Json(ids))
            .fetch_all(&mut **transaction)
            .await?;
    Ok(Held { layers, trees })
}

/// What the checkpoints of a session hold.
pub(super) async fn held_by_session(
    transaction: &mut Transaction<'static, Sqlite>,
    session: &str,
) -> Result<Held, sqlx::Error> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM checkpoints WHERE session_id = ?")
        .bind(session)
        .fetch_all(&mut **transaction)
        .await?;
    held_by(transaction, &ids).await
}

/// Forgets layers and trees that no checkpoint has any more.
pub(super) async fn drop_unused(
    transaction: &mut Transaction<'static, Sqlite>,
    tenant: &Tenant,
    held: Held,
) -> Result<Unused, sqlx::Error> {
    let layers = sqlx::query_scalar(
        "DELETE FROM layers WHERE file IN (SELECT value FROM json_each(?)) \
         AND NOT EXISTS (SELECT 1 FROM checkpoint_layers c WHERE c.file = layers.file) RETURNING file",
    )
    .bind(Json(&held.layers))
    .fetch_all(&mut **transaction)
    .await?;
    let contents = trees::drop_unused(transaction, tenant, &held.trees).await?;
    Ok(Unused { layers, contents })
}

/// The name of a layer's file.
#[must_use]
pub fn file_name(layer: &Path) -> String {
    layer.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
