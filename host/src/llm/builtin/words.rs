//! Words of a question: tokens, stems, synonyms, and how well a word fits a word of a column name.

use std::collections::HashSet;
use std::sync::LazyLock;

/// A question longer than this is cut; nobody's question is.
const MAX_CHARS: usize = 2000;
/// Most tokens that are looked at.
const MAX_TOKENS: usize = 160;

/// A piece of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// In lower case.
    pub text: String,
    /// As written.
    pub raw: String,
    /// What it is.
    pub kind: TokenKind,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenKind {
    /// A word.
    Word,
    /// A number, also one written as a word.
    Number(f64),
    /// Year, month and maybe day with `-` between them.
    Date,
    /// A text in quotes.
    Quoted,
    /// An operator, `%` or a comma.
    Symbol,
}

impl Token {
    /// The value of a number.
    pub fn number(&self) -> Option<f64> {
        match self.kind {
            TokenKind::Number(value) => Some(value),
            _ => None,
        }
    }
}

/// Splits a question into tokens.
pub fn tokenize(question: &str) -> Vec<Token> {
    let chars: Vec<char> = question.chars().take(MAX_CHARS).collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() && tokens.len() < MAX_TOKENS {
        let c = chars[at];
        let start = at;
        let opens = at == 0 || !chars[at - 1].is_alphanumeric();
        if let Some(end) = closing_quote(&chars, at).filter(|_| opens) {
            push(&mut tokens, &chars[at + 1..end], TokenKind::Quoted);
            at = end + 1;
        } else if c.is_ascii_digit() || (c == '-' && opens && chars.get(at + 1).is_some_and(char::is_ascii_digit)) {
            at = number_end(&chars, at);
            let text: String = chars[start..at].iter().collect();
            let kind = match text.replace(',', "").parse::<f64>() {
                Ok(value) if value.is_finite() => TokenKind::Number(value),
                _ => TokenKind::Date,
            };
            push(&mut tokens, &chars[start..at], kind);
        } else if c == 'x'
            && at > 0
            && chars[at - 1].is_ascii_digit()
            && chars.get(at + 1).is_some_and(char::is_ascii_digit)
        {
            // `100x80`
            push(&mut tokens, &chars[at..=at], TokenKind::Word);
            at += 1;
        } else if c.is_alphanumeric() {
            while at < chars.len() && word_goes_on(&chars, at) {
                at += 1;
            }
            push(&mut tokens, &chars[start..at], TokenKind::Word);
        } else if "<>=!≥≤".contains(c) {
            while at < chars.len() && "<>=!≥≤".contains(chars[at]) {
                at += 1;
            }
            push(&mut tokens, &chars[start..at], TokenKind::Symbol);
        } else {
            if matches!(c, '%' | ',' | '&') {
                push(&mut tokens, &chars[start..=start], TokenKind::Symbol);
            }
            at += 1;
        }
    }
    tokens
}

fn push(tokens: &mut Vec<Token>, chars: &[char], kind: TokenKind) {
    let raw: String = chars.iter().collect();
    let text = raw.to_lowercase();
    let kind = match (kind, number_word(&text)) {
        (TokenKind::Word, Some(value)) => TokenKind::Number(value),
        _ => kind,
    };
    tokens.push(Token { text, raw, kind });
}

fn closing_quote(chars: &[char], at: usize) -> Option<usize> {
    let close = match chars[at] {
        '"' => '"',
        '\'' => '\'',
        '`' => '`',
        '“' => '”',
        '‘' => '’',
        '«' => '»',
        _ => return None,
    };
    chars[at + 1..]
        .iter()
        .take(120)
        .position(|&c| c == close)
        .filter(|&length| length > 0)
        .map(|length| at + 1 + length)
}

/// The end of a number such as `4,000`, `-2.5` or of a date such as `2013-05-01`.
fn number_end(chars: &[char], start: usize) -> usize {
    let digits = |from: usize| chars[from.min(chars.len())..].iter().take_while(|c| c.is_ascii_digit()).count();
    let mut at = start + usize::from(chars[start] == '-');
    let whole = digits(at);
    at += whole;
    if whole == 4 && chars.get(at) == Some(&'-') && matches!(digits(at + 1), 1 | 2) {
        at += 1 + digits(at + 1);
        if chars.get(at) == Some(&'-') && matches!(digits(at + 1), 1 | 2) {
            at += 1 + digits(at + 1);
        }
        return at;
    }
    while chars.get(at) == Some(&',') && digits(at + 1) == 3 {
        at += 4;
    }
    if chars.get(at) == Some(&'.') && digits(at + 1) > 0 {
        at += 1 + digits(at + 1);
    }
    at
}

fn word_goes_on(chars: &[char], at: usize) -> bool {
    let c = chars[at];
    c.is_alphanumeric() && !(at > 0 && c.is_uppercase() && chars[at - 1].is_lowercase())
}

fn number_word(text: &str) -> Option<f64> {
    let words = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let extra = [("fifteen", 15.0), ("twenty", 20.0), ("fifty", 50.0), ("hundred", 100.0)];
    words
        .iter()
        .position(|word| *word == text)
        .map(|at| at as f64 + 2.0)
        .or_else(|| extra.iter().find(|(word, _)| *word == text).map(|(_, value)| *value))
}

