//! What the handle of a journal on disk shares with its threads: a queue, the last events, and how
//! far it is.
//!
//! Locks are held for moves of values only, never while the disk is waited for.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::book::DeadLetter;
use super::error::JournalError;
use super::ring::Ring;
use super::tally::Tally;
use super::{Batch, Health, Progress, Recovered, Ticket};
use crate::event::Recorded;
use crate::listener::{Note, Standing};
use crate::time::Moment;

/// So many inputs, events, facts and notes share one transaction: enough that a burst costs few
/// syncs, few enough that listeners hear of its beginning before its end.
const GROUP_MAX: usize = 8_192;

/// Tells the time.
type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// Where an answer goes; it fails with why the journal cannot be written.
pub(super) type Reply<T> = oneshot::Sender<Result<T, JournalError>>;

/// Something for the writer to do.
#[derive(Debug)]
pub(super) enum Work {
    Batch(Ticket, Batch),
    Close(Reply<()>),
    DropLetters(Vec<u64>, Reply<Vec<u64>>),
    Keep(Vec<String>, Reply<()>),
    /// No handle is left.
    Leave,
    Letters(Reply<Vec<DeadLetter>>),
    Note(String, Vec<Note>, Reply<()>),
    Reopen(Box<Reply<Recovered>>),
    Replay(Vec<u64>, Reply<Vec<u64>>),
    Standing(String, Reply<Option<Standing>>),
}

impl Work {
    /// Returns how much of a transaction it is.
    fn weight(&self) -> usize {
        match self {
            Self::Batch(_, batch) => {
                1 + batch.inputs.len() + batch.events.len() + batch.facts.len()
            }
            Self::Note(_, notes, _) => 1 + notes.len(),
            Self::Close(_)
            | Self::DropLetters(..)
            | Self::Keep(..)
            | Self::Leave
            | Self::Letters(_)
            | Self::Reopen(_)
            | Self::Replay(..)
            | Self::Standing(..) => 1,
        }
    }

    /// Returns whether nothing behind it may be in the same transaction.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Close(_) | Self::Leave | Self::Reopen(_))
    }
}

#[derive(Debug, Default)]
struct Queue {
    /// What somebody waits for. It is about what is on the disk already, so that it need not wait
    /// for what is not: listeners are told of the beginning of a burst while the rest is written.
    asks: VecDeque<Work>,
    /// Batches, and what ends a group, in order.
    works: VecDeque<Work>,
    last_ticket: u64,
    /// Why batches are dropped and everything else refused at once.
    refusal: Option<Arc<str>>,
    is_closed: bool,
}

impl Queue {
    fn next(&mut self) -> Option<Work> {
        self.asks.pop_front().or_else(|| self.works.pop_front())
    }
}

