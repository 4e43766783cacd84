//! Asks: questions in a session, answered by the engine in the session's workspace and live interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use glovebox_runtime::{Event, Job, Outcome, RunError};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::app::{App, AppState, Kept, Turn, Turned};
use crate::engine::{Answer, AnswerEvent, Ask, Details, Exchange, Interpreter, Language, TokenUsage, Wanted};
use crate::error::{Code, Error, Result, shorten};
use crate::journal::Journal;
use crate::line::Ticket;
use crate::live::{Doing, Live, Record, Taken};
use crate::quota::Admission;
use crate::runs::start_of;
use crate::storage::{AskRecord, CheckpointRecord, RequestKey, RunRecord, SessionRecord, Status, new_id, now};
use crate::tenants::Tenant;
use crate::traces::{self, Span};
use crate::turns::{self, Over};

/// Earlier questions that the model is told of.
const HISTORY: usize = 10;
/// Programs of the user's own that are looked through for those that led to the present state.
const RECENT: i64 = 50;
/// Bytes that a question may have.
const QUESTION_BYTES: usize = 20_000;
/// Bytes of a session's title that is made of its first question.
const TITLE_BYTES: usize = 80;

/// Checks and begins a question.
///
/// # Errors
///
/// An empty or endless question, a budget above the operator's, an unknown model, an image that is not ready, busy; a session that is busy, has ended
/// or may take no more turns.
pub async fn start(
    app: &AppState,
    tenant: &Tenant,
    session: SessionRecord,
    question: &str,
    model: Option<String>,
    wanted: Wanted,
    key: Option<&RequestKey>,
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
    let effort = app.config.effort().with(wanted).map_err(Error::invalid)?;
    let models = app.models_of(tenant);
    if let Some(name) = &model
        && !models.iter().any(|model| model.name == *name)
    {
        let known = models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Error::new(
            Code::UnknownModel,
            format!("unknown model `{}` (there are: {known})", shorten(name, 80)),
        ));
    }
    let default = || models.iter().find(|model| model.default).map(|model| model.name.clone());
    let model = model.or_else(default);
    let id = new_id("ask");
    let taken = app.turns.take(&session.id, Doing::Ask(id.clone())).await?;
    // What was read before it was ours may have changed.
    let session = app.storage.session(tenant, &session.id).await?;
    turns::check(app, tenant, &session).await?;
    let policy = &app.policy(tenant, &session.policy)?;
    let image = app.ready_image(&session.image, policy)?;
    let ticket = app.ask_queue.join(tenant)?;
    let (mut limits, mut effort) = (policy.limits.clone(), effort);
    let quota = app.quota(tenant);
    let admission = app.meter.ask(&app.storage, tenant, &quota, (&mut limits, &mut effort)).await?;
    let record = AskRecord {
        id,
        session_id: session.id.clone(),
        status: Status::Queued,
        question: question.to_owned(),
        model: model.clone().unwrap_or_default(),
        created_at: now(),
        finished_at: None,
        explanation: String::new(),
        program: String::new(),
        suggestions: Vec::new(),
        attempts: Vec::new(),
        usage: TokenUsage::default(),
        details: Details { effort, ..Details::default() },
        error_code: None,
        error_detail: None,
    };
    let ask = Ask {
        question: question.to_owned(),
        workspace: app.storage.workspace(tenant, &session.id),
        history: Vec::new(),
        interpreter: None,
        image: session.image.clone(),
        limits,
        language: Language::of(&image.language),
        packages: image.packages,
        model,
        effort,
    };
    app.storage.accept_ask(tenant, &record, key).await?;
    if session.title.is_empty() {
        let title = shorten(question.lines().next().unwrap_or_default(), TITLE_BYTES);
        app.storage.set_title(tenant, &session.id, &title, true).await?;
    }
    let live = Arc::new(Live::new(tenant, Record::Ask(record.clone())));
    live.journal.push("accepted", &json!({ "id": record.id }));
    app.live.add(&live);
    app.metrics.waiting.fetch_add(1, Ordering::Relaxed);
    tokio::spawn(traces::here(go(app.clone(), live.clone(), record, (session, taken), ask, (ticket, admission))));
    Ok(live)
}

