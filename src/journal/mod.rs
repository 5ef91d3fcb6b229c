//! Remembers what was seen, what happened and what must not be forgotten, in order.
//!
//! One journal per domain, and one for the daemon's own events. A batch is written whole or not at
//! all; an event has a number once it is committed, and nobody hears of it before. A journal
//! decides nothing: recovery hands back the facts as they were last committed.

mod backup;
mod book;
mod directory;
mod durable;
mod error;
mod look;
mod mark;
mod memory;
mod reader;
mod record;
mod recover;
mod ring;
mod settings;
mod shared;
mod store;
mod tally;
mod writer;

use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use self::durable::Durable;
use self::memory::Memory;
use self::shared::Work;
use crate::event::{Event, Kind};
use crate::listener::{Ledger, LedgerError, Ledgered, Note, Page, Source, Standing};
use crate::supervisor::{Fact, FactChange, Input};
use crate::time::{Moment, WallTime};

pub use book::DeadLetter;
pub use directory::{StateDirectory, domain_in};
pub use error::JournalError;
pub use look::Look;
pub use record::RecordError;
pub use record::facts::{from_json as fact_from_json, to_json as fact_to_json};
pub use settings::JournalSettings;

/// What is written together, in order: one transaction, or part of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// What the warden was fed with, and when.
    pub inputs: Vec<(Moment, Input)>,
    /// What happened.
    pub events: Vec<Event>,
    /// What must not be forgotten of it; the latest for each key counts.
    pub facts: Vec<FactChange>,
}

/// Names a batch that was written; committed tickets only grow.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ticket(u64);

/// How far a journal is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Progress {
    /// The last batch that is committed. A batch that was dropped stays so, though later tickets
    /// are committed: whoever sees [`Health::Failed`] counts everything open as dropped.
    pub ticket: Ticket,
    /// The number of the last event that is committed.
    pub seq: u64,
    /// Whether it can be written.
    pub health: Health,
}

/// Whether a journal can be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Health {
    /// It cannot: batches are dropped, no numbers are given, notes are refused. It is tried again
    /// by and by.
    Failed {
        /// What SQLite or the system said.
        why: Arc<str>,
    },
    /// It can be written.
    Working,
    /// It could not, and can again: batches are dropped until [`Journal::reopen`].
    Writable,
}

/// What was found when a journal was opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovered {
    /// Every fact, as last committed.
    pub facts: Vec<Fact>,
    /// The time of the last input or event; `None` if there never was one.
    pub last: Option<Moment>,
    /// The number of the last event.
    pub last_seq: u64,
    /// Which run of the numbers this is; a lost journal begins a new one.
    pub epoch: u32,
    /// In which state it was found. It is found so again until a batch with facts is committed.
    pub condition: Condition,
}

/// In which state a journal was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// It was damaged; the facts are those of its copy, which may be some seconds older.
    FromBackup {
        /// Where the damaged file is now.
        aside: PathBuf,
        /// What was wrong with it.
        why: Arc<str>,
    },
    /// It was damaged, and there was no good copy: nothing is remembered.
    Lost {
        /// Where the damaged file is now.
        aside: PathBuf,
        /// What was wrong with it.
        why: Arc<str>,
    },
    /// There was none.
    New,
    /// As it was left.
    Sound,
}

/// Events by number, without a gap from 1 on, and what else a domain must not forget.
///
/// A handle: its clones share one journal. Writing never waits. When the last handle is dropped
/// without [`close`](Self::close), what was written is committed still, but it counts as a crash.
#[derive(Clone, Debug)]
pub struct Journal(Place);

/// Where it is kept.
#[derive(Clone, Debug)]
enum Place {
    Disk(Arc<Durable>),
    Memory(Arc<Memory>),
}

impl Journal {
    /// Returns an empty journal in memory that remembers the last `capacity` events, and at least
    /// one; inputs and facts it drops.
    pub fn memory(epoch: u32, capacity: usize) -> Self {
        Self(Place::Memory(Arc::new(Memory::new(epoch, capacity))))
    }

