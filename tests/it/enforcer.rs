//! The real binary beside NuoDB's own healer: a managed database is left to it, and healed when
//! its description is gone.

use dbwarden::nuodb::message::{Request, Style};
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::daemon::{Daemon, domain, pid, running_te};
use crate::sandbox::caller::ask;
use crate::sandbox::outside::{Running, eventually};

const POLICY: &str = "
    [[policy]]
    min-uptime = \"100ms\"
    return-grace = \"100ms\"
    confirm-for = \"100ms\"
";

/// The records of all starts that somebody asked for.
fn starts(sandbox: &Running) -> Vec<Value> {
    let output = sandbox.ctl(&["starts", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Kills an engine and waits until as many run as before, another one among them.
fn lose_one(sandbox: &Running) {
    let before = running_te(sandbox);
    kill_process(pid(before[0]), Signal::KILL).unwrap();
    eventually("as many engines run again", || {
        let now = running_te(sandbox);
        now.len() == before.len() && !now.contains(&before[0])
    });
}

/// Has the broker do something about the description of the database.
async fn describe(sandbox: &Running, action: &str) {
    let request = Request::new("Description", Style::Request)
        .with("Action", action)
        .with("DatabaseName", "teas");
    let answer = ask(sandbox.address(1), request).await.unwrap();
    assert_eq!(answer.name, "Success", "{action}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_database_is_left_to_the_enforcer_as_long_as_it_is_described() {
    let sandbox = Running::start(&["--database", "teas", "--te", "2", "--sm", "1", "--managed"]);
    let options = "
        ask-descriptions = \"100ms\"
        [[domain.database]]
        name = \"teas\"
        te-options = []
    ";
    let broker = sandbox.address(1).to_string();
    let config = domain("prod", &broker, "password", options);
    let daemon = Daemon::start(&format!("{config}{POLICY}"));
    daemon.says(&["domain_frozen", "database=\"teas\"", "another-healer"]);
    let gates = daemon.status()["domains"][0]["gates"].clone();
    let gate = gates.as_array().unwrap().iter();
    let gate = gate.clone().find(|it| it["gate"] == "another-healer");
    let text = gate.unwrap_or_else(|| panic!("{gates}"))["text"].to_string();
    assert!(text.contains("ACTIVE, MET"), "{text}");

    lose_one(&sandbox);
    let all = starts(&sandbox);
    assert!(all.iter().any(|it| it["enforced"] == true), "{all:?}");
    assert!(all.iter().all(|it| it["session"].is_null()), "{all:?}");

    describe(&sandbox, "DeleteDescription").await;
    daemon.says(&["domain_thawed", "database=\"teas\"", "another-healer"]);
    lose_one(&sandbox);
    let all = starts(&sandbox);
    assert!(all.iter().any(|it| it["session"].is_u64()), "{all:?}");

    describe(&sandbox, "CreateDescription").await;
    eventually("it is left alone again", || {
        let frozen = daemon.events(&[]).into_iter();
        frozen
            .filter(|it| it["event"] == "domain_frozen" && it["database"] == "teas")
            .count()
            == 2
    });
    let log = daemon.end();
    assert!(!log.contains("bird"), "a secret in the log: {log}");
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}
