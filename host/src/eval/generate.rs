//! Generate: asks a model for samples of each problem, as completions that can be evaluated.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesOrdered;
use glovebox_runtime::CancellationToken;
use serde::{Deserialize, Serialize};

use super::files::Problems;
use super::{Check, Problem};
use crate::engine::{TokenUsage, render};
use crate::llm::{Completion, Llm, LlmError, Message, PlanContext, Purpose};

const FUNCTION: &str = include_str!("prompts/function.md");
const PROGRAM: &str = include_str!("prompts/program.md");
const INSERTION: &str = include_str!("prompts/insertion.md");

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Samples of each problem.
    pub samples: u64,
    /// Problems at most.
    pub limit: Option<usize>,
    /// Calls under way at once.
    pub jobs: usize,
    /// Nothing more is asked once so many tokens, sent and received, are used.
    pub max_tokens: Option<u64>,
    /// Nothing more is asked once this is spent, in millionths of a US dollar.
    pub max_cost_micro_usd: Option<u64>,
}

/// A sample, as it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Id of the problem.
    pub task_id: String,
    /// Its number, from 0.
    pub sample: u64,
    /// What the model wrote.
    pub completion: String,
    /// Which model.
    pub model: String,
    /// What it cost.
    pub usage: TokenUsage,
}

/// How it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// Samples in the file now.
    pub samples: u64,
    /// Those that were there already.
    pub resumed: u64,
    /// Samples that the plan has.
    pub wanted: u64,
    /// What all of them cost.
    pub usage: TokenUsage,
    /// Why it ended before its end.
    pub stopped: Option<String>,
}

/// Why samples could not be asked for.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// A file cannot be read or written.
    #[error("{0}")]
    File(#[from] std::io::Error),
    /// The file holds something else.
    #[error("{0}")]
    Foreign(String),
}

/// Asks for the samples that the file does not hold yet, and appends each in order.
///
/// # Errors
///
/// Files. A model that fails ends it as `stopped`; it can go on later.
pub async fn generate(
    model: &Arc<dyn Llm>,
    problems: &mut Problems,
    wanted: &Wanted,
    out: &Path,
    tell: &mut (dyn FnMut(&Generated) + Send),
    cancel: &CancellationToken,
) -> Result<Generated, GenerateError> {
    let ids: Vec<_> = problems.ids().iter().take(wanted.limit.unwrap_or(usize::MAX)).cloned().collect();
    let mut plan = ids.iter().flat_map(|id| (0..wanted.samples).map(move |sample| (id, sample)));
    let mut done = Generated { wanted: ids.len() as u64 * wanted.samples, ..Generated::default() };
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(out)?;
    for sample in earlier(&mut file)? {
        if plan.next() != Some((&sample.task_id, sample.sample)) || sample.model != model.name() {
            let what = format!("{} holds samples of another plan; give another --out", out.display());
            return Err(GenerateError::Foreign(what));
        }
        done.usage.add(sample.usage);
        done.samples += 1;
        done.resumed += 1;
    }
    tell(&done);
    let mut under_way = FuturesOrdered::new();
    loop {
        while done.stopped.is_none() && under_way.len() < wanted.jobs.max(1) {
            if cancel.is_cancelled() {
                done.stopped = Some("it was interrupted".into());
            } else if let Some(why) = spent(&done.usage, wanted) {
                done.stopped = Some(why);
            } else if let Some((id, sample)) = plan.next() {
                let problem = problems.get(id)?.ok_or_else(|| GenerateError::Foreign(format!("no problem {id}")))?;
                under_way.push_back(ask(model.clone(), problem, sample));
            } else {
                break;
            }
        }
        let Some(answer) = under_way.next().await else { break };
        let sample = match answer {
            Ok(sample) => sample,
            // What comes after it is dropped: the file holds the plan's beginning, without gaps.
            Err(error) => {
                done.stopped = Some(error.to_string());
                break;
            }
        };
        let mut line = serde_json::to_vec(&sample).map_err(std::io::Error::from)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()?;
        done.usage.add(sample.usage);
        done.samples += 1;
        tell(&done);
    }
    Ok(done)
}

fn spent(usage: &TokenUsage, wanted: &Wanted) -> Option<String> {
    let tokens = usage.input_tokens.saturating_add(usage.output_tokens);
    if wanted.max_tokens.is_some_and(|most| tokens >= most) {
        return Some(format!("its budget of tokens is used: {tokens}"));
    }
    let cost = usage.cost_micro_usd;
    #[expect(clippy::cast_precision_loss, reason = "shown with cents")]
    let dollars = cost as f64 / 1e6;
    wanted.max_cost_micro_usd.is_some_and(|most| cost >= most).then(|| format!("its budget is spent: ${dollars:.2}"))
}

async fn ask(model: Arc<dyn Llm>, problem: Arc<Problem>, sample: u64) -> Result<Sample, LlmError> {
    let context = PlanContext { question: problem.prompt.clone(), ..PlanContext::default() };
    let request = Completion { purpose: Purpose::Generate, messages: messages(&problem), context };
    let reply = model.complete(&request, &mut |_| {}).await?;
    Ok(Sample {
        task_id: problem.id.clone(),
        sample,
        completion: reply.text,
        model: model.name().to_owned(),
        usage: reply.usage,
    })
}

/// The template of the problem's kind, with what the model may know.
fn messages(problem: &Problem) -> Vec<Message> {
    let template = match problem.check {
        Check::Stdio(_) => PROGRAM,
        Check::DataScience { .. } => INSERTION,
        Check::Tests(_) | Check::Calls(_) => FUNCTION,
    };
    let entry = match (&problem.entry_point, &problem.check) {
        (Some(entry), _) if !problem.prompt.contains(&format!("def {entry}")) => {
            format!("The function is called `{entry}`.")
        }
        // MBPP names the function nowhere but in its tests, and publishes its prompts with them.
        (None, Check::Tests(tests)) => format!("Your code has to pass these tests:\n\n{}", tests.code),
        _ => String::new(),
    };
    render(template, &[("prompt", problem.prompt.as_str()), ("entry", &entry)])
}

/// The samples that are there. A line that was cut in its middle is removed.
fn earlier(file: &mut File) -> std::io::Result<Vec<Sample>> {
    let mut reader = BufReader::new(file.try_clone()?);
    let (mut samples, mut whole, mut text) = (Vec::new(), 0, Vec::new());
    loop {
        text.clear();
        let read = reader.read_until(b'\n', &mut text)?;
        let sample = serde_json::from_slice::<Sample>(&text).ok().filter(|_| text.ends_with(b"\n"));
        let Some(sample) = sample else { break };
        // Their texts are in the file.
        samples.push(Sample { completion: String::new(), ..sample });
        whole += read as u64;
    }
    let length = file.metadata()?.len();
    if whole == 0 && length > 0 && reader.get_ref().metadata()?.len() > 0 && text.ends_with(b"\n") {
        return Err(std::io::Error::other("it holds lines that are no samples; give another --out"));
    }
    file.set_len(whole)?;
    Ok(samples)
}
