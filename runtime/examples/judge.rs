//! A pool of judges: programs read standard input, and each runs in a sandbox of its own on one of several threads.
//!
//! ```sh
//! cargo run --release -p glovebox-runtime --example judge -- DIR_OF_IMAGE CACHE_DIR
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use glovebox_runtime::{Echo, Ending, Image, ImageSource, ImageStore, Job, Limits, Mode, Program, RunError, run};

/// A program with what it reads and what it is to print.
struct Sample {
    source: String,
    stdin: String,
    expected: String,
}

/// What is found of a sample. Fuel decides, so that a busy machine finds the same.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    WrongAnswer,
    OutOfFuel,
    Failed(String),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(dir), Some(cache)) = (args.next(), args.next()) else {
        return Err("usage: judge DIR_OF_IMAGE CACHE_DIR".into());
    };
    let images = ImageStore::new(vec![ImageSource::Dir(dir.into())], cache.as_ref())?;
    let name = images.list()?.first().map(|image| image.manifest.name.clone()).ok_or("no image there")?;
    images.prepare(&name, &mut |step| eprintln!("{}", step.message))?;
    let image = Arc::new(images.load(&name)?);

    let programs = ["print(int(input()) ** 2)", "print(int(input()) * 2)", "while True: pass", "print(1 / 0)"];
    let samples: Vec<_> = (0..200)
        .map(|n| Sample {
            source: programs[n % programs.len()].into(),
            stdin: format!("{n}\n"),
            expected: (n * n).to_string(),
        })
        .collect();
    let (next, passed, began) = (AtomicUsize::new(0), AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| work(&image, &samples, &next, &passed));
        }
    });
    println!("{} of {} passed in {:.2?}", passed.into_inner(), samples.len(), began.elapsed());
    Ok(())
}

/// One judge: takes the next sample until there is none.
fn work(image: &Image, samples: &[Sample], next: &AtomicUsize, passed: &AtomicUsize) {
    let Ok(tokio) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
    while let Some(sample) = samples.get(next.fetch_add(1, Ordering::Relaxed)) {
        match tokio.block_on(judge(image, sample)) {
            Ok(Verdict::Passed) => drop(passed.fetch_add(1, Ordering::Relaxed)),
            Ok(_) => {}
            // Ours, not the sample's: to be tried again.
            Err(error) => eprintln!("could not judge: {error}"),
        }
    }
}

async fn judge(image: &Image, sample: &Sample) -> Result<Verdict, RunError> {
    let failed = |source| RunError::Io { action: "failed to make a directory in", path: std::env::temp_dir(), source };
    let workspace = tempfile::tempdir().map_err(failed)?;
    let job = Job {
        image: image.name().into(),
        program: Program {
            source: sample.source.clone(),
            stdin: sample.stdin.clone(),
            echo: Echo::None,
            ..Program::default()
        },
        workspace: workspace.path().into(),
        limits: Limits { fuel: 500_000_000, memory_mib: 512, ..Limits::default() },
        mode: Mode::Deterministic,
        seed: Some(0),
    };
    let outcome = run(image, &job, &mut |_| {}, &Default::default()).await?;
    Ok(match outcome.ending {
        Ending::Exited { code: 0 } if outcome.stdout.trim() == sample.expected => Verdict::Passed,
        Ending::Exited { code: 0 } => Verdict::WrongAnswer,
        Ending::OutOfFuel => Verdict::OutOfFuel,
        ending => Verdict::Failed(ending.sentence()),
    })
}
