//! What is to happen later, in the order in which it will.

use std::collections::BTreeMap;

use crate::time::Timestamp;

/// What is to happen later. Of two things at one instant the one that was put in first comes first.
#[derive(Debug)]
pub(super) struct Queue<T> {
    items: BTreeMap<(Timestamp, u64), T>,
    count: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> Queue<T> {
    pub(super) fn put(&mut self, at: Timestamp, item: T) {
        self.items.insert((at, self.count), item);
        self.count += 1;
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.items.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn take(&mut self) -> Option<T> {
        self.items.pop_first().map(|(_, item)| item)
    }
}
