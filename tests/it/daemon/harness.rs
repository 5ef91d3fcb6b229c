//! The real binary as a daemon in a process of its own, and what there is to ask of it.
//!
//! It asserts nothing by itself but that its commands run.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::domain::secret;
use crate::sandbox::outside::{Running, eventually};

/// A daemon in a process of its own, and what its log says.
pub(crate) struct Daemon {
    pub(super) child: Child,
    dir: TempDir,
    disk: Option<SmallDisk>,
}

/// What every domain of these tests has: everything at once.
const IMPATIENT: &str = "
    user = \"domain\"
    settle = \"100ms\"
    max-actions = 1000
    reconnect-first = \"100ms\"
    reconnect-max = \"1s\"
";

pub(crate) const ELSEWHERE_AT_ONCE: &str = "
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
    pub(super) fn start_with(config: &str, log: impl FnOnce(&Path) -> Stdio) -> Self {
        let dir = prepare(config);
        let log = log(dir.path());
        let child = program(dir.path(), None).stderr(log).spawn().unwrap();
        Self {
            child,
            dir,
            disk: None,
        }
    }

    /// Starts it with a small disk for its state that only it sees; `None` if the system does not
    /// allow that.
    pub(crate) fn start_on_small_disk(config: &str) -> Option<Self> {
        let dir = prepare(config);
        let state = dir.path().join("state");
        fs::create_dir(&state).unwrap();
        let disk = SmallDisk::mount(&state)?;
        let log = File::create(dir.path().join("log")).unwrap();
        let child = program(dir.path(), Some(&disk)).stderr(log).spawn();
        Some(Self {
            child: child.unwrap(),
            dir,
            disk: Some(disk),
        })
    }

    /// Returns a file on its small disk as others see it.
    pub(crate) fn on_small_disk(&self, name: &str) -> PathBuf {
        let holder = self.disk.as_ref().unwrap().0.id();
        let inside = self.path("state").join(name);
        let inside = inside.strip_prefix("/").unwrap().to_owned();
        Path::new(&format!("/proc/{holder}/root")).join(inside)
    }

    /// Ends it by a signal, has its files changed, and starts it again on what is left. Its log
    /// begins anew.
    pub(crate) fn again(mut self, signal: Signal, change: impl FnOnce(&Path)) -> Self {
        self.signal(signal);
        self.child.wait().unwrap();
        change(self.dir.path());
        let log = File::create(self.path("log")).unwrap();
        let mut program = program(self.dir.path(), self.disk.as_ref());
        self.child = program.stderr(log).spawn().unwrap();
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

    /// Returns its status.
    pub(crate) fn status(&self) -> Value {
        let output = self.ask(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
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

    pub(crate) fn dir(&self) -> &TempDir {
        &self.dir
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

    pub(crate) fn signal(&self, signal: Signal) {
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

/// Writes a configuration, in which `DIR` is a directory of its own, into that.
fn prepare(config: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    secret(&dir, "password", "bird");
    secret(&dir, "wrong", "brid");
    let config = config.replace("DIR", dir.path().to_str().unwrap());
    fs::write(dir.path().join("config.toml"), config).unwrap();
    let own = "[daemon]\nstate-directory = \"DIR/state\"\nsocket = \"DIR/dbwarden.sock\"\n";
    let own = own.replace("DIR", dir.path().to_str().unwrap());
    fs::create_dir(dir.path().join("conf.d")).unwrap();
    fs::write(dir.path().join("conf.d/own.toml"), own).unwrap();
    dir
}

/// Returns the program on the configuration in a directory.
fn program(dir: &Path, disk: Option<&SmallDisk>) -> Command {
    const DBWARDEN: &str = env!("CARGO_BIN_EXE_dbwarden");
    let mut program = match disk {
        None => Command::new(DBWARDEN),
        Some(disk) => {
            let mut entered = Command::new("nsenter");
            entered.args(["--user", "--mount", "--preserve-credentials"]);
            entered
                .arg(format!("--target={}", disk.0.id()))
                .arg(DBWARDEN);
            entered
        }
    };
    program
        .args(["run", "--config"])
        .arg(dir.join("config.toml"));
    program.stdin(Stdio::null());
    program
}

/// A disk of 4 MiB that only those see who enter the namespace of a process that sleeps.
struct SmallDisk(Child);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        let path = path.display();
        let script = format!(
            "mount -t tmpfs -o size=4m,mode=700 none {path} && echo done && exec sleep infinity"
        );
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut said = String::new();
        let stdout = BufReader::new(holder.stdout.take().unwrap());
        let read = { stdout }.read_line(&mut said);
        let disk = Self(holder);
        read.is_ok_and(|it| it > 0).then_some(disk)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
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
pub(crate) fn domain(name: &str, broker: &str, password: &str, more: &str) -> String {
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
