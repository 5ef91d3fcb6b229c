//! How long a journal remembers, and how patient it is with its disk.

use std::time::Duration;

/// What a journal must know beforehand. All of it can be changed between two runs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct JournalSettings {
    /// Events and inputs older than this are forgotten.
    pub retain_for: Duration,
    /// The oldest events and inputs are forgotten while the journal holds more bytes than this.
    pub retain_size: u64,
    /// So many events are kept for a listener that was not told them yet, whatever their age and
    /// the size of the journal; beyond it the listener is told of a gap.
    pub lag_limit: u64,
    /// The facts are copied to `facts.bak` at most this often, and when the journal closes.
    pub backup_every: Duration,
    /// How often a journal that cannot be written is tried again.
    pub probe_every: Duration,
    /// How many of the last events are kept in memory, for listeners that keep up.
    pub remembered: usize,
    /// At most so many bytes of file, for tests of a full disk; no limit if `None`.
    pub quota: Option<u64>,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            retain_for: Duration::from_secs(30 * 24 * 60 * 60),
            retain_size: 1 << 30,
            lag_limit: 1_000_000,
            backup_every: Duration::from_secs(10),
            probe_every: Duration::from_secs(1),
            remembered: 16_384,
            quota: None,
        }
    }
}
