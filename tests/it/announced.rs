//! Who ends a process by `dbwarden domain` tells the daemon that watches it first, and nobody is
//! woken; who says nothing has it healed.

use std::process::Output;

use rustix::process::Signal;

use crate::daemon::{Daemon, domain, running_te};
use crate::sandbox::outside::{Running, eventually};

const POLICY: &str = "
    [[policy]]
    min-uptime = \"1ms\"
    return-grace = \"100ms\"
    confirm-for = \"100ms\"
";

/// A sandbox whose database has three transaction engines, and a daemon that keeps them.
fn watched() -> (Running, Daemon) {
    let sandbox = Running::start(&["--database", "teas", "--te", "3", "--sm", "1"]);
    let options = "
        [[domain.database]]
        name = \"teas\"
        te-options = []
    ";
    let broker = sandbox.address(1).to_string();
    let config = domain("prod", &broker, "password", options);
    let daemon = Daemon::start(&format!("{config}{POLICY}"));
    daemon.says(&["domain_thawed"]);
    (sandbox, daemon)
}

/// Runs `dbwarden domain`, straight at the broker.
fn operate(daemon: &Daemon, sandbox: &Running, arguments: &[&str]) -> Output {
    let port = sandbox.address(1).port();
    let mut command = daemon.client(&[&["domain"], arguments].concat());
    command.args(["--broker", &format!("localhost:{port}")]);
    let output = command.env("DBWARDEN_PASSWORD", "bird").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
fn what_is_killed_or_stopped_in_order_is_no_failure_and_is_not_started_again() {
    let (sandbox, daemon) = watched();
    for verb in ["kill", "stop"] {
        let te = running_te(&sandbox)[0].to_string();
        let output = operate(&daemon, &sandbox, &[verb, &te]);
        assert!(output.stderr.is_empty(), "{output:?}");
        daemon.says(&["process_left", &format!("pid={te}")]);
    }
    // Whoever says nothing is healed, and by then the others would have been.
    let te = running_te(&sandbox)[0].to_string();
    operate(&daemon, &sandbox, &["kill", &te, "--no-tell"]);
    daemon.says(&["process_failed", &format!("pid={te}")]);
    daemon.says(&["action_succeeded"]);
    eventually("one engine runs", || running_te(&sandbox).len() == 1);
    let events = daemon.events(&[]);
    let of = |kind: &str| events.iter().filter(|it| it["event"] == kind).count();
    assert_eq!(of("operator_command"), 2, "{events:#?}");
    assert_eq!(of("process_left"), 2, "{events:#?}");
    assert_eq!(of("action_started"), 1, "{events:#?}");
    let left = events.iter().filter(|it| it["event"] == "process_left");
    for it in left {
        assert_eq!(it["cause"], "requested", "{it}");
    }
    daemon.end();
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}

#[test]
fn a_database_that_is_shut_down_stays_down() {
    let (sandbox, daemon) = watched();
    operate(&daemon, &sandbox, &["shutdown", "teas"]);
    daemon.says(&["database_inactive"]);
    eventually("all of it left", || {
        let left = daemon.events(&[]).into_iter();
        left.filter(|it| it["event"] == "process_left").count() == 4
    });
    // What ran is missing once it could have returned, and it is left to people all the same.
    daemon.says(&["database_degraded"]);
    let log = daemon.end();
    for kind in ["process_failed", "action_started"] {
        assert!(!log.contains(kind), "{kind}: {log}");
    }
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}
