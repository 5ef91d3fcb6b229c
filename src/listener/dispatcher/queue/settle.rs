//! What follows for the queue from what became of attempts.
//!
//! It says what to note and who rests; it waits for nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::{Fate, Item, Key, LONGEST_PAUSE, Queue, State};
use crate::event::Kind;
use crate::listener::ListenerError;
use crate::listener::ledger::Note;

impl Queue {
    /// Takes in what became of a run, and returns what rests for how long.
    pub(in crate::listener::dispatcher) fn settle(
        &mut self,
        fates: Vec<(Key, Fate)>,
    ) -> BTreeMap<Duration, Vec<Key>> {
        let mut rests: BTreeMap<Duration, Vec<Key>> = BTreeMap::new();
        // All of them first: a lane is free again before anything of it is looked at.
        for (key, _) in &fates {
            self.under_way -= 1;
            if let Some(item) = self.items.get(key)
                && let Some(lane) = self.lanes.get_mut(&item.entity)
            {
                lane.taken = 0;
            }
        }
        for (key, fate) in fates {
            match fate {
                Fate::Doubted(error) => {
                    debug!(listener = self.manner.name, %error, "a batch was refused; one by one");
                    if let Some(item) = self.items.get_mut(&key) {
                        item.is_alone = true;
                    }
                    self.put_back(key, true);
                }
                Fate::Failed(error) => {
                    if let Some(pause) = self.fail(key, &error) {
                        rests.entry(pause).or_default().push(key);
                    }
                }
                Fate::Told => self.succeed(key),
                Fate::Untold => self.put_back(key, false),
            }
        }
        rests
    }

    /// Lets an event that was begun wait again; if it was not tried, that attempt does not count.
    fn put_back(&mut self, key: Key, was_tried: bool) {
        let Some(item) = self.items.get_mut(&key) else {
            return;
        };
        if !was_tried {
            item.attempts -= 1;
        }
        if self.alone == Some(key) {
            self.alone = None;
        }
        match key {
            Key::Event(seq) => {
                item.state = State::Waiting;
                self.waiting.insert(key);
                self.notes.push(Note::Failed { seq });
            }
            Key::Replay(_) => {
                item.state = State::Waiting;
                self.waiting.insert(key);
            }
            Key::Volatile(_) => {
                item.state = State::Ready;
                self.ready.insert(key);
            }
        }
    }

    fn succeed(&mut self, key: Key) {
        let Some(item) = self.remove(key) else {
            return;
        };
        if item.attempts > 1 {
            let (listener, attempt) = (&self.manner.name, item.attempts);
            info!(listener, id = %item.event.id(), attempt, "told");
        }
        self.failures = 0;
        match key {
            Key::Event(seq) => self.told.push(seq),
            Key::Replay(seq) => self.notes.push(Note::Replayed {
                seq,
                result: Ok(()),
            }),
            Key::Volatile(_) => return,
        }
        if std::mem::take(&mut self.is_failing) {
            self.notes.push(Note::Recovered);
        }
    }

    /// Returns how long it rests before it is tried again, unless it is given up.
    fn fail(&mut self, key: Key, error: &ListenerError) -> Option<Duration> {
        let item = self.items.get_mut(&key)?;
        let (listener, id, attempt) = (&self.manner.name, item.event.id(), item.attempts);
        let retry = self.manner.retry;
        if error.is_permanent() || attempt >= retry.tries {
            warn!(listener, %id, attempt, %error, "gave up telling an event");
            let item = self.remove(key)?;
            self.bury(key, item, error);
            return None;
        }
        if attempt == 1 {
            warn!(listener, %id, attempt, %error, "could not tell an event; trying again");
        } else {
            debug!(listener, %id, attempt, %error, "could not tell an event again");
        }
        self.failures += 1;
        self.tried += usize::from(!std::mem::replace(&mut item.has_failed, true));
        item.state = State::Resting;
        if let Some(lane) = self.lanes.get_mut(&item.entity) {
            lane.resting += 1;
        }
        if self.alone == Some(key) {
            self.alone = None;
        }
        let is_about_deliveries = matches!(
            item.event.event.kind,
            Kind::EventDeadLettered | Kind::ListenerFailing | Kind::ListenerRecovered
        );
        match key {
            Key::Event(seq) => self.notes.push(Note::Failed { seq }),
            Key::Replay(_) | Key::Volatile(_) => (),
        }
        let is_told_of = matches!(key, Key::Volatile(_)) || is_about_deliveries;
        if self.failures > 1 && !self.is_failing && !is_told_of {
            self.is_failing = true;
            let error = error.to_string();
            self.notes.push(Note::Failing { error });
        }
        let asked = error.pause().unwrap_or_default().min(LONGEST_PAUSE);
        Some(retry.pause(attempt, self.manner.seed).max(asked))
    }

    /// Makes a dead letter of what is given up.
    fn bury(&mut self, key: Key, item: Item, error: &ListenerError) {
        let error = error.to_string();
        match key {
            Key::Event(_) => self.notes.push(Note::DeadLetter {
                event: item.event,
                attempts: item.attempts,
                error,
            }),
            Key::Replay(seq) => self.notes.push(Note::Replayed {
                seq,
                result: Err(error),
            }),
            Key::Volatile(_) => (),
        }
    }

    /// Says that something has rested.
    pub(in crate::listener::dispatcher) fn rested(&mut self, key: Key) {
        let Some(item) = self.items.get_mut(&key) else {
            return;
        };
        if item.state != State::Resting {
            return;
        }
        if let Some(lane) = self.lanes.get_mut(&item.entity) {
            lane.resting -= 1;
        }
        match key {
            Key::Volatile(_) => {
                item.state = State::Ready;
                self.ready.insert(key);
            }
            Key::Event(_) | Key::Replay(_) => {
                item.state = State::Waiting;
                self.waiting.insert(key);
            }
        }
    }
}
