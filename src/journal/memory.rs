//! A journal that lasts as long as the process: for tests, benchmarks, and as a measure.
//!
//! It keeps events and where listeners stand; inputs and facts it drops, for nobody can come back
//! to them.

use std::sync::{Mutex, MutexGuard};

use std::sync::Arc;

use tokio::sync::watch;

use super::book::{Book, DeadLetter, Raised};
use super::ring::Ring;
use super::tally::Tally;
use super::{Batch, Health, Progress, Ticket};
use crate::event::{Event, Recorded};
use crate::listener::{Note, Page, Standing};
use crate::time::{Moment, WallTime};

/// Events by number and the ledger, behind one lock.
#[derive(Debug)]
pub(super) struct Memory {
    epoch: u32,
    /// Counts what was recorded.
    pub(super) tally: Tally,
    state: Mutex<State>,
    progress: watch::Sender<Progress>,
    replays: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    ring: Ring,
    book: Book,
    last_ticket: u64,
    now: Moment,
}

impl Memory {
    pub(super) fn new(epoch: u32, capacity: usize) -> Self {
        Self {
            epoch,
            tally: Tally::default(),
            state: Mutex::new(State {
                ring: Ring::new(capacity, 0),
                book: Book::default(),
                last_ticket: 0,
                now: Moment::default(),
            }),
            progress: watch::Sender::new(Progress {
                ticket: Ticket::default(),
                seq: 0,
                health: Health::Working,
            }),
            replays: watch::Sender::new(0),
        }
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(super) fn write(&self, batch: Batch) -> Ticket {
        let mut state = self.state();
        let times = batch.inputs.iter().map(|it| it.0);
        if let Some(now) = times
            .chain(batch.events.iter().map(|it| it.time))
            .next_back()
        {
            state.now = now;
        }
        for event in batch.events {
            self.tally.add(event.kind);
            state.push(self.epoch, event);
        }
        self.commit(state)
    }

    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn read(&self, after_seq: u64, limit: usize) -> Page {
        self.state().ring.read(after_seq, limit)
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.state().ring.last_seq()
    }

    pub(super) fn seq_before(&self, wall: WallTime) -> u64 {
        self.state().ring.seq_before(wall)
    }

    pub(super) fn standing(&self, listener: &str) -> Option<Standing> {
        self.state().book.standing(listener)
    }

    pub(super) fn note(&self, listener: &str, notes: Vec<Note>) {
        let mut state = self.state();
        let mut raised: Vec<Raised> = Vec::new();
        let now = state.now;
        state.book.note(now, listener, notes, &mut raised);
        let domain = state.ring.last().and_then(|it| it.event.domain.clone());
        for it in raised {
            let event = it.event(now, domain.clone());
            self.tally.add(event.kind);
            state.push(self.epoch, event);
        }
        self.commit(state);
    }

    pub(super) fn replays(&self) -> watch::Receiver<u64> {
        self.replays.subscribe()
    }

    pub(super) fn letters(&self) -> Vec<DeadLetter> {
        self.state().book.letters()
    }

    pub(super) fn replay(&self, ids: &[u64]) -> Vec<u64> {
        let found = self.state().book.replay(ids);
        self.replays.send_modify(|it| *it += 1);
        found
    }

    pub(super) fn drop_letters(&self, ids: &[u64]) -> Vec<u64> {
        self.state().book.drop_letters(ids)
    }

    pub(super) fn keep(&self, names: &[String]) {
        self.state().book.keep(names);
    }

    fn commit(&self, mut state: MutexGuard<'_, State>) -> Ticket {
        // Nothing is stored, so nobody asks what has changed.
        state.book.take_dirty();
        state.last_ticket += 1;
        let ticket = Ticket(state.last_ticket);
        let seq = state.ring.last_seq();
        drop(state);
        // Of two writers the later one may come here first.
        self.progress.send_if_modified(|progress| {
            let is_news = progress.ticket < ticket;
            if is_news {
                progress.ticket = ticket;
                progress.seq = seq;
            }
            is_news
        });
        ticket
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("nothing panics while it holds the journal")
    }
}

impl State {
    fn push(&mut self, epoch: u32, event: Event) {
        let seq = self.ring.last_seq() + 1;
        self.ring.push(Arc::new(Recorded { epoch, seq, event }));
    }
}