    /// Opens the journal in a directory, or makes it, and starts its threads. It waits for the
    /// disk.
    ///
    /// A damaged one is moved aside, and its facts are had from their copy if that is good.
    ///
    /// # Errors
    ///
    /// Fails when files cannot be used though they are not damaged, and when a newer version wrote
    /// them.
    pub fn open(dir: &Path, settings: JournalSettings) -> Result<(Self, Recovered), JournalError> {
        let (durable, recovered) = Durable::open(dir, settings)?;
        Ok((Self(Place::Disk(Arc::new(durable))), recovered))
    }

    /// Numbers the events of `batch` when it is committed.
    ///
    /// Nobody hears of them before the ticket is committed, as [`progress`](Self::progress) tells.
    pub fn write(&self, batch: Batch) -> Ticket {
        match &self.0 {
            Place::Disk(it) => it.shared.write(batch),
            Place::Memory(it) => it.write(batch),
        }
    }

    /// Returns how many inputs and events wait to be written. Whoever writes slows down when there
    /// are too many.
    pub fn backlog(&self) -> usize {
        match &self.0 {
            Place::Disk(it) => it.shared.backlog(),
            Place::Memory(_) => 0,
        }
    }

    /// Returns where it is told how far the journal is.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        match &self.0 {
            Place::Disk(it) => it.shared.progress.subscribe(),
            Place::Memory(it) => it.progress(),
        }
    }

    /// Goes on with a journal that can be [written again](Health::Writable), and returns the facts
    /// as they are on disk. Every ticket from before is void.
    ///
    /// # Errors
    ///
    /// Fails when it still cannot be used, and is then [`Health::Failed`] again until it may be
    /// worth another try; and when it is in memory, which cannot fail.
    pub async fn reopen(&self) -> Result<Recovered, JournalError> {
        match &self.0 {
            Place::Disk(it) => it.shared.ask(|reply| Work::Reopen(Box::new(reply))).await,
            Place::Memory(_) => Err(JournalError::Closed),
        }
    }

    /// Returns the number of the last committed event, 0 before the first.
    pub fn last_seq(&self) -> u64 {
        match &self.0 {
            Place::Disk(it) => it.shared.last_seq(),
            Place::Memory(it) => it.last_seq(),
        }
    }

    /// Returns how many events of a kind were recorded since it was opened.
    pub fn told(&self, kind: Kind) -> u64 {
        match &self.0 {
            Place::Disk(it) => it.shared.tally.count(kind),
            Place::Memory(it) => it.tally.count(kind),
        }
    }

    /// Returns how many bytes its files have; none if it is in memory.
    pub fn size(&self) -> u64 {
        match &self.0 {
            Place::Disk(it) => it.size(),
            Place::Memory(_) => 0,
        }
    }

    /// Returns which run of the numbers this is.
    pub fn epoch(&self) -> u32 {
        match &self.0 {
            Place::Disk(it) => it.shared.epoch(),
            Place::Memory(it) => it.epoch(),
        }
    }

    /// Tells the journal the time, for the events that it raises itself; without it they have the
    /// time of what was last written.
    pub fn keep_time(&self, clock: impl Fn() -> Moment + Send + Sync + 'static) {
        match &self.0 {
            Place::Disk(it) => it.shared.keep_time(Arc::new(clock)),
            Place::Memory(_) => (),
        }
    }

    /// Returns a number above which no event is older than `time`.
    pub async fn seq_since(&self, time: WallTime) -> Result<u64, JournalError> {
        match &self.0 {
            Place::Disk(it) => it.seq_before(time).await,
            Place::Memory(it) => Ok(it.seq_before(time)),
        }
    }

    /// Returns up to `limit` inputs with numbers above `after`, as they were written.
    pub async fn inputs(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Moment, Input)>, JournalError> {
        match &self.0 {
            Place::Disk(it) => it.inputs(after, limit).await,
            Place::Memory(_) => Ok(Vec::new()),
        }
    }

    /// Returns every dead letter, the oldest first.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, JournalError> {
        match &self.0 {
            Place::Disk(it) => it.shared.ask(Work::Letters).await,
            Place::Memory(it) => Ok(it.letters()),
        }
    }

    /// Wants these dead letters told again, and returns those that exist.
    pub async fn replay(&self, ids: &[u64]) -> Result<Vec<u64>, JournalError> {
        let ids = ids.to_vec();
        match &self.0 {
            Place::Disk(it) => it.shared.ask(|reply| Work::Replay(ids, reply)).await,
            Place::Memory(it) => Ok(it.replay(&ids)),
        }
    }

    /// Forgets these dead letters, and returns those that existed.
    pub async fn drop_dead_letters(&self, ids: &[u64]) -> Result<Vec<u64>, JournalError> {
        let ids = ids.to_vec();
        match &self.0 {
            Place::Disk(it) => it.shared.ask(|reply| Work::DropLetters(ids, reply)).await,
            Place::Memory(it) => Ok(it.drop_letters(&ids)),
        }
    }

    /// Forgets where all other listeners stand, so that nothing is kept for them.
    pub async fn keep_listeners(&self, names: &[String]) -> Result<(), JournalError> {
        let names = names.to_vec();
        match &self.0 {
            Place::Disk(it) => it.shared.ask(|reply| Work::Keep(names, reply)).await,
            Place::Memory(it) => {
                it.keep(&names);
                Ok(())
            }
        }
    }

    /// Writes what waits, copies the facts, and closes the files. Whatever other handles write
    /// from then on is dropped.
    pub async fn close(self) {
        match &self.0 {
            // One that was closed already is closed.
            Place::Disk(it) => drop(it.shared.ask(Work::Close).await),
            Place::Memory(_) => (),
        }
    }
}

