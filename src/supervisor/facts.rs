//! What a warden remembers across a crash, as values that can be written down and read back.
//!
//! Facts name what they are about and never number it, so that they mean the same to a warden that
//! begins with them. They are plain values: how they are stored belongs to `journal`, how they are
//! gathered and read back to `memory` and `warden`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::gate::Gate;
use crate::exchange::{ActionId, LossClass, Place};
use crate::model::{
    DatabaseName, KnownDatabase, KnownDomain, KnownPeer, KnownProcess, PeerName, StartId,
};
use crate::time::Timestamp;

/// Of which sort a fact is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum FactKind {
    /// An open action.
    Action,
    /// A database, and what is remembered of its exits.
    Database,
    /// The domain as a whole; there is one.
    Domain,
    /// The last failure of a database at a peer.
    Failure,
    /// A start that was given up, and may come to life after all.
    Lapsed,
    /// A peer with all its aliases.
    Peer,
    /// A process, and where it sits.
    Process,
    /// A slot.
    Slot,
}

impl FactKind {
    /// Every kind of fact.
    pub const ALL: [Self; 8] = [
        Self::Action,
        Self::Database,
        Self::Domain,
        Self::Failure,
        Self::Lapsed,
        Self::Peer,
        Self::Process,
        Self::Slot,
    ];

    /// Returns the kind as a lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Database => "database",
            Self::Domain => "domain",
            Self::Failure => "failure",
            Self::Lapsed => "lapsed",
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

    /// Returns the key of the last failure of a database at a peer.
    pub fn failure(peer: &PeerName, database: &DatabaseName) -> Self {
        Self::new(FactKind::Failure, format!("{peer}/{database}"))
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
    /// A database.
    Database(DatabaseFact),
    /// The domain as a whole.
    Domain(DomainFact),
    /// The last failure of a database at a peer.
    Failure(FailureFact),
    /// A start that was given up.
    Lapsed(LapsedFact),
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
            Self::Database(it) => FactKey::new(FactKind::Database, it.known.name.as_str()),
            Self::Domain(_) => FactKey::new(FactKind::Domain, "domain"),
            Self::Failure(it) => FactKey::failure(&it.peer, &it.database),
            Self::Lapsed(it) => FactKey::lapsed(it.action),
            Self::Peer(it) => FactKey::new(FactKind::Peer, it.name.as_str()),
            Self::Process(it) => FactKey::process(&it.known.peer, it.known.pid),
            Self::Slot(it) => {
                let name = format!("{}/te/{}", it.database, it.ordinal + 1);
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
}

/// A process, and where it sits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProcessFact {
    /// What is known of it.
    pub known: KnownProcess,
    /// Which seat of its database, from 0, it sits on or may come back to.
    pub seat: Option<u32>,
}

/// A seat for one transaction engine of one database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotFact {
    /// The database.
    pub database: DatabaseName,
    /// Which seat of its database, from 0.
    pub ordinal: u32,
    /// The order in which slots were made; pauses are spread by it.
    pub number: u32,
    /// Whether a process sat here long enough to be wanted from then on.
    pub observed: bool,
    /// How many starts were tried since the seat was last healthy.
    pub tries: u32,
    /// How it is.
    pub phase: PhaseFact,
}

/// How a slot is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PhaseFact {
    /// A start for it is under way.
    Acting {
        /// Which action.
        action: ActionId,
        /// What is known of the empty seat.
        vacancy: VacancyFact,
    },
    /// Nobody sits there, and nobody has to.
    Empty,
    /// A process sits there.
    Filled {
        /// The peer it runs at.
        peer: PeerName,
        /// Its process id there.
        pid: u32,
    },
    /// The healer gave up on it.
    Held {
        /// Why.
        reason: HoldReason,
        /// When it is told again.
        again: Timestamp,
    },
    /// Its process left as somebody wished; until then it may turn out that it did not.
    Leaving {
        /// When that is judged.
        until: Timestamp,
        /// Where it ran.
        peer: PeerName,
    },
    /// Nobody sits there, though somebody should.
    Vacant(VacancyFact),
}

/// Why the healer gave up on a slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HoldReason {
    /// Every stage of the policy was tried.
    StagesUsedUp,
    /// It was gone when we looked again, and nothing of its database runs.
    VanishedUnwatched,
}

impl HoldReason {
    /// Every reason.
    pub const ALL: [Self; 2] = [Self::StagesUsedUp, Self::VanishedUnwatched];

