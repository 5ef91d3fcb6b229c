//! `dbwarden deadletters`: what listeners were not told, and what to do about it.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Exit;
use super::answer::{array, text, time};
use super::client::{Client, Failure, SocketArgs, encode, read, say, say_raw, talk};
use super::paint::{Cell, Paint, Tone, align};

/// Show, replay or drop events that a listener was not told after all its tries.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A dead letter is called DOMAIN/NUMBER, as `list` shows it.

Exit codes: 0 done, 1 some do not exist, 64 wrong command line, 69 no daemon, 77 not allowed.")]
pub(super) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show them, the oldest first
    List(ListArgs),
    /// Tell them to their listeners once more
    Replay(ChoiceArgs),
    /// Forget them
    Drop(ChoiceArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only of this domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Only of this listener
    #[arg(long, value_name = "LISTENER")]
    listener: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(skip)]
struct ChoiceArgs {
    /// These
    #[arg(
        value_name = "LETTER",
        required_unless_present_any = ["listener", "all"],
        conflicts_with_all = ["listener", "all"]
    )]
    letters: Vec<String>,
    /// All of this listener
    #[arg(long, value_name = "LISTENER", conflicts_with = "all")]
    listener: Option<String>,
    /// All there are
    #[arg(long)]
    all: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    talk(&args.socket, async |client| match &args.command {
        Command::List(args) => list(client, args).await,
        Command::Replay(args) => change(client, args, "replay").await,
        Command::Drop(args) => change(client, args, "drop").await,
    })
}

async fn list(client: &mut Client, args: &ListArgs) -> Result<(), Failure> {
    let mut query = Vec::new();
    for (key, value) in [("domain", &args.domain), ("listener", &args.listener)] {
        if let Some(value) = value {
            query.push(format!("{key}={}", encode(value)));
        }
    }
    let address = format!("/api/v1/dead-letters?{}", query.join("&"));
    let body = client.get(&address).await?;
    if args.json {
        return say_raw(&body);
    }
    let letters = read(&body)?;
    let letters = array(&letters);
    if letters.is_empty() {
        return say(["no dead letter"]);
    }
    let heads = ["LETTER", "TIME", "LISTENER", "EVENT", "TRIES", "ERROR"];
    let mut rows = vec![heads.map(Cell::plain).to_vec()];
    rows.extend(letters.iter().map(row));
    say(align(&rows, Paint::for_stdout()))
}

fn row(letter: &Value) -> Vec<Cell> {
    let error = text(&letter["error"]);
    let (tone, error) = if letter["replayed"] == true {
        (Tone::Fair, format!("to be told again; before: {error}"))
    } else {
        (Tone::Bad, error.to_owned())
    };
    vec![
        Cell::plain(text(&letter["letter"])),
        Cell::plain(time(&letter["time"])),
        Cell::plain(text(&letter["listener"])),
        Cell::plain(format!(
            "{} {}",
            text(&letter["event"]["event"]),
            text(&letter["event"]["id"])
        )),
        Cell::plain(&letter["attempts"]),
        Cell::new(tone, error),
    ]
}

async fn change(client: &mut Client, args: &ChoiceArgs, deed: &str) -> Result<(), Failure> {
    let choice = match &args.listener {
        Some(listener) => json!({ "listener": listener }),
        None if args.all => json!({ "all": true }),
        None => json!({ "letters": args.letters }),
    };
    let body = client
        .post(&format!("/api/v1/dead-letters/{deed}"), &choice)
        .await?;
    let done = read(&body)?;
    if args.json {
        say_raw(&body)?;
    } else {
        let count = array(&done["letters"]).len();
        let what = if deed == "drop" {
            "dropped"
        } else {
            "to be told again"
        };
        say([format!("{count} {what}")])?;
    }
    let missing: Vec<&str> = array(&done["missing"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Failure::Refused(format!(
        "cannot {deed} {missing}: there is no such dead letter"
    )))
}
