//! What the healer gave up on: held until a person releases it, or until a process has sat there
//! for long enough to be believed.

use super::Effect;
use super::facts::HoldReason;
use super::state::{Evidence, Phase, SlotId, Supervisor, Vacancy};
use crate::model::{Model, ProcessId};
use crate::time::{Moment, Timestamp};

/// What the healer gave up on, and a process sits there since.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct GivenUp {
    pub(super) reason: HoldReason,
    /// When the process that sits there will have run for long enough.
    pub(super) ends: Timestamp,
}

impl Supervisor {
    /// Returns whether the healer gave up on a seat, and nothing has ended that yet.
    pub(super) fn is_given_up(&self, id: SlotId) -> bool {
        let slot = self.slot(id);
        slot.given_up.is_some() || matches!(slot.phase, Phase::Held { .. })
    }

    /// A process took a seat that the healer gave up on.
    pub(super) fn put_on_probation(
        &mut self,
        now: Timestamp,
        model: &Model,
        id: SlotId,
        process: ProcessId,
        reason: HoldReason,
    ) {
        let since = model.process(process).map_or(now, |it| it.first_seen);
        let ends = since + self.policy(id).min_uptime;
        self.slot_mut(id).given_up = Some(GivenUp { reason, ends });
        self.probation.insert(id);
    }

    /// A process ended too early to end the hold of its seat.
    pub(super) fn hold_again(&mut self, now: Timestamp, id: SlotId, vacancy: &Vacancy) -> bool {
        let Some(given_up) = self.slot(id).given_up.filter(|it| it.ends > now) else {
            return false;
        };
        self.slot_mut(id).given_up = None;
        self.probation.remove(&id);
        let phase = Phase::Held {
            reason: given_up.reason,
            again: now,
            vacancy: Some(Box::new(vacancy.clone())),
        };
        self.enter(id, phase);
        true
    }

    /// Ends the holds of seats whose process has run for long enough.
    pub(super) fn mind_probation(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        for id in self.probation.clone() {
            let slot = self.slot(id);
            let over = match (&slot.phase, slot.given_up) {
                (Phase::Filled(_), Some(it)) if it.ends > now.at => None,
                (Phase::Filled(_), Some(_)) => Some("a process has run there for a while"),
                (_, Some(_)) => Some("its process has another seat"),
                (_, None) => None,
            };
            if let Some(why) = over {
                self.slot_mut(id).given_up = None;
                self.tell_released(now, model, id, why, effects);
            }
            if self.slot(id).given_up.is_none() {
                self.probation.remove(&id);
            }
        }
    }

    /// Returns when the next of them ends.
    pub(super) fn next_probation(&self) -> Option<Timestamp> {
        let all = self.probation.iter();
        all.filter_map(|id| Some(self.slot(*id).given_up?.ends))
            .min()
    }

    /// A person wants a seat minded again: it is tried as if for the first time.
    pub(super) fn mind_again(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        why: &str,
        effects: &mut Vec<Effect>,
    ) {
        self.probation.remove(&id);
        let slot = self.slot_mut(id);
        slot.tries = 0;
        if slot.given_up.take().is_some() {
            self.tell_released(now, model, id, why, effects);
            return;
        }
        if let Phase::Held { vacancy, .. } = &mut slot.phase {
            let none = || Box::new(Vacancy::new(now.at, Evidence::Declared));
            let vacancy = vacancy.get_or_insert_with(none);
            if let Evidence::Vanished { peer } = vacancy.evidence {
                // Whoever releases it vouches for it; what there is to join is still asked.
                vacancy.evidence = Evidence::Exit { peer };
            }
            self.unhold(now, model, id, why, effects);
        }
    }
}
