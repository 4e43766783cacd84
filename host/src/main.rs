//! The `glovebox` command.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    glovebox::cli::main()
}
