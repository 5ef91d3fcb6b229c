//! `dbwarden why`: why something is as it is, in words for whoever was woken.

use serde_json::Value;

use super::Exit;
use super::answer::{array, text, time};
use super::client::{Client, Failure, SocketArgs, encode, read, say, say_raw, talk};
use super::paint::{Cell, Paint, Tone, align};

/// Say why something is as it is: what was decided, by what evidence, and what is waited for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An ENTITY is a seat (DATABASE/te/1), a database, a peer, or a process (PEER/PID), as `status` and \
the lists show them. A process that is gone is explained by the seat it left. Without one the \
domain is explained: its gates, and every seat that is not as it should be.

Exit codes: 0 explained, 1 nothing goes by that name, 64 wrong command line, 69 no daemon, or the \
domain does not answer, 77 not allowed.")]
pub(super) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    /// What to explain
    entity: Option<String>,
    /// In which domain; needed if the daemon watches several
    #[arg(long, value_name = "DOMAIN", env = "DBWARDEN_DOMAIN")]
    domain: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    talk(&args.socket, async |client| why(client, args).await)
}

async fn why(client: &mut Client, args: &Args) -> Result<(), Failure> {
    let domain = client.domain(args.domain.as_deref()).await?;
    let mut address = format!("/api/v1/domains/{}/why", encode(&domain));
    if let Some(entity) = &args.entity {
        address.push_str("?entity=");
        address.push_str(&encode(entity));
    }
    let body = client.get(&address).await?;
    if args.json {
        return say_raw(&body);
    }
    let why = read(&body)?;
    let paint = Paint::for_stdout();
    say(align(&[head(&why)], paint))?;
    let because = array(&why["because"]);
    let reasons: Vec<Vec<Cell>> = because.iter().map(reason).collect();
    say(align(&reasons, paint))?;
    let history = array(&why["history"]);
    if history.is_empty() {
        return Ok(());
    }
    say(["lately:"])?;
    let steps: Vec<Vec<Cell>> = history.iter().map(step).collect();
    say(align(&steps, paint))
}

fn head(why: &Value) -> Vec<Cell> {
    let state = text(&why["state"]);
    let tone = match state {
        "active" | "connected" | "filled" | "live" | "synced" => Tone::Good,
        "held" | "stale" | "unknown" | "unreachable" | "vacant" => Tone::Bad,
        "acting" | "leaving" => Tone::Fair,
        _ => Tone::Plain,
    };
    vec![
        Cell::plain(text(&why["about"])),
        Cell::new(tone, state),
        Cell::plain(text(&why["text"])),
    ]
}

fn reason(reason: &Value) -> Vec<Cell> {
    let mut says = text(&reason["text"]).to_owned();
    if !reason["since"].is_null() {
        let since = time(&reason["since"]);
        says = format!("{says}; since {since}");
    }
    if let Some(left) = reason["seconds_left"].as_u64() {
        let until = time(&reason["until"]);
        says = format!("{says}; until {until}, in {left} s");
    }
    if let Some(advice) = reason["advice"].as_str() {
        says = format!("{says}; to do: {advice}");
    }
    vec![
        Cell::plain(text(&reason["rule"])).after("  "),
        Cell::plain(says),
    ]
}

fn step(step: &Value) -> Vec<Cell> {
    let action = step["action"].as_u64();
    let what = match (action, step["gate"].as_str()) {
        (Some(action), _) => format!("{} {action}", text(&step["step"])),
        (None, Some(gate)) => format!("{} by {gate}", text(&step["step"])),
        (None, None) => text(&step["step"]).to_owned(),
    };
    let process = step["peer"].as_str().zip(step["pid"].as_u64());
    let says = match process {
        Some((peer, pid)) if step["step"] != "filled" => {
            format!("{peer}/{pid}: {}", text(&step["text"]))
        }
        Some(_) | None => text(&step["text"]).to_owned(),
    };
    vec![
        Cell::plain(time(&step["time"])).after("  "),
        Cell::plain(what),
        Cell::plain(says),
    ]
}
