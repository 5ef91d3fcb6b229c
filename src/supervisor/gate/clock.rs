//! The gate `clock`: when clocks jump, a turn comes late or the machine slept, what is known may be
//! old, however fresh it looks. A fresh picture has to come, and to settle.

use std::time::Duration;

use super::super::{Effect, Supervisor};
use super::session::{Session, Settling};
use crate::exchange::Deed;
use crate::mutation::Mutant;
use crate::time::{ClockTrouble, Moment, Timestamp};

/// Knowledge that may be old.
#[derive(Clone, Copy, Debug)]
pub(in crate::supervisor) struct ClockDoubt {
    pub(in crate::supervisor) trouble: ClockTrouble,
    pub(in crate::supervisor) since: Timestamp,
    /// When a fresh picture was asked for.
    asked: Timestamp,
    /// How far the fresh picture has settled.
    pub(in crate::supervisor) picture: Session,
}

impl Supervisor {
    /// The clocks, or the turns, did not go on as they should. `act` must follow.
    pub fn clock_trouble(&mut self, now: Moment, trouble: ClockTrouble, effects: &mut Vec<Effect>) {
        if self.settings.planted.has(Mutant::IgnoreClock) {
            return;
        }
        self.gates.clock = Some(ClockDoubt {
            trouble,
            since: now.at,
            asked: now.at,
            picture: Session::None,
        });
        if self.gates.session != Session::None {
            effects.push(Effect::Do(Deed::Refresh));
        }
    }

    /// A complete picture came.
    pub(in crate::supervisor) fn clock_refreshed(&mut self, now: Timestamp) {
        if let Some(doubt) = &mut self.gates.clock {
            doubt.picture = Session::Settling {
                synced: now,
                quiet: now,
            };
        }
    }

    /// Opens the gate when the fresh picture has settled, and asks again for one that does not
    /// come.
    pub(super) fn mind_clock(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        let look_again = self.settings.waits.look_again;
        let Some(doubt) = &mut self.gates.clock else {
            return;
        };
        if doubt
            .picture
            .opens(self.settings.settling())
            .is_some_and(|at| at <= now.at)
        {
            self.gates.clock = None;
        } else if self.gates.session == Session::None {
            // The next session begins with a picture.
            doubt.picture = Session::None;
        } else if doubt.picture == Session::None && doubt.asks_again(look_again) <= now.at {
            doubt.asked = now.at;
            effects.push(Effect::Do(Deed::Refresh));
        }
    }
}

impl ClockDoubt {
    fn asks_again(&self, look_again: Duration) -> Timestamp {
        self.asked + look_again
    }

    /// Returns when something is to be done about it though nothing happens, while there is a
    /// session.
    pub(super) fn due(&self, settling: Settling) -> Timestamp {
        self.picture
            .opens(settling)
            .unwrap_or_else(|| self.asks_again(settling.look_again))
    }
}
