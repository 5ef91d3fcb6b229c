//! Who is told what, in which form, how often, and what happens when somebody fails.

use std::sync::{Arc, Mutex};

use expect_test::expect;
use std::time::Duration;

use super::*;
use crate::event::{Cause, Event, Kind, ProcessFacts, Severity, Subject};
use crate::exchange::ActionId;
use crate::model::{Role, Status};
use crate::time::{Moment, Timestamp};

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

fn terms() -> Terms {
    Terms::default()
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
          event="process_failed" severity="critical" id=prod/3/1 domain="prod"
          peer="db2:48004" database="teas" role="TE" pid=4711 port=48010 status_word="RUNNING"
          slot="te/1" cause="exit" action=7 snapshot=true while_disconnected=true
         WARN dbwarden::event: The database has fewer processes than wanted.
          event="database_degraded" severity="warning" id=prod/3/2 domain="prod"
    "#]]
    .assert_eq(&lines);
}
