//! Any bytes are a layer or an error, and what is a layer stays the same when it is compressed.
#![no_main]
#![allow(dead_code, reason = "the reader is compiled without the runtime around it: Wasmtime would take minutes to build")]

use std::io::Write;

#[path = "../../runtime/src/layer.rs"]
mod layer;
#[path = "../layer_file.rs"]
mod layer_file;
#[path = "../../runtime/src/pages.rs"]
mod pages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut file = tempfile::NamedTempFile::new_in("/dev/shm").or_else(|_| tempfile::NamedTempFile::new()).unwrap();
    file.write_all(&layer_file::file_of(data)).unwrap();
    let path = file.path();
    let known = layer::inspect_layer(path);
    if layer::check_layer(path).is_ok() {
        layer::compress_layer(path).unwrap();
        layer::check_layer(path).unwrap();
        assert_eq!(layer::inspect_layer(path).unwrap().id, known.unwrap().id);
    }
});
