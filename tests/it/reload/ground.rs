//! Where the storm takes place: a sandbox, a daemon, a script and a server that are told, and a
//! look at all of them from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::hook::Hook;
use super::plan::{Places, Plan};
use super::{LOOK, flaws};
use crate::daemon::Daemon;
use crate::domain::secret;
use crate::sandbox::outside::{Running, children};

/// The daemon's own events.
pub(super) const OWN: &str = "-";

const TELL: &str = include_str!("tell.sh");

/// A connection to the server of webhooks.
const CALL: &str = "call";

/// How long a reload may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Two domains and the daemon.
const SOURCES: usize = 3;

/// How far the daemon is: the number of the last event, by domain.
pub(super) type Seqs = BTreeMap<String, u64>;

pub(super) struct Ground {
    pub(super) sandbox: Running,
    pub(super) daemon: Daemon,
    hook: Hook,
    own: TempDir,
    places: Places,
}

impl Ground {
    /// Starts everything by the first plan.
    pub(super) fn start() -> Self {
        let sandbox = Running::start(&[
            "--database",
            "teas",
            "--te",
            "2",
            "--sm",
            "1",
            "--brokers",
            "2",
        ]);
        let own = TempDir::new().unwrap();
        for name in ["desk", "told"] {
            fs::create_dir(own.path().join(name)).unwrap();
        }
        let script = own.path().join("tell.sh");
        fs::write(&script, TELL).unwrap();
        fs::set_permissions(&script, Permissions::from_mode(0o700)).unwrap();
        let hook = Hook::start();
        let mut places = Places {
            dir: "DIR".to_owned(),
            script: script.to_str().unwrap().to_owned(),
            hook: hook.address(),
            brokers: [1, 2].map(|it| sandbox.address(it).to_string()),
        };
        let (main, apart) = Plan::first().files(&places);
        let all: String = [main].into_iter().chain(apart.into_values()).collect();
        let daemon = Daemon::start(&all);
        secret(daemon.dir(), "same", "bird");
        let dir = daemon.dir().path().to_str().unwrap();
        dir.clone_into(&mut places.dir);
        Self {
            sandbox,
            daemon,
            hook,
            own,
            places,
        }
    }

    /// Returns the files of a plan.
    pub(super) fn files(&self, plan: &Plan) -> (String, BTreeMap<String, String>) {
        plan.files(&self.places)
    }

    /// Returns the table of another domain at the same brokers.
    pub(super) fn domain(&self, name: &str) -> String {
        Plan::first().domain(&self.places, name, "password")
    }

