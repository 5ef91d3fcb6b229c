//! What a dispatcher must not forget: how far each listener is, and what was tried.
//!
//! The trait is the listeners'; whoever keeps events implements it, and the dispatcher does not
//! know how.

use std::pin::Pin;
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;

use crate::event::Recorded;

/// Where a listener stands.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// Every event up to this number is done with: told, not wanted, or a dead letter.
    pub cursor: u64,
    /// Events behind the cursor that were begun or told out of turn, by number.
    pub open: Vec<Open>,
    /// Dead letters that a person wants told again.
    pub replays: Vec<Replay>,
    /// What the listener itself wants to remember, as of the last note of it.
    pub memo: Option<String>,
}

/// An event behind the cursor that was tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Open {
    /// Its number.
    pub seq: u64,
    /// How many attempts were begun, each counted before it was made.
    pub attempts: u32,
    /// In how many ends of the daemon without goodbye an attempt was under way.
    pub crashes: u32,
    /// Whether it was told already, only out of turn.
    pub is_told: bool,
}

/// A dead letter that is to be told again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replay {
    /// The event as it was.
    pub event: Arc<Recorded>,
    /// How many attempts were made before.
    pub attempts: u32,
}

/// One thing to remember of a listener's deliveries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Note {
    /// An attempt is about to be made; counted before it is.
    Begin {
        /// The event.
        seq: u64,
        /// Which attempt it is, from 1 on.
        attempt: u32,
    },
    /// The first attempts of all events up to this number that were not begun yet are about to be
    /// made: in a burst one note instead of thousands.
    BeginThrough {
        /// The last of them.
        seq: u64,
    },
    /// The listener was told; the cursor is not there yet.
    Told {
        /// The event.
        seq: u64,
    },
    /// The attempt failed, and another one follows after a pause.
    Failed {
        /// The event.
        seq: u64,
    },
    /// Everything up to this number is done with.
    Advance {
        /// The number.
        cursor: u64,
    },
    /// It is given up, and kept among the dead letters; raises `event_dead_lettered`, unless the
    /// event is one itself.
    DeadLetter {
        /// The event.
        event: Arc<Recorded>,
        /// How many attempts were made.
        attempts: u32,
        /// Why the last one failed.
        error: String,
    },
    /// What the listener itself wants to remember from here on, in place of what it did before.
    ///
    /// It stands in one list with the [`Told`](Self::Told), [`Advance`](Self::Advance) or
    /// [`DeadLetter`](Self::DeadLetter) it belongs to, so that both are remembered or neither.
    Memo {
        /// The listener's own words.
        text: String,
    },
    /// A dead letter that was to be told again is told, or dead again with another error.
    Replayed {
        /// The event.
        seq: u64,
        /// What became of it.
        result: Result<(), String>,
    },
    /// The listener fails; raises `listener_failing`.
    Failing {
        /// Why.
        error: String,
    },
    /// The listener works again; raises `listener_recovered`.
    Recovered,
}

/// Why something could not be remembered. The delivery it belongs to must wait.
#[derive(Clone, Debug, Error)]
#[error("the journal cannot be written: {0}")]
pub struct LedgerError(pub Arc<str>);

/// What a ledger answers, once it is committed.
pub type Ledgered<'a, T> = Pin<Box<dyn Future<Output = Result<T, LedgerError>> + Send + 'a>>;

/// Something that remembers the deliveries of listeners across crashes.
pub trait Ledger: Send + Sync + 'static {
    /// Returns where a listener stands, `None` if it was never seen.
    fn standing<'a>(&'a self, listener: &'a str) -> Ledgered<'a, Option<Standing>>;

    /// Remembers notes of one listener, all or none of them.
    fn note<'a>(&'a self, listener: &'a str, notes: Vec<Note>) -> Ledgered<'a, ()>;

    /// Returns what moves when there is something to tell again.
    fn replays(&self) -> watch::Receiver<u64>;
}
