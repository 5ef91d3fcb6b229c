//! What a model knows, as values that can be written down and read back.
//!
//! Everything is told by names, so that a fact means the same in another model. What a fresh
//! session says anyway, such as what was still awaited from the last one, is no fact.

use std::sync::Arc;

use super::ids::{Address, AgentId, DatabaseName, PeerName, StartId};
use super::sighting::{Role, Status};
use super::state::{PeerPresence, Presence};
use crate::time::Timestamp;

/// What is known of the domain as a whole.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KnownDomain {
    /// What the domain calls itself, once it has said so.
    pub name: Option<Arc<str>>,
    /// Whether there ever was a session: then what a snapshot shows is a difference.
    pub was_synced: bool,
    /// The peer that told last.
    pub entry: Option<PeerName>,
    /// How many lives of processes were numbered.
    pub lives: u64,
    /// The last failed starts, the latest last: a failure is told once.
    pub failed_starts: Vec<(AgentId, StartId)>,
}

/// What is known of one peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownPeer {
    /// Our stable name for it.
    pub name: PeerName,
    /// The order in which peers were first seen; ties are decided by it.
    pub number: u32,
    /// What its agent calls itself, or called itself last.
    pub agent_id: AgentId,
    /// Everything its agents ever called themselves, in order of the text.
    pub agents: Vec<AgentId>,
    /// Where it can be dialled.
    pub address: Address,
    /// Every address it was known under, in order.
    pub addresses: Vec<Address>,
    /// Whether it sees the whole domain.
    pub is_broker: bool,
    /// The name of its host, if said.
    pub hostname: Arc<str>,
    /// The version of its agent, if said.
    pub version: Arc<str>,
    /// Whether the domain reaches it.
    pub presence: PeerPresence,
    /// When the domain last lost it.
    pub lost: Option<Timestamp>,
}

/// What is known of one database; how many processes it has follows from them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownDatabase {
    /// What it is called.
    pub name: DatabaseName,
    /// The order in which databases were first seen; ties are decided by it.
    pub number: u32,
}

/// What is known of one process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownProcess {
    /// The peer it runs at.
    pub peer: PeerName,
    /// Its process id at its peer.
    pub pid: u32,
    /// Numbers its life; another that takes over the pid has another number.
    pub life: u64,
    /// The database it serves.
    pub database: DatabaseName,
    /// The port it listens on.
    pub port: Option<u16>,
    /// What it does.
    pub role: Role,
    /// How it is.
    pub status: Status,
    /// The protocol's word for that; empty if it never said one.
    pub status_word: Arc<str>,
    /// Its number within the database.
    pub node_id: Option<u32>,
    /// The start it came from.
    pub start_id: Option<StartId>,
    /// Its version, if said.
    pub version: Arc<str>,
    /// The agent that told of it last.
    pub agent_id: AgentId,
    /// Whether it can be seen.
    pub presence: Presence,
    /// When it was first seen.
    pub first_seen: Timestamp,
}
