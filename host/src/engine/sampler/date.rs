//! Dates and times as people write them: recognised by shape, so that a column gets one `strftime` pattern.

/// A cell that reads as a date, perhaps with a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// How it is written.
    pub shape: Shape,
    /// Seconds since 1970 if the day comes before the month, or if there is no doubt.
    pub day_first: Option<i64>,
    /// Seconds since 1970 if the month comes before the day, or if there is no doubt.
    pub month_first: Option<i64>,
}

/// How a date is written. Two cells of one shape have one pattern, but for the order of day and month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    form: Form,
    time: Time,
    /// Between date and time, `T` or a blank.
    join: u8,
    zone: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `2020-01-31`, `2020/01/31`
    Ymd { separator: u8 },
    /// `2020-01`
    Ym { separator: u8 },
    /// `31/01/2020`, `01/31/20`
    Numeric { separator: u8, short_year: bool },
    /// `31 Jan 2020`, `31-January-20`
    DayName { separator: u8, short_year: bool, full: bool },
    /// `Jan 31, 2020`
    NameDay { comma: bool, full: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Time {
    None,
    Minutes { twelve: bool },
    Seconds { twelve: bool },
    Fraction,
}

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

impl Shape {
    /// True if it holds a time of day.
    pub fn has_time(self) -> bool {
        self.time != Time::None
    }

    /// True if the order of day and month has to be found out from the values.
    pub fn ambiguous(self) -> bool {
        matches!(self.form, Form::Numeric { .. })
    }

    /// True if such dates are nearly always written day first.
    pub fn dotted(self) -> bool {
        matches!(self.form, Form::Numeric { separator: b'.', .. })
    }

    /// The `strftime` pattern.
    pub fn pattern(self, day_first: bool) -> String {
        let year = |short| if short { "%y" } else { "%Y" };
        let month = |full| if full { "%B" } else { "%b" };
        let mut text = match self.form {
            Form::Ymd { separator } => format!("%Y{0}%m{0}%d", separator as char),
            Form::Ym { separator } => format!("%Y{}%m", separator as char),
            Form::Numeric { separator, short_year } => {
                let (a, b) = if day_first { ("%d", "%m") } else { ("%m", "%d") };
                format!("{a}{0}{b}{0}{1}", separator as char, year(short_year))
            }
            Form::DayName { separator, short_year, full } => {
                format!("%d{0}{1}{0}{2}", separator as char, month(full), year(short_year))
            }
            Form::NameDay { comma, full } => format!("{} %d{} %Y", month(full), if comma { "," } else { "" }),
        };
        if self.has_time() {
            text.push(self.join as char);
        }
        text.push_str(match self.time {
            Time::None => "",
            Time::Minutes { twelve: false } => "%H:%M",
            Time::Minutes { twelve: true } => "%I:%M %p",
            Time::Seconds { twelve: false } => "%H:%M:%S",
            Time::Seconds { twelve: true } => "%I:%M:%S %p",
            Time::Fraction => "%H:%M:%S.%f",
        });
        if self.zone {
            text.push_str("%z");
        }
        text
    }
}

/// Reads a cell without outer blanks.
pub fn date(cell: &[u8]) -> Option<Date> {
    if !(6..=40).contains(&cell.len()) {
        return None;
    }
    if let Some(found) = fixed(cell) {
        return Some(found);
    }
    let mut input = Input { rest: cell };
    let (form, year, a, b) = calendar(&mut input)?;
    let (time, join, zone, seconds) =
        if input.rest.is_empty() { (Time::None, b' ', false, 0) } else { clock(&mut input)? };
    if !input.rest.is_empty() || (matches!(form, Form::Ym { .. }) && time != Time::None) {
        return None;
    }
    let at = |month, day| days(year, month, day).map(|days| days * 86_400 + seconds);
    let shape = Shape { form, time, join, zone };
    // `a` is the day and `b` the month where the form leaves no doubt.
    let (day_first, month_first) = (at(b, a), if shape.ambiguous() { at(a, b) } else { at(b, a) });
    (day_first.is_some() || month_first.is_some()).then_some(Date { shape, day_first, month_first })
}

/// The way in which machines write dates, `2020-01-31` or `2020-01-31 12:00:00`, read at fixed places,
/// because it is the most frequent one and this several times as fast.
fn fixed(cell: &[u8]) -> Option<Date> {
    let two = |at: usize| -> Option<i64> {
        let (tens, ones) = (cell[at].wrapping_sub(b'0'), cell[at + 1].wrapping_sub(b'0'));
        (tens <= 9 && ones <= 9).then(|| i64::from(tens) * 10 + i64::from(ones))
    };
    if !matches!(cell.len(), 10 | 19) || cell[4] != b'-' || cell[7] != b'-' {
        return None;
    }
    let year = two(0)? * 100 + two(2)?;
    let mut shape = Shape { form: Form::Ymd { separator: b'-' }, time: Time::None, join: b' ', zone: false };
    let mut seconds = 0;
    if cell.len() == 19 {
        if !matches!(cell[10], b' ' | b'T') || cell[13] != b':' || cell[16] != b':' {
            return None;
        }
        let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        seconds = hour * 3600 + minute * 60 + second;
        (shape.time, shape.join) = (Time::Seconds { twelve: false }, cell[10]);
    }
    let at = days(year, two(5)?, two(8)?)? * 86_400 + seconds;
    Some(Date { shape, day_first: Some(at), month_first: Some(at) })
}

/// Form, year, and two numbers: day and month in this order, or as they come for [`Form::Numeric`].
fn calendar(input: &mut Input<'_>) -> Option<(Form, i64, i64, i64)> {
    if input.rest[0].is_ascii_alphabetic() {
        let (month, full) = input.month()?;
        input.byte(b' ')?;
        let (day, _) = input.digits(1, 2)?;
        let comma = input.byte(b',').is_some();
        input.byte(b' ')?;
        let (year, _) = input.digits(4, 4)?;
        return Some((Form::NameDay { comma, full }, year, day, month));
    }
    let (first, width) = input.digits(1, 4)?;
    let separator = input.any(b"-/. ")?;
    if width == 4 {
        if separator == b' ' {
            return None;
        }
        let (month, _) = input.digits(1, 2)?;
        if input.rest.is_empty() {
            // `2020.01` is a number, and `2020/01` may be anything.
            return (separator == b'-').then_some((Form::Ym { separator }, first, 1, month));
        }
        input.byte(separator)?;
        let (day, _) = input.digits(1, 2)?;
        return Some((Form::Ymd { separator }, first, day, month));
    }
    if width == 3 {
        return None;
    }
    let named = input.rest.first().is_some_and(u8::is_ascii_alphabetic);
    if named && separator != b'.' {
        let (month, full) = input.month()?;
        input.byte(separator)?;
        let (year, short_year) = input.year()?;
        return Some((Form::DayName { separator, short_year, full }, year, first, month));
    }
    if separator == b' ' {
        return None;
    }
    let (second, _) = input.digits(1, 2)?;
    input.byte(separator)?;
    let (year, short_year) = input.year()?;
    Some((Form::Numeric { separator, short_year }, year, first, second))
}

/// Time, the byte before it, whether there is a zone, and seconds since midnight.
fn clock(input: &mut Input<'_>) -> Option<(Time, u8, bool, i64)> {
    let join = input.any(b"T ")?;
    let (hour, _) = input.digits(1, 2)?;
    input.byte(b':')?;
    let (minute, _) = input.digits(2, 2)?;
    let mut second = 0;
    let mut fraction = false;
    let with_seconds = input.byte(b':').is_some();
    if with_seconds {
        second = input.digits(2, 2)?.0;
        if input.any(b".,").is_some() {
            fraction = true;
            let _ = input.digits(1, 9)?;
        }
    }
    let mut hour = hour;
    let mut twelve = false;
    let before = input.rest;
    let _ = input.byte(b' ');
    if input.rest.len() >= 2
        && (input.rest[..2].eq_ignore_ascii_case(b"am") || input.rest[..2].eq_ignore_ascii_case(b"pm"))
    {
        twelve = true;
        hour = hour % 12 + if input.rest[0].eq_ignore_ascii_case(&b'p') { 12 } else { 0 };
        input.rest = &input.rest[2..];
    } else {
        input.rest = before;
    }
    let mut zone = false;
    if input.byte(b'Z').is_some() {
        zone = true;
    } else if input.any(b"+-").is_some() {
        zone = true;
        let _ = input.digits(2, 2)?;
        let _ = input.byte(b':');
        let _ = input.digits(2, 2)?;
    }
    if hour > 23 || minute > 59 || second > 60 || (twelve && fraction) {
        return None;
    }
    let time = match (with_seconds, fraction) {
        (_, true) => Time::Fraction,
        (true, false) => Time::Seconds { twelve },
        (false, false) => Time::Minutes { twelve },
    };
    Some((time, join, zone, hour * 3600 + minute * 60 + second))
}

struct Input<'a> {
    rest: &'a [u8],
}

