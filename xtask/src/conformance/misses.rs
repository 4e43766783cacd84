//! The lists of known misses: `conformance/misses/*.toml`, each with its reason.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::programs;

#[derive(Deserialize)]
struct File {
    miss: Vec<Miss>,
}

/// What is known not to agree.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Miss {
    /// Names of tests or calls, `*` for any text.
    tests: Vec<String>,
    /// What the failure says, `*` for any text; for reasons that show in it.
    said: Option<String>,
    /// Why it is so, for the report.
    reason: String,
    /// Which of `tests` were met.
    #[serde(skip)]
    met: RefCell<BTreeSet<usize>>,
}

/// A list, and which of its entries were met.
pub(super) struct Misses(Vec<Miss>);

impl Misses {
    /// The list of a part: `numpy`, `pandas`, `differential`.
    pub(super) fn read(name: &str) -> Result<Misses> {
        let path = programs().join("misses").join(name).with_extension("toml");
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
        Ok(Misses(toml::from_str::<File>(&text).with_context(|| format!("{}", path.display()))?.miss))
    }

    /// The reason of a miss, if it is known: the first that fits.
    pub(super) fn reason(&self, test: &str, said: &str) -> Option<&str> {
        self.0.iter().find_map(|miss| {
            let at = miss.tests.iter().position(|pattern| matches(pattern, test))?;
            let fits = miss.said.as_ref().is_none_or(|pattern| matches(pattern, said));
            fits.then(|| {
                miss.met.borrow_mut().insert(at);
                miss.reason.as_str()
            })
        })
    }

    /// Names in the list that no miss bears any more.
    pub(super) fn unused(&self) -> Vec<&str> {
        let unmet = |miss: &Miss, at: &usize| !miss.met.borrow().contains(at);
        self.0
            .iter()
            .flat_map(|miss| (0..miss.tests.len()).filter(|at| unmet(miss, at)).map(|at| miss.tests[at].as_str()))
            .collect()
    }
}

/// Whether a text is what a pattern with `*` describes.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c*", "abcd", true),
            ("a*d*", "abc", false),
            ("*x*", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
