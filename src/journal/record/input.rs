//! An input as JSON: what the warden was fed with, so that it can be fed with it again.
//!
//! Absent fields are left out, which is most of the difference between a journal of one and of
//! three gigabytes.

mod accepted;
mod probed;
mod reported;
mod seen;
#[cfg(test)]
mod tests;
mod wish;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::RecordError;
use crate::exchange::{ActionId, Observation, Request, RequestId};
use crate::model::{AgentId, Sighting, Snapshot, StartId};
use crate::supervisor::{Input, Lease, Recovery};
use crate::time::ClockTrouble;
use accepted::AcceptedRecord;
use probed::ProbedRecord;
use reported::{LossRecord, OutcomeRecord};
pub(in crate::journal) use seen::ManagedRecord;
use seen::{PeerRecord, ProcessRecord};
use wish::WishRecord;

type Text<'a> = Cow<'a, str>;

/// An input as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum InputRecord<'a> {
    Began(Box<AcceptedRecord>),
    Clock(ClockRecord),
    Configured(Box<AcceptedRecord>),
    JournalFailed,
    Lease(LeaseRecord),
    #[serde(borrow)]
    Lost(LossRecord<'a>),
    #[serde(borrow)]
    Managed(Vec<ManagedRecord<'a>>),
    #[serde(borrow)]
    PeerJoined(PeerRecord<'a>),
    #[serde(borrow)]
    PeerLost(PeerRecord<'a>),
    #[serde(borrow)]
    Probed(ProbedRecord<'a>),
    #[serde(borrow)]
    ProcessGone(ProcessRecord<'a>),
    #[serde(borrow)]
    ProcessJoined(ProcessRecord<'a>),
    Recovered(RecoveryRecord),
    Reported {
        action: u64,
        #[serde(borrow)]
        outcome: OutcomeRecord<'a>,
    },
    Requested {
        id: u64,
        #[serde(borrow)]
        by: Text<'a>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        reason: Option<Text<'a>>,
        #[serde(borrow)]
        wish: WishRecord<'a>,
    },
    Resumed {
        #[serde(borrow)]
        by: Text<'a>,
    },
    Snapshot {
        #[serde(borrow)]
        domain: Text<'a>,
        #[serde(borrow)]
        entry: PeerRecord<'a>,
        #[serde(borrow)]
        peers: Vec<PeerRecord<'a>>,
        #[serde(borrow)]
        processes: Vec<ProcessRecord<'a>>,
    },
    StartFailed {
        #[serde(borrow)]
        agent: Text<'a>,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        start_id: Option<Text<'a>>,
        #[serde(borrow)]
        reason: Text<'a>,
    },
    #[serde(borrow)]
    StatusChanged(ProcessRecord<'a>),
    Timeout,
}

/// By how many microseconds.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::journal) enum ClockRecord {
    Back(u64),
    Forward(u64),
    Late(u64),
    Slept(u64),
}

impl From<&ClockTrouble> for ClockRecord {
    fn from(trouble: &ClockTrouble) -> Self {
        let micros = |by: &Duration| u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        match trouble {
            ClockTrouble::Jumped { by, back: true } => Self::Back(micros(by)),
            ClockTrouble::Jumped { by, back: false } => Self::Forward(micros(by)),
            ClockTrouble::Late { by } => Self::Late(micros(by)),
            ClockTrouble::Slept { by } => Self::Slept(micros(by)),
        }
    }
}

impl From<ClockRecord> for ClockTrouble {
    fn from(it: ClockRecord) -> Self {
        let by = Duration::from_micros;
        match it {
            ClockRecord::Back(it) => Self::Jumped {
                by: by(it),
                back: true,
            },
            ClockRecord::Forward(it) => Self::Jumped {
                by: by(it),
                back: false,
            },
            ClockRecord::Late(it) => Self::Late { by: by(it) },
            ClockRecord::Slept(it) => Self::Slept { by: by(it) },
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::journal) enum LeaseRecord {
    Held,
    Lost,
    TakenOver,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::journal) enum RecoveryRecord {
    Backup,
    Lost,
}

impl<'a> From<&'a Input> for InputRecord<'a> {
    fn from(input: &'a Input) -> Self {
        match input {
            Input::Began(accepted) => Self::Began(Box::new((&**accepted).into())),
            Input::Clock(trouble) => Self::Clock(trouble.into()),
            Input::Configured(accepted) => Self::Configured(Box::new((&**accepted).into())),
            Input::JournalFailed => Self::JournalFailed,
            Input::Lease(Lease::Held { taken_over: true }) => Self::Lease(LeaseRecord::TakenOver),
            Input::Lease(Lease::Held { taken_over: false }) => Self::Lease(LeaseRecord::Held),
            Input::Lease(Lease::Lost) => Self::Lease(LeaseRecord::Lost),
            Input::Observed(Observation::Lost(loss)) => Self::Lost(loss.into()),
            Input::Observed(Observation::Managed(all)) => {
                Self::Managed(all.iter().map(Into::into).collect())
            }
            Input::Observed(Observation::Sighted(sighting)) => sighting.into(),
            Input::Observed(Observation::Snapshot(snapshot)) => {
                let Snapshot {
                    domain,
                    entry,
                    peers,
                    processes,
                } = snapshot;
                Self::Snapshot {
                    domain: text(domain),
                    entry: entry.into(),
                    peers: peers.iter().map(Into::into).collect(),
                    processes: processes.iter().map(Into::into).collect(),
                }
            }
            Input::Probed(probed) => Self::Probed(probed.into()),
            Input::Recovered(Recovery::Backup) => Self::Recovered(RecoveryRecord::Backup),
            Input::Recovered(Recovery::Lost) => Self::Recovered(RecoveryRecord::Lost),
            Input::Reported { action, outcome } => Self::Reported {
                action: action.0,
                outcome: outcome.into(),
            },
            Input::Requested(Request {
                id,
                by,
                reason,
                wish,
            }) => Self::Requested {
                id: id.0,
                by: text(by),
                reason: reason.as_ref().map(text),
                wish: wish.into(),
            },
            Input::Resumed { by } => Self::Resumed { by: text(by) },
            Input::Timeout => Self::Timeout,
        }
    }
}

impl TryFrom<InputRecord<'_>> for Input {
    type Error = RecordError;

    fn try_from(record: InputRecord<'_>) -> Result<Self, RecordError> {
        let sighted = |it| Self::Observed(Observation::Sighted(it));
        let accepted = |it: Box<AcceptedRecord>| Arc::new((*it).into());
        Ok(match record {
            InputRecord::Began(it) => Self::Began(accepted(it)),
            InputRecord::Clock(it) => Self::Clock(it.into()),
            InputRecord::Configured(it) => Self::Configured(accepted(it)),
            InputRecord::JournalFailed => Self::JournalFailed,
            InputRecord::Lease(it) => Self::Lease(match it {
                LeaseRecord::Held => Lease::Held { taken_over: false },
                LeaseRecord::Lost => Lease::Lost,
                LeaseRecord::TakenOver => Lease::Held { taken_over: true },
            }),
            InputRecord::Lost(loss) => Self::Observed(Observation::Lost(loss.into())),
            InputRecord::Managed(all) => {
                let all = all.into_iter().map(Into::into).collect();
                Self::Observed(Observation::Managed(all))
            }
            InputRecord::PeerJoined(peer) => sighted(Sighting::PeerJoined(peer.into())),
            InputRecord::PeerLost(peer) => sighted(Sighting::PeerLost(peer.into())),
            InputRecord::Probed(it) => Self::Probed(it.into()),
            InputRecord::ProcessGone(it) => sighted(Sighting::ProcessGone(it.try_into()?)),
            InputRecord::ProcessJoined(it) => sighted(Sighting::ProcessJoined(it.try_into()?)),
            InputRecord::Recovered(RecoveryRecord::Backup) => Self::Recovered(Recovery::Backup),
            InputRecord::Recovered(RecoveryRecord::Lost) => Self::Recovered(Recovery::Lost),
            InputRecord::Reported { action, outcome } => Self::Reported {
                action: ActionId(action),
                outcome: outcome.into(),
            },
            InputRecord::Requested {
                id,
                by,
                reason,
                wish,
            } => Self::Requested(Request {
                id: RequestId(id),
                by: shared(&by),
                reason: reason.as_deref().map(shared),
                wish: wish.into(),
            }),
            InputRecord::Resumed { by } => Self::Resumed { by: shared(&by) },
            InputRecord::Snapshot {
                domain,
                entry,
                peers,
                processes,
            } => {
                let processes = processes.into_iter().map(TryInto::try_into);
                Self::Observed(Observation::Snapshot(Snapshot {
                    domain: shared(&domain),
                    entry: entry.into(),
                    peers: peers.into_iter().map(Into::into).collect(),
                    processes: processes.collect::<Result<_, _>>()?,
                }))
            }
            InputRecord::StartFailed {
                agent,
                start_id,
                reason,
            } => sighted(Sighting::StartFailed {
                agent_id: AgentId::from(&*agent),
                start_id: start_id.as_deref().map(StartId::from),
                reason: shared(&reason),
            }),
            InputRecord::StatusChanged(it) => sighted(Sighting::StatusChanged(it.try_into()?)),
            InputRecord::Timeout => Self::Timeout,
        })
    }
}

fn text(text: &Arc<str>) -> Text<'_> {
    Cow::Borrowed(text)
}

fn shared(text: &str) -> Arc<str> {
    text.into()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_false(value: &bool) -> bool {
    !value
}
