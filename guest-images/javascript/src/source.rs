//! Cuts a turn's source into a module of its imports and a script of the rest.
//!
//! A turn is evaluated as a script, so that its `let`, `const`, `class` and functions are there in the next turn; but a
//! script cannot import. Both parts keep every line where it was: errors name the right place. The parts are found in
//! the tokens outside all brackets; what is no JavaScript comes out of it somehow, and QuickJS says what is wrong.

use crate::tokens::{Kind, Token, tokens};

/// A turn's source in parts.
pub struct Parts {
    /// A module that imports and makes the names global, if the source imports anything.
    pub imports: Option<String>,
    /// Everything else.
    pub script: String,
    /// Whether the last statement is an expression without a semicolon: its value is to be shown.
    pub shows: bool,
}

/// Cuts `source`.
pub fn cut(source: &str) -> Parts {
    let tokens = tokens(source);
    let statements = Statements { source, tokens: &tokens }.list();
    let mut imports = Vec::new();
    let mut script = source.as_bytes().to_vec();
    for statement in &statements {
        let tokens = &tokens[statement.first..statement.end];
        match statement.is {
            Is::Import => {
                blank(&mut script, span(tokens));
                imports.push(tokens);
            }
            Is::Export => unexport(source, tokens, &mut script),
            Is::Expression | Is::Other => {}
        }
    }
    let last = statements.iter().rfind(|statement| statement.first < statement.end);
    let ends_open = tokens.last().is_some_and(|token| token.text(source) != ";");
    let mut parts = Parts {
        imports: None,
        script: String::from_utf8(script).unwrap_or_else(|_| source.to_owned()),
        shows: ends_open && last.is_some_and(|last| last.is == Is::Expression),
    };
    if !imports.is_empty() {
        let names = import_module(source, &imports, &mut parts);
        if !names.is_empty() {
            // Last and on a line of its own, it moves nothing; a declaration of an earlier turn gives way to it.
            parts.script.push_str(&format!("\n;var {};", names.join(",")));
        }
    }
    parts
}

/// Writes the module of the imports; returns the names that it binds.
fn import_module(source: &str, imports: &[&[Token]], parts: &mut Parts) -> Vec<String> {
    let mut module = source.as_bytes().to_vec();
    let mut at = 0;
    let (mut values, mut live, mut names) = (String::new(), String::new(), Vec::new());
    for tokens in imports {
        let (start, end) = span(tokens);
        blank(&mut module, (at, start));
        at = end;
        let specifier = tokens.iter().rfind(|token| token.kind == Kind::Text).map_or("", |token| token.text(source));
        for name in local_names(source, tokens) {
            // A module of the user's may change what it exports; the others never do, and reading a value is faster.
            let own = matches!(specifier.as_bytes().get(1), Some(b'.' | b'/'));
            let to = if own { &mut live } else { &mut values };
            to.push_str(&if own { format!("{name}: () => {name},") } else { format!("{name},") });
            names.push(name);
        }
    }
    let end = module.len();
    blank(&mut module, (at, end));
    let Ok(mut module) = String::from_utf8(module) else { return Vec::new() };
    module.push_str(&format!(
        "\n;import {{bind as glovebox$bind}} from 'glovebox:bind'; glovebox$bind({{{values}}}, {{{live}}});"
    ));
    parts.imports = Some(module);
    names
}

/// Local names of `import a, {b, c as d} from 'x'` or `import * as e from 'x'`.
fn local_names(source: &str, statement: &[Token]) -> Vec<String> {
    let mut names = Vec::new();
    for token in statement.iter().skip(1) {
        match token.kind {
            Kind::Word if !matches!(token.text(source), "from" | "as" | "with" | "assert" | "type") => {
                names.push(token.text(source).to_owned());
            }
            Kind::Group if token.text(source).starts_with('{') => {
                let inner = token.text(source);
                let inner = inner.get(1..inner.len() - 1).unwrap_or("");
                let words = tokens(inner);
                for clause in words.split(|token| token.text(inner) == ",") {
                    names.extend(clause.last().map(|token| token.text(inner).to_owned()));
                }
            }
            // What follows is attributes: `with {type: 'json'}`.
            Kind::Text => break,
            _ => {}
        }
    }
    names
}

/// An export means nothing in a script: what is declared stays, `export {a}` goes.
fn unexport(source: &str, tokens: &[Token], script: &mut [u8]) {
    let word = |index: usize| tokens.get(index).map_or("", |token| token.text(source));
    let (start, end) = span(tokens);
    match word(1) {
        "default" => {
            let named = match word(2) {
                "class" => tokens.get(3).is_some_and(|token| token.kind == Kind::Word && word(3) != "extends"),
                "function" => tokens.get(3).is_some_and(|token| token.kind == Kind::Word),
                "async" => word(3) == "function" && tokens.get(4).is_some_and(|token| token.kind == Kind::Word),
                _ => false,
            };
            blank(script, (start, tokens[1].end));
            if !named {
                script[start..start + 4].copy_from_slice(b"void");
            }
        }
        "let" | "const" | "var" | "function" | "async" | "class" => blank(script, (start, tokens[0].end)),
        _ => blank(script, (start, end)),
    }
}

fn span(tokens: &[Token]) -> (usize, usize) {
    (tokens.first().map_or(0, |token| token.start), tokens.last().map_or(0, |token| token.end))
}

/// Puts spaces over everything but line ends.
fn blank(text: &mut [u8], (start, end): (usize, usize)) {
    for byte in &mut text[start..end] {
        if !matches!(byte, b'\n' | b'\r') {
            *byte = b' ';
        }
    }
}

