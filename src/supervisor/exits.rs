//! What an exit leaves behind: whether the seat is missed from then on, and by what evidence.

use std::time::Duration;

use super::state::{Agent, Evidence, Phase, SlotId, Supervisor, Vacancy};
use crate::model::{Ending, Model, PeerId, PeerPresence, Process, ProcessId};
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

    pub(super) fn out_of_reach(&mut self, now: Timestamp, model: &Model, id: ProcessId) {
        let Some(slot) = self.seat_of(id) else {
            return;
        };
        let Some(process) = model.process(id) else {
            return;
        };
        if matches!(self.slot(slot).phase, Phase::Filled(it) if it == id) {
            let evidence = Evidence::Unreachable {
                peer: process.peer,
                life: process.life,
            };
            self.note_away(slot, id);
            self.notes.gone.insert(slot, (process.peer, process.pid));
            self.note_ran(now, slot, process);
            self.vacate(now, model, slot, now.since(process.first_seen), evidence);
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
        let uptime = now.since(process.first_seen);
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
                if matches!(was, Evidence::Unreachable { life, .. } if life == process.life)
                    && let Some(vacancy) = self.slot_mut(slot).known_mut()
                {
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
                self.vacate(now, model, slot, uptime, Evidence::Exit { peer });
            }
            Ending::Requested => {
                let until = now + self.policy(slot).return_grace;
                self.judge_uptime(slot, uptime);
                self.enter(slot, Phase::Leaving { until, peer });
            }
            Ending::Unknown => self.vacate(now, model, slot, uptime, Evidence::Vanished { peer }),
        }
    }

    /// Notes what the uptime of a process says about its seat.
    fn judge_uptime(&mut self, slot: SlotId, uptime: Duration) {
        let policy = self.policy(slot);
        let (min_uptime, healthy_after) = (policy.min_uptime, policy.healthy_after);
        let is_kept = !self.settings.planted.has(Mutant::KeepNothing);
        let slot = self.slot_mut(slot);
        slot.observed |= uptime >= min_uptime && is_kept;
        if uptime >= healthy_after {
            slot.tries = 0;
        }
    }

    /// Notes that nobody sits there any more.
    fn vacate(
        &mut self,
        now: Timestamp,
        model: &Model,
        slot: SlotId,
        uptime: Duration,
        evidence: Evidence,
    ) {
        self.judge_uptime(slot, uptime);
        if !self.is_minded(slot) {
            self.enter(slot, Phase::Empty);
            return;
        }
        if let Some(peer) = evidence.here() {
            self.remember_failure(now, slot, peer);
        }
        let mut vacancy = Vacancy::new(now, evidence);
        if uptime < self.policy(slot).min_uptime {
            vacancy.pause = (now, now + self.pause(model, slot));
        }
        if !self.hold_again(now, slot, &vacancy) {
            self.enter(slot, Phase::Vacant(Box::new(vacancy)));
        }
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
        let watch = self.watch_mut(process.database);
        watch.exits.retain(|at| now.since(*at) <= together);
        // One that began when another had ended only took its place.
        if watch.exits.iter().any(|at| *at > process.first_seen) {
            watch.confirm_until = now + confirm_for;
        }
        watch.exits.push_back(now);
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
