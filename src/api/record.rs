//! The form in which a view leaves the daemon: as JSON.
//!
//! It is a promise to everybody who wrote a script against it: names are never reused, new ones may
//! come. What is not known is left out.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::office::Look;
use crate::exchange::Answer;
use crate::model::{Address, Freshness, PeerName, StartId};
use crate::supervisor::{ActionView, ClosedGate, Mode, OrderFact, OrderKind, SlotView};
use crate::time::Timestamp;
use crate::view::{DatabaseView, PeerView, ProcessView, View};

use super::port::{ConfigState, Port};

/// The answer to `status`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Status)]
pub(super) struct StatusRecord {
    daemon: DaemonRecord,
    domains: Vec<DomainRecord>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Daemon)]
struct DaemonRecord {
    version: &'static str,
    started: String,
    /// Number of its last own event.
    last_seq: u64,
    /// How many configurations took effect.
    generation: u64,
    loaded: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<String>,
    /// Where the API is served over TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    listens: Option<String>,
}

/// That there is a domain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Name)]
pub(super) struct NameRecord {
    pub(super) domain: String,
    pub(super) kind: &'static str,
}

/// One domain.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Domain)]
pub(super) struct DomainRecord {
    domain: String,
    kind: &'static str,
    last_seq: u64,
    /// Why the rest is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<&'static str>,
    #[serde(flatten)]
    seen: Option<SeenRecord>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Seen)]
struct SeenRecord {
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    called: Option<String>,
    mode: &'static str,
    freshness: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    gates: Vec<GateRecord>,
    peers: Vec<PeerRecord>,
    databases: Vec<DatabaseRecord>,
    processes: Vec<ProcessRecord>,
    slots: Vec<SlotRecord>,
    actions: Vec<ActionRecord>,
    orders: Vec<OrderRecord>,
}

/// Something a person said that holds for a while.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
pub(super) struct OrderRecord {
    order: &'static str,
    on: String,
    by: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    since: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    te: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Gate)]
pub(super) struct GateRecord {
    gate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    text: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Peer)]
pub(super) struct PeerRecord {
    peer: String,
    address: String,
    role: &'static str,
    connected: bool,
    since: String,
    processes: usize,
    agent_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    hostname: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    version: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Database)]
pub(super) struct DatabaseRecord {
    database: String,
    /// `active` if a transaction engine is up.
    status: &'static str,
    degraded: bool,
    te: CountRecord,
    sm: CountRecord,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Count)]
struct CountRecord {
    running: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Process)]
pub(super) struct ProcessRecord {
    database: String,
    role: String,
    peer: String,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    status_word: String,
    reachable: bool,
    /// Present while it does not answer at its port, if that is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    unresponsive: Option<UnresponsiveRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_id: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    version: String,
    first_seen: String,
}

/// That a process does not answer at its port.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Unresponsive)]
struct UnresponsiveRecord {
    since: String,
    /// What the last try failed of.
    reason: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Slot)]
pub(super) struct SlotRecord {
    database: String,
    slot: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    phase: &'static str,
    wanted: bool,
    tries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    told_blocked: bool,
    told_suggested: bool,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Action)]
pub(super) struct ActionRecord {
    action: u64,
    database: String,
    slot: String,
    peer: String,
    stage: &'static str,
    deadline: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_id: Option<String>,
}

/// What became of something that was asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(super) struct AcceptedRecord {
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<u64>,
    text: String,
}

impl AcceptedRecord {
    /// Returns the record of an answer, or why it is refused.
    pub(super) fn new(answer: &Answer) -> Result<Self, String> {
        match answer {
            Answer::Accepted { action, text } => Ok(Self {
                action: action.map(|it| it.0),
                text: text.to_string(),
            }),
            Answer::Refused { reason } => Err(reason.to_string()),
        }
    }
}

impl OrderRecord {
    fn new(it: &OrderFact) -> Self {
        let (te, gate) = match it.kind {
            OrderKind::Scale(count) => (Some(count), None),
            OrderKind::Thaw(gate) => (None, Some(gate.as_str())),
            OrderKind::Announced
            | OrderKind::ColdStart
            | OrderKind::Dead
            | OrderKind::Hold
            | OrderKind::Maintenance => (None, None),
        };
        Self {
            order: it.kind.as_str(),
            on: it.extent.to_string(),
            by: it.by.to_string(),
            reason: it.reason.as_deref().map(str::to_owned),
            since: it.since.wall.to_string(),
            until: it.until.map(|it| it.to_string()),
            te,
            gate,
        }
    }
}

impl StatusRecord {
    pub(super) fn new(port: &Port, config: &ConfigState, looks: &[Look]) -> Self {
        let daemon = &port.daemon;
        Self {
            daemon: DaemonRecord {
                version: daemon.version,
                started: daemon.started.to_string(),
                last_seq: daemon.journal.last_seq(),
                generation: config.generation,
                loaded: config.loaded.to_string(),
                rejected: config.rejected.as_deref().map(str::to_owned),
                listens: port.listens.map(|it| it.to_string()),
            },
            domains: looks.iter().map(DomainRecord::new).collect(),
        }
    }
}

impl DomainRecord {
    pub(super) fn new(look: &Look) -> Self {
        Self {
            domain: look.domain.to_string(),
            kind: look.kind,
            last_seq: look.last_seq,
            problem: look
                .view
                .is_none()
                .then_some("the event loop does not answer"),
            seen: look.view.as_ref().map(SeenRecord::new),
        }
    }
}

