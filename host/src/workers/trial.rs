//! A trial: two guests of one image that talk to each other. One, the subject, runs what is judged; the other, the judge,
//! asks it and says in the end what it found. They share nothing but their words, which the worker carries.
//!
//! What comes before a trial (loading the judge, a problem's tests) is a chain of set-up programs. Every trial starts from
//! a copy of the memory that they leave, so that each sees exactly the same interpreter. What the first one leaves is
//! an image of its own, beside its file: all problems share it, and all workers. Each further one is a layer over it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use glovebox_runtime::{
    Answer, Answering, CancellationToken, Image, Job, Limits, Mode, Outcome, Program, Room, RunError, Services, Session,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

/// What the limits of both sides have to grant, so that they can talk.
pub const SERVICE: &str = "trial";
/// Set-ups that a worker remembers; the least recently used gives way.
const REMEMBERED: usize = 48;
/// Ending of the file with the memory that a first set-up leaves.
const MEMORY: &str = "memory";
/// Where a set-up works.
const WORKSPACE: &str = "data";

/// Two programs that talk to each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// Image of both.
    pub image: String,
    /// Runs what is judged.
    pub subject: Part,
    /// Asks and says what it found.
    pub judge: Part,
    /// Of both.
    pub mode: Mode,
    /// Of both.
    pub seed: u64,
}

/// One side of a trial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    /// Files with programs ([`Program`] as JSON) that run before, each once; a file is never changed.
    pub setup: Vec<PathBuf>,
    /// Its limits while a set-up runs.
    pub setup_limits: Limits,
    /// What it does in this trial.
    pub program: Program,
    /// Its limits in this trial; their services have to name [`SERVICE`].
    pub limits: Limits,
    /// What it sees as `/mnt/data`.
    pub workspace: PathBuf,
}

/// How a trial went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tried {
    /// The side that was judged; `None` if the set-up of either did not succeed.
    pub subject: Option<Outcome>,
    /// The judge; or the set-up that did not succeed.
    pub judge: Outcome,
    /// Whether the judge came to its end before the subject did.
    pub heard: bool,
}

/// Words of one side, and where the answer goes.
struct Words {
    of: usize,
    text: String,
    answer: oneshot::Sender<Option<Answer>>,
}

/// The line of one side: what it says goes to whoever carries the words.
struct Line {
    of: usize,
    to: mpsc::UnboundedSender<Words>,
}

impl Services for Line {
    fn call(&self, text: String, _room: Room) -> Answering<'_> {
        let (answer, answered) = oneshot::channel();
        let _ = self.to.send(Words { of: self.of, text, answer });
        Box::pin(async { answered.await.ok().flatten() })
    }
}

const SUBJECT: usize = 0;
const JUDGE: usize = 1;

/// What both sides wait for and have not heard yet.
#[derive(Default)]
struct Carrier {
    waiting: [Option<oneshot::Sender<Option<Answer>>>; 2],
    mail: [Option<String>; 2],
    ended: [bool; 2],
    greeted: bool,
}

impl Carrier {
    fn hear(&mut self, words: Words) {
        self.waiting[words.of] = Some(words.answer);
        // The subject's first word says that it listens.
        if words.of == SUBJECT && !std::mem::replace(&mut self.greeted, true) {
            return;
        }
        self.mail[1 - words.of] = Some(words.text);
    }

    fn deliver(&mut self) {
        for (side, farewell) in [(SUBJECT, r#"["end"]"#), (JUDGE, r#"["gone"]"#)] {
            if self.waiting[side].is_none() {
                continue;
            }
            let gone = self.ended[1 - side].then(|| farewell.to_owned());
            let Some(body) = self.mail[side].take().or(gone) else { continue };
            if let Some(answer) = self.waiting[side].take() {
                let _ = answer.send(Some(Answer { body, bytes: 0, files: 0 }));
            }
        }
    }
}

/// The set-ups that this worker has at hand.
#[derive(Default)]
pub(super) struct Templates {
    known: HashMap<Vec<PathBuf>, Template>,
    clock: u64,
}

#[derive(Clone)]
struct Template {
    /// The image as the first set-up left it.
    image: Arc<Image>,
    /// What further set-ups did to it.
    session: Option<Arc<Session>>,
    used: u64,
}

impl Template {
    async fn copy(&self, job: &Job, scratch: &Path) -> Result<Session, RunError> {
        match &self.session {
            Some(session) => session.fork(&self.image, job, scratch).await,
            None => Session::open(&self.image, job, scratch).await,
        }
    }
}

/// A set-up that cannot be used: how it ended.
type Unusable = Box<Outcome>;

impl Templates {
    /// Runs a trial to its end.
    pub(super) async fn trial(
        &mut self,
        image: &Image,
        trial: &Trial,
        cancel: &CancellationToken,
    ) -> Result<Tried, RunError> {
        let place = directory()?;
        let (to, mut said) = mpsc::unbounded_channel();
        let parts = [&trial.subject, &trial.judge];
        let mut sides = Vec::with_capacity(2);
        for (of, part) in parts.into_iter().enumerate() {
            let scratch = place.path().join(of.to_string());
            std::fs::create_dir(&scratch).map_err(failed("failed to make", &scratch))?;
            let job = job(trial, part, part.program.clone(), &part.limits);
            let mut session = match self.fork(image, trial, part, &job, &scratch).await? {
                Ok(session) => session,
                Err(outcome) => return Ok(Tried { subject: None, judge: *outcome, heard: false }),
            };
            session.offer(Some(Arc::new(Line { of, to: to.clone() })));
            sides.push((session, job));
        }
        let [mut subject, mut judge] =
            <[_; 2]>::try_from(sides).map_err(|_| RunError::Worker("lost a side of a trial".into()))?;
        let (outcomes, heard) = talk(&mut subject, &mut judge, &mut said, cancel).await?;
        let [subject, judge] = outcomes.map(|outcome| outcome.map(brief));
        let judge = judge.ok_or_else(|| RunError::Worker("lost a judge".into()))?;
        Ok(Tried { subject, judge, heard })
    }

