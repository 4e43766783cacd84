//! Files: problems and completions as JSON Lines, of any length, read in constant memory.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use glovebox_runtime::hex;
use sha2::{Digest, Sha256};

use super::{Completion, Flaw, Problem};

/// Longest line; the tests of some problems are large.
const MAX_LINE: u64 = 256 << 20;

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// `problems` or `completions`.
    pub file: &'static str,
    /// From 1.
    pub line: u64,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl std::fmt::Display for Bad {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}, line {}: {}", self.file, self.line, self.flaw)
    }
}

/// A file as it is, or what a `.gz` holds.
fn open(path: &Path) -> std::io::Result<File> {
    let file = File::open(path)?;
    if path.extension().is_none_or(|extension| extension != "gz") {
        return Ok(file);
    }
    let mut unpacked = tempfile::tempfile()?;
    std::io::copy(&mut flate2::read::MultiGzDecoder::new(BufReader::new(file)), &mut unpacked)?;
    unpacked.rewind()?;
    Ok(unpacked)
}

/// The lines of a file with their numbers and places. Empty ones are passed over.
struct Lines {
    reader: BufReader<File>,
    number: u64,
    offset: u64,
}

/// A line: its number, its place, and its text unless that is no text or too long.
struct Line {
    number: u64,
    offset: u64,
    text: Result<String, Flaw>,
}

impl Lines {
    fn new(file: File) -> Lines {
        Lines { reader: BufReader::with_capacity(1 << 18, file), number: 0, offset: 0 }
    }

    fn next(&mut self) -> std::io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut bytes)? as u64;
            if read == 0 {
                return Ok(None);
            }
            let offset = self.offset;
            self.offset += read;
            self.number += 1;
            let number = self.number;
            if read == MAX_LINE && bytes.last() != Some(&b'\n') {
                self.offset += self.reader.skip_until(b'\n')? as u64;
                let flaw = Flaw::new(format!("is longer than {} MiB", MAX_LINE >> 20));
                return Ok(Some(Line { number, offset, text: Err(flaw) }));
            }
            let text = String::from_utf8(bytes).map_err(|_| Flaw::new("is not UTF-8"));
            if !matches!(&text, Ok(text) if text.trim().is_empty()) {
                return Ok(Some(Line { number, offset, text }));
            }
        }
    }
}

/// A file of problems: where each one is, and those that were asked for last.
pub struct Problems {
    file: File,
    places: HashMap<String, (u64, u64)>,
    order: Vec<String>,
    recent: Vec<Arc<Problem>>,
}

/// Problems that are kept.
const RECENT: usize = 32;

impl Problems {
    /// Looks through a file. Lines that are no problem, and further ones with an id that was there, are told.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn open(path: &Path, on_bad: &mut dyn FnMut(Bad)) -> std::io::Result<Problems> {
        let file = open(path)?;
        let mut lines = Lines::new(file.try_clone()?);
        let (mut places, mut order) = (HashMap::new(), Vec::new());
        while let Some(Line { number, offset, text }) = lines.next()? {
            let problem = text.and_then(|text| Problem::read(&text));
            let flaw = match problem {
                Ok(problem) if places.contains_key(&problem.id) => {
                    Flaw::new(format!("has the id {:?} of an earlier line, which counts", problem.id))
                }
                Ok(problem) => {
                    order.push(problem.id.clone());
                    places.insert(problem.id, (offset, number));
                    continue;
                }
                Err(flaw) => flaw,
            };
            on_bad(Bad { file: "problems", line: number, flaw });
        }
        Ok(Problems { file, places, order, recent: Vec::new() })
    }

    /// Their ids in the order of the file.
    #[must_use]
    pub fn ids(&self) -> &[String] {
        &self.order
    }

    /// A problem, if there is one of that id. Benchmarks have `HumanEval/3`, samples sometimes `3` or a number.
    ///
    /// # Errors
    ///
    /// The file cannot be read any more.
    pub fn get(&mut self, id: &str) -> std::io::Result<Option<Arc<Problem>>> {
        if let Some(place) = self.recent.iter().position(|problem| problem.id == id) {
            let problem = self.recent.remove(place);
            self.recent.push(problem.clone());
            return Ok(Some(problem));
        }
        let Some((offset, number)) = self.places.get(id) else { return Ok(None) };
        self.file.seek(SeekFrom::Start(*offset))?;
        let line = Lines::new(self.file.try_clone()?).next()?;
        let problem = line.and_then(|line| line.text.ok()).and_then(|text| Problem::read(&text).ok());
        let problem = problem.filter(|problem| problem.id == id).ok_or_else(|| {
            std::io::Error::other(format!("the file of problems was changed: line {number} is not {id} any more"))
        })?;
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        let problem = Arc::new(problem);
        self.recent.push(problem.clone());
        Ok(Some(problem))
    }
}