/// A word without its plural ending, crude but the same for both sides.
pub fn stem(word: &str) -> String {
    let cut = |ending: &str, new: &str| {
        word.strip_suffix(ending).filter(|rest| rest.len() > 2).map(|rest| rest.to_owned() + new)
    };
    if !word.is_ascii() || word.len() < 4 {
        return word.to_owned();
    }
    if let Some(stem) = cut("ies", "y").filter(|_| word != "species" && word != "series") {
        return stem;
    }
    for (ending, new) in [("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")] {
        if let Some(stem) = cut(ending, new) {
            return stem;
        }
    }
    if word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word.to_owned();
    }
    cut("s", "").unwrap_or_else(|| word.to_owned())
}

/// Words of one line mean nearly the same in column names.
const SYNONYMS: &[&[&str]] = &[
    &["revenue", "sale", "turnover", "earning"],
    &["price", "cost"],
    &["weight", "mass"],
    &["rain", "rainfall", "precipitation"],
    &["temp", "temperature"],
    &["gender", "sex"],
    &["country", "nation"],
    &["bill", "beak"],
    &["wing", "flipper"],
    &["salary", "pay", "wage"],
    &["quantity", "qty", "unit"],
    &["customer", "client", "buyer"],
    &["product", "item", "article"],
    &["max", "maximum"],
    &["min", "minimum"],
    &["avg", "average", "mean"],
    &["num", "number", "nr"],
    &["category", "type", "kind"],
    &["dept", "department"],
    &["store", "shop"],
    &["city", "town"],
    &["amount", "amt"],
    &["percent", "percentage", "pct"],
    &["duration", "length", "runtime"],
    &["employee", "staff", "worker"],
    &["state", "province"],
    &["score", "rating", "grade"],
];

/// Words that carry no content: they never match a column by halves or by likeness.
const STOP: &str = "\
    a an the of in on at to for from with without and or is are was were be been has have had do does did it \
    its this that these those there their them they what which who whom whose when where why how i me my we \
    us our you your can could would should will please show give make create draw plot chart graph diagram as \
    by per each every all any some only just than then so if but not no also into over under above below \
    between across among more less most least very much many few file files data dataset table column columns \
    row rows record records value values entry entries using use compute calculate find get list tell about \
    see look want need like let count sum total average mean median max min maximum minimum highest lowest \
    largest smallest biggest top bottom best worst first last bar line pie scatter box histogram heatmap map \
    area time trend trends share percent percentage number distribution correlation compare comparison \
    relationship group grouped sort sorted order ordered filter select year years month months day days week \
    weeks quarter hour hours daily weekly monthly yearly date missing clean overview describe summary pivot \
    unique distinct different difference other same range sheet picture image new one versus vs against \
    greater fewer often common longest shortest heaviest lightest change changed changes mid end start rate";

/// True for words without content.
pub fn is_stop(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP.split_ascii_whitespace().collect());
    WORDS.contains(word)
}

/// How well a word of a question fits a word of a column name, 0 to 100. Below 70 it does not.
pub fn likeness(token: &str, word: &str) -> u32 {
    if token == word {
        return 100;
    }
    let (a, b) = (stem(token), stem(word));
    if a == b {
        return 99;
    }
    if SYNONYMS.iter().any(|line| line.contains(&a.as_str()) && line.contains(&b.as_str())) {
        return 88;
    }
    let (short, long) = if a.len() < b.len() { (&a, &b) } else { (&b, &a) };
    if is_stop(token) || short.len() < 4 || long.len() > 40 {
        return 0;
    }
    if long.starts_with(short.as_str()) && long.len() <= short.len() * 3 {
        return 80;
    }
    let allowed = if short.len() >= 8 { 2 } else { usize::from(short.len() >= 5) };
    if allowed > 0 && long.len() - short.len() <= allowed && strsim::osa_distance(&a, &b) <= allowed { 75 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_dates_and_quotes_are_tokens() {
        let texts: Vec<String> = tokenize("top five where 'Big Lake' > 4,000.5 since 2013-05-01, 120px -3")
            .into_iter()
            .map(|t| t.text)
            .collect();
        assert_eq!(
            texts,
            ["top", "five", "where", "big lake", ">", "4,000.5", "since", "2013-05-01", ",", "120", "px", "-3"]
        );
        assert_eq!(tokenize("4,000.5")[0].number(), Some(4000.5));
        assert_eq!(tokenize("it's what's there").len(), 5);
    }

    #[test]
    fn words_match_loosely_but_not_wildly() {
        assert!(likeness("species", "species") == 100);
        assert!(likeness("islands", "island") >= 95);
        assert!(likeness("temperature", "temp") >= 70);
        assert!(likeness("fliper", "flipper") >= 70);
        assert!(likeness("weight", "mass") >= 70);
        assert!(likeness("there", "where") == 0);
        assert!(likeness("sea", "sex") == 0);
    }
}
