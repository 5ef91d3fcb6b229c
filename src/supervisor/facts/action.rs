//! What is remembered of starts: those under way, those that failed, and those that were given up.

use std::sync::Arc;

use crate::exchange::ActionId;
use crate::model::{AgentId, DatabaseName, PeerName, Role, StartId};
use crate::time::Timestamp;

/// One start of the healer's that is not settled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActionFact {
    /// Names it.
    pub action: ActionId,
    /// The database of its slot.
    pub database: DatabaseName,
    /// The role of its slot.
    pub role: Role,
    /// Which seat of that role in that database, from 0.
    pub ordinal: u32,
    /// The peer that shall start it.
    pub target: PeerName,
    /// Which of the agents of that peer is asked. Older records do not say.
    pub agent: Option<AgentId>,
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
    /// What failed.
    pub role: Role,
    /// The peer.
    pub peer: PeerName,
    /// When.
    pub at: Timestamp,
    /// Whether it cannot run there, by what the agent said.
    pub is_out: bool,
}

/// A start that was given up, and may come to life after all.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LapsedFact {
    /// The action it was.
    pub action: ActionId,
    /// The database.
    pub database: DatabaseName,
    /// What was to be started.
    pub role: Role,
    /// Which seat of that role in that database, from 0, it was for. Older records do not say.
    pub ordinal: Option<u32>,
    /// The peer that was asked.
    pub peer: PeerName,
    /// Which of the agents of that peer was asked. Older records do not say.
    pub agent: Option<AgentId>,
    /// What its agent calls the start, if it said so.
    pub start_id: Option<StartId>,
    /// When it was given up.
    pub at: Timestamp,
}
