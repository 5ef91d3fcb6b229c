//! Small logs, and what they come to when they are lived through again.

use std::time::Duration;

use super::*;
use crate::event::Kind;
use crate::model;
use crate::policy::Policy;
use crate::replay::{Bound, Figures, Replay, Retold};
use crate::supervisor::{Accepted, Settings};

/// Returns the log that has these texts at these seconds.
fn log(lines: &[(u64, &str)]) -> Log {
    let mut log = Log::default();
    for (second, text) in lines {
        let (minute, second) = (second / 60, second % 60);
        log.line(&format!(
            "2026-03-01T09:{minute:02}:{second:02}.000+0000 INFO A.b (c) {text}"
        ));
    }
    log
}

/// Returns an engine at a peer, or at the one that writes.
fn node(role: &str, pid: u32, id: i32, peer: &str) -> String {
    format!("[Node {role} db=[teas] pid={pid} id={id} req={role}s ({peer})]")
}

fn accepted() -> Accepted {
    let mut supervisor = Settings::new("prod".into());
    supervisor.policies = vec![Policy::default()];
    supervisor.te_options.insert("teas".into(), Vec::new());
    let model = model::Settings::default();
    Accepted { model, supervisor }
}

/// Returns how the past fares: then, kindly and harshly.
fn live(past: &Past) -> [Retold; 3] {
    [Bound::AsItWas, Bound::Kind, Bound::Harsh].map(|it| Replay::live(past, &accepted(), it))
}

fn figures(retold: &[Retold; 3]) -> [Figures; 3] {
    let of = |it: &Retold| it.figures[&"teas".into()];
    [of(&retold[0]), of(&retold[1]), of(&retold[2])]
}

const PEER: &str = "Peer 192.0.2.2:48004 (broker)";

#[test]
fn an_engine_that_was_replaced_late_is_replaced_at_once() {
    let past = log(&[
        (0, "NuoAgent version: 2.4.1"),
        (1, &format!("Node joined: {}", node("SM", 1, 1, "local"))),
        (2, &format!("Node joined: {}", node("TE", 2, 2, "local"))),
        (
            600,
            &format!("Node left (observed): {}", node("TE", 2, 2, "local")),
        ),
        (900, &format!("Node joined: {}", node("TE", 3, -1, "local"))),
        (
            903,
            &format!(
                "Node state changed to RUNNING {}",
                node("TE", 3, 3, "local")
            ),
        ),
        (1_200, "Joined Domain"),
    ]);
    let [then, kind, harsh] = figures(&live(&past.into_past()));
    assert_eq!(then.without, Duration::from_secs(303));
    for it in [kind, harsh] {
        assert_eq!((it.times, it.starts), (1, 1));
        let slow = Duration::from_secs(3);
        assert!(
            it.without > slow && it.without < slow * 2,
            "as on record: {it:?}"
        );
    }
}

#[test]
fn an_engine_that_a_person_stops_stays_stopped() {
    let past = log(&[
        (0, "NuoAgent version: 2.4.1"),
        (1, &format!("Node joined: {}", node("SM", 1, 1, "local"))),
        (2, &format!("Node joined: {}", node("TE", 2, 2, "local"))),
        (
            600,
            &format!("Node left (observed): {}", node("TE", 2, 2, "local")),
        ),
        (700, &format!("Node joined: {}", node("TE", 3, 3, "local"))),
        (
            900,
            &format!(
                "Node state changed to SHUTTING_DOWN {}",
                node("TE", 3, 3, "local")
            ),
        ),
        (
            901,
            &format!("Node left (observed): {}", node("TE", 3, 3, "local")),
        ),
        (1_200, "Joined Domain"),
    ]);
    let [then, kind, harsh] = figures(&live(&past.into_past()));
    assert_eq!(then.without, Duration::from_secs(100 + 300));
    for it in [kind, harsh] {
        assert_eq!(
            it.starts, 1,
            "the one that was stopped in its place is not missed"
        );
        let stopped = Duration::from_secs(299);
        assert!(
            it.without > stopped && it.without < stopped + Duration::from_secs(4),
            "{it:?}"
        );
    }
}

#[test]
fn a_peer_that_is_lost_takes_its_engine_out_of_view_and_brings_it_back() {
    let te = node("TE", 7, 3, PEER);
    let past = log(&[
        (0, "NuoAgent version: 2.4.1"),
        (1, &format!("Node joined: {}", node("SM", 1, 1, "local"))),
        (2, &format!("Peer joined: [{PEER}]")),
        (3, &format!("Node joined: {te}")),
        (600, &format!("Peer left: [{PEER}]")),
        (600, &format!("Node left: {te}")),
        (610, &format!("Peer joined: [{PEER}]")),
        (610, &format!("Node joined: {te}")),
        (1_200, "Joined Domain"),
    ]);
    let retold = live(&past.into_past());
    for it in figures(&retold) {
        assert_eq!((it.without, it.starts), (Duration::from_secs(10), 0));
    }
    let starts = retold[1]
        .timeline
        .iter()
        .filter(|it| it.kind == Kind::ActionStarted);
    assert_eq!(starts.count(), 0);
}

#[test]
fn a_log_that_begins_in_the_middle_takes_what_it_speaks_of_as_given() {
    let te = node("TE", 7, 3, PEER);
    let log = log(&[
        (0, "Joined Domain"),
        (
            60,
            &format!(
                "Node state changed to RUNNING {}",
                node("SM", 1, 1, "local")
            ),
        ),
        (600, &format!("Node left (observed): {te}")),
        (1_200, "Joined Domain"),
    ]);
    let past = log.into_past();
    assert_eq!(past.counts(), (2, 2));
    let [then, kind, harsh] = figures(&live(&past));
    assert_eq!(then.without, Duration::from_secs(600));
    assert!(kind.without < Duration::from_secs(5), "{kind:?}");
    assert_eq!(
        kind, harsh,
        "nothing took its place, so there is nothing worse on record"
    );
}

#[test]
fn the_reason_of_a_failed_start_goes_on_in_lines_without_a_time() {
    let mut log = log(&[(
        1,
        "Node failed peer=[Peer 192.0.2.2:48004] startId=[12]: no archive",
    )]);
    log.line("at /var/teas");
    log.line("and so on");
    let (at, reason) = &log.failed_starts()[0];
    assert_eq!(reason, "no archive at /var/teas and so on");
    assert_eq!(log.past.span(), (*at, *at));
    assert_eq!((log.lines(), log.strangers().0), ((3, 2), 0));
}
