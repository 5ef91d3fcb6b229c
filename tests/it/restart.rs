//! What the real daemon shows across its own restarts: events, status and dead letters.
//!
//! What a journal keeps when it is damaged or cannot be written is shown in `damaged.rs`.

use std::collections::BTreeSet;
use std::fs::{self, File};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::daemon::{Daemon, pid, running_te, teas};
use crate::follower::Follower;
use crate::sandbox::outside::{Running, eventually};

/// A TE at each of two peers, so that there are two to kill.
fn two_engines() -> Running {
    Running::start(&["--database", "teas", "--te", "2", "--sm", "1"])
}

/// Kills an engine, and waits until the daemon has that in its journal; returns its pid.
fn kill_one(sandbox: &Running, daemon: &Daemon) -> u32 {
    let victim = running_te(sandbox)[0];
    kill_process(pid(victim), Signal::KILL).unwrap();
    daemon.says(&["process_failed", &format!("pid={victim}")]);
    victim
}

fn of<'a>(events: &'a [Value], domain: &'a Value) -> impl Iterator<Item = &'a Value> {
    events.iter().filter(move |it| it["domain"] == *domain)
}

fn seqs<'a>(events: impl Iterator<Item = &'a Value>) -> Vec<u64> {
    events.map(|it| it["seq"].as_u64().unwrap()).collect()
}

