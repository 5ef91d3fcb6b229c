//! How the ports of processes are tried, as JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::micros;
use crate::supervisor::{ProbeTerms, SignOfLife};

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ProbeRecord {
    every: u64,
    timeout: u64,
    misses: u32,
    answer: AnswerRecord,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum AnswerRecord {
    Accept,
    Close,
}

impl From<&ProbeTerms> for ProbeRecord {
    fn from(terms: &ProbeTerms) -> Self {
        let ProbeTerms {
            every,
            timeout,
            misses,
            answer,
        } = terms;
        Self {
            every: micros(*every),
            timeout: micros(*timeout),
            misses: *misses,
            answer: match answer {
                SignOfLife::Accept => AnswerRecord::Accept,
                SignOfLife::Close => AnswerRecord::Close,
            },
        }
    }
}

impl From<ProbeRecord> for ProbeTerms {
    fn from(it: ProbeRecord) -> Self {
        Self {
            every: Duration::from_micros(it.every),
            timeout: Duration::from_micros(it.timeout),
            misses: it.misses,
            answer: match it.answer {
                AnswerRecord::Accept => SignOfLife::Accept,
                AnswerRecord::Close => SignOfLife::Close,
            },
        }
    }
}
