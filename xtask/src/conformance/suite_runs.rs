//! Runs of the test suites on both sides; each test's end is kept as soon as its run is over.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::kept::Kept;
use super::outcomes::{End, Outcomes};
use super::shards::{Shard, cut, file};
use super::suites::group;
use super::{Conformance, pool, programs};
use crate::{images, step};

/// Test files of a native process: few enough that little is lost when it is stopped.
const FILES: usize = 10;

/// The tests that pass natively.
pub(super) fn natively(this: &Conformance, package: &str, files: &[String]) -> Result<BTreeMap<String, End>> {
    let kept = Kept::open(this.dir.join("native"))?;
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for file in files.iter().filter(|file| kept.of(file).is_none()) {
        groups.entry(group(file)).or_default().push(file);
    }
    let parts: Vec<&[&str]> = groups.values().flat_map(|files| files.chunks(FILES)).collect();
    if !parts.is_empty() {
        step(&format!("{package}: {} native processes", parts.len()));
    }
    pool::map(this.jobs, &parts, |index, files| {
        let scratch = this.dir.join("native-run").join(index.to_string());
        let request = json!({"root": this.native.site, "package": package, "files": files, "tests": null});
        let outcomes = native_run(this, &request, &scratch).with_context(|| files.join(" "))?;
        fs::remove_dir_all(&scratch)?;
        kept.add(files, &outcomes.tests)
    })?;
    let ends = files.iter().flat_map(|file| kept.of(file).unwrap_or_default());
    Ok(ends.filter(|(_, end)| end.passed()).collect())
}

fn native_run(this: &Conformance, request: &Value, scratch: &Path) -> Result<Outcomes> {
    fs::create_dir_all(scratch)?;
    fs::write(scratch.join("shard.json"), request.to_string())?;
    let mut command = this.native.command(&programs().join("suite.py"));
    command.current_dir(scratch).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let outcomes = Outcomes::read(&fs::read_to_string(scratch.join("results.jsonl"))?);
    outcomes.done.then_some(outcomes).context("the native tests were stopped")
}

/// How these tests end in the image: in as many fresh runs as it takes.
pub(super) fn in_guest(this: &Conformance, native: &BTreeMap<String, End>) -> Result<BTreeMap<String, End>> {
    let mut hasher = Sha256::new();
    for path in [programs().join("suite.py"), this.native.bundles.join("tests.zip")] {
        hasher.update(fs::read(path)?);
    }
    let name = format!("{}-{}", this.guest.digest, &images::hex(&hasher.finalize())[..8]);
    let kept = Kept::open(this.dir.join("guest").join(name))?;
    let mut ends: BTreeMap<String, End> = BTreeMap::new();
    let mut files: Vec<&str> = native.keys().map(|test| file(test)).collect();
    files.dedup();
    ends.extend(files.iter().flat_map(|file| kept.of(file).unwrap_or_default()));
    ends.retain(|test, _| native.contains_key(test));
    let shards = cut(native.iter().filter(|(test, _)| !ends.contains_key(*test)));
    step(&format!("{} are to be done in the sandbox, in {} shards", native.len() - ends.len(), shards.len()));
    let done = pool::map(this.jobs, &shards, |index, shard| {
        shard_in_guest(this, &kept, shard, &this.dir.join("guest-run").join(index.to_string()))
    })?;
    ends.extend(done.into_iter().flatten());
    Ok(ends)
}

fn shard_in_guest(this: &Conformance, kept: &Kept, shard: &Shard, scratch: &Path) -> Result<BTreeMap<String, End>> {
    let mut ends: BTreeMap<String, End> = BTreeMap::new();
    loop {
        let rest: Vec<_> = shard.tests.iter().filter(|test| !ends.contains_key(*test)).cloned().collect();
        if rest.is_empty() {
            return Ok(ends);
        }
        let (outcomes, ending) = guest_run(this, &Shard { tests: rest.clone(), ..Shard::default() }, scratch)?;
        let new = judge(&rest, outcomes, &ending);
        let mut files: Vec<&str> = new.keys().map(|test| file(test)).collect();
        files.dedup();
        kept.add(&files, &new)?;
        ends.extend(new);
    }
}

/// What a run says of the tests that were asked of it; at least of one.
fn judge(asked: &[String], outcomes: Outcomes, ending: &str) -> BTreeMap<String, End> {
    let mut ends: BTreeMap<String, End> = outcomes.tests.into_iter().filter(|(test, _)| asked.contains(test)).collect();
    if outcomes.done {
        for test in asked {
            let why = outcomes.files.get(file(test)).map_or("not collected", String::as_str);
            ends.entry(test.clone()).or_insert_with(|| End::failed(why));
        }
    } else if ends.is_empty() || !ending.starts_with("out_of") {
        // Stopped by the last test that began, unless it is the sum that met a limit; then that test begins the next run.
        let why = format!("the run ended: {ending}");
        let stuck = outcomes.started.filter(|test| asked.contains(test) && !ends.contains_key(test));
        match stuck {
            Some(test) => drop(ends.insert(test, End::failed(&why))),
            None if ends.is_empty() => ends.extend(asked.iter().map(|test| (test.clone(), End::failed(&why)))),
            None => {}
        }
    }
    ends
}

fn guest_run(this: &Conformance, shard: &Shard, scratch: &Path) -> Result<(Outcomes, String)> {
    fs::create_dir_all(scratch)?;
    let request = scratch.join("shard.json");
    fs::write(&request, shard.request().to_string())?;
    let bundles = &this.native.bundles;
    let files = [bundles.join("tests.zip"), bundles.join("plugins.zip"), request];
    let out = scratch.join("out");
    let run = this.guest.run(&programs().join("suite.py"), &files, &out)?;
    let text = fs::read_to_string(out.join("results.jsonl")).unwrap_or_default();
    Ok((Outcomes::read(&text), run.ending))
}

#[cfg(test)]
mod tests {
    use super::{Outcomes, judge};

    fn outcomes(text: &str) -> Outcomes {
        Outcomes::read(text)
    }

    const PASSED: &str = r#"{"test": "n/a.py::t", "outcome": "passed", "why": "", "seconds": 0}"#;

    #[test]
    fn a_test_that_stops_its_run_is_missed_and_the_others_are_not() {
        let asked = ["n/a.py::t", "n/a.py::u", "n/a.py::v"].map(str::to_owned);
        let text = format!("{PASSED}\n{}", r#"{"start": "n/a.py::u"}"#);
        let ends = judge(&asked, outcomes(&text), "trapped unreachable");
        assert_eq!(ends.len(), 2);
        assert!(ends["n/a.py::t"].passed() && !ends["n/a.py::u"].passed());
        // A limit may be that of all tests together: the test gets a run of its own first.
        assert_eq!(judge(&asked, outcomes(&text), "out_of_time").len(), 1);
        assert_eq!(judge(&asked, outcomes(r#"{"start": "n/a.py::t"}"#), "out_of_time").len(), 1);
        // Nothing began: nothing of it can be done.
        assert_eq!(judge(&asked, outcomes(""), "exited 1").len(), 3);
        assert_eq!(judge(&asked, outcomes(&format!("{PASSED}\n{}", r#"{"end": 0}"#)), "exited 0").len(), 3);
    }
}
