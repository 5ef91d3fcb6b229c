//! Another configuration is accepted while everything goes on, or while there is no daemon:
//! policies that ask for more or less, begin elsewhere, go and return. What a policy says of time
//! stays as it is.

use std::sync::Arc;

use super::History;
use super::judge::Broken;
use super::swarm::Database;
use crate::policy::{AfterStages, Bounds, Policy};
use crate::supervisor::Input;

impl History {
    /// The configuration is changed and accepted.
    pub(super) fn reload(&mut self) -> Result<(), Broken> {
        let mut accepted = (*self.daemon.accepted).clone();
        accepted.supervisor.generation += 1;
        for index in 0..self.plan.databases.len() {
            if self.dice.percent(15) {
                turn_over(
                    &mut self.plan.databases[index],
                    &mut accepted.supervisor.policies,
                );
                continue;
            }
            let database = &mut self.plan.databases[index];
            let name = &*database.name;
            let mut all = accepted.supervisor.policies.iter_mut();
            let own = all.find(|it| it.databases == [name.into()]);
            let (Some(policy), Some(own)) = (&mut database.policy, own) else {
                continue;
            };
            let min = self.dice.below(4);
            let min = min.max(usize::from(!policy.keep_observed));
            policy.te = (min > 0).then(|| Bounds {
                min: u32::try_from(min).expect("it is small"),
                max: None,
            });
            if self.dice.percent(50) {
                policy.stages.reverse();
            }
            if self.dice.percent(30) {
                policy.after_stages = AfterStages::Hold;
            }
            *own = Policy {
                databases: std::mem::take(&mut own.databases),
                ..policy.clone()
            };
        }
        self.daemon.accepted = Arc::new(accepted);
        self.judge.reloaded(&self.plan);
        if self.daemon.alive.is_none() {
            return Ok(());
        }
        let configured = Input::Configured(self.daemon.accepted.clone());
        self.turn(vec![configured], true)
    }
}

/// Takes the policy of a database away, or gives it back.
fn turn_over(database: &mut Database, policies: &mut Vec<Policy>) {
    let databases = vec![(&*database.name).into()];
    if let Some(policy) = database.withdrawn.take() {
        policies.insert(
            0,
            Policy {
                databases,
                ..policy.clone()
            },
        );
        database.policy = Some(policy);
    } else if policies.iter().any(|it| it.databases == databases) {
        policies.retain(|it| it.databases != databases);
        database.withdrawn = database.policy.take();
    }
}
