//! One column in one pass: type, missing values, range, mean, frequent values, histogram, in bounded memory.

use serde_json::Value;

use super::cell::{self, Missing, Number};
use super::count::{Counter, Reservoir};
use super::date;
use super::dates::Dates;
use super::{clip, role};
use crate::engine::sample::{Column, ColumnType};

/// Values kept for the histogram. Up to this many, it is exact.
const HISTOGRAM_SAMPLE: usize = 2_000;
/// Bytes of a text that are compared for the smallest and the largest.
const COMPARED: usize = 64;

/// What is known of a column so far.
#[derive(Debug)]
pub struct ColumnStats {
    decimal: u8,
    missing: u64,
    foreign_mark: Option<Vec<u8>>,
    present: u64,
    bytes: u64,
    integers: u64,
    floats: u64,
    booleans: u64,
    texts: u64,
    padded: u64,
    compact_dates: u64,
    sum: f64,
    finite: u64,
    low: f64,
    high: f64,
    low_integer: i64,
    high_integer: i64,
    dates: Dates,
    first_text: Option<Vec<u8>>,
    low_text: Vec<u8>,
    high_text: Vec<u8>,
    /// Drawn from the numbers that `values` does not keep.
    numbers: Reservoir<f64>,
    values: Counter<Meaning>,
    /// Cells whose meaning was looked at.
    judged: u64,
}

/// What a value is, kept with it, so that its repetitions only have to be counted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meaning {
    Integer { value: f64, padded: bool, compact_date: bool },
    Float(f64),
    Boolean,
    Date,
    Text,
}

impl Meaning {
    fn number(self) -> Option<f64> {
        match self {
            Meaning::Integer { value, .. } | Meaning::Float(value) => Some(value).filter(|v| v.is_finite()),
            _ => None,
        }
    }
}

impl ColumnStats {
    /// A column whose numbers have `decimal` as their decimal mark and of which up to `distinct` values are told apart.
    pub fn new(decimal: u8, distinct: usize) -> Self {
        ColumnStats {
            decimal,
            missing: 0,
            foreign_mark: None,
            present: 0,
            bytes: 0,
            integers: 0,
            floats: 0,
            booleans: 0,
            texts: 0,
            padded: 0,
            compact_dates: 0,
            sum: 0.0,
            finite: 0,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            low_integer: i64::MAX,
            high_integer: i64::MIN,
            dates: Dates::default(),
            first_text: None,
            low_text: Vec::new(),
            high_text: Vec::new(),
            numbers: Reservoir::new(HISTOGRAM_SAMPLE),
            values: Counter::new(distinct),
            judged: 0,
        }
    }

    /// Rows without a cell.
    pub fn push_missing(&mut self, rows: u64) {
        self.missing += rows;
    }

    /// The next row's cell.
    pub fn push(&mut self, raw: &[u8]) {
        let bytes = raw.trim_ascii();
        if let Some(mark) = cell::missing(bytes) {
            self.missing += 1;
            if mark == Missing::Foreign && self.foreign_mark.is_none() {
                self.foreign_mark = Some(bytes.to_vec());
            }
            return;
        }
        self.present += 1;
        self.bytes += bytes.len() as u64;
        let Some(key) = self.values.count(bytes) else { return };
        let meaning = self.judge(bytes);
        self.add(meaning, 1);
        if self.values.is_exact() {
            let numbers = &mut self.numbers;
            let mut given_up = Vec::new();
            self.values.keep(key, bytes, meaning, |entry| {
                given_up.push((entry.meaning, entry.count - 1));
                if let Some(value) = entry.meaning.number() {
                    (0..entry.count).for_each(|_| numbers.offer(|| value));
                }
            });
            given_up.into_iter().for_each(|(meaning, repetitions)| self.add(meaning, repetitions));
        } else if let Some(value) = meaning.number() {
            self.numbers.offer(|| value);
        }
    }

    /// Finds out what a value means and takes it into account for everything that repetitions do not change.
    fn judge(&mut self, bytes: &[u8]) -> Meaning {
        self.judged += 1;
        // Once most cells are text, the column is; the rest need not be looked at.
        if self.texts > 64 && self.texts * 4 > self.judged {
            return self.judge_text(bytes);
        }
        // Once there are only dates, a cell is looked at as one first.
        if self.dates.count > 64
            && self.integers + self.floats + self.booleans + self.texts == 0
            && let Some(found) = date::date(bytes)
        {
            self.dates.push(found);
            return Meaning::Date;
        }
        match cell::number(bytes, self.decimal) {
            Some(Number::Integer(value)) => {
                self.low_integer = self.low_integer.min(value);
                self.high_integer = self.high_integer.max(value);
                let compact = (19_000_101..=21_001_231).contains(&value);
                let compact_date = compact && date::days(value / 10_000, value / 100 % 100, value % 100).is_some();
                let value = value as f64;
                self.low = self.low.min(value);
                self.high = self.high.max(value);
                Meaning::Integer { value, padded: bytes[0] == b'0' && cell::padded(bytes), compact_date }
            }
            Some(Number::Float(value)) => {
                if value.is_finite() {
                    self.low = self.low.min(value);
                    self.high = self.high.max(value);
                }
                Meaning::Float(value)
            }
            None => self.judge_other(bytes),
        }
    }

