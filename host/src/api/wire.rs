//! The objects of the wire, as `docs/wire.md` has them, made from records.

use std::collections::BTreeMap;

use glovebox_runtime::{Echo, Limits, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::engine::{Alternative, Attempt, Candidate, Check, Effort, TokenUsage, Wanted};
use crate::error::{Code, Result};
use crate::live::Record;
use crate::storage::{ArtifactRecord, AskRecord, FileRecord, RunRecord, RunView, Status};
use crate::tenants::Tenant;

mod sessions;

pub use sessions::*;

/// An error: `application/problem+json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`; `code` tells errors apart.
    #[serde(rename = "type")]
    pub r#type: String,
    /// The kind of error, in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What is wrong with what, and the way out.
    pub detail: String,
    /// Stable name of the kind.
    pub code: String,
    /// Finds the request in the server's log.
    pub request_id: String,
}

/// An uploaded file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct File {
    /// `file_…`
    pub id: String,
    /// Safe name; in a session, the name in the workspace.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Lower-case hex.
    pub sha256: String,
    /// Type by content.
    pub media_type: String,
    /// RFC 3339.
    pub created_at: String,
}

/// Uploaded files.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Files {
    /// The files.
    pub files: Vec<File>,
}

/// A session.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Session {
    /// `ses_…`
    pub id: String,
    /// The user's, or the first question; empty before that.
    pub title: String,
    /// Image of its runs.
    pub image: String,
    /// Policy of its runs.
    pub policy: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; of the last turn or change.
    pub updated_at: String,
    /// Its files, under their names in the workspace.
    pub files: Vec<File>,
    /// What it does now.
    pub state: SessionState,
    /// Number of the checkpoint that it is at.
    pub head: Option<i64>,
    /// The session and checkpoint that it is a fork of.
    pub forked_from: Option<ForkedFrom>,
    /// Turns that it has taken, undone ones included.
    pub turns: i64,
    /// Bytes of its checkpoints' memory; what forks share is counted in each.
    pub bytes: i64,
}

/// Sessions.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// The one used last first.
    pub sessions: Vec<Session>,
}

/// A file that a run left.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Artifact {
    /// `art_…`
    pub id: String,
    /// The run that left it.
    pub run_id: String,
    /// Path below the workspace.
    pub path: String,
    /// Bytes.
    pub size: i64,
    /// Lower-case hex.
    pub sha256: String,
    /// Type by content.
    pub media_type: String,
    /// Where its bytes are.
    pub url: String,
    /// Number of its session's checkpoint that was made after the run.
    pub checkpoint: Option<i64>,
}

/// Artifacts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Artifacts {
    /// In the order they were collected.
    pub artifacts: Vec<Artifact>,
}

/// A run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Run {
    /// `run_…`
    pub id: String,
    /// The session it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// `failed` means that Glovebox failed; a program that raised or met a limit is `done`.
    pub status: Status,
    /// Name of the image.
    pub image: String,
    /// Name of the policy.
    pub policy: String,
    /// Source text.
    pub code: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// How it went: `{ending, stdout, stderr, output_truncated, displays, warnings, usage, timing?, lineage}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Value>,
    /// What it left.
    pub artifacts: Vec<Artifact>,
    /// Number of its session's checkpoint that was made after it.
    pub checkpoint: Option<i64>,
    /// Whether its session went back to the state before it.
    pub undone: bool,
    /// Why Glovebox failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// A question and its answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AskResult {
    /// `ask_…`
    pub id: String,
    /// The session it was asked in.
    pub session_id: String,
    /// The question.
    pub question: String,
    /// The model that answers.
    pub model: String,
    /// `failed` means that there is no answer; a program that failed is part of an answer.
    pub status: Status,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Markdown.
    pub explanation: String,
    /// Source text of the last program.
    pub program: String,
    /// The last program's run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// Number of its session's checkpoint that was made after it.
    pub checkpoint: Option<i64>,
    /// What could be asked next.
    pub suggestions: Vec<String>,
    /// Every program that was tried.
    pub attempts: Vec<Attempt>,
    /// Other programs that the model suggested, for the user to choose.
    pub alternatives: Vec<Alternative>,
    /// Programs that were run side by side before one of them was kept; empty if only one was asked for.
    pub candidates: Vec<Candidate>,
    /// Whether what the explanation names exists; absent if nothing was looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checked: Option<Check>,
    /// What the answer may take.
    pub effort: Effort,
    /// Versions of the prompts.
    pub prompt_version: String,
    /// What the model used.
    pub usage: TokenUsage,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// One step of a session's history.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Turn {
    /// A program of the user's.
    Run {
        /// It.
        run: Box<Run>,
    },
    /// A question.
    Ask {
        /// It.
        ask: Box<AskResult>,
    },
}

