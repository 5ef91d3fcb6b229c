//! What became of a deed, or of a session, as JSON.

use serde::{Deserialize, Serialize};

use super::{Text, shared, text};
use crate::exchange::{Loss, LossClass, Outcome};
use crate::model::{Address, StartId};

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
    Withdrawn,
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
            Outcome::Withdrawn => Self::Withdrawn,
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
            OutcomeRecord::Withdrawn => Self::Withdrawn,
        }
    }
}