    /// A copy of the part's set-up, which runs now unless it is remembered.
    async fn fork(
        &mut self,
        image: &Image,
        trial: &Trial,
        part: &Part,
        job: &Job,
        scratch: &Path,
    ) -> Result<Result<Session, Unusable>, RunError> {
        for length in 1..=part.setup.len() {
            let (before, path) = (&part.setup[..length - 1], &part.setup[length - 1]);
            if !self.known.contains_key(&part.setup[..length])
                && let Err(outcome) = self.set_up(image, trial, part, before, path).await?
            {
                return Ok(Err(outcome));
            }
        }
        self.clock += 1;
        for length in 1..=part.setup.len() {
            if let Some(template) = self.known.get_mut(&part.setup[..length]) {
                template.used = self.clock;
            }
        }
        match self.known.get(&part.setup) {
            Some(template) => template.copy(job, scratch).await.map(Ok),
            None => Session::open(image, job, scratch).await.map(Ok),
        }
    }

    async fn set_up(
        &mut self,
        image: &Image,
        trial: &Trial,
        part: &Part,
        before: &[PathBuf],
        path: &Path,
    ) -> Result<Result<(), Unusable>, RunError> {
        let template = self.known.get(before).cloned();
        let memory = path.with_extension(MEMORY);
        let made = match &template {
            // Another worker did it.
            None if memory.exists() => Ok(None),
            None => first(image, trial, part, path, &memory).await?.map(|()| None),
            Some(template) => further(template, trial, part, path).await?.map(Some),
        };
        let session = match made {
            Ok(session) => session.map(Arc::new),
            Err(outcome) => return Ok(Err(outcome)),
        };
        let image = match template {
            Some(template) => template.image,
            None => Arc::new(image.grown(&memory).await?),
        };
        self.clock += 1;
        let chain = [before, &[path.to_owned()]].concat();
        self.known.insert(chain, Template { image, session, used: self.clock });
        while self.known.len() > REMEMBERED {
            let oldest = self.known.iter().min_by_key(|(_, template)| template.used).map(|(chain, _)| chain.clone());
            oldest.and_then(|chain| self.known.remove(&chain));
        }
        Ok(Ok(()))
    }
}

/// Lets both sides take their turn and carries their words. Returns how they ended, and whether the judge came to its end
/// before the subject did.
async fn talk(
    (subject, subject_job): &mut (Session, Job),
    (judge, judge_job): &mut (Session, Job),
    said: &mut mpsc::UnboundedReceiver<Words>,
    cancel: &CancellationToken,
) -> Result<([Option<Outcome>; 2], bool), RunError> {
    let (mut unheard, mut unseen) = (|_| {}, |_| {});
    let mut answering = pin!(subject.turn(subject_job, &mut unheard, cancel));
    let mut asking = pin!(judge.turn(judge_job, &mut unseen, cancel));
    let (mut carrier, mut outcomes, mut heard) = (Carrier::default(), [None, None], false);
    while outcomes.iter().any(Option::is_none) {
        tokio::select! {
            biased;
            Some(words) = said.recv() => carrier.hear(words),
            outcome = &mut asking, if !carrier.ended[JUDGE] => {
                heard = !carrier.ended[SUBJECT];
                (outcomes[JUDGE], carrier.ended[JUDGE]) = (Some(outcome?), true);
            }
            outcome = &mut answering, if !carrier.ended[SUBJECT] => {
                (outcomes[SUBJECT], carrier.ended[SUBJECT]) = (Some(outcome?), true);
            }
        }
        carrier.deliver();
    }
    Ok((outcomes, heard))
}

/// Performs the first set-up and leaves its memory beside its file.
async fn first(
    image: &Image,
    trial: &Trial,
    part: &Part,
    path: &Path,
    memory: &Path,
) -> Result<Result<(), Unusable>, RunError> {
    let place = Place::new()?;
    let job = place.job(trial, part, path)?;
    let mut session = Session::open(image, &job, &place.scratch).await?;
    if let Err(outcome) = perform(&mut session, &job).await? {
        return Ok(Err(outcome));
    }
    // Whole at once: another worker may be looking for it.
    let draft = path.with_extension(format!("{MEMORY}-{}", std::process::id()));
    session.export(&draft)?;
    std::fs::rename(&draft, memory).map_err(failed("failed to write", memory)).map(Ok)
}

/// Performs a further set-up on a copy of what the ones before it left.
async fn further(
    template: &Template,
    trial: &Trial,
    part: &Part,
    path: &Path,
) -> Result<Result<Session, Unusable>, RunError> {
    let place = Place::new()?;
    let job = place.job(trial, part, path)?;
    let mut session = template.copy(&job, &place.scratch).await?;
    if let Err(outcome) = perform(&mut session, &job).await? {
        return Ok(Err(outcome));
    }
    // It is mapped when its file goes, and nobody opens it again.
    session.save(&place.dir.path().join("layer"))?;
    Ok(Ok(session))
}

async fn perform(session: &mut Session, job: &Job) -> Result<Result<(), Unusable>, RunError> {
    let outcome = session.turn(job, &mut |_| {}, &CancellationToken::new()).await?;
    let usable = outcome.ending.is_success() && session.is_intact();
    Ok(if usable { Ok(()) } else { Err(Box::new(brief(outcome))) })
}

/// Directories for a set-up.
struct Place {
    dir: tempfile::TempDir,
    scratch: PathBuf,
}

impl Place {
    fn new() -> Result<Place, RunError> {
        let dir = directory()?;
        let scratch = dir.path().join("tmp");
        for path in [&scratch, &dir.path().join(WORKSPACE)] {
            std::fs::create_dir(path).map_err(failed("failed to make", path))?;
        }
        Ok(Place { dir, scratch })
    }

