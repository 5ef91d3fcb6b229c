//! What is done once a decision fell: a start begins, or is only suggested, or an agent is asked.

use super::archive::Archive;
use super::facts::ActionStage;
use super::place::Choice;
use super::state::{About, Action, Agent, Phase, SlotId, Supervisor};
use super::{Effect, Mode};
use crate::event::Kind;
use crate::exchange::{Deed, EngineOption, Question, Start, Target};
use crate::model::{DatabaseName, Model, PeerId};
use crate::mutation::Mutant;
use crate::policy::SeatKind;
use crate::time::Moment;

impl Supervisor {
    pub(super) fn ask(
        &mut self,
        model: &Model,
        id: SlotId,
        peer: PeerId,
        effects: &mut Vec<Effect>,
    ) {
        let action = self.new_action();
        self.dials.insert(action, id);
        if let Some(vacancy) = self.slot_mut(id).vacancy_mut() {
            vacancy.agent = Agent::Asked(action);
        }
        let question = Question::Identity(target_of(model, peer));
        effects.push(Effect::Do(Deed::Ask { action, question }));
    }

    pub(super) fn start(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        choice: Choice,
        effects: &mut Vec<Effect>,
    ) {
        let Choice { target, why } = choice;
        let database = self.slot(id).database;
        let name = &model.database(database).name;
        let rule = self.slot(id).rule;
        let options = self.options(model, id, name);
        let can = self.settings.doctrine.can.has(rule.means);
        let may = can && self.settings.mode == Mode::Heal;
        let Some(options) = options.filter(|_| may) else {
            self.suggest(now, model, id, target, &why, effects);
            return;
        };
        self.note_start(now.at);
        if !self.is_cold_step(id) {
            self.spend(now);
        }
        let action = self.new_action();
        self.note_cold(model, id, action);
        let valid_until = now.at + self.settings.prepare_timeout;
        let Phase::Vacant(vacancy) = self.enter(id, Phase::Empty) else {
            unreachable!("only a vacancy is decided about");
        };
        let is_archive = rule.seat == SeatKind::Archive;
        let cold = self.cold_order(model, database).filter(|_| is_archive);
        let wish = vacancy.wish.as_ref().map(|it| it.by.clone());
        let by = wish.or_else(|| cold.map(|it| it.by.clone()));
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
                agent: Some(model.peer(target).agent_id.clone()),
                stage,
                start_id: None,
                by,
            },
        );
        let start = Start {
            target: target_of(model, target),
            database: name.clone(),
            role: rule.role,
            means: rule.means,
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

    /// Returns with which options a process of a slot is started, if they are known.
    pub(super) fn options(
        &self,
        model: &Model,
        id: SlotId,
        name: &DatabaseName,
    ) -> Option<Vec<EngineOption>> {
        match self.slot(id).rule.seat {
            SeatKind::Archive => {
                let options = self.archive_of(model, id).map(Archive::options);
                options.map(|it| self.spoil(it))
            }
            SeatKind::Fungible => self.settings.te_options.get(name).cloned(),
            SeatKind::Pinned => Some(Vec::new()),
        }
    }

    /// Makes a planted mistake with the options of a storage manager.
    fn spoil(&self, mut options: Vec<EngineOption>) -> Vec<EngineOption> {
        if self.settings.planted.has(Mutant::Initialize) {
            options.push(EngineOption {
                name: "--initialize".to_owned(),
                value: None,
            });
        } else if self.settings.planted.has(Mutant::IncompleteOptions) {
            options.pop();
        }
        options
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
            Mode::Heal if !self.settings.doctrine.can.has(self.slot(id).rule.means) => {
                "the driver cannot do it"
            }
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
}

pub(super) fn target_of(model: &Model, peer: PeerId) -> Target {
    let known = model.peer(peer);
    Target {
        peer: known.name.clone(),
        agent_id: known.agent_id.clone(),
        address: known.agent_address().clone(),
    }
}
