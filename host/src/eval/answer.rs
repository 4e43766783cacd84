//! Answer: whether what a program printed is what was expected.

use std::collections::HashMap;

/// When an output counts as the expected one.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    /// Byte for byte.
    Exact,
    /// Line by line; spaces at the ends of lines and empty lines at the end do not count, and several spaces are one.
    Whitespace,
    /// The same, and words that are numbers may differ by a tolerance, relative or absolute.
    Float {
        /// The largest difference.
        tolerance: f64,
    },
    /// The same lines in any order.
    Unordered,
    /// What a program of the problem says: Python with `check(input, output, expected)`.
    Checker {
        /// Its source.
        code: String,
    },
}

impl Comparison {
    /// Whether the output counts; `None` if a checker has to say so.
    #[must_use]
    pub fn holds(&self, output: &str, expected: &str) -> Option<bool> {
        Some(match self {
            Comparison::Exact => output == expected,
            Comparison::Whitespace => lines(output) == lines(expected),
            Comparison::Float { tolerance } => {
                let (output, expected) = (lines(output), lines(expected));
                let same = |(a, b): (&Vec<&str>, &Vec<&str>)| {
                    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b, *tolerance))
                };
                output.len() == expected.len() && output.iter().zip(&expected).all(same)
            }
            Comparison::Unordered => counted(output) == counted(expected),
            Comparison::Checker { .. } => return None,
        })
    }
}

/// Lines as words, without those that are empty at the end.
fn lines(text: &str) -> Vec<Vec<&str>> {
    let mut lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

fn counted(text: &str) -> HashMap<Vec<&str>, usize> {
    let mut counts = HashMap::new();
    for line in lines(text) {
        *counts.entry(line).or_default() += 1;
    }
    counts
}

fn close(a: &str, b: &str, tolerance: f64) -> bool {
    if a == b {
        return true;
    }
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    if a.is_nan() || b.is_nan() {
        return a.is_nan() && b.is_nan();
    }
    a == b || (a - b).is_finite() && (a - b).abs() <= tolerance * a.abs().max(b.abs()).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comparison_forgives_what_it_says_and_nothing_else() {
        let float = Comparison::Float { tolerance: 1e-6 };
        for (comparison, output, expected, holds) in [
            (&Comparison::Exact, "1\n", "1\n", true),
            (&Comparison::Exact, "1", "1\n", false),
            (&Comparison::Whitespace, "1  2 \n\n", "1 2", true),
            (&Comparison::Whitespace, "1\n2", "1 2", false),
            (&Comparison::Whitespace, "\n1", "1", false),
            (&Comparison::Whitespace, "", "1", false),
            (&float, "0.33333333 x", "0.3333333333 x", true),
            (&float, "0.3334", "0.3333333333", false),
            (&float, "1000000.5", "1000000", true),
            (&float, "nan", "1", false),
            (&float, "nan", "nan", true),
            (&float, "inf", "1", false),
            (&float, "1 2", "1", false),
            (&Comparison::Unordered, "b\na\n", "a\nb", true),
            (&Comparison::Unordered, "a\na\nb", "a\nb\nb", false),
        ] {
            assert_eq!(comparison.holds(output, expected), Some(holds), "{comparison:?}: {output:?}, {expected:?}");
        }
        assert_eq!(Comparison::Checker { code: String::new() }.holds("1", "1"), None);
    }
}