    fn judge_other(&mut self, bytes: &[u8]) -> Meaning {
        if cell::boolean(bytes).is_some() {
            self.compare(bytes);
            return Meaning::Boolean;
        }
        let Some(found) = date::date(bytes) else { return self.judge_text(bytes) };
        self.dates.push(found);
        Meaning::Date
    }

    fn judge_text(&mut self, bytes: &[u8]) -> Meaning {
        if self.first_text.is_none() {
            self.first_text = Some(bytes[..bytes.len().min(COMPARED)].to_vec());
        }
        self.compare(bytes);
        Meaning::Text
    }

    /// Counts `times` cells of one meaning.
    fn add(&mut self, meaning: Meaning, times: u64) {
        match meaning {
            Meaning::Integer { padded, compact_date, .. } => {
                self.integers += times;
                self.padded += if padded { times } else { 0 };
                self.compact_dates += if compact_date { times } else { 0 };
            }
            Meaning::Float(_) => self.floats += times,
            Meaning::Boolean => self.booleans += times,
            Meaning::Date => self.dates.count += times,
            Meaning::Text => self.texts += times,
        }
        if let Some(value) = meaning.number() {
            self.finite += times;
            self.sum += value * times as f64;
        }
    }

    fn compare(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(COMPARED)];
        if self.low_text.is_empty() || bytes < self.low_text.as_slice() {
            self.low_text = bytes.to_vec();
        }
        if bytes > self.high_text.as_slice() {
            self.high_text = bytes.to_vec();
        }
    }

    /// The column, and what a person should know of it.
    pub fn finish(mut self, name: String) -> (Column, Vec<String>) {
        // The first of each value was counted when it was judged, its repetitions only here.
        for at in 0..self.values.entries.len() {
            let entry = self.values.entries[at];
            self.add(entry.meaning, entry.count - 1);
        }
        let (distinct, distinct_capped) = self.values.distinct();
        let day_first = self.dates.day_first_wins();
        let kind = self.kind(distinct);
        let mut notes = self.notes(&name, kind);
        let mut column = Column {
            name,
            kind,
            role: role::Role::Text,
            missing: self.missing,
            distinct,
            distinct_capped,
            min: None,
            max: None,
            mean: None,
            quartiles: None,
            top: self.values.top(8),
            histogram: Vec::new(),
            date_format: None,
        };
        match kind {
            ColumnType::Integer => {
                (column.min, column.max) = (Some(self.low_integer.into()), Some(self.high_integer.into()));
                if self.compact_dates == self.present {
                    column.date_format = Some("%Y%m%d".to_owned());
                }
            }
            ColumnType::Float if self.finite > 0 => {
                (column.min, column.max) = (json_number(self.low), json_number(self.high))
            }
            ColumnType::Date | ColumnType::Datetime => {
                let order = if day_first { &self.dates.day_first } else { &self.dates.month_first };
                let text = |at| Some(Value::from(date::iso(at, kind == ColumnType::Datetime)));
                (column.min, column.max) = (text(order.low), text(order.high));
                column.date_format = self.dates.shape.filter(|_| !self.dates.mixed).map(|s| s.pattern(day_first));
            }
            ColumnType::Text | ColumnType::Boolean if self.texts + self.booleans == self.present => {
                let text = |bytes: &[u8]| Some(Value::from(clip(bytes, COMPARED, bytes.len() == COMPARED)));
                (column.min, column.max) = (text(&self.low_text), text(&self.high_text));
            }
            _ => {}
        }
        if matches!(kind, ColumnType::Integer | ColumnType::Float) && self.finite > 0 {
            let mean = self.sum / self.finite as f64;
            column.mean = mean.is_finite().then_some(mean);
            column.histogram = self.histogram();
            column.quartiles = self.quartiles();
        }
        let facts = role::Facts {
            present: self.present,
            mean_bytes: self.bytes as f64 / self.present.max(1) as f64,
            range: (kind == ColumnType::Integer).then_some((self.low_integer, self.high_integer)),
            padded: self.padded > 0,
        };
        column.role = role::role(&column, &facts);
        if kind == ColumnType::Text && column.top.iter().any(|(v, _)| cell::dressed_number(v)) {
            let first = self.first_text.unwrap_or_default();
            let first = String::from_utf8_lossy(&first).into_owned();
            if cell::dressed_number(&first) {
                notes.push(format!(
                    "column `{}` holds numbers written like `{first}`: strip the signs (or pass `thousands`) before calculating",
                    column.name
                ));
            }
        }
        (column, notes)
    }

    fn kind(&self, distinct: u64) -> ColumnType {
        let numbers = self.integers + self.floats;
        if self.present == 0 {
            ColumnType::Empty
        } else if self.integers == self.present {
            ColumnType::Integer
        } else if numbers == self.present {
            ColumnType::Float
        } else if self.booleans == self.present && distinct <= 2 {
            ColumnType::Boolean
        } else if self.dates.count == self.present && self.dates.one_order() {
            if self.dates.with_time { ColumnType::Datetime } else { ColumnType::Date }
        } else {
            ColumnType::Text
        }
    }

    fn notes(&self, name: &str, kind: ColumnType) -> Vec<String> {
        let mut notes = Vec::new();
        let numbers = self.integers + self.floats;
        let example = self.first_text.as_deref().map(|t| clip(t, 30, t.len() > 30)).unwrap_or_default();
        if kind == ColumnType::Text && numbers < self.present && numbers * 10 >= self.present * 7 {
            let odd = self.present - numbers;
            notes.push(format!(
                "column `{name}`: {odd} of {} values are not numbers, such as `{example}`; use pd.to_numeric(…, errors=\"coerce\")",
                self.present
            ));
        }
        if kind == ColumnType::Text && self.dates.count < self.present && self.dates.count * 10 >= self.present * 7 {
            let odd = self.present - self.dates.count;
            notes.push(format!(
                "column `{name}`: {odd} of {} values are not dates, such as `{example}`; use pd.to_datetime(…, errors=\"coerce\")",
                self.present
            ));
        }
        if let Some(mark) = &self.foreign_mark {
            notes.push(format!(
                "column `{name}` marks missing values with `{}`: pass it as na_values",
                String::from_utf8_lossy(mark)
            ));
        }
        if kind == ColumnType::Integer && self.padded > 0 {
            notes.push(format!("column `{name}` has numbers with leading zeros: read it with dtype=str to keep them"));
        }
        if matches!(kind, ColumnType::Date | ColumnType::Datetime) {
            if self.dates.mixed {
                notes.push(format!(
                    "column `{name}` writes its dates in several ways: use pd.to_datetime(…, format=\"mixed\")"
                ));
            } else if self.dates.in_doubt() {
                notes.push(format!(
                    "column `{name}`: nothing tells whether day or month comes first; month first is assumed"
                ));
            }
        }
        notes
    }
}