/// A session's history.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct History {
    /// Oldest first.
    pub turns: Vec<Turn>,
    /// What came before, if the session is a fork; absent unless it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inherited: Option<Inherited>,
}

/// What came before a fork.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Inherited {
    /// Oldest first, of all sessions that lead to it. What was undone before the fork is not among them.
    pub turns: Vec<Turn>,
    /// Whether some of it is gone with its session.
    pub missing: bool,
}

/// Body of `POST /runs`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// Source text.
    pub code: String,
    /// Name of the image; `python` if absent.
    pub image: Option<String>,
    /// Ids of files that are copied into the workspace.
    #[serde(default)]
    pub files: Vec<String>,
    /// Name of the policy; if absent, the first that the caller may use: `default` unless an administrator chose others.
    pub policy: Option<String>,
    /// Arguments after the program's name.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Standard input.
    #[serde(default)]
    pub stdin: String,
    /// `last` shows the last expression's value, `none` does not.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub echo: Echo,
    /// Seed of the random generators.
    pub seed: Option<u64>,
    /// The same outcome every time.
    #[serde(default)]
    pub deterministic: bool,
    /// False to be answered at once; true if absent.
    pub wait: Option<bool>,
}

/// Body of `POST /sessions/{id}/runs`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRunRequest {
    /// Source text.
    pub code: String,
    /// Arguments after the program's name.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment variables.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Standard input.
    #[serde(default)]
    pub stdin: String,
    /// `last` shows the last expression's value, `none` does not.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub echo: Echo,
    /// Seed of the random generators.
    pub seed: Option<u64>,
    /// The same outcome every time.
    #[serde(default)]
    pub deterministic: bool,
    /// False to be answered at once; true if absent.
    pub wait: Option<bool>,
}

/// Body of `POST /sessions`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionRequest {
    /// What the user calls it.
    #[serde(default)]
    pub title: String,
    /// Name of the image; `python` if absent.
    pub image: Option<String>,
    /// Name of the policy; if absent, the first that the caller may use: `default` unless an administrator chose others.
    pub policy: Option<String>,
    /// Ids of files that are copied into the workspace.
    #[serde(default)]
    pub files: Vec<String>,
}

/// Body of `PATCH /sessions/{id}`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TitleRequest {
    /// What the user calls it.
    pub title: String,
}

/// JSON body of `POST /sessions/{id}/files`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesRequest {
    /// Ids of uploaded files.
    pub files: Vec<String>,
}

/// Body of `POST /sessions/{id}/asks`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    /// What the user wants to know.
    pub question: String,
    /// Name of the model; the default one if absent.
    pub model: Option<String>,
    /// Programs that are asked for and run side by side, 1 to 8; the best is kept. 1 if absent.
    pub candidates: Option<u32>,
    /// Programs that may be asked for in place of one that failed, 0 to 10; 3 if absent and not configured otherwise.
    pub max_repairs: Option<u32>,
    /// Tokens of all calls, at most what is configured.
    pub max_tokens: Option<u64>,
    /// Seconds until the answer, at most what is configured.
    pub max_seconds: Option<u64>,
    /// Cost of all calls in US dollars, at most what is configured.
    pub max_cost_usd: Option<f64>,
    /// False to be answered at once; true if absent.
    pub wait: Option<bool>,
}

