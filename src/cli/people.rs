//! `dbwarden maintenance | hold | release | retry | scale | forget | want | confirm-dead | thaw`:
//! what people say to a running daemon, which keeps it in its journal with who said it and why.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Exit;
use super::client::{Client, Failure, SocketArgs, encode, talk};
use super::request::said;

/// What every word of a person's may come with.
#[derive(Debug, clap::Args)]
struct CommonArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// In which domain; needed if the daemon watches several
    #[arg(long, value_name = "DOMAIN", env = "DBWARDEN_DOMAIN")]
    domain: Option<String>,
    /// Who says so, if not the user that runs this
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Keep the healer's hands off something while people work at it; ends by itself.
///
/// It is watched and told of all the while. What ends there in the meantime is healed when the
/// maintenance is over.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 done, 1 refused, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct MaintenanceArgs {
    #[command(subcommand)]
    command: Maintenance,
}

#[derive(Debug, Subcommand)]
enum Maintenance {
    /// Begin, or change how long it lasts
    Start {
        /// The domain, a database, a peer (HOST:PORT) or a process (HOST:PORT/PID)
        target: String,
        /// How long it lasts, such as 2h; then healing resumes by itself
        #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
        lasts: Duration,
        /// Why, for the journal and whoever is told
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        common: CommonArgs,
    },
    /// End it before its time is over
    End {
        /// What it is of
        target: String,
        #[command(flatten)]
        word: WordArgs,
    },
}

/// Have nothing started for a slot or a database until it is released.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A hold does not end when a process takes the slot, and not when the daemon is started again.

Exit codes: 0 done, 1 refused, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct HoldArgs {
    /// A slot such as teas/te/1, or a database
    target: String,
    /// Why, for the journal and whoever is told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    common: CommonArgs,
}

/// A word that needs no reason.
#[derive(Debug, clap::Args)]
struct WordArgs {
    /// Why, for the journal and whoever is told
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
}

/// A word about a slot, a database or a peer.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 done, 1 refused, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct OfArgs {
    /// A slot such as teas/te/1, or a database; a peer (HOST:PORT) can be forgotten as well
    target: String,
    #[command(flatten)]
    word: WordArgs,
}

/// Say how many transaction engines of a database are wanted, within its policy's bounds.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Nothing is stopped; what runs beyond the number is not started again once it ends. `dbwarden \
forget DB` takes the word back.

Exit codes: 0 done, 1 refused, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct ScaleArgs {
    /// The database
    #[arg(value_name = "DB")]
    target: String,
    /// What is counted: transaction engines
    #[arg(value_parser = ["te"])]
    role: String,
    /// How many are wanted
    #[arg(value_name = "N")]
    count: u32,
    #[command(flatten)]
    word: WordArgs,
}

/// Say that a peer out of reach is dead, so that what ran there may be replaced at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only say so of a host that is powered off: engines that live on there run beside their \
replacements. The word holds until the peer is back.

Exit codes: 0 done, 1 refused, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct ConfirmDeadArgs {
    /// The peer
    #[arg(value_name = "PEER")]
    target: String,
    /// How that is known, for the journal and whoever is told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    common: CommonArgs,
}

/// Have a closed gate not count for a while.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 done, 1 refused, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct ThawArgs {
    /// The domain, by its name in the configuration
    #[arg(value_name = "DOMAIN")]
    target: String,
    /// Which gate, as `dbwarden status` names it
    #[arg(long, value_name = "GATE")]
    gate: String,
    /// How long it does not count, such as 10m
    #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
    lasts: Duration,
    /// Why, for the journal and whoever is told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    socket: SocketArgs,
    /// Who says so, if not the user that runs this
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs `maintenance`.
pub(super) fn maintenance(args: &MaintenanceArgs) -> Exit {
    match &args.command {
        Maintenance::Start {
            target,
            lasts,
            reason,
            common,
        } => {
            let what = json!({ "target": target, "seconds": lasts.as_secs() });
            tell("maintain", &what, Some(reason), common)
        }
        Maintenance::End { target, word } => plain("end-maintenance", target, word),
    }
}

/// Runs `hold`.
pub(super) fn hold(args: &HoldArgs) -> Exit {
    let what = json!({ "target": args.target });
    tell("hold", &what, Some(&args.reason), &args.common)
}

/// Runs `release`, `retry`, `forget` or `want`.
pub(super) fn of(word: &str, args: &OfArgs) -> Exit {
    plain(word, &args.target, &args.word)
}

/// Runs `scale`.
pub(super) fn scale(args: &ScaleArgs) -> Exit {
    let what = json!({ "target": args.target, (args.role.as_str()): args.count });
    tell(
        "scale",
        &what,
        args.word.reason.as_deref(),
        &args.word.common,
    )
}

/// Runs `confirm-dead`.
pub(super) fn confirm_dead(args: &ConfirmDeadArgs) -> Exit {
    let what = json!({ "target": args.target });
    tell("confirm-dead", &what, Some(&args.reason), &args.common)
}

/// Runs `thaw`.
pub(super) fn thaw(args: &ThawArgs) -> Exit {
    let seconds = args.lasts.as_secs();
    let what = json!({ "target": args.target, "gate": args.gate, "seconds": seconds });
    let request = request("thaw", &what, Some(&args.reason), args.owner.as_deref());
    let domain = Some(args.target.as_str());
    talk(&args.socket, async |client| {
        put(client, domain, &request, args.json).await
    })
}

fn plain(word: &str, target: &str, args: &WordArgs) -> Exit {
    let what = json!({ "target": target });
    tell(word, &what, args.reason.as_deref(), &args.common)
}

fn tell(word: &str, what: &Value, reason: Option<&str>, args: &CommonArgs) -> Exit {
    let request = request(word, what, reason, args.owner.as_deref());
    talk(&args.socket, async |client| {
        put(client, args.domain.as_deref(), &request, args.json).await
    })
}

/// Returns a request with who asks and why.
pub(super) fn request(
    word: &str,
    what: &Value,
    reason: Option<&str>,
    owner: Option<&str>,
) -> Value {
    let mut request = json!({ (word): what });
    for (key, text) in [("reason", reason), ("owner", owner)] {
        if let Some(text) = text {
            request[key] = json!(text);
        }
    }
    request
}

async fn put(
    client: &mut Client,
    domain: Option<&str>,
    request: &Value,
    json: bool,
) -> Result<(), Failure> {
    let domain = client.domain(domain).await?;
    let address = format!("/api/v1/domains/{}/requests", encode(&domain));
    let answer = client.post(&address, request).await?;
    said(&answer, json)
}

/// Reads a time such as `2h` or `1d 12h`, of whole seconds.
fn lasting(text: &str) -> Result<Duration, String> {
    let lasts = humantime::parse_duration(text).map_err(|it| format!("{it}; write a time: 2h"))?;
    if lasts.as_secs() == 0 {
        return Err("it would be over at once; write a time such as 2h".to_owned());
    }
    Ok(lasts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_and_none_at_all_is_refused() {
        assert_eq!(lasting("1h 30m"), Ok(Duration::from_secs(5_400)));
        for text in ["", "0s", "10", "soon"] {
            assert!(lasting(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_request_says_who_and_why() {
        let what = json!({ "target": "teas" });
        let told = request("hold", &what, Some("a new disk"), Some("ada"));
        let expected = json!({
            "hold": { "target": "teas" }, "reason": "a new disk", "owner": "ada",
        });
        assert_eq!(told, expected);
    }
}
