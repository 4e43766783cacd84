//! Runs a script in a fresh guest, by the library alone.
//!
//! `cargo run --release --example run -- guest-images/python script.py [WORKSPACE]`

use std::path::PathBuf;

use glovebox_runtime::{EventBody, ImageSource, ImageStore, Job, Limits, Mode, Program, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(image), Some(script)) = (args.next(), args.next()) else {
        return Err("usage: run IMAGE_DIR SCRIPT [WORKSPACE]".into());
    };
    let workspace = PathBuf::from(args.next().unwrap_or_else(|| ".".into()));
    let image = PathBuf::from(image);
    let name = image.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let cache = std::env::temp_dir().join("glovebox-example-cache");
    let images = ImageStore::new(vec![ImageSource::Dir(image)], &cache)?;
    images.prepare(&name, &mut |step| eprintln!("{}/{} {}", step.step, step.steps, step.message))?;
    let image = images.load(&name)?;
    let job = Job {
        image: name,
        program: Program { source: std::fs::read_to_string(script)?, ..Program::default() },
        workspace,
        limits: Limits::default(),
        mode: Mode::Live,
        seed: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let outcome = runtime.block_on(run(
        &image,
        &job,
        &mut |event| match event.body {
            EventBody::Stdout { text } => print!("{text}"),
            EventBody::Stderr { text } => eprint!("{text}"),
            _ => {}
        },
        &Default::default(),
    ))?;
    eprintln!("{}; {:?}; {:?}", outcome.ending.sentence(), outcome.usage, outcome.timing);
    Ok(())
}
