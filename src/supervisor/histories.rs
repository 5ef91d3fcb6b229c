//! What archives say of themselves before a database is brought up from nothing: which of them was
//! used last.
//!
//! It rests on a form of answers that nobody confirmed, so it is asked only where the
//! configuration says so. It changes the order alone: what does not let a cold start begin stays,
//! and when an answer is missing, is not understood or contradicts another one, our own record of
//! who ran last counts. What was heard dies with the session, as it may be out of date after it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Effect;
use super::archive::Archive;
use super::begin::target_of;
use super::explain::Because;
use super::rule::{Case, Hindrance, Obstacle, Query};
use super::state::{SlotId, Supervisor};
use crate::exchange::{ActionId, Deed, Outcome, Question};
use crate::model::{DatabaseId, Model, PeerPresence};
use crate::mutation::Mutant;
use crate::policy::SeatKind;
use crate::time::Timestamp;

/// What rests on a protocol that nobody confirmed, and is off unless somebody wants it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Experiment {
    /// Before a cold start the archives are asked which of them was used last.
    ArchiveHistory,
}

impl Experiment {
    /// Every experiment.
    pub const ALL: [Self; 1] = [Self::ArchiveHistory];

    /// Returns its name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ArchiveHistory => "archive-history",
        }
    }
}

/// What the archives of a database were asked, and what they said.
#[derive(Debug)]
pub(super) struct Inquiry {
    asked_at: Timestamp,
    /// Who has not answered by then is not waited for.
    until: Timestamp,
    said: BTreeMap<SlotId, Saying>,
}

/// What became of the question that one archive was asked.
#[derive(Debug)]
struct Saying {
    /// The archive that was asked for.
    path: Arc<str>,
    word: Word,
}

/// What an archive says of itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Word {
    /// Nothing yet.
    Awaited(ActionId),
    /// Something nobody understands.
    Garbled,
    /// Something is in it, by what its agent says, though nothing of the database runs.
    InUse,
    /// It belongs to another database.
    Other,
    /// Its agent does not say.
    Refused,
    /// Its agent does not answer.
    Silent,
    /// It was used until then, in units of its own that grow with time.
    Used(u64),
}

impl Word {
    /// Reads what became of the question for an archive.
    fn read(outcome: &Outcome, path: &str, database: &str) -> Self {
        match outcome.reply() {
            Some(Ok(pairs)) => Self::read_pairs(pairs, path, database),
            Some(Err(_)) => Self::Refused,
            None => Self::Silent,
        }
    }

    fn read_pairs(pairs: &[(String, String)], path: &str, database: &str) -> Self {
        let value = |name: &str| {
            let mut values = pairs.iter().filter(|(it, _)| it == name);
            let (_, value) = values.next()?;
            // Said twice it is said not at all.
            values.next().is_none().then_some(value.as_str())
        };
        let is_number = |it: &&str| it.bytes().all(|it| it.is_ascii_digit());
        let used = value("last-used").filter(is_number);
        let used = used.and_then(|it| it.parse::<u64>().ok());
        let whole = (value("archive"), value("database"), value("in-use"), used);
        match whole {
            (Some(archive), Some(_), Some("false" | "true"), Some(_)) if archive != path => {
                Self::Garbled
            }
            (Some(_), Some(of), Some("false" | "true"), Some(_)) if of != database => Self::Other,
            (Some(_), Some(_), Some("true"), Some(_)) => Self::InUse,
            (Some(_), Some(_), Some("false"), Some(used)) => Self::Used(used),
            _ => Self::Garbled,
        }
    }

    /// Returns why it says nothing about who ran last, as part of a sentence.
    const fn objection(self) -> Option<&'static str> {
        match self {
            Self::Awaited(_) | Self::Silent => Some("did not answer"),
            Self::Garbled => Some("said something that is not understood"),
            Self::InUse => Some("is said to be in use"),
            Self::Other => Some("is said to be of another database"),
            Self::Refused => Some("is not known to its agent"),
            Self::Used(_) => None,
        }
    }
}

