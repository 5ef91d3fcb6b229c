//! Whatever the order of messages, the live part of the model is what a fresh snapshot gives.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::time::Timestamp;

mod doubts;
mod identity;

fn peer(agent: &str, port: u16) -> PeerSeen {
    PeerSeen {
        agent_id: agent.into(),
        address: Address::new("10.0.0.1", port),
        is_broker: true,
        hostname: "host".into(),
        version: "3.0".into(),
    }
}

fn process(agent: &str, pid: u32) -> ProcessSeen {
    ProcessSeen {
        agent_id: agent.into(),
        database: "teas".into(),
        pid,
        port: None,
        role: Role::Te,
        status: None,
        hostname: "host".into(),
        version: "3.0".into(),
        node_id: None,
        start_id: None,
    }
}

fn with_status(mut seen: ProcessSeen, status: Status, word: &str) -> ProcessSeen {
    let word = word.into();
    seen.status = Some(StatusSeen { status, word });
    seen
}

fn running(agent: &str, pid: u32) -> ProcessSeen {
    with_status(process(agent, pid), Status::Up, "RUNNING")
}

/// A model with the entry peer `a` and the peer `b`, and what it says about a run of sightings.
struct Story {
    model: Model,
    now: Timestamp,
    told: Vec<String>,
}

impl Story {
    fn new() -> Self {
        let mut story = Self {
            model: Model::new(Settings::default()),
            now: Timestamp::from_micros(1_000_000),
            told: Vec::new(),
        };
        story.snapshot(vec![peer("b", 2)], Vec::new());
        story.told.clear();
        story
    }

    fn lose(&mut self) -> &mut Self {
        self.model.lose(self.now);
        self
    }

    /// A snapshot of any peer's.
    fn snapshot_of(&mut self, snapshot: Snapshot) -> &mut Self {
        let mut changes = Vec::new();
        self.model.snapshot(self.now, snapshot, &mut changes);
        self.tell(changes);
        self
    }

    fn snapshot(&mut self, peers: Vec<PeerSeen>, processes: Vec<ProcessSeen>) {
        let snapshot = Snapshot {
            domain: "domain".into(),
            entry: peer("a", 1),
            peers,
            processes,
        };
        let mut changes = Vec::new();
        self.model.snapshot(self.now, snapshot, &mut changes);
        self.tell(changes);
    }

    fn see(&mut self, sighting: Sighting) -> &mut Self {
        let mut changes = Vec::new();
        self.model.observe(self.now, sighting, &mut changes);
        self.tell(changes);
        self
    }

    fn pass(&mut self, pause: Duration) -> &mut Self {
        self.now = self.now + pause;
        let mut changes = Vec::new();
        self.model.timeout(self.now, &mut changes);
        self.tell(changes);
        self
    }

    fn tell(&mut self, changes: Vec<Change>) {
        let pid = |id: ProcessId| self.model.process(id).map_or(0, |it| it.pid);
        let told = changes.into_iter().map(|change| match change {
            Change::DatabaseActive(_) => "database active".to_owned(),
            Change::DatabaseInactive(_) => "database inactive".to_owned(),
            Change::DatabaseJoined(_) => "database joined".to_owned(),
            Change::DatabaseLeft(_) => "database left".to_owned(),
            Change::PeerJoined(id) => format!("{} joined", self.model.peer(id).name),
            Change::PeerReturned(id) => format!("{} returned", self.model.peer(id).name),
            Change::PeerUnreachable(id) => format!("{} unreachable", self.model.peer(id).name),
            Change::ProcessEnded {
                process, ending, ..
            } => format!("{} ended: {ending:?}", process.pid),
            Change::ProcessJoined(id) => format!("{} joined", pid(id)),
            Change::ProcessReturned(id) => format!("{} returned", pid(id)),
            Change::ProcessUnreachable {
                id,
                with_peer: true,
            } => format!("{} unreachable", pid(id)),
            Change::ProcessUnreachable { id, .. } => format!("{} out of view", pid(id)),
            Change::StartFailed { reason, .. } => format!("start failed: {reason}"),
            Change::StatusChanged { id, before } => format!("{} was {before:?}", pid(id)),
        });
        let told: Vec<String> = told.collect();
        self.told.extend(told);
    }

