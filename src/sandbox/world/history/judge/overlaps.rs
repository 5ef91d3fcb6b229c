//! Who may come to life beside the process of a seat, because it was given up there, and whether
//! more of them do than may.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::known::{Known, Open, Seat, Stage, index_of, is_manager};
use super::told::State;
use super::{Broken, Judge, Law, SeatName};
use crate::supervisor::EvidenceFact;
use crate::time::Timestamp;

/// After this time whoever comes is not taken for a start of then.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Something that was given up, and may live.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Claim {
    /// A process out of reach.
    Life(usize),
    /// A start of that id of which nothing was heard.
    Start(Arc<str>, Timestamp),
}

impl Seat {
    /// Returns whether that process was given up here.
    pub(super) fn is_claimed_by(&self, life: usize) -> bool {
        self.claims.contains(&Claim::Life(life))
    }
}

impl Known {
    /// Notes that the process of a seat is given up, if it may live: not if a person vouched that
    /// it does not, whatever its agent says for a moment when it is back.
    pub(super) fn give_up_life(&mut self, name: SeatName, life: usize) {
        let is_vouched_for = self.orders.is_dead(self.told.lives[life].peer);
        if !is_vouched_for && self.told.processes.values().any(|it| it.life == life) {
            let claims = &mut self.seats.entry(name).or_default().claims;
            claims.push(Claim::Life(life));
        }
    }

    /// A seat is missed no more. If another is missed since then, because of whoever sat there and
    /// is out of reach, it is that one's now.
    pub(super) fn move_away(&mut self, from: &SeatName) {
        let Self { told, seats, .. } = self;
        let Some(life) = seats.get(from).and_then(|it| it.bound) else {
            return;
        };
        let mut all = told.processes.values();
        let Some(away) = all.find(|it| it.life == life && it.state != State::Live) else {
            return;
        };
        let is_it = |it: &Seat| match &it.evidence {
            Some(EvidenceFact::Unreachable { peer, .. }) => index_of(peer) == Some(away.peer),
            Some(
                EvidenceFact::Declared | EvidenceFact::Exit { .. } | EvidenceFact::Vanished { .. },
            )
            | None => false,
        };
        let sits_there = |it: &Seat| {
            let bound = it.bound.map(|it| told.lives[it].peer);
            bound == Some(away.peer)
        };
        let to = seats.iter().find(|(name, it)| {
            let is_alike = name.0 == from.0 && is_manager(&name.1) == is_manager(&from.1);
            is_alike && *name != from && is_it(it) && !sits_there(it)
        });
        let Some(to) = to.map(|(name, _)| name.clone()) else {
            return;
        };
        let before = seats.entry(from.clone()).or_default();
        before.bound = None;
        let mut claims = std::mem::take(&mut before.claims);
        let after = seats.entry(to).or_default();
        after.bound = Some(life);
        after.claims.append(&mut claims);
    }

    /// Notes that a start is given up, if its process may come.
    pub(super) fn give_up_start(&mut self, now: Timestamp, open: &Open) {
        if open.stage == Stage::Committed
            && !open.settled
            && let Some(start) = &open.start
        {
            let name = (open.database.clone(), open.seat.clone());
            let claims = &mut self.seats.entry(name).or_default().claims;
            claims.push(Claim::Start(start.clone(), now));
        }
    }
}

impl Known {
    /// Drops what came of each claim: whoever sits somewhere else, is gone, or comes no more.
    pub(super) fn settle_claims(&mut self, now: Timestamp) {
        let Self { told, seats, .. } = self;
        if seats.values().all(|it| it.claims.is_empty()) {
            return;
        }
        let bound: Vec<usize> = seats.values().filter_map(|it| it.bound).collect();
        let is_there = |life: usize| told.processes.values().any(|it| it.life == life);
        for (name, seat) in seats.iter_mut().filter(|(_, it)| !it.claims.is_empty()) {
            for claim in &mut seat.claims {
                if let Claim::Start(start, _) = claim
                    && let Some(it) = told
                        .of(&name.0)
                        .find(|it| told.lives[it.life].start.as_deref() == Some(start))
                {
                    *claim = Claim::Life(it.life);
                }
            }
            // Whoever came late and was replaced in its turn is still one.
            let mut seen = BTreeSet::new();
            seat.claims.retain(|it| match it {
                Claim::Life(life) => is_there(*life) && !bound.contains(life) && seen.insert(*life),
                Claim::Start(_, at) => now.since(*at) <= FORGOTTEN_AFTER,
            });
        }
    }

    /// Returns the seat beside whose process others live that were given up for it, and how many.
    fn overlap(&self) -> Option<(SeatName, usize)> {
        let is_live = |life: usize| {
            let mut all = self.told.processes.values();
            all.any(|it| it.life == life && it.state == State::Live)
        };
        let beside = |(name, seat): (&SeatName, &Seat)| {
            let sits = seat.bound.filter(|it| is_live(*it))?;
            let lives = seat.claims.iter().filter(|it| match it {
                Claim::Life(life) => is_live(*life),
                Claim::Start(..) => false,
            });
            // Who was started by somebody else, or for another seat, is one more on this one.
            let start = self.told.lives[sits].start.as_deref();
            let is_own = start.is_some_and(|it| self.meant.get(it) == Some(name));
            let beside = lives.count().saturating_sub(usize::from(!is_own));
            (beside > 0).then(|| (name.clone(), beside))
        };
        let claimed = self.seats.iter().filter(|(_, it)| !it.claims.is_empty());
        claimed.filter_map(beside).max_by_key(|(_, count)| *count)
    }
}

impl Judge {
    /// Beside the process of a seat there is at most one more; none if its siblings are strict.
    pub(super) fn judge_overlaps(&mut self, now: Timestamp) -> Result<(), Broken> {
        self.known.settle_claims(now);
        let Some((name, beside)) = self.known.overlap() else {
            return Ok(());
        };
        self.met(Law::Overlap);
        // Two on one archive are one too many.
        let is_strict = self.policy(&name.0).is_some_and(|it| it.strict_siblings);
        let is_strict = is_strict || is_manager(&name.1);
        if beside > 1 || is_strict {
            let text = format!("{beside} live beside the one on {} of {}", name.1, name.0);
            return Err(Law::Overlap.broken(text));
        }
        Ok(())
    }
}
