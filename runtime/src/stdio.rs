//! A guest's standard streams: counted, cut at the limit, streamed as events.
//!
//! A write past the limit is accepted and dropped, so that a talkative program runs on (a full
//! pipe would end it with an error it never expects).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

use crate::{EventBody, Limits};

/// What is said in place of dropped output.
const CUT: &str = "\n[output cut: limit output_kib]\n";

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    Stdout,
    Stderr,
}

/// Where everything that a guest says goes: text, rich output, errors, in order.
#[derive(Clone, Debug)]
pub(crate) struct Voice(Arc<Mutex<Spoken>>);

#[derive(Debug)]
pub(crate) struct Spoken {
    output_limit: u64,
    display_limit: u64,
    /// Bytes written to both streams, dropped ones included.
    pub(crate) output_bytes: u64,
    display_bytes: u64,
    pub(crate) truncated: bool,
    /// Bytes of an unfinished UTF-8 sequence, per stream.
    partial: [Vec<u8>; 2],
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pending: Vec<EventBody>,
    /// The last uncaught exception.
    pub(crate) error: Option<(String, String, String)>,
    pub(crate) warnings: Vec<String>,
}

impl Voice {
    pub(crate) fn new(limits: &Limits) -> Voice {
        Voice(Arc::new(Mutex::new(Spoken::new(limits))))
    }

    /// Forgets what was said: a new turn begins.
    pub(crate) fn begin(&self, limits: &Limits) {
        *self.lock() = Spoken::new(limits);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Spoken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream that speaks with this voice.
    pub(crate) fn stream(&self, channel: Channel) -> Stream {
        Stream { voice: self.clone(), channel }
    }
}

impl Spoken {
    fn new(limits: &Limits) -> Spoken {
        Spoken {
            output_limit: limits.output_kib.saturating_mul(1024),
            display_limit: limits.display_kib.saturating_mul(1024),
            output_bytes: 0,
            display_bytes: 0,
            truncated: false,
            partial: [Vec::new(), Vec::new()],
            stdout: String::new(),
            stderr: String::new(),
            pending: Vec::new(),
            error: None,
            warnings: Vec::new(),
        }
    }

    /// Takes what happened since the last call.
    pub(crate) fn take_pending(&mut self) -> Vec<EventBody> {
        std::mem::take(&mut self.pending)
    }

    pub(crate) fn push(&mut self, event: EventBody) {
        self.pending.push(event);
    }

    /// Handles one JSON event from the guest (CONTRACT.md). Unknown kinds and malformed ones are
    /// dropped: a guest is not trusted to speak well.
    pub(crate) fn guest_event(&mut self, json: &[u8]) {
        self.display_bytes = self.display_bytes.saturating_add(json.len() as u64);
        if self.display_bytes > self.display_limit {
            let message = "rich output was dropped: limit display_kib";
            if !self.warnings.iter().any(|warning| warning == message) {
                self.warnings.push(message.into());
                self.push(EventBody::LimitWarning { limit: "display_kib".into(), message: message.into() });
            }
            // The reason of a failure is worth more than the limit; its size is bounded below.
            if !json.starts_with(b"{\"type\": \"error\"") && !json.starts_with(b"{\"type\":\"error\"") {
                return;
            }
        }
        match serde_json::from_slice::<EventBody>(json) {
            Ok(EventBody::Display(display)) => self.push(EventBody::Display(display)),
            Ok(progress @ EventBody::Progress { .. }) => self.push(progress),
            Ok(EventBody::Error { name, value, traceback }) => {
                let cut = |text: String| if text.len() > MAX_ERROR { shorten(&text, MAX_ERROR) } else { text };
                let (name, value, traceback) = (shorten(&name, 200), cut(value), cut(traceback));
                self.error = Some((name.clone(), value.clone(), traceback.clone()));
                self.push(EventBody::Error { name, value, traceback });
            }
            _ => tracing::debug!(bytes = json.len(), "dropped an event that the contract does not know"),
        }
    }

    fn write(&mut self, channel: Channel, bytes: &[u8]) {
        let room = self.output_limit.saturating_sub(self.output_bytes);
        self.output_bytes = self.output_bytes.saturating_add(bytes.len() as u64);
        let kept = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        if kept > 0 {
            let text = self.decode(channel, &bytes[..kept]);
            self.say(channel, text);
        }
        if kept < bytes.len() && !self.truncated {
            self.truncated = true;
            self.say(channel, CUT.into());
            let message = "output was cut: limit output_kib".to_owned();
            self.warnings.push(message.clone());
            self.push(EventBody::LimitWarning { limit: "output_kib".into(), message });
        }
    }