    fn told(&mut self) -> String {
        std::mem::take(&mut self.told).join("; ")
    }
}

#[test]
fn a_process_that_nobody_stopped_failed_once_its_peer_is_seen_to_stay() {
    let mut story = Story::new();
    story.see(Sighting::ProcessJoined(running("b", 7)));
    assert_eq!(story.told(), "database joined; 7 joined; database active");
    story.see(Sighting::ProcessGone(process("b", 7)));
    assert_eq!(story.told(), "");
    story.pass(Duration::from_millis(50));
    assert_eq!(
        story.told(),
        "7 ended: Exit; database inactive; database left"
    );
}

#[test]
fn a_process_that_was_stopping_left() {
    let mut story = Story::new();
    story.see(Sighting::ProcessJoined(running("b", 7)));
    let leaving = with_status(process("b", 7), Status::Stopping, "SHUTTING_DOWN");
    story.see(Sighting::StatusChanged(leaving)).told();
    story.see(Sighting::ProcessGone(process("b", 7)));
    assert_eq!(story.told(), "7 ended: Requested; database left");
}

#[test]
fn a_process_goes_with_its_peer_whichever_is_told_first() {
    for exit_first in [true, false] {
        let mut story = Story::new();
        story.see(Sighting::ProcessJoined(running("b", 7))).told();
        let exit = Sighting::ProcessGone(process("b", 7));
        let loss = Sighting::PeerLost(peer("b", 2));
        let (first, second) = if exit_first {
            (exit, loss)
        } else {
            (loss, exit)
        };
        story.see(first).pass(Duration::from_millis(49)).see(second);
        story.pass(Duration::from_secs(60));
        assert_eq!(
            story.told(),
            "10.0.0.1:2 unreachable; 7 unreachable; database inactive"
        );
    }
}

#[test]
fn a_peer_that_returns_under_a_new_agent_id_brings_its_processes_back() {
    let mut story = Story::new();
    story.see(Sighting::ProcessJoined(running("b", 7)));
    story.see(Sighting::ProcessJoined(running("b", 8)));
    story.see(Sighting::PeerLost(peer("b", 2))).told();
    story.see(Sighting::PeerJoined(peer("b2", 2)));
    story.see(Sighting::ProcessJoined(running("b2", 7)));
    // Told late, by the life of the agent before: says nothing about what the new one sees.
    story.see(Sighting::ProcessGone(process("b", 7)));
    assert_eq!(
        story.told(),
        "10.0.0.1:2 returned; 7 returned; database active"
    );
    story.pass(Duration::from_secs(20));
    assert_eq!(story.told(), "8 ended: Unknown");
}

#[test]
fn an_agent_that_restarts_unnoticed_loses_what_it_does_not_find_again() {
    let mut story = Story::new();
    story.see(Sighting::ProcessJoined(running("b", 7))).told();
    story.see(Sighting::PeerJoined(peer("b2", 2)));
    story.see(Sighting::PeerLost(peer("b", 2)));
    assert_eq!(
        story.told(),
        "10.0.0.1:2 unreachable; 7 unreachable; database inactive; 10.0.0.1:2 returned"
    );
    story.pass(Duration::from_secs(20));
    assert_eq!(story.told(), "7 ended: Unknown; database left");
}

#[test]
fn a_status_told_before_its_process_joined_counts_and_the_older_one_does_not() {
    let mut story = Story::new();
    story.see(Sighting::StatusChanged(running("b", 7)));
    let mut joined = with_status(process("b", 7), Status::Starting, "ACTIVE");
    joined.start_id = Some("s1".into());
    story.see(Sighting::ProcessJoined(joined));
    assert_eq!(story.told(), "database joined; 7 joined; database active");
    let (_, known) = story.model.processes().next().unwrap();
    assert_eq!(
        (known.status, known.start_id.as_ref().unwrap().as_str()),
        (Status::Up, "s1")
    );
}

