//! What all answers share: where to look, whom to ask, and how long to wait for an answer.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::asker::{Asker, person};
use super::port::{DomainPort, Errand, Port};
use super::refusal::Refusal;
use crate::exchange::Answer;
use crate::listener::WishKind;
use crate::model::DomainName;
use crate::time::Moment;
use crate::view::View;

/// An event loop that does not answer within this time does not turn.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// As [`ANSWER_TIMEOUT`], for somebody who only wants to look at all domains.
const VIEW_TIMEOUT: Duration = Duration::from_secs(2);

/// So many may follow something at once; the other connections stay for short questions.
const FOLLOWERS_MAX: usize = 32;

/// How often followers may be told at most.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// After so many pauses it is looked though nothing was told: time passes for slots as well.
const LOOK_ANYWAY: u32 = 5;

/// One domain as it was found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Look {
    pub(super) domain: DomainName,
    pub(super) kind: &'static str,
    pub(super) last_seq: u64,
    /// `None` if the event loop did not answer.
    pub(super) view: Option<View>,
}

/// What all answers share.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) port: Port,
    pub(super) stop: watch::Receiver<bool>,
    looks: watch::Sender<Arc<[Look]>>,
    somebody_follows: Notify,
    followers: Arc<Semaphore>,
}

impl Office {
    pub(super) fn new(port: Port, stop: watch::Receiver<bool>) -> Self {
        Self {
            port,
            stop,
            looks: watch::Sender::new(Arc::from([])),
            somebody_follows: Notify::new(),
            followers: Arc::new(Semaphore::new(FOLLOWERS_MAX)),
        }
    }

    pub(super) fn domains(&self) -> Arc<[DomainPort]> {
        self.port.domains.borrow().clone()
    }

    /// Returns the domain of that name.
    pub(super) fn domain(&self, name: &str, attempted: &str) -> Result<DomainPort, Refusal> {
        let domains = self.domains();
        let found = domains.iter().find(|it| it.name.as_str() == name).cloned();
        found.ok_or_else(|| {
            Refusal::no_domain(attempted, name, domains.iter().map(|it| it.name.as_str()))
        })
    }

    /// Looks at every domain.
    pub(super) async fn look(&self) -> Arc<[Look]> {
        let domains = self.domains();
        // All are asked before the first answer is awaited.
        let asked: Vec<_> = domains
            .iter()
            .map(|it| {
                let (answer, view) = oneshot::channel();
                // A full queue belongs to a loop that is behind: it is as good as silent.
                let _ = it.errands.try_send(Errand::View(answer));
                (it, view)
            })
            .collect();
        let mut looks = Vec::with_capacity(asked.len());
        for (domain, view) in asked {
            let view = timeout(VIEW_TIMEOUT, view).await;
            looks.push(Look {
                domain: domain.name.clone(),
                kind: domain.kind,
                last_seq: domain.journal.last_seq(),
                view: view.ok().and_then(Result::ok),
            });
        }
        looks.into()
    }

    /// Looks at one domain.
    pub(super) async fn view(&self, domain: &DomainPort, attempted: &str) -> Result<View, Refusal> {
        let (answer, view) = oneshot::channel();
        ask(domain, Errand::View(answer), view, attempted).await
    }

    /// Has an event loop decide on something.
    pub(super) async fn decide(
        &self,
        domain: &DomainPort,
        attempted: &str,
        errand: impl FnOnce(oneshot::Sender<Answer>) -> Errand,
    ) -> Result<Answer, Refusal> {
        let (answer, decided) = oneshot::channel();
        ask(domain, errand(answer), decided, attempted).await
    }

