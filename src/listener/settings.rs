//! What a listener is told, how often it is tried, and what it is.

use std::time::Duration;

use super::Listener;
use super::exec::{Exec, ExecSettings};
use super::filter::Filter;
use super::log::Log;
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
fn mix(seed: u64) -> u64 {
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
    /// The least urgent events it wants.
    pub severity: Severity,
    /// Whether it wants to hear what was already there.
    pub on_connect: OnConnect,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// What happens when it fails.
    pub retry: Retry,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            events: Filter::every(),
            severity: Severity::Info,
            on_connect: OnConnect::default(),
            timeout: Duration::from_secs(60),
            retry: Retry::default(),
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
    /// Runs a program for each event.
    Exec(ExecSettings),
    /// Writes a line to the daemon's log for each event.
    Log,
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
            ListenerKind::Exec(settings) => Box::new(Exec::new(
                self.name.clone(),
                settings.clone(),
                self.terms.timeout,
            )),
            ListenerKind::Log => Box::new(Log::new(self.name.clone())),
        }
    }
}
