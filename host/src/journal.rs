//! Journal: what a run or a question has said so far. Readers keep their own place in it, so none misses or repeats one.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::storage::StoredEvent;

/// Events kept of one stream, and their bytes. What comes after is dropped and said so once; the record has it anyway.
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 48 << 20;
/// A piece of text is not grown beyond this.
const PIECE: usize = 64 * 1024;

/// The events of one stream, in order and numbered from 1 without gaps. The last one, `done` or
/// `failed`, is not in it: it is made from the record, whether the stream is live or long over.
#[derive(Debug)]
pub struct Journal {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Arc<StoredEvent>>,
    bytes: usize,
    /// Text that nobody has read yet, and its kind: more of the same kind is added to it.
    open: Option<(&'static str, String)>,
    full: bool,
    closed: bool,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal { inner: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl Journal {
    /// Adds an event.
    pub fn push(&self, kind: &str, data: &Value) {
        self.with(|inner| {
            inner.seal();
            inner.add(kind, data.to_string());
        });
    }

    /// Adds text; joined with the text before if nobody has read that yet.
    pub fn push_text(&self, kind: &'static str, text: &str) {
        self.with(|inner| match &mut inner.open {
            Some((open, so_far)) if *open == kind && so_far.len() < PIECE => so_far.push_str(text),
            _ => {
                inner.seal();
                inner.open = Some((kind, text.to_owned()));
            }
        });
    }

    /// Nothing more comes. Call it after the record is written: readers look there next.
    pub fn close(&self) {
        self.with(|inner| {
            inner.seal();
            inner.closed = true;
        });
    }

    /// What came after event `after`, and whether that is all there will ever be.
    #[must_use]
    pub fn read(&self, after: usize) -> (Vec<Arc<StoredEvent>>, bool) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.seal();
        (inner.events.get(after..).unwrap_or_default().to_vec(), inner.closed)
    }

    /// Everything so far, to be stored.
    #[must_use]
    pub fn snapshot(&self) -> Vec<StoredEvent> {
        self.read(0).0.iter().map(|event| StoredEvent::clone(event)).collect()
    }

    /// Is told of every change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until nothing more comes.
    pub async fn closed(&self) {
        let mut changes = self.subscribe();
        while !self.inner.lock().unwrap_or_else(PoisonError::into_inner).closed {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    fn with(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
    }
}

impl Inner {
    fn seal(&mut self) {
        if let Some((kind, text)) = self.open.take() {
            self.add(kind, json!({ "text": text }).to_string());
        }
    }

    fn add(&mut self, kind: &str, data: String) {
        if self.full {
            return;
        }
        self.full = self.events.len() + 1 >= MOST_EVENTS || self.bytes + data.len() > MOST_BYTES;
        let (kind, data) = if self.full {
            let message = "too many events; the rest is in the finished record";
            ("limit_warning", json!({ "limit": "events", "message": message }).to_string())
        } else {
            (kind, data)
        };
        self.bytes += data.len();
        let seq = i64::try_from(self.events.len() + 1).unwrap_or(i64::MAX);
        self.events.push(Arc::new(StoredEvent { seq, kind: kind.to_owned(), data }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(journal: &Journal, after: usize) -> Vec<(i64, String)> {
        journal.read(after).0.iter().map(|event| (event.seq, event.data.clone())).collect()
    }

    #[test]
    fn text_that_was_read_is_never_changed_and_unread_text_is_joined() {
        let journal = Journal::default();
        journal.push_text("stdout", "a");
        journal.push_text("stdout", "b");
        assert_eq!(kinds(&journal, 0), [(1, r#"{"text":"ab"}"#.to_owned())]);
        journal.push_text("stdout", "c");
        journal.push_text("stderr", "d");
        assert_eq!(kinds(&journal, 1), [(2, r#"{"text":"c"}"#.to_owned()), (3, r#"{"text":"d"}"#.to_owned())]);
        assert_eq!(kinds(&journal, 0).len(), 3);
        assert!(kinds(&journal, 99).is_empty());
    }

    #[test]
    fn a_flood_of_events_is_cut_with_a_warning_and_without_a_gap() {
        let journal = Journal::default();
        for _ in 0..2 * MOST_EVENTS {
            journal.push("progress", &json!({}));
        }
        let (events, _) = journal.read(0);
        assert_eq!(events.len(), MOST_EVENTS);
        assert!(events.iter().enumerate().all(|(at, event)| event.seq == at as i64 + 1));
        assert_eq!(events.last().unwrap().kind, "limit_warning");
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken_by_the_end() {
        let journal = Arc::new(Journal::default());
        let waiting = tokio::spawn({
            let journal = journal.clone();
            async move { journal.closed().await }
        });
        tokio::task::yield_now().await;
        journal.close();
        waiting.await.unwrap();
        assert!(journal.read(0).1);
    }
}
