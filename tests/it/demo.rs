//! `dbwarden demo`: what a newcomer sees first.

use std::process::Command;

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
