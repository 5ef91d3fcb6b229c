//! The sandbox as a program: its command line, its end, what it leaves behind.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use dbwarden::nuodb::message::Event;
use rustix::process::{Signal, kill_process};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::caller::{Caller, PATIENCE, kill, start};
use super::{pid, program};
use crate::daemon::{Daemon, teas};

/// A sandbox in a process of its own.
pub(crate) struct Running {
    child: Child,
    ready: serde_json::Value,
}

impl Running {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(program())
            .args([
                "sandbox",
                "--listen",
                "127.0.0.1:0",
                "--pace",
                "0",
                "--json",
            ])
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready = serde_json::from_str(&line).unwrap();
        Self { child, ready }
    }

    pub(crate) fn address(&self, number: usize) -> SocketAddrV4 {
        let address = self.ready["peers"][number - 1]["address"].as_str();
        address.unwrap().parse().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.ready["control"].as_str().unwrap().into()
    }

    pub(crate) fn engines(&self) -> Vec<u32> {
        let engines = self.ready["engines"].as_array().unwrap();
        let pids = engines.iter().map(|it| it["pid"].as_u64().unwrap());
        pids.map(|it| it.try_into().unwrap()).collect()
    }

    /// Runs `sandbox-ctl`.
    pub(crate) fn ctl(&self, args: &[&str]) -> Output {
        let control = self.control();
        let mut command = Command::new(program());
        command.arg("sandbox-ctl").arg("--control").arg(control);
        command.args(args).output().unwrap()
    }

    pub(crate) fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(pid(self.child.id()), signal).unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the state letter of a process, if there is one of that number.
fn state(number: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Waits until something holds, for as long as anybody would.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    const STEP: Duration = Duration::from_millis(5);
    let mut left = PATIENCE;
    while !holds() {
        left = left
            .checked_sub(STEP)
            .unwrap_or_else(|| panic!("never: {what}"));
        thread::sleep(STEP);
    }
}

/// An orphan that its new parent has not looked after yet is gone all the same.
fn is_gone(number: u32) -> bool {
    matches!(state(number), None | Some('Z'))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn it_ends_in_order_and_leaves_nothing() {
    for signal in [Signal::TERM, Signal::INT] {
        let running = Running::start(&["--database", "teas", "--te", "2"]);
        let (engines, control) = (running.engines(), running.control());
        assert_eq!(engines.len(), 3);
        assert!(control.exists());
        assert_eq!(running.end(signal), Some(0));
        assert!(engines.into_iter().all(is_gone));
        assert!(!control.parent().unwrap().exists());
    }
}

#[test]
fn it_takes_its_engines_along_when_it_is_killed_and_the_next_one_clears_up() {
    let running = Running::start(&["--database", "teas", "--te", "2"]);
    let (engines, control) = (running.engines(), running.control());
    assert_eq!(running.end(Signal::KILL), None);
    eventually("the engines end", || engines.iter().all(|it| is_gone(*it)));
    let next = Running::start(&[]);
    assert!(!control.parent().unwrap().exists());
    assert_eq!(next.end(Signal::TERM), Some(0));
}

#[test]
fn one_that_is_dropped_inside_a_program_takes_its_engines_along() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (sandbox, engines) = runtime.block_on(async {
        let sandbox = super::teas().await;
        let engines = sandbox.engines().await.unwrap();
        (sandbox, engines)
    });
    let control = sandbox.control_path().to_owned();
    drop(sandbox);
    drop(runtime);
    assert!(!control.exists());
    eventually("the engines end", || {
        engines.iter().all(|it| is_gone(it.pid))
    });
}

#[test]
fn archives_are_kept_where_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    for _ in 0..2 {
        let args = [
            "--database",
            "teas",
            "--te",
            "0",
            "--sm",
            "2",
            "--archives",
            path,
        ];
        let running = Running::start(&args);
        assert_eq!(running.engines().len(), 2);
        assert_eq!(running.end(Signal::TERM), Some(0));
    }
    assert!(Path::new(path).join("teas-2").is_dir());
}

