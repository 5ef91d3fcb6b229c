//! What becomes of an action: from a prepared session to a running process, or not.

use super::Effect;
use super::facts::ActionStage;
use super::rule::Case;
use super::state::{About, Action, Agent, Lapsed, Phase, SlotId, Supervisor, Vacancy};
use crate::event::Kind;
use crate::exchange::{ActionId, Deed, Outcome};
use crate::model::{Model, PeerId};
use crate::mutation::Mutant;
use crate::time::{Moment, Timestamp};

impl Supervisor {
    /// Takes in what became of a deed. `act` must follow.
    pub fn report(
        &mut self,
        now: Moment,
        model: &Model,
        action: ActionId,
        outcome: &Outcome,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(slot) = self.dials.remove(&action) {
            self.answered(now.at, slot, action, outcome);
            return;
        }
        if self.heard_history(now.at, model, action, outcome) {
            return;
        }
        if let Some(slot) = self.clears.remove(&action) {
            self.changed.slots.insert(slot);
            self.cleared(now, model, (action, slot), outcome, effects);
            return;
        }
        if !self.actions.contains_key(&action) {
            // Late: the action was settled otherwise.
            if *outcome == Outcome::Ready {
                effects.push(Effect::Do(Deed::Abandon { action }));
            }
            self.settle_lapsed(model, action, outcome);
            return;
        }
        match outcome {
            Outcome::Ready => self.ready(now, model, action, effects),
            Outcome::Started(start_id) => {
                if let Some(it) = self.action_mut(action) {
                    it.start_id.clone_from(start_id);
                }
            }
            Outcome::Registered { .. } => self.registered(now.at, action),
            Outcome::Unanswered(_) => self.check(now.at, action, effects),
            Outcome::NotSent(loss) => {
                self.failed(
                    now,
                    model,
                    action,
                    &format!("not sent: {}", loss.reason),
                    effects,
                );
            }
            Outcome::Refused(text) => {
                let words = format!("refused: {text}");
                self.failed_because(now, model, action, &words, effects);
            }
            Outcome::StartFailed(reason) => {
                self.failed_because(now, model, action, reason, effects);
            }
            Outcome::Withdrawn => self.withdrawn(now, model, action, effects),
            Outcome::Answered(_) | Outcome::Stopped { .. } => {
                self.failed(
                    now,
                    model,
                    action,
                    "the driver answered something else",
                    effects,
                );
            }
        }
    }

    /// The model was just taken from a complete picture: a start that was not heard of and does
    /// not show in it failed.
    pub fn refreshed(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        self.clock_refreshed(now.at);
        let checked: Vec<ActionId> = self
            .actions
            .iter()
            .filter(|(_, it)| matches!(it.stage, ActionStage::Checking { .. }))
            .map(|(id, _)| *id)
            .collect();
        for action in checked {
            self.lapse(now, model, action, effects);
        }
    }

    /// Looks after actions nobody reports on.
    pub(super) fn mind_actions(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        for action in std::mem::take(&mut self.void) {
            if self.actions.contains_key(&action) {
                let reason = "not sent: the daemon ended before the request left";
                self.forget_step(action);
                self.failed(now, model, action, reason, effects);
            }
        }
        let overdue: Vec<(ActionId, ActionStage)> = self
            .actions
            .iter()
            .filter(|(_, it)| it.stage.deadline() <= now.at)
            .map(|(id, it)| (*id, it.stage))
            .collect();
        for (action, stage) in overdue {
            match stage {
                ActionStage::Preparing { .. } => {
                    effects.push(Effect::Do(Deed::Abandon { action }));
                    self.failed(
                        now,
                        model,
                        action,
                        "no session to the agent in time",
                        effects,
                    );
                }
                ActionStage::Committed { .. } if self.settings.planted.has(Mutant::GiveUpEarly) => {
                    self.lapse(now, model, action, effects);
                }
                ActionStage::Committed { .. } => self.check(now.at, action, effects),
                ActionStage::Checking { .. } => self.lapse(now, model, action, effects),
                ActionStage::Registered { .. } => self.succeeded(now, model, action, effects),
            }
        }
    }