#[test]
fn what_an_earlier_daemon_wrote_is_shown_by_number_and_by_time() {
    let sandbox = two_engines();
    let mut daemon = Daemon::start(&teas(&sandbox));
    daemon.says(&["domain_thawed"]);
    let victim = kill_one(&sandbox, &daemon);
    let first = daemon.events(&["--domain", "prod"]);
    let failed = first.iter().find(|it| it["event"] == "process_failed");
    let failed = failed.unwrap().clone();
    assert_eq!(failed["pid"], victim);
    for signal in [Signal::TERM, Signal::KILL] {
        daemon = daemon.again(signal, |_| ());
        daemon.says(&["ready"]);
        daemon.says(&["domain_thawed"]);
    }
    let all = daemon.events(&[]);
    let mine: Vec<Value> = of(&all, &"prod".into()).cloned().collect();
    assert_eq!(
        mine[..first.len()],
        first,
        "what was written stays as it was"
    );
    let count = u64::try_from(mine.len()).unwrap();
    assert_eq!(
        seqs(mine.iter()),
        (1..=count).collect::<Vec<_>>(),
        "{mine:#?}"
    );
    let epochs: BTreeSet<u64> = mine
        .iter()
        .map(|it| it["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(epochs.len(), 1, "the numbers go on: {epochs:?}");
    let own: Vec<&str> = of(&all, &Value::Null)
        .map(|it| it["event"].as_str().unwrap())
        .collect();
    // The second was not given the time to say goodbye.
    let expected = [
        "daemon_started",
        "daemon_stopping",
        "daemon_started",
        "daemon_started",
    ];
    assert_eq!(own, expected);
    let joined = mine.iter().filter(|it| it["event"] == "process_joined");
    assert_eq!(
        joined.count(),
        3,
        "what stayed is not told again: {mine:#?}"
    );

    let seq = failed["seq"].as_u64().unwrap();
    // Meanwhile there may be more.
    let as_then = |events: Vec<Value>| -> Vec<Value> {
        let was_there = |it: &Value| it["seq"].as_u64().unwrap() <= count;
        events.into_iter().filter(was_there).collect()
    };
    let behind = as_then(daemon.events(&["--domain", "prod", "--since", &seq.to_string()]));
    assert_eq!(seqs(behind.iter()), (seq + 1..=count).collect::<Vec<_>>());
    let time = failed["time"].as_str().unwrap();
    let since = as_then(daemon.events(&["--domain", "prod", "--since", time]));
    let not_older = mine
        .iter()
        .filter(|it| it["time"].as_str().unwrap() >= time);
    assert_eq!(since, not_older.cloned().collect::<Vec<_>>());
    assert!(since.contains(&failed), "{since:#?}");
    let recent = as_then(daemon.events(&["--domain", "prod", "--since", "1h"]));
    assert_eq!(recent, mine);
    let people = daemon.ask(&["events", "--domain", "prod"]);
    let people = String::from_utf8(people.stdout).unwrap();
    assert!(people.contains(&format!("[pid={victim}]")), "{people}");
    daemon.end();
}

#[test]
fn who_follows_reads_what_was_and_then_what_comes_until_the_daemon_ends() {
    let sandbox = two_engines();
    let daemon = Daemon::start(&teas(&sandbox));
    daemon.says(&["domain_thawed"]);
    let old = kill_one(&sandbox, &daemon);
    let daemon = daemon.again(Signal::KILL, |_| ());
    daemon.says(&["domain_thawed"]);
    let mut follower = Follower::start(daemon.client(&[
        "events", "--follow", "--json", "--domain", "prod", "--since", "3",
    ]));
    let mut read = follower.until("process_failed");
    assert_eq!(read.last().unwrap()["pid"], old);
    let new = kill_one(&sandbox, &daemon);
    read.extend(follower.until("process_failed"));
    assert_eq!(read.last().unwrap()["pid"], new);
    let count = u64::try_from(read.len()).unwrap();
    assert_eq!(seqs(read.iter()), (4..4 + count).collect::<Vec<_>>());
    daemon.end();
    let (status, said) = follower.end();
    assert_eq!(status.code(), Some(69), "{said}");
}

/// Takes what it is told only where a file says that it works.
const MOODY: &str = "
    [[listener]]
    name = \"moody\"
    kind = \"exec\"
    command = [\"/bin/sh\", \"-c\", \"test -e DIR/works || exit 65; cat >> DIR/told\"]
    events = [\"process_failed\"]
    on-connect = \"changes\"

    [[listener]]
    name = \"log\"
    kind = \"log\"
";

fn letters(daemon: &Daemon) -> Vec<Value> {
    let output = daemon.ask(&["deadletters", "list", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn dead_letters_outlive_the_daemon_and_are_told_again_or_dropped_as_people_wish() {
    let sandbox = two_engines();
    let daemon = Daemon::start(&format!("{}{MOODY}", teas(&sandbox)));
    daemon.says(&["domain_thawed"]);
    let victims = [kill_one(&sandbox, &daemon), kill_one(&sandbox, &daemon)];
    eventually("both are dead letters", || letters(&daemon).len() == 2);
    let before = letters(&daemon);
    for (letter, victim) in before.iter().zip(victims) {
        assert_eq!(letter["listener"], "moody");
        assert_eq!(letter["domain"], "prod");
        assert_eq!(letter["event"]["pid"], victim);
        assert!(letter["error"].as_str().unwrap().contains("65"), "{letter}");
    }
    let daemon = daemon.again(Signal::KILL, |_| ());
    daemon.says(&["domain_thawed"]);
    assert_eq!(letters(&daemon), before);
    let shown = daemon.ask(&["deadletters", "list"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(shown.matches("process_failed").count(), 2, "{shown}");

    let name = |it: usize| before[it]["letter"].as_str().unwrap();
    let missing = daemon.ask(&["deadletters", "replay", "prod/77"]);
    assert_eq!(missing.status.code(), Some(1), "{missing:?}");
    assert_eq!(letters(&daemon), before);
    File::create(daemon.path("works")).unwrap();
    let replayed = daemon.ask(&["deadletters", "replay", name(0)]);
    assert_eq!(replayed.status.code(), Some(0), "{replayed:?}");
    eventually("it is told after all", || letters(&daemon).len() == 1);
    let told = fs::read_to_string(daemon.path("told")).unwrap();
    let told: Value = serde_json::from_str(told.trim_end()).unwrap();
    assert_eq!(told["id"], before[0]["event"]["id"]);
    assert_eq!(letters(&daemon)[0], before[1]);
    let dropped = daemon.ask(&["deadletters", "drop", "--listener", "moody"]);
    assert_eq!(dropped.status.code(), Some(0), "{dropped:?}");
    assert!(letters(&daemon).is_empty());

    let daemon = daemon.again(Signal::TERM, |_| ());
    daemon.says(&["domain_thawed"]);
    assert!(letters(&daemon).is_empty());
    daemon.end();
}