impl Source for Journal {
    type Mark = Progress;

    fn committed(&self) -> watch::Receiver<Progress> {
        self.progress()
    }

    fn last_seq(&self) -> u64 {
        self.last_seq()
    }

    fn read(&self, after_seq: u64, limit: usize) -> Ledgered<'_, Page> {
        match &self.0 {
            Place::Disk(it) => Box::pin(async move {
                let page = it.read(after_seq, limit).await;
                page.map_err(refusal)
            }),
            Place::Memory(it) => Box::pin(ready(Ok(it.read(after_seq, limit)))),
        }
    }
}

impl Ledger for Journal {
    fn standing<'a>(&'a self, listener: &'a str) -> Ledgered<'a, Option<Standing>> {
        match &self.0 {
            Place::Disk(it) => Box::pin(async move {
                let work = |reply| Work::Standing(listener.to_owned(), reply);
                it.shared.ask(work).await.map_err(refusal)
            }),
            Place::Memory(it) => Box::pin(ready(Ok(it.standing(listener)))),
        }
    }

    fn note<'a>(&'a self, listener: &'a str, notes: Vec<Note>) -> Ledgered<'a, ()> {
        match &self.0 {
            Place::Disk(it) => Box::pin(async move {
                let work = |reply| Work::Note(listener.to_owned(), notes, reply);
                it.shared.ask(work).await.map_err(refusal)
            }),
            Place::Memory(it) => {
                it.note(listener, notes);
                Box::pin(ready(Ok(())))
            }
        }
    }

    fn replays(&self) -> watch::Receiver<u64> {
        match &self.0 {
            Place::Disk(it) => it.shared.replays.subscribe(),
            Place::Memory(it) => it.replays(),
        }
    }
}

fn refusal(error: JournalError) -> LedgerError {
    if let JournalError::Unusable(why) = error {
        LedgerError(why)
    } else {
        LedgerError(error.to_string().into())
    }
}

#[cfg(test)]
mod tests;
