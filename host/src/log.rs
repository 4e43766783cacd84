//! The log: one line for each event, with no control characters, no secrets and nothing endless in it, whatever it is
//! about. Names, paths and errors in it come from callers, programs and servers elsewhere.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes of a line; one that is longer is cut, and says so.
const LINE: usize = 16 * 1024;
/// Bytes of a text in a line of JSON that was too long.
const TEXT: usize = 2 * 1024;
const CUT: &str = "… [cut]";
/// Our crates, which a plain level is about. Libraries tell more than is wanted (sqlx its statements), unless they are named.
const OURS: [&str; 3] = ["glovebox", "glovebox_runtime", "glovebox_media"];

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people; with colours on a terminal.
    Text {
        /// Whether colours are used.
        colours: bool,
    },
    /// One JSON object per line.
    Json,
}

/// Starts it, on the standard error stream. `GLOVEBOX_LOG` has a level, or directives as of `tracing-subscriber`.
pub fn start(json: bool, default: &str) {
    let format = if json { Format::Json } else { Format::Text { colours: io::stderr().is_terminal() } };
    let wanted = std::env::var("GLOVEBOX_LOG").unwrap_or_default();
    let filter = EnvFilter::try_new(directives(&wanted)).ok().filter(|_| !wanted.is_empty());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(directives(default)));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    let log = log.with_writer(Safe { format, to: io::stderr });
    match format {
        Format::Json => log.json().flatten_event(true).init(),
        Format::Text { colours } => log.with_ansi(colours).init(),
    }
}

/// A plain level is about our crates, and warnings of others.
fn directives(wanted: &str) -> String {
    let plain =
        ["off", "error", "warn", "info", "debug", "trace"].iter().any(|level| wanted.eq_ignore_ascii_case(level));
    if !plain || wanted.eq_ignore_ascii_case("off") || wanted.eq_ignore_ascii_case("error") {
        return wanted.to_owned();
    }
    let ours: Vec<_> = OURS.iter().map(|name| format!("{name}={wanted}")).collect();
    format!("warn,{}", ours.join(","))
}

/// A writer that makes each event safe. The formatter writes an event in one go.
#[derive(Clone)]
struct Safe<M> {
    format: Format,
    to: M,
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Safe<M> {
    type Writer = SafeWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        SafeWriter { format: self.format, to: self.to.make_writer() }
    }
}

struct SafeWriter<W> {
    format: Format,
    to: W,
}

impl<W: Write> Write for SafeWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.to.write_all(line(self.format, text.strip_suffix('\n').unwrap_or(&text)).as_bytes())?;
        self.to.write_all(b"\n")?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// An event's text without its line end, as it may be written.
fn line(format: Format, event: &str) -> String {
    let event = without_secrets(event);
    match format {
        Format::Text { colours } => {
            cut(&escaped(&event, colours, |text, c| write!(text, "{}", c.escape_default())), LINE)
        }
        Format::Json => {
            let event = if event.len() > LINE { shorter(&event) } else { event.into_owned() };
            // In JSON such characters are in texts alone, where they can be written like this.
            escaped(&event, false, |text, c| {
                c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(text, "\\u{unit:04x}"))
            })
        }
    }
}

