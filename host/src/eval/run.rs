//! An evaluation: completions one after the other into verdicts, in their order, with a file that survives a kill.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use glovebox_runtime::CancellationToken;
use serde::{Deserialize, Serialize};

use super::files::{Bad, Completions, Problems, Sample, fingerprint};
use super::{Flaw, Judge, Judged, Tally, Verdict};

/// What is evaluated.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Problems as JSON Lines.
    pub problems: PathBuf,
    /// Completions as JSON Lines.
    pub completions: PathBuf,
    /// Gets the verdicts; there, an interrupted evaluation goes on. `None`: they are only told.
    pub out: Option<PathBuf>,
    /// Begin anew, whatever the file holds.
    pub fresh: bool,
    /// Completions that are judged at most.
    pub limit: Option<u64>,
    /// Samples that are under way at once.
    pub window: usize,
}

/// What happens during an evaluation.
pub enum Told<'a> {
    /// There is so much to do at most.
    Total(u64),
    /// A line cannot be used.
    Bad(&'a Bad),
    /// The next verdict, in order; `again` if it is from the file.
    Verdict {
        /// It.
        verdict: &'a Line,
        /// From an evaluation that was interrupted.
        again: bool,
    },
}

/// A verdict with its place, as it is written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Line of the completion, from 1.
    pub line: u64,
    /// The verdict.
    #[serde(flatten)]
    pub judged: Judged,
}

/// How an evaluation ended.
#[derive(Clone, Debug)]
pub struct Evaluated {
    /// What was found.
    pub tally: Tally,
    /// Lines that could not be used.
    pub bad: u64,
    /// Verdicts that were there already.
    pub resumed: u64,
    /// Ended before its end.
    pub cancelled: bool,
    /// Time for the new ones.
    pub elapsed: Duration,
}

/// Why an evaluation could not be done.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file of verdicts belongs to something else.
    #[error("{}: {what}", path.display())]
    Foreign {
        /// Which one.
        path: PathBuf,
        /// What it is.
        what: String,
    },
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> EvalError {
    move |source| EvalError::File { path: path.to_owned(), source }
}