impl Input<'_> {
    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.rest.first() == Some(&wanted)).then(|| self.rest = &self.rest[1..])
    }

    fn any(&mut self, wanted: &[u8]) -> Option<u8> {
        let first = *self.rest.first()?;
        wanted.contains(&first).then(|| {
            self.rest = &self.rest[1..];
            first
        })
    }

    /// A run of `least` to `most` digits that no further digit follows, and its width.
    fn digits(&mut self, least: usize, most: usize) -> Option<(i64, usize)> {
        let width = self.rest.iter().take(most + 1).take_while(|b| b.is_ascii_digit()).count();
        if width < least || width > most {
            return None;
        }
        let value = self.rest[..width].iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'));
        self.rest = &self.rest[width..];
        Some((value, width))
    }

    fn year(&mut self) -> Option<(i64, bool)> {
        let (value, width) = self.digits(2, 4)?;
        match width {
            4 => Some((value, false)),
            // As Python's %y: 69 to 99 are of the last century.
            2 => Some((value + if value >= 69 { 1900 } else { 2000 }, true)),
            _ => None,
        }
    }

    /// A month's name, in full or in three letters.
    fn month(&mut self) -> Option<(i64, bool)> {
        let width = self.rest.iter().take(10).take_while(|b| b.is_ascii_alphabetic()).count();
        let word = &self.rest[..width];
        let index = MONTHS.iter().position(|m| {
            word.eq_ignore_ascii_case(m.as_bytes()) || (width == 3 && word.eq_ignore_ascii_case(&m.as_bytes()[..3]))
        })?;
        self.rest = &self.rest[width..];
        Some((index as i64 + 1, width > 3))
    }
}

