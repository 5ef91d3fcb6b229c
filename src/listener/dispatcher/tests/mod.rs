//! Listeners of every temper: what they are told, and what is remembered of it.

mod crashes;
mod endings;
mod tape;
mod telling;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use self::tape::{Tape, about, event};
use super::*;
use crate::event::Kind;
use crate::listener::{Delivery, Listener, ListenerError, Notified, Reply, Retry, Terms};

/// Passes at once in virtual time; only a worker that hangs lets it pass.
const LONG: Duration = Duration::from_secs(86_400);

/// What a scripted listener does at one attempt; when the script ends it takes everything.
#[derive(Clone, Copy, Debug)]
enum Act {
    Break,
    Fail,
    Hang,
    Later(u64),
    Refuse,
    /// Takes a batch but for the event at this place.
    TakeBut(usize),
    Take,
    /// Takes it after so many milliseconds.
    Slowly(u64),
}

/// What a listener does and was told. Its instances share it.
#[derive(Clone)]
struct Scripted {
    script: Arc<Mutex<VecDeque<Act>>>,
    /// What to do by the number of an event, whatever the script says.
    always: Vec<(u64, Act)>,
    /// Each event as `SEQ EVENT ATTEMPT`, `+` between those of one attempt.
    told: watch::Sender<Vec<String>>,
    /// Each attempt that ended, with the number of its first event.
    ended: watch::Sender<Vec<u64>>,
    is_atomic: bool,
}

impl Scripted {
    fn new(script: &[Act]) -> Self {
        Self {
            script: Arc::new(Mutex::new(script.iter().copied().collect())),
            always: Vec::new(),
            told: watch::Sender::new(Vec::new()),
            ended: watch::Sender::new(Vec::new()),
            is_atomic: true,
        }
    }

    fn registered(&self, terms: Terms) -> Registration {
        self.named("it", terms)
    }

    fn named(&self, name: &str, terms: Terms) -> Registration {
        let it = self.clone();
        Registration {
            name: name.to_owned(),
            terms,
            make: Arc::new(move || Box::new(it.clone())),
        }
    }

    /// Waits until so many attempts were made.
    async fn hear(&self, count: usize) -> Vec<String> {
        let mut told = self.told.subscribe();
        let enough = told.wait_for(|it| it.len() >= count);
        let Ok(heard) = timeout(LONG, enough).await else {
            panic!("told only {:?}", self.told.borrow());
        };
        heard.unwrap().clone()
    }

    fn heard(&self) -> Vec<String> {
        self.told.borrow().clone()
    }
}

impl Listener for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        let attempt = delivery.attempt;
        let words = delivery
            .events()
            .map(|it| format!("{} {} {attempt}", it.seq, it.event.kind.as_str()));
        let line = words.collect::<Vec<_>>().join(" + ");
        self.told.send_modify(|it| it.push(line));
        let seq = delivery.event.seq;
        let always = self.always.iter().find(|it| it.0 == seq).map(|it| it.1);
        let act = always.unwrap_or_else(|| {
            let mut script = self.script.lock().unwrap();
            script.pop_front().unwrap_or(Act::Take)
        });
        let ended = self.ended.clone();
        Box::pin(async move {
            let not_now = || ListenerError::temporary("not now");
            let result = match act {
                Act::Break => panic!("a listener that breaks, on purpose"),
                Act::Fail => Err(not_now()),
                Act::Hang => std::future::pending().await,
                Act::Later(seconds) => Err(not_now().after(Duration::from_secs(seconds))),
                Act::Refuse => Err(ListenerError::permanent("never")),
                Act::Slowly(millis) => {
                    sleep(Duration::from_millis(millis)).await;
                    Ok(Reply::done())
                }
                Act::Take => Ok(Reply::done()),
                Act::TakeBut(place) => Ok(Reply::done().failed(place, not_now())),
            };
            ended.send_modify(|it| it.push(seq));
            result
        })
    }

    fn is_atomic(&self) -> bool {
        self.is_atomic
    }
}

fn terms() -> Terms {
    Terms::default()
}

fn start(tape: &Tape, registration: Registration) -> Dispatcher<Tape> {
    let hooks = Hooks::default();
    Dispatcher::start(Arc::new(tape.clone()), vec![registration], hooks)
}

/// Waits until the tape satisfies a condition, in virtual time.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let so = async {
        while !is_so() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(timeout(LONG, so).await.is_ok(), "never: {what}");
}

/// Events of one kind, each about another thing.
fn about_each<'a>(names: &[&'a str]) -> Vec<(Kind, &'a str)> {
    names.iter().map(|it| (Kind::PeerJoined, *it)).collect()
}
