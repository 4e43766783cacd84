//! Candidates: several programs for one question, run side by side in fresh interpreters on copies of the files. The
//! best of them becomes the answer's program and is run once more, in the workspace itself; the copies are thrown away.
//!
//! The rule: it ends well and shows something; it made what was asked for; it used the least fuel. Nothing is repaired
//! here, only the winner is, if all of them failed.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use glovebox_runtime::Outcome;

use super::executor::{self, RunJob};
use super::extract::{Extract, Refused};
use super::generator::{self, Draft, NOT_RUN};
use super::prompt::one_line;
use super::work::Stop;
use super::{AnswerEvent, Attempt, Candidate, EngineError, Stage, Work, failure};
use crate::files::{Workspace, copy};

/// Bytes of all copies of a workspace together; fewer candidates are run if its files are larger.
const COPY_BYTES: u64 = 4 << 30;
/// Files of a workspace that are copied.
const COPY_FILES: usize = 20_000;

/// Asks for several programs, tries them, and gives the best one as the draft.
pub(super) async fn best<F: RunJob>(work: &mut Work<'_>, fresh: &F) -> Result<Result<Draft, Stop>, EngineError> {
    let of = work.ask.effort.candidates;
    let completions: Vec<_> = (1..=of).map(|number| generator::variant(work, number, of)).collect();
    let replies = match work.complete_all(&completions).await? {
        Ok(replies) => replies,
        Err(stop) => return Ok(Err(stop)),
    };
    let mut drafts: Vec<Draft> = Vec::new();
    let mut spare: Vec<Draft> = Vec::new();
    let mut words: Option<Draft> = None;
    let mut refused: Vec<Attempt> = Vec::new();
    for reply in &replies {
        let found = generator::read(work, reply)?;
        let Extract { program, alternatives, suggestions, text, refused: unusable, .. } = found;
        if let Some(Refused { code, reason }) = unusable {
            refused.push(Attempt { program: code, ending: NOT_RUN.into(), error: Some(reason) });
        } else if program.is_some() {
            let others =
                alternatives.into_iter().map(|other| Draft { program: Some(other.program), ..Draft::default() });
            spare.extend(others);
            drafts.push(Draft { program, suggestions, text, ..Draft::default() });
        } else if words.is_none() {
            words = Some(Draft { suggestions, text, ..Draft::default() });
        }
    }
    // One reply may hold several programs.
    let same =
        |one: &Draft, other: &Draft| one.program.as_deref().map(str::trim) == other.program.as_deref().map(str::trim);
    let mut different: Vec<Draft> = Vec::new();
    for draft in drafts.into_iter().chain(spare) {
        if different.len() < of as usize && !different.iter().any(|one| same(one, &draft)) {
            different.push(draft);
        }
    }
    match (different.len(), words) {
        (0, Some(words)) => return Ok(Ok(words)),
        // Each was code that cannot be run: asked once more, the model hears why.
        (0, None) => return generator::generate(work).await,
        (1, _) => {
            let only = different.pop().unwrap_or_default();
            return Ok(Ok(Draft { refused, ..only }));
        }
        _ => {}
    }
    let outcomes = side_by_side(work, fresh, &different).await?;
    Ok(Ok(keep_best(work, different, outcomes)))
}

/// Runs the programs at the same time. `None` for one that could not be run.
async fn side_by_side<F: RunJob>(
    work: &mut Work<'_>,
    fresh: &F,
    drafts: &[Draft],
) -> Result<Vec<Option<Outcome>>, EngineError> {
    let of = u32::try_from(drafts.len()).unwrap_or(u32::MAX);
    work.stage(Stage::Running, 1, format!("running {of} candidates side by side"));
    let io = |source| EngineError::Io { action: "failed to copy the workspace for a candidate", source };
    let mut copies = Vec::new();
    let mut jobs = Vec::new();
    let mut outcomes: Vec<Option<Outcome>> = drafts.iter().map(|_| None).collect();
    let size = size_of(&work.ask.workspace).await.map_err(io)?;
    for (number, draft) in drafts.iter().enumerate() {
        let enough = size.saturating_mul(number as u64 + 1) > COPY_BYTES && number > 0;
        if enough {
            break;
        }
        let (copy, data) = copy_of(&work.ask.workspace).await.map_err(io)?;
        copies.push(copy);
        let program = draft.program.as_deref().unwrap_or_default();
        let Some(job) = executor::job(work, program, data) else { break };
        jobs.push((number, job));
    }
    let cancel = work.cancel;
    let mut running: FuturesUnordered<_> = jobs
        .into_iter()
        .map(|(number, job)| async move {
            let mut ignore = |_| {};
            (number, fresh.run(job, &mut ignore, cancel).await)
        })
        .collect();
    let mut broke = None;
    while let Some((number, outcome)) = running.next().await {
        match outcome {
            Ok(outcome) => {
                let error = failure::reason(&outcome).map(|reason| one_line(&reason, 500));
                let ending = outcome.ending.name().to_owned();
                let number_of = u32::try_from(number + 1).unwrap_or(u32::MAX);
                (work.on_event)(AnswerEvent::Candidate { number: number_of, of, ending, error });
                outcomes[number] = Some(outcome);
            }
            Err(error) => broke = broke.or(Some(error)),
        }
    }
    drop(running);
    // Their content is foreign and may be large: not on a thread that serves others.
    let _ = tokio::task::spawn_blocking(move || drop(copies)).await;
    match broke {
        Some(error) if outcomes.iter().all(Option::is_none) => Err(error.into()),
        _ => Ok(outcomes),
    }
}

