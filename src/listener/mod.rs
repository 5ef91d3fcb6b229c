//! Tells pluggable listeners what happened.
//!
//! Each listener has a worker of its own, which reads events from a [`Source`] by number, so that a
//! slow or failing listener delays neither the daemon nor its neighbours. It does not know where
//! events come from, and nothing a listener returns changes what the daemon does.

mod dispatcher;
mod exec;
mod filter;
mod ledger;
mod log;
mod record;
mod settings;
mod source;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::event::Recorded;

pub use dispatcher::{Dispatcher, Unfinished};
pub use exec::{Exec, ExecError, ExecSettings, ProgramError, check_program};
pub use filter::{Filter, UnknownEvent};
pub use ledger::{Ledger, LedgerError, Ledgered, Note, Open, Replay, Standing};
pub use log::Log;
pub use record::Record;
pub use settings::{ListenerKind, ListenerSettings, OnConnect, Retry, Terms};
pub use source::{Page, Source};

/// Something that wants to be told what happened.
///
/// An event is delivered at least once, and events in the order of their numbers: the next one
/// comes when this one is done, or given up. [`Delivery::event`]'s identity is the same at every
/// attempt, so that a receiver can tell a repetition from news.
pub trait Listener: Send + 'static {
    /// Names the listener in logs.
    fn name(&self) -> &str;

    /// Is told one event.
    ///
    /// The dispatcher drops the future when it takes longer than the listener's timeout and
    /// [`farewell`](Self::farewell) together, and when the daemon stops for good.
    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a>;

    /// Returns how long beyond its timeout the listener needs to end what it began; none unless it
    /// minds its timeout itself.
    fn farewell(&self) -> Duration {
        Duration::ZERO
    }

    /// Is handed what it wanted to remember, once, before it is told or called.
    fn recall(&mut self, memo: &str) {
        let _ = memo;
    }

    /// Returns what it wants to remember across restarts of the daemon, if anything.
    ///
    /// The dispatcher asks when it is done with an event, given up or told, and after each
    /// [`call`](Self::call); what is new is remembered together with the place of the listener.
    fn memo(&self) -> Option<String> {
        None
    }

    /// Returns in how long it wants to be called, whether or not there is an event; `None` is
    /// never.
    ///
    /// The dispatcher asks at the start, and again after each event and each call.
    fn next_call(&self) -> Option<Duration> {
        None
    }

    /// Does what it has to do without an event, under the same limits as
    /// [`notify`](Self::notify). A failure is told of as any other; the next call is as
    /// [`next_call`](Self::next_call) says.
    fn call(&mut self) -> Notified<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// One attempt to tell one event.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// What happened.
    pub event: &'a Recorded,
    /// Which attempt it is, from 1 on.
    pub attempt: u32,
}

/// What becomes of an attempt.
pub type Notified<'a> = Pin<Box<dyn Future<Output = Result<(), ListenerError>> + Send + 'a>>;

/// Why a listener could not be told, and whether another try can help.
///
/// Its message tells the error it was made of with all its causes.
#[derive(Debug)]
pub struct ListenerError {
    is_permanent: bool,
    reason: Box<dyn Error + Send + Sync>,
}

impl ListenerError {
    /// Returns an error that every further try would meet again.
    pub fn permanent(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            is_permanent: true,
            reason: reason.into(),
        }
    }

    /// Returns an error that may be gone at the next try.
    pub fn temporary(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            is_permanent: false,
            reason: reason.into(),
        }
    }

    /// Returns whether another try is pointless.
    pub fn is_permanent(&self) -> bool {
        self.is_permanent
    }
}

impl fmt::Display for ListenerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)?;
        let mut source = self.reason.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

impl Error for ListenerError {}

#[cfg(test)]
mod tests;
