//! `dbwarden run`, the real binary, against the sandbox and against peers with bad manners.

mod harness;

use std::fs::{self, File};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::domain::{Manner, hostile};
use crate::sandbox::outside::{Running, children, descriptors, eventually};

pub(crate) use self::harness::{Daemon, ELSEWHERE_AT_ONCE, domain, engines, pid, running_te, teas};

#[test]
fn a_killed_engine_is_started_elsewhere_and_a_script_is_told_every_step() {
    let sandbox = Running::start(&["--database", "teas", "--te", "2", "--sm", "1"]);
    let script = "
        [[listener]]
        name = \"script\"
        kind = \"exec\"
        command = [\"/bin/sh\", \"-c\", \"cat >> DIR/told; echo $DBWARDEN_EVENT >> DIR/names\"]
        events = [\"process\", \"healing\", \"daemon\"]
        on-connect = \"changes\"

        [[listener]]
        name = \"log\"
        kind = \"log\"
    ";
    let daemon = Daemon::start(&format!("{}{ELSEWHERE_AT_ONCE}{script}", teas(&sandbox)));
    daemon.says(&["domain_thawed"]);
    let before = running_te(&sandbox);
    kill_process(pid(before[0]), Signal::KILL).unwrap();
    eventually("two engines run again", || {
        let now = running_te(&sandbox);
        now.len() == 2 && !now.contains(&before[0])
    });
    daemon.says(&["process_status_changed", "RUNNING"]);
    let told = daemon.path("told");
    let names = daemon.path("names");
    eventually("the script was told", || {
        fs::read_to_string(&names).is_ok_and(|it| it.contains("process_status_changed"))
    });
    let events: Vec<Value> = fs::read_to_string(&told)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |name: &str| events.iter().position(|it| it["event"] == name);
    let order = [
        "process_failed",
        "action_started",
        "process_joined",
        "action_succeeded",
    ]
    .map(of);
    assert!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "{events:#?}"
    );
    let failed = &events[order[0].unwrap()];
    assert_eq!(failed["pid"], before[0]);
    assert_eq!(failed["cause"], "exit");
    assert_eq!(failed["attempt"], 1);
    let started = &events[order[1].unwrap()];
    assert_ne!(started["peer"], failed["peer"], "elsewhere");
    let log = daemon.end();
    assert!(log.contains("daemon_stopping"), "{log}");
    assert!(!log.contains("bird"), "a secret in the log: {log}");
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_broker_whatever_it_does_ends_the_daemon() {
    let sandbox = Running::start(&["--database", "teas"]);
    let mut tasks = JoinSet::new();
    let mut config = String::new();
    let mut names = Vec::new();
    for (name, manner) in [
        ("closes", Manner::Closes),
        ("drips", Manner::Drips),
        ("silent", Manner::Silent),
        ("garbage", Manner::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
        ("huge", Manner::Says(&[0x80, 0, 0, 0])),
    ] {
        let broker = hostile(manner, &mut tasks).await;
        // Only who keeps us waiting is waited for briefly: a slow machine is not to blame the rest.
        let timeout = match manner {
            Manner::Drips | Manner::Silent => "dial-timeout = \"1s\"",
            Manner::Closes | Manner::Says(_) => "dial-timeout = \"1m\"",
        };
        config.push_str(&domain(name, &broker, "password", timeout));
        names.push(name);
    }
    // Bound and never listened to: refused.
    let unused = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    config.push_str(&domain("refused", &unused.to_string(), "password", ""));
    let broker = sandbox.address(1).to_string();
    config.push_str(&domain("wrong-password", &broker, "wrong", ""));
    config.push_str(&domain("good", &broker, "password", ""));
    names.extend(["refused", "wrong-password"]);
    let tls = "tls = { ca = \"DIR/ca.pem\" }";
    config.push_str(&domain("no-tls", &broker, "password", tls));
    names.push("no-tls");
    let mut ca = rcgen::CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = ca
        .self_signed(&rcgen::KeyPair::generate().unwrap())
        .unwrap();
    let files = TempDir::new().unwrap();
    fs::write(files.path().join("ca.pem"), ca.pem()).unwrap();
    let ca_path = files.path().join("ca.pem");
    let config = config.replace("DIR/ca.pem", ca_path.to_str().unwrap());
    let daemon = Daemon::start(&config);
    tokio::task::block_in_place(|| {
        for name in &names {
            daemon.says(&["domain_disconnected", &format!("domain=\"{name}\"")]);
        }
        daemon.says(&["domain_connected", "domain=\"good\""]);
    });
    let log = tokio::task::block_in_place(|| daemon.end());
    for (name, reason) in [
        ("wrong-password", "password"),
        ("silent", "silent during the handshake"),
        ("garbage", "protocol"),
        ("huge", "2147483648"),
        ("refused", "refused"),
    ] {
        let told = |line: &str| {
            line.contains("domain_disconnected")
                && line.contains(&format!("domain=\"{name}\""))
                && line.contains(reason)
        };
        assert!(
            log.lines().any(told),
            "`{reason}` is not told of {name}:\n{log}"
        );
    }
}

#[test]
fn a_hangup_reads_the_configuration_and_refuses_one_with_problems() {
    let sandbox = Running::start(&["--database", "teas"]);
    let daemon = Daemon::start(&teas(&sandbox));
    daemon.says(&["domain_connected"]);
    daemon.signal(Signal::HUP);
    daemon.says(&["the configuration was read again", "nothing changed"]);
    let config = fs::read_to_string(daemon.path("config.toml")).unwrap();
    let broken = format!("{config}\nnonsense = 1\n[[policy]]\nkeep = \"everything\"\n");
    fs::write(daemon.path("config.toml"), broken).unwrap();
    daemon.signal(Signal::HUP);
    daemon.says(&["config_rejected", "nonsense"]);
    let log = daemon.end();
    let rejected = log.lines().skip_while(|it| !it.contains("has problems"));
    let rejected = rejected.collect::<String>();
    assert!(
        rejected.contains("nonsense") && rejected.contains("everything"),
        "{log}"
    );
}

/// A listener that writes down its pid, and ends neither by itself nor on request.
const STUBBORN: &str = "
    [[listener]]
    name = \"stubborn\"
    kind = \"exec\"
    command = [\"/bin/sh\", \"-c\", \"trap : TERM; echo $$ > DIR/pid; while :; do sleep 1; done\"]
    events = [\"domain\"]
    timeout = \"1h\"

    [[listener]]
    name = \"log\"
    kind = \"log\"
";

/// Starts a daemon whose listener does not end, and returns the listener's pid as well.
fn stubborn(stop_grace: &str, broker: &str) -> (Daemon, u32) {
    let daemon = format!("[daemon]\nstop-grace = \"{stop_grace}\"\n");
    let domain = domain("prod", broker, "password", "");
    let daemon = Daemon::start(&format!("{daemon}{domain}{STUBBORN}"));
    let mut script = None;
    eventually("the listener runs", || {
        let text = fs::read_to_string(daemon.path("pid"));
        script = text.ok().and_then(|it| it.trim().parse().ok());
        script.is_some()
    });
    (daemon, script.unwrap())
}

fn is_alive(number: u32) -> bool {
    fs::read_to_string(format!("/proc/{number}/stat")).is_ok_and(|it| {
        !it.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_a_listener_nor_a_broker_that_hangs_keeps_it_from_stopping() {
    let mut tasks = JoinSet::new();
    // It hangs up once, so that there is something to tell, and then says nothing.
    let broker = hostile(Manner::Closes, &mut tasks).await;
    let silent = hostile(Manner::Silent, &mut tasks).await;
    let brokers = format!("{broker}\", \"{silent}");
    tokio::task::block_in_place(|| {
        let (daemon, script) = stubborn("100ms", &brokers);
        let log = daemon.end();
        let told = |it: &str| it.contains("was not told everything") && it.contains("stubborn");
        assert!(log.lines().any(told), "{log}");
        eventually("the listener is gone", || !is_alive(script));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_once_more_it_does_not_wait() {
    let mut tasks = JoinSet::new();
    let broker = hostile(Manner::Closes, &mut tasks).await;
    tokio::task::block_in_place(|| {
        let (mut daemon, script) = stubborn("1h", &broker);
        daemon.signal(Signal::TERM);
        daemon.says(&["daemon_stopping"]);
        daemon.signal(Signal::INT);
        let status = daemon.child.wait().unwrap();
        let log = daemon.log();
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains("told to stop again"), "{log}");
        eventually("the listener is gone", || !is_alive(script));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_reads_is_no_reason_to_end() {
    let mut tasks = JoinSet::new();
    let broker = hostile(Manner::Closes, &mut tasks).await;
    let script = "
        [[listener]]
        name = \"script\"
        kind = \"exec\"
        command = [\"/bin/sh\", \"-c\", \"echo $DBWARDEN_EVENT >> DIR/names\"]

        [[listener]]
        name = \"log\"
        kind = \"log\"
    ";
    tokio::task::block_in_place(|| {
        let config = format!("{}{script}", domain("prod", &broker, "password", ""));
        // Whoever should read has gone before the first line.
        let daemon = Daemon::start_with(&config, |dir| {
            File::create(dir.join("log")).unwrap();
            std::io::pipe().unwrap().1.into()
        });
        eventually("it watches and tells all the same", || {
            fs::read_to_string(daemon.path("names"))
                .is_ok_and(|it| it.contains("domain_disconnected"))
        });
        daemon.end();
    });
}

#[test]
fn a_configuration_with_problems_does_not_start() {
    let mut daemon = Daemon::start("[[domain]]\nname = \"prod\"\nbrokers = []\n");
    assert_eq!(daemon.child.wait().unwrap().code(), Some(78));
    let log = daemon.log();
    assert!(
        log.contains("config.toml:3:") && log.contains("brokers") && log.ends_with('\n'),
        "{log}"
    );
}

/// How many engines are killed, at most three at a time, since each peer has one of a database.
const KILLS: usize = 60;

#[test]
fn engines_killed_again_and_again_leave_neither_zombie_nor_descriptor() {
    let sandbox = Running::start(&["--database", "teas", "--te", "3", "--sm", "1"]);
    let policy = "
        [[policy]]
        te = { min = 3 }
        min-uptime = \"0s\"
        return-grace = \"0s\"
        confirm-for = \"0s\"
        stages = [{ where = \"here\", tries = 1000 }]
        delay-first = \"1ms\"
        delay-max = \"1ms\"
    ";
    let daemon = Daemon::start(&format!("{}{policy}", teas(&sandbox)));
    daemon.says(&["domain_thawed"]);
    let both = || {
        let (daemon, sandbox) = (daemon.pid(), sandbox.pid());
        (
            descriptors(daemon),
            children(daemon).len(),
            descriptors(sandbox),
            children(sandbox).len(),
        )
    };
    let before = both();
    let mut killed = 0;
    while killed < KILLS {
        let running = running_te(&sandbox);
        for victim in &running {
            kill_process(pid(*victim), Signal::KILL).unwrap();
            killed += 1;
        }
        eventually("all three run again", || {
            let now = running_te(&sandbox);
            now.len() == 3 && now.iter().all(|it| !running.contains(it))
        });
    }
    eventually("no descriptor and no child too many", || both() == before);
    let log = daemon.end();
    let started = log.matches("event=\"action_started\"").count();
    assert_eq!(
        started, killed,
        "as many starts as losses, and not one more: {log}"
    );
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}

#[test]
fn a_daemon_that_was_stopped_looks_again_before_it_heals() {
    let sandbox = Running::start(&["--database", "teas", "--te", "2", "--sm", "1"]);
    let config = teas(&sandbox).replace("max-actions", "clock-jump = \"1s\"\nmax-actions");
    let daemon = Daemon::start(&format!("{config}{ELSEWHERE_AT_ONCE}"));
    daemon.says(&["domain_thawed"]);
    let before = running_te(&sandbox);
    daemon.signal(Signal::STOP);
    kill_process(pid(before[0]), Signal::KILL).unwrap();
    eventually("one engine runs", || running_te(&sandbox).len() == 1);
    // That it stood still for longer than `clock-jump` is what this is about.
    thread::sleep(Duration::from_secs(3));
    daemon.signal(Signal::CONT);
    daemon.says(&["action_succeeded"]);
    let events = daemon.events(&[]);
    let of = |event: &str, text: &str| {
        let is_it = |it: &Value| {
            it["event"] == event && it["text"].as_str().is_some_and(|it| it.starts_with(text))
        };
        let found = events.iter().position(is_it);
        found.unwrap_or_else(|| panic!("{event} {text}: {events:#?}"))
    };
    let frozen = of("domain_frozen", "gate clock");
    let thawed = of("domain_thawed", "gate clock");
    let started = of("action_started", "");
    assert!(frozen < thawed && thawed < started, "{events:#?}");
    assert_eq!(sandbox.end(Signal::TERM), Some(0));
}
