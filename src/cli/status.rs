//! `dbwarden status`, `peers`, `databases`, `processes`: what the daemon knows and means.

mod picture;
mod screen;

use std::io::{self, IsTerminal as _};

use serde_json::{Value, json};

use self::screen::{Room, screen};
use super::Exit;
use super::answer::{array, text, time};
use super::client::{Client, Failure, SocketArgs, encode, read, say, talk};
use super::health::{Level, Problem, level_of, problems};
use super::paint::{Cell, Paint, Tone, align};

/// Begins a screen anew, and forgets what is below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Of so many things that are wrong the daemon is asked why.
const ASKED: usize = 6;

/// Show whether all is well, or what is not and what to do, and what the daemon does about it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json one object, with --follow one per line; docs/api.md tells its fields. There is colour \
on a terminal unless NO_COLOR is set.

Exit codes: 0 healthy, 2 something is wrong or being healed, 64 wrong command line, 69 no daemon, \
or it ended while it was followed, or a domain does not answer, 77 not allowed.")]
pub(super) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    /// Show it again whenever it changes, until it is interrupted or the daemon ends
    #[arg(long, short)]
    follow: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What the commands have that show one list.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json a list of objects, each with its `domain`; docs/api.md tells the other fields.

Exit codes: 0 shown, 1 no such domain, 64 wrong command line, 69 no daemon, or a domain does not \
answer, 77 not allowed.")]
pub(super) struct ListArgs {
    #[command(flatten)]
    socket: SocketArgs,
    /// Only of this domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Which list.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    Databases,
    Peers,
    Processes,
}

/// Runs `status`.
pub(super) fn run(args: &Args) -> Exit {
    talk(&args.socket, async |client| {
        if args.follow {
            return follow(client, args.json).await;
        }
        let status = client.get_json("/api/v1/status").await?;
        let mut found = problems(&status);
        ask_why(client, &mut found).await?;
        if args.json {
            say([with_health(status.clone(), &found)])?;
        } else {
            say(screen(&status, &found, Room::Plenty, Paint::for_stdout()))?;
        }
        answered(&status)?;
        match level_of(&found) {
            Level::Critical | Level::Warning | Level::Work => Err(Failure::NotMet),
            Level::Note => Ok(()),
        }
    })
}

/// Has the daemon say why, of the first things that are wrong: it knows what each waits for.
async fn ask_why(client: &mut Client, found: &mut [Problem]) -> Result<(), Failure> {
    for problem in found.iter_mut().filter(|it| it.explains).take(ASKED) {
        let domain = encode(&problem.domain);
        let address = format!(
            "/api/v1/domains/{domain}/why?entity={}",
            encode(&problem.about)
        );
        let why = match client.get_json(&address).await {
            Ok(it) => it,
            // It may have been mended meanwhile.
            Err(Failure::Refused(_)) => continue,
            Err(failure) => return Err(failure),
        };
        if !problem.text.is_empty() {
            problem.text.push_str("; ");
        }
        problem.text.push_str(text(&why["text"]));
        let mut because = array(&why["because"]).iter();
        if let Some(advice) = because.find_map(|it| it["advice"].as_str()) {
            problem.next = format!("{advice} ({})", problem.next);
        }
    }
    Ok(())
}

/// Returns the status as programs read it, with what is wrong.
fn with_health(mut status: Value, found: &[Problem]) -> String {
    let level = level_of(found);
    let problems: Vec<Value> = found.iter().map(Problem::json).collect();
    status["health"] = json!({
        "healthy": level == Level::Note, "verdict": level.verdict(), "problems": problems,
    });
    status.to_string()
}

async fn follow(client: &mut Client, json: bool) -> Result<(), Failure> {
    let paint = Paint::for_stdout();
    let is_screen = io::stdout().is_terminal();
    let shown = client.lines("/api/v1/status?follow=true", |line| {
        let status = read(line.as_bytes())?;
        let found = problems(&status);
        if json {
            return say([with_health(status, &found)]);
        }
        let mut lines = screen(&status, &found, Room::of_stdout(), paint);
        if is_screen {
            lines[0].insert_str(0, CLEAR);
        } else {
            lines.push(String::new());
        }
        say(lines)
    });
    shown.await?;
    // It never ends by itself.
    Err(Failure::Gone(
        "the daemon stopped, and its status with it".into(),
    ))
}

