//! How many starts a domain has in a while, whatever they are for: what goes wrong with a healer,
//! or because of it, goes wrong slowly.
//!
//! A start counts from when it is decided, before anything is tried, and counts though it is given
//! up. What is under way has its share already.

use std::collections::VecDeque;
use std::time::Duration;

use super::rule::{Case, Hindrance, Obstacle};
use super::state::Supervisor;
use crate::mutation::Mutant;
use crate::time::{Moment, Timestamp};

/// So many starts in such a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// How many.
    pub max_actions: u32,
    /// In which time.
    pub window: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            max_actions: 20,
            window: Duration::from_secs(600),
        }
    }
}

/// The starts that count, the oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Spent {
    pub(super) starts: VecDeque<Moment>,
    /// Until when there is nothing left, by the last look.
    full_until: Option<Timestamp>,
}

impl Supervisor {
    /// Forgets what is long enough ago by both clocks, and finds out whether anything is left.
    ///
    /// A wall clock that was put back would keep starts young for as long as it takes to catch up;
    /// they age from there on.
    pub(super) fn mind_budget(&mut self, now: Moment) {
        let Budget {
            max_actions,
            window,
        } = self.settings.budget;
        let (spent, changed) = (&mut self.spent, &mut self.changed.domain);
        for start in &mut spent.starts {
            if start.wall > now.wall {
                start.wall = now.wall;
                *changed = true;
            }
        }
        while spent
            .starts
            .front()
            .is_some_and(|it| now.since(*it) >= window)
        {
            spent.starts.pop_front();
            *changed = true;
        }
        let beyond = spent.starts.len().checked_sub(max_actions as usize);
        let last = beyond.and_then(|index| spent.starts.get(index));
        spent.full_until = last.map(|it| now.at + window.saturating_sub(now.since(*it)));
    }

    /// Returns how many starts are left.
    pub fn budget_left(&self, now: Moment) -> u32 {
        let Budget {
            max_actions,
            window,
        } = self.settings.budget;
        let counts = |it: &&Moment| now.since(**it) < window;
        let spent = self.spent.starts.iter().filter(counts).count();
        max_actions.saturating_sub(u32::try_from(spent).unwrap_or(u32::MAX))
    }

    /// Counts a start.
    pub(super) fn spend(&mut self, now: Moment) {
        self.spent.starts.push_back(now);
        self.changed.domain = true;
        self.mind_budget(now);
    }

    /// Returns whether the domain may have one more start. The steps of a cold start are one.
    pub(super) fn has_budget(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        if self.is_cold_step(case.slot) {
            return Ok(());
        }
        match self.spent.full_until.filter(|_| case.leaving.is_none()) {
            Some(until) if until > case.now && !self.settings.planted.has(Mutant::NoBudget) => {
                Err(Obstacle::Budget.blocks_until(until).into())
            }
            Some(_) | None => Ok(()),
        }
    }
}