    /// The session stands: every gate is checked again, for the world may have moved on.
    fn ready(&mut self, now: Moment, model: &Model, action: ActionId, effects: &mut Vec<Effect>) {
        let (slot, target) = {
            let it = &self.actions[&action];
            (it.slot, it.target)
        };
        let Phase::Acting { vacancy, .. } = &self.slot(slot).phase else {
            effects.push(Effect::Do(Deed::Abandon { action }));
            return;
        };
        let case = Case {
            now: now.at,
            model,
            slot,
            vacancy,
            target: Some(target),
            leaving: Some(action),
        };
        let objection = self.objection(&case);
        if let Some(objection) =
            objection.filter(|_| !self.settings.planted.has(Mutant::CheckGatesOnce))
        {
            effects.push(Effect::Do(Deed::Abandon { action }));
            self.abandoned(now, model, action, objection.says(), effects);
            return;
        }
        let deadline = now.at + self.policy(slot).start_timeout + self.settings.waits.report_slack;
        if let Some(it) = self.action_mut(action) {
            it.stage = ActionStage::Committed { deadline };
        }
        self.note_unproven(now.at, action);
        self.remember_archive(model, slot);
        effects.push(Effect::Do(Deed::Commit { action }));
    }

    /// Nothing was heard of a start: a fresh snapshot must say.
    fn check(&mut self, now: Timestamp, action: ActionId, effects: &mut Vec<Effect>) {
        let Some(slot) = self.actions.get(&action).map(|it| it.slot) else {
            return;
        };
        let deadline = now + self.policy(slot).waits.check_for;
        if let Some(it) = self.action_mut(action) {
            it.stage = ActionStage::Checking { deadline };
            effects.push(Effect::Do(Deed::Refresh));
        }
    }

    fn lapse(&mut self, now: Moment, model: &Model, action: ActionId, effects: &mut Vec<Effect>) {
        let it = &self.actions[&action];
        let slot = self.slot(it.slot);
        let lapsed = Lapsed::of(it, (slot.database, slot.rule.role), now.at);
        self.remember_lapsed(action, lapsed);
        self.failed(
            now,
            model,
            action,
            "nothing was heard of the start",
            effects,
        );
    }

    /// The process registered. Which one it is the domain tells, before or after.
    fn registered(&mut self, now: Timestamp, action: ActionId) {
        let deadline = now + self.settings.waits.report_slack;
        if let Some(it) = self.action_mut(action) {
            it.stage = ActionStage::Registered { deadline };
        }
    }

    /// The process registered, and the domain did not tell of it.
    fn succeeded(
        &mut self,
        now: Moment,
        model: &Model,
        action: ActionId,
        effects: &mut Vec<Effect>,
    ) {
        let it = self.close(action).expect("the caller looked it up");
        // Gone again already, or told when there is a session again.
        self.spend_wish(&it);
        self.back_to_vacant(it.slot, action);
        self.delay(now.at, model, it.slot);
        let slot = self.slot(it.slot);
        let lapsed = Lapsed::of(&it, (slot.database, slot.rule.role), now.at);
        self.remember_lapsed(action, lapsed);
        self.tell(
            now,
            model,
            Kind::ActionSucceeded,
            action,
            &it,
            String::new(),
            effects,
        );
    }

    /// Returns whether the request of a start did not leave yet.
    pub(super) fn is_unsent(&self, action: ActionId) -> bool {
        let is_unsent = |it: &Action| matches!(it.stage, ActionStage::Preparing { .. });
        self.actions.get(&action).is_some_and(is_unsent)
    }

    /// A process took the seat for which an action is open.
    pub(super) fn filled_while_acting(
        &mut self,
        now: Moment,
        model: &Model,
        action: ActionId,
        effects: &mut Vec<Effect>,
    ) {
        if !self.is_unsent(action) {
            // Ours came, or may still come; until then the action stays open and keeps the lane.
            return;
        }
        let it = self.close(action).expect("it was just looked up");
        effects.push(Effect::Do(Deed::Abandon { action }));
        let text = "another process took the seat before anything was asked".to_owned();
        self.tell(now, model, Kind::ActionFailed, action, &it, text, effects);
    }

    /// The process that an action asked for is there.
    pub(super) fn arrived(
        &mut self,
        now: Moment,
        model: &Model,
        action: ActionId,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(it) = self.close(action) {
            let text = String::new();
            self.back_to_vacant(it.slot, action);
            self.tell(
                now,
                model,
                Kind::ActionSucceeded,
                action,
                &it,
                text,
                effects,
            );
        }
    }

