//! Every figure of "speed and memory to reach", with its target and what stands beside it: `cargo xtask bench start`.
//!
//! Plain programs and medians instead of criterion: half of the figures are of whole processes, of memory or of disk.
//! A figure that cannot be measured here is a row that says why.

mod fresh;
mod live;
mod memory;
mod rest;

use anyhow::Result;
use glovebox_benches::measure;
use glovebox_benches::table::{Options, Row, print};

/// A group of figures: its name for `--only`, and what measures it, given a number of rounds.
type Group = (&'static str, fn(usize) -> Result<Vec<Row>>);

const GROUPS: [Group; 6] = [
    ("fresh", fresh::figures),
    ("turns", live::turns),
    ("forks", live::forks),
    ("wakes", live::wakes),
    ("memory", memory::figures),
    ("rest", rest::figures),
];

fn main() {
    let options = Options::read();
    let rounds = options.number("--rounds", 100);
    let mut rows = Vec::new();
    let mut failed = false;
    for (name, measure) in GROUPS {
        if options.value("--only").is_some_and(|wanted| !name.contains(wanted)) {
            continue;
        }
        eprintln!("measuring: {name} (load {})", measure::load());
        match measure(rounds) {
            Ok(figures) => rows.extend(figures),
            Err(error) => {
                failed = true;
                rows.push(Row::figure(name, "", "not measured".into(), "", &format!("{error:#}")));
            }
        }
    }
    let about = format!(
        "Milliseconds: elapsed p50, best, and p50 of this process's CPU time; load {} at the end",
        measure::load()
    );
    print(&options, &about, &rows);
    std::process::exit(i32::from(failed));
}
