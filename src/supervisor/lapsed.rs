//! Which start a process came from, and starts that were given up and may come to life after all.

use super::facts::ActionStage;
use super::state::{Action, Lapsed, Supervisor};
use crate::exchange::{ActionId, Outcome};
use crate::model::{Model, Process, StartId};
use crate::time::Timestamp;

/// So many given-up starts are remembered.
const LAPSED_MAX: usize = 256;

impl Supervisor {
    /// Remembers a start that was given up.
    pub(super) fn remember_lapsed(&mut self, action: ActionId, lapsed: Lapsed) {
        if self.lapsed.len() >= LAPSED_MAX
            && let Some((oldest, _)) = self.lapsed.pop_first()
        {
            self.changed.lapsed.insert(oldest);
        }
        self.lapsed.insert(action, lapsed);
        self.changed.lapsed.insert(action);
    }

    /// Returns the start of ours that a process came from, if it may be one that has left.
    pub(super) fn start_of(&self, process: &Process) -> Option<ActionId> {
        let is_it = |it: &Action| {
            !matches!(it.stage, ActionStage::Preparing { .. })
                && it.target == process.peer
                && self.slot(it.slot).database == process.database
                && self.slot(it.slot).rule.role == process.role
                && agrees(it.start_id.as_ref(), process)
        };
        let found = self.actions.iter().find(|(_, it)| is_it(it));
        found.map(|(action, _)| *action)
    }

    /// A process is taken for the one that was started, though it does not say so: should it be
    /// another, what was started is still to come.
    pub(super) fn doubt_arrival(&mut self, now: Timestamp, action: ActionId) {
        let it = &self.actions[&action];
        if it.start_id.is_some() {
            let slot = self.slot(it.slot);
            let lapsed = Lapsed::of(it, (slot.database, slot.rule.role), now);
            self.remember_lapsed(action, lapsed);
        }
    }

    /// The fate of a start that was given up is told: nothing more is to come of it, if it failed
    /// or what came of it is known.
    pub(super) fn settle_lapsed(&mut self, model: &Model, action: ActionId, outcome: &Outcome) {
        let Some(lapsed) = self.lapsed.get(&action) else {
            return;
        };
        let mut there = model.processes_at(lapsed.peer);
        let is_over = match outcome {
            Outcome::Registered { pid } => there.any(|(_, it)| it.pid == *pid),
            Outcome::StartFailed(_) => true,
            Outcome::Answered(_)
            | Outcome::NotSent(_)
            | Outcome::Ready
            | Outcome::Refused(_)
            | Outcome::Started(_)
            | Outcome::Stopped { .. }
            | Outcome::Unanswered(_)
            | Outcome::Withdrawn => false,
        };
        if is_over {
            self.lapsed.remove(&action);
            self.changed.lapsed.insert(action);
        }
    }

    /// Returns the start that was given up and that a process came from, and forgets it; unless the
    /// process does not say so, and may be another.
    pub(super) fn take_lapsed(&mut self, now: Timestamp, process: &Process) -> Option<Lapsed> {
        let is_over = |(_, it): &(&ActionId, &Lapsed)| {
            now.since(it.at) > self.policy_of(it.database, it.role).waits.late_for
        };
        let over = self.lapsed.iter().filter(is_over);
        let over: Vec<ActionId> = over.map(|(action, _)| *action).collect();
        for action in over {
            self.lapsed.remove(&action);
            self.changed.lapsed.insert(action);
        }
        let is_it = |it: &Lapsed| {
            it.database == process.database
                && it.role == process.role
                && it.peer == process.peer
                && agrees(it.start_id.as_ref(), process)
        };
        let (action, lapsed) = self.lapsed.iter().find(|(_, it)| is_it(it))?;
        if lapsed.start_id.is_some() && process.start_id.is_none() {
            return Some(lapsed.clone());
        }
        let action = *action;
        self.changed.lapsed.insert(action);
        self.lapsed.remove(&action)
    }
}

/// Returns whether a process may have come from that start.
fn agrees(start_id: Option<&StartId>, process: &Process) -> bool {
    start_id
        .zip(process.start_id.as_ref())
        .is_none_or(|(asked, came)| asked == came)
}
