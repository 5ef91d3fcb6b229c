//! One worker per listener: reads on from where the listener stands, tells, tries again, goes on.
//!
//! It decides nothing about a domain. Where a listener begins is said by the caller; what it was
//! told is remembered for as long as the dispatcher lives.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::ledger::Ledger;
use super::registration::{Hooks, Registration};
use super::settings::Terms;
use super::source::Source;
use super::{Delivery, Listener, ListenerError};
use crate::event::{Event, Kind, Recorded, Subject};

/// How many events a worker reads at a time.
const PAGE: usize = 256;

/// Tells the listeners of one source.
///
/// Dropping it ends all its workers at once, as a crash would; [`flush`](Self::flush) ends them in
/// order.
#[derive(Debug)]
pub struct Dispatcher<J> {
    journal: Arc<J>,
    hooks: Hooks,
    workers: BTreeMap<String, Handle>,
}

/// A worker that runs.
#[derive(Debug)]
struct Handle {
    task: JoinSet<()>,
    cursor: Cursor,
    /// The number after which the worker ends, once that is known.
    last_call: watch::Sender<Option<u64>>,
}

/// A listener that was not told everything when the dispatcher ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfinished {
    /// The listener.
    pub name: String,
    /// The last event it was told, or did not want.
    pub told: u64,
    /// The last event there is.
    pub last: u64,
}

/// The number of the last event a listener is done with.
#[derive(Clone, Debug)]
struct Cursor(Arc<AtomicU64>);

impl Cursor {
    fn at(seq: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seq)))
    }

    fn seq(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    fn advance(&self, seq: u64) {
        self.0.store(seq, Ordering::Release);
    }
}

/// A listener did not return in time.
#[derive(Debug, Error)]
#[error("no answer within {0:?}")]
struct Late(Duration);

impl<J: Source + Ledger> Dispatcher<J> {
    /// Starts a worker for each listener, which goes on where the journal says it stands.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn start(journal: Arc<J>, listeners: Vec<Registration>, hooks: Hooks) -> Self {
        let mut dispatcher = Self {
            journal,
            hooks,
            workers: BTreeMap::new(),
        };
        for listener in listeners {
            dispatcher.add(listener);
        }
        dispatcher
    }

    /// Starts a worker for one more listener.
    pub fn add(&mut self, registration: Registration) {
        let cursor = Cursor::at(0);
        let last_call = watch::Sender::new(None);
        let worker = Worker {
            name: registration.name.clone(),
            source: Arc::clone(&self.journal),
            terms: registration.terms,
            listener: (registration.make)(),
            cursor: cursor.clone(),
            last_call: last_call.subscribe(),
        };
        let mut task = JoinSet::new();
        task.spawn(worker.run());
        let handle = Handle {
            task,
            cursor,
            last_call,
        };
        self.workers.insert(registration.name, handle);
    }

    /// Ends the workers of these listeners: an attempt that runs may end within `grace`, and no
    /// further one begins. What was not told then is told when the listener is added again.
    pub async fn retire(&mut self, names: &[String], grace: Duration) {
        let mut retired = Vec::new();
        for name in names {
            if let Some(handle) = self.workers.remove(name) {
                handle.last_call.send_replace(Some(0));
                retired.push(handle);
            }
        }
        let _ = timeout(grace, async {
            for handle in &mut retired {
                while handle.task.join_next().await.is_some() {}
            }
        })
        .await;
        for mut handle in retired {
            handle.task.shutdown().await;
        }
    }

    /// Tells the listeners that asked for it an event that is in no journal.
    pub fn alarm(&self, event: &Event) {
        let _ = (event, &self.hooks);
    }

    /// Lets the listeners be told everything there is by now, for up to `grace`, and ends.
    ///
    /// A listener that fails in this time is not waited for. Returns those that were not told
    /// everything; they will be when they are started again.
    pub async fn flush(mut self, grace: Duration) -> Vec<Unfinished> {
        let last = self.journal.last_seq();
        for handle in self.workers.values() {
            handle.last_call.send_replace(Some(last));
        }
        let _ = timeout(grace, async {
            for handle in self.workers.values_mut() {
                while handle.task.join_next().await.is_some() {}
            }
        })
        .await;
        for handle in self.workers.values_mut() {
            handle.task.shutdown().await;
        }
        let told = self.workers.into_iter();
        told.map(|(name, handle)| (name, handle.cursor.seq()))
            .filter(|(_, told)| *told < last)
            .map(|(name, told)| Unfinished { name, told, last })
            .collect()
    }
}

