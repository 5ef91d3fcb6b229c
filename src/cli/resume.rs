//! `dbwarden resume`: lets the healer act again after its memory was lost.

use serde_json::json;

use super::Exit;
use super::client::{SocketArgs, encode, talk};
use super::request::said;

/// Let the healer of a domain act again although what it remembered is lost.
///
/// A daemon whose journal was damaged, and its copy as well, only watches the domain: it does not
/// know what is wanted, held, or under way. This accepts that it begins anew.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 it acts again, 1 refused, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    /// In which domain; needed if the daemon watches several
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Say that it is known that memory is lost
    #[arg(long, required = true)]
    accept_lost_memory: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    talk(&args.socket, async |client| {
        let domain = client.domain(args.domain.as_deref()).await?;
        let address = format!("/api/v1/domains/{}/resume", encode(&domain));
        let answer = client.post(&address, &json!({})).await?;
        said(&answer, args.json)
    })
}
