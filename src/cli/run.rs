//! `dbwarden run`.

use super::Exit;

/// Watch the configured domains and heal them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Exit {
    Exit::Failed
}
