//! `dbwarden probe`: how things are in one line and an exit code, as Nagios and its like call it.
//!
//! Whatever goes wrong is told in that line too, on stdout: a monitor reads nothing else.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use humantime::parse_duration;
use serde_json::Value;
use tokio::time::timeout;

use super::client::{Client, Failure, SocketArgs, say};
use super::health::{Kind, Level, Problem, problems};

/// Say how things are in one line and an exit code, as Nagios and its like call it.
///
/// The line says the worst first, and has figures behind a bar.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is not named counts as `dbwarden status` has it: what needs somebody now is critical, what \
needs a look is a warning, what is being healed is neither.

Exit codes: 0 OK, 1 WARNING, 2 CRITICAL: also no daemon, 3 UNKNOWN: not allowed, wrong command \
line.")]
pub(super) struct Args {
    #[command(flatten)]
    socket: SocketArgs,
    /// Only of this domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// These are critical; several with commas
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_enum)]
    critical: Vec<Kind>,
    /// These are warnings
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_enum)]
    warning: Vec<Kind>,
    /// These do not count
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_enum)]
    ignore: Vec<Kind>,
    /// What is not older does not count yet
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    grace: Duration,
    /// A daemon that does not answer for so long is taken for dead
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s")]
    timeout: Duration,
}

/// How it is, in the order and with the numbers of a plugin.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum State {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> ExitCode {
    let (state, line) = match ask(args) {
        Ok(status) => judge(args, &status),
        Err((state, text)) => (state, text),
    };
    // One line, whatever is in it: others' words too.
    let line = line.replace(char::is_control, " ");
    let said = say([format!("DBWARDEN {} - {line}", state.name())]);
    let state = if said.is_ok() { state } else { State::Unknown };
    ExitCode::from(state as u8)
}

/// Returns how a probe ends that was called in a wrong way.
pub(super) fn misused() -> ExitCode {
    ExitCode::from(State::Unknown as u8)
}

/// Returns the status, or how bad it is that there is none.
fn ask(args: &Args) -> Result<Value, (State, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (State::Unknown, error.to_string()))?;
    let asked = runtime.block_on(async {
        let answered = async {
            let mut client = Client::connect(&args.socket.socket).await?;
            client.get_json("/api/v1/status").await
        };
        timeout(args.timeout, answered).await
    });
    let patience = humantime::format_duration(args.timeout);
    let path = args.socket.socket.display();
    let mut status = asked
        .map_err(|_| {
            let text = format!("the daemon at {path} did not answer within {patience}");
            (State::Critical, text)
        })?
        .map_err(|failure| {
            let state = match failure {
                Failure::Gone(_) => State::Critical,
                Failure::Denied(_)
                | Failure::NotMet
                | Failure::Protocol(_)
                | Failure::Refused(_)
                | Failure::System(_)
                | Failure::Usage(_) => State::Unknown,
            };
            (state, failure.says())
        })?;
    if let Some(name) = &args.domain {
        let domains = status["domains"].as_array_mut();
        let mut domains = domains.map(std::mem::take).unwrap_or_default();
        domains.retain(|it| it["domain"] == **name);
        if domains.is_empty() {
            return Err((State::Unknown, format!("no domain is called `{name}`")));
        }
        status["domains"] = domains.into();
    }
    Ok(status)
}

/// Returns how it is by what counts, and the line for it.
fn judge(args: &Args, status: &Value) -> (State, String) {
    let found = problems(status);
    let mut counted: Vec<(State, &Problem)> = found
        .iter()
        .filter(|it| it.level != Level::Note)
        .map(|it| (args.weigh(it), it))
        .collect();
    counted.sort_by_key(|it| std::cmp::Reverse(it.0));
    let state = counted.first().map_or(State::Ok, |it| it.0);
    let told: Vec<&str> = counted.iter().map(|it| it.1.title.as_str()).collect();
    let mut line = if told.is_empty() {
        "healthy".to_owned()
    } else {
        told.join("; ")
    };
    line = line.replace('|', "/");
    line.push_str(" |");
    for (name, value) in figures(status, &counted) {
        let _ = write!(line, " {name}={value};;;0");
    }
    (state, line)
}

impl Args {
    /// Returns how much something counts.
    fn weigh(&self, problem: &Problem) -> State {
        let is_new = problem.age.is_some_and(|it| it <= self.grace);
        if self.ignore.contains(&problem.kind) || (is_new && !self.grace.is_zero()) {
            State::Ok
        } else if self.critical.contains(&problem.kind) {
            State::Critical
        } else if self.warning.contains(&problem.kind) {
            State::Warning
        } else {
            match problem.level {
                Level::Critical => State::Critical,
                Level::Warning => State::Warning,
                Level::Work | Level::Note => State::Ok,
            }
        }
    }
}

/// Returns what is counted, by names that stay.
fn figures(status: &Value, counted: &[(State, &Problem)]) -> Vec<(&'static str, u64)> {
    let weight = |state| counted.iter().filter(|it| it.0 == state).count() as u64;
    let sum = |of: &dyn Fn(&Value) -> u64| -> u64 {
        let domains = status["domains"].as_array();
        domains.into_iter().flatten().map(of).sum()
    };
    let count = |list: &str, is_it: &dyn Fn(&Value) -> bool| {
        sum(&|domain| {
            let list = domain[list].as_array();
            list.into_iter().flatten().filter(|it| is_it(it)).count() as u64
        })
    };
    let engines = |key: &str| {
        sum(&|domain| {
            let list = domain["databases"].as_array().into_iter().flatten();
            list.filter_map(|it| it["te"][key].as_u64()).sum()
        })
    };
    vec![
        ("critical", weight(State::Critical)),
        ("warning", weight(State::Warning)),
        ("domains", sum(&|_| 1)),
        (
            "domains_synced",
            sum(&|it| u64::from(it["freshness"] == "synced")),
        ),
        ("peers", count("peers", &|_| true)),
        (
            "peers_unreachable",
            count("peers", &|it| it["connected"] == false),
        ),
        ("processes", count("processes", &|_| true)),
        ("te_running", engines("running")),
        ("te_wanted", engines("wanted")),
        (
            "slots_vacant",
            count("slots", &|it| {
                it["phase"] == "vacant" || it["phase"] == "acting"
            }),
        ),
        ("slots_held", count("slots", &|it| it["phase"] == "held")),
        ("gates_closed", count("gates", &|_| true)),
    ]
}
