//! Filters: the conditions in a question, such as `only Adelie`, `above 4000`, `in 2013`, `where sex is missing`.

use super::columns::{is_numeric, is_time, is_year, searched, time_column};
use super::mentions::{Mention, What};
use super::plan::Filter;
use super::words::{Token, TokenKind, is_stop};
use crate::engine::sample::{Column, ColumnType, Table};

/// The conditions of a question.
pub struct Conditions {
    /// What rows must fulfil.
    pub filters: Vec<Filter>,
    /// Tokens that belong to conditions.
    pub used: Vec<bool>,
    /// A column whose values are to be compared with each other: `between males and females`.
    pub compared: Option<usize>,
}

/// Phrases in front of a number, longest first within a meaning.
const OPERATORS: &[(&str, &str)] = &[
    ("no less than", ">="),
    ("no more than", "<="),
    ("not more than", "<="),
    ("greater than or equal to", ">="),
    ("less than or equal to", "<="),
    ("is not", "!="),
    ("not equal to", "!="),
    ("more than", ">"),
    ("greater than", ">"),
    ("higher than", ">"),
    ("larger than", ">"),
    ("bigger than", ">"),
    ("longer than", ">"),
    ("heavier than", ">"),
    ("older than", ">"),
    ("warmer than", ">"),
    ("hotter than", ">"),
    ("taller than", ">"),
    ("at least", ">="),
    ("less than", "<"),
    ("fewer than", "<"),
    ("lower than", "<"),
    ("smaller than", "<"),
    ("shorter than", "<"),
    ("lighter than", "<"),
    ("younger than", "<"),
    ("colder than", "<"),
    ("cheaper than", "<"),
    ("at most", "<="),
    ("up to", "<="),
    ("equal to", "=="),
    ("above", ">"),
    ("over", ">"),
    ("exceeding", ">"),
    ("exceeds", ">"),
    ("exceed", ">"),
    ("after", ">"),
    ("since", ">="),
    ("below", "<"),
    ("under", "<"),
    ("before", "<"),
    ("until", "<="),
    ("equals", "=="),
    ("exactly", "=="),
    ("is", "=="),
    ("are", "=="),
    ("was", "=="),
    ("in", "in"),
    ("for", "in"),
    ("during", "in"),
    ("of", "in"),
    ("on", "in"),
    ("from", "in"),
    (">=", ">="),
    ("≥", ">="),
    ("<=", "<="),
    ("≤", "<="),
    ("==", "=="),
    ("=", "=="),
    ("!=", "!="),
    ("<>", "!="),
    (">", ">"),
    ("<", "<"),
];

