//! Live sessions over the library: turns, saves, forks, wakes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use glovebox_benches::measure::{self, Began, Times, ms};
use glovebox_benches::place::{self, Place};
use glovebox_benches::table::Row;
use glovebox_runtime::{Image, Session, compress_layer};

/// What a small session did before.
const SMALL: &str = "import pandas as pd; x = 1; small = pd.DataFrame({'a': range(10)})";
/// 100 MB in a column of whole numbers.
const LARGE: &str = "import numpy as np, pandas as pd; x = 1; large = pd.DataFrame({'a': np.arange(12_500_000)})";

/// Where layers are written: on what temporary files are on, and in memory where that is something else.
fn disks() -> Vec<PathBuf> {
    let memory = Path::new("/dev/shm");
    let mut disks = vec![std::env::temp_dir()];
    disks.extend(memory.is_dir().then(|| memory.to_owned()));
    disks
}

fn opened(image: &Image, runtime: &tokio::runtime::Runtime, place: &Place, source: &str) -> Result<Session> {
    let mut session = runtime.block_on(Session::open(image, &place.job(""), &place.scratch()))?;
    place::turn(runtime, &mut session, &place.job(source))?;
    Ok(session)
}

pub fn turns(rounds: usize) -> Result<Vec<Row>> {
    let (image, runtime) = (place::image("python")?, measure::tokio()?);
    let mut rows = Vec::new();
    for disk in disks() {
        let place = Place::of("python", &disk)?;
        let mut session = opened(&image, &runtime, &place, SMALL)?;
        let job = place.job("x = 1");
        let (mut turns, mut saves, mut sums) = (Times::default(), Times::default(), Times::default());
        if rows.is_empty() {
            for _ in 0..rounds {
                let at = Began::now();
                place::turn(&runtime, &mut session, &job)?;
                turns.push(at);
            }
            let how = format!("library; n = {rounds}, load {}", measure::load());
            rows.push(Row::figure("turn x = 1", "0.5 ms", turns.to_string(), "", &how));
        }
        for round in 0..rounds {
            let at = Began::now();
            place::turn(&runtime, &mut session, &job)?;
            let saving = Began::now();
            session.save(&place.layer(&round.to_string()))?;
            saves.push(saving);
            sums.push(at);
        }
        let ours = format!("{sums}, of it save {saves}");
        let how = format!("library; layers in {}; n = {rounds}", disk.display());
        rows.push(Row::figure("turn x = 1 and save", "", ours, "", &how));
    }
    Ok(rows)
}

/// A first child (with the checkpoint that it needs), of each further one, and of a child's first turn.
fn fork(image: &Image, disk: &Path, source: &str, rounds: usize) -> Result<[Times; 4]> {
    let runtime = measure::tokio()?;
    let [mut first, mut saves, mut further, mut turns] = <[Times; 4]>::default();
    for _ in 0..rounds {
        let place = Place::of("python", disk)?;
        let child_place = Place::of("python", disk)?;
        let session = &mut opened(image, &runtime, &place, source)?;
        let (job, scratch) = (child_place.job("x += 1"), child_place.scratch());
        let mut children = Vec::new();
        let at = Began::now();
        session.save(&place.layer("0"))?;
        saves.push(at);
        children.push(runtime.block_on(session.fork(image, &job, &scratch))?);
        first.push(at);
        for _ in 0..4 {
            let at = Began::now();
            children.push(runtime.block_on(session.fork(image, &job, &scratch))?);
            further.push(at);
        }
        for child in &mut children {
            let at = Began::now();
            place::turn(&runtime, child, &job)?;
            turns.push(at);
        }
    }
    Ok([first, saves, further, turns])
}

pub fn forks(rounds: usize) -> Result<Vec<Row>> {
    let image = place::image("python")?;
    let mut rows = Vec::new();
    for (name, source, target, rounds) in
        [("small session", SMALL, "8 ms", rounds / 5 + 1), ("session of 100 MB", LARGE, "150 ms", rounds / 20 + 3)]
    {
        for disk in disks() {
            let [first, save, further, turn] = fork(&image, &disk, source, rounds)?;
            let how = format!("layers in {}; n = {rounds}, load {}", disk.display(), measure::load());
            let ours = format!("{first}, of it save {save}");
            rows.push(Row::figure(&format!("fork of a {name}, first"), target, ours, "", &how));
            let ours = format!("{further}; its first turn {turn}");
            rows.push(Row::figure(&format!("fork of a {name}, each further"), "2 ms", ours, "", &how));
        }
    }
    Ok(rows)
}

pub fn wakes(rounds: usize) -> Result<Vec<Row>> {
    let (image, runtime) = (place::image("python")?, measure::tokio()?);
    let mut rows = Vec::new();
    for (name, source, target, rounds) in
        [("small session", SMALL, "10 ms", rounds / 2 + 1), ("session of 100 MB", LARGE, "", rounds / 20 + 3)]
    {
        let place = Place::new()?;
        let mut session = opened(&image, &runtime, &place, source)?;
        session.save(&place.layer("0"))?;
        let layers = session.layers();
        drop(session);
        let compress = Instant::now();
        let mut bytes = 0;
        for layer in &layers {
            bytes += compress_layer(layer)?;
        }
        let compressing = ms(compress);
        let (mut wakes, mut turns) = (Times::default(), Times::default());
        for _ in 0..rounds {
            let at = Began::now();
            let job = place.job("x += 1");
            let mut woken = runtime.block_on(Session::wake(&image, &job, &place.scratch(), &layers))?;
            wakes.push(at);
            place::turn(&runtime, &mut woken, &job)?;
            turns.push(at);
        }
        let ours = format!("{wakes}; turn done at {turns}");
        let how =
            format!("{} KiB compressed in {compressing:.0} ms; n = {rounds}, load {}", bytes >> 10, measure::load());
        rows.push(Row::figure(&format!("wake of a {name}"), target, ours, "", &how));
    }
    Ok(rows)
}
