//! Our own form: `id` with `tests`, or `cases`, or `stdin` and `expected`; see docs/eval.md.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Fields, problem};
use crate::eval::{Calls, Case, Check, Comparison, Flaw, Problem, Stdio, Tests};

#[derive(Deserialize)]
#[serde(untagged)]
enum AnyCase {
    Stdio { stdin: String, expected: String },
    Call { args: Value },
}

pub(super) fn plain(fields: &Fields) -> Result<Problem, Flaw> {
    let id = fields.id(&["id", "problem", "task_id"])?;
    let prompt = fields.text("prompt")?.unwrap_or_default();
    let entry_point = fields.text("entry_point")?;
    let problem = Problem {
        entry_point: entry_point.clone(),
        files: fields.parsed::<BTreeMap<String, String>>("files")?.unwrap_or_default(),
        fuel: fields.parsed("fuel")?,
        memory_mib: fields.parsed("memory_mib")?,
        ..problem(id, prompt, check(fields, entry_point.is_some())?)
    };
    match problem.files.keys().find(|name| !safe(name)) {
        Some(name) => Err(Flaw::new(format!("has a file with the name {name:?}, which is not a plain name"))),
        None => Ok(problem),
    }
}

fn check(fields: &Fields, function: bool) -> Result<Check, Flaw> {
    let compare = fields.text("compare")?;
    let tolerance: Option<f64> = fields.parsed("tolerance")?;
    if let Some(code) = fields.text("tests")? {
        let fixture = fields.text("setup")?.unwrap_or_default();
        return Ok(Check::Tests(Tests { code, fixture, collect: true, ..Tests::default() }));
    }
    if let (Some(stdin), Some(expected)) = (fields.raw("stdin"), fields.raw("expected")) {
        let texts = (serde_json::from_str(stdin), serde_json::from_str(expected));
        let (Ok(stdin), Ok(expected)) = texts else {
            return Err(Flaw::new("has a `stdin` or an `expected` that is no text"));
        };
        return stdio(vec![Case { stdin, expected }], compare.as_deref(), tolerance, fields);
    }
    let Some(raw) = fields.raw("cases") else {
        return Err(Flaw::new("has neither `tests` nor `cases` nor `stdin` with `expected`"));
    };
    let cases: Vec<AnyCase> = fields.parsed("cases")?.unwrap_or_default();
    let mut inputs = Vec::new();
    let mut calls = 0;
    for case in cases {
        match case {
            AnyCase::Stdio { stdin, expected } => inputs.push(Case { stdin, expected }),
            AnyCase::Call { args } if args.is_array() => calls += 1,
            AnyCase::Call { .. } => return Err(Flaw::new("has a case whose `args` are no list")),
        }
    }
    if calls == 0 && !inputs.is_empty() {
        return stdio(inputs, compare.as_deref(), tolerance, fields);
    }
    if calls == 0 || !inputs.is_empty() || !function {
        return Err(Flaw::new("needs `cases` of one kind: `stdin` and `expected`, or, with `entry_point`, `args`"));
    }
    let compare = match compare.as_deref() {
        None | Some("exact") => "exact",
        Some("float") => "float",
        Some("unordered") => "unordered",
        Some(other) => return Err(Flaw::new(format!("has an unknown `compare`: {other}"))),
    };
    Ok(Check::Calls(Calls { cases: BTreeMap::from([("cases", raw.to_owned())]), compare, tolerance }))
}

fn stdio(cases: Vec<Case>, compare: Option<&str>, tolerance: Option<f64>, fields: &Fields) -> Result<Check, Flaw> {
    let compare = match (compare, fields.text("checker")?) {
        (None | Some("checker"), Some(code)) => Comparison::Checker { code },
        (None | Some("whitespace"), None) => Comparison::Whitespace,
        (Some("exact"), None) => Comparison::Exact,
        (Some("float"), None) => Comparison::Float { tolerance: tolerance.unwrap_or(1e-6) },
        (Some("unordered"), None) => Comparison::Unordered,
        (Some(other), _) => return Err(Flaw::new(format!("has an unknown `compare`: {other}"))),
    };
    Ok(Check::Stdio(Stdio { cases, compare }))
}

/// A name for a file beside the program.
fn safe(name: &str) -> bool {
    !name.is_empty() && name.len() < 200 && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}
