//! What a start would have come to: an oracle that goes by how engines fared on record.
//!
//! Engines that took the place of lost ones make a sequence for their database. A start takes the
//! next of it; once it is used up, and on hosts that a kind oracle has no reason to doubt, engines
//! live on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::again::Bound;
use super::past::{HostId, How, Life, LifeId, Past};
use crate::model::{DatabaseName, Role};

/// How long an engine takes from registering to serving if no other of its database shows it.
const USUAL: Duration = Duration::from_secs(1);

/// What becomes of an engine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fate {
    /// How long after it registers it serves, if ever.
    pub(super) serves_after: Option<Duration>,
    /// How long after it registers it is gone, if ever.
    pub(super) lasts: Option<Duration>,
}

/// All fates of a past.
#[derive(Debug, Default)]
pub(super) struct Fates {
    next: BTreeMap<DatabaseName, VecDeque<Fate>>,
    /// Where an engine of a database was seen to run.
    seen: BTreeSet<(DatabaseName, HostId)>,
    /// The longest that an engine of a database took to serve.
    usual: BTreeMap<DatabaseName, Duration>,
    /// The lives that took the place of lost ones.
    pub(super) replaced: BTreeSet<LifeId>,
}

impl Fates {
    /// Reads the fates off the lives of those databases that are healed.
    pub(super) fn of(past: &Past, is_healed: impl Fn(&DatabaseName) -> bool) -> Self {
        let mut fates = Self::default();
        for database in past.databases() {
            if is_healed(&database) {
                fates.read(past, &database);
            }
        }
        fates
    }

    fn read(&mut self, past: &Past, database: &DatabaseName) {
        let is_of = |it: &&Life| it.role == Role::Te && it.database == *database;
        let ends: Vec<_> = past
            .lives
            .iter()
            .filter(is_of)
            .filter_map(|it| it.end)
            .collect();
        let lost_before = |at| {
            let lost = ends
                .iter()
                .filter(|(end, how)| *end <= at && *how != How::Stopped);
            lost.count()
        };
        let mut made_up = 0;
        for (index, life) in past.lives.iter().enumerate() {
            if !is_of(&life) {
                continue;
            }
            self.seen.insert((database.clone(), life.host));
            let starts_up = life.running.map(|it| it.since(life.joined));
            if !life.was_there {
                let usual = self.usual.entry(database.clone()).or_default();
                *usual = (*usual).max(starts_up.unwrap_or_default());
            }
            if life.was_there || lost_before(life.joined) <= made_up {
                continue;
            }
            made_up += 1;
            if life.is_back {
                continue;
            }
            self.replaced.insert(LifeId(index));
            let lasts = life.end.filter(|(_, how)| *how == How::Exit);
            let fate = Fate {
                serves_after: starts_up,
                lasts: lasts.map(|(at, _)| at.since(life.joined)),
            };
            self.next
                .entry(database.clone())
                .or_default()
                .push_back(fate);
        }
    }

    /// Returns what becomes of an engine that is started there.
    pub(super) fn draw(&mut self, bound: Bound, database: &DatabaseName, host: HostId) -> Fate {
        let is_seen = self.seen.contains(&(database.clone(), host));
        let from_record = match bound {
            Bound::Kind if !is_seen => None,
            Bound::AsItWas | Bound::Kind | Bound::Harsh => self.next.get_mut(database),
        };
        let usual = self.usual.get(database).filter(|it| !it.is_zero());
        from_record.and_then(VecDeque::pop_front).unwrap_or(Fate {
            serves_after: Some(usual.copied().unwrap_or(USUAL)),
            lasts: None,
        })
    }
}
