//! Processes that registered and do not get on: told once, and nothing is done about it.

use std::collections::{BTreeMap, BTreeSet};

use super::Effect;
use super::state::{About, Supervisor};
use crate::event::Kind;
use crate::model::{Change, Life, Model, ProcessId, Status};
use crate::mutation::Mutant;
use crate::time::{Moment, Timestamp};

/// A process that is starting.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Starting {
    /// Since when nothing changed about it.
    pub since: Timestamp,
    /// Whether listeners were told that it is stuck.
    pub is_told: bool,
}

/// When a process is told of unless something changes. Of several at one moment the older life
/// comes first: that order is the same after a restart, which the ids of processes do not outlive.
type Due = (Timestamp, Life, ProcessId);

/// The processes that are starting.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    starting: BTreeMap<ProcessId, (Starting, Option<Due>)>,
    due: BTreeSet<Due>,
}

impl Progress {
    pub(super) fn of(&self, id: ProcessId) -> Option<Starting> {
        self.starting.get(&id).map(|(starting, _)| *starting)
    }

    /// Returns when the next one is to be told of.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _, _)| *at)
    }

    fn note(&mut self, id: ProcessId, starting: Starting, due: Option<Due>) {
        self.forget(id);
        self.starting.insert(id, (starting, due));
        self.due.extend(due);
    }

    fn forget(&mut self, id: ProcessId) -> bool {
        let Some((_, due)) = self.starting.remove(&id) else {
            return false;
        };
        if let Some(due) = due {
            self.due.remove(&due);
        }
        true
    }
}

impl Supervisor {
    /// Takes in what a change says about the progress of a process.
    pub(super) fn watch_progress(&mut self, now: Timestamp, model: &Model, change: &Change) {
        let Some(id) = change.process_id() else {
            return;
        };
        let was_starting = self.progress.forget(id);
        let Some(process) = model.process(id) else {
            return;
        };
        let is_starting = process.is_live() && process.status == Status::Starting;
        if is_starting {
            let starting = Starting {
                since: now,
                is_told: false,
            };
            self.note_starting(model, id, starting);
        }
        if was_starting || is_starting {
            self.changed.processes.insert((process.peer, process.pid));
        }
    }

    /// Remembers that a process is starting.
    pub(super) fn note_starting(&mut self, model: &Model, id: ProcessId, starting: Starting) {
        let Some(process) = model.process(id) else {
            return;
        };
        let waits = &self.policy_of(process.database, process.role).waits;
        let due = (starting.since + waits.stuck_after, process.life, id);
        let due = (!starting.is_told).then_some(due);
        self.progress.note(id, starting, due);
    }

    /// Tells of processes about which nothing changed for too long, by what is known now.
    pub(super) fn tell_stuck(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        while self.gates.knows()
            && self.progress.due().is_some_and(|at| at <= now.at)
            && let Some((_, _, id)) = self.progress.due.pop_first()
        {
            let Some((starting, _)) = self.progress.starting.get_mut(&id) else {
                continue;
            };
            starting.is_told = true;
            let minutes = now.at.since(starting.since).as_secs() / 60;
            let Some(process) = model.process(id) else {
                continue;
            };
            self.changed.processes.insert((process.peer, process.pid));
            if self.settings.planted.has(Mutant::NeverStuck) {
                continue;
            }
            let about = About {
                slot: self.place_of(model, id),
                process: Some(id),
                text: format!("{} for {minutes} min; look at its log", process.status_word),
                ..About::default()
            };
            self.raise(now, model, Kind::ProcessStuck, about, effects);
        }
    }
}
