//! Benchmarks of functions: HumanEval, MBPP, and EvalPlus' larger tests for both.

use std::collections::BTreeMap;

use super::{Fields, problem};
use crate::eval::completion::ahead_of;
use crate::eval::{Calls, Check, Flaw, Problem, Tests};

/// HumanEval and HumanEval+ with test code.
pub(super) fn humaneval(fields: &Fields) -> Result<Problem, Flaw> {
    let id = fields.id(&["task_id", "id"])?;
    let (prompt, entry) = (fields.needed("prompt")?, fields.needed("entry_point")?);
    // Some tests use helpers that the prompt defines. The function itself is the sample's in any case.
    let solution = fields.text("canonical_solution")?.unwrap_or_default();
    let tests = Tests {
        code: fields.needed("test")?,
        preludes: vec![
            format!("{prompt}{solution}"),
            format!("{prompt}\n    pass\n"),
            ahead_of(&prompt, &entry).to_owned(),
        ],
        check: true,
        ..Tests::default()
    };
    Ok(Problem { entry_point: Some(entry), ..problem(id, prompt, Check::Tests(tests)) })
}

/// MBPP, sanitised and full, and MBPP+ with test code.
pub(super) fn mbpp(fields: &Fields) -> Result<Problem, Flaw> {
    let id = fields.id(&["task_id", "id"])?;
    let prompt = match fields.text("text")? {
        Some(text) => text,
        None => fields.needed("prompt")?,
    };
    let list: Vec<String> = fields.parsed("test_list")?.unwrap_or_default();
    let code = fields.text("test")?.unwrap_or_else(|| list.join("\n"));
    if code.trim().is_empty() {
        return Err(Flaw::new("has no tests in `test_list`"));
    }
    let imports: Vec<String> = fields.parsed("test_imports")?.unwrap_or_default();
    let setup = format!("{}\n{}", imports.join("\n"), fields.text("test_setup_code")?.unwrap_or_default());
    let tests = Tests { code, setup: setup.trim().to_owned(), ..Tests::default() };
    Ok(problem(id, prompt, Check::Tests(tests)))
}

/// EvalPlus' own form: inputs, and a solution that gives the expected answers.
pub(super) fn evalplus(fields: &Fields) -> Result<Problem, Flaw> {
    let id = fields.id(&["task_id", "id"])?;
    let (prompt, entry) = (fields.needed("prompt")?, fields.needed("entry_point")?);
    let solution = fields.needed("canonical_solution")?;
    // MBPP+ has the whole program there.
    let reference = if solution.contains(&format!("def {entry}(")) { solution } else { format!("{prompt}{solution}") };
    let lists = [fields.raw("base_input"), fields.raw("plus_input")].into_iter().flatten();
    let inputs = join_lists(lists).ok_or_else(|| Flaw::new("has a `base_input` or `plus_input` that is no list"))?;
    if inputs == "[]" {
        return Err(Flaw::new("has no inputs"));
    }
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let cases = BTreeMap::from([("inputs", inputs), ("reference", json(&reference))]);
    let tolerance = fields.parsed("atol")?;
    let calls = Calls { cases, compare: "evalplus", tolerance: Some(tolerance.unwrap_or(0.0)) };
    Ok(Problem { entry_point: Some(entry), ..problem(id, prompt, Check::Calls(calls)) })
}

/// The JSON of one list with the elements of all.
fn join_lists<'a>(lists: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut elements = Vec::new();
    for list in lists {
        let inner = list.trim().strip_prefix('[')?.strip_suffix(']')?.trim();
        if !inner.is_empty() {
            elements.push(inner);
        }
    }
    Some(format!("[{}]", elements.join(",")))
}
