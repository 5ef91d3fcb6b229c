//! What agents and people said: words with which a start failed, seats that were given up, and
//! processes that somebody stopped.

use super::known::{Known, Open, is_manager};
use super::told::{Life, State};
use super::{Broken, Judge, Law};
use crate::exchange::ActionId;
use crate::model::{Role, Status};
use crate::policy::Policy;
use crate::time::Timestamp;

/// With these an agent says that nothing of the kind can run on its host.
const HOST_OUT: [&str; 2] = ["permission denied", "no such file or directory"];

/// With these it says that no engine anywhere understands how it is started.
const BAD_OPTION: [&str; 3] = ["unknown option", "unrecognized option", "invalid option"];

impl Known {
    /// Takes in with which words a start failed.
    pub(super) fn heed(&mut self, open: &Open, words: &str) {
        let words = words.to_lowercase();
        let says = |all: &[&str]| all.iter().any(|it| words.contains(it));
        if says(&HOST_OUT) {
            let key = (open.database.clone(), is_manager(&open.seat), open.peer);
            let peer = self.told.peers.get(&open.peer);
            self.out.insert(key, peer.map_or(0, |it| it.comings));
        } else if says(&BAD_OPTION) {
            let name = (open.database.clone(), open.seat.clone());
            if self.seats.get(&name).is_some_and(|it| it.is_vacant) {
                self.useless.insert(name);
            }
        }
    }
}

impl Judge {
    /// What was said is heeded, and what was given up is left alone.
    pub(super) fn judge_heeded(
        &mut self,
        now: Timestamp,
        action: ActionId,
        (it, policy): (&Open, &Policy),
    ) -> Result<(), Broken> {
        let name = (it.database.clone(), it.seat.clone());
        if !self.known.held.is_empty() {
            self.met(Law::Held);
        }
        if self.known.held.contains(&name) {
            return Err(Law::Held.broken(format!("{action}: {} was given up", it.seat)));
        }
        if self.has_own_words {
            return self.judge_left(now, action, (it, policy));
        }
        if !self.known.out.is_empty() || !self.known.useless.is_empty() {
            self.met(Law::Heeded);
        }
        let peer = self.known.told.peers.get(&it.peer);
        let key = (it.database.clone(), is_manager(&it.seat), it.peer);
        let said = self.known.out.get(&key);
        if said.is_some_and(|said| peer.is_none_or(|it| it.comings == *said)) {
            let text = format!("{action}: peer {} said that it cannot run there", it.peer);
            return Err(Law::Heeded.broken(text));
        }
        // Who asks for one may know better.
        let is_asked_for = self.known.orders.asked(now, &it.database);
        if self.known.useless.contains(&name) && !is_asked_for {
            let text = format!("{action}: no engine understands how it is started");
            return Err(Law::Heeded.broken(text));
        }
        self.judge_left(now, action, (it, policy))
    }

    /// Who left its seat because somebody wished so is not missed there, if its peer stayed and the
    /// database went on.
    fn judge_left(
        &mut self,
        now: Timestamp,
        action: ActionId,
        (it, policy): (&Open, &Policy),
    ) -> Result<(), Broken> {
        let told = &self.known.told;
        let mut of = told
            .lives
            .iter()
            .filter(|life| life.database == *it.database);
        if of.any(|life| life.left.is_some()) {
            self.met(Law::Left);
        }
        let told = &self.known.told;
        let name = (it.database.clone(), it.seat.clone());
        let seat = self.known.seats.get(&name);
        let last = seat.and_then(|it| it.last).map(|it| &told.lives[it]);
        let Some((life, left)) = last.and_then(|it| Some((it, it.left?))) else {
            return Ok(());
        };
        let is_before = |at: Timestamp| at < left + policy.return_grace && at != left;
        if seat.is_some_and(|it| it.is_vacant && is_before(it.since)) {
            // What was missed on another seat before is missed here since.
            return Ok(());
        }
        let orders = &self.known.orders;
        let is_declared = orders.declares(&it.database, &it.seat, policy);
        // Who works at it does not say what is wanted.
        let is_worked_at = orders.worked_at_since(left, &name, Some(life.peer));
        let is_asked_for = orders.wanted(&it.database) || orders.asked(now, &it.database);
        if is_asked_for || is_worked_at {
            return Ok(());
        }
        let stayed = |peer: usize| {
            let peer = told.peers.get(&peer);
            peer.is_some_and(|it| it.connected && it.since <= left)
        };
        let goes_on = told.of(&it.database).any(|it| {
            let manages = it.role == Role::Sm && it.status == Status::Up;
            let life: &Life = &told.lives[it.life];
            manages && it.state == State::Live && life.from <= left && stayed(it.peer)
        });
        let is_over = left + policy.return_grace <= now;
        if is_over && !is_declared && stayed(life.peer) && goes_on {
            let text = format!("{action}: somebody stopped what sat on {}", it.seat);
            return Err(Law::Left.broken(text));
        }
        Ok(())
    }
}
