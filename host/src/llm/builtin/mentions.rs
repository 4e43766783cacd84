//! Mentions: which columns and values of a table a question speaks of, and where.

use std::collections::HashMap;
use std::ops::Range;

use super::columns::searched;
use super::python::name_words;
use super::words::{Token, TokenKind, is_stop, likeness, stem, tokenize};
use crate::engine::sample::{Column, ColumnType, Role, Table};

/// A column or a value in a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Mention {
    /// Tokens it covers.
    pub span: Range<usize>,
    /// What is meant.
    pub what: What,
    /// How sure; above 100 all of a name was said.
    pub score: u32,
}

/// What a mention means. Several entries fit equally well.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Places of columns in the table.
    Columns(Vec<usize>),
    /// Columns and values in them.
    Values(Vec<(usize, String)>),
}

/// Finds the mentions of a table's columns and values, left to right, none overlapping.
pub fn find(tokens: &[Token], table: &Table) -> Vec<Mention> {
    let mut candidates = column_candidates(tokens, table);
    candidates.extend(value_candidates(tokens, table));
    candidates.sort_by(|a, b| {
        b.score.cmp(&a.score).then(b.span.len().cmp(&a.span.len())).then(a.span.start.cmp(&b.span.start))
    });
    let mut taken = vec![false; tokens.len()];
    let mut chosen: Vec<Mention> = Vec::new();
    for candidate in candidates {
        if let Some(equal) = chosen.iter_mut().find(|m| m.span == candidate.span && m.score == candidate.score) {
            match (&mut equal.what, candidate.what) {
                (What::Columns(all), What::Columns(more)) => all.extend(more.into_iter().filter(|_| true)),
                (What::Values(all), What::Values(more)) => all.extend(more),
                _ => {}
            }
        } else if candidate.span.clone().all(|at| !taken[at]) {
            candidate.span.clone().for_each(|at| taken[at] = true);
            chosen.push(candidate);
        }
    }
    chosen.sort_by_key(|mention| mention.span.start);
    chosen
}

fn column_candidates(tokens: &[Token], table: &Table) -> Vec<Mention> {
    let mut cache: HashMap<(usize, String), u32> = HashMap::new();
    let mut found = Vec::new();
    for (index, column) in searched(table).iter().enumerate() {
        let (words, unit) = name_words(&column.name);
        let quoted = column.name.to_lowercase();
        for start in 0..tokens.len() {
            let token = &tokens[start];
            if token.kind == TokenKind::Quoted || token.text == quoted {
                if token.text == quoted {
                    found.push(Mention { span: start..start + 1, what: What::Columns(vec![index]), score: 130 });
                }
                continue;
            }
            let mut best: Option<(u32, usize)> = None;
            for length in 1..=(words.len() + 2).min(tokens.len() - start) {
                let window = &tokens[start..start + length];
                if let Some(score) = window_score(window, start, &words, unit, &mut cache)
                    && best.is_none_or(|(other, _)| score > other)
                {
                    best = Some((score, length));
                }
            }
            if let Some((score, length)) = best {
                found.push(Mention { span: start..start + length, what: What::Columns(vec![index]), score });
            }
        }
    }
    found
}

