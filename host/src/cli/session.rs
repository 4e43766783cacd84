//! `glovebox session`: live interpreters that keep their variables, go back and fork.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::answers::{Checkpoint, Origin, Session, Turn, ago, gist, read, size};
use super::door::Door;
use super::question::{self, QuestionArgs};
use super::sample::grid;
use super::{Done, Failure, out, run, tree, turn};
use crate::config::Config;

/// Hexadecimal digits of an id after its prefix.
const ID_DIGITS: usize = 32;
/// Fewest characters that an ending of an id must have to stand for it.
const ENDING: usize = 4;

#[derive(Subcommand)]
pub(crate) enum SessionCommand {
    /// Start a session and print its id
    New(New),
    /// Run code in a session; variables, imports and files stay for the next turn
    Turn(TurnArgs),
    /// Ask a question in a session: it sees the earlier turns and goes on where they ended
    Ask(QuestionArgs),
    /// List the sessions
    Ls(Json),
    /// Show a session with its files
    Show(One),
    /// List a session's turns, each with its checkpoint
    History(History),
    /// Make copies of a session, each to go on by itself, and print their ids
    Fork(Fork),
    /// Name the present state, so that it is kept
    Checkpoint(Name),
    /// Draw the tree of a session's checkpoints
    Checkpoints(One),
    /// Go back, or over, to a checkpoint
    Restore(Restore),
    /// Put a session to sleep on disk; its next turn wakes it
    Hibernate(One),
    /// Delete sessions with everything in them
    Rm(Rm),
}

