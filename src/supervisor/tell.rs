//! What listeners are told of slots that wait, and of databases that lack something.

use std::time::Duration;

use super::Effect;
use super::facts::HoldReason;
use super::orders::said;
use super::rule::Blocked;
use super::state::{About, Phase, SlotId, Supervisor, Vacancy};
use super::vacancy::Told;
use crate::event::Kind;
use crate::model::Model;
use crate::mutation::Mutant;
use crate::time::{Moment, Timestamp};

impl Supervisor {
    /// Gives up on an empty seat.
    pub(super) fn give_up(
        &mut self,
        now: Moment,
        model: &Model,
        id: SlotId,
        reason: HoldReason,
        effects: &mut Vec<Effect>,
    ) {
        let phase = Phase::Held {
            reason,
            again: now.at + self.policy(id).waits.held_again,
            vacancy: self.slot(id).vacancy().cloned().map(Box::new),
        };
        self.enter(id, phase);
        self.tell_held(now, model, id, reason, effects);
    }

    pub(super) fn tell_held(
        &self,
        now: Moment,
        model: &Model,
        id: SlotId,
        reason: HoldReason,
        effects: &mut Vec<Effect>,
    ) {
        if self.settings.planted.has(Mutant::SilentHold) {
            return;
        }
        let ends = match reason {
            HoldReason::ArchiveUnknown => "it is started once `archives` of its database says how",
            HoldReason::BadOption => {
                "other te-options, `dbwarden release`, or a process that stays, end the hold"
            }
            HoldReason::ArchiveInUse | HoldReason::StagesUsedUp | HoldReason::VanishedUnwatched => {
                "`dbwarden release` ends the hold, and so does a process that stays"
            }
        };
        let about = About {
            slot: Some(id),
            peer: self.slot(id).home,
            text: format!("{}; {ends}", reason.as_str()),
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

    pub(super) fn tell_blocked(
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
        let waits = &self.policy(id).waits;
        let asked = wish.map_or(vacancy.since, |it| it.asked(waits.request_patience));
        let tell_at = vacancy.since.max(asked) + waits.blocked_after;
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
        let order = self.order_behind(model, id, blocked.by);
        let why = order.map_or_else(String::new, said);
        let about = About {
            slot: Some(id),
            text: format!(
                "gate {}{}{why}",
                blocked.by.as_str(),
                opens_in(now.at, blocked.until)
            ),
            ..About::default()
        };
        self.raise(now, model, Kind::SlotBlocked, about, effects);
    }

    /// Nobody wants a process in an empty seat any more: who does so again is told again.
    pub(super) fn forget_told(&mut self, id: SlotId) {
        let is_told = |it: &Vacancy| it.told != Told::default();
        if self.slot(id).vacancy().is_some_and(is_told)
            && let Some(vacancy) = self.slot_mut(id).vacancy_mut()
        {
            vacancy.told = Told::default();
        }
    }

    /// Notes when to look at a vacancy again. That follows from the rest, so it is no fact.
    pub(super) fn look_at(&mut self, id: SlotId, look: Option<Timestamp>) {
        if let Phase::Vacant(vacancy) = &mut self.slots[id.0 as usize].phase {
            vacancy.look = look;
        }
    }

    /// Tells when a database has less than is wanted, and when it has all of it again.
    pub(super) fn tell_completeness(
        &mut self,
        now: Moment,
        model: &Model,
        effects: &mut Vec<Effect>,
    ) {
        for database in std::mem::take(&mut self.touched) {
            let watch = &self.watches[database.index()];
            let missing = watch
                .seats()
                .filter(|id| {
                    matches!(
                        self.slot(*id).phase,
                        Phase::Acting { .. } | Phase::Held { .. } | Phase::Vacant(_)
                    )
                })
                .count();
            // Without a policy nothing is wanted, so nothing is missing.
            let is_degraded = missing > 0 && watch.is_healed();
            if watch.degraded == is_degraded {
                continue;
            }
            self.changed.databases.insert(database);
            self.watch_mut(database).degraded = is_degraded;
            if model.database(database).shown_name().is_none() {
                continue;
            }
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

/// Returns when a gate opens by itself, for people.
fn opens_in(now: Timestamp, until: Option<Timestamp>) -> String {
    let left = until.map(|it| it.since(now));
    left.map_or_else(String::new, |it| format!("; opens in {}", in_words(it)))
}

/// Returns a time for people, rounded up to seconds.
pub(super) fn in_words(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}
