//! What is wanted of a database: by its policy, by what was observed, and by the word of people.
//!
//! What people say of it is taken in by `request::wanted`; here it is only asked.

use std::cmp::Reverse;

use super::state::{Phase, SlotId, Supervisor};
use crate::model::{DatabaseId, Role};
use crate::policy::SeatKind;

impl Supervisor {
    /// Returns whether a policy applies to the database of a slot. Without one its seats are
    /// watched, and nothing is wanted but what somebody asks for.
    pub(super) fn is_healed(&self, id: SlotId) -> bool {
        let (database, row) = self.row_of(id);
        self.watches[database.index()].rows[row].policy.is_some()
    }

    /// Returns whether somebody should sit there.
    pub(super) fn is_wanted(&self, id: SlotId) -> bool {
        self.is_wanted_if(id, self.slot(id).observed)
    }

    /// Returns whether somebody should sit there if somebody was observed there, or was not.
    pub(super) fn is_wanted_if(&self, id: SlotId, was_observed: bool) -> bool {
        let slot = self.slot(id);
        let is_scaled =
            slot.rule.role == Role::Te && self.watches[slot.database.index()].scale.is_some();
        let is_observed = was_observed && self.policy(id).keep_observed && !is_scaled;
        let is_brought_up = slot.rule.seat == SeatKind::Archive
            && self.watches[slot.database.index()].cold.is_asked_for;
        let is_kept = is_observed || is_brought_up || self.is_declared(id);
        is_kept && self.is_healed(id)
    }

    /// Returns whether the policy says so whatever was observed.
    pub(super) fn is_declared(&self, id: SlotId) -> bool {
        let slot = self.slot(id);
        let min = self.min_of(slot.database, slot.rule.role);
        if slot.home.is_none() {
            return slot.ordinal < min;
        }
        // Those that run, then those that ran last: whoever is missing beyond them is not missed.
        let (database, row) = self.row_of(id);
        let keeps_observed = self.policy(id).keep_observed;
        let rank = |it: SlotId| {
            let other = self.slot(it);
            let runs = matches!(other.phase, Phase::Filled(_)) && it != id;
            let is_kept = runs || (keeps_observed && other.observed);
            (!is_kept, Reverse(self.ran_until(it)), other.ordinal)
        };
        let own = rank(id);
        let row = &self.watches[database.index()].rows[row];
        let before = row.seats.iter().filter(|it| rank(**it) < own).count();
        before < min as usize
    }

    /// Returns how many of a role in a database are wanted whatever was observed: by its policy, or
    /// by the word of a person.
    pub(super) fn min_of(&self, id: DatabaseId, role: Role) -> u32 {
        let min = self.policy_of(id, role).min(role);
        let scale = self.watches[id.index()].scale;
        min.max(scale.filter(|_| role == Role::Te).unwrap_or_default())
    }

    /// Returns whether it matters that nobody sits there: somebody should, or may ask for it.
    pub(super) fn is_minded(&self, id: SlotId) -> bool {
        let is_fungible = self.slot(id).rule.seat == SeatKind::Fungible;
        self.is_wanted(id) || (is_fungible && !self.is_healed(id))
    }
}
