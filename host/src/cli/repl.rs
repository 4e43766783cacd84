//! `glovebox repl`: a session at the prompt. Each statement is a turn; lines that begin with `:` are commands.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    Cmd, ConditionalEventHandler, Editor, Event, EventContext, EventHandler, KeyCode, KeyEvent, Modifiers,
};
use serde_json::json;

use super::answers::{Artifact, Checkpoint, Run, Session, Turn, read, size};
use super::door::Door;
use super::run::SCRIPT_LIMIT;
use super::sample::grid;
use super::statement::Language;
use super::{Done, Failure, out, session, turn};
use crate::config::Config;

/// Statements that the history keeps.
const HISTORY: usize = 5000;

const HELP: &str = "\
Each statement is a turn of the session: what it defines stays, and each turn can be undone.
A block ends with an empty line. Ctrl-C clears the line or interrupts what runs, Ctrl-D ends.

  :files             files of the session
  :add FILE          copy a file of yours into the session
  :get FILE          copy a file of the session into the directory of the pictures
  :undo [N]          go back to the state before the last turn, or to checkpoint N
  :checkpoints       the tree of states to go to
  :checkpoint NAME   name the present state
  :fork              a copy of this session, to go on with elsewhere
  :save FILE         write the program so far into a file of yours
  :quit              end; the session stays
";

#[derive(Args)]
pub(crate) struct ReplArgs {
    /// Image of its interpreter
    #[arg(long, default_value = "python", conflicts_with = "session")]
    image: String,
    /// Policy with the limits of each turn
    #[arg(long, default_value = "default", conflicts_with = "session")]
    policy: String,
    /// Go on with a session: its id, the beginning or the end of it, or its title
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Copy a file into its working directory (repeatable)
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where pictures are saved
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
}

/// A conversation with one session.
struct Repl<'a> {
    door: &'a Door,
    session: Session,
    language: Language,
    out: PathBuf,
    /// Number of the next picture.
    picture: usize,
    /// Whether anything was done that is worth coming back to.
    used: bool,
    /// Exit code of the last turn that failed.
    code: u8,
}

/// What the user wants after a line.
#[derive(PartialEq, Eq)]
enum Next {
    Line,
    End,
}

pub(super) async fn repl(config: Config, args: ReplArgs) -> Done {
    let door = Door::open(&config).await?;
    let done = converse(&door, &config, args).await;
    door.close().await;
    done
}

async fn converse(door: &Door, config: &Config, args: ReplArgs) -> Done {
    let (answer, fresh) = match &args.session {
        None => (session::open(door, &args.image, &args.policy, "repl", &args.files).await?, true),
        Some(given) => {
            let id = session::find(door, given).await?;
            add(door, &id, &args.files).await?;
            (door.get(&format!("/api/v1/sessions/{id}")).await?, false)
        }
    };
    let session: Session = read(answer, None)?;
    let id = session.id.clone();
    let done = begin(door, config, session, args.out).await;
    let used = done.as_ref().map_or(!fresh, |repl| repl.used);
    if fresh && !used {
        door.delete(&format!("/api/v1/sessions/{id}")).await?;
    } else {
        door.rest(&id).await;
        eprintln!("glovebox: the session is kept; come back with: glovebox repl --session {id}");
    }
    // At a prompt, errors were seen and dealt with.
    done.map(|repl| ExitCode::from(if at_terminal() { 0 } else { repl.code }))
}

async fn begin<'a>(door: &'a Door, config: &Config, session: Session, out: PathBuf) -> Result<Repl<'a>, Failure> {
    door.prepare(&session.image).await?;
    let images = door.get("/api/v1/images").await?;
    let images = images["images"].as_array().cloned().unwrap_or_default();
    let image = images.into_iter().find(|image| image["name"] == session.image.as_str()).unwrap_or_default();
    let language = Language::named(image["language"].as_str().unwrap_or_default());
    let picture = next_picture(&out);
    let mut repl = Repl { door, session, language, out, picture, used: false, code: 0 };
    if at_terminal() {
        let version = image["version"].as_str().unwrap_or_default();
        println!("{} {version} · session {} · :help", repl.session.image, repl.session.id);
        repl.at_prompt(&config.data_dir.join("repl_history")).await?;
    } else {
        repl.read_pipe().await?;
    }
    Ok(repl)
}

