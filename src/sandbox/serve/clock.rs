//! The clock of the sandbox: a domain of its own has a time of its own.

use std::time::Duration;

use tokio::time::Instant;

use crate::time::Timestamp;

/// Counts from when it was made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(Instant);

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the daemon reads its clock, the sandbox is another program"
    )]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn now(&self) -> Timestamp {
        Timestamp::ZERO + self.0.elapsed()
    }

    /// Returns when the clock will show `at`.
    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        self.0 + at.since(Timestamp::ZERO)
    }

    /// Returns the moment so far from now.
    pub(super) fn after(&self, pause: Duration) -> Instant {
        self.instant(self.now() + pause)
    }
}
