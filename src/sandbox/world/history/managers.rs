//! Histories in which storage managers are healed as well: their archives and options are
//! configured, mostly all of them, and some of what ends is left over and holds its archive.

use std::sync::Arc;

use super::dice::Dice;
use super::fault::Fault;
use super::hosts::Step;
use super::swarm::Database;
use super::{History, Input, Item, numbered};
use crate::exchange::EngineOption;
use crate::model::{Address, Role};
use crate::policy::{Bounds, Leftover, Policy};
use crate::supervisor::{Accepted, Archive};

impl Database {
    /// Returns whether its storage managers are healed.
    pub(super) fn is_managed(&self) -> bool {
        let policy = self.policy.as_ref();
        policy.is_some_and(|it| it.roles.contains(&Role::Sm))
    }
}

/// Has the storage managers of most databases healed, by archives of which few are not configured.
pub(super) fn manage(
    dice: &mut Dice,
    databases: &mut [Database],
    accepted: Arc<Accepted>,
    peers: usize,
) -> Arc<Accepted> {
    let mut accepted = Arc::unwrap_or_clone(accepted);
    for (index, database) in databases.iter_mut().enumerate() {
        let Some(policy) = &mut database.policy else {
            continue;
        };
        if dice.percent(20) {
            continue;
        }
        database.managers = 1 + dice.below(peers.min(3));
        policy.roles = vec![Role::Te, Role::Sm];
        policy.leftover = dice.pick(&[Leftover::Hold, Leftover::Kill]);
        policy.sm = dice.percent(30).then_some(Bounds { min: 1, max: None });
        let name = &*database.name;
        let mut all = accepted.supervisor.policies.iter_mut();
        if let Some(own) = all.find(|it| it.databases == [name.into()]) {
            *own = Policy {
                databases: std::mem::take(&mut own.databases),
                ..policy.clone()
            };
        }
        let hosts = (0..database.managers).map(|it| (index + it) % peers);
        let known: Vec<usize> = hosts.filter(|_| dice.percent(94)).collect();
        let archives = known.into_iter().map(|it| archive(dice, name, it + 1));
        let archives = archives.collect();
        accepted.supervisor.archives.insert(name.into(), archives);
    }
    Arc::new(accepted)
}

fn archive(dice: &mut Dice, database: &str, host: usize) -> Archive {
    let option = |name: &str, value: &str| EngineOption {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let mut options = Vec::new();
    if dice.percent(70) {
        options.push(option("--mem", "1g"));
    }
    if dice.percent(30) {
        options.push(option("--ping-timeout", "60"));
    }
    let address = Address::new(format!("10.0.0.{host}").as_str(), 48_004);
    Archive {
        peer: address.to_string().as_str().into(),
        path: format!("/data/{database}").into(),
        journal: dice.percent(30).then(|| "/journal".into()),
        group: None,
        options,
    }
}

impl History {
    /// Something happens to storage managers, and nobody starts them by hand.
    pub(super) fn trouble_managers(&mut self, fault: Fault) {
        let Some(engine) = self.some_engine(Role::Sm) else {
            return;
        };
        if fault == Fault::Leftover {
            self.world.disown(engine);
            return self.tell_world(Input::Timeout);
        }
        if fault == Fault::ManagerEnds {
            return self.end_engine(engine, 139);
        }
        for engine in self.siblings(engine, Role::Sm) {
            let pause = self.dice.millis(0, 9_000);
            if self.hosts.doom(engine) {
                let item = Item::Engine(engine, Step::Exit(134));
                self.queue.put(self.now + pause, item);
            }
        }
    }

    /// Whoever is left over is found and ended; where nobody heals them, people start managers.
    pub(super) fn mend_managers(&mut self) {
        let all = self.world.engines.iter();
        let left = all.filter(|(_, it)| it.is_leftover());
        let left: Vec<_> = left.map(|(id, _)| *id).collect();
        for engine in left {
            self.end_engine(engine, 137);
        }
        for index in 0..self.plan.databases.len() {
            if self.plan.databases[index].is_managed() {
                continue;
            }
            for number in 0..self.plan.databases[index].managers {
                let peer = numbered((index + number) % self.plan.peers.len());
                self.start_by_hand(peer, index, Role::Sm);
            }
        }
    }
}
