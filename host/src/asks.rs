//! Asks: questions in a session, answered by the engine in the session's workspace.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use glovebox_runtime::Outcome;
use serde_json::json;

use crate::app::{App, AppState};
use crate::engine::{Answer, AnswerEvent, Ask, Exchange, TokenUsage};
use crate::error::{Code, Error, Result, shorten};
use crate::files::Workspace;
use crate::journal::Journal;
use crate::live::{Live, Record, Ticket};
use crate::runs::{blocking, collect};
use crate::storage::{AskRecord, RunRecord, SessionRecord, Status, new_id, now};
use crate::tenants::Tenant;

/// Earlier questions that the model is told of.
const HISTORY: usize = 10;
/// Bytes that a question may have.
const QUESTION_BYTES: usize = 20_000;
/// Bytes of a session's title that is made of its first question.
const TITLE_BYTES: usize = 80;

/// Checks and begins a question.
///
/// # Errors
///
/// An empty or endless question, an unknown model, an image that is not ready, busy.
pub async fn start(
    app: &AppState,
    tenant: &Tenant,
    session: SessionRecord,
    question: &str,
    model: Option<String>,
) -> Result<Arc<Live>> {
    let question = question.trim();
    if question.is_empty() {
        return Err(Error::invalid("question is empty; say what you want to know"));
    }
    if question.len() > QUESTION_BYTES {
        return Err(Error::invalid(format!(
            "question has {} bytes; at most {QUESTION_BYTES} are read",
            question.len()
        )));
    }
    let models = app.backend.models();
    if let Some(name) = &model
        && !models.iter().any(|model| model.name == *name)
    {
        let known = models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::new(
            Code::UnknownModel,
            format!("unknown model `{}` (there are: {known})", shorten(name, 80)),
        ));
    }
    let policy = app.policy(&session.policy)?;
    let image = app.ready_image(&session.image, policy)?;
    let ticket = app.ask_queue.join()?;
    let default = || models.iter().find(|model| model.default).map(|model| model.name.clone());
    let record = AskRecord {
        id: new_id("ask"),
        session_id: session.id.clone(),
        status: Status::Queued,
        question: question.to_owned(),
        model: model.clone().or_else(default).unwrap_or_default(),
        created_at: now(),
        finished_at: None,
        explanation: String::new(),
        program: String::new(),
        suggestions: Vec::new(),
        attempts: Vec::new(),
        usage: TokenUsage::default(),
        error_code: None,
        error_detail: None,
    };
    let ask = Ask {
        question: question.to_owned(),
        workspace: app.storage.workspaces().join(&session.id),
        history: Vec::new(),
        image: session.image.clone(),
        limits: policy.limits.clone(),
        packages: image.packages,
        model,
    };
    app.storage.save_ask(tenant, &record).await?;
    if session.title.is_empty() {
        let title = shorten(question.lines().next().unwrap_or_default(), TITLE_BYTES);
        app.storage.set_title(tenant, &session.id, &title, true).await?;
    }
    let live = Arc::new(Live::new(tenant, Record::Ask(record.clone())));
    live.journal.push("accepted", &json!({ "id": record.id }));
    app.live.add(&live);
    app.metrics.waiting.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(go(app.clone(), live.clone(), record, session, ask, ticket));
    Ok(live)
}

/// The whole life of a question.
async fn go(app: AppState, live: Arc<Live>, mut record: AskRecord, session: SessionRecord, ask: Ask, ticket: Ticket) {
    let began = Instant::now();
    let turn = app.turns.take(&session.id).await;
    let slot = ticket.wait(&live.cancel).await;
    app.metrics.waiting.fetch_sub(1, Ordering::Relaxed);
    app.metrics.running.fetch_add(1, Ordering::Relaxed);
    let result = if slot.is_some() {
        live.set_running();
        answer(&app, &live, &session, ask, &mut record).await
    } else {
        record.explanation = "The question was cancelled before it was looked at.".into();
        Ok(())
    };
    drop((slot, ticket));

    record.finished_at = Some(now());
    record.status = Status::Done;
    if let Err(error) = &result {
        fail(&mut record, error);
    }
    let events = live.journal.snapshot();
    if let Err(error) = app.storage.finish_ask(&live.tenant, &record, &events).await {
        fail(&mut record, &error);
        let _ = app.storage.save_ask(&live.tenant, &record).await;
    }
    app.metrics.ask(record.error_code.as_deref().unwrap_or("done"), began.elapsed());
    app.metrics.running.fetch_sub(1, Ordering::Relaxed);
    drop(turn);
    app.live.remove(&live.id);
    live.journal.close();
}

