//! The things a model is made of, and how to look at them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::doubt::Doubts;
use super::facts::Touched;
use super::identity;
use super::ids::{Address, AgentId, DatabaseName, PeerName, StartId};
use super::role::Role;
use super::sighting::{Sighting, Status};
use crate::mutation::Planted;
use crate::time::Timestamp;

/// More peers, databases and processes than this are not taken in: no real domain is that large,
/// and a broken broker shall not fill the memory.
pub(super) const MAX_ENTITIES: usize = 1_000_000;

/// Numbers a peer within one model; numbers are not used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId(pub(super) u32);

/// Numbers a database within one model; numbers are not used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DatabaseId(pub(super) u32);

/// The place of a process within one model; the place of one that ended is taken again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ProcessId(pub(super) u32);

impl DatabaseId {
    /// Returns the number as an index into a list that grows with the databases.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl ProcessId {
    /// Returns the place as an index into a list that grows with the processes.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Numbers the life of one process within one model; numbers are not used again.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Life(pub(super) u64);

/// How fresh the model is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// There is no session; nothing is known of what happened since.
    Stale {
        /// When the session was lost.
        since: Timestamp,
    },
    /// A session stands and tells every change.
    Synced {
        /// When it began to.
        since: Timestamp,
    },
    /// There never was a session.
    Unknown,
}

/// Whether the domain reaches a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PeerPresence {
    /// It does.
    Connected {
        /// Since we know it.
        since: Timestamp,
    },
    /// It did once.
    Unreachable {
        /// Since when it does not.
        since: Timestamp,
    },
}

/// A host of the domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Our stable name for it.
    pub name: PeerName,
    /// What its agent calls itself, or called itself last.
    pub agent_id: AgentId,
    /// Everything its agents ever called themselves.
    pub(super) agents: BTreeSet<AgentId>,
    /// Where it can be dialled.
    pub address: Address,
    /// Every address that leads to it.
    pub(super) addresses: BTreeSet<Address>,
    /// Whether it sees the whole domain.
    pub is_broker: bool,
    /// The name of its host, if said.
    pub hostname: Arc<str>,
    /// The version of its agent, if said.
    pub version: Arc<str>,
    /// Whether the domain reaches it.
    pub presence: PeerPresence,
    /// Where its agent is dialled, if the configuration says so.
    pub dial: Option<Address>,
    /// What the configuration says it is, for placement.
    pub labels: BTreeMap<String, String>,
    /// When the domain last lost it.
    pub(super) lost: Option<Timestamp>,
    /// Whether it was lost so long ago that nobody expects to see it.
    pub(super) is_retired: bool,
    /// In which snapshot it was last listed.
    pub(super) generation: u32,
}

impl Peer {
    /// Returns whether it was missed for a while before it came as it is now. If not, its agent was
    /// replaced at some time that nobody told.
    pub fn was_away(&self) -> bool {
        match self.presence {
            PeerPresence::Connected { since } => self.lost.is_some_and(|lost| lost < since),
            PeerPresence::Unreachable { .. } => true,
        }
    }

    /// Returns whether the domain reaches the peer.
    pub const fn is_connected(&self) -> bool {
        matches!(self.presence, PeerPresence::Connected { .. })
    }

    /// Returns where its agent is dialled: where the configuration says, else where it was seen.
    pub fn agent_address(&self) -> &Address {
        self.dial.as_ref().unwrap_or(&self.address)
    }
}

/// A named set of processes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Database {
    /// What it is called.
    pub name: DatabaseName,
    /// How many processes of it are known, unreachable ones among them.
    pub(super) known: u32,
    /// How many reachable processes of each role are up; one that has several counts for each.
    pub(super) running: BTreeMap<Role, u32>,
}

impl Database {
    /// Returns its name, unless it only stands for processes that have no database.
    pub fn shown_name(&self) -> Option<&DatabaseName> {
        Some(&self.name).filter(|it| !it.as_str().is_empty())
    }

    /// Returns whether any process of it is known.
    pub const fn is_known(&self) -> bool {
        self.known > 0
    }

    /// Returns how many reachable processes of that role are up.
    pub fn running(&self, role: Role) -> u32 {
        self.running.get(&role).copied().unwrap_or_default()
    }

