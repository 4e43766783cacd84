//! Live: what happens while a question is answered, on stderr. A stage line with its time on a terminal, what the
//! program prints above it; plain lines elsewhere.

use std::io::{self, IsTerminal};

use clap::Args;
use serde_json::{Map, Value, json};

use super::out::{Progress, tame};
use crate::engine::{AnswerEvent, Attempt, Candidate, Wanted};

/// Bytes of a line that are shown while a program runs.
const LINE: usize = 160;

/// How much an answer may take, as flags.
#[derive(Args)]
#[command(next_help_heading = "How much it may take")]
pub(super) struct EffortArgs {
    /// Ask for several programs, run them side by side and keep the best (1 to 8)
    #[arg(long, value_name = "N")]
    candidates: Option<u32>,
    /// Programs that may be asked for in place of one that failed
    #[arg(long, value_name = "N")]
    max_repairs: Option<u32>,
    /// Tokens of all calls of the model
    #[arg(long, value_name = "N")]
    max_tokens: Option<u64>,
    /// Seconds until the answer
    #[arg(long, value_name = "S")]
    max_seconds: Option<u64>,
    /// Cost of all calls of the model, in US dollars
    #[arg(long, value_name = "USD")]
    max_cost: Option<f64>,
}

impl EffortArgs {
    /// For the engine.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            candidates: self.candidates,
            max_repairs: self.max_repairs,
            max_tokens: self.max_tokens,
            max_seconds: self.max_seconds,
            max_cost_usd: self.max_cost,
        }
    }

    /// For the API: only what was given.
    pub(super) fn fields(&self) -> Map<String, Value> {
        let all = [
            ("candidates", json!(self.candidates)),
            ("max_repairs", json!(self.max_repairs)),
            ("max_tokens", json!(self.max_tokens)),
            ("max_seconds", json!(self.max_seconds)),
            ("max_cost_usd", json!(self.max_cost)),
        ];
        all.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The display of one question.
pub(super) struct Live {
    progress: Progress,
    verbose: bool,
    at_terminal: bool,
    /// The unfinished line of the model's text, and of the program's output.
    text: String,
    output: String,
    /// Whether lines of the program were shown.
    pub(super) shown: bool,
}

impl Live {
    /// `verbose` shows the model's text as it arrives, and the program's output also where there is no terminal.
    pub(super) fn new(progress: Progress, verbose: bool) -> Live {
        let at_terminal = io::stderr().is_terminal();
        Live { progress, verbose, at_terminal, text: String::new(), output: String::new(), shown: false }
    }

    /// Shows an event of the engine.
    pub(super) fn event(&mut self, event: &AnswerEvent) {
        match event {
            AnswerEvent::Stage { message, .. } => self.stage(message),
            AnswerEvent::Text { text } => self.text(text),
            AnswerEvent::Candidate { number, of, ending, error } => {
                self.candidate(*number, *of, error.as_deref().unwrap_or(ending));
            }
            AnswerEvent::Run { event, .. } => {
                if let glovebox_runtime::EventBody::Stdout { text } = &event.body {
                    self.output(text);
                }
            }
            AnswerEvent::Program { .. } => {}
        }
    }

    /// Shows an event of the API's stream.
    pub(super) fn told(&mut self, kind: &str, data: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match kind {
            "stage" => self.stage(&text(&data["message"])),
            "text" => self.text(&text(&data["text"])),
            "candidate" => {
                let number =
                    |name: &str| data[name].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
                let how = data["error"].as_str().or(data["ending"].as_str()).unwrap_or_default();
                self.candidate(number("number"), number("of"), how);
            }
            "run" if data["event"]["type"] == "stdout" => self.output(&text(&data["event"]["text"])),
            "limit_warning" => self.progress.note(&tame(&text(&data["message"]))),
            _ => {}
        }
    }

    /// Ends the display.
    pub(super) fn end(&mut self) {
        self.flush();
        self.progress.end();
    }

    fn stage(&mut self, message: &str) {
        self.flush();
        self.progress.say(&tame(message));
    }

    fn candidate(&mut self, number: u32, of: u32, how: &str) {
        self.progress.note(&format!("candidate {number} of {of}: {}", tame(how)));
    }

    fn text(&mut self, text: &str) {
        if self.verbose {
            self.text.push_str(text);
            while let Some((line, rest)) = self.text.split_once('\n') {
                let (line, rest) = (self.dimmed(line), rest.to_owned());
                self.progress.note(&line);
                self.text = rest;
            }
        }
    }

    fn output(&mut self, text: &str) {
        if !self.at_terminal && !self.verbose {
            return;
        }
        self.output.push_str(text);
        while let Some((line, rest)) = self.output.split_once('\n') {
            let (line, rest) = (format!("  │ {}", gist(line)), rest.to_owned());
            self.progress.note(&line);
            self.output = rest;
            self.shown = true;
        }
    }

    /// What has no line break yet.
    fn flush(&mut self) {
        let (text, output) = (std::mem::take(&mut self.text), std::mem::take(&mut self.output));
        if !text.trim().is_empty() {
            let line = self.dimmed(&text);
            self.progress.note(&line);
        }
        if !output.trim().is_empty() {
            self.progress.note(&format!("  │ {}", gist(&output)));
        }
    }

    fn dimmed(&self, line: &str) -> String {
        let line = tame(line);
        if self.at_terminal { format!("\u{1b}[2m{line}\u{1b}[0m") } else { line }
    }
}

fn gist(line: &str) -> String {
    crate::error::shorten(&tame(line), LINE)
}

/// What was tried before the answer, a line each; nothing if the first program did it.
pub(super) fn story(attempts: &[Attempt], candidates: &[Candidate], alternatives: usize) -> String {
    let mut text = String::new();
    if attempts.len() > 1 {
        for (number, attempt) in attempts.iter().enumerate() {
            let how = match &attempt.error {
                Some(error) => format!("failed: {}", tame(error)),
                None => "worked".into(),
            };
            text.push_str(&format!("attempt {} {how}\n", number + 1));
        }
    }
    for (number, candidate) in candidates.iter().enumerate() {
        let how = match &candidate.error {
            Some(error) => format!("failed: {}", tame(error)),
            None => {
                let made = candidate.artifacts.iter().map(|name| tame(name)).collect::<Vec<_>>().join(", ");
                let made = if made.is_empty() { String::new() } else { format!(", made {made}") };
                format!("worked{made}, fuel {}", candidate.fuel)
            }
        };
        let kept = if candidate.kept { " (kept)" } else { "" };
        text.push_str(&format!("candidate {} {how}{kept}\n", number + 1));
    }
    match alternatives {
        0 => {}
        1 => text.push_str("the model suggested another program as well\n"),
        n => text.push_str(&format!("the model suggested {n} other programs as well\n")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_tried_is_told_in_lines() {
        let attempt = |error: Option<&str>| Attempt {
            program: String::new(),
            ending: "raised".into(),
            error: error.map(str::to_owned),
        };
        assert_eq!(story(&[attempt(None)], &[], 0), "");
        let told = story(&[attempt(Some("KeyError: 'mass'\u{1b}[2J")), attempt(None)], &[], 1);
        assert!(told.starts_with("attempt 1 failed: KeyError: 'mass'[2J\nattempt 2 worked\n"), "{told}");
    }
}
