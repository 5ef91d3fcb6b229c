//! Notes what was decided about each seat, so that it can be explained afterwards.
//!
//! It is read off from what a turn left behind: which seats changed, what was told of them, and
//! what kept them from being filled. Nothing is decided by it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::Effect;
use super::facts::{Decision, DecisionStep};
use super::rule::Blocked;
use super::state::{Phase, SlotId, Supervisor};
use crate::event::{Event, Kind};
use crate::model::{Model, PeerId, PeerName};
use crate::time::Moment;

/// So many decisions of one seat are remembered.
const KEPT: usize = 16;

/// What was decided about each seat lately, and what is still to be noted of this turn.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The oldest first. Seats to which nothing ever happened have none.
    pub(super) log: BTreeMap<SlotId, VecDeque<Decision>>,
    /// Seats that changed in this turn.
    pub(super) touched: BTreeSet<SlotId>,
    /// What keeps seats empty, as it was found in this turn.
    pub(super) waits: Vec<(SlotId, Blocked)>,
    /// Who left a seat in this turn.
    pub(super) gone: BTreeMap<SlotId, (PeerId, u32)>,
}

impl Supervisor {
    /// Notes what this turn decided, from what it told. To be called last.
    pub fn note_decisions(&mut self, now: Moment, model: &Model, told: &[Effect]) {
        if self.notes.touched.is_empty() && self.notes.waits.is_empty() {
            return;
        }
        let touched = std::mem::take(&mut self.notes.touched);
        let waits = std::mem::take(&mut self.notes.waits);
        let gone = std::mem::take(&mut self.notes.gone);
        let name = |(peer, pid): &(PeerId, u32)| (model.peer(*peer).name.clone(), *pid);
        for id in &touched {
            self.note_end(now, *id, gone.get(id).map(name));
        }
        for effect in told {
            if let Effect::Raise(event) = effect
                && let Some(id) = self.slot_of(model, event)
            {
                self.note_told(now, id, event);
            }
        }
        for (id, blocked) in waits {
            self.note_wait(now, id, blocked);
        }
        for id in touched {
            self.note_rest(now, model, id, gone.get(&id).map(name));
        }
    }

    /// Returns what was decided about a seat lately, the oldest first.
    pub(super) fn decisions(&self, id: SlotId) -> impl Iterator<Item = &Decision> {
        self.notes.log.get(&id).into_iter().flatten()
    }

    /// Returns the seat that an event is about, if it is about one.
    fn slot_of(&self, model: &Model, event: &Event) -> Option<SlotId> {
        let slot = event.subject.slot.as_deref()?;
        let database = model.database_named(event.subject.database.as_ref()?)?;
        let mut seats = self.watches.get(database.index())?.seats();
        seats.find(|id| *self.slot(*id).name() == *slot)
    }

    /// Its process went, by whatever evidence.
    fn note_end(&mut self, now: Moment, id: SlotId, gone: Option<(PeerName, u32)>) {
        let (step, says) = match &self.slot(id).phase {
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => {
                (DecisionStep::Vacant, vacancy.evidence.first_says())
            }
            Phase::Leaving { .. } => (
                DecisionStep::Leaving,
                "it ended as somebody wished; its peer must stay before that is believed",
            ),
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } => return,
        };
        let last = self.last_state(id);
        if last.is_some_and(|it| it.step == step && *it.says == *says) {
            return;
        }
        let process = gone.or_else(|| last.and_then(|it| it.process.clone()));
        self.note(id, decision(now, step, says, process));
    }

    fn note_told(&mut self, now: Moment, id: SlotId, event: &Event) {
        let text = event.text.clone().unwrap_or_default();
        let step = DecisionStep::Told(event.kind);
        let peer = event.subject.peer.as_ref();
        let process = event.subject.process.as_ref();
        let process = peer.zip(process).map(|(peer, it)| (peer.clone(), it.pid));
        let says = match (peer, &process) {
            (Some(peer), None) if text.is_empty() => format!("at {peer}").into(),
            (Some(peer), None) => format!("at {peer}: {text}").into(),
            (Some(_) | None, _) => text,
        };
        let action = event.action;
        let decision = Decision {
            action,
            ..decision(now, step, &says, process)
        };
        self.note(id, decision);
    }

    /// Something is in the way; the same as before is not said twice.
    fn note_wait(&mut self, now: Moment, id: SlotId, blocked: Blocked) {
        let gate = blocked.by.as_str();
        let says = self.in_the_way(blocked.by);
        let log = self.notes.log.get(&id);
        let latest = log.into_iter().flat_map(|it| it.iter().rev());
        let is_wait = |it: &&Decision| {
            matches!(
                it.step,
                DecisionStep::Blocked | DecisionStep::Told(Kind::SlotBlocked)
            )
        };
        if latest
            .take_while(is_wait)
            .any(|it| it.gate.as_deref() == Some(gate))
        {
            return;
        }
        let decision = Decision {
            gate: Some(gate.into()),
            ..decision(now, DecisionStep::Blocked, &says, None)
        };
        self.note(id, decision);
    }

    /// Somebody sits there again, or nobody has to. Of seats to which nothing ever happened nothing
    /// is noted.
    fn note_rest(&mut self, now: Moment, model: &Model, id: SlotId, gone: Option<(PeerName, u32)>) {
        let last = self.last_state(id);
        let decision = match &self.slot(id).phase {
            Phase::Filled(process) => {
                let Some(process) = model.process(*process).filter(|_| last.is_some()) else {
                    return;
                };
                let process = (model.peer(process.peer).name.clone(), process.pid);
                let sits = |it: &Decision| {
                    it.step == DecisionStep::Filled && it.process.as_ref() == Some(&process)
                };
                if last.is_some_and(sits) {
                    return;
                }
                let says = format!("{}/{} sits there", process.0, process.1);
                decision(now, DecisionStep::Filled, &says, Some(process))
            }
            Phase::Empty => {
                let was = last.map(|it| it.step);
                if was == Some(DecisionStep::Unwanted) || (was.is_none() && gone.is_none()) {
                    return;
                }
                let says = if was == Some(DecisionStep::Leaving) {
                    "it ended as somebody wished and its peer stayed, so one less is wanted"
                } else {
                    "its process ended, and neither a minimum nor its uptime makes it wanted"
                };
                let process = gone.or_else(|| last.and_then(|it| it.process.clone()));
                decision(now, DecisionStep::Unwanted, says, process)
            }
            Phase::Acting { .. }
            | Phase::Held { .. }
            | Phase::Leaving { .. }
            | Phase::Vacant(_) => return,
        };
        self.note(id, decision);
    }

    /// Returns the last note that says how the seat was.
    fn last_state(&self, id: SlotId) -> Option<&Decision> {
        let log = self.notes.log.get(&id)?;
        log.iter().rev().find(|it| match it.step {
            DecisionStep::Filled
            | DecisionStep::Leaving
            | DecisionStep::Unwanted
            | DecisionStep::Vacant => true,
            DecisionStep::Blocked | DecisionStep::Told(_) => false,
        })
    }

    fn note(&mut self, id: SlotId, decision: Decision) {
        self.changed.decisions.insert(id);
        let log = self.notes.log.entry(id).or_default();
        log.push_back(decision);
        if log.len() > KEPT {
            log.pop_front();
        }
    }
}

fn decision(
    time: Moment,
    step: DecisionStep,
    says: &str,
    process: Option<(PeerName, u32)>,
) -> Decision {
    Decision {
        time,
        step,
        gate: None,
        process,
        action: None,
        says: Arc::from(says),
    }
}
