//! The sampler beside native `pandas.read_csv`, each a process of its own on the same generated file.
//!
//! `cargo xtask bench sampler`; `--mb N` is the size of the file (500), `--rounds N` how often each reads it (3).
//! The Python is `GLOVEBOX_NATIVE_PYTHON`, else `python3`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use glovebox_benches::measure::{self, children_cpu, median, ms};
use glovebox_benches::native;
use glovebox_benches::table::{Options, Row, print};

/// How long between two looks at a process's memory.
const LOOK: Duration = Duration::from_millis(5);

/// Appends a row to a text.
type Line = fn(&mut String, &mut Random);

fn main() -> Result<()> {
    let options = Options::read();
    let (megabytes, rounds) = (options.number("--mb", 500), options.number("--rounds", 3).max(1));
    let dir = tempfile::tempdir()?;
    let mut rows = Vec::new();
    let kinds: [(&str, Line); 4] = [("mixed", mixed), ("numbers", numbers), ("text", text), ("dates", dates)];
    let pandas = native::output("import pandas").is_ok();
    if !pandas {
        eprintln!(
            "no pandas in {}: measured without it; GLOVEBOX_NATIVE_PYTHON names another Python",
            native::python()
        );
    }
    for (name, line) in kinds {
        let path = dir.path().join(format!("{name}.csv"));
        let bytes = generate(&path, megabytes * 1_000_000, line)?;
        let binary = std::env::var("GLOVEBOX_BINARY").unwrap_or_else(|_| "glovebox".to_owned());
        let ours = repeat(rounds, || {
            let mut command = Command::new(&binary);
            command.args(["sample", "--json"]).arg(&path);
            command
        })?;
        let beside = if pandas { Some(repeat(rounds, || read_csv(&path))?) } else { None };
        rows.push(row(name, bytes, &ours, beside.as_ref()));
        fs::remove_file(&path)?;
    }
    let about = format!("{megabytes} MB each, median of {rounds}, files in the page cache; load {}", measure::load());
    print(&options, &about, &rows);
    Ok(())
}

fn read_csv(path: &Path) -> Command {
    let mut command = Command::new(native::python());
    command.args(["-c", "import pandas, sys; pandas.read_csv(sys.argv[1])"]).arg(path).env("OMP_NUM_THREADS", "1");
    command
}

/// Medians of one program's processes.
struct Measured {
    elapsed_ms: f64,
    cpu_ms: f64,
    peak_mib: f64,
}

fn row(name: &str, bytes: u64, ours: &Measured, beside: Option<&Measured>) -> Row {
    let speed = |milliseconds: f64| bytes as f64 / 1e3 / milliseconds;
    let words = |m: &Measured| {
        format!("{:.0} MB/s ({:.0} by CPU time), {:.0} MiB", speed(m.elapsed_ms), speed(m.cpu_ms), m.peak_mib)
    };
    let mut row = Row::new(name);
    row.put("sampler", words(ours));
    row.put("pandas.read_csv", beside.map_or_else(|| "absent".to_owned(), words));
    let ratio =
        |m: &Measured| format!("{:.1}x by CPU time, {:.3}x memory", m.cpu_ms / ours.cpu_ms, ours.peak_mib / m.peak_mib);
    row.put("ratio", beside.map_or_else(String::new, ratio));
    row
}

fn repeat(rounds: usize, command: impl Fn() -> Command) -> Result<Measured> {
    let (mut elapsed, mut cpu, mut peak) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (at, before) = (Instant::now(), children_cpu());
        let mut child = command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {:?}", command().get_program()))?;
        let mut most = 0;
        let status = loop {
            most = most.max(measure::peak_kib(child.id()));
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(LOOK);
        };
        ensure!(status.success(), "{:?} failed ({status})", command().get_program());
        elapsed.push(ms(at));
        cpu.push((children_cpu() - before).as_secs_f64() * 1e3);
        peak.push(most as f64 / 1024.0);
    }
    Ok(Measured { elapsed_ms: median(&mut elapsed), cpu_ms: median(&mut cpu), peak_mib: median(&mut peak) })
}

/// Writes lines until the file has that many bytes. A block is repeated after a row's number that is not.
fn generate(path: &Path, bytes: usize, line: fn(&mut String, &mut Random)) -> Result<u64> {
    let mut random = Random(1);
    let lines: Vec<String> = (0..100_000)
        .map(|_| {
            let mut text = String::new();
            line(&mut text, &mut random);
            text
        })
        .collect();
    let width = lines.first().map_or(0, |first| first.split(',').count());
    let mut file = BufWriter::new(File::create(path)?);
    let header: Vec<String> = (0..width).map(|at| format!("column{at}")).collect();
    let header = format!("row,{}\n", header.join(","));
    file.write_all(header.as_bytes())?;
    let mut written = header.len();
    for (row, line) in lines.iter().cycle().enumerate() {
        if written >= bytes {
            break;
        }
        let text = format!("{row},{line}\n");
        file.write_all(text.as_bytes())?;
        written += text.len();
    }
    file.flush()?;
    Ok(written as u64)
}

/// The same numbers in each run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

fn date(out: &mut String, random: &mut Random) {
    let (year, month, day) = (2010 + random.below(15), 1 + random.below(12), 1 + random.below(28));
    let _ = write!(out, "{year}-{month:02}-{day:02}");
}

fn mixed(out: &mut String, random: &mut Random) {
    date(out, random);
    let region = ["north", "south", "east", "west"][random.below(4) as usize];
    let name = ["Ann Smith", "\"Bob \"\"B\"\" Smith\"", "Zoë Müller"][random.below(3) as usize];
    let (euros, cents) = (random.below(200), random.below(100));
    let _ = write!(out, ",{region},{euros}.{cents:02},{},{name},{}", random.below(1_000_000), random.below(2) == 1);
}

fn numbers(out: &mut String, random: &mut Random) {
    for column in 0..8 {
        let comma = if column > 0 { "," } else { "" };
        let _ = write!(out, "{comma}{}.{:04}", random.below(4_000) as i64 - 2_000, random.below(10_000));
    }
}

fn text(out: &mut String, random: &mut Random) {
    for column in 0..6 {
        let comma = if column > 0 { "," } else { "" };
        let _ = write!(out, "{comma}word{} thing{}", random.below(5_000), random.below(5_000));
    }
}

fn dates(out: &mut String, random: &mut Random) {
    for column in 0..5 {
        out.push_str(if column > 0 { "," } else { "" });
        date(out, random);
        let _ = write!(out, " {:02}:{:02}:{:02}", random.below(24), random.below(60), random.below(60));
    }
}