impl Supervisor {
    /// Returns which seat a cold start begins with: the one whose archive was used last by what
    /// the archives say, if they are asked and agree, else the one that ran last by our own
    /// record. First they have to be asked.
    pub(super) fn first_by_histories(
        &self,
        case: &Case<'_>,
        (database, row): (DatabaseId, usize),
        by_record: SlotId,
    ) -> Result<SlotId, Hindrance> {
        let left: Vec<SlotId> = self.seats_left(case.model, (database, row)).collect();
        if self.may_ask_archives(case.model, &left) != Some(Ok(())) {
            return Ok(by_record);
        }
        let inquiry = self.watches[database.index()].inquiry.as_ref();
        let Some(inquiry) = inquiry.filter(|it| self.is_current(case.model, it, &left)) else {
            return Err(Hindrance::Ask(Query::Archives));
        };
        if case.now < inquiry.until && inquiry.is_awaited(&left) {
            return Err(Obstacle::AskingArchives.blocks_until(inquiry.until).into());
        }
        if self.settings.planted.has(Mutant::DeafToArchives) {
            return Ok(by_record);
        }
        Ok(self
            .newest_by(case.model, inquiry, &left)
            .unwrap_or(by_record))
    }

    /// Returns whether archives can be asked, or why not; nothing where nobody wants it, or there
    /// is nothing to choose from.
    fn may_ask_archives(&self, model: &Model, left: &[SlotId]) -> Option<Result<(), String>> {
        let wanted = &self.settings.experiments;
        if left.len() < 2 || !wanted.contains(&Experiment::ArchiveHistory) {
            return None;
        }
        let mut left = left.iter();
        let unknown = left.find(|it| self.archive_of(model, **it).is_none());
        Some(unknown.map_or(Ok(()), |it| {
            let host = self.host_of(model, *it);
            Err(format!("nobody said where the archive on {host} is"))
        }))
    }

