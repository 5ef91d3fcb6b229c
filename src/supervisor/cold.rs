//! The cold start: nothing of a database runs, and it is brought up again in order.
//!
//! First the storage manager that ran last, for its archive is the newest by our own record; then
//! the others; transaction engines last. While an archive that is known cannot be asked, nothing is
//! started, unless a person accepts its loss: it may be newer.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::facts::HoldReason;
use super::rule::{Blocked, Case, Hindrance, Obstacle, Rule};
use super::state::{Evidence, Phase, SlotId, Supervisor};
use crate::model::{DatabaseId, Model, PeerId, Process};
use crate::policy::SeatKind;

/// What is kept of a database that is brought up from nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Cold {
    /// Whether a first storage manager was started, and the order still counts.
    pub(super) is_under_way: bool,
    /// Whether a person asked for it.
    pub(super) is_asked_for: bool,
    /// Whose archives a person gave up.
    pub(super) accepted: BTreeSet<PeerId>,
}

impl Supervisor {
    /// Returns whether a storage manager may be the first of its database.
    pub(super) fn may_begin_cold(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let (database, row) = self.row_of(case.slot);
        let watch = &self.watches[database.index()];
        let is_asked_for = watch.cold.is_asked_for;
        if !is_asked_for && matches!(case.vacancy.evidence, Evidence::Vanished { .. }) {
            return Err(Hindrance::Hold(HoldReason::VanishedUnwatched));
        }
        let Some(first) = self.newest_left(database, row) else {
            // Nothing shows that the database is meant to run.
            return Err(Obstacle::DatabaseDown.blocks().into());
        };
        let was_stopped = self.slot(first).ran.as_ref();
        if was_stopped.is_some_and(|it| it.is_stopped) && !is_asked_for {
            return Err(Obstacle::DatabaseDown.blocks().into());
        }
        if let Some(unasked) = self.unasked(case, database, row) {
            return Err(unasked.into());
        }
        if first == case.slot {
            return Ok(());
        }
        Err(Obstacle::ColdStart.blocks().into())
    }

    /// Returns the seat whose archive is the newest of those that were not given up.
    fn newest_left(&self, database: DatabaseId, row: usize) -> Option<SlotId> {
        let watch = &self.watches[database.index()];
        let is_left = |it: &&SlotId| {
            let home = self.slot(**it).home;
            home.is_some_and(|home| !watch.cold.accepted.contains(&home))
        };
        let left = watch.rows[row].seats.iter().filter(is_left);
        let ran = left.filter_map(|it| Some((self.ran_until(*it)?, Reverse(*it))));
        ran.max().map(|(_, Reverse(id))| id)
    }

    /// Returns what is in the way if an archive of the database is known that cannot be asked, and
    /// whose loss nobody accepted. A host that is back has to have been there for a while: who runs
    /// there may show itself.
    fn unasked(&self, case: &Case<'_>, database: DatabaseId, row: usize) -> Option<Blocked> {
        let watch = &self.watches[database.index()];
        let missing = |peer: PeerId| {
            if watch.cold.accepted.contains(&peer) || self.is_dead(case.model, peer) {
                return None;
            }
            let until = match self.is_there_for_good(case, peer) {
                Ok(()) => return None,
                Err(Hindrance::Blocked(it)) => it.until,
                Err(Hindrance::Ask(_) | Hindrance::Hold(_)) => None,
            };
            let by = Obstacle::ArchiveUnasked;
            Some(Blocked { by, until })
        };
        let name = &case.model.database(database).name;
        let known = self.settings.archives.get(name).into_iter().flatten();
        let configured = known.map(|it| case.model.peer_called(&it.peer));
        let seats = watch.rows[row].seats.iter();
        let seats = seats.map(|it| self.slot(*it).home);
        configured
            .chain(seats)
            .find_map(|it| it.map_or(Some(Obstacle::ArchiveUnasked.blocks()), &missing))
    }

    /// Returns whether a transaction engine has to wait for storage managers that are started
    /// first.
    pub(super) fn awaits_archives(&self, case: &Case<'_>) -> bool {
        let slot = self.slot(case.slot);
        slot.rule.seat != SeatKind::Archive
            && self.watches[slot.database.index()].cold.is_under_way
            && self.has_pending_archive(case, slot.database)
    }

    fn has_pending_archive(&self, case: &Case<'_>, database: DatabaseId) -> bool {
        let mut seats = self.watches[database.index()].seats();
        seats.any(|id| {
            let slot = self.slot(id);
            if slot.rule.seat != SeatKind::Archive {
                return false;
            }
            match &slot.phase {
                Phase::Acting { .. } => true,
                Phase::Filled(process) => {
                    let is_live = |it: &Process| it.is_live();
                    case.model.process(*process).is_some_and(is_live) && !self.is_up(case.model, id)
                }
                Phase::Vacant(vacancy) => {
                    let objection = self.objection(&Case {
                        slot: id,
                        vacancy,
                        target: slot.home,
                        leaving: None,
                        ..*case
                    });
                    // A first try is waited for, one after a failure is not.
                    let is_first = slot.tries == 0;
                    objection.is_none_or(|it| {
                        it.rule == Rule::Lane || (it.rule == Rule::Pace && is_first)
                    })
                }
                Phase::Empty | Phase::Held { .. } | Phase::Leaving { .. } => false,
            }
        })
    }

    /// A start leaves for its agent: if nothing of the database runs, a cold start begins with it.
    pub(super) fn note_cold(&mut self, model: &Model, id: SlotId) {
        let database = self.slot(id).database;
        let is_first = self.slot(id).rule.seat == SeatKind::Archive
            && !model.database(database).is_any_running();
        if is_first && !self.watches[database.index()].cold.is_under_way {
            self.watch_mut(database).cold.is_under_way = true;
            self.changed.databases.insert(database);
        }
    }

    /// The order counts until an engine serves.
    pub(super) fn end_cold(&mut self, database: DatabaseId) {
        let watch = self.watch_mut(database);
        if watch.cold != Cold::default() {
            watch.cold = Cold::default();
            self.changed.databases.insert(database);
        }
    }
}
