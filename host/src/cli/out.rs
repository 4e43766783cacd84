//! What the commands share: progress on stderr, files into a directory, cancelling, the backend of this process.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use glovebox_runtime::{Display, Outcome, Policies, Policy};
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::app::ImageState;
use crate::backend::{Crew, Images, Local, Step};
use crate::config::Config;
use crate::files::{Workspace, export, safe_name};

/// One line on stderr that is replaced on a terminal and repeated elsewhere.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    pub(super) fn new() -> Progress {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Progress { bar, last: String::new() }
    }

    pub(super) fn say(&mut self, message: &str) {
        if message == self.last {
            return;
        }
        message.clone_into(&mut self.last);
        match &self.bar {
            Some(bar) => bar.set_message(message.to_owned()),
            None => eprintln!("{message}"),
        }
    }

    /// A line that stays, above the one that is replaced.
    pub(super) fn note(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => eprintln!("{line}"),
        }
    }

    pub(super) fn step(&mut self, step: &Step) {
        self.say(&format!("preparing {}: {} ({}/{})", step.image, step.message, step.step, step.steps));
    }

    pub(super) fn end(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

/// Policies: the built-in ones and those of the configured directory.
pub(super) fn policies(config: &Config) -> Result<Policies, Failure> {
    crate::reload::load(config.policies_dir.as_deref()).map_err(Failure::usage)
}

/// A policy by name that allows the image.
pub(super) fn policy(config: &Config, name: &str, image: &str) -> Result<Policy, Failure> {
    let policies = policies(config)?;
    let known = policies.names();
    let policy =
        policies.get(name).ok_or_else(|| Failure::usage(format!("unknown policy `{name}` (there are: {known})")))?;
    policy.check_image(image).map_err(Failure::usage)?;
    Ok(policy.clone())
}

/// Workers of this process, with the image prepared.
pub(super) async fn backend(
    config: &Config,
    image: &str,
    workers: usize,
    progress: &mut Progress,
) -> Result<Arc<Local>, Failure> {
    let images = Images::open(config).map_err(Failure::ours)?;
    let known = images.list();
    let Some(info) = known.iter().find(|info| info.name == image) else {
        let names = known.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!("unknown image `{image}` (there are: {names})")));
    };
    if info.state != ImageState::Ready {
        // The warm-up drives a runtime of its own, which may not begin inside this one.
        tokio::task::block_in_place(|| images.prepare(image, &mut |step| progress.step(&step)))
            .map_err(Failure::ours)?;
    }
    Ok(Local::start(config, images, Crew { workers, ..Crew::alone() }).await?)
}

/// A refusal of the service as a failure of ours: what it says is for people.
pub(super) fn failed(error: crate::error::Error) -> Failure {
    Failure::ours(match error.cause {
        Some(cause) => format!("{}: {cause:#}", error.detail),
        None => error.detail,
    })
}

/// A workspace in a temporary directory, with copies of the files.
pub(super) fn workspace(files: &[PathBuf]) -> Result<(tempfile::TempDir, PathBuf), Failure> {
    let dir = tempfile::Builder::new().prefix("glovebox-").tempdir().map_err(Failure::ours)?;
    let path = dir.path().join("data");
    let workspace = Workspace::create(&path).map_err(Failure::ours)?;
    for file in files {
        let readable = |error: io::Error| Failure::usage(format!("cannot read {}: {error}", file.display()));
        if !std::fs::metadata(file).map_err(readable)?.is_file() {
            return Err(Failure::usage(format!("{} is not a file", file.display())));
        }
        let name = file.file_name().and_then(|name| name.to_str()).map(safe_name);
        workspace.place(file, &name.unwrap_or_else(|| "file".into())).map_err(readable)?;
    }
    Ok((dir, path))
}

/// Ends the run when the user presses Ctrl-C; a second time ends the process.
pub(super) fn cancel_on_interrupt() -> CancellationToken {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            token.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    cancel
}

/// Copies what a run left into the user's directory and says what was written.
pub(super) fn write_artifacts(outcome: &Outcome, workspace: &Path, out: &Path) -> Result<Vec<String>, Failure> {
    if outcome.artifacts.is_empty() {
        return Ok(Vec::new());
    }
    let target = out_dir(out)?;
    let workspace = Workspace::open(workspace).map_err(Failure::ours)?;
    let mut written = Vec::new();
    for artifact in &outcome.artifacts {
        if let Some(mut file) = workspace.open_regular(&artifact.path) {
            write_one(&mut file, &target, &artifact.path, out)?;
            written.push(out.join(&artifact.path).display().to_string());
        }
    }
    Ok(written)
}

