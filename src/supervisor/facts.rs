//! What a warden remembers across a crash, as values that can be written down and read back.
//!
//! Facts name what they are about and never number it, so that they mean the same to a warden that
//! begins with them. They are plain values: how they are stored belongs to `journal`, how they are
//! gathered and read back to `memory` and `warden`.

mod action;
mod decision;
mod order;
mod slot;

use std::fmt;
use std::sync::Arc;

use super::archive::Archive;
use super::gate::{Foreign, Gate, Storm};
use super::progress::Starting;
use super::responsive::Unresponsive;
use crate::exchange::{ActionId, LossClass, Managed};
use crate::model::{
    DatabaseName, KnownDatabase, KnownDomain, KnownPeer, KnownProcess, PeerName, Role,
};
use crate::time::{Moment, Timestamp};

pub use action::{ActionFact, ActionStage, FailureFact, LapsedFact};
pub use decision::{Decision, DecisionStep, DecisionsFact};
pub use order::{Extent, OrderFact, OrderKind};
pub use slot::{
    AgentFact, EvidenceFact, HoldReason, PhaseFact, SlotFact, VacancyFact, WishFact, slot_name,
};

/// Of which sort a fact is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FactKind {
    /// An open action.
    Action,
    /// An archive that something was started on.
    Archive,
    /// A database, and what is remembered of its exits.
    Database,
    /// What was decided about a slot lately.
    Decisions,
    /// The domain as a whole; there is one.
    Domain,
    /// The last failure of a database at a peer.
    Failure,
    /// A start that was given up, and may come to life after all.
    Lapsed,
    /// Something a person said that holds for a while.
    Order,
    /// A peer with all its aliases.
    Peer,
    /// A process, and where it sits.
    Process,
    /// A slot.
    Slot,
}

impl FactKind {
    /// Every kind of fact.
    pub const ALL: [Self; 11] = [
        Self::Action,
        Self::Archive,
        Self::Database,
        Self::Decisions,
        Self::Domain,
        Self::Failure,
        Self::Lapsed,
        Self::Order,
        Self::Peer,
        Self::Process,
        Self::Slot,
    ];

    /// Returns the kind as a lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Archive => "archive",
            Self::Database => "database",
            Self::Decisions => "decisions",
            Self::Domain => "domain",
            Self::Failure => "failure",
            Self::Lapsed => "lapsed",
            Self::Order => "order",
            Self::Peer => "peer",
            Self::Process => "process",
            Self::Slot => "slot",
        }
    }

    /// Returns the kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// Names one fact; a later fact of the same key takes its place.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FactKey {
    /// Of which sort it is.
    pub kind: FactKind,
    /// What it is about, unique within its kind.
    pub name: Arc<str>,
}

impl FactKey {
    /// Returns the key of that kind and name.
    pub fn new(kind: FactKind, name: impl Into<Arc<str>>) -> Self {
        let name = name.into();
        Self { kind, name }
    }

    /// Returns the key of a process, by peer and pid.
    pub fn process(peer: &PeerName, pid: u32) -> Self {
        Self::new(FactKind::Process, format!("{peer}/{pid}"))
    }

    /// Returns the key of an open action.
    pub fn action(action: ActionId) -> Self {
        Self::new(FactKind::Action, action.to_string())
    }

    /// Returns the key of a start that was given up.
    pub fn lapsed(action: ActionId) -> Self {
        Self::new(FactKind::Lapsed, action.to_string())
    }

    /// Returns the key of the last failure of a role of a database at a peer.
    pub fn failure(peer: &PeerName, database: &DatabaseName, role: Role) -> Self {
        let name = match role {
            Role::Te => format!("{peer}/{database}"),
            Role::Sm | Role::Named(_) => format!("{peer}/{database}/{}", role.word()),
        };
        Self::new(FactKind::Failure, name)
    }
}

impl fmt::Display for FactKey {
    /// Writes `KIND NAME`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// One fact that is new, has changed, or is to be forgotten.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FactChange {
    /// Which fact.
    pub key: FactKey,
    /// What it is now; `None` if it is forgotten.
    pub fact: Option<Fact>,
}

impl From<Fact> for FactChange {
    fn from(fact: Fact) -> Self {
        Self {
            key: fact.key(),
            fact: Some(fact),
        }
    }
}

/// Something a warden remembers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fact {
    /// An open action.
    Action(ActionFact),
    /// An archive that something was started on.
    Archive(ArchiveFact),
    /// A database.
    Database(DatabaseFact),
    /// What was decided about a slot lately.
    Decisions(DecisionsFact),
    /// The domain as a whole.
    Domain(DomainFact),
    /// The last failure of a database at a peer.
    Failure(FailureFact),
    /// A start that was given up.
    Lapsed(LapsedFact),
    /// Something a person said that holds for a while.
    Order(OrderFact),
    /// A peer.
    Peer(KnownPeer),
    /// A process.
    Process(ProcessFact),
    /// A slot.
    Slot(SlotFact),
}