/// What a statement outside all brackets is, as far as it matters here.
#[derive(Clone, Copy, PartialEq)]
enum Is {
    Import,
    Export,
    Expression,
    Other,
}

struct Statement {
    is: Is,
    first: usize,
    end: usize,
}

struct Statements<'a> {
    source: &'a str,
    tokens: &'a [Token],
}

impl Statements<'_> {
    fn list(&self) -> Vec<Statement> {
        let mut list = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let (is, end) = self.statement(at);
            let end = end.max(at + 1).min(self.tokens.len());
            if self.word(at) != ";" {
                list.push(Statement { is, first: at, end });
            }
            at = end;
        }
        list
    }

    /// Kind and end of the statement at a token. Heads such as `if (…)` count as part of what they control.
    fn statement(&self, start: usize) -> (Is, usize) {
        let mut at = start;
        let mut within = 0;
        loop {
            let (is, end) = match self.word(at) {
                "if" | "while" | "for" | "with" => {
                    at = self.after_group(at, "(");
                    within += 1;
                    continue;
                }
                "do" => {
                    let end = self.statement(at + 1).1;
                    let end = if self.word(end) == "while" { self.after_group(end, "(") } else { end };
                    (Is::Other, end + usize::from(self.word(end) == ";"))
                }
                "else" | "try" | "finally" => {
                    at += 1;
                    within += 1;
                    continue;
                }
                "catch" => {
                    at += if self.word(at + 1).starts_with('(') { 2 } else { 1 };
                    within += 1;
                    continue;
                }
                "switch" => (Is::Other, self.after_group(at, "{")),
                "function" | "class" => (Is::Other, self.after_group(at, "{")),
                "async" if self.word(at + 1) == "function" => (Is::Other, self.after_group(at, "{")),
                "import" if !self.word(at + 1).starts_with(['(', '.']) => (Is::Import, self.after_import(at)),
                "export" => (Is::Export, self.after_export(at)),
                "let" | "const" | "var" | "throw" | "return" | "break" | "continue" => {
                    (Is::Other, self.after_expression(at))
                }
                word if word.starts_with('{') => (Is::Other, at + 1),
                "" | ";" => (Is::Other, at + 1),
                _ if self.word(at + 1) == ":" => {
                    at += 2;
                    within += 1;
                    continue;
                }
                _ => (Is::Expression, self.after_expression(at)),
            };
            return (if within > 0 { Is::Other } else { is }, end);
        }
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text(self.source))
    }

    fn after_group(&self, at: usize, open: &str) -> usize {
        (at..self.tokens.len())
            .find(|&index| self.tokens[index].kind == Kind::Group && self.word(index).starts_with(open))
            .map_or(self.tokens.len(), |index| index + 1)
    }

    fn after_import(&self, at: usize) -> usize {
        let specifier = (at..self.tokens.len()).find(|&index| self.tokens[index].kind == Kind::Text);
        let mut end = specifier.map_or(at + 1, |index| index + 1);
        if matches!(self.word(end), "with" | "assert") && self.word(end + 1).starts_with('{') {
            end += 2;
        }
        end + usize::from(self.word(end) == ";")
    }

    fn after_export(&self, at: usize) -> usize {
        match (self.word(at + 1), self.word(at + 2)) {
            ("default", "function" | "class" | "async") => self.statement(at + 2).1,
            ("function" | "class" | "async", _) => self.statement(at + 1).1,
            (group, "from") if group.starts_with('{') => self.after_import(at),
            ("*", _) => self.after_import(at),
            (group, _) if group.starts_with('{') => at + 2 + usize::from(self.word(at + 2) == ";"),
            _ => self.after_expression(at + 1),
        }
    }

    /// Where an expression or a declaration ends: at a semicolon, or at a line end where one would be inserted.
    fn after_expression(&self, start: usize) -> usize {
        let mut at = start + 1;
        while let Some(token) = self.tokens.get(at) {
            if self.word(at) == ";" {
                return at + 1;
            }
            if token.after_newline && self.can_end(at - 1) && !self.continues(at) {
                return at;
            }
            at += 1;
        }
        at
    }

    fn can_end(&self, at: usize) -> bool {
        let word = self.word(at);
        match self.tokens[at].kind {
            Kind::Punctuation => matches!(word, "++" | "--"),
            Kind::Word if at > 0 && matches!(self.word(at - 1), "." | "?.") => true,
            Kind::Word => !matches!(
                word,
                "typeof"
                    | "new"
                    | "in"
                    | "of"
                    | "instanceof"
                    | "void"
                    | "delete"
                    | "await"
                    | "extends"
                    | "const"
                    | "let"
                    | "var"
                    | "throw"
                    | "class"
                    | "function"
                    | "async"
                    | "case"
            ),
            _ => true,
        }
    }

    fn continues(&self, at: usize) -> bool {
        let word = self.word(at);
        match self.tokens[at].kind {
            Kind::Punctuation => !matches!(word, "++" | "--" | "!" | "~" | "@"),
            Kind::Word => matches!(word, "in" | "instanceof"),
            Kind::Template => true,
            Kind::Group if word.starts_with('{') => self.is_function_body(at),
            Kind::Group => true,
            _ => false,
        }
    }

    /// Whether the braces at a token belong to `function (…)`, with or without a name, or to `class …`.
    fn is_function_body(&self, at: usize) -> bool {
        let before = |n: usize| at.checked_sub(n).map_or("", |index| self.word(index));
        before(1).starts_with('(') && (before(2) == "function" || before(3) == "function") || before(2) == "class"
    }
}
