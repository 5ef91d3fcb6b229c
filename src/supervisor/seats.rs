//! Which process sits where.
//!
//! A process fills the lowest seat that will do; surplus stays without one. What its end leaves
//! behind is told in `exits`.

use std::collections::{BTreeSet, VecDeque};

use super::Effect;
use super::gate::Session;
use super::overlap::Extra;
use super::state::{Phase, Slot, SlotId, Supervisor, Watch};
use crate::model::{Change, DatabaseId, DatabaseName, Ending, Model, Process, ProcessId, Role};
use crate::policy::Policy;
use crate::time::{Moment, Timestamp};

impl Supervisor {
    /// Takes in how the model changed. `act` must follow once all changes are told.
    pub fn learn(
        &mut self,
        now: Moment,
        model: &Model,
        change: &Change,
        effects: &mut Vec<Effect>,
    ) {
        match change {
            Change::DatabaseJoined(id) => {
                self.watch(model, *id);
            }
            Change::PeerJoined(_) => self.membership_changed(now.at),
            Change::PeerReturned(id) | Change::PeerUnreachable(id) => {
                self.lost_peer |= matches!(change, Change::PeerUnreachable(_));
                self.membership_changed(now.at);
                self.doubt(*id);
                self.try_again_at(*id);
            }
            Change::ProcessJoined(id) => {
                self.membership_changed(now.at);
                self.seat(now, model, *id, effects);
            }
            Change::ProcessReturned(id) => {
                self.membership_changed(now.at);
                self.reseat(now, model, *id, effects);
            }
            Change::ProcessUnreachable { id, .. } => {
                self.membership_changed(now.at);
                self.out_of_reach(now.at, model, *id);
            }
            Change::ProcessEnded {
                id,
                process,
                ending,
            } => {
                self.membership_changed(now.at);
                self.unseat(now.at, model, *id, process, *ending);
                if *ending == Ending::Exit {
                    self.suspect_a_person(now.at, process);
                }
            }
            Change::DatabaseActive(_)
            | Change::DatabaseInactive(_)
            | Change::DatabaseLeft(_)
            | Change::StartFailed { .. }
            | Change::StatusChanged { .. } => (),
        }
    }

    fn membership_changed(&mut self, now: Timestamp) {
        if let Session::Settling { quiet, .. } = &mut self.gates.session {
            *quiet = now;
        }
    }

    /// Watches every database up to this one.
    fn watch(&mut self, model: &Model, database: DatabaseId) {
        while self.watches.len() <= database.index() {
            let (id, known) = model
                .databases()
                .nth(self.watches.len())
                .expect("the model knows every database up to the one it told of");
            self.watch_next(&known.name);
            self.declare_seats(id);
        }
    }

    /// Watches one more database, without any seats.
    pub(super) fn watch_next(&mut self, name: &DatabaseName) {
        let policy = self.policy_for(name);
        let in_force = policy.map_or(&self.unhealed, |index| &self.settings.policies[index]);
        self.watches.push(Watch {
            policy,
            keeps_observed: in_force.keep_observed,
            seats: Vec::new(),
            free: BTreeSet::new(),
            surplus: BTreeSet::new(),
            exits: VecDeque::new(),
            confirm_until: Timestamp::ZERO,
            degraded: false,
        });
    }

    /// Returns which policy applies to a database.
    pub(super) fn policy_for(&self, name: &DatabaseName) -> Option<usize> {
        let domain = self.settings.domain.as_str();
        let mut policies = self.settings.policies.iter();
        policies.position(|it| it.applies(domain, name.as_str()))
    }

    /// Makes the seats that a database has by its policy alone.
    pub(super) fn declare_seats(&mut self, id: DatabaseId) {
        let watch = &self.watches[id.index()];
        let policy = watch.policy.map(|index| &self.settings.policies[index]);
        let min = policy.map_or(0, Policy::te_min) as usize;
        while self.watches[id.index()].seats.len() < min {
            self.add_seat(id);
        }
        for seat in self.watches[id.index()].seats.clone() {
            if matches!(self.slot(seat).phase, Phase::Empty) && self.is_wanted(seat) {
                // `act` finds out since when it is missed.
                self.busy.insert(seat);
            }
        }
    }

    pub(super) fn add_seat(&mut self, database: DatabaseId) -> SlotId {
        let id = SlotId(u32::try_from(self.slots.len()).expect("a model has a limit far below"));
        let watch = self.watch_mut(database);
        let ordinal = u32::try_from(watch.seats.len()).expect("a model has a limit far below");
        watch.seats.push(id);
        watch.free.insert(ordinal);
        self.slots.push(Slot {
            database,
            ordinal,
            observed: false,
            tries: 0,
            unproven: None,
            phase: Phase::Empty,
        });
        self.changed.slots.insert(id);
        id
    }

