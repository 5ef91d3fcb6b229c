//! Effects that wait until what led to them is on record.
//!
//! A start that waited is looked at once more before it leaves: while a disk takes its time the
//! world moves on. It holds effects back and lets them go; it writes nothing, and carries out
//! nothing.

use std::collections::VecDeque;

use super::Warden;
use crate::event::Event;
use crate::exchange::{ActionId, Answer, Deed, Outcome, RequestId};
use crate::supervisor::{Effect, Input};
use crate::time::Moment;

/// An effect that waits for the disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Waiting {
    /// Whoever asked is told.
    Answer {
        /// What was asked.
        request: RequestId,
        /// What becomes of it.
        answer: Answer,
    },
    /// The driver gets it.
    Deed(Deed),
}

impl Waiting {
    /// Returns what waits among effects that somebody else still reads.
    pub fn among(effects: &[Effect]) -> Vec<Self> {
        let waits = |it: &&Effect| !matches!(it, Effect::Raise(_));
        let waiting: Vec<Effect> = effects.iter().filter(waits).cloned().collect();
        Self::part(waiting).1
    }

    /// Parts effects into what is recorded and what waits for the record, each in order.
    pub fn part(effects: Vec<Effect>) -> (Vec<Event>, Vec<Self>) {
        let mut events = Vec::new();
        let mut waiting = Vec::new();
        for effect in effects {
            match effect {
                Effect::Answer { request, answer } => {
                    waiting.push(Self::Answer { request, answer });
                }
                Effect::Do(deed) => waiting.push(Self::Deed(deed)),
                Effect::Raise(event) => events.push(event),
            }
        }
        (events, waiting)
    }
}

/// What leaves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leaving {
    /// What is carried out now.
    pub what: Waiting,
    /// What the warden is to be fed with once that is handed over.
    pub report: Option<Input>,
}

/// Effects in order, each with the ticket of what led to it.
///
/// `T` is how the caller counts what is on record: whatever is at most the ticket that it names is.
#[derive(Debug)]
pub struct Parked<T> {
    queue: VecDeque<(T, Waiting)>,
}

impl<T> Default for Parked<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
        }
    }
}

impl<T: Copy + Ord> Parked<T> {
    /// Parks effects until their ticket is on record. Tickets must not decrease.
    pub fn park(&mut self, ticket: T, waiting: Vec<Waiting>) {
        debug_assert!(
            self.queue.back().is_none_or(|(last, _)| *last <= ticket),
            "what is recorded later is on record later"
        );
        self.queue
            .extend(waiting.into_iter().map(|it| (ticket, it)));
    }

    /// Returns how many effects wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Returns whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns the ticket of what leaves next, if anything waits.
    pub fn next(&self) -> Option<T> {
        self.queue.front().map(|(ticket, _)| *ticket)
    }

    /// Returns what leaves next, if what led to it is on record.
    pub fn due(&self, on_record: T) -> Option<&Waiting> {
        let (ticket, waiting) = self.queue.front()?;
        (*ticket <= on_record).then_some(waiting)
    }

    /// Takes out what leaves next, if what led to it is on record.
    ///
    /// A start leaves only if nothing speaks against it by what `warden` knows now. Otherwise its
    /// preparation is given up in its place, and the warden is told so.
    pub fn leave(&mut self, on_record: T, now: Moment, warden: &Warden) -> Option<Leaving> {
        self.due(on_record)?;
        let (_, what) = self.queue.pop_front()?;
        Some(match what {
            Waiting::Deed(Deed::Commit { action }) if !warden.may_leave(now, action) => Leaving {
                what: Waiting::Deed(Deed::Abandon { action }),
                report: Some(withdrawn(action)),
            },
            Waiting::Answer { .. } | Waiting::Deed(_) => Leaving { what, report: None },
        })
    }

    /// Throws away every deed, as whoever was to carry it out is gone. Returns what the warden is
    /// to be fed with about the starts among them: they never left.
    pub fn forget_deeds(&mut self) -> Vec<Input> {
        let mut reports = Vec::new();
        self.queue.retain(|(_, it)| match it {
            Waiting::Answer { .. } => true,
            Waiting::Deed(deed) => {
                if let Deed::Commit { action } = deed {
                    reports.push(withdrawn(*action));
                }
                false
            }
        });
        reports
    }

    /// Takes out all that waits, on record or not.
    pub fn take(&mut self) -> Vec<Waiting> {
        self.queue.drain(..).map(|(_, it)| it).collect()
    }
}

fn withdrawn(action: ActionId) -> Input {
    Input::Reported {
        action,
        outcome: Outcome::Withdrawn,
    }
}
