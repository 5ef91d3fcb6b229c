//! Which process sits where, and what an exit leaves behind.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::state::{
    About, Agent, Evidence, Lapsed, Phase, Slot, SlotId, Supervisor, Vacancy, Watch,
};
use super::{Effect, gate::Gate};
use crate::event::Kind;
use crate::model::{Change, DatabaseId, Ending, Model, PeerId, Process, ProcessId, Role};
use crate::policy::noise;
use crate::time::{Moment, Timestamp};

/// Processes of one database that end so close together may have been ended by a person.
const TOGETHER: Duration = Duration::from_secs(5);

/// For so long a start that was given up may still come to life and is taken for ours.
const LAPSED_FOR: Duration = Duration::from_secs(600);

/// So many given-up starts are remembered.
const LAPSED_MAX: usize = 256;

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
            Change::PeerJoined(_) | Change::PeerReturned(_) | Change::PeerUnreachable(_) => {
                self.membership_changed(now.at);
            }
            Change::ProcessJoined(id) => {
                self.membership_changed(now.at);
                self.seat(now, model, *id, effects);
            }
            Change::ProcessReturned(id) => {
                self.membership_changed(now.at);
                self.reseat(now, model, *id, effects);
            }
            Change::ProcessUnreachable(id) => {
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
            }
            Change::DatabaseActive(_)
            | Change::DatabaseInactive(_)
            | Change::DatabaseLeft(_)
            | Change::StartFailed { .. }
            | Change::StatusChanged { .. } => (),
        }
    }

    fn membership_changed(&mut self, now: Timestamp) {
        if let Gate::Settling { quiet, .. } = &mut self.gate {
            *quiet = now;
        }
    }

    /// Makes the seats that databases have by their policy alone, up to this one.
    fn watch(&mut self, model: &Model, database: DatabaseId) {
        while self.watches.len() <= database.index() {
            let (id, known) = model
                .databases()
                .nth(self.watches.len())
                .expect("the model knows every database up to the one it told of");
            let domain = self.settings.domain.as_str();
            let policy = self
                .settings
                .policies
                .iter()
                .position(|it| it.applies(domain, known.name.as_str()));
            self.watches.push(Watch {
                policy,
                seats: Vec::new(),
                free: BTreeSet::new(),
                exits: VecDeque::new(),
                degraded: false,
            });
            let min = policy.map_or(0, |index| self.settings.policies[index].te_min());
            for _ in 0..min {
                let seat = self.add_seat(id);
                // Empty, and wanted: `act` finds out since when it is missed.
                self.busy.insert(seat);
            }
        }
    }

    fn add_seat(&mut self, database: DatabaseId) -> SlotId {
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
            phase: Phase::Empty,
        });
        id
    }

    /// Seats a process that joined: where a start for its peer is under way, else on the lowest
    /// free seat, else on a new one if what is observed is kept. Surplus stays without a seat.
    fn seat(&mut self, now: Moment, model: &Model, id: ProcessId, effects: &mut Vec<Effect>) {
        let Some(process) = model.process(id) else {
            return;
        };
        self.watch(model, process.database);
        let watch = &self.watches[process.database.index()];
        let Some(policy) = watch.policy else {
            return;
        };
        if process.role != Role::Te {
            return;
        }
        let is_ours = self.is_expected(process) || self.take_lapsed(now.at, process);
        let watch = &self.watches[process.database.index()];
        let expected = watch.free.iter().find(|ordinal| {
            let slot = self.slot(watch.seats[**ordinal as usize]);
            matches!(&slot.phase, Phase::Acting { action, .. }
                if self.actions.get(action).is_some_and(|it| it.target == process.peer))
        });
        let free = expected.or(watch.free.first());
        let slot = match free {
            Some(ordinal) => watch.seats[*ordinal as usize],
            None if is_ours || !self.settings.policies[policy].keep_observed => return,
            None => self.add_seat(process.database),
        };
        self.fill(now, model, slot, id, effects);
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
        if self.seats.len() <= process.index() {
            self.seats.resize(process.index() + 1, None);
        }
        self.seats[process.index()] = Some(slot);
        match self.enter(slot, Phase::Filled(process)) {
            Phase::Acting { action, .. } => {
                self.filled_while_acting(now, model, action, process, effects);
            }
            Phase::Held { .. } => {
                let text = "a process fills it".to_owned();
                let about = About {
                    slot: Some(slot),
                    text,
                    ..About::default()
                };
                self.raise(now, model, Kind::SlotReleased, about, effects);
            }
            Phase::Empty | Phase::Filled(_) | Phase::Leaving { .. } | Phase::Vacant(_) => (),
        }
    }

    /// Takes back a process that was out of reach, unless its seat was given away.
    fn reseat(&mut self, now: Moment, model: &Model, id: ProcessId, effects: &mut Vec<Effect>) {
        let Some(slot) = self.seat_of(id) else {
            return;
        };
        if matches!(self.slot(slot).phase, Phase::Filled(_)) {
            self.seats[id.index()] = None;
        } else {
            self.fill(now, model, slot, id, effects);
        }
    }

    fn out_of_reach(&mut self, now: Timestamp, model: &Model, id: ProcessId) {
        let Some(slot) = self.seat_of(id) else {
            return;
        };
        let Some(process) = model.process(id) else {
            return;
        };
        if matches!(self.slot(slot).phase, Phase::Filled(it) if it == id) {
            let evidence = Evidence::Unreachable {
                peer: process.peer,
                process: id,
            };
            self.vacate(now, model, slot, now.since(process.first_seen), evidence);
        }
    }

    fn unseat(
        &mut self,
        now: Timestamp,
        model: &Model,
        id: ProcessId,
        process: &Process,
        ending: Ending,
    ) {
        let Some(slot) = self.seat_of(id) else {
            return;
        };
        self.seats[id.index()] = None;
        let peer = process.peer;
        let uptime = now.since(process.first_seen);
        match &mut self.slot_mut(slot).phase {
            Phase::Filled(it) if *it == id => (),
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => {
                // It was out of reach; now its peer is back without it.
                let was = vacancy.evidence;
                if matches!(was, Evidence::Unreachable { process, .. } if process == id) {
                    vacancy.evidence = Evidence::Exit { peer };
                    vacancy.agent = Agent::Unasked;
                }
                return;
            }
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } | Phase::Leaving { .. } => return,
        }
        match ending {
            Ending::Exit => {
                self.vacate(now, model, slot, uptime, Evidence::Exit { peer });
                self.suspect_a_person(now, slot);
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
        let slot = self.slot_mut(slot);
        slot.observed |= uptime >= min_uptime;
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
        if !self.is_wanted(slot) {
            self.enter(slot, Phase::Empty);
            return;
        }
        if let Some(peer) = evidence.here() {
            let database = self.slot(slot).database;
            self.remember_failure(now, database, peer);
        }
        let mut vacancy = Vacancy::new(now, evidence);
        if uptime < self.policy(slot).min_uptime {
            vacancy.pause = (now, now + self.pause(model, slot));
        }
        self.enter(slot, Phase::Vacant(Box::new(vacancy)));
    }

    /// Returns the pause before the next try of a seat, which has failed at least once.
    pub(super) fn pause(&self, model: &Model, slot: SlotId) -> Duration {
        let tries = self.slot(slot).tries.max(1);
        let noise = noise(self.settings.seed, u64::from(slot.0), tries);
        let connected = model.peers().filter(|(_, it)| it.is_connected()).count();
        self.policy(slot)
            .pause(tries, connected.saturating_sub(1), noise)
    }

    /// Several exits of one database close together: waits, for it may be a person's doing.
    fn suspect_a_person(&mut self, now: Timestamp, slot: SlotId) {
        let database = self.slot(slot).database;
        let watch = self.watch_mut(database);
        watch
            .exits
            .retain(|(at, other)| now.since(*at) <= TOGETHER && *other != slot);
        watch.exits.push_back((now, slot));
        if watch.exits.len() < 2 {
            return;
        }
        for (_, id) in watch.exits.clone() {
            let confirm_until = now + self.policy(id).confirm_for;
            if let Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) =
                &mut self.slot_mut(id).phase
            {
                vacancy.confirm_until = confirm_until;
            }
        }
    }

    fn seat_of(&self, id: ProcessId) -> Option<SlotId> {
        self.seats.get(id.index()).copied().flatten()
    }

    /// Remembers a start that was given up.
    pub(super) fn remember_lapsed(&mut self, at: Timestamp, database: DatabaseId, peer: PeerId) {
        if self.lapsed.len() >= LAPSED_MAX {
            self.lapsed.pop_front();
        }
        self.lapsed.push_back(Lapsed { database, peer, at });
    }

    /// Returns whether a start of ours for that database is under way at the process's peer.
    fn is_expected(&self, process: &Process) -> bool {
        self.actions
            .values()
            .any(|it| it.target == process.peer && self.slot(it.slot).database == process.database)
    }

    /// Returns whether a process is a start of ours that was given up, and forgets that start.
    fn take_lapsed(&mut self, now: Timestamp, process: &Process) -> bool {
        self.lapsed.retain(|it| now.since(it.at) <= LAPSED_FOR);
        let at = self
            .lapsed
            .iter()
            .position(|it| it.database == process.database && it.peer == process.peer);
        at.is_some_and(|at| self.lapsed.remove(at).is_some())
    }
}
