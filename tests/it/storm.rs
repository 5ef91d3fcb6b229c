//! What the storms have in common: how long they rage, a daemon that may be killed and goes on
//! with what is left, and what it left behind.
//!
//! It judges nothing.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use dbwarden::config::{self, DomainSettings};
use dbwarden::event::Recorded;
use dbwarden::journal::{Journal, JournalSettings, Recovered};
use dbwarden::listener::{Record, Source as _};
use dbwarden::supervisor::Input;
use dbwarden::time::Moment;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// How many rounds are played unless `DBWARDEN_ROUNDS` says otherwise.
pub(crate) const ROUNDS: u64 = 20;

/// Returns a number from the environment.
pub(crate) fn number(name: &str, otherwise: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(otherwise, |it| it.parse().expect("it is a number"))
}

/// Returns how many rounds are to be played, and the seed of the first.
pub(crate) fn rounds() -> (u64, u64) {
    let rounds = number("DBWARDEN_ROUNDS", ROUNDS);
    (rounds, number("DBWARDEN_SEED", 0))
}

/// The real daemon in a directory of its own, which outlives it.
pub(crate) struct House {
    dir: TempDir,
    child: Option<Child>,
}

impl House {
    /// Makes the directory, with a configuration in which `DIR` stands for it. Its socket is
    /// `socket` there, and its state `state`.
    pub(crate) fn build(config: &str) -> Self {
        let house = Self {
            dir: TempDir::new().unwrap(),
            child: None,
        };
        let dir = house.dir.path().to_str().unwrap();
        house.write("config.toml", &config.replace("DIR", dir));
        house.write("password", "bird");
        house.write("wrong", "brid");
        house
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns how the daemon watches its domain, but for what it draws itself.
    pub(crate) fn settings(&self) -> DomainSettings {
        let config = config::load(&self.path("config.toml")).unwrap();
        config.domains.into_iter().next().unwrap()
    }

    /// Starts the daemon on what is left of the last one.
    pub(crate) fn start(&mut self) {
        let mut log = OpenOptions::new();
        let log = log.create(true).append(true).open(self.path("log"));
        let daemon = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
            .args(["run", "--config"])
            .arg(self.path("config.toml"))
            .stdin(Stdio::null())
            .stderr(log.unwrap())
            .spawn();
        self.child = Some(daemon.unwrap());
    }

    /// Returns whether the daemon was started and has not ended by itself.
    pub(crate) fn is_alive(&mut self) -> bool {
        let child = self.child.as_mut();
        child.is_some_and(|it| it.try_wait().unwrap().is_none())
    }

    /// Kills the daemon.
    pub(crate) fn kill(&mut self) {
        let mut daemon = self.child.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Ends the daemon in order.
    pub(crate) fn end(&mut self) {
        let mut daemon = self.child.take().unwrap();
        kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
        let status = daemon.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Runs a client of the daemon, and returns each line of its answer if it has one.
    pub(crate) fn ask(&self, args: &[&str]) -> Option<Vec<Value>> {
        let output = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
            .args(args)
            .env("DBWARDEN_SOCKET", self.path("socket"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| lines(&text))
    }

    /// Asks the daemon for a document, without a program between.
    pub(crate) async fn get(&self, path: &str) -> Option<String> {
        let mut stream = UnixStream::connect(self.path("socket")).await.ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: dbwarden\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.contains(" 200 ").then(|| body.to_owned())
    }

    /// Returns the state of its only domain, if the daemon answers and has begun.
    pub(crate) async fn domain(&self) -> Option<Value> {
        let body = self.get("/api/v1/status").await?;
        let mut status: Value = serde_json::from_str(&body).unwrap();
        Some(status["domains"].get_mut(0)?.take())
    }

    /// Looks at what the daemon left behind in a journal, and leaves it as it is.
    pub(crate) fn left(&self, journal: &str) -> Left {
        let from = self.path("state").join(journal);
        let dir = TempDir::new().unwrap();
        // A daemon that was killed early has left nothing.
        for file in fs::read_dir(from).into_iter().flatten() {
            let file = file.unwrap();
            fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
        let (journal, recovered) = Journal::open(dir.path(), JournalSettings::default()).unwrap();
        Left {
            _dir: dir,
            journal,
            recovered,
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // It runs only if the test failed.
        if let Some(mut daemon) = self.child.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

/// What a daemon left behind in one of its journals, copied before anybody else looks at it.
pub(crate) struct Left {
    /// Keeps the copy.
    _dir: TempDir,
    journal: Journal,
    pub(crate) recovered: Recovered,
}

impl Left {
    /// Returns every event as others see it; there is no gap.
    pub(crate) async fn told(&self) -> Vec<Value> {
        let mut told = Vec::new();
        for recorded in self.events(0).await {
            let line = Record::new(&recorded).to_line();
            told.push(serde_json::from_str(&line).unwrap());
        }
        told
    }

    /// Returns what was fed behind that number, and moves the number on.
    pub(crate) async fn inputs(&self, after: &mut u64) -> Vec<(Moment, Input)> {
        let mut inputs = Vec::new();
        loop {
            let page = self.journal.inputs(*after, 1_000).await.unwrap();
            let Some((number, ..)) = page.last() else {
                return inputs;
            };
            *after = *number;
            inputs.extend(page.into_iter().map(|(_, now, input)| (now, input)));
        }
    }

    /// Returns the events behind a number; there is no gap.
    pub(crate) async fn events(&self, mut after: u64) -> Vec<Arc<Recorded>> {
        let mut events = Vec::new();
        loop {
            let page = self.journal.read(after, 1_000).await.unwrap();
            assert_eq!(page.gap, None);
            if page.events.is_empty() {
                assert_eq!(after, self.recovered.last_seq);
                return events;
            }
            for event in page.events {
                assert_eq!(event.seq, after + 1, "numbers have no gap");
                after = event.seq;
                events.push(event);
            }
        }
    }
}

/// Reads a line of JSON after the other; the last one may be half written.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    lines
        .map_while(|it| serde_json::from_str(it).ok())
        .collect()
}
