//! The tokens of a JavaScript source that are outside all brackets; what is in brackets is one token.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Identifier, keyword or number.
    Word,
    /// String literal.
    Text,
    Template,
    Regex,
    Punctuation,
    /// Brackets of any kind with all that is in them.
    Group,
}

/// A token's kind and place.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    /// Whether a line ended between it and the token before.
    pub after_newline: bool,
}

impl Token {
    pub fn text<'a>(&self, source: &'a str) -> &'a str {
        source.get(self.start..self.end).unwrap_or("")
    }
}

/// Finds the tokens of `source`. Never fails: an unclosed bracket or string reaches to the end.
pub fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { text: source.as_bytes(), ..Lexer::default() };
    if source.starts_with("#!") {
        lexer.skip_line();
    }
    while lexer.at < lexer.text.len() {
        lexer.step();
    }
    if let Some(open) = lexer.open.first() {
        let (start, end) = (open.start, lexer.at);
        lexer.open.clear();
        lexer.push(Kind::Group, start, end);
    }
    lexer.found
}

/// What was opened and not closed yet.
struct Open {
    start: usize,
    is: Opened,
}

#[derive(Clone, Copy, PartialEq)]
enum Opened {
    /// Parentheses behind `if`, `while`, `for` or `with`: a slash after them begins a regular expression.
    Head,
    Parenthesis,
    Bracket,
    Block,
    Object,
    Template,
    /// `${` in a template.
    Substitution,
}