    /// The job of the set-up in this file.
    fn job(&self, trial: &Trial, part: &Part, path: &Path) -> Result<Job, RunError> {
        let text = std::fs::read(path).map_err(failed("failed to read", path))?;
        let program = serde_json::from_slice(&text)
            .map_err(|error| RunError::Worker(format!("cannot read the set-up {}: {error}", path.display())))?;
        let workspace = self.dir.path().join(WORKSPACE);
        Ok(Job { workspace, ..job(trial, part, program, &part.setup_limits) })
    }
}

fn job(trial: &Trial, part: &Part, program: Program, limits: &Limits) -> Job {
    Job {
        image: trial.image.clone(),
        program,
        workspace: part.workspace.clone(),
        limits: limits.clone(),
        mode: trial.mode,
        seed: Some(trial.seed),
    }
}

fn directory() -> Result<tempfile::TempDir, RunError> {
    tempfile::Builder::new()
        .prefix("glovebox-")
        .tempdir()
        .map_err(failed("failed to make a directory in", &std::env::temp_dir()))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RunError {
    let path = path.to_owned();
    move |source| RunError::Io { action, path, source }
}

/// Without what a verdict does not need.
fn brief(mut outcome: Outcome) -> Outcome {
    const LONGEST: usize = 4000;
    outcome.stdout.clear();
    let start = outcome.stderr.len().saturating_sub(LONGEST);
    outcome.stderr = outcome.stderr.split_off(outcome.stderr.ceil_char_boundary(start));
    outcome.artifacts.clear();
    outcome.lineage.inputs.clear();
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(carrier: &mut Carrier, of: usize, text: &str) -> oneshot::Receiver<Option<Answer>> {
        let (answer, answered) = oneshot::channel();
        carrier.hear(Words { of, text: text.into(), answer });
        carrier.deliver();
        answered
    }

    fn heard(mut answered: oneshot::Receiver<Option<Answer>>) -> Option<String> {
        answered.try_recv().ok().flatten().map(|answer| answer.body)
    }

    #[test]
    fn words_go_to_the_other_side_and_whoever_waits_for_one_that_ended_hears_so() {
        let mut carrier = Carrier::default();
        let listening = say(&mut carrier, SUBJECT, "ready");
        let asked = say(&mut carrier, JUDGE, "what is 2 + 2?");
        assert_eq!(heard(listening).as_deref(), Some("what is 2 + 2?"), "the greeting is no answer");
        let listening = say(&mut carrier, SUBJECT, "4");
        assert_eq!(heard(asked).as_deref(), Some("4"));
        carrier.ended[JUDGE] = true;
        carrier.deliver();
        assert_eq!(heard(listening).as_deref(), Some(r#"["end"]"#));

        let mut carrier = Carrier::default();
        let asked = say(&mut carrier, JUDGE, "are you there?");
        carrier.ended[SUBJECT] = true;
        carrier.deliver();
        assert_eq!(heard(asked).as_deref(), Some(r#"["gone"]"#));
    }
}
