//! What histories amount to: faults, starts, seconds without service, and how often each law had
//! something to say. Figures of histories can be added up in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{History, Law};
use crate::model::Role;
use crate::time::Timestamp;

/// What one history amounts to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// How often each kind of fault struck.
    pub faults: BTreeMap<&'static str, u64>,
    /// How often each law had something to say.
    pub premises: BTreeMap<Law, u64>,
    /// How often the warden was fed.
    pub turns: u64,
    /// How many events were told.
    pub events: u64,
    /// How many connections stood.
    pub sessions: u64,
    /// How many starts left.
    pub starts: u64,
    /// How many were kept back once they had waited for the disk.
    pub withdrawn: u64,
    /// How many of them registered.
    pub succeeded: u64,
    /// How many of them came to nothing.
    pub failed: u64,
    /// How often the healer gave up on a seat.
    pub holds: u64,
    /// How often one that was replaced lived after all.
    pub overlaps: u64,
    /// How long each database that is healed had no running transaction engine, the longest first.
    pub without: Vec<Duration>,
    /// Since when each of them has none.
    pub(super) down: BTreeMap<usize, Timestamp>,
    /// Which of them ever had one.
    pub(super) ups: BTreeSet<usize>,
}

/// What many histories amount to.
#[derive(Clone, Debug, Default)]
pub struct Total {
    /// How many.
    pub histories: u64,
    /// Their figures, added up; `without` has one entry for each database of each history.
    pub sum: Figures,
    /// The longest time without a transaction engine, and in which history.
    pub worst: Option<(Duration, u64)>,
}

impl Total {
    /// Adds a history.
    pub fn add(&mut self, seed: u64, it: &Figures) {
        self.histories += 1;
        let worst = it.without.iter().max().copied().unwrap_or_default();
        if self.worst.is_none_or(|(known, _)| worst > known) {
            self.worst = Some((worst, seed));
        }
        self.sum.add(it);
    }

    /// Adds other histories.
    pub fn merge(&mut self, other: &Self) {
        self.histories += other.histories;
        if let Some((worst, seed)) = other.worst
            && self
                .worst
                .is_none_or(|known| (worst, known.1) > (known.0, seed))
        {
            self.worst = Some((worst, seed));
        }
        self.sum.add(&other.sum);
    }

    /// Returns every law that never had anything to say.
    pub fn unmet(&self) -> Vec<Law> {
        let met = |it: &&Law| self.sum.premises.get(it).copied().unwrap_or_default() == 0;
        Law::ALL.iter().filter(met).copied().collect()
    }

    /// Returns every kind of fault that never struck.
    pub fn unstruck(&self) -> Vec<&'static str> {
        let all = super::Fault::ALL.iter().map(|it| it.as_str());
        all.filter(|it| !self.sum.faults.contains_key(it)).collect()
    }
}

impl Figures {
    fn add(&mut self, it: &Self) {
        for (name, count) in &it.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (law, count) in &it.premises {
            *self.premises.entry(*law).or_default() += count;
        }
        self.turns += it.turns;
        self.events += it.events;
        self.sessions += it.sessions;
        self.starts += it.starts;
        self.withdrawn += it.withdrawn;
        self.succeeded += it.succeeded;
        self.failed += it.failed;
        self.holds += it.holds;
        self.overlaps += it.overlaps;
        self.without.extend(&it.without);
    }
}

impl History {
    /// Notes since when databases have no running transaction engine, by how things really are.
    pub(super) fn watch_service(&mut self) {
        for (index, database) in self.plan.databases.iter().enumerate() {
            if database.policy.is_none() {
                continue;
            }
            let runs = |it: &super::super::Engine| {
                it.is_running() && it.start.role == Role::Te && it.start.database == database.name
            };
            let is_up = self.world.engines.values().any(runs);
            let Figures { down, ups, .. } = &mut self.figures;
            if !is_up {
                if ups.contains(&index) {
                    down.entry(index).or_insert(self.now);
                }
                continue;
            }
            ups.insert(index);
            if let Some(since) = down.remove(&index) {
                let without = &mut self.figures.without;
                without.resize(self.plan.databases.len(), Duration::ZERO);
                without[index] += self.now.since(since);
            }
        }
    }
}
