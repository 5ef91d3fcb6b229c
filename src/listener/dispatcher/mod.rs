//! One worker per listener: goes on where the listener stands, tells, tries again, remembers.
//!
//! It decides nothing about a domain, and keeps nothing itself: what was told is remembered by the
//! journal, so that a worker that ends, in whichever way, goes on where it was.

mod entity;
mod hand;
mod queue;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use super::ledger::Ledger;
use super::registration::{Hooks, Registration};
use super::source::Source;
use crate::event::Event;
use worker::{CLOSING, Ends, Order, Worker};

/// So many events that are in no journal wait for a listener; beyond it the new ones are dropped.
const ALARMS: usize = 64;

/// Tells the listeners of one source.
///
/// Dropping it ends all its workers at once, as a crash would; [`flush`](Self::flush) ends them in
/// order.
#[derive(Debug)]
pub struct Dispatcher<J> {
    journal: Arc<J>,
    hooks: Hooks,
    workers: BTreeMap<String, Handle>,
    /// Who has the one of a name is the worker of that listener; the next one waits for it.
    desks: BTreeMap<String, Arc<Mutex<()>>>,
    /// Where listeners began. One that is retired before it heard what was there then is not known
    /// to the journal, and misses nothing all the same when it is added again.
    begins: BTreeMap<String, u64>,
}

/// A worker that runs.
#[derive(Debug)]
struct Handle {
    task: JoinSet<()>,
    cursor: Cursor,
    is_best_effort: bool,
    orders: watch::Sender<Order>,
    alarms: mpsc::Sender<Event>,
    is_settled: watch::Receiver<bool>,
}

/// A listener that was not told everything when the dispatcher ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unfinished {
    /// The listener.
    pub name: String,
    /// The last event up to which it is done with everything.
    pub told: u64,
    /// The last event there is.
    pub last: u64,
}

/// How far a listener is: its clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Cursor(Arc<Place>);

#[derive(Debug, Default)]
struct Place {
    seq: AtomicU64,
    queued: AtomicU64,
}

impl Cursor {
    /// Returns the number up to which the listener is done with everything.
    pub fn seq(&self) -> u64 {
        self.0.seq.load(Ordering::Acquire)
    }

    /// Returns how many events wait in memory for it.
    pub fn queued(&self) -> u64 {
        self.0.queued.load(Ordering::Relaxed)
    }

    fn advance(&self, seq: u64) {
        self.0.seq.store(seq, Ordering::Release);
    }

    fn queue(&self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.0.queued.store(events, Ordering::Relaxed);
    }
}

