//! Which process sits where, and what an exit leaves behind.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::Effect;
use super::facts::ActionStage;
use super::gate::Session;
use super::state::{
    Action, Agent, Evidence, Lapsed, Phase, Slot, SlotId, Supervisor, Vacancy, Watch,
};
use crate::exchange::ActionId;
use crate::model::{
    Change, DatabaseId, DatabaseName, Ending, Model, PeerId, PeerPresence, Process, ProcessId,
    Role, StartId,
};
use crate::policy::{Policy, noise};
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
            Change::PeerJoined(_) => self.membership_changed(now.at),
            Change::PeerReturned(id) | Change::PeerUnreachable(id) => {
                self.membership_changed(now.at);
                self.doubt(*id);
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
        self.watches.push(Watch {
            policy: self.policy_for(name),
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
        let is_ours = start.is_some() || self.take_lapsed(now.at, process);
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

    /// Returns whether nobody who may be alive out of reach sat there.
    pub(super) fn is_deserted(&self, slot: SlotId) -> bool {
        match &self.slot(slot).phase {
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => {
                !matches!(vacancy.evidence, Evidence::Unreachable { .. })
            }
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } | Phase::Leaving { .. } => true,
        }
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
            Phase::Acting { .. } | Phase::Filled(_) => false,
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
        if matches!(self.slot(slot).phase, Phase::Filled(_)) {
            self.seats[id.index()] = None;
            if let Some(known) = model.process(id) {
                let surplus = &mut self.watch_mut(known.database).surplus;
                surplus.insert((known.life, id));
                self.changed.processes.insert((known.peer, known.pid));
            }
        } else {
            self.fill(now, model, slot, id, effects);
        }
    }

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
        let peer_stayed = match model.peer(peer).presence {
            PeerPresence::Connected { since } => since + self.policy(id).return_grace <= until,
            PeerPresence::Unreachable { .. } => false,
        };
        let is_one_less = peer_stayed && database.running(Role::Sm) > 0;
        if is_one_less {
            self.slot_mut(id).observed = false;
            if self.is_wanted(id)
                && let Some(last) = self.last_beyond_declared(id)
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
    fn last_beyond_declared(&self, id: SlotId) -> Option<SlotId> {
        let declared = self.policy(id).te_min() as usize;
        let seats = &self.watches[self.slot(id).database.index()].seats;
        let in_use = |it: &SlotId| {
            matches!(
                self.slot(*it).phase,
                Phase::Acting { .. } | Phase::Filled(_) | Phase::Vacant(_)
            )
        };
        seats.iter().skip(declared).copied().rfind(in_use)
    }

    /// Moves whatever is the matter with one seat to another, and leaves the first empty.
    fn move_seat(&mut self, model: &Model, from: SlotId, to: SlotId) {
        let phase = self.enter(from, Phase::Empty);
        if let Phase::Filled(process) = phase {
            self.seats[process.index()] = Some(to);
            if let Some(known) = model.process(process) {
                self.changed.processes.insert((known.peer, known.pid));
            }
        }
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
                life: process.life,
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
            let surplus = &mut self.watch_mut(process.database).surplus;
            surplus.remove(&(process.life, id));
            return;
        };
        self.seats[id.index()] = None;
        let peer = process.peer;
        let uptime = now.since(process.first_seen);
        match &self.slot(slot).phase {
            Phase::Filled(it) if *it == id => (),
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => {
                // It was out of reach; now its peer is back without it.
                let was = vacancy.evidence;
                if matches!(was, Evidence::Unreachable { life, .. } if life == process.life)
                    && let Some(vacancy) = self.slot_mut(slot).vacancy_mut()
                {
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
        if !self.is_minded(slot) {
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

    /// Processes of one database that ran side by side end close together: waits, for it may be a
    /// person's doing.
    fn suspect_a_person(&mut self, now: Timestamp, process: &Process) {
        let confirm_for = self.policy_of(process.database).confirm_for;
        self.changed.databases.insert(process.database);
        let watch = self.watch_mut(process.database);
        watch.exits.retain(|at| now.since(*at) <= TOGETHER);
        // One that began when another had ended only took its place.
        if watch.exits.iter().any(|at| *at > process.first_seen) {
            watch.confirm_until = now + confirm_for;
        }
        watch.exits.push_back(now);
    }

    /// A peer went or came back: what its agent answered before says nothing about engines that
    /// are out of reach there.
    fn doubt(&mut self, peer: PeerId) {
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

    fn seat_of(&self, id: ProcessId) -> Option<SlotId> {
        self.seats.get(id.index()).copied().flatten()
    }

    /// Remembers a start that was given up.
    pub(super) fn remember_lapsed(&mut self, action: ActionId, lapsed: Lapsed) {
        if self.lapsed.len() >= LAPSED_MAX
            && let Some((oldest, _)) = self.lapsed.pop_first()
        {
            self.changed.lapsed.insert(oldest);
        }
        self.lapsed.insert(action, lapsed);
        self.changed.lapsed.insert(action);
    }

    /// Returns the start of ours that a process came from, if it may be one that has left.
    fn start_of(&self, process: &Process) -> Option<ActionId> {
        let is_it = |it: &Action| {
            !matches!(it.stage, ActionStage::Preparing { .. })
                && it.target == process.peer
                && self.slot(it.slot).database == process.database
                && agrees(it.start_id.as_ref(), process)
        };
        let found = self.actions.iter().find(|(_, it)| is_it(it));
        found.map(|(action, _)| *action)
    }

    /// Returns whether a process is a start of ours that was given up, and forgets that start.
    fn take_lapsed(&mut self, now: Timestamp, process: &Process) -> bool {
        let changed = &mut self.changed.lapsed;
        self.lapsed.retain(|action, it| {
            let is_over = now.since(it.at) > LAPSED_FOR;
            if is_over {
                changed.insert(*action);
            }
            !is_over
        });
        let is_it = |it: &Lapsed| {
            it.database == process.database
                && it.peer == process.peer
                && agrees(it.start_id.as_ref(), process)
        };
        let found = self.lapsed.iter().find(|(_, it)| is_it(it));
        let Some(action) = found.map(|(action, _)| *action) else {
            return false;
        };
        self.lapsed.remove(&action);
        self.changed.lapsed.insert(action);
        true
    }
}

/// Returns whether a process may have come from that start.
fn agrees(start_id: Option<&StartId>, process: &Process) -> bool {
    start_id
        .zip(process.start_id.as_ref())
        .is_none_or(|(asked, came)| asked == came)
}
