//! From what is missing to what is done about it.

use std::time::Duration;

use super::evidence::{Blocked, Verdict};
use super::facts::{ActionStage, HoldReason, WishFact};
use super::state::{About, Action, Agent, Evidence, Phase, SlotId, Supervisor, Vacancy};
use super::{Effect, Mode};
use crate::event::Kind;
use crate::exchange::{Deed, Question, Start, Target};
use crate::model::{DatabaseId, Model, PeerId, PeerPresence, Role};
use crate::policy::{Candidate, Place, Step, choose};
use crate::time::{Moment, Timestamp};

/// A slot for which nothing was done for so long is told of as blocked.
const BLOCKED_AFTER: Duration = Duration::from_secs(120);

/// A held slot is told of again this often.
const HELD_AGAIN: Duration = Duration::from_secs(3_600);

/// A failure at a peer counts against it for so long.
const LATELY: Duration = Duration::from_secs(600);

/// So many failures at peers are remembered before the old ones are forgotten.
const FAILURES_MAX: usize = 10_000;

/// Without any transaction engine nobody is served, so pauses are at most this long.
const LAST_OF_ROLE_PAUSE: Duration = Duration::from_secs(10);

/// What is done about one vacancy.
pub(super) enum Decision {
    /// Ask the agent of the peer it was on whether it answers.
    Ask(PeerId),
    /// Nothing now.
    Blocked(Blocked),
    /// Nothing any more without a person.
    Hold(HoldReason),
    /// Start it there.
    Start { target: PeerId, why: String },
}

impl Supervisor {
    /// Does whatever can be done now. To be called after every input.
    pub fn act(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        self.mind_gates(now, model, effects);
        self.mind_actions(now, model, effects);
        let mut slots: Vec<SlotId> = self.busy.iter().copied().collect();
        // Whoever may be alive out of reach has the first claim to its seat.
        let (deserted, others): (Vec<_>, Vec<_>) =
            slots.iter().copied().partition(|id| self.is_deserted(*id));
        for id in deserted.into_iter().chain(others) {
            self.seat_surplus(now, model, id, effects);
        }
        self.tell_completeness(now, model, effects);
        if slots.len() > 1 {
            // A database without a transaction engine serves nobody, so it goes first.
            slots.sort_by_key(|id| {
                (
                    model.database(self.slot(*id).database).running(Role::Te),
                    *id,
                )
            });
        }
        for id in slots {
            self.mind_slot(now, model, id, effects);
        }
        self.tell_completeness(now, model, effects);
    }

