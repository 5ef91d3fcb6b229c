//! Which alerts fire, and what the Alertmanager does not know of them yet.
//!
//! It is a fold over events: the same events give the same alerts, and one that was seen before
//! changes nothing, so that repetitions and dead letters that are told late do no harm.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::condition::{self, Condition, Labels, Turn};
use super::settings::AlertmanagerSettings;
use crate::event::{ProcessFacts, Recorded};
use crate::model::Status;
use crate::time::WallTime;

/// How many alerts there may be; who gets a thousand reads none of the rest.
const MAX_ALERTS: usize = 1_000;

/// The alerts of one listener.
#[derive(Debug, Default)]
pub(super) struct Firing {
    /// The last event that changed anything: epoch and number.
    seen: Option<(u32, u64)>,
    alerts: BTreeMap<Labels, Alert>,
}

/// An alert that fires, or is over and not told so.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Alert {
    severity: String,
    summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    event: String,
    /// When it began, in microseconds since 1970.
    starts: u64,
    end: End,
    /// Whether the last process of its database that ended did so as somebody wished.
    #[serde(default, skip_serializing_if = "is_false")]
    is_wished: bool,
    /// The Alertmanager does not know of it as it is.
    #[serde(skip)]
    is_owed: bool,
    /// It came of an event that is in no journal, and is not remembered.
    #[serde(skip)]
    is_volatile: bool,
}

/// When an alert is over, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum End {
    /// When something ends it.
    Open,
    /// It is, since then, which is to be told.
    Over(u64),
    /// Then, unless somebody tells of it again.
    RunsOut(u64),
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// How it is remembered.
#[derive(Deserialize, Serialize)]
struct Memo {
    epoch: u32,
    seq: u64,
    alerts: Vec<(Labels, Alert)>,
}

/// How the Alertmanager is told of one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted<'a> {
    labels: BTreeMap<&'a str, &'a str>,
    annotations: BTreeMap<&'static str, &'a str>,
    starts_at: String,
    ends_at: String,
}

/// What is told at once.
pub(super) struct Telling {
    /// The alerts, in the Alertmanager's form.
    pub(super) body: Vec<u8>,
    /// Which they are, and whether they are over.
    pub(super) keys: Vec<(Labels, bool)>,
}

impl Firing {
    /// Returns whether there is nothing to tell, now or later.
    pub(super) fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// Takes in an event, unless it was seen before.
    pub(super) fn absorb(&mut self, recorded: &Recorded, settings: &AlertmanagerSettings) {
        let place = (recorded.epoch, recorded.seq);
        let is_seen = self.seen.is_some_and(|(epoch, seq)| {
            recorded.is_numbered() && epoch == recorded.epoch && recorded.seq <= seq
        });
        if is_seen {
            return;
        }
        let mut is_changed = false;
        for turn in condition::turns(recorded.event.kind) {
            is_changed |= self.take(*turn, recorded, settings);
        }
        if is_changed && recorded.is_numbered() {
            self.seen = Some(place);
        }
    }

    /// Returns whether anything changed.
    fn take(&mut self, turn: Turn, recorded: &Recorded, settings: &AlertmanagerSettings) -> bool {
        let event = &recorded.event;
        match turn {
            Turn::Begins(condition) => {
                settings.wants(event.kind) && self.begin(condition, recorded, None)
            }
            Turn::Flashes(condition) => {
                let lasts = condition.lasts(settings.resend_every);
                settings.wants(event.kind) && self.begin(condition, recorded, Some(lasts))
            }
            Turn::Ends(condition) => self.end(&condition.labels(event), event.time.wall),
            Turn::EndsUnlessUp(condition) => {
                let is_up = |it: &ProcessFacts| it.status == Status::Up;
                let is_up = event.subject.process.as_ref().is_some_and(is_up);
                let is_over = event.text.is_some() || !is_up;
                is_over && self.end(&condition.labels(event), event.time.wall)
            }
            Turn::Leaves => {
                let mut is_changed = false;
                for condition in DATABASE_WIDE {
                    let labels = condition.labels(event);
                    if self.alerts.get(&labels).is_some_and(|it| it.is_wished) {
                        is_changed |= self.end(&labels, event.time.wall);
                    }
                }
                is_changed
            }
            Turn::Loses { is_wished } => {
                let mut is_changed = false;
                for condition in DATABASE_WIDE {
                    if let Some(alert) = self.alerts.get_mut(&condition.labels(event)) {
                        is_changed |= alert.is_wished != is_wished;
                        alert.is_wished = is_wished;
                    }
                }
                is_changed
            }
        }
    }

    fn begin(
        &mut self,
        condition: Condition,
        recorded: &Recorded,
        lasts: Option<Duration>,
    ) -> bool {
        let event = &recorded.event;
        let labels = condition.labels(event);
        let known = self.alerts.get(&labels).filter(|it| !it.is_over());
        if known.is_none() && self.alerts.len() >= MAX_ALERTS {
            warn!(
                alert = condition.as_str(),
                "there are too many alerts to add one more"
            );
            return false;
        }
        let now = event.time.wall.as_unix_micros();
        let alert = Alert {
            severity: event.kind.severity().as_str().to_owned(),
            summary: condition::summary(recorded),
            text: event.text.as_deref().map(str::to_owned),
            event: recorded.id().to_string(),
            starts: known.map_or(now, |it| it.starts),
            end: lasts.map_or(End::Open, |it| End::RunsOut(later(now, it))),
            is_wished: false,
            is_owed: true,
            is_volatile: !recorded.is_numbered(),
        };
        self.alerts.insert(labels, alert);
        true
    }

