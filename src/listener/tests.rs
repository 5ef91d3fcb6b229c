//! Who is told what, in which form, how often, and what happens when somebody fails.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use expect_test::expect;
use tokio::sync::watch;
use tokio::time::{Duration, timeout};

use super::*;
use crate::event::{Cause, Event, Kind, ProcessFacts, Severity, Subject};
use crate::exchange::ActionId;
use crate::model::{Role, Status};
use crate::time::{Moment, Timestamp};

/// Passes at once in virtual time; only a worker that hangs lets it pass.
const LONG: Duration = Duration::from_secs(86_400);

fn event(kind: Kind) -> Event {
    let time = Moment::simulated(Timestamp::from_micros(1_732_147_445_678_901));
    Event::new(time, Some("prod".into()), kind, Subject::default())
}

fn full_event() -> Event {
    let subject = Subject {
        peer: Some("db2:48004".into()),
        agent_id: Some("0f3c".into()),
        database: Some("teas".into()),
        process: Some(ProcessFacts {
            role: Role::Te,
            pid: 4711,
            port: Some(48_010),
            node_id: Some(2),
            start_id: Some("s-9".into()),
            status: Status::Up,
            status_word: "RUNNING".into(),
        }),
        slot: Some("te/1".into()),
    };
    Event {
        subject,
        cause: Some(Cause::Exit),
        text: Some("it \"died\"\non us".into()),
        snapshot: true,
        while_disconnected: true,
        action: Some(ActionId(7)),
        ..event(Kind::ProcessFailed)
    }
}

fn recorded(seq: u64, event: Event) -> Recorded {
    Recorded {
        epoch: 3,
        seq,
        event,
    }
}

/// A source that remembers everything but the first `lost` events.
#[derive(Clone)]
struct Tape(Arc<Inner>);

struct Inner {
    events: Mutex<Vec<Arc<Recorded>>>,
    lost: u64,
    begin: AtomicU64,
    committed: watch::Sender<u64>,
}

impl Tape {
    fn new(lost: u64) -> Self {
        Self(Arc::new(Inner {
            events: Mutex::default(),
            lost,
            begin: AtomicU64::new(0),
            committed: watch::Sender::new(lost),
        }))
    }

    fn write(&self, kinds: &[Kind]) {
        let mut events = self.0.events.lock().unwrap();
        for &kind in kinds {
            let seq = self.0.lost + events.len() as u64 + 1;
            events.push(Arc::new(recorded(seq, event(kind))));
        }
        self.0
            .committed
            .send_replace(self.0.lost + events.len() as u64);
    }
}

impl Source for Tape {
    type Mark = u64;

    fn committed(&self) -> watch::Receiver<u64> {
        self.0.committed.subscribe()
    }

    fn last_seq(&self) -> u64 {
        *self.0.committed.borrow()
    }

    fn read(&self, after_seq: u64, limit: usize) -> Ledgered<'_, Page> {
        let events = self.0.events.lock().unwrap();
        let later = events.iter().filter(|it| it.seq > after_seq);
        let page = Page {
            events: later.take(limit).cloned().collect(),
            gap: (after_seq < self.0.lost).then(|| after_seq + 1..=self.0.lost),
        };
        Box::pin(std::future::ready(Ok(page)))
    }
}

impl Ledger for Tape {
    fn standing<'a>(&'a self, _listener: &'a str) -> Ledgered<'a, Option<Standing>> {
        let standing = Standing {
            cursor: self.0.begin.load(Ordering::Relaxed),
            ..Standing::default()
        };
        Box::pin(std::future::ready(Ok(Some(standing))))
    }

    fn note<'a>(&'a self, _listener: &'a str, _notes: Vec<Note>) -> Ledgered<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn replays(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }
}

/// Starts a dispatcher whose listeners are all done with the first `begin` events.
fn start(tape: &Tape, begin: u64, listeners: Vec<(Terms, Box<dyn Listener>)>) -> Dispatcher<Tape> {
    tape.0.begin.store(begin, Ordering::Relaxed);
    let listeners = listeners.into_iter().zip(0..).map(|((terms, it), number)| {
        let made = Mutex::new(Some(it));
        Registration {
            name: format!("listener-{number}"),
            terms,
            make: Arc::new(move || made.lock().unwrap().take().unwrap()),
        }
    });
    Dispatcher::start(
        Arc::new(tape.clone()),
        listeners.collect(),
        Hooks::default(),
    )
}

