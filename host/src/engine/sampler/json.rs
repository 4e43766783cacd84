//! JSON: an array of records and JSON Lines are tables; anything else is described by its structure.
//!
//! Values are walked over as raw text and never built as a tree: a tree takes twenty times the memory of its text.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::Deserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::encoding::{self, TextEncoding, Utf8Reader};
use super::table::{MAX_COLUMNS, TableBuilder};
use super::text::PREVIEW;
use super::{Finding, Input, MAX_READ, clip};
use crate::engine::sample::Content;

/// Bytes of a document that is parsed as a whole.
const MAX_DOCUMENT: u64 = 64 * 1024 * 1024;
/// Bytes of one line of JSON Lines.
const MAX_LINE: u64 = 8 * 1024 * 1024;
/// Keys and levels of a structure that are described.
const MAX_KEYS: usize = 20;
const MAX_DEPTH: usize = 3;
const STRUCTURE: usize = 2_000;

/// True if it is worth trying.
pub fn begins_like_json(input: &Input, how: TextEncoding) -> bool {
    let head = &input.start[..input.start.len().min(1024)];
    let text = encoding::decode(head, how);
    text.trim_start().starts_with(['{', '[']) || input.is_named(&["json", "jsonl", "ndjson", "geojson"])
}

/// Samples JSON. The inner error says why the text is none.
pub fn sample(input: &Input, how: TextEncoding) -> io::Result<Result<Finding, String>> {
    if lines_of_records(input, how) {
        return lines(input, how);
    }
    if input.size > MAX_DOCUMENT {
        return Ok(Ok(too_large(input, how)));
    }
    let text = encoding::decode(&input.read_all(MAX_DOCUMENT)?, how);
    if let Err(error) = serde_json::from_str::<&RawValue>(&text) {
        return Ok(Err(error.to_string()));
    }
    let mut records = Records { table: TableBuilder::new(Vec::new(), b'.'), nested: 0, flattened: false, extra: false };
    let outcome = if text.trim_start().starts_with('[') {
        serde_json::Deserializer::from_str(&text).deserialize_seq(RecordArray { records: &mut records })
    } else {
        Ok(false)
    };
    if let Ok(true) = outcome {
        return Ok(Ok(records.finish("application/json", Vec::new(), false)));
    }
    let structure = clip_text(&structure(&text, 0), STRUCTURE);
    let preview = clip_text(&pretty(&text, PREVIEW), PREVIEW);
    Ok(Ok(Finding { media_type: "application/json", content: Content::Json { structure, preview }, notes: Vec::new() }))
}

fn clip_text(text: &str, most: usize) -> String {
    clip(text.as_bytes(), most, text.len() > most)
}

fn too_large(input: &Input, how: TextEncoding) -> Finding {
    let start = encoding::decode(&input.start[..input.start.len().min(4 * PREVIEW)], how);
    let kind = if start.trim_start().starts_with('[') { "array" } else { "object" };
    Finding {
        media_type: "application/json",
        content: Content::Json {
            structure: format!("{kind}, too large to be read ahead"),
            preview: clip_text(&pretty(&start, PREVIEW), PREVIEW),
        },
        notes: vec!["larger than 64 MiB: only its beginning was read".to_owned()],
    }
}

/// Records on their way into a table.
struct Records {
    table: TableBuilder,
    /// Cells that hold an array, or an object in an object.
    nested: u64,
    /// True if fields of an object in a record became columns.
    flattened: bool,
    extra: bool,
}

impl Records {
    /// Adds one record; false if `raw` is no object.
    fn push(&mut self, raw: &str) -> bool {
        if !raw.starts_with('{') {
            return false;
        }
        let mut fields = BTreeMap::new();
        let collect = FieldVisitor { records: self, fields: &mut fields, within: None };
        if serde_json::Deserializer::from_str(raw).deserialize_map(collect).is_err() {
            return false;
        }
        self.table.push(|i| fields.get(&i).map(|cell| cell.as_bytes()));
        true
    }

    fn finish(self, media_type: &'static str, mut notes: Vec<String>, estimated: bool) -> Finding {
        if self.extra {
            notes.push(format!(
                "the records have more than {MAX_COLUMNS} different keys; the first {MAX_COLUMNS} are described"
            ));
        }
        if self.flattened {
            notes.push(
                "fields of nested records are columns called `record.field`: pd.json_normalize(…, max_level=1) makes the same"
                    .to_owned(),
            );
        }
        if self.nested > 0 {
            notes.push(format!(
                "{} cells hold nested objects or arrays: pd.json_normalize flattens objects",
                self.nested
            ));
        }
        let (table, table_notes) = self.table.finish(estimated, None);
        notes.extend(table_notes);
        Finding { media_type, content: Content::Table(table), notes }
    }
}