impl ColumnStats {
    /// Counts in ten equal bins: exact for the values that are kept, scaled from a sample for the others.
    fn histogram(&self) -> Vec<u64> {
        const BINS: usize = 10;
        // Halves, because the width of the whole range may be too large for a float.
        let (low, width) = (self.low / 2.0, self.high / 2.0 - self.low / 2.0);
        let bin = |value: f64| {
            let place = if width > 0.0 { (value / 2.0 - low) / width } else { 0.0 };
            ((place * BINS as f64) as usize).min(BINS - 1)
        };
        let mut kept = [0_u64; BINS];
        for entry in &self.values.entries {
            if let Some(value) = entry.meaning.number() {
                kept[bin(value)] += entry.count;
            }
        }
        let mut sampled = [0_u64; BINS];
        self.numbers.items.iter().for_each(|value| sampled[bin(*value)] += 1);
        // Rounded cumulatively, so that the bins add up to all numbers.
        let scale = self.numbers.seen as f64 / self.numbers.items.len().max(1) as f64;
        let (mut seen, mut given) = (0, 0);
        for (kept, sampled) in kept.iter_mut().zip(sampled) {
            seen += sampled;
            let until = (seen as f64 * scale).round() as u64;
            *kept += until.saturating_sub(given);
            given = until.max(given);
        }
        kept.to_vec()
    }
}

impl ColumnStats {
    /// Quartiles as pandas interpolates them: exact for the values that are kept, an estimate with a sample of others.
    fn quartiles(&self) -> Option<[f64; 3]> {
        let weight = self.numbers.seen as f64 / self.numbers.items.len().max(1) as f64;
        let kept = self.values.entries.iter().filter_map(|entry| Some((entry.meaning.number()?, entry.count as f64)));
        let mut all: Vec<(f64, f64)> = kept.chain(self.numbers.items.iter().map(|value| (*value, weight))).collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
        let total: f64 = all.iter().map(|(_, weight)| weight).sum();
        let last = all.last()?.0;
        let at = |rank: f64| {
            let mut until = 0.0;
            let found = all.iter().find(|(_, weight)| {
                until += weight;
                until > rank
            });
            found.map_or(last, |(value, _)| *value)
        };
        let quartile = |part: f64| {
            let rank = (total - 1.0).max(0.0) * part;
            let (low, high) = (at(rank.floor()), at(rank.floor() + 1.0));
            let share = rank.fract();
            // Not by the difference, which may be too large for a float.
            low * (1.0 - share) + high * share
        };
        Some([quartile(0.25), quartile(0.5), quartile(0.75)])
    }
}

