//! One instance of a listener, and what it does with the events it is given.
//!
//! It makes attempts one after the other; which ones, and what follows from them, is said
//! elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};

use super::entity::Entity;
use super::queue::{Fate, Key, OUTAGE};
use crate::event::Recorded;
use crate::exchange::{Answer, Request, RequestId, Wish};
use crate::listener::registration::{Hooks, Registration};
use crate::listener::wish::WishKind;
use crate::listener::{Delivery, Listener, ListenerError, Reply};

/// Requests of listeners have numbers above this one, apart from those of people.
const REQUESTS_FROM: u64 = 1 << 63;

/// A listener did not return in time.
#[derive(Debug, Error)]
#[error("no answer within {0:?}")]
struct Late(Duration);

/// One event to be told.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) entity: Entity,
    pub(super) event: Arc<Recorded>,
    pub(super) attempt: u32,
}

/// Attempts to be made one after the other, each with the events it tells.
pub(super) type Run = Vec<Vec<Job>>;

/// An instance of a listener.
pub(super) struct Hand {
    listener: Box<dyn Listener>,
    registration: Arc<Registration>,
    hooks: Hooks,
}

impl Hand {
    pub(super) fn new(registration: &Arc<Registration>, hooks: &Hooks) -> Self {
        Self {
            listener: (registration.make)(),
            registration: Arc::clone(registration),
            hooks: hooks.clone(),
        }
    }

    /// Returns the instance.
    pub(super) fn listener(&mut self) -> &mut dyn Listener {
        &mut *self.listener
    }

    /// Makes the attempts of a run. Behind a failure nothing more of its entity is told, and behind
    /// several in a row nothing at all.
    pub(super) async fn tell(&mut self, run: Run) -> Vec<(Key, Fate)> {
        let mut fates = Vec::new();
        let mut stopped = BTreeSet::new();
        let mut failures = 0;
        for jobs in run {
            let is_behind = |it: &Job| failures >= OUTAGE || stopped.contains(&it.entity);
            let (behind, jobs): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(is_behind);
            fates.extend(behind.into_iter().map(|it| (it.key, Fate::Untold)));
            if jobs.is_empty() {
                continue;
            }
            for (job, fate) in self.attempt(jobs).await {
                match &fate {
                    Fate::Failed(error) => {
                        failures += usize::from(!error.is_permanent());
                        stopped.insert(job.entity);
                    }
                    Fate::Doubted(_) => {
                        stopped.insert(job.entity);
                    }
                    Fate::Told => failures = 0,
                    Fate::Untold => (),
                }
                fates.push((job.key, fate));
            }
        }
        fates
    }

    /// Tells the events of one attempt.
    async fn attempt(&mut self, jobs: Vec<Job>) -> Vec<(Job, Fate)> {
        let rest: Vec<Arc<Recorded>> = jobs[1..].iter().map(|it| Arc::clone(&it.event)).collect();
        let delivery = Delivery {
            event: &jobs[0].event,
            attempt: jobs[0].attempt,
            rest: &rest,
        };
        let patience = self.registration.terms.timeout;
        let limit = patience + self.listener.farewell();
        let told = match timeout(limit, self.listener.notify(delivery)).await {
            Ok(told) => told,
            Err(_elapsed) => Err(ListenerError::temporary(Late(patience))),
        };
        match told {
            Ok(Reply { wishes, failed }) => {
                for wish in wishes {
                    self.ask(wish).await;
                }
                let mut failed: Vec<_> = failed;
                let mut fate_of = |place: usize| {
                    let found = failed.iter().position(|it| it.0 == place);
                    found.map_or(Fate::Told, |it| {
                        Fate::Failed(Arc::new(failed.swap_remove(it).1))
                    })
                };
                let jobs = jobs.into_iter().enumerate();
                jobs.map(|(place, job)| (job, fate_of(place))).collect()
            }
            Err(error) => {
                let is_doubtful = error.is_permanent() && jobs.len() > 1;
                let error = Arc::new(error);
                let fate = if is_doubtful {
                    Fate::Doubted(error)
                } else {
                    Fate::Failed(error)
                };
                jobs.into_iter().map(|job| (job, fate.clone())).collect()
            }
        }
    }

    /// Does what the listener has to do without an event.
    pub(super) async fn call(&mut self) -> Result<(), ListenerError> {
        let patience = self.registration.terms.timeout;
        let limit = patience + self.listener.farewell();
        match timeout(limit, self.listener.call()).await {
            Ok(Ok(reply)) => {
                for wish in reply.wishes {
                    self.ask(wish).await;
                }
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_elapsed) => Err(ListenerError::temporary(Late(patience))),
        }
    }

    /// Hands on a wish of the listener, and waits for what becomes of it: until then the event it
    /// answers does not count as told, so that the wish survives a crash.
    async fn ask(&mut self, wish: Wish) {
        static LAST: AtomicU64 = AtomicU64::new(REQUESTS_FROM);
        let listener = self.registration.name.as_str();
        let Some(kind) = WishKind::of(&wish) else {
            warn!(
                listener,
                "refused what a listener asks for: only people may"
            );
            return;
        };
        if !self.registration.terms.may_request.contains(&kind) {
            warn!(
                listener,
                request = kind.as_str(),
                "refused what a listener asks for: its may-request does not name it"
            );
            return;
        }
        let Some(requests) = &self.hooks.requests else {
            warn!(
                listener,
                request = kind.as_str(),
                "refused what a listener asks for: nobody is there to decide"
            );
            return;
        };
        let request = Request {
            id: RequestId(LAST.fetch_add(1, Ordering::Relaxed)),
            by: format!("listener {listener}").into(),
            reason: None,
            wish,
        };
        let (answer, answered) = oneshot::channel();
        let asked = async {
            requests.send((request, answer)).await.ok()?;
            answered.await.ok()
        };
        match timeout(self.registration.terms.timeout, asked).await {
            Ok(Some(Answer::Accepted { text, .. })) => {
                info!(listener, request = kind.as_str(), %text, "a listener asked, and gets it");
            }
            Ok(Some(Answer::Refused { reason })) => {
                let request = kind.as_str();
                warn!(listener, request, %reason, "refused what a listener asks for");
            }
            Ok(None) | Err(_) => {
                let request = kind.as_str();
                warn!(
                    listener,
                    request, "what a listener asks for was not answered"
                );
            }
        }
    }
}
