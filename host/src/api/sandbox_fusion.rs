//! SandboxFusion's `/run_code` and `/run_jupyter`, which evaluation and training harnesses call, answered as its server
//! does: always 200, where `SandboxError` is a failure of ours, worth a retry, and never the program's.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use glovebox_runtime::{Echo, Ending, Outcome, Program};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::Json;
use super::wire::Problem;
use crate::app::AppState;
use crate::direct::{self, Allowance, Done, Notebook, Setting};
use crate::error::{Error, Result};
use crate::tenants::Tenant;

/// MiB that a body can have: its files come inside.
const BODY_MIB: usize = 64;
/// Languages by the names that SandboxFusion gives them, with our images.
const LANGUAGES: [(&str, &str); 2] = [("python", "python"), ("nodejs", "javascript")];

/// A program.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RunCode {
    /// Its source text.
    code: String,
    /// `python` or `nodejs`.
    #[serde(default = "python")]
    language: String,
    /// What it reads from standard input.
    #[serde(default)]
    stdin: Option<String>,
    /// Seconds that it may compute.
    #[serde(default = "ten")]
    run_timeout: f64,
    /// Memory; -1 for what the policy grants.
    #[serde(default, rename = "memory_limit_MB")]
    memory_limit_mb: Option<i64>,
    /// Files of its working directory: path and content in base64.
    #[serde(default)]
    files: BTreeMap<String, Option<String>>,
    /// Paths of files that are wanted afterwards.
    #[serde(default)]
    fetch_files: Vec<String>,
}

/// Cells of a notebook.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RunJupyter {
    /// Their source texts.
    cells: Vec<String>,
    /// Seconds that one may compute; 0 for as long as all of them.
    #[serde(default)]
    cell_timeout: f64,
    /// Seconds that all of them may compute.
    #[serde(default = "forty_five")]
    total_timeout: f64,
    /// `python3`.
    #[serde(default = "python3")]
    kernel: String,
    /// Files of the working directory: path and content in base64.
    #[serde(default)]
    files: BTreeMap<String, Option<String>>,
    /// Paths of files that are wanted afterwards.
    #[serde(default)]
    fetch_files: Vec<String>,
}

fn python() -> String {
    "python".into()
}

fn python3() -> String {
    "python3".into()
}

fn ten() -> f64 {
    10.0
}

fn forty_five() -> f64 {
    45.0
}

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunCodeReply {
    status: Status,
    message: String,
    compile_result: Option<CommandResult>,
    run_result: Option<CommandResult>,
    executor_pod_name: Option<String>,
    files: BTreeMap<String, String>,
}

/// How the cells went.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunJupyterReply {
    status: Status,
    message: String,
    driver: Option<CommandResult>,
    cells: Vec<CellResult>,
    executor_pod_name: Option<String>,
    files: BTreeMap<String, String>,
}

/// In one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum Status {
    /// It ended with exit code 0.
    Success,
    /// It did not.
    Failed,
    /// We failed; nothing is known of the program.
    SandboxError,
}

/// A process, as SandboxFusion sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommandResult {
    status: CommandStatus,
    /// Elapsed seconds.
    execution_time: f64,
    return_code: Option<u8>,
    stdout: String,
    stderr: String,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub enum CommandStatus {
    /// By itself, or by a limit other than time.
    Finished,
    /// It took too long.
    TimeLimitExceeded,
}

/// What a cell gave.
#[derive(Debug, Serialize, ToSchema)]
pub struct CellResult {
    stdout: String,
    stderr: String,
    /// MIME bundles.
    display: Vec<BTreeMap<String, Value>>,
    /// Exceptions.
    error: Vec<CellError>,
}

/// An exception.
#[derive(Debug, Serialize, ToSchema)]
pub struct CellError {
    ename: String,
    evalue: String,
    traceback: Vec<String>,
}