    /// Writes a configuration, and removes whatever else there was.
    pub(super) fn write(&self, main: &str, apart: &BTreeMap<String, String>) {
        let directory = self.daemon.path("conf.d");
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if !path.ends_with("own.toml") {
                fs::remove_file(path).unwrap();
            }
        }
        fs::write(self.daemon.path("config.toml"), main).unwrap();
        for (name, text) in apart {
            let path = directory.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(path, Permissions::from_mode(flaws::mode(name))).unwrap();
        }
    }

    /// Lets the daemon read its configuration again, and waits until it has made up its mind.
    pub(super) fn reload(&self) {
        let before = self.verdicts();
        self.daemon.signal(Signal::HUP);
        // Listeners that go hear the rest first.
        let mut left = PATIENCE;
        while self.verdicts() == before {
            left = left.checked_sub(LOOK).expect("the configuration is read");
            thread::sleep(LOOK);
        }
    }

    /// Returns how often the daemon went by a new configuration, or by the old one.
    fn verdicts(&self) -> usize {
        let log = self.daemon.log();
        log.matches("the configuration was read again:").count()
            + log.matches("the configuration has problems;").count()
    }

    /// Returns the generation of the configuration, and how far the daemon is.
    pub(super) fn status(&self) -> (u64, Seqs) {
        let output = self.daemon.ask(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let own = &status["daemon"];
        let mut seqs = Seqs::from([(OWN.to_owned(), own["last_seq"].as_u64().unwrap())]);
        for domain in status["domains"].as_array().unwrap() {
            let name = domain["domain"].as_str().unwrap().to_owned();
            seqs.insert(name, domain["last_seq"].as_u64().unwrap());
        }
        (own["generation"].as_u64().unwrap(), seqs)
    }

    /// Returns every event of a domain.
    pub(super) fn events(&self, domain: &str) -> Vec<Value> {
        self.daemon.events(&["--domain", domain])
    }

    /// Returns what every listener was told, by its name and the domain.
    pub(super) fn told(&self) -> BTreeMap<String, Vec<(u32, Value)>> {
        let mut told: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for (of, version, event) in self.hook.told() {
            told.entry(of).or_default().push((version, event));
        }
        for entry in fs::read_dir(self.own.path().join("told")).unwrap() {
            let entry = entry.unwrap();
            let of = entry.file_name().into_string().unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            let lines = text.lines().map(|line| {
                let (version, event) = line.split_once(' ').unwrap();
                (
                    version.parse().unwrap(),
                    serde_json::from_str(event).unwrap(),
                )
            });
            told.entry(of).or_default().extend(lines);
        }
        told
    }

    /// Returns who was told twice at the same time.
    pub(super) fn overlaps(&self) -> String {
        let scripts = fs::read_to_string(self.own.path().join("overlaps"));
        scripts.unwrap_or_default() + &self.hook.overlaps().join("\n")
    }

    /// Returns what the daemon holds on to: descriptors by kind, threads of journals, children.
    ///
    /// A connection to the server of webhooks may be kept for each source of events, or not. There
    /// is nothing to return while the daemon still lets go of somebody who asked it something.
    pub(super) fn holdings(&self) -> Option<BTreeMap<String, usize>> {
        let pid = self.daemon.pid();
        let links = links(pid);
        let (calls, asked) = (self.hook.connections(), self.asked());
        if links != self::links(pid) {
            return None;
        }
        let mut holdings = BTreeMap::new();
        let mut hold = |what: &str| *holdings.entry(what.to_owned()).or_insert(0) += 1;
        for target in links.into_values() {
            // The number tells it from others of its kind.
            match target.strip_suffix(']').and_then(|it| it.split_once(":[")) {
                Some((_, number)) if asked.contains(number) => return None,
                Some((_, number)) if calls.contains(number) => hold(CALL),
                Some((kind, _)) => hold(kind),
                None => hold(&target),
            }
        }
        for entry in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let name = fs::read_to_string(entry.unwrap().path().join("comm"));
            let name = name.unwrap_or_default();
            if name.starts_with("journal") {
                hold(&format!("thread {}", name.trim()));
            }
        }
        for _ in children(pid) {
            hold("child");
        }
        if holdings.get(CALL).is_some_and(|it| *it <= SOURCES) {
            holdings.remove(CALL);
        }
        Some(holdings)
    }

    /// Returns the numbers of sockets by which somebody asked the daemon something.
    fn asked(&self) -> BTreeSet<String> {
        let table = fs::read_to_string("/proc/net/unix").unwrap();
        let lines = table
            .lines()
            .map(|it| it.split_whitespace().collect::<Vec<_>>());
        // A connection has the path of what it was accepted by, which alone has a flag.
        let is_asked = |it: &Vec<&str>| it.len() > 7 && it[7].starts_with(&self.places.dir);
        let asked = lines.filter(|it| is_asked(it) && it[3] == "00000000");
        asked.map(|it| it[6].to_owned()).collect()
    }

    /// Returns a file in the daemon's directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.daemon.path(name)
    }

    /// Ends the daemon in order, and starts it again.
    pub(super) fn again(mut self) -> Self {
        self.daemon = self.daemon.again(Signal::TERM, |_| ());
        self.daemon.says(&["ready"]);
        self
    }

    pub(super) fn end(self) {
        self.daemon.end();
        assert_eq!(self.sandbox.end(Signal::TERM), Some(0));
    }
}

/// Returns what each descriptor of a process is.
fn links(pid: u32) -> BTreeMap<OsString, String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let entries = entries.map(|it| it.unwrap());
    // It may be closed while we look.
    let links = entries.filter_map(|it| {
        let target = fs::read_link(it.path()).ok()?;
        Some((it.file_name(), target.to_str().unwrap().to_owned()))
    });
    links.collect()
}
