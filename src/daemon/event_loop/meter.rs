//! Measures the event loop: how long the warden thinks, the disk takes, and a reaction as a whole.
//!
//! It decides nothing, and nothing is decided by it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::journal::Ticket;
use crate::telemetry::LoopFigures;
use crate::time::Timestamp;

/// What is measured, and what is on its way to the disk.
pub(super) struct Meter {
    figures: Arc<LoopFigures>,
    /// What was written when, the oldest first.
    unwritten: VecDeque<(Ticket, Timestamp)>,
}

impl Meter {
    pub(super) fn new(figures: Arc<LoopFigures>) -> Self {
        Self {
            figures,
            unwritten: VecDeque::new(),
        }
    }

    /// Notes how long the warden thought.
    pub(super) fn decided(&self, took: Duration) {
        self.figures.decisions.note(took);
    }

    /// Notes how long a process was missing when the request for another left.
    pub(super) fn reacted(&self, took: Duration) {
        self.figures.reactions.note(took);
    }

    /// Notes that something is written.
    pub(super) fn wrote(&mut self, ticket: Ticket, now: Timestamp) {
        self.unwritten.push_back((ticket, now));
    }

    /// Notes up to where it is on the disk.
    pub(super) fn on_record(&mut self, ticket: Ticket, now: Timestamp) {
        while let Some((_, wrote)) = self.unwritten.front().filter(|(it, _)| *it <= ticket) {
            self.figures.commits.note(now.since(*wrote));
            self.unwritten.pop_front();
        }
    }

    /// Forgets what will never be on the disk.
    pub(super) fn forget(&mut self) {
        self.unwritten.clear();
    }
}
