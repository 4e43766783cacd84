//! The dates of one column: their way of writing, their range, and whether the day or the month comes first.

use super::date::{Date, Shape};

/// What the dates of a column have in common.
#[derive(Debug, Default)]
pub struct Dates {
    /// Cells that are dates.
    pub count: u64,
    /// How the first is written.
    pub shape: Option<Shape>,
    /// True if others are written in another way.
    pub mixed: bool,
    /// True if one has a time of day.
    pub with_time: bool,
    /// Read with the day first.
    pub day_first: Order,
    /// Read with the month first.
    pub month_first: Order,
}

/// The dates of a column, read in one order of day and month.
#[derive(Debug)]
pub struct Order {
    impossible: u64,
    /// The earliest, in seconds since 1970.
    pub low: i64,
    /// The latest.
    pub high: i64,
}

impl Default for Order {
    fn default() -> Self {
        Order { impossible: 0, low: i64::MAX, high: i64::MIN }
    }
}

impl Order {
    fn push(&mut self, seconds: Option<i64>) {
        match seconds {
            Some(at) => {
                self.low = self.low.min(at);
                self.high = self.high.max(at);
            }
            None => self.impossible += 1,
        }
    }
}

impl Dates {
    /// Takes a date into account; how often it occurs is counted apart.
    pub fn push(&mut self, found: Date) {
        self.with_time |= found.shape.has_time();
        self.mixed |= *self.shape.get_or_insert(found.shape) != found.shape;
        self.day_first.push(found.day_first);
        self.month_first.push(found.month_first);
    }

    /// True if one order of day and month fits all values.
    pub fn one_order(&self) -> bool {
        self.day_first.impossible == 0 || self.month_first.impossible == 0
    }

    /// True if both orders fit.
    pub fn in_doubt(&self) -> bool {
        let ambiguous = self.shape.is_some_and(|s| s.ambiguous() && !s.dotted());
        ambiguous && self.day_first.impossible == 0 && self.month_first.impossible == 0
    }

    /// Which order to take: the one that fits; in doubt the one with dots is European, any other as pandas reads it.
    pub fn day_first_wins(&self) -> bool {
        if self.day_first.impossible != self.month_first.impossible {
            return self.day_first.impossible < self.month_first.impossible;
        }
        !self.in_doubt()
    }
}
