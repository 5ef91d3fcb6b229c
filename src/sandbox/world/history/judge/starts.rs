//! What must hold of a start: when it is prepared, when it leaves, and when it ends.

use std::time::Duration;

use super::archives::judge_managed;
use super::known::{Known, Open, Stage, index_of, is_manager};
use super::told::{Life, State, ToldProcess};
use super::{Broken, Judge, Law};
use crate::event::{Event, Kind};
use crate::exchange::ActionId;
use crate::model::{Role, Status};
use crate::policy::Policy;
use crate::supervisor::EvidenceFact;
use crate::time::Timestamp;

macro_rules! ensure {
    ($law:ident, $holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(Law::$law.broken(format!($($text)*)));
        }
    };
}

/// How often a seat may be tried within a minute.
const TRIES: usize = 12;

/// Ends of a database so close together may be one person's doing.
const TOGETHER: Duration = Duration::from_secs(5);

/// An end is noticed that much later than it is told at most; of two one may be noticed at once.
const NOTICED_WITHIN: Duration = Duration::from_millis(500);

impl Judge {
    pub(super) fn judge_budget(&mut self, now: Timestamp, action: ActionId) -> Result<(), Broken> {
        let lately = |it: &&Timestamp| now.since(**it) < self.budget.window;
        let lately = self.known.starts.iter().filter(lately).count();
        let most = self.budget.max_actions as usize;
        if lately == most {
            self.met(Law::Budget);
        }
        ensure!(
            Budget,
            lately <= most,
            "{action} is start {lately} in a while"
        );
        Ok(())
    }

    pub(super) fn judge_pace(&mut self, now: Timestamp, action: ActionId) -> Result<(), Broken> {
        let it = &self.known.open[&action];
        let name = (it.database.clone(), it.seat.clone());
        let seat = self.known.seats.get(&name).cloned().unwrap_or_default();
        let lately = |it: &&Timestamp| now.since(**it) < Duration::from_secs(60);
        let lately = seat.prepares.iter().filter(lately).count();
        if lately > 0 {
            self.met(Law::Pace);
        }
        ensure!(
            Pace,
            lately < TRIES,
            "{action} is try {} in a minute",
            lately + 1
        );
        Ok(())
    }

    /// What must hold when a start is prepared, and again when it leaves.
    pub(super) fn judge_start(&mut self, now: Timestamp, action: ActionId) -> Result<(), Broken> {
        let it = self.known.open[&action].clone();
        ensure!(
            GateOpen,
            self.known.told.synced.is_some(),
            "{action}: there is no session"
        );
        ensure!(
            GateOpen,
            !self.known.is_frozen(),
            "{action}: {:?}",
            self.known.gates
        );
        ensure!(
            Alone,
            !self.known.is_left_alone(&it.database),
            "{action}: {} is left alone",
            it.database
        );
        ensure!(
            GateOpen,
            !self.known.told.is_minority || self.known.orders.is_thawed("minority-view"),
            "{action}: fewer than half of the brokers are in view"
        );
        self.judge_storm(now, action)?;
        self.judge_clock(now, action)?;
        // Where nothing is healed, what is asked for is started by the policy of nobody.
        let asked = self.known.orders.asked(now, &it.database);
        let policy = self.policy(&it.database);
        let Some(policy) = policy.or_else(|| asked.then(Policy::default)) else {
            let text = format!("{action}: no policy applies to {}", it.database);
            return Err(Law::Wanted.broken(text));
        };
        self.judge_peer(now, action, &it, &policy)?;
        self.judge_lane(action, &it)?;
        self.judge_seat(now, action, &it, &policy)?;
        self.judge_confirmation(now, action, &it, &policy)?;
        self.judge_heeded(now, action, (&it, &policy))?;
        self.judge_obeyed(now, action, (&it, &policy))?;
        self.judge_wanted(now, action, &it, &policy)
    }

