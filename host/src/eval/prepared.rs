//! Prepared: what all samples of a problem share, written once as set-up programs for the workers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use glovebox_runtime::{Echo, Program, hex};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Check, Problem, completion};

/// Modules of both sides.
const WIRE: [(&str, &str); 2] =
    [("_glovebox_wire", include_str!("guest/wire.py")), ("_glovebox_science", include_str!("guest/science.py"))];
const SUBJECT: (&str, &str) = ("_glovebox_subject", include_str!("guest/subject.py"));
const COMPARE: (&str, &str) = ("_glovebox_compare", include_str!("guest/compare.py"));
const JUDGE: (&str, &str) = ("_glovebox_judge", include_str!("guest/judge.py"));
/// Makes modules of the texts on standard input.
const LOADER: &str = "\
import json, sys, types
def load(name, text):
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, name + '.py', 'exec', dont_inherit=True), module.__dict__)
with open(0, 'rb', closefd=False) as file:
    modules = json.loads(file.read())
for module in modules:
    load(*module)
del load, modules, module, file, json, sys, types
";

/// The set-ups of a problem, as files.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) subject: Vec<PathBuf>,
    pub(super) judge: Vec<PathBuf>,
}

/// Where set-ups are written, each once under its hash.
pub(super) struct Shelf {
    dir: tempfile::TempDir,
    subject: PathBuf,
    judge: PathBuf,
    /// Those of the problems that came last.
    recent: Mutex<BTreeMap<String, Prepared>>,
}

/// Problems whose set-ups are remembered; others are hashed again.
const REMEMBERED: usize = 256;

impl Shelf {
    /// An empty one in a new directory in `dir`.
    pub(super) fn new(dir: &Path) -> std::io::Result<Shelf> {
        let dir = tempfile::Builder::new().prefix("glovebox-eval-").tempdir_in(dir)?;
        let load = |modules: &[(&str, &str)]| program(LOADER, &json!(modules));
        let subject = write(dir.path(), &load(&[WIRE[0], WIRE[1], SUBJECT]))?;
        let judge = write(dir.path(), &load(&[WIRE[0], WIRE[1], COMPARE, JUDGE]))?;
        Ok(Shelf { dir, subject, judge, recent: Mutex::default() })
    }

    /// Its directory.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The set-ups of a problem that is judged by calls.
    pub(super) fn prepare(&self, problem: &Problem) -> std::io::Result<Option<Prepared>> {
        let Some((subject, judge)) = requests(problem) else { return Ok(None) };
        let mut recent = self.recent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Problems of the same name may differ: two evaluations can run at once.
        let key = digest(format!("{}\0{subject}\0{judge}", problem.id).as_bytes());
        if let Some(prepared) = recent.get(&key) {
            return Ok(Some(prepared.clone()));
        }
        let one = |module: &str, request: &str| {
            let program = program_of(format!("import {module}\n{module}.prepare()\n"), request.to_owned());
            write(self.dir.path(), &program)
        };
        let mut prepared = Prepared { subject: vec![self.subject.clone()], judge: vec![self.judge.clone()] };
        if !subject.is_empty() {
            prepared.subject.push(one(SUBJECT.0, &subject)?);
        }
        prepared.judge.push(one(JUDGE.0, &judge)?);
        if recent.len() >= REMEMBERED {
            recent.clear();
        }
        recent.insert(key, prepared.clone());
        Ok(Some(prepared))
    }
}

/// What the subject does for a sample.
pub(super) fn serve() -> Program {
    program_of(format!("import {0}\n{0}.serve()\n", SUBJECT.0), String::new())
}

/// What the judge does for one.
pub(super) fn judge(program: &str) -> Program {
    program_of(format!("import {0}\n{0}.trial()\n", JUDGE.0), json!({ "program": program }).to_string())
}

/// The requests for `prepare` of the subject (empty: nothing to prepare) and of the judge, as JSON.
fn requests(problem: &Problem) -> Option<(String, String)> {
    let mut subject = json!({});
    let judge = match &problem.check {
        Check::Stdio(_) => return None,
        Check::DataScience { context } => json!({ "kind": "ds1000", "context": context }).to_string(),
        Check::Tests(tests) => {
            if !tests.fixture.is_empty() {
                subject["setup"] = json!(tests.fixture);
            }
            json!({
                "kind": "tests",
                "entry_point": problem.entry_point,
                "preludes": tests.preludes,
                "setup": tests.setup,
                "tests": tests.code,
                "check": tests.check,
                "collect": tests.collect,
            })
            .to_string()
        }
        Check::Calls(calls) => {
            // The cases are JSON already, with numbers that a float could not hold.
            let head = json!({
                "kind": "calls",
                "entry_point": problem.entry_point,
                "compare": calls.compare,
                "tolerance": calls.tolerance,
            })
            .to_string();
            let cases: String = calls.cases.iter().map(|(name, json)| format!(",\"{name}\":{json}")).collect();
            format!("{}{cases}}}", head.trim_end_matches('}'))
        }
    };
    let imports = imports(problem);
    if !imports.is_empty() {
        subject["imports"] = json!(imports);
    }
    let subject = if subject == json!({}) { String::new() } else { subject.to_string() };
    Some((subject, judge))
}

/// Imports of the prompt: those of most problems are the same few, so that they share a set-up.
fn imports(problem: &Problem) -> Vec<&str> {
    let Some(entry) = &problem.entry_point else { return Vec::new() };
    let head = completion::ahead_of(&problem.prompt, entry);
    let mut lines: Vec<_> = head
        .lines()
        .map(str::trim_end)
        .filter(|line| line.starts_with("import ") || line.starts_with("from ") && !line.contains(['(', '\\']))
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines
}

fn program(source: &str, stdin: &Value) -> Program {
    program_of(source.to_owned(), stdin.to_string())
}

fn program_of(source: String, stdin: String) -> Program {
    Program { source, stdin, echo: Echo::None, filename: Some("<glovebox>".into()), ..Program::default() }
}

fn write(dir: &Path, program: &Program) -> std::io::Result<PathBuf> {
    let text = serde_json::to_vec(program)?;
    let path = dir.join(digest(&text));
    if !path.exists() {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        std::io::Write::write_all(&mut file, &text)?;
        file.persist(&path).map_err(|error| error.error)?;
    }
    Ok(path)
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
