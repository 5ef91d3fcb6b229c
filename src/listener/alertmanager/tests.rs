//! What an Alertmanager is told of what is wrong, and when.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::event::{Event, Kind, ProcessFacts, Recorded, Severity, Subject};
use crate::listener::receiver::{Answer, Receiver, tell};
use crate::listener::{Address, Filter, HttpSettings};
use crate::model::{Role, Status};
use crate::time::{Moment, Timestamp};

const BUSY: Answer = Answer::Say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");

fn settings(url: &str) -> AlertmanagerSettings {
    AlertmanagerSettings {
        http: HttpSettings::new(Address::parse(url).unwrap()),
        labels: BTreeMap::new(),
        resend_every: RESEND_EVERY,
        events: Filter::every(),
        severity: Severity::Info,
    }
}

/// An event of the database `teas` at the peer `db2`, so many seconds after noon.
fn recorded(seq: u64, kind: Kind, text: &str) -> Recorded {
    let noon = 1_732_190_400;
    let time = Moment::simulated(Timestamp::from_micros((noon + seq) * 1_000_000));
    let subject = Subject {
        peer: Some("db2:48004".into()),
        database: Some("teas".into()),
        slot: Some("te/1".into()),
        ..Subject::default()
    };
    let text = (!text.is_empty()).then(|| text.into());
    Recorded {
        epoch: 3,
        seq,
        event: Event {
            text,
            ..Event::new(time, Some("prod".into()), kind, subject)
        },
    }
}

/// What was posted last: `+` what fires, `-` what is over, with its labels.
fn posted(receiver: &Receiver) -> Vec<String> {
    let calls = receiver.calls();
    let body = &calls.last().unwrap().body;
    let alerts: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
    let line = |it: &serde_json::Value| {
        let labels = it["labels"].as_object().unwrap();
        let labels: Vec<_> = labels
            .iter()
            .filter(|(name, _)| !["alertname", "domain", "severity"].contains(&name.as_str()))
            .map(|(name, value)| format!(" {name}={}", value.as_str().unwrap()))
            .collect();
        let is_over = it["endsAt"].as_str().unwrap() < wall_clock().to_string().as_str();
        let mark = if is_over { '-' } else { '+' };
        let name = it["labels"]["alertname"].as_str().unwrap();
        format!("{mark}{name}{}", labels.concat())
    };
    alerts.iter().map(line).collect()
}

