//! What one cell of a table is: a missing value, a number, a truth value or text. Dates are in `date.rs`.
//!
//! Cells are judged as `pandas.read_csv` judges them, because the program that a model writes will read the file with
//! it. This runs for every cell of every file, so it looks at bytes and allocates nothing.

/// How a missing value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// In a way that pandas takes for missing without being told.
    Known,
    /// In a way that needs `na_values`, such as `-` or `?`.
    Foreign,
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Digits only.
    Integer(i64),
    /// With a decimal mark or an exponent, or too large for 64 bits.
    Float(f64),
}

/// The mark of a missing value, if `cell` (without outer blanks) is one.
#[inline]
pub fn missing(cell: &[u8]) -> Option<Missing> {
    // Most cells are told from all marks by their first byte.
    match cell.first() {
        None => return Some(Missing::Known),
        Some(b'N' | b'n' | b'#' | b'<' | b'-' | b'?') if cell.len() <= 8 => {}
        Some(_) => return None,
    }
    match cell {
        b"NA" | b"N/A" | b"n/a" | b"NaN" | b"nan" | b"NULL" | b"null" | b"None" | b"#N/A" | b"#NA" | b"<NA>"
        | b"-NaN" | b"-nan" | b"#N/A N/A" => Some(Missing::Known),
        b"-" | b"--" | b"?" | b"na" | b"none" | b"Null" | b"NONE" | b"#DIV/0!" | b"#REF!" | b"#VALUE!" | b"#NAME?"
        | b"#NUM!" | b"#NULL!" => Some(Missing::Foreign),
        _ => None,
    }
}

/// The number that `cell` holds, written with `decimal` as its decimal mark; `None` if it is none.
#[inline]
pub fn number(cell: &[u8], decimal: u8) -> Option<Number> {
    let (negative, digits) = match cell {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, cell),
    };
    let begins = matches!(digits, [b'0'..=b'9', ..]) || (digits.len() > 1 && digits[0] == decimal);
    if !begins {
        return infinity(digits, negative);
    }
    // Longer than 18 digits and a mark: the mantissa could overflow.
    if digits.len() > 19 {
        return general(cell, decimal);
    }
    let (whole, rest) = digits_of(digits, 0);
    let (mantissa, places) = match rest {
        [] if digits.len() <= 18 => {
            // At most 18 digits: fits.
            let value = whole as i64;
            return Some(Number::Integer(if negative { -value } else { value }));
        }
        [] => return general(cell, decimal),
        [mark, rest @ ..] if *mark == decimal => match digits_of(rest, whole) {
            (mantissa, []) => (mantissa, rest.len()),
            (_, [b'e' | b'E', ..]) => return general(cell, decimal),
            _ => return None,
        },
        [b'e' | b'E', ..] => return general(cell, decimal),
        _ => return None,
    };
    // Exact: both operands are, and a division rounds once (Clinger's fast path).
    if mantissa >= 1 << 53 {
        return general(cell, decimal);
    }
    let value = mantissa as f64 / POWERS[places];
    Some(Number::Float(if negative { -value } else { value }))
}

/// Reads the digits at the beginning of `bytes` behind those of `value`, and what follows them. At most 19 in all.
#[inline]
fn digits_of(bytes: &[u8], mut value: u64) -> (u64, &[u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return (value, &bytes[at..]);
        }
        value = value * 10 + u64::from(digit);
    }
    (value, &[])
}

const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

fn infinity(digits: &[u8], negative: bool) -> Option<Number> {
    let infinite = digits.eq_ignore_ascii_case(b"inf") || digits.eq_ignore_ascii_case(b"infinity");
    infinite.then_some(Number::Float(if negative { f64::NEG_INFINITY } else { f64::INFINITY }))
}

/// The slow way, for long numbers and exponents.
fn general(cell: &[u8], decimal: u8) -> Option<Number> {
    // Nothing longer is a number that anybody wrote down.
    if cell.len() > 400 {
        return None;
    }
    let allowed = |b: &u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'e' | b'E') || *b == decimal;
    if !cell.iter().all(allowed) {
        return None;
    }
    let text = std::str::from_utf8(cell).ok()?;
    if let Ok(value) = text.parse::<i64>() {
        return Some(Number::Integer(value));
    }
    let value = if decimal == b'.' { text.parse::<f64>() } else { text.replace(',', ".").parse::<f64>() };
    value.ok().map(Number::Float)
}

/// The truth value that `cell` spells.
pub fn boolean(cell: &[u8]) -> Option<bool> {
    match cell.len() {
        1 => match cell[0] {
            b't' | b'T' | b'y' | b'Y' => Some(true),
            b'f' | b'F' | b'n' | b'N' => Some(false),
            _ => None,
        },
        2 if cell.eq_ignore_ascii_case(b"no") => Some(false),
        3 if cell.eq_ignore_ascii_case(b"yes") => Some(true),
        4 if cell.eq_ignore_ascii_case(b"true") => Some(true),
        5 if cell.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// True for digits with a useless zero in front, such as `00123`: most likely a code, not a quantity.
pub fn padded(cell: &[u8]) -> bool {
    cell.len() > 1 && cell[0] == b'0' && cell.iter().all(u8::is_ascii_digit)
}

/// True for a number in a dress that pandas needs to be told of: `1,234.5`, `$12`, `45 %`.
pub fn dressed_number(cell: &str) -> bool {
    let bare: String =
        cell.chars().filter(|c| !matches!(c, '$' | '€' | '£' | '¥' | '%' | ',' | ' ' | '\u{a0}' | '\'')).collect();
    bare.len() < cell.len() && bare.len() <= 30 && number(bare.as_bytes(), b'.').is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_rust_reads_them() {
        for text in [
            "0",
            "-7",
            "3.14159",
            "-0.5",
            "1e5",
            "6.02E23",
            "123456789012345678901",
            "0.1",
            "179.769",
            ".5",
            "5.",
            "1234567.891",
        ] {
            let value = match number(text.as_bytes(), b'.') {
                Some(Number::Integer(i)) => i as f64,
                Some(Number::Float(f)) => f,
                None => panic!("{text} is a number"),
            };
            assert_eq!(value, text.parse::<f64>().unwrap(), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_number_is_none() {
        for text in ["", "-", "+", ".", "1.2.3", "12a", "1e", "e5", "0x10", "1,5", "--1", "1-2", "٣"] {
            assert_eq!(number(text.as_bytes(), b'.'), None, "{text}");
        }
    }

    #[test]
    fn a_decimal_comma_is_read_if_asked_for() {
        assert_eq!(number(b"3,5", b','), Some(Number::Float(3.5)));
        assert_eq!(number(b"3.5", b','), None);
        assert_eq!(number(b"1234567890123456,5", b','), Some(Number::Float(1_234_567_890_123_456.5)));
    }

    #[test]
    fn the_largest_integers_keep_every_digit() {
        assert_eq!(number(b"9223372036854775807", b'.'), Some(Number::Integer(i64::MAX)));
        assert_eq!(number(b"-9223372036854775808", b'.'), Some(Number::Integer(i64::MIN)));
    }

    #[test]
    fn prices_and_percentages_are_dressed_numbers() {
        assert!(dressed_number("$1,234.50") && dressed_number("45 %") && dressed_number("1,000"));
        assert!(!dressed_number("12") && !dressed_number("a,b") && !dressed_number("%"));
    }
}
