//! Extract: takes the program, the prose and the suggestions out of what models really send.
//!
//! Looked for in this order: a reply that is one JSON object with the program in it, fenced blocks,
//! a JSON object within prose (a tool call), a reply that is nothing but code. Thinking is dropped.
//!
//! Several Python blocks: a block that uses names of the blocks before it, and doesn't define them
//! itself, continues them, and the two become one program. Of several programs that stand on their
//! own the last one counts, since models correct themselves downwards, unless it is less than half
//! as long as the longest: then it is an example of use, and the longest counts. The others of at least
//! that length are kept as alternatives.
//!
//! What cannot be run is not passed on: code in another language and a patch that does not fit are named
//! as such in `refused`, for the model to do better.

mod fences;
mod foreign;
mod json;
mod patch;
mod python;

use std::collections::HashSet;

use fences::Block;

use super::{Alternative, Language};

/// Bytes of a reply that are read; the rest is ignored.
pub const MAX_REPLY_BYTES: usize = 1024 * 1024;
/// Bytes that a program may have.
pub const MAX_PROGRAM_BYTES: usize = 256 * 1024;
const MAX_SUGGESTIONS: usize = 4;
const MAX_SUGGESTION_BYTES: usize = 200;
/// Blocks that are compared with each other; later ones are left out.
const MAX_BLOCKS: usize = 64;
/// Programs that are kept besides the chosen one.
const MAX_ALTERNATIVES: usize = 7;

/// What a reply holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extract {
    /// Source text, if there is any and it is not longer than [`MAX_PROGRAM_BYTES`].
    pub program: Option<String>,
    /// True if a program was left out because of its length.
    pub too_long: bool,
    /// Other programs that were suggested, at most 7.
    pub alternatives: Vec<Alternative>,
    /// Code that cannot be run, and why; then there is no program.
    pub refused: Option<Refused>,
    /// What could be asked next, at most 4.
    pub suggestions: Vec<String>,
    /// The text without thinking and suggestions; programs stay in it.
    pub text: String,
}

impl Extract {
    /// The same for a reply that ended at the limit of tokens: a program with nothing behind it was cut, one with a
    /// closed fence or prose behind it is whole. A reply without any program may have been about to hold one.
    #[must_use]
    pub(super) fn cut_off(mut self, reply: &str) -> Extract {
        if self.refused.is_some() {
            return self;
        }
        let last_line = |text: &str| text.trim_end().lines().next_back().unwrap_or_default().trim().to_owned();
        if self.program.as_ref().is_none_or(|program| last_line(program) == last_line(reply)) {
            let code = self.program.take().unwrap_or_default();
            let reason = "the reply was cut at the limit of tokens before its program was whole; a shorter one is \
                          needed";
            self.refused = Some(Refused { code, reason: reason.into() });
        }
        self
    }
}

/// Code in a reply that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its text.
    pub code: String,
    /// Why, as a sentence without its full stop.
    pub reason: String,
}

/// Reads a reply that should hold Python. Never fails: a reply without a program is a text.
#[must_use]
pub fn extract(reply: &str) -> Extract {
    extract_for(reply, &Language::Python, None)
}

/// Reads a reply that should hold a program of this language, or a patch for the program `base`.
#[must_use]
pub fn extract_for(reply: &str, language: &Language, base: Option<&str>) -> Extract {
    let reply = without_thinking(&bounded(reply));
    let (blocks, prose) = fences::split(&reply);
    let found = json::whole(&reply)
        .or_else(|| blocks.iter().filter(|b| b.language.starts_with("json")).find_map(|b| json::whole(&b.text)))
        .filter(|found| found.program.is_some() || found.text.is_some())
        .or_else(|| if blocks.is_empty() { json::within(&reply) } else { None });
    let (text, mut suggestions) = split_suggestions(&reply);
    let mut extract = Extract { text, ..Extract::default() };
    let (program, others) = if let Some(found) = found {
        if !found.suggestions.is_empty() {
            suggestions = found.suggestions;
        }
        if let Some(text) = found.text {
            extract.text = text;
        }
        (found.program.map(|program| unfenced(&program, language)), found.alternatives)
    } else if let Some(Chosen { program, others }) = choose(&blocks, language) {
        (Some(program), others)
    } else {
        let bare = blocks.is_empty() && looks_like_program(&prose, language);
        (bare.then(|| reply.trim().to_owned()), Vec::new())
    };
    let (program, refused) = usable(program, &blocks, language, base);
    let program = program.map(|program| runnable(&program, language)).filter(|program| !program.trim().is_empty());
    extract.refused = refused;
    extract.too_long = program.as_ref().is_some_and(|program| program.len() > MAX_PROGRAM_BYTES);
    extract.alternatives = alternatives(others, program.as_deref(), language);
    extract.program = program.filter(|_| !extract.too_long);
    extract.suggestions = tidy(suggestions);
    extract
}