    /// Returns whether any reachable process is up, whatever its role.
    pub fn is_any_running(&self) -> bool {
        self.running.values().any(|it| *it > 0)
    }
}

/// Whether a process can be seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presence {
    /// The domain said that it is gone; until `due` its peer may turn out to have gone with it.
    Ending {
        /// When it is taken to have ended by itself.
        due: Timestamp,
    },
    /// It is registered with a peer that the domain reaches.
    Live,
    /// Its peer is unreachable, or has just returned without it.
    Unreachable {
        /// Whether the domain still counts it as registered: its exit was not told, or it was
        /// told of again since.
        registered: bool,
    },
}

/// A running engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Process {
    /// Which life this is; a process that takes over the pid has another.
    pub life: Life,
    /// The peer it runs at.
    pub peer: PeerId,
    /// The database it serves.
    pub database: DatabaseId,
    /// Its process id at its peer.
    pub pid: u32,
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
    /// When it was last told of.
    pub last_seen: Timestamp,
    /// In which snapshot it was last listed.
    pub(super) generation: u32,
}

impl Process {
    /// Returns whether it is registered with a peer that the domain reaches.
    pub fn is_live(&self) -> bool {
        self.presence == Presence::Live
    }

    /// Returns whether it counts as running: up, and not known to be gone or out of reach.
    pub(super) fn is_running(&self) -> bool {
        self.status == Status::Up && !matches!(self.presence, Presence::Unreachable { .. })
    }
}

/// How patient the model is, and what it is told of peers beforehand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// How far apart the loss of a peer and the exits of its processes may be told.
    pub exit_settle: Duration,
    /// How long a returned peer's processes have to show themselves.
    pub return_grace: Duration,
    /// After how long a second look of the same peer at the domain confirms what the first one
    /// did not show.
    pub settle: Duration,
    /// A broker that was lost so long ago, in a view of the majority, does not count as one that
    /// ought to be in view: hosts are replaced, and addresses with them.
    pub retire_after: Duration,
    /// What the configuration says of single peers. Of two that claim one address the first has
    /// it.
    pub peers: Vec<PeerSettings>,
    /// A mistake on purpose, in simulations.
    pub planted: Planted,
}

/// What the configuration says of a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerSettings {
    /// Our stable name for it.
    pub name: PeerName,
    /// Where its agent is dialled, whatever the domain says; it is an alias too.
    pub dial: Option<Address>,
    /// Addresses under which it may be seen: dialled, advertised, or its host name and port.
    pub aliases: Vec<Address>,
    /// What it is, for placement: region, zone and the like.
    pub labels: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            exit_settle: Duration::from_millis(50),
            return_grace: Duration::from_secs(20),
            settle: Duration::from_secs(2),
            retire_after: Duration::from_secs(24 * 3_600),
            peers: Vec::new(),
            planted: Planted::default(),
        }
    }
}

/// What is known of one domain.
///
/// The caller feeds [`observe`](Self::observe), [`snapshot`](Self::snapshot) and
/// [`lose`](Self::lose) as a driver tells, and [`timeout`](Self::timeout) at
/// [`next_timeout`](Self::next_timeout).
///
/// **Invariant:** whatever the order of messages, the part that is live equals the one that a
/// fresh snapshot would give, once nothing is doubted any more.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) settings: Settings,
    pub(super) freshness: Freshness,
    pub(super) domain: Option<Arc<str>>,
    pub(super) entry: Option<PeerId>,
    pub(super) peers: Vec<Peer>,
    pub(super) agents: BTreeMap<AgentId, PeerId>,
    /// By every address it was known under, folded.
    pub(super) addresses: BTreeMap<Address, PeerId>,
    pub(super) names: BTreeMap<PeerName, PeerId>,
    /// Which of the configured peers an address means, folded.
    pub(super) configured: BTreeMap<Address, usize>,
    pub(super) databases: Vec<Database>,
    pub(super) database_names: BTreeMap<DatabaseName, DatabaseId>,
    pub(super) processes: Vec<Option<Process>>,
    pub(super) free: Vec<ProcessId>,
    pub(super) by_pid: BTreeMap<(PeerId, u32), ProcessId>,
    pub(super) exits: BTreeSet<(Timestamp, Life, ProcessId)>,
    pub(super) returns: BTreeSet<(Timestamp, PeerId)>,
    /// What was told of processes of agents that were not announced yet, in order.
    pub(super) waiting: BTreeMap<AgentId, Vec<Sighting>>,
    /// The last failed starts, the latest last: a failure is told once.
    pub(super) failed_starts: VecDeque<(AgentId, StartId)>,
    pub(super) doubts: Doubts,
    pub(super) lives: u64,
    pub(super) generation: u32,
    /// Whose facts changed since somebody asked last.
    pub(super) touched: Touched,
}

