//! The listener that writes a line to the daemon's log for each event.

use std::fmt;

use tracing::{error, info, warn};

use super::{Delivery, Listener, Notified, Reply};
use crate::event::{Cause, Event, Recorded, Severity};
use crate::model::{DatabaseName, DomainName, PeerName};

/// Writes events to the log: ERROR what is critical, WARN warnings, INFO all else.
#[derive(Debug)]
pub struct Log {
    name: String,
}

impl Log {
    /// Returns the listener of that name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl Listener for Log {
    fn name(&self) -> &str {
        &self.name
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        write(delivery.event);
        Box::pin(std::future::ready(Ok(Reply::done())))
    }
}

/// Writes one line, at a level after the severity; each has the same fields.
macro_rules! line {
    ($level:ident, $recorded:expr) => {{
        let event = &$recorded.event;
        let process = event.subject.process.as_ref();
        $level!(
            target: "dbwarden::event",
            event = event.kind.as_str(),
            severity = event.kind.severity().as_str(),
            id = %$recorded.id(),
            domain = event.domain.as_ref().map(DomainName::as_str),
            peer = event.subject.peer.as_ref().map(PeerName::as_str),
            database = event.subject.database.as_ref().map(DatabaseName::as_str),
            role = process.map(|it| it.role.as_str()),
            pid = process.map(|it| it.pid),
            port = process.and_then(|it| it.port),
            status_word = process.map(|it| &*it.status_word).filter(|it| !it.is_empty()),
            slot = event.subject.slot.as_deref(),
            cause = event.cause.map(Cause::as_str),
            action = event.action.map(|it| it.0),
            snapshot = event.snapshot.then_some(true),
            while_disconnected = event.while_disconnected.then_some(true),
            "{}", Sentence(event)
        );
    }};
}

fn write(recorded: &Recorded) {
    match recorded.event.kind.severity() {
        Severity::Critical => line!(error, recorded),
        Severity::Info => line!(info, recorded),
        Severity::Warning => line!(warn, recorded),
    }
}

/// An event as a sentence: the text it brings, or else what its kind means.
struct Sentence<'a>(&'a Event);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.text {
            // Text may come from the domain; it must not begin a line of its own in the log.
            Some(text) => write!(f, "{}", text.escape_debug()),
            None => f.write_str(self.0.kind.meaning()),
        }
    }
}