fn at_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Runs on Enter what is complete, and otherwise begins the next line, indented.
struct Enter(Language);

impl ConditionalEventHandler for Enter {
    fn handle(&self, _: &Event, _: u16, _: bool, context: &EventContext) -> Option<Cmd> {
        let (line, before) = (context.line(), &context.line()[..context.pos()]);
        if line.starts_with(':') || self.0.runs(line) {
            return Some(Cmd::AcceptLine);
        }
        Some(Cmd::Insert(1, format!("\n{}", " ".repeat(self.0.indent(before)))))
    }
}

impl Repl<'_> {
    async fn at_prompt(&mut self, history: &Path) -> Result<(), Failure> {
        let config = rustyline::Config::builder().max_history_size(HISTORY).map_err(Failure::ours)?;
        let config = config.auto_add_history(true).indent_size(4).build();
        let mut editor = Editor::<(), FileHistory>::with_config(config).map_err(Failure::ours)?;
        // Enter comes as either of them.
        for key in [KeyEvent(KeyCode::Enter, Modifiers::NONE), KeyEvent::ctrl('J')] {
            editor.bind_sequence(key, EventHandler::Conditional(Box::new(Enter(self.language))));
        }
        editor.bind_sequence(
            KeyEvent(KeyCode::Tab, Modifiers::NONE),
            EventHandler::Simple(Cmd::Insert(1, "    ".into())),
        );
        // The first time there is none.
        let _ = editor.load_history(history);
        let prompt = if self.language == Language::Python { ">>> " } else { "> " };
        loop {
            match tokio::task::block_in_place(|| editor.readline(prompt)) {
                Ok(line) => {
                    if self.line(line.trim_end()).await == Next::End {
                        break;
                    }
                }
                Err(ReadlineError::Interrupted) => {}
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(Failure::ours(format!("failed to read the terminal: {error}"))),
            }
        }
        // Made for its user alone, as everything in the data directory is.
        if let Err(error) = editor.save_history(history) {
            eprintln!("glovebox: failed to keep the history in {}: {error}", history.display());
        }
        Ok(())
    }

    /// Statements of a pipe or a file. A block ends where the next statement begins, so that functions may have
    /// empty lines.
    async fn read_pipe(&mut self) -> Result<(), Failure> {
        let (mut pending, mut line) = (String::new(), String::new());
        loop {
            line.clear();
            let room = SCRIPT_LIMIT + 1 - pending.len() as u64;
            let input = std::io::stdin();
            let got = tokio::task::block_in_place(|| input.lock().take(room).read_line(&mut line));
            let got = got.map_err(|error| Failure::usage(format!("cannot read standard input: {error}")))?;
            if (pending.len() + line.len()) as u64 > SCRIPT_LIMIT {
                return Err(Failure::usage(format!(
                    "a statement is larger than {} MiB; give data with --file",
                    SCRIPT_LIMIT >> 20
                )));
            }
            let flush = got == 0 || self.language.begins(&pending, &line);
            if flush && self.line(std::mem::take(&mut pending).trim_end()).await == Next::End || got == 0 {
                return Ok(());
            }
            pending.push_str(&line);
            let whole = pending.trim_end_matches('\n');
            let done = self.language.standing(whole) == super::statement::Standing::Done || whole.starts_with(':');
            if done && self.line(std::mem::take(&mut pending).trim_end()).await == Next::End {
                return Ok(());
            }
        }
    }

    /// A statement or a command. What goes wrong is told, and the next line is waited for.
    async fn line(&mut self, line: &str) -> Next {
        let words = line.trim();
        let done = match words.strip_prefix(':') {
            _ if words.is_empty() => Ok(()),
            _ if matches!(words, ":quit" | ":q" | ":exit" | "exit" | "quit" | "exit()" | "quit()") => return Next::End,
            Some(command) => self.command(command.trim()).await,
            None => self.turn(line).await,
        };
        if let Err(Failure { message, code }) = done {
            eprintln!("glovebox: {message}");
            self.code = code;
        }
        Next::Line
    }

    async fn turn(&mut self, code: &str) -> Result<(), Failure> {
        let taken = turn::take(self.door, &self.session.id, &json!({ "code": code }), false).await;
        // Also one that broke off may have been taken.
        self.used = true;
        let taken = taken?;
        if taken.mid_line && at_terminal() {
            println!();
        }
        self.tell(&taken.run)?;
        match turn::end(&taken) {
            0 => {}
            failed => self.code = failed,
        }
        Ok(())
    }

    /// Saves pictures, and says which files came.
    fn tell(&mut self, run: &Run) -> Result<(), Failure> {
        if let Some(outcome) = &run.outcome {
            // What has a text was shown already.
            let mut pictures = outcome.displays.clone();
            pictures.retain(|display| out::text_of(display).is_none());
            let written = out::write_displays(&pictures, self.picture, &self.out)?;
            self.picture += written.len();
            out::tell(&written);
        }
        for Artifact { path, size: bytes, .. } in &run.artifacts {
            eprintln!("made {} ({}); :get copies it out", out::tame(path), size(*bytes));
        }
        Ok(())
    }

    async fn command(&mut self, command: &str) -> Result<(), Failure> {
        let (name, argument) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
        let (argument, id) = (argument.trim(), self.session.id.clone());
        match (name, argument) {
            ("help" | "h" | "?", _) => out::print(HELP),
            ("files", _) => self.files().await?,
            ("checkpoints", _) => out::print(&session::drawn(self.door, &id).await?),
            ("undo", "") => self.undo().await?,
            ("undo", checkpoint) => self.go(checkpoint).await?,
            ("fork", _) => {
                let answer = self.door.post(&format!("/api/v1/sessions/{id}/forks"), &json!({ "count": 1 })).await?;
                let children: Vec<Session> = read(answer, Some("sessions"))?;
                for child in children {
                    out::print(&format!("a copy is {}; go on with it by: glovebox repl --session {0}\n", child.id));
                }
                self.used = true;
            }
            ("add" | "get" | "save" | "checkpoint", "") => {
                return Err(Failure::usage(format!(":{name} wants a name after it; :help explains")));
            }
            ("checkpoint", name) => {
                let made: Checkpoint = read(session::name(self.door, &id, Some(name)).await?, None)?;
                out::print(&format!("checkpoint {} is named {}\n", made.number, out::tame(name)));
                self.used = true;
            }
            ("add", file) => {
                add(self.door, &id, &[PathBuf::from(file)]).await?;
                self.used = true;
            }
            ("get", file) => self.get(file).await?,
            ("save", file) => self.save(Path::new(file)).await?,
            _ => return Err(Failure::usage(format!("there is no command :{}; :help lists them", out::tame(name)))),
        }
        Ok(())
    }

    async fn undo(&mut self) -> Result<(), Failure> {
        let answer = self.door.get(&format!("/api/v1/sessions/{}/checkpoints", self.session.id)).await?;
        let checkpoints: Vec<Checkpoint> = read(answer, Some("checkpoints"))?;
        let head = checkpoints.iter().find(|checkpoint| checkpoint.head);
        match head.and_then(|head| head.parent) {
            Some(parent) => self.go(&parent.to_string()).await,
            None => Err(Failure::usage("there is nothing to undo")),
        }
    }

    async fn go(&mut self, checkpoint: &str) -> Result<(), Failure> {
        let answer = session::restore(self.door, &self.session.id, checkpoint).await?;
        self.session = read(answer, None)?;
        let head = self.session.head.map(|head| head.to_string()).unwrap_or_default();
        out::print(&format!("at checkpoint {head}; what came after it stays in :checkpoints\n"));
        Ok(())
    }

    async fn files(&self) -> Result<(), Failure> {
        let (given, made) = self.all_files().await?;
        let mut rows: Vec<[String; 3]> = Vec::new();
        for file in given {
            rows.push([out::tame(&file.name), size(file.size), "given".into()]);
        }
        for artifact in made {
            rows.push([out::tame(&artifact.path), size(artifact.size), "made".into()]);
        }
        if rows.is_empty() {
            eprintln!("no files; :add FILE copies one of yours into the session");
        }
        out::print(&grid(&rows));
        Ok(())
    }

    /// Files that were given to the session, and the newest of each path that its programs made.
    async fn all_files(&self) -> Result<(Vec<super::answers::File>, Vec<Artifact>), Failure> {
        let path = format!("/api/v1/sessions/{}", self.session.id);
        let session: Session = read(self.door.get(&path).await?, None)?;
        let all: Vec<Artifact> = read(self.door.get(&format!("{path}/artifacts")).await?, Some("artifacts"))?;
        let mut newest: Vec<Artifact> = Vec::new();
        for artifact in all {
            newest.retain(|known| known.path != artifact.path);
            newest.push(artifact);
        }
        Ok((session.files, newest))
    }

    async fn get(&self, name: &str) -> Result<(), Failure> {
        let (given, made) = self.all_files().await?;
        let made = made.into_iter().find(|artifact| artifact.path == name).map(|artifact| artifact.url);
        let given = given.into_iter().find(|file| file.name == name);
        let url = made.or_else(|| given.map(|file| format!("/api/v1/files/{}/content", file.id)));
        let url =
            url.ok_or_else(|| Failure::usage(format!("there is no file {}; :files lists them", out::tame(name))))?;
        out::tell(&[self.door.save(&url, &self.out, name).await?]);
        Ok(())
    }

    /// The programs that led from the start to the present state, in one file.
    async fn save(&self, file: &Path) -> Result<(), Failure> {
        let path = format!("/api/v1/sessions/{}", self.session.id);
        let checkpoints: Vec<Checkpoint> =
            read(self.door.get(&format!("{path}/checkpoints")).await?, Some("checkpoints"))?;
        let turns: Vec<Turn> = read(self.door.get(&format!("{path}/history")).await?, Some("turns"))?;
        let mut at = checkpoints.iter().find(|checkpoint| checkpoint.head);
        let mut led = Vec::new();
        while let Some(checkpoint) = at {
            led.extend(checkpoint.run_id.clone());
            at = checkpoints.iter().find(|one| Some(one.number) == checkpoint.parent && one.number < checkpoint.number);
        }
        let mut text = String::new();
        for turn in &turns {
            let run = match turn {
                Turn::Run { run } => Some(&**run),
                Turn::Ask { ask } => ask.run.as_ref(),
            };
            if let Some(run) = run.filter(|run| led.contains(&run.id)) {
                text.push_str(&format!("{}\n", run.code.trim_end()));
            }
        }
        let failed = |error| Failure::usage(format!("cannot write {}: {error}", file.display()));
        let mut target = std::fs::File::create(file).map_err(failed)?;
        target.write_all(text.as_bytes()).map_err(failed)?;
        out::tell(&[file.display().to_string()]);
        Ok(())
    }
}

/// Copies files of the user's into a session.
async fn add(door: &Door, id: &str, files: &[PathBuf]) -> Result<(), Failure> {
    if files.is_empty() {
        return Ok(());
    }
    let ids = door.upload(files).await?;
    door.post(&format!("/api/v1/sessions/{id}/files"), &json!({ "files": ids })).await.map(drop)
}

/// One more than the highest number of a picture in the directory: an earlier conversation's are not overwritten.
fn next_picture(out: &Path) -> usize {
    let names = std::fs::read_dir(out).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix("display-")?.split('.').next()?.parse().ok();
    names.filter_map(number).max().unwrap_or(0_usize).saturating_add(1)
}
