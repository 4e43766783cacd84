//! Benchmarks of whole programs, which read standard input: APPS, CodeContests, LiveCodeBench. Some of their problems ask
//! for a function instead.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Fields, problem};
use crate::eval::{Calls, Case, Check, Comparison, Flaw, Problem, Stdio};

/// Bytes of the tests of one problem.
const MAX_TESTS: u64 = 256 << 20;

/// APPS.
pub(super) fn apps(fields: &Fields) -> Result<Problem, Flaw> {
    #[derive(Deserialize)]
    struct Cases {
        inputs: Vec<Value>,
        outputs: Vec<Value>,
        fn_name: Option<String>,
    }
    let id = fields.id(&["problem_id", "task_id", "id"])?;
    let prompt = fields.text("question")?.unwrap_or_default();
    let text = match fields.raw("input_output") {
        Some(raw) if raw.starts_with('"') => fields.needed("input_output")?,
        Some(raw) => raw.to_owned(),
        None => String::new(),
    };
    let cases: Cases =
        serde_json::from_str(&text).map_err(|error| Flaw::new(format!("has an unexpected `input_output`: {error}")))?;
    if cases.inputs.len() != cases.outputs.len() || cases.inputs.is_empty() {
        return Err(Flaw::new(format!("has {} inputs and {} outputs", cases.inputs.len(), cases.outputs.len())));
    }
    let pairs = cases.inputs.into_iter().zip(cases.outputs);
    let Some(entry) = cases.fn_name else {
        let cases = pairs.map(|(input, output)| Case { stdin: lines(&input), expected: lines(&output) }).collect();
        return Ok(problem(id, prompt, programs(cases)));
    };
    // The answer stands alone in a list.
    let answer = |output: Value| match output {
        Value::Array(mut list) if list.len() == 1 => list.remove(0),
        output => output,
    };
    let cases: Vec<_> = pairs.map(|(input, output)| json!({ "args": input, "expected": answer(output) })).collect();
    Ok(function(id, prompt, entry, &cases))
}

/// CodeContests.
pub(super) fn codecontests(fields: &Fields) -> Result<Problem, Flaw> {
    #[derive(Deserialize)]
    struct Cases {
        input: Vec<String>,
        output: Vec<String>,
    }
    let id = fields.id(&["name", "task_id", "id"])?;
    let mut cases = Vec::new();
    for name in ["public_tests", "private_tests", "generated_tests"] {
        let Some(found) = fields.parsed::<Cases>(name)? else { continue };
        if found.input.len() != found.output.len() {
            return Err(Flaw::new(format!("has a `{name}` with other numbers of inputs and outputs")));
        }
        let pairs = found.input.into_iter().zip(found.output);
        cases.extend(pairs.map(|(stdin, expected)| Case { stdin, expected }));
    }
    if cases.is_empty() {
        return Err(Flaw::new("has no tests"));
    }
    Ok(problem(id, fields.text("description")?.unwrap_or_default(), programs(cases)))
}

/// LiveCodeBench, whose private tests are text, or text that was pickled, compressed and encoded.
pub(super) fn livecodebench(fields: &Fields) -> Result<Problem, Flaw> {
    #[derive(Deserialize)]
    struct Test {
        input: String,
        output: String,
        testtype: String,
    }
    let id = fields.id(&["question_id", "task_id", "id"])?;
    let mut tests: Vec<Test> = Vec::new();
    for name in ["public_test_cases", "private_test_cases"] {
        let text = match fields.raw(name) {
            None => continue,
            Some(raw) if raw.starts_with('[') => raw.to_owned(),
            Some(_) => fields.needed(name)?,
        };
        let text = if text.trim_start().starts_with('[') { text } else { unpacked(&text, name)? };
        let found: Vec<Test> =
            serde_json::from_str(&text).map_err(|error| Flaw::new(format!("has an unexpected `{name}`: {error}")))?;
        tests.extend(found);
    }
    let prompt = fields.text("question_content")?.unwrap_or_default();
    let first = tests.first().ok_or_else(|| Flaw::new("has no tests"))?;
    if first.testtype != "functional" {
        let cases = tests.into_iter().map(|test| Case { stdin: test.input, expected: test.output }).collect();
        return Ok(problem(id, prompt, programs(cases)));
    }
    #[derive(Deserialize)]
    struct Metadata {
        func_name: Option<String>,
    }
    let metadata = match fields.raw("metadata") {
        Some(raw) if raw.starts_with('"') => fields.needed("metadata")?,
        raw => raw.unwrap_or("{}").to_owned(),
    };
    let metadata: Metadata =
        serde_json::from_str(&metadata).map_err(|error| Flaw::new(format!("has an unexpected `metadata`: {error}")))?;
    let entry = metadata.func_name.ok_or_else(|| Flaw::new("has no `func_name` in its `metadata`"))?;
    let cases: Vec<_> = tests.iter().map(|test| json!({ "lines": test.input, "answer": test.output })).collect();
    Ok(function(id, prompt, entry, &cases))
}

fn programs(cases: Vec<Case>) -> Check {
    Check::Stdio(Stdio { cases, compare: Comparison::Whitespace })
}

fn function(id: String, prompt: String, entry: String, cases: &[Value]) -> Problem {
    let cases = BTreeMap::from([("cases", Value::from(cases).to_string())]);
    let calls = Calls { cases, compare: "exact", tolerance: None };
    Problem { entry_point: Some(entry), ..problem(id, prompt, Check::Calls(calls)) }
}

/// Input and output are text, or a list of lines.
fn lines(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(lines).collect::<Vec<_>>().join("\n"),
        other => other.to_string(),
    }
}

/// base64 of zlib of a pickle that holds nothing but one text.
fn unpacked(text: &str, name: &str) -> Result<String, Flaw> {
    let wrong = |what: &str| Flaw::new(format!("has a `{name}` that is neither JSON nor packed JSON ({what})"));
    let packed = base64::engine::general_purpose::STANDARD.decode(text.trim()).map_err(|_| wrong("no base64"))?;
    let mut pickle = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice())
        .take(MAX_TESTS)
        .read_to_end(&mut pickle)
        .map_err(|_| wrong("no zlib"))?;
    pickled_text(&pickle).ok_or_else(|| wrong("no pickled text"))
}

/// The text in a pickle of a text. Nothing of it is executed.
fn pickled_text(pickle: &[u8]) -> Option<String> {
    let mut rest = pickle;
    loop {
        let (code, after) = rest.split_first()?;
        rest = match code {
            // PROTO, FRAME
            0x80 => after.get(1..)?,
            0x95 => after.get(8..)?,
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8
            0x8c | b'X' | 0x8d => {
                let width = match code {
                    0x8c => 1,
                    b'X' => 4,
                    _ => 8,
                };
                let mut length = [0; 8];
                length[..width].copy_from_slice(after.get(..width)?);
                let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
                let text = after.get(width..width.checked_add(length)?)?;
                return String::from_utf8(text.to_vec()).ok();
            }
            _ => return None,
        };
    }
}
