//! The cold start: nothing of a database runs, and it is brought up again in order.
//!
//! First the storage manager that ran last, for its archive is the newest by our own record; then
//! the others; transaction engines last. All of it is one action with steps, one after the other:
//! the domain's budget counts it once, and does not stop it half-way. While an archive that is
//! known cannot be asked, nothing is started, unless a person accepts its loss: it may be newer.
//! Taking in what people say of it belongs to `request::cold`.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::facts::{Extent, HoldReason, OrderFact, OrderKind};
use super::rule::{Blocked, Case, Hindrance, Obstacle, Rule};
use super::state::{Evidence, Phase, SlotId, Supervisor};
use crate::exchange::ActionId;
use crate::model::{DatabaseId, Model, PeerId, PeerName, Process, Role};
use crate::policy::SeatKind;

/// What is kept of a database that is brought up from nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Cold {
    /// Whether a first storage manager was started, and the order still counts.
    pub(super) is_under_way: bool,
    /// The start that it began with. Older records do not say.
    pub(super) begun_by: Option<ActionId>,
    /// The seats that had a start as a step of it: of a role, and which from 0.
    pub(super) steps: BTreeSet<(Role, u32)>,
    /// Whether a person asked for it.
    pub(super) is_asked_for: bool,
    /// Whose archives a person gave up, by names they are known under.
    pub(super) accepted: BTreeSet<PeerName>,
}

impl Cold {
    /// Returns whether a person gave up the archive at a peer.
    pub(super) fn gives_up(&self, model: &Model, peer: PeerId) -> bool {
        let mut accepted = self.accepted.iter();
        accepted.any(|it| model.peer_called(it) == Some(peer))
    }
}

impl Supervisor {
    /// Returns whether a storage manager may be the first of its database.
    pub(super) fn may_begin_cold(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let (database, row) = self.row_of(case.slot);
        let is_asked_for = self.watches[database.index()].cold.is_asked_for;
        if !is_asked_for && matches!(case.vacancy.evidence, Evidence::Vanished { .. }) {
            return Err(Hindrance::Hold(HoldReason::VanishedUnwatched));
        }
        let Some(first) = self.newest_left(case.model, database, row) else {
            // Nothing shows that the database is meant to run.
            return Err(Obstacle::DatabaseDown.blocks().into());
        };
        let was_stopped = self.slot(first).ran.as_ref();
        if was_stopped.is_some_and(|it| it.is_stopped) && !is_asked_for {
            return Err(Obstacle::DatabaseDown.blocks().into());
        }
        if let Some((_, unasked)) = self.unasked(case, (database, row)).next() {
            return Err(unasked.into());
        }
        if self.first_by_histories(case, (database, row), first)? == case.slot {
            return Ok(());
        }
        Err(Obstacle::ColdStart.blocks().into())
    }

    /// Returns the seats whose archives nobody gave up.
    pub(super) fn seats_left(
        &self,
        model: &Model,
        (database, row): (DatabaseId, usize),
    ) -> impl Iterator<Item = SlotId> {
        let watch = &self.watches[database.index()];
        let is_left = |it: &SlotId| {
            let home = self.slot(*it).home;
            home.is_some_and(|home| !watch.cold.gives_up(model, home))
        };
        watch.rows[row].seats.iter().copied().filter(is_left)
    }

    /// Returns the seat whose archive is the newest of those that were not given up, by our own
    /// record; for a person who asks, the only one there is.
    pub(super) fn newest_left(
        &self,
        model: &Model,
        database: DatabaseId,
        row: usize,
    ) -> Option<SlotId> {
        let left = self.seats_left(model, (database, row));
        let left: Vec<SlotId> = left.collect();
        let ran = left.iter();
        let ran = ran.filter_map(|it| Some((self.ran_until(*it)?, Reverse(*it))));
        let newest = ran.max().map(|(_, Reverse(id))| id);
        match left[..] {
            [only] if self.watches[database.index()].cold.is_asked_for => newest.or(Some(only)),
            _ => newest,
        }
    }

