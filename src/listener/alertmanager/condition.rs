//! Which events begin an alert, and which end it: the one table that says so.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::{Event, Kind, Recorded};
use crate::model::{DatabaseName, DomainName, PeerName};

/// How long an alert lasts that tells of something that cannot be undone.
const MOMENT: Duration = Duration::from_secs(3600);

/// Something that is wrong, or at least so, for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Condition {
    ConfigRejected,
    DatabaseDegraded,
    DatabaseInactive,
    DomainDisconnected,
    DomainFrozen,
    EventDeadLettered,
    EventsLost,
    Heartbeat,
    ListenerFailing,
    PeerUnreachable,
    ProcessUnresponsive,
    SlotHeld,
}

/// What an event means for an alert.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// It fires from now on, until something ends it.
    Begins(Condition),
    /// It is over.
    Ends(Condition),
    /// It is over if the process is no longer up, or if a text says that it answers again: one that
    /// is up as before may be as silent as before.
    EndsUnlessUp(Condition),
    /// The database is gone: what is wrong with it is over if its last process ended as somebody
    /// wished.
    Leaves,
    /// A process of the database ended, as somebody wished or not.
    Loses {
        /// Whether somebody wished it.
        is_wished: bool,
    },
    /// It fires until nobody has told of it for a while.
    Flashes(Condition),
}

/// Labels of an alert, its identity.
pub(super) type Labels = BTreeMap<String, String>;

impl Condition {
    /// Returns the name of the alert.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigRejected => "ConfigRejected",
            Self::DatabaseDegraded => "DatabaseDegraded",
            Self::DatabaseInactive => "DatabaseInactive",
            Self::DomainDisconnected => "DomainDisconnected",
            Self::DomainFrozen => "DomainFrozen",
            Self::EventDeadLettered => "EventDeadLettered",
            Self::EventsLost => "EventsLost",
            Self::Heartbeat => "DbwardenHeartbeat",
            Self::ListenerFailing => "ListenerFailing",
            Self::PeerUnreachable => "PeerUnreachable",
            Self::ProcessUnresponsive => "ProcessUnresponsive",
            Self::SlotHeld => "SlotHeld",
        }
    }

    /// Returns the labels that tell this alert from others: the same in the event that begins it
    /// and in the one that ends it.
    pub(super) fn labels(self, event: &Event) -> Labels {
        let mut labels = Labels::new();
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                labels.insert(name.to_owned(), value.to_owned());
            }
        };
        put("alertname", Some(self.as_str()));
        put("domain", event.domain.as_ref().map(DomainName::as_str));
        let subject = &event.subject;
        let database = subject.database.as_ref().map(DatabaseName::as_str);
        let peer = subject.peer.as_ref().map(PeerName::as_str);
        let text = event.text.as_deref();
        match self {
            Self::ConfigRejected
            | Self::DomainDisconnected
            | Self::EventsLost
            | Self::Heartbeat => {}
            Self::DatabaseDegraded | Self::DatabaseInactive => put("database", database),
            Self::DomainFrozen => {
                put("gate", text.and_then(|it| word_after("gate", it)));
                put("database", database);
            }
            Self::EventDeadLettered | Self::ListenerFailing => {
                put("listener", text.and_then(|it| word_after("listener", it)));
            }
            Self::PeerUnreachable => put("peer", peer),
            Self::ProcessUnresponsive => {
                let pid = subject.process.as_ref().map(|it| it.pid.to_string());
                put("database", database);
                put("peer", peer);
                put("pid", pid.as_deref());
            }
            Self::SlotHeld => {
                put("database", database);
                put("slot", subject.slot.as_deref());
            }
        }
        labels
    }

    /// Returns how long it fires after it was last told of, if nothing ends it.
    pub(super) fn lasts(self, resend_every: Duration) -> Duration {
        match self {
            Self::Heartbeat => super::lifetime(resend_every),
            Self::ConfigRejected
            | Self::DatabaseDegraded
            | Self::DatabaseInactive
            | Self::DomainDisconnected
            | Self::DomainFrozen
            | Self::EventDeadLettered
            | Self::EventsLost
            | Self::ListenerFailing
            | Self::PeerUnreachable
            | Self::ProcessUnresponsive
            | Self::SlotHeld => MOMENT,
        }
    }
}

