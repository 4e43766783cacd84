//! Lists the guest images' files for embedding: one binary holds all of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const IMAGES: [&str; 3] = ["python", "rustpython", "javascript"];

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-images");
    let mut code = String::from("&[\n");
    for image in IMAGES {
        let dir = root.join(image);
        println!("cargo::rerun-if-changed={}", dir.display());
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&dir)?.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
        files.sort();
        code.push_str("    &[\n");
        for file in files {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            // The image's description and its packed files; recipes and licences stay outside.
            if name != "image.toml" && !name.ends_with(".zst") && !name.ends_with(".zip") {
                continue;
            }
            println!("cargo::rerun-if-changed={}", file.display());
            let path = file.canonicalize()?;
            // Writing to a String cannot fail.
            let _ = writeln!(code, "        ({name:?}, include_bytes!({path:?})),");
        }
        code.push_str("    ],\n");
    }
    code.push_str("]\n");
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    std::fs::write(out.join("images.rs"), code)
}