/// Adjectives in front of a number that name the column.
const HINTS: &[(&str, &[&str])] = &[
    ("heavier", &["mass", "weight"]),
    ("lighter", &["mass", "weight"]),
    ("older", &["age"]),
    ("younger", &["age"]),
    ("warmer", &["temp", "temperature"]),
    ("hotter", &["temp", "temperature"]),
    ("colder", &["temp", "temperature"]),
    ("taller", &["height"]),
    ("cheaper", &["price", "cost"]),
    ("longer", &["length", "duration"]),
    ("shorter", &["length", "duration", "height"]),
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Finds the conditions.
pub fn find(tokens: &[Token], mentions: &[Mention], table: &Table) -> Conditions {
    let mut found = Conditions { filters: Vec::new(), used: vec![false; tokens.len()], compared: None };
    numbers(tokens, mentions, table, &mut found);
    months(tokens, table, &mut found);
    values(tokens, mentions, table, &mut found);
    said(tokens, mentions, table, &mut found);
    found.filters.truncate(12);
    found
}

fn mark(found: &mut Conditions, range: std::ops::Range<usize>) {
    let end = range.end.min(found.used.len());
    found.used[range.start.min(end)..end].iter_mut().for_each(|used| *used = true);
}

/// The operator that ends right before `at`: its first token and its meaning.
fn operator_before(tokens: &[Token], at: usize) -> Option<(usize, &'static str)> {
    for &(phrase, operator) in OPERATORS {
        let length = phrase.split(' ').count();
        if at >= length && tokens[at - length..at].iter().map(|token| token.text.as_str()).eq(phrase.split(' ')) {
            return Some((at - length, operator));
        }
    }
    None
}

fn numbers(tokens: &[Token], mentions: &[Mention], table: &Table, found: &mut Conditions) {
    for at in 0..tokens.len() {
        let value = match tokens[at].kind {
            TokenKind::Number(value) => value,
            TokenKind::Date => f64::NAN,
            _ => continue,
        };
        if found.used[at] || mentions.iter().any(|m| m.span.contains(&at)) {
            continue;
        }
        let year = (1500.0..2200.0).contains(&value) && value.fract() == 0.0;
        let next = tokens.get(at + 2).filter(|_| matches!(tokens[at + 1].text.as_str(), "and" | "to" | "until"));
        let before = if at > 0 { tokens[at - 1].text.as_str() } else { "" };
        if let Some(end) = next.filter(|end| {
            matches!(before, "between" | "from") && (end.number().is_some() || end.kind == TokenKind::Date)
        }) {
            let pair = [(tokens[at].clone(), ">="), (end.clone(), "<=")];
            if pair
                .iter()
                .all(|(token, operator)| condition(token, operator, at - 1, at + 3, tokens, mentions, table, found))
            {
                mark(found, at - 1..at + 3);
            }
            continue;
        }
        // `in the year 2013`
        let skip = if matches!(before, "year" | "years") && year { at - 1 } else { at };
        let Some((start, operator)) = operator_before(tokens, skip).or((skip < at).then_some((skip, "in"))) else {
            continue;
        };
        if condition(&tokens[at], operator, start, at + 1, tokens, mentions, table, found) {
            mark(found, start..at + 1);
        }
    }
}

/// Adds a condition on a number or a date; false if there is no column for it.
#[allow(clippy::too_many_arguments)]
fn condition(
    token: &Token,
    operator: &'static str,
    start: usize,
    end: usize,
    tokens: &[Token],
    mentions: &[Mention],
    table: &Table,
    found: &mut Conditions,
) -> bool {
    let year = token.number().filter(|value| (1500.0..2200.0).contains(value) && value.fract() == 0.0);
    let near = near_column(start, end, tokens, mentions, table);
    let time = near.filter(|&at| is_time(&table.columns[at])).map(|at| &table.columns[at]).or(time_column(table));
    // `precipitation in 2013` is about the year, `body mass above 2013` is about the mass.
    let dated = token.kind == TokenKind::Date
        || (year.is_some()
            && matches!(
                tokens[start].text.as_str(),
                "in" | "during"
                    | "since"
                    | "before"
                    | "after"
                    | "until"
                    | "for"
                    | "from"
                    | "on"
                    | "of"
                    | "year"
                    | "years"
            ));
    let beyond = |at: usize| {
        let number = |value: &Option<serde_json::Value>| value.as_ref().and_then(serde_json::Value::as_f64);
        let (value, column) = (token.number().unwrap_or(0.0), &table.columns[at]);
        number(&column.max).is_some_and(|max| value > max) || number(&column.min).is_some_and(|min| value < min)
    };
    // `precipitation between 2013 and 2014`, where no precipitation is that high
    let dated = dated
        || (year.is_some() && time.is_some() && near.is_some_and(|at| is_numeric(&table.columns[at]) && beyond(at)));
    let numeric = near.filter(|&at| is_numeric(&table.columns[at]) && (!dated || is_year(&table.columns[at])));
    if let Some(column) = time
        && numeric.is_none()
        && let Some((first, next)) = date_range(token, year)
    {
        let name = column.name.clone();
        let mut add = |operator, date| found.filters.push(Filter::Date { column: name.clone(), operator, date });
        match operator {
            ">" => add(">=", next),
            ">=" => add(">=", first),
            "<" => add("<", first),
            "<=" => add("<", next),
            _ => {
                add(">=", first);
                add("<", next);
            }
        }
        return true;
    }
    let Some(value) = token.number() else { return false };
    let operator = match (operator, year) {
        ("in", None) => return false,
        ("in", Some(_)) => "==",
        (other, _) => other,
    };
    let years = || searched(table).iter().position(is_year);
    let column = match numeric {
        None if year.is_some() => years(),
        other => other,
    };
    let Some(at) = column else { return false };
    found.filters.push(Filter::Compare { column: table.columns[at].name.clone(), operator, value });
    // The column's own words belong to the condition if they stand right beside it.
    for mention in mentions {
        if matches!(&mention.what, What::Columns(all) if all.contains(&at))
            && (mention.span.end == start || mention.span.start == end)
        {
            mark(found, mention.span.clone());
        }
    }
    true
}

/// First day, and the first day after, of a year, a month or a day.
fn date_range(token: &Token, year: Option<f64>) -> Option<(String, String)> {
    if let Some(year) = year {
        return Some((format!("{year:.0}-01-01"), format!("{:.0}-01-01", year + 1.0)));
    }
    if token.kind != TokenKind::Date {
        return None;
    }
    let parts: Vec<i16> = token.text.split('-').filter_map(|part| part.parse().ok()).collect();
    let (start, step) = match parts[..] {
        [year, month] => (jiff::civil::Date::new(year, month as i8, 1).ok()?, jiff::Span::new().months(1)),
        [year, month, day] => (jiff::civil::Date::new(year, month as i8, day as i8).ok()?, jiff::Span::new().days(1)),
        _ => return None,
    };
    Some((start.to_string(), start.checked_add(step).ok()?.to_string()))
}

/// The column that a condition on tokens `start..end` is about.
fn near_column(start: usize, end: usize, tokens: &[Token], mentions: &[Mention], table: &Table) -> Option<usize> {
    let usable = |mention: &&Mention| matches!(&mention.what, What::Columns(all) if all.iter().any(|&at| is_numeric(&table.columns[at]) || is_time(&table.columns[at])));
    let pick = |mention: &Mention| match &mention.what {
        What::Columns(all) => {
            all.iter().copied().find(|&at| is_numeric(&table.columns[at]) || is_time(&table.columns[at]))
        }
        What::Values(_) => None,
    };
    let before = mentions.iter().rev().filter(usable).find(|m| m.span.end <= start && start - m.span.end <= 3);
    let after = mentions.iter().filter(usable).find(|m| m.span.start >= end && m.span.start - end <= 2);
    if let Some(mention) = before.or(after) {
        return pick(mention);
    }
    let hint =
        HINTS.iter().find(|(word, _)| tokens[start..end.min(tokens.len())].iter().any(|token| token.text == *word));
    if let Some((_, words)) = hint {
        let named = |column: &Column| {
            super::python::name_words(&column.name).0.iter().any(|word| words.contains(&word.as_str()))
        };
        return searched(table).iter().position(|column| is_numeric(column) && named(column));
    }
    let mut all = mentions.iter().filter(usable);
    match (all.next(), all.next()) {
        (Some(only), None) => pick(only),
        _ => None,
    }
}

fn months(tokens: &[Token], table: &Table, found: &mut Conditions) {
    let Some(time) = time_column(table) else { return };
    for at in 1..tokens.len() {
        let text = tokens[at].text.as_str();
        let Some(month) = MONTHS.iter().position(|name| *name == text || (text.len() == 3 && name.starts_with(text)))
        else {
            continue;
        };
        if matches!(tokens[at - 1].text.as_str(), "in" | "during" | "for" | "of" | "every" | "each" | "only") {
            found.filters.push(Filter::Month { column: time.name.clone(), month: month as u32 + 1 });
            mark(found, at - 1..at + 1);
            // `in March 2013`
            if let Some(token) = tokens.get(at + 1)
                && let Some((first, next)) = date_range(token, token.number().filter(|v| (1500.0..2200.0).contains(v)))
                && !found.used[at + 1]
            {
                let column = time.name.clone();
                found.filters.push(Filter::Date { column: column.clone(), operator: ">=", date: first });
                found.filters.push(Filter::Date { column, operator: "<", date: next });
                mark(found, at + 1..at + 2);
            }
        }
    }
}

/// Values that the sample knows: `only Adelie penguins`, `not on Biscoe`.
fn values(tokens: &[Token], mentions: &[Mention], table: &Table, found: &mut Conditions) {
    let named: Vec<usize> = mentions
        .iter()
        .filter_map(|m| if let What::Columns(all) = &m.what { Some(all) } else { None })
        .flatten()
        .copied()
        .collect();
    let mut groups: Vec<(usize, bool, Vec<String>)> = Vec::new();
    for mention in mentions {
        let What::Values(all) = &mention.what else { continue };
        let Some((column, value)) = all.iter().find(|(column, _)| named.contains(column)).or(all.first()) else {
            continue;
        };
        let from = mention.span.start.saturating_sub(3);
        let before = &tokens[from..mention.span.start];
        let mut not = before.iter().any(|t| {
            matches!(
                t.text.as_str(),
                "not" | "except" | "excluding" | "exclude" | "without" | "but" | "isn" | "aren" | "!=" | "<>"
            )
        });
        if let Some((_, previous, _)) = groups.iter().find(|(other, _, _)| other == column) {
            // `not Adelie or Gentoo`: the word belongs to both
            not = not || *previous;
        }
        match groups.iter_mut().find(|(other, negated, _)| other == column && *negated == not) {
            Some((_, _, values)) if !values.contains(value) => values.push(value.clone()),
            Some(_) => {}
            None => groups.push((*column, not, vec![value.clone()])),
        }
        mark(found, mention.span.clone());
        if let Some(other) =
            mentions.iter().find(|m| m.span.end < mention.span.start && mention.span.start - m.span.end <= 2)
            && matches!(&other.what, What::Columns(all) if all.contains(column))
        {
            let between = &tokens[other.span.end..mention.span.start];
            if between.iter().all(|t| {
                matches!(t.text.as_str(), "is" | "are" | "=" | "==" | "equals" | "not" | "in" | "!=" | "<>" | "was")
            }) {
                mark(found, other.span.start..mention.span.start);
            }
        }
    }
    for (column, not, values) in groups {
        if values.len() > 1 && !not {
            found.compared = Some(column);
        }
        found.filters.push(Filter::OneOf { column: table.columns[column].name.clone(), values, not });
    }
}

/// `where COLUMN is VALUE` with a value that the sample does not know.
fn said(tokens: &[Token], mentions: &[Mention], table: &Table, found: &mut Conditions) {
    for mention in mentions {
        let What::Columns(all) = &mention.what else { continue };
        let at = mention.span.end;
        if found.used.get(at).copied().unwrap_or(true) || found.used[mention.span.start] {
            continue;
        }
        let text_at = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
        let mut next = match text_at(at) {
            "is" | "are" | "was" | "equals" | "=" | "==" | "named" | "called" => at + 1,
            "!=" | "<>" => at,
            "contains" | "containing" | "contain" | "includes" | "including" | "like" | "not" => at,
            _ => continue,
        };
        let not = matches!(text_at(next), "not" | "!=" | "<>");
        next += usize::from(not);
        let part = matches!(text_at(next), "contains" | "containing" | "contain" | "includes" | "including" | "like");
        next += usize::from(part);
        let column = &table.columns[all[0]];
        let name = column.name.clone();
        let filter = match text_at(next) {
            "missing" | "null" | "empty" | "nan" | "unknown" if !not => Filter::Missing { column: name },
            "true" | "yes" if column.kind == ColumnType::Boolean => Filter::Flag { column: name, value: !not },
            "false" | "no" if column.kind == ColumnType::Boolean => Filter::Flag { column: name, value: not },
            _ if matches!(column.kind, ColumnType::Text) => {
                let (text, end) = value_text(tokens, next, &found.used);
                if text.is_empty() {
                    continue;
                }
                next = end.saturating_sub(1);
                Filter::Text { column: name, text, part, not }
            }
            _ => continue,
        };
        found.filters.push(filter);
        mark(found, mention.span.start..next + 1);
    }
}

/// The words of a value from `at` on, as written, and the token after them.
fn value_text(tokens: &[Token], at: usize, used: &[bool]) -> (String, usize) {
    if let Some(token) = tokens.get(at).filter(|token| token.kind == TokenKind::Quoted) {
        return (token.raw.clone(), at + 1);
    }
    let words: Vec<&str> = tokens[at.min(tokens.len())..]
        .iter()
        .zip(&used[at.min(used.len())..])
        .take(4)
        .take_while(|(token, used)| {
            !**used && token.kind != TokenKind::Symbol && token.kind != TokenKind::Quoted && !is_stop(&token.text)
        })
        .map(|(token, _)| token.raw.as_str())
        .collect();
    (words.join(" "), at + words.len())
}