    fn judge_peer(
        &mut self,
        now: Timestamp,
        action: ActionId,
        it: &Open,
        policy: &Policy,
    ) -> Result<(), Broken> {
        let peer = self
            .known
            .told
            .peers
            .get(&it.peer)
            .copied()
            .unwrap_or_default();
        if peer.lost.is_some() {
            self.met(Law::ReturnGrace);
        }
        ensure!(
            ReturnGrace,
            peer.connected,
            "{action}: peer {} is lost",
            it.peer
        );
        ensure!(
            ReturnGrace,
            peer.since + policy.return_grace <= now,
            "{action}: peer {} has only just come back",
            it.peer
        );
        let role = role_of(it);
        let is_te = |known: &&ToldProcess| known.role == role;
        let runs = |known: &&ToldProcess| {
            known.status == Status::Up && !matches!(known.state, State::Unreachable(_))
        };
        let all: Vec<&ToldProcess> = self.known.told.of(&it.database).collect();
        let others = all.iter().filter(|it| is_te(it)).count();
        let mut same = all.iter().filter(|it| is_te(it));
        let taken = same.find(|known| known.peer == it.peer);
        let taken = taken.map(|it| (*it).clone());
        let serves = all.iter().any(runs);
        if others > 0 {
            self.met(Law::OnePerPeer);
        }
        ensure!(OnePerPeer, taken.is_none(), "{action}: there is {taken:?}");
        if role == Role::Sm {
            return self.judge_newest(action, it);
        }
        self.met(Law::Needs);
        ensure!(Needs, serves, "{action}: nothing of {} runs", it.database);
        Ok(())
    }

    fn judge_lane(&mut self, action: ActionId, it: &Open) -> Result<(), Broken> {
        let mut is_met = false;
        for (other, open) in self
            .known
            .open
            .iter()
            .filter(|(other, open)| **other != action && open.stage != Stage::Ending)
        {
            is_met = true;
            let same_seat = open.database == it.database && open.seat == it.seat;
            ensure!(
                DoubleStart,
                !(same_seat && open.stage == Stage::Committed),
                "{action}: {other} is open for the same seat"
            );
            ensure!(
                Lane,
                open.database != it.database || role_of(open) != role_of(it),
                "{action}: {other} is open for the same database"
            );
            ensure!(
                Lane,
                open.peer != it.peer,
                "{action}: {other} is open at the same peer"
            );
        }
        if is_met {
            self.met(Law::Lane);
        }
        Ok(())
    }

    /// Nobody sits on the seat any more, as far as anybody may say so.
    fn judge_seat(
        &mut self,
        now: Timestamp,
        action: ActionId,
        it: &Open,
        policy: &Policy,
    ) -> Result<(), Broken> {
        let name = (it.database.clone(), it.seat.clone());
        let seat = self.known.seats.get(&name).cloned().unwrap_or_default();
        let role = role_of(it);
        let lives = |it: &&ToldProcess| it.role == role && it.state == State::Live;
        if self.known.told.of(&it.database).any(|it| lives(&it)) {
            self.met(Law::DoubleStart);
        }
        if let Some(life) = seat.bound {
            let is_up = self.known.lives(life);
            ensure!(
                DoubleStart,
                !is_up,
                "{action}: {} of {} is up at peer {}",
                it.seat,
                it.database,
                self.known.told.lives[life].peer
            );
            let mut all = self.known.told.processes.values();
            if let Some(away) = all.find(|it| it.life == life).cloned() {
                self.judge_replacement(now, action, &away, policy)?;
            }
        }
        if policy.strict_siblings {
            self.met(Law::Strict);
        }
        match &seat.evidence {
            Some(EvidenceFact::Exit { peer }) => {
                let from = index_of(peer).unwrap_or_default();
                self.judge_asked(now, action, (from, it), policy)
            }
            Some(
                EvidenceFact::Declared
                | EvidenceFact::Unreachable { .. }
                | EvidenceFact::Vanished { .. },
            )
            | None => Ok(()),
        }
    }

