//! Completion: one sample of a model, and the program that it stands for.

use serde::Deserialize;
use serde_json::Value;

use super::{Check, Flaw, Problem};
use crate::engine::extract::extract;

/// Bytes of a completion that are read.
const MAX_BYTES: usize = 1 << 20;

/// One sample of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Id of the problem.
    pub problem: String,
    /// Its number among the problem's samples, if the line says so.
    pub sample: Option<u64>,
    /// What the model wrote.
    pub text: String,
    /// How it is to be read.
    pub kind: CompletionKind,
}

/// How a completion is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompletionKind {
    /// It goes on where the prompt ends.
    Continuation,
    /// It is a whole program.
    Program,
}

impl Completion {
    /// Reads a line: `task_id` or `problem` or `id`; `completion`, or `solution`, `code` or `program`; `sample` if there is one.
    ///
    /// # Errors
    ///
    /// It is no JSON object, or has no such fields.
    pub fn read(line: &str) -> Result<Completion, Flaw> {
        let value: Value = serde_json::from_str(line).map_err(|error| Flaw::new(format!("is not JSON: {error}")))?;
        let Value::Object(fields) = value else { return Err(Flaw::new("is not a JSON object")) };
        let problem = ["task_id", "problem", "problem_id", "question_id", "id"]
            .iter()
            .find_map(|name| match fields.get(*name) {
                Some(Value::String(id)) => Some(id.clone()),
                Some(Value::Number(id)) => Some(id.to_string()),
                _ => None,
            })
            .ok_or_else(|| Flaw::new("names no problem (`task_id`, `problem` or `id`)"))?;
        let kinds = [
            ("completion", CompletionKind::Continuation),
            ("solution", CompletionKind::Program),
            ("code", CompletionKind::Program),
            ("program", CompletionKind::Program),
        ];
        let (text, kind) = kinds
            .iter()
            .find_map(|(name, kind)| match fields.get(*name) {
                Some(Value::String(text)) => Some((text.clone(), *kind)),
                // A model that gave nothing.
                Some(Value::Null) => Some((String::new(), *kind)),
                _ => None,
            })
            .ok_or_else(|| Flaw::new("has no text (`completion`, `solution` or `code`)"))?;
        if text.len() > MAX_BYTES {
            return Err(Flaw::new(format!("is longer than {} KiB", MAX_BYTES >> 10)));
        }
        let sample = ["sample", "sample_id", "completion_id"].iter().find_map(|name| fields.get(*name)?.as_u64());
        Ok(Completion { problem, sample, text, kind })
    }

    /// The program to be judged; `None` if there is none.
    #[must_use]
    pub fn program(&self, problem: &Problem) -> Option<String> {
        if self.text.trim().is_empty() {
            return None;
        }
        let fenced = self.text.contains("```");
        let code = if fenced { extract(&self.text).program? } else { self.text.clone() };
        // DS-1000's own code puts the solution into its place.
        if matches!(problem.check, Check::DataScience { .. }) || problem.prompt.is_empty() {
            return Some(code);
        }
        let defines = |text: &str, name: &str| {
            let heads = [format!("def {name}("), format!("async def {name}("), format!("class {name}")];
            text.lines().any(|line| heads.iter().any(|head| line.starts_with(head.as_str())))
        };
        match (&problem.entry_point, self.kind) {
            (_, CompletionKind::Program) => Some(code),
            // The whole function again, as chat models give it: below the imports and helpers of the prompt.
            (Some(entry), CompletionKind::Continuation) if defines(&code, entry) => {
                Some(format!("{}\n{code}", ahead_of(&problem.prompt, entry)))
            }
            (Some(entry), CompletionKind::Continuation) if defines(&problem.prompt, entry) => {
                Some(format!("{}{code}", problem.prompt))
            }
            _ => Some(code),
        }
    }
}

/// What a prompt holds before the function that is to be written.
pub(super) fn ahead_of<'a>(prompt: &'a str, entry: &str) -> &'a str {
    let head = format!("def {entry}(");
    let at = if prompt.starts_with(&head) { Some(0) } else { prompt.find(&format!("\n{head}")).map(|at| at + 1) };
    at.map_or("", |at| &prompt[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Problem {
        let line = r#"{"task_id": "T/0", "prompt": "import math\n\ndef half(x):\n    \"\"\"Half of x.\"\"\"\n",
            "entry_point": "half", "canonical_solution": "    return x / 2\n", "test": "def check(candidate):\n    assert candidate(2) == 1\n"}"#;
        Problem::read(line).expect("a problem")
    }

    fn program(fields: &str) -> Option<String> {
        let line = format!(r#"{{"task_id": "T/0", {fields}}}"#);
        Completion::read(&line).expect("a completion").program(&problem())
    }

    #[test]
    fn a_continuation_goes_below_the_prompt_and_a_whole_function_below_its_imports() {
        let prompt = problem().prompt;
        assert_eq!(program(r#""completion": "    return x / 2""#), Some(format!("{prompt}    return x / 2")));
        let whole = program(r#""completion": "def half(x):\n    return x / 2""#).expect("a program");
        assert_eq!(whole, "import math\n\n\ndef half(x):\n    return x / 2");
        let fenced = program(r#""completion": "Sure:\n```python\ndef half(x):\n    return x / 2\n```\nDone.""#);
        assert_eq!(fenced.map(|text| text.trim_end().to_owned()), Some(whole));
        assert_eq!(program(r#""solution": "half = lambda x: x / 2""#).as_deref(), Some("half = lambda x: x / 2"));
    }

    #[test]
    fn nothing_is_no_program_and_a_line_without_a_problem_is_a_flaw() {
        assert_eq!(program(r#""completion": "  \n""#), None);
        assert_eq!(program(r#""completion": null"#), None);
        assert_eq!(program(r#""completion": "I cannot. ```\n```""#), None);
        for (line, says) in [
            ("{", "is not JSON"),
            ("[]", "not a JSON object"),
            (r#"{"completion": "x"}"#, "names no problem"),
            (r#"{"task_id": "a"}"#, "has no text"),
        ] {
            let flaw = Completion::read(line).expect_err(line).to_string();
            assert!(flaw.contains(says), "{flaw}");
        }
    }
}
