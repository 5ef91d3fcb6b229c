//! `dbwarden completions` and `dbwarden man`: what shells and `man` know of the command line.
//!
//! Both are made from the definitions that the command line itself is parsed by, so they cannot
//! differ from it; there is deliberately no text of their own.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{CommandLine, Exit};
use crate::telemetry::chain;

/// What the command is called, in completions.
const NAME: &str = "dbwarden";

/// Write what a shell needs to complete commands and options
#[derive(Debug, clap::Args)]
#[command(after_help = "\
For this session of bash: source <(dbwarden completions bash). The package installs them for bash, \
fish and zsh.")]
pub(super) struct CompletionsArgs {
    /// The shell to write for
    shell: Shell,
}

/// Write the manual, a page for each command
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A page can be read where it was written: man ./dbwarden-run.1. The package installs them all.")]
pub(super) struct ManArgs {
    /// Where the pages are written; it is made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs `dbwarden completions`.
pub(super) fn completions(args: &CompletionsArgs) -> Exit {
    // The generator cannot say that a pipe was closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), NAME, &mut script);
    match io::stdout().lock().write_all(&script) {
        Ok(()) => Exit::Fine,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Fine,
        Err(error) => fail("cannot write the completions", &error),
    }
}

/// Runs `dbwarden man`.
pub(super) fn man(args: &ManArgs) -> Exit {
    match write_pages(&args.out) {
        Ok(()) => Exit::Fine,
        Err(error) => fail(
            &format!("cannot write the manual to {}", args.out.display()),
            &error,
        ),
    }
}

fn write_pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(CommandLine::command(), folder)
}

fn fail(what: &str, error: &io::Error) -> Exit {
    // Nobody reads stderr: the exit code says it as well.
    let _ = writeln!(io::stderr().lock(), "dbwarden: {what}: {}", chain(error));
    Exit::Failed
}
