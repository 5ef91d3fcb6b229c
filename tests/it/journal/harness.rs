//! A journal in a directory of its own, batches to fill it with, and images of a crash.
//!
//! It asserts nothing by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dbwarden::event::{Event, Kind, Recorded, Subject};
use dbwarden::exchange::Observation;
use dbwarden::journal::{
    Batch, Health, Journal, JournalError, JournalSettings, Progress, Recovered, Ticket,
};
use dbwarden::listener::Source;
use dbwarden::model::{ProcessSeen, Role, Sighting};
use dbwarden::supervisor::{Fact, FactChange, FactKey, FailureFact, Input};
use dbwarden::time::{Moment, Timestamp};
use tempfile::TempDir;
use tokio::time::timeout;

/// Longer than anything takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn at(micros: u64) -> Moment {
    Moment::simulated(Timestamp::from_micros(micros))
}

pub(crate) fn event(micros: u64, text: &str) -> Event {
    let domain = Some("prod".into());
    let mut event = Event::new(at(micros), domain, Kind::ProcessFailed, Subject::default());
    event.subject.database = Some("teas".into());
    event.text = Some(text.into());
    event
}

pub(crate) fn input(pid: u32) -> Input {
    Input::Observed(Observation::Sighted(Sighting::ProcessGone(ProcessSeen {
        agent_id: "agent-1".into(),
        database: "teas".into(),
        pid,
        port: Some(48_005),
        role: Role::Te,
        status: None,
        hostname: "".into(),
        version: "".into(),
        node_id: None,
        start_id: None,
    })))
}

pub(crate) fn fact(peer: &str, micros: u64) -> Fact {
    Fact::Failure(FailureFact {
        database: "teas".into(),
        role: Role::Te,
        peer: peer.into(),
        at: Timestamp::from_micros(micros),
        is_out: false,
    })
}

pub(crate) fn forgotten(peer: &str) -> FactChange {
    FactChange {
        key: FactKey::failure(&peer.into(), &"teas".into(), Role::Te),
        fact: None,
    }
}

/// Returns a batch with an input, an event and a fact.
pub(crate) fn batch(number: u64) -> Batch {
    let pid = u32::try_from(number).unwrap();
    let name = format!("peer-{}", number % 50);
    Batch {
        inputs: vec![(at(number), input(pid))],
        events: vec![event(number, &format!("event {number}"))],
        facts: vec![fact(&name, number).into()],
    }
}

/// Returns what every fact is, in an order.
pub(crate) fn told(facts: &[Fact]) -> Vec<String> {
    let mut told: Vec<String> = facts.iter().map(|it| format!("{it:?}")).collect();
    told.sort();
    told
}

/// Tells apart fast: short pauses, no limits.
pub(crate) fn settings() -> JournalSettings {
    JournalSettings {
        backup_every: Duration::from_millis(20),
        probe_every: Duration::from_millis(20),
        remembered: 8,
        ..JournalSettings::default()
    }
}

/// A directory that holds a journal, and goes with the test.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub(crate) fn open(&self) -> (Journal, Recovered) {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<(Journal, Recovered), JournalError> {
        Journal::open(self.path(), settings())
    }

    /// Returns a copy of the files as they are, as if the machine had ended now.
    pub(crate) fn image(&self) -> Self {
        let image = Self::new();
        for entry in fs::read_dir(self.path()).unwrap() {
            let entry = entry.unwrap();
            // A temporary file may be renamed meanwhile.
            let _ = fs::copy(
                entry.path(),
                image.file(entry.file_name().to_str().unwrap()),
            );
        }
        image
    }

    /// Returns the names of the files that were moved aside.
    pub(crate) fn damaged(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut damaged: Vec<String> = names.filter(|it| it.contains(".damaged-")).collect();
        damaged.sort();
        damaged
    }
}

/// Waits until a batch is on the disk.
pub(crate) async fn committed(journal: &Journal, ticket: Ticket) {
    until(journal, |it| it.ticket >= ticket).await;
}

/// Waits until the journal is as wanted.
pub(crate) async fn until(journal: &Journal, is_so: impl Fn(&Progress) -> bool) -> Progress {
    let mut progress = journal.progress();
    let waited = timeout(PATIENCE, progress.wait_for(is_so)).await;
    waited.expect("it comes in time").unwrap().clone()
}

pub(crate) async fn writable(journal: &Journal) {
    until(journal, |it| it.health == Health::Writable).await;
}

/// Waits until a file is there, for a thread makes it.
pub(crate) async fn appears(path: &Path) {
    let look = async {
        while !path.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("it comes in time");
}

/// Returns every event, page by page, and the numbers that are lost.
pub(crate) async fn events(journal: &Journal) -> (Vec<Arc<Recorded>>, Vec<u64>) {
    let (mut all, mut lost, mut after) = (Vec::new(), Vec::new(), 0);
    while after < journal.last_seq() {
        let page = journal.read(after, 7).await.unwrap();
        if let Some(gap) = page.gap {
            after = *gap.end();
            lost.extend(gap);
        }
        after = page.events.last().map_or(after, |it| it.seq);
        all.extend(page.events);
    }
    (all, lost)
}

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// Returns a number below `sides`.
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 16) % sides
    }
}
