//! `dbwarden request`: asks the daemon's healer for something; it decides.

use clap::Subcommand;
use serde_json::{Value, json};

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
    ColdStart(ColdStartArgs),
    StartTe(StartTeArgs),
}

/// Bring up a database of which nothing runs
///
/// The storage manager that ran last is started first, by the daemon's own record, the others once
/// it runs, transaction engines last. That is what the healer does by itself after a crash; asked
/// for, it is done after a stop as well. It is refused while an archive cannot be asked whose loss
/// is not accepted, and given up if it has not begun within `request-patience`.
#[derive(Debug, clap::Args)]
struct ColdStartArgs {
    /// The database
    database: String,
    /// In which domain; needed if the daemon watches several
    #[arg(long, value_name = "DOMAIN", env = "DBWARDEN_DOMAIN")]
    domain: Option<String>,
    /// Give up what only the archive on this peer has; may be given several times, with a reason
    #[arg(long, value_name = "PEER", requires = "reason")]
    accept_loss: Vec<String>,
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
    match &args.command {
        Command::ColdStart(start) => {
            talk(&args.socket, async |client| cold_start(client, start).await)
        }
        Command::StartTe(start) => talk(&args.socket, async |client| start_te(client, start).await),
    }
}

async fn cold_start(client: &mut Client, args: &ColdStartArgs) -> Result<(), Failure> {
    let start = json!({ "target": args.database, "accept-loss": args.accept_loss });
    let request = json!({ "cold-start": start });
    let who = (args.domain.as_deref(), &args.reason, &args.owner);
    ask(client, request, who, args.json).await
}

async fn start_te(client: &mut Client, args: &StartTeArgs) -> Result<(), Failure> {
    let mut start = json!({ "database": args.database });
    if let Some(peer) = &args.on {
        start["on"] = json!(peer);
    }
    if args.elsewhere {
        start["elsewhere"] = json!(true);
    }
    let request = json!({ "start-te": start });
    let who = (args.domain.as_deref(), &args.reason, &args.owner);
    ask(client, request, who, args.json).await
}

/// Asks for something in a domain, for a reason, in somebody's name.
async fn ask(
    client: &mut Client,
    mut request: Value,
    (domain, reason, owner): (Option<&str>, &Option<String>, &Option<String>),
    json: bool,
) -> Result<(), Failure> {
    let domain = client.domain(domain).await?;
    let address = format!("/api/v1/domains/{}/requests", encode(&domain));
    for (key, text) in [("reason", reason), ("owner", owner)] {
        if let Some(text) = text {
            request[key] = json!(text);
        }
    }
    let answer = client.post(&address, &request).await?;
    said(&answer, json)
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
