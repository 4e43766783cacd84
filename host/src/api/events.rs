//! Server-sent events of runs and questions: live or from the past, resumed after the last one seen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use super::{error::problem, wire};
use crate::app::AppState;
use crate::error::{Code, Error, Result};
use crate::live::Live;
use crate::storage::StoredEvent;
use crate::tenants::Tenant;

/// What a stream is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// A run.
    Run,
    /// A question.
    Ask,
}

/// True if the client wants events instead of waiting for the result.
pub(super) fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/event-stream")))
}

/// The stream of something that has just begun. With a guard, it ends with its reader.
pub(super) fn inline(app: &AppState, live: Arc<Live>, subject: Subject, guard: Option<DropGuard>) -> Response {
    let (tenant, id) = (live.tenant.clone(), live.id.clone());
    respond(Reader { guard, ..Reader::new(app, tenant, subject, id, Some(live), 0) })
}

/// The stream of something by id, after the event that `Last-Event-ID` names.
pub(super) async fn resume(
    app: &AppState,
    tenant: Tenant,
    subject: Subject,
    id: String,
    headers: &HeaderMap,
) -> Result<Response> {
    let after = match headers.get("last-event-id") {
        None => 0,
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|value| value.trim().parse::<u32>().ok())
            .ok_or_else(|| Error::invalid("last-event-id is not the id of an event"))?,
    } as usize;
    if let Some(live) = app.live(&tenant, &id) {
        return Ok(respond(Reader::new(app, tenant, subject, id, Some(live), after)));
    }
    let interrupted = match subject {
        Subject::Run => app.storage.run(&tenant, &id).await?.run.error_code,
        Subject::Ask => app.storage.ask(&tenant, &id).await?.error_code,
    }
    .is_some_and(|code| code == Code::Interrupted.name());
    let last = usize::try_from(app.storage.last_event(&tenant, &id).await?).unwrap_or(0);
    if after > last && !interrupted {
        // The client has everything, the last event included. 204 is how a server ends reconnecting.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut reader = Reader::new(app, tenant, subject, id, None, after.max(last));
    let past = app.storage.events(&reader.tenant, &reader.id, i64::try_from(after).unwrap_or(i64::MAX)).await?;
    reader.ready.extend(past.into_iter().map(Arc::new));
    Ok(respond(reader))
}

/// A client's place in a stream.
struct Reader {
    app: AppState,
    tenant: Tenant,
    subject: Subject,
    id: String,
    live: Option<(Arc<Live>, watch::Receiver<()>)>,
    ready: VecDeque<Arc<StoredEvent>>,
    /// Number of the last event that was taken out of the journal.
    after: usize,
    guard: Option<DropGuard>,
    over: bool,
}

impl Reader {
    fn new(
        app: &AppState,
        tenant: Tenant,
        subject: Subject,
        id: String,
        live: Option<Arc<Live>>,
        after: usize,
    ) -> Reader {
        let live = live.map(|live| {
            let changes = live.journal.subscribe();
            (live, changes)
        });
        Reader { app: app.clone(), tenant, subject, id, live, ready: VecDeque::new(), after, guard: None, over: false }
    }

    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Event::default().id(event.seq.to_string()).event(&event.kind).data(&event.data));
            }
            if self.over {
                return None;
            }
            match &mut self.live {
                Some((live, changes)) => {
                    changes.borrow_and_update();
                    let (events, closed) = live.journal.read(self.after);
                    self.after += events.len();
                    self.ready.extend(events);
                    if closed || (self.ready.is_empty() && changes.changed().await.is_err()) {
                        self.live = None;
                    }
                }
                None => {
                    self.over = true;
                    if let Some(guard) = self.guard.take() {
                        guard.disarm();
                    }
                    let (kind, data) = self.last().await;
                    return Some(Event::default().id((self.after + 1).to_string()).event(kind).data(data));
                }
            }
        }
    }

    /// `done` or `failed`, from the record.
    async fn last(&self) -> (&'static str, String) {
        let data = match self.subject {
            Subject::Run => wire::run(&self.app, &self.tenant, &self.id).await.map(|run| match run.error {
                Some(error) => ("failed", json!({ "error": error })),
                None => ("done", json!({ "run": run })),
            }),
            Subject::Ask => wire::ask(&self.app, &self.tenant, &self.id).await.map(|ask| match ask.error {
                Some(error) => ("failed", json!({ "error": error })),
                None => ("done", json!({ "ask": ask })),
            }),
        };
        let (kind, data) =
            data.unwrap_or_else(|error| ("failed", json!({ "error": problem(error.code, &error.detail) })));
        (kind, data.to_string())
    }
}

fn respond(reader: Reader) -> Response {
    let events = stream::unfold(reader, async |mut reader| {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let alive = KeepAlive::new().interval(Duration::from_secs(15)).text("still here");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    // A proxy that collects before it sends would hold back what is meant to be seen at once.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
