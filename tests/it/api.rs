//! The daemon's socket and its command line client: the real binary against a stand-in.

mod addresses;
mod hostile;
mod metrics;
mod page;
mod pages;
mod people;
mod remote;
mod standin;
mod tokens;
mod trusted;

use std::collections::BTreeSet;
use std::process::Stdio;

use dbwarden::event::Kind;
use dbwarden::exchange::{Place, Request, Wish};
use dbwarden::model::{Role, Sighting};
use serde_json::Value;
use standin::{StandIn, process, snapshot, written};
use tokio::task::block_in_place;

use crate::follower::Follower;

/// One that watches `prod` and saw a snapshot ten seconds after it began.
fn prod() -> StandIn {
    let standin = StandIn::start(&["prod"]);
    standin.raise(1, Kind::DaemonStarted);
    standin.domains[0].handle(10, snapshot());
    standin
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn all(text: &str) -> Vec<Value> {
    text.lines().map(json).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_what_is_watched_wanted_and_done() {
    let standin = prod();
    let ran = standin.run(&["status", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let status = json(&ran.out);
    assert_eq!(status["daemon"]["version"], "1.2.3");
    assert_eq!(status["daemon"]["started"], written(0));
    assert_eq!(status["daemon"]["generation"], 1);
    let domain = &status["domains"][0];
    assert_eq!(domain["domain"], "prod");
    assert_eq!(domain["kind"], "nuodb");
    assert_eq!(domain["called"], "tea");
    assert_eq!(domain["mode"], "heal");
    assert_eq!(domain["freshness"], "synced");
    assert_eq!(domain["since"], written(10));
    assert_eq!(domain["entry"], "a:48004");
    assert_eq!(domain["gates"][0]["gate"], "not-synced");
    assert_eq!(domain["peers"].as_array().unwrap().len(), 3);
    assert_eq!(domain["databases"][0]["te"]["running"], 2);
    assert_eq!(domain["processes"][1]["address"], "b:48005");
    assert_eq!(domain["slots"][0]["phase"], "filled");
    assert_eq!(domain["slots"][0]["pid"], 2);

    let ran = standin.run(&["status"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in [
        "dbwarden 1.2.3 since 2026-11-21T03:04:05Z",
        "domain prod synced since 2026-11-21T03:04:15Z, entry a:48004, mode heal",
        "prod: gate not-synced is closed",
        "Healthy: 1 domain, 3 peers, 1 database, 3 processes",
        "database teas  active",
        "TE  b:48004  [pid=2]  RUNNING",
    ] {
        assert!(ran.out.contains(part), "{part} is not in {}", ran.out);
    }
    assert!(!ran.out.contains('\x1b'), "no terminal, no colours");
}

/// Appends every key of an object and of what is in it.
fn keys<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(all) => all.iter().for_each(|it| keys(it, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key);
                keys(value, found);
            }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => (),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_the_status_is_in_the_documentation() {
    let standin = prod();
    let domain = &standin.domains[0];
    domain.sight(60, Sighting::ProcessGone(process(Role::Te, 3, "c")));
    domain.handle(70, dbwarden::supervisor::Input::Timeout);
    domain.handle(71, dbwarden::supervisor::Input::Timeout);
    let status = json(&standin.run(&["status", "--json"]).out);
    assert_ne!(status["domains"][0]["actions"], json("[]"), "{status}");
    let mut found = BTreeSet::new();
    keys(&status, &mut found);
    let page = include_str!("../../docs/api.md");
    let words: BTreeSet<&str> = page
        .split(|it: char| !it.is_ascii_alphanumeric() && it != '_')
        .collect();
    let silent: Vec<_> = found.difference(&words).collect();
    assert!(silent.is_empty(), "docs/api.md is silent on {silent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_engine_shows_in_every_list() {
    let standin = prod();
    let domain = &standin.domains[0];
    domain.sight(60, Sighting::ProcessGone(process(Role::Te, 3, "c")));
    domain.handle(61, dbwarden::supervisor::Input::Timeout);
    let processes = standin.run(&["processes"]);
    assert_eq!(processes.out.lines().count(), 3, "{processes:?}");
    assert!(processes.out.starts_with("DATABASE  ROLE  PEER"));
    let peers = standin.run(&["peers", "--domain", "prod"]);
    assert!(peers.out.contains("c:48004"), "{peers:?}");
    let databases = json(&standin.run(&["databases", "--json"]).out);
    assert_eq!(databases[0]["domain"], "prod");
    assert_eq!(databases[0]["te"], json(r#"{"running":1,"wanted":2}"#));
    assert_eq!(databases[0]["degraded"], true);
    let status = standin.run(&["status"]);
    assert!(status.out.contains("slot te/2"), "{status:?}");
    let none = standin.run(&["peers", "--domain", "staging"]);
    assert_eq!(none.code, Some(1), "{none:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_is_answered_for_seats_processes_and_what_is_gone() {
    let standin = prod();
    let domain = &standin.domains[0];
    let untouched = standin.run(&["why", "c:48004/3"]);
    assert_eq!(untouched.code, Some(0), "{untouched:?}");
    assert!(
        untouched.out.contains("nothing is to be done"),
        "{untouched:?}"
    );
    domain.sight(60, Sighting::ProcessGone(process(Role::Te, 3, "c")));
    domain.handle(61, dbwarden::supervisor::Input::Timeout);
    let gone = standin.run(&["why", "c:48004/3", "--domain", "prod"]);
    assert!(gone.out.starts_with("c:48004/3  "), "{gone:?}");
    assert!(gone.out.contains("lately:"), "{gone:?}");
    assert!(gone.out.contains("its exit was told"), "{gone:?}");
    let seat = json(&standin.run(&["why", "teas/te/2", "--json"]).out);
    assert_eq!(seat["about"], "teas/te/2", "{seat}");
    assert_eq!(seat["history"][0]["step"], "vacant", "{seat}");
    let whole = standin.run(&["why"]);
    assert!(whole.out.contains("teas/te/2"), "{whole:?}");
    let nothing = standin.run(&["why", "coffee"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(
        nothing.err.contains("cannot explain `coffee`"),
        "{nothing:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_status_hears_of_each_change_and_of_the_end() {
    let mut standin = prod();
    let mut follower = Follower::start(standin.command(&["status", "--follow", "--json"]));
    assert_eq!(
        block_in_place(|| follower.next())["domains"][0]["databases"][0]["te"]["running"],
        2
    );
    standin.domains[0].sight(60, Sighting::ProcessGone(process(Role::Te, 3, "c")));
    standin.domains[0].handle(61, dbwarden::supervisor::Input::Timeout);
    loop {
        let status = block_in_place(|| follower.next());
        if status["domains"][0]["databases"][0]["te"]["running"] == 1 {
            break;
        }
    }
    standin.stop().await;
    let (status, said) = block_in_place(|| follower.end());
    assert_eq!(status.code(), Some(69), "{said}");
    assert!(said.contains("the daemon stopped"), "{said}");
    let ran = standin.run(&["status"]);
    assert_eq!(ran.code, Some(69), "{ran:?}");
    assert!(ran.err.contains("cannot reach the daemon"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_in_the_order_of_time_and_each_domain_in_its_own() {
    let standin = StandIn::start(&["prod", "test"]);
    standin.raise(1, Kind::DaemonStarted);
    standin.domains[1].handle(5, snapshot());
    standin.domains[0].handle(10, snapshot());
    standin.raise(20, Kind::ConfigReloaded);
    let ran = standin.run(&["events", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let events = all(&ran.out);
    let times: Vec<&str> = events
        .iter()
        .map(|it| it["time"].as_str().unwrap())
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    for domain in ["prod", "test"] {
        let of_it = events.iter().filter(|it| it["domain"] == domain);
        let numbers: Vec<u64> = of_it.map(|it| it["seq"].as_u64().unwrap()).collect();
        let last = u64::try_from(numbers.len()).unwrap();
        assert_eq!(numbers, (1..=last).collect::<Vec<_>>());
    }
    assert_eq!(events.first().unwrap()["event"], "daemon_started");
    assert_eq!(events.last().unwrap()["event"], "config_reloaded");

    let own = all(&standin.run(&["events", "--json", "--domain", "-"]).out);
    assert_eq!(own.len(), 2);
    let late = all(&standin
        .run(&["events", "--json", "--since", &written(6)])
        .out);
    assert!(late.iter().all(|it| it["domain"] != "test"), "{late:?}");
    assert_eq!(
        late.len(),
        events.iter().filter(|it| it["domain"] == "prod").count() + 1
    );
    let rest = all(&standin
        .run(&["events", "--json", "--since", "3", "--domain", "prod"])
        .out);
    assert_eq!(rest[0]["seq"], 4);
    let ran = standin.run(&["events", "--since", "3"]);
    assert_eq!(ran.code, Some(64), "of which domain? {ran:?}");
    let ran = standin.run(&["events", "--since", "yesterday"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    let ran = standin.run(&["events", "--domain", "nowhere"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let picture = standin.run(&["events", "--domain", "prod"]).out;
    let joined = picture
        .lines()
        .find(|it| it.contains("process_joined"))
        .unwrap();
    assert!(
        joined.starts_with("2026-11-21T03:04:15Z info     prod"),
        "{joined}"
    );
    assert!(joined.contains("[pid="), "{joined}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_the_events_misses_none() {
    let mut standin = prod();
    let before = standin.domains[0].journal.last_seq();
    let since = before.to_string();
    let client = standin.command(&["events", "-f", "--since", &since, "--json"]);
    let mut follower = Follower::start(client);
    for pid in 10..60 {
        let joined = Sighting::ProcessJoined(process(Role::Te, pid, "b"));
        standin.domains[0].sight(u64::from(pid), joined);
    }
    let last = standin.domains[0].journal.last_seq();
    for seq in before + 1..=last {
        assert_eq!(block_in_place(|| follower.next())["seq"], seq);
    }
    standin.stop().await;
    let (status, said) = block_in_place(|| follower.end());
    assert_eq!(status.code(), Some(69), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_closes_the_pipe_has_seen_enough() {
    let standin = prod();
    for args in [
        &["events", "-f", "--since", "0"][..],
        &["events"],
        &["status", "-f"],
    ] {
        let mut command = standin.command(args);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.stdout(writer).stderr(Stdio::piped());
        let output = block_in_place(|| command.output().unwrap());
        assert_eq!(output.status.code(), Some(0), "{args:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_put_to_the_warden_with_who_asked() {
    let standin = prod();
    let ran = standin.run(&["request", "start-te", "teas", "--elsewhere"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out, "it is started as soon as the gates allow\n");
    let ran = standin.run(&[
        "request", "start-te", "nothing", "--owner", "ada", "--reason", "x y",
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err
            .contains("cannot start a TE of nothing: no database is called `nothing`"),
        "{ran:?}"
    );
    let ran = standin.run(&["request", "start-te", "teas", "--on", "b", "--elsewhere"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    let ran = standin.run(&["request", "start-te", "teas", "--domain", "test"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("there is prod"), "{ran:?}");
    let ran = standin.run(&["request", "start-te", "silence"]);
    assert_eq!(ran.code, Some(69), "{ran:?}");
    for (listener, code) in [("page", 0), ("log", 77), ("nobody", 77)] {
        let mut command = standin.command(&["request", "start-te", "teas", "--on", "b"]);
        command
            .env("DBWARDEN_LISTENER", listener)
            .env("DBWARDEN_DOMAIN", "prod");
        let output = block_in_place(|| command.output().unwrap());
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
    let asked = standin.asked.lock().unwrap();
    let user = &*asked[0].by;
    // By which name depends on who runs this.
    assert!(
        user.starts_with("operator ") && user != "operator ada",
        "{user}"
    );
    let why = |it: &Request| it.reason.as_deref().map(ToOwned::to_owned);
    let asked: Vec<_> = asked
        .iter()
        .map(|it| (&*it.by, why(it), &it.wish))
        .collect();
    let wish = |database: &str, place| Wish::StartTe {
        database: database.into(),
        place,
    };
    assert_eq!(
        asked,
        [
            (user, None, &wish("teas", Place::Elsewhere)),
            (
                "operator ada",
                Some("x y".to_owned()),
                &wish("nothing", Place::Anywhere)
            ),
            ("listener page", None, &wish("teas", Place::On("b".into()))),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_person_accepts_that_memory_is_lost_and_says_so() {
    let standin = prod();
    let ran = standin.run(&["resume"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    let ran = standin.run(&["resume", "--accept-lost-memory"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("operator "), "{ran:?}");
    let mut command = standin.command(&["resume", "--accept-lost-memory"]);
    command.env("DBWARDEN_LISTENER", "page");
    let output = block_in_place(|| command.output().unwrap());
    assert_eq!(output.status.code(), Some(77), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_shown_replayed_and_dropped_by_people_only() {
    let standin = prod();
    let run = |args: &[&str]| standin.run(&[&["deadletters"], args].concat());
    assert_eq!(run(&["list"]).out, "no dead letter\n");
    for (seq, listener) in [(1, "page"), (2, "page"), (3, "log")] {
        standin.bury(listener, seq).await;
    }
    let letters = json(&run(&["list", "--json"]).out);
    let letters = letters.as_array().unwrap();
    assert_eq!(letters.len(), 3, "{letters:?}");
    assert_eq!(letters[0]["domain"], "prod");
    assert_eq!(letters[0]["listener"], "page");
    assert_eq!(letters[0]["attempts"], 10);
    assert_eq!(letters[0]["event"]["seq"], 1);
    let names: Vec<&str> = letters
        .iter()
        .map(|it| it["letter"].as_str().unwrap())
        .collect();
    let of_log = run(&["list", "--listener", "log"]).out;
    assert_eq!(of_log.lines().count(), 2, "{of_log}");
    assert!(
        of_log.contains("exit status 1") && of_log.contains(names[2]),
        "{of_log}"
    );

    assert_eq!(run(&["replay"]).code, Some(64));
    assert_eq!(run(&["drop", names[0], "--all"]).code, Some(64));
    let ran = run(&["replay", names[0], "prod/4711"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out, "1 to be told again\n");
    assert!(ran.err.contains("prod/4711"), "{ran:?}");
    let letters = json(&run(&["list", "--json"]).out);
    let replayed: Vec<bool> = letters
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["replayed"] == true)
        .collect();
    assert_eq!(replayed, [true, false, false]);
    assert_eq!(run(&["drop", "--listener", "log"]).out, "1 dropped\n");
    let mut command = standin.command(&["deadletters", "drop", "--all"]);
    command.env("DBWARDEN_LISTENER", "page");
    let output = block_in_place(|| command.output().unwrap());
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    assert_eq!(run(&["drop", "--all"]).out, "2 dropped\n");
    assert_eq!(run(&["list"]).out, "no dead letter\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_two_domains_a_request_says_which() {
    let standin = StandIn::start(&["prod", "test"]);
    let ran = standin.run(&["request", "start-te", "teas"]);
    assert_eq!(ran.code, Some(64), "{ran:?}");
    assert!(ran.err.contains("there is prod, test"), "{ran:?}");
}
