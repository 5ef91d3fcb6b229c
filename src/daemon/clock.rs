//! The only reader of clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::time::{Moment, Timestamp, WallTime};

/// Reads the daemon's own timeline and the wall clock.
///
/// The timeline begins at the wall time at which the clock was made, and goes on by the boot-time
/// clock, which counts the time a machine is suspended and never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    begin: Duration,
    booted: Duration,
}

impl Clock {
    /// Returns a clock whose timeline begins now.
    pub fn start() -> Self {
        Self {
            begin: read(ClockId::Realtime),
            booted: read(ClockId::Boottime),
        }
    }

    /// Reads the timeline.
    pub fn timestamp(&self) -> Timestamp {
        let run = read(ClockId::Boottime).saturating_sub(self.booted);
        Timestamp::from_micros(micros(self.begin + run))
    }

    /// Returns the epoch of what is numbered from now on: the second in which this clock was made,
    /// so that numbers that begin again are not taken for those of the run before.
    pub fn epoch(&self) -> u32 {
        u32::try_from(self.begin.as_secs()).unwrap_or(u32::MAX)
    }

    /// Reads both clocks.
    pub fn now(&self) -> Moment {
        Moment {
            at: self.timestamp(),
            wall: WallTime::from_unix_micros(micros(read(ClockId::Realtime))),
        }
    }
}

fn read(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    // Neither clock runs before its epoch on a machine that can run this.
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