#[test]
fn a_reused_pid_is_another_life() {
    let mut story = Story::new();
    let mut first = running("b", 7);
    first.start_id = Some("s1".into());
    let mut second = running("b", 7);
    second.start_id = Some("s2".into());
    story.see(Sighting::ProcessJoined(first));
    story.told();
    story.see(Sighting::ProcessJoined(second));
    assert_eq!(
        story.told(),
        "7 ended: Unknown; database inactive; database left; database joined; 7 joined; \
         database active"
    );
}

// --- any interleaving --------------------------------------------------------------------------

/// What really happens to a small domain, in order.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Exit(Index),
    LosePeer(usize),
    ReturnPeer(usize, bool),
    Start {
        peer: usize,
        pid: u32,
        doubled: bool,
    },
    Status(Index, bool),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => any::<Index>().prop_map(Happening::Exit),
        1 => (1..4_usize).prop_map(Happening::LosePeer),
        2 => (1..4_usize, any::<bool>()).prop_map(|(peer, new)| Happening::ReturnPeer(peer, new)),
        5 => (0..4_usize, 1..5_u32, any::<bool>())
            .prop_map(|(peer, pid, doubled)| Happening::Start { peer, pid, doubled }),
        4 => (any::<Index>(), any::<bool>()).prop_map(|(it, up)| Happening::Status(it, up)),
    ]
}

/// The domain as it is, and the messages it gave rise to, each with the key whose order counts.
struct World {
    agents: Vec<(String, bool)>,
    engines: BTreeMap<(usize, u32), ProcessSeen>,
    messages: Vec<(Key, Sighting)>,
    starts: u32,
}

/// What the order of messages is kept for. A peer's own messages are in order; a process's are
/// too, but that its first status may be told before it joined.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Key {
    Free,
    Peer(usize),
    Process(usize, u32),
}

impl World {
    fn new() -> Self {
        Self {
            agents: (0..4).map(|it| (format!("agent-{it}-0"), true)).collect(),
            engines: BTreeMap::new(),
            messages: Vec::new(),
            starts: 0,
        }
    }

