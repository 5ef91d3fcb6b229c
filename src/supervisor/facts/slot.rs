//! What is remembered of a seat: how it is, and if it is empty since when and why.

use std::sync::Arc;
use std::time::Duration;

use crate::exchange::{ActionId, Place};
use crate::model::{DatabaseName, PeerName, Role};
use crate::supervisor::archive::Ran;
use crate::time::Timestamp;

/// A seat for one process of one database.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotFact {
    /// The database.
    pub database: DatabaseName,
    /// The role of who sits there.
    pub role: Role,
    /// Which seat of that role in its database, from 0.
    pub ordinal: u32,
    /// The peer it belongs to, if not just any will do.
    pub home: Option<PeerName>,
    /// The order in which slots were made; pauses are spread by it.
    pub number: u32,
    /// Whether a process sat here long enough to be wanted from then on.
    pub observed: bool,
    /// How many starts were tried since the seat was last healthy.
    pub tries: u32,
    /// Who sat there last, of a seat that belongs to a peer.
    pub ran: Option<Ran>,
    /// Where the last one ran that was replaced though its agent was silent, and when.
    pub unproven: Option<(PeerName, Timestamp)>,
    /// Why the healer gave up on it, and until when a process that took the seat since must run to
    /// end that.
    pub given_up: Option<(HoldReason, Timestamp)>,
    /// Which action ends the leftover that holds its archive.
    pub clearing: Option<ActionId>,
    /// How it is.
    pub phase: PhaseFact,
}

impl SlotFact {
    /// Returns what operators call it, such as `te/1`.
    pub fn name(&self) -> String {
        slot_name(self.role, self.ordinal)
    }
}

/// Returns what operators call a seat, such as `te/1`.
pub fn slot_name(role: Role, ordinal: u32) -> String {
    format!("{}/{}", role.word(), ordinal + 1)
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
        /// What is known of the empty seat. Older records do not say.
        vacancy: Option<VacancyFact>,
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
    /// Something left over holds its archive.
    ArchiveInUse,
    /// Nobody told how its archive is started.
    ArchiveUnknown,
    /// The engine does not understand its options.
    BadOption,
    /// Every stage of the policy was tried.
    StagesUsedUp,
    /// It was gone when we looked again, and nothing of its database runs.
    VanishedUnwatched,
}

impl HoldReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [
        Self::ArchiveInUse,
        Self::ArchiveUnknown,
        Self::BadOption,
        Self::StagesUsedUp,
        Self::VanishedUnwatched,
    ];

    /// Returns the reason in the words operators know it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ArchiveInUse => "archive-in-use",
            Self::ArchiveUnknown => "archive-unknown",
            Self::BadOption => "bad-option",
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
    /// Where it waits until the agent is ready.
    pub not_ready_at: Option<PeerName>,
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
    /// Why, in their words.
    pub reason: Option<Arc<str>>,
    /// Where it shall be.
    pub place: Place,
    /// When it is given up.
    pub until: Timestamp,
}

impl WishFact {
    /// Returns when it was asked for, if it waits for so long.
    pub(in crate::supervisor) fn asked(&self, patience: Duration) -> Timestamp {
        let patience = u64::try_from(patience.as_micros()).unwrap_or(u64::MAX);
        Timestamp::from_micros(self.until.as_micros().saturating_sub(patience))
    }
}
