//! Judging model-written programs by the thousand: problems and completions in, verdicts out.
//!
//! A sample and the tests that judge it run in two guests ([`crate::workers::Trial`]). The tests call the sample's functions
//! from afar and get data back, so that nothing a sample prints, patches or returns can make the verdict. Programs that read
//! standard input run alone; what they print is compared here.
//!
//! Time-outs are fuel. Anything that is our own failure is [`Verdict::Infrastructure`], tried again and counted apart.

mod answer;
mod completion;
pub mod files;
mod formats;
pub mod generate;
mod judge;
mod prepared;
mod report;
pub mod run;
mod statistics;
mod stdio;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use answer::Comparison;
pub use completion::{Completion, CompletionKind};
pub use judge::{Judge, Settings};
pub use statistics::{Distribution, PassAtK, Summary, Tally};

/// Fuel of one second on the reference: one core of a 3 GHz x86-64 server, running this interpreter.
pub const FUEL_PER_SECOND: u64 = 5_000_000_000;

/// What is wrong with a line of input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Flaw(pub String);

impl Flaw {
    pub(crate) fn new(what: impl Into<String>) -> Flaw {
        Flaw(what.into())
    }
}

/// A task and how its solutions are judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Its name in the benchmark, such as `HumanEval/0`.
    pub id: String,
    /// What a model is given.
    pub prompt: String,
    /// Name of the function that is to be written, if there is one.
    pub entry_point: Option<String>,
    /// How a solution is judged.
    pub check: Check,
    /// Files that a solution finds in its working directory.
    pub files: BTreeMap<String, String>,
    /// Fuel that a solution may use, if the problem says so.
    pub fuel: Option<u64>,
    /// Memory that it may use, if the problem says so.
    pub memory_mib: Option<u64>,
}

/// How a solution is judged.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// By Python code that calls it, and raises `AssertionError` if it is wrong.
    Tests(Tests),
    /// By what a function answers.
    Calls(Calls),
    /// By DS-1000's code around a program.
    DataScience {
        /// The problem's `code_context`.
        context: String,
    },
    /// By what a program prints.
    Stdio(Stdio),
}

/// Test code.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tests {
    /// The tests.
    pub code: String,
    /// Runs before the tests and must succeed.
    pub setup: String,
    /// Runs before a sample, in its own variables; once for all samples.
    pub fixture: String,
    /// Programs with what the tests may use of the prompt; the first that runs is taken.
    pub preludes: Vec<String>,
    /// Whether the code defines `check(candidate)`.
    pub check: bool,
    /// Whether it may hold `unittest` classes and `test_…` functions.
    pub collect: bool,
}

/// Calls of a function with the answers that are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Calls {
    /// The fields of the request to the judge that hold the cases, as JSON.
    pub cases: BTreeMap<&'static str, String>,
    /// When an answer counts.
    pub compare: &'static str,
    /// For floats.
    pub tolerance: Option<f64>,
}

/// Inputs of a program with the outputs that are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Stdio {
    /// The cases, in order; the first that fails decides.
    pub cases: Vec<Case>,
    /// When an output counts.
    pub compare: Comparison,
}

/// One input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// What the program reads.
    pub stdin: String,
    /// What it is to print.
    pub expected: String,
}

/// What a sample is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does what is wanted.
    Passed,
    /// An assertion of the tests did not hold.
    Failed,
    /// It raised an exception, ended its process or crashed.
    Raised,
    /// It used its fuel.
    OutOfFuel,
    /// It needed more memory than it may have.
    OutOfMemory,
    /// It gave another answer than the expected one.
    WrongAnswer,
    /// There is no program in the completion.
    NoProgram,
    /// Glovebox, or the problem itself, failed: nothing is known of the sample.
    Infrastructure,
}

impl Verdict {
    /// Its name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Raised => "raised",
            Verdict::OutOfFuel => "out_of_fuel",
            Verdict::OutOfMemory => "out_of_memory",
            Verdict::WrongAnswer => "wrong_answer",
            Verdict::NoProgram => "no_program",
            Verdict::Infrastructure => "infrastructure",
        }
    }
}

/// Why a verdict is what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// A sentence.
    pub message: String,
    /// Type of the exception, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// Its traceback, if it was the sample's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// The line of the tests that did not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The case that decided, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<u64>,
}

impl Detail {
    pub(crate) fn new(message: impl Into<String>) -> Detail {
        Detail { message: message.into(), ..Detail::default() }
    }
}

/// A judged sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Judged {
    /// Id of the problem.
    pub problem: String,
    /// Its number among the problem's samples, from 0.
    pub sample: u64,
    /// What it is found to be.
    pub verdict: Verdict,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// Fuel that the sample used, the largest of its cases.
    pub fuel: u64,
    /// Largest memory that it held, in MiB.
    pub memory_mib: u64,
    /// Elapsed milliseconds; absent in deterministic runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<f64>,
    /// How often our side failed before; absent in deterministic runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
}
