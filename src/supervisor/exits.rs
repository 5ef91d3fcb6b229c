//! What an exit leaves behind: whether the seat is missed from then on, and by what evidence.

use std::time::Duration;

use super::state::{Agent, Evidence, Phase, Slot, SlotId, Supervisor, Told, Vacancy};
use crate::model::{Ending, Model, PeerId, PeerPresence, Presence, Process, ProcessId};
use crate::mutation::Mutant;
use crate::policy::noise;
use crate::time::Timestamp;

impl Supervisor {
    /// A process left as somebody wished. That lowers what was observed only if its peer stayed,
    /// and if not the whole database was stopped; nothing lowers what is declared.
    pub(super) fn mind_leaving(
        &mut self,
        now: Timestamp,
        model: &Model,
        id: SlotId,
        peer: PeerId,
        until: Timestamp,
    ) {
        let database = model.database(self.slot(id).database);
        let keeper = self.settings.doctrine.keeper();
        let is_kept = keeper.is_none_or(|it| database.running(it) > 0);
        let peer_stayed = match model.peer(peer).presence {
            PeerPresence::Connected { since } => since + self.policy(id).return_grace <= until,
            PeerPresence::Unreachable { .. } => false,
        };
        // Who works at it does not say what is wanted.
        let is_worked_at = self.maintenance_of(model, id).is_some();
        let is_missed = is_worked_at || self.settings.planted.has(Mutant::StoppedIsMissed);
        let is_one_less = peer_stayed && is_kept && !is_missed;
        if is_one_less {
            self.slot_mut(id).observed = false;
            if self.is_wanted(id)
                && let Some(last) = self.last_beyond_declared(model, id)
            {
                // One less is wanted, but this seat is declared: the last one goes in its place.
                self.move_seat(model, last, id);
                // What was told of it was told under another name.
                if let Some(vacancy) = self.slot_mut(id).vacancy_mut() {
                    vacancy.told = Told::default();
                    vacancy.look = Some(now);
                }
                return;
            }
        }
        let phase = if self.is_wanted(id) || (self.is_minded(id) && !is_one_less) {
            Phase::Vacant(Box::new(Vacancy::new(now, Evidence::Exit { peer })))
        } else {
            Phase::Empty
        };
        self.enter(id, phase);
    }

    /// Returns the last seat of a slot's database that is in use though it is not declared.
    fn last_beyond_declared(&self, model: &Model, id: SlotId) -> Option<SlotId> {
        let (database, row) = self.row_of(id);
        let row = &self.watches[database.index()].rows[row];
        if row.rule.seat.has_home() {
            return None;
        }
        let declared = self.min_of(database, row.rule.role) as usize;
        let seats = &row.seats;
        let in_use = |it: &SlotId| {
            matches!(
                self.slot(*it).phase,
                Phase::Acting { .. } | Phase::Filled(_) | Phase::Leaving { .. } | Phase::Vacant(_)
            )
        };
        let will_do = |it: &SlotId| in_use(it) && self.may_move(model, *it, id);
        seats.iter().skip(declared).copied().rfind(will_do)
    }

    /// Returns whether a process sits on the seat that it was given.
    fn fills_seat(&self, id: ProcessId) -> bool {
        let is_it = |slot| matches!(self.slot(slot).phase, Phase::Filled(it) if it == id);
        self.seat_of(id).is_some_and(is_it)
    }

    pub(super) fn out_of_reach(&mut self, now: Timestamp, model: &Model, id: ProcessId) {
        let Some(process) = model.process(id) else {
            return;
        };
        if !self.fills_seat(id) {
            self.note_ran_at_home(now, process);
        }
        let Some(slot) = self.seat_of(id) else {
            return;
        };
        if self.fills_seat(id) {
            let evidence = Evidence::Unreachable {
                peer: process.peer,
                life: process.life,
            };
            self.note_away(slot, id);
            self.notes.gone.insert(slot, (process.peer, process.pid));
            self.note_ran(now, slot, process);
            self.vacate(now, model, slot, process.first_seen, evidence);
        } else {
            // Another has its seat: it may come back beside that one.
            self.note_away(slot, id);
            if let Some(row) = self.row_for(process) {
                row.surplus.remove(&(process.life, id));
            }
        }
    }

