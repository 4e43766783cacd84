//! Questions that could be asked about the files, all of them understood by the rules.

use super::columns::{default_agg, is_group, is_measure, tables, time_column};
use super::describe::understood;
use super::plan::{Agg, Plan, Source};
use super::python::{capital, human};
use super::question::plan;
use crate::engine::sample::{Column, ColumnType, Content, Sample, Table};

/// Most suggestions.
const MAX: usize = 4;

/// Three or four questions for the page's “what could I ask?”.
pub fn suggestions(samples: &[Sample]) -> Vec<String> {
    pick(candidates(samples), samples, MAX, None)
}

/// Three questions to go on with after a plan.
pub fn next(done: &Plan, samples: &[Sample]) -> Vec<String> {
    pick(candidates(samples), samples, 3, Some(done))
}

/// The first candidates that the rules understand, each with a plan of its own.
fn pick(candidates: Vec<String>, samples: &[Sample], count: usize, done: Option<&Plan>) -> Vec<String> {
    let mut plans: Vec<Plan> = done.cloned().into_iter().collect();
    let mut chosen = Vec::new();
    for question in candidates.into_iter().take(24) {
        let plan = plan(&question, samples);
        if understood(&plan) && !plans.contains(&plan) && chosen.len() < count {
            plans.push(plan);
            chosen.push(question);
        }
    }
    chosen
}

fn candidates(samples: &[Sample]) -> Vec<String> {
    let mut questions = Vec::new();
    let readable = |source: &Source| !matches!(plan("overview", &of(samples, source)), Plan::Known { .. });
    if let Some((_, table)) =
        tables(samples).into_iter().filter(|(source, _)| readable(source)).max_by_key(|(_, table)| table.columns.len())
    {
        questions.extend(of_table(table));
    }
    let image = samples.iter().find_map(|sample| match &sample.content {
        Content::Image(facts) => Some(facts),
        _ => None,
    });
    if let Some(facts) = image {
        if facts.frames > 1 {
            questions.extend(["Make a contact sheet of the frames", "Play it twice as fast"].map(String::from));
            questions.push(format!("Resize it to {} px wide", (facts.width / 2).max(16)));
            questions.extend(["Extract the frames", "Play it backwards"].map(String::from));
        } else {
            questions.push(format!("Resize it to {} px wide", (facts.width / 2).max(16)));
            questions.extend(
                ["Make it grayscale", "What are its main colours?", "Convert it to jpg", "Rotate it by 90 degrees"]
                    .map(String::from),
            );
        }
    }
    if let Some(Content::Media(facts)) = samples.iter().map(|s| &s.content).find(|c| matches!(c, Content::Media(_))) {
        questions.push("How long is it?".into());
        if facts.streams.iter().any(|stream| stream.kind == "video") {
            questions.extend(["Make a contact sheet", "Make a GIF of it", "First frame as PNG"].map(String::from));
        }
        if facts.streams.iter().any(|stream| stream.kind == "audio") {
            questions.push("Extract the audio".into());
        }
    }
    if samples.iter().any(|sample| matches!(sample.content, Content::Text { .. })) && questions.is_empty() {
        questions.extend(
            [
                "Give me an overview",
                "What are the 20 most frequent words?",
                "Show the first 10 lines",
                "Show the last 10 lines",
            ]
            .map(String::from),
        );
    }
    if questions.is_empty() {
        questions.push("Give me an overview".into());
    }
    questions
}

fn of(samples: &[Sample], source: &Source) -> Vec<Sample> {
    samples.iter().filter(|sample| sample.name == source.file).cloned().collect()
}

fn of_table(table: &Table) -> Vec<String> {
    let columns = &table.columns[..table.columns.len().min(60)];
    let tellable = |column: &&Column| !human(&column.name).starts_with('(');
    let groups: Vec<String> = columns
        .iter()
        .filter(|c| is_group(c) && c.kind != ColumnType::Integer && (2..=20).contains(&c.distinct))
        .filter(tellable)
        .map(|c| human(&c.name))
        .collect();
    let mut measures: Vec<&Column> = columns.iter().filter(|c| is_measure(c)).filter(tellable).collect();
    // The widest range is usually the quantity that matters.
    let range = |column: &Column| {
        let number =
            |value: &Option<serde_json::Value>| value.as_ref().and_then(serde_json::Value::as_f64).unwrap_or(0.0);
        number(&column.max) - number(&column.min)
    };
    measures.sort_by(|a, b| range(b).total_cmp(&range(a)));
    let figure = |column: &Column| {
        format!("{} {}", if default_agg(&column.name) == Agg::Sum { "total" } else { "average" }, human(&column.name))
    };
    let mut questions = Vec::new();
    let time = time_column(table).is_some();
    if let (true, Some(measure)) = (time, measures.first()) {
        questions.push(format!("Monthly {} over time as a line chart", figure(measure)));
    }
    match (measures.first(), &groups[..]) {
        (Some(measure), [one, two, ..]) => {
            questions.push(format!("{} by {one} and {two} as a bar chart", capital(&figure(measure))))
        }
        (Some(measure), [one]) => questions.push(format!("{} by {one} as a bar chart", capital(&figure(measure)))),
        _ => {}
    }
    if let [one, two, ..] = &measures[..] {
        let color = groups.first().map_or(String::new(), |group| format!(" by {group}"));
        questions.push(format!("Relationship between {} and {}{color}", human(&two.name), human(&one.name)));
    }
    if let Some(measure) = measures.first() {
        let by = groups.first().map_or(String::new(), |group| format!(" by {group}"));
        questions.push(format!("Distribution of {}{by}", human(&measure.name)));
    }
    if let Some(group) = groups.first() {
        questions.push(format!("How many rows per {group}?"));
    }
    if let [one, two, ..] = &groups[..] {
        questions.push(format!("Share of {two} by {one}"));
    }
    if columns.iter().any(|column| column.missing > 0) {
        questions.push("Which values are missing?".into());
    }
    if measures.len() > 2 {
        questions.push("Correlation matrix".into());
    }
    if let (true, Some(measure)) = (time, measures.get(1)) {
        questions.push(format!("{} by month of the year", capital(&figure(measure))));
    }
    if let Some(measure) = measures.first() {
        questions.push(format!("Top 10 rows by {}", human(&measure.name)));
    }
    questions.extend(["Give me an overview", "Clean the data", "Are there duplicates?"].map(String::from));
    questions
}
