//! What the port needs of a daemon: where to look, and whom to ask.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::access::Token;
use crate::exchange::{Answer, Request};
use crate::journal::Journal;
use crate::listener::{Cursor, WishKind};
use crate::model::DomainName;
use crate::supervisor::Explanation;
use crate::telemetry::LoopFigures;
use crate::time::{Moment, WallTime};
use crate::view::View;

/// Which listeners may ask for what, by their names.
pub type Permits = BTreeMap<String, BTreeSet<WishKind>>;

/// A daemon, as far as its port reaches into it.
#[derive(Clone, Debug)]
pub struct Port {
    /// The domains, in the order of the configuration; a reload changes them.
    pub domains: watch::Receiver<Arc<[DomainPort]>>,
    /// The daemon itself.
    pub daemon: DaemonPort,
    /// Which listeners may ask for what; a reload changes it.
    pub permits: watch::Receiver<Arc<Permits>>,
    /// Who is let in over TCP; a reload changes it.
    pub tokens: watch::Receiver<Arc<[Token]>>,
    /// Where it is served over TCP.
    pub listens: Option<SocketAddr>,
}

/// The daemon itself.
#[derive(Clone, Debug)]
pub struct DaemonPort {
    /// Its own events and dead letters.
    pub journal: Journal,
    /// Which one it is.
    pub version: &'static str,
    /// When it began.
    pub started: WallTime,
    /// What became of its configuration.
    pub config: watch::Receiver<ConfigState>,
    /// What time it is.
    pub now: Now,
}

/// Tells the time, as the daemon reads it.
#[derive(Clone)]
pub struct Now(Arc<dyn Fn() -> Moment + Send + Sync>);

impl Now {
    /// Returns what asks this clock.
    pub fn new(clock: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self(Arc::new(clock))
    }

    /// Reads the clock.
    pub fn read(&self) -> Moment {
        (self.0)()
    }
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now(..)")
    }
}

/// What became of the configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConfigState {
    /// How many configurations took effect, this one included.
    pub generation: u64,
    /// When this one did.
    pub loaded: WallTime,
    /// What was wrong with a later one, if one was refused since.
    pub rejected: Option<Arc<str>>,
}

/// One domain.
#[derive(Clone, Debug)]
pub struct DomainPort {
    /// What we call it.
    pub name: DomainName,
    /// Which protocol it speaks: `nuodb`.
    pub kind: &'static str,
    /// Its events and dead letters.
    pub journal: Journal,
    /// Its event loop.
    pub errands: mpsc::Sender<Errand>,
    /// What its event loop counts and measures.
    pub figures: Arc<LoopFigures>,
    /// How far each of its listeners is.
    pub cursors: Arc<[(String, Cursor)]>,
}

/// What the port asks of an event loop. An answer that is dropped says that nothing will come.
#[derive(Debug)]
pub enum Errand {
    /// The warden shall decide on a request.
    Request {
        /// What is asked. The event loop gives it an id of its own.
        request: Request,
        /// Where the decision goes.
        answer: oneshot::Sender<Answer>,
    },
    /// A person accepts that memory was lost.
    Resume {
        /// Who.
        by: Arc<str>,
        /// What became of it.
        answer: oneshot::Sender<Answer>,
    },
    /// Somebody wants to see what the warden sees.
    View(oneshot::Sender<View>),
    /// Somebody wants to know why something is as it is.
    Why {
        /// What it goes by; empty for the domain.
        entity: Box<str>,
        /// When it was looked at, and why it is so; `None` if nothing goes by that name.
        answer: oneshot::Sender<(Moment, Option<Explanation>)>,
    },
}
