//! Whether everything that was seen to appear or to go was told of, and whether what is said of
//! starts that failed is so.

use std::collections::BTreeSet;

use super::known::index_of;
use super::{Broken, Judge, Law};
use crate::event::{Cause, Event, Kind};
use crate::exchange::Outcome;
use crate::sandbox::world::history::History;
use crate::supervisor::{Effect, Input};

/// A process, by peer and pid.
type Key = (usize, u32);

impl Judge {
    /// What appeared or went by what was told just now is told on.
    pub(super) fn judge_told(&mut self, effects: &[Effect]) -> Result<(), Broken> {
        let told = &self.known.told;
        if told.begun.is_empty() && told.ended.is_empty() {
            return Ok(());
        }
        let mut came = BTreeSet::new();
        let mut went = BTreeSet::new();
        for effect in effects {
            if let Effect::Raise(event) = effect
                && let Some(key) = key_of(event)
            {
                if event.kind == Kind::ProcessJoined {
                    came.insert(key);
                } else if matches!(event.kind, Kind::ProcessFailed | Kind::ProcessLeft) {
                    went.insert(key);
                }
            }
        }
        let stays = |it: &&(Key, usize)| told.processes.get(&it.0).is_some_and(|p| p.life == it.1);
        let untold = told
            .begun
            .iter()
            .filter(stays)
            .find(|it| !came.contains(&it.0));
        // What came and went within one picture is not told of.
        let is_new = |life: usize| told.begun.iter().any(|it| it.1 == life);
        let old = told.ended.iter().filter(|it| !is_new(it.1));
        let mut old = old.filter(|it| !went.contains(&it.0));
        if let Some(((peer, pid), _)) = untold {
            let text = format!("pid {pid} at peer {peer} appeared, and nobody was told");
            return Err(Law::Told.broken(text));
        }
        if let Some(((peer, pid), _)) = old.next() {
            let text = format!("pid {pid} at peer {peer} is gone, and nobody was told");
            return Err(Law::Told.broken(text));
        }
        self.met(Law::Told);
        Ok(())
    }

    /// A start that failed is told of once.
    pub(super) fn judge_failure(&mut self, event: &Event) -> Result<(), Broken> {
        if event.kind != Kind::ProcessFailed || event.cause != Some(Cause::StartFailed) {
            return Ok(());
        }
        self.known.failures_told += 1;
        if self.known.failures_told > self.known.failed_starts.len() {
            return Err(Law::Sense.broken(format!("told of twice: {event:?}")));
        }
        Ok(())
    }
}

impl History {
    /// A start that is said to have failed did: what it began is not there, and does not come.
    pub(in crate::sandbox::world::history) fn judge_truth(
        &mut self,
        input: &Input,
    ) -> Result<(), Broken> {
        let Input::Reported { action, outcome } = input else {
            return Ok(());
        };
        let Outcome::StartFailed(reason) = outcome else {
            return Ok(());
        };
        let open = self.judge.known.open.get(action);
        let Some(start) = open.and_then(|it| it.start.clone()) else {
            return Ok(());
        };
        self.judge.met(Law::Truth);
        let engine = self.born.get(&start);
        let lives = engine.is_some_and(|it| {
            let engine = self.world.engines.get(it);
            engine.is_some_and(|it| !it.has_failed())
        });
        if lives {
            let text = format!("{action} is said to have failed ({reason}), and lives");
            return Err(Law::Truth.broken(text));
        }
        Ok(())
    }
}

fn key_of(event: &Event) -> Option<Key> {
    let peer = index_of(event.subject.peer.as_ref()?)?;
    Some((peer, event.subject.process.as_ref()?.pid))
}
