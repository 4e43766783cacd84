//! Bounded helpers of one streaming pass: a counter of different values and a uniform random sample.

use std::hash::{BuildHasher, RandomState};

use super::clip;

/// Bytes of a value that are kept for display.
const KEPT: usize = 64;
/// After there were too many different values, only those that make up one in this many are counted further.
const FREQUENT: u64 = 2_000;

/// Counts different values, exactly up to a limit; keeps the most frequent.
///
/// Each value carries its meaning `T`, so that it has to be found out once and not for each time it occurs. Values are
/// told apart by a 64-bit hash with a secret seed: neither chance nor a hostile file makes two of them fall together.
#[derive(Debug)]
pub struct Counter<T> {
    /// The values that are counted.
    pub entries: Vec<Entry<T>>,
    /// Positions in `entries` plus one, found by hash and linear probing; zero is free. At most half are taken.
    slots: Vec<u32>,
    /// The kept bytes of all values, one after the other.
    text: Vec<u8>,
    limit: usize,
    seed: u64,
    seen: u64,
    /// How many different values there were when counting stopped to be exact.
    capped: Option<u64>,
}

/// A value that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Entry<T> {
    key: u64,
    /// How often it occurred.
    pub count: u64,
    /// What it means.
    pub meaning: T,
    start: u32,
    len: u8,
    cut: bool,
}

impl<T: Copy> Counter<T> {
    /// Counts up to `limit` different values.
    pub fn new(limit: usize) -> Self {
        let seed = RandomState::new().hash_one(0);
        Counter { entries: Vec::new(), slots: vec![0; 16], text: Vec::new(), limit, seed, seen: 0, capped: None }
    }

    /// The hash of a value that is not yet known; `None` if it is, and was counted.
    #[inline]
    pub fn count(&mut self, value: &[u8]) -> Option<u64> {
        self.seen += 1;
        if self.entries.is_empty() && self.capped.is_some() {
            return Some(0);
        }
        let key = hash(value, self.seed);
        let mask = self.slots.len() - 1;
        let mut slot = key as usize & mask;
        loop {
            match self.slots[slot] {
                0 => return Some(key),
                at => {
                    let entry = &mut self.entries[at as usize - 1];
                    if entry.key == key {
                        entry.count += 1;
                        return None;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }

    /// True as long as every new value is kept.
    pub fn is_exact(&self) -> bool {
        self.capped.is_none()
    }

    /// Keeps a value that [`Counter::count`] did not know. If there are too many by now, the rare ones are given up
    /// and handed to `give_up`.
    pub fn keep(&mut self, key: u64, value: &[u8], meaning: T, mut give_up: impl FnMut(&Entry<T>)) {
        let kept = &value[..value.len().min(KEPT)];
        // At most `limit` × 64 bytes: fits.
        let start = self.text.len() as u32;
        self.text.extend_from_slice(kept);
        self.entries.push(Entry { key, count: 1, meaning, start, len: kept.len() as u8, cut: value.len() > KEPT });
        if self.entries.len() > self.limit {
            self.capped = Some(self.entries.len() as u64);
            let least = (self.seen / FREQUENT).max(2);
            self.entries.iter().filter(|e| e.count < least).for_each(&mut give_up);
            self.entries.retain(|e| e.count >= least);
            self.rebuild();
        } else if self.entries.len() * 2 > self.slots.len() {
            self.rebuild();
        } else {
            self.place(self.entries.len() - 1);
        }
    }

    fn rebuild(&mut self) {
        let size = (self.entries.len() * 4).next_power_of_two().max(16);
        self.slots = vec![0; size];
        for at in 0..self.entries.len() {
            self.place(at);
        }
    }

    fn place(&mut self, at: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = self.entries[at].key as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = at as u32 + 1;
    }

    /// How many different values there are, and whether that is only a lower bound.
    pub fn distinct(&self) -> (u64, bool) {
        (self.capped.unwrap_or(self.entries.len() as u64), self.capped.is_some())
    }

    /// The most frequent values, most frequent first; nothing if all are equally rare.
    pub fn top(&self, most: usize) -> Vec<(String, u64)> {
        if self.entries.len() > most && self.entries.iter().all(|e| e.count == 1) {
            return Vec::new();
        }
        // Of many nearly unique values, a few seen twice by chance say nothing.
        let least = if self.capped.is_some() { self.seen / FREQUENT } else { 0 };
        let text = |e: &Entry<T>| &self.text[e.start as usize..e.start as usize + e.len as usize];
        let mut entries: Vec<&Entry<T>> = self.entries.iter().filter(|e| e.count >= least).collect();
        entries.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| text(a).cmp(text(b))));
        entries.truncate(most);
        entries.into_iter().map(|e| (clip(text(e), KEPT, e.cut), e.count)).collect()
    }
}

/// Multiplies and folds the 128-bit product: the mixing step of wyhash.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A keyed hash, several times as fast as SipHash on the short cells of tables.
#[inline]
pub fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(0xa076_1d64_78bd_642f);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), 0xe703_7ed1_a0b4_28db);
    }
    // Words that overlap: copying a rest of any length costs more than all the mixing.
    let last = match (bytes.last_chunk::<8>(), rest.first_chunk::<4>(), rest.last_chunk::<4>(), rest) {
        (Some(word), ..) => u64::from_le_bytes(*word),
        (None, Some(low), Some(high), _) => {
            u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << 32
        }
        (.., rest) => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    fold(fold(state ^ last, 0x8ebc_6af0_9c88_c6e3) ^ seed, 0x5899_65cc_7537_4cc3)
}

