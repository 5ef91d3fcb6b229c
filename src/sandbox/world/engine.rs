//! The life of an engine: registering, its statuses, its end.
//!
//! How it is as a process of the operating system is the caller's business.

use std::sync::Arc;
use std::time::Duration;

use super::element;
use super::lie::Told;
use super::record::Asker;
use super::start::Start;
use super::{Effect, EngineId, PeerNumber, Purpose, SessionId, Timer, VERSION, World};
use crate::model::Role;
use crate::nuodb::message::{Event, ProcessElement};
use crate::time::Timestamp;

/// How long an engine that was asked to end is waited for before it is killed.
const INSIST_AFTER: Duration = Duration::from_secs(5);

/// What an agent says of an engine that never registered, after the engine's own reason if any.
const UNKNOWN_FAILURE: &str = "Unknown startup failure";

/// How an engine is, in the words of the protocol.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EngineState {
    /// Registered, on its way to serve.
    Active,
    /// Set aside.
    Quiesced,
    /// About to be set aside.
    Quiescing,
    /// Serving.
    Running,
    /// Ending by itself.
    ShuttingDown,
    /// A storage manager that takes over what the others have.
    Syncing,
    /// About to serve again.
    Unquiescing,
}

impl EngineState {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Quiesced => "QUIESCED",
            Self::Quiescing => "QUIESCING",
            Self::Running => "RUNNING",
            Self::ShuttingDown => "SHUTTING_DOWN",
            Self::Syncing => "SYNCING",
            Self::Unquiescing => "UNQUIESCING",
        }
    }
}

/// An engine as it is now.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EngineView {
    /// Which one.
    pub id: EngineId,
    /// Where it runs.
    pub peer: PeerNumber,
    /// What it was started as.
    pub start: Start,
    /// Its process id, once it is a process.
    pub pid: Option<u32>,
    /// The port it listens on, once it does.
    pub port: Option<u16>,
    /// Whether its peer knows it.
    pub is_registered: bool,
    /// Whether its end was told and it lives on.
    pub is_leftover: bool,
    /// How it is, once it has said so.
    pub state: Option<EngineState>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Its end was told, and its process lives on.
    Disowned,
    /// Came to nothing; its process is about to end.
    Failed,
    Registered,
    Starting,
}

#[derive(Debug)]
pub(super) struct Engine {
    pub(super) peer: PeerNumber,
    pub(super) start: Start,
    /// Where it is on record.
    pub(super) record: u64,
    /// How long it lives once it has registered, if that was decided.
    pub(super) crashes_after: Option<Duration>,
    /// Gone once the agent that was asked for it is.
    pub(super) start_id: Option<Arc<str>>,
    pub(super) pid: Option<u32>,
    port: Option<u16>,
    node_id: Option<u32>,
    state: Option<EngineState>,
    phase: Phase,
    pub(super) registered_at: Option<Timestamp>,
    /// What its agent says of it.
    pub(super) told: Told,
    /// Counts how often it was sent on another course; steps of an earlier one are void.
    course: u64,
}

impl Engine {
    pub(super) fn new(peer: PeerNumber, start: Start, record: u64) -> Self {
        Self {
            peer,
            start,
            record,
            crashes_after: None,
            start_id: None,
            pid: None,
            port: None,
            node_id: None,
            state: None,
            phase: Phase::Starting,
            registered_at: None,
            told: Told::default(),
            course: 0,
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.phase == Phase::Failed
    }

    pub(super) fn is_leftover(&self) -> bool {
        self.phase == Phase::Disowned
    }

    pub(super) fn is_registered(&self) -> bool {
        self.phase == Phase::Registered
    }

    pub(super) fn is_running(&self) -> bool {
        self.state == Some(EngineState::Running)
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.state == Some(EngineState::ShuttingDown)
    }

    pub(super) fn view(&self, id: EngineId) -> EngineView {
        EngineView {
            id,
            peer: self.peer,
            start: self.start.clone(),
            pid: self.pid,
            port: self.port,
            is_registered: self.is_registered(),
            is_leftover: self.is_leftover(),
            state: self.state,
        }
    }
}

impl World {
    /// Starts an engine that no client asked for.
    pub(super) fn begin(&mut self, peer: PeerNumber, start: Start) {
        let start = Start {
            has_dba: true,
            ..start
        };
        self.note_member(peer, &start);
        let record = self.record_start(Asker::Nobody, peer, None, Some(start.clone()));
        let engine = self.add_engine(peer, start, record);
        self.spawn(engine);
    }

    /// Has an engine started now.
    pub(super) fn spawn(&mut self, engine: EngineId) {
        if let Some(it) = self.engines.get(&engine) {
            let (peer, start) = (it.peer, it.start.clone());
            self.effects.push_back(Effect::Spawn {
                engine,
                peer,
                start,
            });
        }
    }