/// How well a window of tokens names a column; `None` if a token has no part in the name.
fn window_score(
    window: &[Token],
    start: usize,
    words: &[String],
    unit: Option<&str>,
    cache: &mut HashMap<(usize, String), u32>,
) -> Option<u32> {
    let mut free: Vec<&String> = words.iter().collect();
    let (mut quality, mut matched) = (0, 0);
    let mut content = false;
    for (offset, token) in window.iter().enumerate() {
        let inner = offset > 0 && offset + 1 < window.len();
        let best = free
            .iter()
            .enumerate()
            .map(|(at, word)| {
                let key = (start + offset, (*word).clone());
                (*cache.entry(key).or_insert_with(|| likeness(&token.text, word)), at)
            })
            .max_by_key(|(like, at)| (*like, usize::MAX - at));
        match best {
            Some((like, at)) if like >= 70 => {
                free.remove(at);
                quality += like;
                matched += 1;
                content |= !is_stop(&token.text);
            }
            _ if inner && matches!(token.text.as_str(), "of" | "the" | "in") => {}
            _ if offset > 0 && free.is_empty() && unit.is_some_and(|unit| unit.eq_ignore_ascii_case(&token.text)) => {}
            // `bodymass` for body_mass
            _ if window.len() == 1 && words.len() > 1 && words.concat() == token.text => return Some(118),
            _ => return None,
        }
    }
    if matched == 0 {
        return None;
    }
    let quality = quality / matched;
    let (matched, all) = (matched, words.len() as u32);
    if free.is_empty() {
        // A plain word such as `mean` or `count` names a column only if it is spelled so.
        return (content || quality >= 99).then_some(quality + 10 * all);
    }
    let last_word = window.len() == 1 && words.last().is_some_and(|word| likeness(&window[0].text, word) >= 99);
    (content && quality >= 80).then_some(30 + 40 * matched / all + u32::from(last_word) * 2 + (quality - 80) / 10)
}

fn value_candidates(tokens: &[Token], table: &Table) -> Vec<Mention> {
    let mut found = Vec::new();
    for (index, column) in searched(table).iter().enumerate().filter(|(_, column)| column.kind == ColumnType::Text) {
        for value in known_values(column, index, table) {
            let words: Vec<String> = tokenize(&value).into_iter().map(|token| token.text).take(6).collect();
            if words.is_empty() {
                continue;
            }
            for start in 0..tokens.len() {
                if tokens[start].kind == TokenKind::Quoted && tokens[start].text == value.to_lowercase() {
                    found.push(Mention {
                        span: start..start + 1,
                        what: What::Values(vec![(index, value.clone())]),
                        score: 129,
                    });
                }
                let Some(window) = tokens.get(start..start + words.len()) else { break };
                let score = value_score(window, &words, column);
                if score > 0 {
                    found.push(Mention {
                        span: start..start + words.len(),
                        what: What::Values(vec![(index, value.clone())]),
                        score,
                    });
                }
            }
        }
    }
    found
}

fn value_score(window: &[Token], words: &[String], column: &Column) -> u32 {
    if window.iter().zip(words).all(|(token, word)| {
        token.kind != TokenKind::Quoted && (token.text == *word || stem(&token.text) == stem(word))
    }) {
        let content = window
            .iter()
            .any(|token| !is_stop(&token.text) && (token.text.len() > 1 || token.raw.chars().all(char::is_uppercase)));
        return if content && !(window.len() == 1 && window[0].number().is_some()) {
            95 + 10 * words.len() as u32
        } else {
            0
        };
    }
    if let ([token], [word]) = (window, words)
        && matches!(column.role, Role::Category | Role::Geo)
        && !is_stop(&token.text)
        && token.kind == TokenKind::Word
    {
        // rainy, sunny, foggy
        let adjective =
            token.text.strip_prefix(word.as_str()).is_some_and(|rest| matches!(rest, "y" | "ny" | "gy" | "ing"));
        let typo = word.len() >= 5 && word.len() <= 40 && strsim::osa_distance(&token.text, word) <= 1;
        return if adjective || typo { 85 } else { 0 };
    }
    0
}

/// Values of a text column that the sample shows, most frequent first.
fn known_values(column: &Column, index: usize, table: &Table) -> Vec<String> {
    let mut values: Vec<String> = column.top.iter().map(|(value, _)| value.clone()).collect();
    values.extend(table.head.iter().filter_map(|row| row.get(index).cloned().flatten()));
    values.retain(|value| !value.is_empty() && value.len() <= 80);
    let mut seen = std::collections::HashSet::new();
    values.retain(|value| seen.insert(value.clone()));
    values
}
