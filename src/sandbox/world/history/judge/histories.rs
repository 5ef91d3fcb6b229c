//! What archives were asked, and what they said: a cold start begins with the one that was used
//! last, if all of them said when, and no two the same.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::known::{Open, index_at, index_of};
use super::told::{Life, State, ToldProcess};
use super::{Broken, Judge, Law};
use crate::exchange::{ActionId, Deed, Observation, Outcome, Question};
use crate::model::{Role, Status};
use crate::supervisor::{Effect, Input};
use crate::time::Timestamp;

/// What was asked lately, and what was said.
#[derive(Debug, Default)]
pub(super) struct Histories {
    asked: BTreeMap<ActionId, (Arc<str>, usize)>,
    rounds: BTreeMap<Arc<str>, Round>,
}

/// Questions about all archives of a database.
#[derive(Debug)]
struct Round {
    asked: Timestamp,
    /// When each archive was used last, by peer; nothing of those that did not say it.
    said: BTreeMap<usize, Option<u64>>,
}

impl Round {
    /// Returns at which peer the archive is that was used last, if all of them tell.
    fn newest(&self) -> Option<usize> {
        let said: Option<Vec<(u64, usize)>> = self
            .said
            .iter()
            .map(|(peer, used)| Some(((*used)?, *peer)))
            .collect();
        let mut said = said?;
        said.sort_unstable();
        match said[..] {
            [.., (before, _), (last, peer)] if before < last => Some(peer),
            _ => None,
        }
    }
}

/// Returns when an archive was used last, if that is what was answered.
fn read(outcome: &Outcome, database: &str) -> Option<u64> {
    let Outcome::Answered(pairs) = outcome else {
        return None;
    };
    let value = |name: &str| {
        let found = pairs.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    };
    let is_free = value("in-use") == Some("false");
    let is_own = value("database") == Some(database);
    value("last-used")
        .filter(|_| is_free && is_own)
        .and_then(|it| it.parse().ok())
}

impl Histories {
    /// Takes in what the warden is told; who answers after so long is not heard.
    pub(super) fn hear(&mut self, now: Timestamp, input: &Input, patience: Duration) {
        match input {
            Input::Began(_) | Input::Observed(Observation::Lost(_)) => {
                *self = Self::default();
            }
            Input::Reported { action, outcome } => {
                let Some((database, peer)) = self.asked.remove(action) else {
                    return;
                };
                let round = self.rounds.get_mut(&database);
                if let Some(round) = round.filter(|it| now < it.asked + patience) {
                    round.said.insert(peer, read(outcome, &database));
                }
            }
            Input::Clock(_)
            | Input::Configured(_)
            | Input::JournalFailed
            | Input::Lease(_)
            | Input::Probed(_)
            | Input::Observed(_)
            | Input::Recovered(_)
            | Input::Requested(_)
            | Input::Resumed { .. }
            | Input::Timeout => (),
        }
    }

    fn ask(&mut self, now: Timestamp, action: ActionId, (database, peer): (Arc<str>, usize)) {
        let round = self.rounds.get(&database);
        if round.is_none_or(|it| it.asked != now) {
            let round = Round {
                asked: now,
                said: BTreeMap::new(),
            };
            self.rounds.insert(database.clone(), round);
            self.asked.retain(|_, (of, _)| *of != database);
        }
        if let Some(round) = self.rounds.get_mut(&database) {
            round.said.insert(peer, None);
        }
        self.asked.insert(action, (database, peer));
    }
}

impl Judge {
    /// Takes in what archives the warden wants asked.
    pub(super) fn note_questions(&mut self, now: Timestamp, effect: &Effect) {
        let Effect::Do(Deed::Ask { action, question }) = effect else {
            return;
        };
        let Question::History { target, archive } = question else {
            return;
        };
        let peer = index_at(&target.address);
        let mut archives = self.archives.iter();
        let of = archives.find(|(_, known)| {
            let mut known = known.iter();
            known.any(|it| it.path == *archive && index_of(&it.peer) == peer)
        });
        if let (Some((database, _)), Some(peer)) = (of, peer) {
            let database = database.as_str().into();
            self.histories.ask(now, *action, (database, peer));
        }
    }

    /// Returns whether a storage manager that is started while nothing of its database runs is the
    /// one that the archives name; nothing if they name none.
    pub(super) fn judge_as_they_say(
        &mut self,
        action: ActionId,
        it: &Open,
    ) -> Option<Result<(), Broken>> {
        let told = &self.known.told;
        let round = self.histories.rounds.get(&it.database)?;
        let newest = round.newest()?;
        // Whoever ran since they were asked ran last, though its exit was told just now.
        let serves = |it: &ToldProcess| {
            let is_there = match it.state {
                State::Live => true,
                State::Ending(at) => at > round.asked,
                State::Unreachable(_) => false,
            };
            it.status == Status::Up && is_there
        };
        let is_since = |life: &Life| {
            let is_manager = life.role == Role::Sm && life.was_up;
            let is_later = life.seen.is_none_or(|seen| seen > round.asked);
            life.database == *it.database && is_manager && is_later
        };
        if told.of(&it.database).any(serves) || told.lives.iter().any(is_since) {
            return None;
        }
        self.met(Law::AsTheySay);
        if newest == it.peer {
            return Some(Ok(()));
        }
        let text = format!(
            "{action}: it is at peer {}, and the archive at peer {newest} was used last",
            it.peer
        );
        Some(Err(Law::AsTheySay.broken(text)))
    }
}
