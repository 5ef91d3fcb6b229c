//! Who may come to life beside the process of a seat, because it was given up there, and whether
//! more of them do than may.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::known::{Known, Open, Stage, is_manager};
use super::told::State;
use super::{Broken, Judge, Law, SeatName};
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

impl Known {
    /// Notes that the process of a seat is given up, if it may live.
    pub(super) fn give_up_life(&mut self, name: SeatName, life: usize) {
        if self.told.processes.values().any(|it| it.life == life) {
            let claims = &mut self.seats.entry(name).or_default().claims;
            claims.push(Claim::Life(life));
        }
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

impl Judge {
    /// Beside the process of a seat there is at most one more; none if its siblings are strict.
    pub(super) fn judge_overlaps(&mut self, now: Timestamp) -> Result<(), Broken> {
        let Known {
            told, seats, meant, ..
        } = &mut self.known;
        if seats.values().all(|it| it.claims.is_empty()) {
            return Ok(());
        }
        let bound: Vec<usize> = seats.values().filter_map(|it| it.bound).collect();
        let mut most: Option<(SeatName, usize)> = None;
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
            let is_there = |life: usize| told.processes.values().any(|it| it.life == life);
            // Whoever came late and was replaced in its turn is still one.
            let mut seen = BTreeSet::new();
            seat.claims.retain(|it| match it {
                Claim::Life(life) => is_there(*life) && !bound.contains(life) && seen.insert(*life),
                Claim::Start(_, at) => now.since(*at) <= FORGOTTEN_AFTER,
            });
            let is_live = |life: usize| {
                let mut all = told.processes.values();
                all.any(|it| it.life == life && it.state == State::Live)
            };
            let lives = seat.claims.iter().filter(|it| match it {
                Claim::Life(life) => is_live(*life),
                Claim::Start(..) => false,
            });
            let beside = lives.count();
            let sits = seat.bound.is_some_and(is_live);
            // Who was started by somebody else, or for another seat, is one more on this one.
            let start = seat.bound.and_then(|it| told.lives[it].start.as_deref());
            let is_own = start.is_some_and(|it| meant.get(it) == Some(name));
            let beside = if is_own {
                beside
            } else {
                beside.saturating_sub(1)
            };
            if sits && beside > 0 {
                most = Some((name.clone(), beside));
            }
        }
        let Some((name, beside)) = most else {
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
