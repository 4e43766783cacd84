//! The image's speed beside native CPython, alternating, with the product's own metering; and its sizes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Conformance, Report, programs};
use crate::root;

const ROUNDS: usize = 5;

/// What `speed.py` prints: the best of a few milliseconds, and what is asked of it.
#[derive(Deserialize)]
struct Timed {
    name: String,
    ms: f64,
    target: Option<f64>,
}

/// Milliseconds of a statement in each round.
#[derive(Default)]
struct Times {
    native: Vec<f64>,
    guest: Vec<f64>,
    target: Option<f64>,
}

pub(super) fn measure(this: &Conformance) -> Result<Report> {
    let dir = this.dir.join("speed");
    fs::create_dir_all(&dir)?;
    let program = programs().join("speed.py");
    let mut names = Vec::new();
    let mut times: BTreeMap<String, Times> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let native: Vec<Timed> = serde_json::from_str(&this.native.output(&program, &dir)?)?;
        let run = this.guest.run(&program, &[], &dir.join("out"))?;
        let guest: Vec<Timed> = serde_json::from_str(&run.stdout).with_context(|| run.ending)?;
        for (native, guest) in native.into_iter().zip(guest) {
            let entry = times.entry(native.name.clone()).or_default();
            entry.native.push(native.ms);
            entry.guest.push(guest.ms);
            entry.target = native.target;
            if !names.contains(&native.name) {
                names.push(native.name);
            }
        }
    }
    let mut text = format!(
        "## Speed\n\nMilliseconds, medians of {ROUNDS} rounds that alternate between native CPython and a fresh run with \
         fuel metering.\n\n| | native | image | ratio | to reach |\n| --- | --: | --: | --: | --: |\n"
    );
    for name in &names {
        let times = times.get_mut(name).context("a name without times")?;
        let (native, guest) = (median(&mut times.native), median(&mut times.guest));
        let target = times.target.map_or_else(String::new, |target| format!("{target:.1}"));
        let _ = writeln!(text, "| {name} | {native:.2} | {guest:.2} | {:.2} | {target} |", guest / native);
    }
    figure(this, &mut text)?;
    sizes(&mut text)?;
    Ok(Report { text, good: true })
}

/// A first figure: a native process from cold, and a fresh run.
fn figure(this: &Conformance, text: &mut String) -> Result<()> {
    let program = programs().join("figure.py");
    let dir = this.dir.join("speed");
    let (mut native, mut inside, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let at = Instant::now();
        this.native.output(&program, &dir)?;
        native.push(ms(at));
        let at = Instant::now();
        inside.push(this.guest.run(&program, &[], &dir.join("out"))?.wall_ms);
        whole.push(ms(at));
    }
    let (native, inside, whole) = (median(&mut native), median(&mut inside), median(&mut whole));
    let _ = writeln!(
        text,
        "| savefig PNG, native cold process and fresh run | {native:.0} | {inside:.0} | {:.2} | 0.2 |",
        inside / native
    );
    let _ = writeln!(
        text,
        "| the same with the whole command `glovebox run` | {native:.0} | {whole:.0} | {:.2} | |",
        whole / native
    );
    Ok(())
}

fn sizes(text: &mut String) -> Result<()> {
    text.push_str("\n| file | bytes | at most |\n| --- | --: | --: |\n");
    let dir = std::env::var_os("GLOVEBOX_IMAGES_DIR").map_or_else(|| root().join("guest-images"), Into::into);
    for (name, most) in [("python.wasm.zst", "15 MB"), ("library.tar.zst", "40 MB"), ("mpl-data.tar.zst", "")] {
        let bytes = fs::metadata(dir.join("python").join(name))?.len();
        let _ = writeln!(text, "| {name} | {bytes} | {most} |");
    }
    Ok(())
}

fn ms(at: Instant) -> f64 {
    at.elapsed().as_secs_f64() * 1e3
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
