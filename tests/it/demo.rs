//! `dbwarden demo`: what a newcomer sees first.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use rustix::process::{Signal, kill_process};

use crate::daemon::pid;

#[test]
fn the_demonstration_shows_a_crash_and_how_it_is_healed() {
    let output = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .arg("demo")
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{out}\n{err}");
    let mut rest = out.as_str();
    for told in [
        "[role=broker]",
        "database teas active",
        "(SM) RUNNING",
        "domain_connected",
        "SIGKILL to the transaction engine",
        "process_failed",
        "action_started",
        "process_joined",
        "action_succeeded",
        "database_restored",
        "RUNNING",
        "Whole again:",
        "Healed: pid",
    ] {
        let at = rest.find(told);
        let at = at.unwrap_or_else(|| panic!("`{told}` is missing, or not in its place:\n{out}"));
        rest = &rest[at + told.len()..];
    }
    assert_eq!(err, "");
}

#[test]
fn a_demonstration_that_somebody_spoils_says_what_is_missing_and_what_to_do() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .arg("demo")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(demo.stdout.take().unwrap());
    let mut told = String::new();
    let mut killed = 0;
    // All that there is of the database, before the demonstration ends anything of it or after.
    while killed < 3 {
        let from = told.len();
        assert_ne!(out.read_line(&mut told).unwrap(), 0, "{told}");
        let number = told[from..].split_once("[pid=");
        if let Some((number, _)) = number.and_then(|(_, it)| it.split_once(']')) {
            kill_process(pid(number.parse().unwrap()), Signal::KILL).unwrap();
            killed += 1;
        }
    }
    out.read_to_string(&mut told).unwrap();
    let output = demo.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}\n{err}");
    for part in [
        "dbwarden demo: ",
        "transaction engine",
        "of the 2 transaction engines and 1 storage manager that `teas` begins with 0 and 0 run",
        "run `dbwarden demo` again, and end none of its processes before it says `Healed`",
    ] {
        assert!(err.contains(part), "`{part}` is missing: {err}");
    }
}