/// Tells one listener, one event after the other.
struct Worker<S> {
    name: String,
    source: Arc<S>,
    terms: Terms,
    listener: Box<dyn Listener>,
    cursor: Cursor,
    last_call: watch::Receiver<Option<u64>>,
}

impl<S: Source + Ledger> Worker<S> {
    async fn run(mut self) {
        if let Ok(Some(standing)) = self.source.standing(&self.name).await {
            self.cursor.advance(standing.cursor);
        }
        let mut committed = self.source.committed();
        loop {
            // Marked as seen before reading: what comes later wakes us again.
            committed.mark_unchanged();
            if self.tell_page().await.is_break() {
                return;
            }
            if self.source.last_seq() > self.cursor.seq() {
                // A listener that never waits must not keep the others from running.
                tokio::task::consume_budget().await;
                continue;
            }
            let is_closed = tokio::select! {
                moved = committed.changed() => moved.is_err(),
                called = self.last_call.changed() => called.is_err(),
            };
            if is_closed {
                return;
            }
        }
    }

    /// Tells the next events, and breaks when there is nothing more to do, ever.
    async fn tell_page(&mut self) -> ControlFlow<()> {
        let Ok(page) = self.source.read(self.cursor.seq(), PAGE).await else {
            return ControlFlow::Break(());
        };
        if let (Some(gap), Some(next)) = (page.gap, page.events.first()) {
            self.tell_gap(gap, next).await?;
        }
        for recorded in &page.events {
            if self.is_done() {
                return ControlFlow::Break(());
            }
            if self.terms.admit(recorded) {
                self.tell(recorded).await?;
            }
            self.cursor.advance(recorded.seq);
        }
        if self.is_done() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Tells that events are lost, as an event in the place of the last one lost.
    async fn tell_gap(&mut self, gap: RangeInclusive<u64>, next: &Recorded) -> ControlFlow<()> {
        let (first, last) = gap.into_inner();
        warn!(
            listener = self.listener.name(),
            first, last, "events were lost before this listener could be told of them"
        );
        let text = format!("events {first} to {last} were lost");
        let event = Event {
            text: Some(text.into()),
            ..Event::new(
                next.event.time,
                next.event.domain.clone(),
                Kind::Gap,
                Subject::default(),
            )
        };
        let recorded = Recorded {
            epoch: next.epoch,
            seq: last,
            event,
        };
        self.tell(&recorded).await?;
        self.cursor.advance(last);
        ControlFlow::Continue(())
    }

    /// Tells one event until the listener took it, or will not; breaks when there is no time left
    /// to try again.
    async fn tell(&mut self, recorded: &Recorded) -> ControlFlow<()> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let Err(error) = self.attempt(recorded, attempt).await else {
                if attempt > 1 {
                    info!(listener = self.listener.name(), id = %recorded.id(), attempt, "told");
                }
                return ControlFlow::Continue(());
            };
            if error.is_permanent() || attempt >= self.terms.retry.tries {
                self.warn(recorded, attempt, &error, "gave up telling an event");
                return ControlFlow::Continue(());
            }
            if self.is_last_call() {
                self.warn(recorded, attempt, &error, "no time to tell an event again");
                return ControlFlow::Break(());
            }
            let pause = self.terms.retry.pause(attempt, recorded.seq);
            if attempt == 1 {
                self.warn(
                    recorded,
                    attempt,
                    &error,
                    "could not tell an event; trying again",
                );
            } else {
                let listener = self.listener.name();
                debug!(listener, id = %recorded.id(), attempt, ?pause, %error, "trying again");
            }
            // The last call ends the pause: there is one more attempt, at once.
            tokio::select! {
                () = sleep(pause) => (),
                _ = self.last_call.changed() => (),
            }
        }
    }

    async fn attempt(&mut self, event: &Recorded, attempt: u32) -> Result<(), ListenerError> {
        let limit = self.terms.timeout + self.listener.farewell();
        let delivery = Delivery {
            event,
            attempt,
            rest: &[],
        };
        let told = self.listener.notify(delivery);
        match timeout(limit, told).await {
            Ok(result) => result.map(drop),
            Err(_elapsed) => Err(ListenerError::temporary(Late(self.terms.timeout))),
        }
    }

    fn warn(&self, recorded: &Recorded, attempt: u32, error: &ListenerError, message: &str) {
        let listener = self.listener.name();
        warn!(listener, id = %recorded.id(), attempt, %error, "{message}");
    }

    fn is_last_call(&self) -> bool {
        self.last_call.borrow().is_some()
    }

    /// Returns whether everything was told that shall be.
    fn is_done(&self) -> bool {
        self.last_call
            .borrow()
            .is_some_and(|last| self.cursor.seq() >= last)
    }
}
