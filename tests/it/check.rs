//! `dbwarden check`, as people and service managers run it.

use std::fs;
use std::process::{Command, Output};

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .arg("check")
        .args(arguments)
        .env("DBWARDEN_PASSWORD", "sesame")
        .env("DBWARDEN_TOKEN", "sesame-0123456789")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_reference_can_be_written_and_is_fine() {
    let reference = check(&["--reference"]);
    assert_eq!(reference.status.code(), Some(0));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("reference.toml");
    fs::write(&file, &reference.stdout).unwrap();
    let name = file.to_str().unwrap();

    let checked = check(&[name]);
    assert_eq!(
        text(&checked.stdout),
        format!("{name}: fine: 1 domain, 1 policy, 1 listener\n")
    );
    assert_eq!(checked.status.code(), Some(0));
}

#[test]
fn every_problem_goes_to_stderr_and_ends_in_78() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.toml");
    fs::write(&file, "[daemon]\nmode = \"heel\"\nstop-grace = 7\n").unwrap();
    let name = file.to_str().unwrap();
    let bad = check(&[name]);
    let told: Vec<&str> = text(&bad.stderr).lines().collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with(&format!("{name}: domain: ")));
    assert!(told[1].starts_with(&format!("{name}:2:8: daemon.mode: ")));
    assert!(told[2].starts_with(&format!("{name}:3:14: daemon.stop-grace: ")));
    assert!(bad.stdout.is_empty());
    assert_eq!(bad.status.code(), Some(78));

    let missing = check(&["/no/such/file.toml"]);
    assert!(text(&missing.stderr).starts_with("/no/such/file.toml: "));
    assert_eq!(missing.status.code(), Some(78));
}

#[test]
fn a_wrong_command_line_ends_in_64() {
    for arguments in [&[][..], &["a", "b"], &["a", "--reference"], &["--what"]] {
        assert_eq!(check(arguments).status.code(), Some(64), "{arguments:?}");
    }
}
