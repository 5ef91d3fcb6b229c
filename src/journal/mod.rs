//! Remembers what was seen, what happened and what must not be forgotten, in order.
//!
//! One journal per domain, and one for the daemon's own events. A batch is written whole or not at
//! all; an event has a number once it is committed, and nobody hears of it before. A journal
//! decides nothing: recovery hands back the facts as they were last committed.

mod book;
mod directory;
mod error;
mod memory;
mod record;
mod ring;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use self::memory::Memory;
use crate::event::Event;
use crate::listener::{Ledger, Ledgered, Note, Page, Source, Standing};
use crate::supervisor::{Fact, FactChange, Input};
use crate::time::{Moment, WallTime};

pub use book::DeadLetter;
pub use directory::StateDirectory;
pub use error::JournalError;
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
/// A handle: its clones share one journal. Writing never waits.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Memory>);

impl Journal {
    /// Returns an empty journal in memory that remembers the last `capacity` events, and at least
    /// one.
    pub fn memory(epoch: u32, capacity: usize) -> Self {
        Self(Arc::new(Memory::new(epoch, capacity)))
    }

    /// Opens the journal in a directory, or makes it, and starts its threads.
    ///
    /// A damaged one is moved aside, and its facts are had from their copy if that is good.
    ///
    /// # Errors
    ///
    /// Fails when files cannot be used though they are not damaged, and when a newer version wrote
    /// them.
    #[expect(clippy::needless_pass_by_value, reason = "the writer will keep them")]
    pub fn open(dir: &Path, settings: JournalSettings) -> Result<(Self, Recovered), JournalError> {
        directory::make(dir)?;
        let recovered = Recovered {
            facts: Vec::new(),
            last: None,
            last_seq: 0,
            epoch: 1,
            condition: Condition::New,
        };
        Ok((Self::memory(1, settings.remembered), recovered))
    }

    /// Numbers the events of `batch` when it is committed.
    ///
    /// Nobody hears of them before the ticket is committed, as [`progress`](Self::progress) tells.
    pub fn write(&self, batch: Batch) -> Ticket {
        self.0.write(batch)
    }

    /// Returns how many inputs and events wait to be written. Whoever writes slows down when there
    /// are too many.
    pub fn backlog(&self) -> usize {
        0
    }

    /// Returns where it is told how far the journal is.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.0.progress()
    }

    /// Goes on with a journal that can be [written again](Health::Writable), and returns the facts
    /// as they are on disk. Every ticket from before is void.
    ///
    /// # Errors
    ///
    /// Fails when it still cannot be used; it is then tried again by and by.
    #[expect(clippy::unused_async, reason = "it will wait for the disk")]
    pub async fn reopen(&self) -> Result<Recovered, JournalError> {
        Err(JournalError::Closed)
    }

    /// Returns the number of the last committed event, 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.0.last_seq()
    }

    /// Returns which run of the numbers this is.
    pub fn epoch(&self) -> u32 {
        self.0.epoch()
    }

    /// Tells the journal the time, for the events that it raises itself; without it they have the
    /// time of what was last written.
    pub fn keep_time(&self, clock: impl Fn() -> Moment + Send + Sync + 'static) {
        let _ = (self, clock);
    }

    /// Returns a number above which no event is older than `time`.
    #[expect(clippy::unused_async, reason = "it will wait for the disk")]
    pub async fn seq_since(&self, time: WallTime) -> Result<u64, JournalError> {
        Ok(self.0.seq_before(time))
    }

    /// Returns up to `limit` inputs with numbers above `after`, as they were written.
    #[expect(clippy::unused_async, reason = "it will wait for the disk")]
    pub async fn inputs(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Moment, Input)>, JournalError> {
        let _ = (self, after, limit);
        Ok(Vec::new())
    }

    /// Returns every dead letter, the oldest first.
    #[expect(clippy::unused_async, reason = "it will wait for the disk")]
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, JournalError> {
        Ok(self.0.letters())
    }

    /// Wants these dead letters told again, and returns those that exist.
    #[expect(clippy::unused_async, reason = "it will wait for the disk")]
    pub async fn replay(&self, ids: &[u64]) -> Result<Vec<u64>, JournalError> {
        Ok(self.0.replay(ids))
    }

    /// Forgets these dead letters, and returns those that existed.
    #[expect(clippy::unused_async, reason = "it will wait for the disk")]
    pub async fn drop_dead_letters(&self, ids: &[u64]) -> Result<Vec<u64>, JournalError> {
        Ok(self.0.drop_letters(ids))
    }

    /// Forgets where all other listeners stand, so that nothing is kept for them.
    #[expect(clippy::unused_async, reason = "it will wait for the disk")]
    pub async fn keep_listeners(&self, names: &[String]) -> Result<(), JournalError> {
        self.0.keep(names);
        Ok(())
    }

    /// Writes what waits, copies the facts, and closes the files.
    #[expect(clippy::unused_async, reason = "it will wait for the disk")]
    pub async fn close(self) {}
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
        let page = self.0.read(after_seq, limit);
        Box::pin(std::future::ready(Ok(page)))
    }
}

impl Ledger for Journal {
    fn standing<'a>(&'a self, listener: &'a str) -> Ledgered<'a, Option<Standing>> {
        let standing = self.0.standing(listener);
        Box::pin(std::future::ready(Ok(standing)))
    }

    fn note<'a>(&'a self, listener: &'a str, notes: Vec<Note>) -> Ledgered<'a, ()> {
        self.0.note(listener, notes);
        Box::pin(std::future::ready(Ok(())))
    }

    fn replays(&self) -> watch::Receiver<u64> {
        self.0.replays()
    }
}

#[cfg(test)]
mod tests;
