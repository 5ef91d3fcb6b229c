//! The gate `another-healer`, of one database: somebody else starts what it lacks, and two healers
//! on one database start everything twice.
//!
//! A person who starts what is missing looks the same, and has the same wish: to be left alone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::super::rule::{Case, Hindrance, Obstacle};
use super::super::state::{About, Evidence, Phase, SlotId, Supervisor};
use super::super::{Effect, view::ClosedGate};
use super::Gate;
use crate::event::Kind;
use crate::exchange::Managed;
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

/// Who else heals a database.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Other {
    /// Whoever the configuration has in mind.
    Configured,
    /// The domain itself; how it stands with the database, in its words.
    Domain(Arc<str>),
    /// Somebody whose starts were seen; they count until then.
    Unknown(Timestamp),
}

impl Other {
    /// Returns when the database is healed again if nothing else happens.
    fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Configured | Self::Domain(_) => None,
            Self::Unknown(until) => Some(*until),
        }
    }

    /// Returns why the database is left alone, as a sentence.
    fn says(&self) -> Arc<str> {
        match self {
            Self::Configured => "the configuration says that it is only observed".into(),
            Self::Domain(status) => {
                let status = if status.is_empty() {
                    String::new()
                } else {
                    format!(" ({status})")
                };
                format!(
                    "the domain manages it by a description of its own{status}: what it lacks is \
                     for NuoDB's enforcer to start"
                )
                .into()
            }
            Self::Unknown(_) => {
                "somebody else starts what it lacks; a healer of its own should not".into()
            }
        }
    }
}

impl Supervisor {
    /// A process that the healer did not start sits down on a seat: counts it if the seat was
    /// missed. What was never there, and what the healer gave up on, is for anybody to start.
    pub(in crate::supervisor) fn note_foreign(&mut self, now: Timestamp, slot: SlotId) {
        let vacancy = match &self.slot(slot).phase {
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => vacancy,
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } | Phase::Leaving { .. } => return,
        };
        // Who has the lease in our place heals as we would.
        let is_nobody = vacancy.evidence == Evidence::Declared || self.is_without_lease();
        if is_nobody || !self.is_wanted(slot) {
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

    /// Takes in which databases the domain manages itself.
    pub fn note_managed(&mut self, model: &Model, all: Vec<Managed>) {
        let all = all.into_iter().map(|it| (it.database, it.status)).collect();
        if self.managed == all {
            return;
        }
        let before = std::mem::replace(&mut self.managed, all);
        let names = before.keys().chain(self.managed.keys());
        for id in names.filter_map(|it| model.database_named(it)) {
            self.foreign.entry(id).or_default();
        }
        self.changed.domain = true;
    }

    /// Returns which databases the domain manages itself.
    pub(in crate::supervisor) fn managed(&self) -> impl Iterator<Item = Managed> {
        self.managed.iter().map(|(database, status)| Managed {
            database: database.clone(),
            status: status.clone(),
        })
    }

    /// Remembers which those were.
    pub(in crate::supervisor) fn recall_managed(&mut self, all: &[Managed]) {
        let all = all.iter().cloned();
        self.managed = all.map(|it| (it.database, it.status)).collect();
    }

    /// Returns who heals a database besides us, if anybody does.
    fn other_healer(&self, now: Timestamp, model: &Model, id: DatabaseId) -> Option<Other> {
        let name = &model.database(id).name;
        let mut observed = self.settings.observe.iter();
        if observed.any(|it| it.matches(name.as_str())) {
            return Some(Other::Configured);
        }
        if self.is_thawed(Gate::AnotherHealer) {
            return None;
        }
        let status = self.managed.get(name);
        if let Some(status) = status.filter(|_| self.settings.leave_managed) {
            return Some(Other::Domain(status.clone()));
        }
        let until = self.foreign.get(&id).map(|it| it.until);
        until.filter(|it| *it > now).map(Other::Unknown)
    }

    /// Returns whether the healer may heal the database.
    pub(in crate::supervisor) fn heals_alone(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let database = self.slot(case.slot).database;
        let Some(other) = self.other_healer(case.now, case.model, database) else {
            return Ok(());
        };
        match other.until() {
            _ if self.settings.planted.has(Mutant::BesideOthers) => Ok(()),
            Some(until) => Err(Obstacle::AnotherHealer.blocks_until(until).into()),
            None => Err(Obstacle::AnotherHealer.blocks().into()),
        }
    }

    /// Notes which databases are left alone from the beginning.
    pub(in crate::supervisor) fn note_observed(&mut self, model: &Model, id: DatabaseId) {
        let name = &model.database(id).name;
        let mut observed = self.settings.observe.iter();
        if observed.any(|it| it.matches(name.as_str())) || self.managed.contains_key(name) {
            self.foreign.entry(id).or_default();
        }
    }

    /// Tells which databases are left alone from now on, and which not any more.
    pub(super) fn mind_healers(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        let all: Vec<DatabaseId> = self.foreign.keys().copied().collect();
        for id in all {
            let is_closed = self.other_healer(now.at, model, id).is_some();
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
            let other = self.other_healer(now, model, *id)?;
            Some(ClosedGate {
                name: Gate::AnotherHealer.as_str(),
                database: Some(model.database(*id).name.clone()),
                since: None,
                until: other.until(),
                text: other.says(),
            })
        })
    }
}
