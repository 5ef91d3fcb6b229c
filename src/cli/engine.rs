//! `dbwarden engine`: what the sandbox starts for each engine of its databases.

use std::path::PathBuf;
use std::process;

use super::Exit;
use crate::sandbox::serve;

/// Be an engine of a sandbox, until standard input ends.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The database, shown in the list of processes.
    #[arg(long)]
    database: String,
    /// The archive of a storage manager; any other engine is a transaction engine.
    #[arg(long)]
    archive: Option<PathBuf>,
    /// Make the archive.
    #[arg(long, requires = "archive")]
    initialize: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    match serve::live(args.archive.as_deref(), args.initialize) {
        0 => Exit::Fine,
        // Engines have exit codes of their own.
        code => process::exit(code.into()),
    }
}
