//! `dbwarden events`: what happened, from the daemon's journals.

use std::time::Duration;

use serde_json::Value;

use super::Exit;
use super::answer::{text, time};
use super::client::{Client, Failure, SocketArgs, encode, read, say, talk};
use super::paint::{Paint, Tone, clean};
use crate::daemon::Clock;
use crate::time::WallTime;

/// Show what happened, and with --follow what happens.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --json each line is an object, the same that listeners are told. Without --since everything \
that is kept is shown, or, with --follow, what happens from now on.

Exit codes: 0 all were shown, 64 wrong command line, 69 no daemon, or it ended while it was \
followed, 77 not allowed.")]
pub(super) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    /// Go on until the daemon ends
    #[arg(long, short)]
    follow: bool,
    /// Begin behind event number SEQ, at a time such as 2026-11-21T03:04:05Z, or so long ago: 10m
    #[arg(long, value_name = "T|SEQ")]
    since: Option<String>,
    /// Only those of which this is so: 'severity == "critical"'
    #[arg(long = "where", value_name = "EXPR")]
    condition: Option<String>,
    /// Only of this domain; `-` has the daemon's own
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// A line of JSON for each
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    talk(&args.socket, async |client| show(client, args).await)
}

async fn show(client: &mut Client, args: &Args) -> Result<(), Failure> {
    let address = address(args)?;
    let paint = Paint::for_stdout();
    let lines = client.lines(&address, |line| {
        if args.json {
            say([line])
        } else {
            say([picture(&read(line.as_bytes())?, paint)])
        }
    });
    lines.await?;
    if args.follow {
        // It never ends by itself.
        return Err(Failure::Gone(
            "the daemon stopped, and with it its events".into(),
        ));
    }
    Ok(())
}

fn address(args: &Args) -> Result<String, Failure> {
    let mut query = Vec::new();
    if args.follow {
        query.push("follow=true".to_owned());
    }
    if let Some(since) = &args.since {
        query.push(begin(since)?);
    }
    if let Some(condition) = &args.condition {
        query.push(format!("where={}", encode(condition)));
    }
    if let Some(domain) = &args.domain {
        query.push(format!("domain={}", encode(domain)));
    }
    Ok(format!("/api/v1/events?{}", query.join("&")))
}

/// Returns where to begin as a part of an address.
fn begin(text: &str) -> Result<String, Failure> {
    if text.parse::<u64>().is_ok() {
        return Ok(format!("after={text}"));
    }
    if humantime::parse_rfc3339(text).is_ok() {
        return Ok(format!("since={}", encode(text)));
    }
    let ago: Duration = humantime::parse_duration(text).map_err(|_| {
        Failure::Usage(format!(
            "`{text}` is no beginning; --since takes the number of an event, a time in UTC such as \
             2026-11-21T03:04:05Z, or how long ago, such as 10m"
        ))
    })?;
    let now = Clock::start().now().wall.as_unix_micros();
    let ago = u64::try_from(ago.as_micros()).unwrap_or(u64::MAX);
    let since = WallTime::from_unix_micros(now.saturating_sub(ago));
    Ok(format!("since={since}"))
}

/// Returns an event as people read it.
fn picture(event: &Value, paint: Paint) -> String {
    let of = |name: &str| text(&event[name]);
    let severity = of("severity");
    let tone = match severity {
        "critical" => Tone::Bad,
        "warning" => Tone::Fair,
        _ => Tone::Plain,
    };
    let time = time(&event["time"]);
    let name = paint.paint(tone, &format!("{:22}", of("event")));
    let domain = event["domain"].as_str().unwrap_or("-");
    let mut parts = vec![format!("{time} {severity:8} {domain:12} {name}")];
    for key in ["database", "slot", "role", "peer"] {
        if let Some(text) = event[key].as_str() {
            parts.push(clean(text));
        }
    }
    if let Some(pid) = event["pid"].as_u64() {
        parts.push(format!("[pid={pid}]"));
    }
    if let Some(word) = event["status_word"].as_str() {
        parts.push(clean(word));
    }
    if let Some(cause) = event["cause"].as_str() {
        parts.push(format!("({cause})"));
    }
    for (key, shown) in [
        ("snapshot", "(was there)"),
        ("while_disconnected", "(while disconnected)"),
    ] {
        if event[key] == true {
            parts.push(shown.to_owned());
        }
    }
    if let Some(text) = event["text"].as_str() {
        parts.push(format!("- {}", clean(text)));
    }
    parts.join(" ")
}
