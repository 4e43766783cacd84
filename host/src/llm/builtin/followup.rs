//! Follow-ups: `now as a line chart`, `only females`, `by year instead`, `and the median?` change the
//! plan of the question before them.

use super::plan::{Change, ImagePlan, ImageTask, Plan};
use super::program::table_of;
use super::words::{Token, tokenize};
use super::{describe, image_question, question, table_question};
use crate::engine::Exchange;
use crate::engine::sample::{Content, Sample};
use crate::llm::PlanContext;

/// Most earlier questions that are looked at.
const MAX_QUESTIONS: usize = 12;

/// The plan of a question, and the question that it goes on from.
pub struct Understanding {
    /// What to do.
    pub plan: Plan,
    /// The earlier question whose plan was changed.
    pub from: Option<String>,
}

/// What the planner's own programs write, whatever the file is called that they read. The history of a
/// long session does not reach back to all of them.
const OWN: &[&str] = &[
    "result.csv",
    "overview.csv",
    "overview.png",
    "image-facts.csv",
    "media-facts.csv",
    "structure.csv",
    "words.csv",
    "words.png",
    "matches.csv",
    "cleaned.csv",
    "cleaning-report.csv",
    "colours.csv",
    "colours.png",
    "outliers.csv",
    "outliers.png",
    "frame.png",
    "contact-sheet.png",
    "archive-contents.csv",
    "frames.zip",
    "frames.gif",
];

/// Plans the answer to a question of a session.
pub fn plan(context: &PlanContext) -> Understanding {
    let samples = uploaded(&context.question, &context.samples, &context.history);
    let asked: Vec<&str> =
        context.history.iter().map(|one| one.question.as_str()).filter(|q| !q.trim().is_empty()).collect();
    let mut before: Option<(Plan, String)> = None;
    for question in &asked[asked.len().saturating_sub(MAX_QUESTIONS)..] {
        let plan = step(question, before.as_ref(), &samples).plan;
        before = Some((plan, (*question).to_owned()));
    }
    step(&context.question, before.as_ref(), &samples)
}

fn step(question: &str, before: Option<&(Plan, String)>, samples: &[Sample]) -> Understanding {
    let alone = question::plan(question, samples);
    let tokens = tokenize(question);
    let refined = before.and_then(|(before, text)| {
        if !describe::understood(before) || tokens.is_empty() {
            return None;
        }
        let plan = match (before, &alone) {
            (Plan::Table(before), Plan::Table(new))
                if question::names_file(&tokens, &new.source.file) && new.source != before.source =>
            {
                None
            }
            (Plan::Table(before), Plan::Table(_)) => {
                let table = table_of(before, samples)?;
                table_question::refine(&tokens, before, &table).map(Plan::Table)
            }
            (Plan::Image(before) | Plan::Media(before), Plan::Image(new) | Plan::Media(new)) => {
                edited(&tokens, before, new, samples)
            }
            _ => None,
        }?;
        Some(Understanding { plan, from: Some(text.clone()) })
    });
    refined.unwrap_or(Understanding { plan: alone, from: None })
}

/// `and make it smaller`: the changes before, then the new ones, on the file before.
fn edited(tokens: &[Token], before: &ImagePlan, new: &ImagePlan, samples: &[Sample]) -> Option<Plan> {
    let first = tokens.first().map_or("", |token| token.text.as_str());
    let goes_on = matches!(first, "and" | "now" | "then" | "but" | "also")
        || tokens.iter().any(|token| matches!(token.text.as_str(), "also" | "too" | "instead" | "again"));
    let (ImageTask::Edit { changes: old, format: kept }, ImageTask::Edit { changes, format }, true) =
        (&before.task, &new.task, goes_on)
    else {
        return None;
    };
    let kind = |change: &Change| std::mem::discriminant(change);
    let mut all: Vec<Change> =
        old.iter().filter(|old| !changes.iter().any(|new| kind(new) == kind(old))).cloned().collect();
    all.extend(changes.iter().cloned());
    let files: Vec<&Sample> = samples.iter().filter(|sample| before.files.contains(&sample.name)).collect();
    Some(image_question::plan(Some(ImageTask::Edit { changes: all, format: format.or(*kept) }), &files))
}

/// The files that came from the user: what earlier answers left in the workspace is only looked at if
/// the question names it.
pub fn uploaded(question: &str, samples: &[Sample], history: &[Exchange]) -> Vec<Sample> {
    let tokens = tokenize(question);
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_lowercase();
    let moving = |sample: &Sample| matches!(sample.content, Content::Image(_) | Content::Media(_));
    // `clip-slower.gif` beside `clip.gif`
    let derived = |sample: &Sample| {
        moving(sample)
            && samples.iter().any(|other| {
                moving(other)
                    && stem(&sample.name).strip_prefix(&stem(&other.name)).is_some_and(|rest| rest.starts_with('-'))
            })
    };
    let made = |name: &str| {
        if OWN.contains(&name) || name.starts_with("frames/") {
            return true;
        }
        let folder = name.rsplit_once('/').map(|(folder, _)| folder);
        history.iter().any(|one| {
            one.program.lines().any(|line| {
                let writes = [
                    "to_csv(",
                    "to_json(",
                    "to_excel(",
                    "savefig(",
                    "save(",
                    "output =",
                    "Path(",
                    "ZipFile(",
                    "contact_sheet(",
                ]
                .iter()
                .any(|call| line.contains(call));
                let says = |text: &str| line.contains(&format!("'{text}'")) || line.contains(&format!("\"{text}\""));
                writes && (says(name) || folder.is_some_and(says))
            })
        })
    };
    let own: Vec<Sample> = samples
        .iter()
        .filter(|sample| {
            let earlier = !history.is_empty() && (made(&sample.name) || derived(sample));
            question::names_file(&tokens, &sample.name) || !earlier
        })
        .cloned()
        .collect();
    if own.is_empty() { samples.to_vec() } else { own }
}
