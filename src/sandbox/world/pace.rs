//! How long things take in the world.
//!
//! The defaults are what real brokers were seen to do, within what the foreign clients bear.

use std::time::Duration;

/// How long things take in the world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// From registering to `ACTIVE`.
    pub active: Duration,
    /// From `ACTIVE` to `RUNNING`, or to `SYNCING`.
    pub running: Duration,
    /// How long a further storage manager is `SYNCING`.
    pub syncing: Duration,
    /// From the request of a start that cannot work to its first `ProcessFailed`.
    pub failed: Duration,
    /// From the first `ProcessFailed` of a start to the second. Clients that are told both at
    /// once take the wrong one for the reason.
    pub failed_again: Duration,
    /// From `QUIESCING` to `QUIESCED`, and from `UNQUIESCING` to `RUNNING`.
    pub quiesce: Duration,
    /// How long a process is `SHUTTING_DOWN`.
    pub shut_down: Duration,
    /// How often the enforcer of managed databases looks.
    pub enforce: Duration,
    /// What it takes for a failure: an engine that lived for less.
    pub min_uptime: Duration,
    /// How long it leaves a place alone after the first failure there; it doubles.
    pub backoff: Duration,
    /// How long it does nothing after a start of which nothing is heard.
    pub enforcer_patience: Duration,
}

impl Pace {
    /// What real brokers were seen to do.
    pub const REAL: Self = Self {
        active: Duration::from_millis(150),
        running: Duration::from_millis(10),
        syncing: Duration::from_millis(50),
        failed: Duration::from_millis(20),
        failed_again: Duration::from_millis(100),
        quiesce: Duration::from_millis(50),
        shut_down: Duration::from_millis(100),
        enforce: Duration::from_secs(10),
        min_uptime: Duration::from_secs(30),
        backoff: Duration::from_secs(60),
        enforcer_patience: Duration::from_secs(30),
    };

    /// Returns the pace at which everything takes `permille` thousandths of its real time;
    /// with 0 everything happens at once, still in its order.
    #[must_use]
    pub fn scaled(permille: u32) -> Self {
        let scale = |it: Duration| it.saturating_mul(permille) / 1_000;
        let real = Self::REAL;
        Self {
            active: scale(real.active),
            running: scale(real.running),
            syncing: scale(real.syncing),
            failed: scale(real.failed),
            failed_again: scale(real.failed_again),
            quiesce: scale(real.quiesce),
            shut_down: scale(real.shut_down),
            // At no pace at all it would never do anything else.
            enforce: scale(real.enforce).max(Duration::from_millis(10)),
            min_uptime: scale(real.min_uptime),
            backoff: scale(real.backoff),
            enforcer_patience: scale(real.enforcer_patience),
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::REAL
    }
}