/// Run a program, as SandboxFusion does.
#[utoipa::path(post, path = "/run_code", tag = "harnesses", request_body = RunCode,
    responses((status = 200, body = RunCodeReply), (status = 422, body = Problem)))]
pub(super) async fn run_code(
    State(app): State<AppState>,
    tenant: Tenant,
    Json(request): Json<RunCode, BODY_MIB>,
) -> Result<Answer<RunCodeReply>> {
    let image = image(&request.language)?;
    let allowance = Allowance {
        seconds: Some(seconds("run_timeout", request.run_timeout)?),
        memory_bytes: request
            .memory_limit_mb
            .and_then(|mib| u64::try_from(mib).ok())
            .map(|mib| mib.saturating_mul(1 << 20)),
        ..Allowance::default()
    };
    let setting = setting(image, request.files, request.fetch_files, allowance)?;
    let program = Program {
        source: request.code,
        stdin: request.stdin.unwrap_or_default(),
        echo: Echo::None,
        ..Program::default()
    };
    let none = RunCodeReply {
        status: Status::SandboxError,
        message: String::new(),
        compile_result: None,
        run_result: None,
        executor_pod_name: None,
        files: BTreeMap::new(),
    };
    Ok(Answer(match direct::run(&app, &tenant, setting, program).await {
        Ok(Done { outcome, files, .. }) => {
            let (status, message) = verdict(&outcome.ending);
            RunCodeReply { status, message, run_result: Some(process(outcome)), files: encoded(files), ..none }
        }
        Err(error) => RunCodeReply { message: ours(error)?, ..none },
    }))
}

/// Run cells one after the other in one interpreter, as SandboxFusion does.
#[utoipa::path(post, path = "/run_jupyter", tag = "harnesses", request_body = RunJupyter,
    responses((status = 200, body = RunJupyterReply), (status = 422, body = Problem)))]
pub(super) async fn run_jupyter(
    State(app): State<AppState>,
    tenant: Tenant,
    Json(request): Json<RunJupyter, BODY_MIB>,
) -> Result<Answer<RunJupyterReply>> {
    if request.kernel != "python3" {
        let kernel = crate::error::shorten(&request.kernel, 80);
        return Err(Error::invalid(format!("unknown kernel {kernel:?}; there is python3")));
    }
    let total = seconds("total_timeout", request.total_timeout)?;
    let each = if request.cell_timeout == 0.0 { total } else { seconds("cell_timeout", request.cell_timeout)? };
    let allowance = |seconds| Allowance { seconds: Some(seconds), ..Allowance::default() };
    let setting = setting("python", request.files, request.fetch_files, allowance(total))?;
    let none = RunJupyterReply {
        status: Status::SandboxError,
        message: String::new(),
        driver: None,
        cells: Vec::new(),
        executor_pod_name: None,
        files: BTreeMap::new(),
    };
    Ok(Answer(match direct::notebook(&app, &tenant, setting, request.cells, allowance(each)).await {
        Ok(Notebook { cells, files }) => {
            let stopped = cells
                .iter()
                .map(|cell| &cell.ending)
                .find(|ending| !matches!(ending, Ending::Exited { .. } | Ending::Raised { .. }));
            let (status, message) = stopped.map_or((Status::Success, String::new()), verdict);
            let late = stopped.is_some_and(is_late);
            let driver = CommandResult {
                status: if late { CommandStatus::TimeLimitExceeded } else { CommandStatus::Finished },
                execution_time: cells.iter().map(elapsed).sum(),
                return_code: if late { None } else { Some(u8::from(stopped.is_some())) },
                stdout: String::new(),
                stderr: message.clone(),
            };
            let (cells, files) = (cells.into_iter().map(cell).collect(), encoded(files));
            RunJupyterReply { status, message, driver: Some(driver), cells, files, ..none }
        }
        Err(error) => RunJupyterReply { message: ours(error)?, ..none },
    }))
}

/// Is anybody there?
#[utoipa::path(get, path = "/v1/ping", tag = "harnesses", responses((status = 200, body = String)))]
pub(super) async fn ping() -> Answer<&'static str> {
    Answer("pong")
}

