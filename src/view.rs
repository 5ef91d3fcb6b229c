//! What a warden knows and has in mind, as a value for people to look at.
//!
//! A view is built anew each time it is asked for, by names only, so that it can leave the event
//! loop. It is no record: its form as JSON belongs to `api`.

use std::sync::Arc;

use crate::model::{
    Address, AgentId, DatabaseId, DatabaseName, DomainName, Freshness, Model, Peer, PeerName,
    PeerPresence, Presence, Process, Role, StartId, Status,
};
use crate::supervisor::{
    ActionView, ClosedGate, Mode, OrderFact, SlotView, Supervisor, Unresponsive,
};
use crate::time::{Moment, Timestamp, WallTime};

/// One domain, as its warden sees it at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View {
    /// When it was looked at.
    pub now: Moment,
    /// What we call the domain.
    pub domain: DomainName,
    /// What it calls itself, once it has said so.
    pub called: Option<Arc<str>>,
    /// What the healer may do.
    pub mode: Mode,
    /// How fresh all of this is.
    pub freshness: Freshness,
    /// The peer that tells us.
    pub entry: Option<PeerName>,
    /// Why the healer does not act.
    pub gates: Vec<ClosedGate>,
    /// Every peer that was ever seen, by name.
    pub peers: Vec<PeerView>,
    /// Every database that was ever seen, by name.
    pub databases: Vec<DatabaseView>,
    /// Every process that is known, by database, role, peer and pid.
    pub processes: Vec<ProcessView>,
    /// Every seat, by database and number.
    pub slots: Vec<SlotView>,
    /// Every start that is under way, the oldest first.
    pub actions: Vec<ActionView>,
    /// What people said that holds for a while.
    pub orders: Vec<OrderFact>,
    /// How many starts are left by the budget of the domain.
    pub budget_left: u32,
}

/// A host of the domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerView {
    /// Our stable name for it.
    pub name: PeerName,
    /// Where it can be dialled.
    pub address: Address,
    /// What its agent calls itself, or called itself last.
    pub agent_id: AgentId,
    /// Whether it sees the whole domain.
    pub is_broker: bool,
    /// The name of its host, empty if it is not known.
    pub hostname: Arc<str>,
    /// The version of its agent, empty if it is not known.
    pub version: Arc<str>,
    /// Whether the domain reaches it.
    pub is_connected: bool,
    /// Since when it does, or does not.
    pub since: Timestamp,
    /// How many processes of it are known.
    pub processes: usize,
}

/// A named set of processes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DatabaseView {
    /// What it is called.
    pub name: DatabaseName,
    /// Whether any process of it is known.
    pub is_known: bool,
    /// How many reachable transaction engines are up.
    pub running_te: u32,
    /// How many reachable storage managers are up.
    pub running_sm: u32,
    /// How many transaction engines are wanted.
    pub wanted_te: u32,
    /// Whether listeners were told that some are missing.
    pub is_degraded: bool,
}

/// A running engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProcessView {
    /// The database it serves.
    pub database: DatabaseName,
    /// What it does.
    pub role: Role,
    /// The peer it runs at.
    pub peer: PeerName,
    /// The host its peer is dialled at.
    pub host: Arc<str>,
    /// Its process id at its peer.
    pub pid: u32,
    /// The port it listens on.
    pub port: Option<u16>,
    /// How it is.
    pub status: Status,
    /// The domain's own word for that, empty if it never said one.
    pub status_word: Arc<str>,
    /// Whether its peer is reached.
    pub is_reachable: bool,
    /// If it does not answer at its port: since when that is known, and why.
    pub unresponsive: Option<Unresponsive>,
    /// Its number within the database.
    pub node_id: Option<u32>,
    /// The start it came from.
    pub start_id: Option<StartId>,
    /// Its version, empty if it is not known.
    pub version: Arc<str>,
    /// When it was first seen.
    pub first_seen: Timestamp,
}

impl View {
    /// Returns what is known of a domain and meant about it.
    pub fn new(now: Moment, domain: DomainName, model: &Model, supervisor: &Supervisor) -> Self {
        let peers = model.peers().map(|(id, peer)| PeerView {
            processes: model.processes_at(id).count(),
            ..PeerView::new(peer)
        });
        let databases = model
            .databases()
            .map(|(id, _)| DatabaseView::new(now.at, model, supervisor, id));
        let processes = model.processes().map(|(id, process)| ProcessView {
            unresponsive: supervisor.unresponsive(id).cloned(),
            ..ProcessView::new(model, process)
        });
        let mut view = Self {
            now,
            domain,
            called: model.domain().map(Into::into),
            mode: supervisor.mode(),
            freshness: model.freshness(),
            entry: model.entry().map(|id| model.peer(id).name.clone()),
            gates: supervisor.closed_gates(now.at, model),
            peers: peers.collect(),
            databases: databases.collect(),
            processes: processes.collect(),
            slots: supervisor.slot_views(now.at, model).collect(),
            actions: supervisor.action_views(model).collect(),
            orders: supervisor.orders().cloned().collect(),
            budget_left: supervisor.budget_left(now),
        };
        view.peers.sort_by(|a, b| a.name.cmp(&b.name));
        view.databases.sort_by(|a, b| a.name.cmp(&b.name));
        let key = |it: &ProcessView| (it.database.clone(), it.role, it.peer.clone(), it.pid);
        view.processes.sort_by_cached_key(key);
        // Stable: the numbers of the seats of one database stay in order.
        view.slots.sort_by(|a, b| a.database.cmp(&b.database));
        view
    }

    /// Returns the wall time of a reading of the timeline, as far as today's distance between the
    /// two clocks tells.
    pub fn wall(&self, at: Timestamp) -> WallTime {
        self.now.wall_at(at)
    }
}

impl PeerView {
    fn new(peer: &Peer) -> Self {
        let (is_connected, since) = match peer.presence {
            PeerPresence::Connected { since } => (true, since),
            PeerPresence::Unreachable { since } => (false, since),
        };
        Self {
            name: peer.name.clone(),
            address: peer.address.clone(),
            agent_id: peer.agent_id.clone(),
            is_broker: peer.is_broker,
            hostname: peer.hostname.clone(),
            version: peer.version.clone(),
            is_connected,
            since,
            processes: 0,
        }
    }
}

impl DatabaseView {
    fn new(now: Timestamp, model: &Model, supervisor: &Supervisor, id: DatabaseId) -> Self {
        let database = model.database(id);
        let completeness = supervisor.completeness(now, model, id);
        Self {
            name: database.name.clone(),
            is_known: database.is_known(),
            running_te: database.running(Role::Te),
            running_sm: database.running(Role::Sm),
            wanted_te: completeness.wanted_te,
            is_degraded: completeness.is_degraded,
        }
    }
}

impl ProcessView {
    fn new(model: &Model, process: &Process) -> Self {
        let peer = model.peer(process.peer);
        Self {
            database: model.database(process.database).name.clone(),
            role: process.role,
            peer: peer.name.clone(),
            host: peer.address.host.clone(),
            pid: process.pid,
            port: process.port,
            status: process.status,
            status_word: process.status_word.clone(),
            is_reachable: !matches!(process.presence, Presence::Unreachable { .. }),
            unresponsive: None,
            node_id: process.node_id,
            start_id: process.start_id.clone(),
            version: process.version.clone(),
            first_seen: process.first_seen,
        }
    }
}
