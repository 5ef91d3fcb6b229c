//! The only reader of clocks.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::time::{Moment, Reading, Timestamp, WallTime};

/// Reads the daemon's own timeline and the wall clock.
///
/// The timeline goes on by the boot-time clock, which counts the time a machine is suspended and
/// never jumps.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    begin: Duration,
    booted: Duration,
}

impl Clock {
    /// Returns a clock whose timeline begins at the wall time of now.
    pub fn start() -> Self {
        Self {
            begin: read(ClockId::Realtime),
            booted: read(ClockId::Boottime),
        }
    }

    /// Returns a clock whose timeline goes on from the last moment that is on record: later by the
    /// wall time since, and never earlier, whatever was done to the wall clock meanwhile.
    pub fn resume(last: Moment) -> Self {
        let clock = Self::start();
        let wall = WallTime::from_unix_micros(micros(clock.begin));
        Self {
            begin: continued(last, wall),
            ..clock
        }
    }

    /// Reads the timeline.
    pub fn timestamp(&self) -> Timestamp {
        let run = read(ClockId::Boottime).saturating_sub(self.booted);
        Timestamp::from_micros(micros(self.begin + run))
    }

    /// Reads every clock there is.
    pub fn reading(&self) -> Reading {
        Reading {
            now: self.now(),
            awake: read(ClockId::Monotonic),
        }
    }

    /// Reads both clocks.
    pub fn now(&self) -> Moment {
        Moment {
            at: self.timestamp(),
            wall: WallTime::from_unix_micros(micros(read(ClockId::Realtime))),
        }
    }
}

/// Returns where a timeline goes on that was last read at `last`.
fn continued(last: Moment, wall: WallTime) -> Duration {
    let elapsed = wall
        .as_unix_micros()
        .saturating_sub(last.wall.as_unix_micros());
    Duration::from_micros(last.at.as_micros().saturating_add(elapsed))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(at: u64, wall: u64) -> Moment {
        Moment {
            at: Timestamp::from_micros(at),
            wall: WallTime::from_unix_micros(wall),
        }
    }

    #[test]
    fn a_timeline_goes_on_by_the_wall_time_since_and_never_runs_back() {
        let wall = WallTime::from_unix_micros(9_000);
        assert_eq!(
            continued(moment(500, 7_000), wall),
            Duration::from_micros(2_500)
        );
        assert_eq!(
            continued(moment(500, 9_999), wall),
            Duration::from_micros(500)
        );
    }

    #[test]
    fn a_clock_that_resumes_never_reads_less_than_what_is_on_record() {
        let far = Clock::start().now().at + Duration::from_secs(86_400);
        let last = moment(far.as_micros(), u64::MAX);
        assert!(Clock::resume(last).timestamp() >= far);
    }
}
