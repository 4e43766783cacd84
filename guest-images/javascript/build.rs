//! Lists the JavaScript to embed, and holds the link arguments: cargo is run from the repository's root, so a
//! `.cargo/config.toml` here would not be seen.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A script may declare a `Map` or a `Date` of its own: the modules in the image keep the real ones, which this one exports.
const STANDARD: &str = "glovebox:standard";

fn main() -> std::io::Result<()> {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let standard = std::fs::read_to_string(root.join("guest/standard.js"))?;
    let names = standard.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(names, _)| names);
    // In the first line, so that all lines keep their numbers.
    let import = format!("import {{{}}} from '{STANDARD}';", names.split_whitespace().collect::<String>());
    let mut code = String::new();
    for (list, directory, prefix) in [("GUEST", "guest", "glovebox:"), ("VENDOR", "vendor", "")] {
        println!("cargo:rerun-if-changed={directory}");
        let _ =
            writeln!(code, "/// Name and source of each module in `{directory}`.\nstatic {list}: &[(&str, &str)] = &[");
        let mut files = Vec::new();
        scripts(&root.join(directory), &mut files)?;
        files.sort();
        for file in files {
            let name = file.strip_prefix(root.join(directory)).unwrap_or(&file).with_extension("");
            let name = format!("{prefix}{}", name.display());
            let source = std::fs::read_to_string(&file)?;
            let source = if name == STANDARD { source } else { format!("{import} {source}") };
            let _ = writeln!(code, "    ({name:?}, {source:?}),");
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    std::fs::write(out.join("modules.rs"), code)?;
    // QuickJS measures its depth by the stack in linear memory (`STACK` in `engine.rs`), which has to run out before the
    // host's own stack for wasm frames does, so that a script gets an exception and not a trap.
    println!("cargo:rustc-cdylib-link-arg=-zstack-size=1048576");
    println!("cargo:rerun-if-changed=build.rs");
    Ok(())
}

fn scripts(directory: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            scripts(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "js" || extension == "mjs") {
            found.push(path);
        }
    }
    Ok(())
}
