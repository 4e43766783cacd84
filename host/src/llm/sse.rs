//! Server-sent events: cuts a byte stream into the `data` of its events. Takes chunks cut anywhere,
//! any line ending, comments and other fields; holds at most one event.

/// Reads events out of chunks.
#[derive(Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    data: String,
    after_cr: bool,
}

/// An event grew beyond the limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

impl Parser {
    /// Reads a chunk and returns the data of the events that end in it. `max` bytes for one event.
    pub(super) fn feed(&mut self, chunk: &[u8], max: usize) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        for &byte in chunk {
            match byte {
                b'\n' if self.after_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            self.after_cr = byte == b'\r';
            if self.line.len() + self.data.len() > max {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    /// The data of an event that the end of the stream cut off.
    pub(super) fn finish(&mut self) -> Option<String> {
        self.end_line().or_else(|| self.end_line())
    }

    fn end_line(&mut self) -> Option<String> {
        if self.line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then_some(data);
        }
        let line = String::from_utf8_lossy(&self.line);
        if let Some(value) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(value.strip_prefix(' ').unwrap_or(value));
        }
        self.line.clear();
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str =
        ": hello\r\nevent: x\r\ndata: {\"a\":\"ä\"}\r\n\r\ndata:one\ndata: two\n\nid: 3\n\rdata: [DONE]";

    #[test]
    fn events_are_the_same_wherever_the_stream_is_cut() {
        let bytes = STREAM.as_bytes();
        for cut in 0..bytes.len() {
            let mut parser = Parser::default();
            let mut events = parser.feed(&bytes[..cut], 100).unwrap();
            events.extend(parser.feed(&bytes[cut..], 100).unwrap());
            events.extend(parser.finish());
            assert_eq!(events, ["{\"a\":\"ä\"}", "one\ntwo", "[DONE]"], "cut at {cut}");
        }
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut parser = Parser::default();
        assert_eq!(parser.feed(b"data: aaaaaaaaaaaaaaaa", 10), Err(TooLong));
    }
}
