//! `dbwarden sandbox-ctl`: makes something go wrong in a running sandbox.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use serde::Serialize;

use super::Exit;
use crate::sandbox::serve::{Answer, ControlError, LifeRecord, Request, SurveyRecord, ask};

/// Make something go wrong in a running sandbox.
///
/// A PEER is named by its number, its port or its address.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The socket that `dbwarden sandbox` names when it is ready
    #[arg(long, value_name = "PATH", env = "DBWARDEN_SANDBOX_CONTROL")]
    control: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show peers, engines and Monitor sessions
    List {
        /// In one line of JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a peer's agent away; its engines live on
    Lose {
        peer: String,
        /// Tell of the exits of its engines before the exit of the peer
        #[arg(long)]
        exits_first: bool,
    },
    /// Bring a lost peer back, under a new agent id
    Return { peer: String },
    /// Break every connection to a peer, or one Monitor session
    Drop {
        #[arg(required_unless_present = "session")]
        peer: Option<String>,
        /// The number of the session in the list
        #[arg(long, value_name = "N", conflicts_with = "peer")]
        session: Option<u64>,
    },
    /// Keep connections to a peer open and let nothing pass
    Mute {
        #[arg(required_unless_present = "session")]
        peer: Option<String>,
        /// Only this Monitor session, for good; `list` numbers them
        #[arg(long, value_name = "N", conflicts_with = "peer")]
        session: Option<u64>,
    },
    /// Have a peer and all others see each other no more
    Isolate { peer: String },
    /// Have an isolated peer and the others see each other again
    Rejoin { peer: String },
    /// Let pass what was held back
    Unmute { peer: String },
    /// Have a peer answer late; 0 is in time again
    Delay {
        peer: String,
        #[arg(value_name = "MS")]
        ms: u64,
    },
    /// Have the next start at a peer fail
    #[command(group = clap::ArgGroup::new("how").required(true))]
    FailNext {
        peer: String,
        /// It fails, and says why
        #[arg(long, value_name = "TEXT", group = "how")]
        reason: Option<String>,
        /// Nothing is ever heard of it
        #[arg(long, group = "how")]
        silent: bool,
        /// It succeeds, so many milliseconds late
        #[arg(long, value_name = "MS", group = "how")]
        late: Option<u64>,
        /// It registers, and ends without a word so many milliseconds after
        #[arg(long, value_name = "MS", group = "how")]
        crash: Option<u64>,
    },
    /// Forget the faults that wait for the starts of a peer
    Forgive { peer: String },
    /// End an engine without a word
    Crash { pid: u32 },
    /// Have an engine hang until it is killed
    Hang { pid: u32 },
    /// Have the agent of a peer say what is not so, until it is to lie no more
    #[command(group = clap::ArgGroup::new("what").required(true))]
    Lie {
        peer: String,
        /// The next start goes well, by what it says, and nothing is started
        #[arg(long, group = "what")]
        next_start: bool,
        /// It has a transaction engine of this database
        #[arg(long, value_name = "DB", group = "what")]
        invent: Option<String>,
        /// It has no engine with this pid
        #[arg(long, value_name = "PID", group = "what")]
        omit: Option<u32>,
        /// Its archives were last used then, in microseconds of the sandbox's clock
        #[arg(long, value_name = "WHEN", group = "what")]
        last_used: Option<String>,
        /// The truth: what is not there is gone, and what is there joins
        #[arg(long, group = "what")]
        no_more: bool,
    },
    /// Tell of the end of an engine that lives on and keeps its archive
    Orphan { pid: u32 },
    /// Show every start there was, and what became of it
    Starts {
        /// In one line of JSON
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    fn request(&self) -> Request {
        match self {
            Self::Crash { pid } => Request::Crash { pid: *pid },
            Self::Delay { peer, ms } => Request::Delay {
                peer: peer.clone(),
                ms: *ms,
            },
            Self::Drop { peer, session } => match session {
                Some(session) => Request::DropSession { session: *session },
                None => Request::Drop {
                    peer: peer.clone().unwrap_or_default(),
                },
            },
            Self::FailNext {
                peer,
                reason,
                late,
                crash,
                ..
            } => {
                let peer = peer.clone();
                match (reason.clone(), *late, *crash) {
                    (Some(reason), ..) => Request::FailNext { peer, reason },
                    (None, Some(ms), _) => Request::LateNext { peer, ms },
                    (None, None, Some(ms)) => Request::CrashNext { peer, ms },
                    (None, None, None) => Request::SilenceNext { peer },
                }
            }
            Self::Forgive { peer } => Request::Forgive { peer: peer.clone() },
            Self::Hang { pid } => Request::Hang { pid: *pid },
            Self::List { .. } => Request::List,
            Self::Lose { peer, exits_first } => Request::Lose {
                peer: peer.clone(),
                exits_first: *exits_first,
            },
            Self::Isolate { peer } => Request::Isolate { peer: peer.clone() },
            Self::Lie {
                peer,
                next_start,
                invent,
                omit,
                last_used,
                ..
            } => lie(
                peer.clone(),
                *next_start,
                (invent.as_ref(), *omit, last_used.as_ref()),
            ),
            Self::Mute { peer, session } => match session {
                Some(session) => Request::MuteSession { session: *session },
                None => Request::Mute {
                    peer: peer.clone().unwrap_or_default(),
                },
            },
            Self::Orphan { pid } => Request::Orphan { pid: *pid },
            Self::Rejoin { peer } => Request::Rejoin { peer: peer.clone() },
            Self::Return { peer } => Request::Return { peer: peer.clone() },
            Self::Starts { .. } => Request::Starts,
            Self::Unmute { peer } => Request::Unmute { peer: peer.clone() },
        }
    }
}

/// Returns what asks for a lie, or for its end.
fn lie(
    peer: String,
    next: bool,
    (invent, omit, used): (Option<&String>, Option<u32>, Option<&String>),
) -> Request {
    match (next, invent, omit, used) {
        (true, ..) => Request::InventNext { peer },
        (false, Some(database), ..) => Request::Invent {
            peer,
            database: database.clone(),
        },
        (false, None, Some(pid), _) => Request::Omit { peer, pid },
        (false, None, None, Some(at)) => Request::LastUsed {
            peer,
            at: at.clone(),
        },
        (false, None, None, None) => Request::Confess { peer },
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Exit {
    match ask(&args.control, &args.command.request()) {
        Ok(Answer::Done) => Exit::Fine,
        Ok(Answer::Domain(survey)) => {
            let as_json = matches!(args.command, Command::List { json: true });
            show(&survey, as_json, describe)
        }
        Ok(Answer::Starts(starts)) => {
            let as_json = matches!(args.command, Command::Starts { json: true });
            show(&starts, as_json, |it| lives(it))
        }
        Ok(Answer::Failed(reason)) => {
            complain(&reason);
            Exit::Failed
        }
        Err(error) => {
            let exit = match &error {
                ControlError::Connect { .. } | ControlError::NoAnswer { .. } => Exit::Unavailable,
                ControlError::Nonsense { .. } => Exit::Protocol,
            };
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                // Writing to a string does not fail.
                let _ = write!(text, ": {cause}");
                source = cause.source();
            }
            complain(&text);
            exit
        }
    }
}

fn complain(text: &str) {
    // A closed terminal is no reason to end with another code.
    let _ = writeln!(io::stderr().lock(), "dbwarden sandbox-ctl: {text}");
}

/// Writes an answer, as JSON or as it is described.
fn show<T: Serialize>(answer: &T, as_json: bool, describe: impl Fn(&T) -> String) -> Exit {
    let text = if as_json {
        match serde_json::to_string(answer) {
            Ok(json) => json + "\n",
            Err(error) => {
                complain(&error.to_string());
                return Exit::Failed;
            }
        }
    } else {
        describe(answer)
    };
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    match written.and_then(|()| stdout.flush()) {
        Ok(()) => Exit::Fine,
        Err(_) => Exit::Failed,
    }
}

fn describe(survey: &SurveyRecord) -> String {
    let mut lines = Vec::new();
    for it in &survey.peers {
        let (number, address, role) = (it.number, &it.address, &it.role);
        let mut state = format!("agent={}", it.agent_id);
        let states = [
            (it.lost, " lost"),
            (it.isolated, " isolated"),
            (it.muted, " muted"),
        ];
        for (holds, word) in states {
            state += if holds { word } else { "" };
        }
        if it.delay_ms > 0 {
            let delay = Duration::from_millis(it.delay_ms);
            let delay = humantime::format_duration(delay).to_string();
            state = state + " delay=" + &delay;
        }
        if it.faults_waiting > 0 {
            state = state + " faults-waiting=" + &it.faults_waiting.to_string();
        }
        lines.push(format!("peer {number}: {address} [role={role}] {state}"));
    }
    for it in &survey.engines {
        let (database, role, peer) = (&it.database, &it.role, it.peer);
        let (port, pid) = (it.port.unwrap_or_default(), it.pid.unwrap_or_default());
        let otherwise = if it.leftover { "leftover" } else { "starting" };
        let status = it.status.as_deref().unwrap_or(otherwise);
        lines.push(format!(
            "{database}: 127.0.0.1:{port} [pid={pid}] ({role}) at peer {peer} {status}"
        ));
    }
    for it in &survey.sessions {
        lines.push(format!(
            "session {}: Monitor at peer {}",
            it.number, it.peer
        ));
    }
    lines.join("\n") + "\n"
}

/// Describes starts, one a line.
fn lives(starts: &[LifeRecord]) -> String {
    let mut text = String::new();
    for it in starts {
        let what = match (&it.database, &it.role) {
            (Some(database), Some(role)) => format!("{database} {role}"),
            _ => "nonsense".to_owned(),
        };
        let asker = match it.session {
            Some(session) => format!("session {session}"),
            None if it.enforced => "the enforcer".to_owned(),
            None => "nobody".to_owned(),
        };
        let start_id = it.start_id.as_deref().unwrap_or("-");
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{} ms: {what} at peer {}, start {start_id}, asked for by {asker}",
            it.at_ms, it.peer
        );
        if let Some(pid) = it.pid {
            let _ = write!(text, ", pid {pid}");
        }
        let steps = [
            ("registered", it.registered_ms),
            ("left over", it.disowned_ms),
            ("ended", it.ended_ms),
        ];
        for (step, at) in steps {
            if let Some(at) = at {
                let _ = write!(text, ", {step} at {at} ms");
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn request(words: &str) -> Option<Request> {
        let words = format!("ctl --control /x {words}");
        let line = Line::try_parse_from(words.split_whitespace()).ok()?;
        Some(line.args.command.request())
    }

    #[test]
    fn a_start_fails_in_exactly_one_way() {
        let peer = || "2".to_owned();
        for (words, expected) in [
            (
                "--reason rain",
                Request::FailNext {
                    peer: peer(),
                    reason: "rain".to_owned(),
                },
            ),
            ("--silent", Request::SilenceNext { peer: peer() }),
            (
                "--late 50",
                Request::LateNext {
                    peer: peer(),
                    ms: 50,
                },
            ),
        ] {
            assert_eq!(request(&format!("fail-next 2 {words}")), Some(expected));
        }
        assert_eq!(request("fail-next 2"), None);
        assert_eq!(request("fail-next 2 --silent --late 50"), None);
    }

    #[test]
    fn a_peer_or_a_session_is_dropped() {
        assert_eq!(request("drop"), None);
        assert_eq!(request("drop 1 --session 2"), None);
        assert_eq!(
            request("drop --session 2"),
            Some(Request::DropSession { session: 2 })
        );
        assert_eq!(
            request("drop 1"),
            Some(Request::Drop {
                peer: "1".to_owned()
            })
        );
    }
}
