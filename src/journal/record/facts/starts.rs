//! Starts as JSON: those under way, those that failed, and those that were given up.

use serde::{Deserialize, Serialize};

use super::{Text, at, role_of, role_word, shared};
use crate::exchange::ActionId;
use crate::journal::record::RecordError;
use crate::supervisor::{ActionFact, ActionStage, FailureFact, LapsedFact};

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ActionRecord<'a> {
    action: u64,
    #[serde(borrow)]
    database: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    role: Option<Text<'a>>,
    ordinal: u32,
    #[serde(borrow)]
    target: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    agent: Option<Text<'a>>,
    stage: StageRecord,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    start_id: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    by: Option<Text<'a>>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum StageRecord {
    Checking { deadline: u64 },
    Committed { deadline: u64 },
    Preparing { deadline: u64 },
    Registered { deadline: u64 },
}

impl<'a> From<&'a ActionFact> for ActionRecord<'a> {
    fn from(it: &'a ActionFact) -> Self {
        let deadline = it.stage.deadline().as_micros();
        Self {
            action: it.action.0,
            database: it.database.as_str().into(),
            role: role_word(&it.role),
            ordinal: it.ordinal,
            target: it.target.as_str().into(),
            agent: it.agent.as_ref().map(|it| it.as_str().into()),
            stage: match it.stage {
                ActionStage::Checking { .. } => StageRecord::Checking { deadline },
                ActionStage::Committed { .. } => StageRecord::Committed { deadline },
                ActionStage::Preparing { .. } => StageRecord::Preparing { deadline },
                ActionStage::Registered { .. } => StageRecord::Registered { deadline },
            },
            start_id: it.start_id.as_ref().map(|it| it.as_str().into()),
            by: it.by.as_deref().map(Into::into),
        }
    }
}

impl TryFrom<ActionRecord<'_>> for ActionFact {
    type Error = RecordError;

    fn try_from(it: ActionRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            action: ActionId(it.action),
            database: shared(&it.database).into(),
            role: role_of(it.role.as_ref())?,
            ordinal: it.ordinal,
            target: shared(&it.target).into(),
            agent: it.agent.as_ref().map(|it| shared(it).into()),
            stage: match it.stage {
                StageRecord::Checking { deadline } => ActionStage::Checking {
                    deadline: at(deadline),
                },
                StageRecord::Committed { deadline } => ActionStage::Committed {
                    deadline: at(deadline),
                },
                StageRecord::Preparing { deadline } => ActionStage::Preparing {
                    deadline: at(deadline),
                },
                StageRecord::Registered { deadline } => ActionStage::Registered {
                    deadline: at(deadline),
                },
            },
            start_id: it.start_id.as_ref().map(|it| shared(it).into()),
            by: it.by.as_ref().map(shared),
        })
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FailureRecord<'a> {
    #[serde(borrow)]
    database: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    role: Option<Text<'a>>,
    #[serde(borrow)]
    peer: Text<'a>,
    at: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    out: bool,
}

impl<'a> From<&'a FailureFact> for FailureRecord<'a> {
    fn from(it: &'a FailureFact) -> Self {
        Self {
            database: it.database.as_str().into(),
            role: role_word(&it.role),
            peer: it.peer.as_str().into(),
            at: it.at.as_micros(),
            out: it.is_out,
        }
    }
}

impl TryFrom<FailureRecord<'_>> for FailureFact {
    type Error = RecordError;

    fn try_from(it: FailureRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            database: shared(&it.database).into(),
            role: role_of(it.role.as_ref())?,
            peer: shared(&it.peer).into(),
            at: at(it.at),
            is_out: it.out,
        })
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LapsedRecord<'a> {
    action: u64,
    #[serde(borrow)]
    database: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    role: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ordinal: Option<u32>,
    #[serde(borrow)]
    peer: Text<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    agent: Option<Text<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    start_id: Option<Text<'a>>,
    at: u64,
}

impl<'a> From<&'a LapsedFact> for LapsedRecord<'a> {
    fn from(it: &'a LapsedFact) -> Self {
        Self {
            action: it.action.0,
            database: it.database.as_str().into(),
            role: role_word(&it.role),
            ordinal: it.ordinal,
            peer: it.peer.as_str().into(),
            agent: it.agent.as_ref().map(|it| it.as_str().into()),
            start_id: it.start_id.as_ref().map(|it| it.as_str().into()),
            at: it.at.as_micros(),
        }
    }
}

impl TryFrom<LapsedRecord<'_>> for LapsedFact {
    type Error = RecordError;

    fn try_from(it: LapsedRecord<'_>) -> Result<Self, RecordError> {
        Ok(Self {
            action: ActionId(it.action),
            database: shared(&it.database).into(),
            role: role_of(it.role.as_ref())?,
            ordinal: it.ordinal,
            peer: shared(&it.peer).into(),
            agent: it.agent.as_ref().map(|it| shared(it).into()),
            start_id: it.start_id.as_ref().map(|it| shared(it).into()),
            at: at(it.at),
        })
    }
}