/// What a scripted listener does at one attempt; when the script ends it takes everything.
#[derive(Clone, Copy)]
enum Answer {
    Fail,
    Hang,
    Refuse,
    Take,
}

/// Writes down what it is told as `SEQ EVENT ATTEMPT`, and answers as its script says.
struct Scripted {
    name: &'static str,
    script: VecDeque<Answer>,
    told: watch::Sender<Vec<String>>,
}

impl Scripted {
    fn answering(script: &[Answer]) -> (Box<dyn Listener>, watch::Receiver<Vec<String>>) {
        let told = watch::Sender::new(Vec::new());
        let heard = told.subscribe();
        let listener = Self {
            name: "scripted",
            script: script.iter().copied().collect(),
            told,
        };
        (Box::new(listener), heard)
    }
}

impl Listener for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn notify<'a>(&'a mut self, delivery: Delivery<'a>) -> Notified<'a> {
        let Delivery { event, attempt, .. } = delivery;
        let line = format!("{} {} {attempt}", event.seq, event.event.kind.as_str());
        self.told.send_modify(|it| it.push(line));
        let answer = self.script.pop_front().unwrap_or(Answer::Take);
        Box::pin(async move {
            match answer {
                Answer::Fail => Err(ListenerError::temporary("not now")),
                Answer::Hang => std::future::pending().await,
                Answer::Refuse => Err(ListenerError::permanent("never")),
                Answer::Take => Ok(Reply::done()),
            }
        })
    }
}

/// Waits until a listener was told so many things.
async fn hear(told: &mut watch::Receiver<Vec<String>>, count: usize) -> Vec<String> {
    let enough = told.wait_for(|it| it.len() >= count);
    timeout(LONG, enough).await.unwrap().unwrap().clone()
}

