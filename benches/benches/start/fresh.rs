//! Fresh runs in this process, from job to outcome.

use anyhow::{Result, bail};
use glovebox_benches::measure::{self, Began, Times, process_cpu};
use glovebox_benches::place::{self, Place};
use glovebox_benches::table::Row;
use glovebox_benches::{CONSOLE_LOG, GROUP_AND_PLOT, PRINT, native};
use glovebox_runtime::{Echo, run};

const IMPORTS: &str = "import numpy, pandas, matplotlib.pyplot";

/// What some fresh runs took.
struct Runs {
    times: Times,
    /// With everything between them: making ready, freeing.
    per_cpu_second: f64,
}

/// Whether workers' work between runs is done between runs here.
#[derive(Clone, Copy)]
enum Between {
    /// An idle worker's.
    MakeReady,
    /// A busy worker's.
    MakeRoom,
    Nothing,
}

fn runs(image: &str, source: &str, between: Between, rounds: usize) -> Result<Runs> {
    let mapped = place::image(image)?;
    let runtime = measure::tokio()?;
    let place = Place::of(image, &std::env::temp_dir())?;
    let mut job = place.job(source);
    job.program.echo = Echo::Last;
    let mut times = Times::default();
    // The first ones load code.
    let warm = 5.min(rounds);
    let mut began = process_cpu();
    for round in 0..rounds + warm {
        if round == warm {
            began = process_cpu();
        }
        match between {
            Between::MakeReady => runtime.block_on(mapped.make_ready()),
            Between::MakeRoom => mapped.make_room(),
            Between::Nothing => {}
        }
        let at = Began::now();
        let outcome = runtime.block_on(run(&mapped, &job, &mut |_| {}, &Default::default()))?;
        if round >= warm {
            times.push(at);
        }
        if !outcome.ending.is_success() {
            bail!("{source:?} in {image} ended as {:?}: {}", outcome.ending, outcome.stderr);
        }
    }
    let per_cpu_second = rounds as f64 / (process_cpu() - began).as_secs_f64();
    Ok(Runs { times, per_cpu_second })
}

pub fn figures(rounds: usize) -> Result<Vec<Row>> {
    let few = (rounds / 20).clamp(3, 10);
    let n = format!("n = {rounds}, load {}", measure::load());
    let process = |source: &str| native::process(source, few);
    let shown = |native: &Result<(f64, f64), String>| match native {
        Ok((elapsed, cpu)) => format!("process {elapsed:.0} ms, CPU {cpu:.0}"),
        Err(reason) => format!("absent: {reason}"),
    };
    let (imports, print) = (shown(&process(IMPORTS)), shown(&process(PRINT)));

    let node = shown(&native::other("node", &["-e", CONSOLE_LOG], few));

    let ready = runs("python", PRINT, Between::MakeReady, rounds)?;
    let busy = runs("python", PRINT, Between::MakeRoom, rounds)?;
    let unready = runs("python", PRINT, Between::Nothing, rounds)?;
    let plot = runs("python", GROUP_AND_PLOT, Between::MakeReady, few * 2)?;
    let mut rows = vec![
        Row::figure(
            "fresh python, print(1)",
            "2 ms, aim 1",
            ready.times.to_string(),
            &imports,
            &format!("made ready; {n}"),
        ),
        Row::figure("the same, memory mapped ahead, as busy workers do", "2 ms", busy.times.to_string(), &imports, &n),
        Row::figure("the same, nothing made ready", "", unready.times.to_string(), &print, &n),
        Row::figure(
            "fresh python runs per CPU-second",
            "350",
            format!("{:.0}, {:.0} made ready", busy.per_cpu_second, ready.per_cpu_second),
            "",
            &format!("what happens between runs counted; {n}"),
        ),
        Row::figure(
            "groupby, bar plot, PNG: CPU",
            "150 ms",
            format!("{:.0}; elapsed {}", plot.times.cpu(), plot.times),
            &shown(&process(GROUP_AND_PLOT)),
            &format!("n = {}", few * 2),
        ),
    ];
    for (image, target) in [("rustpython", "1.5 ms"), ("javascript", "0.5 ms")] {
        let name = format!("fresh {image}, the least program");
        let (source, beside) =
            if image == "javascript" { (CONSOLE_LOG, node.as_str()) } else { (PRINT, print.as_str()) };
        rows.push(match runs(image, source, Between::MakeReady, rounds) {
            Ok(runs) => {
                let how = format!("made ready; {:.0} per CPU-second; {n}", runs.per_cpu_second);
                Row::figure(&name, target, runs.times.to_string(), beside, &how)
            }
            Err(error) => Row::figure(&name, target, "not measured".into(), "", &format!("{error:#}")),
        });
    }
    Ok(rows)
}
