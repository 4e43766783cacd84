//! `glovebox ask`: a question about files, without a server.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use glovebox_runtime::Outcome;

use super::live::{EffortArgs, Live, story};
use super::out::{self, Progress};
use super::run::end;
use super::{Done, Failure, INFRASTRUCTURE};
use crate::app::Backend;
use crate::config::Config;
use crate::engine::{AnswerEvent, Ask, Language};

#[derive(Args)]
pub(crate) struct AskArgs {
    /// Files, and the question as the last argument
    #[arg(required = true, num_args = 1.., value_names = ["FILE", "QUESTION"])]
    files_and_question: Vec<String>,
    /// Write files and pictures into this directory
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// Image to run the program in
    #[arg(long, default_value = "python")]
    image: String,
    /// Policy with its limits
    #[arg(long, default_value = "default")]
    policy: String,
    /// Model to ask; `glovebox models` lists them
    #[arg(long, short)]
    model: Option<String>,
    /// Show the model's text as it arrives
    #[arg(long, short)]
    verbose: bool,
    /// Print the answer as one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    effort: EffortArgs,
}

pub(super) async fn ask(config: Config, mut args: AskArgs) -> Done {
    let question = args.files_and_question.pop().unwrap_or_default();
    if args.files_and_question.is_empty() && std::path::Path::new(&question).is_file() {
        return Err(Failure::usage(format!(
            "no question; write it after the files: glovebox ask {question} \"what is in it?\""
        )));
    }
    let effort = config.effort().with(args.effort.wanted()).map_err(Failure::usage)?;
    let files: Vec<_> = args.files_and_question.iter().map(PathBuf::from).collect();
    let policy = out::policy(&config, &args.policy, &args.image)?;
    let (_dir, workspace) = out::workspace(&files)?;
    let mut progress = Progress::new();
    let workers = usize::try_from(effort.candidates).unwrap_or(1).min(config.workers);
    let backend = out::backend(&config, &args.image, workers, &mut progress).await?;
    let image = backend.images().into_iter().find(|image| image.name == args.image);
    let (language, packages) = image.map(|image| (image.language, image.packages)).unwrap_or_default();
    let ask = Ask {
        question,
        workspace: workspace.clone(),
        history: Vec::new(),
        interpreter: None,
        image: args.image,
        limits: policy.limits,
        language: Language::of(&language),
        packages,
        model: args.model,
        effort,
    };
    let mut live = Live::new(progress, args.verbose);
    let mut on_event = |event: AnswerEvent| live.event(&event);
    let answer = backend.answer(ask, &mut on_event, &out::cancel_on_interrupt()).await?;
    live.end();
    let mut written = Vec::new();
    if let Some(outcome) = &answer.outcome {
        written.extend(out::write_artifacts(outcome, &workspace, &args.out)?);
        written.extend(out::write_displays(&outcome.displays, 1, &args.out)?);
    }
    if !answer.program.is_empty() {
        written.push(out::write_text(&answer.program, &args.out, &format!("program.{}", ending_of(&language)))?);
    }
    for (number, other) in answer.details.alternatives.iter().enumerate() {
        let name = format!("alternative-{}.{}", number + 1, ending_of(&language));
        written.push(out::write_text(&other.program, &args.out, &name)?);
    }
    if args.json {
        out::print_json(&answer)?;
    } else {
        // What was shown line by line needs not to be said again.
        let seen = live.shown && io::stdout().is_terminal();
        let stdout = |outcome: &Outcome| if seen { String::new() } else { outcome.stdout.clone() };
        let outcome = answer.outcome.as_ref().map(|outcome| (stdout(outcome), outcome.displays.as_slice()));
        let outcome = outcome.as_ref().map(|(stdout, displays)| (stdout.as_str(), *displays));
        out::print(&out::answer_text(&answer.explanation, outcome));
    }
    let details = &answer.details;
    eprint!("{}", story(&answer.attempts, &details.candidates, details.alternatives.len()));
    out::tell(&written);
    match &answer.outcome {
        Some(outcome) => Ok(end(outcome)),
        None if answer.explanation.is_empty() => {
            Err(Failure::new(INFRASTRUCTURE, "the model gave no answer; try again"))
        }
        None => Ok(std::process::ExitCode::SUCCESS),
    }
}

/// What the name of a program ends with.
fn ending_of(language: &str) -> &'static str {
    match Language::of(language) {
        Language::Python => "py",
        Language::JavaScript => "js",
        Language::Other(_) => "txt",
    }
}
