//! What people do without telling us, and another healer that knows nothing of ours.

use std::time::Duration;

use super::super::{EngineId, PeerNumber};
use super::fault::{Fault, Later};
use super::{History, numbered};
use crate::model::Role;
use crate::time::Timestamp;

/// How often the other healer looks.
const LOOKS_EVERY: Duration = Duration::from_secs(10);

impl History {
    /// Somebody does something, or begins to.
    pub(super) fn meddle(&mut self, what: Fault) {
        if what == Fault::SecondHealer {
            let until = self.now + self.dice.millis(60_000, 400_000);
            return self.later(Duration::ZERO, Later::Healer { until });
        }
        let (peer, database) = (self.some_peer(), self.dice.below(self.plan.databases.len()));
        if what == Fault::OperatorStarts {
            return self.start_by_hand(peer, database, Role::Te);
        }
        let Some(engine) = self.some_engine(Role::Te) else {
            return;
        };
        let Some(it) = self.world.engines.get(&engine) else {
            return;
        };
        let (peer, name) = (it.peer, it.start.database.clone());
        if what == Fault::OperatorKills {
            return self.end_engine(engine, 137);
        }
        self.stop_by_hand(engine);
        if what == Fault::OperatorRestarts {
            let pause = self.dice.millis(500, 40_000);
            let database = self.plan.databases.iter().position(|it| it.name == name);
            if let Some(database) = database {
                self.later(pause, Later::StartByHand(peer, database, Role::Te));
            }
        }
        if what == Fault::OperatorShutsDown {
            for role in [Role::Te, Role::Sm] {
                for engine in self.siblings(engine, role) {
                    self.stop_by_hand(engine);
                }
            }
        }
    }

    /// An engine is asked to end, as an operator's tool does it.
    pub(super) fn stop_by_hand(&mut self, engine: EngineId) {
        let ends = |it: &super::super::Engine| it.is_registered() && !it.is_shutting_down();
        if self.world.engines.get(&engine).is_some_and(ends) {
            self.world.shut_down(self.now, engine);
            self.tell_world(super::Input::Timeout);
        }
    }

    /// An engine is started by hand, unless such a one is there.
    pub(super) fn start_by_hand(&mut self, peer: PeerNumber, database: usize, role: Role) {
        let name = self.plan.databases[database].name.clone();
        let same = |it: &super::super::Engine| {
            it.peer == peer && it.start.role == role && it.start.database == name
        };
        let is_lost = self.world.peer(peer).is_none_or(|it| it.is_lost);
        if !is_lost && !self.world.engines.values().any(same) {
            self.begin_engine(peer, &name, role);
        }
    }

    /// The other healer fills what it misses, and looks again.
    pub(super) fn heal_foreign(&mut self, until: Timestamp) {
        for index in 0..self.plan.databases.len() {
            let database = &self.plan.databases[index];
            let wanted = database.engines;
            let name = database.name.clone();
            let all = self.world.engines.values();
            let there = all
                .filter(|it| it.start.database == name && it.start.role == Role::Te)
                .count();
            if there < wanted {
                let peer = numbered(self.dice.below(self.plan.peers.len()));
                self.start_by_hand(peer, index, Role::Te);
            }
        }
        if self.now < until {
            self.later(LOOKS_EVERY, Later::Healer { until });
        }
    }
}
