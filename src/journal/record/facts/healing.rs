//! What the healer has in mind of a seat, as JSON.

use serde::{Deserialize, Serialize};

use super::{Text, at, meaning, role_of, role_word, shared};
use crate::exchange::{ActionId, Place};
use crate::journal::record::RecordError;
use crate::supervisor::{
    AgentFact, EvidenceFact, HoldReason, PhaseFact, Ran, SlotFact, VacancyFact, WishFact,
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SlotRecord<'a> {
    #[serde(borrow)]
    database: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    role: Option<Text<'a>>,
    ordinal: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    home: Option<Text<'a>>,
    number: u32,
    observed: bool,
    tries: u32,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    ran: Option<RanRecord<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    unproven: Option<UnprovenRecord<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    given_up: Option<GivenUpRecord<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clearing: Option<u64>,
    #[serde(borrow)]
    phase: PhaseRecord<'a>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct UnprovenRecord<'a> {
    #[serde(borrow)]
    peer: Text<'a>,
    at: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct GivenUpRecord<'a> {
    #[serde(borrow)]
    reason: Text<'a>,
    ends: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RanRecord<'a> {
    until: u64,
    stopped: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    start_id: Option<Text<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum PhaseRecord<'a> {
    Acting {
        action: u64,
        #[serde(borrow)]
        vacancy: VacancyRecord<'a>,
    },
    Empty,
    Filled {
        #[serde(borrow)]
        peer: Text<'a>,
        pid: u32,
    },
    Held {
        #[serde(borrow)]
        reason: Text<'a>,
        again: u64,
        #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
        vacancy: Option<VacancyRecord<'a>>,
    },
    Leaving {
        until: u64,
        #[serde(borrow)]
        peer: Text<'a>,
    },
    #[serde(borrow)]
    Vacant(VacancyRecord<'a>),
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct VacancyRecord<'a> {
    since: u64,
    pause_from: u64,
    pause_until: u64,
    #[serde(borrow)]
    evidence: EvidenceRecord<'a>,
    agent: AgentRecord,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    not_ready_at: Option<Text<'a>>,
    told_blocked: bool,
    told_suggested: bool,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    wish: Option<WishRecord<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum EvidenceRecord<'a> {
    Declared,
    Exit {
        #[serde(borrow)]
        peer: Text<'a>,
    },
    Unreachable {
        #[serde(borrow)]
        peer: Text<'a>,
        life: u64,
    },
    Vanished {
        #[serde(borrow)]
        peer: Text<'a>,
    },
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum AgentRecord {
    Answers { at: u64 },
    Silent,
    Unasked,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WishRecord<'a> {
    #[serde(borrow)]
    by: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reason: Option<Text<'a>>,
    #[serde(borrow)]
    place: PlaceRecord<'a>,
    until: u64,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum PlaceRecord<'a> {
    Anywhere,
    Elsewhere,
    #[serde(borrow)]
    On(Text<'a>),
}

impl<'a> From<&'a SlotFact> for SlotRecord<'a> {
    fn from(it: &'a SlotFact) -> Self {
        Self {
            database: it.database.as_str().into(),
            role: role_word(&it.role),
            ordinal: it.ordinal,
            home: it.home.as_ref().map(|it| it.as_str().into()),
            number: it.number,
            observed: it.observed,
            tries: it.tries,
            ran: it.ran.as_ref().map(|it| RanRecord {
                until: it.until.as_micros(),
                stopped: it.is_stopped,
                pid: it.pid,
                start_id: it.start_id.as_ref().map(|it| it.as_str().into()),
            }),
            unproven: it.unproven.as_ref().map(|(peer, at)| UnprovenRecord {
                peer: peer.as_str().into(),
                at: at.as_micros(),
            }),
            given_up: it.given_up.map(|(reason, ends)| GivenUpRecord {
                reason: reason.as_str().into(),
                ends: ends.as_micros(),
            }),
            clearing: it.clearing.map(|it| it.0),
            phase: match &it.phase {
                PhaseFact::Acting { action, vacancy } => PhaseRecord::Acting {
                    action: action.0,
                    vacancy: vacancy.into(),
                },
                PhaseFact::Empty => PhaseRecord::Empty,
                PhaseFact::Filled { peer, pid } => PhaseRecord::Filled {
                    peer: peer.as_str().into(),
                    pid: *pid,
                },
                PhaseFact::Held {
                    reason,
                    again,
                    vacancy,
                } => PhaseRecord::Held {
                    reason: reason.as_str().into(),
                    again: again.as_micros(),
                    vacancy: vacancy.as_ref().map(Into::into),
                },
                PhaseFact::Leaving { until, peer } => PhaseRecord::Leaving {
                    until: until.as_micros(),
                    peer: peer.as_str().into(),
                },
                PhaseFact::Vacant(vacancy) => PhaseRecord::Vacant(vacancy.into()),
            },
        }
    }
}

impl TryFrom<SlotRecord<'_>> for SlotFact {
    type Error = RecordError;

    fn try_from(it: SlotRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            database: shared(&it.database).into(),
            role: role_of(it.role.as_ref())?,
            ordinal: it.ordinal,
            home: it.home.as_ref().map(|it| shared(it).into()),
            number: it.number,
            observed: it.observed,
            tries: it.tries,
            ran: it.ran.map(|it| Ran {
                until: at(it.until),
                is_stopped: it.stopped,
                pid: it.pid,
                start_id: it.start_id.as_ref().map(|it| shared(it).into()),
            }),
            unproven: it.unproven.map(|it| (shared(&it.peer).into(), at(it.at))),
            given_up: match it.given_up {
                Some(it) => {
                    let reason = meaning("reason to hold", &it.reason, HoldReason::named)?;
                    Some((reason, at(it.ends)))
                }
                None => None,
            },
            clearing: it.clearing.map(ActionId),
            phase: match it.phase {
                PhaseRecord::Acting { action, vacancy } => PhaseFact::Acting {
                    action: ActionId(action),
                    vacancy: vacancy.into(),
                },
                PhaseRecord::Empty => PhaseFact::Empty,
                PhaseRecord::Filled { peer, pid } => PhaseFact::Filled {
                    peer: shared(&peer).into(),
                    pid,
                },
                PhaseRecord::Held {
                    reason,
                    again,
                    vacancy,
                } => PhaseFact::Held {
                    reason: meaning("reason to hold", &reason, HoldReason::named)?,
                    again: at(again),
                    vacancy: vacancy.map(Into::into),
                },
                PhaseRecord::Leaving { until, peer } => PhaseFact::Leaving {
                    until: at(until),
                    peer: shared(&peer).into(),
                },
                PhaseRecord::Vacant(vacancy) => PhaseFact::Vacant(vacancy.into()),
            },
        })
    }
}