/// The program if it can be run, or why not.
fn usable(
    program: Option<String>,
    blocks: &[Block],
    language: &Language,
    base: Option<&str>,
) -> (Option<String>, Option<Refused>) {
    let refuse = |code: &str, reason: String| {
        (None, Some(Refused { code: code[..code.floor_char_boundary(MAX_PROGRAM_BYTES)].to_owned(), reason }))
    };
    let filled = || blocks.iter().filter(|block| !block.text.trim().is_empty());
    let as_patch = match &program {
        Some(program) => patch::is_patch("", program).then_some(program.as_str()),
        None => filled().find(|block| patch::is_patch(&block.language, &block.text)).map(|block| block.text.as_str()),
    };
    if let Some(text) = as_patch {
        return match base.and_then(|base| patch::apply(base, text)) {
            Some(program) => (Some(program), None),
            None => refuse(text, "the reply holds a patch, and a whole program is needed".into()),
        };
    }
    let wrong = |name: &str| format!("the reply holds {name} code, and only {} runs here", language.name());
    match program {
        Some(program) => match foreign::written_in(&program, language) {
            Some(name) => refuse(&program, wrong(name)),
            None => (Some(program), None),
        },
        None => {
            let named = |block: &Block| foreign::tagged(&block.language).filter(|_| !language.is(&block.language));
            match filled().find_map(|block| Some((block, named(block)?))) {
                Some((block, name)) => refuse(&block.text, wrong(name)),
                None => (None, None),
            }
        }
    }
}

/// Titles and programs as they are shown, without the chosen one.
fn alternatives(others: Vec<(String, String)>, chosen: Option<&str>, language: &Language) -> Vec<Alternative> {
    let mut kept: Vec<Alternative> = Vec::new();
    for (title, program) in others {
        let program = runnable(&unfenced(&program, language), language);
        let new = chosen.is_none_or(|chosen| chosen.trim() != program.trim())
            && kept.iter().all(|other| other.program.trim() != program.trim());
        let fits = !program.trim().is_empty() && program.len() <= MAX_PROGRAM_BYTES;
        if new && fits && foreign::written_in(&program, language).is_none() && kept.len() < MAX_ALTERNATIVES {
            let title = tidy(vec![title.trim_start_matches(['#', ' ', '-']).trim_end_matches(':').to_owned()]);
            let title = title.into_iter().next().unwrap_or_else(|| format!("Alternative {}", kept.len() + 1));
            kept.push(Alternative { title, program });
        }
    }
    kept
}

fn looks_like_program(text: &str, language: &Language) -> bool {
    match language {
        Language::Python => python::looks_like_program(text),
        Language::JavaScript => foreign::written_in(text, &Language::Python) == Some("JavaScript"),
        Language::Other(_) => false,
    }
}

/// The Markdown and the suggestions of a reply that was asked for prose.
#[must_use]
pub fn explanation(reply: &str) -> (String, Vec<String>) {
    let reply = without_thinking(&bounded(reply));
    if let Some(found) = json::whole(&reply)
        && let Some(text) = found.text
    {
        return (text.trim().to_owned(), tidy(found.suggestions));
    }
    let (blocks, prose) = fences::split(&reply);
    let wrapped =
        prose.trim().is_empty() && blocks.len() == 1 && ["markdown", "md"].contains(&blocks[0].language.as_str());
    let (text, suggestions) = split_suggestions(if wrapped { &blocks[0].text } else { &reply });
    (text, tidy(suggestions))
}

fn bounded(reply: &str) -> String {
    // The channels of gpt-oss: what comes before the last one is thinking.
    let reply = reply.rsplit_once("<|channel|>final<|message|>").map_or(reply, |(_, answer)| answer);
    let reply = reply.trim_end().trim_end_matches("<|end|>").trim_end_matches("<|return|>");
    let reply = reply.strip_prefix('\u{feff}').unwrap_or(reply);
    let reply = &reply[..reply.floor_char_boundary(MAX_REPLY_BYTES)];
    reply.replace("\r\n", "\n").replace(['\r', '\0'], "\n")
}

