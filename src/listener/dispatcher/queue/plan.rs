//! How a run is put together of what may be told now.
//!
//! It only groups; what may be told is said by the queue.

use std::collections::HashMap;

use super::{Key, Manner};
use crate::listener::dispatcher::entity::Entity;
use crate::listener::dispatcher::hand::{Job, Run};

/// A run while it is put together.
pub(super) struct Plan<'a> {
    manner: &'a Manner,
    pub(super) run: Run,
    /// Behind which attempt the next event of an entity may be told.
    behind: HashMap<Entity, usize>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(manner: &'a Manner) -> Self {
        Self {
            manner,
            run: Run::new(),
            behind: HashMap::new(),
        }
    }

    pub(super) fn has(&self, entity: &Entity) -> bool {
        self.behind.contains_key(entity)
    }

    /// Adds a job to the first attempt that it fits in.
    pub(super) fn add(&mut self, job: Job) {
        let (batch, is_atomic) = (self.manner.batch, self.manner.is_atomic);
        let next = self.behind.entry(job.entity.clone()).or_default();
        let fits = |it: &Vec<Job>| {
            let is_alike = |other: &Job| {
                let is_volatile = |it: &Job| matches!(it.key, Key::Volatile(_));
                other.attempt == job.attempt && is_volatile(other) == is_volatile(&job)
            };
            it.len() < batch && it.first().is_some_and(is_alike)
        };
        let first = if is_atomic || batch == 1 {
            // In order, and one request may have several events of an entity.
            self.run.len().saturating_sub(1)
        } else {
            *next
        };
        let found = (first..self.run.len()).find(|it| fits(&self.run[*it]));
        let place = found.unwrap_or(self.run.len());
        *next = place + 1;
        match found {
            Some(place) => self.run[place].push(job),
            None => self.run.push(vec![job]),
        }
    }
}
