//! How many events of each kind were recorded since the journal was opened.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::event::Kind;

/// Counts events by kind.
#[derive(Debug)]
pub(super) struct Tally(Vec<AtomicU64>);

impl Default for Tally {
    fn default() -> Self {
        Self(Kind::ALL.iter().map(|_| AtomicU64::default()).collect())
    }
}

impl Tally {
    /// Counts one more.
    pub(super) fn add(&self, kind: Kind) {
        if let Some(count) = self.0.get(kind as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many there were.
    pub(super) fn count(&self, kind: Kind) -> u64 {
        let count = self.0.get(kind as usize);
        count.map_or(0, |it| it.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_by_itself() {
        let tally = Tally::default();
        for kind in Kind::ALL {
            tally.add(*kind);
        }
        tally.add(Kind::Gap);
        for kind in Kind::ALL {
            let expected = if *kind == Kind::Gap { 2 } else { 1 };
            assert_eq!(tally.count(*kind), expected, "{kind:?}");
        }
    }
}
