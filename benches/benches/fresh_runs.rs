//! Fresh runs in this process, each image beside a native interpreter's whole process.
//!
//! `cargo xtask bench`. Native pandas is measured where `GLOVEBOX_NATIVE_PYTHON` (or `python3`) has it.

use std::process::{Command, Stdio};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use glovebox_benches::{CONSOLE_LOG, GROUP_AND_PLOT, PRINT, place};
use glovebox_runtime::{Job, Limits, Mode, Program, run};

fn fresh(criterion: &mut Criterion) {
    let store = place::store().expect("the image store opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("tokio starts");
    let workspace = tempfile::tempdir().expect("a directory");
    for (image, name, source) in [
        ("python", "print(1)", PRINT),
        ("rustpython", "print(1)", PRINT),
        ("javascript", "console.log(1)", CONSOLE_LOG),
        ("python", "group and plot", GROUP_AND_PLOT),
    ] {
        store.prepare(image, &mut |step| eprintln!("{image}: {}", step.message)).expect("the image prepares");
        let mapped = store.load(image).expect("the image loads");
        let job = Job {
            image: image.into(),
            program: Program { source: source.into(), ..Program::default() },
            workspace: workspace.path().into(),
            limits: Limits::default(),
            mode: Mode::Live,
            seed: None,
        };
        let mut group = criterion.benchmark_group(format!("fresh {image}"));
        group.sample_size(if source.len() < 20 { 100 } else { 10 });
        group.bench_function(name, |bencher| {
            // As the worker pool does it: the memory is mapped between runs, while nobody waits.
            let between = || runtime.block_on(mapped.make_ready());
            let fresh_run = |()| {
                let outcome = runtime.block_on(run(&mapped, &job, &mut |_| {}, &Default::default())).expect("runs");
                assert!(outcome.ending.is_success(), "{}", outcome.stderr);
            };
            bencher.iter_batched(between, fresh_run, BatchSize::PerIteration);
        });
        group.finish();
    }
}

fn native(criterion: &mut Criterion) {
    let python = std::env::var("GLOVEBOX_NATIVE_PYTHON").unwrap_or_else(|_| "python3".into());
    let workspace = tempfile::tempdir().expect("a directory");
    let call = |source: &str| {
        let mut command = Command::new(&python);
        command.args(["-c", source]).current_dir(workspace.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let mut group = criterion.benchmark_group("native process");
    group.sample_size(10);
    for (name, source) in [("print(1)", PRINT), ("group and plot", GROUP_AND_PLOT)] {
        if call(source) {
            group.bench_function(name, |bencher| bencher.iter(|| assert!(call(source))));
        } else {
            eprintln!("{python} cannot run `{name}`: no native figure");
        }
    }
    group.finish();
}

criterion_group!(benches, fresh, native);
criterion_main!(benches);
