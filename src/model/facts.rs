//! What a model knows, as values that can be written down and read back.
//!
//! Everything is told by names, so that a fact means the same in another model. What a fresh
//! session says anyway, such as what was still awaited from the last one, is no fact.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::doubt::Doubt;
use super::ids::{Address, AgentId, DatabaseName, PeerName, StartId};
use super::role::Role;
use super::sighting::Status;
use super::state::{
    DatabaseId, Freshness, Life, Model, Peer, PeerId, PeerPresence, Presence, Process, ProcessId,
    Settings,
};
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
    /// Whether fewer than half of the known brokers were in view.
    pub is_minority: bool,
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
    /// Whether it was lost so long ago that nobody expects to see it.
    pub is_retired: bool,
    /// It counts as connected, and did not show.
    pub doubt: Option<KnownDoubt>,
}

/// Something counts as there that a look at the domain did not show.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KnownDoubt {
    /// When a view of the majority first did not show it, and whose view that was.
    pub first: Option<(Timestamp, Option<PeerName>)>,
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
    /// It counts as there, and did not show.
    pub doubt: Option<KnownDoubt>,
}

/// All that is known, in no particular order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Known {
    /// The domain as a whole.
    pub domain: KnownDomain,
    /// Its peers.
    pub peers: Vec<KnownPeer>,
    /// Its databases.
    pub databases: Vec<KnownDatabase>,
    /// Its processes.
    pub processes: Vec<KnownProcess>,
}

/// A name that nothing known goes by, and the process or domain that has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unknown {
    /// Peer and pid of the process; `None` for the domain.
    pub process: Option<(PeerName, u32)>,
    /// What is missing, such as `the peer db1:48004`.
    pub missing: String,
}

/// Whose facts changed.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// Those of the domain as a whole.
    pub domain: bool,
    /// Those of these peers.
    pub peers: BTreeSet<PeerId>,
    /// Those of these databases.
    pub databases: BTreeSet<DatabaseId>,
    /// Those of these processes, by peer and pid; they may be gone.
    pub processes: BTreeSet<(PeerId, u32)>,
}

impl Model {
    /// Returns a model that knows this and has no session.
    ///
    /// # Errors
    ///
    /// Fails if a process or the domain names something that is not known.
    pub fn restore(settings: Settings, now: Timestamp, known: Known) -> Result<Self, Unknown> {
        let mut model = Self::new(settings);
        let Known {
            domain,
            mut peers,
            mut databases,
            mut processes,
        } = known;
        peers.sort_by_key(|it| it.number);
        databases.sort_by_key(|it| it.number);
        processes.sort_by_key(|it| it.life);
        let mut doubts = Vec::new();
        for mut peer in peers {
            let doubt = peer.doubt.take();
            let id = model.restore_peer(peer);
            doubts.extend(doubt.map(|it| (id, it)));
        }
        let names = model.names.clone();
        // Whoever doubted first and is not known any more is nobody in particular.
        let read = |it: KnownDoubt| Doubt {
            first: it
                .first
                .map(|(at, by)| (at, by.and_then(|it| names.get(&it).copied()))),
        };
        let doubts = doubts.into_iter().map(|(id, it)| (id, read(it)));
        model.doubts.peers = doubts.collect();
        for KnownDatabase { name, .. } in databases {
            model.database_of(name);
        }
        for process in processes {
            let unknown = |missing| Unknown {
                process: Some((process.peer.clone(), process.pid)),
                missing,
            };
            let Some(peer) = names.get(&process.peer).copied() else {
                return Err(unknown(format!("the peer {}", process.peer)));
            };
            let Some(database) = model.database_named(&process.database) else {
                return Err(unknown(format!("the database {}", process.database)));
            };
            let doubt = process.doubt.clone().map(read);
            let id = model.restore_process(peer, database, process);
            model.doubts.processes.extend(doubt.map(|it| (id, it)));
        }
        if domain.was_synced {
            model.freshness = Freshness::Stale { since: now };
        }
        model.domain = domain.name;
        model.doubts.is_minority = domain.is_minority;
        model.lives = domain.lives;
        model.failed_starts = domain.failed_starts.into();
        if let Some(entry) = domain.entry {
            let Some(id) = names.get(&entry).copied() else {
                let missing = format!("the peer {entry}");
                return Err(Unknown {
                    process: None,
                    missing,
                });
            };
            model.entry = Some(id);
        }
        model.apply_rules();
        model.touched = Touched::default();
        Ok(model)
    }