/// Notes all candidates and gives the best as the draft.
fn keep_best(work: &mut Work<'_>, mut drafts: Vec<Draft>, outcomes: Vec<Option<Outcome>>) -> Draft {
    let wishes = Wishes::of(&work.ask.question);
    let rank = |outcome: &Option<Outcome>| match outcome {
        None => (2, 0, u64::MAX),
        Some(outcome) => {
            let failed = u8::from(failure::reason(outcome).is_some());
            (failed, usize::MAX - wishes.met(outcome), outcome.usage.fuel)
        }
    };
    let best = (0..drafts.len()).min_by_key(|number| rank(&outcomes[*number])).unwrap_or_default();
    work.details.candidates = drafts
        .iter()
        .zip(&outcomes)
        .enumerate()
        .map(|(number, (draft, outcome))| Candidate {
            program: draft.program.clone().unwrap_or_default(),
            ending: outcome.as_ref().map_or(NOT_RUN, |outcome| outcome.ending.name()).to_owned(),
            error: match outcome {
                Some(outcome) => failure::reason(outcome).map(|reason| one_line(&reason, 500)),
                None => Some("it was not run".into()),
            },
            artifacts: outcome
                .iter()
                .flat_map(|outcome| &outcome.artifacts)
                .map(|one| one.path.clone())
                .take(50)
                .collect(),
            fuel: outcome.as_ref().map_or(0, |outcome| outcome.usage.fuel),
            kept: number == best,
        })
        .collect();
    work.stage(Stage::Running, 1, format!("candidate {} of {} is kept", best + 1, drafts.len()));
    let first = drafts.first().map(|first| first.suggestions.clone()).unwrap_or_default();
    let mut draft = drafts.swap_remove(best);
    if draft.suggestions.is_empty() {
        draft.suggestions = first;
    }
    draft
}

/// What a question wants to be made.
struct Wishes {
    picture: bool,
    extensions: Vec<&'static str>,
}

impl Wishes {
    fn of(question: &str) -> Wishes {
        const PICTURES: [&str; 12] = [
            "chart",
            "plot",
            "graph",
            "diagram",
            "histogram",
            "heatmap",
            "draw",
            "visuali",
            "picture",
            "figure",
            "diagramm",
            "grafik",
        ];
        const EXTENSIONS: [&str; 14] =
            ["csv", "xlsx", "json", "html", "png", "svg", "jpg", "gif", "mp4", "webm", "webp", "pdf", "mp3", "txt"];
        let lower = question.to_lowercase();
        let words: Vec<&str> = lower.split(|c: char| !c.is_alphanumeric()).collect();
        Wishes {
            picture: PICTURES.iter().any(|word| words.iter().any(|said| said.starts_with(word))),
            extensions: EXTENSIONS.into_iter().filter(|extension| words.contains(extension)).collect(),
        }
    }

    /// How many of them an outcome meets.
    fn met(&self, outcome: &Outcome) -> usize {
        let artifact = |extension: &str| {
            outcome.artifacts.iter().any(|one| one.path.to_lowercase().ends_with(&format!(".{extension}")))
        };
        let drawn = || {
            let chart =
                |kind: &String| kind.starts_with("image/") || kind.contains("vegalite") || kind.contains("plotly");
            outcome.displays.iter().any(|display| display.data.keys().any(chart))
                || ["png", "svg", "jpg", "gif", "html"].into_iter().any(artifact)
        };
        usize::from(self.picture && drawn()) + self.extensions.iter().filter(|one| artifact(one)).count()
    }
}

async fn size_of(workspace: &Path) -> std::io::Result<u64> {
    let workspace = workspace.to_owned();
    let sum = move || Ok(Workspace::open(&workspace)?.files(COPY_FILES)?.iter().map(|(_, size)| size).sum());
    tokio::task::spawn_blocking(sum).await.map_err(std::io::Error::other)?
}

/// A copy of a workspace's files beside it, on the same disk, so that blocks can be shared. It goes when dropped.
async fn copy_of(workspace: &Path) -> std::io::Result<(tempfile::TempDir, PathBuf)> {
    let workspace = workspace.to_owned();
    let copying = move || {
        let beside = workspace.parent().map_or_else(std::env::temp_dir, Path::to_path_buf);
        let place = tempfile::Builder::new().prefix("candidate-").tempdir_in(beside)?;
        let (from, data) = (Workspace::open(&workspace)?, place.path().join("data"));
        let to = Workspace::create(&data)?;
        for (path, _) in from.files(COPY_FILES)? {
            // Gone or replaced by a link since it was listed.
            let Some(mut source) = from.open_regular(&path) else { continue };
            if let Some((parent, _)) = path.rsplit_once('/') {
                to.dir().create_dir_all(parent)?;
            }
            copy(&mut source, &mut to.dir().create(&path)?.into_std())?;
        }
        Ok((place, data))
    };
    tokio::task::spawn_blocking(copying).await.map_err(std::io::Error::other)?
}
