//! How what is known of a domain changed.

use std::sync::Arc;

use super::ids::{AgentId, StartId};
use super::sighting::Status;
use super::state::{DatabaseId, PeerId, Process, ProcessId};

/// How a process ended, as far as the model can tell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// The domain said so, and nothing before announced it.
    Exit,
    /// It was stopping when the domain said that it is gone.
    Requested,
    /// It is not there any more, and nobody saw it go.
    Unknown,
}

/// One difference between what was known before an observation and after it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A transaction engine of the database runs, where none did.
    DatabaseActive(DatabaseId),
    /// No transaction engine of the database runs any more.
    DatabaseInactive(DatabaseId),
    /// The first process of a database.
    DatabaseJoined(DatabaseId),
    /// The last process of a database is gone.
    DatabaseLeft(DatabaseId),
    /// A peer was seen for the first time.
    PeerJoined(PeerId),
    /// An unreachable peer was seen again.
    PeerReturned(PeerId),
    /// A peer can no longer be reached by the domain.
    PeerUnreachable(PeerId),
    /// A process is gone; this is the last that was known of it.
    ProcessEnded {
        /// Where it was kept; the place may be taken again.
        id: ProcessId,
        /// All that was known.
        process: Box<Process>,
        /// How it ended.
        ending: Ending,
    },
    /// A process was seen for the first time.
    ProcessJoined(ProcessId),
    /// An unreachable process was seen again.
    ProcessReturned(ProcessId),
    /// Whether a process lives can no longer be known.
    ProcessUnreachable {
        /// Which one.
        id: ProcessId,
        /// Whether that is because of its peer, which is out of reach. It is not if a broker that
        /// sees little itself says that the process is gone.
        with_peer: bool,
    },
    /// A start came to nothing.
    StartFailed {
        /// The peer that tried, if it is known.
        peer: Option<PeerId>,
        /// What its agent calls itself.
        agent_id: AgentId,
        /// Which start.
        start_id: Option<StartId>,
        /// Why, in the domain's words.
        reason: Arc<str>,
    },
    /// A process has a new status.
    StatusChanged {
        /// Which process.
        id: ProcessId,
        /// What it was before.
        before: Status,
    },
}

impl Change {
    /// Returns which process it is about, if it is about one; it may be gone.
    pub const fn process_id(&self) -> Option<ProcessId> {
        match self {
            Self::ProcessEnded { id, .. }
            | Self::ProcessJoined(id)
            | Self::ProcessReturned(id)
            | Self::ProcessUnreachable { id, .. }
            | Self::StatusChanged { id, .. } => Some(*id),
            Self::DatabaseActive(_)
            | Self::DatabaseInactive(_)
            | Self::DatabaseJoined(_)
            | Self::DatabaseLeft(_)
            | Self::PeerJoined(_)
            | Self::PeerReturned(_)
            | Self::PeerUnreachable(_)
            | Self::StartFailed { .. } => None,
        }
    }
}
