//! The public vocabulary: what happened, in the words listeners are told.
//!
//! An event is a value of the core. Its number and its identity are given by the journal when it
//! is recorded, so that nothing unrecorded has one; its JSON form belongs to `listener`.

use std::fmt;
use std::sync::Arc;

use crate::exchange::ActionId;
use crate::model::{AgentId, DatabaseName, DomainName, PeerName, Process, Role, StartId, Status};
use crate::time::Moment;

/// How urgent an event is, the least urgent first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// Something changed as it should.
    Info,
    /// Somebody should look tomorrow.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// Every severity, the least urgent first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Returns the severity as a lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a kind of event is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Group {
    /// The daemon itself.
    Daemon,
    /// A database as a whole.
    Database,
    /// Our session to the domain, and what it allows.
    Domain,
    /// What the healer does, and does not.
    Healing,
    /// A peer.
    Peer,
    /// A process.
    Process,
}

impl Group {
    /// Returns the group as a lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daemon => "daemon",
            Self::Database => "database",
            Self::Domain => "domain",
            Self::Healing => "healing",
            Self::Peer => "peer",
            Self::Process => "process",
        }
    }
}

/// Defines [`Kind`] from one table: variant, name, group, severity, meaning.
macro_rules! kinds {
    ($($variant:ident $name:literal $group:ident $severity:ident $doc:literal,)*) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Kind {
            $(#[doc = $doc] $variant,)*
        }

        impl Kind {
            /// Every kind of event.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name listeners know the kind by.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what the kind is about.
            pub const fn group(self) -> Group {
                match self { $(Self::$variant => Group::$group,)* }
            }

            /// Returns how urgent an event of this kind is.
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// Returns what the kind means, for the documentation.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

kinds! {
    PeerJoined "peer_joined" Peer Info "A peer joined the domain.",
    PeerReturned "peer_returned" Peer Info "An unreachable peer is back.",
    PeerUnreachable "peer_unreachable" Peer Critical
        "A peer left, or the domain lost its connection to it.",
    DatabaseActive "database_active" Database Info "A transaction engine of the database runs.",
    DatabaseDegraded "database_degraded" Database Warning
        "The database has fewer processes than wanted.",
    DatabaseInactive "database_inactive" Database Critical
        "The last running transaction engine of the database is gone.",
    DatabaseJoined "database_joined" Database Info "The first process of a database was seen.",
    DatabaseLeft "database_left" Database Warning "The last process of a database is gone.",
    DatabaseRestored "database_restored" Database Info
        "The database has all the processes that are wanted.",
    ProcessFailed "process_failed" Process Critical
        "A process ended though nobody is known to have asked for it, or a start came to nothing.",
    ProcessJoined "process_joined" Process Info "A process registered.",
    ProcessLeft "process_left" Process Info "A process ended as somebody wished.",
    ProcessReturned "process_returned" Process Info "An unreachable process is seen again.",
    ProcessStatusChanged "process_status_changed" Process Info "A process has a new status.",
    ProcessStuck "process_stuck" Process Warning
        "A process is starting and makes no progress; nothing is done about it.",
    ProcessSurplus "process_surplus" Process Warning
        "A transaction engine runs that is more than is wanted; nothing is stopped.",
    ProcessUnreachable "process_unreachable" Process Warning
        "The peer of a process is unreachable; the process may well run on.",
    ProcessUnresponsive "process_unresponsive" Process Warning
        "A process that runs does not answer at its port; nothing is done about it.",
    ActionFailed "action_failed" Healing Warning "A start of the healer's came to nothing.",
    ActionStarted "action_started" Healing Info "The healer asks a peer to start a process.",
    ActionSucceeded "action_succeeded" Healing Info "A start of the healer's registered.",
    ActionSuggested "action_suggested" Healing Warning
        "The healer would start a process, but may not.",
    SlotBlocked "slot_blocked" Healing Warning
        "A wanted process is missing and a gate has kept the healer from acting for a while.",
    SlotHeld "slot_held" Healing Critical
        "The healer gave up on a wanted process until a person releases it.",
    SlotReleased "slot_released" Healing Info "The healer minds a held slot again.",
    DomainConnected "domain_connected" Domain Info
        "A session to the domain stands and its state is known.",
    DomainDisconnected "domain_disconnected" Domain Critical
        "The session to the domain is gone; what is known grows stale.",
    DomainFailover "domain_failover" Domain Warning
        "The session to the domain stands again, at another peer.",
    DomainFrozen "domain_frozen" Domain Warning
        "A gate closed: the healer does not act in this domain.",
    DomainThawed "domain_thawed" Domain Info "A gate opened.",
    DaemonStarted "daemon_started" Daemon Info "The daemon watches.",
    DaemonStopping "daemon_stopping" Daemon Info "The daemon was asked to stop.",
    ConfigRejected "config_rejected" Daemon Warning
        "A changed configuration was checked and has problems; the old one stays.",
    ConfigReloaded "config_reloaded" Daemon Info
        "A changed configuration took effect; the text says what changed.",
    EventDeadLettered "event_dead_lettered" Daemon Critical
        "A listener was not told an event and will not be; it waits among the dead letters.",
    Heartbeat "heartbeat" Daemon Info
        "The daemon lives and its event loops turn; told at the pace the listener asked for.",
    ListenerFailing "listener_failing" Daemon Warning
        "A listener could not be told; it is tried again.",
    ListenerRecovered "listener_recovered" Daemon Info
        "A listener that failed was told again.",
    MaintenanceEnded "maintenance_ended" Daemon Info
        "A maintenance is over; what it kept from being healed is healed again.",
    MaintenanceEnding "maintenance_ending" Daemon Info
        "A maintenance ends by itself in five minutes.",
    MaintenanceStarted "maintenance_started" Daemon Info
        "A person works at something; it is watched, and nothing is started there.",
    OperatorCommand "operator_command" Daemon Info
        "A person or a listener asked for something and it is being done.",
    Gap "gap" Daemon Warning "Events were lost before this listener could be told of them.",
}

impl Kind {
    /// Returns the kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.as_str() == name)
    }
}

/// How a process ended, as far as anybody knows, or why there is one too many.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cause {
    /// The domain told that it is gone, and nobody is known to have wished it.
    Exit,
    /// It was given up and another started in its place, and it lives after all.
    Overlap,
    /// It was asked to stop, or was already stopping.
    Requested,
    /// A start that never registered.
    StartFailed,
    /// A broker that sees few peers says that it is gone.
    MinorityView,
    /// Only comparing two snapshots shows that it is gone.
    Unknown,
    /// Its peer went with it.
    WithPeer,
}

impl Cause {
    /// Returns the cause as a lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::MinorityView => "minority-view",
            Self::Overlap => "overlap",
            Self::Requested => "requested",
            Self::StartFailed => "start-failed",
            Self::Unknown => "unknown",
            Self::WithPeer => "with-peer",
        }
    }
}

