//! `dbwarden domain`.

use super::Exit;

/// Look at a domain and change it, straight at a broker, without a daemon.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Exit {
    Exit::Failed
}
