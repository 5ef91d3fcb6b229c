//! The facts a second time, in a file of its own: `facts.bak`.
//!
//! Text, one fact a line, replaced as a whole: whoever reads it sees an old one or a new one. It is
//! some seconds older than the journal, and only looked at when the journal is damaged.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::cell::Sum;
use super::store::{State, StoredFact};
use crate::time::{Moment, Timestamp, WallTime};

/// How the first line begins; the sum of all that follows ends it.
const TITLE: &str = "dbwarden facts 1 ";

/// What a copy says of the journal it was made of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Header {
    epoch: u32,
    last_seq: u64,
    last_input: u64,
    at: Option<u64>,
    wall: Option<u64>,
    facts: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    kind: String,
    name: String,
    fact: Value,
}

/// The facts of a journal at some time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Backup {
    pub(super) epoch: u32,
    pub(super) last: Option<Moment>,
    pub(super) facts: Vec<StoredFact>,
}

/// Writes the facts to `path`, in place of what is there.
pub(super) fn write(
    path: &Path,
    epoch: u32,
    state: &State,
    facts: &[StoredFact],
) -> io::Result<()> {
    let header = Header {
        epoch,
        last_seq: state.last_seq,
        last_input: state.last_input,
        at: state.last.map(|it| it.at.as_micros()),
        wall: state.last.map(|it| it.wall.as_unix_micros()),
        facts: facts.len(),
    };
    let mut body = serde_json::to_string(&header)?;
    body.push('\n');
    for fact in facts {
        let (kind, name) = (Value::from(&*fact.kind), Value::from(&*fact.name));
        let line = [
            "{\"kind\":",
            &kind.to_string(),
            ",\"name\":",
            &name.to_string(),
            ",\"fact\":",
            &fact.body,
            "}\n",
        ];
        body.extend(line);
    }
    let mut sum = Sum::new();
    sum.add(body.as_bytes());
    let title = format!("{TITLE}{:016x}\n", sum.value());
    let temporary = path.with_extension("bak.tmp");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(title.as_bytes())?;
    file.write_all(body.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_parent(path)
}

/// Reads a copy; says what is wrong with it if it is damaged.
pub(super) fn read(path: &Path) -> Result<Backup, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    let (title, body) = text.split_once('\n').ok_or("it has no lines")?;
    let mut sum = Sum::new();
    sum.add(body.as_bytes());
    if title != format!("{TITLE}{:016x}", sum.value()) {
        return Err("it does not match its checksum".to_owned());
    }
    let mut lines = body.lines();
    let header = lines.next().ok_or("it has no header")?;
    let header: Header = serde_json::from_str(header).map_err(|error| error.to_string())?;
    let facts: Result<Vec<StoredFact>, serde_json::Error> = lines
        .map(|line| {
            let Line { kind, name, fact } = serde_json::from_str(line)?;
            let body = fact.to_string();
            Ok(StoredFact { kind, name, body })
        })
        .collect();
    let facts = facts.map_err(|error| error.to_string())?;
    if facts.len() != header.facts {
        return Err(format!(
            "it has {} facts, not {}",
            facts.len(),
            header.facts
        ));
    }
    let last = header.at.zip(header.wall).map(|(at, wall)| Moment {
        at: Timestamp::from_micros(at),
        wall: WallTime::from_unix_micros(wall),
    });
    Ok(Backup {
        epoch: header.epoch,
        last,
        facts,
    })
}

/// Makes sure that the name of a new file outlives a loss of power.
pub(super) fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
