//! Tells pluggable listeners what happened.
//!
//! Each listener has a worker of its own, which reads events from a [`Source`] by number, so that a
//! slow or failing listener delays neither the daemon nor its neighbours. It does not know where
//! events come from. A listener may wish for something; whether it is done is decided elsewhere.

mod alertmanager;
mod dispatcher;
mod exec;
mod expression;
mod filter;
mod http;
mod ledger;
mod log;
mod pipe;
mod record;
mod registration;
mod secret;
mod settings;
mod source;
mod webhook;
mod wish;

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::event::Recorded;
use crate::exchange::Wish;

pub use alertmanager::{Alertmanager, AlertmanagerSettings, LabelError, RESEND_EVERY, check_label};
pub use dispatcher::{Cursor, Dispatcher, Unfinished};
pub use exec::{Exec, ExecError, ProgramError, ProgramSettings, check_program};
pub use expression::{Expression, ExpressionError};
pub use filter::{Filter, UnknownEvent};
pub use http::{Address, AddressError, Header, HeaderError, HttpSettings};
pub use ledger::{Ledger, LedgerError, Ledgered, Note, Open, Replay, Standing};
pub use log::Log;
pub use pipe::{PIPE_BATCH, Pipe, PipeError};
pub use record::Record;
pub use registration::{Hooks, Registration};
pub use secret::Secret;
pub use settings::{Deliver, ListenerKind, ListenerSettings, OnConnect, Retry, Terms};
pub use source::{Page, Source};
pub use webhook::{Webhook, WebhookSettings};
pub use wish::WishKind;
pub(crate) use wish::{StartTeRecord, WishError, WishRecord};

/// Something that wants to be told what happened.
///
/// An event is delivered at least once, and the events of one entity in the order of their numbers:
/// the next one comes when this one is done, or given up. [`Delivery::event`]'s identity is the
/// same at every attempt, so that a receiver can tell a repetition from news.
pub trait Listener: Send + 'static {
    /// Names the listener in logs.
    fn name(&self) -> &str;

    /// Is told one event, or several at once if its terms allow.
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
        Box::pin(std::future::ready(Ok(Reply::done())))
    }

    /// Ends what it keeps between events. The dispatcher calls this when the listener is retired,
    /// and drops the future as in [`notify`](Self::notify).
    fn close(&mut self) -> Closed<'_> {
        Box::pin(std::future::ready(()))
    }

    /// Returns whether several events are taken or refused as a whole, as by one request.
    ///
    /// If not, [`Reply::failed`] says which of them were not taken, and an attempt never has two
    /// events of one entity.
    fn is_atomic(&self) -> bool {
        true
    }
}

/// One attempt to tell one event, or several.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// What happened.
    pub event: &'a Recorded,
    /// Which attempt to tell it is, from 1 on.
    pub attempt: u32,
    /// What else happened; empty unless the listener's terms allow batches.
    pub rest: &'a [Arc<Recorded>],
}

impl<'a> Delivery<'a> {
    /// Returns every event to be told, in order.
    pub fn events(&self) -> impl Iterator<Item = &'a Recorded> + use<'a> {
        std::iter::once(self.event).chain(self.rest.iter().map(Arc::as_ref))
    }
}

/// What becomes of an attempt.
pub type Notified<'a> = Pin<Box<dyn Future<Output = Result<Reply, ListenerError>> + Send + 'a>>;

/// What a listener does last.
pub type Closed<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What a listener says when it was told.
#[derive(Debug, Default)]
pub struct Reply {
    /// What it asks for.
    wishes: Vec<Wish>,
    /// Which events of the batch it did not take, by their place, from 0 on.
    failed: Vec<(usize, ListenerError)>,
}

impl Reply {
    /// Returns that everything was taken, and nothing is asked for.
    pub fn done() -> Self {
        Self::default()
    }

    /// Adds something the listener asks for; whether it may is said by its terms.
    #[must_use]
    pub fn wishing(mut self, wish: Wish) -> Self {
        self.wishes.push(wish);
        self
    }

    /// Adds that one event of a batch was not taken: 0 is [`Delivery::event`], 1 the first of
    /// [`Delivery::rest`].
    #[must_use]
    pub fn failed(mut self, place: usize, error: ListenerError) -> Self {
        self.failed.push((place, error));
        self
    }
}

/// Why a listener could not be told, and whether another try can help.
///
/// Its message tells the error it was made of with all its causes.
#[derive(Debug)]
pub struct ListenerError {
    is_permanent: bool,
    after: Option<Duration>,
    reason: Box<dyn Error + Send + Sync>,
}

impl ListenerError {
    /// Returns an error that every further try would meet again.
    pub fn permanent(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            is_permanent: true,
            after: None,
            reason: reason.into(),
        }
    }

    /// Returns an error that may be gone at the next try.
    pub fn temporary(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            is_permanent: false,
            after: None,
            reason: reason.into(),
        }
    }

    /// Asks for a pause of at least this before the next try, as `Retry-After` does.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.after = Some(pause);
        self
    }

    /// Returns whether another try is pointless.
    pub fn is_permanent(&self) -> bool {
        self.is_permanent
    }

    /// Returns the least pause before the next try, if one was asked for.
    pub fn pause(&self) -> Option<Duration> {
        self.after
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
mod receiver;
#[cfg(test)]
mod tests;
