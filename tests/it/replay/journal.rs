//! Journals that wardens left behind, and one that was tampered with.

use std::path::Path;
use std::sync::Arc;

use dbwarden::event::{Event, Kind, Subject};
use dbwarden::exchange::Observation;
use dbwarden::journal::{Batch, Journal, JournalSettings};
use dbwarden::model::{
    self, Address, PeerSeen, ProcessSeen, Role, Sighting, Snapshot, Status, StatusSeen,
};
use dbwarden::policy::Policy;
use dbwarden::supervisor::{Accepted, Effect, Input, Settings};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;
use serde_json::Value;

use super::{CONFIG, in_sources, replay, replayed, text, without};

/// When the life on record begins.
const START: u64 = 1_772_000_000;

fn peer(number: u32) -> PeerSeen {
    PeerSeen {
        agent_id: format!("agent-{number}").as_str().into(),
        address: Address::new(format!("db{number}"), 48_004),
        is_broker: true,
        hostname: "".into(),
        version: "".into(),
    }
}

fn engine(number: u32, role: Role, pid: u32) -> ProcessSeen {
    ProcessSeen {
        agent_id: format!("agent-{number}").as_str().into(),
        database: "teas".into(),
        pid,
        port: None,
        role,
        status: Some(StatusSeen {
            status: Status::Up,
            word: "RUNNING".into(),
        }),
        hostname: "".into(),
        version: "".into(),
        node_id: None,
        start_id: None,
    }
}

/// A warden whose life is written down.
struct Life {
    warden: Warden,
    journal: Journal,
}

impl Life {
    fn begin(dir: &Path) -> Self {
        let mut settings = Settings::new("prod".into());
        settings.policies = vec![Policy::default()];
        let model = model::Settings::default();
        let (journal, _) = Journal::open(dir, JournalSettings::default()).unwrap();
        let warden = Warden::new(model.clone(), settings.clone());
        let mut life = Self { warden, journal };
        let supervisor = settings;
        life.feed(0, Input::Began(Arc::new(Accepted { model, supervisor })));
        life
    }

    fn feed(&mut self, second: u64, input: Input) {
        let at = Timestamp::from_micros((START + second) * 1_000_000);
        let now = Moment::simulated(at);
        let mut effects = Vec::new();
        self.warden.handle(now, input.clone(), &mut effects);
        let events = effects.into_iter().filter_map(|it| match it {
            Effect::Raise(event) => Some(event),
            Effect::Answer { .. } | Effect::Do(_) => None,
        });
        self.journal.write(Batch {
            inputs: vec![(now, input)],
            events: events.collect(),
            facts: self.warden.drain_facts(),
        });
    }

    fn sighted(&mut self, second: u64, sighting: Sighting) {
        self.feed(second, Input::Observed(Observation::Sighted(sighting)));
    }

    /// An engine fails, nobody may start it, and a person does so five minutes later.
    fn lose_an_engine(&mut self) {
        let snapshot = Snapshot {
            domain: "prod".into(),
            entry: peer(1),
            peers: vec![peer(2)],
            processes: vec![engine(1, Role::Sm, 10), engine(1, Role::Te, 11)],
        };
        self.feed(1, Input::Observed(Observation::Snapshot(snapshot)));
        self.feed(10, Input::Timeout);
        self.sighted(600, Sighting::ProcessGone(engine(1, Role::Te, 11)));
        self.feed(601, Input::Timeout);
        self.sighted(900, Sighting::ProcessJoined(engine(2, Role::Te, 12)));
        self.feed(1_200, Input::Timeout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_decided_once_more_as_it_was_and_then_by_the_policy() {
    let state = tempfile::tempdir().unwrap();
    let dir = state.path().join("prod");
    let mut life = Life::begin(&dir);
    life.lose_an_engine();
    let running = replayed(state.path(), &[]);
    life.journal.close().await;
    for (said, why) in [
        (replayed(&dir, &[]), "by itself"),
        (replayed(state.path(), &[]), "by its domain"),
    ] {
        assert_eq!(said["again"]["difference"], Value::Null, "{why}");
        assert_eq!(said["again"]["inputs"], 7, "{why}");
        assert!(said["again"]["same_events"].as_u64().unwrap() > 5, "{why}");
        let [then, kind, harsh] = without(&said);
        assert!((299.0..301.0).contains(&then), "{why}: {then}");
        assert!(kind < 5.0 && harsh < 5.0, "{why}: {kind} {harsh}");
    }
    assert_eq!(running["again"]["difference"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_not_decided_so_is_a_line_and_ends_in_1() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path());
    life.lose_an_engine();
    let now = Moment::simulated(Timestamp::from_micros((START + 1_200) * 1_000_000));
    let kind = Kind::ActionStarted;
    life.journal.write(Batch {
        events: vec![Event::new(
            now,
            Some("prod".into()),
            kind,
            Subject::default(),
        )],
        ..Batch::default()
    });
    life.journal.close().await;
    let output = replay(dir.path(), &in_sources(CONFIG), &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("decided otherwise than on record"), "{said}");
    assert!(said.contains("on record: {"), "{said}");
}
