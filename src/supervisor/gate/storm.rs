//! The gate `storm`: when many peers are lost at once the trouble is larger than what a restart
//! mends, or it is ours; and when it is over, one thing is done after the other.
//!
//! It says nothing about single peers.

use std::time::Duration;

use crate::model::{Model, PeerPresence};
use crate::time::Timestamp;

/// What counts as a storm, and what follows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StormLimits {
    /// More than this share of the peers, of a hundred.
    pub percent: u32,
    /// And at least so many of them.
    pub peers: u32,
    /// The gate opens so long after the last loss; losses within that time belong together.
    pub quiet: Duration,
    /// After a storm there is one start in this time.
    pub pace: Duration,
    /// That is so for so long at most.
    pub slow_for: Duration,
}

impl Default for StormLimits {
    fn default() -> Self {
        Self {
            percent: 30,
            peers: 2,
            quiet: Duration::from_secs(60),
            pace: Duration::from_secs(10),
            slow_for: Duration::from_secs(600),
        }
    }
}

/// A storm, or the time after one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Storm {
    /// When the first of its peers was lost.
    pub began: Timestamp,
    /// While it rages: when the gate opens if nobody else is lost. It opens in a view of the
    /// majority only.
    pub quiet_at: Option<Timestamp>,
    /// When things go as fast as ever again, at the latest; not before it is over.
    pub slow_until: Timestamp,
    /// When the last start since was decided.
    pub last_start: Option<Timestamp>,
}

impl StormLimits {
    /// Returns the storm as it is when a peer was lost just now.
    pub(in crate::supervisor) fn lost(
        &self,
        now: Timestamp,
        model: &Model,
        before: Option<Storm>,
    ) -> Option<Storm> {
        let rages = before.filter(|it| it.quiet_at.is_some());
        let (mut there, mut lost, mut first) = (0_u64, 0_u64, now);
        for (_, peer) in model.peers() {
            match peer.presence {
                PeerPresence::Connected { .. } => there += 1,
                PeerPresence::Unreachable { since } if now.since(since) < self.quiet => {
                    lost += 1;
                    first = first.min(since);
                }
                PeerPresence::Unreachable { .. } => (),
            }
        }
        let is_storm =
            lost >= u64::from(self.peers) && lost * 100 > u64::from(self.percent) * (there + lost);
        if !is_storm && rages.is_none() {
            return before;
        }
        let quiet_at = now + self.quiet;
        Some(Storm {
            began: rages.map_or(first, |it| it.began),
            quiet_at: Some(quiet_at),
            slow_until: quiet_at + self.slow_for,
            last_start: None,
        })
    }
}

impl Storm {
    /// Returns the storm as it is now, if there is anything left of it; `can_end` in a settled view
    /// of the majority, and then things go slowly for `slow_for` at most.
    pub(in crate::supervisor) fn pass(
        self,
        now: Timestamp,
        model: &Model,
        (can_end, slow_for): (bool, Duration),
    ) -> Option<Self> {
        match self.quiet_at {
            Some(at) if at <= now && can_end => Some(Self {
                quiet_at: None,
                slow_until: now + slow_for,
                ..self
            }),
            Some(_) => Some(self),
            None => {
                let is_away = |presence| match presence {
                    PeerPresence::Connected { .. } => false,
                    PeerPresence::Unreachable { since } => since >= self.began,
                };
                let is_over =
                    self.slow_until <= now || !model.peers().any(|(_, it)| is_away(it.presence));
                (!is_over).then_some(self)
            }
        }
    }
}
