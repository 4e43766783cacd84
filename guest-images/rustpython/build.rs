//! Link arguments live here and not in a `.cargo/config.toml`, because cargo is run from the repository's root.

fn main() {
    // The Python half is read by the `py_freeze!` macro, which cargo does not see.
    println!("cargo:rerun-if-changed=guest");
    println!("cargo:rerun-if-changed=build.rs");
    // RustPython's guard against deep recursion watches the stack in linear memory. It has to run out before the host's
    // own stack for wasm frames does (2 MiB at least), so that a script gets a RecursionError and not a trap.
    println!("cargo:rustc-cdylib-link-arg=-zstack-size=524288");
}
