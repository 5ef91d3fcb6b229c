//! The disk of the daemon: what is on record, what is on its way there, and what is lost when
//! everything stops at once. It keeps facts as the journal does, the latest of each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::event::Event;
use crate::supervisor::{Effect, Fact, FactChange, FactKey, Input};
use crate::time::{Moment, Timestamp};

/// What one turn of the daemon brought.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    pub(super) inputs: Vec<(Moment, Input)>,
    /// All that came of them, for whoever decides again.
    pub(super) effects: Vec<Effect>,
    pub(super) facts: Vec<FactChange>,
    /// Up to which fact and which effect each input led.
    pub(super) turns: Vec<(usize, usize)>,
    /// When the warden wants to be asked again.
    pub(super) due: Option<Timestamp>,
}

impl Batch {
    pub(super) fn events(&self) -> impl Iterator<Item = &Event> {
        self.effects.iter().filter_map(|it| match it {
            Effect::Raise(event) => Some(event),
            Effect::Answer { .. } | Effect::Do(_) => None,
        })
    }
}

/// The disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    facts: BTreeMap<FactKey, Fact>,
    /// What is on record, and was not asked for yet.
    unread: Vec<Arc<Batch>>,
    waiting: VecDeque<(u64, Arc<Batch>)>,
    tickets: u64,
    on_record: u64,
    /// What becomes of a fact that is read.
    through: Option<fn(Fact) -> Fact>,
}

impl Disk {
    /// Returns an empty disk from which facts are read like that.
    pub(super) fn reading(through: Option<fn(Fact) -> Fact>) -> Self {
        Self {
            through,
            ..Self::default()
        }
    }

    /// Takes in what is to be written, and returns its ticket.
    pub(super) fn write(&mut self, batch: Batch) -> u64 {
        self.tickets += 1;
        self.waiting.push_back((self.tickets, Arc::new(batch)));
        self.tickets
    }

    /// Has everything up to that ticket on record; returns what came to be so now.
    pub(super) fn commit(&mut self, ticket: u64) -> Vec<Arc<Batch>> {
        let mut written = Vec::new();
        while let Some((number, _)) = self.waiting.front()
            && *number <= ticket
        {
            let Some((number, batch)) = self.waiting.pop_front() else {
                break;
            };
            self.on_record = number;
            self.unread.push(batch.clone());
            written.push(batch);
        }
        written
    }

    /// Loses what was not on record, but for the first `kept` batches that just made it.
    pub(super) fn crash(&mut self, kept: usize) -> Vec<Arc<Batch>> {
        let last = self.waiting.get(kept.wrapping_sub(1)).map(|it| it.0);
        let kept = last.map_or_else(Vec::new, |it| self.commit(it));
        self.waiting.clear();
        kept
    }

    pub(super) fn on_record(&self) -> u64 {
        self.on_record
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn facts(&mut self) -> Vec<Fact> {
        for batch in std::mem::take(&mut self.unread) {
            for change in &batch.facts {
                match &change.fact {
                    Some(fact) => drop(self.facts.insert(change.key.clone(), fact.clone())),
                    None => drop(self.facts.remove(&change.key)),
                }
            }
        }
        let facts = self.facts.values().cloned();
        match self.through {
            Some(through) => facts.map(through).collect(),
            None => facts.collect(),
        }
    }
}
