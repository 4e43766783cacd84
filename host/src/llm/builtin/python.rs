//! Text that goes into Python programs and Markdown. Names and values come from hostile files, so
//! nothing of them reaches a program but through this file.

use std::fmt::Write;

/// `text` as a Python string literal. Whatever the text holds, it stays one literal on one line,
/// and it cannot end the fenced block that the program is sent in.
pub fn py_str(text: &str) -> String {
    format!("'{}'", escaped(text))
}

/// `text` as the literal part of a single-quoted f-string: as [`py_str`], with braces doubled.
pub fn in_fstring(text: &str) -> String {
    escaped(text).replace('{', "{{").replace('}', "}}")
}

/// A Python list of string literals.
pub fn py_list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| py_str(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A finite number as a Python literal.
pub fn py_number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value:?}") }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '`' => out.push_str("\\x60"),
            ' '..='~' => out.push(c),
            // Letters of any script are readable; controls, line separators, marks that turn the
            // direction of text, and the rest are written as numbers.
            _ if c.is_alphanumeric() || "°€£µ²³–—…×".contains(c) => out.push(c),
            _ if (c as u32) < 0x100 => _ = write!(out, "\\x{:02x}", c as u32),
            _ if (c as u32) < 0x1_0000 => _ = write!(out, "\\u{:04x}", c as u32),
            _ => _ = write!(out, "\\U{:08x}", c as u32),
        }
    }
    out
}

/// `text` for a comment, a title or a sentence: one line, no controls, no Markdown, at most 60 characters.
pub fn plain(text: &str) -> String {
    let mut out: String = text
        .chars()
        .map(|c| if c.is_alphanumeric() || " .,:;!?%&+-_/()=<>°€£$µ²³#@'".contains(c) { c } else { ' ' })
        .take(61)
        .collect();
    if out.chars().count() > 60 {
        out = out.chars().take(59).collect::<String>() + "…";
    }
    let out = out.split_whitespace().collect::<Vec<_>>().join(" ");
    if out.is_empty() { "(no name)".into() } else { out }
}

/// `text` as part of a file name or of a Python identifier: lower-case ASCII words joined by `joint`.
pub fn slug(text: &str, joint: &str) -> String {
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(6)
        .map(|word| word.chars().take(16).collect::<String>().to_ascii_lowercase())
        .collect();
    if words.is_empty() { "value".into() } else { words.join(joint) }
}

/// Unit that the last part of a column name stands for, as in `body_mass_g`.
fn unit(word: &str) -> Option<&'static str> {
    Some(match word {
        "mm" => "mm",
        "cm" => "cm",
        "m" => "m",
        "km" => "km",
        "in" | "inch" | "inches" => "in",
        "ft" => "ft",
        "mi" | "miles" => "mi",
        "g" => "g",
        "kg" => "kg",
        "mg" => "mg",
        "lb" | "lbs" => "lb",
        "l" => "l",
        "ml" => "ml",
        "s" | "sec" | "secs" | "seconds" => "s",
        "ms" => "ms",
        "mins" | "minutes" => "min",
        "h" | "hrs" | "hours" => "h",
        "usd" => "USD",
        "eur" => "EUR",
        "gbp" => "GBP",
        "pct" | "percent" | "perc" => "%",
        "c" | "celsius" | "degc" => "°C",
        "f" | "fahrenheit" | "degf" => "°F",
        "kmh" | "kph" => "km/h",
        "mph" => "mph",
        "kwh" => "kWh",
        "mb" => "MB",
        "gb" => "GB",
        "kb" => "kB",
        "hz" => "Hz",
        "hpa" => "hPa",
        _ => return None,
    })
}

/// A column name as words, in lower case, and its unit if the last word is one.
pub fn name_words(name: &str) -> (Vec<String>, Option<&'static str>) {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut previous = ' ';
    for c in name.chars().take(120) {
        let boundary = !c.is_alphanumeric() || (c.is_uppercase() && previous.is_lowercase());
        if boundary && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        previous = c;
    }
    if !word.is_empty() {
        words.push(word);
    }
    words.truncate(8);
    let unit = if words.len() > 1 { words.last().and_then(|last| unit(last)) } else { None };
    if unit.is_some() {
        words.pop();
    }
    (words, unit)
}

/// A column name for a sentence: `body_mass_g` is `body mass`.
pub fn human(name: &str) -> String {
    let (words, _) = name_words(name);
    if words.is_empty() { plain(name) } else { plain(&words.join(" ")) }
}

/// A column name for an axis: `body_mass_g` is `Body mass (g)`.
pub fn axis_label(name: &str) -> String {
    let text = capital(&human(name));
    match name_words(name).1 {
        Some(unit) => format!("{text} ({unit})"),
        None => text,
    }
}

/// ` g` for `body_mass_g`, nothing for a column without unit.
pub fn unit_suffix(name: &str) -> String {
    match name_words(name).1 {
        Some("%") => "%".into(),
        Some(unit) => format!(" {unit}"),
        None => String::new(),
    }
}

/// The first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().collect::<String>() + chars.as_str(),
        None => String::new(),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn listing<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [most @ .., last] => {
            format!("{} and {}", most.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "), last.as_ref())
        }
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn choice<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [most @ .., last] if !most.is_empty() => {
            format!("{} or {}", most.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "), last.as_ref())
        }
        _ => listing(items),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_a_literal() {
        for hostile in ["'); import os #", "a\\", "\\'", "a\nb", "```\n", "\u{2028}x", "\u{202e}", "\0", "'''", "{x}"] {
            let literal = py_str(hostile);
            let inner = &literal[1..literal.len() - 1];
            assert!(!inner.contains(['\n', '\r', '`', '\0', '\u{2028}', '\u{202e}']), "{literal}");
            let mut backslashes = 0;
            for c in inner.chars() {
                assert!(c != '\'' || backslashes % 2 == 1, "{literal}");
                backslashes = if c == '\\' { backslashes + 1 } else { 0 };
            }
            assert!(backslashes % 2 == 0, "{literal}");
        }
        assert_eq!(in_fstring("{0}'"), "{{0}}\\'");
    }

    #[test]
    fn units_are_read_from_the_end_of_names() {
        assert_eq!(axis_label("body_mass_g"), "Body mass (g)");
        assert_eq!(axis_label("flipperLengthMm"), "Flipper length (mm)");
        assert_eq!(axis_label("temp_min"), "Temp min");
        assert_eq!(human("g"), "g");
        assert_eq!(human("\n`"), "(no name)");
    }
}
