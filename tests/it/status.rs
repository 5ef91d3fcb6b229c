//! `dbwarden status` and `dbwarden probe` of a real daemon, as people and monitors run them: well,
//! not well, and not there.

use std::fs;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::daemon::{Daemon, domain, pid, running_te, teas};
use crate::follower::Follower;
use crate::sandbox::outside::{Running, eventually};

/// Two engines and one storage manager, and a daemon that may not start any.
const SUGGEST: &str = "
    [[policy]]
    te = { min = 2 }
    min-uptime = \"100ms\"
    return-grace = \"100ms\"
";

fn watched(mode: &str) -> (Running, Daemon) {
    let sandbox = Running::start(&["--database", "teas", "--te", "2", "--sm", "1"]);
    let mode = format!("[daemon]\nmode = \"{mode}\"\n");
    let daemon = Daemon::start(&format!("{mode}{}{SUGGEST}", teas(&sandbox)));
    daemon.says(&["domain_thawed"]);
    (sandbox, daemon)
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn out(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn err(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// Waits until the status has this, and returns it.
fn until(daemon: &Daemon, part: &str) -> Output {
    let mut status = daemon.ask(&["status"]);
    eventually(&format!("the status says `{part}`"), || {
        status = daemon.ask(&["status"]);
        out(&status).contains(part)
    });
    status
}

#[test]
fn one_screen_says_what_is_wrong_and_what_to_do_and_the_exit_code_says_whether() {
    let (sandbox, daemon) = watched("suggest");
    let status = until(
        &daemon,
        "Healthy: 1 domain, 3 peers, 1 database, 3 processes\n",
    );
    assert_eq!(code(&status), Some(0), "{status:?}");
    assert!(out(&status).starts_with("Healthy"), "{status:?}");
    assert!(!out(&status).contains('\x1b'), "no terminal, no colour");
    let probe = daemon.ask(&["probe"]);
    assert_eq!(code(&probe), Some(0), "{probe:?}");
    assert!(
        out(&probe).starts_with("DBWARDEN OK - healthy | critical=0;;;0 warning=0;;;0 domains=1"),
        "{probe:?}"
    );

    kill_process(pid(running_te(&sandbox)[0]), Signal::KILL).unwrap();
    let status = until(&daemon, "missing, and the healer may not start it");
    assert_eq!(code(&status), Some(2), "{status:?}");
    assert!(status.stderr.is_empty(), "it was shown: {status:?}");
    assert!(
        out(&status).starts_with("Needs a look: 1 to look at"),
        "{status:?}"
    );
    assert!(
        out(&status).contains("next: start it if you agree"),
        "{status:?}"
    );
    let told: Value = serde_json::from_slice(&daemon.ask(&["status", "--json"]).stdout).unwrap();
    assert_eq!(told["health"]["healthy"], false, "{told}");
    assert_eq!(told["health"]["problems"][0]["kind"], "suggested", "{told}");

    for (args, expected) in [
        (&[][..], 1),
        (&["--critical", "suggested"], 2),
        (&["--ignore", "suggested"], 0),
        (&["--grace", "1h"], 0),
        (&["--domain", "prod"], 1),
        (&["--domain", "nowhere"], 3),
        (&["--warning", "nonsense"], 3),
    ] {
        let probe = daemon.ask(&[&["probe"], args].concat());
        assert_eq!(code(&probe), Some(expected), "{args:?}: {probe:?}");
        let lines = out(&probe).lines().count();
        assert!(lines <= 1, "{probe:?}");
    }
    let probe = daemon.ask(&["probe"]);
    let line = out(&probe);
    assert!(line.starts_with("DBWARDEN WARNING - teas: te/"), "{line}");
    assert!(
        line.contains(" te_running=1;;;0 te_wanted=2;;;0 "),
        "{line}"
    );
    daemon.end();
}

#[test]
fn a_domain_that_was_never_reached_or_is_lost_is_not_healthy() {
    let sandbox = Running::start(&["--database", "teas"]);
    // Port 1 is nobody's.
    let never = domain("never", "127.0.0.1:1", "password", "");
    let daemon = Daemon::start(&format!("{}{never}", teas(&sandbox)));
    daemon.says(&["domain_connected", "domain=\"prod\""]);
    let status = until(&daemon, "never: no session yet, nothing is known");
    assert_eq!(code(&status), Some(2), "{status:?}");
    assert!(
        out(&status).starts_with("Needs somebody now: 1 for"),
        "{status:?}"
    );
    let probe = daemon.ask(&["probe"]);
    assert_eq!(code(&probe), Some(2), "{probe:?}");
    let fine = daemon.ask(&["probe", "--domain", "prod"]);
    assert_eq!(code(&fine), Some(0), "{fine:?}");

    assert_eq!(sandbox.end(Signal::TERM), Some(0));
    let status = until(
        &daemon,
        "prod: no session to a broker; what is shown is of ",
    );
    assert_eq!(code(&status), Some(2), "{status:?}");
    let probe = daemon.ask(&[
        "probe",
        "--domain",
        "prod",
        "--warning",
        "session,database,peer",
    ]);
    assert_eq!(code(&probe), Some(1), "{probe:?}");
    daemon.end();
}

#[test]
fn who_follows_sees_it_get_worse_without_asking_and_may_stop_when_they_like() {
    let (sandbox, daemon) = watched("suggest");
    until(&daemon, "Healthy");
    let mut follower = Follower::start(daemon.client(&["status", "--follow"]));
    follower.says("Healthy");
    kill_process(pid(running_te(&sandbox)[0]), Signal::KILL).unwrap();
    follower.says("Needs a look");
    follower.signal(Signal::INT);
    let (status, said) = follower.end();
    assert_eq!(status.signal(), Some(2), "{status:?}: {said}");
    daemon.end();
}

#[test]
fn who_finds_no_daemon_is_told_where_it_was_looked_for_and_what_to_do() {
    let dir = TempDir::new().unwrap();
    let left = dir.path().join("left.sock");
    drop(UnixListener::bind(&left).unwrap());
    let none = dir.path().join("none.sock");
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for (socket, parts) in [
        (
            &none,
            &["No such file", "systemctl status dbwarden", "--socket"][..],
        ),
        (
            &left,
            &[
                "Connection refused",
                "left its socket behind",
                "journalctl -u dbwarden",
            ],
        ),
        (&file, &["Connection refused", "systemctl start dbwarden"]),
    ] {
        for (args, expected) in [
            (&["status"][..], 69),
            (&["peers"], 69),
            (&["databases"], 69),
            (&["processes", "--json"], 69),
            (&["probe"], 2),
        ] {
            let output = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
                .args(args)
                .arg("--socket")
                .arg(socket)
                .env_remove("DBWARDEN_SOCKET")
                .output()
                .unwrap();
            assert_eq!(code(&output), Some(expected), "{args:?}: {output:?}");
            let said = if expected == 2 {
                out(&output)
            } else {
                err(&output)
            };
            assert!(said.contains(&socket.display().to_string()), "{said}");
            for part in parts {
                assert!(said.contains(part), "`{part}` is not in: {said}");
            }
        }
    }
}
