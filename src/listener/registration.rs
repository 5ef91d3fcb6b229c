//! A listener to be, and what a dispatcher needs of the daemon around it.
//!
//! It names both; who reads the clock and who decides about a request is the daemon's business.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::Listener;
use super::settings::{ListenerSettings, Terms};
use crate::event::Event;
use crate::exchange::{Answer, Request};
use crate::time::Moment;

/// A listener to be: each source of events has instances of its own.
#[derive(Clone)]
pub struct Registration {
    /// What it is called: in logs, and in the journal, which remembers by it what was told.
    pub name: String,
    /// What it wants to hear, and how it is tried.
    pub terms: Terms,
    /// Makes one.
    pub make: Arc<dyn Fn() -> Box<dyn Listener> + Send + Sync>,
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("name", &self.name)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

impl From<ListenerSettings> for Registration {
    fn from(settings: ListenerSettings) -> Self {
        Self {
            name: settings.name.clone(),
            terms: settings.terms.clone(),
            make: Arc::new(move || settings.build()),
        }
    }
}

/// What a dispatcher needs of the daemon around it. By default there is none.
#[derive(Clone, Default)]
pub struct Hooks {
    /// Where the requests of listeners go; without it every request is refused.
    pub requests: Option<mpsc::Sender<(Request, oneshot::Sender<Answer>)>>,
    /// Where a listener that was never seen, and wants to hear what is there, gets it from: events
    /// marked `snapshot`, told without numbers. Without it there is nothing to hear.
    pub present: Option<mpsc::Sender<oneshot::Sender<Vec<Event>>>>,
    /// Says what time it is, if the daemon is well: without an answer no heartbeat is told.
    /// Without it there are no heartbeats; one dispatcher of a daemon has it.
    pub pulse: Option<Arc<dyn Fn() -> Option<Moment> + Send + Sync>>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}
