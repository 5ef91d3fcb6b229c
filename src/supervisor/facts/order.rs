//! What people said that holds for a while: who, why, since when and until when.

use std::fmt;
use std::sync::Arc;

use super::slot::slot_name;
use crate::model::{DatabaseName, PeerName, Role};
use crate::supervisor::gate::Gate;
use crate::time::{Moment, WallTime};

/// Something a person said that holds until it is taken back or its time is over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrderFact {
    /// What.
    pub kind: OrderKind,
    /// Of what.
    pub extent: Extent,
    /// Who said so.
    pub by: Arc<str>,
    /// Why, in their words.
    pub reason: Option<Arc<str>>,
    /// When it was said.
    pub since: Moment,
    /// When it ends by itself.
    pub until: Option<WallTime>,
    /// Whether listeners were told that it ends soon.
    pub told_ending: bool,
}

impl OrderFact {
    /// Returns its name: no two hold at a time of one name.
    pub fn name(&self) -> Arc<str> {
        self.kind.on(&self.extent)
    }
}

/// Sorts of what holds for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OrderKind {
    /// Somebody is about to end it.
    Announced,
    /// It is brought up from nothing.
    ColdStart,
    /// It is dead.
    Dead,
    /// Nothing is started for it.
    Hold,
    /// People work at it.
    Maintenance,
    /// So many transaction engines are wanted.
    Scale(u32),
    /// That gate does not count.
    Thaw(Gate),
}

impl OrderKind {
    /// Returns the kind as a lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced => "announced",
            Self::ColdStart => "cold-start",
            Self::Dead => "dead",
            Self::Hold => "hold",
            Self::Maintenance => "maintenance",
            Self::Scale(_) => "scale",
            Self::Thaw(_) => "thaw",
        }
    }

    /// Returns the name of an order of this kind on that.
    pub fn on(self, extent: &Extent) -> Arc<str> {
        let kind = self.as_str();
        match self {
            Self::Thaw(gate) => format!("{kind} {} {extent}", gate.as_str()).into(),
            Self::Announced
            | Self::ColdStart
            | Self::Dead
            | Self::Hold
            | Self::Maintenance
            | Self::Scale(_) => format!("{kind} {extent}").into(),
        }
    }
}

/// What a person's word is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Extent {
    /// All of a database.
    Database(DatabaseName),
    /// All of the domain.
    Domain,
    /// A peer, and what runs there.
    Peer(PeerName),
    /// A process.
    Process {
        /// The peer it runs at.
        peer: PeerName,
        /// Its process id there.
        pid: u32,
        /// The seat it had when that was said: of a database, of a role, and which from 0.
        seat: Option<(DatabaseName, Role, u32)>,
    },
    /// A seat of a role in a database, from 0.
    Slot(DatabaseName, Role, u32),
}

impl fmt::Display for Extent {
    /// Writes it as people name it; `the domain` for all of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(name) => write!(f, "{name}"),
            Self::Domain => write!(f, "the domain"),
            Self::Peer(name) => write!(f, "{name}"),
            Self::Process { peer, pid, .. } => write!(f, "{peer}/{pid}"),
            Self::Slot(name, role, ordinal) => {
                write!(f, "{name}/{}", slot_name(*role, *ordinal))
            }
        }
    }
}