    fn judge_replacement(
        &mut self,
        now: Timestamp,
        action: ActionId,
        away: &ToldProcess,
        policy: &Policy,
    ) -> Result<(), Broken> {
        let State::Unreachable(since) = away.state else {
            return Ok(());
        };
        if self.known.orders.is_dead(away.peer) {
            return Ok(());
        }
        self.met(Law::ReplacedLate);
        ensure!(
            Strict,
            !policy.strict_siblings,
            "{action}: replaces one at peer {} that is out of reach",
            away.peer
        );
        ensure!(
            ReplacedLate,
            is_beyond_reach(&self.known, now, (away.peer, since), policy),
            "{action}: replaces one at peer {} that may yet be there",
            away.peer
        );
        Ok(())
    }

    /// Elsewhere only when the agent where it ran has answered since it was gone.
    fn judge_asked(
        &mut self,
        now: Timestamp,
        action: ActionId,
        (from, it): (usize, &Open),
        policy: &Policy,
    ) -> Result<(), Broken> {
        if from == it.peer || self.known.orders.is_dead(from) {
            return Ok(());
        }
        let name = (it.database.clone(), it.seat.clone());
        let seat = self.known.seats.get(&name).cloned().unwrap_or_default();
        let last = seat.last.map(|it| &self.known.told.lives[it]);
        let Some(gone) = last.filter(|it| it.peer == from).and_then(|it| it.to) else {
            return Ok(());
        };
        // Older than that end, it is about somebody who sat elsewhere.
        let gone = gone.min(seat.since);
        self.met(Law::AskedFirst);
        let answered = self.known.answered.get(&from).is_some_and(|at| *at >= gone);
        // Whoever does not answer us either is as good as out of reach.
        let silent = self.known.silent.get(&from).is_some_and(|at| *at > gone)
            && gone + policy.unreachable_grace <= now
            && !policy.strict_siblings;
        ensure!(
            AskedFirst,
            answered || silent,
            "{action}: peer {from} was not asked since it was gone there"
        );
        Ok(())
    }

    /// Several exits close together may be a person's doing.
    fn judge_confirmation(
        &mut self,
        now: Timestamp,
        action: ActionId,
        it: &Open,
        policy: &Policy,
    ) -> Result<(), Broken> {
        let failed = |life: &Life| Some((life.failed?, life.from));
        let lives = self.known.told.lives.iter();
        let lately: Vec<(Timestamp, Timestamp)> = lives
            .filter(|life| life.database == *it.database)
            .filter_map(failed)
            .filter(|(at, _)| now.since(*at) <= policy.confirm_for + TOGETHER)
            .collect();
        for (index, (second, born)) in lately.iter().enumerate() {
            for (other, (first, _)) in lately.iter().enumerate() {
                let together = index != other
                    && first <= second
                    && second.since(*first) + NOTICED_WITHIN <= TOGETHER
                    && born < first;
                if together {
                    self.met(Law::Confirmed);
                    ensure!(
                        Confirmed,
                        now.since(*first) >= policy.confirm_for,
                        "{action}: two of {} ended together just now",
                        it.database
                    );
                }
            }
        }
        Ok(())
    }

