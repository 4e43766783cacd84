//! Just enough of Python's grammar to cut programs out of prose: which text is inside a string, and
//! which names a piece of code takes from another. One pass over the text, no backtracking.

use std::collections::HashSet;

/// Follows Python text line by line and knows whether a string is open.
#[derive(Default)]
pub(super) struct Lexer {
    open: Option<Quote>,
}

#[derive(Clone, Copy)]
struct Quote {
    mark: u8,
    triple: bool,
    formatted: bool,
}

impl Lexer {
    /// True inside a string that may go on over the next line.
    pub(super) fn in_triple_quotes(&self) -> bool {
        self.open.is_some_and(|quote| quote.triple)
    }

    /// Reads one line and returns it with comments and the insides of strings blanked; the
    /// expressions in f-strings stay.
    pub(super) fn line(&mut self, line: &str) -> String {
        let bytes = line.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut at = 0;
        let mut braces = false;
        while at < bytes.len() {
            let byte = bytes[at];
            let mut width = 1;
            match self.open {
                None if byte == b'#' => break,
                None if byte == b'"' || byte == b'\'' => {
                    let triple = bytes[at..].starts_with(&[byte; 3]);
                    width = if triple { 3 } else { 1 };
                    self.open = Some(Quote { mark: byte, triple, formatted: is_formatted(&bytes[..at]) });
                    out.resize(out.len() + width, b' ');
                }
                None => out.push(byte),
                Some(quote) => {
                    let closes = byte == quote.mark && (!quote.triple || bytes[at..].starts_with(&[byte; 3]));
                    let doubled = byte == b'{' && bytes.get(at + 1) == Some(&b'{');
                    width = if byte == b'\\' || doubled { 2 } else { 1 };
                    if closes {
                        width = if quote.triple { 3 } else { 1 };
                        self.open = None;
                        braces = false;
                    } else if quote.formatted && byte == b'{' && !doubled {
                        braces = true;
                    } else if byte == b'}' {
                        braces = false;
                    } else if braces && width == 1 {
                        out.push(byte);
                        at += 1;
                        continue;
                    }
                    out.resize(out.len() + width, b' ');
                }
            }
            at += width;
        }
        // A plain string ends with its line unless the line ends with a backslash.
        if !self.in_triple_quotes() && !line.ends_with('\\') {
            self.open = None;
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// True if the letters just before a quote are a prefix with an f, as in `rf"…"`.
fn is_formatted(before: &[u8]) -> bool {
    let prefix: Vec<u8> =
        before.iter().rev().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').take(3).copied().collect();
    prefix.len() <= 2 && prefix.iter().any(|b| b.eq_ignore_ascii_case(&b'f'))
}

/// The names that code gives values to, and those it uses before it does.
#[derive(Default)]
pub(super) struct Names {
    pub(super) defined: HashSet<String>,
    pub(super) free: HashSet<String>,
}

/// Reads the names of a piece of code, roughly: scopes are ignored, and attributes and keyword
/// arguments are no names.
pub(super) fn names(code: &str) -> Names {
    let mut names = Names::default();
    let mut lexer = Lexer::default();
    for line in code.lines() {
        read_line(lexer.line(line).trim(), &mut names);
    }
    names
}

fn read_line(line: &str, names: &mut Names) {
    let words = words(line);
    let Some(first) = words.first() else { return };
    let define = |names: &mut Names, word: &Word<'_>| {
        names.defined.insert(word.text.to_owned());
    };
    match first.text {
        "import" | "from" => {
            let imported =
                if first.text == "from" { words.iter().position(|w| w.text == "import").unwrap_or(0) + 1 } else { 1 };
            words.iter().skip(imported).filter(|w| !w.attribute && w.text != "as").for_each(|w| define(names, w));
            return;
        }
        "def" | "class" | "async" => {
            words.iter().skip(1).filter(|w| w.text != "def").for_each(|w| define(names, w));
            return;
        }
        _ => {}
    }
    let targets_end = assignment(line).filter(|at| is_plain_target(&line[..*at])).unwrap_or(0);
    let mut targets = Vec::new();
    let mut binding = false;
    for (i, word) in words.iter().enumerate() {
        match word.text {
            "for" => binding = true,
            "in" => binding = false,
            _ if KEYWORDS.contains(&word.text) => {}
            _ if word.attribute || word.keyword_argument => {}
            _ if binding || i > 0 && words[i - 1].text == "as" => define(names, word),
            _ if word.at < targets_end => targets.push(word),
            _ if !names.defined.contains(word.text) => {
                names.free.insert(word.text.to_owned());
            }
            _ => {}
        }
    }
    targets.into_iter().for_each(|word| define(names, word));
}

struct Word<'a> {
    text: &'a str,
    at: usize,
    attribute: bool,
    keyword_argument: bool,
}

fn words(line: &str) -> Vec<Word<'_>> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if !(byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80) {
            // A number takes its letters along: 1e5, 0xff.
            at += 1;
            if byte.is_ascii_digit() {
                at += bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
            }
            continue;
        }
        let end =
            at + bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_' || **b >= 0x80).count();
        let after = line[end..].trim_start();
        found.push(Word {
            text: &line[at..end],
            at,
            attribute: line[..at].trim_end().ends_with('.'),
            keyword_argument: depth > 0 && after.starts_with('=') && !after.starts_with("=="),
        });
        at = end;
    }
    found
}

