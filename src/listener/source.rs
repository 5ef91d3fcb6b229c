//! Where listeners read events from.

use std::ops::RangeInclusive;
use std::sync::Arc;

use tokio::sync::watch;

use super::ledger::Ledgered;
use crate::event::Recorded;

/// A piece of what a source holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// The events, by rising number.
    pub events: Vec<Arc<Recorded>>,
    /// The numbers before them that were asked for and are lost.
    pub gap: Option<RangeInclusive<u64>>,
}

/// Something that hands out committed events by number: a journal.
pub trait Source: Send + Sync + 'static {
    /// What moves when more is committed.
    type Mark: Send + Sync + 'static;

    /// Returns what changes whenever more is committed.
    fn committed(&self) -> watch::Receiver<Self::Mark>;

    /// Returns the number of the last committed event, 0 before the first.
    fn last_seq(&self) -> u64;

    /// Returns up to `limit` events with numbers above `after_seq`, and what is lost before them.
    fn read(&self, after_seq: u64, limit: usize) -> Ledgered<'_, Page>;
}
