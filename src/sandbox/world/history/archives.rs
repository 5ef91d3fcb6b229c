//! Histories in which archives are asked which of them was used last, and agents that say of their
//! archives what is not so. That they say it late or never comes of the lines to them.

use std::sync::Arc;

use super::super::{Fault as Strike, Lie, PeerNumber};
use super::fault::Later;
use super::hosts::Step;
use super::{History, Item};
use crate::model::Role;
use crate::supervisor::{Accepted, Experiment};

/// What a lying agent says of when its archives were last used: long ago, and the same as others
/// do; in a time that never comes; and nothing sensible.
const LIES: [&str; 6] = [
    "7",
    "9000000000000",
    "9000000000000",
    "9000000000001",
    "yesterday",
    "",
];

/// Has archives asked before a cold start.
pub(super) fn ask(accepted: Arc<Accepted>) -> Arc<Accepted> {
    let mut accepted = Arc::unwrap_or_clone(accepted);
    let wanted = &mut accepted.supervisor.experiments;
    wanted.insert(Experiment::ArchiveHistory);
    Arc::new(accepted)
}

impl History {
    /// Some agent with an archive lies about it for a while, and mostly its database goes down.
    pub(super) fn lie_about_archives(&mut self) {
        let Some(engine) = self.some_engine(Role::Sm) else {
            return;
        };
        let Some(peer) = self.world.engines.get(&engine).map(|it| it.peer) else {
            return;
        };
        let at = self.dice.pick(&LIES).into();
        let lie = Lie::LastUsed { at };
        self.world_fault(Strike::Lie { peer, lie });
        let pause = self.outage() + self.outage();
        self.later(pause, Later::Truth(peer));
        if self.dice.percent(30) {
            return;
        }
        for role in [Role::Sm, Role::Te] {
            for engine in self.siblings(engine, role) {
                let pause = self.dice.millis(0, 9_000);
                if self.hosts.doom(engine) {
                    let item = Item::Engine(engine, Step::Exit(134));
                    self.queue.put(self.now + pause, item);
                }
            }
        }
    }

    /// An agent tells the truth again.
    pub(super) fn tell_truth(&mut self, peer: PeerNumber) {
        let lie = Lie::NoMore;
        self.world_fault(Strike::Lie { peer, lie });
    }
}
