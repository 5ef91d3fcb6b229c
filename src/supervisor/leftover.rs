//! A leftover holds an archive: a process that the domain has forgotten and that lives on.
//!
//! It is only ended where the policy says so, and only the very process that sat there last, while
//! another storage manager keeps the data. It is ended first, and when that is told the archive is
//! tried again.

use super::archive::Ran;
use super::begin::target_of;
use super::facts::HoldReason;
use super::state::{About, Phase, SlotId, Supervisor};
use super::{Effect, Mode};
use crate::event::Kind;
use crate::exchange::{ActionId, Deed, Outcome, Stop};
use crate::model::{Model, PeerId};
use crate::mutation::Mutant;
use crate::policy::Leftover;
use crate::time::Moment;

impl Supervisor {
    /// Ends what holds the archive of a seat, if that may be done; returns whether it is.
    pub(super) fn end_leftover(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some((home, pid)) = self.leftover(model, id) else {
            return false;
        };
        let action = self.new_action();
        if let Some(ran) = &mut self.slot_mut(id).ran {
            // Never a second time: what holds it then is something else.
            ran.pid = None;
        }
        self.clears.insert(action, id);
        self.changed.slots.insert(id);
        let about = About {
            slot: Some(id),
            peer: Some(home),
            action: Some(action),
            text: format!(
                "the process {pid}, which ran there last, holds its archive: it is ended"
            ),
            ..About::default()
        };
        self.raise(now, model, Kind::ActionStarted, about, effects);
        effects.push(Effect::Do(Deed::Stop {
            action,
            target: target_of(model, home),
            pid,
            how: Stop::Kill,
        }));
        true
    }

    /// Returns the process that must hold the archive of a seat, if it may be ended.
    fn leftover(&self, model: &Model, id: SlotId) -> Option<(PeerId, u32)> {
        let may = self.policy(id).leftover == Leftover::Kill
            && self.settings.mode == Mode::Heal
            && self.settings.doctrine.can.kills
            && self.closed_gate().is_none()
            && self.hold_on(model, id).is_none()
            && self.maintenance_of(model, id).is_none()
            && self.is_wanted(id);
        let home = self.slot(id).home.filter(|_| may)?;
        let Some(Ran { pid: Some(pid), .. }) = self.slot(id).ran else {
            return None;
        };
        let archive = self.archive_of(model, id)?;
        let is_somebody_else = model.process_with(home, pid).is_some();
        let is_kept = self.has_sibling_up(model, id, archive.group.as_ref());
        let is_kept = is_kept || self.settings.planted.has(Mutant::EndAlone);
        (is_kept && !is_somebody_else).then_some((home, pid))
    }

    /// Returns the action that ends the leftover on the archive of a seat, if one does.
    pub(super) fn clearing(&self, id: SlotId) -> Option<ActionId> {
        let mut clears = self.clears.iter();
        clears.find(|(_, slot)| **slot == id).map(|(it, _)| *it)
    }

    /// The daemon begins: what became of the leftovers that the one before had ended is not known.
    pub(super) fn forget_clears(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        for (action, id) in std::mem::take(&mut self.clears) {
            self.changed.slots.insert(id);
            let about = About {
                slot: Some(id),
                peer: self.slot(id).home,
                action: Some(action),
                text: "the daemon ended before it was told that the leftover is gone".to_owned(),
                ..About::default()
            };
            self.raise(now, model, Kind::ActionFailed, about, effects);
        }
    }

    /// Takes in what became of a leftover.
    pub(super) fn cleared(
        &mut self,
        now: Moment,
        model: &Model,
        (action, id): (ActionId, SlotId),
        outcome: &Outcome,
        effects: &mut Vec<Effect>,
    ) {
        let peer = self.slot(id).home;
        let is_gone = matches!(outcome, Outcome::Stopped { .. });
        let (kind, text) = if is_gone {
            (Kind::ActionSucceeded, "the leftover is gone".to_owned())
        } else {
            let text = "the leftover could not be ended";
            (Kind::ActionFailed, text.to_owned())
        };
        let about = About {
            slot: Some(id),
            peer,
            action: Some(action),
            text,
            ..About::default()
        };
        self.raise(now, model, kind, about, effects);
        if !matches!(self.slot(id).phase, Phase::Vacant(_)) {
            return;
        }
        if is_gone {
            let slot = self.slot_mut(id);
            slot.tries = slot.tries.saturating_sub(1);
            if let Some(vacancy) = slot.vacancy_mut() {
                vacancy.pause = (now.at, now.at);
            }
            return;
        }
        self.give_up(now, model, id, HoldReason::ArchiveInUse, effects);
    }
}
