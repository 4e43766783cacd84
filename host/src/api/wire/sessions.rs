//! What the wire tells of sessions beside their files and history: states, checkpoints, forks, replays.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{File, Session};
use crate::app::App;
use crate::error::Result;
use crate::replay::Replayed;
use crate::storage::{CheckpointRecord, SessionRecord};
use crate::tenants::Tenant;
use crate::turns::has_ended;

/// What a session does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// A program or a question is under way.
    Running,
    /// Its interpreter is in memory.
    Live,
    /// It is on disk; its next turn wakes it.
    Asleep,
    /// It takes no more turns.
    Ended,
}

/// Where a fork comes from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ForkedFrom {
    /// `ses_…`; it may be gone.
    pub session: String,
    /// Number of its checkpoint.
    pub checkpoint: i64,
}

/// A state that a session can go back to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Checkpoint {
    /// `chk_…`
    pub id: String,
    /// Whose state it is.
    pub session_id: String,
    /// In its session; 0 is the state before the first turn.
    pub number: i64,
    /// The one before it.
    pub parent: Option<i64>,
    /// The user's; `null` if it has none and may be pruned.
    pub name: Option<String>,
    /// The turn that led to it.
    pub run_id: Option<String>,
    /// RFC 3339.
    pub created_at: String,
    /// Bytes of memory that it added to those before it.
    pub bytes: i64,
    /// Whether the session is at it.
    pub head: bool,
}

/// Checkpoints.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Checkpoints {
    /// Oldest first; a tree through `parent`.
    pub checkpoints: Vec<Checkpoint>,
}

/// Body of `POST /sessions/{id}/checkpoints`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRequest {
    /// What the user calls it.
    #[serde(default)]
    pub name: String,
}

/// Body of `POST /sessions/{id}/forks`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForkRequest {
    /// How many, 1 to 64; 1 if absent.
    pub count: Option<u32>,
    /// Number or id of a checkpoint; the one that the session is at if absent.
    #[schema(value_type = Option<Object>)]
    pub checkpoint: Option<CheckpointKey>,
    /// Of the forks; the session's if absent.
    pub title: Option<String>,
}

/// A checkpoint by number or id.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum CheckpointKey {
    /// In its session.
    Number(i64),
    /// `chk_…`, or the number as text.
    Text(String),
}

/// What came of a run's repetition.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replay {
    /// Whether it went as recorded.
    pub equal: bool,
    /// Whether the run was deterministic; one that was not may differ without a fault.
    pub deterministic: bool,
    /// What differed, in the order of an outcome's parts.
    pub differences: Vec<Difference>,
}

/// One difference between a run and its repetition.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Difference {
    /// Such as `ending`, `stdout line 3`, `artifact chart.png`, `fuel`.
    pub what: String,
    /// As it was recorded.
    #[schema(value_type = Object)]
    pub recorded: Value,
    /// As it went now.
    #[schema(value_type = Object)]
    pub replayed: Value,
}

impl Session {
    /// A session with what is known of it besides its row.
    pub(in crate::api) async fn of(app: &App, tenant: &Tenant, session: SessionRecord) -> Result<Session> {
        let files = app.storage.session_files(tenant, &session.id).await?.into_iter().map(File::from).collect();
        let bytes = app.storage.session_bytes(tenant, &session.id).await?;
        let state = if app.turns.is_running(&session.id) {
            SessionState::Running
        } else if has_ended(app, &session) {
            SessionState::Ended
        } else if app.backend.is_live(&session.id) {
            SessionState::Live
        } else {
            SessionState::Asleep
        };
        let SessionRecord { id, title, image, policy, created_at, updated_at, head, turns, .. } = session;
        let forked_from = session.forked_from_session.zip(session.forked_from_checkpoint);
        let forked_from = forked_from.map(|(session, checkpoint)| ForkedFrom { session, checkpoint });
        Ok(Session { id, title, image, policy, created_at, updated_at, files, state, head, forked_from, turns, bytes })
    }
}

impl Checkpoint {
    pub(in crate::api) fn new(checkpoint: CheckpointRecord, head: Option<i64>) -> Checkpoint {
        let CheckpointRecord { id, session_id, number, parent, run_id, name, created_at, bytes, .. } = checkpoint;
        let name = (!name.is_empty()).then_some(name);
        let head = head == Some(number);
        Checkpoint { id, session_id, number, parent, name, run_id, created_at, bytes, head }
    }
}

impl CheckpointKey {
    pub(in crate::api) fn text(&self) -> String {
        match self {
            CheckpointKey::Number(number) => number.to_string(),
            CheckpointKey::Text(text) => text.clone(),
        }
    }
}

impl From<Replayed> for Replay {
    fn from(replayed: Replayed) -> Replay {
        let differences = replayed.differences.into_iter();
        let differences: Vec<_> = differences
            .map(|one| Difference { what: one.what, recorded: one.recorded, replayed: one.replayed })
            .collect();
        Replay { equal: differences.is_empty(), deterministic: replayed.deterministic, differences }
    }
}
