//! A start came to nothing: what that says about the next one.

use std::collections::BTreeSet;

use super::Effect;
use super::facts::HoldReason;
use super::state::{Phase, Supervisor};
use crate::event::Kind;
use crate::exchange::ActionId;
use crate::model::{DatabaseId, Model, PeerId, Role};
use crate::mutation::Mutant;
use crate::policy::Meaning;
use crate::time::Moment;

impl Supervisor {
    /// An agent said why a start came to nothing, in these words.
    pub(super) fn failed_because(
        &mut self,
        now: Moment,
        model: &Model,
        action: ActionId,
        words: &str,
        effects: &mut Vec<Effect>,
    ) {
        let meaning = if self.settings.planted.has(Mutant::IgnoreReason) {
            Meaning::Unknown
        } else {
            Meaning::of(words, &self.settings.reasons)
        };
        self.failed_as(now, model, (action, meaning), words, effects);
    }

    /// A start came to nothing, and no agent said why.
    pub(super) fn failed(
        &mut self,
        now: Moment,
        model: &Model,
        action: ActionId,
        reason: &str,
        effects: &mut Vec<Effect>,
    ) {
        let meaning = Meaning::Unknown;
        self.failed_as(now, model, (action, meaning), reason, effects);
    }

    fn failed_as(
        &mut self,
        now: Moment,
        model: &Model,
        (action, meaning): (ActionId, Meaning),
        words: &str,
        effects: &mut Vec<Effect>,
    ) {
        let it = self.close(action).expect("the caller looked it up");
        let (slot, target) = (it.slot, it.target);
        if meaning != Meaning::NotReady {
            self.spend_wish(&it);
        }
        self.back_to_vacant(slot, action);
        let follows = match meaning {
            Meaning::NotReady => "; it is asked again, and this was no try",
            Meaning::HostOut => "; not there again before its agent was away",
            Meaning::ArchiveInUse | Meaning::BadOption | Meaning::Unknown => "",
        };
        if meaning == Meaning::NotReady {
            let seat = self.slot_mut(slot);
            seat.tries = seat.tries.saturating_sub(1);
            let until = now.at + self.policy(slot).barrier_pause;
            if let Some(vacancy) = self.slot_mut(slot).vacancy_mut() {
                vacancy.pause = (now.at, until);
                vacancy.not_ready_at = Some(target);
            }
        } else {
            self.remember_failure(now.at, slot, target);
            self.delay(now.at, model, slot);
        }
        if meaning == Meaning::HostOut {
            let slot = self.slot(slot);
            self.out.insert((slot.database, slot.rule.role, target));
        }
        let text = format!("{words}{follows}");
        self.tell(now, model, Kind::ActionFailed, action, &it, text, effects);
        if meaning == Meaning::ArchiveInUse && self.end_leftover(now, model, slot, effects) {
            return;
        }
        let reason = match meaning {
            Meaning::ArchiveInUse => HoldReason::ArchiveInUse,
            Meaning::BadOption => HoldReason::BadOption,
            Meaning::HostOut | Meaning::NotReady | Meaning::Unknown => return,
        };
        if matches!(self.slot(slot).phase, Phase::Vacant(_)) && self.is_wanted(slot) {
            self.give_up(now, model, slot, reason, effects);
        }
    }

    /// A peer is back: what kept processes from running there may be mended.
    pub(super) fn try_again_at(&mut self, peer: PeerId) {
        let here = |it: &&(DatabaseId, Role, PeerId)| it.2 == peer;
        let over: BTreeSet<_> = self.out.iter().filter(here).copied().collect();
        for it in over {
            self.out.remove(&it);
            self.changed.failures.insert(it);
        }
    }
}
