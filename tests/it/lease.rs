//! Two real daemons on one domain: the one that has its lease heals, and the other takes over.

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::daemon::{Daemon, domain, pid, running_te};
use crate::sandbox::outside::{Running, eventually};

const POLICY: &str = "
    [[policy]]
    min-uptime = \"100ms\"
    return-grace = \"100ms\"
    start-timeout = \"2s\"
";

/// How many starts were asked for.
fn starts(sandbox: &Running) -> usize {
    let output = sandbox.ctl(&["starts", "--json"]);
    let all: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    all.iter().filter(|it| it["session"].is_u64()).count()
}

/// Kills the engine and waits for another one.
fn lose_one(sandbox: &Running) {
    let before = running_te(sandbox);
    kill_process(pid(before[0]), Signal::KILL).unwrap();
    eventually("another engine runs", || {
        let now = running_te(sandbox);
        now.len() == before.len() && now != before
    });
}

#[test]
fn of_two_daemons_one_heals_and_the_other_takes_over() {
    let sandbox = Running::start(&["--database", "teas", "--te", "1", "--sm", "1"]);
    let shared = tempfile::tempdir().unwrap();
    let lease = shared.path().join("lease");
    let options = format!(
        "
        lease = {{ path = \"{}\", ttl = \"900ms\" }}
        report-slack = \"100ms\"
        [[domain.database]]
        name = \"teas\"
        te-options = []
        ",
        lease.display()
    );
    let broker = sandbox.address(1).to_string();
    let config = domain("prod", &broker, "password", &options);
    let config = format!("{config}{POLICY}");
    let first = Daemon::start(&config);
    first.says(&["domain_thawed", "gate lease"]);
    let second = Daemon::start(&config);
    second.says(&["domain_connected"]);
    second.says(&["domain_frozen", "gate lease"]);

    lose_one(&sandbox);
    assert_eq!(starts(&sandbox), 1, "only one of them started it");
    let gates = second.status()["domains"][0]["gates"].clone();
    assert_eq!(gates[0]["gate"], "lease", "{gates}");

    first.end();
    second.says(&["domain_thawed", "gate lease"]);
    lose_one(&sandbox);
    assert_eq!(starts(&sandbox), 2, "the other one started it");
    second.end();
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}
