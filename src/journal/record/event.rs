//! An event as a row: one column for everything that is known of it.
//!
//! The columns are for people with `sqlite3` as well, so the row has the severity though the kind
//! implies it.

use serde_json::{Map, Value};

use super::RecordError;
use super::cell::Cell;
use crate::event::{Cause, Event, Kind, ProcessFacts, Recorded, Subject};
use crate::exchange::ActionId;
use crate::model::{AgentId, DatabaseName, DomainName, PeerName, Role, StartId, Status};
use crate::time::{Moment, Timestamp, WallTime};

/// The columns of an event behind its number, in order.
pub(in crate::journal) const COLUMNS: [&str; 21] = [
    "at",
    "wall",
    "domain",
    "kind",
    "severity",
    "database",
    "peer",
    "agent_id",
    "role",
    "pid",
    "port",
    "node_id",
    "start_id",
    "status",
    "status_word",
    "slot",
    "cause",
    "text",
    "snapshot",
    "while_disconnected",
    "action",
];

/// Returns an event as the values of its columns.
pub(in crate::journal) fn cells(event: &Event) -> [Cell<'_>; COLUMNS.len()] {
    let Event {
        time,
        domain,
        kind,
        subject,
        cause,
        text,
        snapshot,
        while_disconnected,
        action,
    } = event;
    let Subject {
        peer,
        agent_id,
        database,
        process,
        slot,
    } = subject;
    let process = process.as_ref();
    [
        time.at.as_micros().into(),
        time.wall.as_unix_micros().into(),
        domain.as_ref().map(DomainName::as_str).into(),
        kind.as_str().into(),
        kind.severity().as_str().into(),
        database.as_ref().map(DatabaseName::as_str).into(),
        peer.as_ref().map(PeerName::as_str).into(),
        agent_id.as_ref().map(AgentId::as_str).into(),
        process.map(|it| it.role.as_str()).into(),
        process.map(|it| it.pid).into(),
        process.and_then(|it| it.port).map(u32::from).into(),
        process.and_then(|it| it.node_id).into(),
        process
            .and_then(|it| it.start_id.as_ref().map(StartId::as_str))
            .into(),
        process.map(|it| it.status.as_str()).into(),
        process.map(|it| &*it.status_word).into(),
        slot.as_deref().into(),
        cause.map(Cause::as_str).into(),
        text.as_deref().into(),
        (*snapshot).into(),
        (*while_disconnected).into(),
        action.map(|it| it.0).into(),
    ]
}

/// Reads an event from the values of its columns.
pub(in crate::journal) fn event(cells: &[Cell<'_>; COLUMNS.len()]) -> Result<Event, RecordError> {
    let [
        at,
        wall,
        domain,
        kind,
        _severity,
        database,
        peer,
        agent_id,
        role,
        pid,
        port,
        node_id,
        start_id,
        status,
        status_word,
        slot,
        cause,
        text,
        snapshot,
        while_disconnected,
        action,
    ] = *cells;
    let process = match role.text("the role")? {
        None => None,
        Some(role) => Some(ProcessFacts {
            role: role_of(role)?,
            pid: pid
                .narrow("the pid")?
                .ok_or_else(|| RecordError("a process has no pid".to_owned()))?,
            port: port.narrow("the port")?,
            node_id: node_id.narrow("the node id")?,
            start_id: start_id.text("the start id")?.map(StartId::from),
            status: status_of(status.word("the status")?)?,
            status_word: status_word.word("the word of the status")?.into(),
        }),
    };
    let kind = kind.word("the kind")?;
    Ok(Event {
        time: Moment {
            at: Timestamp::from_micros(at.wide("the time")?),
            wall: WallTime::from_unix_micros(wall.wide("the wall time")?),
        },
        domain: domain.text("the domain")?.map(DomainName::from),
        kind: Kind::named(kind)
            .ok_or_else(|| RecordError(format!("no event is called `{kind}`")))?,
        subject: Subject {
            peer: peer.text("the peer")?.map(PeerName::from),
            agent_id: agent_id.text("the agent id")?.map(AgentId::from),
            database: database.text("the database")?.map(DatabaseName::from),
            process,
            slot: slot.text("the slot")?.map(Into::into),
        },
        cause: cause.text("the cause")?.map(cause_of).transpose()?,
        text: text.text("the text")?.map(Into::into),
        snapshot: snapshot.flag("snapshot")?,
        while_disconnected: while_disconnected.flag("while_disconnected")?,
        action: match action {
            Cell::Null => None,
            Cell::Number(_) | Cell::Text(_) => Some(ActionId(action.wide("the action")?)),
        },
    })
}

/// Returns an event with its number as an object in JSON, by the names of the columns.
pub(in crate::journal) fn to_json(recorded: &Recorded) -> String {
    let mut fields = Map::new();
    fields.insert("epoch".to_owned(), recorded.epoch.into());
    fields.insert("seq".to_owned(), recorded.seq.into());
    for (name, cell) in COLUMNS.iter().zip(cells(&recorded.event)) {
        let value = match cell {
            Cell::Null => continue,
            Cell::Number(number) => number.into(),
            Cell::Text(text) => text.into(),
        };
        fields.insert((*name).to_owned(), value);
    }
    Value::Object(fields).to_string()
}

/// Reads an event with its number from JSON.
pub(in crate::journal) fn from_json(text: &str) -> Result<Recorded, RecordError> {
    let fields: Map<String, Value> = serde_json::from_str(text)?;
    let mut cells = [Cell::Null; COLUMNS.len()];
    for (name, cell) in COLUMNS.iter().zip(&mut cells) {
        *cell = match fields.get(*name) {
            None | Some(Value::Null) => Cell::Null,
            Some(Value::String(text)) => Cell::Text(text),
            Some(value) => Cell::Number(
                value
                    .as_i64()
                    .ok_or_else(|| RecordError(format!("{name} is no number")))?,
            ),
        };
    }
    let number = |name: &str| {
        let number = fields.get(name).and_then(Value::as_u64);
        number.ok_or_else(|| RecordError(format!("{name} is no number")))
    };
    Ok(Recorded {
        epoch: u32::try_from(number("epoch")?)
            .map_err(|_range| RecordError("the epoch is out of range".to_owned()))?,
        seq: number("seq")?,
        event: event(&cells)?,
    })
}

/// Returns the role that is written so.
pub(super) fn role_of(word: &str) -> Result<Role, RecordError> {
    named("a role", word, Role::named(word))
}

/// Returns the status that is written so.
pub(super) fn status_of(word: &str) -> Result<Status, RecordError> {
    let all = [
        Status::Down,
        Status::Starting,
        Status::Stopping,
        Status::Unknown,
        Status::Up,
    ];
    let found = all.into_iter().find(|it| it.as_str() == word);
    named("a status", word, found)
}

fn cause_of(word: &str) -> Result<Cause, RecordError> {
    let all = [
        Cause::Exit,
        Cause::MinorityView,
        Cause::Overlap,
        Cause::Requested,
        Cause::StartFailed,
        Cause::Unknown,
        Cause::WithPeer,
    ];
    named(
        "a cause",
        word,
        all.into_iter().find(|it| it.as_str() == word),
    )
}

fn named<T>(what: &str, word: &str, found: Option<T>) -> Result<T, RecordError> {
    found.ok_or_else(|| RecordError(format!("`{word}` is not {what}")))
}

#[cfg(test)]
mod tests;
