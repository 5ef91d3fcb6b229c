//! `dbwarden demo`.

use super::Exit;

/// Show it at work: a sandbox, the daemon and a crash, on loopback.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Exit {
    Exit::Failed
}
