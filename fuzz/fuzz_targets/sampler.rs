//! Any bytes under any name have a sample, and its text for a model keeps to its budget.
#![no_main]
#![allow(dead_code, reason = "the sampler is compiled without the host around it: Wasmtime would take minutes to build")]

use std::io::{Seek, Write};

#[path = "../../host/src/engine"]
mod engine {
    pub mod sample;
    pub mod sampler;
}
#[path = "../named_file.rs"]
mod named_file;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (name, content) = named_file::file_of(data);
    let mut file = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile()).unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    let sample = engine::sampler::read(name, file, content.len() as u64).unwrap();
    assert_eq!((sample.name.as_str(), sample.size), (name, content.len() as u64));
    assert!(engine::sampler::to_prompt(&[sample], 2_000).len() <= 2_000);
});
