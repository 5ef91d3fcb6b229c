//! `dbwarden run`, the real binary, against the sandbox and against peers with bad manners.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::domain::{Manner, hostile, secret};
use crate::sandbox::outside::{Running, children, descriptors, eventually};

/// A daemon in a process of its own, and what its log says.
pub(crate) struct Daemon {
    child: Child,
    dir: TempDir,
}

/// What every domain of these tests has: everything at once.
const IMPATIENT: &str = "
    user = \"domain\"
    settle = \"100ms\"
    reconnect-first = \"100ms\"
    reconnect-max = \"1s\"
";

const ELSEWHERE_AT_ONCE: &str = "
    [[policy]]
    stages = [{ where = \"elsewhere\" }]
    min-uptime = \"100ms\"
    return-grace = \"100ms\"
";

impl Daemon {
    /// Starts it with this configuration, in which `DIR` is a directory of its own.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(config, |dir| File::create(dir.join("log")).unwrap().into())
    }

    /// Starts it with its log somewhere else.
    fn start_with(config: &str, log: impl FnOnce(&Path) -> Stdio) -> Self {
        let dir = TempDir::new().unwrap();
        secret(&dir, "password", "bird");
        secret(&dir, "wrong", "brid");
        let config = config.replace("DIR", dir.path().to_str().unwrap());
        fs::write(dir.path().join("config.toml"), config).unwrap();
        let own = "[daemon]\nstate-directory = \"DIR/state\"\nsocket = \"DIR/dbwarden.sock\"\n";
        let own = own.replace("DIR", dir.path().to_str().unwrap());
        fs::create_dir(dir.path().join("conf.d")).unwrap();
        fs::write(dir.path().join("conf.d/own.toml"), own).unwrap();
        let log = log(dir.path());
        let child = spawn(dir.path(), log);
        Self { child, dir }
    }

    /// Ends it by a signal, has its files changed, and starts it again on what is left. Its log
    /// begins anew.
    pub(crate) fn again(mut self, signal: Signal, change: impl FnOnce(&Path)) -> Self {
        self.signal(signal);
        self.child.wait().unwrap();
        change(self.dir.path());
        let log = File::create(self.path("log")).unwrap();
        self.child = spawn(self.dir.path(), log.into());
        self
    }

    /// Runs a client of it, as a person would.
    pub(crate) fn ask(&self, args: &[&str]) -> Output {
        let mut client = self.client(args);
        client.output().unwrap()
    }

    /// Returns a client of it, as a person would start it.
    pub(crate) fn client(&self, args: &[&str]) -> Command {
        let mut client = Command::new(env!("CARGO_BIN_EXE_dbwarden"));
        client
            .args(args)
            .env("DBWARDEN_SOCKET", self.path("dbwarden.sock"))
            .env_remove("DBWARDEN_LISTENER")
            .env_remove("DBWARDEN_DOMAIN");
        client
    }

    /// Returns the events that it shows when it is asked so.
    pub(crate) fn events(&self, args: &[&str]) -> Vec<Value> {
        let output = self.ask(&[&["events", "--json"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Waits until the log has a line with all of this.
    pub(crate) fn says(&self, parts: &[&str]) {
        let is_it = |line: &str| parts.iter().all(|part| line.contains(part));
        let mut log = String::new();
        eventually(&format!("the log says {parts:?}"), || {
            log = self.log();
            log.lines().any(is_it)
        });
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(self.child.id()), signal).unwrap();
    }

    /// Ends it in order, and returns its whole log.
    pub(crate) fn end(mut self) -> String {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        let log = self.log();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }
}

/// Starts the program on the configuration in a directory.
fn spawn(dir: &Path, log: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_dbwarden"))
        .args(["run", "--config"])
        .arg(dir.join("config.toml"))
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Daemon {
    #[expect(
        clippy::print_stderr,
        reason = "a failed test tells what the daemon said"
    )]
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("what it said:\n{}", self.log());
        }
    }
}

pub(crate) fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

/// The `[[domain]]` table of a domain at that broker.
fn domain(name: &str, broker: &str, password: &str, more: &str) -> String {
    format!(
        "
        [[domain]]
        name = \"{name}\"
        brokers = [\"{broker}\"]
        password = {{ file = \"DIR/{password}\" }}
        {IMPATIENT}
        {more}
        "
    )
}

pub(crate) fn teas(sandbox: &Running) -> String {
    let databases = "
        [[domain.database]]
        name = \"teas\"
        te-options = []
    ";
    let broker = sandbox.address(1).to_string();
    domain("prod", &broker, "password", databases)
}

/// The engines of a sandbox as `list --json` has them.
pub(crate) fn engines(sandbox: &Running) -> Vec<Value> {
    let output = sandbox.ctl(&["list", "--json"]);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    list["engines"].as_array().unwrap().clone()
}

pub(crate) fn running_te(sandbox: &Running) -> Vec<u32> {
    let engines = engines(sandbox).into_iter();
    engines
        .filter(|it| it["role"] == "TE" && it["status"] == "RUNNING")
        .map(|it| it["pid"].as_u64().unwrap().try_into().unwrap())
        .collect()
}

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
