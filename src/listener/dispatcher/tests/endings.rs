//! Stops, reloads, heartbeats, and what a listener remembers and asks for.

use std::collections::BTreeSet;

use super::*;
use crate::event::Recorded;
use crate::exchange::{Answer, Place, Wish};
use crate::listener::WishKind;
use crate::time::{Moment, Timestamp};

#[tokio::test(start_paused = true)]
async fn a_flush_tells_what_is_there_and_waits_for_nobody_who_fails() {
    let tape = Tape::new(0);
    for name in ["good", "bad", "stuck"] {
        tape.account_at(name, 0);
    }
    let good = Scripted::new(&[]);
    let bad = Scripted::new(&[Act::Take, Act::Fail, Act::Fail]);
    let stuck = Scripted::new(&[Act::Hang]);
    let patient = Terms {
        timeout: LONG * 2,
        ..terms()
    };
    let listeners = vec![
        good.named("good", terms()),
        bad.named("bad", terms()),
        stuck.named("stuck", patient),
    ];
    let dispatcher = Dispatcher::start(Arc::new(tape.clone()), listeners, Hooks::default());
    tape.write(&about_each(&["", "", ""]));
    bad.hear(2).await;
    let unfinished = dispatcher.flush(Duration::from_secs(5)).await;
    let told: Vec<_> = unfinished
        .iter()
        .map(|it| (it.name.as_str(), it.told))
        .collect();
    assert_eq!(told, [("bad", 1), ("stuck", 0)]);
    assert_eq!(good.heard().len(), 3);
    assert_eq!(tape.cursor("good"), Some(3));
    let after = tape.crash();
    assert_eq!(
        after.open("stuck"),
        [(1, 1, 0, false)],
        "goodbye is no crash"
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_is_replaced_goes_on_where_it_was_and_is_never_there_twice() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["a", "b", "c", "d"]));
    let old = Scripted::new(&[Act::Take, Act::Slowly(100)]);
    let mut dispatcher = start(&tape, old.registered(terms()));
    old.hear(2).await;
    dispatcher
        .retire(&["it".to_owned()], Duration::from_secs(5))
        .await;
    assert_eq!(*old.ended.borrow(), [1, 2], "what was under way could end");
    assert_eq!(tape.cursor("it"), Some(2));
    let new = Scripted::new(&[]);
    dispatcher.add(new.registered(terms()));
    assert_eq!(new.hear(2).await, ["3 peer_joined 1", "4 peer_joined 1"]);
    assert_eq!(old.heard().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_end_in_time_is_ended_and_told_again() {
    let tape = Tape::new(0);
    tape.write(&about_each(&["a"]));
    let patient = Terms {
        timeout: LONG * 2,
        ..terms()
    };
    let old = Scripted::new(&[Act::Hang]);
    let mut dispatcher = start(&tape, old.registered(patient));
    old.hear(1).await;
    let names = ["it".to_owned()];
    dispatcher.retire(&names, Duration::from_secs(5)).await;
    assert_eq!(tape.open("it"), [(1, 1, 0, false)]);
    let new = Scripted::new(&[]);
    dispatcher.add(new.registered(terms()));
    assert_eq!(new.hear(1).await, ["1 peer_joined 2"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_dismissed_hears_the_rest_and_is_tried_again() {
    let tape = Tape::new(0);
    for name in ["flaky", "dead"] {
        tape.account_at(name, 0);
    }
    tape.write(&about_each(&["a", "b", "a"]));
    let flaky = Scripted::new(&[Act::Fail]);
    let dead = Scripted::new(&[Act::Fail; 1_000]);
    let listeners = vec![flaky.named("flaky", terms()), dead.named("dead", terms())];
    let journal = Arc::new(tape.clone());
    let mut dispatcher = Dispatcher::start(journal, listeners, Hooks::default());
    let names = ["flaky", "dead", "stranger"].map(str::to_owned);
    let unfinished = dispatcher.dismiss(&names, Duration::from_secs(60)).await;
    let told: Vec<_> = unfinished.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(told, ["dead"]);
    assert_eq!(tape.cursor("flaky"), Some(3));
    assert!(dead.heard().len() > 3, "it was tried until the end");
}

#[tokio::test(start_paused = true)]
async fn who_is_replaced_before_it_heard_what_is_there_misses_nothing() {
    let tape = Tape::unknown();
    tape.write(&about_each(&["", ""]));
    let (present, mut asked) = mpsc::channel::<tokio::sync::oneshot::Sender<Vec<Event>>>(1);
    let hooks = Hooks {
        present: Some(present),
        ..Hooks::default()
    };
    let mut answering = JoinSet::new();
    answering.spawn(async move {
        while let Some(answer) = asked.recv().await {
            let _ = answer.send(vec![event(Kind::PeerJoined, about("@db1"))]);
        }
    });
    let broken = Scripted::new(&[Act::Fail; 1_000]);
    let journal = Arc::new(tape.clone());
    let mut dispatcher = Dispatcher::start(journal, vec![broken.registered(terms())], hooks);
    broken.hear(2).await;
    tape.write(&about_each(&["a"]));
    let names = ["it".to_owned()];
    dispatcher.retire(&names, Duration::from_secs(5)).await;
    tape.write(&about_each(&["b"]));
    let mended = Scripted::new(&[]);
    dispatcher.add(mended.registered(terms()));
    let expected = ["0 peer_joined 1", "3 peer_joined 1", "4 peer_joined 1"];
    assert_eq!(mended.hear(3).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_comes_while_the_daemon_is_well() {
    let tape = Tape::new(0);
    let is_well = Arc::new(Mutex::new(true));
    let seen = Arc::clone(&is_well);
    let pulse = move || {
        let now = Moment::simulated(Timestamp::from_micros(7));
        seen.lock().unwrap().then_some(now)
    };
    let hooks = Hooks {
        pulse: Some(Arc::new(pulse)),
        ..Hooks::default()
    };
    let it = Scripted::new(&[]);
    let watched = Terms {
        heartbeat: Some(Duration::from_secs(10)),
        ..terms()
    };
    let listeners = vec![it.registered(watched)];
    let _dispatcher = Dispatcher::start(Arc::new(tape.clone()), listeners, hooks);
    sleep(Duration::from_secs(25)).await;
    assert_eq!(it.heard(), ["0 heartbeat 1"; 3]);
    *is_well.lock().unwrap() = false;
    sleep(Duration::from_secs(100)).await;
    assert_eq!(it.heard().len(), 3);
}

/// Counts what it is told, remembers it, and wants to be called.
struct Counting {
    count: u32,
    calls: watch::Sender<u32>,
}

impl Listener for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn notify<'a>(&'a mut self, _delivery: Delivery<'a>) -> Notified<'a> {
        self.count += 1;
        let wish = Wish::StartTe {
            database: "teas".into(),
            place: Place::Elsewhere,
        };
        Box::pin(std::future::ready(Ok(Reply::done().wishing(wish))))
    }

    fn recall(&mut self, memo: &str) {
        self.count = memo.parse().unwrap();
    }

    fn memo(&self) -> Option<String> {
        Some(self.count.to_string())
    }

    fn next_call(&self) -> Option<Duration> {
        Some(Duration::from_secs(30))
    }

    fn call(&mut self) -> Notified<'_> {
        self.calls.send_modify(|it| *it += 1);
        Box::pin(std::future::ready(Ok(Reply::done())))
    }
}

fn counting(calls: &watch::Sender<u32>, terms: Terms) -> Registration {
    let calls = calls.clone();
    Registration {
        name: "it".to_owned(),
        terms,
        make: Arc::new(move || {
            let calls = calls.clone();
            Box::new(Counting { count: 0, calls })
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_listener_remembers_outlives_it() {
    let tape = Tape::new(0);
    let calls = watch::Sender::new(0);
    let dispatcher = start(&tape, counting(&calls, terms()));
    tape.write(&about_each(&["", ""]));
    until("it is noted", || tape.memo("it").as_deref() == Some("2")).await;
    drop(dispatcher);
    let tape = tape.crash();
    let _dispatcher = start(&tape, counting(&calls, terms()));
    tape.write(&about_each(&[""]));
    until("it went on", || tape.memo("it").as_deref() == Some("3")).await;
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_called_without_an_event_when_it_wants() {
    let tape = Tape::new(0);
    let calls = watch::Sender::new(0);
    let _dispatcher = start(&tape, counting(&calls, terms()));
    sleep(Duration::from_secs(100)).await;
    assert_eq!(*calls.borrow(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_listener_may_ask_if_its_terms_say_so() {
    for may in [true, false] {
        let tape = Tape::new(0);
        let (requests, mut asked) = mpsc::channel(1);
        let hooks = Hooks {
            requests: Some(requests),
            ..Hooks::default()
        };
        let kinds = may.then_some(WishKind::StartTe);
        let terms = Terms {
            may_request: BTreeSet::from_iter(kinds),
            ..terms()
        };
        let calls = watch::Sender::new(0);
        let listeners = vec![counting(&calls, terms)];
        let _dispatcher = Dispatcher::start(Arc::new(tape.clone()), listeners, hooks);
        tape.write(&about_each(&[""]));
        if may {
            let (request, answer) = asked.recv().await.unwrap();
            assert_eq!(&*request.by, "listener it");
            assert_eq!(tape.cursor("it"), Some(0), "not told before it is answered");
            let answered = Answer::Refused {
                reason: "none is missing".into(),
            };
            answer.send(answered).unwrap();
        }
        until("it is told", || tape.cursor("it") == Some(1)).await;
        assert!(asked.try_recv().is_err());
    }
}

#[test]
fn events_without_a_number_are_known_by_their_time() {
    let recorded = Recorded {
        epoch: 0,
        seq: 0,
        event: event(Kind::Heartbeat, about("")),
    };
    assert_eq!(recorded.id().to_string(), "prod/-/1732147445678901");
    let line = crate::listener::Record::new(&recorded).to_line();
    assert!(!line.contains("seq") && !line.contains("epoch"), "{line}");
}