impl Fact {
    /// Returns what the fact is about.
    pub fn key(&self) -> FactKey {
        match self {
            Self::Action(it) => FactKey::action(it.action),
            Self::Archive(it) => {
                let name = format!("{}/{}", it.archive.peer, it.database);
                FactKey::new(FactKind::Archive, name)
            }
            Self::Database(it) => FactKey::new(FactKind::Database, it.known.name.as_str()),
            Self::Decisions(it) => {
                let name = format!("{}/{}", it.database, slot_name(it.role, it.ordinal));
                FactKey::new(FactKind::Decisions, name)
            }
            Self::Domain(_) => FactKey::new(FactKind::Domain, "domain"),
            Self::Failure(it) => FactKey::failure(&it.peer, &it.database, it.role),
            Self::Lapsed(it) => FactKey::lapsed(it.action),
            Self::Order(it) => FactKey::new(FactKind::Order, it.name()),
            Self::Peer(it) => FactKey::new(FactKind::Peer, it.name.as_str()),
            Self::Process(it) => FactKey::process(&it.known.peer, it.known.pid),
            Self::Slot(it) => {
                let name = format!("{}/{}", it.database, it.name());
                FactKey::new(FactKind::Slot, name)
            }
        }
    }
}

/// The domain as a whole, and what we said of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DomainFact {
    /// What is known of it.
    pub known: KnownDomain,
    /// How the last try to have a session failed, if that was told and no session stands since.
    pub told_loss: Option<LossClass>,
    /// Which gates listeners know to be closed.
    pub told_closed: Vec<Gate>,
    /// Whether memory was lost and nobody has accepted that yet.
    pub memory_lost: bool,
    /// After a restore from a backup: when the healer may act again at the earliest.
    pub recovered_until: Option<Timestamp>,
    /// Since when the smaller part of the domain is in view.
    pub minority_since: Option<Timestamp>,
    /// A storm, or the time after one.
    pub storm: Option<Storm>,
    /// Which databases the domain manages itself.
    pub managed: Vec<Managed>,
    /// When the starts were decided that count against the budget, the oldest first.
    pub spent: Vec<Moment>,
    /// The number of the last action.
    pub last_action: ActionId,
    /// What pauses are spread by; the first one stays.
    pub seed: u64,
    /// Which accepted configuration the warden works by.
    pub generation: u64,
}

/// A database, and what is remembered of its exits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DatabaseFact {
    /// What is known of it.
    pub known: KnownDatabase,
    /// When processes of it ended lately, though nobody announced it.
    pub exits: Vec<Timestamp>,
    /// Until then it may turn out that a person ended them.
    pub confirm_until: Timestamp,
    /// Whether listeners were told that something is missing.
    pub told_degraded: bool,
    /// Whether a transaction engine that comes gets a seat of its own: the policy said that what
    /// is observed is kept. Older records do not say.
    pub keeps_observed: Option<bool>,
    /// The other roles of which that is so.
    pub seats_others: Vec<Role>,
    /// Since when none of its storage managers runs, if one did before.
    pub storage_lost: Option<Timestamp>,
    /// What others start of it.
    pub foreign: Foreign,
    /// How it is brought up from nothing.
    pub cold: ColdFact,
}

/// How a database is brought up from nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ColdFact {
    /// Whether a first storage manager was started, and the order still counts.
    pub is_under_way: bool,
    /// The start that it began with. Older records do not say.
    pub begun_by: Option<ActionId>,
    /// The seats that had a start as a step of it: of a role, and which from 0.
    pub steps: Vec<(Role, u32)>,
    /// Whether a person asked for it.
    pub is_asked_for: bool,
    /// Whose archives a person gave up.
    pub accepted: Vec<PeerName>,
}

/// An archive that something was started on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ArchiveFact {
    /// The database it belongs to.
    pub database: DatabaseName,
    /// Where it is, and how a storage manager is started there; without secrets.
    pub archive: Archive,
}

/// A process, and where it sits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProcessFact {
    /// What is known of it.
    pub known: KnownProcess,
    /// Which seat of its role in its database, from 0, it sits on or may come back to.
    pub seat: Option<u32>,
    /// If it is starting: since when nothing changed about it.
    pub starting: Option<Starting>,
    /// If it does not answer at its port: since when that is known, and why.
    pub unresponsive: Option<Unresponsive>,
}
