//! What is kept of a database: its roles, and the seats of each.

use std::collections::{BTreeSet, VecDeque};

use super::Effect;
use super::cold::Cold;
use super::histories::Inquiry;
use super::state::{SlotId, Supervisor};
use crate::model::{DatabaseId, Life, Model, Process, ProcessId, Role};
use crate::policy::{Policy, RoleRule};
use crate::time::{Moment, Timestamp};

/// What is kept of one database.
#[derive(Debug)]
pub(super) struct Watch {
    /// What is kept of each role, in the order of the doctrine.
    pub(super) rows: Vec<Row>,
    /// When processes of it ended lately, on connected peers and though nobody announced it.
    pub(super) exits: VecDeque<Timestamp>,
    /// Until then it may turn out that a person ended them.
    pub(super) confirm_until: Timestamp,
    /// Since when none of its storage managers runs, if one did before.
    pub(super) storage_lost: Option<Timestamp>,
    /// Whether listeners were told that something is missing.
    pub(super) degraded: bool,
    /// How many of its transaction engines a person wants.
    pub(super) scale: Option<u32>,
    /// How it is brought up from nothing.
    pub(super) cold: Cold,
    /// What its archives said of themselves, if they were asked.
    pub(super) inquiry: Option<Inquiry>,
}

impl Watch {
    /// Returns every seat, role by role.
    pub(super) fn seats(&self) -> impl Iterator<Item = SlotId> {
        self.rows.iter().flat_map(|it| it.seats.iter().copied())
    }

    /// Returns whether something may be wanted of it.
    pub(super) fn is_healed(&self) -> bool {
        self.rows.iter().any(|it| it.policy.is_some())
    }
}

/// What is kept of one role in one database.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) rule: &'static RoleRule,
    /// Which policy applies, if one does.
    pub(super) policy: Option<usize>,
    /// Whether a process that comes gets a seat of its own.
    pub(super) seats_all: bool,
    /// Its seats, by ordinal.
    pub(super) seats: Vec<SlotId>,
    /// Which of them nobody sits on.
    pub(super) free: BTreeSet<u32>,
    /// Its processes that sit nowhere.
    pub(super) surplus: BTreeSet<(Life, ProcessId)>,
}

impl Row {
    /// Returns a row without seats and without a policy.
    pub(super) const fn new(rule: &'static RoleRule) -> Self {
        Self {
            rule,
            policy: None,
            seats_all: false,
            seats: Vec::new(),
            free: BTreeSet::new(),
            surplus: BTreeSet::new(),
        }
    }
}

impl Supervisor {
    /// Finds the policies of a database among changed ones.
    pub(super) fn apply_policies(&mut self, model: &Model, id: DatabaseId) {
        for row in 0..self.settings.doctrine.roles.len() {
            let role = self.settings.doctrine.roles[row].role;
            let policy = self.policy_for(&model.database(id).name, role);
            self.row_mut(id, row).policy = policy;
        }
    }

    /// Takes over what the policy of a role of a database says now.
    pub(super) fn configure_row(
        &mut self,
        now: Moment,
        model: &Model,
        (id, row): (DatabaseId, usize),
        effects: &mut Vec<Effect>,
    ) {
        self.declare_seats(id, row);
        self.declare_archives(model, id);
        self.regroup(now, model, (id, row), effects);
        let seats_all = self.seats_all(&self.watches[id.index()].rows[row]);
        let seated_all = std::mem::replace(&mut self.row_mut(id, row).seats_all, seats_all);
        if seated_all != seats_all {
            self.changed.databases.insert(id);
        }
        if seated_all || !seats_all {
            return;
        }
        // What runs is kept from now on, so it needs seats.
        let runs = |(_, process): &(Life, ProcessId)| {
            model.process(*process).is_some_and(Process::is_live)
        };
        let surplus = &mut self.row_mut(id, row).surplus;
        let (running, away) = std::mem::take(surplus).into_iter().partition(runs);
        *surplus = away;
        let running: BTreeSet<(Life, ProcessId)> = running;
        for (_, process) in running {
            self.seat(now, model, process, effects);
        }
    }

    /// Returns whether a process of a role that comes gets a seat of its own: what is observed is
    /// kept, or it belongs where it is.
    pub(super) fn seats_all(&self, row: &Row) -> bool {
        let is_healed = row.policy.is_some();
        if row.rule.seat.has_home() {
            return is_healed;
        }
        self.policy_of_row(row).keep_observed
    }

    /// Returns what is kept of a role in a database.
    pub(super) fn row_mut(&mut self, id: DatabaseId, row: usize) -> &mut Row {
        &mut self.watches[id.index()].rows[row]
    }

    /// Returns which row a slot is in.
    pub(super) fn row_of(&self, id: SlotId) -> (DatabaseId, usize) {
        let slot = self.slot(id);
        let row = self.settings.doctrine.row(slot.rule.role);
        (
            slot.database,
            row.expect("a slot has a role of the doctrine"),
        )
    }

    /// Returns what is kept of a process's role in its database, if it can be healed.
    pub(super) fn row_for(&mut self, process: &Process) -> Option<&mut Row> {
        let row = self.settings.doctrine.row(process.role)?;
        self.watches
            .get_mut(process.database.index())?
            .rows
            .get_mut(row)
    }

    /// Returns the policy of a slot, or what databases without one are watched by.
    pub(super) fn policy(&self, id: SlotId) -> &Policy {
        let (database, row) = self.row_of(id);
        self.policy_of_row(&self.watches[database.index()].rows[row])
    }

    /// Returns the policy of a role in a database, or what those without one are watched by.
    pub(super) fn policy_of(&self, id: DatabaseId, role: Role) -> &Policy {
        let rows = &self.watches[id.index()].rows;
        let row = self.settings.doctrine.row(role).map(|row| &rows[row]);
        row.map_or(&self.unhealed, |row| self.policy_of_row(row))
    }

    fn policy_of_row(&self, row: &Row) -> &Policy {
        row.policy
            .map_or(&self.unhealed, |index| &self.settings.policies[index])
    }
}
