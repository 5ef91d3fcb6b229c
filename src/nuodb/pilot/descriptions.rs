//! Which databases the domain manages itself: asked of the broker at login, with each refresh and
//! from time to time, each question on a short connection of its own.
//!
//! What follows from the answers is not decided here. A broker that refuses to say, since it knows
//! no descriptions or is in no state to answer, tells nothing; that is no failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::session::{Patience, Purpose};
use super::{ConnectionId, Pilot, words};
use crate::exchange::{Managed, Observation};
use crate::model::DatabaseName;
use crate::nuodb::message::Element;
use crate::time::Timestamp;

/// So many descriptions count; more databases than that nobody ever managed in one domain.
const DESCRIPTIONS_MAX: usize = 10_000;

/// So many of them are asked for their status, which is for people to read and no more.
const STATUS_MAX: usize = 64;

/// What is known of them, and how far the present round of questions is.
#[derive(Debug, Default)]
pub(super) struct Descriptions {
    /// When the next round begins. Without a session nobody is asked.
    due: Option<Timestamp>,
    asking: Option<ConnectionId>,
    /// Whether another round is wanted, begun after this moment.
    is_wanted_again: bool,
    /// Rounds in a row that brought nothing.
    tries: u32,
    known: Vec<Managed>,
    /// How many of them were asked for their status in this round.
    asked: usize,
    /// What was told in this session.
    told: Option<Vec<Managed>>,
}

impl Descriptions {
    pub(super) const fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Takes over which there are; what was known of them stays until they were asked.
    fn list(&mut self, names: BTreeSet<DatabaseName>) {
        let known = std::mem::take(&mut self.known).into_iter();
        let mut known: BTreeMap<_, _> = known.map(|it| (it.database, it.status)).collect();
        let all = names.into_iter().take(DESCRIPTIONS_MAX);
        let all = all.map(|database| Managed {
            status: known.remove(&database).unwrap_or_default(),
            database,
        });
        self.known = all.collect();
        self.asked = 0;
    }
}

impl Pilot {
    /// Asks which databases the domain manages, from now on; a round under way is older than that.
    pub(super) fn want_descriptions(&mut self, now: Timestamp) {
        if self.descriptions.asking.is_some() {
            self.descriptions.is_wanted_again = true;
        } else {
            self.ask_descriptions(now, None);
        }
    }

    /// Begins the next round, if it is time to.
    pub(super) fn expire_descriptions(&mut self, now: Timestamp) {
        if self.descriptions.due.is_some_and(|at| at <= now) {
            self.ask_descriptions(now, None);
        }
    }

    /// The session is gone, and with it whoever was asked.
    pub(super) fn forget_descriptions(&mut self) {
        let known = std::mem::take(&mut self.descriptions.known);
        let before = std::mem::take(&mut self.descriptions);
        self.descriptions.known = known;
        if let Some(connection) = before.asking {
            self.drop_connection(connection);
        }
    }

    fn ask_descriptions(&mut self, now: Timestamp, database: Option<DatabaseName>) {
        self.descriptions.due = None;
        if self.settings.descriptions.is_none() {
            return;
        }
        if let Some(entry) = self.entry().cloned() {
            let patience = Patience::fixed(now, self.settings.dial_timeout);
            let connection = self.dial(entry, Purpose::Describe(database), patience);
            self.descriptions.asking = Some(connection);
        }
    }

    /// Takes in which there are, or how it stands with one of them.
    pub(super) fn described(
        &mut self,
        now: Timestamp,
        database: Option<&DatabaseName>,
        answer: &Element,
    ) {
        match database {
            None => {
                self.descriptions.list(words::descriptions(answer));
                self.tell_descriptions();
            }
            Some(name) => self.note_status(name, words::description_status(answer)),
        }
        self.ask_next(now);
    }

    /// Takes in that the broker does not say.
    pub(super) fn undescribed(&mut self, now: Timestamp, database: Option<&DatabaseName>) {
        match database {
            None => self.end_round(now),
            Some(name) => {
                self.note_status(name, Arc::default());
                self.ask_next(now);
            }
        }
    }

    /// Takes in that the broker could not be asked: it is asked again soon.
    pub(super) fn missed_descriptions(&mut self, now: Timestamp) {
        let tries = self.descriptions.tries;
        self.end_round(now);
        let first = self.settings.reconnect_first;
        let pause = first.saturating_mul(1 << tries.min(31));
        self.descriptions.tries = tries.saturating_add(1);
        let soon = now + pause.min(self.settings.reconnect_max);
        self.descriptions.due = self.descriptions.due.map(|it| it.min(soon));
    }

    fn note_status(&mut self, name: &DatabaseName, status: Arc<str>) {
        let mut known = self.descriptions.known.iter_mut();
        if let Some(it) = known.find(|it| it.database == *name) {
            it.status = status;
        }
    }

    fn ask_next(&mut self, now: Timestamp) {
        let descriptions = &mut self.descriptions;
        let mut known = descriptions.known.iter().take(STATUS_MAX);
        if let Some(it) = known.nth(descriptions.asked) {
            let name = it.database.clone();
            descriptions.asked += 1;
            self.ask_descriptions(now, Some(name));
        } else {
            self.tell_descriptions();
            self.end_round(now);
        }
    }

    fn end_round(&mut self, now: Timestamp) {
        self.descriptions.asking = None;
        self.descriptions.tries = 0;
        let pause = self.settings.descriptions;
        self.descriptions.due = pause.map(|it| now + it);
        if std::mem::take(&mut self.descriptions.is_wanted_again) {
            self.ask_descriptions(now, None);
        }
    }

    /// Tells what is known, if that is news in this session.
    fn tell_descriptions(&mut self) {
        let known = &self.descriptions.known;
        if self.descriptions.told.as_ref() != Some(known) {
            let known = known.clone();
            self.descriptions.told = Some(known.clone());
            self.observe(Observation::Managed(known));
        }
    }
}
