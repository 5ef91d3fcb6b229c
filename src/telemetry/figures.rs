//! What is counted and measured while the daemon runs: plain numbers that others read at any time.
//!
//! It knows no clock: whoever measures says how long something took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper ends of the buckets, in microseconds: a decision takes microseconds, a commit
/// milliseconds, a reaction up to minutes.
const ENDS: [u64; 16] = [
    100,
    250,
    1_000,
    2_500,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    10_000_000,
    30_000_000,
    120_000_000,
    600_000_000,
];

/// How long something took, each time.
#[derive(Debug, Default)]
pub struct Histogram {
    /// How often it took at most so long, and longer than the end before.
    buckets: [AtomicU64; ENDS.len()],
    count: AtomicU64,
    sum_micros: AtomicU64,
}

/// A histogram at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shape {
    /// Up to which time, and how often it took at most so long.
    pub buckets: Vec<(Duration, u64)>,
    /// How often it was measured.
    pub count: u64,
    /// How long it took altogether.
    pub sum: Duration,
}

impl Histogram {
    /// Notes how long it took.
    pub fn note(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = ENDS.iter().position(|end| micros <= *end) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.sum_micros.fetch_add(micros, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns what was noted until now.
    pub fn shape(&self) -> Shape {
        let mut seen = 0;
        let buckets = ENDS.iter().zip(&self.buckets).map(|(end, bucket)| {
            seen += bucket.load(Ordering::Relaxed);
            (Duration::from_micros(*end), seen)
        });
        let buckets: Vec<_> = buckets.collect();
        Shape {
            // Whoever measures meanwhile must not make the whole less than its parts.
            count: self.count.load(Ordering::Relaxed).max(seen),
            sum: Duration::from_micros(self.sum_micros.load(Ordering::Relaxed)),
            buckets,
        }
    }
}

/// What the event loop of one domain counts and measures.
#[derive(Debug, Default)]
pub struct LoopFigures {
    turned: AtomicU64,
    turns: AtomicU64,
    /// How long the warden thought, each turn.
    pub decisions: Histogram,
    /// From when an engine was found missing to when the request for another left.
    pub reactions: Histogram,
    /// From when something was written to when it was on the disk.
    pub commits: Histogram,
}

impl LoopFigures {
    /// Notes a turn, at that many microseconds of the timeline.
    pub fn turn(&self, at: u64) {
        self.turned.store(at, Ordering::Relaxed);
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns when it turned last, in microseconds of the timeline.
    pub fn turned(&self) -> u64 {
        self.turned.load(Ordering::Relaxed)
    }

    /// Returns how often it turned.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_everything_up_to_each_end() {
        let histogram = Histogram::default();
        for micros in [1, 100, 101, 3_000_000, 9_000_000_000] {
            histogram.note(Duration::from_micros(micros));
        }
        let shape = histogram.shape();
        assert_eq!(shape.count, 5);
        assert_eq!(shape.sum, Duration::from_micros(9_003_000_202));
        assert_eq!(shape.buckets[0], (Duration::from_micros(100), 2));
        assert_eq!(shape.buckets[1].1, 3);
        assert_eq!(shape.buckets[11].1, 3);
        assert_eq!(shape.buckets[12].1, 4);
        assert_eq!(shape.buckets.last().unwrap().1, 4, "one took longer");
    }
}
