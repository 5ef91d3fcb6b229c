//! The form in which an event leaves the daemon: as JSON, and as environment variables.
//!
//! It is a promise to everybody who wrote a script against it: names are never reused, new ones
//! may come. The event itself is no such promise, which is why it is converted here.

use std::fmt::Display;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::event::{Cause, EventId, Recorded};
use crate::model::{AgentId, DatabaseName, DomainName, PeerName, StartId};
use crate::time::WallTime;

/// What the names of environment variables begin with.
pub(super) const PREFIX: &str = "DBWARDEN_";

/// How much of a value an environment variable holds.
const VARIABLE_LIMIT: usize = 32 * 1024;

/// An event as others see it, in this order; what is not known, or not so, is left out.
///
/// As environment variables the names are in capitals behind `DBWARDEN_`: `DBWARDEN_AGENT_ID`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct Record<'a> {
    /// The identity, `DOMAIN/EPOCH/SEQ`: the same at every attempt to tell it. `DOMAIN/-/MICROS`
    /// if it has no number.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    id: EventId<'a>,
    /// Which run of the numbers it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u32>,
    /// Its number, without gaps in a domain and epoch; missing if it is in no journal.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    /// When it happened: RFC 3339, UTC, microseconds.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String)]
    time: WallTime,
    /// The domain; missing for the daemon's own events.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    /// What happened, such as `process_failed`.
    event: &'static str,
    /// What that is about, such as `process`.
    group: &'static str,
    /// `info`, `warning` or `critical`.
    severity: &'static str,
    /// The peer's stable name.
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<&'a str>,
    /// What the peer's agent calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<&'a str>,
    /// The database.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<&'a str>,
    /// The process: `TE` or `SM`.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    /// Its process id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    /// The port it listens on.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// Its number within the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<u32>,
    /// The start it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_id: Option<&'a str>,
    /// How it is: `starting`, `up`, `stopping`, `down` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// The domain's own word for that, such as `RUNNING`.
    #[serde(skip_serializing_if = "Option::is_none")]
    status_word: Option<&'a str>,
    /// The slot that is healed, such as `te/1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<&'a str>,
    /// How the process ended, such as `exit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'static str>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    /// True if it did not happen now, but was already there when the daemon connected.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    snapshot: bool,
    /// True if it was inferred from what changed while there was no session.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    while_disconnected: bool,
    /// The number of the healer's action behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<u64>,
    /// Which attempt to tell it this is, from 1 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
}

impl<'a> Record<'a> {
    /// Returns the event as others see it.
    pub fn new(recorded: &'a Recorded) -> Self {
        let event = &recorded.event;
        let subject = &event.subject;
        let process = subject.process.as_ref();
        Self {
            id: recorded.id(),
            epoch: recorded.is_numbered().then_some(recorded.epoch),
            seq: recorded.is_numbered().then_some(recorded.seq),
            time: event.time.wall,
            domain: event.domain.as_ref().map(DomainName::as_str),
            event: event.kind.as_str(),
            group: event.kind.group().as_str(),
            severity: event.kind.severity().as_str(),
            peer: subject.peer.as_ref().map(PeerName::as_str),
            agent_id: subject.agent_id.as_ref().map(AgentId::as_str),
            database: subject.database.as_ref().map(DatabaseName::as_str),
            role: process.map(|it| it.role.as_str()),
            pid: process.map(|it| it.pid),
            port: process.and_then(|it| it.port),
            node_id: process.and_then(|it| it.node_id),
            start_id: process.and_then(|it| it.start_id.as_ref().map(StartId::as_str)),
            status: process.map(|it| it.status.as_str()),
            status_word: process
                .map(|it| &*it.status_word)
                .filter(|it| !it.is_empty()),
            slot: subject.slot.as_deref(),
            cause: event.cause.map(Cause::as_str),
            text: event.text.as_deref(),
            snapshot: event.snapshot,
            while_disconnected: event.while_disconnected,
            action: event.action.map(|it| it.0),
            attempt: None,
        }
    }

    /// Adds which attempt to tell it this is.
    #[must_use]
    pub fn with_attempt(self, attempt: u32) -> Self {
        Self {
            attempt: Some(attempt),
            ..self
        }
    }

    /// Returns the record as one line of JSON, line feed included.
    pub fn to_line(&self) -> String {
        let mut line = self.to_json();
        line.push('\n');
        line
    }

    /// Returns the record as environment variables.
    pub fn to_environment(&self) -> Vec<(String, String)> {
        self.to_fields()
            .into_iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::String(text) => text,
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::Array(_)
                    | Value::Object(_) => value.to_string(),
                };
                // A variable ends at a NUL, so the system refuses one inside; and it starts no
                // program with a variable of 128 KiB. The JSON has the whole.
                let mut value = value.replace('\0', " ");
                let mut end = value.len().min(VARIABLE_LIMIT);
                while !value.is_char_boundary(end) {
                    end -= 1;
                }
                value.truncate(end);
                (format!("{PREFIX}{}", name.to_uppercase()), value)
            })
            .collect()
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).expect("names, numbers and text have a form in JSON")
    }

    pub(super) fn to_fields(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            other => unreachable!("a struct is an object in JSON, not {other:?}"),
        }
    }
}

/// Writes a value as it is shown to people.
fn shown<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_false(value: &bool) -> bool {
    !value
}
