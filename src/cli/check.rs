//! `dbwarden check`.

use super::Exit;

/// Check a configuration file and report every problem in it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Exit {
    Exit::Failed
}