    /// Keeps a place for an engine that is started now or later.
    pub(super) fn add_engine(&mut self, peer: PeerNumber, start: Start, record: u64) -> EngineId {
        let engine = EngineId(self.next_engine);
        self.next_engine += 1;
        self.engines
            .insert(engine, Engine::new(peer, start, record));
        self.note_start(record, |it| it.engine = Some(engine));
        engine
    }

    pub(super) fn spawn_late(&mut self, engine: EngineId, agent_id: &str) {
        let Some(peer) = self.engines.get(&engine).map(|it| it.peer) else {
            return;
        };
        let lives = |it: &super::Peer| !it.is_lost && *it.agent_id == *agent_id;
        if self.peer(peer).is_some_and(lives) {
            self.spawn(engine);
        } else {
            // The agent that was to start it is gone, and nobody else knows of it.
            self.engines.remove(&engine);
        }
    }

    /// An engine registers: it is told of, and sets out for `RUNNING`.
    pub(super) fn engine_ready(&mut self, now: Timestamp, engine: EngineId, port: u16) {
        let Some(it) = self.engines.get_mut(&engine) else {
            return;
        };
        if it.phase != Phase::Starting {
            return;
        }
        it.phase = Phase::Registered;
        it.registered_at = Some(now);
        it.port = Some(port);
        let (start, start_id) = (it.start.clone(), it.start_id.take());
        if let Some(after) = it.crashes_after {
            self.set_timer(now + after, Timer::Insist(engine));
        }
        self.note_engine(engine, |it, now| it.registered = Some(now));
        let is_further_sm = start.role == Role::Sm && {
            let others = self.engines.iter().filter(|(id, _)| **id != engine);
            others.into_iter().any(|(_, it)| {
                it.is_registered()
                    && it.start.role == Role::Sm
                    && it.start.database == start.database
            })
        };
        let database = self.databases.entry(start.database.clone()).or_default();
        database.has_dba |= start.has_dba;
        if self.is_visible(engine)
            && let Some(process) = self.process_element(engine)
        {
            self.tell(&Event::NewProcess(ProcessElement {
                start_id,
                ..process
            }));
        }
        let pace = self.pace;
        let mut course = vec![
            (pace.active, EngineState::Active),
            (pace.running, EngineState::Running),
        ];
        if is_further_sm {
            course[1].1 = EngineState::Syncing;
            course.push((pace.syncing, EngineState::Running));
        }
        self.set_course(now, engine, &course);
    }

    /// Sends an engine through `steps`, each so long after the one before; drops what was ahead.
    pub(super) fn set_course(
        &mut self,
        now: Timestamp,
        engine: EngineId,
        steps: &[(Duration, EngineState)],
    ) {
        let Some(it) = self.engines.get_mut(&engine) else {
            return;
        };
        it.course += 1;
        let course = it.course;
        let mut at = now;
        for (pause, state) in steps {
            at = at + *pause;
            self.set_timer(
                at,
                Timer::Step {
                    engine,
                    course,
                    state: *state,
                },
            );
        }
    }

    pub(super) fn step(&mut self, engine: EngineId, course: u64, state: EngineState) {
        let Some(it) = self.engines.get_mut(&engine) else {
            return;
        };
        if it.course != course {
            return;
        }
        it.state = Some(state);
        if it.node_id.is_none() {
            let database = self.databases.entry(it.start.database.clone()).or_default();
            database.node_ids += 1;
            it.node_id = Some(database.node_ids);
        }
        if self.is_visible(engine)
            && let Some(process) = self.process_element(engine)
        {
            self.tell(&Event::StatusChanged {
                status: state.as_str().into(),
                process,
            });
        }
    }

    /// Lets an engine shut down by itself.
    pub(super) fn shut_down(&mut self, now: Timestamp, engine: EngineId) {
        let pause = self.pace.shut_down;
        self.set_course(now, engine, &[(Duration::ZERO, EngineState::ShuttingDown)]);
        self.set_timer(now + pause, Timer::Stop(engine));
    }

    pub(super) fn stop(&mut self, now: Timestamp, engine: EngineId) {
        if self.is_invented(engine) {
            self.engine_exited(now, engine, 0);
        } else if self.engines.contains_key(&engine) {
            self.effects.push_back(Effect::Stop { engine });
            self.set_timer(now + INSIST_AFTER, Timer::Insist(engine));
        }
    }

    pub(super) fn insist(&mut self, engine: EngineId) {
        if self.engines.contains_key(&engine) {
            self.kill(engine);
        }
    }

