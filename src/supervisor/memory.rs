//! What a supervisor remembers: facts out of what it keeps, and back again.
//!
//! What follows from other facts is none: which seats are free, which slots need a look, which
//! policy applies. What died with the daemon is none either: a question that was on its way.

mod gather;
mod read;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::facts::FactKey;
use super::state::{SlotId, Supervisor};
use crate::exchange::ActionId;
use crate::model::{DatabaseId, PeerId, Role};
use crate::mutation::Mutant;

/// Whose facts changed.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// Those of the domain as a whole.
    pub domain: bool,
    /// Those of these databases.
    pub databases: BTreeSet<DatabaseId>,
    /// Those of these processes, by peer and pid; they may be gone.
    pub processes: BTreeSet<(PeerId, u32)>,
    pub(in crate::supervisor) actions: BTreeSet<ActionId>,
    pub(in crate::supervisor) archives: BTreeSet<(DatabaseId, PeerId)>,
    pub(in crate::supervisor) decisions: BTreeSet<SlotId>,
    pub(in crate::supervisor) failures: BTreeSet<(DatabaseId, Role, PeerId)>,
    pub(in crate::supervisor) lapsed: BTreeSet<ActionId>,
    pub(in crate::supervisor) orders: BTreeSet<Arc<str>>,
    pub(in crate::supervisor) slots: BTreeSet<SlotId>,
}

/// A name in a fact that nothing known goes by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dangling {
    /// The fact.
    pub fact: FactKey,
    /// What is missing, such as `the peer db1:48004`.
    pub missing: String,
}

impl Supervisor {
    /// Forgets what a planted mistake says is forgotten when a daemon begins.
    pub(super) fn forget_on_purpose(&mut self) {
        let planted = self.settings.planted;
        if planted.has(Mutant::RefillBudgetAtCrash) {
            for id in (0..).map(SlotId).take(self.slots.len()) {
                self.slot_mut(id).tries = 0;
            }
        }
        if planted.has(Mutant::ResendAfterCrash) {
            self.void = self.actions.keys().copied().collect();
        }
        if planted.has(Mutant::ForgetOpenAction) {
            for (action, it) in std::mem::take(&mut self.actions) {
                self.changed.actions.insert(action);
                self.back_to_vacant(it.slot, action);
            }
        }
    }
}