fn image(language: &str) -> Result<&'static str> {
    LANGUAGES.iter().find(|(name, _)| *name == language).map(|(_, image)| *image).ok_or_else(|| {
        let known: Vec<_> = LANGUAGES.iter().map(|(name, _)| *name).collect();
        let language = crate::error::shorten(language, 80);
        Error::invalid(format!("unknown language {language:?} (there are: {})", known.join(", ")))
    })
}

fn seconds(name: &str, value: f64) -> Result<f64> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(Error::invalid(format!("{name}: {value} is not a number of seconds")))
}

fn setting(
    image: &str,
    files: BTreeMap<String, Option<String>>,
    fetch: Vec<String>,
    allowance: Allowance,
) -> Result<Setting> {
    // SandboxFusion's clients may say ./data.csv.
    let relative = |path: String| path.strip_prefix("./").map(str::to_owned).unwrap_or(path);
    let mut contents = Vec::with_capacity(files.len());
    for (path, content) in files {
        let content = BASE64_STANDARD.decode(content.unwrap_or_default()).map_err(|error| {
            Error::invalid(format!("files: {:?} is not base64: {error}", crate::error::shorten(&path, 80)))
        })?;
        contents.push((relative(path), content));
    }
    let fetch = fetch.into_iter().map(relative).collect();
    Ok(Setting { image: image.into(), policy: String::new(), files: contents, fetch, allowance })
}

/// Failures of ours as a message; those of the caller stay errors.
fn ours(error: Error) -> Result<String> {
    if error.is_ours() {
        if let Some(cause) = &error.cause {
            tracing::error!(code = error.code.name(), "{cause:#}");
        }
        return Ok(error.detail);
    }
    Err(error)
}

fn is_late(ending: &Ending) -> bool {
    matches!(ending, Ending::OutOfFuel | Ending::OutOfTime { .. })
}

fn verdict(ending: &Ending) -> (Status, String) {
    match ending {
        Ending::Exited { code: 0 } => (Status::Success, String::new()),
        Ending::Exited { .. } | Ending::Raised { .. } => (Status::Failed, String::new()),
        Ending::Cancelled => (Status::SandboxError, ending.sentence()),
        _ => (Status::Failed, ending.sentence()),
    }
}

fn elapsed(outcome: &Outcome) -> f64 {
    outcome.timing.map_or(0.0, |timing| timing.wall_ms / 1e3)
}

fn process(outcome: Outcome) -> CommandResult {
    let late = is_late(&outcome.ending);
    let execution_time = elapsed(&outcome);
    let mut stderr = outcome.stderr;
    if !matches!(outcome.ending, Ending::Exited { .. } | Ending::Raised { .. }) {
        stderr.push_str(&outcome.ending.sentence());
        stderr.push('\n');
    }
    CommandResult {
        status: if late { CommandStatus::TimeLimitExceeded } else { CommandStatus::Finished },
        execution_time,
        return_code: if late { None } else { Some(outcome.ending.exit_code()) },
        stdout: outcome.stdout,
        stderr,
    }
}

fn cell(outcome: Outcome) -> CellResult {
    let error = match outcome.ending {
        Ending::Exited { code: 0 } => Vec::new(),
        Ending::Raised { exception, message, traceback } => {
            vec![CellError {
                ename: exception,
                evalue: message,
                traceback: traceback.lines().map(str::to_owned).collect(),
            }]
        }
        ending => {
            let ename = ending.name().to_owned();
            vec![CellError { ename, evalue: ending.sentence(), traceback: Vec::new() }]
        }
    };
    let display = outcome.displays.into_iter().map(|display| display.data).collect();
    CellResult { stdout: outcome.stdout, stderr: outcome.stderr, display, error }
}

fn encoded(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    files.into_iter().map(|(path, content)| (path, BASE64_STANDARD.encode(content))).collect()
}
