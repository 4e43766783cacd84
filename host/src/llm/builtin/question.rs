//! Question + samples → [`Plan`]: picks the file that the question is about, then asks its kind's rules.

use super::columns::{common_key, joined, tables};
use super::mentions::{self, What};
use super::plan::{Join, Plan, Source, TablePlan, Task, TextPlan, TextTask};
use super::words::{Token, TokenKind, is_stop, stem, tokenize};
use super::{image_question, table_question};
use crate::engine::sample::{Content, Sample, Table};

/// Score of a file of which the question says every word and the ending.
const WHOLE_NAME: u32 = 170;

/// Plans the answer to a question. The same question and samples always give the same plan.
pub fn plan(question: &str, samples: &[Sample]) -> Plan {
    let tokens = tokenize(question);
    let tables = tables(samples);
    let images: Vec<&Sample> =
        samples.iter().filter(|sample| matches!(sample.content, Content::Image(_) | Content::Media(_))).collect();
    let best = best_table(&tokens, &tables);
    let table_score = best.map_or(0, |(_, score)| score);
    if !images.is_empty() && (tables.is_empty() || table_score < 80) {
        let score = |sample: &&Sample| file_score(&tokens, &sample.name);
        let mut named: Vec<&Sample> = images.iter().copied().filter(|sample| score(sample) > 0).collect();
        // `orbit.gif into an mp4` is not about `orbit-slower.mp4`.
        if named.iter().any(|sample| score(sample) >= WHOLE_NAME) {
            named.retain(|sample| score(sample) >= WHOLE_NAME);
        }
        let about = image_question::task(&tokens);
        let strongly = about.is_some()
            || tokens.iter().any(|t| {
                matches!(
                    stem(&t.text).as_str(),
                    "image"
                        | "picture"
                        | "gif"
                        | "photo"
                        | "frame"
                        | "animation"
                        | "video"
                        | "clip"
                        | "audio"
                        | "recording"
                )
            });
        if tables.is_empty() || strongly || !named.is_empty() {
            return image_question::plan(about, if named.is_empty() { &images } else { &named });
        }
    }
    if let Some((at, _)) = best {
        if let Some(known) = unreadable(&tables[at].0, samples) {
            return known;
        }
        let named_other = samples.iter().find(|s| {
            matches!(s.content, Content::Text { .. } | Content::Json { .. }) && file_score(&tokens, &s.name) > 0
        });
        if let Some(other) = named_other.filter(|_| table_score == 0) {
            return other_plan(&tokens, other);
        }
        return table_plan(&tokens, &tables, at);
    }
    let other = samples
        .iter()
        .filter(|s| matches!(s.content, Content::Text { .. } | Content::Json { .. }))
        .max_by_key(|s| (file_score(&tokens, &s.name), matches!(s.content, Content::Json { .. })));
    if let Some(sample) = other {
        return other_plan(&tokens, sample);
    }
    samples.iter().find_map(kept).unwrap_or(Plan::Files)
}

/// True if a question names the file with its ending, or in quotes.
pub fn names_file(tokens: &[Token], name: &str) -> bool {
    file_score(tokens, name) >= 150
}

/// The plan for a table whose file the image's Python cannot open.
fn unreadable(source: &Source, samples: &[Sample]) -> Option<Plan> {
    let sample = samples.iter().find(|sample| sample.name == source.file)?;
    let lower = sample.name.to_lowercase();
    let arrow = || {
        ["arrow", "feather"].iter().any(|word| sample.media_type.contains(word))
            || [".arrow", ".feather", ".ipc"].iter().any(|ending| lower.ends_with(ending))
    };
    match &sample.content {
        Content::Archive(archive) if !matches!(archive.format.as_str(), "zip" | "gzip" | "gz" | "zstd" | "zst") => {
            kept(sample)
        }
        Content::Table(table) if table.dialect.is_none() && arrow() => Some(Plan::Known {
            file: sample.name.clone(),
            what: "an Arrow file",
            lacks: "pyarrow, which reads it, is not part of this Python; save it as Parquet or CSV for questions about \
                    its rows",
        }),
        _ => None,
    }
}

/// The plan for a database without tables, a document or an archive.
fn kept(sample: &Sample) -> Option<Plan> {
    let known = |what, lacks| Some(Plan::Known { file: sample.name.clone(), what, lacks });
    match &sample.content {
        Content::Database { .. } => known("a SQLite database", "it has no tables to ask about"),
        Content::Document(_) => known("a PDF", "no package that reads one is part of this Python"),
        Content::Archive(archive) => match archive.format.as_str() {
            format @ ("zip" | "tar" | "tar.gz" | "tgz") => {
                Some(Plan::Archive { file: sample.name.clone(), format: format.to_owned() })
            }
            _ => known("a compressed file", "this Python opens ZIP, TAR and GZIP only"),
        },
        _ => None,
    }
}

/// The table that most of the question's words fit, and how well.
fn best_table(tokens: &[Token], tables: &[(Source, &Table)]) -> Option<(usize, u32)> {
    let score = |(source, table): &(Source, &Table)| {
        let columns: u32 = mentions::find(tokens, table).iter().map(|mention| mention.score).sum();
        let sheet = source.sheet.as_deref().map_or(0, |sheet| file_score(tokens, sheet));
        columns + file_score(tokens, &source.file) + sheet
    };
    let scores: Vec<u32> = tables.iter().map(score).collect();
    let best = *scores.iter().max()?;
    scores.iter().position(|score| *score == best).map(|at| (at, best))
}