async fn answer(app: &App, live: &Live, session: &SessionRecord, ask: Ask, record: &mut AskRecord) -> Result<()> {
    let path = ask.workspace.clone();
    let workspace = blocking(move || Workspace::open(&path)).await?;
    let limit = ask.limits.artifact_mib << 20;
    let ask = Ask { history: history(app, &live.tenant, &session.id, &record.id).await?, ..ask };
    let mut on_event = |event: AnswerEvent| note(&live.journal, event);
    let Answer { explanation, program, outcome, suggestions, attempts, usage, model } =
        app.backend.answer(ask, &mut on_event, &live.cancel).await?;
    if let Some(mut outcome) = outcome {
        let left = collect(app, workspace, &mut outcome, limit).await?;
        let run = run_of(session, record, program.clone(), outcome);
        app.storage.finish_run(&live.tenant, run, left, &[]).await?;
    }
    record.explanation = explanation;
    record.program = program;
    record.suggestions = suggestions;
    record.attempts = attempts;
    record.usage = usage;
    record.model = model;
    Ok(())
}

/// The run that answered a question, as a record of its own.
fn run_of(session: &SessionRecord, ask: &AskRecord, code: String, outcome: Outcome) -> RunRecord {
    RunRecord {
        id: new_id("run"),
        session_id: Some(session.id.clone()),
        ask_id: Some(ask.id.clone()),
        status: Status::Done,
        image: session.image.clone(),
        policy: session.policy.clone(),
        code,
        request: json!({ "mode": "live", "seed": outcome.lineage.seed }),
        created_at: ask.created_at.clone(),
        finished_at: Some(now()),
        outcome: Some(outcome),
        error_code: None,
        error_detail: None,
    }
}

async fn history(app: &App, tenant: &Tenant, session: &str, but: &str) -> Result<Vec<Exchange>> {
    let mut asks = app.storage.session_asks(tenant, session).await?;
    asks.retain(|ask| ask.id != but && ask.status == Status::Done);
    let mut history = Vec::new();
    for ask in asks.split_off(asks.len().saturating_sub(HISTORY)) {
        let run = app.storage.run_of_ask(tenant, &ask.id).await?;
        let result = run.and_then(|view| view.run.outcome).map(|outcome| in_short(&outcome)).unwrap_or_default();
        history.push(Exchange { question: ask.question, program: ask.program, result });
    }
    Ok(history)
}

/// What a program printed and showed, as text.
fn in_short(outcome: &Outcome) -> String {
    let shown = outcome.displays.iter().filter_map(|display| display.data.get("text/plain")?.as_str());
    let all: Vec<_> = std::iter::once(outcome.stdout.as_str()).chain(shown).filter(|text| !text.is_empty()).collect();
    shorten(&all.join("\n"), 2_000)
}

fn note(journal: &Journal, event: AnswerEvent) {
    match event {
        AnswerEvent::Text { text } => journal.push_text("text", &text),
        AnswerEvent::Stage { stage, attempt, message } => {
            journal.push("stage", &json!({ "stage": stage, "attempt": attempt, "message": message }));
        }
        AnswerEvent::Program { source, attempt } => {
            journal.push("program", &json!({ "source": source, "attempt": attempt }))
        }
        AnswerEvent::Run { attempt, event } => journal.push("run", &json!({ "attempt": attempt, "event": event })),
    }
}

fn fail(record: &mut AskRecord, error: &Error) {
    tracing::error!(ask = record.id, code = error.code.name(), detail = error.detail, cause = ?error.cause, "a question failed");
    record.status = Status::Failed;
    record.error_code = Some(error.code.name().to_owned());
    record.error_detail = Some(error.detail.clone());
}
