//! What the warden knows by what it was told and what it wanted, kept the plain way. Of its own
//! facts it takes which seat a process sits on, and why a seat is empty.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::SeatName;
use super::archives::is_ending;
use super::clocks::Doubts;
use super::orders::Orders;
use super::overlaps::Claim;
use super::storms::Storms;
use super::told::{State, Told};
use crate::event::{Event, Kind};
use crate::exchange::{ActionId, Deed, Observation, Outcome, Question};
use crate::model::{Address, AgentId, PeerName, Sighting, StartId};
use crate::supervisor::{
    ActionStage, Effect, EvidenceFact, Fact, FactChange, Input, PhaseFact, SlotFact, slot_name,
};
use crate::time::Timestamp;

/// How far a start got, seen from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    Told,
    /// It is to end something.
    Ending,
    Prepared,
    Ready,
    Committed,
}

/// A start between its telling and its end.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) seat: Arc<str>,
    pub(super) database: Arc<str>,
    pub(super) peer: usize,
    pub(super) stage: Stage,
    pub(super) committed: Timestamp,
    /// What the agent calls it, once that is said.
    pub(super) start: Option<Arc<str>>,
    /// Its fate was told.
    pub(super) settled: bool,
    /// Nothing was heard of it, since then.
    pub(super) doubted: Option<Timestamp>,
    /// When the last picture of the whole domain came.
    pub(super) looked: Option<Timestamp>,
}

/// A seat, by the warden's own word and by ours.
#[derive(Clone, Debug, Default)]
pub(super) struct Seat {
    /// The life that sat here last.
    pub(super) bound: Option<usize>,
    /// The same, also when a start for its place has left.
    pub(super) last: Option<usize>,
    pub(super) evidence: Option<EvidenceFact>,
    pub(super) is_vacant: bool,
    /// Since when it is empty; that may have begun on another seat.
    pub(super) since: Timestamp,
    pub(super) prepares: Vec<Timestamp>,
    /// Whether somebody sat here for long enough, by the warden's word.
    pub(super) observed: bool,
    /// How many tries are counted.
    pub(super) tries: u32,
    /// Who was given up here, and may live.
    pub(super) claims: Vec<Claim>,
}

/// What the warden knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) told: Told,
    /// Which gates it told of, and whether they are closed.
    pub(super) gates: BTreeMap<Arc<str>, bool>,
    /// Which databases it told of as left alone, and whether they are.
    pub(super) left_alone: BTreeMap<Arc<str>, bool>,
    pub(super) open: BTreeMap<ActionId, Open>,
    pub(super) seats: BTreeMap<SeatName, Seat>,
    /// When starts were told of, the latest last.
    pub(super) starts: Vec<Timestamp>,
    asked: BTreeMap<ActionId, usize>,
    /// When our own dial to a peer's agent last failed, and when it last answered.
    pub(super) silent: BTreeMap<usize, Timestamp>,
    pub(super) answered: BTreeMap<usize, Timestamp>,
    /// For which seat each start was, unless who came of it took another.
    pub(super) meant: BTreeMap<Arc<str>, SeatName>,
    pub(super) storms: Storms,
    pub(super) orders: Orders,
    /// Since when the clocks make everything doubtful, or a fresh picture settles.
    pub(super) doubts: Option<Doubts>,
    /// Seats that were told to be given up.
    pub(super) held: BTreeSet<SeatName>,
    /// Where an agent said that a database's engines, or its managers, cannot run; and how often
    /// its peer had come into view by then.
    pub(super) out: BTreeMap<(Arc<str>, bool, usize), u32>,
    /// Seats for which no start can work.
    pub(super) useless: BTreeSet<SeatName>,
    /// Starts that were told to have failed, and how many of them were told on.
    pub(super) failed_starts: BTreeSet<(AgentId, Option<StartId>)>,
    pub(super) failures_told: usize,
}