/// Runs one of the commands that show a list.
pub(super) fn run_list(args: &ListArgs, list: List) -> Exit {
    talk(&args.socket, async |client| {
        let mut status = client.get_json("/api/v1/status").await?;
        if let Some(name) = &args.domain {
            let domains = status["domains"].as_array_mut();
            let domains = domains.map(std::mem::take).unwrap_or_default();
            let only: Vec<Value> = domains
                .into_iter()
                .filter(|it| it["domain"] == **name)
                .collect();
            if only.is_empty() {
                return Err(Failure::Refused(format!("no domain is called `{name}`")));
            }
            status["domains"] = only.into();
        }
        if args.json {
            say([Value::from(flat(&status, list)).to_string()])?;
        } else {
            say(align(&table(&status, list), Paint::for_stdout()))?;
        }
        answered(&status)
    })
}

/// Fails when a domain did not answer.
fn answered(status: &Value) -> Result<(), Failure> {
    for domain in array(&status["domains"]) {
        if let Some(problem) = domain["problem"].as_str() {
            let name = text(&domain["domain"]);
            return Err(Failure::Gone(format!("the domain `{name}`: {problem}")));
        }
    }
    Ok(())
}

impl List {
    const fn key(self) -> &'static str {
        match self {
            Self::Databases => "databases",
            Self::Peers => "peers",
            Self::Processes => "processes",
        }
    }

    fn heads(self) -> &'static [&'static str] {
        match self {
            Self::Databases => &["DATABASE", "STATUS", "TE", "SM"],
            Self::Peers => &["PEER", "ADDRESS", "ROLE", "STATE", "SINCE", "PROCESSES"],
            Self::Processes => &[
                "DATABASE", "ROLE", "PEER", "PID", "ADDRESS", "STATUS", "SINCE",
            ],
        }
    }

    fn row(self, it: &Value) -> Vec<Cell> {
        match self {
            Self::Databases => database_row(it),
            Self::Peers => vec![
                Cell::plain(text(&it["peer"])),
                Cell::plain(text(&it["address"])),
                Cell::plain(text(&it["role"])),
                peer_state(it),
                Cell::plain(time(&it["since"])),
                Cell::plain(&it["processes"]),
            ],
            Self::Processes => vec![
                Cell::plain(text(&it["database"])),
                Cell::plain(text(&it["role"])),
                Cell::plain(text(&it["peer"])),
                Cell::plain(&it["pid"]),
                Cell::plain(text(&it["address"])),
                process_status(it),
                Cell::plain(time(&it["first_seen"])),
            ],
        }
    }
}

/// Returns the things of all domains, each with the name of its domain.
fn flat(status: &Value, list: List) -> Vec<Value> {
    let mut all = Vec::new();
    for domain in array(&status["domains"]) {
        for thing in array(&domain[list.key()]) {
            let mut thing = thing.clone();
            thing["domain"] = json!(text(&domain["domain"]));
            all.push(thing);
        }
    }
    all
}

fn table(status: &Value, list: List) -> Vec<Vec<Cell>> {
    // With one domain there is nothing to tell apart.
    let is_one = array(&status["domains"]).len() == 1;
    let with = |domain: Cell, mut row: Vec<Cell>| {
        if !is_one {
            row.insert(0, domain);
        }
        row
    };
    let heads = list.heads().iter().map(Cell::plain).collect();
    let mut rows = vec![with(Cell::plain("DOMAIN"), heads)];
    let things = flat(status, list);
    rows.extend(
        things
            .iter()
            .map(|it| with(Cell::plain(text(&it["domain"])), list.row(it))),
    );
    rows
}

fn database_row(it: &Value) -> Vec<Cell> {
    let (running, wanted) = (&it["te"]["running"], &it["te"]["wanted"]);
    let te = if wanted.as_u64().unwrap_or(0) > 0 {
        format!("{running} of {wanted}")
    } else {
        running.to_string()
    };
    let tone = if it["degraded"] == true {
        Tone::Fair
    } else {
        Tone::Plain
    };
    let status = text(&it["status"]);
    let status_tone = if status == "active" {
        Tone::Good
    } else {
        Tone::Bad
    };
    vec![
        Cell::plain(text(&it["database"])),
        Cell::new(status_tone, status),
        Cell::new(tone, te),
        Cell::plain(&it["sm"]["running"]),
    ]
}

fn peer_state(it: &Value) -> Cell {
    if it["connected"] == true {
        Cell::new(Tone::Good, "connected")
    } else {
        Cell::new(Tone::Bad, "unreachable")
    }
}

fn process_status(it: &Value) -> Cell {
    let status = text(&it["status"]);
    let word = it["status_word"].as_str().unwrap_or(status);
    if it["reachable"] == false {
        return Cell::new(Tone::Bad, format!("{word}, unreachable"));
    }
    if it["unresponsive"].is_object() {
        return Cell::new(Tone::Bad, format!("{word}, does not answer"));
    }
    let tone = match status {
        "up" => Tone::Good,
        "starting" | "stopping" => Tone::Fair,
        _ => Tone::Bad,
    };
    Cell::new(tone, word)
}