/// Days since 1970-01-01 of a date that exists in the years 1 to 9999.
pub fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(leap),
        _ => return None,
    };
    if !(1..=9999).contains(&year) || day < 1 || day > length {
        return None;
    }
    // Years begin in March, so that the leap day is the last of a year.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (y.div_euclid(400), y.rem_euclid(400));
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * m + 2) / 5 + day - 1;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// ISO 8601 of seconds since 1970, with the time of day if asked for.
pub fn iso(seconds: i64, with_time: bool) -> String {
    let shifted = seconds.div_euclid(86_400) + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let clock = seconds.rem_euclid(86_400);
    if with_time {
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", clock / 3600, clock / 60 % 60, clock % 60)
    } else {
        format!("{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, pattern: &str, expected: &str) {
        let Some(date) = date(text.as_bytes()) else { panic!("{text} is a date") };
        assert_eq!(date.shape.pattern(true), pattern, "{text}");
        assert_eq!(iso(date.day_first.unwrap(), date.shape.has_time()), expected, "{text}");
    }

    #[test]
    fn each_way_of_writing_a_date_has_its_pattern() {
        check("2012-01-31", "%Y-%m-%d", "2012-01-31");
        check("2012/1/5", "%Y/%m/%d", "2012-01-05");
        check("2020-02", "%Y-%m", "2020-02-01");
        check("31.12.1999", "%d.%m.%Y", "1999-12-31");
        check("31/12/99", "%d/%m/%y", "1999-12-31");
        check("1 Jan 2020", "%d %b %Y", "2020-01-01");
        check("1-January-2020", "%d-%B-%Y", "2020-01-01");
        check("Feb 29, 2020", "%b %d, %Y", "2020-02-29");
        check("2020-01-02 03:04", "%Y-%m-%d %H:%M", "2020-01-02T03:04:00");
        check("2020-01-02T03:04:05.123Z", "%Y-%m-%dT%H:%M:%S.%f%z", "2020-01-02T03:04:05");
        check("2020-01-02 03:04:05+02:00", "%Y-%m-%d %H:%M:%S%z", "2020-01-02T03:04:05");
        check("03/04/2020 11:30 PM", "%d/%m/%Y %I:%M %p", "2020-04-03T23:30:00");
    }

    #[test]
    fn what_is_no_day_of_the_calendar_is_no_date() {
        for text in [
            "2021-02-29",
            "2020-13-01",
            "32/13/2020",
            "2020-01-01 25:00",
            "1.2.3.4",
            "123-45-6789",
            "2020-01-01x",
            "mayor of it",
            "555-1234",
        ] {
            assert_eq!(date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_day_above_twelve_settles_the_order() {
        let late = date(b"25/12/2020").unwrap();
        assert!(late.day_first.is_some() && late.month_first.is_none());
        let early = date(b"12/25/2020").unwrap();
        assert!(early.day_first.is_none() && early.month_first.is_some());
    }

    #[test]
    fn days_and_iso_are_inverse() {
        for n in (-700_000..2_900_000).step_by(997) {
            let text = iso(n * 86_400, false);
            assert_eq!(date(text.as_bytes()).and_then(|d| d.day_first), Some(n * 86_400), "{text}");
        }
    }
}
