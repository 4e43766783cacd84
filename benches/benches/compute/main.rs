//! Compute in the python image beside native CPython, with each way to stop a guest compiled into its code.
//!
//! `cargo xtask bench compute`; `--only "fuel only"` measures one of them (names are separated by commas). The guests
//! run in a plain Wasmtime host with the runtime's compiler settings, so that the runtime needs no option that only a
//! measurement uses; one column is the runtime itself. Each variant is compiled once, for minutes, and kept in the cache.

mod host;
mod workloads;

use std::time::Duration;

use anyhow::Result;
use glovebox_benches::measure::{self, median, thread_cpu};
use glovebox_benches::table::{Options, Row, print};
use glovebox_benches::{native, place};
use glovebox_runtime::Session;

use host::{Guest, METERINGS};
use workloads::{WORKLOADS, Workload};

fn main() -> Result<()> {
    let options = Options::read();
    let rounds = options.number("--rounds", 7);
    // The guests' code needs more stack than a main thread is sure to have.
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    thread.spawn(move || measure_all(&options, rounds))?.join().unwrap_or_else(|_| anyhow::bail!("a bench panicked"))
}

fn measure_all(options: &Options, rounds: usize) -> Result<()> {
    let native = native_times(rounds)?;
    let mut columns = vec![("the runtime", runtime_times(rounds)?)];
    for (name, metering) in METERINGS {
        if options.value("--only").is_some_and(|wanted| !wanted.split(',').any(|wanted| wanted == name)) {
            continue;
        }
        eprintln!("{name}: compiling, unless that was done before");
        let mut guest = Guest::new(metering)?;
        let times = WORKLOADS.iter().map(|work| times(rounds, work, |source| guest.turn(source)));
        columns.push((name, times.collect::<Result<_>>()?));
    }
    let mut rows = Vec::new();
    for (index, work) in WORKLOADS.iter().enumerate() {
        let mut row = Row::new(work.name);
        let native = native.as_ref().map(|times| times[index]);
        row.put("native", native.map_or_else(|| "absent".into(), |ms| format!("{ms:.1}")));
        for (name, times) in &columns {
            let ratio = native.map_or_else(String::new, |native| format!(" ({:.1}x)", times[index] / native));
            row.put(name, format!("{:.1}{ratio}", times[index]));
        }
        rows.push(row);
    }
    let about = format!("CPU milliseconds, median of {rounds}; load {}", measure::load());
    print(options, &about, &rows);
    Ok(())
}

/// Median CPU milliseconds of a workload's statement.
fn times(rounds: usize, work: &Workload, mut turn: impl FnMut(&str) -> Result<()>) -> Result<f64> {
    turn(work.setup)?;
    turn(work.statement)?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let before = thread_cpu();
        turn(work.statement)?;
        times.push(ms(thread_cpu() - before));
    }
    Ok(median(&mut times))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The same in the runtime, whose guests yield and are polled.
fn runtime_times(rounds: usize) -> Result<Vec<f64>> {
    let runtime = measure::tokio()?;
    let image = place::store()?.load("python")?;
    let place = place::Place::new()?;
    let mut session = runtime.block_on(Session::open(&image, &place.job(""), &place.scratch()))?;
    let turn = |source: &str| place::turn(&runtime, &mut session, &place.job(source)).map(|_| ());
    let mut turn = turn;
    WORKLOADS.iter().map(|work| times(rounds, work, &mut turn)).collect()
}

/// The same in native CPython; `None` where it or a package is absent.
fn native_times(rounds: usize) -> Result<Option<Vec<f64>>> {
    let list: Vec<_> = WORKLOADS.iter().map(|work| [work.setup, work.statement]).collect();
    let script = format!(
        "import json, time\nspace = {{}}\nresult = []\nfor setup, statement in json.loads({:?}):\n    \
         exec(setup, space)\n    code = compile(statement, 'statement', 'exec')\n    exec(code, space)\n    times = []\n    \
         for _ in range({rounds}):\n        before = time.process_time()\n        exec(code, space)\n        \
         times.append((time.process_time() - before) * 1e3)\n    result.append(sorted(times)[{}])\nprint(json.dumps(result))",
        serde_json::to_string(&list)?,
        rounds / 2
    );
    match native::output(&script) {
        Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
        Err(reason) => {
            eprintln!("no native column: {reason}");
            Ok(None)
        }
    }
}
