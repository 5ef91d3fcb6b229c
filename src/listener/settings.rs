//! What a listener is told, how often it is tried, and what it is.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Listener;
use super::alertmanager::{Alertmanager, AlertmanagerSettings};
use super::exec::{Exec, ProgramSettings};
use super::expression::Expression;
use super::filter::Filter;
use super::log::Log;
use super::pipe::Pipe;
use super::webhook::{Webhook, WebhookSettings};
use super::wish::WishKind;
use crate::event::{Kind, Recorded, Severity};

/// What a listener hears of the state that is found on connecting.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnConnect {
    /// Only what changes from then on.
    Changes,
    /// Everything that is there, as events marked `snapshot`.
    #[default]
    Snapshot,
}

/// Which of the events of one entity are told when several wait.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Deliver {
    /// Each of them.
    #[default]
    Every,
    /// The newest only; the others count as told. A `gap` is never left out.
    Latest,
}

/// How often and at which pace a listener that fails is tried again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Retry {
    /// How many tries an event gets.
    pub tries: u32,
    /// The pause after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest pause.
    pub max: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 10,
            first: Duration::from_secs(1),
            max: Duration::from_secs(300),
        }
    }
}

impl Retry {
    /// Returns the pause after that many failures, shortened by up to a quarter, so that listeners
    /// which failed together do not come back together.
    ///
    /// Equal arguments give equal pauses.
    pub fn pause(&self, failures: u32, seed: u64) -> Duration {
        let factor = 1_u32
            .checked_shl(failures.saturating_sub(1))
            .unwrap_or(u32::MAX);
        let pause = self.first.saturating_mul(factor).min(self.max);
        let shortened = u32::try_from(mix(seed ^ u64::from(failures) << 48) % 256).unwrap_or(0);
        pause / 1024 * (1024 - shortened)
    }
}

/// Scatters the bits of a number (splitmix64).
pub(super) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What every listener has, whatever it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// Which kinds of events it wants.
    pub events: Filter,
    /// What must be so of an event for it to be wanted.
    pub where_: Option<Expression>,
    /// The least urgent events it wants.
    pub severity: Severity,
    /// Which of several waiting events it wants.
    pub deliver: Deliver,
    /// Whether it wants to hear what was already there.
    pub on_connect: OnConnect,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many attempts may run at once, each by an instance of its own; those of one entity never
    /// do.
    pub concurrency: u32,
    /// How many events one attempt may tell.
    pub batch: u32,
    /// What happens when it fails.
    pub retry: Retry,
    /// Whether it is also told, without a number, while the journal cannot be written.
    pub best_effort: bool,
    /// How often it is told that the daemon lives.
    pub heartbeat: Option<Duration>,
    /// What it may ask for.
    pub may_request: BTreeSet<WishKind>,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            events: Filter::every(),
            where_: None,
            severity: Severity::Info,
            deliver: Deliver::default(),
            on_connect: OnConnect::default(),
            timeout: Duration::from_secs(60),
            concurrency: 1,
            batch: 1,
            retry: Retry::default(),
            best_effort: false,
            heartbeat: None,
            may_request: BTreeSet::new(),
        }
    }
}

impl Terms {
    /// Returns whether the listener wants to be told. A gap is told to everybody.
    pub fn admit(&self, recorded: &Recorded) -> bool {
        let event = &recorded.event;
        let is_wanted = match self.on_connect {
            OnConnect::Changes => !event.snapshot,
            OnConnect::Snapshot => true,
        };
        event.kind == Kind::Gap
            || is_wanted && event.kind.severity() >= self.severity && self.events.admits(event.kind)
    }
}

/// Which listener it is, with what it alone has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ListenerKind {
    /// Keeps the alerts of an Alertmanager.
    Alertmanager(AlertmanagerSettings),
    /// Runs a program for each event.
    Exec(ProgramSettings),
    /// Writes a line to the daemon's log for each event.
    Log,
    /// Keeps a program running and hands it a line for each event.
    Pipe(ProgramSettings),
    /// Posts each event to an HTTP server.
    Webhook(WebhookSettings),
}

/// A listener as it is configured.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenerSettings {
    /// What it is called in logs.
    pub name: String,
    /// What every listener has.
    pub terms: Terms,
    /// Which listener it is.
    pub kind: ListenerKind,
}

impl ListenerSettings {
    /// Returns a listener made after these settings; each source of events gets its own.
    pub fn build(&self) -> Box<dyn Listener> {
        match &self.kind {
            ListenerKind::Alertmanager(settings) => {
                Box::new(Alertmanager::new(self.name.clone(), settings.clone()))
            }
            ListenerKind::Exec(settings) => Box::new(Exec::new(
                self.name.clone(),
                settings.clone(),
                self.terms.timeout,
            )),
            ListenerKind::Log => Box::new(Log::new(self.name.clone())),
            ListenerKind::Pipe(settings) => Box::new(Pipe::new(
                self.name.clone(),
                settings.clone(),
                self.terms.timeout,
                self.terms.batch,
                self.terms.retry,
            )),
            ListenerKind::Webhook(settings) => {
                let is_list = self.terms.batch > 1;
                Box::new(Webhook::new(self.name.clone(), settings.clone(), is_list))
            }
        }
    }
}
