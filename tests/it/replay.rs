//! `dbwarden replay`: a recorded past against a policy, from an agent's log and from a journal.
//!
//! The log is written by us, in the documented forms. A real one is replayed where there is one:
//! `DBWARDEN_AGENT_LOG` names it.

mod journal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// One engine that crashes again and again on its only host.
const ONE_TE: &str = "tests/it/replay/one-te.log";

/// A policy as it is by default.
const CONFIG: &str = "tests/it/replay/replay.toml";

fn in_sources(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn replay(past: &Path, config: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .arg("replay")
        .arg(past)
        .arg("--config")
        .arg(config)
        .args(arguments)
        .env("DBWARDEN_PASSWORD", "sesame")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Replays by the default policy, and returns what it says as JSON.
#[track_caller]
pub(crate) fn replayed(past: &Path, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    let output = replay(past, &in_sources(CONFIG), &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns for how long the only database was without an engine: then, and in both bounds.
fn without(said: &Value) -> [f64; 3] {
    let database = &said["databases"][0];
    assert_eq!(database["database"], "teas");
    ["then", "kind", "harsh"].map(|it| database[it]["seconds_without_te"].as_f64().unwrap())
}

fn of_kind<'a>(said: &'a Value, bound: &str, kind: &str) -> Vec<&'a Value> {
    let all = said[bound].as_array().unwrap();
    all.iter().filter(|it| it["event"] == kind).collect()
}

#[test]
fn a_second_host_ends_what_back_off_made_of_a_crash_loop() {
    let said = replayed(&in_sources(ONE_TE), &["--host", "db2"]);
    assert_eq!(said["log"]["unknown"], 0, "{}", said["log"]);
    assert_eq!(said["lives"], 9);
    assert_eq!(said["added"][0], "db2:48004");
    let [then, kind, harsh] = without(&said);
    assert!((2_800.0..2_860.0).contains(&then), "{then}");
    assert!(kind < 10.0, "{kind}");
    assert!(harsh < 60.0, "{harsh}");
    assert!(kind < harsh, "{kind} {harsh}");

    let kind = of_kind(&said, "kind", "action_started");
    let peers: Vec<&str> = kind.iter().map(|it| it["peer"].as_str().unwrap()).collect();
    assert_eq!(peers, ["192.0.2.1:48004", "db2:48004"]);
    // Each of the eight ends, and then the record knows of nothing worse.
    assert_eq!(of_kind(&said, "harsh", "process_failed").len(), 8);
    assert_eq!(of_kind(&said, "harsh", "action_succeeded").len(), 8);
    assert_eq!(of_kind(&said, "harsh", "slot_held").len(), 0);
}

#[test]
fn on_its_only_host_both_bounds_are_one() {
    let said = replayed(&in_sources(ONE_TE), &[]);
    let [_, kind, harsh] = without(&said);
    assert_eq!(kind.to_bits(), harsh.to_bits());
    assert!(harsh < 60.0, "{harsh}");
}

#[test]
fn nothing_is_started_for_a_database_that_is_only_watched() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("watch.toml");
    let written = fs::read_to_string(in_sources(CONFIG)).unwrap();
    fs::write(&config, written.replace("te-options = []", "")).unwrap();
    let output = replay(&in_sources(ONE_TE), &config, &["--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let [then, kind, harsh] = without(&said).map(f64::to_bits);
    assert_eq!((then, then), (kind, harsh));
    let why = said["databases"][0]["only_watched"].as_str().unwrap();
    assert!(why.contains("te-options"), "{why}");
}

#[test]
fn people_read_the_figures_and_what_would_have_been_done() {
    let output = replay(&in_sources(ONE_TE), &in_sources(CONFIG), &["--host", "db2"]);
    let said = text(&output.stdout);
    for part in [
        "lives of engines",
        "unknown: 0",
        "there as well, and not on record: db2:48004",
        "WITHOUT A TE",
        "\nteas ",
        "KIND: engines live on",
        "HARSH: engines crash",
        "action_started",
    ] {
        assert!(said.contains(part), "`{part}` is not in\n{said}");
    }
}

#[test]
fn a_line_that_only_begins_like_a_form_is_counted_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("agent.log");
    let written = fs::read_to_string(in_sources(ONE_TE)).unwrap();
    let broken = written.replacen(
        "Node left (observed): [Node TE",
        "Node left (seen): [Node TE",
        1,
    );
    fs::write(&log, broken).unwrap();
    let said = replayed(&log, &[]);
    assert_eq!(said["log"]["unknown"], 1);
    let stranger = &said["log"]["unknown_lines"][0];
    assert_eq!(stranger["form"], "Node left");
    assert!(stranger["text"].as_str().unwrap().contains("(seen)"));
}

#[test]
fn what_is_not_there_and_what_is_wrong_is_said() {
    let (log, config) = (in_sources(ONE_TE), in_sources(CONFIG));
    for (past, config, arguments, code, says) in [
        (
            Path::new("/no/such.log"),
            &*config,
            &[][..],
            64,
            "/no/such.log",
        ),
        (
            &*log,
            Path::new("/no/such.toml"),
            &[][..],
            78,
            "/no/such.toml",
        ),
        (&*log, &*config, &["--domain", "other"][..], 64, "`other`"),
        (&*log, &*config, &["--host", "a:b:c"][..], 64, "a:b:c"),
        (Path::new("/"), &*config, &[][..], 64, "journal"),
    ] {
        let output = replay(past, config, arguments);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert!(
            text(&output.stderr).contains(says),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_real_log_has_no_unknown_line_where_there_is_one() {
    let Some(log) = std::env::var_os("DBWARDEN_AGENT_LOG") else {
        return;
    };
    let said = replayed(Path::new(&log), &[]);
    assert_eq!(
        said["log"]["unknown"], 0,
        "{}",
        said["log"]["unknown_lines"]
    );
    let forms = said["log"]["forms"].as_object().unwrap();
    assert!(forms.contains_key("Node joined"), "{forms:?}");
}
