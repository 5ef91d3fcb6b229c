//! What an event loop does while its journal cannot be written: watch on, act not, number nothing.
//!
//! What was told last stays what is on record. When the journal works again the loop goes on from
//! there, as after a restart of the daemon, with a fresh look at the domain.

use tracing::{error, info, warn};

use super::{Answer, EventLoop, Health, Progress};
use crate::daemon::DaemonError;
use crate::event::{Event, Kind, Subject};
use crate::exchange::Deed;
use crate::journal::Batch;
use crate::supervisor::{Accepted, Input};
use crate::telemetry::chain;
use crate::time::Moment;
use crate::warden::{Waiting, Warden};

/// Since when nothing is on record any more, and why.
pub(super) struct Outage {
    since: Moment,
    why: String,
}

impl Outage {
    /// Returns what is answered to whoever asks for something meanwhile.
    pub(super) fn refusal(&self) -> Answer {
        Answer::Refused {
            reason: format!(
                "the journal cannot be written ({}), so nothing is started until it can",
                self.why
            )
            .into(),
        }
    }
}

impl EventLoop {
    /// Notices that the journal broke or works again.
    pub(super) async fn mind(&mut self, progress: &Progress) -> Result<(), DaemonError> {
        match (&progress.health, &self.outage) {
            (Health::Failed { why }, None) => self.break_off(why),
            (Health::Writable, None) => {
                // It broke and was mended before anybody looked; what was parked is void.
                self.break_off("it could not for a moment");
                self.take_up().await?;
            }
            (Health::Writable, Some(_)) => self.take_up().await?,
            (Health::Failed { .. }, Some(_)) | (Health::Working, _) => (),
        }
        Ok(())
    }

    /// From here on nothing is on record, and thus nothing is done.
    fn break_off(&mut self, why: &str) {
        let since = self.clock.now();
        error!(
            domain = self.name.as_str(),
            why, "the journal cannot be written: watching on, starting nothing"
        );
        self.outage = Some(Outage {
            since,
            why: why.to_owned(),
        });
        self.meter.forget();
        for it in self.parked.take() {
            self.refuse(it);
        }
        let mut alarm = self.event(since, Kind::Gap);
        alarm.text = Some(format!("the journal cannot be written: {why}").into());
        self.alarm(alarm);
        self.take_in(Input::JournalFailed);
    }

    /// Tells events to those that also want what is not on record, and does nothing.
    pub(super) fn go_without(&mut self, events: Vec<Event>, waiting: Vec<Waiting>) {
        for it in waiting {
            self.refuse(it);
        }
        for event in events {
            self.alarm(event);
        }
    }

    /// Goes on from what is on record.
    async fn take_up(&mut self) -> Result<(), DaemonError> {
        let recovered = match self.journal.reopen().await {
            Ok(recovered) => recovered,
            Err(error) => {
                // The journal says when it is worth another try.
                let (domain, error) = (self.name.as_str(), chain(&error));
                warn!(domain, "the journal still cannot be used: {error}");
                return Ok(());
            }
        };
        let now = self.clock.now();
        let Accepted { model, supervisor } = (*self.settings).clone();
        let warden = Warden::restore(model, supervisor, now, recovered.facts);
        self.warden = warden.map_err(|source| DaemonError::Facts {
            domain: self.name.clone(),
            source,
        })?;
        info!(
            domain = self.name.as_str(),
            "the journal can be written again"
        );
        let mut gap = self.event(now, Kind::Gap);
        if let Some(outage) = self.outage.take() {
            let text = format!(
                "nothing was recorded from {} on, as the journal could not be written ({}); what \
                 changed meanwhile follows as differences",
                outage.since.wall, outage.why
            );
            gap.text = Some(text.into());
        }
        self.journal.write(Batch {
            events: vec![gap],
            ..Batch::default()
        });
        self.take_in(Input::Began(self.settings.clone()));
        self.lease.forget_told();
        self.drive(
            self.carrier.settings(),
            "the journal works again; the domain is looked at afresh",
        )
        .await;
        Ok(())
    }

    /// Leaves undone what waited for the disk; only what ends a preparation still leaves.
    fn refuse(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Answer { request, answer } => {
                let answer = self.outage.as_ref().map_or(answer, Outage::refusal);
                if let Some(asker) = self.waiting.remove(&request) {
                    let _ = asker.send(answer);
                }
            }
            Waiting::Deed(deed @ Deed::Abandon { .. }) => {
                // If its queue is full, the preparation expires by itself.
                let _ = self.carrier.deeds.try_send(deed);
            }
            Waiting::Deed(_) => (),
        }
    }

    fn alarm(&self, event: Event) {
        // The journal is broken; if the daemon is too busy to hear it as well, the log has it.
        let _ = self.alarms.try_send((self.name.clone(), event));
    }

    fn event(&self, now: Moment, kind: Kind) -> Event {
        Event::new(now, Some(self.name.clone()), kind, Subject::default())
    }
}
