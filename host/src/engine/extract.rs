//! Extract: takes the program, the prose and the suggestions out of what models really send.
//!
//! Looked for in this order: a reply that is one JSON object with the program in it, fenced blocks,
//! a JSON object within prose (a tool call), a reply that is nothing but code. Thinking is dropped.
//!
//! Several Python blocks: a block that uses names of the blocks before it, and doesn't define them
//! itself, continues them, and the two become one program. Of several programs that stand on their
//! own the last one counts, since models correct themselves downwards, unless it is less than half
//! as long as the longest: then it is an example of use, and the longest counts.

mod fences;
mod json;
mod python;

use std::collections::HashSet;

use fences::Block;

/// Bytes of a reply that are read; the rest is ignored.
pub const MAX_REPLY_BYTES: usize = 1024 * 1024;
/// Bytes that a program may have.
pub const MAX_PROGRAM_BYTES: usize = 256 * 1024;
const MAX_SUGGESTIONS: usize = 4;
const MAX_SUGGESTION_BYTES: usize = 200;
/// Blocks that are compared with each other; later ones are left out.
const MAX_BLOCKS: usize = 64;

/// What a reply holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extract {
    /// Source text, if there is any and it is not longer than [`MAX_PROGRAM_BYTES`].
    pub program: Option<String>,
    /// True if a program was left out because of its length.
    pub too_long: bool,
    /// What could be asked next, at most 4.
    pub suggestions: Vec<String>,
    /// The text without thinking and suggestions; programs stay in it.
    pub text: String,
}

/// Reads a reply. Never fails: a reply without a program is a text.
#[must_use]
pub fn extract(reply: &str) -> Extract {
    let reply = without_thinking(&bounded(reply));
    let (blocks, prose) = fences::split(&reply);
    let found = json::whole(&reply)
        .or_else(|| blocks.iter().filter(|b| b.language.starts_with("json")).find_map(|b| json::whole(&b.text)))
        .filter(|found| found.program.is_some() || found.text.is_some())
        .or_else(|| if blocks.is_empty() { json::within(&reply) } else { None });
    let (text, mut suggestions) = split_suggestions(&reply);
    let mut extract = Extract { text, ..Extract::default() };
    let program = if let Some(found) = found {
        if !found.suggestions.is_empty() {
            suggestions = found.suggestions;
        }
        if let Some(text) = found.text {
            extract.text = text;
        }
        found.program.map(|program| unfenced(&program))
    } else if let Some(program) = choose(&blocks) {
        Some(program)
    } else {
        (blocks.is_empty() && python::looks_like_program(&prose)).then(|| reply.trim().to_owned())
    };
    let program = program.map(|program| runnable(&program)).filter(|program| !program.trim().is_empty());
    extract.too_long = program.as_ref().is_some_and(|program| program.len() > MAX_PROGRAM_BYTES);
    extract.program = program.filter(|_| !extract.too_long);
    extract.suggestions = tidy(suggestions);
    extract
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
    let reply = reply.strip_prefix('\u{feff}').unwrap_or(reply);
    let reply = &reply[..reply.floor_char_boundary(MAX_REPLY_BYTES)];
    reply.replace("\r\n", "\n").replace(['\r', '\0'], "\n")
}

/// Drops `<think>…</think>`, also when the opening tag was part of the prompt or the closing one
/// never came. Tags count at the beginning of a line only: elsewhere they may be part of a program.
fn without_thinking(reply: &str) -> String {
    const TAGS: [(&str, &str); 4] = [
        ("<think>", "</think>"),
        ("<thinking>", "</thinking>"),
        ("<reasoning>", "</reasoning>"),
        ("<thought>", "</thought>"),
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

/// The program among fenced blocks; the rule is at the top of this file.
fn choose(blocks: &[Block]) -> Option<String> {
    let filled = || blocks.iter().filter(|block| !block.text.trim().is_empty());
    let mut code: Vec<&Block> = filled().filter(|block| fences::is_python(&block.language)).take(MAX_BLOCKS).collect();
    if code.is_empty() {
        let unlabelled =
            |block: &&Block| block.language.is_empty() && python::looks_like_program(&without_prompts(&block.text));
        code = filled().filter(unlabelled).take(MAX_BLOCKS).collect();
    }
    let mut programs: Vec<(String, HashSet<String>)> = Vec::new();
    for block in code {
        let text = without_prompts(&block.text);
        let names = python::names(&text);
        match programs.last_mut() {
            Some((program, defined)) if names.free.iter().any(|name| defined.contains(name)) => {
                program.push('\n');
                program.push_str(&text);
                defined.extend(names.defined);
            }
            _ => programs.push((text, names.defined)),
        }
    }
    let longest = programs.iter().map(|(program, _)| program.len()).max()?;
    programs.into_iter().rev().map(|(program, _)| program).find(|program| program.len() * 2 >= longest)
}

/// A program that was fenced once more inside of JSON.
fn unfenced(program: &str) -> String {
    let (blocks, _) = fences::split(program);
    if program.trim_start().starts_with("```") {
        choose(&blocks).unwrap_or_else(|| program.to_owned())
    } else {
        program.to_owned()
    }
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
fn runnable(program: &str) -> String {
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
