//! For how long databases were without a transaction engine.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::DatabaseName;
use crate::time::Timestamp;

/// How a database fared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Figures {
    /// For how long it was without a running transaction engine, from the first that ran.
    pub without: Duration,
    /// The longest of these times.
    pub longest: Duration,
    /// How many there were.
    pub times: u32,
    /// How many starts of the healer's left.
    pub starts: u32,
}

/// Counts the time of every database.
#[derive(Debug, Default)]
pub(super) struct Service {
    databases: BTreeMap<DatabaseName, Served>,
}

#[derive(Debug, Default)]
struct Served {
    figures: Figures,
    /// Since when it is without; `None` while one runs, and before the first one did.
    since: Option<Timestamp>,
    has_run: bool,
}

impl Service {
    /// Takes in whether one of its engines runs now.
    pub(super) fn is(&mut self, now: Timestamp, database: &DatabaseName, runs: bool) {
        let served = self.databases.entry(database.clone()).or_default();
        served.has_run |= runs;
        match (runs, served.since) {
            (true, Some(since)) => served.add(now, since),
            (false, None) if served.has_run => served.since = Some(now),
            (true | false, _) => (),
        }
    }

    /// Counts a start.
    pub(super) fn started(&mut self, database: &DatabaseName) {
        let served = self.databases.entry(database.clone()).or_default();
        served.figures.starts += 1;
    }

    /// Returns how every database fared until then.
    pub(super) fn until(mut self, end: Timestamp) -> BTreeMap<DatabaseName, Figures> {
        for served in self.databases.values_mut() {
            if let Some(since) = served.since {
                served.add(end, since);
            }
        }
        let all = self.databases.into_iter();
        all.map(|(name, it)| (name, it.figures)).collect()
    }
}

impl Served {
    fn add(&mut self, now: Timestamp, since: Timestamp) {
        let without = now.since(since);
        self.since = None;
        if without.is_zero() {
            return;
        }
        self.figures.without += without;
        self.figures.longest = self.figures.longest.max(without);
        self.figures.times += 1;
    }
}