#[test]
fn faults_are_asked_for_by_command() {
    let running = Running::start(&["--database", "teas"]);
    let list = running.ctl(&["list"]);
    let shown = text(&list.stdout);
    assert_eq!(shown.lines().count(), 5, "{shown}");
    let port = running.address(3).port().to_string();
    let address = running.address(2).to_string();
    for args in [
        &["lose", &port][..],
        &["return", "3"],
        &["mute", &address],
        &["unmute", "2"],
        &["delay", "2", "50"],
        &["delay", "2", "0"],
        &["fail-next", "1", "--reason", "bad weather"],
        &["fail-next", "1", "--silent"],
        &["fail-next", "1", "--late", "20"],
        &["fail-next", "2", "--crash", "20"],
        &["forgive", "2"],
        &["drop", "1"],
        &["orphan", &running.engines()[1].to_string()],
        &["hang", &running.engines()[1].to_string()],
        &["crash", &running.engines()[0].to_string()],
    ] {
        let output = running.ctl(args);
        let complaint = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {complaint}");
    }
    let list = running.ctl(&["list", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&list.stdout).unwrap();
    assert_eq!(list["peers"][0]["faults_waiting"], 3);
    assert_eq!(list["peers"][1]["faults_waiting"], 0);
    let starts = running.ctl(&["starts", "--json"]);
    let starts: serde_json::Value = serde_json::from_slice(&starts.stdout).unwrap();
    let left_over = |it: &serde_json::Value| it["disowned_ms"].is_u64() && it["ended_ms"].is_null();
    let starts = starts.as_array().unwrap();
    assert_eq!(
        starts.iter().filter(|it| left_over(it)).count(),
        1,
        "{starts:?}"
    );
    let shown = running.ctl(&["starts"]);
    assert!(
        text(&shown.stdout).contains("asked for by nobody"),
        "{shown:?}"
    );

    for (args, code, complaint) in [
        (&["lose", "7"][..], 1, "there is no peer `7`; there are 1 ("),
        (&["return", "1"], 1, "peer 1 is not lost"),
        (&["crash", "1"], 1, "there is no engine with pid 1"),
        (&["fail-next", "1"], 64, "--reason"),
        (&["explode"], 64, "explode"),
    ] {
        let output = running.ctl(args);
        let said = text(&output.stderr);
        assert!(said.contains(complaint), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    }
    let control = running.control();
    assert_eq!(running.end(Signal::TERM), Some(0));
    let mut command = Command::new(program());
    command.arg("sandbox-ctl").arg("--control").arg(control);
    let output = command.arg("list").output().unwrap();
    assert_eq!(output.status.code(), Some(69));
    assert!(text(&output.stderr).contains("is the sandbox running?"));
}

#[test]
fn a_wrong_command_line_is_told_before_anything_starts() {
    for (args, complaint) in [
        (&["--listen", "0.0.0.0:0"][..], "loopback only"),
        (
            &["--listen", "127.0.0.1:0", "--brokers", "9"],
            "no more brokers than peers",
        ),
        (&["--ciphers", "ROT13"], "unknown cipher `ROT13`"),
        (&["--te", "2"], "--database"),
        (&["--require-client-cert"], "--tls"),
        (&["--pace", "soon"], "write a factor"),
    ] {
        let mut command = Command::new(program());
        let output = command.arg("sandbox").args(args).output().unwrap();
        let said = text(&output.stderr);
        assert!(said.contains(complaint), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(64), "{args:?}: {said}");
    }
}

#[test]
fn who_asks_for_a_taken_port_is_told_which_one_and_what_to_do() {
    let running = Running::start(&[]);
    let taken = running.address(1).to_string();
    let mut command = Command::new(program());
    command.args(["sandbox", "--peers", "1", "--listen", &taken]);
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    let complaint = format!("cannot listen on {taken} (ask for other ports, or for 0");
    assert!(said.contains(&complaint), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
}

const WORKERS: usize = 8;
const STARTS: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_starts_and_kills_leave_neither_zombie_nor_descriptor() {
    let running = Running::start(&["--database", "teas", "--te", "0"]);
    let sandbox = running.child.id();
    let daemon = Daemon::start(&teas(&running));
    daemon.says(&["domain_thawed"]);
    let open = || [sandbox, daemon.pid()].map(|it| (descriptors(it), children(it).len()));
    let before = open();
    let (mut monitor, _) = Caller::monitor(running.address(1)).await;
    let (tell, told) = watch::channel(BTreeMap::<String, u32>::new());
    let watching = async {
        let (mut joined, mut left) = (0, 0);
        while left < STARTS {
            let event = monitor.event().await;
            if let Event::NewProcess(it) = event {
                joined += 1;
                let start_id = it.start_id.unwrap().to_string();
                tell.send_modify(|all| {
                    all.insert(start_id, it.pid);
                });
            } else if let Event::ProcessExit(_) = event {
                left += 1;
            } else {
                assert!(matches!(event, Event::StatusChanged { .. }), "{event:?}");
            }
        }
        assert_eq!(joined, STARTS);
    };
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let address = running.address(1 + worker % 3);
        let mut told = told.clone();
        workers.spawn(async move {
            for _ in (worker..STARTS).step_by(WORKERS) {
                let start_id = start(address, &[("--database", "teas")]).await;
                let known = told.wait_for(|all| all.contains_key(&start_id)).await;
                let pid = known.unwrap()[&start_id];
                assert_eq!(kill(address, pid).await, "137");
            }
        });
    }
    watching.await;
    workers.join_all().await;
    drop(monitor);
    eventually("no child and no descriptor too many", || open() == before);
    let log = daemon.end();
    let joined = log.matches("event=\"process_joined\"").count();
    assert_eq!(joined, STARTS + 1, "all of them, and the storage manager");
    assert_eq!(running.end(Signal::TERM), Some(0));
}

/// Returns the children of a process, zombies among them.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|it| it.unwrap().file_name().to_str()?.parse().ok());
    numbers
        .filter(|it| parent_of(*it) == Some(parent))
        .collect()
}

fn parent_of(number: u32) -> Option<u32> {
    // A process may end while we look.
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(1)?.parse().ok()
}

pub(crate) fn descriptors(number: u32) -> usize {
    let all = fs::read_dir(format!("/proc/{number}/fd")).unwrap();
    all.count()
}
