//! The sandbox with its churn, the daemon that dies, and its listeners.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use dbwarden::config::{self, DomainSettings};
use dbwarden::event::Recorded;
use dbwarden::journal::{Journal, JournalSettings, Recovered};
use dbwarden::listener::{Record, Source as _};
use dbwarden::model::Role;
use dbwarden::sandbox::serve::{DatabaseSettings, Sandbox, Settings};
use dbwarden::sandbox::world::{Fault, NextStart, Pace, PeerNumber};
use dbwarden::supervisor::Input;
use dbwarden::time::Moment;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use super::ears::{Ear, Letters};
use super::hook::Hook;

/// Where the daemon watches the sandbox at `BROKER`, and tells the three at `DIR` and `PORT`.
const CONFIG: &str = include_str!("killed.toml");

/// Takes its time for each event. A daemon may die before it has said which.
const SLOW: &str = r#"
    read -r line || exit 1
    sleep 0.005
    printf '%s\n' "$line" >> "$1/slow.told"
"#;

/// Runs on, and refuses every third event while there is a storm.
const THIRDS: &str = r#"
    n=0
    while read -r line; do
        n=$((n + 1))
        id=${line#*\"id\":\"}
        id=${id%%\"*}
        if [ -e "$1/storm" ] && [ $((n % 3)) = 0 ]; then
            printf '{"id":"%s","error":"it is a third one"}\n' "$id"
        else
            printf '%s\n' "$line" >> "$1/thirds.told"
            echo "$id"
        fi
    done
"#;

/// So many looks, ten in a second, may show the same thing missing.
const PATIENCE: u32 = 600;

/// How many engines there are, and shall be.
const ENGINES: u16 = 2;

/// All that there is.
pub(super) struct Stage {
    dir: TempDir,
    sandbox: Sandbox,
    hook: Hook,
    daemon: Option<Child>,
    dice: Dice,
}

/// What a daemon left behind in one of its journals, copied before anybody else looks at it.
pub(super) struct Left {
    /// Keeps the copy.
    _dir: TempDir,
    pub(super) journal: Journal,
    pub(super) recovered: Recovered,
}

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

impl Stage {
    pub(super) async fn set(seed: u64) -> Self {
        let sandbox = Sandbox::start(Settings {
            peers: 4,
            pace: Pace::scaled(0),
            databases: vec![DatabaseSettings {
                name: "teas".to_owned(),
                te: ENGINES,
                sm: 1,
            }],
            engine_program: Some(env!("CARGO_BIN_EXE_dbwarden").into()),
            ..Settings::default()
        })
        .await
        .unwrap();
        let hook = Hook::start().await;
        let dir = TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        };
        let config = CONFIG
            .replace("DIR", dir.path().to_str().unwrap())
            .replace("BROKER", &sandbox.peers()[0].address.to_string())
            .replace("PORT", &hook.port.to_string());
        write("config.toml", &config);
        write("password", "bird");
        write("slow.sh", SLOW);
        write("thirds.sh", THIRDS);
        write("slow.told", "");
        write("thirds.told", "");
        write("storm", "");
        Self {
            dir,
            sandbox,
            hook,
            daemon: None,
            dice: Dice(seed),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Returns what the server took.
    pub(super) fn heard(&self) -> Vec<Value> {
        self.hook.taken()
    }

    /// Returns how the daemon watches the domain, but for what it draws itself.
    pub(super) fn settings(&self) -> DomainSettings {
        let config = config::load(&self.path("config.toml")).unwrap();
        config.domains.into_iter().next().unwrap()
    }

    /// Starts the daemon on what is left of the last one.
    pub(super) fn start(&mut self) {
        let mut log = OpenOptions::new();
        let log = log.create(true).append(true).open(self.path("log"));
        let daemon = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
            .args(["run", "--config"])
            .arg(self.path("config.toml"))
            .stdin(Stdio::null())
            .stderr(log.unwrap())
            .spawn();
        self.daemon = Some(daemon.unwrap());
    }

    /// Kills engines and has starts fail for a while.
    pub(super) async fn churn(&mut self) {
        // Often before it has even begun, often in the middle of something.
        let longest = [60, 600, 2_000][usize::try_from(self.dice.below(3)).unwrap()];
        let mut left = 1 + self.dice.below(longest);
        while left > 0 {
            let pause = (1 + self.dice.below(60)).min(left);
            sleep(Duration::from_millis(pause)).await;
            left -= pause;
            let alive = self.daemon.as_mut().unwrap().try_wait().unwrap().is_none();
            assert!(alive, "the daemon ended by itself: {}", self.log());
            if self.dice.below(4) > 0 {
                self.kill_engine().await;
            } else {
                let peer = PeerNumber(1 + u16::try_from(self.dice.below(4)).unwrap());
                let how = NextStart::Fail {
                    reason: "bad weather".into(),
                };
                self.sandbox
                    .control(Fault::FailNext { peer, how })
                    .await
                    .unwrap();
            }
        }
    }

    async fn kill_engine(&mut self) {
        let engines = self.sandbox.engines().await.unwrap();
        let engines: Vec<_> = engines.iter().filter(|it| it.role == Role::Te).collect();
        let Some(count) = u64::try_from(engines.len()).ok().filter(|it| *it > 0) else {
            return;
        };
        let engine = engines[usize::try_from(self.dice.below(count)).unwrap()];
        // It may have gone by itself.
        let _ = kill_process(pid(engine.pid), Signal::KILL);
    }

    /// Kills the daemon.
    pub(super) fn kill(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        daemon.kill().unwrap();
        daemon.wait().unwrap();
    }

    /// Looks at what the daemon left behind in a journal, and leaves it as it is.
    pub(super) fn left(&self, journal: &str) -> Left {
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

    /// Ends the storm, and waits until everything is as it should be and everybody was told; who
    /// was not is told again. Returns what was given up before.
    pub(super) async fn rest(&mut self) -> Letters {
        fs::remove_file(self.path("storm")).unwrap();
        self.hook.calm();
        let mut letters = Letters::new();
        let mut missing = String::new();
        let mut looks = 0;
        while let Err(it) = self.missing(&mut letters).await {
            looks = if it == missing { looks + 1 } else { 0 };
            missing = it;
            let is_stuck = looks > PATIENCE;
            assert!(!is_stuck, "it never rests: {missing}\n{}", self.log());
            sleep(Duration::from_millis(100)).await;
        }
        letters
    }

    /// Returns what is not as it should be yet.
    async fn missing(&self, letters: &mut Letters) -> Result<(), String> {
        let Some(dead) = self.ask(&["deadletters", "list", "--json"]) else {
            return Err("it does not answer".to_owned());
        };
        let dead = dead[0].as_array().unwrap();
        if !dead.is_empty() {
            letters.extend(dead.iter().map(|it| {
                let text = |it: &Value| it.as_str().unwrap().to_owned();
                (text(&it["listener"]), text(&it["event"]["id"]))
            }));
            if dead.iter().any(|it| it["replayed"] == false) {
                self.ask(&["deadletters", "replay", "--all", "--json"]);
            }
            return Err(format!("dead letters: {}", Value::from(dead.clone())));
        }
        let engines = self.sandbox.engines().await.unwrap();
        let running = engines.iter().filter(|it| it.status == Some("RUNNING"));
        if running.count() != usize::from(ENGINES) + 1 {
            return Err(format!("{engines:?}"));
        }
        let events = self.ask(&["events", "--json"]);
        let events = events.unwrap_or_default();
        let told = |name: &str| fs::read_to_string(self.path(name)).unwrap();
        let ears = [
            ("slow", Ear::new("slow", lines(&told("slow.told")))),
            ("thirds", Ear::new("thirds", lines(&told("thirds.told")))),
            ("hangs", Ear::new("hangs", self.heard())),
        ];
        for (name, ear) in ears {
            let heard: BTreeSet<String> = ear.ids();
            let missing = events
                .iter()
                .filter(|it| Ear::wants(name, it))
                .find(|it| !heard.contains(it["id"].as_str().unwrap()));
            if let Some(event) = missing {
                return Err(format!("{name} has not heard of {event}"));
            }
        }
        Ok(())
    }

    /// Asks the daemon, and returns each line of its answer.
    fn ask(&self, args: &[&str]) -> Option<Vec<Value>> {
        let output = Command::new(env!("CARGO_BIN_EXE_dbwarden"))
            .args(args)
            .env("DBWARDEN_SOCKET", self.path("socket"))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| lines(&text))
    }

    /// Ends the daemon in order.
    pub(super) fn end(&mut self) {
        let mut daemon = self.daemon.take().unwrap();
        kill_process(pid(daemon.id()), Signal::TERM).unwrap();
        let status = daemon.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // It runs only if the test failed.
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

impl Left {
    /// Returns every event as others see it; there is no gap.
    pub(super) async fn told(&self) -> Vec<Value> {
        let mut told = Vec::new();
        for recorded in self.events(0).await {
            let line = Record::new(&recorded).to_line();
            told.push(serde_json::from_str(&line).unwrap());
        }
        told
    }

    /// Returns what was fed behind that number, and moves the number on.
    pub(super) async fn inputs(&self, after: &mut u64) -> Vec<(Moment, Input)> {
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
    pub(super) async fn events(&self, mut after: u64) -> Vec<Arc<Recorded>> {
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

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.try_into().unwrap()).unwrap()
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines();
    // The last one may be half written.
    lines
        .map_while(|it| serde_json::from_str(it).ok())
        .collect()
}
