//! One line of an agent's log: which of the documented forms it has, and what it says.
//!
//! A line that has none of the forms is nobody's business: what engines write, traces, what other
//! parts of an agent say. One that begins like a form and does not go on like it is a stranger, and
//! is not guessed at.

use super::node::{Node, PeerName, node_in_brackets, number, peer_in_brackets, role_named};
use super::stamp;
use crate::model::{Address, DatabaseName};
use crate::time::Timestamp;

/// What a line is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Line<'a> {
    /// It has a documented form.
    Form {
        /// When it was written.
        at: Timestamp,
        /// How the form begins.
        form: &'static str,
        /// What it says.
        said: Said,
    },
    /// It has none.
    Other {
        /// When it was written, if it says so.
        at: Option<Timestamp>,
        /// The whole of it.
        text: &'a str,
    },
    /// It begins like a documented form and goes on otherwise.
    Unknown {
        /// When it was written.
        at: Timestamp,
        /// How the form begins.
        form: &'static str,
    },
}

/// What a line says, as far as it is of use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    /// The agent was started.
    AgentStarted,
    /// Where the agent that writes is, and the name of its host.
    Local(Address, String),
    /// An engine has a new status.
    NodeChanged(Node, String),
    /// A start came to nothing.
    NodeFailed(PeerName, String),
    /// An engine registered.
    NodeJoined(Node),
    /// An engine is gone.
    NodeLeft {
        /// Which.
        node: Node,
        /// Whether its exit was seen; else its peer was lost.
        observed: bool,
    },
    /// Something that is told by other lines as well, or that changes nothing.
    Nothing,
    /// A peer joined.
    PeerJoined(PeerName),
    /// A peer left.
    PeerLeft(PeerName),
    /// Whether a database serves.
    Serves(DatabaseName, bool),
}

type Parse = fn(&str) -> Option<Said>;

/// Every documented form: how it begins, what it also holds, and how what follows is read.
const FORMS: &[(&str, &str, Parse)] = &[
    ("Alarm id=", "", alarm),
    ("Converting to", "", role_of_raft),
    ("Database [", "] has become", serves),
    ("Enforcing database cold-restart", "", |_| {
        Some(Said::Nothing)
    }),
    ("Failed to enforce database", "", |rest| {
        rest.strip_prefix(" [")?
            .split_once("]: ")
            .map(|_| Said::Nothing)
    }),
    ("Joined Domain", "", |rest| {
        rest.trim().is_empty().then_some(Said::Nothing)
    }),
    ("Marking process", "", |rest| {
        let rest = rest.strip_prefix(" with node object ")?;
        rest.contains("] for reaping").then_some(Said::Nothing)
    }),
    ("No response for", "", no_response),
    ("Node failed", "", node_failed),
    ("Node joined", "", |rest| {
        node_in_brackets(rest.strip_prefix(": ")?).map(Said::NodeJoined)
    }),
    ("Node left", "", node_left),
    ("Node setId", "", |rest| {
        let (id, node) = rest.strip_prefix('=')?.split_once(' ')?;
        (number(id).is_some() && node_in_brackets(node).is_some()).then_some(Said::Nothing)
    }),
    ("Node state changed", "", |rest| {
        let (word, node) = rest.strip_prefix(" to ")?.split_once(' ')?;
        Some(Said::NodeChanged(node_in_brackets(node)?, word.to_owned()))
    }),
    ("NuoAgent version: ", "", |_| Some(Said::AgentStarted)),
    ("Peer joined", "", |rest| {
        peer_in_brackets(rest.strip_prefix(": ")?).map(Said::PeerJoined)
    }),
    ("Peer left", "", |rest| {
        peer_in_brackets(rest.strip_prefix(": ")?).map(Said::PeerLeft)
    }),
    ("Property ", "", |rest| {
        rest.contains('=').then_some(Said::Nothing)
    }),
    ("Reaping process", "", |rest| {
        let rest = rest.strip_prefix(" with pid ")?;
        reaped(rest.split_once(" and exit code ")?)
    }),
    ("Skip due to backoff", "", |rest| {
        spec(rest.strip_prefix(' ')?)
    }),
    ("Starting ProcessSpec", "", |rest| {
        spec(&format!("ProcessSpec{rest}"))
    }),
    ("cleaning up pid", "", |rest| match rest.strip_prefix('=') {
        Some(rest) => reaped(rest.split_once(" with exit code=")?),
        None => reaped(rest.strip_prefix(' ')?.split_once(" with exit code ")?),
    }),
    ("startup completed", "", |rest| {
        rest.starts_with("; agent is ready")
            .then_some(Said::Nothing)
    }),
];

/// The levels that agents write.
const LEVELS: &[&str] = &[
    "CONFIG", "DEBUG", "ERROR", "FINE", "FINER", "FINEST", "INFO", "SEVERE", "TRACE", "WARN",
    "WARNING",
];

/// Reads a line; another line may be glued to it.
pub fn read(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut begin = 0;
    for (at, _) in text.match_indices('T') {
        let Some(start) = at.checked_sub(10).filter(|it| *it > begin) else {
            continue;
        };
        if text.get(start..).is_some_and(is_beginning) {
            lines.push(read_one(&text[begin..start]));
            begin = start;
        }
    }
    lines.push(read_one(&text[begin..]));
    lines
}

