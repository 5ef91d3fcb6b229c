//! The gate `lease`: several daemons watch one domain, and only the one that has its lease heals.
//!
//! Who has it is found out elsewhere. A lease that another one had before is not acted by at once:
//! what that one asked for last may still show itself.

use std::sync::Arc;
use std::time::Duration;

use super::super::{Lease, Supervisor};
use crate::time::Timestamp;

/// Where the lease of a domain is, and for how long it lasts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LeaseTerms {
    /// A file that every daemon of the domain reaches under some path.
    pub path: Arc<str>,
    /// A lease that was not renewed for so long is lost.
    pub ttl: Duration,
}

/// How far we are with the lease.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(in crate::supervisor) enum Holding {
    /// Another one has it, or nobody knows yet.
    #[default]
    Awaited,
    /// It is ours.
    Held,
    /// There is none.
    NotNeeded,
    /// It is ours since just now; what the one before asked for may show itself until then.
    TakenOver { until: Timestamp },
}

impl Holding {
    pub(super) const fn is_closed(self) -> bool {
        match self {
            Self::Awaited | Self::TakenOver { .. } => true,
            Self::Held | Self::NotNeeded => false,
        }
    }

    /// Returns when it opens by itself, if it does.
    pub(super) const fn opens(self) -> Option<Timestamp> {
        match self {
            Self::TakenOver { until } => Some(until),
            Self::Awaited | Self::Held | Self::NotNeeded => None,
        }
    }

    /// The daemon begins: it has to have the lease anew.
    pub(super) fn begin(&mut self) {
        *self = Self::Awaited;
    }
}

impl Supervisor {
    /// The lease was had, or lost. `act` must follow.
    pub fn leased(&mut self, now: Timestamp, lease: Lease) {
        self.gates.lease = match lease {
            Lease::Held { taken_over: false } => Holding::Held,
            Lease::Held { taken_over: true } => Holding::TakenOver {
                until: now + self.longest_start() + self.settings.waits.report_slack,
            },
            Lease::Lost => Holding::Awaited,
        };
    }

    /// Opens and closes the gate as the configuration and the time say.
    pub(super) fn mind_lease(&mut self, now: Timestamp) {
        let is_needed = self.settings.lease.is_some();
        self.gates.lease = match self.gates.lease {
            _ if !is_needed => Holding::NotNeeded,
            Holding::NotNeeded => Holding::Awaited,
            Holding::TakenOver { until } if until <= now => Holding::Held,
            other @ (Holding::Awaited | Holding::Held | Holding::TakenOver { .. }) => other,
        };
    }

    /// Returns whether another daemon may heal the domain as well as this one would.
    pub(super) fn is_without_lease(&self) -> bool {
        self.gates.lease.is_closed()
    }
}
