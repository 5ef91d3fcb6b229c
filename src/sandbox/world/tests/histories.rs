//! Whatever happens, in whatever order: no session is ever told anything that contradicts what it
//! was told before, and in the end each knows what a new one is told at once.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What can happen. Numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Begin { at: u16, is_sm: bool },
    Exit(usize),
    Fail(usize),
    Lose { at: u16, exits_first: bool },
    Ready(usize),
    Return(u16),
    Quiesce(u16),
    ShutDown(usize),
    Start { at: u16 },
    Wait(u64),
    Watch(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let peer = 1_u16..=3;
    let broker = 1_u16..=2;
    prop_oneof![
        (peer.clone(), any::<bool>()).prop_map(|(at, is_sm)| Step::Begin { at, is_sm }),
        any::<usize>().prop_map(Step::Exit),
        any::<usize>().prop_map(Step::Fail),
        (peer.clone(), any::<bool>()).prop_map(|(at, exits_first)| Step::Lose { at, exits_first }),
        any::<usize>().prop_map(Step::Ready),
        any::<usize>().prop_map(Step::Ready),
        peer.clone().prop_map(Step::Return),
        broker.clone().prop_map(Step::Quiesce),
        any::<usize>().prop_map(Step::ShutDown),
        peer.prop_map(|at| Step::Start { at }),
        (0_u64..200).prop_map(Step::Wait),
        broker.prop_map(Step::Watch),
    ]
}

/// What one session was told.
#[derive(Debug, Default, Eq, PartialEq)]
struct Told {
    peers: BTreeSet<Arc<str>>,
    /// By agent and pid; the state is what was told last.
    engines: BTreeMap<(Arc<str>, u32), Option<Arc<str>>>,
}

impl Told {
    fn new(status: &Status) -> Self {
        let peers = status.peers.iter().map(|it| it.agent_id.clone());
        let mut told = Self {
            peers: peers.chain([status.entry.agent_id.clone()]).collect(),
            engines: BTreeMap::new(),
        };
        for it in &status.processes {
            told.join(it);
        }
        told
    }

    fn join(&mut self, it: &ProcessElement) {
        assert!(self.peers.contains(&it.agent_id), "joins an unknown peer");
        let key = (it.agent_id.clone(), it.pid);
        let before = self.engines.insert(key, it.state.clone());
        assert_eq!(before, None, "joins twice");
    }

    fn hear(&mut self, event: &Event) {
        match event {
            Event::BrokerExit(it) => assert!(self.peers.remove(&it.agent_id), "left before"),
            Event::NewBroker(it) => {
                assert!(self.peers.insert(it.agent_id.clone()), "joined before");
            }
            Event::NewProcess(it) => self.join(it),
            Event::ProcessExit(it) => {
                let key = (it.agent_id.clone(), it.pid);
                assert!(self.engines.remove(&key).is_some(), "exits unknown");
            }
            Event::ProcessFailed { broker, .. } => {
                assert!(self.peers.contains(&broker.agent_id), "fails at nobody");
            }
            Event::StatusChanged { status, process } => {
                let key = (process.agent_id.clone(), process.pid);
                let state = self.engines.get_mut(&key).expect("changes unknown");
                *state = Some(status.clone());
            }
            Event::Unknown(_) => panic!("the world knows what it tells"),
        }
    }
}

/// The world, its children and its clients.
struct Play {
    world: World,
    now: Timestamp,
    sessions: u64,
    told: BTreeMap<SessionId, (PeerNumber, Told)>,
    /// Engines that are processes, with their pids; and those that have not reported yet.
    children: BTreeMap<EngineId, u32>,
    silent: BTreeSet<EngineId>,
}

impl Play {
    fn handle(&mut self, input: Input) {
        self.world.handle(self.now, input);
        let mut spawned = Vec::new();
        while let Some(effect) = self.world.poll() {
            if let Effect::Event { session, event } = &effect {
                let (_, told) = self.told.get_mut(session).expect("a session that is open");
                told.hear(event);
            } else if let Effect::Status { session, status } = &effect {
                let peer = self.told[session].0;
                self.told.insert(*session, (peer, Told::new(status)));
            } else if let Effect::CutPeer { peer } = &effect {
                self.told.retain(|_, (at, _)| at != peer);
            } else if let Effect::Cut { session } = &effect {
                self.told.remove(session);
            } else if let Effect::Spawn { engine, .. } = &effect {
                spawned.push(*engine);
            }
        }
        for engine in spawned {
            // The lowest that is free, so that pids are used again as often as possible.
            let taken: BTreeSet<u32> = self.children.values().copied().collect();
            let pid = (100..9_999).find(|it| !taken.contains(it)).unwrap();
            self.children.insert(engine, pid);
            self.silent.insert(engine);
            self.handle(Input::EngineSpawned { engine, pid });
        }
    }