    /// Seats a process that joined: where the start it came from was meant for, else on the lowest
    /// seat that is missed, else on the lowest free one, else on a new one if what is observed is
    /// kept. Surplus stays without a seat.
    pub(super) fn seat(
        &mut self,
        now: Moment,
        model: &Model,
        id: ProcessId,
        effects: &mut Vec<Effect>,
    ) {
        let Some(process) = model.process(id) else {
            return;
        };
        self.watch(model, process.database);
        if process.role != Role::Te {
            return;
        }
        let start = self.start_of(process);
        let lapsed = match start {
            Some(_) => None,
            None => self.take_lapsed(now.at, process),
        };
        let is_ours = start.is_some() || lapsed.is_some();
        let meant = start
            .map(|action| self.actions[&action].slot)
            .filter(|slot| !matches!(self.slot(*slot).phase, Phase::Filled(_)));
        let is_surplus = is_ours || !self.policy_of(process.database).keep_observed;
        let is_missed = |slot| self.is_wanted(slot) || self.slot(slot).vacancy().is_some();
        let missed = self
            .free_seat(process.database, |slot| {
                is_missed(slot) && self.is_deserted(slot)
            })
            .or_else(|| self.free_seat(process.database, is_missed));
        match meant.or(missed) {
            Some(slot) => self.fill(now, model, slot, id, effects),
            // What the healer started adds nothing to what is wanted.
            None if is_surplus => {
                let surplus = &mut self.watch_mut(process.database).surplus;
                surplus.insert((process.life, id));
                self.extra.push(Extra {
                    process: id,
                    replaced_at: lapsed.and_then(|it| it.slot),
                });
            }
            None => {
                let free = self.free_seat(process.database, |_| true);
                let slot = free.unwrap_or_else(|| self.add_seat(process.database));
                self.fill(now, model, slot, id, effects);
            }
        }
        if let Some(action) = start {
            self.arrived(now, model, action, effects);
        }
    }

    /// Returns the lowest free seat of a database that will do.
    fn free_seat(&self, database: DatabaseId, will_do: impl Fn(SlotId) -> bool) -> Option<SlotId> {
        let watch = &self.watches[database.index()];
        let mut free = watch.free.iter().map(|it| watch.seats[*it as usize]);
        free.find(|it| will_do(*it))
    }

    /// Returns whether nobody who may be alive out of reach has a claim to it.
    pub(super) fn is_deserted(&self, slot: SlotId) -> bool {
        !self.away.contains_key(&slot)
    }

    /// Gives a seat that is missed to a process that has none, if there is one.
    pub(super) fn seat_surplus(
        &mut self,
        now: Moment,
        model: &Model,
        slot: SlotId,
        effects: &mut Vec<Effect>,
    ) {
        let database = self.slot(slot).database;
        let is_missed = match self.slot(slot).phase {
            Phase::Held { .. } | Phase::Vacant(_) => true,
            Phase::Empty => self.is_wanted(slot),
            // Nothing lowers what is declared.
            Phase::Leaving { .. } => self.slot(slot).ordinal < self.policy(slot).te_min(),
            // Better one that is there than one that was not asked for yet.
            Phase::Acting { action, .. } => self.is_unsent(action),
            Phase::Filled(_) => false,
        };
        if !is_missed {
            return;
        }
        let spare = self.watches[database.index()]
            .surplus
            .iter()
            .map(|(_, id)| *id)
            .find(|id| model.process(*id).is_some_and(Process::is_live));
        if let Some(process) = spare {
            self.fill(now, model, slot, process, effects);
        }
    }

    /// Puts a process on a seat, and ends what was under way for it.
    fn fill(
        &mut self,
        now: Moment,
        model: &Model,
        slot: SlotId,
        process: ProcessId,
        effects: &mut Vec<Effect>,
    ) {
        self.give_seat(process, slot);
        let database = self.slot(slot).database;
        if let Some(known) = model.process(process) {
            let surplus = &mut self.watch_mut(database).surplus;
            surplus.remove(&(known.life, process));
            self.changed.processes.insert((known.peer, known.pid));
        }
        match self.enter(slot, Phase::Filled(process)) {
            Phase::Acting { action, .. } => {
                self.filled_while_acting(now, model, action, effects);
            }
            Phase::Held { .. } => {
                self.tell_released(now, model, slot, "a process fills it", effects);
            }
            Phase::Empty | Phase::Filled(_) | Phase::Leaving { .. } | Phase::Vacant(_) => (),
        }
    }

    /// Notes which seat is a process's own.
    pub(super) fn give_seat(&mut self, process: ProcessId, slot: SlotId) {
        if self.seats.len() <= process.index() {
            self.seats.resize(process.index() + 1, None);
        }
        self.seats[process.index()] = Some(slot);
    }

    /// Takes back a process that was out of reach, unless its seat was given away.
    fn reseat(&mut self, now: Moment, model: &Model, id: ProcessId, effects: &mut Vec<Effect>) {
        let Some(slot) = self.seat_of(id) else {
            return;
        };
        self.forget_away(slot, id);
        if matches!(self.slot(slot).phase, Phase::Filled(_)) {
            self.seats[id.index()] = None;
            self.extra.push(Extra {
                process: id,
                replaced_at: Some(slot),
            });
            if let Some(known) = model.process(id) {
                let surplus = &mut self.watch_mut(known.database).surplus;
                surplus.insert((known.life, id));
                self.changed.processes.insert((known.peer, known.pid));
            }
        } else {
            self.fill(now, model, slot, id, effects);
        }
    }

    /// Moves whatever is the matter with one seat to another, and leaves the first empty.
    pub(super) fn move_seat(&mut self, model: &Model, from: SlotId, to: SlotId) {
        let phase = self.enter(from, Phase::Empty);
        if let Phase::Filled(process) = phase {
            self.seats[process.index()] = Some(to);
            if let Some(known) = model.process(process) {
                self.changed.processes.insert((known.peer, known.pid));
            }
        }
        self.move_away(model, from, to);
        for (action, it) in &mut self.actions {
            if it.slot == from {
                it.slot = to;
                self.changed.actions.insert(*action);
            }
        }
        for slot in self.dials.values_mut() {
            if *slot == from {
                *slot = to;
            }
        }
        let before = self.slot_mut(from);
        let (tries, observed) = (before.tries, std::mem::take(&mut before.observed));
        let after = self.slot_mut(to);
        after.tries = tries;
        after.observed = observed;
        self.enter(to, phase);
    }

    pub(super) fn seat_of(&self, id: ProcessId) -> Option<SlotId> {
        self.seats.get(id.index()).copied().flatten()
    }
}
