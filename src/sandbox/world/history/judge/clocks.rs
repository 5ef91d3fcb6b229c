//! Whether clocks that jump, and turns that come late, are minded: what is known then may be old.
//! And whether another configuration is taken over.

use super::known::Known;
use super::{Broken, Judge, Law};
use crate::exchange::ActionId;
use crate::policy::Policy;
use crate::sandbox::world::history::swarm::{Database, Plan};
use crate::supervisor::{Fact, FactChange, Input};
use crate::time::Timestamp;
use std::sync::Arc;

/// What is known may be old.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Doubts {
    /// When a fresh picture came.
    picture: Option<Timestamp>,
}

impl Known {
    /// A picture of the whole domain came.
    pub(super) fn look_again(&mut self, now: Timestamp) {
        if let Some(doubts) = &mut self.doubts {
            doubts.picture.get_or_insert(now);
        }
    }

    /// There is no session any more: the next one begins with a picture.
    pub(super) fn look_no_more(&mut self) {
        if let Some(doubts) = &mut self.doubts {
            doubts.picture = None;
        }
    }
}

impl Judge {
    /// After trouble with the clocks a fresh picture has to settle.
    pub(super) fn judge_clock(&mut self, now: Timestamp, action: ActionId) -> Result<(), Broken> {
        let Some(doubts) = self.known.doubts else {
            return Ok(());
        };
        self.met(Law::Clock);
        if doubts.picture.is_some_and(|it| it + self.settle <= now) {
            self.known.doubts = None;
            return Ok(());
        }
        let text = format!("{action}: the clocks were in trouble, and nobody looked again since");
        Err(Law::Clock.broken(text))
    }

    /// What was accepted goes by in memory.
    pub(super) fn judge_reloaded(
        &mut self,
        input: &Input,
        facts: &[FactChange],
    ) -> Result<(), Broken> {
        let Input::Configured(accepted) = input else {
            return Ok(());
        };
        self.met(Law::Reloaded);
        let is_it = |it: &FactChange| {
            let generation = accepted.supervisor.generation;
            matches!(&it.fact, Some(Fact::Domain(it)) if it.generation == generation)
        };
        if !facts.iter().any(is_it) {
            let text = "what is accepted is not remembered".to_owned();
            return Err(Law::Reloaded.broken(text));
        }
        Ok(())
    }

    /// Another configuration is accepted.
    pub(in crate::sandbox::world::history) fn reloaded(&mut self, plan: &Plan) {
        self.databases.clone_from(&plan.databases);
        for (name, count) in declared(&plan.databases) {
            let most = self.most.entry(name).or_default();
            *most = count.max(*most);
        }
    }
}

/// Returns how many engines of each database are declared.
pub(super) fn declared(databases: &[Database]) -> impl Iterator<Item = (Arc<str>, u32)> {
    let count = |it: &Database| it.policy.as_ref().map_or(0, Policy::te_min);
    databases.iter().map(move |it| (it.name.clone(), count(it)))
}
