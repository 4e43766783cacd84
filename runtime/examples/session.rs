//! A session in figures: turns, saves, forks and wakes. `cargo run --release --example session`.

use std::path::PathBuf;
use std::time::Instant;

use glovebox_runtime::{ImageSource, ImageStore, Job, Limits, Mode, Program, Session};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cache = std::env::var("GLOVEBOX_CACHE_DIR").map(PathBuf::from)?;
    let name = std::env::args().nth(1).unwrap_or_else(|| "python".into());
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-images/");
    let store = ImageStore::new(vec![ImageSource::Dir(format!("{dir}{name}").into())], &cache)?;
    let image = store.load(&name)?;
    let place = tempfile::tempdir()?;
    let dirs = |n: usize| {
        let (w, t) = (place.path().join(format!("w{n}")), place.path().join(format!("t{n}")));
        let _ = (std::fs::create_dir(&w), std::fs::create_dir(&t));
        (w, t)
    };
    let job = |source: &str, n: usize| Job {
        image: name.clone(),
        program: Program { source: source.into(), ..Program::default() },
        workspace: dirs(n).0,
        limits: Limits { memory_mib: 2048, ..Limits::default() },
        mode: Mode::Live,
        seed: None,
    };
    let ms = |at: Instant| at.elapsed().as_secs_f64() * 1e3;
    let mut session = Session::open(&image, &job("", 0), &dirs(0).1).await?;
    for (index, source) in [
        "import pandas as pd; x = 1; f = open('a.txt', 'w+'); f.write('hello'); f.flush()",
        "x = 1",
        "x = 1",
        "x = 1",
        "df = pd.DataFrame({'a': range(10), 'b': [str(i) for i in range(10)]}); df.describe()",
        "x += 1; print(x)",
        "import numpy as np; big = pd.DataFrame({'a': np.arange(12_500_000)}); print(big.memory_usage().sum() >> 20)",
        "x += 1; print(x, len(big))",
    ]
    .iter()
    .enumerate()
    {
        let at = Instant::now();
        let outcome = session.turn(&job(source, 0), &mut |_| {}, &Default::default()).await?;
        let turn = ms(at);
        let at = Instant::now();
        let bytes = session.save(&place.path().join(format!("{index}.layer")))?;
        println!(
            "turn {turn:.2} ms, save {:.2} ms {} KiB, {:?} {}{}",
            ms(at),
            bytes >> 10,
            outcome.ending,
            outcome.stdout,
            outcome.stderr
        );
        for n in 1..4 {
            let (workspace, scratch) = dirs(10 * index + n);
            std::fs::copy(dirs(0).0.join("a.txt"), workspace.join("a.txt")).ok();
            let here = job("print(x, f.tell(), f.read(), len(globals().get('big', '')))", 10 * index + n);
            let at = Instant::now();
            let mut child = session.fork(&image, &here, &scratch).await?;
            let fork = ms(at);
            let at = Instant::now();
            let outcome = child.turn(&here, &mut |_| {}, &Default::default()).await?;
            print!("  fork {fork:.2} ms, turn {:.2} ms: {} {}", ms(at), outcome.stdout.trim(), outcome.stderr);
            let at = Instant::now();
            let woken = Session::wake(&image, &here, &scratch, &session.layers()).await?;
            println!("  wake {:.2} ms, {} layers", ms(at), woken.layers().len());
        }
    }
    let at = Instant::now();
    let sizes: Vec<u64> =
        session.layers().iter().map(|path| glovebox_runtime::compress_layer(path).unwrap_or(0)).collect();
    println!("compressed in {:.1} ms: {:?} KiB", ms(at), sizes.iter().map(|s| s >> 10).collect::<Vec<_>>());
    let at = Instant::now();
    let mut woken =
        Session::wake(&image, &job("print(x, len(big), df.shape)", 0), &dirs(0).1, &session.layers()).await?;
    print!("woken from compressed in {:.1} ms ", ms(at));
    println!("{}", woken.turn(&job("print(x, len(big), df.shape)", 0), &mut |_| {}, &Default::default()).await?.stdout);
    Ok(())
}
