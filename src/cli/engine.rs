//! `dbwarden engine`.

use super::Exit;

/// Be an engine of a sandbox.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Exit {
    Exit::Failed
}
