//! Remembers events in order, and hands them out again by number.
//!
//! One journal per domain, and one for the daemon's own events. It is bounded and in memory for
//! now: it survives no restart, and forgets the oldest events first. It decides nothing, and knows
//! nobody who reads it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

use crate::event::{Event, Recorded};
use crate::listener::{Ledgered, Page, Source};

/// Reserved at once; a journal grows beyond it as events arrive.
const INITIAL_CAPACITY: usize = 1024;

/// What is written together, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Batch {
    /// What happened.
    pub events: Vec<Event>,
}

/// Names a batch that was written; committed tickets only grow.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket(u64);

/// Events by number, without a gap from 1 on.
///
/// A handle: its clones share one journal. Writing never waits.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoch: u32,
    capacity: usize,
    ring: Mutex<Ring>,
    committed: watch::Sender<Ticket>,
}

/// The events that are still remembered, and how many there ever were.
#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Recorded>>,
    /// The number of the last event that is not remembered any more.
    forgotten: u64,
    last_seq: u64,
    last_ticket: u64,
}

impl Journal {
    /// Returns an empty journal that remembers the last `capacity` events, and at least one.
    pub fn memory(epoch: u32, capacity: usize) -> Self {
        let capacity = capacity.max(1);
        Self(Arc::new(Shared {
            epoch,
            capacity,
            ring: Mutex::new(Ring {
                events: VecDeque::with_capacity(capacity.min(INITIAL_CAPACITY)),
                forgotten: 0,
                last_seq: 0,
                last_ticket: 0,
            }),
            committed: watch::Sender::new(Ticket::default()),
        }))
    }

    /// Numbers the events of `batch` and appends them.
    ///
    /// Nobody hears of them before the ticket is [committed](Self::committed), which in memory it
    /// is at once.
    pub fn write(&self, batch: Batch) -> Ticket {
        let mut ring = self.ring();
        for event in batch.events {
            ring.last_seq += 1;
            if ring.events.len() == self.0.capacity {
                ring.events.pop_front();
                ring.forgotten += 1;
            }
            let recorded = Recorded {
                epoch: self.0.epoch,
                seq: ring.last_seq,
                event,
            };
            ring.events.push_back(Arc::new(recorded));
        }
        ring.last_ticket += 1;
        let ticket = Ticket(ring.last_ticket);
        drop(ring);
        // Of two writers the later one may come here first.
        self.0.committed.send_if_modified(|committed| {
            let is_news = *committed < ticket;
            *committed = ticket.max(*committed);
            is_news
        });
        ticket
    }

    /// Returns where the last committed ticket is told.
    pub fn committed(&self) -> watch::Receiver<Ticket> {
        self.0.committed.subscribe()
    }

    /// Returns up to `limit` events with numbers above `after_seq`.
    ///
    /// If the first of them are no longer remembered, the page says which, and goes on behind.
    pub fn read(&self, after_seq: u64, limit: usize) -> Page {
        let ring = self.ring();
        let gap = (after_seq < ring.forgotten).then(|| after_seq + 1..=ring.forgotten);
        let skipped = usize::try_from(after_seq.saturating_sub(ring.forgotten))
            .map_or(ring.events.len(), |it| it.min(ring.events.len()));
        let events = ring.events.range(skipped..).take(limit).cloned().collect();
        Page { events, gap }
    }

    /// Returns the number of the last event, 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.ring().last_seq
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0
            .ring
            .lock()
            .expect("nothing panics while it holds the ring")
    }
}

impl Source for Journal {
    type Mark = Ticket;

    fn committed(&self) -> watch::Receiver<Ticket> {
        self.committed()
    }

    fn last_seq(&self) -> u64 {
        self.last_seq()
    }

    fn read(&self, after_seq: u64, limit: usize) -> Ledgered<'_, Page> {
        let page = self.read(after_seq, limit);
        Box::pin(std::future::ready(Ok(page)))
    }
}

#[cfg(test)]
mod tests;
