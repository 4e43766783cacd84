//! JSON replies: `{"code": …}`, tool calls, and what nearly is JSON. Bounded work for any text.

use serde_json::Value;

const PROGRAM_KEYS: [&str; 6] = ["code", "program", "python", "source", "script", "source_code"];
const TEXT_KEYS: [&str; 5] = ["explanation", "answer", "text", "markdown", "message"];
const SUGGESTION_KEYS: [&str; 5] = ["suggestions", "next_questions", "questions", "follow_ups", "follow_up_questions"];
const ALTERNATIVE_KEYS: [&str; 5] = ["alternatives", "programs", "candidates", "options", "suggested_programs"];
const TITLE_KEYS: [&str; 5] = ["title", "name", "description", "label", "explanation"];
/// Levels of nesting that are searched.
const MAX_DEPTH: usize = 6;
/// Opening braces from which an object is tried.
const MAX_TRIES: usize = 32;

/// What an object holds.
#[derive(Default)]
pub(super) struct Found {
    pub(super) program: Option<String>,
    pub(super) text: Option<String>,
    pub(super) suggestions: Vec<String>,
    /// Title and source text of programs in a list.
    pub(super) alternatives: Vec<(String, String)>,
}

/// A text that is one JSON object with a program or a text in it, and nothing else.
pub(super) fn whole(text: &str) -> Option<Found> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let value = serde_json::from_str::<Value>(text).or_else(|_| serde_json::from_str(&relaxed(text))).ok()?;
    let mut found = read(&value);
    if found.program.is_none() && !found.alternatives.is_empty() {
        found.program = Some(found.alternatives.remove(0).1);
    }
    (found.program.is_some() || found.text.is_some()).then_some(found)
}

/// The first JSON object with a program within a text.
pub(super) fn within(text: &str) -> Option<Found> {
    text.match_indices('{').take(MAX_TRIES).find_map(|(at, _)| {
        let rest = &text[at..];
        let value = first_value(rest).or_else(|| first_value(&relaxed(rest)))?;
        Some(read(&value)).filter(|found| found.program.is_some())
    })
}

fn first_value(text: &str) -> Option<Value> {
    serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()
}

fn read(value: &Value) -> Found {
    let strings = |value: &Value| match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).take(16).map(str::to_owned).collect(),
        Value::String(text) => text.lines().take(16).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Found {
        program: search(value, &PROGRAM_KEYS, MAX_DEPTH),
        text: TEXT_KEYS.iter().find_map(|key| value.get(key)?.as_str()).map(str::to_owned),
        suggestions: SUGGESTION_KEYS.iter().find_map(|key| value.get(key)).map(strings).unwrap_or_default(),
        alternatives: ALTERNATIVE_KEYS
            .iter()
            .find_map(|key| value.get(key)?.as_array())
            .map(|items| listed(items.as_slice()))
            .unwrap_or_default(),
    }
}

/// The programs of a list of source texts, or of objects with one each.
fn listed(items: &[Value]) -> Vec<(String, String)> {
    let program = |item: &Value| match item {
        Value::String(text) => Some((String::new(), text.clone())),
        item => {
            let title = TITLE_KEYS.iter().find_map(|key| item.get(key)?.as_str()).unwrap_or_default();
            Some((title.to_owned(), search(item, &PROGRAM_KEYS, MAX_DEPTH)?))
        }
    };
    items.iter().take(16).filter_map(program).collect()
}

/// The first string under one of the keys, also inside of arguments that are JSON in a string.
fn search(value: &Value, keys: &[&str], depth: usize) -> Option<String> {
    if depth == 0 {
        return None;
    }
    match value {
        Value::Object(fields) => {
            let text = |key: &&str| fields.get(*key).and_then(lines).filter(|text| !text.trim().is_empty());
            keys.iter().find_map(text).or_else(|| fields.values().find_map(|inner| search(inner, keys, depth - 1)))
        }
        Value::Array(items) => items.iter().find_map(|inner| search(inner, keys, depth - 1)),
        Value::String(text) if text.trim_start().starts_with('{') => {
            search(&serde_json::from_str(text).ok()?, keys, depth - 1)
        }
        _ => None,
    }
}

/// A string, or an array of lines.
fn lines(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => {
            items.iter().map(|line| line.as_str().map(|l| l.trim_end_matches('\n').to_owned() + "\n")).collect()
        }
        _ => None,
    }
}

/// Escapes the line breaks and tabs that models leave raw inside of JSON strings.
fn relaxed(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut inside = false;
    let mut escaped = false;
    for c in text.chars() {
        match c {
            '\n' if inside => out.push_str("\\n"),
            '\t' if inside => out.push_str("\\t"),
            c if inside && c.is_control() => {}
            c => out.push(c),
        }
        inside ^= c == '"' && !escaped;
        escaped = inside && c == '\\' && !escaped;
    }
    out
}