    fn restore_peer(&mut self, known: KnownPeer) -> PeerId {
        let id = PeerId(u32::try_from(self.peers.len()).expect("there are fewer than the limit"));
        self.agents
            .extend(known.agents.iter().map(|it| (it.clone(), id)));
        self.addresses
            .extend(known.addresses.iter().map(|it| (it.clone(), id)));
        self.names.insert(known.name.clone(), id);
        self.peers.push(Peer {
            name: known.name,
            agent_id: known.agent_id,
            agents: known.agents.into_iter().collect(),
            address: known.address,
            addresses: known.addresses.into_iter().collect(),
            is_broker: known.is_broker,
            hostname: known.hostname,
            version: known.version,
            presence: known.presence,
            dial: None,
            labels: BTreeMap::new(),
            lost: known.lost,
            is_retired: known.is_retired,
            generation: self.generation,
        });
        id
    }

    fn restore_process(
        &mut self,
        peer: PeerId,
        database: DatabaseId,
        known: KnownProcess,
    ) -> ProcessId {
        let place = self.processes.len();
        let id = ProcessId(u32::try_from(place).expect("there are fewer than the limit"));
        let process = Process {
            life: Life(known.life),
            peer,
            database,
            pid: known.pid,
            port: known.port,
            role: known.role,
            status: known.status,
            status_word: known.status_word,
            node_id: known.node_id,
            start_id: known.start_id,
            version: known.version,
            agent_id: known.agent_id,
            presence: known.presence,
            first_seen: known.first_seen,
            last_seen: known.first_seen,
            generation: self.generation,
        };
        let entry = &mut self.databases[database.index()];
        entry.known += 1;
        if process.is_running() {
            for role in process.role.parts() {
                *entry.running.entry(role).or_default() += 1;
            }
        }
        self.by_pid.insert((peer, process.pid), id);
        self.processes.push(Some(process));
        id
    }

    /// The daemon begins, or goes on from what is on record: there is no session, and whatever was
    /// awaited in the one before is not told any more.
    pub fn begin(&mut self, now: Timestamp, settings: Settings) {
        if self.freshness != Freshness::Unknown {
            self.freshness = Freshness::Stale { since: now };
        }
        self.exits.clear();
        self.returns.clear();
        self.waiting.clear();
        self.cancel_look();
        self.configure(settings);
    }

    /// Takes over changed settings.
    pub fn configure(&mut self, settings: Settings) {
        self.settings = settings;
        self.apply_rules();
    }

    /// Returns whose facts changed since the last call.
    pub fn drain_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// Returns the process with that pid at a peer, if one is known.
    pub fn process_with(&self, peer: PeerId, pid: u32) -> Option<ProcessId> {
        self.by_pid.get(&(peer, pid)).copied()
    }

    /// Returns the facts of the domain as a whole.
    pub fn known_domain(&self) -> KnownDomain {
        KnownDomain {
            name: self.domain.clone(),
            was_synced: self.freshness != Freshness::Unknown,
            entry: self.entry.map(|id| self.peer(id).name.clone()),
            is_minority: self.is_minority(),
            lives: self.lives,
            failed_starts: self.failed_starts.iter().cloned().collect(),
        }
    }

    /// Returns the facts of a peer.
    pub fn known_peer(&self, id: PeerId) -> KnownPeer {
        let peer = self.peer(id);
        KnownPeer {
            name: peer.name.clone(),
            number: id.0,
            agent_id: peer.agent_id.clone(),
            agents: peer.agents.iter().cloned().collect(),
            address: peer.address.clone(),
            addresses: peer.addresses.iter().cloned().collect(),
            is_broker: peer.is_broker,
            hostname: peer.hostname.clone(),
            version: peer.version.clone(),
            presence: peer.presence,
            lost: peer.lost,
            is_retired: peer.is_retired,
            doubt: self.doubts.peers.get(&id).map(|it| self.known_doubt(*it)),
        }
    }

    fn known_doubt(&self, doubt: Doubt) -> KnownDoubt {
        let name = |id: PeerId| self.peer(id).name.clone();
        KnownDoubt {
            first: doubt.first.map(|(at, by)| (at, by.map(name))),
        }
    }

    /// Returns the facts of a database.
    pub fn known_database(&self, id: DatabaseId) -> KnownDatabase {
        KnownDatabase {
            name: self.database(id).name.clone(),
            number: id.0,
        }
    }

    /// Returns the facts of a process.
    pub fn known_process(&self, id: ProcessId, process: &Process) -> KnownProcess {
        let doubt = self.doubts.processes.get(&id);
        KnownProcess {
            peer: self.peer(process.peer).name.clone(),
            pid: process.pid,
            life: process.life.0,
            database: self.database(process.database).name.clone(),
            port: process.port,
            role: process.role,
            status: process.status,
            status_word: process.status_word.clone(),
            node_id: process.node_id,
            start_id: process.start_id.clone(),
            version: process.version.clone(),
            agent_id: process.agent_id.clone(),
            presence: process.presence,
            first_seen: process.first_seen,
            doubt: doubt.map(|it| self.known_doubt(*it)),
        }
    }
}

impl Life {
    /// Returns the number that facts know the life by.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// Returns the life of that number.
    pub const fn of(number: u64) -> Self {
        Self(number)
    }
}