    /// An engine says that it cannot go on; an engine that has registered ends without a word.
    pub(super) fn engine_failed(&mut self, now: Timestamp, engine: EngineId, reason: &Arc<str>) {
        let Some(it) = self.engines.get_mut(&engine) else {
            return;
        };
        if it.phase != Phase::Starting {
            return;
        }
        it.phase = Phase::Failed;
        let (peer, start_id) = (it.peer, it.start_id.take());
        // Whatever it still does, nobody waits for it.
        self.effects.push_back(Effect::Kill { engine });
        if let Some(start_id) = start_id {
            self.fail_start(now, peer, &start_id, Duration::ZERO, reason);
        }
    }

    /// An engine's end is told, and it lives on: with its archive, and unknown to its peer.
    pub(super) fn disown(&mut self, engine: EngineId) {
        let is_visible = self.is_visible(engine);
        let process = self.process_element(engine);
        let Some(it) = self.engines.get_mut(&engine) else {
            return;
        };
        it.phase = Phase::Disowned;
        it.state = None;
        it.course += 1;
        self.note_engine(engine, |it, now| it.disowned = Some(now));
        if let Some(process) = process.filter(|_| is_visible) {
            self.tell(&Event::ProcessExit(process));
        }
    }

    pub(super) fn engine_exited(&mut self, now: Timestamp, engine: EngineId, code: i32) {
        self.note_engine(engine, |it, now| it.ended = Some(now));
        self.note_end(now, engine);
        let is_visible = self.is_visible(engine);
        let process = self.process_element(engine);
        let Some(it) = self.engines.remove(&engine) else {
            return;
        };
        self.answer_stops(engine, code);
        let database = it.start.database.clone();
        match it.phase {
            Phase::Disowned | Phase::Failed => (),
            Phase::Registered => {
                if let Some(process) = process.filter(|_| is_visible) {
                    self.tell(&Event::ProcessExit(process));
                }
            }
            Phase::Starting => {
                if let Some(start_id) = it.start_id {
                    let reason = format!("Process exited with code {code} before it registered");
                    self.fail_start(now, it.peer, &start_id, Duration::ZERO, &reason.into());
                }
            }
        }
        self.mind_description(now, &database);
    }

    /// Answers those who wait for the exit code.
    fn answer_stops(&mut self, engine: EngineId, code: i32) {
        let purpose = Purpose::Stop(engine);
        let waiting: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, it)| it.purpose == purpose)
            .map(|(id, _)| *id)
            .collect();
        for session in waiting {
            self.sessions.remove(&session);
            self.reply(session, element::exit_code(code));
        }
    }

    /// Arranges for a failed start to be told: first why, then that nobody knows.
    pub(super) fn fail_start(
        &mut self,
        now: Timestamp,
        peer: PeerNumber,
        start_id: &Arc<str>,
        after: Duration,
        reason: &Arc<str>,
    ) {
        let Some(agent_id) = self.peer(peer).map(|it| it.agent_id.clone()) else {
            return;
        };
        let first = now + after;
        let second = first + self.pace.failed_again;
        let reasons: [(Timestamp, Arc<str>); 2] =
            [(first, reason.clone()), (second, UNKNOWN_FAILURE.into())];
        for (at, reason) in reasons {
            let (agent_id, start_id) = (agent_id.clone(), start_id.clone());
            self.set_timer(
                at,
                Timer::Fail {
                    peer,
                    agent_id,
                    start_id,
                    reason,
                },
            );
        }
    }

    pub(super) fn tell_failure(
        &mut self,
        peer: PeerNumber,
        agent_id: &str,
        start_id: Arc<str>,
        reason: Arc<str>,
    ) {
        // An agent that is gone tells nothing, and the next one knows nothing of it.
        let lives = |it: &&super::Peer| !it.is_lost && *it.agent_id == *agent_id;
        let Some(broker) = self.peer(peer).filter(lives).map(super::Peer::element) else {
            return;
        };
        self.tell(&Event::ProcessFailed {
            start_id: Some(start_id),
            reason,
            broker,
        });
    }

    /// Returns whether the domain knows of the engine: it registered, and its agent is there.
    pub(super) fn is_visible(&self, engine: EngineId) -> bool {
        self.engines.get(&engine).is_some_and(|it| {
            it.is_registered()
                && it.told != Told::Omitted
                && self.peer(it.peer).is_some_and(|peer| !peer.is_lost)
        })
    }

    /// Returns the engine as the domain tells of it; `None` until it is a process.
    pub(super) fn process_element(&self, engine: EngineId) -> Option<ProcessElement> {
        let it = self.engines.get(&engine)?;
        let peer = self.peer(it.peer)?;
        Some(ProcessElement {
            agent_id: peer.agent_id.clone(),
            database: it.start.database.clone(),
            pid: it.pid?,
            port: it.port,
            is_transaction_engine: it.start.role == Role::Te,
            state: it.state.map(|it| it.as_str().into()),
            hostname: peer.hostname().clone(),
            version: VERSION.into(),
            node_id: it.node_id,
            start_id: None,
        })
    }
}
