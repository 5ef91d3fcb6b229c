//! What the healer makes of an agent that lies: it believes what it is told, starts nothing twice
//! because of it, and mends what the lie hid when that comes out.

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::daemon::{Daemon, domain, engines, pid, running_te};
use crate::sandbox::outside::{Running, eventually};

/// Higher than any pid that a system gives.
const INVENTED: u64 = 1 << 22;

/// A sandbox whose database has two transaction engines, and a daemon that keeps them.
fn watched() -> (Running, Daemon) {
    let sandbox = Running::start(&["--database", "teas", "--te", "2", "--sm", "1"]);
    let config = "
        [[domain.database]]
        name = \"teas\"
        te-options = []

        [[policy]]
        keep = \"declared\"
        te = { min = 2 }
        min-uptime = \"100ms\"
        return-grace = \"100ms\"
        confirm-for = \"100ms\"
    ";
    let broker = sandbox.address(1).to_string();
    let daemon = Daemon::start(&domain("prod", &broker, "password", config));
    daemon.says(&["domain_thawed"]);
    (sandbox, daemon)
}

/// Returns a transaction engine, and the number of its peer.
fn victim(sandbox: &Running) -> (u32, String) {
    let engines = engines(sandbox);
    let victim = engines.iter().find(|it| it["role"] == "TE").unwrap();
    let number = victim["pid"].as_u64().unwrap().try_into().unwrap();
    (number, victim["peer"].to_string())
}

/// The starts that the daemon asked for.
fn asked(sandbox: &Running) -> Vec<Value> {
    let output = sandbox.ctl(&["starts", "--json"]);
    let starts: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    starts
        .into_iter()
        .filter(|it| it["session"].is_u64())
        .collect()
}

fn lie(sandbox: &Running, peer: &str, how: &[&str]) {
    let output = sandbox.ctl(&[&["lie", peer], how].concat());
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_start_that_is_said_to_go_well_counts_until_the_agent_takes_it_back() {
    let (sandbox, daemon) = watched();
    let (te, peer) = victim(&sandbox);
    lie(&sandbox, &peer, &["--next-start"]);
    kill_process(pid(te), Signal::KILL).unwrap();
    daemon.says(&["action_succeeded"]);
    daemon.says(&["database_restored"]);
    let all = asked(&sandbox);
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0]["pid"].is_null(), "nothing was started: {all:?}");
    assert_eq!(running_te(&sandbox).len(), 1);
    let processes = daemon.status()["domains"][0]["processes"].clone();
    let invented = |it: &Value| it["pid"].as_u64() > Some(INVENTED);
    assert!(
        processes.as_array().unwrap().iter().any(invented),
        "{processes}"
    );

    lie(&sandbox, &peer, &["--no-more"]);
    eventually("two engines run in truth", || {
        running_te(&sandbox).len() == 2
    });
    eventually("the daemon knows them", || {
        let succeeded = daemon.events(&[]).into_iter();
        succeeded
            .filter(|it| it["event"] == "action_succeeded")
            .count()
            == 2
    });
    let all = asked(&sandbox);
    assert_eq!(all.len(), 2, "{all:?}");
    daemon.end();
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}

#[test]
fn an_engine_that_the_domain_denies_is_replaced_once_and_told_as_surplus_when_it_shows() {
    let (sandbox, daemon) = watched();
    let (te, peer) = victim(&sandbox);
    lie(&sandbox, &peer, &["--omit", &te.to_string()]);
    // A session that stands says nothing of it; a fresh picture does.
    sandbox.ctl(&["drop", "1"]);
    daemon.says(&["process_failed", &format!("pid={te}")]);
    daemon.says(&["action_succeeded"]);
    let all = asked(&sandbox);
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(running_te(&sandbox).len(), 3);

    lie(&sandbox, &peer, &["--no-more"]);
    daemon.says(&["process_surplus"]);
    let log = daemon.end();
    assert_eq!(log.matches("action_started").count(), 1, "{log}");
    assert_eq!(asked(&sandbox).len(), 1);
    assert_eq!(running_te(&sandbox).len(), 3, "nothing is ever stopped");
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}

#[test]
fn an_engine_that_is_invented_in_place_of_a_lost_one_keeps_the_seat_while_it_is_told_of() {
    let (sandbox, daemon) = watched();
    let (te, peer) = victim(&sandbox);
    // Nobody can be asked to start there, so that the invention comes first.
    let hold = daemon.ask(&["hold", "teas", "--reason", "a story"]);
    assert!(hold.status.success(), "{hold:?}");
    kill_process(pid(te), Signal::KILL).unwrap();
    daemon.says(&["process_failed", &format!("pid={te}")]);
    lie(&sandbox, &peer, &["--invent", "teas"]);
    daemon.says(&["database_restored"]);
    let release = daemon.ask(&["release", "teas"]);
    assert!(release.status.success(), "{release:?}");
    assert!(asked(&sandbox).is_empty());

    lie(&sandbox, &peer, &["--no-more"]);
    eventually("two engines run in truth", || {
        running_te(&sandbox).len() == 2
    });
    assert_eq!(asked(&sandbox).len(), 1);
    daemon.end();
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}
