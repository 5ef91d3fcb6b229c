//! Decides again, from the record alone, and compares with life. It knows nothing but what is on
//! record: neither what was lost with a crash nor that there was one, until the record says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::disk::Batch;
use super::judge::{Broken, Law};
use crate::supervisor::{Accepted, Effect, Fact, FactChange, FactKey};
use crate::warden::Warden;

/// A warden that is fed with the record.
#[derive(Debug)]
pub(super) struct Again {
    warden: Warden,
    /// What each of the two remembers.
    facts: BTreeMap<FactKey, Fact>,
    in_life: BTreeMap<FactKey, Fact>,
}

impl Again {
    pub(super) fn new(accepted: Arc<Accepted>) -> Self {
        let Accepted { model, supervisor } = Arc::unwrap_or_clone(accepted);
        Self {
            warden: Warden::new(model, supervisor),
            facts: BTreeMap::new(),
            in_life: BTreeMap::new(),
        }
    }

    /// Takes in what is on record; what comes of it must be what came of it in life.
    pub(super) fn decide(&mut self, batch: &Batch) -> Result<(), Broken> {
        let mut effects: Vec<Effect> = Vec::new();
        for (now, input) in &batch.inputs {
            self.warden.handle(*now, input.clone(), &mut effects);
        }
        if effects != batch.effects {
            return Err(Law::DecidedAgain.broken(format!(
                "in life {:?}, from the record {effects:?}",
                batch.effects
            )));
        }
        let mut keys: BTreeSet<FactKey> = BTreeSet::new();
        for change in self.warden.drain_facts() {
            keys.insert(change.key.clone());
            remember(&mut self.facts, change);
        }
        for change in &batch.facts {
            keys.insert(change.key.clone());
            remember(&mut self.in_life, change.clone());
        }
        for key in keys {
            let (life, again) = (self.in_life.get(&key), self.facts.get(&key));
            if life != again {
                return Err(Law::DecidedAgain.broken(format!(
                    "{key} is in life {life:?}, from the record {again:?}"
                )));
            }
        }
        let due = self.warden.next_timeout();
        if due != batch.due {
            return Err(Law::DecidedAgain.broken(format!(
                "in life it is due at {:?}, from the record at {due:?}",
                batch.due
            )));
        }
        Ok(())
    }
}

fn remember(facts: &mut BTreeMap<FactKey, Fact>, change: FactChange) {
    match change.fact {
        Some(fact) => drop(facts.insert(change.key, fact)),
        None => drop(facts.remove(&change.key)),
    }
}