    fn judge_wanted(
        &mut self,
        now: Timestamp,
        action: ActionId,
        it: &Open,
        policy: &Policy,
    ) -> Result<(), Broken> {
        if role_of(it) == Role::Sm {
            return judge_managed(action, policy);
        }
        let orders = &self.known.orders;
        let declared = orders.declared(&it.database, policy) as usize;
        let is_asked_for = orders.asked(now, &it.database) || orders.wanted(&it.database);
        if orders.declares(&it.database, &it.seat, policy) || is_asked_for {
            return Ok(());
        }
        let is_scaled = orders.is_scaled(&it.database);
        // Those that ran may have been declared, beside one that is missed all the while.
        let most = self.most.get(&it.database).copied().unwrap_or_default() as usize;
        // Forgetting moves nobody: what is declared may stand empty beside what is observed.
        let beside = if orders.forgot(&it.database) {
            declared
        } else {
            0
        };
        self.met(Law::Wanted);
        ensure!(
            Wanted,
            !is_scaled,
            "{action}: a person wants {declared} of {}",
            it.database
        );
        let old = |life: &&Life| {
            life.database == *it.database
                && life.role == Role::Te
                && life.settled.unwrap_or(now).since(life.from) >= policy.min_uptime
        };
        let lives: Vec<&Life> = self.known.told.lives.iter().filter(old).collect();
        // Beside one that stayed, one that had no time to was there as well.
        let at = |when: Timestamp| {
            let there = |life: &&Life| {
                let is_one = life.database == *it.database && life.role == Role::Te;
                is_one && life.from <= when && life.to.is_none_or(|to| to > when)
            };
            self.known.told.lives.iter().filter(there).count()
        };
        let peak = lives
            .iter()
            .map(|life| at(life.from))
            .max()
            .unwrap_or_default();
        // Seats are not closed up, so the number of one says little.
        let Known { seats, orders, .. } = &self.known;
        let wanted = seats
            .iter()
            .filter(|((database, name), seat)| {
                let is_wanted = seat.observed || orders.declares(database, name, policy);
                *database == it.database && !is_manager(name) && is_wanted
            })
            .count();
        ensure!(
            Wanted,
            policy.keep_observed && wanted <= peak.max(declared).max(most) + beside,
            "{action}: {wanted} of {} are wanted, and no more than {peak} ever ran at a time",
            it.database
        );
        Ok(())
    }

    /// A request that left is open until its fate was told, or nothing was heard of it and the
    /// whole domain was looked at since.
    pub(super) fn judge_end(&mut self, now: Timestamp, event: &Event) -> Result<(), Broken> {
        let action = event.action.unwrap_or(ActionId(0));
        let Some(open) = self.known.open.get(&action).cloned() else {
            let text = format!("{action} ends and was not open");
            return Err(Law::Sense.broken(text));
        };
        if open.stage == Stage::Ending {
            return Ok(());
        }
        let policy = self.policy(&open.database).unwrap_or_default();
        let role = role_of(&open);
        let came = |it: &Life| {
            it.database == *open.database
                && it.role == role
                && it.peer == open.peer
                && it.to.is_none_or(|to| to >= open.committed)
        };
        let came = self.known.told.lives.iter().any(came);
        if event.kind == Kind::ActionSucceeded {
            ensure!(
                GivenUpLate,
                open.stage == Stage::Committed && (came || open.settled),
                "{action} succeeds and nothing came"
            );
            return Ok(());
        }
        if open.stage == Stage::Committed && !open.settled {
            self.met(Law::GivenUpLate);
            let waited = now.since(open.committed);
            let doubted = open.doubted.is_some() || waited >= policy.start_timeout;
            let since = open
                .doubted
                .unwrap_or(open.committed + policy.start_timeout);
            let looked = open.looked.is_some_and(|at| at >= since);
            let looked = looked || waited >= Duration::from_secs(60);
            ensure!(
                GivenUpLate,
                doubted && looked,
                "{action} is given up and may still come ({waited:?})"
            );
        }
        Ok(())
    }
}

/// Returns what is started.
fn role_of(open: &Open) -> Role {
    if is_manager(&open.seat) {
        Role::Sm
    } else {
        Role::Te
    }
}

/// Returns whether what is out of reach there since may be given up: its grace is over, and we
/// failed to reach its agent ourselves.
fn is_beyond_reach(
    known: &Known,
    now: Timestamp,
    (peer, since): (usize, Timestamp),
    policy: &Policy,
) -> bool {
    let Some(it) = known.told.peers.get(&peer) else {
        return false;
    };
    let lost = it.lost.unwrap_or_default().max(since);
    !it.connected
        && lost + policy.unreachable_grace <= now
        && known.silent.get(&peer).is_some_and(|at| *at > lost)
}