impl AskRequest {
    /// What it may take.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            candidates: self.candidates,
            max_repairs: self.max_repairs,
            max_tokens: self.max_tokens,
            max_seconds: self.max_seconds,
            max_cost_usd: self.max_cost_usd,
        }
    }
}

/// A named set of limits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// For whom it is.
    pub description: String,
    /// Every limit; units are in the names.
    #[schema(value_type = Object)]
    pub limits: Limits,
}

impl From<FileRecord> for File {
    fn from(file: FileRecord) -> File {
        let FileRecord { id, name, size, sha256, media_type, created_at } = file;
        File { id, name, size, sha256, media_type, created_at }
    }
}

impl From<ArtifactRecord> for Artifact {
    fn from(artifact: ArtifactRecord) -> Artifact {
        let ArtifactRecord { id, run_id, path, size, sha256, media_type, checkpoint } = artifact;
        let url = format!("/api/v1/artifacts/{id}/content");
        Artifact { id, run_id, path, size, sha256, media_type, url, checkpoint }
    }
}

impl From<RunView> for Run {
    fn from(view: RunView) -> Run {
        let RunRecord {
            id,
            session_id,
            status,
            image,
            policy,
            code,
            created_at,
            finished_at,
            outcome,
            error_code,
            error_detail,
            checkpoint,
            undone,
            ..
        } = view.run;
        Run {
            id,
            session_id,
            status,
            image,
            policy,
            code,
            created_at,
            finished_at,
            outcome: outcome.map(|outcome| outcome_value(&outcome)),
            artifacts: view.artifacts.into_iter().map(Artifact::from).collect(),
            checkpoint,
            undone,
            error: stored_problem(error_code, error_detail),
        }
    }
}

/// An outcome without its artifacts, which the run has with ids and addresses.
fn outcome_value(outcome: &Outcome) -> Value {
    let mut value = serde_json::to_value(outcome).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.remove("artifacts");
    }
    value
}

fn stored_problem(code: Option<String>, detail: Option<String>) -> Option<Problem> {
    let code = Code::from_name(&code?);
    Some(super::error::problem(code, &detail.unwrap_or_default()))
}

/// A run by id, live or finished.
pub(super) async fn run(app: &App, tenant: &Tenant, id: &str) -> Result<Run> {
    if let Some(Record::Run(run)) = app.live(tenant, id).map(|live| live.record()) {
        return Ok(RunView { run, artifacts: Vec::new() }.into());
    }
    Ok(app.storage.run(tenant, id).await?.into())
}

/// A question by id, live or finished.
pub(super) async fn ask(app: &App, tenant: &Tenant, id: &str) -> Result<AskResult> {
    if let Some(Record::Ask(ask)) = app.live(tenant, id).map(|live| live.record()) {
        return Ok(ask_result(ask, None));
    }
    let ask = app.storage.ask(tenant, id).await?;
    let run = app.storage.run_of_ask(tenant, id).await?;
    Ok(ask_result(ask, run))
}

pub(super) fn ask_result(ask: AskRecord, run: Option<RunView>) -> AskResult {
    AskResult {
        id: ask.id,
        session_id: ask.session_id,
        question: ask.question,
        model: ask.model,
        status: ask.status,
        created_at: ask.created_at,
        finished_at: ask.finished_at,
        explanation: ask.explanation,
        program: ask.program,
        checkpoint: run.as_ref().and_then(|view| view.run.checkpoint),
        run: run.map(Run::from),
        suggestions: ask.suggestions,
        attempts: ask.attempts,
        alternatives: ask.details.alternatives,
        candidates: ask.details.candidates,
        checked: ask.details.checked,
        effort: ask.details.effort,
        prompt_version: ask.details.prompt_version,
        usage: ask.usage,
        error: stored_problem(ask.error_code, ask.error_detail),
    }
}