/// Place of the `=` of an assignment outside of brackets, if the line is one.
fn assignment(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let mut depth = 0usize;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'=' if depth == 0 => {
                let before = if at == 0 { b' ' } else { bytes[at - 1] };
                let compares = bytes.get(at + 1) == Some(&b'=') || b"=<>!:+-*/%&|^@".contains(&before);
                return (!compares).then_some(at);
            }
            _ => {}
        }
    }
    None
}

/// True for `a`, `a, b` and `a: int`, false for `a.b` and `a[0]`.
fn is_plain_target(target: &str) -> bool {
    let target = target.split_once(':').map_or(target, |(name, _)| name);
    target.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ',' || c == ' ')
}

const KEYWORDS: &[&str] = &[
    "and", "as", "assert", "await", "break", "continue", "del", "elif", "else", "except", "finally", "global", "if",
    "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield", "True",
    "False", "None",
];

/// True if a whole reply without any fence is a program: it begins as one, and no line is a sentence.
pub(super) fn looks_like_program(text: &str) -> bool {
    let mut lexer = Lexer::default();
    let mut statements = 0;
    let mut first = true;
    for line in text.lines() {
        let inside = lexer.in_triple_quotes();
        let bare = lexer.line(line);
        let bare = bare.trim_end();
        if inside || line.trim().is_empty() {
            continue;
        }
        if first && !begins_program(line) {
            return false;
        }
        first = false;
        statements += usize::from(is_statement(bare.trim_start()));
        if is_sentence(bare) {
            return false;
        }
    }
    statements > 0
}

fn begins_program(line: &str) -> bool {
    let starts = ["import ", "from ", "#", "def ", "class ", "with ", "for ", "\"\"\"", "'''", "@", "try:"];
    let call = line.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '.').starts_with('(')
        && !line.starts_with('(');
    call || starts.iter().any(|start| line.starts_with(start))
        || assignment(line).is_some_and(|at| is_plain_target(&line[..at]))
}

fn is_statement(line: &str) -> bool {
    let import = line.starts_with("import ") || line.starts_with("from ") && line.contains(" import ");
    import || assignment(line).is_some() || line.contains('(') && line.contains(')')
}

/// True if a name is followed by `(` at once, as no sentence has it.
fn has_call(line: &str) -> bool {
    line.as_bytes()
        .windows(2)
        .any(|pair| pair[1] == b'(' && (pair[0].is_ascii_alphanumeric() || b"_)]".contains(&pair[0])))
}

/// True for a top-level line of several words with none of the marks that code has.
fn is_sentence(line: &str) -> bool {
    let code_words = [
        "import ", "from ", "def ", "class ", "for ", "while ", "if ", "elif ", "with ", "return ", "raise ",
        "assert ", "del ", "global ",
    ];
    let operator = |word: &str| word.chars().all(|c| "+-*/%&|^<>!@".contains(c));
    !line.starts_with([' ', '\t', ')', ']', '}', '@'])
        && !code_words.iter().any(|word| line.starts_with(word))
        && !line.contains(['=', '[', '{'])
        && !line.ends_with(':')
        && !has_call(line)
        && !line.split_whitespace().any(operator)
        && line.split_whitespace().count() >= 3
}