/// Puts each element of an array into the table; the value is false if one is no object.
struct RecordArray<'a> {
    records: &'a mut Records,
}

impl<'de> Visitor<'de> for RecordArray<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        let mut all = true;
        let mut any = false;
        // After the first element that is no record the rest is only walked over.
        while let Some(raw) = elements.next_element::<&RawValue>()? {
            all = all && self.records.push(raw.get());
            any = true;
        }
        Ok(all && any)
    }
}

/// Sorts the fields of one record by column.
struct FieldVisitor<'a, 'b> {
    records: &'a mut Records,
    fields: &'a mut BTreeMap<usize, Cow<'b, str>>,
    /// The key of the record that these fields belong to, if it is one in a record.
    within: Option<&'a str>,
}

impl<'de: 'b, 'b> Visitor<'de> for FieldVisitor<'_, 'b> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, raw)) = map.next_entry::<String, &'de RawValue>()? {
            let key = clip_text(&key, 200);
            let key = self.within.map_or_else(|| key.clone(), |outer| format!("{outer}.{key}"));
            // One level only: how deep a hostile document is nested doesn't matter then.
            if self.within.is_none() && raw.get().starts_with('{') {
                let inner = FieldVisitor { records: self.records, fields: self.fields, within: Some(&key) };
                if serde_json::Deserializer::from_str(raw.get()).deserialize_map(inner).is_ok() {
                    self.records.flattened = true;
                    continue;
                }
            }
            let Some(column) = self.records.table.column(&key) else {
                self.records.extra = true;
                continue;
            };
            let raw = raw.get();
            match raw.as_bytes().first() {
                Some(b'n') => {}
                Some(b'"') => {
                    let text = serde_json::from_str::<String>(raw).unwrap_or_default();
                    self.fields.insert(column, Cow::Owned(text));
                }
                first => {
                    self.records.nested += u64::from(matches!(first, Some(b'{' | b'[')));
                    self.fields.insert(column, Cow::Borrowed(raw));
                }
            }
        }
        Ok(())
    }
}

/// True if the file's first line is a whole record and more follows.
fn lines_of_records(input: &Input, how: TextEncoding) -> bool {
    let text = encoding::decode(&input.start, how);
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let is_record = |line: &str| line.starts_with('{') && serde_json::from_str::<&RawValue>(line).is_ok();
    let Some(first) = lines.next() else { return false };
    let named = input.is_named(&["jsonl", "ndjson"]);
    is_record(first) && (named || lines.next().is_some_and(|l| l.starts_with('{')))
}

/// JSON Lines, streamed.
fn lines(input: &Input, how: TextEncoding) -> io::Result<Result<Finding, String>> {
    let mut records = Records { table: TableBuilder::new(Vec::new(), b'.'), nested: 0, flattened: false, extra: false };
    let mut notes = Vec::new();
    let mut reader = BufReader::with_capacity(256 * 1024, Utf8Reader::new(input.reader(how.bom as u64)?, how));
    let (mut line, mut number, mut broken, mut first_broken) = (Vec::new(), 0_u64, 0_u64, 0_u64);
    let mut stopped = input.size > MAX_READ;
    loop {
        line.clear();
        match (&mut reader).take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                notes.push(format!("line {} is not UTF-8: reading stopped near there", number + 1));
                stopped = true;
                break;
            }
            Err(error) => return Err(error),
        }
        number += 1;
        if line.len() as u64 == MAX_LINE {
            notes.push(format!("line {number} is longer than 8 MiB: reading stopped there"));
            stopped = true;
            break;
        }
        let text = String::from_utf8_lossy(line.trim_ascii());
        let whole = text.is_empty() || (serde_json::from_str::<&RawValue>(&text).is_ok() && records.push(&text));
        if !whole {
            first_broken = if broken == 0 { number } else { first_broken };
            broken += 1;
        }
    }
    if broken > 0 {
        notes.push(format!("{broken} lines are no JSON records, first line {first_broken}"));
    }
    notes.insert(0, "JSON Lines: read it with pd.read_json(…, lines=True)".to_owned());
    Ok(Ok(records.finish("application/x-ndjson", notes, stopped)))
}