    /// Returns when [`act`](Self::act) should be called even if nothing else happens.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let gate = self.gates.opens(self.settings.settle);
        let actions = self.actions.values().map(|it| it.stage.deadline());
        let slots = self
            .busy
            .iter()
            .filter_map(|id| match &self.slot(*id).phase {
                Phase::Acting { .. } | Phase::Empty | Phase::Filled(_) => None,
                Phase::Held { again, .. } => Some(*again),
                // Judged on fresh knowledge only.
                Phase::Leaving { until, .. } => self.gates.knows().then_some(*until),
                Phase::Vacant(vacancy) => vacancy.look,
            });
        gate.into_iter().chain(actions).chain(slots).min()
    }

    fn mind_slot(&mut self, now: Moment, model: &Model, id: SlotId, effects: &mut Vec<Effect>) {
        match self.slot(id).phase {
            Phase::Acting { .. } | Phase::Filled(_) | Phase::Vacant(_) => (),
            Phase::Empty => self.miss_declared(now.at, id),
            Phase::Held { .. } if !self.is_wanted(id) => {
                self.enter(id, Phase::Empty);
                self.tell_released(now, model, id, "nobody wants it any more", effects);
            }
            Phase::Held { again, reason } => {
                if again <= now.at {
                    let again = now.at + HELD_AGAIN;
                    self.slot_mut(id).phase = Phase::Held { reason, again };
                    self.tell_held(now, model, id, reason, effects);
                }
            }
            Phase::Leaving { until, peer } => {
                if until <= now.at && self.gates.knows() {
                    self.mind_leaving(now.at, model, id, peer, until);
                }
            }
        }
        self.seat_surplus(now, model, id, effects);
        if matches!(self.slot(id).phase, Phase::Vacant(_)) {
            self.mind_vacancy(now, model, id, effects);
        }
    }

    /// A declared seat that nobody ever took is missed once the gate is open.
    fn miss_declared(&mut self, now: Timestamp, id: SlotId) {
        if !self.gates.knows() {
            return;
        }
        if self.is_wanted(id) {
            self.enter(
                id,
                Phase::Vacant(Box::new(Vacancy::new(now, Evidence::Declared))),
            );
        } else {
            self.busy.remove(&id);
        }
    }

    fn mind_vacancy(&mut self, now: Moment, model: &Model, id: SlotId, effects: &mut Vec<Effect>) {
        if !self.is_minded(id) {
            self.enter(id, Phase::Empty);
            return;
        }
        self.mind_wish(now, model, id, effects);
        let wish = self.slot(id).vacancy().and_then(|it| it.wish.as_ref());
        let (is_asked_for, until) = (wish.is_some(), wish.map(|it| it.until));
        self.look_at(id, until);
        let is_wanted = self.is_wanted(id);
        if self.settings.mode == Mode::Observe || !(is_wanted || is_asked_for) {
            return;
        }
        match self.decide(now.at, model, id) {
            Decision::Ask(peer) => self.ask(model, id, peer, effects),
            Decision::Blocked(blocked) => self.tell_blocked(now, model, id, blocked, effects),
            Decision::Hold(_) if !is_wanted => {
                // Nobody has to release what nobody but the one who asks wants.
                let blocked = Blocked::by("database-down");
                self.tell_blocked(now, model, id, blocked, effects);
            }
            Decision::Hold(reason) => {
                let again = now.at + HELD_AGAIN;
                self.enter(id, Phase::Held { reason, again });
                self.tell_held(now, model, id, reason, effects);
            }
            Decision::Start { target, why } => self.start(now, model, id, target, why, effects),
        }
    }

    pub(super) fn decide(&self, now: Timestamp, model: &Model, id: SlotId) -> Decision {
        let Phase::Vacant(vacancy) = &self.slot(id).phase else {
            return Decision::Blocked(Blocked::by("not-vacant"));
        };
        if let Some(gate) = self.gates.closed() {
            return Decision::Blocked(Blocked::by(gate.as_str()));
        }
        let database = self.slot(id).database;
        if self
            .actions
            .values()
            .any(|it| self.slot(it.slot).database == database)
        {
            return Decision::Blocked(Blocked::by("lane"));
        }
        let is_last = model.database(database).running(Role::Te) == 0;
        let confirm_until = self.watches[database.index()].confirm_until;
        if let Some(blocked) = blocked_by_time(now, confirm_until, vacancy, is_last) {
            return Decision::Blocked(blocked);
        }
        match self.may_join(model, id, vacancy) {
            Verdict::Allowed | Verdict::Ask => (),
            Verdict::Blocked(blocked) => return Decision::Blocked(blocked),
            Verdict::Hold(reason) => return Decision::Hold(reason),
        }
        self.decide_place(now, model, id, vacancy, is_last)
    }

    /// Decides where, now that something may be started.
    fn decide_place(
        &self,
        now: Timestamp,
        model: &Model,
        id: SlotId,
        vacancy: &Vacancy,
        is_last: bool,
    ) -> Decision {
        let here = vacancy.evidence.here();
        let all = self.candidates(now, model, id);
        let elsewhere: Vec<Candidate> = all
            .iter()
            .filter(|it| Some(it.peer) != here)
            .cloned()
            .collect();
        if let Some(asked) = self.decide_as_asked(now, model, id, vacancy, &all) {
            return asked;
        }
        let tries = self.slot(id).tries;
        let step = if is_last && tries > 0 {
            // Nobody is served without it: one try as the stages begin, then everywhere in turn.
            Step::Tail
        } else {
            self.policy(id).step(tries, elsewhere.len())
        };
        let target = match step {
            Step::Hold => return Decision::Hold(HoldReason::StagesUsedUp),
            Step::Try(Place::Here) => all.iter().find(|it| Some(it.peer) == here),
            Step::Try(Place::Elsewhere) => choose(&elsewhere),
            Step::Tail => choose(&all),
        };
        let stay = self.may_stay_here(now, model, id, vacancy);
        if step == Step::Try(Place::Here)
            && let Verdict::Blocked(blocked) = stay
            && blocked.until.is_some()
        {
            // Here is where it belongs, and soon it may be.
            return Decision::Blocked(blocked);
        }
        match (target, stay) {
            (Some(it), Verdict::Allowed) if Some(it.peer) == here => {
                self.chosen(id, vacancy, it, "here")
            }
            _ if !elsewhere.is_empty() => {
                self.decide_elsewhere(now, model, id, vacancy, &elsewhere)
            }
            // Nowhere else to go: back to where it was, whatever the stage says.
            (_, Verdict::Allowed) if !all.is_empty() => self.chosen(id, vacancy, &all[0], "here"),
            _ => Decision::Blocked(Blocked {
                gate: "no-peer",
                until: self.next_settled_peer(now, model, id),
            }),
        }
    }

    pub(super) fn decide_elsewhere(
        &self,
        now: Timestamp,
        model: &Model,
        id: SlotId,
        vacancy: &Vacancy,
        elsewhere: &[Candidate],
    ) -> Decision {
        match self.may_go_elsewhere(now, model, id, vacancy) {
            Verdict::Allowed => match choose(elsewhere) {
                Some(it) => self.chosen(id, vacancy, it, "elsewhere"),
                None => Decision::Blocked(Blocked {
                    gate: "no-peer",
                    until: self.next_settled_peer(now, model, id),
                }),
            },
            Verdict::Ask => vacancy
                .evidence
                .here()
                .map_or(Decision::Blocked(Blocked::by("no-peer")), Decision::Ask),
            Verdict::Blocked(blocked) => Decision::Blocked(blocked),
            Verdict::Hold(reason) => Decision::Hold(reason),
        }
    }

    pub(super) fn chosen(
        &self,
        id: SlotId,
        vacancy: &Vacancy,
        candidate: &Candidate,
        place: &str,
    ) -> Decision {
        let evidence = match vacancy.evidence {
            Evidence::Declared => "declared, and missing",
            Evidence::Exit { .. } => "its exit was told",
            Evidence::Unreachable { .. } => "its peer is out of reach, of us too",
            Evidence::Vanished { .. } => "it was gone when we looked again",
        };
        let asked = vacancy.wish.as_ref();
        let asked = asked.map_or_else(String::new, |it| format!("{} asked for it; ", it.by));
        let why = format!(
            "{asked}{evidence}; try {}, {place}; processes there: {}",
            self.slot(id).tries + 1,
            candidate.processes,
        );
        Decision::Start {
            target: candidate.peer,
            why,
        }
    }

    /// Returns the peers that may take a transaction engine of the slot's database.
    fn candidates(&self, now: Timestamp, model: &Model, id: SlotId) -> Vec<Candidate> {
        let database = self.slot(id).database;
        let return_grace = self.policy(id).return_grace;
        let is_settled = |presence| match presence {
            PeerPresence::Connected { since } => since + return_grace <= now,
            PeerPresence::Unreachable { .. } => false,
        };
        model
            .peers()
            .filter(|(_, peer)| is_settled(peer.presence))
            .filter(|(peer, _)| !self.actions.values().any(|it| it.target == *peer))
            .filter(|(peer, _)| !has_engine(model, *peer, database))
            .map(|(peer, known)| Candidate {
                peer,
                name: known.name.clone(),
                processes: model.processes_at(peer).count(),
                failed: self
                    .failures
                    .get(&(database, peer))
                    .copied()
                    .filter(|at| now.since(*at) < LATELY),
            })
            .collect()
    }

    /// Returns when the next peer will have been there for long enough.
    fn next_settled_peer(&self, now: Timestamp, model: &Model, id: SlotId) -> Option<Timestamp> {
        let return_grace = self.policy(id).return_grace;
        model
            .peers()
            .filter_map(|(_, peer)| match peer.presence {
                PeerPresence::Connected { since } => Some(since + return_grace),
                PeerPresence::Unreachable { .. } => None,
            })
            .filter(|at| *at > now)
            .min()
    }

    fn ask(&mut self, model: &Model, id: SlotId, peer: PeerId, effects: &mut Vec<Effect>) {
        let action = self.new_action();
        self.dials.insert(action, id);
        if let Some(vacancy) = self.slot_mut(id).vacancy_mut() {
            vacancy.agent = Agent::Asked(action);
        }
        let question = Question::Identity(target_of(model, peer));
        effects.push(Effect::Do(Deed::Ask { action, question }));
    }

    fn start(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        target: PeerId,
        why: String,
        effects: &mut Vec<Effect>,
    ) {
        let database = self.slot(id).database;
        let name = &model.database(database).name;
        let options = self.settings.te_options.get(name).cloned();
        let Some(options) = options.filter(|_| self.settings.mode == Mode::Heal) else {
            self.suggest(now, model, id, target, &why, effects);
            return;
        };
        let action = self.new_action();
        let valid_until = now.at + self.settings.prepare_timeout;
        let Phase::Vacant(vacancy) = self.enter(id, Phase::Empty) else {
            unreachable!("only a vacancy is decided about");
        };
        let by = vacancy.wish.as_ref().map(|it| it.by.clone());
        self.enter(id, Phase::Acting { action, vacancy });
        // Counted before it is tried: whatever happens, no try is forgotten.
        self.slot_mut(id).tries += 1;
        let stage = ActionStage::Preparing {
            // The driver reports by itself; this is for a driver that does not.
            deadline: valid_until + self.settings.prepare_timeout,
        };
        self.changed.actions.insert(action);
        self.actions.insert(
            action,
            Action {
                slot: id,
                target,
                stage,
                start_id: None,
                by,
            },
        );
        let start = Start {
            target: target_of(model, target),
            database: name.clone(),
            role: Role::Te,
            options,
        };
        let about = About {
            slot: Some(id),
            peer: Some(target),
            action: Some(action),
            text: why,
            ..About::default()
        };
        self.raise(now, model, Kind::ActionStarted, about, effects);
        effects.push(Effect::Do(Deed::Prepare {
            action,
            start,
            valid_until,
        }));
    }

    fn suggest(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        target: PeerId,
        why: &str,
        effects: &mut Vec<Effect>,
    ) {
        let reason = match self.settings.mode {
            Mode::Heal => "te-options are not configured ([] would do)",
            Mode::Observe | Mode::Suggest => "the mode is suggest",
        };
        if self.slot(id).vacancy().is_none_or(|it| it.told.suggested) {
            return;
        }
        if let Some(vacancy) = self.slot_mut(id).vacancy_mut() {
            vacancy.told.suggested = true;
        }
        let about = About {
            slot: Some(id),
            peer: Some(target),
            text: format!("{why}; not done: {reason}"),
            ..About::default()
        };
        self.raise(now, model, Kind::ActionSuggested, about, effects);
    }

    fn tell_held(
        &self,
        now: Moment,
        model: &Model,
        id: SlotId,
        reason: HoldReason,
        effects: &mut Vec<Effect>,
    ) {
        let about = About {
            slot: Some(id),
            text: format!("{}; a process that joins ends the hold", reason.as_str()),
            ..About::default()
        };
        self.raise(now, model, Kind::SlotHeld, about, effects);
    }

    pub(super) fn tell_released(
        &self,
        now: Moment,
        model: &Model,
        id: SlotId,
        why: &str,
        effects: &mut Vec<Effect>,
    ) {
        let about = About {
            slot: Some(id),
            text: why.to_owned(),
            ..About::default()
        };
        self.raise(now, model, Kind::SlotReleased, about, effects);
    }

    fn tell_blocked(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        blocked: Blocked,
        effects: &mut Vec<Effect>,
    ) {
        let Some(vacancy) = self.slot(id).vacancy() else {
            return;
        };
        let wish = vacancy.wish.as_ref();
        let asked = wish.map_or(vacancy.since, WishFact::asked);
        let tell_at = vacancy.since.max(asked) + BLOCKED_AFTER;
        let tell = (!vacancy.told.blocked).then_some(tell_at);
        let again = tell.filter(|at| *at > now.at);
        let given_up = wish.map(|it| it.until);
        let look = blocked.until.into_iter().chain(again).chain(given_up);
        self.look_at(id, look.min());
        if tell.is_none_or(|at| at > now.at) {
            return;
        }
        if let Some(vacancy) = self.slot_mut(id).vacancy_mut() {
            vacancy.told.blocked = true;
        }
        let about = About {
            slot: Some(id),
            text: format!("gate {}", blocked.gate),
            ..About::default()
        };
        self.raise(now, model, Kind::SlotBlocked, about, effects);
    }

    /// Notes when to look at a vacancy again. That follows from the rest, so it is no fact.
    fn look_at(&mut self, id: SlotId, look: Option<Timestamp>) {
        if let Phase::Vacant(vacancy) = &mut self.slots[id.0 as usize].phase {
            vacancy.look = look;
        }
    }

    /// Remembers that a start of a database failed at a peer.
    pub(super) fn remember_failure(&mut self, now: Timestamp, database: DatabaseId, peer: PeerId) {
        if self.failures.len() >= FAILURES_MAX {
            let changed = &mut self.changed.failures;
            self.failures.retain(|key, at| {
                let is_late = now.since(*at) < LATELY;
                if !is_late {
                    changed.insert(*key);
                }
                is_late
            });
        }
        self.changed.failures.insert((database, peer));
        self.failures.insert((database, peer), now);
    }

    /// Tells when a database has less than is wanted, and when it has all of it again.
    fn tell_completeness(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        for database in std::mem::take(&mut self.touched) {
            let watch = &self.watches[database.index()];
            let missing = watch
                .seats
                .iter()
                .filter(|id| {
                    matches!(
                        self.slot(**id).phase,
                        Phase::Acting { .. } | Phase::Held { .. } | Phase::Vacant(_)
                    )
                })
                .count();
            // Without a policy nothing is wanted, so nothing is missing.
            let is_degraded = missing > 0 && watch.policy.is_some();
            if watch.degraded == is_degraded {
                continue;
            }
            self.changed.databases.insert(database);
            self.watch_mut(database).degraded = is_degraded;
            let (kind, text) = if is_degraded {
                (
                    Kind::DatabaseDegraded,
                    format!("{missing} wanted process missing"),
                )
            } else {
                (Kind::DatabaseRestored, String::new())
            };
            let about = About {
                database: Some(database),
                text,
                ..About::default()
            };
            self.raise(now, model, kind, about, effects);
        }
    }
}

/// Returns what time alone keeps from being done about a vacancy.
fn blocked_by_time(
    now: Timestamp,
    confirm_until: Timestamp,
    vacancy: &Vacancy,
    is_last: bool,
) -> Option<Blocked> {
    let (from, until) = vacancy.pause;
    let until = if is_last {
        until.min(from + LAST_OF_ROLE_PAUSE)
    } else {
        until
    };
    if confirm_until > now {
        Some(Blocked::until("confirm", confirm_until))
    } else if until > now {
        Some(Blocked::until("pace", until))
    } else {
        None
    }
}

/// Returns whether a transaction engine of that database is known at the peer, in any state.
pub(super) fn has_engine(model: &Model, peer: PeerId, database: DatabaseId) -> bool {
    model
        .processes_at(peer)
        .any(|(_, it)| it.database == database && it.role == Role::Te)
}

fn target_of(model: &Model, peer: PeerId) -> Target {
    let known = model.peer(peer);
    Target {
        peer: known.name.clone(),
        agent_id: known.agent_id.clone(),
        address: known.agent_address().clone(),
    }
}
