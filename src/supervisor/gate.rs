//! Whether the healer may act at all: only on knowledge that is fresh and has settled.

use std::time::Duration;

use crate::time::Timestamp;

/// Membership that never gets quiet must not keep the gate closed for ever.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// The gate `not-synced`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Gate {
    /// There is no session, so nothing is known for sure.
    NotSynced,
    /// The model is synced and has settled.
    Open,
    /// The model is synced, but what surrounds us may still be moving.
    Settling { synced: Timestamp, quiet: Timestamp },
}

impl Gate {
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