/// Saves pictures and pages that were shown as `display-1.png`, `display-2.html` …, the first with the number `first`.
pub(super) fn write_displays(displays: &[Display], first: usize, out: &Path) -> Result<Vec<String>, Failure> {
    use base64::Engine;
    let mut written = Vec::new();
    for display in displays {
        let kinds = [
            ("image/png", "png"),
            ("image/jpeg", "jpg"),
            ("image/gif", "gif"),
            ("image/svg+xml", "svg"),
            ("text/html", "html"),
        ];
        let Some((kind, extension)) = kinds.into_iter().find(|(kind, _)| display.data.contains_key(*kind)) else {
            continue;
        };
        let Some(content) = display.data[kind].as_str() else { continue };
        let decoded = base64::engine::general_purpose::STANDARD.decode(content.replace('\n', ""));
        let bytes = match decoded {
            Ok(bytes) if !matches!(extension, "svg" | "html") => bytes,
            _ => content.as_bytes().to_vec(),
        };
        let name = format!("display-{}.{extension}", first + written.len());
        write_one(&mut bytes.as_slice(), &out_dir(out)?, &name, out)?;
        written.push(out.join(name).display().to_string());
    }
    Ok(written)
}

/// What a display says in a terminal; nothing for a picture, whose text is only its type and size.
pub(super) fn text_of(display: &Display) -> Option<&str> {
    let picture = display.data.keys().any(|kind| kind.starts_with("image/"));
    display.data.get("text/plain")?.as_str().filter(|_| !picture)
}

/// An explanation, and what its program printed and displayed.
pub(super) fn answer_text(explanation: &str, outcome: Option<(&str, &[Display])>) -> String {
    let mut text = format!("{}\n", tame(explanation.trim()));
    if let Some((stdout, displays)) = outcome {
        let shown = displays.iter().filter_map(text_of);
        for piece in std::iter::once(stdout).chain(shown).filter(|piece| !piece.trim().is_empty()) {
            text.push_str(&format!("\n{}\n", tame(piece.trim_end())));
        }
    }
    text
}

/// Writes a text file into the user's directory.
pub(super) fn write_text(text: &str, out: &Path, name: &str) -> Result<String, Failure> {
    write_one(&mut text.as_bytes(), &out_dir(out)?, name, out)?;
    Ok(out.join(name).display().to_string())
}

/// Writes a file below the user's directory.
pub(super) fn write_one(content: &mut impl io::Read, target: &Dir, name: &str, out: &Path) -> Result<(), Failure> {
    export(content, target, name)
        .map_err(|error| Failure::ours(format!("failed to write {}: {error}", out.join(name).display())))
}

/// The user's directory, made if it is not there.
pub(super) fn out_dir(out: &Path) -> Result<Dir, Failure> {
    let failed = |error: io::Error| Failure::usage(format!("cannot write into {}: {error}", out.display()));
    std::fs::create_dir_all(out).map_err(failed)?;
    Dir::open_ambient_dir(out, ambient_authority()).map_err(failed)
}

/// Says what was written.
pub(super) fn tell(written: &[String]) {
    for path in written {
        eprintln!("wrote {path}");
    }
}

/// Prints to stdout. A reader that has gone away ends the output, not the program.
pub(super) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints one JSON document.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print(&format!("{}\n", serde_json::to_string_pretty(value).map_err(Failure::ours)?));
    Ok(())
}

/// Takes what could command a terminal out of text that somebody else wrote.
pub(super) fn tame(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Opens a directory of the user's for reading, and the name of the file in it.
pub(super) fn beside(file: &Path) -> Result<(Dir, String), Failure> {
    let readable = |error: io::Error| Failure::usage(format!("cannot read {}: {error}", file.display()));
    let real = file.canonicalize().map_err(readable)?;
    File::open(&real).map_err(readable)?;
    let parent = real.parent().unwrap_or(Path::new("/"));
    let name =
        real.file_name().and_then(|name| name.to_str()).ok_or_else(|| Failure::usage("the file's name is not text"))?;
    Ok((Dir::open_ambient_dir(parent, ambient_authority()).map_err(readable)?, name.to_owned()))
}