    /// Returns the reason in the words operators know it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StagesUsedUp => "stages-used-up",
            Self::VanishedUnwatched => "vanished-unwatched",
        }
    }

    /// Returns the reason of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// What is known of an empty seat.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VacancyFact {
    /// Since when it is empty.
    pub since: Timestamp,
    /// When the pause before the next try began.
    pub pause_from: Timestamp,
    /// When that pause ends.
    pub pause_until: Timestamp,
    /// Why it is empty.
    pub evidence: EvidenceFact,
    /// Whether the agent of the peer it was on answers us. A question that was not answered when
    /// the daemon died was never asked.
    pub agent: AgentFact,
    /// Whether listeners were told that it is blocked.
    pub told_blocked: bool,
    /// Whether listeners were told what would be started.
    pub told_suggested: bool,
    /// Who asked for a start and waits for it.
    pub wish: Option<WishFact>,
}

/// Why a seat is empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EvidenceFact {
    /// It never was filled, but is declared.
    Declared,
    /// The exit was told, or the peer is back without the process.
    Exit {
        /// Where it ran.
        peer: PeerName,
    },
    /// The peer went, and the process with it as far as one can see.
    Unreachable {
        /// Where it ran.
        peer: PeerName,
        /// Which life of a process.
        life: u64,
    },
    /// It was gone when we looked again.
    Vanished {
        /// Where it ran.
        peer: PeerName,
    },
}

/// Whether the agent of the peer a process was on answers us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AgentFact {
    /// It does.
    Answers {
        /// When it did.
        at: Timestamp,
    },
    /// It does not.
    Silent,
    /// Nobody knows.
    Unasked,
}

/// A start that was asked for, accepted, and not begun yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WishFact {
    /// Who asked.
    pub by: Arc<str>,
    /// Where it shall be.
    pub place: Place,
    /// When it is given up.
    pub until: Timestamp,
}

impl WishFact {
    /// For so long what was asked for may wait for the gates.
    pub const PATIENCE: Duration = Duration::from_secs(600);

    /// Returns when it was asked for.
    pub(super) fn asked(&self) -> Timestamp {
        let patience = u64::try_from(Self::PATIENCE.as_micros()).expect("it is minutes");
        Timestamp::from_micros(self.until.as_micros().saturating_sub(patience))
    }
}

/// One start of the healer's that is not settled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActionFact {
    /// Names it.
    pub action: ActionId,
    /// The database of its slot.
    pub database: DatabaseName,
    /// Which seat of that database, from 0.
    pub ordinal: u32,
    /// The peer that shall start it.
    pub target: PeerName,
    /// How far it got.
    pub stage: ActionStage,
    /// What the agent calls the start, once it said so.
    pub start_id: Option<StartId>,
    /// Who asked for it, if it was not the healer's own idea.
    pub by: Option<Arc<str>>,
}

/// How far an action got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ActionStage {
    /// The request may have left; nothing was heard. A fresh snapshot must be looked at.
    Checking {
        /// When it is given up without one.
        deadline: Timestamp,
    },
    /// The request left, or may leave at any moment.
    Committed {
        /// When nothing heard means that it must be looked into.
        deadline: Timestamp,
    },
    /// The session to the agent is being opened. It is void once the daemon died.
    Preparing {
        /// When it is given up.
        deadline: Timestamp,
    },
    /// The driver knows that the process registered; the domain's own word is on its way.
    Registered {
        /// When that is waited for no longer.
        deadline: Timestamp,
    },
}

impl ActionStage {
    /// Returns when the stage has lasted too long.
    pub const fn deadline(self) -> Timestamp {
        match self {
            Self::Checking { deadline }
            | Self::Committed { deadline }
            | Self::Preparing { deadline }
            | Self::Registered { deadline } => deadline,
        }
    }
}

/// When a process of a database last failed at a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FailureFact {
    /// The database.
    pub database: DatabaseName,
    /// The peer.
    pub peer: PeerName,
    /// When.
    pub at: Timestamp,
}

/// A start that was given up, and may come to life after all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LapsedFact {
    /// The action it was.
    pub action: ActionId,
    /// The database.
    pub database: DatabaseName,
    /// The peer that was asked.
    pub peer: PeerName,
    /// What its agent calls the start, if it said so.
    pub start_id: Option<StartId>,
    /// When it was given up.
    pub at: Timestamp,
}
