//! What idle sessions cost: private dirty memory, and disk once they sleep.

use anyhow::{Context, Result};
use glovebox_benches::measure;
use glovebox_benches::place::{self, Place};
use glovebox_benches::table::Row;
use glovebox_runtime::{Session, compress_layer};

const SOURCE: &str = "import pandas; x = 1";
/// Sessions whose memory is compared with none's; what the process itself needs falls out.
const SESSIONS: usize = 50;

/// A field of `/proc/self/smaps_rollup` in KiB.
fn rollup(field: &str) -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.with_context(|| format!("no {field} in smaps_rollup"))
}

pub fn figures(_rounds: usize) -> Result<Vec<Row>> {
    let (image, runtime) = (place::image("python")?, measure::tokio()?);
    let mut places = Vec::new();
    let mut sessions = Vec::new();
    let (mut before, mut anonymous_before) = (0.0, 0.0);
    // The first ones make what all sessions share.
    for index in 0..SESSIONS + 10 {
        if index == 10 {
            (before, anonymous_before) = (rollup("Private_Dirty")?, rollup("Anonymous")?);
        }
        let place = Place::new()?;
        let mut session = runtime.block_on(Session::open(&image, &place.job(""), &place.scratch()))?;
        place::turn(&runtime, &mut session, &place.job(SOURCE))?;
        sessions.push(session);
        places.push(place);
    }
    let each = |now: f64, before: f64| (now - before) / SESSIONS as f64 / 1024.0;
    let dirty = each(rollup("Private_Dirty")?, before);
    let anonymous = each(rollup("Anonymous")?, anonymous_before);
    let mut bytes = 0;
    let mut raw = 0;
    for (session, place) in sessions.iter_mut().zip(&places) {
        raw += session.save(&place.layer("0"))?;
        for layer in session.layers() {
            bytes += compress_layer(&layer)?;
        }
    }
    let saved = each(rollup("Private_Dirty")?, before);
    let per = |bytes: u64| bytes as f64 / sessions.len() as f64 / f64::from(1 << 20);
    let how = format!("growth of Private_Dirty in smaps_rollup over {SESSIONS} sessions, divided");
    let disk = format!("compressed layers of {} sessions, divided; workspace empty", sessions.len());
    Ok(vec![
        Row::figure(
            "idle python session, import pandas; x = 1",
            "1.5 MiB",
            format!("{dirty:.2} MiB private dirty, {saved:.2} saved, {anonymous:.2} anonymous"),
            "",
            &how,
        ),
        Row::figure("the same hibernated", "2 MiB", format!("{:.2} MiB, {:.2} raw", per(bytes), per(raw)), "", &disk),
    ])
}
