//! When what several starts failed by is over, nobody waits on because of it: pauses that began
//! while it lasted are cut.
//!
//! What fails for reasons of its own keeps its pace, and no try is forgotten.

use super::Effect;
use super::facts::HoldReason;
use super::state::{Agent, Phase, SlotId, Supervisor, Told, Vacancy};
use crate::model::{DatabaseId, Model, PeerId, Role};
use crate::time::{Moment, Timestamp};

impl Supervisor {
    /// Ends the pauses of the slots that were kept by what is over.
    fn cut_pauses(&mut self, now: Timestamp, was_kept: impl Fn(&Self, SlotId, &Vacancy) -> bool) {
        let waits = |id: &SlotId| {
            let vacancy = self.slot(*id).vacancy();
            vacancy.is_some_and(|it| it.pause.1 > now && was_kept(self, *id, it))
        };
        let slots: Vec<SlotId> = self.busy.iter().copied().filter(waits).collect();
        for id in slots {
            if let Some(vacancy) = self.slot_mut(id).vacancy_mut() {
                vacancy.pause.1 = now;
            }
        }
    }

    /// What kept a whole domain since then is over.
    pub(super) fn relieve_domain(&mut self, now: Timestamp, since: Timestamp) {
        self.cut_pauses(now, |_, _, vacancy| vacancy.pause.0 >= since);
    }

    /// A peer is back: what failed there may have failed because it was going.
    pub(super) fn relieve_peer(&mut self, now: Timestamp, peer: PeerId) {
        self.cut_pauses(now, |it, id, vacancy| {
            let slot = it.slot(id);
            let failed = it.failures.get(&(slot.database, slot.rule.role, peer));
            failed == Some(&vacancy.pause.0)
        });
    }

    /// A process registered at a peer, so its agent is ready.
    pub(super) fn relieve_ready(&mut self, now: Timestamp, peer: PeerId) {
        self.cut_pauses(now, |_, _, vacancy| vacancy.not_ready_at == Some(peer));
    }

    /// Looks whether a database lost its last storage manager, or has one again: what failed
    /// meanwhile had nothing to join.
    pub(super) fn mind_storage(&mut self, now: Timestamp, model: &Model, id: DatabaseId) {
        let is_down = model.database(id).running(Role::Sm) == 0;
        let Some(watch) = self.watches.get_mut(id.index()) else {
            return;
        };
        match (is_down, watch.storage_lost) {
            (true, None) => watch.storage_lost = Some(now),
            (false, Some(since)) => {
                watch.storage_lost = None;
                self.cut_pauses(now, |it, slot, vacancy| {
                    it.slot(slot).database == id && vacancy.pause.0 >= since
                });
            }
            (true, Some(_)) | (false, None) => return,
        }
        self.changed.databases.insert(id);
    }

    /// The options of a database's engines are others now: what was held for them may go on.
    pub(super) fn release_options(
        &mut self,
        now: Moment,
        model: &Model,
        id: DatabaseId,
        effects: &mut Vec<Effect>,
    ) {
        let seats: Vec<SlotId> = self.watches[id.index()].seats().collect();
        for seat in seats {
            let reason = HoldReason::BadOption;
            let is_engine = self.slot(seat).rule.role == Role::Te;
            if is_engine
                && matches!(self.slot(seat).phase, Phase::Held { reason: it, .. } if it == reason)
            {
                self.unhold(now, model, seat, "its options are others now", effects);
            }
        }
    }

    /// Ends a hold of the healer's: what is known of the empty seat counts again, from now on.
    pub(super) fn unhold(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        why: &str,
        effects: &mut Vec<Effect>,
    ) {
        let Phase::Held { vacancy, .. } = self.enter(id, Phase::Empty) else {
            return;
        };
        if let Some(mut vacancy) = vacancy {
            vacancy.pause = (now.at, now.at);
            vacancy.agent = Agent::Unasked;
            vacancy.told = Told::default();
            vacancy.wish = None;
            vacancy.look = Some(now.at);
            self.enter(id, Phase::Vacant(vacancy));
        }
        self.tell_released(now, model, id, why, effects);
    }
}