    /// Text of the bytes, holding back a sequence that is not complete yet.
    fn decode(&mut self, channel: Channel, bytes: &[u8]) -> String {
        let partial = &mut self.partial[channel as usize];
        partial.extend_from_slice(bytes);
        let whole = match std::str::from_utf8(partial) {
            Ok(_) => partial.len(),
            // `None`: the error is that the end is missing.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => partial.len() - incomplete_tail(partial),
        };
        let rest = partial.split_off(whole);
        let text = String::from_utf8_lossy(partial).into_owned();
        *partial = rest;
        text
    }

    /// What was held back at the end of the run.
    pub(crate) fn finish(&mut self) {
        for channel in [Channel::Stdout, Channel::Stderr] {
            let rest = std::mem::take(&mut self.partial[channel as usize]);
            if !rest.is_empty() {
                let text = String::from_utf8_lossy(&rest).into_owned();
                self.say(channel, text);
            }
        }
    }

    /// Says something in the guest's place, on its standard error.
    pub(crate) fn note(&mut self, text: &str) {
        self.say(Channel::Stderr, format!("{text}\n"));
    }

    fn say(&mut self, channel: Channel, text: String) {
        if text.is_empty() {
            return;
        }
        match channel {
            Channel::Stdout => self.stdout.push_str(&text),
            Channel::Stderr => self.stderr.push_str(&text),
        }
        match (channel, self.pending.last_mut()) {
            (Channel::Stdout, Some(EventBody::Stdout { text: last }))
            | (Channel::Stderr, Some(EventBody::Stderr { text: last })) => last.push_str(&text),
            (Channel::Stdout, _) => self.push(EventBody::Stdout { text }),
            (Channel::Stderr, _) => self.push(EventBody::Stderr { text }),
        }
    }
}

/// Longest text of an exception that is kept.
const MAX_ERROR: usize = 64 * 1024;

/// Bytes at the end that begin a UTF-8 sequence without completing it: at most 3.
fn incomplete_tail(bytes: &[u8]) -> usize {
    (1..=3.min(bytes.len()))
        .find(|&back| {
            let tail = &bytes[bytes.len() - back..];
            matches!(std::str::from_utf8(tail), Err(error) if error.error_len().is_none() && error.valid_up_to() == 0)
        })
        .unwrap_or(0)
}

/// The first `max` bytes or fewer, ending at a character.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// One of a guest's output streams.
#[derive(Clone)]
pub(crate) struct Stream {
    voice: Voice,
    channel: Channel,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        // Only preview 2 and 3 take this way; guests are preview 1.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.voice.lock().write(self.channel, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 * 1024)
    }
}

/// What a guest reads from standard input, given anew for each turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input(Arc<Mutex<Bytes>>);

impl Input {
    /// Replaces what has not been read yet.
    pub(crate) fn set(&self, text: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Bytes::copy_from_slice(text.as_bytes());
    }
}

impl IsTerminal for Input {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Input {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncRead + Send + Sync> {
        // Only preview 2 and 3 take this way; guests are preview 1.
        Box::new(tokio::io::empty())
    }

    fn p2_stream(&self) -> Box<dyn InputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {}
}

impl InputStream for Input {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            return Err(StreamError::Closed);
        }
        let size = size.min(left.len());
        Ok(left.split_to(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(output_kib: u64) -> Voice {
        Voice::new(&Limits { output_kib, ..Limits::default() })
    }

    #[test]
    fn output_past_the_limit_is_dropped_and_marked() {
        let voice = voice(1);
        for _ in 0..3 {
            voice.lock().write(Channel::Stdout, &[b'x'; 1000]);
        }
        let spoken = voice.lock();
        assert!(spoken.truncated);
        assert_eq!(spoken.output_bytes, 3000);
        assert_eq!(spoken.stdout.matches('x').count(), 1024);
        assert!(spoken.stdout.ends_with(CUT));
    }

    #[test]
    fn a_character_split_over_two_writes_stays_whole() {
        let voice = voice(10);
        let euro = "€".as_bytes();
        voice.lock().write(Channel::Stdout, &euro[..1]);
        voice.lock().write(Channel::Stdout, &euro[1..]);
        voice.lock().write(Channel::Stdout, b"\xff\xe2\x82");
        voice.lock().finish();
        assert_eq!(voice.lock().stdout, "€\u{fffd}\u{fffd}");
    }

    #[test]
    fn malformed_guest_events_are_dropped() {
        let voice = voice(1);
        voice.lock().guest_event(b"{\"type\":\"ended\"}");
        voice.lock().guest_event(b"not json");
        assert!(voice.lock().take_pending().is_empty());
    }
}