/// The whole life of a question.
async fn go(
    app: AppState,
    live: Arc<Live>,
    mut record: AskRecord,
    (session, taken): (SessionRecord, Taken),
    ask: Ask,
    (ticket, admission): (Ticket, Admission),
) {
    let began = Instant::now();
    let span = Span::new("question");
    span.note("glovebox.ask", live.id.clone());
    span.note("glovebox.tenant", live.tenant.to_string());
    span.note("glovebox.session", session.id.clone());
    span.note("glovebox.image", session.image.clone());
    let slot = span.around(async { Span::new("wait for a place").around(ticket.wait(&live.cancel)).await }).await;
    app.metrics.waiting.fetch_sub(1, Ordering::Relaxed);
    app.metrics.running.fetch_add(1, Ordering::Relaxed);
    let mut outcome = None;
    let result = if slot.is_some() {
        live.set_running();
        span.around(answer(&app, &live, &session, ask, (&mut record, &mut outcome))).await
    } else {
        record.explanation = "The question was cancelled before it was looked at.".into();
        Ok(Written::No)
    };
    drop((slot, ticket));
    admission.settle_ask(outcome.as_ref(), record.usage);

    if let Err(error) = &result {
        fail(&mut record, error);
        span.fail("it was not answered");
    }
    span.note("glovebox.attempts", i64::try_from(record.attempts.len()).unwrap_or(i64::MAX));
    drop(span);
    if !matches!(result, Ok(Written::Yes)) {
        record.finished_at = Some(now());
        if result.is_ok() {
            record.status = Status::Done;
        }
        let events = live.journal.snapshot();
        if let Err(error) = app.storage.finish_ask(&live.tenant, &record, &events).await {
            fail(&mut record, &error);
            if app.storage.save_ask(&live.tenant, &record).await.is_err() {
                live.lose(&error);
            }
        }
    }
    app.metrics.ask(record.error_code.as_deref().unwrap_or("done"), began.elapsed());
    app.metrics.running.fetch_sub(1, Ordering::Relaxed);
    drop(taken);
    app.live.remove(&live.id);
    live.journal.close();
}

/// Whether an answer was written down together with the checkpoint of its program.
enum Written {
    Yes,
    No,
}

async fn answer(
    app: &AppState,
    live: &Live,
    session: &SessionRecord,
    ask: Ask,
    (record, ran): (&mut AskRecord, &mut Option<Outcome>),
) -> Result<Written> {
    let tenant = &live.tenant;
    let (workspace, limit) = (ask.workspace.clone(), ask.limits.artifact_mib << 20);
    let ready = turns::ready(app, tenant, session).await?;
    let history = history(app, tenant, session, &record.id).await?;
    let start = start_of(app, tenant, &ready.head).await?;
    let interpreter = Arc::new(InSession {
        app: app.clone(),
        tenant: tenant.clone(),
        head: ready.head.clone(),
        layers: ready.layers.clone(),
        scratch: ready.scratch.clone(),
        last: Mutex::default(),
        failure: Mutex::default(),
    });
    let ask = Ask { history, interpreter: Some(interpreter.clone()), ..ask };
    let mut on_event = |event: AnswerEvent| note(&live.journal, event);
    let answered = app.backend.answer(ask, &mut on_event, &live.cancel).await;
    let Last { save, kept } = lock(&interpreter.last).take().unwrap_or_default();
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => {
            if let Some(save) = save {
                turns::discard(save).await;
                turns::abandon(app, tenant, ready).await;
            } else {
                ready.unused(app, tenant);
            }
            return Err(lock(&interpreter.failure).take().unwrap_or(error));
        }
    };
    let Answer { explanation, program, outcome, suggestions, attempts, usage, model, details } = answer;
    record.explanation = explanation;
    record.program = program;
    record.suggestions = suggestions;
    record.attempts = attempts;
    record.usage = usage;
    record.model = model;
    record.details = details;
    ran.clone_from(&outcome);
    let Some(mut outcome) = outcome else {
        ready.unused(app, tenant);
        return Ok(Written::No);
    };
    let mut run = run_of(session, record, &outcome, start);
    match kept {
        Some(kept) => {
            record.finished_at = Some(now());
            record.status = Status::Done;
            let said = live.journal.snapshot();
            let over = Over { run: &mut run, outcome, kept, events: Vec::new(), ask: Some((record, said)) };
            turns::keep(app, tenant, ready, over).await?;
            Ok(Written::Yes)
        }
        None => {
            if let Some(save) = save {
                turns::discard(save).await;
            }
            let left = turns::undo(app, tenant, ready, &workspace, &mut outcome, limit).await;
            turns::tell(&live.journal, &outcome);
            run.undone = true;
            run.outcome = Some(outcome);
            app.storage.finish_run(tenant, run, left, &[]).await?;
            Ok(Written::No)
        }
    }
}

/// The live interpreter of a session while a question is answered.
struct InSession {
    app: AppState,
    tenant: Tenant,
    head: CheckpointRecord,
    layers: Vec<PathBuf>,
    scratch: PathBuf,
    last: Mutex<Option<Last>>,
    /// Why a program could not start where the session was.
    failure: Mutex<Option<Error>>,
}

/// The program that ran last.
#[derive(Default)]
struct Last {
    /// The layer that it was to write.
    save: Option<PathBuf>,
    /// What is kept of it.
    kept: Option<Kept>,
}

