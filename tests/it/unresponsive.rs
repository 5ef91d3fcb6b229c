//! The real daemon, and an engine of the sandbox that hangs: its agent says that it runs, and it
//! does not answer at its port.

use std::fs;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::daemon::{Daemon, domain, pid, running_te};
use crate::sandbox::outside::{Running, eventually};

/// A domain whose ports are tried like that.
fn probing(sandbox: &Running, probe: &str) -> String {
    let more = format!(
        "
        process-probe = {probe}
        [[domain.database]]
        name = \"teas\"
        te-options = []
        "
    );
    let broker = sandbox.address(1).to_string();
    domain("prod", &broker, "password", &more)
}

/// Whoever closes a connection lives. How long that takes on a busy machine is not asserted.
const BY_CLOSE: &str = "{ every = \"500ms\", timeout = \"500ms\", misses = 2, answer = \"close\" }";

/// Returns what the daemon says of a process.
fn process(daemon: &Daemon, number: u32) -> Value {
    let status = daemon.status();
    let all = status["domains"][0]["processes"].as_array().unwrap();
    let it = all.iter().find(|it| it["pid"] == number);
    it.cloned().unwrap_or_else(|| panic!("{status:#}"))
}

/// Returns what was told of a process, but for how it came.
fn told(daemon: &Daemon, number: u32) -> Vec<(String, String)> {
    let all = daemon.events(&["--domain", "prod"]);
    let is_it = |it: &&Value| {
        it["pid"] == number
            && (it["event"] == "process_unresponsive"
                || it["event"] == "process_status_changed" && it["text"].is_string())
    };
    let word = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let told = all.iter().filter(is_it);
    told.map(|it| (word(it, "event"), word(it, "text")))
        .collect()
}

#[test]
fn an_engine_that_hangs_is_told_of_once_across_a_restart_until_it_answers_and_nothing_is_started() {
    let sandbox = Running::start(&["--database", "teas", "--te", "2", "--sm", "1"]);
    let daemon = Daemon::start(&probing(&sandbox, BY_CLOSE));
    daemon.says(&["domain_thawed"]);
    let victim = running_te(&sandbox)[0];
    let engines = sandbox.engines();
    let output = sandbox.ctl(&["hang", &victim.to_string()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    daemon.says(&["process_unresponsive", &format!("pid={victim}")]);

    let it = process(&daemon, victim);
    assert_eq!(it["status"], "up", "its agent says so: {it}");
    let reason = it["unresponsive"]["reason"].as_str().unwrap();
    assert!(reason.contains("did not end it within 500ms"), "{it}");
    let status = daemon.ask(&["status"]);
    assert_eq!(status.status.code(), Some(2), "{status:?}");
    let screen = String::from_utf8(status.stdout).unwrap();
    assert!(screen.contains("does not answer"), "{screen}");
    let list = String::from_utf8(daemon.ask(&["processes"]).stdout).unwrap();
    assert!(list.contains("RUNNING, does not answer"), "{list}");

    let daemon = daemon.again(Signal::KILL, |_| ());
    daemon.says(&["domain_thawed"]);
    assert!(process(&daemon, victim)["unresponsive"].is_object());
    kill_process(pid(victim), Signal::CONT).unwrap();
    daemon.says(&["answers at its port again", &format!("pid={victim}")]);
    eventually("it counts as any other", || {
        process(&daemon, victim)["unresponsive"].is_null()
    });

    let told = told(&daemon, victim);
    let kinds: Vec<&str> = told.iter().map(|it| &*it.0).collect();
    let expected = ["process_unresponsive", "process_status_changed"];
    assert_eq!(kinds[..2], expected, "{told:#?}");
    let all = daemon.events(&["--domain", "prod"]);
    let is_action = |it: &Value| it["event"].as_str().unwrap().starts_with("action_");
    assert!(!all.iter().any(is_action), "{all:#?}");
    assert_eq!(sandbox.engines(), engines);
    daemon.end();
}

/// Has the daemon read its configuration again, in which this stands for that.
fn reload(daemon: &Daemon, that: &str, this: &str) {
    let file = daemon.path("config.toml");
    let config = fs::read_to_string(&file).unwrap();
    assert!(config.contains(that), "{config}");
    fs::write(file, config.replace(that, this)).unwrap();
    daemon.signal(Signal::HUP);
}

#[test]
fn another_configuration_asks_for_more_and_for_nothing_any_more() {
    let sandbox = Running::start(&["--database", "teas", "--te", "1", "--sm", "1"]);
    // Its kernel takes connections for it, and this is not noticed.
    let by_accept = "{ every = \"200ms\", timeout = \"200ms\", misses = 100 }";
    let daemon = Daemon::start(&probing(&sandbox, by_accept));
    daemon.says(&["domain_thawed"]);
    let victim = running_te(&sandbox)[0];
    sandbox.ctl(&["hang", &victim.to_string()]);
    reload(&daemon, by_accept, BY_CLOSE);
    daemon.says(&["process_unresponsive", &format!("pid={victim}")]);
    reload(&daemon, &format!("process-probe = {BY_CLOSE}"), "");
    daemon.says(&["its port is not tried any more", &format!("pid={victim}")]);
    assert!(process(&daemon, victim)["unresponsive"].is_null());
    daemon.end();
}
