//! The fuzzer's corpus: any bytes are a layer or an error (`cargo +nightly fuzz run checkpoint` looks for more).

use glovebox_runtime::{check_layer, compress_layer, inspect_layer};

#[path = "../../fuzz/layer_file.rs"]
mod layer_file;

#[test]
fn every_input_of_the_corpus_is_a_layer_or_an_error() {
    let corpus = glovebox_tests::here().join("../fuzz/corpus/checkpoint");
    let dir = tempfile::tempdir().expect("a directory");
    let mut inputs = 0;
    for entry in std::fs::read_dir(corpus).expect("a corpus") {
        let data = std::fs::read(entry.expect("an entry").path()).expect("readable");
        let path = dir.path().join("input.layer");
        std::fs::write(&path, layer_file::file_of(&data)).expect("written");
        let known = inspect_layer(&path);
        if check_layer(&path).is_ok() {
            compress_layer(&path).expect("a layer can be compressed");
            check_layer(&path).expect("a compressed layer is a layer");
            assert_eq!(inspect_layer(&path).expect("readable").id, known.expect("readable").id);
        }
        inputs += 1;
    }
    assert!(inputs > 3);
}
