//! Any reply of a model is a program, a text or both, within bounds, in each language.
#![no_main]
#![allow(dead_code, reason = "the extraction is compiled without the host around it: Wasmtime would take minutes to build")]

#[path = "../../host/src/engine"]
mod engine {
    pub mod extract;
    mod language;
    pub use language::Language;

    /// As in `answer.rs`, which would bring half of the engine along.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Alternative {
        pub title: String,
        pub program: String,
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let reply = String::from_utf8_lossy(data);
    for language in [engine::Language::Python, engine::Language::JavaScript] {
        let base = Some("import pandas as pd\n");
        let extract = engine::extract::extract_for(&reply, &language, base);
        assert!(extract.program.is_none_or(|program| program.len() <= engine::extract::MAX_PROGRAM_BYTES));
        assert!(extract.suggestions.len() <= 4);
    }
    engine::extract::explanation(&reply);
});