#[derive(Args)]
pub(crate) struct Json {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct One {
    /// The session: its id, the beginning or the end of it, or its title
    session: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct New {
    /// Image of its interpreter
    #[arg(long, default_value = "python")]
    image: String,
    /// Policy with the limits of each turn
    #[arg(long, default_value = "default")]
    policy: String,
    /// What you call it
    #[arg(long)]
    title: Option<String>,
    /// Copy a file into its working directory (repeatable)
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct TurnArgs {
    /// The session: its id, the beginning or the end of it, or its title
    session: String,
    /// The code, or - for standard input
    code: Option<String>,
    /// Read the code from a file
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    script: Option<PathBuf>,
    /// Write files and pictures that it makes into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The same result every time: fixed seed, virtual clock
    #[arg(long)]
    deterministic: bool,
    /// Seed of its random generators
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print the run as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct History {
    /// The session: its id, the beginning or the end of it, or its title
    session: String,
    /// Show all of the code and what it printed
    #[arg(long)]
    full: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Fork {
    /// The session: its id, the beginning or the end of it, or its title
    session: String,
    /// How many copies
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1)]
    count: u32,
    /// Checkpoint to start from, by number or name [default: the present state]
    #[arg(long, value_name = "CHECKPOINT")]
    at: Option<String>,
    /// What you call them
    #[arg(long)]
    title: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Name {
    /// The session: its id, the beginning or the end of it, or its title
    session: String,
    /// What you call the checkpoint
    #[arg(long)]
    name: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Restore {
    /// The session: its id, the beginning or the end of it, or its title
    session: String,
    /// The checkpoint, by number or name
    checkpoint: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Rm {
    /// The sessions: ids, beginnings or ends of them, or titles
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<String>,
}

pub(super) async fn session(config: Config, command: SessionCommand) -> Done {
    let door = Door::open(&config).await?;
    let done = obey(&door, command).await;
    door.close().await;
    done
}

async fn obey(door: &Door, command: SessionCommand) -> Done {
    match command {
        SessionCommand::New(args) => new(door, args).await,
        SessionCommand::Turn(args) => return take(door, args).await,
        SessionCommand::Ask(args) => return question::ask(door, args).await,
        SessionCommand::Ls(args) => ls(door, args.json).await,
        SessionCommand::Show(args) => show(door, args).await,
        SessionCommand::History(args) => history(door, args).await,
        SessionCommand::Fork(args) => fork(door, args).await,
        SessionCommand::Checkpoint(args) => checkpoint(door, args).await,
        SessionCommand::Checkpoints(args) => checkpoints(door, args).await,
        SessionCommand::Restore(args) => {
            let id = find(door, &args.session).await?;
            let answer = restore(door, &id, &args.checkpoint).await?;
            tell(answer, args.json, |session: Session| format!("at checkpoint {}\n", number(session.head)))
        }
        SessionCommand::Hibernate(args) => {
            let id = find(door, &args.session).await?;
            let answer = door.post(&format!("/api/v1/sessions/{id}/hibernate"), &json!({})).await?;
            tell(answer, args.json, |session: Session| {
                format!("asleep, {} on disk; its next turn wakes it\n", size(session.bytes))
            })
        }
        SessionCommand::Rm(args) => rm(door, args).await,
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Prints an answer as it is, or what `text` makes of it.
fn tell<T: serde::de::DeserializeOwned>(
    answer: Value,
    json: bool,
    text: impl FnOnce(T) -> String,
) -> Result<(), Failure> {
    if json {
        return out::print_json(&answer);
    }
    out::print(&text(read(answer, None)?));
    Ok(())
}

async fn new(door: &Door, args: New) -> Result<(), Failure> {
    let answer = open(door, &args.image, &args.policy, args.title.as_deref().unwrap_or_default(), &args.files).await?;
    tell(answer, args.json, |session: Session| format!("{}\n", session.id))
}

/// Starts a session with copies of these files.
pub(super) async fn open(
    door: &Door,
    image: &str,
    policy: &str,
    title: &str,
    files: &[PathBuf],
) -> Result<Value, Failure> {
    let files = door.upload(files).await?;
    let body = json!({ "image": image, "policy": policy, "title": title, "files": files });
    door.post("/api/v1/sessions", &body).await
}

async fn take(door: &Door, args: TurnArgs) -> Done {
    let path = args.script.or_else(|| (args.code.as_deref() == Some("-")).then(|| "-".into()));
    let code = match (path, args.code) {
        (Some(path), _) => run::script(&path)?.0,
        (None, Some(code)) => code,
        (None, None) => {
            let ways =
                "write it after the session, read it from a file with --script FILE, or from standard input with -";
            return Err(Failure::usage(format!("no code; {ways}")));
        }
    };
    let id = find(door, &args.session).await?;
    let session: Session = read(door.get(&format!("/api/v1/sessions/{id}")).await?, None)?;
    door.prepare(&session.image).await?;
    let mut body = json!({ "code": code, "deterministic": args.deterministic });
    if let Some(seed) = args.seed {
        body["seed"] = seed.into();
    }
    let taken = turn::take(door, &id, &body, args.json).await?;
    match &args.out {
        Some(dir) => out::tell(&turn::save(door, &taken.run, 1, dir).await?),
        None if !args.json && turn::has_pictures(&taken.run) => {
            eprintln!("glovebox: a picture was shown; --out DIR saves it");
        }
        None => {}
    }
    if args.json {
        out::print_json(&taken.record)?;
    }
    Ok(turn::exit(&taken))
}

async fn ls(door: &Door, json: bool) -> Result<(), Failure> {
    let answer = door.get("/api/v1/sessions").await?;
    if json {
        return out::print_json(&answer);
    }
    let sessions: Vec<Session> = read(answer, Some("sessions"))?;
    if sessions.is_empty() {
        eprintln!("no sessions yet; `glovebox session new` starts one");
        return Ok(());
    }
    let mut rows = vec![["session", "state", "turns", "used", "size", "image", "title"].map(str::to_owned)];
    rows.extend(sessions.into_iter().map(|session| {
        [
            session.id,
            session.state,
            session.turns.to_string(),
            ago(&session.updated_at),
            size(session.bytes),
            session.image,
            gist(&session.title, 40),
        ]
    }));
    out::print(&grid(&rows));
    Ok(())
}

async fn show(door: &Door, args: One) -> Result<(), Failure> {
    let id = find(door, &args.session).await?;
    let answer = door.get(&format!("/api/v1/sessions/{id}")).await?;
    tell(answer, args.json, |session: Session| {
        let mut rows = vec![
            ["session".to_owned(), session.id],
            ["title".to_owned(), out::tame(&session.title)],
            ["state".to_owned(), session.state],
            ["image".to_owned(), session.image],
            ["policy".to_owned(), session.policy],
            ["turns".to_owned(), session.turns.to_string()],
            ["checkpoint".to_owned(), number(session.head)],
            ["size".to_owned(), size(session.bytes)],
            ["started".to_owned(), ago(&session.created_at)],
            ["used".to_owned(), ago(&session.updated_at)],
        ];
        if let Some(Origin { session, checkpoint }) = session.forked_from {
            rows.push(["forked from".to_owned(), format!("{session} at checkpoint {}", number(checkpoint))]);
        }
        rows.extend(
            session
                .files
                .iter()
                .map(|file| ["file".to_owned(), format!("{} ({})", out::tame(&file.name), size(file.size))]),
        );
        grid(&rows)
    })
}

async fn history(door: &Door, args: History) -> Result<(), Failure> {
    let id = find(door, &args.session).await?;
    let answer = door.get(&format!("/api/v1/sessions/{id}/history")).await?;
    if args.json {
        return out::print_json(&answer);
    }
    let turns: Vec<Turn> = read(answer, Some("turns"))?;
    if turns.is_empty() {
        eprintln!("no turns yet; `glovebox session turn {id} 'x = 1'` takes one");
    } else if args.full {
        out::print(&turns.iter().map(full).collect::<Vec<_>>().join("\n"));
    } else {
        let mut rows = vec![["checkpoint", "when", "ended", "run", "code or question"].map(str::to_owned)];
        rows.extend(turns.iter().map(row));
        out::print(&grid(&rows));
    }
    Ok(())
}

fn row(turn: &Turn) -> [String; 5] {
    match turn {
        Turn::Run { run } => {
            [number(run.checkpoint), ago(&run.created_at), ended(turn), run.id.clone(), gist(&run.code, 60)]
        }
        Turn::Ask { ask } => {
            let run = ask.run.as_ref().map(|run| run.id.clone()).unwrap_or_default();
            [number(ask.checkpoint), ago(&ask.created_at), ended(turn), run, gist(&ask.question, 60)]
        }
    }
}

/// How a turn ended, in a word or two.
fn ended(turn: &Turn) -> String {
    let (run, failed) = match turn {
        Turn::Run { run } => (Some(&**run), run.error.is_some()),
        Turn::Ask { ask } => (ask.run.as_ref(), ask.error.is_some()),
    };
    let outcome = run.and_then(|run| run.outcome.as_ref());
    let how = match outcome.map(|outcome| &outcome.ending) {
        _ if failed => "failed".to_owned(),
        None => String::new(),
        Some(glovebox_runtime::Ending::Exited { code: 0 }) => "ok".to_owned(),
        Some(glovebox_runtime::Ending::Raised { exception, .. }) => gist(exception, 30),
        Some(other) => other.name().replace('_', " "),
    };
    let undone = run.is_some_and(|run| run.undone);
    if undone { format!("{how}, undone") } else { how }
}

/// A turn as it was seen when it was taken.
fn full(turn: &Turn) -> String {
    let cells = row(turn);
    let checkpoint = if cells[0].is_empty() { String::new() } else { format!("checkpoint {}, ", cells[0]) };
    let mut text = format!("# {checkpoint}{}, {}, {}\n", cells[1], cells[2], cells[3]);
    let run = match turn {
        Turn::Run { run } => Some(&**run),
        Turn::Ask { ask } => {
            text.push_str(&format!("{}\n", out::tame(ask.question.trim())));
            ask.run.as_ref()
        }
    };
    if let Some(run) = run {
        for line in out::tame(run.code.trim_end()).lines() {
            text.push_str(&format!("    {line}\n"));
        }
        if let Some(outcome) = &run.outcome {
            let shown = outcome.displays.iter().filter_map(out::text_of);
            for piece in [outcome.stdout.as_str(), &outcome.stderr].into_iter().chain(shown) {
                let piece = out::tame(piece.trim_end());
                text.push_str(&if piece.is_empty() { piece } else { format!("{piece}\n") });
            }
        }
    }
    if let Turn::Ask { ask } = turn {
        text.push_str(&format!("{}\n", out::tame(ask.explanation.trim())));
    }
    text
}

async fn fork(door: &Door, args: Fork) -> Result<(), Failure> {
    let id = find(door, &args.session).await?;
    let mut body = json!({ "count": args.count });
    if let Some(at) = &args.at {
        body["checkpoint"] = found(door, &id, at).await?.into();
    }
    if let Some(title) = args.title {
        body["title"] = title.into();
    }
    let answer = door.post(&format!("/api/v1/sessions/{id}/forks"), &body).await?;
    if args.json {
        return out::print_json(&answer);
    }
    let children: Vec<Session> = read(answer, Some("sessions"))?;
    out::print(&children.into_iter().map(|child| child.id + "\n").collect::<String>());
    Ok(())
}

async fn checkpoint(door: &Door, args: Name) -> Result<(), Failure> {
    let id = find(door, &args.session).await?;
    let answer = name(door, &id, args.name.as_deref()).await?;
    tell(answer, args.json, |checkpoint: Checkpoint| format!("{}\n", checkpoint.number))
}

/// Names the present state of a session.
pub(super) async fn name(door: &Door, id: &str, name: Option<&str>) -> Result<Value, Failure> {
    let body = name.map_or_else(|| json!({}), |name| json!({ "name": name }));
    door.post(&format!("/api/v1/sessions/{id}/checkpoints"), &body).await
}

async fn checkpoints(door: &Door, args: One) -> Result<(), Failure> {
    let id = find(door, &args.session).await?;
    if args.json {
        return out::print_json(&door.get(&format!("/api/v1/sessions/{id}/checkpoints")).await?);
    }
    match drawn(door, &id).await? {
        tree if tree.is_empty() => eprintln!("no checkpoints yet; each turn makes one"),
        tree => out::print(&tree),
    }
    Ok(())
}

/// The tree of a session's checkpoints, each with the code that led to it.
pub(super) async fn drawn(door: &Door, id: &str) -> Result<String, Failure> {
    let checkpoints = all(door, id).await?;
    let turns: Vec<Turn> = read(door.get(&format!("/api/v1/sessions/{id}/history")).await?, Some("turns"))?;
    let wide = checkpoints.iter().map(|one| one.number.to_string().len()).max().unwrap_or(0);
    Ok(tree::draw(&checkpoints, |checkpoint| {
        let led = turns.iter().find_map(|turn| match turn {
            Turn::Run { run } => (Some(&run.id) == checkpoint.run_id.as_ref()).then(|| gist(&run.code, 60)),
            Turn::Ask { ask } => {
                let run = ask.run.as_ref()?;
                (Some(&run.id) == checkpoint.run_id.as_ref()).then(|| gist(&ask.question, 60))
            }
        });
        let led = led.unwrap_or_else(|| if checkpoint.number == 0 { "(start)".into() } else { String::new() });
        let name = checkpoint.name.as_deref().map(|name| format!("[{}] ", gist(name, 60))).unwrap_or_default();
        let when = ago(&checkpoint.created_at);
        format!("{:<wide$}  {when:<10}  {:>9}  {name}{led}", checkpoint.number, size(checkpoint.bytes))
    }))
}

async fn all(door: &Door, id: &str) -> Result<Vec<Checkpoint>, Failure> {
    read(door.get(&format!("/api/v1/sessions/{id}/checkpoints")).await?, Some("checkpoints"))
}

/// Goes to a checkpoint, given by its number or its name.
pub(super) async fn restore(door: &Door, id: &str, given: &str) -> Result<Value, Failure> {
    let number = found(door, id, given).await?;
    door.post(&format!("/api/v1/sessions/{id}/checkpoints/{number}/restore"), &json!({})).await
}

/// The number of a checkpoint; a number is one without asking, and a name must be known.
async fn found(door: &Door, id: &str, given: &str) -> Result<u64, Failure> {
    if let Ok(number) = given.parse() {
        return Ok(number);
    }
    let known = all(door, id).await?;
    let named = known.iter().rev().find(|checkpoint| checkpoint.name.as_deref() == Some(given));
    named.map(|checkpoint| checkpoint.number).ok_or_else(|| {
        Failure::usage(format!("there is no checkpoint `{given}`; `glovebox session checkpoints {id}` lists them"))
    })
}

async fn rm(door: &Door, args: Rm) -> Result<(), Failure> {
    let mut ids = Vec::with_capacity(args.sessions.len());
    for session in &args.sessions {
        ids.push(find(door, session).await?);
    }
    for id in ids {
        door.delete(&format!("/api/v1/sessions/{id}")).await?;
        eprintln!("deleted {id}");
    }
    Ok(())
}

/// The id of the session that is meant: by its id, the beginning or the end of it, or its title.
pub(super) async fn find(door: &Door, given: &str) -> Result<String, Failure> {
    let digits = given.strip_prefix("ses_").unwrap_or_default();
    if digits.len() == ID_DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Ok(given.to_owned());
    }
    let sessions: Vec<Session> = read(door.get("/api/v1/sessions").await?, Some("sessions"))?;
    match meant(&sessions, given).as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => {
            let given = crate::error::shorten(&out::tame(given), 80);
            Err(Failure::usage(format!("there is no session `{given}`; `glovebox session ls` lists them")))
        }
        several => {
            let list = several.iter().take(5).copied().collect::<Vec<_>>().join(", ");
            let more = if several.len() > 5 { " …" } else { "" };
            Err(Failure::usage(format!(
                "`{given}` could be {} sessions: {list}{more}; say more of the id",
                several.len()
            )))
        }
    }
}

fn meant<'a>(sessions: &'a [Session], given: &str) -> Vec<&'a str> {
    let ids = || sessions.iter().map(|session| session.id.as_str());
    if given.is_empty() {
        return Vec::new();
    }
    let titled: Vec<_> = sessions.iter().filter(|one| one.title == given).map(|one| one.id.as_str()).collect();
    if !titled.is_empty() {
        return titled;
    }
    let begins = |id: &&str| id.starts_with(given) || id.strip_prefix("ses_").is_some_and(|id| id.starts_with(given));
    let ends = |id: &&str| given.len() >= ENDING && id.ends_with(given);
    ids().filter(|id| begins(id) || ends(id)).collect()
}

/// A checkpoint's number, or nothing.
fn number(number: Option<u64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_meant_by_any_part_that_no_other_has() {
        let sessions: Vec<Session> = [("ses_0199aa01", "sales"), ("ses_0199aa92", ""), ("ses_0199bb92", "")]
            .iter()
            .map(|(id, title)| {
                let value = json!({ "id": id, "title": title, "image": "python", "policy": "default",
                    "created_at": "", "updated_at": "" });
                serde_json::from_value(value).unwrap()
            })
            .collect();
        let meant = |given| meant(&sessions, given);
        assert_eq!(meant("sales"), ["ses_0199aa01"]);
        assert_eq!(meant("ses_0199b"), ["ses_0199bb92"]);
        assert_eq!(meant("0199b"), ["ses_0199bb92"]);
        assert_eq!(meant("aa92"), ["ses_0199aa92"]);
        assert_eq!(meant("0199aa").len(), 2);
        assert_eq!(meant("92"), [""; 0]);
        assert_eq!(meant(""), [""; 0]);
    }
}