impl fmt::Debug for InSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InSession").field("head", &self.head).finish_non_exhaustive()
    }
}

#[async_trait]
impl Interpreter for InSession {
    async fn run(
        &self,
        job: Job,
        on_event: &mut (dyn FnMut(Event) + Send),
        cancel: &CancellationToken,
    ) -> std::result::Result<Outcome, RunError> {
        let before = lock(&self.last).take();
        if let Some(Last { save: Some(save), .. }) = before {
            turns::discard(save).await;
            if let Err(error) = turns::start_again(&self.app, &self.tenant, &self.head).await {
                *lock(&self.failure) = Some(error);
                return Err(RunError::Worker("could not start again".into()));
            }
        }
        let save = self.app.storage.new_layer(&self.tenant);
        *lock(&self.last) = Some(Last { save: Some(save.clone()), kept: None });
        let turn = Turn {
            session: self.head.session_id.clone(),
            job,
            scratch: self.scratch.clone(),
            at: self.layers.clone(),
            save: save.clone(),
        };
        match Span::new("execute").around(self.app.backend.turn(turn, on_event, cancel)).await {
            Ok(Turned { outcome, kept }) => {
                *lock(&self.last) = Some(Last { save: Some(save), kept });
                Ok(outcome)
            }
            Err(error) => {
                *lock(&self.failure) = Some(turns::failure(error, &self.head));
                Err(RunError::Worker("could not take the turn".into()))
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The run that answered a question, as a record of its own; still without its outcome.
fn run_of(session: &SessionRecord, ask: &AskRecord, outcome: &Outcome, start: [(&str, Value); 2]) -> RunRecord {
    let mut request = json!({ "mode": "live", "seed": outcome.lineage.seed });
    for (name, value) in start {
        request[name] = value;
    }
    RunRecord {
        id: new_id("run"),
        session_id: Some(session.id.clone()),
        ask_id: Some(ask.id.clone()),
        status: Status::Done,
        image: session.image.clone(),
        policy: session.policy.clone(),
        code: ask.program.clone(),
        request,
        created_at: ask.created_at.clone(),
        finished_at: Some(now()),
        outcome: None,
        error_code: None,
        error_detail: None,
        checkpoint: None,
        undone: false,
    }
}

/// What led to the state that a session is in: questions, and programs of the user's own. What was undone or left by
/// going back is not part of it.
async fn history(app: &App, tenant: &Tenant, session: &SessionRecord, but: &str) -> Result<Vec<Exchange>> {
    let mut past = Vec::new();
    let mut place = Some((session.id.clone(), session.head));
    // A fork goes on with what led to the checkpoint that it began with.
    while let Some((id, head)) = place.take() {
        let Ok(session) = app.storage.session(tenant, &id).await else { break };
        let steps: BTreeMap<i64, Option<i64>> = app.storage.steps(tenant, &id).await?.into_iter().collect();
        let mut led_here = BTreeSet::new();
        let mut at = head;
        while let Some(number) = at.filter(|number| led_here.insert(*number)) {
            at = steps.get(&number).copied().flatten();
        }
        let counts = |run: &RunRecord| !run.undone && run.checkpoint.is_none_or(|number| led_here.contains(&number));
        let (mut here, mut asked) = (Vec::new(), 0);
        for ask in app.storage.session_asks(tenant, &id).await?.into_iter().rev() {
            if asked == HISTORY {
                break;
            }
            if ask.id == but || ask.status != Status::Done {
                continue;
            }
            let run = app.storage.run_of_ask(tenant, &ask.id).await?.map(|view| view.run);
            if run.as_ref().is_none_or(counts) {
                let result = run.and_then(|run| run.outcome).map(|outcome| in_short(&outcome)).unwrap_or_default();
                asked += 1;
                here.push((ask.created_at, Exchange { question: ask.question, program: ask.program, result }));
            }
        }
        for run in app.storage.recent_runs(tenant, &id, RECENT).await? {
            if let (Some(outcome), true) = (&run.outcome, counts(&run)) {
                let result = in_short(outcome);
                here.push((run.created_at, Exchange { question: String::new(), program: run.code, result }));
            }
        }
        past.extend(here);
        if past.len() < HISTORY {
            place = session.forked_from_session.map(|from| (from, session.forked_from_checkpoint));
        }
    }
    past.sort_by(|a, b| a.0.cmp(&b.0));
    let newest = past.split_off(past.len().saturating_sub(HISTORY));
    Ok(newest.into_iter().map(|(_, exchange)| exchange).collect())
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
        AnswerEvent::Candidate { number, of, ending, error } => {
            let candidate = json!({ "number": number, "of": of, "ending": ending, "error": error });
            journal.push("candidate", &candidate);
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
