//! Histories in which the ports of engines are tried: some do not answer, for a while.
//!
//! What a try shows may be told long after it, when the engine is gone or another one has its
//! place, and when somebody else has found the same.

use std::sync::Arc;

use super::History;
use super::fault::Later;
use super::judge::Broken;
use crate::exchange::{Finding, Probed};
use crate::supervisor::{Accepted, Input, ProbeTerms};

/// Has ports tried.
pub(super) fn probe(accepted: Arc<Accepted>) -> Arc<Accepted> {
    let mut accepted = Arc::unwrap_or_clone(accepted);
    accepted.supervisor.probe = Some(ProbeTerms::default());
    Arc::new(accepted)
}

impl History {
    /// Somebody's port is found to be silent, and to answer later; perhaps both are told late, or
    /// twice.
    pub(super) fn silence(&mut self) {
        let alive = self.daemon.alive.as_ref();
        let probes = alive.map_or_else(Vec::new, |it| it.warden.probes());
        if probes.is_empty() {
            return;
        }
        let probe = &probes[self.dice.below(probes.len())];
        let found = |finding| Probed {
            peer: probe.peer.clone(),
            pid: probe.pid,
            life: probe.life,
            finding,
        };
        let silent = found(Finding::Silent {
            misses: 3,
            reason: "refused".into(),
        });
        let answers = found(Finding::Answers);
        for _ in 0..=self.dice.below(2) {
            let pause = self.dice.millis(0, 20_000);
            self.later(pause, Later::Probed(silent.clone()));
        }
        for _ in 0..self.dice.below(3) {
            let pause = self.outage();
            self.later(pause, Later::Probed(answers.clone()));
        }
    }

    /// The daemon hears what trying a port has shown.
    pub(super) fn probed(&mut self, probed: Probed) -> Result<(), Broken> {
        if self.daemon.alive.is_none() {
            return Ok(());
        }
        self.turn(vec![Input::Probed(probed)], true)
    }
}