impl Known {
    /// Takes in what the warden is told.
    pub(super) fn hear(&mut self, now: Timestamp, input: &Input) {
        self.told.begun.clear();
        self.told.ended.clear();
        if matches!(input, Input::Began(_)) {
            // Whoever waited for what was due meanwhile is gone.
            self.told.begin();
        }
        self.told.pass(now);
        match input {
            Input::Observed(observation) => {
                self.told.observe(now, observation);
                match observation {
                    Observation::Lost(_) => {
                        self.freeze();
                        self.look_no_more();
                    }
                    Observation::Snapshot(_) => {
                        self.look_again(now);
                        for open in self.open.values_mut() {
                            open.looked = Some(now);
                        }
                    }
                    Observation::Sighted(Sighting::StartFailed {
                        agent_id, start_id, ..
                    }) => {
                        let failed = (agent_id.clone(), start_id.clone());
                        self.failed_starts.insert(failed);
                    }
                    Observation::Managed(_) | Observation::Sighted(_) => (),
                }
            }
            Input::Began(_) => {
                self.freeze();
                self.asked.clear();
                self.doubts = None;
            }
            Input::JournalFailed => {
                self.gates.insert("gate journal".into(), true);
            }
            Input::Reported { action, outcome } => self.report(now, *action, outcome),
            Input::Clock(_) => self.doubts = Some(Doubts::default()),
            Input::Configured(_)
            | Input::Lease(_)
            | Input::Probed(_)
            | Input::Recovered(_)
            | Input::Requested(_)
            | Input::Resumed { .. }
            | Input::Timeout => (),
        }
    }

    fn freeze(&mut self) {
        self.gates.insert("gate not-synced".into(), true);
    }

    /// Returns whether a gate is closed.
    pub(super) fn is_frozen(&self) -> bool {
        let begun = self.gates.contains_key("gate not-synced");
        !begun || self.gates.values().any(|it| *it)
    }

    pub(super) fn is_left_alone(&self, database: &str) -> bool {
        self.left_alone.get(database).copied().unwrap_or_default()
    }

    pub(super) fn is_anything_left_alone(&self) -> bool {
        let mut seats = self.seats.iter().filter(|(_, seat)| seat.is_vacant);
        seats.any(|((database, _), _)| self.is_left_alone(database))
    }

    pub(super) fn is_anything_vacant(&self) -> bool {
        self.seats.values().any(|it| it.is_vacant)
    }

    fn report(&mut self, now: Timestamp, action: ActionId, outcome: &Outcome) {
        if let Some(peer) = self.asked.remove(&action) {
            if matches!(outcome, Outcome::Answered(_)) {
                self.silent.remove(&peer);
                self.answered.insert(peer, now);
            } else {
                self.silent.insert(peer, now);
            }
            return;
        }
        let Some(open) = self.open.get_mut(&action) else {
            return;
        };
        match outcome {
            Outcome::Ready => open.stage = Stage::Ready,
            Outcome::Started(start) => {
                open.start = start.as_ref().map(|it| it.as_str().into());
                if let Some(start) = open.start.clone() {
                    let name = (open.database.clone(), open.seat.clone());
                    self.meant.insert(start, name);
                }
            }
            Outcome::Unanswered(_) => {
                open.doubted.get_or_insert(now);
            }
            Outcome::StartFailed(words) => {
                open.settled = true;
                let open = open.clone();
                self.heed(&open, words);
            }
            Outcome::Answered(_)
            | Outcome::NotSent(_)
            | Outcome::Refused(_)
            | Outcome::Registered { .. }
            | Outcome::Stopped { .. }
            | Outcome::Withdrawn => open.settled = true,
        }
    }

    /// Takes in what the warden knows of its seats.
    pub(super) fn learn(&mut self, facts: &[FactChange]) {
        for change in facts {
            match &change.fact {
                Some(Fact::Slot(slot)) => self.seat(slot),
                Some(Fact::Action(it)) => {
                    if let Some(open) = self.open.get_mut(&it.action) {
                        open.seat = slot_name(it.role, it.ordinal).into();
                    }
                }
                Some(
                    Fact::Archive(_)
                    | Fact::Database(_)
                    | Fact::Decisions(_)
                    | Fact::Domain(_)
                    | Fact::Failure(_)
                    | Fact::Lapsed(_)
                    | Fact::Order(_)
                    | Fact::Peer(_)
                    | Fact::Process(_),
                )
                | None => (),
            }
        }
    }