    fn peer(&self, index: usize) -> PeerSeen {
        peer(&self.agents[index].0, 1 + u16::try_from(index).unwrap())
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Start { peer, pid, doubled } => self.start(peer, pid, doubled),
            Happening::Exit(which) => {
                if let Some(key) = self.pick(which) {
                    let engine = self.engines.remove(&key).unwrap();
                    self.push(Key::Process(key.0, key.1), Sighting::ProcessGone(engine));
                }
            }
            Happening::Status(which, up) => {
                if let Some(key) = self.pick(which) {
                    let engine = self.engines.remove(&key).unwrap();
                    let engine = if up {
                        with_status(engine, Status::Up, "RUNNING")
                    } else {
                        with_status(engine, Status::Starting, "SYNCING")
                    };
                    self.engines.insert(key, engine.clone());
                    let mut told = engine;
                    told.start_id = None;
                    self.push(Key::Process(key.0, key.1), Sighting::StatusChanged(told));
                }
            }
            Happening::LosePeer(index) => self.lose(index),
            Happening::ReturnPeer(index, new_agent) => {
                if !self.agents[index].1 {
                    if new_agent {
                        self.starts += 1;
                        self.agents[index].0 = format!("agent-{index}-{}", self.starts);
                    }
                    self.agents[index].1 = true;
                    self.push(Key::Peer(index), Sighting::PeerJoined(self.peer(index)));
                }
            }
        }
    }

    fn start(&mut self, peer: usize, pid: u32, doubled: bool) {
        if !self.agents[peer].1 {
            return;
        }
        let agent = self.agents[peer].0.clone();
        if self.engines.contains_key(&(peer, pid)) {
            // The pid is taken, so the start fails, and is told of, now and then twice.
            for _ in 0..=u8::from(doubled) {
                let failed = Sighting::StartFailed {
                    agent_id: agent.as_str().into(),
                    start_id: None,
                    reason: "no".into(),
                };
                self.push(Key::Free, failed);
            }
            return;
        }
        self.starts += 1;
        let mut engine = with_status(process(&agent, pid), Status::Starting, "ACTIVE");
        engine.start_id = Some(format!("s{}", self.starts).as_str().into());
        engine.node_id = Some(self.starts);
        self.engines.insert((peer, pid), engine.clone());
        let key = Key::Process(peer, pid);
        let mut status = engine.clone();
        status.start_id = None;
        engine.status = None;
        engine.node_id = None;
        if doubled {
            self.push(key, Sighting::StatusChanged(status));
            self.push(key, Sighting::ProcessJoined(engine));
        } else {
            self.push(key, Sighting::ProcessJoined(engine));
            self.push(key, Sighting::StatusChanged(status));
        }
    }

    fn lose(&mut self, index: usize) {
        if !std::mem::replace(&mut self.agents[index].1, false) {
            return;
        }
        let loss = Sighting::PeerLost(self.peer(index));
        self.push(Key::Peer(index), loss);
        let pids: Vec<u32> = self
            .engines
            .range((index, 0)..=(index, u32::MAX))
            .map(|((_, pid), _)| *pid)
            .collect();
        for pid in pids {
            let engine = self.engines.remove(&(index, pid)).unwrap();
            self.push(Key::Process(index, pid), Sighting::ProcessGone(engine));
        }
    }

    fn pick(&self, which: Index) -> Option<(usize, u32)> {
        let keys: Vec<_> = self.engines.keys().copied().collect();
        (!keys.is_empty()).then(|| keys[which.index(keys.len())])
    }

    fn push(&mut self, key: Key, sighting: Sighting) {
        self.messages.push((key, sighting));
    }

    fn snapshot(&self) -> Snapshot {
        let up = |it: &usize| self.agents[*it].1;
        Snapshot {
            domain: "domain".into(),
            entry: self.peer(0),
            peers: (1..4).filter(up).map(|it| self.peer(it)).collect(),
            processes: self.engines.values().cloned().collect(),
        }
    }
}

/// Returns an order of the messages that keeps the order for each key, as `choices` say.
fn interleave(mut messages: Vec<(Key, Sighting)>, choices: &[Index]) -> Vec<Sighting> {
    let mut ordered = Vec::new();
    let mut choices = choices.iter().cycle();
    while !messages.is_empty() {
        // Only what lies close together can be told in another order.
        let window = messages.len().min(8);
        let at = choices.next().unwrap().index(window);
        let key = messages[at].0;
        let first = if key == Key::Free {
            at
        } else {
            messages.iter().position(|(it, _)| *it == key).unwrap()
        };
        ordered.push(messages.remove(first).1);
    }
    ordered
}

/// The live part of a model: no tombstones, no unreachables, no times.
fn live(model: &Model) -> (Vec<String>, Vec<String>, Vec<String>) {
    let mut peers: Vec<String> = model
        .peers()
        .filter(|(_, it)| it.is_connected())
        .map(|(_, it)| format!("{} {} {}", it.agent_id, it.address, it.is_broker))
        .collect();
    peers.sort();
    let mut databases = Vec::new();
    let mut processes = Vec::new();
    for (_, it) in model.processes().filter(|(_, it)| it.is_live()) {
        let database = &model.database(it.database).name;
        let agent = &model.peer(it.peer).agent_id;
        processes.push(format!(
            "{agent} {} {database} {:?} {} {:?}",
            it.pid, it.role, it.status_word, it.node_id
        ));
        databases.push(database.to_string());
    }
    processes.sort();
    databases.sort();
    databases.dedup();
    (peers, databases, processes)
}

