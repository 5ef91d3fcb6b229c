//! Numbers that look random and are the same for the same seed.

use std::time::Duration;

/// A stream of numbers (splitmix64): the same for the same seed, for ever.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Returns the stream that begins with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0xA24B_AED4_963E_E407) ^ 0x9FB2_1C65_1E98_DF25)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Returns a number below `sides`.
    ///
    /// # Panics
    ///
    /// Never: what is below a `usize` is one.
    pub fn below(&mut self, sides: usize) -> usize {
        let sides = sides.max(1) as u64;
        usize::try_from((self.next() >> 16) % sides).expect("it is below a usize")
    }

    /// Returns whether something that happens so many times in a hundred happens.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(super) fn micros(&mut self, from: u64, to: u64) -> Duration {
        let span = to.saturating_sub(from) + 1;
        Duration::from_micros(from + (self.next() >> 16) % span)
    }

    /// Returns so many milliseconds, to the microsecond.
    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        self.micros(from * 1_000, to * 1_000)
    }

    /// Returns so many milliseconds, and no fraction of one.
    pub fn whole_millis(&mut self, from: u64, to: u64) -> Duration {
        let span = to.saturating_sub(from) + 1;
        Duration::from_millis(from + (self.next() >> 16) % span)
    }

    /// Returns one of them.
    ///
    /// # Panics
    ///
    /// Panics if there is none.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// Returns one of them by its weight, or none, which weighs one.
    pub fn weigh(&mut self, weights: &[usize]) -> Option<usize> {
        let mut left = self.below(weights.iter().sum::<usize>() + 1);
        weights.iter().position(|it| {
            let here = left < *it;
            left = left.saturating_sub(*it);
            here
        })
    }

    /// Returns so many bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for part in bytes.chunks_mut(8) {
            let fresh = self.next().to_be_bytes();
            part.copy_from_slice(&fresh[..part.len()]);
        }
        bytes
    }
}
