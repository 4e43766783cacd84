//! What the documents promise has a test: each one that they name is there, and each promise names one.

use std::collections::BTreeSet;
use std::path::Path;

use glovebox_tests::here;

/// Documents whose tables end in a column of tests.
const TABLES: [&str; 2] = ["SPECIFICATION.md", "docs/threat-model.md"];
/// Documents that name tests somewhere.
const NAMING: [&str; 3] = ["SPECIFICATION.md", "docs/threat-model.md", "README.md"];
/// What stands in the place of a test where there is none.
const NONE: &str = "not enforced yet";

/// Every test of the repository, as its file's path, `::`, and its name.
fn tests() -> BTreeSet<String> {
    let root = here().parent().expect("the repository");
    let mut found = BTreeSet::new();
    for dir in ["host/src", "runtime/src", "runtime/tests", "media/src", "media/tests", "tests/src", "tests/browser"] {
        search(root, &root.join(dir), &mut found);
    }
    found
}

fn search(root: &Path, path: &Path, found: &mut BTreeSet<String>) {
    if path.is_dir() {
        // What npm brought has tests of others.
        if path.file_name().is_some_and(|name| name != "node_modules") {
            let entries = std::fs::read_dir(path).expect("readable");
            entries.for_each(|entry| search(root, &entry.expect("readable").path(), found));
        }
        return;
    }
    let name = path.strip_prefix(root).expect("beneath it").display().to_string();
    let names = match name.rsplit_once('.') {
        Some((_, "rs")) => functions(&std::fs::read_to_string(path).expect("UTF-8")),
        Some((_, "mjs")) => titles(&std::fs::read_to_string(path).expect("UTF-8")),
        _ => return,
    };
    found.extend(names.into_iter().map(|test| format!("{name}::{test}")));
}

/// Functions below `#[test]`, `#[tokio::test]` and the like, with other attributes between.
fn functions(source: &str) -> Vec<String> {
    let (mut names, mut marked) = (Vec::new(), false);
    for line in source.lines().map(str::trim) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if marked && !line.starts_with("#[") && !line.starts_with("//") {
            marked = false;
            let name = line.trim_start_matches("async ").strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

/// The words of `test("…", …)`.
fn titles(source: &str) -> Vec<String> {
    let title = |line: &str| Some(line.strip_prefix("test(\"")?.split_once('"')?.0.to_owned());
    source.lines().filter_map(title).collect()
}

/// What a text names as tests: between backticks, a file and a test, with `::` between.
fn named(text: &str) -> Vec<&str> {
    let between = text.split('`').skip(1).step_by(2);
    between
        .filter(|word| {
            word.split_once("::").is_some_and(|(file, _)| [".rs", ".mjs"].iter().any(|end| file.ends_with(end)))
        })
        .collect()
}

fn read(document: &str) -> String {
    std::fs::read_to_string(here().parent().expect("the repository").join(document)).expect("the document is there")
}

/// Whether the repository has this test; the beginning of its file's path may be left out.
fn is_there(tests: &BTreeSet<String>, name: &str) -> bool {
    tests.contains(name) || tests.iter().any(|test| test.ends_with(&format!("/{name}")))
}

#[test]
fn every_test_that_the_documents_name_is_there() {
    let tests = tests();
    assert!(tests.len() > 400, "only {} tests were found: they are looked for in the wrong way", tests.len());
    for (document, least) in NAMING.iter().zip([70, 30, 15]) {
        let text = read(document);
        let names = named(&text);
        assert!(names.len() >= least, "{document} names only {} tests", names.len());
        let missing: Vec<_> = names.into_iter().filter(|name| !is_there(&tests, name)).collect();
        assert!(missing.is_empty(), "{document} names tests that do not exist: {missing:#?}");
    }
}

#[test]
fn every_promise_and_every_threat_names_its_test_or_says_that_there_is_none() {
    for document in TABLES {
        let text = read(document);
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---")).collect();
        let heads = text.lines().filter(|line| line.starts_with("| ---")).count();
        let without: Vec<_> = rows
            .iter()
            .filter(|row| {
                let last = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
                named(last).is_empty() && !last.contains(NONE)
            })
            .collect();
        assert_eq!(without.len(), heads, "{document}: rows without a test beside the {heads} heads: {without:#?}");
    }
}

#[test]
fn every_metric_that_the_guide_watches_is_there() {
    let (guide, source) = (read("docs/deployment.md"), read("host/src/metrics.rs"));
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let metric = |c: char| !(c.is_ascii_lowercase() || c == '_');
    let of = |text: &str| -> BTreeSet<String> {
        let words = text.split(metric).filter(|word| word.starts_with("glovebox_"));
        words.map(|word| word.trim_end_matches("_bucket").to_owned()).collect()
    };
    let (watched, there) = (of(&guide), of(source));
    assert!(watched.len() > 5, "the guide watches too little");
    let missing: Vec<_> = watched.difference(&there).collect();
    assert!(missing.is_empty(), "metrics that do not exist: {missing:?}");
}

#[test]
fn a_test_that_does_not_exist_is_noticed() {
    let tests = tests();
    assert!(is_there(&tests, "specification.rs::a_test_that_does_not_exist_is_noticed"));
    assert!(is_there(&tests, "tests/src/specification.rs::a_test_that_does_not_exist_is_noticed"));
    for wrong in ["specification.rs::is_there", "cation.rs::a_test_that_does_not_exist_is_noticed", "api.rs::no_such"] {
        assert!(!is_there(&tests, wrong), "{wrong}");
    }
    assert_eq!(named("a `b.rs::c`, `d::e`, `f.rs` and `g.mjs::h i`"), ["b.rs::c", "g.mjs::h i"]);
}