#[tokio::test]
async fn an_alert_has_labels_that_stay_and_a_time_that_runs_out() {
    let receiver = Receiver::start(&[]).await;
    let mut settings = settings(&format!("{}/alerts/", receiver.address()));
    settings.labels.insert("team".to_owned(), "db".to_owned());
    let mut listener = Alertmanager::new("alerts", settings);
    let before = wall_clock();
    let event = recorded(7, Kind::DatabaseInactive, "it is \"gone\"");
    tell(&mut listener, &event).await.unwrap();
    let call = &receiver.calls()[0];
    assert!(call.head.starts_with("POST /alerts/api/v2/alerts HTTP/1.1"));
    let mut body: serde_json::Value = serde_json::from_str(&call.body).unwrap();
    let ends = body[0]["endsAt"].take();
    let soonest = WallTime::from_unix_micros(before.as_unix_micros() + 240_000_000).to_string();
    assert!(ends.as_str().unwrap() >= soonest.as_str(), "{ends}");
    let body = serde_json::to_string_pretty(&body).unwrap();
    let body = body.replace(": The", ":\n        The");
    expect_test::expect![[r#"
        [
          {
            "annotations": {
              "description": "it is \"gone\"",
              "event_id": "prod/3/7",
              "summary": "prod teas te/1 db2:48004:
                The last running transaction engine of the database is gone."
            },
            "endsAt": null,
            "labels": {
              "alertname": "DatabaseInactive",
              "database": "teas",
              "domain": "prod",
              "severity": "critical",
              "team": "db"
            },
            "startsAt": "2024-11-21T12:00:07.000000Z"
          }
        ]"#]]
    .assert_eq(&body);
}

#[tokio::test]
async fn conditions_fire_until_what_heals_them() {
    let receiver = Receiver::start(&[]).await;
    let mut listener = Alertmanager::new("alerts", settings(receiver.address()));
    let mut story = String::new();
    let failing = "the listener page could not be told: exit code 1";
    for (seq, (kind, text)) in (1..).zip([
        (Kind::DatabaseInactive, ""),
        (Kind::ProcessJoined, ""),
        (Kind::DatabaseActive, ""),
        (Kind::DatabaseDegraded, ""),
        (Kind::DatabaseRestored, ""),
        (Kind::PeerUnreachable, ""),
        (Kind::PeerReturned, ""),
        (Kind::DomainDisconnected, ""),
        (Kind::DomainFailover, ""),
        (Kind::DomainFrozen, "gate not-synced"),
        (Kind::DomainFrozen, "gate storm: 3 of 4 peers are gone"),
        (Kind::DomainThawed, "gate not-synced"),
        (Kind::SlotHeld, ""),
        (Kind::SlotReleased, ""),
        (Kind::ListenerFailing, failing),
        (Kind::ListenerRecovered, "the listener page was told again"),
        (Kind::ConfigRejected, ""),
        (Kind::ConfigReloaded, ""),
        (Kind::PeerReturned, "it was never gone"),
    ]) {
        let count = receiver.calls().len();
        tell(&mut listener, &recorded(seq, kind, text))
            .await
            .unwrap();
        let told = match receiver.calls().len() - count {
            0 => Vec::new(),
            _ => posted(&receiver),
        };
        let line = format!("{}: {}", kind.as_str(), told.join(", "));
        story.push_str(line.trim_end());
        story.push('\n');
    }
    expect_test::expect![[r"
        database_inactive: +DatabaseInactive database=teas
        process_joined:
        database_active: -DatabaseInactive database=teas
        database_degraded: +DatabaseDegraded database=teas
        database_restored: -DatabaseDegraded database=teas
        peer_unreachable: +PeerUnreachable peer=db2:48004
        peer_returned: -PeerUnreachable peer=db2:48004
        domain_disconnected: +DomainDisconnected
        domain_failover: -DomainDisconnected
        domain_frozen: +DomainFrozen database=teas gate=not-synced
        domain_frozen: +DomainFrozen database=teas gate=storm
        domain_thawed: -DomainFrozen database=teas gate=not-synced
        slot_held: +SlotHeld database=teas slot=te/1
        slot_released: -SlotHeld database=teas slot=te/1
        listener_failing: +ListenerFailing listener=page
        listener_recovered: -ListenerFailing listener=page
        config_rejected: +ConfigRejected
        config_reloaded: -ConfigRejected
        peer_returned:
    "]]
    .assert_eq(&story);
}

#[tokio::test]
async fn a_process_that_is_silent_fires_until_it_answers_or_is_expected_to_no_more() {
    let receiver = Receiver::start(&[]).await;
    let silent = "no answer at its port, 3 times in a row";
    for (kind, status, text, is_over) in [
        (Kind::ProcessStatusChanged, Status::Up, "it answers", true),
        (Kind::ProcessStatusChanged, Status::Stopping, "", true),
        (Kind::ProcessStatusChanged, Status::Up, "", false),
        (Kind::ProcessLeft, Status::Stopping, "", true),
        (Kind::ProcessFailed, Status::Up, "", true),
        (Kind::ProcessUnreachable, Status::Up, "", true),
        (Kind::ProcessJoined, Status::Starting, "", true),
    ] {
        let mut listener = Alertmanager::new("alerts", settings(receiver.address()));
        let of_te = |seq, kind, status, text| {
            let mut it = recorded(seq, kind, text);
            it.event.subject.process = Some(ProcessFacts {
                role: Role::Te,
                pid: 7,
                port: Some(48_005),
                node_id: None,
                start_id: None,
                status,
                status_word: "".into(),
            });
            it
        };
        let begins = of_te(1, Kind::ProcessUnresponsive, Status::Up, silent);
        tell(&mut listener, &begins).await.unwrap();
        let fires = "+ProcessUnresponsive database=teas peer=db2:48004 pid=7";
        assert_eq!(posted(&receiver), [fires]);
        let count = receiver.calls().len();
        let next = of_te(2, kind, status, text);
        tell(&mut listener, &next).await.unwrap();
        let is_told = receiver.calls().len() > count;
        assert_eq!(is_told, is_over, "{}, {status:?}", kind.as_str());
        if is_told {
            let ends = "-ProcessUnresponsive database=teas peer=db2:48004 pid=7";
            assert_eq!(posted(&receiver), [ends]);
        }
    }
}

#[tokio::test]
async fn a_database_that_somebody_stopped_is_no_alert_any_more() {
    let receiver = Receiver::start(&[]).await;
    for (end, told) in [
        (Kind::ProcessLeft, "-DatabaseInactive database=teas"),
        (Kind::ProcessFailed, "+DatabaseInactive database=teas"),
    ] {
        let mut listener = Alertmanager::new("alerts", settings(receiver.address()));
        let kinds = [Kind::DatabaseInactive, end, Kind::DatabaseLeft];
        for (seq, kind) in (1..).zip(kinds) {
            tell(&mut listener, &recorded(seq, kind, "")).await.unwrap();
        }
        assert_eq!(posted(&receiver), [told], "{}", end.as_str());
    }
}

#[tokio::test]
async fn only_what_is_asked_for_fires_and_all_of_it_ends() {
    let receiver = Receiver::start(&[]).await;
    let mut settings = settings(receiver.address());
    settings.severity = Severity::Critical;
    let mut listener = Alertmanager::new("alerts", settings);
    for (seq, kind) in (1..).zip([
        Kind::DatabaseDegraded,
        Kind::DatabaseInactive,
        Kind::DatabaseActive,
    ]) {
        tell(&mut listener, &recorded(seq, kind, "")).await.unwrap();
    }
    assert_eq!(receiver.calls().len(), 2);
    assert_eq!(posted(&receiver), ["-DatabaseInactive database=teas"]);
    let heard = AlertmanagerSettings::heard();
    assert!(heard.admits(Kind::DatabaseActive));
    assert!(!heard.admits(Kind::ProcessReturned));
}

#[tokio::test]
async fn what_fires_is_told_again_until_it_is_over() {
    let receiver = Receiver::start(&[]).await;
    let mut listener = Alertmanager::new("alerts", settings(receiver.address()));
    assert_eq!(listener.next_call(), None);
    tell(&mut listener, &recorded(1, Kind::DatabaseInactive, ""))
        .await
        .unwrap();
    let pause = listener.next_call().unwrap();
    assert!(
        pause <= RESEND_EVERY && pause > RESEND_EVERY / 2,
        "{pause:?}"
    );
    listener.call().await.unwrap();
    assert_eq!(posted(&receiver), ["+DatabaseInactive database=teas"]);
    tell(&mut listener, &recorded(2, Kind::DatabaseActive, ""))
        .await
        .unwrap();
    assert_eq!(posted(&receiver), ["-DatabaseInactive database=teas"]);
    assert_eq!(listener.next_call(), None, "it was told that it is over");
    assert_eq!(receiver.calls().len(), 3);
}

#[tokio::test]
async fn what_could_not_be_told_is_told_soon() {
    let receiver = Receiver::start(&[BUSY, BUSY]).await;
    let mut listener = Alertmanager::new("alerts", settings(receiver.address()));
    let event = recorded(1, Kind::DatabaseInactive, "");
    let error = tell(&mut listener, &event).await.unwrap_err();
    assert!(!error.is_permanent());
    let pause = listener.next_call().unwrap();
    assert!(pause <= RESEND_EVERY / 4, "{pause:?}");
    // It may be given up for this event; the alert is not.
    listener.call().await.unwrap_err();
    listener.call().await.unwrap();
    assert_eq!(posted(&receiver), ["+DatabaseInactive database=teas"]);
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let receiver = Receiver::start(&[]).await;
    let mut first = Alertmanager::new("alerts", settings(receiver.address()));
    assert_eq!(first.memo(), None);
    tell(&mut first, &recorded(1, Kind::DatabaseInactive, ""))
        .await
        .unwrap();
    tell(&mut first, &recorded(2, Kind::PeerUnreachable, ""))
        .await
        .unwrap();
    let failing = "the listener page could not be told: it hangs";
    tell(&mut first, &recorded(3, Kind::ListenerFailing, failing))
        .await
        .unwrap();
    let memo = first.memo().unwrap();
    drop(first);

    let mut second = Alertmanager::new("alerts", settings(receiver.address()));
    second.recall(&memo);
    assert_eq!(second.next_call(), Some(Duration::ZERO));
    second.call().await.unwrap();
    assert_eq!(
        posted(&receiver),
        [
            "+DatabaseInactive database=teas",
            "-ListenerFailing listener=page",
            "+PeerUnreachable peer=db2:48004"
        ]
    );
    // Told again, since the daemon ended before it could note that it was told.
    tell(&mut second, &recorded(1, Kind::DatabaseInactive, ""))
        .await
        .unwrap();
    tell(&mut second, &recorded(4, Kind::DatabaseActive, ""))
        .await
        .unwrap();
    assert_eq!(posted(&receiver), ["-DatabaseInactive database=teas"]);
    let memo = second.memo().unwrap();
    assert!(!memo.contains("DatabaseInactive"), "{memo}");
    // A dead letter that is told late is no news.
    tell(&mut second, &recorded(1, Kind::DatabaseInactive, ""))
        .await
        .unwrap();
    assert_eq!(second.memo().unwrap(), memo);

    let mut torn = Alertmanager::new("alerts", settings(receiver.address()));
    torn.recall("{");
    assert_eq!(torn.next_call(), None);
}

#[tokio::test]
async fn a_batch_is_told_at_once_and_what_is_momentary_runs_out() {
    let receiver = Receiver::start(&[]).await;
    let mut listener = Alertmanager::new("alerts", settings(receiver.address()));
    let rest = [
        Arc::new(recorded(2, Kind::DatabaseActive, "")),
        Arc::new(recorded(3, Kind::PeerUnreachable, "")),
    ];
    let delivery = Delivery {
        event: &recorded(1, Kind::DatabaseInactive, ""),
        attempt: 1,
        rest: &rest,
    };
    listener.notify(delivery).await.unwrap();
    assert_eq!(receiver.calls().len(), 1);
    // What cannot be undone fires for a while; it came this very moment, or it would be over.
    let dead = "the listener page was not told prod/3/9 after 10 attempts: exit code 1";
    let mut dead = recorded(4, Kind::EventDeadLettered, dead);
    dead.event.time.wall = wall_clock();
    tell(&mut listener, &dead).await.unwrap();
    assert_eq!(posted(&receiver), ["+EventDeadLettered listener=page"]);
    let memo = listener.memo();
    let mut beat = recorded(0, Kind::Heartbeat, "");
    beat.event.time.wall = wall_clock();
    tell(&mut listener, &beat).await.unwrap();
    assert_eq!(posted(&receiver), ["+DbwardenHeartbeat"]);
    assert_eq!(listener.memo(), memo);
}

#[tokio::test]
async fn there_is_an_end_to_how_many_fire() {
    let receiver = Receiver::start(&[]).await;
    let mut listener = Alertmanager::new("alerts", settings(receiver.address()));
    for seq in 1..=1_100 {
        let mut event = recorded(seq, Kind::PeerUnreachable, "");
        event.event.subject.peer = Some(format!("db{seq}:48004").as_str().into());
        listener.firing.absorb(&event, &listener.settings);
    }
    listener.call().await.unwrap();
    assert_eq!(posted(&receiver).len(), 1_000);
}
