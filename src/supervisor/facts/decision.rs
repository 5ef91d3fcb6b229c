//! What is remembered of decisions: what was made of a seat lately, and why.

use std::sync::Arc;

use crate::event::Kind;
use crate::exchange::ActionId;
use crate::model::{DatabaseName, PeerName, Role};
use crate::time::Moment;

/// The latest decisions about one seat.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DecisionsFact {
    /// The database of the seat.
    pub database: DatabaseName,
    /// The role of who sits there.
    pub role: Role,
    /// Which seat of that role in that database, from 0.
    pub ordinal: u32,
    /// What was decided, the oldest first.
    pub decisions: Vec<Decision>,
}

/// One thing that was found out or decided about a seat.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Decision {
    /// When.
    pub time: Moment,
    /// What.
    pub step: DecisionStep,
    /// The gate that was in the way, as operators know it.
    pub gate: Option<Arc<str>>,
    /// The process it is about, by peer and pid.
    pub process: Option<(PeerName, u32)>,
    /// The action it began or ended.
    pub action: Option<ActionId>,
    /// By what evidence, or for what reason.
    pub says: Arc<str>,
}

/// What was found out or decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecisionStep {
    /// Something was in the way of a start.
    Blocked,
    /// A process sits there.
    Filled,
    /// Its process ended as somebody wished.
    Leaving,
    /// Listeners were told.
    Told(Kind),
    /// Nobody wants it any more.
    Unwanted,
    /// Nobody sits there, though somebody should.
    Vacant,
}

impl DecisionStep {
    const OWN: [Self; 5] = [
        Self::Blocked,
        Self::Filled,
        Self::Leaving,
        Self::Unwanted,
        Self::Vacant,
    ];

    /// Returns the step as a lower-case word; what listeners were told goes by the kind of event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Filled => "filled",
            Self::Leaving => "leaving",
            Self::Told(kind) => kind.as_str(),
            Self::Unwanted => "unwanted",
            Self::Vacant => "vacant",
        }
    }

    /// Returns the step of that name.
    pub fn named(name: &str) -> Option<Self> {
        let own = Self::OWN.into_iter().find(|it| it.as_str() == name);
        own.or_else(|| Kind::named(name).map(Self::Told))
    }
}
