//! `cargo run --release -p glovebox-media --example media -- '{"op": "probe"}' clip.gif [OUTPUT]`

use std::fs::File;

use glovebox_media::{Caps, Input, Op, perform};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let op: Op = serde_json::from_str(&args.next().ok_or("no operation")?)?;
    let mut names: Vec<String> = args.collect();
    let output = if matches!(op, Op::Probe) { None } else { names.pop() };
    let inputs = names.into_iter().map(|name| Ok(Input { file: File::open(&name)?, name }));
    let inputs = inputs.collect::<Result<Vec<_>, std::io::Error>>()?;
    let report = perform(&op, inputs, output.map(File::create).transpose()?, &Caps::default())?;
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}
