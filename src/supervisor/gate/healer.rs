//! The gate `another-healer`, of one database: somebody else starts what it lacks, and two healers
//! on one database start everything twice.
//!
//! A person who starts what is missing looks the same, and has the same wish: to be left alone.

use std::collections::VecDeque;
use std::time::Duration;

use super::super::rule::{Case, Hindrance, Obstacle};
use super::super::state::{About, Evidence, Phase, SlotId, Supervisor};
use super::super::{Effect, view::ClosedGate};
use super::Gate;
use crate::event::Kind;
use crate::model::{DatabaseId, Model};
use crate::mutation::Mutant;
use crate::time::{Moment, Timestamp};

/// When somebody else is taken for a healer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HealerLimits {
    /// So many of the seats that were missed were filled by starts of somebody else,
    pub starts: u32,
    /// within this time; and so long after the last of them the database is left alone.
    pub window: Duration,
}

impl Default for HealerLimits {
    fn default() -> Self {
        Self {
            starts: 2,
            window: Duration::from_secs(600),
        }
    }
}

/// What others start of a database.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Foreign {
    /// When a start of theirs filled a seat that was missed, lately.
    pub starts: VecDeque<Timestamp>,
    /// Until then the database is left alone.
    pub until: Timestamp,
    /// Whether listeners know that it is.
    pub is_told: bool,
}

impl Supervisor {
    /// A process that the healer did not start sits down on a seat: counts it if the seat was
    /// missed. What was never there, and what the healer gave up on, is for anybody to start.
    pub(in crate::supervisor) fn note_foreign(&mut self, now: Timestamp, slot: SlotId) {
        let vacancy = match &self.slot(slot).phase {
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => vacancy,
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } | Phase::Leaving { .. } => return,
        };
        if vacancy.evidence == Evidence::Declared || !self.is_wanted(slot) {
            return;
        }
        let HealerLimits { starts, window } = self.settings.healer;
        let database = self.slot(slot).database;
        let foreign = self.foreign.entry(database).or_default();
        foreign.starts.retain(|at| now.since(*at) < window);
        foreign.starts.push_back(now);
        if foreign.starts.len() >= starts as usize {
            foreign.until = now + window;
        }
        self.changed.databases.insert(database);
    }

    /// Returns whether a database is left alone, and until when if time opens the gate.
    fn left_alone(
        &self,
        now: Timestamp,
        model: &Model,
        id: DatabaseId,
    ) -> (bool, Option<Timestamp>) {
        let name = model.database(id).name.as_str();
        if self.settings.observe.iter().any(|it| it.matches(name)) {
            return (true, None);
        }
        if self.is_thawed(Gate::AnotherHealer) {
            return (false, None);
        }
        let until = self.foreign.get(&id).map(|it| it.until);
        let until = until.filter(|it| *it > now);
        (until.is_some(), until)
    }

    /// Returns whether the healer may heal the database.
    pub(in crate::supervisor) fn heals_alone(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        match self.left_alone(case.now, case.model, self.slot(case.slot).database) {
            (false, _) => Ok(()),
            (true, _) if self.settings.planted.has(Mutant::BesideOthers) => Ok(()),
            (true, Some(until)) => Err(Obstacle::AnotherHealer.blocks_until(until).into()),
            (true, None) => Err(Obstacle::AnotherHealer.blocks().into()),
        }
    }

    /// Notes which databases are left alone by the configuration.
    pub(in crate::supervisor) fn note_observed(&mut self, model: &Model, id: DatabaseId) {
        let name = model.database(id).name.as_str();
        if self.settings.observe.iter().any(|it| it.matches(name)) {
            self.foreign.entry(id).or_default();
        }
    }

    /// Tells which databases are left alone from now on, and which not any more.
    pub(super) fn mind_healers(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        let all: Vec<DatabaseId> = self.foreign.keys().copied().collect();
        for id in all {
            let (is_closed, _) = self.left_alone(now.at, model, id);
            let Some(foreign) = self.foreign.get_mut(&id) else {
                continue;
            };
            if foreign.until <= now.at && foreign.until != Timestamp::ZERO {
                foreign.until = Timestamp::ZERO;
                self.changed.databases.insert(id);
            }
            if std::mem::replace(&mut foreign.is_told, is_closed) == is_closed {
                continue;
            }
            self.changed.databases.insert(id);
            let kind = if is_closed {
                Kind::DomainFrozen
            } else {
                Kind::DomainThawed
            };
            let about = About {
                database: Some(id),
                text: format!("gate {}", Gate::AnotherHealer.as_str()),
                ..About::default()
            };
            self.raise(now, model, kind, about, effects);
        }
    }

    /// Returns when the next database is not left alone any more.
    pub(in crate::supervisor) fn healer_leaves(&self) -> Option<Timestamp> {
        let told = self.foreign.values().filter(|it| it.is_told);
        told.map(|it| it.until)
            .filter(|it| *it > Timestamp::ZERO)
            .min()
    }

    /// Returns which databases are left alone.
    pub(in crate::supervisor) fn closed_for_databases(
        &self,
        now: Timestamp,
        model: &Model,
    ) -> impl Iterator<Item = ClosedGate> {
        self.foreign.keys().filter_map(move |id| {
            let (is_closed, until) = self.left_alone(now, model, *id);
            let text = match until {
                Some(_) => "somebody else starts what it lacks; a healer of its own should not",
                None => "the configuration says that it is only observed",
            };
            is_closed.then(|| ClosedGate {
                name: Gate::AnotherHealer.as_str(),
                database: Some(model.database(*id).name.clone()),
                since: None,
                until,
                text: text.into(),
            })
        })
    }
}