/// A uniform random sample of a stream (algorithm L: skips ahead instead of drawing for each item).
/// The seed is fixed: the same file gives the same sample.
#[derive(Debug)]
pub struct Reservoir<T> {
    /// What was drawn, in no particular order.
    pub items: Vec<T>,
    capacity: usize,
    /// How many were offered.
    pub seen: u64,
    next: u64,
    weight: f64,
    random: u64,
}

impl<T> Reservoir<T> {
    /// Draws `capacity` items.
    pub fn new(capacity: usize) -> Self {
        Reservoir { items: Vec::new(), capacity, seen: 0, next: 0, weight: 1.0, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Offers the next item; `make` is called only if it was drawn.
    #[inline]
    pub fn offer(&mut self, make: impl FnOnce() -> T) {
        let index = self.seen;
        self.seen += 1;
        if self.items.len() < self.capacity {
            self.items.push(make());
            if self.items.len() == self.capacity {
                self.skip(index);
            }
        } else if index == self.next {
            let slot = (self.draw() * self.capacity as f64) as usize;
            let slot = slot.min(self.capacity - 1);
            self.items[slot] = make();
            self.skip(index);
        }
    }

    fn skip(&mut self, index: u64) {
        self.weight *= (self.draw().ln() / self.capacity as f64).exp();
        let gap = (self.draw().ln() / (1.0 - self.weight).ln()).floor();
        // A float beyond the range becomes the largest integer: never drawn again.
        self.next = index.saturating_add(1).saturating_add(gap as u64);
    }

    /// Uniform in (0, 1), by splitmix64.
    fn draw(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64 + f64::EPSILON / 4.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(counter: &mut Counter<()>, value: &str) {
        if let Some(key) = counter.count(value.as_bytes())
            && counter.is_exact()
        {
            counter.keep(key, value.as_bytes(), (), |_| {});
        }
    }

    #[test]
    fn counts_are_exact_below_the_limit() {
        let mut counter = Counter::new(100);
        for i in 0..1000 {
            push(&mut counter, &format!("v{}", i % 7));
        }
        assert_eq!(counter.distinct(), (7, false));
        assert_eq!(counter.top(2), [("v0".to_owned(), 143), ("v1".to_owned(), 143)]);
    }

    #[test]
    fn a_frequent_value_is_still_counted_after_the_limit() {
        let mut counter = Counter::new(100);
        for i in 0..10_000 {
            push(&mut counter, "often");
            push(&mut counter, &format!("once {i}"));
        }
        assert_eq!(counter.distinct(), (101, true));
        assert_eq!(counter.top(8), [("often".to_owned(), 10_000)]);
        assert!(counter.entries.len() <= 100);
    }

    #[test]
    fn a_reservoir_draws_evenly() {
        let mut reservoir = Reservoir::new(2_000);
        for i in 0..1_000_000_u64 {
            reservoir.offer(|| i);
        }
        let low = reservoir.items.iter().filter(|i| **i < 500_000).count();
        assert!((850..1150).contains(&low), "{low} of 2000 in the lower half");
        assert_eq!(reservoir.items.len(), 2_000);
    }
}