proptest! {
    #[test]
    fn any_order_of_messages_ends_in_the_model_of_a_fresh_snapshot(
        happenings in prop::collection::vec(happening(), 1..40),
        choices in prop::collection::vec(any::<Index>(), 64),
        pauses in prop::collection::vec(0..40_u64, 16),
    ) {
        let mut world = World::new();
        let first = world.snapshot();
        for it in happenings {
            world.happen(it);
        }
        let last = world.snapshot();
        let mut now = Timestamp::from_micros(1);
        let mut changes = Vec::new();
        let mut model = Model::new(Settings::default());
        model.snapshot(now, first, &mut changes);
        let messages = interleave(world.messages, &choices);
        for (sighting, pause) in messages.into_iter().zip(pauses.iter().cycle()) {
            now = now + Duration::from_millis(*pause);
            model.timeout(now, &mut changes);
            model.observe(now, sighting, &mut changes);
        }
        now = now + Duration::from_secs(60);
        model.timeout(now, &mut changes);
        prop_assert_eq!(model.next_timeout(), None);

        let mut fresh = Model::new(Settings::default());
        fresh.snapshot(now, last.clone(), &mut changes);
        prop_assert_eq!(live(&model), live(&fresh));
        for (id, database) in model.databases() {
            let running = |role| {
                let counts = |it: &&Process| {
                    it.database == id && it.role == role && it.is_live() && it.status == Status::Up
                };
                model.processes().map(|(_, it)| it).filter(counts).count()
            };
            prop_assert_eq!(database.running(Role::Te) as usize, running(Role::Te));
        }

        // And a snapshot taken now tells nothing new about what is live.
        changes.clear();
        model.snapshot(now, last, &mut changes);
        prop_assert!(changes.is_empty(), "{:?}", changes);
        prop_assert!(!model.has_doubts());
    }

    #[test]
    fn a_lost_session_costs_nothing_but_time(
        happenings in prop::collection::vec(happening(), 1..40),
        missed in prop::collection::vec(happening(), 0..20),
        choices in prop::collection::vec(any::<Index>(), 64),
        heard in 0..40_usize,
        same_broker in any::<bool>(),
    ) {
        let mut world = World::new();
        let first = world.snapshot();
        for it in happenings.iter().chain(&missed) {
            world.happen(*it);
        }
        let lost = |it: &usize| {
            let is_loss =
                |happening: &&Happening| matches!(happening, Happening::LosePeer(at) if at == it);
            happenings.iter().chain(&missed).any(|it| is_loss(&it))
        };
        let stayed: Vec<AgentId> =
            (0..4).filter(|it| !lost(it)).map(|it| world.peer(it).agent_id).collect();
        let last = world.snapshot();
        let now = Timestamp::from_micros(1);
        let mut changes = Vec::new();
        let mut model = Model::new(Settings::default());
        model.snapshot(now, first, &mut changes);
        for sighting in interleave(world.messages, &choices).into_iter().take(heard) {
            model.observe(now, sighting, &mut changes);
        }
        model.lose(now);
        let mut later = now + Duration::from_secs(1);
        // As long as nobody tells us anything nothing follows from silence.
        let before = changes.len();
        model.timeout(later, &mut changes);
        prop_assert_eq!(changes.len(), before);
        model.snapshot(later, last.clone(), &mut changes);
        for _ in 0..2 {
            if !same_broker {
                model.lose(later);
            }
            later = later + Duration::from_secs(60);
            model.timeout(later, &mut changes);
            model.snapshot(later, last.clone(), &mut changes);
        }
        let mut fresh = Model::new(Settings::default());
        if !model.is_minority() {
            prop_assert!(!model.has_doubts());
            fresh.snapshot(later, last.clone(), &mut Vec::new());
            prop_assert_eq!(live(&model), live(&fresh));
        }
        for change in changes {
            if let Change::PeerUnreachable(id) = change {
                prop_assert!(!stayed.contains(&model.peer(id).agent_id), "{:?}", id);
            } else if let Change::ProcessEnded { process, .. } = change {
                let lives = last.processes.iter().any(|it| it.start_id == process.start_id);
                prop_assert!(!lives || process.start_id.is_none(), "{:?}", process);
            }
        }
    }
}
