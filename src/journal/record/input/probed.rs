//! What trying the port of a process has shown, as JSON.

use serde::{Deserialize, Serialize};

use super::{Text, shared, text};
use crate::exchange::{Finding, Probed};
use crate::model::Life;

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(in crate::journal) struct ProbedRecord<'a> {
    #[serde(borrow)]
    peer: Text<'a>,
    pid: u32,
    life: u64,
    /// How often it did not answer, and why; absent if it does.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    silent: Option<(u32, Text<'a>)>,
}

impl<'a> From<&'a Probed> for ProbedRecord<'a> {
    fn from(probed: &'a Probed) -> Self {
        let Probed {
            peer,
            pid,
            life,
            finding,
        } = probed;
        Self {
            peer: peer.as_str().into(),
            pid: *pid,
            life: life.number(),
            silent: match finding {
                Finding::Answers => None,
                Finding::Silent { misses, reason } => Some((*misses, text(reason))),
            },
        }
    }
}

impl From<ProbedRecord<'_>> for Probed {
    fn from(it: ProbedRecord<'_>) -> Self {
        let silent = |(misses, reason): (u32, Text<'_>)| Finding::Silent {
            misses,
            reason: shared(&reason),
        };
        Self {
            peer: shared(&it.peer).into(),
            pid: it.pid,
            life: Life::of(it.life),
            finding: it.silent.map_or(Finding::Answers, silent),
        }
    }
}
