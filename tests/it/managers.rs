//! Storage managers that end, of the real sandbox with real processes and real archives: the real
//! binary brings them back where they belong.

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::daemon::{Daemon, domain, engines, pid};
use crate::replay::replayed;
use crate::sandbox::outside::{Running, eventually};

/// An engine of the sandbox: its peer, its archive if it has one, and its process id.
type Engine = (u64, Option<String>, u32);

/// Returns the engines that run, storage managers first.
fn running(sandbox: &Running) -> Vec<Engine> {
    let engines = engines(sandbox).into_iter();
    let up = engines.filter(|it| it["status"] == "RUNNING");
    let mut up: Vec<Engine> = up
        .map(|it| {
            let archive = it["archive"].as_str().map(ToOwned::to_owned);
            let pid = it["pid"].as_u64().unwrap().try_into().unwrap();
            (it["peer"].as_u64().unwrap(), archive, pid)
        })
        .collect();
    up.sort_by_key(|it| (it.1.is_none(), it.0));
    up
}

/// Starts a daemon that heals both roles of the sandbox's database.
fn daemon(sandbox: &Running) -> Daemon {
    daemon_with(sandbox, "")
}

/// As [`daemon`], with more keys of the domain.
fn daemon_with(sandbox: &Running, keys: &str) -> Daemon {
    let archives = running(sandbox).into_iter().filter_map(|(peer, path, _)| {
        let address = sandbox.address(usize::try_from(peer).unwrap());
        Some(format!("{{ peer = \"{address}\", path = \"{}\" }},", path?))
    });
    let archives: String = archives.collect();
    let databases = format!(
        "
        {keys}
        [[domain.database]]
        name = \"teas\"
        te-options = [[\"--dba-user\", \"dba\"], [\"--dba-password\", \"dba\"]]
        archives = [{archives}]
        "
    );
    let broker = sandbox.address(1).to_string();
    let daemon = Daemon::start(&format!(
        "{}
        [[policy]]
        roles = [\"te\", \"sm\"]
        te = {{ min = 1 }}
        sm = {{ min = 2 }}
        min-uptime = \"1h\"
        return-grace = \"100ms\"
        confirm-for = \"200ms\"
        delay-first = \"500ms\"
        delay-max = \"1s\"
        [[listener]]
        name = \"log\"
        kind = \"log\"
        ",
        domain("prod", &broker, "password", &databases)
    ));
    daemon.says(&["domain_thawed"]);
    daemon
}

/// Returns where storage managers run, and on what.
fn places(engines: &[Engine]) -> Vec<(u64, Option<String>)> {
    let sms = engines.iter().filter(|it| it.1.is_some());
    sms.map(|it| (it.0, it.1.clone())).collect()
}

/// Three peers, two of them with a storage manager, one with an engine.
fn sandbox() -> Running {
    Running::start(&[
        "--peers",
        "3",
        "--database",
        "teas",
        "--sm",
        "2",
        "--te",
        "1",
    ])
}

fn started(daemon: &Daemon) -> Vec<Value> {
    let events = daemon.events(&[]).into_iter();
    events
        .filter(|it| it["event"] == "action_started")
        .collect()
}

#[test]
fn a_killed_storage_manager_comes_back_on_its_archive() {
    let sandbox = sandbox();
    let before = running(&sandbox);
    let daemon = daemon(&sandbox);
    let (_, _, victim) = before[1];
    kill_process(pid(victim), Signal::KILL).unwrap();
    eventually("both run again", || {
        let now = running(&sandbox);
        now.len() == 3 && now.iter().all(|it| it.2 != victim)
    });
    assert_eq!(places(&running(&sandbox)), places(&before));
    eventually("it was told", || daemon.log().contains("action_succeeded"));
    let started = started(&daemon);
    assert!(
        started.iter().all(|it| it["slot"] == "sm/2"),
        "{started:#?}"
    );
    daemon.end();
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}

#[test]
fn a_database_whose_engines_were_all_killed_comes_up_in_order() {
    let sandbox = sandbox();
    let before = running(&sandbox);
    let daemon = daemon(&sandbox);
    for (_, _, victim) in &before {
        kill_process(pid(*victim), Signal::KILL).unwrap();
    }
    eventually("all run again", || {
        let now = running(&sandbox);
        let is_old = |it: &Engine| before.iter().any(|old| old.2 == it.2);
        now.len() == 3 && !now.iter().any(is_old)
    });
    assert_eq!(places(&running(&sandbox)), places(&before));
    let started = started(&daemon);
    let slots: Vec<&str> = started
        .iter()
        .map(|it| it["slot"].as_str().unwrap())
        .collect();
    // The pause lets all exits be told before anything is begun.
    let text = started[0]["text"].as_str().unwrap();
    assert!(text.starts_with("cold start"), "{started:#?}");
    assert_eq!(slots.len(), 3, "{slots:?}");
    assert_eq!(slots[2], "te/1", "{slots:?}");
    daemon.end();
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}

/// Ends all engines, and returns the first start after that, once all run again.
fn first_after_a_kill_of_all(sandbox: &Running, daemon: &Daemon) -> Value {
    let before = running(sandbox);
    for (_, _, victim) in &before {
        kill_process(pid(*victim), Signal::KILL).unwrap();
    }
    eventually("all run again", || {
        let now = running(sandbox);
        let is_old = |it: &Engine| before.iter().any(|old| old.2 == it.2);
        now.len() == 3 && !now.iter().any(is_old)
    });
    assert_eq!(places(&running(sandbox)), places(&before));
    started(daemon).swap_remove(0)
}

const ASKING: &str = "experimental = [\"archive-history\"]";

fn lie(sandbox: &Running, peer: u64, last_used: &str) {
    let peer = peer.to_string();
    let output = sandbox.ctl(&["lie", &peer, "--last-used", last_used]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn archives_that_are_asked_say_which_of_them_comes_up_first() {
    for newest in [0, 1] {
        let sandbox = sandbox();
        let before = running(&sandbox);
        let daemon = daemon_with(&sandbox, ASKING);
        lie(&sandbox, before[newest].0, "99999999999999");
        let first = first_after_a_kill_of_all(&sandbox, &daemon);
        let text = first["text"].as_str().unwrap();
        let expected = "cold start, it ran last by what the archives say; ";
        assert!(text.starts_with(expected), "{text}");
        let number = usize::try_from(before[newest].0).unwrap();
        let home = sandbox.address(number).to_string();
        assert_eq!(first["peer"], home.as_str(), "{first}");
        daemon.end();
        assert_eq!(sandbox.end(Signal::TERM), Some(0));
    }
}

#[test]
fn archives_that_tell_the_truth_say_what_our_own_record_says() {
    let sandbox = sandbox();
    let daemon = daemon_with(&sandbox, ASKING);
    let first = first_after_a_kill_of_all(&sandbox, &daemon);
    let text = first["text"].as_str().unwrap();
    assert!(text.contains("by what the archives say"), "{text}");
    let starts = started(&daemon);
    assert_eq!(starts.len(), 3, "{starts:#?}");
    assert_eq!(starts[2]["slot"], "te/1", "{starts:#?}");
    // What the archives said is on record: decided again from it, all comes out the same.
    let daemon = daemon.again(Signal::TERM, |dir| {
        let again = replayed(&dir.join("state"), &[]);
        assert_eq!(again["again"]["difference"], Value::Null, "{again}");
    });
    daemon.says(&["domain_thawed"]);
    daemon.end();
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}

#[test]
fn archives_that_say_nothing_sensible_leave_our_own_record_to_count() {
    let sandbox = sandbox();
    let before = running(&sandbox);
    let daemon = daemon_with(&sandbox, ASKING);
    lie(&sandbox, before[0].0, "yesterday");
    let first = first_after_a_kill_of_all(&sandbox, &daemon);
    let home = sandbox.address(usize::try_from(before[0].0).unwrap());
    let text = first["text"].as_str().unwrap();
    let expected = format!(
        "cold start, it ran last by our own record, for the archive on {home} said something that \
         is not understood; "
    );
    assert!(text.starts_with(&expected), "{text}");
    daemon.end();
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}
