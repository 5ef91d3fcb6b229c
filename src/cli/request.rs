//! `dbwarden request`: asks the daemon's healer for something; it decides.

use clap::Subcommand;
use serde_json::json;

use super::Exit;
use super::client::{Client, Failure, SocketArgs, encode, read, say, say_raw, talk};
use super::paint::clean;

/// Ask the daemon's healer for something, which it does if its gates allow.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A request passes the same gates, budgets and fences as what the healer does by itself, so nothing \
is started twice. A script that a listener runs needs `may-request` in that listener's \
configuration; DBWARDEN_LISTENER, which is set for it, says who asks.

Exit codes: 0 it is being done, 1 refused, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    StartTe(StartTeArgs),
}

/// Start a transaction engine that is missing
#[derive(Debug, clap::Args)]
struct StartTeArgs {
    /// The database it shall serve
    database: String,
    /// In which domain; needed if the daemon watches several
    #[arg(long, value_name = "DOMAIN", env = "DBWARDEN_DOMAIN")]
    domain: Option<String>,
    /// On this peer
    #[arg(long, value_name = "PEER", conflicts_with = "elsewhere")]
    on: Option<String>,
    /// Not on the peer that lost it
    #[arg(long)]
    elsewhere: bool,
    /// Why, for the journal and whoever is told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Who asks, if not the user that runs this
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    let Command::StartTe(start) = &args.command;
    talk(&args.socket, async |client| start_te(client, start).await)
}

async fn start_te(client: &mut Client, args: &StartTeArgs) -> Result<(), Failure> {
    let domain = client.domain(args.domain.as_deref()).await?;
    let mut start = json!({ "database": args.database });
    if let Some(peer) = &args.on {
        start["on"] = json!(peer);
    }
    if args.elsewhere {
        start["elsewhere"] = json!(true);
    }
    let address = format!("/v1/domains/{}/requests", encode(&domain));
    let mut request = json!({ "start-te": start });
    for (key, text) in [("reason", &args.reason), ("owner", &args.owner)] {
        if let Some(text) = text {
            request[key] = json!(text);
        }
    }
    let answer = client.post(&address, &request).await?;
    said(&answer, args.json)
}

/// Says what became of something that was asked for.
pub(super) fn said(answer: &[u8], json: bool) -> Result<(), Failure> {
    if json {
        return say_raw(answer);
    }
    let answer = read(answer)?;
    let text = answer["text"].as_str().unwrap_or("done");
    say([clean(text)])
}
