//! Whether the clocks and turns of a daemon go on as they should, seen from inside: a wall clock
//! that jumps, a turn that comes late, a machine that slept.
//!
//! It reads no clock. What follows from trouble is for others to say.

use std::fmt;
use std::time::Duration;

use super::Moment;

/// What the clocks of a machine show, read together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// The timeline, which counts the time in which the machine slept, and the wall clock.
    pub now: Moment,
    /// For how long the machine has been awake.
    pub awake: Duration,
}

/// Something that shows in the clocks: what was known just before may be old.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClockTrouble {
    /// The wall clock was put forward or back.
    Jumped {
        /// By how much.
        by: Duration,
        /// Whether it was put back.
        back: bool,
    },
    /// A turn came late: the daemon was stopped, or the machine had no time for it.
    Late {
        /// By how much.
        by: Duration,
    },
    /// The machine slept.
    Slept {
        /// For how long.
        by: Duration,
    },
}

impl fmt::Display for ClockTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jumped { by, back: false } => {
                write!(f, "the wall clock was put forward by {by:?}")
            }
            Self::Jumped { by, back: true } => write!(f, "the wall clock was put back by {by:?}"),
            Self::Late { by } => write!(f, "a turn of the daemon came {by:?} late"),
            Self::Slept { by } => write!(f, "the machine slept for {by:?}"),
        }
    }
}

/// Compares what clocks show at one turn with what they showed at the one before.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockWatch {
    last: Option<Reading>,
    pause: Duration,
}

impl ClockWatch {
    /// The next turn comes after this pause at the latest.
    pub const fn rest(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// Takes in what the clocks show now; returns what is wrong by more than `limit`, the worst
    /// first.
    pub fn turn(&mut self, reading: Reading, limit: Duration) -> Option<ClockTrouble> {
        let pause = std::mem::take(&mut self.pause);
        let last = self.last.replace(reading)?;
        let awake = reading.awake.saturating_sub(last.awake);
        let elapsed = reading.now.at.since(last.now.at);
        let slept = elapsed.saturating_sub(awake);
        if slept > limit {
            return Some(ClockTrouble::Slept { by: slept });
        }
        let should_be = (last.now.wall.as_unix_micros())
            .saturating_add(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX));
        let is = reading.now.wall.as_unix_micros();
        let by = Duration::from_micros(is.abs_diff(should_be));
        if by > limit {
            let back = is < should_be;
            return Some(ClockTrouble::Jumped { by, back });
        }
        let late = awake.saturating_sub(pause);
        (late > limit).then_some(ClockTrouble::Late { by: late })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Timestamp, WallTime};
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// Reads clocks that show so many seconds: the timeline, the wall clock, and awake.
    fn reading((at, wall, awake): (u64, u64, u64)) -> Reading {
        Reading {
            now: Moment {
                at: Timestamp::from_micros(at * 1_000_000),
                wall: WallTime::from_unix_micros(wall * 1_000_000),
            },
            awake: Duration::from_secs(awake),
        }
    }

    #[test]
    fn what_goes_on_as_it_should_is_no_trouble_and_the_rest_is_named() {
        let seconds = Duration::from_secs;
        let jumped = |by, back| {
            Some(ClockTrouble::Jumped {
                by: seconds(by),
                back,
            })
        };
        // Ten seconds are to pass between two turns.
        for (after, trouble) in [
            ((110, 1_010, 60), None),
            ((101, 1_001, 51), None),
            ((115, 1_015, 65), None),
            ((115, 1_010, 60), None),
            ((110, 1_005, 60), None),
            ((110, 1_016, 60), jumped(6, false)),
            ((110, 4_610, 60), jumped(3_600, false)),
            ((110, 1_004, 60), jumped(6, true)),
            ((110, 10, 60), jumped(1_000, true)),
            (
                (116, 1_016, 66),
                Some(ClockTrouble::Late { by: seconds(6) }),
            ),
            (
                (116, 1_016, 60),
                Some(ClockTrouble::Slept { by: seconds(6) }),
            ),
            (
                (3_710, 1_010, 60),
                Some(ClockTrouble::Slept { by: seconds(3_600) }),
            ),
        ] {
            let mut watch = ClockWatch::default();
            assert_eq!(watch.turn(reading((100, 1_000, 50)), LIMIT), None);
            watch.rest(seconds(10));
            assert_eq!(watch.turn(reading(after), LIMIT), trouble, "{after:?}");
            // It is told once.
            watch.rest(seconds(10));
            assert_eq!(watch.turn(reading(after), LIMIT), None, "{after:?}");
        }
    }
}
