//! Piston's `/api/v2/execute` and `/api/v2/runtimes`, version 2 of its API, for the harnesses and bots that call them.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use glovebox_runtime::{Echo, Ending, Program};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::Json;
use crate::app::{AppState, ImageInfo, ImageState};
use crate::direct::{self, Allowance, Done, Setting};
use crate::error::{Error, Result};
use crate::tenants::Tenant;

/// MiB that a body can have: its files come inside.
const BODY_MIB: usize = 64;
/// Piston's default, in milliseconds.
const RUN_TIMEOUT: f64 = 3000.0;
/// Other names of languages.
const ALIASES: [(&str, &[&str]); 2] =
    [("python", &["py", "python3"]), ("javascript", &["js", "node", "nodejs", "node-javascript", "node-js"])];

/// A language that programs can be in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Runtime {
    language: String,
    version: String,
    aliases: Vec<&'static str>,
    /// Name of the image.
    runtime: String,
}

/// A program.
#[derive(Debug, Deserialize, ToSchema)]
pub struct Execute {
    /// Name of a language, or another name of it.
    language: String,
    /// Any: there is one version of each language, and the answer says which.
    #[serde(rename = "version")]
    _version: String,
    /// The program, and files of its working directory after it.
    files: Vec<SourceFile>,
    /// What it reads from standard input.
    #[serde(default)]
    stdin: String,
    /// Its arguments.
    #[serde(default)]
    args: Vec<String>,
    /// Milliseconds that it may compute.
    #[serde(default)]
    run_timeout: Option<f64>,
    /// The same.
    #[serde(default)]
    run_cpu_time: Option<f64>,
    /// Bytes of memory; -1 for what the policy grants.
    #[serde(default)]
    run_memory_limit: Option<f64>,
}

/// A file with its content.
#[derive(Debug, Deserialize, ToSchema)]
struct SourceFile {
    #[serde(default)]
    name: Option<String>,
    content: String,
    #[serde(default)]
    encoding: Encoding,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Utf8,
    Base64,
    Hex,
}

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Executed {
    language: String,
    version: String,
    run: Stage,
}

/// A process, as Piston sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stage {
    stdout: String,
    stderr: String,
    /// Both, as they came.
    output: String,
    code: Option<u8>,
    /// `SIGKILL` if a limit ended it.
    signal: Option<&'static str>,
    message: Option<String>,
    /// `RE` exit code other than 0, `SG` ended by a signal, `TO` by a limit of time, `OL` of output, `XX` by us.
    status: Option<&'static str>,
    /// Milliseconds.
    cpu_time: f64,
    /// Milliseconds.
    wall_time: f64,
    /// Most bytes that it held at once.
    memory: u64,
}

/// An error in Piston's words.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    message: String,
}

/// The languages, as Piston lists them.
#[utoipa::path(get, path = "/api/v2/runtimes", tag = "harnesses", responses((status = 200, body = Vec<Runtime>)))]
pub(super) async fn runtimes(State(app): State<AppState>, _: Tenant) -> Answer<Vec<Runtime>> {
    let ready = app.backend.images().into_iter().filter(|image| image.state == ImageState::Ready);
    Answer(ready.map(|image| runtime(&image)).collect())
}

/// Run a program, as Piston does.
#[utoipa::path(post, path = "/api/v2/execute", tag = "harnesses", request_body = Execute,
    responses((status = 200, body = Executed), (status = 400, body = Message), (status = 415, body = Message),
        (status = 500, body = Message), (status = 503, body = Message)))]
pub(super) async fn execute(
    State(app): State<AppState>,
    tenant: Tenant,
    request: Result<Json<Execute, BODY_MIB>>,
) -> Response {
    let executed = match request {
        Ok(Json(request)) => run(&app, &tenant, request).await,
        Err(error) => Err(error),
    };
    match executed {
        Ok(executed) => Answer(executed).into_response(),
        Err(error) => refused(error),
    }
}