/// Replaces what moves the cursor, ends a line or turns text around.
fn escaped(event: &str, colours: bool, write: fn(&mut String, char) -> std::fmt::Result) -> String {
    let mut text = String::with_capacity(event.len());
    let mut rest = event;
    while let Some(c) = rest.chars().next() {
        // The formatter's own colours are `ESC [ digits m`; more than colours cannot be said so.
        if colours && let Some(length) = colour(rest) {
            text.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        if moves(c) {
            let _ = write(&mut text, c);
        } else {
            text.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    text
}

/// Bytes of the colour that a text begins with.
fn colour(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("\x1b[")?;
    let length = digits.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    digits[length..].starts_with('m').then_some("\x1b[".len() + length + 1)
}

/// Controls (C0, DEL, C1), line and paragraph separators, marks that turn text around, and those nobody sees.
fn moves(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{061c}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}{CUT}", &text[..end])
}

/// A long line of JSON with its texts cut; if that is not enough, with what it is about alone.
fn shorter(event: &str) -> String {
    fn cut_all(value: &mut Value) {
        match value {
            Value::String(text) if text.len() > TEXT => *text = cut(text, TEXT),
            Value::Array(items) => items.iter_mut().for_each(cut_all),
            Value::Object(items) => items.values_mut().for_each(cut_all),
            _ => {}
        }
    }
    let Ok(mut value) = serde_json::from_str::<Value>(event) else {
        return Value::String(cut(event, TEXT)).to_string();
    };
    cut_all(&mut value);
    let text = value.to_string();
    if text.len() <= LINE {
        return text;
    }
    let kept = ["timestamp", "level", "message"].map(|name| (name.to_owned(), value[name].take()));
    let mut kept = serde_json::Map::from_iter(kept);
    kept.insert("cut".into(), Value::Bool(true));
    Value::Object(kept).to_string()
}

/// What looks like a secret is replaced, with what tells its owner which one it was left in place.
fn without_secrets(event: &str) -> Cow<'_, str> {
    static SECRETS: LazyLock<Regex> = LazyLock::new(|| {
        let forms = [
            // Our keys: the id may be shown.
            r"(?P<gbx>gbx_[0-9A-Za-z]+_)[0-9A-Za-z_-]{8,}",
            // Keys of models, clouds and forges.
            r"(?P<sk>(?:^|[^0-9A-Za-z]|\x1b\[[0-9;]*m)(?:sk-|rk-|pk-|AKIA|ASIA|AIza|gh[pousr]_|glpat-|xox[abprs]-))[0-9A-Za-z_-]{12,}",
            r"(?i:(?P<scheme>(?:^|[^0-9A-Za-z]|\x1b\[[0-9;]*m)(?:bearer|basic)[ +]+)[0-9A-Za-z._~+/=-]{8,})",
            r"(?P<url>[a-zA-Z][a-zA-Z0-9+.-]*://)[^\s/@:\x22]*:[^\s/@\x22]+@",
            // A link to an artifact is a key to it.
            r"(?P<link>art_[0-9a-z]+/[0-9]{9,11}/)[0-9a-f]{16,}",
            r"(?i:(?P<query>[?&;](?:[a-z_-]*(?:signature|token|secret|password|api[_-]?key|access[_-]?key|credential|share)|key|sig)=)[^&\s\x22\\]+)",
        ];
        Regex::new(&forms.join("|")).expect("a test reads it")
    });
    SECRETS.replace_all(event, |found: &Captures<'_>| {
        let kept = found.iter().skip(1).flatten().next().map_or("", |kept| kept.as_str());
        let end = if kept.ends_with("://") { "@" } else { "" };
        format!("{kept}[redacted]{end}")
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the real formatter writes of an event about `text`: as a message, as a field both ways, and in a span.
    fn written(format: Format, text: &str) -> String {
        let buffer = Buffer::default();
        let to = buffer.clone();
        let log = tracing_subscriber::fmt().with_target(false).with_writer(Safe { format, to: move || to.clone() });
        let say = || {
            let span = tracing::info_span!("request", id = text);
            let _entered = span.enter();
            tracing::info!(shown = %text, debugged = ?text, plain = text, "{text}");
        };
        match format {
            Format::Json => tracing::subscriber::with_default(log.json().flatten_event(true).finish(), say),
            Format::Text { colours } => tracing::subscriber::with_default(log.with_ansi(colours).finish(), say),
        }
        let bytes = buffer.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    const FORMATS: [Format; 3] = [Format::Text { colours: false }, Format::Text { colours: true }, Format::Json];

    /// Sixty and more texts that want to be something else than part of a line.
    fn hostile() -> Vec<String> {
        let mut texts: Vec<String> = [
            "a\nb",
            "a\r\nb",
            "a\rb",
            "\n",
            "\n\n\n",
            "a\u{b}b",
            "a\u{c}b",
            "a\0b",
            "a\tb",
            "a\u{7f}b",
            "a\u{8}\u{8}\u{8}b",
            "2026-01-01T00:00:00Z ERROR forged\n2026-01-01T00:00:00Z  INFO also forged",
            "\"}\n{\"level\":\"ERROR\",\"message\":\"forged\"}",
            "\",\"level\":\"ERROR\",\"x\":\"",
            "{\"level\":\"ERROR\"}",
            "\\n\\r\\u000a",
            "%0a%0d",
            "&#10;",
            "\\",
            "\"",
            "\\\"",
            "\x1b[2J",
            "\x1b[H\x1b[2J",
            "\x1b[31mred",
            "\x1b]0;title\x07",
            "\x1b]8;;http://a.example\x07link\x1b]8;;\x07",
            "\x1b]52;c;aGVsbG8=\x07",
            "\x1bP1$r\x1b\\",
            "\x1b[6n",
            "\x1b[?1049h",
            "\x1bc",
            "\x1b[1A\x1b[2K",
            "\x1b[0;0;",
            "\x1b[",
            "\x1b",
            "\u{9b}2J",
            "\u{9d}0;title\u{9c}",
            "\u{85}next",
            "\u{84}",
            "\u{90}q\u{9c}",
            "\u{2028}line",
            "\u{2029}paragraph",
            "a\u{2028}b\u{2029}c",
            "\u{202e}gnp.exe",
            "\u{202d}x\u{202c}",
            "\u{2066}a\u{2069}",
            "\u{2067}b",
            "\u{2068}c\u{2069}",
            "\u{200e}\u{200f}",
            "\u{61c}",
            "\u{feff}bom",
            "a\u{200b}b\u{200d}c",
            "\u{2060}\u{2064}",
            "\u{fff9}a\u{fffa}b\u{fffb}",
            "\u{e0041}\u{e007f}",
            "%s%s%s%n",
            "${jndi:ldap://a.example/x}",
            "$(reboot)",
            "`reboot`",
            "<script>alert(1)</script>",
            "{}{:?}{0}",
            "\u{1b}[38;5;196mcolour\u{1b}[0m",
            "ä\u{301}ö\u{0}ü",
        ]
        .map(str::to_owned)
        .into();
        texts.push("x".repeat(100_000));
        texts.push("\n".repeat(50_000));
        texts.push("\u{202e}\x1b[2J\r\n".repeat(3_000));
        texts
    }

    #[test]
    fn an_event_is_one_line_whatever_it_is_about() {
        let texts = hostile();
        assert!(texts.len() >= 60, "{}", texts.len());
        for format in FORMATS {
            for text in &texts {
                let written = written(format, text);
                let line = written.strip_suffix('\n').expect("it ends with its line");
                let bare =
                    if format == (Format::Text { colours: true }) { without_colours(line) } else { line.to_owned() };
                assert!(!bare.chars().any(moves), "{format:?} {text:?}: {line:?}");
                // Escapes make a text longer, but not endlessly so.
                assert!(
                    line.len() <= 8 * LINE,
                    "{format:?}: {} bytes of {:?}",
                    line.len(),
                    &text[..20.min(text.len())]
                );
                if format == Format::Json {
                    let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
                    assert_eq!(event["level"], "INFO", "{line}");
                    let said = event["plain"].as_str().unwrap_or_default();
                    assert!(said == text || text.len() > TEXT, "{said:?} was {text:?}");
                }
            }
        }
    }

    fn without_colours(line: &str) -> String {
        let mut rest = line;
        let mut bare = String::new();
        while let Some(c) = rest.chars().next() {
            let skip = colour(rest);
            bare.extend(skip.is_none().then_some(c));
            rest = &rest[skip.unwrap_or(c.len_utf8())..];
        }
        bare
    }

    #[test]
    fn secrets_are_replaced_and_what_names_them_is_not() {
        let key = "gbx_0123456789ab_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-AbCdE";
        for (text, secret, kept) in [
            (format!("the key {key} was shown"), &key[17..], "gbx_0123456789ab_[redacted] was shown"),
            (format!("authorization: Bearer {key}"), &key[17..], "authorization: Bearer"),
            (format!("/#ses_1&share={key}"), &key[17..], "ses_1"),
            ("sk-proj-abcdefghijklmnop1234".into(), "abcdefghijklmnop", "sk-[redacted]"),
            ("AKIAIOSFODNN7EXAMPLE is ours".into(), "IOSFODNN7EXAMPLE", "is ours"),
            ("ghp_0123456789abcdefghijABCDEFGHIJ012345".into(), "0123456789abcdef", "ghp_[redacted]"),
            ("Authorization: bearer eyJhbGciOi.eyJzdWIi.c2ln".into(), "eyJhbGciOi", "bearer [redacted]"),
            ("basic dXNlcjpwYXNzd29yZA==".into(), "dXNlcjpw", "basic [redacted]"),
            ("http://user:hunter22@proxy.example/x".into(), "hunter22", "http://[redacted]@proxy.example/x"),
            ("postgres://me:p%40ss@db/x?sslmode=off".into(), "p%40ss", "@db/x?sslmode=off"),
            (
                "/local/art_01a2/1763971200/00112233445566778899aabbccddeeff".into(),
                "00112233445566",
                "art_01a2/1763971200/[redacted]",
            ),
            ("https://s3.example/b?X-Amz-Signature=deadbeef01&x=1".into(), "deadbeef01", "[redacted]&x=1"),
            ("https://api.example/v1?key=abc123def&q=2".into(), "abc123def", "key=[redacted]&q=2"),
            ("https://a.example/?api_key=zzz999".into(), "zzz999", "api_key=[redacted]"),
        ] {
            for format in FORMATS {
                let written = written(format, &text);
                assert!(!written.contains(secret), "{format:?} {text}: {written}");
                assert!(written.contains(kept), "{format:?} {text}: {written}");
            }
        }
        // What only looks a little like one is what somebody has to read.
        for text in [
            "the bearer of news",
            "gbx_short",
            "a basic idea",
            "sketch-book",
            "monkey=3",
            "http://127.0.0.1:8080/x@y",
            "task-1-of-2",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }

    #[test]
    fn a_level_is_about_our_crates() {
        assert_eq!(directives("debug"), "warn,glovebox=debug,glovebox_runtime=debug,glovebox_media=debug");
        assert_eq!(directives("error"), "error");
        assert_eq!(directives("sqlx=debug,warn"), "sqlx=debug,warn");
    }
}