    fn seat(&mut self, slot: &SlotFact) {
        let name = seat_name(slot);
        let life = match &slot.phase {
            PhaseFact::Filled { peer, pid } => index_of(peer)
                .and_then(|peer| self.told.processes.get(&(peer, *pid)))
                .map(|it| it.life),
            PhaseFact::Acting { .. }
            | PhaseFact::Empty
            | PhaseFact::Held { .. }
            | PhaseFact::Leaving { .. }
            | PhaseFact::Vacant(_) => None,
        };
        if life.is_some() {
            for seat in self.seats.values_mut() {
                if seat.bound == life {
                    seat.bound = None;
                }
            }
        }
        if matches!(slot.phase, PhaseFact::Empty | PhaseFact::Filled { .. }) {
            self.useless.remove(&name);
        }
        if let Some(life) = life {
            self.orders.taken(&name);
            // Whoever was needed somewhere else is from now on nobody's own, also back here.
            if let Some(start) = self.told.lives[life].start.as_deref()
                && self.meant.get(start).is_some_and(|it| *it != name)
            {
                self.meant.remove(start);
            }
        }
        if matches!(slot.phase, PhaseFact::Empty) {
            self.move_away(&name);
        }
        let seat = self.seats.entry(name).or_default();
        seat.tries = slot.tries;
        seat.observed = slot.observed;
        seat.bound = life.or(seat.bound);
        seat.last = life.or(seat.last);
        let vacancy = match &slot.phase {
            PhaseFact::Acting { vacancy, .. } | PhaseFact::Vacant(vacancy) => Some(vacancy),
            PhaseFact::Empty
            | PhaseFact::Filled { .. }
            | PhaseFact::Held { .. }
            | PhaseFact::Leaving { .. } => None,
        };
        seat.is_vacant = vacancy.is_some();
        seat.since = vacancy.map_or(seat.since, |it| it.since);
        seat.evidence = vacancy.map(|it| it.evidence.clone());
    }

    /// Takes in what the warden wants.
    pub(super) fn want(&mut self, now: Timestamp, effect: &Effect) {
        match effect {
            Effect::Do(Deed::Prepare { action, .. }) => {
                if let Some(open) = self.open.get_mut(action) {
                    open.stage = Stage::Prepared;
                    let name = (open.database.clone(), open.seat.clone());
                    self.seats.entry(name).or_default().prepares.push(now);
                }
            }
            Effect::Do(Deed::Commit { action }) => {
                if let Some(open) = self.open.get_mut(action) {
                    open.stage = Stage::Committed;
                    open.committed = now;
                    let name = (open.database.clone(), open.seat.clone());
                    // Whoever sat there is replaced from now on.
                    let bound = self.seats.entry(name.clone()).or_default().bound.take();
                    if let Some(life) = bound {
                        self.give_up_life(name, life);
                    }
                }
            }
            Effect::Do(Deed::Ask { action, question }) => {
                if let Question::Identity(target) = question
                    && let Some(peer) = index_at(&target.address)
                {
                    self.asked.insert(*action, peer);
                }
            }
            Effect::Do(Deed::Stop { action, .. }) => {
                if let Some(open) = self.open.get_mut(action) {
                    open.stage = Stage::Ending;
                }
            }
            Effect::Do(Deed::Abandon { .. } | Deed::Refresh) | Effect::Answer { .. } => (),
            Effect::Raise(event) => self.told_event(now, event),
        }
    }

