//! The gate `not-synced`: a session that has settled.

use std::time::Duration;

use crate::time::Timestamp;

/// When a view has settled.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervisor) struct Settling {
    /// When membership was quiet for so long,
    pub(in crate::supervisor) quiet: Duration,
    /// or at the latest after this time: membership that never gets quiet must not keep a gate
    /// closed for ever.
    pub(in crate::supervisor) most: Duration,
    /// A fresh picture that does not come is asked for again after this time.
    pub(in crate::supervisor) look_again: Duration,
}

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
    pub(super) fn opens(self, settling: Settling) -> Option<Timestamp> {
        match self {
            Self::None | Self::Settled => None,
            Self::Settling { synced, quiet } => {
                let most = settling.most.max(settling.quiet);
                Some((quiet + settling.quiet).min(synced + most))
            }
        }
    }
}