/// Piston's clients expect 400 for what they did wrong.
fn refused(error: Error) -> Response {
    if let Some(cause) = &error.cause {
        tracing::error!(code = error.code.name(), "{cause:#}");
    }
    let status = match super::error::status(error.code) {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    (status, Answer(Message { message: error.detail })).into_response()
}

async fn run(app: &AppState, tenant: &Tenant, request: Execute) -> Result<Executed> {
    let runtimes = app.backend.images();
    let wanted = request.language.to_ascii_lowercase();
    let known = runtimes.iter().map(runtime).find(|runtime| {
        runtime.language == wanted || runtime.runtime == wanted || runtime.aliases.contains(&wanted.as_str())
    });
    let Some(runtime) = known else {
        let language = crate::error::shorten(&request.language, 80);
        return Err(Error::invalid(format!("{language} runtime is unknown; /api/v2/runtimes lists what there is")));
    };
    let mut files = Vec::with_capacity(request.files.len());
    for (number, file) in request.files.into_iter().enumerate() {
        let content = match file.encoding {
            Encoding::Utf8 => Some(file.content.into_bytes()),
            Encoding::Base64 => BASE64_STANDARD.decode(&file.content).ok(),
            Encoding::Hex => unhex(&file.content),
        };
        let content =
            content.ok_or_else(|| Error::invalid(format!("files[{number}].content is not what its encoding says")))?;
        files.push((file.name.unwrap_or_else(|| format!("file{number}.code")), content));
    }
    let (filename, source) = files.first().ok_or_else(|| Error::invalid("files must include at least one file"))?;
    let source = String::from_utf8(source.clone()).map_err(|_| Error::invalid("files[0].content is no text"))?;
    let filename = Some(filename.clone());
    let program =
        Program { source, filename, args: request.args, stdin: request.stdin, echo: Echo::None, ..Program::default() };
    let timeout =
        [request.run_timeout, request.run_cpu_time].into_iter().flatten().reduce(f64::min).unwrap_or(RUN_TIMEOUT);
    if !(timeout.is_finite() && timeout > 0.0) {
        return Err(Error::invalid("run_timeout and run_cpu_time are numbers of milliseconds"));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
    let memory_bytes = request.run_memory_limit.filter(|bytes| *bytes > 0.0).map(|bytes| bytes as u64);
    let allowance = Allowance { seconds: Some(timeout / 1e3), memory_bytes, ..Allowance::default() };
    let setting = Setting { image: runtime.runtime, policy: String::new(), files, fetch: Vec::new(), allowance };
    let done = direct::run(app, tenant, setting, program).await?;
    Ok(Executed { language: runtime.language, version: runtime.version, run: stage(done) })
}

fn stage(Done { outcome, output, .. }: Done) -> Stage {
    let (code, status) = match &outcome.ending {
        Ending::Exited { code: 0 } => (Some(0), None),
        Ending::Exited { .. } | Ending::Raised { .. } => (Some(outcome.ending.exit_code()), Some("RE")),
        Ending::OutOfFuel | Ending::OutOfTime { .. } => (None, Some("TO")),
        Ending::TooMuchOutput => (None, Some("OL")),
        Ending::OutOfMemory | Ending::OutOfDisk | Ending::Trapped { .. } => (None, Some("SG")),
        Ending::Cancelled => (None, Some("XX")),
    };
    let killed = code.is_none();
    let timing = outcome.timing;
    Stage {
        stdout: outcome.stdout,
        stderr: outcome.stderr,
        output,
        code,
        signal: killed.then_some("SIGKILL"),
        message: killed.then(|| outcome.ending.sentence()),
        status,
        cpu_time: timing.map_or(0.0, |timing| timing.cpu_ms),
        wall_time: timing.map_or(0.0, |timing| timing.wall_ms),
        memory: outcome.usage.memory_peak_bytes,
    }
}

fn runtime(image: &ImageInfo) -> Runtime {
    // Two images may be of one language: the one that is named like it stands for it.
    let aliases = ALIASES.iter().find(|(name, _)| *name == image.name).map_or(&[][..], |(_, aliases)| aliases);
    Runtime {
        language: image.name.clone(),
        // Without our own part of the version.
        version: image.version.split('-').next().unwrap_or_default().to_owned(),
        aliases: aliases.to_vec(),
        runtime: image.name.clone(),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
