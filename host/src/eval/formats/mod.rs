//! Problems in the shapes in which benchmarks are published; which one a line has, its fields tell.

mod functions;
mod plain;
mod programs;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::{Check, Flaw, Problem};

impl Problem {
    /// Reads a line: HumanEval(+), MBPP(+), EvalPlus, APPS, CodeContests, LiveCodeBench, DS-1000, or our own plain form.
    ///
    /// # Errors
    ///
    /// It is no JSON object, or none of these.
    pub fn read(line: &str) -> Result<Problem, Flaw> {
        let fields = Fields::read(line)?;
        let has = |name: &str| fields.0.contains_key(name);
        if has("code_context") {
            return data_science(&fields);
        }
        if has("base_input") && has("entry_point") {
            return functions::evalplus(&fields);
        }
        if has("test") && has("entry_point") && has("prompt") {
            return functions::humaneval(&fields);
        }
        if has("test_list") {
            return functions::mbpp(&fields);
        }
        if has("input_output") {
            return programs::apps(&fields);
        }
        if has("public_test_cases") {
            return programs::livecodebench(&fields);
        }
        if has("public_tests") {
            return programs::codecontests(&fields);
        }
        plain::plain(&fields)
    }
}

/// DS-1000.
fn data_science(fields: &Fields) -> Result<Problem, Flaw> {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(default)]
        library: String,
        problem_id: serde_json::Value,
    }
    let id = match fields.id(&["task_id", "id"]) {
        Ok(id) => id,
        Err(flaw) => {
            let metadata: Metadata = fields.parsed("metadata")?.ok_or(flaw)?;
            format!("{}/{}", metadata.library, metadata.problem_id).trim_start_matches('/').to_owned()
        }
    };
    let check = Check::DataScience { context: fields.needed("code_context")? };
    Ok(problem(id, fields.text("prompt")?.unwrap_or_default(), check))
}

/// A problem without the fields that few have.
fn problem(id: String, prompt: String, check: Check) -> Problem {
    Problem { id, prompt, entry_point: None, check, files: BTreeMap::new(), fuel: None, memory_mib: None }
}

/// The fields of a line. Their values stay text until they are needed: numbers of any size survive that way.
struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    fn read(line: &str) -> Result<Fields, Flaw> {
        serde_json::from_str(line).map(Fields).map_err(|error| {
            let what = if line.trim_start().starts_with('{') { "is not JSON" } else { "is not a JSON object" };
            Flaw::new(format!("{what}: {error}"))
        })
    }

    /// The JSON of a field.
    fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get()).filter(|text| *text != "null")
    }

    fn parsed<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Flaw> {
        let wrong = |error| Flaw::new(format!("has an unexpected `{name}`: {error}"));
        self.raw(name).map(|text| serde_json::from_str(text).map_err(wrong)).transpose()
    }

    fn text(&self, name: &str) -> Result<Option<String>, Flaw> {
        self.parsed(name)
    }

    fn needed(&self, name: &str) -> Result<String, Flaw> {
        self.text(name)?.ok_or_else(|| Flaw::new(format!("has no `{name}`")))
    }

    /// The first of these fields that is there: a text or a number.
    fn id(&self, names: &[&str]) -> Result<String, Flaw> {
        let raw = names.iter().find_map(|name| self.raw(name));
        let raw = raw.ok_or_else(|| Flaw::new(format!("has no id (`{}`)", names.join("`, `"))))?;
        let id = if raw.starts_with('"') { serde_json::from_str(raw).unwrap_or_default() } else { raw.to_owned() };
        if id.is_empty() || raw.starts_with(['{', '[']) {
            return Err(Flaw::new("has an id that is neither text nor number"));
        }
        Ok(id)
    }
}
