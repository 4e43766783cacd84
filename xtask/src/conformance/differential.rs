//! The same calls natively and in the image: equal results and dtypes, or a named difference.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::answers::{Answer, difference, distance};
use super::guest::Guest;
use super::misses::Misses;
use super::{Conformance, Report, pool, programs, sample};

/// Calls of one fresh run.
const SHARD: usize = 500;
/// Calls that there must be.
const LEAST: usize = 2_000;

pub(super) fn compare(this: &Conformance) -> Result<Report> {
    let scratch = this.dir.join("differential");
    let native = natively(this, &scratch.join("native"))?;
    if native.len() < LEAST {
        bail!("there are {} calls only", native.len());
    }
    if this.write {
        sample::write(&native)?;
    }
    let calls: Vec<String> = native.iter().map(|answer| answer.call.clone()).collect();
    let shards: Vec<&[String]> = calls.chunks(SHARD).collect();
    let guest =
        pool::map(this.jobs, &shards, |index, calls| in_guest(&this.guest, calls, &scratch.join(index.to_string())))?;
    let misses = Misses::read("differential")?;
    let mut report = describe(&native, guest.into_iter().flatten(), &misses);
    let unused = misses.unused();
    if !unused.is_empty() {
        report.good = false;
        let _ = writeln!(report.text, "\nIn the list of differences, but equal now:\n");
        unused.iter().for_each(|pattern| {
            let _ = writeln!(report.text, "- `{pattern}`");
        });
    }
    Ok(report)
}

fn tables() -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(programs().join("calls"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    files.sort();
    Ok(files)
}

fn natively(this: &Conformance, dir: &Path) -> Result<Vec<Answer>> {
    fs::create_dir_all(dir)?;
    for file in tables()? {
        fs::copy(&file, dir.join(file.file_name().context("a file without name")?))?;
    }
    fs::write(dir.join("shard.json"), json!({"calls": null}).to_string())?;
    this.native.output(&programs().join("differential.py"), dir)?;
    read(&dir.join("results.jsonl"))
}

/// The answers to calls in as many fresh runs as it takes; a call that ends its run has none.
pub(super) fn in_guest(guest: &Guest, calls: &[String], dir: &Path) -> Result<Vec<Answer>> {
    fs::create_dir_all(dir)?;
    let request = dir.join("shard.json");
    let mut files = tables()?;
    files.push(request.clone());
    let mut answers: Vec<Answer> = Vec::new();
    let mut rest = calls;
    while !rest.is_empty() {
        fs::write(&request, json!({"calls": rest}).to_string())?;
        let out = dir.join("out");
        let run = guest.run(&programs().join("differential.py"), &files, &out)?;
        let done = read(&out.join("results.jsonl")).unwrap_or_default();
        rest = &rest[done.len()..];
        answers.extend(done);
        if let Some((call, others)) = rest.split_first() {
            if !run.ending.starts_with("trapped") && !run.ending.starts_with("out_of") {
                bail!("the calls from `{call}` on were not answered: {} {}", run.ending, run.stdout);
            }
            rest = others;
        }
    }
    Ok(answers)
}

fn read(path: &Path) -> Result<Vec<Answer>> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    // The last line may be torn.
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// A table of the tables, then what differs by reason, then what has none.
pub(super) fn describe(native: &[Answer], guest: impl IntoIterator<Item = Answer>, misses: &Misses) -> Report {
    let guest: BTreeMap<String, Answer> = guest.into_iter().map(|answer| (answer.call.clone(), answer)).collect();
    let mut tables: BTreeMap<&str, (usize, usize, u64)> = BTreeMap::new();
    let (mut named, mut unnamed): (BTreeMap<&str, usize>, String) = Default::default();
    let mut count = 0;
    for ours in native {
        let entry = tables.entry(&ours.table).or_default();
        entry.0 += 1;
        let difference = match guest.get(&ours.call) {
            None => Some("the run ended".to_owned()),
            Some(theirs) => {
                entry.2 = entry.2.max(distance(ours, theirs).filter(|ulps| *ulps <= ours.ulps).unwrap_or(0));
                difference(ours, theirs)
            }
        };
        match difference {
            None => entry.1 += 1,
            Some(said) => match misses.reason(&ours.call, &said) {
                Some(reason) => *named.entry(reason).or_default() += 1,
                None => {
                    count += 1;
                    let _ = writeln!(unnamed, "- `{}`: {said}", ours.call);
                }
            },
        }
    }
    let equal: usize = tables.values().map(|table| table.1).sum();
    let mut text = format!(
        "## Differential test: {equal} of {} calls equal\n\nSame value, type, dtype, exception and warnings; floats bit by \
         bit, or within the named number of units in the last place where the operation is not exact.\n\n\
         | table | calls | equal | largest accepted distance, ulp |\n| --- | --: | --: | --: |\n",
        native.len()
    );
    for (name, (calls, equal, ulps)) in &tables {
        let _ = writeln!(text, "| {name} | {calls} | {equal} | {ulps} |");
    }
    if !named.is_empty() {
        text.push_str("\n| differ | reason |\n| --: | --- |\n");
    }
    for (reason, count) in named {
        let _ = writeln!(text, "| {count} | {reason} |");
    }
    if count > 0 {
        let _ = writeln!(text, "\n{count} without a named reason:\n\n{unnamed}");
    }
    Report { text, good: count == 0 }
}