/// Returns what a kind of event means.
pub(super) fn turns(kind: Kind) -> &'static [Turn] {
    use Condition as It;
    use Turn::{Begins, Ends, EndsUnlessUp, Flashes, Leaves, Loses};

    match kind {
        Kind::ConfigRejected => &[Begins(It::ConfigRejected)],
        Kind::ConfigReloaded | Kind::DaemonStarted => &[Ends(It::ConfigRejected)],
        Kind::DatabaseActive => &[Ends(It::DatabaseInactive)],
        Kind::DatabaseDegraded => &[Begins(It::DatabaseDegraded)],
        Kind::DatabaseInactive => &[Begins(It::DatabaseInactive)],
        Kind::DatabaseLeft => &[Leaves],
        Kind::DatabaseRestored => &[Ends(It::DatabaseDegraded)],
        Kind::DomainConnected | Kind::DomainFailover => &[Ends(It::DomainDisconnected)],
        Kind::DomainDisconnected => &[Begins(It::DomainDisconnected)],
        Kind::DomainFrozen => &[Begins(It::DomainFrozen)],
        Kind::DomainThawed => &[Ends(It::DomainFrozen)],
        Kind::EventDeadLettered => &[Flashes(It::EventDeadLettered)],
        Kind::Gap => &[Flashes(It::EventsLost)],
        Kind::Heartbeat => &[Flashes(It::Heartbeat)],
        Kind::ListenerFailing => &[Begins(It::ListenerFailing)],
        Kind::ListenerRecovered => &[Ends(It::ListenerFailing)],
        Kind::PeerJoined | Kind::PeerReturned => &[Ends(It::PeerUnreachable)],
        Kind::PeerUnreachable => &[Begins(It::PeerUnreachable)],
        Kind::ProcessFailed => &[Ends(It::ProcessUnresponsive), Loses { is_wished: false }],
        Kind::ProcessJoined | Kind::ProcessUnreachable => &[Ends(It::ProcessUnresponsive)],
        Kind::ProcessLeft => &[Ends(It::ProcessUnresponsive), Loses { is_wished: true }],
        Kind::ProcessStatusChanged => &[EndsUnlessUp(It::ProcessUnresponsive)],
        Kind::ProcessUnresponsive => &[Begins(It::ProcessUnresponsive)],
        Kind::SlotHeld => &[Begins(It::SlotHeld)],
        Kind::SlotReleased => &[Ends(It::SlotHeld)],
        Kind::ActionFailed
        | Kind::ActionStarted
        | Kind::ActionSucceeded
        | Kind::ActionSuggested
        | Kind::DaemonStopping
        | Kind::DatabaseJoined
        | Kind::MaintenanceEnded
        | Kind::MaintenanceEnding
        | Kind::MaintenanceStarted
        | Kind::OperatorCommand
        | Kind::ProcessReturned
        | Kind::ProcessStuck
        | Kind::ProcessSurplus
        | Kind::SlotBlocked => &[],
    }
}

/// Returns whether an event of that kind begins an alert.
pub(super) fn begins(kind: Kind) -> bool {
    let is_beginning = |it: &Turn| matches!(it, Turn::Begins(_) | Turn::Flashes(_));
    turns(kind).iter().any(is_beginning)
}

/// Returns what is wrong, as a line for people.
pub(super) fn summary(recorded: &Recorded) -> String {
    let event = &recorded.event;
    let subject = &event.subject;
    let mut text = String::new();
    for name in [
        event.domain.as_ref().map(DomainName::as_str),
        subject.database.as_ref().map(DatabaseName::as_str),
        subject.slot.as_deref(),
        subject.peer.as_ref().map(PeerName::as_str),
    ]
    .into_iter()
    .flatten()
    {
        text.push_str(name);
        text.push(' ');
    }
    if !text.is_empty() {
        text.truncate(text.len() - 1);
        text.push_str(": ");
    }
    text.push_str(event.kind.meaning());
    text
}

/// Returns the word behind another one: our own texts say so which gate or listener it is.
fn word_after<'a>(word: &str, text: &'a str) -> Option<&'a str> {
    let mut words = text.split([' ', ',', ':', ';']);
    words.find(|it| *it == word)?;
    words.next().filter(|it| !it.is_empty())
}
