//! Why something could not be done in a domain, in words for the person who wanted it.

use std::time::Duration;

use thiserror::Error;

use crate::driver::nuodb::DriverError;
use crate::exchange::{Loss, LossClass};

/// Why something could not be done in a domain.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DomainError {
    /// A name that fits several processes.
    #[error("`{name}` may be any of these: {}; say HOST:PORT", candidates.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What it may mean.
        candidates: Vec<String>,
    },
    /// No broker shows the domain.
    #[error("cannot watch the domain: {}", loss.reason)]
    Connect {
        /// What happened at the broker that says the most.
        loss: Loss,
    },
    /// The driver cannot work on this machine.
    #[error("cannot watch the domain")]
    Driver(#[from] DriverError),
    /// The driver ended though it should not.
    #[error("the connection to the domain was given up")]
    Ended,
    /// It came to nothing.
    #[error("cannot {attempt}: {reason}")]
    Failed {
        /// What was attempted, and where.
        attempt: String,
        /// Why, in the domain's words.
        reason: String,
    },
    /// It was asked for, and takes longer than anybody wants to wait.
    #[error("asked to {attempt}, but after {waited:?} {state}")]
    Late {
        /// What was attempted, and where.
        attempt: String,
        /// How long was waited.
        waited: Duration,
        /// How things are.
        state: String,
    },
    /// There is nobody to connect to.
    #[error("cannot watch the domain: no broker is named")]
    NoBroker,
    /// There is no peer to start anything at.
    #[error("cannot {attempt}: the domain has no peer")]
    NoPeer {
        /// What was attempted.
        attempt: String,
    },
    /// There is no such thing in the domain.
    #[error("there is no {what} `{name}` in the domain; there is {}", list(known))]
    NoSuch {
        /// Which sort of thing.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Nothing was asked of the domain.
    #[error("cannot {attempt}: {}", loss.reason)]
    NotSent {
        /// What was attempted, and where.
        attempt: String,
        /// What happened.
        loss: Loss,
    },
    /// The peer does not do it.
    #[error("cannot {attempt}: the peer refused: {reason}")]
    Refused {
        /// What was attempted, and where.
        attempt: String,
        /// Why, in its words.
        reason: String,
    },
    /// It may or may not have been done.
    #[error("asked to {attempt}, and it is not known what became of it: {}", loss.reason)]
    Unanswered {
        /// What was attempted, and where.
        attempt: String,
        /// What happened.
        loss: Loss,
    },
}

impl DomainError {
    /// Returns what sort of failure of a session it was, if it was one.
    pub fn class(&self) -> Option<LossClass> {
        match self {
            Self::Connect { loss } | Self::NotSent { loss, .. } | Self::Unanswered { loss, .. } => {
                Some(loss.class)
            }
            Self::Ambiguous { .. }
            | Self::Driver(_)
            | Self::Ended
            | Self::Failed { .. }
            | Self::Late { .. }
            | Self::NoBroker
            | Self::NoPeer { .. }
            | Self::NoSuch { .. }
            | Self::Refused { .. } => None,
        }
    }
}

fn list(known: &[String]) -> String {
    if known.is_empty() {
        "none at all".to_owned()
    } else {
        known.join(", ")
    }
}
