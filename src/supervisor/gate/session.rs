//! The gate `not-synced`: a session that has settled.

use std::time::Duration;

use crate::time::Timestamp;

/// Membership that never gets quiet must not keep the gate closed for ever.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// The gate `not-synced`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::supervisor) enum Session {
    /// There is no session, so nothing is known for sure.
    None,
    /// The model is synced and has settled.
    Settled,
    /// The model is synced, but what surrounds us may still be moving.
    Settling { synced: Timestamp, quiet: Timestamp },
}

impl Session {
    /// Returns when the gate opens if nothing moves any more, `None` if it is open or if only a
    /// session can open it.
    pub(super) fn opens(self, settle: Duration) -> Option<Timestamp> {
        match self {
            Self::None | Self::Settled => None,
            Self::Settling { synced, quiet } => {
                Some((quiet + settle).min(synced + SETTLE_MAX.max(settle)))
            }
        }
    }
}
