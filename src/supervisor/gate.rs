//! Whether the healer may act at all: only on knowledge that is fresh and has settled, and only
//! while it can remember what it does.

use std::time::Duration;

use crate::time::Timestamp;

/// Membership that never gets quiet must not keep the gate closed for ever.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// A named reason not to act anywhere in a domain.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Gate {
    /// The journal cannot be written, so nothing that is done would be remembered.
    Journal,
    /// Memory was lost, and nobody has accepted that yet.
    Memory,
    /// We may see the smaller part of a domain that fell apart.
    MinorityView,
    /// There is no session, or what it tells has not settled yet.
    NotSynced,
    /// Memory comes from a backup: what was under way when it was taken may still show itself.
    Recovered,
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 5] = [
        Self::Journal,
        Self::Memory,
        Self::MinorityView,
        Self::NotSynced,
        Self::Recovered,
    ];

    /// Returns the name operators know the gate by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Memory => "memory",
            Self::MinorityView => "minority-view",
            Self::NotSynced => "not-synced",
            Self::Recovered => "recovered",
        }
    }

    /// Returns the gate of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// The gate `not-synced`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Session {
    /// There is no session, so nothing is known for sure.
    NotSynced,
    /// The model is synced and has settled.
    Open,
    /// The model is synced, but what surrounds us may still be moving.
    Settling { synced: Timestamp, quiet: Timestamp },
}

impl Session {
    pub(super) const fn new() -> Self {
        Self::NotSynced
    }

    /// Returns when the gate opens if nothing moves any more, `None` if it is open or if only a
    /// session can open it.
    pub(super) fn opens(self, settle: Duration) -> Option<Timestamp> {
        match self {
            Self::NotSynced | Self::Open => None,
            Self::Settling { synced, quiet } => {
                Some((quiet + settle).min(synced + SETTLE_MAX.max(settle)))
            }
        }
    }

    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }
}