/// The shape of a value in words, such as `object with 2 keys: a (number), b (array of 3 strings)`.
fn structure(raw: &str, depth: usize) -> String {
    let mut parts = Parts::default();
    let raw = raw.trim_start();
    match raw.as_bytes().first() {
        Some(b'{') => {
            if serde_json::Deserializer::from_str(raw).deserialize_map(&mut parts).is_err() {
                return "object".to_owned();
            }
            if depth == MAX_DEPTH || parts.count == 0 {
                return format!("object with {} keys", parts.count);
            }
            let mut keys: Vec<String> =
                parts.kept.iter().map(|(k, v)| format!("{} ({})", clip_text(k, 60), structure(v, depth + 1))).collect();
            if parts.count > MAX_KEYS {
                keys.push(format!("… {} more", parts.count - MAX_KEYS));
            }
            format!(
                "object with {} {}: {}",
                parts.count,
                if parts.count == 1 { "key" } else { "keys" },
                keys.join(", ")
            )
        }
        Some(b'[') => {
            if serde_json::Deserializer::from_str(raw).deserialize_seq(&mut parts).is_err() {
                return "array".to_owned();
            }
            let Some((_, first)) = parts.kept.first() else { return "empty array".to_owned() };
            let uniform = parts.kinds.len() == 1;
            if uniform && first.starts_with(['{', '[']) && depth < MAX_DEPTH {
                format!("array of {} × {}", parts.count, structure(first, depth + 1))
            } else {
                let kinds: Vec<String> = parts.kinds.iter().map(|k| format!("{k}s")).collect();
                format!("array of {} {}", parts.count, kinds.join(", "))
            }
        }
        _ => kind(raw).to_owned(),
    }
}

fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        _ => "number",
    }
}

/// The members of an object or array: how many, of which kinds, and the first of them.
#[derive(Default)]
struct Parts<'de> {
    count: usize,
    kinds: std::collections::BTreeSet<&'static str>,
    kept: Vec<(String, &'de str)>,
}

impl<'de> Parts<'de> {
    fn add(&mut self, key: String, raw: &'de RawValue) {
        self.count += 1;
        self.kinds.insert(kind(raw.get()));
        if self.kept.len() < MAX_KEYS {
            self.kept.push((key, raw.get()));
        }
    }
}

impl<'de> Visitor<'de> for &mut Parts<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(raw) = elements.next_element::<&'de RawValue>()? {
            self.add(String::new(), raw);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, raw)) = map.next_entry::<String, &'de RawValue>()? {
            self.add(key, raw);
        }
        Ok(())
    }
}

/// The beginning of `text`, indented, about `most` bytes of it.
fn pretty(text: &str, most: usize) -> String {
    let mut out = String::new();
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', 2 * depth.min(20)));
    };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if out.len() > most {
            break;
        }
        if quoted {
            out.push(c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
                if let Some(close) = chars.next_if(|c| matches!(c, '}' | ']')) {
                    out.push(close);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_ascii_whitespace() => {}
            c => {
                quoted = c == '"';
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_put_into_words() {
        assert_eq!(
            structure(r#"{"a": 1, "b": [{"x": null}, {"x": 2}], "c": []}"#, 0),
            "object with 3 keys: a (number), b (array of 2 × object with 1 key: x (null)), c (empty array)"
        );
        assert_eq!(structure("[1, \"a\", 2]", 0), "array of 3 numbers, strings");
    }

    #[test]
    fn fields_of_nested_records_are_columns() {
        let mut records =
            Records { table: TableBuilder::new(Vec::new(), b'.'), nested: 0, flattened: false, extra: false };
        assert!(records.push(r#"{"id": 1, "at": {"lat": 1.5, "deep": {"x": 1}}, "tags": [1]}"#));
        assert!(records.push(r#"{"id": 2, "at": {"lat": 2.5}}"#));
        let finding = records.finish("application/json", Vec::new(), false);
        let Content::Table(table) = finding.content else { panic!("no table") };
        let columns: Vec<_> = table.columns.iter().map(|c| (c.name.as_str(), c.missing, c.mean)).collect();
        assert_eq!(columns, [("id", 0, Some(1.5)), ("at.lat", 0, Some(2.0)), ("at.deep", 1, None), ("tags", 1, None)]);
        assert!(finding.notes[0].contains("max_level=1") && finding.notes[1].starts_with("2 cells"));
    }

    #[test]
    fn pretty_printing_leaves_strings_alone() {
        assert_eq!(
            pretty(r#"{"a":[1,2],"b{,":"x\"}:"}"#, 1000),
            "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b{,\": \"x\\\"}:\"\n}"
        );
    }
}
