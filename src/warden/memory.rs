//! What a warden remembers: gathered as it changes, and read back.
//!
//! Recovery decides nothing. A restored warden knows what it knew and asks for nothing; effects
//! come with inputs only.

use thiserror::Error;

use super::Warden;
use crate::model;
use crate::supervisor::{self, Effect, Fact, FactChange, FactKey};
use crate::time::Moment;

/// Why facts do not make a warden.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("the fact {fact} speaks of {missing}, and no other fact does")]
pub struct RestoreError {
    /// Which fact.
    pub fact: FactKey,
    /// What it names.
    pub missing: String,
}

impl Warden {
    /// Returns the facts that changed since the last call, the latest of each.
    pub fn drain_facts(&mut self) -> Vec<FactChange> {
        Vec::new()
    }

    /// Returns every fact.
    pub fn facts(&self) -> Vec<Fact> {
        Vec::new()
    }

    /// Returns a warden that remembers `facts`, in whatever order.
    ///
    /// It decides nothing: it has no session, and effects come with inputs only. A start that was
    /// only prepared is void, since its session died with the daemon; one that may have left stays
    /// open until it is heard of, or until its time is up and a fresh snapshot says otherwise.
    ///
    /// # Errors
    ///
    /// Fails if a fact speaks of something that no other fact describes.
    pub fn restore(
        model: model::Settings,
        supervisor: supervisor::Settings,
        now: Moment,
        facts: Vec<Fact>,
    ) -> Result<Self, RestoreError> {
        let _ = (now, facts);
        Ok(Self::new(model, supervisor))
    }

    /// Takes over changed settings, and forgets nothing: slots keep their history, open actions go
    /// on to their outcome, and the seed stays.
    pub fn configure(
        &mut self,
        now: Moment,
        model: model::Settings,
        supervisor: supervisor::Settings,
        effects: &mut Vec<Effect>,
    ) {
        let _ = (now, model, supervisor, effects);
    }
}
