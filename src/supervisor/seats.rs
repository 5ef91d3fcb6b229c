//! Which process sits where.
//!
//! A process fills the lowest seat that will do; surplus stays without one. What its end leaves
//! behind is told in `exits`.

use std::collections::VecDeque;

use super::Effect;
use super::cold::Cold;
use super::gate::Session;
use super::overlap::Extra;
use super::state::{Phase, Slot, SlotId, Supervisor};
use super::watch::{Row, Watch};
use crate::model::{
    Change, DatabaseId, DatabaseName, Ending, Model, PeerId, Process, ProcessId, Role,
};
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
            Change::PeerJoined(_) => {
                self.membership_changed(now.at);
                self.declare_archives_anew(model);
            }
            Change::DatabaseActive(id) => {
                self.watch(model, *id);
                self.end_cold(model, *id);
            }
            Change::PeerReturned(id) | Change::PeerUnreachable(id) => {
                self.lost_peer |= matches!(change, Change::PeerUnreachable(_));
                self.membership_changed(now.at);
                self.doubt(*id);
                self.try_again_at(*id);
                if matches!(change, Change::PeerReturned(_)) {
                    self.relieve_peer(now.at, *id);
                }
            }
            Change::ProcessJoined(id) => {
                self.membership_changed(now.at);
                if let Some(process) = model.process(*id) {
                    self.relieve_ready(now.at, process.peer);
                }
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
                self.seat_successor(now, model, process, effects);
                if *ending == Ending::Exit {
                    self.suspect_a_person(now.at, process);
                }
            }
            Change::DatabaseInactive(_)
            | Change::DatabaseLeft(_)
            | Change::StartFailed { .. }
            | Change::StatusChanged { .. } => (),
        }
        self.watch_progress(now.at, model, change);
        self.watch_responsive(model, change);
        if let Some(database) = database_of_storage(model, change) {
            self.mind_storage(now.at, model, database);
        }
    }

    fn membership_changed(&mut self, now: Timestamp) {
        let picture = self.gates.clock.as_mut().map(|it| &mut it.picture);
        for session in picture.into_iter().chain([&mut self.gates.session]) {
            if let Session::Settling { quiet, .. } = session {
                *quiet = now;
            }
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
            self.note_observed(model, id);
            for row in 0..self.settings.doctrine.roles.len() {
                self.declare_seats(id, row);
            }
            self.declare_archives(model, id);
        }
    }

    /// Watches one more database, without any seats.
    pub(super) fn watch_next(&mut self, name: &DatabaseName) {
        let rules = self.settings.doctrine.roles.iter();
        let rows = rules.map(|rule| {
            let mut row = Row::new(rule);
            row.policy = self.policy_for(name, rule.role);
            row.seats_all = self.seats_all(&row);
            row
        });
        let rows = rows.collect();
        self.watches.push(Watch {
            rows,
            exits: VecDeque::new(),
            confirm_until: Timestamp::ZERO,
            storage_lost: None,
            degraded: false,
            scale: None,
            cold: Cold::default(),
            inquiry: None,
        });
    }

    /// Returns which policy applies to a role of a database.
    pub(super) fn policy_for(&self, name: &DatabaseName, role: Role) -> Option<usize> {
        let domain = self.settings.domain.as_str();
        let mut policies = self.settings.policies.iter();
        policies.position(|it| it.roles.contains(&role) && it.applies(domain, name.as_str()))
    }

    /// Makes the seats of a role that a database has by its policy alone.
    pub(super) fn declare_seats(&mut self, id: DatabaseId, row: usize) {
        let Row { rule, policy, .. } = self.watches[id.index()].rows[row];
        let min = policy.map_or(0, |_| self.min_of(id, rule.role)) as usize;
        if !rule.seat.has_home() {
            while self.watches[id.index()].rows[row].seats.len() < min {
                self.add_seat(id, row, None);
            }
        }
        for seat in self.watches[id.index()].rows[row].seats.clone() {
            if matches!(self.slot(seat).phase, Phase::Empty) && self.is_wanted(seat) {
                // `act` finds out since when it is missed.
                self.busy.insert(seat);
            }
        }
    }

    pub(super) fn add_seat(
        &mut self,
        database: DatabaseId,
        row: usize,
        home: Option<PeerId>,
    ) -> SlotId {
        let id = SlotId(u32::try_from(self.slots.len()).expect("a model has a limit far below"));
        let row = self.row_mut(database, row);
        let ordinal = u32::try_from(row.seats.len()).expect("a model has a limit far below");
        row.seats.push(id);
        row.free.insert(ordinal);
        let rule = row.rule;
        self.slots.push(Slot {
            database,
            rule,
            ordinal,
            home,
            observed: false,
            tries: 0,
            ran: None,
            unproven: None,
            given_up: None,
            phase: Phase::Empty,
        });
        self.changed.slots.insert(id);
        id
    }

    /// Seats a process that joined: where the start it came from was meant for, else on the lowest
    /// seat that is missed, else on the lowest free one, else on a new one if what is observed is
    /// kept. One that belongs to a peer has the seat of that peer. Surplus stays without a seat.
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
        let Some(row) = self.settings.doctrine.row(process.role) else {
            return;
        };
        let start = self.start_of(process);
        let lapsed = match start {
            Some(_) => None,
            None => self.take_lapsed(now.at, process),
        };
        let is_ours = start.is_some() || lapsed.is_some();
        let meant = start
            .map(|action| self.actions[&action].slot)
            .filter(|slot| !matches!(self.slot(*slot).phase, Phase::Filled(_)));
        let has_home = self.settings.doctrine.roles[row].seat.has_home();
        let home = has_home.then_some(process.peer);
        let seats_all = self.watches[process.database.index()].rows[row].seats_all;
        // A person said how many are wanted.
        let is_scaled = !has_home && self.watches[process.database.index()].scale.is_some();
        let at = (process.database, row);
        let waits = home.is_some_and(|home| self.may_be_left(model, at, home));
        let is_surplus = !seats_all || is_scaled || (is_ours && !has_home) || waits;
        let will_do = |slot| {
            let is_home = home.is_none() || self.slot(slot).home == home;
            is_home && self.suits(model, slot, process.peer)
        };
        let is_missed =
            |slot| will_do(slot) && (self.is_wanted(slot) || self.slot(slot).vacancy().is_some());
        let missed = self
            .free_seat(at, |slot| is_missed(slot) && self.is_deserted(slot))
            .or_else(|| self.free_seat(at, is_missed));
        // One that is late takes the seat that it was started for: who sits elsewhere would leave
        // behind that it may still come.
        let own = lapsed.as_ref().and_then(|it| it.slot);
        let own = own
            .filter(|slot| is_missed(*slot) && !matches!(self.slot(*slot).phase, Phase::Filled(_)));
        match meant.or(own).or(missed) {
            Some(slot) => {
                if !is_ours {
                    self.note_foreign(now.at, slot);
                }
                self.fill(now, model, slot, id, effects);
            }
            // What the healer started adds nothing to what is wanted.
            None if is_surplus => {
                let surplus = &mut self.row_mut(process.database, row).surplus;
                surplus.insert((process.life, id));
                let replaced_at = lapsed.and_then(|it| it.slot);
                if let Some(slot) = replaced_at {
                    // It stays the one that was given up for that seat, wherever it goes.
                    self.give_seat(id, slot);
                    self.changed.processes.insert((process.peer, process.pid));
                }
                // Who belongs where it is is more than is wanted nowhere.
                if !has_home {
                    self.extra.push(Extra {
                        process: id,
                        replaced_at,
                    });
                }
            }
            None => {
                let free = self.free_seat(at, will_do);
                let slot = free.unwrap_or_else(|| self.add_seat(process.database, row, home));
                self.fill(now, model, slot, id, effects);
            }
        }
        if let Some(action) = start {
            if process.start_id.is_none() {
                self.doubt_arrival(now.at, action);
            }
            self.arrived(now, model, action, effects);
        }
    }

    /// Returns whether somebody sits at a peer who may be gone: who comes there waits for the seat,
    /// as an archive has but one.
    fn may_be_left(
        &self,
        model: &Model,
        (database, row): (DatabaseId, usize),
        home: PeerId,
    ) -> bool {
        let seats = &self.watches[database.index()].rows[row].seats;
        seats.iter().any(|it| {
            let slot = self.slot(*it);
            let is_it = |id| model.may_be_gone(id);
            slot.home == Some(home) && matches!(slot.phase, Phase::Filled(id) if is_it(id))
        })
    }

    /// A process of a peer is gone: who waited for its seat takes it.
    fn seat_successor(
        &mut self,
        now: Moment,
        model: &Model,
        ended: &Process,
        effects: &mut Vec<Effect>,
    ) {
        let Some(row) = self.settings.doctrine.row(ended.role) else {
            return;
        };
        let is_watched = ended.database.index() < self.watches.len();
        if !is_watched || !self.settings.doctrine.roles[row].seat.has_home() {
            return;
        }
        let at = (ended.database, row);
        let Some(slot) = self.free_seat(at, |it| self.slot(it).home == Some(ended.peer)) else {
            return;
        };
        let surplus = &self.watches[ended.database.index()].rows[row].surplus;
        let is_it = |it: &Process| it.is_live() && it.peer == ended.peer;
        let mut waiting = surplus.iter().map(|(_, id)| *id);
        if let Some(id) = waiting.find(|id| model.process(*id).is_some_and(is_it)) {
            self.fill(now, model, slot, id, effects);
        }
    }

    /// Returns the lowest free seat of a role in a database that will do.
    pub(super) fn free_seat(
        &self,
        (database, row): (DatabaseId, usize),
        will_do: impl Fn(SlotId) -> bool,
    ) -> Option<SlotId> {
        let row = &self.watches[database.index()].rows[row];
        let mut free = row.free.iter().map(|it| row.seats[*it as usize]);
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
        let (database, row) = self.row_of(slot);
        let is_missed = match self.slot(slot).phase {
            Phase::Held { .. } | Phase::Vacant(_) => true,
            Phase::Empty => self.is_wanted(slot),
            // Nothing lowers what is declared.
            Phase::Leaving { .. } => self.is_declared(slot),
            // Better one that is there than one that was not asked for yet.
            Phase::Acting { action, .. } => self.is_unsent(action),
            Phase::Filled(_) => false,
        };
        if !is_missed {
            return;
        }
        let home = self.slot(slot).home;
        let will_do = |it: &Process| {
            let is_home = home.is_none_or(|home| home == it.peer);
            it.is_live() && is_home && self.suits(model, slot, it.peer)
        };
        let spare = self.watches[database.index()].rows[row]
            .surplus
            .iter()
            .map(|(_, id)| *id)
            .find(|id| model.process(*id).is_some_and(will_do));
        if let Some(process) = spare {
            self.fill(now, model, slot, process, effects);
        }
    }

    /// Puts a process on a seat, and ends what was under way for it.
    pub(super) fn fill(
        &mut self,
        now: Moment,
        model: &Model,
        slot: SlotId,
        process: ProcessId,
        effects: &mut Vec<Effect>,
    ) {
        self.give_seat(process, slot);
        if let Some(known) = model.process(process) {
            let (database, row) = self.row_of(slot);
            let surplus = &mut self.row_mut(database, row).surplus;
            surplus.remove(&(known.life, process));
            self.changed.processes.insert((known.peer, known.pid));
        }
        match self.enter(slot, Phase::Filled(process)) {
            Phase::Acting { action, .. } => {
                self.filled_while_acting(now, model, action, effects);
            }
            // It has to show first that it stays.
            Phase::Held { reason, .. } => {
                self.put_on_probation(now.at, model, slot, process, reason);
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
            self.extra.push(Extra {
                process: id,
                replaced_at: Some(slot),
            });
            if let Some(known) = model.process(id) {
                let (database, row) = self.row_of(slot);
                let surplus = &mut self.row_mut(database, row).surplus;
                surplus.insert((known.life, id));
                self.changed.processes.insert((known.peer, known.pid));
            }
        } else {
            let slot = self.missed_instead(slot);
            self.fill(now, model, slot, id, effects);
        }
    }

    /// Returns a seat that is missed, for a process whose own seat is not.
    fn missed_instead(&self, own: SlotId) -> SlotId {
        let slot = self.slot(own);
        if slot.home.is_some() || !matches!(slot.phase, Phase::Empty) || self.is_wanted(own) {
            return own;
        }
        let is_missed = |it: SlotId| {
            self.slot(it).vacancy().is_some() && self.is_wanted(it) && self.is_deserted(it)
        };
        self.free_seat(self.row_of(own), is_missed).unwrap_or(own)
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
        // Nobody sits there any more who could end that hold: it is told to be over.
        let after = self.slot_mut(to);
        after.tries = tries;
        after.observed = observed;
        self.enter(to, phase);
    }

    /// Returns the seat that a process sits on or may come back to; none of one that is more than
    /// is wanted, though it was given up for a seat.
    pub(super) fn place_of(&self, model: &Model, id: ProcessId) -> Option<SlotId> {
        let slot = self.seat_of(id)?;
        let process = model.process(id)?;
        let (database, row) = self.row_of(slot);
        let surplus = &self.watches[database.index()].rows[row].surplus;
        (!surplus.contains(&(process.life, id))).then_some(slot)
    }

    /// Returns the seat that is a process's own, or that it was given up for.
    pub(super) fn seat_of(&self, id: ProcessId) -> Option<SlotId> {
        self.seats.get(id.index()).copied().flatten()
    }
}

/// Returns the database of the storage manager that a change is about, if it is about one.
fn database_of_storage(model: &Model, change: &Change) -> Option<DatabaseId> {
    let process = if let Change::ProcessEnded { process, .. } = change {
        process
    } else {
        model.process(change.process_id()?)?
    };
    (process.role == Role::Sm).then_some(process.database)
}
