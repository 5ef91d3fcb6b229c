//! A daemon in a process of its own, what it tells a listener, and what it says of itself.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use dbwarden::sandbox::serve::Sandbox;
use dbwarden::sandbox::world::PeerNumber;
use serde_json::Value;
use tokio::time::sleep;

use super::LONG;
use crate::storm::House;

/// How often it is looked at.
const STEP: Duration = Duration::from_millis(10);

/// How a round begins.
pub(super) struct Setup<'a> {
    /// The brokers as the configuration names them.
    pub(super) brokers: &'a [String],
    pub(super) strategy: &'a str,
    /// `password` or `wrong`.
    pub(super) password: &'a str,
    pub(super) reconnect_max: &'a str,
    /// More keys of the domain.
    pub(super) more: &'a str,
}

/// Everything of a domain is told to a script, as soon as it can be; all else is done at a
/// fiftieth of the usual times.
fn config(setup: &Setup<'_>) -> String {
    let Setup {
        brokers,
        strategy,
        password,
        reconnect_max,
        more,
    } = setup;
    format!(
        "
        [daemon]
        state-directory = \"DIR/state\"
        socket = \"DIR/socket\"
        mode = \"observe\"

        [[domain]]
        name = \"prod\"
        brokers = {brokers:?}
        strategy = \"{strategy}\"
        user = \"domain\"
        password = {{ file = \"DIR/{password}\" }}
        probe-interval = \"200ms\"
        reconnect-first = \"10ms\"
        reconnect-max = \"{reconnect_max}\"
        dial-timeout = \"2s\"
        settle = \"20ms\"
        # A slow machine tells late what belongs together.
        exit-settle = \"500ms\"
        {more}

        [[policy]]
        return-grace = \"1s\"

        [[listener]]
        name = \"script\"
        kind = \"exec\"
        command = [\"/bin/sh\", \"-c\", \"cat >> DIR/told\"]
        events = [\"peer\", \"database\", \"process\", \"healing\", \"domain\"]
        "
    )
}

/// Something that a listener was told.
#[derive(Debug)]
pub(super) struct Told {
    /// When it was seen that it was told.
    pub(super) at: Duration,
    pub(super) event: Value,
}

impl Told {
    pub(super) fn kind(&self) -> &str {
        self.event["event"].as_str().unwrap()
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.event["pid"].as_u64()?.try_into().ok()
    }
}

/// A daemon that watches a domain.
pub(super) struct Watch {
    house: House,
    began: Instant,
    /// Every event, as the listener was told.
    pub(super) told: Vec<Told>,
    /// How much of what the listener writes was read, and the beginning of a line.
    read: (u64, String),
    /// The state of the domain, as far as the daemon answered.
    pub(super) status: Value,
    trace: VecDeque<String>,
}

impl Watch {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is what reads the clock here"
    )]
    pub(super) fn start(setup: &Setup<'_>) -> Self {
        let house = House::build(&config(setup));
        house.write("told", "");
        let mut watch = Self {
            house,
            began: Instant::now(),
            told: Vec::new(),
            read: (0, String::new()),
            status: Value::Null,
            trace: VecDeque::new(),
        };
        watch.resume();
        watch
    }

    /// Starts the daemon again, with the memory it has.
    pub(super) fn resume(&mut self) {
        self.house.start();
    }

    /// Ends the daemon in order, which takes what is to be told along.
    pub(super) fn end(&mut self) {
        self.house.end();
        self.read_told();
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns which peer tells at present.
    pub(super) fn entry(&self, sandbox: &Sandbox) -> Option<PeerNumber> {
        let entry = self.status["entry"].as_str()?;
        let peers = self.status["peers"].as_array()?;
        let peer = peers.iter().find(|it| it["peer"] == entry)?;
        number_of(sandbox, peer)
    }

    /// Returns whether something was told of this kind since so many events.
    pub(super) fn was_told(&self, since: usize, kind: &str) -> bool {
        self.told[since..].iter().any(|it| it.kind() == kind)
    }

    /// Watches until something holds.
    pub(super) async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = self.now() + LONG;
        while !holds(self) {
            let story = || self.story();
            assert!(
                self.now() < deadline,
                "never came about: {what}\n{}",
                story()
            );
            self.turn().await;
        }
    }

    /// Watches for a while.
    pub(super) async fn pass(&mut self, pause: Duration) {
        let until = self.now() + pause;
        while self.now() < until {
            self.turn().await;
        }
    }

    async fn turn(&mut self) {
        sleep(STEP).await;
        self.read_told();
        if let Some(domain) = self.house.domain().await {
            self.status = domain;
        }
    }

    fn read_told(&mut self) {
        let mut file = File::open(self.house.path("told")).unwrap();
        file.seek(SeekFrom::Start(self.read.0)).unwrap();
        let mut text = String::new();
        self.read.0 += file.read_to_string(&mut text).unwrap() as u64;
        let mut rest = std::mem::take(&mut self.read.1) + &text;
        while let Some(end) = rest.find('\n') {
            let event: Value = serde_json::from_str(&rest[..end]).unwrap();
            rest.drain(..=end);
            self.hear(event);
        }
        self.read.1 = rest;
    }

    fn hear(&mut self, event: Value) {
        let mut line = String::new();
        for key in ["seq", "event", "peer", "pid", "cause", "snapshot", "text"] {
            if let Some(value) = event.get(key) {
                write!(line, " {value}").unwrap();
            }
        }
        self.note(&format!("  told{line}"));
        // After a timeout nobody knows whether it was told, so it may be told again.
        if self.told.iter().all(|it| it.event["id"] != event["id"]) {
            let at = self.now();
            self.told.push(Told { at, event });
        }
    }

    /// Returns all that is in the journal.
    pub(super) async fn journal(&self) -> Vec<Value> {
        let body = self.house.get("/api/v1/events?domain=prod").await.unwrap();
        let lines = body.lines();
        lines.map(|it| serde_json::from_str(it).unwrap()).collect()
    }

    /// Writes something into the story.
    pub(super) fn note(&mut self, text: &str) {
        let millis = self.now().as_millis();
        self.trace.push_back(format!("{millis} {text}"));
        if self.trace.len() > 200 {
            self.trace.pop_front();
        }
    }

    pub(super) fn story(&self) -> String {
        let mut story = String::new();
        for line in &self.trace {
            writeln!(story, "{line}").unwrap();
        }
        let log = self.house.log();
        let status = &self.status;
        story + &format!("the status: {status:#}\nits log:\n{log}")
    }
}

/// Returns which peer an entry of the status is about.
pub(super) fn number_of(sandbox: &Sandbox, peer: &Value) -> Option<PeerNumber> {
    let (_, port) = peer["address"].as_str()?.rsplit_once(':')?;
    let port: u16 = port.parse().unwrap();
    let found = sandbox
        .peers()
        .iter()
        .find(|it| it.address.port() == port)?;
    Some(found.number)
}
