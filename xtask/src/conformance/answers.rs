//! What both sides answer to a call, and how two answers differ.

use serde::{Deserialize, Serialize};

/// What `differential.py` writes for a call.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Answer {
    pub(super) call: String,
    /// The table it is from.
    pub(super) table: String,
    /// Units in the last place by which floats may differ; 0 where the operation is exact.
    pub(super) ulps: u64,
    /// Categories of the warnings that it gave.
    pub(super) warnings: Vec<String>,
    /// Type, dtype, shape and all values but floats; or the exception.
    pub(super) form: String,
    /// The floats, bit by bit.
    pub(super) floats: Vec<String>,
}

/// What differs, if anything does.
pub(super) fn difference(native: &Answer, guest: &Answer) -> Option<String> {
    if native.form != guest.form {
        let (ours, theirs) = around_difference(&native.form, &guest.form);
        return Some(format!("{ours} natively, {theirs} in the image"));
    }
    match distance(native, guest) {
        None => Some("another number of floats".into()),
        Some(ulps) if ulps > native.ulps => {
            let at = native.floats.iter().zip(&guest.floats).find(|(ours, theirs)| ours != theirs);
            let value = |bits: &String| u64::from_str_radix(bits, 16).map(f64::from_bits).unwrap_or(f64::NAN);
            let (ours, theirs) = at.map_or((f64::NAN, f64::NAN), |(ours, theirs)| (value(ours), value(theirs)));
            Some(format!("{ours:?} natively, {theirs:?} in the image: {ulps} ulp"))
        }
        Some(_) if native.warnings != guest.warnings => {
            Some(format!("warns {:?} natively, {:?} in the image", native.warnings, guest.warnings))
        }
        Some(_) => None,
    }
}

/// The beginnings of two texts, and where they part.
fn around_difference(ours: &str, theirs: &str) -> (String, String) {
    let (ours, theirs): (Vec<char>, Vec<char>) = (ours.chars().collect(), theirs.chars().collect());
    let at = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let cut = |text: &[char]| {
        let (head, tail) = (at.min(60), at.saturating_sub(20));
        let gap = if tail > head { "…" } else { "" };
        let tail = tail.max(head).min(text.len());
        let text = text[..head]
            .iter()
            .chain(gap.chars().collect::<Vec<_>>().iter())
            .chain(text[tail..].iter().take(80))
            .collect::<String>();
        text.replace(['\n', '`'], " ")
    };
    (cut(&ours), cut(&theirs))
}

/// The largest distance of two floats, in units in the last place; `None` if they cannot be compared.
pub(super) fn distance(native: &Answer, guest: &Answer) -> Option<u64> {
    if native.floats.len() != guest.floats.len() {
        return None;
    }
    let pairs = native.floats.iter().zip(&guest.floats);
    Some(pairs.map(|(ours, theirs)| ulps(ours, theirs)).max().unwrap_or(0))
}

fn ulps(ours: &str, theirs: &str) -> u64 {
    if ours == theirs {
        return 0;
    }
    let (Ok(ours), Ok(theirs)) = (u64::from_str_radix(ours, 16), u64::from_str_radix(theirs, 16)) else {
        return u64::MAX;
    };
    if f64::from_bits(ours).is_nan() || f64::from_bits(theirs).is_nan() {
        return u64::MAX;
    }
    // Ordered as the numbers are: negative ones count down from zero.
    let place = |bits: u64| {
        let magnitude = i128::from(bits & !(1 << 63));
        if bits >> 63 == 1 { -magnitude } else { magnitude }
    };
    u64::try_from((place(ours) - place(theirs)).unsigned_abs()).unwrap_or(u64::MAX)
}
