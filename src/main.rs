//! The `dbwarden` command: parses its command line, runs it, ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    dbwarden::cli::main()
}