/// A file of completions, in order.
pub struct Completions {
    lines: Lines,
    counts: HashMap<String, u64>,
    seen: HashSet<(String, u64)>,
}

impl Completions {
    /// Opens a file.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn open(path: &Path) -> std::io::Result<Completions> {
        Ok(Completions { lines: Lines::new(open(path)?), counts: HashMap::new(), seen: HashSet::new() })
    }

    /// The next completion with its line, numbered among the samples of its problem; or what is wrong with its line.
    ///
    /// # Errors
    ///
    /// The file cannot be read any more.
    pub fn next(&mut self, problems: &mut Problems) -> std::io::Result<Option<Result<Sample, Bad>>> {
        let Some(Line { number: line, text, .. }) = self.lines.next()? else { return Ok(None) };
        let bad = |flaw| Ok(Some(Err(Bad { file: "completions", line, flaw })));
        let mut completion = match text.and_then(|text| Completion::read(&text)) {
            Ok(completion) => completion,
            Err(flaw) => return bad(flaw),
        };
        let Some(problem) = problems.get(&completion.problem)? else {
            return bad(Flaw::new(format!("is for {:?}, and there is no such problem", completion.problem)));
        };
        let count = self.counts.entry(completion.problem.clone()).or_default();
        if let Some(sample) = completion.sample {
            if !self.seen.insert((completion.problem.clone(), sample)) {
                let flaw = format!("is sample {sample} of {:?} once more; the first counts", completion.problem);
                return bad(Flaw::new(flaw));
            }
        } else {
            completion.sample = Some(*count);
        }
        *count += 1;
        Ok(Some(Ok(Sample { line, completion, problem })))
    }
}

/// A completion with its problem.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Line of the completion, from 1.
    pub line: u64,
    /// The completion.
    pub completion: Completion,
    /// What it is to solve.
    pub problem: Arc<Problem>,
}

/// Hash and number of lines of a file.
pub(super) fn fingerprint(path: &Path) -> std::io::Result<(String, u64)> {
    let mut file = open(path)?;
    let (mut hash, mut lines, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 18]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex(&hash.finalize()), lines)),
            read => {
                lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
                hash.update(&buffer[..read]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), text).expect("written");
        file
    }

    #[test]
    fn broken_lines_are_told_by_number_and_the_others_go_on() {
        let problems = file(b"{\"id\": 1, \"tests\": \"assert f()\"}\n\nnot json\n{\"id\": \"a\"}\n{\"id\": 1, \"tests\": \"\"}\n\xff\n{\"id\": 2, \"stdin\": \"\", \"expected\": \"x\"}");
        let mut bad = Vec::new();
        let mut problems = Problems::open(problems.path(), &mut |one| bad.push(one)).expect("readable");
        assert_eq!(problems.ids(), ["1", "2"]);
        let told: Vec<_> = bad.iter().map(|bad| (bad.line, bad.flaw.0.as_str())).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        for ((line, flaw), (at, says)) in told.iter().zip([(3, "JSON"), (4, "neither"), (5, "earlier"), (6, "UTF-8")]) {
            assert!(*line == at && flaw.contains(says), "{line} {flaw}");
        }

        let lines = file(b"{\"id\": 1, \"code\": \"a\"}\n{\n{\"id\": 7, \"code\": \"a\"}\n{\"id\": 1, \"code\": \"b\"}\n{\"id\": 2, \"code\": \"b\", \"sample\": 4}\n{\"id\": 2, \"code\": \"b\", \"sample\": 4}\n");
        let mut completions = Completions::open(lines.path()).expect("readable");
        let mut found = Vec::new();
        while let Some(next) = completions.next(&mut problems).expect("readable") {
            found.push(match next {
                Ok(Sample { line, completion, problem }) => {
                    format!("{line} {}/{}", problem.id, completion.sample.unwrap_or(99))
                }
                Err(bad) => format!("{} {}", bad.line, bad.flaw.0.split(' ').next().unwrap_or_default()),
            });
        }
        assert_eq!(found, ["1 1/0", "2 is", "3 is", "4 1/1", "5 2/4", "6 is"]);
    }

    #[test]
    fn a_compressed_file_is_read_as_it_is_published() {
        let path = tempfile::Builder::new().suffix(".jsonl.gz").tempfile().expect("a file");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut packed, b"{\"id\": \"a\", \"tests\": \"assert f()\"}\n").expect("packed");
        std::fs::write(path.path(), packed.finish().expect("packed")).expect("written");
        let mut problems = Problems::open(path.path(), &mut |bad| panic!("{bad}")).expect("readable");
        assert!(problems.get("a").expect("readable").is_some());
    }
}
