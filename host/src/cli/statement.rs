//! Statement: whether what was typed so far is one, or goes on in the next line.
//!
//! Not a parser: what is complete and wrong is the interpreter's to say.

/// Spaces of one more level.
const LEVEL: usize = 4;

/// A language whose statements may have many lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    JavaScript,
    /// Every line is a statement.
    Other,
}

/// Where a text stands at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It can be run.
    Done,
    /// In a block, which may go on: what is indented next belongs to it.
    Block,
    /// In a bracket or a string, or before the body of a block: it must go on.
    Open,
}

impl Language {
    /// By the name that an image gives.
    pub(super) fn named(name: &str) -> Language {
        match name.to_ascii_lowercase().as_str() {
            "python" => Language::Python,
            "javascript" => Language::JavaScript,
            _ => Language::Other,
        }
    }

    pub(super) fn standing(self, text: &str) -> Standing {
        match self {
            Language::Python => python(text),
            Language::JavaScript => javascript(text),
            Language::Other => Standing::Done,
        }
    }

    /// Whether Enter at the end of `text` runs it. An empty line ends a block.
    pub(super) fn runs(self, text: &str) -> bool {
        let empty_line = text.contains('\n') && last_line(text).trim().is_empty();
        match self.standing(text) {
            Standing::Done => true,
            Standing::Block => empty_line,
            // `if x:` and nothing else: the interpreter says what is missing.
            Standing::Open => self == Language::Python && empty_line && !inside(text),
        }
    }

    /// Whether `line` begins a new statement after the block `before`.
    pub(super) fn begins(self, before: &str, line: &str) -> bool {
        let first = line.chars().next().unwrap_or(' ');
        let word: String = line.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        self.standing(before) == Standing::Block
            && !first.is_whitespace()
            && first != '#'
            && !matches!(word.as_str(), "else" | "elif" | "except" | "finally")
    }

    /// Spaces that the line after `text` begins with.
    pub(super) fn indent(self, text: &str) -> usize {
        let line = last_line(text);
        let present = line.len() - line.trim_start_matches(' ').len();
        let code = line.trim();
        let leaves = |word: &str| code == word || code.starts_with(&format!("{word} "));
        match self {
            Language::Python if code.ends_with(':') && !inside(text) => present + LEVEL,
            Language::Python if ["return", "pass", "break", "continue", "raise"].into_iter().any(leaves) => {
                present.saturating_sub(LEVEL)
            }
            Language::JavaScript if code.ends_with(['{', '(', '[']) => present + LEVEL / 2,
            _ => present,
        }
    }
}

fn last_line(text: &str) -> &str {
    text.rsplit('\n').next().unwrap_or_default()
}

/// What is known of the logical line that is being read.
#[derive(Clone, Copy, Default)]
struct Logical {
    indented: bool,
    first: Option<char>,
    last: Option<char>,
}

/// A text read up to its end: the last logical line that says something, and whether a bracket, a string or a
/// backslash keeps it open.
fn read_python(text: &str) -> (Logical, bool) {
    let (mut line, mut last) = (Logical::default(), Logical::default());
    let (mut depth, mut at_start) = (0_usize, true);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                // Joins the next line to this one.
                if chars.next().is_none_or(|next| next == '\n') && chars.peek().is_none() {
                    return (line, true);
                }
                line.last = Some(c);
            }
            '\n' if depth == 0 => {
                if line.first.is_some() {
                    last = line;
                }
                (line, at_start) = (Logical::default(), true);
                continue;
            }
            '#' => while chars.next_if(|next| *next != '\n').is_some() {},
            '"' | '\'' => {
                line.first = line.first.or(Some(c));
                line.last = Some(c);
                if !skip_string(&mut chars, c) {
                    return (line, true);
                }
            }
            c if c.is_whitespace() => line.indented |= at_start && depth == 0,
            c => {
                match c {
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                line.first = line.first.or(Some(c));
                line.last = Some(c);
            }
        }
        at_start = false;
    }
    (if line.first.is_some() { line } else { last }, depth > 0)
}

/// Reads a string whose first quote was read. False if the text ends in one that may go on.
fn skip_string(chars: &mut std::iter::Peekable<std::str::Chars>, quote: char) -> bool {
    let mut long = false;
    if chars.next_if_eq(&quote).is_some() {
        if chars.next_if_eq(&quote).is_none() {
            return true;
        }
        long = true;
    }
    let mut run = 0;
    while let Some(c) = chars.next() {
        match c {
            // The last character of all: the string, or its line, goes on.
            '\\' if chars.next().is_none() => return false,
            '\\' => run = 0,
            c if c == quote => {
                run += 1;
                if !long || run == 3 {
                    return true;
                }
            }
            // A mistake, and the interpreter's to tell.
            '\n' if !long => return true,
            _ => run = 0,
        }
    }
    !long
}

/// Whether a bracket, a string or a backslash is open.
fn inside(text: &str) -> bool {
    read_python(text).1
}

fn python(text: &str) -> Standing {
    let (line, open) = read_python(text);
    match line {
        _ if open => Standing::Open,
        Logical { last: Some(':'), .. } | Logical { first: Some('@'), .. } => Standing::Open,
        Logical { indented: true, .. } => Standing::Block,
        _ => Standing::Done,
    }
}

