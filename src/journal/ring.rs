//! The last events, in memory: what listeners that keep up are told from.
//!
//! It forgets the oldest first, and does not know whether they are remembered elsewhere.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::Recorded;
use crate::listener::Page;
use crate::time::WallTime;

/// Reserved at once; a ring grows beyond it as events arrive.
const INITIAL_CAPACITY: usize = 1024;

/// The last events, by rising number without a gap.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Arc<Recorded>>,
    capacity: usize,
    /// The number of the last event that is not in the ring any more.
    forgotten: u64,
}

impl Ring {
    /// Returns a ring that goes on behind an event, and holds at least one.
    pub(super) fn new(capacity: usize, forgotten: u64) -> Self {
        let capacity = capacity.max(1);
        Self {
            events: VecDeque::with_capacity(capacity.min(INITIAL_CAPACITY)),
            capacity,
            forgotten,
        }
    }

    /// Adds the next event.
    pub(super) fn push(&mut self, recorded: Arc<Recorded>) {
        debug_assert_eq!(recorded.seq, self.last_seq() + 1, "numbers have no gap");
        if self.events.len() == self.capacity {
            self.events.pop_front();
            self.forgotten += 1;
        }
        self.events.push_back(recorded);
    }

    /// Returns the number of the last event there ever was.
    pub(super) fn last_seq(&self) -> u64 {
        self.forgotten + self.events.len() as u64
    }

    /// Returns the last event.
    pub(super) fn last(&self) -> Option<&Arc<Recorded>> {
        self.events.back()
    }

    /// Returns the number of the last event that is not here any more.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Returns up to `limit` events with numbers above `after_seq`, and what is not here of them.
    pub(super) fn read(&self, after_seq: u64, limit: usize) -> Page {
        let gap = (after_seq < self.forgotten).then(|| after_seq + 1..=self.forgotten);
        let skipped = usize::try_from(after_seq.saturating_sub(self.forgotten))
            .map_or(self.events.len(), |it| it.min(self.events.len()));
        let events = self.events.range(skipped..).take(limit).cloned().collect();
        Page { events, gap }
    }

    /// Returns the number of the last event older than that, by the wall clock.
    pub(super) fn seq_before(&self, wall: WallTime) -> u64 {
        let is_older = |it: &&Arc<Recorded>| it.event.time.wall < wall;
        let found = self.events.iter().rev().find(is_older);
        found.map_or(self.forgotten, |it| it.seq)
    }
}
