//! `glovebox ask`: a question about files, without a server.

use std::path::PathBuf;

use clap::Args;

use super::out::{self, Progress};
use super::run::end;
use super::{Done, Failure, INFRASTRUCTURE};
use crate::app::Backend;
use crate::config::Config;
use crate::engine::{AnswerEvent, Ask};

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
    /// Print the answer as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn ask(config: Config, mut args: AskArgs) -> Done {
    let question = args.files_and_question.pop().unwrap_or_default();
    if args.files_and_question.is_empty() && std::path::Path::new(&question).is_file() {
        return Err(Failure::usage(format!(
            "no question; write it after the files: glovebox ask {question} \"what is in it?\""
        )));
    }
    let files: Vec<_> = args.files_and_question.iter().map(PathBuf::from).collect();
    let policy = out::policy(&config, &args.policy, &args.image)?;
    let (_dir, workspace) = out::workspace(&files)?;
    let mut progress = Progress::new();
    let backend = out::backend(&config, &args.image, &mut progress).await?;
    let packages = backend.images().into_iter().find(|image| image.name == args.image).map(|image| image.packages);
    let ask = Ask {
        question,
        workspace: workspace.clone(),
        history: Vec::new(),
        interpreter: None,
        image: args.image,
        limits: policy.limits,
        packages: packages.unwrap_or_default(),
        model: args.model,
    };
    let mut on_event = |event: AnswerEvent| {
        if let AnswerEvent::Stage { message, .. } = event {
            progress.say(&out::tame(&message));
        }
    };
    let answer = backend.answer(ask, &mut on_event, &out::cancel_on_interrupt()).await?;
    progress.end();
    let mut written = Vec::new();
    if let Some(outcome) = &answer.outcome {
        written.extend(out::write_artifacts(outcome, &workspace, &args.out)?);
        written.extend(out::write_displays(&outcome.displays, 1, &args.out)?);
    }
    if !answer.program.is_empty() {
        written.push(out::write_text(&answer.program, &args.out, "program.py")?);
    }
    if args.json {
        out::print_json(&answer)?;
    } else {
        let mut text = format!("{}\n", out::tame(answer.explanation.trim()));
        if let Some(outcome) = &answer.outcome {
            let shown = outcome.displays.iter().filter_map(out::text_of);
            for piece in std::iter::once(outcome.stdout.as_str()).chain(shown).filter(|piece| !piece.trim().is_empty())
            {
                text.push_str(&format!("\n{}\n", out::tame(piece.trim_end())));
            }
        }
        out::print(&text);
    }
    out::tell(&written);
    match &answer.outcome {
        Some(outcome) => Ok(end(outcome)),
        None if answer.explanation.is_empty() => {
            Err(Failure::new(INFRASTRUCTURE, "the model gave no answer; try again"))
        }
        None => Ok(std::process::ExitCode::SUCCESS),
    }
}
