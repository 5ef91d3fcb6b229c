//! What is known of an empty seat: since when, by what evidence, and what is waited for.

use super::facts::WishFact;
use crate::exchange::ActionId;
use crate::model::{Life, PeerId};
use crate::time::Timestamp;

/// What is known of an empty seat.
#[derive(Clone, Debug)]
pub(super) struct Vacancy {
    /// Since when it is empty.
    pub(super) since: Timestamp,
    /// When the pause before the next try began, and when it ends.
    pub(super) pause: (Timestamp, Timestamp),
    /// When to look at it again though nothing happens.
    pub(super) look: Option<Timestamp>,
    /// Why it is empty.
    pub(super) evidence: Evidence,
    /// What the agent of the peer it was on said of itself since.
    pub(super) agent: Agent,
    /// Where it waits until the agent is ready.
    pub(super) not_ready_at: Option<PeerId>,
    /// What was told of it already.
    pub(super) told: Told,
    /// Who asked for a start and waits for it.
    pub(super) wish: Option<WishFact>,
}

/// Why a seat is empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Evidence {
    /// It never was filled, but is declared.
    Declared,
    /// The exit was told, or the peer is back without the process.
    Exit { peer: PeerId },
    /// The peer went, and the process with it as far as one can see.
    Unreachable { peer: PeerId, life: Life },
    /// It was gone when we looked again.
    Vanished { peer: PeerId },
}

impl Vacancy {
    /// Returns a vacancy of which nothing else is known yet.
    pub(super) fn new(now: Timestamp, evidence: Evidence) -> Self {
        Self {
            since: now,
            pause: (now, now),
            look: Some(now),
            evidence,
            agent: Agent::Unasked,
            not_ready_at: None,
            told: Told::default(),
            wish: None,
        }
    }

    /// Returns the peer of a process whose exit was told, if its agent does not answer us.
    pub(super) fn doubted_at(&self) -> Option<PeerId> {
        match (self.evidence, self.agent) {
            (Evidence::Exit { peer } | Evidence::Vanished { peer }, Agent::Silent) => Some(peer),
            (Evidence::Declared | Evidence::Unreachable { .. }, _)
            | (_, Agent::Answers { .. } | Agent::Asked(_) | Agent::Unasked) => None,
        }
    }
}

impl Evidence {
    /// Returns the peer the process was on.
    pub(super) const fn here(self) -> Option<PeerId> {
        match self {
            Self::Declared => None,
            Self::Exit { peer } | Self::Unreachable { peer, .. } | Self::Vanished { peer } => {
                Some(peer)
            }
        }
    }
}

/// Whether the agent of the peer a process was on answers us, asked since it was gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Agent {
    /// It does.
    Answers { at: Timestamp },
    /// Asked just now.
    Asked(ActionId),
    /// It does not.
    Silent,
    /// Not asked yet.
    Unasked,
}

/// What listeners were told of a vacancy, so that it is said once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Told {
    pub(super) blocked: bool,
    pub(super) suggested: bool,
}

impl Evidence {
    /// Returns why a seat is empty, as part of a sentence.
    pub(super) const fn says(self) -> &'static str {
        match self {
            Self::Declared => "declared, and missing",
            Self::Exit { .. } => "its exit was told",
            Self::Unreachable { .. } => "its peer is out of reach, of us too",
            Self::Vanished { .. } => "it was gone when we looked again",
        }
    }

    /// Returns why a seat is empty, in a word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Exit { .. } => "exit",
            Self::Unreachable { .. } => "unreachable",
            Self::Vanished { .. } => "vanished",
        }
    }

    /// As [`says`](Self::says), before anybody looked any further.
    pub(super) const fn first_says(self) -> &'static str {
        match self {
            Self::Declared => "declared, and nobody sits there",
            Self::Unreachable { .. } => "its peer is out of reach, and it may live on there",
            Self::Exit { .. } | Self::Vanished { .. } => self.says(),
        }
    }
}
