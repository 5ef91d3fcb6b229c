//! The `dbwarden` command: parses its command line, runs it, ends with its exit code.

use std::process::ExitCode;

/// The memory of a program that runs for years and takes and returns small pieces all the time.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dbwarden::cli::main()
}
