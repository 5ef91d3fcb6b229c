//! What a worker does when something is done that it started.

use std::sync::Arc;

use tokio::task::{Id, JoinError};
use tokio::time::sleep;
use tracing::{info, warn};

use super::{Done, LEDGER_PAUSE, PACE, QUICK, WINDOW_MAX, Worker};
use crate::listener::ListenerError;
use crate::listener::dispatcher::hand::Hand;
use crate::listener::dispatcher::queue::{Fate, Key};
use crate::listener::ledger::{Ledger, LedgerError, Note};
use crate::listener::source::Source;

impl<J: Source + Ledger> Worker<J> {
    /// Takes in what was started and is done.
    pub(super) fn take_in(&mut self, done: Result<(Id, Done), JoinError>) {
        let (id, done) = match done {
            Ok(done) => done,
            Err(error) => return self.mourn(&error),
        };
        self.busy.remove(&id);
        match done {
            Done::Called(hand, result) => {
                if let Err(error) = result {
                    let listener = &self.registration.name;
                    warn!(listener, %error, "a listener failed without an event");
                }
                self.back(hand);
            }
            Done::Lull => {
                self.is_lulled = false;
                if self.noting.is_none() && !self.is_new {
                    let notes = self.queue.compose(0);
                    self.write(notes);
                }
            }
            Done::Noted(Ok(())) => {
                if std::mem::take(&mut self.is_refused) {
                    info!(listener = self.registration.name, "the journal works again");
                }
                self.noting = None;
                self.widen();
                self.queue.committed();
                self.ends.settled.send_replace(true);
            }
            Done::Overdue => self.is_overdue = true,
            Done::Paced => self.pace(),
            Done::Read(Ok(page)) => {
                self.is_reading = false;
                self.put(page);
            }
            Done::Read(Err(error)) => {
                self.is_reading = false;
                self.wait_for_journal(&error);
            }
            Done::Noted(Err(error)) => self.wait_for_journal(&error),
            Done::Recheck => {
                // Whoever fails next says so again.
                self.is_refused = self.noting.is_some();
                if let Some(notes) = self.noting.take() {
                    self.write(notes);
                }
            }
            Done::Rested(keys) => keys.into_iter().for_each(|it| self.queue.rested(it)),
            Done::Stood(Ok(standing)) => {
                for it in standing.unwrap_or_default().replays {
                    self.queue.push_replay(it.event, it.attempts);
                }
            }
            Done::Stood(Err(error)) => self.complain(&error),
            Done::Told(hand, fates) => {
                self.settle(fates);
                self.back(hand);
            }
        }
    }

    /// Takes in what became of a run.
    fn settle(&mut self, fates: Vec<(Key, Fate)>) {
        self.told_lately += fates.len();
        let told = fates.iter().filter(|it| matches!(it.1, Fate::Told));
        self.told_since_note += told.count();
        for (pause, keys) in self.queue.settle(fates) {
            self.work.spawn(async move {
                sleep(pause).await;
                Done::Rested(keys)
            });
        }
        if !self.is_paced {
            self.is_paced = true;
            self.work.spawn(async {
                sleep(PACE).await;
                Done::Paced
            });
        }
    }

    /// Lets more be under way if the listener has been waiting for the journal, and not the other
    /// way round.
    fn widen(&mut self) {
        let told = std::mem::take(&mut self.told_since_note);
        if !self.queue.is_starved() {
            return;
        }
        self.has_starved = true;
        self.told_starving += told;
        // While half is told, the other half is noted.
        if self.told_starving >= QUICK && 2 * told >= self.window {
            self.window = (2 * self.window).min(WINDOW_MAX);
        }
    }

    /// Returns how much may be under way at least: all that the instances can be given.
    pub(super) fn least_window(&self) -> usize {
        let terms = &self.registration.terms;
        let least = u64::from(terms.concurrency.max(1)) * u64::from(terms.batch.max(1));
        usize::try_from(least).unwrap_or(WINDOW_MAX)
    }

    /// Lets no more be under way than was told since this was last done, unless that was so little
    /// for want of the journal.
    fn pace(&mut self) {
        let told = std::mem::take(&mut self.told_lately);
        let is_starved = self.queue.is_starved() | std::mem::take(&mut self.has_starved);
        if !is_starved {
            self.told_starving = 0;
            self.window = self.window.min(told).max(self.least_window());
        }
        self.is_paced = told > 0 || is_starved;
        if self.is_paced {
            self.work.spawn(async {
                sleep(PACE).await;
                Done::Paced
            });
        }
    }

    /// Takes back an instance that has done what it was given.
    fn back(&mut self, mut hand: Hand) {
        let memo = hand.listener().memo();
        if memo.is_some() && memo != self.memo {
            let text = memo.clone().unwrap_or_default();
            self.queue.remember(Note::Memo { text });
            self.memo = memo;
        }
        self.schedule(&mut hand);
        self.idle.push(hand);
    }

    /// Finds out when the listener wants to be called.
    pub(super) fn schedule(&mut self, hand: &mut Hand) {
        let pause = hand.listener().next_call();
        self.call_due = pause.map(|it| Box::pin(sleep(it)));
    }

    /// Calls the listener without an event.
    pub(super) fn call(&mut self) {
        self.call_due = None;
        // Whoever is busy is asked again when it comes back.
        let Some(mut hand) = self.idle.pop() else {
            return;
        };
        let task = self.work.spawn(async move {
            let result = hand.call().await;
            Done::Called(hand, result)
        });
        self.busy.insert(task.id(), (task, Vec::new()));
    }

    /// Replaces an instance that broke; what it was telling failed.
    fn mourn(&mut self, error: &JoinError) {
        let Some((_, keys)) = self.busy.remove(&error.id()) else {
            return;
        };
        let mut hand = Hand::new(&self.registration, &self.hooks);
        if let Some(memo) = &self.memo {
            hand.listener().recall(memo);
        }
        let broke = Arc::new(ListenerError::temporary("the listener broke"));
        let fates = keys.into_iter();
        self.settle(
            fates
                .map(|it| (it, Fate::Failed(Arc::clone(&broke))))
                .collect(),
        );
        self.back(hand);
    }

    /// Asks what is to be told again.
    pub(super) fn ask_standing(&mut self) {
        let (journal, registration) = (Arc::clone(&self.journal), Arc::clone(&self.registration));
        self.work
            .spawn(async move { Done::Stood(journal.standing(&registration.name).await) });
    }

    /// Asks a journal that failed again after a pause; until then nothing new is told.
    fn wait_for_journal(&mut self, error: &LedgerError) {
        self.complain(error);
        self.work.spawn(async {
            sleep(LEDGER_PAUSE).await;
            Done::Recheck
        });
    }

    /// Says once that the journal fails.
    pub(super) fn complain(&mut self, error: &LedgerError) {
        if !std::mem::replace(&mut self.is_refused, true) {
            let listener = &self.registration.name;
            warn!(listener, %error, "nothing is told until the journal works again");
        }
    }
}
