//! The clocks of the machine that the daemon runs on: one goes on, the one on the wall jumps; and
//! the daemon, or all of the machine, stands still for a while and hears of nothing.

use std::time::Duration;

use super::fault::{Fault, Later};
use super::judge::Broken;
use super::swarm::STORM;
use super::wire::Way;
use super::{History, Item};
use crate::supervisor::Input;
use crate::time::{ClockTrouble, Moment, Timestamp, WallTime};

/// The clock on the wall is ahead by this at first.
const AHEAD: Duration = Duration::from_secs(86_400);

/// The clocks.
#[derive(Debug)]
pub(super) struct Clocks {
    /// By how much the clock on the wall is ahead of the other.
    ahead: Duration,
    /// Until then nothing happens in the daemon.
    pub(super) wakes: Timestamp,
    /// What shows in the clocks then.
    shows: Option<ClockTrouble>,
}

impl Default for Clocks {
    fn default() -> Self {
        Self {
            ahead: AHEAD,
            wakes: Timestamp::ZERO,
            shows: None,
        }
    }
}

/// Returns whether something waits until the daemon hears again.
pub(super) fn waits(item: &Item) -> bool {
    match item {
        Item::Arrived { way, .. } => *way == Way::ToPilot,
        Item::Broken { .. } | Item::Committed(_) | Item::Dialled { .. } => true,
        Item::Calm | Item::Engine(..) | Item::Wakes => false,
        Item::Fault(fault) => {
            let is_daemons = matches!(fault, Fault::DaemonCrash | Fault::FullDisk | Fault::Reload);
            is_daemons || Fault::SAID.contains(fault) || Fault::CLOCKS.contains(fault)
        }
        Item::Later(later) => matches!(
            later,
            Later::DaemonBegins | Later::DiskMended | Later::Probed(_) | Later::Said(..)
        ),
    }
}

impl History {
    /// Reads both clocks.
    pub(super) fn moment(&self) -> Moment {
        Moment {
            at: self.now,
            wall: WallTime::from_unix_micros((self.now + self.clocks.ahead).as_micros()),
        }
    }

    /// Somebody sets the clock on the wall.
    pub(super) fn jump(&mut self) -> Result<(), Broken> {
        let by = if self.dice.percent(50) {
            self.dice.millis(100, 30_000)
        } else {
            self.dice.millis(30_000, 7_200_000)
        };
        let ahead = self.clocks.ahead;
        let back = self.dice.percent(50) && by < ahead;
        self.clocks.ahead = if back {
            ahead.saturating_sub(by)
        } else {
            ahead + by
        };
        self.shows(ClockTrouble::Jumped { by, back }, by)
    }

    /// The daemon, or its machine, stands still for a while.
    pub(super) fn fall_asleep(&mut self, what: Fault) {
        let by = match self.dice.below(3) {
            0 => self.dice.millis(100, 10_000),
            1 => self.dice.millis(5_000, 60_000),
            _ => self.dice.millis(30_000, 300_000),
        };
        // Whatever waits for it then happens before the calm.
        let latest = Timestamp::ZERO + STORM.saturating_sub(Duration::from_secs(1));
        let wakes = (self.now + by).min(latest).max(self.now);
        let by = wakes.since(self.now);
        self.clocks.wakes = wakes;
        self.clocks.shows = Some(if what == Fault::DaemonStalls {
            ClockTrouble::Late { by }
        } else {
            ClockTrouble::Slept { by }
        });
        self.queue.put(wakes, Item::Wakes);
    }

    /// The daemon hears again.
    pub(super) fn wake(&mut self) -> Result<(), Broken> {
        self.note(|| "# the daemon wakes".to_owned());
        match self.clocks.shows.take() {
            Some(shows @ (ClockTrouble::Late { by } | ClockTrouble::Slept { by })) => {
                self.shows(shows, by)
            }
            Some(ClockTrouble::Jumped { .. }) | None => Ok(()),
        }
    }

    /// What shows in the clocks the daemon sees first of all, if it is much.
    fn shows(&mut self, shows: ClockTrouble, by: Duration) -> Result<(), Broken> {
        let limit = self.daemon.accepted.supervisor.clock_jump;
        if by <= limit || self.daemon.alive.is_none() {
            return Ok(());
        }
        self.turn(vec![Input::Clock(shows)], true)
    }
}
