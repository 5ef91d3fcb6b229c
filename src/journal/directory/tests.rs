//! One daemon per state directory, and a directory per journal.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_second_daemon_is_told_who_holds_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let first = StateDirectory::open(&path).unwrap();
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let error = StateDirectory::open(&path).unwrap_err().to_string();
    let holder = format!("process {}", std::process::id());
    assert!(error.contains(&holder), "{error}");
    drop(first);
    StateDirectory::open(&path).unwrap();
}

#[test]
fn no_two_journals_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDirectory::open(dir.path()).unwrap();
    let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name(state.domain("prod-1.eu")), "prod-1.eu");
    assert_eq!(name(state.daemon()), "daemon");
    for (domain, expected) in [
        ("daemon", "%64aemon"),
        ("lock", "%6cock"),
        ("..", "%2e."),
        ("a/b", "a%2fb"),
        ("%2e.", "%252e."),
        ("", "%"),
        ("é", "%c3%a9"),
    ] {
        assert_eq!(name(state.domain(domain)), expected);
        assert_eq!(state.domain(domain).parent(), Some(dir.path()));
    }
}