    /// Takes a place among those who follow something.
    pub(super) fn place(&self, attempted: &str) -> Result<OwnedSemaphorePermit, Refusal> {
        let place = self.followers.clone().try_acquire_owned();
        place.map_err(|_| {
            Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                attempted,
                format!("{FOLLOWERS_MAX} others follow already"),
                "end some of them, or ask without following",
            )
        })
    }

    /// Returns what changes whenever a domain looks different, at a pace that people can follow.
    pub(super) fn follow(&self) -> watch::Receiver<Arc<[Look]>> {
        let looks = self.looks.subscribe();
        self.somebody_follows.notify_one();
        looks
    }

    /// Looks again and again for those who follow, as long as somebody does.
    pub(super) async fn keep_looking(&self) {
        let mut pace = interval(LOOK_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = Vec::new();
        let mut pauses = 0;
        loop {
            if self.looks.receiver_count() == 0 {
                self.somebody_follows.notified().await;
            }
            pace.tick().await;
            let last: Vec<u64> = self.last_numbers();
            pauses += 1;
            if last == told && pauses < LOOK_ANYWAY {
                continue;
            }
            (told, pauses) = (last, 0);
            let looks = self.look().await;
            self.looks.send_if_modified(|before| {
                let is_news = !is_same(before, &looks);
                if is_news {
                    *before = looks;
                }
                is_news
            });
        }
    }

    fn last_numbers(&self) -> Vec<u64> {
        let domains = self.domains();
        let of_domains = domains.iter().map(|it| it.journal.last_seq());
        of_domains
            .chain([self.port.daemon.journal.last_seq()])
            .collect()
    }

    /// Returns who asks, as events name them: a listener only if it may ask for that by its
    /// configuration. A person may give a name.
    pub(super) fn permit(
        &self,
        asker: &Asker,
        owner: Option<&str>,
        wish: Option<WishKind>,
        attempted: &str,
    ) -> Result<Arc<str>, Refusal> {
        let name = match asker {
            Asker::Listener(name) => name,
            Asker::Operator(user) => return Ok(person(user.as_ref(), owner)),
        };
        if owner.is_some() {
            return Err(Refusal::nonsense(
                attempted,
                format!("the listener `{name}` asks, and has its own name"),
                "leave the owner out, or unset DBWARDEN_LISTENER to ask as a person",
            ));
        }
        let Some(wish) = wish else {
            return Self::only_people(asker, attempted);
        };
        let permits = self.port.permits.borrow().clone();
        let (problem, advice) = match permits.get(name) {
            Some(wishes) if wishes.contains(&wish) => return Ok(format!("listener {name}").into()),
            Some(_) => (
                format!("the listener `{name}` may not ask for `{}`", wish.as_str()),
                format!("add `may-request = [\"{}\"]` to it", wish.as_str()),
            ),
            None => (
                format!("no listener is called `{name}`"),
                "unset DBWARDEN_LISTENER to ask as a person".to_owned(),
            ),
        };
        Err(Refusal::new(
            StatusCode::FORBIDDEN,
            attempted,
            problem,
            advice,
        ))
    }

    /// Refuses what only a person may do.
    pub(super) fn only_people(asker: &Asker, attempted: &str) -> Result<Arc<str>, Refusal> {
        match asker {
            Asker::Operator(user) => Ok(person(user.as_ref(), None)),
            Asker::Listener(name) => Err(Refusal::new(
                StatusCode::FORBIDDEN,
                attempted,
                format!("the listener `{name}` asks, and only a person may"),
                "unset DBWARDEN_LISTENER to ask as a person",
            )),
        }
    }
}

/// Sends an errand and waits for its answer.
pub(super) async fn ask<T>(
    domain: &DomainPort,
    errand: Errand,
    answer: oneshot::Receiver<T>,
    attempted: &str,
) -> Result<T, Refusal> {
    let errands: &mpsc::Sender<Errand> = &domain.errands;
    let answered = timeout(ANSWER_TIMEOUT, async {
        errands.send(errand).await.ok()?;
        answer.await.ok()
    });
    let answered = answered.await.ok().flatten();
    answered.ok_or_else(|| Refusal::no_answer(attempted, domain.name.as_str()))
}

/// Returns whether two looks differ in nothing but when they were taken.
pub(super) fn is_same(left: &[Look], right: &[Look]) -> bool {
    let timeless = |look: &Look| Look {
        view: look.view.clone().map(|view| View {
            now: Moment::default(),
            ..view
        }),
        ..look.clone()
    };
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| timeless(left) == timeless(right))
}