fn javascript(text: &str) -> Standing {
    // What is open: brackets, and `\`` for a template string.
    let mut open: Vec<char> = Vec::new();
    let mut before = '\n';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if open.last() == Some(&'`') {
            match c {
                '\\' => drop(chars.next()),
                '`' => drop(open.pop()),
                '$' if chars.next_if_eq(&'{').is_some() => open.push('{'),
                _ => {}
            }
            continue;
        }
        match c {
            '"' | '\'' => skip_to(&mut chars, c),
            '`' => open.push(c),
            '/' if chars.next_if_eq(&'/').is_some() => while chars.next_if(|next| *next != '\n').is_some() {},
            '/' if chars.next_if_eq(&'*').is_some() => {
                let mut star = false;
                loop {
                    match chars.next() {
                        None => return Standing::Open,
                        Some('/') if star => break,
                        Some(other) => star = other == '*',
                    }
                }
            }
            // After a value it divides; anywhere else it begins a regular expression.
            '/' if !(before.is_alphanumeric() || matches!(before, ')' | ']' | '}' | '_' | '$' | '"' | '\'' | '`')) => {
                skip_to(&mut chars, '/');
            }
            '(' | '[' | '{' => open.push(c),
            ')' | ']' | '}' => drop(open.pop()),
            _ => {}
        }
        if !c.is_whitespace() {
            before = c;
        }
    }
    if open.is_empty() { Standing::Done } else { Standing::Open }
}

/// Reads to the end of a string or regular expression, which is on one line.
fn skip_to(chars: &mut std::iter::Peekable<std::str::Chars>, end: char) {
    let mut class = false;
    while let Some(c) = chars.next_if(|next| *next != '\n') {
        match c {
            '\\' => drop(chars.next()),
            '[' if end == '/' => class = true,
            ']' => class = false,
            c if c == end && !class => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(language: Language, texts: &[&str], expected: Standing) {
        for text in texts {
            assert_eq!(language.standing(text), expected, "{text:?}");
        }
    }

    #[test]
    fn python_goes_on_where_something_is_open() {
        let open = [
            "f(1,",
            "x = [\n1,",
            "s = '''a",
            "s = \"\"\"a\nb",
            "x = 1 + \\",
            "x = 1 + \\\n",
            "'a\\",
            "if x:",
            "if x: # why",
            "class A(\n  B):",
            "@cache",
            "def f():\n    if y:",
            "f'''{x}",
            "with a as b, \\\n  c:",
            "'''\\'''",
        ];
        check(Language::Python, &open, Standing::Open);
    }

    #[test]
    fn python_is_done_where_nothing_is() {
        let done = [
            "",
            "x = 1",
            "f(1)",
            "'it''s'",
            "''",
            "\"\"",
            "'''a'''",
            "# if x:",
            "x = 'a:'",
            "d['a']",
            "'unclosed",
            "if x: y = 1",
            "}",
            "x  # f(",
            "'#'",
            "\"\\\"\"",
            "for i in x:\n    y\nz = 1",
            "r'\\'",
            "x[1:2]",
            "lambda: 0",
            "'''a\\\nb'''",
            "x = 1 + \\\n  2",
        ];
        check(Language::Python, &done, Standing::Done);
    }

    #[test]
    fn a_python_block_ends_with_an_empty_line() {
        check(Language::Python, &["if x:\n    y = 1", "if x:\n\ty", "for a in b:\n  f(\n1)"], Standing::Block);
        assert!(!Language::Python.runs("if x:\n    y = 1"));
        assert!(Language::Python.runs("if x:\n    y = 1\n"));
        assert!(Language::Python.runs("if x:\n    y = 1\n    "));
        assert!(Language::Python.runs("if x:\n    "), "the interpreter says what is missing");
        assert!(!Language::Python.runs("f(\n\n"), "a bracket is closed by a bracket alone");
        assert!(!Language::Python.runs("'''\n\n"));
    }

    #[test]
    fn in_a_pipe_a_block_ends_where_the_next_statement_begins() {
        let block = "if x:\n    y = 1\n\n";
        assert!(Language::Python.begins(block, "z = 1"));
        for line in ["    y = 2", "else:", "elif z:", "# why", ""] {
            assert!(!Language::Python.begins(block, line), "{line:?}");
        }
        assert!(!Language::Python.begins("f(\n", "1)"));
    }

    #[test]
    fn the_next_line_is_indented_as_python_wants_it() {
        for (text, spaces) in [
            ("if x:", 4),
            ("def f():\n    if y:", 8),
            ("def f():\n    return 1", 0),
            ("def f():\n    x = 1", 4),
            ("x = {'a':", 0),
        ] {
            assert_eq!(Language::Python.indent(text), spaces, "{text:?}");
        }
        assert_eq!(Language::JavaScript.indent("function f() {"), 2);
    }

    #[test]
    fn javascript_goes_on_while_a_bracket_or_a_template_is_open() {
        let open = ["f(1,", "const o = {", "`a", "`a ${b", "`a ${`b`} ", "/* a", "if (/[/(]/.test(x)) {", "a / (b"];
        check(Language::JavaScript, &open, Standing::Open);
        let done = [
            "",
            "f(1)",
            "`a ${b} c`",
            "'('",
            "// (",
            "/* ( */ x",
            "/\\/(/.test(x)",
            "a / b / c",
            "'unclosed",
            ")",
            "x = `${`(`}`",
        ];
        check(Language::JavaScript, &done, Standing::Done);
    }
}
