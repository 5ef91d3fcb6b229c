//! `dbwarden sandbox-ctl`.

use super::Exit;

/// Make a running sandbox misbehave.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Exit {
    Exit::Failed
}
