//! Plain text: lines, encoding, the beginning.

use std::io::{self, Read};

use super::encoding::{self, TextEncoding, Utf8Reader};
use super::{Finding, Input, MAX_READ, clip};
use crate::engine::sample::Content;

/// Bytes of text that are shown.
pub const PREVIEW: usize = 2_000;

/// Samples a text.
pub fn sample(input: &Input, how: TextEncoding, mut notes: Vec<String>) -> io::Result<Finding> {
    let mut how = how;
    let mut counted = count_lines(input, how)?;
    if let Err(instead) = counted {
        how = TextEncoding { bom: how.bom, ..instead };
        counted = count_lines(input, TextEncoding { damaged: true, ..how })?;
    }
    let shown = &input.start[..input.start.len().min(4 * PREVIEW)];
    let text = encoding::decode(shown, how);
    let cut = text.len() > PREVIEW || (shown.len() as u64) < input.size;
    if input.size == 0 {
        notes.push("the file is empty".to_owned());
    }
    if how.guessed() {
        notes.push(format!("the encoding {} is guessed", how.python()));
    }
    if how.damaged {
        notes.push("a few bytes do not fit the encoding: read it with errors=\"replace\"".to_owned());
    }
    if input.size > MAX_READ {
        notes.push("larger than 2 GiB: lines are counted in the first 2 GiB".to_owned());
    }
    let media_type = match input.extension().as_deref() {
        Some("md" | "markdown") => "text/markdown",
        Some("html" | "htm") => "text/html",
        Some("xml") => "application/xml",
        Some("svg") => "image/svg+xml",
        Some("py") => "text/x-python",
        Some("yaml" | "yml") => "application/yaml",
        Some("toml") => "application/toml",
        _ => "text/plain",
    };
    let content = Content::Text {
        lines: counted.unwrap_or(0),
        encoding: how.python(),
        preview: clip(text.as_bytes(), PREVIEW, cut),
    };
    Ok(Finding { media_type, content, notes })
}

/// Lines of the file, or the encoding that it has instead of UTF-8.
fn count_lines(input: &Input, how: TextEncoding) -> io::Result<Result<u64, TextEncoding>> {
    let mut reader = Utf8Reader::new(input.reader(how.bom as u64)?, how);
    let verdict = reader.verdict();
    let mut buffer = vec![0; 128 * 1024];
    let (mut lines, mut last) = (0, b'\n');
    loop {
        let n = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(error) => return verdict.instead.get().map_or(Err(error), |instead| Ok(Err(instead))),
        };
        lines += buffer[..n].iter().filter(|b| **b == b'\n').count() as u64;
        last = buffer[n - 1];
    }
    Ok(Ok(lines + u64::from(last != b'\n')))
}