impl SeenRecord {
    fn new(view: &View) -> Self {
        let (freshness, since) = match view.freshness {
            Freshness::Stale { since } => ("stale", Some(since)),
            Freshness::Synced { since } => ("synced", Some(since)),
            Freshness::Unknown => ("unknown", None),
        };
        Self {
            time: view.now.wall.to_string(),
            called: view.called.as_deref().map(str::to_owned),
            mode: match view.mode {
                Mode::Heal => "heal",
                Mode::Observe => "observe",
                Mode::Suggest => "suggest",
            },
            freshness,
            since: since.map(|it| shown(view, it)),
            entry: view.entry.as_ref().map(PeerName::to_string),
            gates: gates(view),
            peers: peers(view),
            databases: databases(view),
            processes: processes(view),
            slots: slots(view),
            actions: actions(view),
            orders: orders(view),
        }
    }
}

/// Returns the peers of a domain.
pub(super) fn peers(view: &View) -> Vec<PeerRecord> {
    let record = |it: &PeerView| PeerRecord {
        peer: it.name.to_string(),
        address: it.address.to_string(),
        role: if it.is_broker { "broker" } else { "agent" },
        connected: it.is_connected,
        since: shown(view, it.since),
        processes: it.processes,
        agent_id: it.agent_id.to_string(),
        hostname: it.hostname.to_string(),
        version: it.version.to_string(),
    };
    view.peers.iter().map(record).collect()
}

/// Returns the databases of a domain that have a process, or are missed.
pub(super) fn databases(view: &View) -> Vec<DatabaseRecord> {
    let record = |it: &DatabaseView| DatabaseRecord {
        database: it.name.to_string(),
        status: if it.running_te > 0 {
            "active"
        } else {
            "inactive"
        },
        degraded: it.is_degraded,
        te: CountRecord {
            running: it.running_te,
            wanted: Some(it.wanted_te),
        },
        sm: CountRecord {
            running: it.running_sm,
            wanted: None,
        },
    };
    let is_there = |it: &&DatabaseView| it.is_known || it.wanted_te > 0;
    view.databases.iter().filter(is_there).map(record).collect()
}

/// Returns the processes of a domain.
pub(super) fn processes(view: &View) -> Vec<ProcessRecord> {
    let record = |it: &ProcessView| ProcessRecord {
        database: it.database.to_string(),
        role: it.role.as_str().to_owned(),
        peer: it.peer.to_string(),
        pid: it.pid,
        address: it
            .port
            .map(|port| Address::new(it.host.clone(), port).to_string()),
        status: it.status.as_str(),
        status_word: it.status_word.to_string(),
        reachable: it.is_reachable,
        unresponsive: it.unresponsive.as_ref().map(|it| UnresponsiveRecord {
            since: shown(view, it.since),
            reason: it.reason.to_string(),
        }),
        node_id: it.node_id,
        start_id: it.start_id.as_ref().map(StartId::to_string),
        version: it.version.to_string(),
        first_seen: shown(view, it.first_seen),
    };
    view.processes.iter().map(record).collect()
}

/// Returns the slots of a domain.
pub(super) fn slots(view: &View) -> Vec<SlotRecord> {
    let record = |it: &SlotView| SlotRecord {
        database: it.database.to_string(),
        slot: it.slot.to_string(),
        labels: it.labels.clone(),
        phase: it.phase,
        wanted: it.is_wanted,
        tries: it.tries,
        peer: it.peer.as_ref().map(PeerName::to_string),
        pid: it.pid,
        evidence: it.evidence,
        since: it.since.map(|at| shown(view, at)),
        next_try: it.next_try.map(|at| shown(view, at)),
        action: it.action.map(|it| it.0),
        reason: it.reason,
        told_blocked: it.is_told_blocked,
        told_suggested: it.is_told_suggested,
    };
    view.slots.iter().map(record).collect()
}

/// Returns the open actions of a domain.
pub(super) fn actions(view: &View) -> Vec<ActionRecord> {
    let record = |it: &ActionView| ActionRecord {
        action: it.action.0,
        database: it.database.to_string(),
        slot: it.slot.to_string(),
        peer: it.peer.to_string(),
        stage: it.stage,
        deadline: shown(view, it.deadline),
        start_id: it.start_id.as_ref().map(StartId::to_string),
    };
    view.actions.iter().map(record).collect()
}

/// Returns the gates of a domain that are closed.
pub(super) fn gates(view: &View) -> Vec<GateRecord> {
    view.gates.iter().map(|it| gate(view, it)).collect()
}

/// Returns what people said that holds in a domain.
pub(super) fn orders(view: &View) -> Vec<OrderRecord> {
    view.orders.iter().map(OrderRecord::new).collect()
}

/// Returns the maintenances of a domain.
pub(super) fn maintenance(view: &View) -> Vec<OrderRecord> {
    let of_it = view
        .orders
        .iter()
        .filter(|it| it.kind == OrderKind::Maintenance);
    of_it.map(OrderRecord::new).collect()
}

fn gate(view: &View, gate: &ClosedGate) -> GateRecord {
    GateRecord {
        gate: gate.name,
        database: gate.database.as_ref().map(ToString::to_string),
        since: gate.since.map(|at| shown(view, at)),
        until: gate.until.map(|at| shown(view, at)),
        text: gate.text.to_string(),
    }
}

fn shown(view: &View, at: Timestamp) -> String {
    view.wall(at).to_string()
}
