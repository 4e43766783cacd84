//! `glovebox session ask`: a question in a session. It sees the earlier turns and goes on in their interpreter.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::answers::{Ask, Problem, Session, read};
use super::door::Door;
use super::live::{EffortArgs, Live, story};
use super::out::{self, Progress};
use super::{Done, Failure, INFRASTRUCTURE, session, turn};

#[derive(Args)]
pub(crate) struct QuestionArgs {
    /// The session: its id, the beginning or the end of it, or its title
    session: String,
    /// What you want to know
    question: String,
    /// Write files and pictures that it makes into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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

pub(super) async fn ask(door: &Door, args: QuestionArgs) -> Done {
    let id = session::find(door, &args.session).await?;
    let session: Session = read(door.get(&format!("/api/v1/sessions/{id}")).await?, None)?;
    door.prepare(&session.image).await?;
    let mut body = args.effort.fields();
    body.insert("question".into(), json!(args.question));
    if let Some(model) = &args.model {
        body.insert("model".into(), json!(model));
    }
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::ours)?;
    let mut events = door.stream(&format!("/api/v1/sessions/{id}/asks"), &body.into()).await?;
    let mut live = Live::new(Progress::new(), args.verbose);
    let (mut asked, mut interrupted) = (None::<String>, false);
    let record = loop {
        let event = tokio::select! {
            event = events.next() => event?,
            _ = interrupt.recv() => {
                if interrupted {
                    std::process::exit(130);
                }
                interrupted = true;
                if let Some(id) = &asked {
                    door.post(&format!("/api/v1/asks/{id}/cancel"), &json!({})).await?;
                }
                continue;
            }
        };
        let Some((kind, data)) = event else {
            return Err(Failure::ours(
                "the server ended before the answer came; `glovebox session history` has its fate",
            ));
        };
        match kind.as_str() {
            "accepted" => {
                asked = data["id"].as_str().map(str::to_owned);
                if let (true, Some(id)) = (interrupted, &asked) {
                    door.post(&format!("/api/v1/asks/{id}/cancel"), &json!({})).await?;
                }
            }
            "failed" => {
                live.end();
                let problem: Problem = read(data, Some("error"))?;
                return Err(Failure::new(INFRASTRUCTURE, out::tame(&problem.detail)));
            }
            "done" => break data["ask"].clone(),
            kind => live.told(kind, &data),
        }
    };
    live.end();
    let answer: Ask = read(record.clone(), None)?;
    if args.json {
        out::print_json(&record)?;
    } else {
        let outcome = answer.run.as_ref().and_then(|run| run.outcome.as_ref());
        let shown = outcome.map(|outcome| (outcome.stdout.as_str(), outcome.displays.as_slice()));
        out::print(&out::answer_text(&answer.explanation, shown));
    }
    eprint!("{}", story(&answer.attempts, &answer.candidates, answer.alternatives.len()));
    let Some(run) = &answer.run else { return Ok(ExitCode::SUCCESS) };
    match &args.out {
        Some(dir) => {
            let mut written = turn::save(door, run, 1, dir).await?;
            written.push(out::write_text(&run.code, dir, "program.py")?);
            out::tell(&written);
        }
        None if !args.json && turn::has_pictures(run) => {
            eprintln!("glovebox: a picture was shown; --out DIR saves it");
        }
        None => {}
    }
    let ending = run.outcome.as_ref().map(|outcome| outcome.ending.exit_code());
    Ok(ExitCode::from(ending.unwrap_or(INFRASTRUCTURE)))
}