/// How strongly a question names a file or a sheet.
fn file_score(tokens: &[Token], name: &str) -> u32 {
    let lower = name.to_lowercase();
    if tokens.iter().any(|token| token.kind == TokenKind::Quoted && token.text == lower) {
        return 200;
    }
    let stems: Vec<String> = tokenize(&lower).into_iter().map(|token| token.text).collect();
    let extension = stems.last().filter(|_| stems.len() > 1);
    let words = || stems.iter().filter(|word| Some(*word) != extension && word.len() > 2 && !is_stop(word));
    let said = |word: &str| tokens.iter().any(|token| stem(&token.text) == stem(word));
    let with_extension = extension.is_some_and(|e| said(e) && words().any(|word| said(word)));
    if with_extension && words().all(|word| said(word)) {
        return WHOLE_NAME;
    }
    if with_extension { 150 } else { 40 * words().filter(|word| said(word)).count() as u32 }
}

fn table_plan(tokens: &[Token], tables: &[(Source, &Table)], at: usize) -> Plan {
    let (source, table) = &tables[at];
    let join = find_join(tokens, tables, at);
    let (join, merged) = match join {
        Some((join, merged)) => (Some(join), Some(merged)),
        None => (None, None),
    };
    let table = merged.as_ref().unwrap_or(table);
    let about = format!("{} {}", source.file, source.sheet.as_deref().unwrap_or(""));
    let (filters, task) = table_question::task(tokens, table, &about);
    // An overview needs no second table.
    let join =
        join.filter(|_| !matches!(task, Task::Overview { .. } | Task::Clean | Task::Missing | Task::Unknown { .. }));
    Plan::Table(TablePlan { source: source.clone(), join, filters, task })
}

/// A second table that holds columns which the question names and the first lacks.
fn find_join(tokens: &[Token], tables: &[(Source, &Table)], at: usize) -> Option<(Join, Table)> {
    let (_, left) = &tables[at];
    let ours = mentions::find(tokens, left);
    let mut best: Option<(u32, Join, Table)> = None;
    for (other, (source, right)) in tables.iter().enumerate() {
        if other == at {
            continue;
        }
        let gained: u32 = mentions::find(tokens, right)
            .iter()
            .filter(|theirs| theirs.score >= 100 && matches!(theirs.what, What::Columns(_)))
            .filter(|theirs| !ours.iter().any(|m| m.span.start < theirs.span.end && theirs.span.start < m.span.end))
            .map(|theirs| theirs.score)
            .sum();
        if gained > best.as_ref().map_or(0, |(score, _, _)| *score)
            && let Some((left_key, right_key)) = common_key(left, right)
        {
            let join = Join { source: source.clone(), left: left_key, right: right_key };
            let merged = joined(left, right, &join);
            best = Some((gained, join, merged));
        }
    }
    best.map(|(_, join, merged)| (join, merged))
}

fn other_plan(tokens: &[Token], sample: &Sample) -> Plan {
    let says = |words: &[&str]| tokens.iter().any(|token| words.contains(&stem(&token.text).as_str()));
    let overview = says(&[
        "overview",
        "summary",
        "summarise",
        "summarize",
        "describe",
        "explore",
        "structure",
        "line",
        "about",
        "in",
        "inside",
    ]);
    match &sample.content {
        Content::Text { encoding, .. } => {
            let number = tokens.iter().find_map(Token::number).map_or(20, |n| n.clamp(1.0, 1000.0) as usize);
            let task = if let Some(text) = searched_text(tokens) {
                TextTask::Search { text }
            } else if says(&["word", "term", "frequency"]) {
                TextTask::Words { count: number }
            } else if says(&["first", "head", "beginning", "last", "tail", "end"]) {
                TextTask::Lines { count: number, from_end: says(&["last", "tail", "end"]) }
            } else {
                TextTask::Overview { understood: overview || tokens.is_empty() }
            };
            Plan::Text(TextPlan { file: sample.name.clone(), encoding: encoding.clone(), task })
        }
        _ => Plan::Json { file: sample.name.clone(), understood: overview || tokens.is_empty() },
    }
}

/// What to look for in a text: quoted, or the words after `containing`, `with`, `search for` …
fn searched_text(tokens: &[Token]) -> Option<String> {
    let says = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| words.contains(&token.text.as_str()));
    let after = (0..tokens.len()).find(|&at| {
        says(
            at,
            &[
                "containing",
                "contains",
                "contain",
                "mentioning",
                "mention",
                "mentions",
                "grep",
                "matching",
                "including",
            ],
        ) || (says(at, &["for"]) && at > 0 && says(at - 1, &["search", "look", "find"]))
            || (says(at, &["with"]) && at > 0 && says(at - 1, &["lines", "line"]))
    });
    if let Some(token) = tokens.iter().find(|token| token.kind == TokenKind::Quoted) {
        let asks = after.is_some()
            || tokens
                .iter()
                .any(|t| matches!(t.text.as_str(), "find" | "search" | "line" | "lines" | "where" | "many" | "often"));
        return asks.then(|| token.raw.clone());
    }
    let words: Vec<&str> = tokens[after? + 1..]
        .iter()
        .filter(|t| !matches!(t.text.as_str(), "the" | "word" | "text" | "a"))
        .take(4)
        .map(|t| t.raw.as_str())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}
