//! What was seen of a domain: the vocabulary in which a driver reports to the model.

use std::sync::Arc;

use super::ids::{Address, AgentId, DatabaseName, StartId};
use super::role::Role;

/// How a process is, in words that every kind of domain shares.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Status {
    /// Leaving, or left: the protocol says so itself.
    Down,
    /// Registered, but not serving yet.
    Starting,
    /// On its way out, or set aside, by somebody's wish.
    Stopping,
    /// The domain does not say.
    Unknown,
    /// Serving.
    Up,
}

impl Status {
    /// Returns the status as a lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Unknown => "unknown",
            Self::Up => "up",
        }
    }
}

/// A status together with the protocol's own word for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusSeen {
    /// What it means.
    pub status: Status,
    /// What the protocol calls it, such as `RUNNING`.
    pub word: Arc<str>,
}

/// A peer as it was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerSeen {
    /// What its agent calls itself.
    pub agent_id: AgentId,
    /// Where it can be dialled: as advertised, or as dialled if it is the entry peer.
    pub address: Address,
    /// Whether it sees the whole domain.
    pub is_broker: bool,
    /// The name of its host, if said.
    pub hostname: Arc<str>,
    /// The version of its agent, if said.
    pub version: Arc<str>,
}

impl PeerSeen {
    /// Returns host name and port as an alias, if there is a host name.
    pub fn host_alias(&self) -> Option<Address> {
        let is_named = !self.hostname.is_empty();
        is_named.then(|| Address::new(self.hostname.clone(), self.address.port).folded())
    }
}

/// A process as it was seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProcessSeen {
    /// The agent that watches it.
    pub agent_id: AgentId,
    /// The database it serves.
    pub database: DatabaseName,
    /// Its process id at its peer.
    pub pid: u32,
    /// The port it listens on, if known.
    pub port: Option<u16>,
    /// What it does.
    pub role: Role,
    /// How it is, if said.
    pub status: Option<StatusSeen>,
    /// The name of its host, if said.
    pub hostname: Arc<str>,
    /// Its version, if said.
    pub version: Arc<str>,
    /// Its number within the database, once it has one.
    pub node_id: Option<u32>,
    /// The start it came from, if said.
    pub start_id: Option<StartId>,
}

/// The whole domain, as one of its peers saw it at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// What the domain calls itself.
    pub domain: Arc<str>,
    /// The peer that tells.
    pub entry: PeerSeen,
    /// All the others.
    pub peers: Vec<PeerSeen>,
    /// Every process.
    pub processes: Vec<ProcessSeen>,
}

/// One change, as the domain told it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sighting {
    /// A peer joined.
    PeerJoined(PeerSeen),
    /// A peer left, or the peer that tells can no longer reach it.
    PeerLost(PeerSeen),
    /// A registered process is gone.
    ProcessGone(ProcessSeen),
    /// A process registered.
    ProcessJoined(ProcessSeen),
    /// A start came to nothing.
    StartFailed {
        /// The agent that was asked.
        agent_id: AgentId,
        /// Which start it was, if said.
        start_id: Option<StartId>,
        /// Why, in the domain's words.
        reason: Arc<str>,
    },
    /// A process has a new status.
    StatusChanged(ProcessSeen),
}