/// Drops `<think>…</think>`, also when the opening tag was part of the prompt or the closing one
/// never came. Tags count at the beginning of a line only: elsewhere they may be part of a program.
fn without_thinking(reply: &str) -> String {
    const TAGS: [(&str, &str); 9] = [
        ("<think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("<reasoning>", "</reasoning>"),
        ("<thought>", "</thought>"),
        ("<reflection>", "</reflection>"),
        ("<analysis>", "</analysis>"),
        ("<scratchpad>", "</scratchpad>"),
        ("[THINK]", "[/THINK]"),
        ("◁think▷", "◁/think▷"),
    ];
    let mut out = String::with_capacity(reply.len());
    let mut awaited: Option<&str> = None;
    for line in reply.split_inclusive('\n') {
        let mut line = line;
        loop {
            if let Some(closing) = awaited {
                let Some((_, after)) = line.split_once(closing) else { break };
                awaited = None;
                line = after;
            }
            let start = line.trim_start();
            if let Some((opening, closing)) = TAGS.iter().find(|(opening, _)| start.starts_with(opening)) {
                awaited = Some(closing);
                line = &start[opening.len()..];
                continue;
            }
            if let Some((_, closing)) =
                TAGS.iter().find(|(_, closing)| start.starts_with(closing) || line.trim_end().ends_with(closing))
            {
                out.clear();
                line = line.split_once(closing).map_or("", |(_, after)| after);
                continue;
            }
            out.push_str(line);
            break;
        }
    }
    out
}

/// The program among fenced blocks, and the others of its kind.
struct Chosen {
    program: String,
    others: Vec<(String, String)>,
}

/// Chooses among fenced blocks; the rule is at the top of this file.
fn choose(blocks: &[Block], language: &Language) -> Option<Chosen> {
    let filled = || blocks.iter().filter(|block| !block.text.trim().is_empty());
    let mut code: Vec<&Block> = filled().filter(|block| language.is(&block.language)).take(MAX_BLOCKS).collect();
    if code.is_empty() {
        let unlabelled = |block: &&Block| {
            matches!(block.language.as_str(), "" | "text" | "txt" | "plaintext" | "plain" | "console" | "output")
                && looks_like_program(&without_prompts(&block.text), language)
        };
        code = filled().filter(unlabelled).take(MAX_BLOCKS).collect();
    }
    if code.is_empty() && *language == Language::Python {
        let mislabelled = |block: &&Block| {
            block.text.lines().any(foreign::is_import_of_python) && python::looks_like_program(&block.text)
        };
        code = filled().filter(mislabelled).take(MAX_BLOCKS).collect();
    }
    let mut programs: Vec<(String, &str, HashSet<String>)> = Vec::new();
    for block in code {
        let text = without_prompts(&block.text);
        // Only of Python it is known which names a block takes from another.
        let names = if *language == Language::Python { python::names(&text) } else { python::Names::default() };
        match programs.last_mut() {
            Some((program, _, defined)) if names.free.iter().any(|name| defined.contains(name)) => {
                program.push('\n');
                program.push_str(&text);
                defined.extend(names.defined);
            }
            _ => programs.push((text, &block.lead, names.defined)),
        }
    }
    let longest = programs.iter().map(|(program, ..)| program.len()).max()?;
    programs.retain(|(program, ..)| program.len() * 2 >= longest);
    let (program, ..) = programs.pop()?;
    let others = programs.into_iter().map(|(program, lead, _)| (lead.to_owned(), program)).collect();
    Some(Chosen { program, others })
}

/// A program that was fenced once more inside of JSON.
fn unfenced(program: &str, language: &Language) -> String {
    if !program.trim_start().starts_with("```") {
        return program.to_owned();
    }
    choose(&fences::split(program).0, language).map_or_else(|| program.to_owned(), |chosen| chosen.program)
}

/// Takes the prompts of an interactive session away.
fn without_prompts(text: &str) -> String {
    if !text.trim_start().starts_with(">>> ") {
        return text.to_owned();
    }
    let lines = text.lines().map(str::trim_start);
    lines
        .filter_map(|line| line.strip_prefix(">>>").or_else(|| line.strip_prefix("...")))
        .map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned() + "\n")
        .collect()
}