impl Model {
    /// Returns a model that knows nothing.
    pub fn new(settings: Settings) -> Self {
        Self {
            configured: identity::aliases(&settings.peers),
            settings,
            freshness: Freshness::Unknown,
            domain: None,
            entry: None,
            peers: Vec::new(),
            agents: BTreeMap::new(),
            addresses: BTreeMap::new(),
            names: BTreeMap::new(),
            databases: Vec::new(),
            database_names: BTreeMap::new(),
            processes: Vec::new(),
            free: Vec::new(),
            by_pid: BTreeMap::new(),
            exits: BTreeSet::new(),
            returns: BTreeSet::new(),
            waiting: BTreeMap::new(),
            failed_starts: VecDeque::new(),
            doubts: Doubts::default(),
            lives: 0,
            generation: 0,
            touched: Touched::default(),
        }
    }

    /// Returns how fresh the model is.
    pub const fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// Returns what the domain calls itself, once it has said so.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Returns the peer that tells us.
    pub const fn entry(&self) -> Option<PeerId> {
        self.entry
    }

    /// Returns what is known of a peer.
    pub fn peer(&self, id: PeerId) -> &Peer {
        &self.peers[id.0 as usize]
    }

    /// Returns what is known of a database.
    pub fn database(&self, id: DatabaseId) -> &Database {
        &self.databases[id.index()]
    }

    /// Returns the process that is kept there, if one is.
    pub fn process(&self, id: ProcessId) -> Option<&Process> {
        self.processes.get(id.index())?.as_ref()
    }

    /// Returns all peers that were ever seen, in the order in which they were.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        (0..).map(PeerId).zip(&self.peers)
    }

    /// Returns all databases that were ever seen, in the order in which they were.
    pub fn databases(&self) -> impl Iterator<Item = (DatabaseId, &Database)> {
        (0..).map(DatabaseId).zip(&self.databases)
    }

    /// Returns all processes by peer and pid, unreachable ones among them.
    pub fn processes(&self) -> impl Iterator<Item = (ProcessId, &Process)> {
        self.by_pid
            .values()
            .filter_map(|id| Some((*id, self.process(*id)?)))
    }

    /// Returns the processes of one peer by pid, unreachable ones among them.
    pub fn processes_at(&self, peer: PeerId) -> impl Iterator<Item = (ProcessId, &Process)> {
        self.by_pid
            .range((peer, 0)..=(peer, u32::MAX))
            .filter_map(|(_, id)| Some((*id, self.process(*id)?)))
    }

    /// Returns the database of that name, if it was ever seen.
    pub fn database_named(&self, name: &DatabaseName) -> Option<DatabaseId> {
        self.database_names.get(name).copied()
    }

    /// Returns the peer of that name, if it was ever seen.
    pub fn peer_named(&self, name: &PeerName) -> Option<PeerId> {
        self.names.get(name).copied()
    }

    /// Returns the peer whose agent calls itself so, or did.
    pub fn peer_of_agent(&self, agent_id: &AgentId) -> Option<PeerId> {
        self.agents.get(agent_id).copied()
    }

    /// Returns when [`timeout`](Self::timeout) is next due, if ever.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let exit = self.exits.first().map(|(due, ..)| *due);
        // In a minority view nothing follows from what does not show itself.
        let back = self.returns.first().filter(|_| !self.is_minority());
        let back = back.map(|(due, _)| *due);
        let look = self.doubts.next_look();
        [exit, back, look].into_iter().flatten().min()
    }
}