    fn end(&mut self, labels: &Labels, time: WallTime) -> bool {
        let Some(alert) = self.alerts.get_mut(labels).filter(|it| !it.is_over()) else {
            return false;
        };
        alert.end = End::Over(time.as_unix_micros().max(alert.starts));
        alert.is_owed = true;
        true
    }

    /// Forgets alerts whose time has run out: the Alertmanager knows when.
    pub(super) fn expire(&mut self, now: WallTime) {
        let now = now.as_unix_micros();
        self.alerts
            .retain(|_, it| !matches!(it.end, End::RunsOut(ends) if ends <= now));
    }

    /// Has everything told again.
    pub(super) fn owe_all(&mut self) {
        for alert in self.alerts.values_mut() {
            alert.is_owed = true;
        }
    }

    /// Returns what the Alertmanager does not know, if there is anything.
    pub(super) fn owed(&self, now: WallTime, settings: &AlertmanagerSettings) -> Option<Telling> {
        let until = later(now.as_unix_micros(), super::lifetime(settings.resend_every));
        let owed: Vec<_> = self.alerts.iter().filter(|(_, it)| it.is_owed).collect();
        if owed.is_empty() {
            return None;
        }
        let posted: Vec<_> = owed
            .iter()
            .map(|(labels, alert)| alert.post(labels, until, settings))
            .collect();
        Some(Telling {
            body: serde_json::to_vec(&posted).expect("text has a form in JSON"),
            keys: owed
                .into_iter()
                .map(|(labels, alert)| (labels.clone(), alert.is_over()))
                .collect(),
        })
    }

    /// Notes that the Alertmanager knows of these.
    pub(super) fn told(&mut self, keys: &[(Labels, bool)]) {
        for (labels, is_over) in keys {
            if *is_over {
                self.alerts.remove(labels);
            } else if let Some(alert) = self.alerts.get_mut(labels) {
                alert.is_owed = false;
            }
        }
    }

    /// Returns what must be remembered, `None` if there never was anything.
    pub(super) fn memo(&self) -> Option<String> {
        let (epoch, seq) = self.seen?;
        let lasting = self.alerts.iter().filter(|(_, it)| !it.is_volatile);
        let memo = Memo {
            epoch,
            seq,
            alerts: lasting
                .map(|(labels, it)| (labels.clone(), it.clone()))
                .collect(),
        };
        Some(serde_json::to_string(&memo).expect("text has a form in JSON"))
    }

    /// Returns what was remembered, all of it to be told again.
    pub(super) fn recall(memo: &str, listener: &str) -> Self {
        let memo: Memo = match serde_json::from_str(memo) {
            Ok(memo) => memo,
            Err(error) => {
                warn!(listener, %error, "what fired before the restart cannot be read");
                return Self::default();
            }
        };
        let mut firing = Self {
            seen: Some((memo.epoch, memo.seq)),
            alerts: memo.alerts.into_iter().collect(),
        };
        firing.owe_all();
        // Whether a listener fails is found out anew by a new daemon, and told again if so.
        let failing = Condition::ListenerFailing.as_str();
        for (labels, alert) in &mut firing.alerts {
            if labels.get("alertname").is_some_and(|it| it == failing) && !alert.is_over() {
                alert.end = End::Over(alert.starts);
            }
        }
        firing
    }
}

/// What is wrong with a database as a whole.
const DATABASE_WIDE: [Condition; 2] = [Condition::DatabaseDegraded, Condition::DatabaseInactive];

impl Alert {
    fn is_over(&self) -> bool {
        matches!(self.end, End::Over(_))
    }

    fn post<'a>(
        &'a self,
        labels: &'a Labels,
        until: u64,
        settings: &'a AlertmanagerSettings,
    ) -> Posted<'a> {
        let all = settings.labels.iter().chain(labels);
        let mut labels: BTreeMap<_, _> = all.map(|(k, v)| (k.as_str(), v.as_str())).collect();
        labels.insert("severity", &self.severity);
        let ends = match self.end {
            End::Open => until,
            End::Over(ends) | End::RunsOut(ends) => ends,
        };
        let mut annotations = BTreeMap::new();
        annotations.insert("summary", self.summary.as_str());
        annotations.insert("event_id", self.event.as_str());
        if let Some(text) = &self.text {
            annotations.insert("description", text);
        }
        Posted {
            labels,
            annotations,
            starts_at: WallTime::from_unix_micros(self.starts).to_string(),
            ends_at: WallTime::from_unix_micros(ends).to_string(),
        }
    }
}

fn later(micros: u64, pause: Duration) -> u64 {
    micros.saturating_add(u64::try_from(pause.as_micros()).unwrap_or(u64::MAX))
}
