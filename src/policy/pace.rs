//! Where the next try goes, and how long to wait before it.

use std::time::Duration;

use super::{AfterStages, Policy};

/// Where a process is started again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// On any allowed peer but the one it ran on.
    Elsewhere,
    /// On the peer it ran on.
    Here,
}

/// Some tries at one sort of place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stage {
    /// Where to try.
    pub place: Place,
    /// How often; without a number once on each peer that the place allows.
    pub tries: Option<u32>,
}

/// Pauses that grow with each failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Backoff {
    /// The pause after the first failure.
    pub first: Duration,
    /// What each further pause is multiplied by.
    pub factor: u32,
    /// The longest pause.
    pub max: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            factor: 2,
            max: Duration::from_secs(300),
        }
    }
}

/// The next thing the stages say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Give up until a person says otherwise.
    Hold,
    /// All stages are used up: try wherever there is room, at long intervals.
    Tail,
    /// Try at such a place.
    Try(Place),
}

impl Backoff {
    /// Returns the pause after that many failures; `noise` spreads it by a tenth either way.
    ///
    /// Jitter is a function of its argument, so that a recorded run can be repeated exactly.
    pub fn pause(&self, failures: u32, noise: u64) -> Duration {
        if failures == 0 {
            return Duration::ZERO;
        }
        let doublings = (failures - 1).min(32);
        let grown = (0..doublings).try_fold(self.first, |it, _| it.checked_mul(self.factor));
        let pause = grown.map_or(self.max, |it| it.min(self.max));
        let spread = u32::try_from(noise % 201).unwrap_or_default();
        pause
            .checked_mul(900 + spread)
            .map_or(self.max, |it| (it / 1_000).min(self.max))
    }
}

impl Policy {
    /// Returns what the stages say after `tries` of them, if the place elsewhere now allows
    /// `elsewhere` peers.
    pub fn step(&self, tries: u32, elsewhere: usize) -> Step {
        let mut left = tries;
        for stage in &self.stages {
            let count = stage.tries.unwrap_or_else(|| match stage.place {
                Place::Here => 1,
                Place::Elsewhere => u32::try_from(elsewhere.max(1)).unwrap_or(u32::MAX),
            });
            if left < count {
                return Step::Try(stage.place);
            }
            left -= count;
        }
        match self.after_stages {
            AfterStages::Hold => Step::Hold,
            AfterStages::Slow(_) => Step::Tail,
        }
    }

    /// Returns the pause before the next try, after `tries` of them.
    pub fn pause(&self, tries: u32, elsewhere: usize, noise: u64) -> Duration {
        match (self.step(tries, elsewhere), self.after_stages) {
            (Step::Tail, AfterStages::Slow(interval)) => interval,
            (Step::Tail | Step::Hold | Step::Try(_), _) => self.backoff.pause(tries, noise),
        }
    }
}

/// Returns a number that looks random and is a function of its arguments (splitmix64).
pub fn noise(seed: u64, slot: u64, attempt: u32) -> u64 {
    let mut z = seed
        .wrapping_add(slot.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(u64::from(attempt).wrapping_mul(0xD1B5_4A32_D192_ED03));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_stay_within_a_tenth() {
        let backoff = Backoff::default();
        assert_eq!(backoff.pause(0, 7), Duration::ZERO);
        for (failures, seconds) in [(1, 1), (2, 2), (3, 4), (9, 256)] {
            for attempt in 0..200 {
                let pause = backoff.pause(failures, noise(1, 2, attempt));
                let middle = Duration::from_secs(seconds);
                assert!(
                    pause >= middle * 9 / 10 && pause <= middle * 11 / 10,
                    "{pause:?}"
                );
            }
        }
        for failures in [10, 33, 1_000, u32::MAX] {
            let pause = backoff.pause(failures, 200);
            assert_eq!(pause, backoff.max, "{failures}");
        }
    }

    #[test]
    fn stages_are_used_up_in_order() {
        let mut policy = Policy::default();
        let steps =
            |policy: &Policy| -> Vec<Step> { (0..5).map(|tries| policy.step(tries, 2)).collect() };
        let (here, elsewhere) = (Step::Try(Place::Here), Step::Try(Place::Elsewhere));
        assert_eq!(
            steps(&policy),
            [here, here, elsewhere, elsewhere, Step::Tail]
        );
        policy.after_stages = AfterStages::Hold;
        assert_eq!(policy.step(4, 2), Step::Hold);
        assert_eq!(
            policy.step(2, 0),
            elsewhere,
            "nowhere to go is no reason to give up"
        );
    }
}