fn terms() -> Terms {
    Terms::default()
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_told_in_order_from_its_place_on() {
    let tape = Tape::new(0);
    tape.write(&[Kind::DaemonStarted, Kind::PeerJoined, Kind::ProcessJoined]);
    let (listener, mut told) = Scripted::answering(&[]);
    let dispatcher = start(&tape, 1, vec![(terms(), listener)]);
    let heard = hear(&mut told, 2).await;
    assert_eq!(heard, ["2 peer_joined 1", "3 process_joined 1"]);
    tape.write(&[Kind::ProcessLeft]);
    assert_eq!(hear(&mut told, 3).await[2], "4 process_left 1");
    assert_eq!(dispatcher.flush(LONG).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_fails_is_tried_again_before_it_hears_of_anything_else() {
    let tape = Tape::new(0);
    let (listener, mut told) = Scripted::answering(&[Answer::Fail, Answer::Hang, Answer::Take]);
    let _dispatcher = start(&tape, 0, vec![(terms(), listener)]);
    tape.write(&[Kind::PeerJoined, Kind::PeerReturned]);
    assert_eq!(
        hear(&mut told, 4).await,
        [
            "1 peer_joined 1",
            "1 peer_joined 2",
            "1 peer_joined 3",
            "2 peer_returned 1",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_given_up_for_an_event_and_not_for_the_next() {
    let tape = Tape::new(0);
    let retry = Retry {
        tries: 3,
        ..Retry::default()
    };
    let terms = Terms { retry, ..terms() };
    let script = [Answer::Fail, Answer::Fail, Answer::Fail, Answer::Refuse];
    let (listener, mut told) = Scripted::answering(&script);
    let _dispatcher = start(&tape, 0, vec![(terms, listener)]);
    tape.write(&[Kind::PeerJoined, Kind::PeerReturned, Kind::PeerUnreachable]);
    assert_eq!(
        hear(&mut told, 5).await,
        [
            "1 peer_joined 1",
            "1 peer_joined 2",
            "1 peer_joined 3",
            "2 peer_returned 1",
            "3 peer_unreachable 1",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_hangs_delays_nobody_else() {
    let tape = Tape::new(0);
    let (stuck, mut told_stuck) = Scripted::answering(&[Answer::Hang]);
    let (quick, mut told_quick) = Scripted::answering(&[]);
    let patient = Terms {
        timeout: LONG * 2,
        ..terms()
    };
    let listeners = vec![(patient, stuck), (terms(), quick)];
    let _dispatcher = start(&tape, 0, listeners);
    tape.write(&[Kind::PeerJoined; 600]);
    assert_eq!(hear(&mut told_quick, 600).await.len(), 600);
    assert_eq!(hear(&mut told_stuck, 1).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_comes_too_late_is_told_what_is_lost() {
    let tape = Tape::new(4);
    tape.write(&[Kind::PeerJoined]);
    let only_processes = Terms {
        events: filter(&["process"]),
        ..terms()
    };
    let (listener, mut told) = Scripted::answering(&[Answer::Fail]);
    let (picky, mut told_picky) = Scripted::answering(&[]);
    let listeners = vec![(terms(), listener), (only_processes, picky)];
    let dispatcher = start(&tape, 1, listeners);
    let heard = hear(&mut told, 3).await;
    assert_eq!(heard, ["4 gap 1", "4 gap 2", "5 peer_joined 1"]);
    assert_eq!(hear(&mut told_picky, 1).await, ["4 gap 1"]);
    assert_eq!(dispatcher.flush(LONG).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_flush_tells_what_is_there_and_waits_for_nobody_who_fails() {
    let tape = Tape::new(0);
    let failing = [Answer::Take, Answer::Fail, Answer::Fail];
    let (good, told_good) = Scripted::answering(&[]);
    let (bad, mut told_bad) = Scripted::answering(&failing);
    let (stuck, _told_stuck) = Scripted::answering(&[Answer::Hang]);
    let patient = Terms {
        timeout: LONG * 2,
        ..terms()
    };
    let listeners = vec![(terms(), good), (terms(), bad), (patient, stuck)];
    let dispatcher = start(&tape, 0, listeners);
    tape.write(&[Kind::PeerJoined, Kind::PeerReturned, Kind::DaemonStopping]);
    hear(&mut told_bad, 2).await;

    let unfinished = dispatcher.flush(Duration::from_secs(5)).await;
    let told: Vec<u64> = unfinished.iter().map(|it| it.told).collect();
    assert_eq!(told, [1, 0], "{unfinished:?}");
    assert_eq!(told_good.borrow().len(), 3);
    assert_eq!(
        *told_bad.borrow(),
        ["1 peer_joined 1", "2 peer_returned 1", "2 peer_returned 2"]
    );
}

#[test]
fn pauses_double_up_to_the_longest_and_are_spread() {
    let retry = Retry::default();
    for (failures, seconds) in [(1, 1), (2, 2), (9, 256), (10, 300), (40, 300)] {
        let full = Duration::from_secs(seconds);
        let pauses: Vec<_> = (0..50).map(|it| retry.pause(failures, it)).collect();
        assert!(pauses.iter().all(|it| *it <= full && *it >= full * 3 / 4));
        assert!(pauses.iter().any(|it| *it != pauses[0]));
    }
}

fn filter(names: &[&str]) -> Filter {
    let mut filter = Filter::none();
    for name in names {
        filter.add(name).unwrap();
    }
    filter
}

#[test]
fn a_listener_hears_what_it_asked_for() {
    let admits = |terms: &Terms, kind| terms.admit(&recorded(1, event(kind)));
    let some = Terms {
        events: filter(&["peer", "process_failed"]),
        ..terms()
    };
    assert!(admits(&some, Kind::PeerJoined));
    assert!(admits(&some, Kind::ProcessFailed));
    assert!(!admits(&some, Kind::ProcessJoined));
    assert!(!admits(&some, Kind::DaemonStarted));
    assert!(admits(&some, Kind::Gap));
    assert_eq!(filter(&["*"]), Filter::every());
    let unknown = Filter::none().add("process_exploded").unwrap_err();
    assert!(unknown.to_string().contains("`process_exploded`"));
    assert!(Filter::none().add("").is_err());

    let urgent = Terms {
        severity: Severity::Warning,
        ..terms()
    };
    assert!(!admits(&urgent, Kind::ProcessJoined));
    assert!(admits(&urgent, Kind::DatabaseDegraded));
    assert!(admits(&urgent, Kind::ProcessFailed));

    let changes = Terms {
        on_connect: OnConnect::Changes,
        ..terms()
    };
    assert!(!changes.admit(&recorded(1, full_event())));
    assert!(admits(&changes, Kind::ProcessFailed));
}

#[test]
fn an_event_is_one_line_of_json_with_what_is_known() {
    let lines = [
        Record::new(&recorded(18, full_event()))
            .with_attempt(2)
            .to_line(),
        Record::new(&recorded(19, event(Kind::DomainConnected))).to_line(),
    ];
    assert!(lines.iter().all(|it| it.find('\n') == Some(it.len() - 1)));
    expect![[r#"
        {"id":"prod/3/18",
         "epoch":3,
         "seq":18,
         "time":"2024-11-21T00:04:05.678901Z",
         "domain":"prod",
         "event":"process_failed",
         "group":"process",
         "severity":"critical",
         "peer":"db2:48004",
         "agent_id":"0f3c",
         "database":"teas",
         "role":"TE",
         "pid":4711,
         "port":48010,
         "node_id":2,
         "start_id":"s-9",
         "status":"up",
         "status_word":"RUNNING",
         "slot":"te/1",
         "cause":"exit",
         "text":"it \"died\"\non us",
         "snapshot":true,
         "while_disconnected":true,
         "action":7,
         "attempt":2}
        {"id":"prod/3/19",
         "epoch":3,
         "seq":19,
         "time":"2024-11-21T00:04:05.678901Z",
         "domain":"prod",
         "event":"domain_connected",
         "group":"domain",
         "severity":"info"}
    "#]]
    .assert_eq(&lines.concat().replace(",\"", ",\n \""));
}

#[test]
fn the_environment_says_the_same_as_the_line() {
    let recorded = recorded(18, full_event());
    let environment = Record::new(&recorded).with_attempt(2).to_environment();
    let lines: Vec<String> = environment
        .iter()
        .map(|(name, value)| format!("{name}={value:?}\n"))
        .collect();
    expect![[r#"
        DBWARDEN_ACTION="7"
        DBWARDEN_AGENT_ID="0f3c"
        DBWARDEN_ATTEMPT="2"
        DBWARDEN_CAUSE="exit"
        DBWARDEN_DATABASE="teas"
        DBWARDEN_DOMAIN="prod"
        DBWARDEN_EPOCH="3"
        DBWARDEN_EVENT="process_failed"
        DBWARDEN_GROUP="process"
        DBWARDEN_ID="prod/3/18"
        DBWARDEN_NODE_ID="2"
        DBWARDEN_PEER="db2:48004"
        DBWARDEN_PID="4711"
        DBWARDEN_PORT="48010"
        DBWARDEN_ROLE="TE"
        DBWARDEN_SEQ="18"
        DBWARDEN_SEVERITY="critical"
        DBWARDEN_SLOT="te/1"
        DBWARDEN_SNAPSHOT="true"
        DBWARDEN_START_ID="s-9"
        DBWARDEN_STATUS="up"
        DBWARDEN_STATUS_WORD="RUNNING"
        DBWARDEN_TEXT="it \"died\"\non us"
        DBWARDEN_TIME="2024-11-21T00:04:05.678901Z"
        DBWARDEN_WHILE_DISCONNECTED="true"
    "#]]
    .assert_eq(&lines.concat());
}

#[test]
fn the_log_has_a_line_per_event_at_a_level_after_its_severity() {
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let paper = Paper::default();
    let writer = paper.clone();
    let subscriber = tracing_subscriber::fmt()
        .without_time()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let events = [full_event(), event(Kind::DatabaseDegraded)];
    tracing::subscriber::with_default(subscriber, || {
        for (event, seq) in events.into_iter().zip(1..) {
            let event = &recorded(seq, event);
            let delivery = Delivery {
                event,
                attempt: 1,
                rest: &[],
            };
            drop(Log::new("log").notify(delivery));
        }
    });
    let bytes = paper.0.lock().unwrap().clone();
    // One line each, shown as several.
    let lines = String::from_utf8(bytes).unwrap();
    let lines = [" event=", " peer=", " slot="]
        .iter()
        .fold(lines, |it, field| it.replace(field, &format!("\n {field}")));
    expect![[r#"
        ERROR dbwarden::event: it \"died\"\non us
          event="process_failed" id=prod/3/1 domain="prod"
          peer="db2:48004" database="teas" role="TE" pid=4711 port=48010 status_word="RUNNING"
          slot="te/1" cause="exit" action=7 snapshot=true while_disconnected=true
         WARN dbwarden::event: The database has fewer processes than wanted.
          event="database_degraded" id=prod/3/2 domain="prod"
    "#]]
    .assert_eq(&lines);
}
