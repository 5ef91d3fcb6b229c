//! What was decided about a seat lately, as JSON.

use serde::{Deserialize, Serialize};

use super::{Text, at, meaning, role_of, role_word, shared};
use crate::exchange::ActionId;
use crate::journal::record::RecordError;
use crate::supervisor::{Decision, DecisionStep, DecisionsFact};
use crate::time::{Moment, WallTime};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DecisionsRecord<'a> {
    #[serde(borrow)]
    database: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    role: Option<Text<'a>>,
    ordinal: u32,
    #[serde(borrow)]
    decisions: Vec<DecisionRecord<'a>>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct DecisionRecord<'a> {
    at: u64,
    wall: u64,
    #[serde(borrow)]
    step: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    gate: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    peer: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<u64>,
    #[serde(borrow)]
    says: Text<'a>,
}

impl<'a> From<&'a DecisionsFact> for DecisionsRecord<'a> {
    fn from(it: &'a DecisionsFact) -> Self {
        Self {
            database: it.database.as_str().into(),
            role: role_word(&it.role),
            ordinal: it.ordinal,
            decisions: it.decisions.iter().map(Into::into).collect(),
        }
    }
}

impl<'a> From<&'a Decision> for DecisionRecord<'a> {
    fn from(it: &'a Decision) -> Self {
        let process = it.process.as_ref();
        Self {
            at: it.time.at.as_micros(),
            wall: it.time.wall.as_unix_micros(),
            step: it.step.as_str().into(),
            gate: it.gate.as_deref().map(Into::into),
            peer: process.map(|(peer, _)| peer.as_str().into()),
            pid: process.map(|(_, pid)| *pid),
            action: it.action.map(|it| it.0),
            says: (&*it.says).into(),
        }
    }
}

impl TryFrom<DecisionsRecord<'_>> for DecisionsFact {
    type Error = RecordError;

    fn try_from(it: DecisionsRecord<'_>) -> Result<Self, RecordError> {
        let decisions = it.decisions.into_iter().map(TryInto::try_into);
        Ok(Self {
            database: shared(&it.database).into(),
            role: role_of(it.role.as_ref())?,
            ordinal: it.ordinal,
            decisions: decisions.collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<DecisionRecord<'_>> for Decision {
    type Error = RecordError;

    fn try_from(it: DecisionRecord<'_>) -> Result<Self, RecordError> {
        let peer = it.peer.as_ref().map(|it| shared(it).into());
        Ok(Self {
            time: Moment {
                at: at(it.at),
                wall: WallTime::from_unix_micros(it.wall),
            },
            step: meaning("decision", &it.step, DecisionStep::named)?,
            gate: it.gate.as_ref().map(shared),
            process: peer.zip(it.pid),
            action: it.action.map(ActionId),
            says: shared(&it.says),
        })
    }
}
