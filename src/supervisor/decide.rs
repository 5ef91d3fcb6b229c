//! From what is missing to what is done about it.

use super::facts::HoldReason;
use super::place::Choice;
use super::rule::{Blocked, Case, Hindrance, Obstacle, Query};
use super::state::{Phase, SlotId, Supervisor, Vacancy};
use super::{Effect, Mode};
use crate::model::{Model, Role};
use crate::mutation::Mutant;
use crate::time::{Moment, Timestamp};

/// What is done about one vacancy.
pub(super) enum Decision {
    /// Ask something first.
    Ask(Query),
    /// Nothing now.
    Blocked(Blocked),
    /// Nothing any more without a person.
    Hold(HoldReason),
    /// Start it there.
    Start(Choice),
}

impl Supervisor {
    /// Does whatever can be done now. To be called after every input.
    pub fn act(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        self.mind_orders(now, model, effects);
        self.mind_gates(now, model, effects);
        self.mind_budget(now);
        self.mind_probation(now, model, effects);
        self.mind_actions(now, model, effects);
        let mut slots: Vec<SlotId> = self.busy.iter().copied().collect();
        // Whoever may be alive out of reach has the first claim to its seat.
        let (deserted, others): (Vec<_>, Vec<_>) =
            slots.iter().copied().partition(|id| self.is_deserted(*id));
        for id in deserted.into_iter().chain(others) {
            self.seat_surplus(now, model, id, effects);
        }
        self.tell_surplus(now, model, effects);
        self.tell_stuck(now, model, effects);
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
        let gate = self.gates.opens(self.settings.settling());
        let actions = self.actions.values().map(|it| it.stage.deadline());
        let slots = self
            .busy
            .iter()
            .filter_map(|id| match &self.slot(*id).phase {
                Phase::Acting { .. }
                | Phase::Empty
                | Phase::Filled(_)
                | Phase::Held {
                    reason: HoldReason::ArchiveUnknown,
                    ..
                } => None,
                Phase::Held { again, .. } => Some(*again),
                // Judged on fresh knowledge only.
                Phase::Leaving { until, .. } => self.gates.knows().then_some(*until),
                Phase::Vacant(vacancy) => vacancy.look,
            });
        let healer = self.healer_leaves();
        let stuck = self.progress.due().filter(|_| self.gates.knows());
        let gates = gate.into_iter().chain(healer).chain(stuck);
        let people = self.next_order.into_iter().chain(self.next_probation());
        gates.chain(actions).chain(slots).chain(people).min()
    }

    fn mind_slot(&mut self, now: Moment, model: &Model, id: SlotId, effects: &mut Vec<Effect>) {
        match self.slot(id).phase {
            Phase::Acting { .. } | Phase::Filled(_) | Phase::Vacant(_) => (),
            Phase::Empty => self.miss_declared(now.at, model, id),
            Phase::Held { .. } if !self.is_wanted(id) => {
                self.enter(id, Phase::Empty);
                self.tell_released(now, model, id, "nobody wants it any more", effects);
            }
            Phase::Held {
                reason: HoldReason::ArchiveUnknown,
                ..
            } if self.archive_of(model, id).is_some() => {
                self.unhold(now, model, id, "its archive is known now", effects);
            }
            Phase::Held { again, reason, .. } => {
                // Of what was not lost by us it is said once.
                if again <= now.at && reason != HoldReason::ArchiveUnknown {
                    let later = now.at + self.policy(id).waits.held_again;
                    if let Phase::Held { again, .. } = &mut self.slot_mut(id).phase {
                        *again = later;
                    }
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
    fn miss_declared(&mut self, now: Timestamp, model: &Model, id: SlotId) {
        if !self.gates.knows() {
            return;
        }
        if self.is_wanted(id) {
            let why = self.why_empty(model, id);
            self.enter(id, Phase::Vacant(Box::new(Vacancy::new(now, why))));
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
        if !(is_wanted || is_asked_for) {
            self.forget_told(id);
            return;
        }
        if self.settings.mode == Mode::Observe {
            return;
        }
        match self.decide(now.at, model, id) {
            Decision::Ask(query) => {
                self.notes.waits.push((id, query.obstacle().blocks()));
                match query {
                    Query::Agent(peer) => self.ask(model, id, peer, effects),
                    Query::Archives => self.ask_archives(now.at, model, id, effects),
                }
            }
            Decision::Blocked(blocked) => {
                self.notes.waits.push((id, blocked));
                self.tell_blocked(now, model, id, blocked, effects);
            }
            Decision::Hold(_) if !is_wanted => {
                // Nobody has to release what nobody but the one who asks wants.
                let blocked = Obstacle::DatabaseDown.blocks();
                self.tell_blocked(now, model, id, blocked, effects);
            }
            Decision::Hold(reason) => self.give_up(now, model, id, reason, effects),
            Decision::Start(choice) => self.start(now, model, id, choice, effects),
        }
    }

    /// Decides what is done about an empty seat.
    pub(super) fn decide(&self, now: Timestamp, model: &Model, id: SlotId) -> Decision {
        let Phase::Vacant(vacancy) = &self.slot(id).phase else {
            return Decision::Blocked(Obstacle::NotVacant.blocks());
        };
        let case = Case {
            now,
            model,
            slot: id,
            vacancy,
            target: None,
            leaving: None,
        };
        let choice = match self.objection(&case) {
            Some(objection) => Err(objection),
            None => self.find_place(&case),
        };
        match choice {
            Ok(choice) => {
                debug_assert_eq!(
                    self.objection(&case.at(choice.target)),
                    None,
                    "it may begin"
                );
                Decision::Start(choice)
            }
            Err(objection) => match objection.hindrance {
                Hindrance::Ask(query) => Decision::Ask(query),
                Hindrance::Blocked(blocked) => Decision::Blocked(blocked),
                Hindrance::Hold(reason) => Decision::Hold(reason),
            },
        }
    }

    /// Returns whether the pause before the next try is over.
    pub(super) fn pause_over(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let (from, until) = case.vacancy.pause;
        if until <= case.now || self.settings.planted.has(Mutant::NoPause) {
            return Ok(());
        }
        let until = if self.is_last(case) {
            // Nobody is served.
            until.min(from + self.policy(case.slot).waits.last_pause)
        } else {
            until
        };
        if until > case.now {
            return Err(Obstacle::Pace.blocks_until(until).into());
        }
        Ok(())
    }
}
