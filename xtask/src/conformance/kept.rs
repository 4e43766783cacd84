//! Results of tests, kept by test file: what was done is not done again, also when it was stopped half-way.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Result;

use super::outcomes::{End, Outcomes, lines};
use super::shards::file;

pub(super) struct Kept {
    dir: PathBuf,
}

impl Kept {
    pub(super) fn open(dir: PathBuf) -> Result<Kept> {
        fs::create_dir_all(&dir)?;
        Ok(Kept { dir })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file.replace('/', ".")).with_extension("jsonl")
    }

    /// The results of a test file, if there are any.
    pub(super) fn of(&self, file: &str) -> Option<BTreeMap<String, End>> {
        fs::read_to_string(self.path(file)).ok().map(|text| Outcomes::read(&text).tests)
    }

    /// Adds results, each to its file's, which is there afterwards for each of `files`.
    pub(super) fn add(&self, files: &[&str], ends: &BTreeMap<String, End>) -> Result<()> {
        for name in files {
            let ends = ends.iter().filter(|(test, _)| file(test) == *name);
            // One write, so that what several threads add does not mix.
            OpenOptions::new().create(true).append(true).open(self.path(name))?.write_all(lines(ends).as_bytes())?;
        }
        Ok(())
    }
}