/// Judges what is to be judged and tells of each verdict in order.
///
/// # Errors
///
/// Files that cannot be read or written. What is wrong with single lines is told, what fails in judging is a verdict.
pub async fn evaluate(
    judge: &Judge,
    plan: &Plan,
    ks: Vec<u64>,
    tell: &mut (dyn FnMut(Told<'_>) + Send),
    cancel: &CancellationToken,
) -> Result<Evaluated, EvalError> {
    let mut done = Evaluated { tally: Tally::new(ks), bad: 0, resumed: 0, cancelled: false, elapsed: Duration::ZERO };
    let mut record = match &plan.out {
        Some(out) => Some(Record::open(out, Identity::of(judge, plan)?, plan.fresh)?),
        None => None,
    };
    let (_, lines) = fingerprint(&plan.completions).map_err(at(&plan.completions))?;
    tell(Told::Total(plan.limit.map_or(lines, |limit| limit.min(lines))));
    let mut bad = 0;
    let mut on_bad = |one: Bad| {
        bad += 1;
        tell(Told::Bad(&one));
    };
    let mut problems = Problems::open(&plan.problems, &mut on_bad).map_err(at(&plan.problems))?;
    done.bad += bad;
    let mut completions = Completions::open(&plan.completions).map_err(at(&plan.completions))?;
    let mut reached = 0;
    if let Some(record) = &mut record {
        record.earlier(&mut |line| {
            done.tally.add(&line.judged);
            done.resumed += 1;
            reached = line.line;
            tell(Told::Verdict { verdict: &line, again: true });
        })?;
    }
    let started = Instant::now();
    let mut under_way = FuturesOrdered::new();
    let (mut taken, mut more) = (0, true);
    loop {
        while more && under_way.len() < plan.window.max(1) && !cancel.is_cancelled() {
            if plan.limit.is_some_and(|limit| taken >= limit) {
                break;
            }
            match completions.next(&mut problems).map_err(at(&plan.completions))? {
                None => more = false,
                Some(Err(one)) => {
                    done.bad += 1;
                    tell(Told::Bad(&one));
                }
                Some(Ok(Sample { line, completion, problem })) => {
                    taken += 1;
                    if line > reached {
                        under_way.push_back(async move {
                            Line { line, judged: judge.judge(&problem, &completion, cancel).await }
                        });
                    }
                }
            }
        }
        let Some(line) = under_way.next().await else { break };
        // What was cut short is no verdict, nor is what comes after it: it is judged when the evaluation goes on.
        if cancel.is_cancelled() && line.judged.verdict == Verdict::Infrastructure {
            break;
        }
        if let Some(record) = &mut record {
            record.add(&line)?;
        }
        done.tally.add(&line.judged);
        tell(Told::Verdict { verdict: &line, again: false });
    }
    if let Some(record) = &mut record {
        record.sync()?;
    }
    done.cancelled = cancel.is_cancelled();
    done.elapsed = started.elapsed();
    Ok(done)
}

/// What a file of verdicts belongs to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    /// Of this file.
    format: u32,
    problems_sha256: String,
    completions_sha256: String,
    image: String,
    deterministic: bool,
    seed: u64,
    fuel: u64,
    memory_mib: u64,
}

impl Identity {
    fn of(judge: &Judge, plan: &Plan) -> Result<Identity, EvalError> {
        let settings = judge.settings();
        Ok(Identity {
            format: 1,
            problems_sha256: fingerprint(&plan.problems).map_err(at(&plan.problems))?.0,
            completions_sha256: fingerprint(&plan.completions).map_err(at(&plan.completions))?.0,
            image: settings.image.clone(),
            deterministic: settings.deterministic,
            seed: settings.seed,
            fuel: settings.limits.fuel,
            memory_mib: settings.limits.memory_mib,
        })
    }
}

/// The file of verdicts: appended in order, and safe on the disk once a second.
struct Record {
    path: PathBuf,
    file: File,
    synced: Instant,
}

/// Longest time in which verdicts can be lost with the machine. A kill loses none.
const SYNC: Duration = Duration::from_secs(1);

impl Record {
    fn open(path: &Path, identity: Identity, fresh: bool) -> Result<Record, EvalError> {
        let beside = PathBuf::from(format!("{}.run.json", path.display()));
        let foreign = |what: &str| EvalError::Foreign { path: path.to_owned(), what: what.into() };
        let known = match std::fs::read(&beside) {
            Ok(text) => serde_json::from_slice::<Identity>(&text).ok(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(at(&beside)(error)),
        };
        let exists = std::fs::metadata(path).is_ok_and(|file| file.len() > 0);
        if exists && !fresh && known.as_ref() != Some(&identity) {
            return Err(foreign(if known.is_some() {
                "holds verdicts of other files or settings; give another --out, or --fresh to replace them"
            } else {
                "is there already and holds no verdicts of an evaluation; give another --out, or --fresh to replace it"
            }));
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path).map_err(at(path))?;
        if !exists || fresh {
            file.set_len(0).map_err(at(path))?;
            let text = serde_json::to_string_pretty(&identity).map_err(std::io::Error::from).map_err(at(&beside))?;
            let mut side = File::create(&beside).map_err(at(&beside))?;
            side.write_all(text.as_bytes()).and_then(|()| side.write_all(b"\n")).map_err(at(&beside))?;
            side.sync_all().map_err(at(&beside))?;
        }
        Ok(Record { path: path.to_owned(), file, synced: Instant::now() })
    }

    /// The verdicts that are there. A line that was cut in its middle is removed.
    fn earlier(&mut self, on_line: &mut dyn FnMut(Line)) -> Result<(), EvalError> {
        let mut reader = BufReader::new(self.file.try_clone().map_err(at(&self.path))?);
        let (mut whole, mut text) = (0, Vec::new());
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text).map_err(at(&self.path))?;
            let line = serde_json::from_slice::<Line>(&text).ok().filter(|_| text.ends_with(b"\n"));
            let Some(line) = line else { break };
            on_line(line);
            whole += read as u64;
        }
        self.file.set_len(whole).map_err(at(&self.path))
    }

    fn add(&mut self, line: &Line) -> Result<(), EvalError> {
        let mut text = serde_json::to_vec(line).map_err(std::io::Error::from).map_err(at(&self.path))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(at(&self.path))?;
        if self.synced.elapsed() >= SYNC { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), EvalError> {
        self.synced = Instant::now();
        self.file.sync_data().map_err(at(&self.path))
    }
}

/// The default k of pass@k.
#[must_use]
pub fn default_ks() -> Vec<u64> {
    vec![1, 10, 100]
}

/// Numbers such as `1,10,100`.
///
/// # Errors
///
/// Something else.
pub fn parse_ks(text: &str) -> Result<Vec<u64>, Flaw> {
    let numbers = text.split(',').map(|number| number.trim().parse::<u64>().ok().filter(|number| *number > 0));
    numbers.collect::<Option<Vec<_>>>().ok_or_else(|| Flaw::new(format!("{text:?} is not a list like 1,10,100")))
}