    fn wait(&mut self, until: Timestamp) {
        while let Some(due) = self.world.next_timeout().filter(|it| *it <= until) {
            self.now = due;
            self.handle(Input::Timeout);
        }
        self.now = until;
    }

    fn open(&mut self, peer: PeerNumber, request: Request) -> SessionId {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        if request.service == "Monitor" {
            self.told.insert(session, (peer, Told::default()));
        }
        self.handle(Input::Opened {
            session,
            peer,
            request,
            authorised: true,
        });
        session
    }

    fn fault(&mut self, fault: Fault) {
        let ticket = Ticket(0);
        self.handle(Input::Fault { ticket, fault });
    }

    fn child(&self, choice: usize) -> Option<EngineId> {
        let count = self.children.len().max(1);
        self.children.keys().nth(choice % count).copied()
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Begin { at, is_sm } => {
                let peer = PeerNumber(at);
                let start = Start {
                    database: "teas".into(),
                    role: if is_sm { Role::Sm } else { Role::Te },
                    archive: None,
                    initialize: false,
                    has_dba: true,
                };
                self.handle(Input::Begin { peer, start });
            }
            Step::Exit(choice) => {
                if let Some(engine) = self.child(choice) {
                    self.children.remove(&engine);
                    self.silent.remove(&engine);
                    self.handle(Input::EngineExited { engine, code: 137 });
                }
            }
            Step::Fail(choice) => {
                let engine = self.child(choice);
                if let Some(engine) = engine.filter(|it| self.silent.remove(it)) {
                    let reason = "rain".into();
                    self.handle(Input::EngineFailed { engine, reason });
                }
            }
            Step::Lose { at, exits_first } => {
                let peer = PeerNumber(at);
                self.fault(Fault::Lose { peer, exits_first });
            }
            Step::Ready(choice) => {
                let engine = self.child(choice);
                if let Some(engine) = engine.filter(|it| self.silent.remove(it)) {
                    self.handle(Input::EngineReady { engine, port: 1 });
                }
            }
            Step::Return(at) => {
                let peer = PeerNumber(at);
                self.fault(Fault::Return { peer });
            }
            Step::Quiesce(at) => {
                let request = Request::new("ChorusManagement", Style::Connect)
                    .with("Database", "teas")
                    .with("Action", "Quiesce");
                self.open(PeerNumber(at), request);
            }
            Step::ShutDown(choice) => self.shut_down(choice),
            Step::Start { at } => {
                let option = Element::new("Option").with("option", "--database");
                let request = Request::new("ProcessStart", Style::Request)
                    .with("Process", "server")
                    .child(option.with("value", "teas"));
                self.open(PeerNumber(at), request);
            }
            Step::Wait(pause) => self.wait(self.now + Duration::from_millis(pause)),
            Step::Watch(at) => {
                self.open(PeerNumber(at), Request::new("Monitor", Style::Connect));
            }
        }
    }

    /// Somebody who watches asks one of the engines that were told of to end.
    fn shut_down(&mut self, choice: usize) {
        let Some((session, (_, told))) = self.told.iter().next() else {
            return;
        };
        let count = told.engines.len().max(1);
        let Some((agent_id, pid)) = told.engines.keys().nth(choice % count) else {
            return;
        };
        let request = Element::new("Request")
            .with("Service", "Admin")
            .with("Type", "Shutdown");
        let document = Element::new("ManagementRequest")
            .with("AgentId", &**agent_id)
            .with("ProcessId", pid.to_string())
            .child(request);
        let session = *session;
        self.handle(Input::Document { session, document });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2 * ProptestConfig::default().cases))]

    #[test]
    fn nobody_is_told_anything_that_contradicts_what_was_told(steps in vec(step(), 1..80)) {
        let mut play = Play {
            world: three_peers(Pace::REAL),
            now: Timestamp::ZERO,
            sessions: 0,
            told: BTreeMap::new(),
            children: BTreeMap::new(),
            silent: BTreeSet::new(),
        };
        for broker in 1..=2 {
            play.play(Step::Watch(broker));
        }
        for step in steps {
            play.play(step);
        }
        play.wait(play.now + Duration::from_secs(60));
        let knowing: Vec<_> = play.told.keys().copied().collect();
        for session in knowing {
            let peer = play.told[&session].0;
            let new = play.open(peer, Request::new("Monitor", Style::Connect));
            prop_assert_eq!(&play.told[&session], &play.told[&new]);
        }
        prop_assert_eq!(play.world.next_timeout(), None);
    }
}
