//! What must hold when all has been well for long: whatever is wanted runs, or somebody was told
//! why it does not, nothing waits any more, and what is known is what is there.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::{EngineId, History, Start};
use super::told::{Life, State, ToldProcess};
use super::{Broken, Judge, Law};
use crate::model::{Model, Role, Status};
use crate::sandbox::world::history::swarm::Database;
use crate::time::Timestamp;

/// A start takes no longer than this to succeed or to be given up.
const STAYS_OPEN: Duration = Duration::from_secs(120);

/// What gets no further is told of so long after it is due at the latest.
const TOLD_WITHIN: Duration = Duration::from_secs(60);

/// One that runs, and one that is asked whether it lives.
const LINES: usize = 2;

impl History {
    /// Judges how a history ended.
    pub(in crate::sandbox::world::history) fn judge_rest(&mut self) -> Result<(), Broken> {
        self.judge.judge_rest(self.now, self.plan.peers.len())?;
        if !self.is_at_rest() {
            let (waiting, lines) = (self.daemon.waiting(), self.wire.open());
            let text = format!("{waiting} things wait, {lines} lines are open");
            return Err(Law::Rest.broken(text));
        }
        if self.daemon.alive.is_none() {
            return Err(Law::Rest.broken("the daemon is gone".to_owned()));
        }
        let (known, real) = self.pictures();
        if known != real {
            let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
                let only: Vec<String> = one.difference(other).cloned().collect();
                only
            };
            return Err(Law::ModelTrue.broken(format!(
                "only the model has {:?}, only the domain has {:?}",
                only(&known, &real),
                only(&real, &known)
            )));
        }
        self.judge.met(Law::ModelTrue);
        self.judge.met(Law::Progress);
        Ok(())
    }

    /// Returns whether nothing waits any more, but for what is always under way.
    fn is_at_rest(&self) -> bool {
        self.daemon.waiting() <= 1 && self.wire.open() <= LINES
    }

    /// Returns whether a history may end: nothing waits, and nothing is still to be told.
    pub(in crate::sandbox::world::history) fn may_end(&self) -> bool {
        let (known, real) = self.pictures();
        self.is_at_rest() && known == real
    }

    /// Returns every engine that the daemon knows, and every one that the domain shows.
    fn pictures(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let alive = self.daemon.alive.as_ref();
        let known = alive.map(|it| live(it.warden.model()));
        (known.unwrap_or_default(), self.truth())
    }

    /// Returns every engine that the domain shows, as it really is.
    fn truth(&self) -> BTreeSet<String> {
        let all = self.world.engines.iter();
        all.filter(|(id, _)| self.world.is_visible(**id))
            .filter_map(|(id, it)| {
                let view = it.view(EngineId(id.0));
                let agent = self.world.agent_at(it.peer)?;
                let state = view.state.map_or("", |it| it.as_str());
                let Start { database, role, .. } = &view.start;
                let pid = view.pid?;
                Some(format!("{agent} {pid} {database} {role:?} {state}"))
            })
            .collect()
    }
}

/// Returns every process that the model shows as live.
fn live(model: &Model) -> BTreeSet<String> {
    let all = model.processes().filter(|(_, it)| it.is_live());
    all.map(|(_, it)| {
        let database = &model.database(it.database).name;
        let agent = &model.peer(it.peer).agent_id;
        format!(
            "{agent} {} {database} {:?} {}",
            it.pid, it.role, it.status_word
        )
    })
    .collect()
}

impl Judge {
    /// The storage managers that are wanted run, or it was told why they do not.
    fn judge_managers(&self, database: &Database) -> Result<(), Broken> {
        let name = &*database.name;
        let Some(policy) = &database.policy else {
            return Ok(());
        };
        if !database.is_managed() || self.known.orders.forgot(name) {
            return Ok(());
        }
        let left = self.known.managers_left(name);
        let observed = if policy.keep_observed {
            database.managers.saturating_sub(left)
        } else {
            0
        };
        let min = policy.sm.map_or(0, |it| it.min as usize);
        let live = |it: &&ToldProcess| it.role == Role::Sm && it.state == State::Live;
        let live = self.known.told.of(name).filter(live).count();
        let excused = self.told.excused(name, "sm/");
        if live + excused < observed.max(min) {
            return Err(Law::Rest.broken(format!(
                "{name}: {live} managers run, {excused} are held or blocked, {observed} or {min} \
                 are wanted"
            )));
        }
        Ok(())
    }

    /// Who begins and gets no further was told of.
    fn judge_stuck(&mut self, now: Timestamp) -> Result<(), Broken> {
        let mut is_met = false;
        for (key, it) in &self.known.told.processes {
            let policy = self.policy(&it.database).unwrap_or_default();
            let due = it.changed + policy.waits.stuck_after + TOLD_WITHIN;
            if it.status == Status::Starting && it.state == State::Live && due <= now {
                is_met = true;
                if !self.told.is_stuck(*key) {
                    let text = format!("{it:?} gets no further, and nobody was told");
                    return Err(Law::Stuck.broken(text));
                }
            }
        }
        if is_met {
            self.met(Law::Stuck);
        }
        Ok(())
    }

    fn judge_rest(&mut self, now: Timestamp, room: usize) -> Result<(), Broken> {
        if self.was_missing {
            self.met(Law::Rest);
        }
        // One may have begun only just now, when what was given up could not come any more.
        let mut open = self.known.open.values();
        if let Some(stays) = open.find(|it| it.committed + STAYS_OPEN < now) {
            return Err(Law::Rest.broken(format!("an action stays open: {stays:?}")));
        }
        self.judge_stuck(now)?;
        for database in &self.databases {
            let Some(policy) = &database.policy else {
                continue;
            };
            let of = |it: &&Life| it.database == *database.name && it.role == Role::Te;
            let left = self.known.told.lives.iter().filter(of);
            let left = left.filter(|it| it.left.is_some()).count();
            let orders = &self.known.orders;
            let is_as_said = orders.is_scaled(&database.name) || orders.forgot(&database.name);
            let observed = if policy.keep_observed && !is_as_said {
                database.engines.saturating_sub(left)
            } else {
                0
            };
            let declared = orders.declared(&database.name, policy) as usize;
            let wanted = observed.max(declared).min(room);
            let live = |it: &&ToldProcess| it.role == Role::Te && it.state == State::Live;
            let live = self.known.told.of(&database.name).filter(live).count();
            let excused = self.told.excused(&database.name, "te/");
            if live + excused < wanted {
                return Err(Law::Rest.broken(format!(
                    "{}: {live} run, {excused} are held or blocked, {wanted} are wanted",
                    database.name
                )));
            }
            self.judge_managers(database)?;
            let excused = self.told.excused(&database.name, "");
            if excused == 0 && self.told.is_degraded(&database.name) {
                let text = format!("{} stays degraded, and nobody was told why", database.name);
                return Err(Law::Rest.broken(text));
            }
        }
        Ok(())
    }
}