fn json_number(value: f64) -> Option<Value> {
    serde_json::Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample::Role;

    fn column(name: &str, cells: &[&str]) -> (Column, Vec<String>) {
        let mut stats = ColumnStats::new(b'.', 10_000);
        for cell in cells {
            stats.push(cell.as_bytes());
        }
        stats.finish(name.to_owned())
    }

    #[test]
    fn types_follow_the_values() {
        for (cells, kind) in [
            (&["1", "2", "NA"][..], ColumnType::Integer),
            (&["1", "2.5"], ColumnType::Float),
            (&["True", "False", ""], ColumnType::Boolean),
            (&["yes", "no"], ColumnType::Boolean),
            (&["2020-01-01", "2020-01-02"], ColumnType::Date),
            (&["2020-01-01 10:00", "2020-01-02 11:00"], ColumnType::Datetime),
            (&["1", "x"], ColumnType::Text),
            (&["", "NA"], ColumnType::Empty),
            (&["13/01/2020", "01/13/2020"], ColumnType::Text),
        ] {
            assert_eq!(column("c", cells).0.kind, kind, "{cells:?}");
        }
    }

    #[test]
    fn numbers_have_range_mean_and_histogram() {
        let cells: Vec<String> = (0..100).map(|i| i.to_string()).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        let (column, _) = column("n", &cells);
        assert_eq!((column.min, column.max, column.mean), (Some(0.into()), Some(99.into()), Some(49.5)));
        assert_eq!(column.histogram, [10; 10]);
        assert_eq!(column.quartiles, Some([24.75, 49.5, 74.25]));
    }

    #[test]
    fn a_histogram_of_a_sample_adds_up_to_all_numbers() {
        let mut stats = ColumnStats::new(b'.', 100);
        for i in 0..12_345 {
            stats.push(format!("{i}.5").as_bytes());
        }
        let (column, _) = stats.finish("x".to_owned());
        assert_eq!(column.histogram.iter().sum::<u64>(), 12_345);
        assert_eq!(column.role, Role::Measure);
        let [low, middle, high] = column.quartiles.unwrap();
        for (estimate, exact) in [(low, 3_086.5), (middle, 6_172.5), (high, 9_258.5)] {
            assert!((estimate - exact).abs() < 600.0, "{estimate} for {exact}");
        }
        assert!(column.distinct_capped && column.top.is_empty());
    }

    #[test]
    fn extreme_numbers_do_no_harm() {
        let (column, _) = column("x", &["1e308", "-1e308", "1.7e308", "inf", "1e999"]);
        assert_eq!(column.kind, ColumnType::Float);
        assert_eq!(column.histogram.iter().sum::<u64>(), 3);
        assert_eq!(column.min, Some((-1e308).into()));
    }

    #[test]
    fn an_odd_value_among_numbers_is_pointed_out() {
        let (column, notes) = column("price", &["1", "2", "3", "4", "about 5"]);
        assert_eq!(column.kind, ColumnType::Text);
        assert!(notes[0].contains("1 of 5") && notes[0].contains("about 5"), "{notes:?}");
    }

    #[test]
    fn prices_leading_zeros_and_foreign_marks_are_pointed_out() {
        assert!(column("p", &["$1,200", "$900"]).1[0].contains("strip"));
        assert!(column("zip", &["01234", "99999"]).1[0].contains("leading zeros"));
        assert!(column("x", &["1", "-", "2"]).1[0].contains("na_values"));
    }

    #[test]
    fn the_order_of_day_and_month_is_found_out() {
        let (late, _) = column("d", &["01/02/2020", "25/02/2020"]);
        assert_eq!((late.date_format.as_deref(), late.max), (Some("%d/%m/%Y"), Some("2020-02-25".into())));
        let (doubt, notes) = column("d", &["01/02/2020", "03/04/2020"]);
        assert_eq!(doubt.date_format.as_deref(), Some("%m/%d/%Y"));
        assert!(notes[0].contains("assumed"));
        assert_eq!(column("d", &["01.02.2020"]).0.date_format.as_deref(), Some("%d.%m.%Y"));
        assert_eq!(column("d", &["20200131", "20200201"]).0.date_format.as_deref(), Some("%Y%m%d"));
    }
}
