//! An input as JSON: what the warden was fed with, so that it can be fed with it again.
//!
//! Absent fields are left out, which is most of the difference between a journal of one and of
//! three gigabytes.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RecordError;
use super::event::{role_of, status_of};
use crate::exchange::{
    ActionId, Loss, LossClass, Observation, Outcome, Place, Request, RequestId, Wish,
};
use crate::model::{
    Address, AgentId, DatabaseName, PeerName, PeerSeen, ProcessSeen, Sighting, Snapshot, StartId,
    StatusSeen,
};
use crate::supervisor::{Input, Recovery};

type Text<'a> = Cow<'a, str>;

/// An input as it is written.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum InputRecord<'a> {
    JournalFailed,
    #[serde(borrow)]
    Lost(LossRecord<'a>),
    #[serde(borrow)]
    PeerJoined(PeerRecord<'a>),
    #[serde(borrow)]
    PeerLost(PeerRecord<'a>),
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

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) struct PeerRecord<'a> {
    #[serde(borrow)]
    agent: Text<'a>,
    #[serde(borrow)]
    host: Text<'a>,
    port: u16,
    #[serde(default, skip_serializing_if = "is_false")]
    broker: bool,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    hostname: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    version: Text<'a>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) struct ProcessRecord<'a> {
    #[serde(borrow)]
    agent: Text<'a>,
    #[serde(borrow)]
    database: Text<'a>,
    pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    status: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    word: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    hostname: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    version: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    node_id: Option<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    start_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) struct LossRecord<'a> {
    #[serde(borrow)]
    host: Text<'a>,
    port: u16,
    class: ClassRecord,
    #[serde(borrow)]
    reason: Text<'a>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum ClassRecord {
    Connection,
    Denied,
    Protocol,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::journal) enum RecoveryRecord {
    Backup,
    Lost,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum OutcomeRecord<'a> {
    #[serde(borrow)]
    Answered(Vec<(Text<'a>, Text<'a>)>),
    #[serde(borrow)]
    NotSent(LossRecord<'a>),
    Ready,
    #[serde(borrow)]
    Refused(Text<'a>),
    Registered {
        pid: u32,
    },
    #[serde(borrow)]
    StartFailed(Text<'a>),
    #[serde(borrow)]
    Started(Option<Text<'a>>),
    Stopped {
        exit_code: Option<i32>,
    },
    #[serde(borrow)]
    Unanswered(LossRecord<'a>),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum WishRecord<'a> {
    StartTe {
        #[serde(borrow)]
        database: Text<'a>,
        #[serde(borrow)]
        place: PlaceRecord<'a>,
    },
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) enum PlaceRecord<'a> {
    Anywhere,
    Elsewhere,
    #[serde(borrow)]
    On(Text<'a>),
}

impl<'a> From<&'a Input> for InputRecord<'a> {
    fn from(input: &'a Input) -> Self {
        match input {
            Input::JournalFailed => Self::JournalFailed,
            Input::Observed(Observation::Lost(loss)) => Self::Lost(loss.into()),
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
            Input::Recovered(Recovery::Backup) => Self::Recovered(RecoveryRecord::Backup),
            Input::Recovered(Recovery::Lost) => Self::Recovered(RecoveryRecord::Lost),
            Input::Reported { action, outcome } => Self::Reported {
                action: action.0,
                outcome: outcome.into(),
            },
            Input::Requested(Request { id, by, wish }) => Self::Requested {
                id: id.0,
                by: text(by),
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
        Ok(match record {
            InputRecord::JournalFailed => Self::JournalFailed,
            InputRecord::Lost(loss) => Self::Observed(Observation::Lost(loss.into())),
            InputRecord::PeerJoined(peer) => sighted(Sighting::PeerJoined(peer.into())),
            InputRecord::PeerLost(peer) => sighted(Sighting::PeerLost(peer.into())),
            InputRecord::ProcessGone(it) => sighted(Sighting::ProcessGone(it.try_into()?)),
            InputRecord::ProcessJoined(it) => sighted(Sighting::ProcessJoined(it.try_into()?)),
            InputRecord::Recovered(RecoveryRecord::Backup) => Self::Recovered(Recovery::Backup),
            InputRecord::Recovered(RecoveryRecord::Lost) => Self::Recovered(Recovery::Lost),
            InputRecord::Reported { action, outcome } => Self::Reported {
                action: ActionId(action),
                outcome: outcome.into(),
            },
            InputRecord::Requested { id, by, wish } => Self::Requested(Request {
                id: RequestId(id),
                by: shared(&by),
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

impl<'a> From<&'a Sighting> for InputRecord<'a> {
    fn from(sighting: &'a Sighting) -> Self {
        match sighting {
            Sighting::PeerJoined(peer) => Self::PeerJoined(peer.into()),
            Sighting::PeerLost(peer) => Self::PeerLost(peer.into()),
            Sighting::ProcessGone(process) => Self::ProcessGone(process.into()),
            Sighting::ProcessJoined(process) => Self::ProcessJoined(process.into()),
            Sighting::StartFailed {
                agent_id,
                start_id,
                reason,
            } => Self::StartFailed {
                agent: agent_id.as_str().into(),
                start_id: start_id.as_ref().map(|it| it.as_str().into()),
                reason: text(reason),
            },
            Sighting::StatusChanged(process) => Self::StatusChanged(process.into()),
        }
    }
}

impl<'a> From<&'a PeerSeen> for PeerRecord<'a> {
    fn from(peer: &'a PeerSeen) -> Self {
        let PeerSeen {
            agent_id,
            address: Address { host, port },
            is_broker,
            hostname,
            version,
        } = peer;
        Self {
            agent: agent_id.as_str().into(),
            host: text(host),
            port: *port,
            broker: *is_broker,
            hostname: text(hostname),
            version: text(version),
        }
    }
}

impl From<PeerRecord<'_>> for PeerSeen {
    fn from(record: PeerRecord<'_>) -> Self {
        Self {
            agent_id: AgentId::from(&*record.agent),
            address: Address::new(&*record.host, record.port),
            is_broker: record.broker,
            hostname: shared(&record.hostname),
            version: shared(&record.version),
        }
    }
}

impl<'a> From<&'a ProcessSeen> for ProcessRecord<'a> {
    fn from(process: &'a ProcessSeen) -> Self {
        let ProcessSeen {
            agent_id,
            database,
            pid,
            port,
            role,
            status,
            hostname,
            version,
            node_id,
            start_id,
        } = process;
        Self {
            agent: agent_id.as_str().into(),
            database: database.as_str().into(),
            pid: *pid,
            port: *port,
            role: role.as_str().into(),
            status: status.as_ref().map(|it| it.status.as_str().into()),
            word: status.as_ref().map(|it| text(&it.word)),
            hostname: text(hostname),
            version: text(version),
            node_id: *node_id,
            start_id: start_id.as_ref().map(|it| it.as_str().into()),
        }
    }
}

impl TryFrom<ProcessRecord<'_>> for ProcessSeen {
    type Error = RecordError;

    fn try_from(record: ProcessRecord<'_>) -> Result<Self, RecordError> {
        let status = match (record.status, record.word) {
            (None, None) => None,
            (Some(status), Some(word)) => Some(StatusSeen {
                status: status_of(&status)?,
                word: shared(&word),
            }),
            (None, Some(_)) | (Some(_), None) => {
                let problem = "a status and its word stand together";
                return Err(RecordError(problem.to_owned()));
            }
        };
        Ok(Self {
            agent_id: AgentId::from(&*record.agent),
            database: DatabaseName::from(&*record.database),
            pid: record.pid,
            port: record.port,
            role: role_of(&record.role)?,
            status,
            hostname: shared(&record.hostname),
            version: shared(&record.version),
            node_id: record.node_id,
            start_id: record.start_id.as_deref().map(StartId::from),
        })
    }
}

impl<'a> From<&'a Loss> for LossRecord<'a> {
    fn from(loss: &'a Loss) -> Self {
        let Loss {
            address: Address { host, port },
            class,
            reason,
        } = loss;
        Self {
            host: text(host),
            port: *port,
            class: match class {
                LossClass::Connection => ClassRecord::Connection,
                LossClass::Denied => ClassRecord::Denied,
                LossClass::Protocol => ClassRecord::Protocol,
            },
            reason: text(reason),
        }
    }
}

impl From<LossRecord<'_>> for Loss {
    fn from(record: LossRecord<'_>) -> Self {
        Self {
            address: Address::new(&*record.host, record.port),
            class: match record.class {
                ClassRecord::Connection => LossClass::Connection,
                ClassRecord::Denied => LossClass::Denied,
                ClassRecord::Protocol => LossClass::Protocol,
            },
            reason: shared(&record.reason),
        }
    }
}

impl<'a> From<&'a Outcome> for OutcomeRecord<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Answered(pairs) => {
                let pairs = pairs.iter();
                Self::Answered(pairs.map(|(a, b)| (a.into(), b.into())).collect())
            }
            Outcome::NotSent(loss) => Self::NotSent(loss.into()),
            Outcome::Ready => Self::Ready,
            Outcome::Refused(reason) => Self::Refused(text(reason)),
            Outcome::Registered { pid } => Self::Registered { pid: *pid },
            Outcome::StartFailed(reason) => Self::StartFailed(text(reason)),
            Outcome::Started(id) => Self::Started(id.as_ref().map(|it| it.as_str().into())),
            Outcome::Stopped { exit_code } => Self::Stopped {
                exit_code: *exit_code,
            },
            Outcome::Unanswered(loss) => Self::Unanswered(loss.into()),
        }
    }
}

impl From<OutcomeRecord<'_>> for Outcome {
    fn from(record: OutcomeRecord<'_>) -> Self {
        match record {
            OutcomeRecord::Answered(pairs) => {
                let owned = |(a, b): (Text<'_>, Text<'_>)| (a.into_owned(), b.into_owned());
                Self::Answered(pairs.into_iter().map(owned).collect())
            }
            OutcomeRecord::NotSent(loss) => Self::NotSent(loss.into()),
            OutcomeRecord::Ready => Self::Ready,
            OutcomeRecord::Refused(reason) => Self::Refused(shared(&reason)),
            OutcomeRecord::Registered { pid } => Self::Registered { pid },
            OutcomeRecord::StartFailed(reason) => Self::StartFailed(shared(&reason)),
            OutcomeRecord::Started(id) => Self::Started(id.as_deref().map(StartId::from)),
            OutcomeRecord::Stopped { exit_code } => Self::Stopped { exit_code },
            OutcomeRecord::Unanswered(loss) => Self::Unanswered(loss.into()),
        }
    }
}

impl<'a> From<&'a Wish> for WishRecord<'a> {
    fn from(wish: &'a Wish) -> Self {
        match wish {
            Wish::StartTe { database, place } => Self::StartTe {
                database: database.as_str().into(),
                place: match place {
                    Place::Anywhere => PlaceRecord::Anywhere,
                    Place::Elsewhere => PlaceRecord::Elsewhere,
                    Place::On(peer) => PlaceRecord::On(peer.as_str().into()),
                },
            },
        }
    }
}

impl From<WishRecord<'_>> for Wish {
    fn from(record: WishRecord<'_>) -> Self {
        match record {
            WishRecord::StartTe { database, place } => Self::StartTe {
                database: DatabaseName::from(&*database),
                place: match place {
                    PlaceRecord::Anywhere => Place::Anywhere,
                    PlaceRecord::Elsewhere => Place::Elsewhere,
                    PlaceRecord::On(peer) => Place::On(PeerName::from(&*peer)),
                },
            },
        }
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

#[cfg(test)]
mod tests;
