//! Fenced code blocks as models write them: indented, unclosed, with several fences after one
//! another, with fences inside the strings of a program. More lenient than CommonMark on purpose.

use super::python::Lexer;
use crate::engine::Language;

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// First word after the fence, lower-case; empty if there is none.
    pub(super) language: String,
    /// The lines between the fences, without their common indentation.
    pub(super) text: String,
    /// The last line of prose before it.
    pub(super) lead: String,
}

/// Splits a text into its fenced blocks and the prose around them.
pub(super) fn split(text: &str) -> (Vec<Block>, String) {
    let lines: Vec<&str> = text.lines().collect();
    // Fences inside of triple quotes belong to the program only if another fence closes the block.
    let last_closer = lines.iter().rposition(|line| fence(line).is_some_and(|f| f.info.is_empty()));
    let mut blocks = Vec::new();
    let mut prose = String::new();
    let mut open: Option<Open> = None;
    let mut lead = "";
    for (number, line) in lines.iter().enumerate() {
        let fence = fence(line);
        match (open.take(), fence) {
            (None, Some(fence)) => {
                if let Some(code) = fence.closed_on_its_line() {
                    blocks.push(Block { language: String::new(), text: code.to_owned(), lead: lead.to_owned() });
                    lead = "";
                } else {
                    open = Some(Open::new(&fence, line, std::mem::take(&mut lead)));
                }
            }
            (None, None) => {
                prose.push_str(line);
                prose.push('\n');
                lead = if line.trim().is_empty() { lead } else { line };
            }
            (Some(block), Some(fence)) if block.ends_at(&fence, last_closer.is_some_and(|last| number < last)) => {
                // A fence with a language where one should close: the closing one was forgotten.
                open = (!fence.info.is_empty()).then(|| Open::new(&fence, line, ""));
                blocks.push(block.close());
            }
            (Some(mut block), _) => {
                block.push(line);
                open = Some(block);
            }
        }
    }
    blocks.extend(open.map(Open::close));
    (blocks, prose)
}

struct Fence<'a> {
    mark: char,
    length: usize,
    info: &'a str,
}

impl<'a> Fence<'a> {
    /// The code of a block on one line: ```` ```print(1)``` ````.
    fn closed_on_its_line(&self) -> Option<&'a str> {
        let marks: String = std::iter::repeat_n(self.mark, 3).collect();
        let code = self.info.strip_suffix(marks.as_str())?.trim();
        (!code.is_empty()).then_some(code)
    }
}

fn fence(line: &str) -> Option<Fence<'_>> {
    let trimmed = line.trim();
    let mark = trimmed.chars().next().filter(|c| *c == '`' || *c == '~')?;
    let length = trimmed.chars().take_while(|c| *c == mark).count();
    (length >= 3).then(|| Fence { mark, length, info: trimmed[length..].trim_matches(is_blank) })
}

/// Replacement characters are what is left of bytes that were no text.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == char::REPLACEMENT_CHARACTER
}

struct Open {
    mark: char,
    length: usize,
    indent: usize,
    language: String,
    text: String,
    lead: String,
    lexer: Lexer,
}

impl Open {
    fn new(fence: &Fence<'_>, line: &str, lead: &str) -> Open {
        let info = fence.info.trim_start_matches(['{', '.']);
        let language = info.split(|c: char| c.is_whitespace() || ",{}:;".contains(c)).next().unwrap_or("");
        Open {
            mark: fence.mark,
            length: fence.length,
            indent: line.len() - line.trim_start().len(),
            language: language.to_lowercase(),
            text: String::new(),
            lead: lead.to_owned(),
            lexer: Lexer::default(),
        }
    }

    fn ends_at(&self, fence: &Fence<'_>, more_closers: bool) -> bool {
        let in_string = Language::Python.is(&self.language) && self.lexer.in_triple_quotes() && more_closers;
        let closes = fence.info.is_empty() && fence.length >= self.length;
        let reopens = fence.length == self.length && is_word(fence.info);
        fence.mark == self.mark && (closes || reopens) && !in_string
    }

    fn push(&mut self, line: &str) {
        let blank = line.len() - line.trim_start().len();
        let line = line.get(blank.min(self.indent)..).unwrap_or(line);
        self.lexer.line(line);
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn close(self) -> Block {
        Block { language: self.language, text: dedent(&self.text), lead: self.lead }
    }
}

fn is_word(info: &str) -> bool {
    !info.is_empty() && info.chars().all(|c| c.is_alphanumeric() || "+-_#.".contains(c))
}

/// Takes the indentation away that all lines share.
pub(super) fn dedent(text: &str) -> String {
    let filled = || text.lines().filter(|line| !line.trim().is_empty());
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let common = filled().map(indent).min().unwrap_or(0);
    let Some(first) = filled().next().filter(|_| common > 0) else { return text.to_owned() };
    let prefix = &first[..common];
    if !filled().all(|line| line.starts_with(prefix)) {
        return text.to_owned();
    }
    text.lines().map(|line| line.strip_prefix(prefix).unwrap_or("").to_owned() + "\n").collect()
}
