//! Words where a question should name a column, and the table has none like it. An answer about
//! another column would be an invention, so the planner says which names it does not know.

use super::columns::searched;
use super::python::name_words;
use super::words::{Token, TokenKind, is_stop, stem, tokenize};
use crate::engine::sample::Table;

/// Behind these stands what is measured.
const MEASURED: &[&str] = &[
    "average",
    "avg",
    "mean",
    "median",
    "total",
    "sum",
    "minimum",
    "maximum",
    "min",
    "max",
    "highest",
    "lowest",
    "distribution",
    "histogram",
    "correlation",
    "relationship",
    "deviation",
    "spread",
    "trend",
    "boxplot",
];
/// Behind these stands what makes groups.
const GROUPED: &[&str] = &["by", "per", "across"];
/// Behind these stands the second of two columns.
const PAIRED: &[&str] = &["and", "vs", "versus", "against", "with"];
/// Words between such a word and the name.
const BETWEEN: &[&str] =
    &["of", "the", "a", "an", "between", "in", "each", "every", "all", "different", "its", "their", "values", "value"];
/// Words of such places that name no column.
const GENERAL: &[&str] = &[
    "weekday",
    "hand",
    "default",
    "far",
    "observation",
    "figure",
    "statistic",
    "group",
    "category",
    "frequency",
    "size",
    "occurrence",
    "weekend",
    "season",
    "decade",
    "everything",
    "length",
    "number",
    "amount",
    "seasonal",
    "them",
    "plot",
    "stacked",
    "gap",
    "line",
    "matrix",
    "coefficient",
    "table",
    "deviation",
    "heatmap",
    "each",
    "piece",
    "degree",
];
/// Names that look this much alike are worth showing, from 0 to 1.
const NEAR: f64 = 0.72;

/// Names in a question that no column of the table has. `taken` marks tokens that were understood,
/// `about` is what the table is called: its own rows may be named too.
pub fn names(tokens: &[Token], taken: &[bool], about: &str) -> Vec<String> {
    let rows: Vec<String> = tokenize(about).iter().map(|token| stem(&token.text)).collect();
    let is_name = |at: usize| {
        tokens.get(at).is_some_and(|token| {
            let quoted = token.kind == TokenKind::Quoted;
            let word = token.kind == TokenKind::Word && token.text.chars().count() > 2 && !is_stop(&token.text);
            let root = stem(&token.text);
            !taken[at]
                && (quoted || word)
                && !rows.contains(&root)
                && !GENERAL.contains(&root.as_str())
                && !GENERAL.contains(&token.text.as_str())
        })
    };
    let related = tokens.iter().any(|token| {
        matches!(
            stem(&token.text).as_str(),
            "correlation" | "relationship" | "correlate" | "scatter" | "vs" | "versus" | "against"
        )
    });
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let word = token.text.as_str();
        let leads = MEASURED.contains(&word) || GROUPED.contains(&word) || (related && PAIRED.contains(&word));
        if !leads || taken[at] {
            continue;
        }
        let mut next = at + 1;
        while tokens.get(next).is_some_and(|token| BETWEEN.contains(&token.text.as_str())) {
            next += 1;
        }
        // `customer age` may name the column `age`.
        let part = taken.get(next + 1).copied().unwrap_or(false);
        if is_name(next) && !part && !found.contains(&tokens[next].raw) {
            found.push(tokens[next].raw.clone());
        }
    }
    found
}

/// Columns whose names are like one of `names`, the most alike first.
pub fn near(names: &[String], table: &Table) -> Vec<String> {
    let alike = |column: &str| {
        let (words, _) = name_words(column);
        let whole = words.join(" ");
        names
            .iter()
            .flat_map(|name| {
                let name = name.to_lowercase();
                words
                    .iter()
                    .chain(std::iter::once(&whole))
                    .map(move |word| strsim::jaro_winkler(word, &name))
                    .collect::<Vec<_>>()
            })
            .fold(0.0, f64::max)
    };
    let mut near: Vec<(f64, &str)> = searched(table)
        .iter()
        .map(|column| (alike(&column.name), column.name.as_str()))
        .filter(|(alike, _)| *alike >= NEAR)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.into_iter().take(3).map(|(_, name)| name.to_owned()).collect()
}

/// Names that begin with a capital inside the question and were not found in the data: `in Paris`.
pub fn overlooked(tokens: &[Token], taken: &[bool], about: &str) -> Vec<String> {
    let rows: Vec<String> = tokenize(about).iter().map(|token| stem(&token.text)).collect();
    let behind = |at: usize| matches!(tokens[at].text.as_str(), "in" | "for" | "from" | "of" | "on" | "only" | "at");
    (1..tokens.len())
        .filter(|&at| {
            let token = &tokens[at];
            let proper = token.raw.chars().next().is_some_and(char::is_uppercase) && !is_stop(&token.text);
            (proper || token.kind == TokenKind::Quoted)
                && !taken[at]
                && behind(at - 1)
                && !rows.contains(&stem(&token.text))
        })
        .map(|at| tokens[at].raw.clone())
        .take(4)
        .collect()
}
