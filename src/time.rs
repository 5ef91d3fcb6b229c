//! Time as a value: what a clock read, handed in from outside.
//!
//! The core never reads a clock. The shell reads two of them, the daemon's own timeline and the
//! wall clock, and passes both along with every input, so that a recorded input can be handled
//! again with the very same result.

mod watch;

use std::fmt;
use std::time::Duration;

pub use watch::{ClockTrouble, ClockWatch, Reading};

/// A reading of the daemon's own timeline: microseconds that never run backwards.
///
/// The timeline starts at the wall time of the first run and goes on by the boot-time clock, so
/// a reading is close to, but not the same as, the wall time at that moment.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The beginning of the timeline.
    pub const ZERO: Self = Self(0);

    /// Returns the reading that lies `micros` microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since the beginning of the timeline.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns how long after `earlier` this reading was taken; zero if it was taken before.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    /// Returns the reading `pause` later, or the last one there is.
    fn add(self, pause: Duration) -> Self {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

/// A reading of the wall clock: microseconds since 1970-01-01T00:00:00Z, for people to read.
///
/// It may jump in both directions; nothing is ever decided by comparing two of them alone, but the
/// end of what a person limited, who reads the same clock.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WallTime(u64);

impl WallTime {
    /// Returns the reading that lies `micros` microseconds after the epoch.
    pub const fn from_unix_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the microseconds since the epoch.
    pub const fn as_unix_micros(self) -> u64 {
        self.0
    }

    /// Returns how long after `earlier` this reading was taken; zero if it was taken before.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for WallTime {
    type Output = Self;

    /// Returns the reading `pause` later, or the last one there is.
    fn add(self, pause: Duration) -> Self {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Display for WallTime {
    /// Writes RFC 3339 in UTC with microseconds: `2026-11-21T03:04:05.678901Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1_000_000;
        let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil_date(days);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}Z",
            second_of_day / 3_600,
            second_of_day / 60 % 60,
            second_of_day % 60,
            self.0 % 1_000_000,
        )
    }
}

/// Both clocks, read together: what comes with every input.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Moment {
    /// The daemon's own timeline. Everything is decided by this one.
    pub at: Timestamp,
    /// The wall clock. It is shown and recorded.
    pub wall: WallTime,
}

impl Moment {
    /// Returns how long after `earlier` this was by the clock that says less; zero if one of them
    /// says it was before.
    pub const fn since(self, earlier: Self) -> Duration {
        let by_timeline = self.at.0.saturating_sub(earlier.at.0);
        let by_wall = self.wall.0.saturating_sub(earlier.wall.0);
        Duration::from_micros(if by_timeline < by_wall {
            by_timeline
        } else {
            by_wall
        })
    }

    /// Returns what the wall clock showed, or will show, at another reading of the timeline if it
    /// never jumps.
    pub const fn wall_at(self, at: Timestamp) -> WallTime {
        let Self { at: now, wall } = self;
        WallTime(if at.0 <= now.0 {
            wall.0.saturating_sub(now.0 - at.0)
        } else {
            wall.0.saturating_add(at.0 - now.0)
        })
    }

    /// Returns a moment at which both clocks show the same number, as simulated worlds have it.
    pub const fn simulated(at: Timestamp) -> Self {
        Self {
            at,
            wall: WallTime(at.0),
        }
    }
}

/// Returns year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
///
/// The year is taken to begin in March, so that the leap day comes last, and counted in eras of
/// 400 years, after which the calendar repeats.
fn civil_date(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    /// From 0000-03-01 to 1970-01-01.
    const DAYS_BEFORE_EPOCH: u64 = 719_468;
    let days = days + DAYS_BEFORE_EPOCH;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_reads_as_rfc_3339() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_732_147_445_678_901, "2024-11-21T00:04:05.678901Z"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999999Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(WallTime::from_unix_micros(micros).to_string(), text);
        }
    }

    #[test]
    fn a_reading_before_another_lies_no_time_after_it() {
        let (early, late) = (Timestamp::from_micros(5), Timestamp::from_micros(9));
        assert_eq!(late.since(early), Duration::from_micros(4));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late + Duration::MAX, Timestamp::from_micros(u64::MAX));
    }
}