/// Turns notebook commands (`%matplotlib inline`, `!pip install x`), which are no Python, into comments.
fn runnable(program: &str, language: &Language) -> String {
    if *language != Language::Python {
        return program.trim_matches('\n').to_owned() + "\n";
    }
    const MAGICS: [&str; 8] =
        ["%matplotlib", "%pip", "%conda", "%time", "%load_ext", "%config", "%capture", "%autoreload"];
    let mut lexer = python::Lexer::default();
    let mut out = String::with_capacity(program.len());
    for line in program.trim_matches('\n').lines() {
        let shell = line.strip_prefix('!').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
        let magic =
            MAGICS.iter().any(|magic| line.trim_start_matches('%').starts_with(&magic[1..]) && line.starts_with('%'));
        if !lexer.in_triple_quotes() && (shell || magic) {
            out.push_str("# left out: ");
        }
        lexer.line(line);
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// Takes the section under a heading such as `Next questions` out of a text.
fn split_suggestions(text: &str) -> (String, Vec<String>) {
    let mut rest = String::with_capacity(text.len());
    let mut suggestions = Vec::new();
    let mut inside = false;
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.trim_start().starts_with("```") || line.trim_start().starts_with("~~~");
        let trimmed = line.trim();
        if !fenced && let Some(same_line) = suggestion_heading(trimmed) {
            inside = true;
            suggestions.extend((!same_line.is_empty()).then(|| same_line.to_owned()));
            continue;
        }
        let listed = list_item(trimmed);
        let item = listed.unwrap_or(trimmed);
        let is_item = listed.is_some() || item.ends_with('?');
        inside &= trimmed.is_empty() || is_item || suggestions.is_empty() && !trimmed.starts_with('#');
        inside &= !fenced && !trimmed.starts_with("```");
        if !inside {
            rest.push_str(line);
            rest.push('\n');
        } else if !item.is_empty() && suggestions.len() < MAX_SUGGESTIONS * 4 {
            suggestions.push(item.to_owned());
        }
    }
    (rest.trim().to_owned(), suggestions)
}

/// The text of `- text`, `* text`, `1. text` and `1) text`.
fn list_item(line: &str) -> Option<&str> {
    let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let marks: &[char] = if numbered.len() < line.len() { &['.', ')'] } else { &['-', '*', '•', '–', '+'] };
    numbered.strip_prefix(marks)?.strip_prefix(' ').map(str::trim)
}

/// What follows on the line of such a heading, usually nothing.
fn suggestion_heading(line: &str) -> Option<&str> {
    const HEADINGS: [&str; 11] = [
        "suggested next questions",
        "possible next questions",
        "suggested questions",
        "follow-up questions",
        "follow up questions",
        "further questions",
        "next questions",
        "suggestions",
        "next steps",
        "what to ask next",
        "you could ask next",
    ];
    let marked = line.starts_with(['#', '*', '_']) || line.ends_with(':');
    let name = line.trim_start_matches(['#', '*', '_', ' ', ':']);
    let heading = HEADINGS
        .iter()
        .find(|heading| name.get(..heading.len()).is_some_and(|start| start.eq_ignore_ascii_case(heading)))?;
    let rest = name[heading.len()..].trim_start_matches(['*', '_', ' ']);
    match rest.strip_prefix(':') {
        Some(same_line) => Some(same_line.trim_start_matches(['*', '_', ' '])),
        None if rest.is_empty() && (marked || name == line) => Some(""),
        None => None,
    }
}

/// One line each, without decoration, no doubles, at most 4.
fn tidy(suggestions: Vec<String>) -> Vec<String> {
    let mut tidied: Vec<String> = Vec::new();
    for suggestion in suggestions {
        let line =
            suggestion.lines().next().unwrap_or("").trim_matches(|c: char| c.is_whitespace() || "*_\"“”`".contains(c));
        let line: String =
            line[..line.floor_char_boundary(MAX_SUGGESTION_BYTES)].chars().filter(|c| !c.is_control()).collect();
        if !line.is_empty() && !tidied.contains(&line) && tidied.len() < MAX_SUGGESTIONS {
            tidied.push(line);
        }
    }
    tidied
}

#[cfg(test)]
mod tests;