impl<'a> From<&'a VacancyFact> for VacancyRecord<'a> {
    fn from(it: &'a VacancyFact) -> Self {
        Self {
            since: it.since.as_micros(),
            pause_from: it.pause_from.as_micros(),
            pause_until: it.pause_until.as_micros(),
            evidence: match &it.evidence {
                EvidenceFact::Declared => EvidenceRecord::Declared,
                EvidenceFact::Exit { peer } => EvidenceRecord::Exit {
                    peer: peer.as_str().into(),
                },
                EvidenceFact::Unreachable { peer, life } => EvidenceRecord::Unreachable {
                    peer: peer.as_str().into(),
                    life: *life,
                },
                EvidenceFact::Vanished { peer } => EvidenceRecord::Vanished {
                    peer: peer.as_str().into(),
                },
            },
            agent: match it.agent {
                AgentFact::Answers { at } => AgentRecord::Answers { at: at.as_micros() },
                AgentFact::Silent => AgentRecord::Silent,
                AgentFact::Unasked => AgentRecord::Unasked,
            },
            not_ready_at: it.not_ready_at.as_ref().map(|it| it.as_str().into()),
            told_blocked: it.told_blocked,
            told_suggested: it.told_suggested,
            wish: it.wish.as_ref().map(|it| WishRecord {
                by: (&*it.by).into(),
                reason: it.reason.as_deref().map(Into::into),
                place: match &it.place {
                    Place::Anywhere => PlaceRecord::Anywhere,
                    Place::Elsewhere => PlaceRecord::Elsewhere,
                    Place::On(peer) => PlaceRecord::On(peer.as_str().into()),
                },
                until: it.until.as_micros(),
            }),
        }
    }
}

impl From<VacancyRecord<'_>> for VacancyFact {
    fn from(it: VacancyRecord<'_>) -> Self {
        Self {
            since: at(it.since),
            pause_from: at(it.pause_from),
            pause_until: at(it.pause_until),
            evidence: match it.evidence {
                EvidenceRecord::Declared => EvidenceFact::Declared,
                EvidenceRecord::Exit { peer } => EvidenceFact::Exit {
                    peer: shared(&peer).into(),
                },
                EvidenceRecord::Unreachable { peer, life } => EvidenceFact::Unreachable {
                    peer: shared(&peer).into(),
                    life,
                },
                EvidenceRecord::Vanished { peer } => EvidenceFact::Vanished {
                    peer: shared(&peer).into(),
                },
            },
            agent: match it.agent {
                AgentRecord::Answers { at: micros } => AgentFact::Answers { at: at(micros) },
                AgentRecord::Silent => AgentFact::Silent,
                AgentRecord::Unasked => AgentFact::Unasked,
            },
            not_ready_at: it.not_ready_at.as_ref().map(|it| shared(it).into()),
            told_blocked: it.told_blocked,
            told_suggested: it.told_suggested,
            wish: it.wish.map(|it| WishFact {
                by: shared(&it.by),
                reason: it.reason.as_ref().map(shared),
                place: match it.place {
                    PlaceRecord::Anywhere => Place::Anywhere,
                    PlaceRecord::Elsewhere => Place::Elsewhere,
                    PlaceRecord::On(peer) => Place::On(shared(&peer).into()),
                },
                until: at(it.until),
            }),
        }
    }
}