    fn told_event(&mut self, now: Timestamp, event: &Event) {
        let gate = || event.text.clone().unwrap_or_default();
        let of_database = event.subject.database.as_ref();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other kinds change nothing here"
        )]
        match event.kind {
            Kind::DomainFrozen | Kind::DomainThawed if of_database.is_some() => {
                let name: Option<Arc<str>> = of_database.map(|it| it.as_str().into());
                let is_closed = event.kind == Kind::DomainFrozen;
                self.left_alone.insert(name.unwrap_or_default(), is_closed);
            }
            // It is shown; each slot is kept by it on its own.
            Kind::DomainFrozen | Kind::DomainThawed if &*gate() == "gate views-differ" => (),
            Kind::DomainFrozen => drop(self.gates.insert(gate(), true)),
            Kind::DomainThawed => drop(self.gates.insert(gate(), false)),
            Kind::ActionStarted => {
                // The steps of a cold start are one start.
                let text = event.text.as_deref().unwrap_or_default();
                let is_step = text.contains(" of the cold start that action ");
                if !is_step && !is_ending(event) {
                    self.starts.push(now);
                }
                if !is_ending(event) {
                    self.storms.started(now);
                }
                let subject = &event.subject;
                let database = subject.database.as_ref().map(ToString::to_string);
                let open = Open {
                    seat: subject.slot.clone().unwrap_or_default(),
                    database: database.unwrap_or_default().into(),
                    peer: subject.peer.as_ref().and_then(index_of).unwrap_or_default(),
                    stage: Stage::Told,
                    committed: now,
                    start: None,
                    settled: false,
                    doubted: None,
                    looked: None,
                };
                if let Some(action) = event.action {
                    self.open.insert(action, open);
                }
            }
            Kind::ActionFailed | Kind::ActionSucceeded => {
                if let Some(open) = event.action.and_then(|it| self.open.remove(&it))
                    && event.kind == Kind::ActionFailed
                {
                    self.give_up_start(now, &open);
                }
            }
            Kind::SlotHeld => {
                self.held.extend(seat_of(event));
            }
            Kind::SlotReleased => {
                if let Some(name) = seat_of(event) {
                    self.held.remove(&name);
                    self.useless.remove(&name);
                }
            }
            _ => (),
        }
    }

    /// Returns whether a life still goes on where we can see it.
    pub(super) fn lives(&self, life: usize) -> bool {
        let mut all = self.told.processes.values();
        all.any(|it| it.life == life && it.state == State::Live)
    }
}

/// Returns which action a fact says may leave.
pub(super) fn committed(change: &FactChange) -> Option<ActionId> {
    match &change.fact {
        Some(Fact::Action(it)) if matches!(it.stage, ActionStage::Committed { .. }) => {
            Some(it.action)
        }
        _ => None,
    }
}

/// Returns whether an outcome shows that a request left; of one that nobody answered who knows.
pub(super) const fn has_left(outcome: &Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Refused(_)
            | Outcome::Registered { .. }
            | Outcome::StartFailed(_)
            | Outcome::Started(_)
    )
}

/// Returns whether a seat is one of a storage manager.
pub(super) fn is_manager(seat: &str) -> bool {
    seat.starts_with("sm/")
}

/// Names the seat that an event is about.
fn seat_of(event: &Event) -> Option<SeatName> {
    let database = event.subject.database.as_ref()?.as_str().into();
    Some((database, event.subject.slot.clone()?))
}

/// Names the seat that a fact is about.
pub(super) fn seat_name(slot: &SlotFact) -> SeatName {
    (slot.database.as_str().into(), slot.name().into())
}

/// Returns which peer is called that: `10.0.0.3:48004` is number 3.
pub(super) fn index_of(name: &PeerName) -> Option<usize> {
    named(name.as_str())
}

/// As [`index_of`].
pub(super) fn named(name: &str) -> Option<usize> {
    let (host, _) = name.rsplit_once(':')?;
    index_in(host)
}

pub(super) fn index_at(address: &Address) -> Option<usize> {
    index_in(&address.host)
}

fn index_in(host: &str) -> Option<usize> {
    host.strip_prefix("10.0.0.")?.parse().ok()
}