#[derive(Default)]
struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    newline: bool,
    open: Vec<Open>,
    found: Vec<Token>,
    /// Whether the token before is a value, so that a slash divides.
    value: bool,
    /// The word or the punctuation before, as bytes.
    last: (usize, usize),
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn last(&self) -> &[u8] {
        &self.text[self.last.0..self.last.1]
    }

    fn step(&mut self) {
        let start = self.at;
        match self.peek(0) {
            b'\n' | b'\r' => {
                self.newline = true;
                self.at += 1;
            }
            b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
            b'/' if self.peek(1) == b'/' => self.skip_line(),
            b'/' if self.peek(1) == b'*' => self.skip_comment(),
            b'/' if !self.value => self.regex(),
            b'"' | b'\'' => self.string(),
            b'`' => {
                self.open.push(Open { start, is: Opened::Template });
                self.at += 1;
                self.template();
            }
            b'(' | b'[' | b'{' => self.open_bracket(),
            b')' | b']' | b'}' => self.close_bracket(),
            byte if is_word(byte) || byte == b'.' && self.peek(1).is_ascii_digit() => self.word(),
            _ => self.punctuation(),
        }
    }

    /// Notes a token if it is outside all brackets.
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        if self.open.is_empty() {
            self.found.push(Token { kind, start, end, after_newline: std::mem::take(&mut self.newline) });
        }
        self.last = (start, end);
    }

    fn skip_line(&mut self) {
        while self.at < self.text.len() && !matches!(self.peek(0), b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn skip_comment(&mut self) {
        self.at += 2;
        while self.at < self.text.len() && !(self.peek(0) == b'*' && self.peek(1) == b'/') {
            self.newline |= self.peek(0) == b'\n';
            self.at += 1;
        }
        self.at = (self.at + 2).min(self.text.len());
    }

    fn string(&mut self) {
        let (start, quote) = (self.at, self.peek(0));
        self.at += 1;
        while self.at < self.text.len() && self.peek(0) != quote && self.peek(0) != b'\n' {
            self.at += if self.peek(0) == b'\\' { 2 } else { 1 };
        }
        self.at = (self.at + 1).min(self.text.len());
        self.value = true;
        self.push(Kind::Text, start, self.at);
    }

    fn regex(&mut self) {
        let start = self.at;
        let mut class = false;
        self.at += 1;
        while self.at < self.text.len() && self.peek(0) != b'\n' && (class || self.peek(0) != b'/') {
            match self.peek(0) {
                b'\\' => self.at += 1,
                b'[' => class = true,
                b']' => class = false,
                _ => {}
            }
            self.at += 1;
        }
        self.at = (self.at + 1).min(self.text.len());
        while is_word(self.peek(0)) {
            self.at += 1;
        }
        self.value = true;
        self.push(Kind::Regex, start, self.at);
    }

    /// Goes on in the innermost template until it ends or a substitution begins.
    fn template(&mut self) {
        while self.at < self.text.len() {
            match self.peek(0) {
                b'\\' => self.at += 2,
                b'`' => {
                    self.at += 1;
                    self.value = true;
                    if let Some(open) = self.open.pop() {
                        self.push(Kind::Template, open.start, self.at);
                    }
                    return;
                }
                b'$' if self.peek(1) == b'{' => {
                    self.open.push(Open { start: self.at, is: Opened::Substitution });
                    self.at += 2;
                    self.value = false;
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.text.len();
    }

    fn open_bracket(&mut self) {
        let is = match self.peek(0) {
            b'(' if matches!(self.last(), b"if" | b"while" | b"for" | b"with") => Opened::Head,
            b'(' => Opened::Parenthesis,
            b'[' => Opened::Bracket,
            _ if self.value || matches!(self.last(), b"" | b";" | b"{" | b"}" | b"=>") => Opened::Block,
            _ if matches!(self.last(), b"else" | b"do" | b"try" | b"finally") => Opened::Block,
            _ => Opened::Object,
        };
        self.open.push(Open { start: self.at, is });
        self.last = (self.at, self.at + 1);
        self.at += 1;
        self.value = false;
    }

    fn close_bracket(&mut self) {
        self.at += 1;
        let Some(open) = self.open.pop() else {
            // One too many: it is no JavaScript anyhow.
            return self.push(Kind::Punctuation, self.at - 1, self.at);
        };
        if open.is == Opened::Substitution {
            return self.template();
        }
        self.push(Kind::Group, open.start, self.at);
        self.last = (self.at - 1, self.at);
        self.value = !matches!(open.is, Opened::Head | Opened::Block);
    }

    fn word(&mut self) {
        let start = self.at;
        let number = self.peek(0).is_ascii_digit() || self.peek(0) == b'.';
        while is_word(self.peek(0)) || number && self.peek(0) == b'.' || number && self.is_exponent_sign(start) {
            self.at += 1;
        }
        self.value = number || is_property(self.last()) || !is_operator_word(&self.text[start..self.at]);
        self.push(Kind::Word, start, self.at);
    }

    fn is_exponent_sign(&self, start: usize) -> bool {
        let decimal = !matches!(self.text.get(start + 1), Some(b'x' | b'X' | b'b' | b'B' | b'o' | b'O'));
        decimal && matches!(self.peek(0), b'+' | b'-') && matches!(self.text[self.at - 1], b'e' | b'E')
    }

    fn punctuation(&mut self) {
        let start = self.at;
        self.at += match &self.text[start..] {
            [b'.', b'.', b'.', ..] => 3,
            [b'=', b'>', ..] | [b'+', b'+', ..] | [b'-', b'-', ..] | [b'?', b'.', ..] => 2,
            _ => 1,
        };
        self.value = self.value && matches!(&self.text[start..self.at], b"++" | b"--");
        self.push(Kind::Punctuation, start, self.at);
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'#' | b'\\') || byte >= 0x80
}

fn is_property(before: &[u8]) -> bool {
    matches!(before, b"." | b"?.")
}

/// Words after which a value begins.
fn is_operator_word(word: &[u8]) -> bool {
    matches!(
        word,
        b"return"
            | b"typeof"
            | b"case"
            | b"in"
            | b"of"
            | b"instanceof"
            | b"new"
            | b"delete"
            | b"void"
            | b"throw"
            | b"do"
            | b"else"
            | b"await"
            | b"yield"
            | b"extends"
            | b"default"
            | b"export"
            | b"try"
            | b"finally"
    )
}