impl<J: Source + Ledger> Dispatcher<J> {
    /// Starts a worker for each listener, which goes on where the journal says that it stands.
    ///
    /// A listener that the journal does not know begins behind the last event there is now.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn start(journal: Arc<J>, listeners: Vec<Registration>, hooks: Hooks) -> Self {
        let mut dispatcher = Self {
            journal,
            hooks,
            workers: BTreeMap::new(),
            desks: BTreeMap::new(),
            begins: BTreeMap::new(),
        };
        for listener in listeners {
            dispatcher.add(listener);
        }
        dispatcher
    }

    /// Starts a worker for one more listener. If there is one of that name it is ended at once,
    /// and the new one begins when it is gone.
    pub fn add(&mut self, registration: Registration) {
        let name = registration.name.clone();
        let desk = self.desks.entry(name.clone()).or_default();
        let (orders, cursor) = (watch::Sender::new(Order::Work), Cursor::default());
        let (alarm_sender, alarm_receiver) = mpsc::channel(ALARMS);
        let settled = watch::Sender::new(false);
        let mut handle = Handle {
            task: JoinSet::new(),
            cursor: cursor.clone(),
            is_best_effort: registration.terms.best_effort,
            is_settled: settled.subscribe(),
            orders,
            alarms: alarm_sender,
        };
        let ends = Ends {
            orders: handle.orders.subscribe(),
            alarms: alarm_receiver,
            settled,
            cursor,
        };
        let last = self.journal.last_seq();
        let begin = self.begins.entry(registration.name.clone()).or_insert(last);
        // A journal that was lost begins anew.
        let begin = last.min(*begin);
        let worker = Worker::new(
            Arc::clone(&self.journal),
            registration,
            self.hooks.clone(),
            begin,
            ends,
        );
        let desk = Arc::clone(desk);
        handle.task.spawn(async move {
            let _mine = desk.lock().await;
            worker.run().await;
        });
        self.workers.insert(name, handle);
    }

    /// Returns how far each listener is, from now on until it is ended.
    pub fn cursors(&self) -> Arc<[(String, Cursor)]> {
        let workers = self.workers.iter();
        let cursors = workers.map(|(name, it)| (name.clone(), it.cursor.clone()));
        cursors.collect()
    }

    /// Returns what waits until the journal knows where each listener stands; from then on none of
    /// them misses anything that is committed.
    pub fn settled(&self) -> impl Future<Output = ()> + Send + use<J> {
        let handles = self.workers.values();
        let waits: Vec<_> = handles.map(|it| it.is_settled.clone()).collect();
        async move {
            for mut it in waits {
                // A worker that is gone waits for nothing.
                let _ = it.wait_for(|is_settled| *is_settled).await;
            }
        }
    }

    /// Ends the workers of these listeners: an attempt that runs may end within `grace`, and no
    /// further one begins. What was not told then is told when the listener is added again.
    pub async fn retire(&mut self, names: &[String], grace: Duration) {
        let mut retired = Vec::new();
        for name in names {
            if let Some(handle) = self.workers.remove(name) {
                handle.orders.send_replace(Order::Retire(grace));
                retired.push(handle);
            }
        }
        end(&mut retired, grace).await;
    }

    /// Lets these listeners, which will not come back, be told everything there is by now, for up
    /// to `grace`, and ends their workers. What fails in this time is tried again.
    ///
    /// Returns those that were not told everything.
    pub async fn dismiss(&mut self, names: &[String], grace: Duration) -> Vec<Unfinished> {
        let last = self.journal.last_seq();
        let (mut dismissed, mut handles) = (Vec::new(), Vec::new());
        for name in names {
            if let Some(handle) = self.workers.remove(name) {
                self.begins.remove(name);
                handle.orders.send_replace(Order::Drain { last, grace });
                dismissed.push(name.clone());
                handles.push(handle);
            }
        }
        end(&mut handles, grace).await;
        unfinished(dismissed, &handles, last)
    }

    /// Does as [`dismiss`](Self::dismiss) with every listener there is.
    pub async fn dismiss_all(mut self, grace: Duration) -> Vec<Unfinished> {
        let names: Vec<String> = self.workers.keys().cloned().collect();
        self.dismiss(&names, grace).await
    }

    /// Tells the `best-effort` listeners an event that cannot be written down. What they did not
    /// ask for is left out, but not that a gate closed.
    pub fn alarm(&self, event: &Event) {
        for (name, handle) in &self.workers {
            if handle.is_best_effort && handle.alarms.try_send(event.clone()).is_err() {
                let event = event.kind.as_str();
                warn!(listener = name, event, "too much waits to tell this too");
            }
        }
    }

    /// Lets the listeners be told everything there is by now, for up to `grace`, and ends.
    ///
    /// What fails in this time is not tried again. Returns those that were not told everything;
    /// they will be when they are started again.
    pub async fn flush(self, grace: Duration) -> Vec<Unfinished> {
        let last = self.journal.last_seq();
        let (names, mut handles): (Vec<_>, Vec<_>) = self.workers.into_iter().unzip();
        for handle in &handles {
            handle.orders.send_replace(Order::Flush { last, grace });
        }
        end(&mut handles, grace).await;
        unfinished(names, &handles, last)
    }
}

/// Returns those that were not told everything up to `last`.
fn unfinished(names: Vec<String>, handles: &[Handle], last: u64) -> Vec<Unfinished> {
    let told = names.into_iter().zip(handles);
    told.map(|(name, handle)| (name, handle.cursor.seq()))
        .filter(|(_, told)| *told < last)
        .map(|(name, told)| Unfinished { name, told, last })
        .collect()
}

/// Waits until workers have ended that were told to, and ends those that do not.
async fn end(handles: &mut [Handle], grace: Duration) {
    let everybody = async {
        for handle in handles.iter_mut() {
            while handle.task.join_next().await.is_some() {}
        }
    };
    let _ = timeout(grace + 2 * CLOSING, everybody).await;
    for handle in handles {
        handle.task.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