/// Shared by handle and threads.
pub(super) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    ring: Mutex<Ring>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) replays: watch::Sender<u64>,
    /// Counts what was recorded.
    pub(super) tally: Tally,
    last_seq: AtomicU64,
    epoch: AtomicU32,
    /// Counts the inputs and events that wait.
    backlog: AtomicUsize,
    /// Counts how often the file was another one.
    generation: AtomicU64,
    clock: Mutex<Option<Clock>>,
    /// Held while the facts are copied.
    copying: Mutex<()>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("progress", &*self.progress.borrow())
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(ring: Ring, epoch: u32) -> Self {
        let seq = ring.last_seq();
        Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            ring: Mutex::new(ring),
            progress: watch::Sender::new(Progress {
                ticket: Ticket::default(),
                seq,
                health: Health::Working,
            }),
            replays: watch::Sender::new(0),
            tally: Tally::default(),
            last_seq: AtomicU64::new(seq),
            epoch: AtomicU32::new(epoch),
            backlog: AtomicUsize::new(0),
            generation: AtomicU64::new(0),
            clock: Mutex::new(None),
            copying: Mutex::new(()),
        }
    }

    /// Queues a batch, unless it would be dropped anyway.
    pub(super) fn write(&self, batch: Batch) -> Ticket {
        let mut queue = self.queue();
        queue.last_ticket += 1;
        let ticket = Ticket(queue.last_ticket);
        if queue.refusal.is_none() && !queue.is_closed {
            let waiting = batch.inputs.len() + batch.events.len();
            self.backlog.fetch_add(waiting, Ordering::Relaxed);
            queue.works.push_back(Work::Batch(ticket, batch));
            drop(queue);
            self.wake.notify_one();
        }
        ticket
    }

    /// Queues something that is answered, unless it would be refused anyway.
    pub(super) async fn ask<T>(
        &self,
        work: impl FnOnce(Reply<T>) -> Work,
    ) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        let work = work(reply);
        {
            let mut queue = self.queue();
            if queue.is_closed {
                return Err(JournalError::Closed);
            }
            if let Some(why) = &queue.refusal
                && !work.is_last()
            {
                return Err(JournalError::Unusable(Arc::clone(why)));
            }
            if work.is_last() {
                queue.works.push_back(work);
            } else {
                queue.asks.push_back(work);
            }
        }
        self.wake.notify_one();
        answer.await.unwrap_or(Err(JournalError::Closed))
    }

    /// Lets the writer end once it has written what waits.
    pub(super) fn leave(&self) {
        self.queue().works.push_back(Work::Leave);
        self.wake.notify_one();
    }

    /// Takes what waits, up to the size of a transaction; waits for up to `pause` if there is
    /// nothing, or until something comes.
    pub(super) fn take(&self, pause: Option<Duration>) -> Vec<Work> {
        let mut queue = self.queue();
        let is_empty = |it: &mut Queue| it.works.is_empty() && it.asks.is_empty();
        queue = match pause {
            None => self.wake.wait_while(queue, is_empty).expect(LOCK),
            Some(pause) => {
                let waited = self.wake.wait_timeout_while(queue, pause, is_empty);
                waited.expect(LOCK).0
            }
        };
        let mut taken = Vec::new();
        let mut weight = 0;
        while weight < GROUP_MAX
            && let Some(work) = queue.next()
        {
            weight += work.weight();
            let is_last = work.is_last();
            taken.push(work);
            if is_last {
                break;
            }
        }
        taken
    }

    /// Returns whether something waits.
    pub(super) fn is_busy(&self) -> bool {
        let queue = self.queue();
        !queue.works.is_empty() || !queue.asks.is_empty()
    }

    /// Counts inputs and events as written or dropped.
    pub(super) fn relieve(&self, count: usize) {
        self.backlog.fetch_sub(count, Ordering::Relaxed);
    }

    /// From here on batches are dropped and everything else is refused. Returns what waited.
    pub(super) fn refuse(&self, why: &Arc<str>) -> Vec<Work> {
        let mut queue = self.queue();
        queue.refusal = Some(Arc::clone(why));
        let Queue { asks, works, .. } = &mut *queue;
        let waiting = asks.drain(..).chain(works.drain(..));
        let (kept, refused) = waiting.partition::<VecDeque<Work>, _>(Work::is_last);
        queue.works = kept;
        refused.into()
    }

    /// Tells that the file cannot be written, and returns what waits for that.
    pub(super) fn fail(&self, why: &Arc<str>) -> Vec<Work> {
        let refused = self.refuse(why);
        let why = Arc::clone(why);
        let health = Health::Failed { why };
        self.progress.send_modify(|it| it.health = health);
        refused
    }

    /// Takes batches again.
    pub(super) fn welcome(&self) {
        self.queue().refusal = None;
    }

    /// Takes nothing any more.
    pub(super) fn close(&self) -> Vec<Work> {
        let mut queue = self.queue();
        queue.is_closed = true;
        std::iter::from_fn(|| queue.next()).collect()
    }

    /// Keeps others from copying the facts meanwhile.
    pub(super) fn copying(&self) -> MutexGuard<'_, ()> {
        self.copying.lock().expect(LOCK)
    }

    /// Returns whether nothing is taken any more.
    pub(super) fn is_closed(&self) -> bool {
        self.queue().is_closed
    }

    /// Tells of a committed group.
    pub(super) fn publish(&self, ticket: Option<Ticket>, events: Vec<Arc<Recorded>>) {
        if let Some(last) = events.last() {
            let last = last.seq;
            let mut ring = self.ring();
            for event in events {
                self.tally.add(event.event.kind);
                ring.push(event);
            }
            drop(ring);
            self.last_seq.store(last, Ordering::Release);
        } else if ticket.is_none() {
            return;
        }
        let seq = self.last_seq();
        self.progress.send_modify(|progress| {
            progress.seq = seq;
            progress.ticket = ticket.unwrap_or(progress.ticket);
        });
    }

    /// Goes on with another file, or with the same one read again.
    pub(super) fn replace(&self, ring: Ring, epoch: u32) {
        let seq = ring.last_seq();
        *self.ring() = ring;
        self.epoch.store(epoch, Ordering::Release);
        self.last_seq.store(seq, Ordering::Release);
        self.generation.fetch_add(1, Ordering::Release);
        self.progress.send_modify(|progress| {
            progress.seq = seq;
            progress.health = Health::Working;
        });
    }

    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq.load(Ordering::Acquire)
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) fn backlog(&self) -> usize {
        self.backlog.load(Ordering::Relaxed)
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn keep_time(&self, clock: Clock) {
        *self.clock.lock().expect(LOCK) = Some(clock);
    }

    /// Returns the time, if the journal was told how to know it.
    pub(super) fn now(&self) -> Option<Moment> {
        let clock = self.clock.lock().expect(LOCK).clone();
        clock.map(|it| it())
    }

    pub(super) fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().expect(LOCK)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect(LOCK)
    }
}

/// Why a lock can be had.
const LOCK: &str = "nothing panics while it holds a part of the journal";