    fn host_of<'a>(&self, model: &'a Model, id: SlotId) -> &'a str {
        let home = self.slot(id).home;
        home.map_or("nowhere", |it| model.peer(it).name.as_str())
    }

    /// Returns whether what was heard is about the archives as they are now: all of them were
    /// asked, none was out of reach since, and nothing ran on them.
    fn is_current(&self, model: &Model, inquiry: &Inquiry, left: &[SlotId]) -> bool {
        let is_asked = |id: &SlotId| {
            let slot = self.slot(*id);
            let path = self.archive_of(model, *id).map(|it| &it.path);
            let was_there = slot.home.is_some_and(|it| match model.peer(it).presence {
                PeerPresence::Connected { since } => since <= inquiry.asked_at,
                PeerPresence::Unreachable { .. } => false,
            });
            let ran = self.ran_until(*id);
            was_there
                && ran.is_none_or(|it| it <= inquiry.asked_at)
                && inquiry
                    .said
                    .get(id)
                    .is_some_and(|it| Some(&it.path) == path)
        };
        left.iter().all(is_asked)
    }

    /// Returns the seat whose archive was used last by what all of them say, or why that is not
    /// known.
    fn newest_by(
        &self,
        model: &Model,
        inquiry: &Inquiry,
        left: &[SlotId],
    ) -> Result<SlotId, String> {
        let host = |id: SlotId| self.host_of(model, id);
        let mut newest: Option<(u64, SlotId)> = None;
        let mut rival = None;
        for id in left {
            let word = inquiry.said.get(id).map_or(Word::Silent, |it| it.word);
            let Word::Used(used) = word else {
                if self.settings.planted.has(Mutant::HalfHeard) {
                    continue;
                }
                let objection = word.objection().unwrap_or_default();
                return Err(format!("the archive on {} {objection}", host(*id)));
            };
            match newest {
                Some((most, _)) if used < most => (),
                Some((most, first)) if used == most => rival = Some((first, *id)),
                Some(_) | None => {
                    newest = Some((used, *id));
                    rival = None;
                }
            }
        }
        match (newest, rival) {
            (Some((_, id)), None) => Ok(id),
            (_, Some((first, second))) => Err(format!(
                "the archives on {} and {} both claim to be the newest",
                host(first),
                host(second)
            )),
            (None, None) => Err("there is no archive to ask".to_owned()),
        }
    }

    /// Asks the agents of all archives that are left.
    pub(super) fn ask_archives(
        &mut self,
        now: Timestamp,
        model: &Model,
        id: SlotId,
        effects: &mut Vec<Effect>,
    ) {
        let (database, row) = self.row_of(id);
        let left: Vec<SlotId> = self.seats_left(model, (database, row)).collect();
        let mut said = BTreeMap::new();
        for id in left {
            let archive = self
                .archive_of(model, id)
                .map(|it: &Archive| it.path.clone());
            let Some((home, path)) = self.slot(id).home.zip(archive) else {
                continue;
            };
            let action = self.new_action();
            self.inquiries.insert(action, (database, id));
            let question = Question::History {
                target: target_of(model, home),
                archive: path.clone(),
            };
            effects.push(Effect::Do(Deed::Ask { action, question }));
            let word = Word::Awaited(action);
            said.insert(id, Saying { path, word });
        }
        // The driver reports by itself; this is for a driver that does not.
        let until = now + self.settings.prepare_timeout;
        self.look_at(id, Some(until));
        self.watch_mut(database).inquiry = Some(Inquiry {
            asked_at: now,
            until,
            said,
        });
    }

    /// Takes in what an archive says of itself; returns whether it was asked.
    pub(super) fn heard_history(
        &mut self,
        now: Timestamp,
        model: &Model,
        action: ActionId,
        outcome: &Outcome,
    ) -> bool {
        let Some((database, id)) = self.inquiries.remove(&action) else {
            return false;
        };
        let name = &model.database(database).name;
        let inquiry = self.watches[database.index()].inquiry.as_mut();
        // Who is late finds that another order may be under way.
        let inquiry = inquiry.filter(|it| now < it.until);
        let saying = inquiry.and_then(|it| it.said.get_mut(&id));
        if let Some(saying) = saying.filter(|it| it.word == Word::Awaited(action)) {
            saying.word = Word::read(outcome, &saying.path, name.as_str());
        }
        true
    }

    /// The session to the domain is gone, and with it what the archives said: who writes to them
    /// while nobody looks is not known.
    pub(super) fn forget_histories(&mut self) {
        self.inquiries.clear();
        for watch in &mut self.watches {
            watch.inquiry = None;
        }
    }

    /// Returns by what it is known that a seat ran last, as part of a sentence.
    pub(super) fn ran_last_by(&self, case: &Case<'_>) -> String {
        let (database, row) = self.row_of(case.slot);
        match self.heard_of(case.now, case.model, (database, row)) {
            None => String::new(),
            Some(Ok(_)) => " by what the archives say".to_owned(),
            Some(Err(why)) => format!(" by our own record, for {why}"),
        }
    }

    /// Returns what is known of the archives once none is waited for any more: which seat ran
    /// last by what they say, or why they do not tell.
    fn heard_of(
        &self,
        now: Timestamp,
        model: &Model,
        (database, row): (DatabaseId, usize),
    ) -> Option<Result<SlotId, String>> {
        let left: Vec<SlotId> = self.seats_left(model, (database, row)).collect();
        if let Err(why) = self.may_ask_archives(model, &left)? {
            return Some(Err(why));
        }
        let inquiry = self.watches[database.index()].inquiry.as_ref()?;
        let is_over = now >= inquiry.until || !inquiry.is_awaited(&left);
        let is_heard = is_over && self.is_current(model, inquiry, &left);
        is_heard.then(|| self.newest_by(model, inquiry, &left))
    }

    /// Returns what the archives of a database that is down said, for people.
    pub(super) fn history_reason(
        &self,
        now: Timestamp,
        model: &Model,
        database: DatabaseId,
    ) -> Option<Because> {
        let mut roles = self.settings.doctrine.roles.iter();
        let row = roles.position(|it| it.seat == SeatKind::Archive)?;
        if model.database(database).is_any_running() {
            return None;
        }
        let says = match self.heard_of(now, model, (database, row))? {
            Ok(newest) => format!(
                "the archives say that the one of {} was used last",
                self.slot(newest).name()
            ),
            Err(why) => format!("our own record of who ran last counts, for {why}"),
        };
        Some(Because::new(Experiment::ArchiveHistory.as_str(), says))
    }
}

impl Inquiry {
    /// Returns whether one of these has not answered yet.
    fn is_awaited(&self, left: &[SlotId]) -> bool {
        let mut said = left.iter().filter_map(|it| self.said.get(it));
        said.any(|it| matches!(it.word, Word::Awaited(_)))
    }
}
