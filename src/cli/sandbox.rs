//! `dbwarden sandbox`.

use super::Exit;

/// Run a NuoDB-compatible domain on loopback.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) fn run(_args: &Args) -> Exit {
    Exit::Failed
}