    /// Returns the archives of the database that are known and cannot be asked, and whose loss
    /// nobody accepted, with what is in the way. A host that is back has to have been there for a
    /// while: who runs there may show itself. That it is dead is no answer: what it wrote after
    /// it was lost to us is newer than our record.
    pub(super) fn unasked(
        &self,
        case: &Case<'_>,
        (database, row): (DatabaseId, usize),
    ) -> impl Iterator<Item = (PeerName, Blocked)> {
        let model = case.model;
        let watch = &self.watches[database.index()];
        let known = self.settings.archives.get(&model.database(database).name);
        let known = known.into_iter().flatten();
        let configured = known.map(move |it| (it.peer.clone(), model.peer_called(&it.peer)));
        let seats = watch.rows[row].seats.iter();
        let seats = seats.filter_map(|it| self.slot(*it).home);
        let seats = seats.map(move |it| (model.peer(it).name.clone(), Some(it)));
        let case = *case;
        let missing = move |(name, peer): (PeerName, Option<PeerId>)| {
            let is_given_up = watch.cold.accepted.contains(&name)
                || peer.is_some_and(|it| watch.cold.gives_up(model, it));
            if is_given_up {
                return None;
            }
            let until = match peer.map(|it| self.is_there_for_good(&case, it)) {
                Some(Ok(())) => return None,
                Some(Err(Hindrance::Blocked(it))) => it.until,
                Some(Err(Hindrance::Ask(_) | Hindrance::Hold(_))) | None => None,
            };
            let by = Obstacle::ArchiveUnasked;
            Some((name, Blocked { by, until }))
        };
        configured.chain(seats).filter_map(missing)
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
                    let is_first = slot.tries == 0 || self.is_cold_step(id);
                    objection.is_none_or(|it| {
                        it.rule == Rule::Lane || (it.rule == Rule::Pace && is_first)
                    })
                }
                Phase::Empty | Phase::Held { .. } | Phase::Leaving { .. } => false,
            }
        })
    }

    /// A start is begun: if nothing of the database runs, a cold start begins with it; else it may
    /// be a step of one.
    pub(super) fn note_cold(&mut self, model: &Model, id: SlotId, action: ActionId) {
        let slot = self.slot(id);
        let (database, step) = (slot.database, (slot.rule.role, slot.ordinal));
        let is_first =
            slot.rule.seat == SeatKind::Archive && !model.database(database).is_any_running();
        let cold = &mut self.watches[database.index()].cold;
        if is_first && !cold.is_under_way {
            cold.is_under_way = true;
            cold.begun_by = Some(action);
        }
        if cold.is_under_way && cold.steps.insert(step) {
            self.changed.databases.insert(database);
        }
    }

    /// A start never left, and was no try: if it was a step of a cold start, that is still to come.
    pub(super) fn forget_step(&mut self, action: ActionId) {
        let Some(id) = self.actions.get(&action).map(|it| it.slot) else {
            return;
        };
        let slot = self.slot(id);
        let (database, step) = (slot.database, (slot.rule.role, slot.ordinal));
        if self.watch_mut(database).cold.steps.remove(&step) {
            self.changed.databases.insert(database);
        }
    }

    /// Returns whether the next start of a seat is a step of a cold start that has begun: each seat
    /// has one. Together they are one action, which the domain has had a start for.
    pub(super) fn is_cold_step(&self, id: SlotId) -> bool {
        let slot = self.slot(id);
        let cold = &self.watches[slot.database.index()].cold;
        cold.is_under_way && !cold.steps.contains(&(slot.rule.role, slot.ordinal))
    }

    /// Returns what a person said who had a database brought up from nothing.
    pub(super) fn cold_order(&self, model: &Model, database: DatabaseId) -> Option<&OrderFact> {
        let is_asked_for = self.watches.get(database.index())?.cold.is_asked_for;
        if !is_asked_for {
            return None;
        }
        let extent = Extent::Database(model.database(database).name.clone());
        self.orders.get(&OrderKind::ColdStart.on(&extent))
    }

    /// Notes whether a person has a database brought up. All of its archives are wanted then.
    pub(super) fn note_cold_order(&mut self, model: &Model, extent: &Extent, is_asked_for: bool) {
        let Extent::Database(name) = extent else {
            return;
        };
        let Some(id) = model.database_named(name) else {
            return;
        };
        let Some(watch) = self.watches.get_mut(id.index()) else {
            return;
        };
        watch.cold.is_asked_for = is_asked_for;
        if !is_asked_for && !watch.cold.is_under_way {
            watch.cold.accepted.clear();
        }
        self.changed.databases.insert(id);
        for row in 0..self.settings.doctrine.roles.len() {
            self.wake_row(id, row);
        }
    }

    /// A process of a database ended as somebody wished: whoever had it brought up changed their
    /// mind.
    pub(super) fn take_back_cold(&mut self, model: &Model, database: DatabaseId) {
        if self.cold_order(model, database).is_some() {
            let extent = Extent::Database(model.database(database).name.clone());
            self.drop_order(model, &OrderKind::ColdStart.on(&extent));
        }
    }

    /// Returns why a storage manager is started first of its database, if it is.
    pub(super) fn cold_says(&self, case: &Case<'_>) -> String {
        let slot = self.slot(case.slot);
        let is_cold = slot.rule.seat == SeatKind::Archive
            && !case.model.database(slot.database).is_any_running();
        let cold = &self.watches[slot.database.index()].cold;
        if self.is_cold_step(case.slot)
            && let Some(action) = cold.begun_by
        {
            let step = cold.steps.len() + 1;
            let by = Some(self.ran_last_by(case)).filter(|it| is_cold && !it.is_empty());
            let which = by.map_or_else(String::new, |it| format!("it ran last{it}; "));
            return format!("step {step} of the cold start that action {action} began; {which}");
        }
        if !is_cold {
            return String::new();
        }
        let which = match self.ran_until(case.slot) {
            Some(_) => format!("it ran last{}", self.ran_last_by(case)),
            None => "its archive is the only one left".to_owned(),
        };
        let asked = self.cold_order(case.model, slot.database);
        let asked = asked.map_or_else(String::new, |it| match &it.reason {
            Some(reason) => format!("{} asked for it ({reason}); ", it.by),
            None => format!("{} asked for it; ", it.by),
        });
        format!("{asked}cold start, {which}; ")
    }

    /// The order counts until an engine serves.
    pub(super) fn end_cold(&mut self, model: &Model, database: DatabaseId) {
        self.take_back_cold(model, database);
        let watch = self.watch_mut(database);
        if watch.cold != Cold::default() {
            watch.cold = Cold::default();
            self.changed.databases.insert(database);
        }
    }
}