/// Returns whether a text begins as lines do.
fn is_beginning(text: &str) -> bool {
    let Some((_, rest)) = stamp::split(text) else {
        return false;
    };
    let word = rest.strip_prefix(' ').and_then(|it| it.split(' ').next());
    word.is_some_and(|it| LEVELS.contains(&it) || is_pid(it))
}

/// Returns whether a word is the mark of what an engine writes: `[1234]`.
fn is_pid(word: &str) -> bool {
    let digits = word.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    digits.is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}

fn read_one(text: &str) -> Line<'_> {
    let Some((at, rest)) = stamp::split(text) else {
        return Line::Other { at: None, text };
    };
    let other = Line::Other { at: Some(at), text };
    let Some(said) = said(rest) else {
        return other;
    };
    if let Some(said) = local(said) {
        let form = "peer unstableId=";
        return Line::Form { at, form, said };
    }
    for &(form, marker, parse) in FORMS {
        if let Some(rest) = said.strip_prefix(form)
            && rest.contains(marker)
        {
            return match parse(rest) {
                Some(said) => Line::Form { at, form, said },
                None => Line::Unknown { at, form },
            };
        }
    }
    other
}

/// Returns what is said behind level, method and thread: ` INFO Class.method (thread) text`.
fn said(text: &str) -> Option<&str> {
    let (level, rest) = text.strip_prefix(' ')?.split_once(' ')?;
    if !LEVELS.contains(&level) {
        return None;
    }
    let (_method, rest) = rest.split_once(" (")?;
    let (_thread, said) = rest.split_once(") ")?;
    Some(said)
}

/// Reads where the agent is: `peer unstableId=[..], .. address=[host/ip:port], ..`.
fn local(text: &str) -> Option<Said> {
    let (_, rest) = text
        .strip_prefix("peer unstableId=[")?
        .split_once(" address=[")?;
    let (both, _) = rest.split_once(']')?;
    let (address, port) = both.rsplit_once(':')?;
    let (host, ip) = address.split_once('/')?;
    let port = port.parse().ok()?;
    Some(Said::Local(Address::new(ip, port), host.to_owned()))
}

fn alarm(rest: &str) -> Option<Said> {
    let (_, rest) = rest.split_once(" entity=[")?;
    rest.contains(" def=[Alarm Definition [")
        .then_some(Said::Nothing)
}

fn role_of_raft(rest: &str) -> Option<Said> {
    let word = rest.strip_prefix(' ')?.split(' ').next()?;
    ["CANDIDATE", "FOLLOWER", "LEADER"]
        .contains(&word)
        .then_some(Said::Nothing)
}

/// Reads ` has become active` behind the name of a database.
fn serves(rest: &str) -> Option<Said> {
    let (database, rest) = rest.split_once("] has become ")?;
    let end = rest.find(|it: char| !it.is_ascii_lowercase());
    let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
    if !rest.is_empty() && !rest.starts_with(", was previously ") {
        return None;
    }
    let is_active = match word {
        "active" => true,
        "inactive" => false,
        _ => return None,
    };
    Some(Said::Serves(database.into(), is_active))
}

fn no_response(rest: &str) -> Option<Said> {
    let (count, rest) = rest.strip_prefix(' ')?.split_once(" seconds from ")?;
    number(count)?;
    match rest.strip_prefix("process: ") {
        Some(pid) => number(pid.trim()).map(|_| Said::Nothing),
        None => peer_in_brackets(rest).map(|_| Said::Nothing),
    }
}

fn node_failed(rest: &str) -> Option<Said> {
    let (peer, rest) = rest.strip_prefix(" peer=")?.split_once(" startId=[")?;
    let (_, reason) = rest.split_once("]:")?;
    Some(Said::NodeFailed(
        peer_in_brackets(peer)?,
        reason.trim().to_owned(),
    ))
}

fn node_left(rest: &str) -> Option<Said> {
    let observed = rest.strip_prefix(" (observed)");
    let node = node_in_brackets(observed.unwrap_or(rest).strip_prefix(": ")?)?;
    let observed = observed.is_some();
    Some(Said::NodeLeft { node, observed })
}

fn reaped((pid, code): (&str, &str)) -> Option<Said> {
    let code: i64 = code.trim().replace(',', "").parse().ok()?;
    (number(pid).is_some() && i32::try_from(code).is_ok()).then_some(Said::Nothing)
}

/// Reads `ProcessSpec[db, SM, req=SMs, peer=[..]]`; what follows says more of it.
fn spec(text: &str) -> Option<Said> {
    let mut fields = text.strip_prefix("ProcessSpec[")?.splitn(4, ", ");
    let (_database, role) = (fields.next()?, fields.next()?);
    role_named(role)?;
    fields.next()?.strip_prefix("req=")?;
    fields
        .next()?
        .starts_with("peer=[")
        .then_some(Said::Nothing)
}

#[cfg(test)]
mod tests;
