//! The listener that keeps the alerts of an Alertmanager in step with what is wrong.
//!
//! Events begin and end conditions; what fires is told again and again, so that an Alertmanager
//! that was away learns of it, and one that hears of us no more takes it for over. Which alerts
//! fire is remembered with the place of the listener, so that a restart of the daemon changes
//! nothing. It groups nothing and silences nothing: that is the Alertmanager's business.

mod condition;
mod firing;
mod settings;

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::http::{Caller, HttpError};
use super::{Delivery, Listener, Notified, Reply};
use crate::time::WallTime;

use firing::Firing;
pub use settings::{AlertmanagerSettings, LabelError, RESEND_EVERY, check_label};

/// Where alerts are posted, behind what the configuration says.
const PATH: &str = "/api/v2/alerts";

/// Returns how long an alert stands that is not told again: three may be lost.
fn lifetime(resend_every: Duration) -> Duration {
    resend_every.saturating_mul(4)
}

/// Keeps the alerts of an Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    name: String,
    caller: Caller,
    settings: AlertmanagerSettings,
    firing: Firing,
    /// When all of it shall be told again.
    due: Option<Instant>,
}

impl Alertmanager {
    /// Returns the listener of that name.
    pub fn new(name: impl Into<String>, settings: AlertmanagerSettings) -> Self {
        let mut http = settings.http.clone();
        http.url = http.url.join(PATH);
        Self {
            name: name.into(),
            caller: Caller::new(http),
            settings,
            firing: Firing::default(),
            due: None,
        }
    }

    /// Tells what the Alertmanager does not know yet.
    async fn tell(&mut self) -> Result<(), HttpError> {
        let now = wall_clock();
        self.firing.expire(now);
        let resend_every = self.settings.resend_every;
        let Some(telling) = self.firing.owed(now, &self.settings) else {
            return Ok(());
        };
        // Should it fail, there is time for more tries before the Alertmanager gives up on us.
        self.due = Some(clock() + resend_every / 4);
        self.caller.post(telling.body, &[]).await?;
        self.firing.told(&telling.keys);
        self.due = Some(clock() + resend_every);
        Ok(())
    }
}

impl Listener for Alertmanager {
    fn name(&self) -> &str {
        &self.name
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        Box::pin(async move {
            for recorded in delivery.events() {
                self.firing.absorb(recorded, &self.settings);
            }
            match self.tell().await {
                Ok(()) => Ok(Reply::done()),
                Err(error) => Err(error.into_listener_error()),
            }
        })
    }

    fn recall(&mut self, memo: &str) {
        self.firing = Firing::recall(memo, &self.name);
    }

    fn memo(&self) -> Option<String> {
        self.firing.memo()
    }

    fn next_call(&self) -> Option<Duration> {
        if self.firing.is_empty() {
            return None;
        }
        let wait = |due: Instant| due.saturating_duration_since(clock());
        Some(self.due.map_or(Duration::ZERO, wait))
    }

    fn call(&mut self) -> Notified<'_> {
        Box::pin(async move {
            self.firing.owe_all();
            match self.tell().await {
                Ok(()) => Ok(Reply::done()),
                Err(error) => Err(error.into_listener_error()),
            }
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an alert says until when it stands; nothing is decided by it here"
)]
fn wall_clock() -> WallTime {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let micros = since_epoch.unwrap_or_default().as_micros();
    WallTime::from_unix_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

#[expect(
    clippy::disallowed_methods,
    reason = "it is asked how long from now it wants to be called"
)]
fn clock() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