    /// Gives an action up before anything was asked; it does not count as a try.
    pub(super) fn abandoned(
        &mut self,
        now: Moment,
        model: &Model,
        action: ActionId,
        says: String,
        effects: &mut Vec<Effect>,
    ) {
        self.forget_step(action);
        let it = self.close(action).expect("the caller looked it up");
        self.back_to_vacant(it.slot, action);
        let slot = self.slot_mut(it.slot);
        slot.tries = slot.tries.saturating_sub(1);
        self.tell(now, model, Kind::ActionFailed, action, &it, says, effects);
    }

    /// Returns an action that is about to change.
    fn action_mut(&mut self, action: ActionId) -> Option<&mut Action> {
        self.changed.actions.insert(action);
        self.actions.get_mut(&action)
    }

    /// Takes an action off the books.
    pub(super) fn close(&mut self, action: ActionId) -> Option<Action> {
        self.changed.actions.insert(action);
        self.actions.remove(&action)
    }

    /// Whoever asked gets one try: a start that may have left was it.
    pub(super) fn spend_wish(&mut self, it: &Action) {
        let has_left = !matches!(it.stage, ActionStage::Preparing { .. });
        if has_left && let Some(vacancy) = self.slot_mut(it.slot).vacancy_mut() {
            vacancy.wish = None;
        }
    }

    pub(super) fn back_to_vacant(&mut self, slot: SlotId, action: ActionId) {
        if let Phase::Acting {
            action: open,
            vacancy,
        } = &self.slot(slot).phase
            && *open == action
        {
            let vacancy = vacancy.clone();
            self.enter(slot, Phase::Vacant(vacancy));
        }
    }

    pub(super) fn delay(&mut self, now: Timestamp, model: &Model, id: SlotId) {
        let pause = self.pause(model, id);
        if let Phase::Vacant(vacancy) = &mut self.slot_mut(id).phase {
            vacancy.pause = (now, now + pause);
            vacancy.not_ready_at = None;
        }
    }

    /// The session to the domain is gone: what an agent answers now says nothing about the time
    /// when there is one again, so it is asked anew then.
    pub fn lost(&mut self) {
        self.forget_histories();
        for (action, slot) in std::mem::take(&mut self.dials) {
            let is_awaited = |it: &Vacancy| it.agent == Agent::Asked(action);
            if self.slot(slot).vacancy().is_some_and(is_awaited)
                && let Some(vacancy) = self.slot_mut(slot).vacancy_mut()
            {
                vacancy.agent = Agent::Unasked;
            }
        }
    }

    /// Takes in whether the agent of a lost process's peer answers us.
    fn answered(&mut self, now: Timestamp, slot: SlotId, action: ActionId, outcome: &Outcome) {
        let is_awaited = |it: &Vacancy| it.agent == Agent::Asked(action);
        if !self.slot(slot).vacancy().is_some_and(is_awaited) {
            return;
        }
        let Some(vacancy) = self.slot_mut(slot).vacancy_mut() else {
            return;
        };
        vacancy.agent = match outcome.reply() {
            Some(_) => Agent::Answers { at: now },
            None => Agent::Silent,
        };
        if let Agent::Answers { .. } = vacancy.agent
            && let Some(peer) = vacancy.evidence.here()
        {
            self.hear_again(peer);
        }
    }

    /// An agent answers: that it was silent when it was asked for other seats is out of date.
    fn hear_again(&mut self, peer: PeerId) {
        for id in self.busy.clone() {
            let is_stale =
                |it: &Vacancy| it.agent == Agent::Silent && it.evidence.here() == Some(peer);
            if self.slot(id).vacancy().is_some_and(is_stale)
                && let Some(vacancy) = self.slot_mut(id).vacancy_mut()
            {
                vacancy.agent = Agent::Unasked;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all of it goes into one event")]
    pub(super) fn tell(
        &self,
        now: Moment,
        model: &Model,
        kind: Kind,
        action: ActionId,
        it: &Action,
        text: String,
        effects: &mut Vec<Effect>,
    ) {
        let about = About {
            slot: Some(it.slot),
            peer: Some(it.target),
            action: Some(action),
            text,
            ..About::default()
        };
        self.raise(now, model, kind, about, effects);
    }
}
