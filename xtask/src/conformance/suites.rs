//! numpy's and pandas' own tests in the image, beside the same tests natively.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::misses::Misses;
use super::outcomes::End;
use super::shards::file;
use super::suite_runs::{in_guest, natively};
use super::{Conformance, Report};
use crate::{images, step};

const PACKAGES: [&str; 2] = ["numpy", "pandas"];
/// As in `bundle.py`.
const LEFT_OUT: [&str; 3] = ["numpy/f2py/", "numpy/typing/", "numpy/_pyinstaller/"];
/// What must pass of what passes natively.
const SHARE: f64 = 0.99;

pub(super) fn compare(this: &Conformance) -> Result<Report> {
    let mut text = String::from("## numpy's and pandas' own tests\n\n");
    let mut good = true;
    for package in PACKAGES {
        let files = test_files(this, package)?;
        if files.is_empty() {
            continue;
        }
        let native = natively(this, package, &files)?;
        step(&format!("{package}: {} tests pass natively", native.len()));
        let guest = in_guest(this, &native)?;
        let misses = Misses::read(package)?;
        good &= describe(package, &guest, &misses, &mut text);
        let unused = if this.only.is_some() { Vec::new() } else { misses.unused() };
        good &= unused.is_empty();
        unused.iter().for_each(|pattern| {
            let _ = writeln!(text, "- in the list of misses, but passes now: `{pattern}`");
        });
    }
    Ok(Report { text, good })
}

/// Paths of the package's test files that are asked for.
fn test_files(this: &Conformance, package: &str) -> Result<Vec<String>> {
    let mut files = Vec::new();
    images::list(&this.native.site.join(package), &mut files)?;
    let mut files: Vec<String> = files
        .iter()
        .filter_map(|path| path.strip_prefix(&this.native.site).ok()?.to_str().map(str::to_owned))
        .filter(|path| {
            let name = path.rsplit('/').next().unwrap_or(path);
            path.contains("/tests/") && name.starts_with("test_") && name.ends_with(".py")
        })
        .filter(|path| !LEFT_OUT.iter().any(|left_out| path.starts_with(left_out)))
        .filter(|path| this.only.as_ref().is_none_or(|only| path.contains(only)))
        .collect();
    files.sort();
    Ok(files)
}

/// The folder by which results are told: `numpy/_core`, `pandas/frame`.
pub(super) fn group(path: &str) -> String {
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        ["pandas", "tests", folder, _, ..] => format!("pandas/{folder}"),
        [package, folder, _, ..] if *folder != "tests" => format!("{package}/{folder}"),
        [package, ..] => (*package).to_owned(),
        [] => String::new(),
    }
}

/// A table by folder, then what was missed by reason; whether nothing is left unnamed.
fn describe(package: &str, guest: &BTreeMap<String, End>, misses: &Misses, text: &mut String) -> bool {
    let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut named, mut unnamed): (BTreeMap<&str, usize>, Vec<_>) = Default::default();
    let mut passed = 0;
    for (test, end) in guest {
        let counts = groups.entry(group(file(test))).or_default();
        counts.0 += 1;
        if end.passed() {
            counts.1 += 1;
            passed += 1;
        } else if let Some(reason) = misses.reason(test, &end.why) {
            *named.entry(reason).or_default() += 1;
        } else {
            unnamed.push((test, end));
        }
    }
    let share = passed as f64 / guest.len().max(1) as f64;
    // Writing to a String cannot fail.
    let _ = writeln!(text, "### {package}: {passed} of {} ({:.2} %)\n", guest.len(), share * 100.0);
    let _ = writeln!(text, "| folder | pass natively | of these in the image | missed |\n| --- | --: | --: | --: |");
    for (name, (native, guest)) in &groups {
        let _ = writeln!(text, "| {name} | {native} | {guest} | {} |", native - guest);
    }
    if !named.is_empty() {
        let _ = writeln!(text, "\n| missed | reason |\n| --: | --- |");
        named.iter().for_each(|(reason, count)| {
            let _ = writeln!(text, "| {count} | {reason} |");
        });
    }
    if !unnamed.is_empty() {
        let _ = writeln!(text, "\n{} without a named reason:\n", unnamed.len());
        unnamed.iter().for_each(|(test, end)| {
            let _ = writeln!(text, "- `{test}`: {} {}", end.outcome, end.why);
        });
    }
    text.push('\n');
    unnamed.is_empty() && share >= SHARE
}