    pub(super) fn unseat(
        &mut self,
        now: Timestamp,
        model: &Model,
        id: ProcessId,
        process: &Process,
        ending: Ending,
    ) {
        if ending == Ending::Requested {
            self.take_back_cold(model, process.database);
        }
        // Of one that was out of reach it was noted when that began.
        if !self.fills_seat(id) && !matches!(process.presence, Presence::Unreachable { .. }) {
            self.note_ran_at_home(now, process);
        }
        let Some(slot) = self.seat_of(id) else {
            if let Some(row) = self.row_for(process) {
                row.surplus.remove(&(process.life, id));
            }
            return;
        };
        self.seats[id.index()] = None;
        self.forget_away(slot, id);
        if let Some(row) = self.row_for(process) {
            row.surplus.remove(&(process.life, id));
        }
        let peer = process.peer;
        let from = process.first_seen;
        match &self.slot(slot).phase {
            Phase::Filled(it) if *it == id => (),
            Phase::Acting { vacancy, .. }
            | Phase::Held {
                vacancy: Some(vacancy),
                ..
            }
            | Phase::Vacant(vacancy) => {
                // It was out of reach; now its peer is back without it.
                let was = vacancy.evidence;
                let is_it =
                    matches!(was, Evidence::Unreachable { life, .. } if life == process.life);
                let is_open = matches!(self.slot(slot).phase, Phase::Vacant(_));
                if is_it && is_open && ending == Ending::Requested && vacancy.wish.is_none() {
                    // Somebody had asked it to end before it was.
                    self.notes.gone.insert(slot, (peer, process.pid));
                    self.leave(now, slot, peer);
                } else if is_it && let Some(vacancy) = self.slot_mut(slot).known_mut() {
                    vacancy.evidence = Evidence::Exit { peer };
                    vacancy.agent = Agent::Unasked;
                    self.notes.gone.insert(slot, (peer, process.pid));
                }
                return;
            }
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } | Phase::Leaving { .. } => return,
        }
        self.notes.gone.insert(slot, (peer, process.pid));
        self.note_ran(now, slot, process);
        match ending {
            Ending::Exit => {
                self.vacate(now, model, slot, from, Evidence::Exit { peer });
                self.hand_over(now, model, slot, process);
            }
            Ending::Requested => {
                self.judge_uptime(now, model, slot, from);
                self.leave(now, slot, peer);
            }
            Ending::Unknown => self.vacate(now, model, slot, from, Evidence::Vanished { peer }),
        }
    }

    /// Notes what it says about a seat that a process was there since then.
    fn judge_uptime(&mut self, now: Timestamp, model: &Model, slot: SlotId, from: Timestamp) {
        let uptime = now.since(from);
        let policy = self.policy(slot);
        let (min_uptime, healthy_after) = (policy.min_uptime, policy.healthy_after);
        let is_kept = !self.settings.planted.has(Mutant::KeepNothing);
        let is_long = uptime >= min_uptime && is_kept;
        let is_observed = is_long && !self.stood_in(model, slot, from);
        let slot = self.slot_mut(slot);
        slot.observed |= is_observed;
        if uptime >= healthy_after {
            slot.tries = 0;
        }
    }

    /// Returns whether a process of a seat, there since then, only stood in for one that is missed:
    /// one that was missed before this one had run for long, so that they never ran together.
    pub(super) fn stood_in(&self, model: &Model, id: SlotId, from: Timestamp) -> bool {
        if self.slot(id).home.is_some() || self.is_wanted(id) {
            return false;
        }
        let min_uptime = self.policy(id).min_uptime;
        let (database, row) = self.row_of(id);
        let seats = self.watches[database.index()].rows[row].seats.iter();
        let others = seats.copied().filter(|it| *it != id);
        let missed_since = |it: SlotId| {
            let since = self.slot(it).known()?.since;
            self.is_wanted(it).then_some(since)
        };
        let missed: Vec<Timestamp> = others
            .clone()
            .filter_map(missed_since)
            .filter(|since| *since < from + min_uptime)
            .collect();
        let Some(first) = missed.iter().min() else {
            return false;
        };
        let stands_in = |it: &SlotId| {
            let Phase::Filled(process) = self.slot(*it).phase else {
                return false;
            };
            let known = model.process(process);
            let is_new = known.is_some_and(|it| *first < it.first_seen + min_uptime);
            let is_before = self.slot(*it).ordinal < self.slot(id).ordinal;
            is_new && is_before && !self.is_wanted(*it)
        };
        missed.len() > others.filter(stands_in).count()
    }

    /// Notes that somebody had whoever sat there end: whether it is missed shows after a while.
    fn leave(&mut self, now: Timestamp, slot: SlotId, peer: PeerId) {
        let until = now + self.policy(slot).return_grace;
        self.enter(slot, Phase::Leaving { until, peer });
    }

    /// Notes that nobody sits there any more.
    fn vacate(
        &mut self,
        now: Timestamp,
        model: &Model,
        slot: SlotId,
        from: Timestamp,
        evidence: Evidence,
    ) {
        self.judge_uptime(now, model, slot, from);
        if !self.is_minded(slot) {
            self.enter(slot, Phase::Empty);
            return;
        }
        if let Some(peer) = evidence.here() {
            self.remember_failure(now, slot, peer);
        }
        let mut vacancy = Vacancy::new(now, evidence);
        if now.since(from) < self.policy(slot).min_uptime {
            vacancy.pause = (now, now + self.pause(model, slot));
        }
        if !self.hold_again(now, slot, &vacancy) {
            self.enter(slot, Phase::Vacant(Box::new(vacancy)));
        }
    }

    /// Somebody was quicker: what they started when an exit was told, and not believed yet, sits
    /// where nobody is wanted. It takes the seat of the one that it is there for.
    fn hand_over(&mut self, now: Timestamp, model: &Model, slot: SlotId, ended: &Process) {
        if self.slot(slot).home.is_some() || self.slot(slot).vacancy().is_none() {
            return;
        }
        let (database, row) = self.row_of(slot);
        let is_it = |it: &SlotId| {
            let Phase::Filled(process) = self.slot(*it).phase else {
                return false;
            };
            let known = model.process(process);
            let took_over = known.is_some_and(|it| model.took_over(it, ended));
            took_over && !self.is_wanted(*it) && self.may_move(model, *it, slot)
        };
        let seats = self.watches[database.index()].rows[row].seats.iter();
        let Some(from) = seats.copied().find(is_it) else {
            return;
        };
        let Slot {
            tries, observed, ..
        } = *self.slot(slot);
        self.note_foreign(now, slot);
        self.move_seat(model, from, slot);
        let slot = self.slot_mut(slot);
        slot.tries = tries;
        slot.observed = observed;
    }

    /// Returns the pause before the next try of a seat, which has failed at least once.
    pub(super) fn pause(&self, model: &Model, slot: SlotId) -> Duration {
        let tries = self.slot(slot).tries.max(1);
        let noise = noise(self.settings.seed, u64::from(slot.0), tries);
        let connected = model.peers().filter(|(_, it)| it.is_connected()).count();
        self.policy(slot)
            .pause(tries, connected.saturating_sub(1), noise)
    }

    /// Processes of one database that ran side by side end close together: waits, for it may be a
    /// person's doing.
    pub(super) fn suspect_a_person(&mut self, now: Timestamp, process: &Process) {
        let policy = self.policy_of(process.database, process.role);
        let (confirm_for, together) = (policy.confirm_for, policy.waits.ends_together);
        self.changed.databases.insert(process.database);
        // We may have stood still since it was told.
        let ended = match process.presence {
            Presence::Ending { due } => due.min(now),
            Presence::Live | Presence::Unreachable { .. } => now,
        };
        let watch = self.watch_mut(process.database);
        watch.exits.retain(|at| ended.since(*at) <= together);
        // One that began when another had ended only took its place.
        if watch.exits.iter().any(|at| *at > process.first_seen) {
            watch.confirm_until = now + confirm_for;
        }
        watch.exits.push_back(ended);
    }

    /// A peer went or came back: what its agent answered before says nothing about engines that
    /// are out of reach there.
    pub(super) fn doubt(&mut self, peer: PeerId) {
        for id in self.busy.clone() {
            let is_there = |it: &Vacancy| {
                it.agent != Agent::Unasked
                    && matches!(it.evidence, Evidence::Unreachable { peer: at, .. } if at == peer)
            };
            if self.slot(id).vacancy().is_some_and(is_there)
                && let Some(vacancy) = self.slot_mut(id).vacancy_mut()
            {
                vacancy.agent = Agent::Unasked;
            }
        }
    }
}
