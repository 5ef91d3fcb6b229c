//! What must hold of storage managers: that each is started where its archive is, with all that
//! belongs to it and nothing else, in order, and that nothing is ended but what is left over.

use std::time::Duration;

use super::known::{Known, Open, index_of, is_manager};
use super::told::{Life, State, ToldProcess};
use super::{Broken, Judge, Law};
use crate::event::Event;
use crate::exchange::{ActionId, Start, Target};
use crate::model::{Role, Status};
use crate::policy::{Leftover, Policy};
use crate::supervisor::is_for_once;

/// Ends so close together may be taken in at once.
const AT_ONCE: Duration = Duration::from_secs(1);

impl Judge {
    /// A storage manager is started where its archive is, whole, and makes none.
    pub(super) fn judge_whole(&mut self, action: ActionId, start: &Start) -> Result<(), Broken> {
        let open = &self.known.open[&action];
        if (start.role == Role::Sm) != is_manager(&open.seat) {
            let text = format!("{action}: {:?} for {}", start.role, open.seat);
            return Err(Law::AtHome.broken(text));
        }
        if start.role != Role::Sm {
            return Ok(());
        }
        self.met(Law::AtHome);
        let peer = index_of(&start.target.peer).unwrap_or_default();
        if start.options.iter().any(|it| is_for_once(&it.name)) {
            let text = format!("{action}: it makes an archive: {:?}", start.options);
            return Err(Law::AtHome.broken(text));
        }
        let known = self.archives.get(&start.database);
        let known = known.into_iter().flatten();
        let mut own = known.filter(|it| index_of(&it.peer) == Some(peer));
        let Some(own) = own.next() else {
            let text = format!("{action}: {} has no archive at peer {peer}", start.database);
            return Err(Law::AtHome.broken(text));
        };
        if own.options() != start.options {
            let text = format!("{action}: its options are {:?}", start.options);
            return Err(Law::AtHome.broken(text));
        }
        Ok(())
    }

    /// No archive is opened before one that is newer, unless another of its database is served.
    pub(super) fn judge_newest(&mut self, action: ActionId, it: &Open) -> Result<(), Broken> {
        let told = &self.known.told;
        let manages = |it: &&ToldProcess| it.role == Role::Sm;
        let is_up = |known: ToldProcess| {
            known.status == Status::Up && known.state == State::Live && known.peer != it.peer
        };
        if told.of(&it.database).filter(manages).cloned().any(is_up) {
            return Ok(());
        }
        if let Some(judged) = self.judge_as_they_say(action, it) {
            return judged;
        }
        let told = &self.known.told;
        let away = |it: &ToldProcess| match it.state {
            State::Unreachable(since) if it.status == Status::Up => Some(since),
            State::Ending(_) | State::Live | State::Unreachable(_) => None,
        };
        let last = |is_meant: &dyn Fn(usize) -> bool| {
            let is_it = |life: &&Life| {
                life.database == *it.database && life.role == Role::Sm && life.was_up
            };
            let ended = told.lives.iter().filter(is_it);
            let ended = ended
                .filter(|it| is_meant(it.peer))
                .filter_map(|it| it.seen);
            let missed = told.of(&it.database).filter(manages);
            let missed = missed.filter(|it| is_meant(it.peer)).filter_map(away);
            ended.chain(missed).max()
        };
        let own = last(&|peer| peer == it.peer);
        let newest = last(&|peer| peer != it.peer);
        self.met(Law::NewestFirst);
        if own.is_none_or(|own| newest.is_some_and(|it| own + AT_ONCE < it)) {
            let text = format!("{action}: it ran until {own:?}, another until {newest:?}");
            return Err(Law::NewestFirst.broken(text));
        }
        Ok(())
    }

    /// Only what is left over is ended, where that is said, and where another keeps the data.
    pub(super) fn judge_ending(
        &mut self,
        action: ActionId,
        target: &Target,
        pid: u32,
    ) -> Result<(), Broken> {
        let Some(open) = self.known.open.get(&action) else {
            let text = format!("{action} ends something and was not told of");
            return Err(Law::StopsNothing.broken(text));
        };
        let database = open.database.clone();
        let policy = self.policy(&database).unwrap_or_default();
        let told = &self.known.told;
        let peer = index_of(&target.peer).unwrap_or_default();
        let is_known = told.processes.contains_key(&(peer, pid));
        let keeps = |it: &ToldProcess| {
            it.role == Role::Sm && it.status == Status::Up && it.state == State::Live
        };
        let is_kept = told.of(&database).any(keeps);
        let is_asked_for = policy.leftover == Leftover::Kill && !self.known.is_frozen();
        self.met(Law::LeftOver);
        if is_known || !is_kept || !is_asked_for {
            let text = format!(
                "{action}: pid {pid} at peer {peer} is ended (known: {is_known}, data kept: \
                 {is_kept}, asked for: {is_asked_for})"
            );
            return Err(Law::LeftOver.broken(text));
        }
        Ok(())
    }
}

impl Known {
    /// Returns how many storage managers of a database left as somebody wished.
    pub(super) fn managers_left(&self, database: &str) -> usize {
        let is_it =
            |it: &&Life| it.database == *database && it.role == Role::Sm && it.left.is_some();
        self.told.lives.iter().filter(is_it).count()
    }
}

/// A storage manager is healed where that is said.
pub(super) fn judge_managed(action: ActionId, policy: &Policy) -> Result<(), Broken> {
    let is_kept = policy.keep_observed || policy.sm.is_some();
    if is_kept && policy.roles.contains(&Role::Sm) {
        return Ok(());
    }
    let text = format!("{action}: no policy has storage managers healed");
    Err(Law::Wanted.broken(text))
}

/// Returns whether what is begun is to end something, and not to start it.
pub(super) fn is_ending(event: &Event) -> bool {
    let text = event.text.as_deref().unwrap_or_default();
    text.ends_with("holds its archive: it is ended")
}