/// What is known of the process an event is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProcessFacts {
    /// What it does.
    pub role: Role,
    /// Its process id at its peer.
    pub pid: u32,
    /// The port it listens on.
    pub port: Option<u16>,
    /// Its number within the database.
    pub node_id: Option<u32>,
    /// The start it came from.
    pub start_id: Option<StartId>,
    /// How it is.
    pub status: Status,
    /// The protocol's word for that, empty if it never said one.
    pub status_word: Arc<str>,
}

impl ProcessFacts {
    /// Returns what the model knows of a process.
    pub fn of(process: &Process) -> Self {
        Self {
            role: process.role,
            pid: process.pid,
            port: process.port,
            node_id: process.node_id,
            start_id: process.start_id.clone(),
            status: process.status,
            status_word: process.status_word.clone(),
        }
    }
}

/// What an event is about, as far as it is known.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subject {
    /// The peer.
    pub peer: Option<PeerName>,
    /// What the peer's agent calls itself.
    pub agent_id: Option<AgentId>,
    /// The database.
    pub database: Option<DatabaseName>,
    /// The process.
    pub process: Option<ProcessFacts>,
    /// The slot, as `te/1`, when healing is concerned.
    pub slot: Option<Arc<str>>,
}

/// Something that happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// When the input was handled that showed it.
    pub time: Moment,
    /// Where; `None` for the daemon's own events.
    pub domain: Option<DomainName>,
    /// What.
    pub kind: Kind,
    /// To whom.
    pub subject: Subject,
    /// How a process ended, or why there is one too many.
    pub cause: Option<Cause>,
    /// What else there is to say, as a sentence.
    pub text: Option<Arc<str>>,
    /// It did not happen now: it was there when we first looked.
    pub snapshot: bool,
    /// It was inferred from what changed while there was no session.
    pub while_disconnected: bool,
    /// The healer's action behind it.
    pub action: Option<ActionId>,
}

impl Event {
    /// Returns a plain event; the caller fills in what else is known.
    pub fn new(time: Moment, domain: Option<DomainName>, kind: Kind, subject: Subject) -> Self {
        Self {
            time,
            domain,
            kind,
            subject,
            cause: None,
            text: None,
            snapshot: false,
            while_disconnected: false,
            action: None,
        }
    }
}

/// An event with its number: what listeners are told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// Which run of the sequence it belongs to; a lost journal begins a new one.
    pub epoch: u32,
    /// Its number, without gaps per domain and epoch; 0 if it is in no journal.
    pub seq: u64,
    /// What happened.
    pub event: Event,
}

impl Recorded {
    /// Returns whether the event is in a journal, and has a number there.
    pub fn is_numbered(&self) -> bool {
        self.seq > 0
    }

    /// Returns the identity of the event: the same at every attempt to deliver it.
    pub fn id(&self) -> EventId<'_> {
        EventId(self)
    }
}

/// Shows an event's identity as `DOMAIN/EPOCH/SEQ`, or `DOMAIN/-/MICROS` after its wall time if it
/// has no number; the daemon's own events have `-` as domain.
#[derive(Clone, Copy, Debug)]
pub struct EventId<'a>(&'a Recorded);

impl fmt::Display for EventId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.0.event.domain.as_ref().map_or("-", DomainName::as_str);
        let Recorded { epoch, seq, event } = self.0;
        if self.0.is_numbered() {
            write!(f, "{domain}/{epoch}/{seq}")
        } else {
            write!(f, "{domain}/-/{}", event.time.wall.as_unix_micros())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_by_its_name_and_lies_in_the_group_its_name_begins_with() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.as_str()), Some(*kind));
            let prefix = kind.as_str().split('_').next().unwrap_or_default();
            let expected = match prefix {
                "action" | "slot" => "healing",
                "config" | "event" | "gap" | "heartbeat" | "listener" | "maintenance"
                | "operator" => "daemon",
                other => other,
            };
            assert_eq!(kind.group().as_str(), expected, "{}", kind.as_str());
        }
        assert_eq!(Kind::named("process_exploded"), None);
    }
}
