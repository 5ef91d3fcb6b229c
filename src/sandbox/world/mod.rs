//! A NuoDB domain as one deterministic machine: peers, engines, sessions, faults, virtual time.
//!
//! It decides who is told what, in which order and when. It moves no bytes, starts no process and
//! reads no clock: the sandbox puts it on sockets with real children, the simulator on a queue.

mod archive;
mod description;
mod element;
mod enforcer;
mod engine;
mod fault;
pub mod history;
mod lie;
mod monitor;
mod pace;
mod peer;
mod record;
mod service;
mod start;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

pub use engine::{EngineState, EngineView};
pub use fault::{Fault, FaultError, NextStart};
pub use lie::Lie;
pub use pace::Pace;
pub use peer::{PeerNumber, PeerSettings, PeerView};
pub use record::{Asker, StartRecord};
pub use start::{Start, archive_in_use, archive_missing, archive_present};
pub use turn::{Effect, EngineId, Input, SessionId, Ticket};

use crate::time::Timestamp;
use description::Description;
use engine::Engine;
use peer::Peer;
use record::Records;

/// What a world is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the domain calls itself.
    pub domain: Arc<str>,
    /// The peers in order; the first is number 1.
    pub peers: Vec<PeerSettings>,
    /// How long things take.
    pub pace: Pace,
    /// Makes agent ids and start ids of this world differ from those of another.
    pub seed: u64,
}

/// What agents and engines of this world say is their version.
const VERSION: &str = concat!("dbwarden-sandbox-", env!("CARGO_PKG_VERSION"));

/// A domain of NuoDB peers, their engines, and the sessions of those who watch and ask.
///
/// The caller feeds [`handle`](Self::handle) whenever something happened and with
/// [`Input::Timeout`] at [`next_timeout`](Self::next_timeout), then takes every effect from
/// [`poll`](Self::poll) and carries it out in order. Times must not decrease.
///
/// **Invariant:** on every Monitor session an engine is told of by a snapshot or a `NewProcess`
/// before anything else, and after its one `ProcessExit` never again, unless its peer was out of
/// sight of the session's.
#[derive(Debug)]
pub struct World {
    /// When it was last fed.
    now: Timestamp,
    domain: Arc<str>,
    pace: Pace,
    peers: Vec<Peer>,
    engines: BTreeMap<EngineId, Engine>,
    next_engine: u64,
    records: Records,
    /// The managed databases.
    descriptions: BTreeMap<Arc<str>, Description>,
    enforcer_is_armed: bool,
    enforcer_waits_until: Timestamp,
    databases: BTreeMap<Arc<str>, Database>,
    sessions: BTreeMap<SessionId, Session>,
    timers: BTreeMap<(Timestamp, u64), Timer>,
    next_timer: u64,
    effects: VecDeque<Effect>,
}

/// What the domain remembers of a database for as long as the world lasts.
#[derive(Debug, Default)]
struct Database {
    has_dba: bool,
    node_ids: u32,
}

/// A session that is still of interest here; all others end with their answer.
#[derive(Debug)]
struct Session {
    peer: PeerNumber,
    purpose: Purpose,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    /// Is told of every change.
    Monitor,
    /// Waits for the exit code of an engine it asked to be killed.
    Stop(EngineId),
}

/// What is due later.
#[derive(Debug)]
enum Timer {
    /// The enforcer looks again.
    Enforce,
    /// A start that came to nothing is told.
    Fail {
        peer: PeerNumber,
        agent_id: Arc<str>,
        start_id: Arc<str>,
        reason: Arc<str>,
    },
    /// An engine that was asked to end has had its time.
    Insist(EngineId),
    /// A start that was held back happens, if its agent still lives.
    Spawn {
        engine: EngineId,
        agent_id: Arc<str>,
    },
    /// An engine takes its next step, unless it was sent on another course since.
    Step {
        engine: EngineId,
        course: u64,
        state: EngineState,
    },
    /// An engine has finished shutting down and may be asked to end.
    Stop(EngineId),
}

impl World {
    /// Returns a world in which every peer is present and no engine runs.
    pub fn new(settings: Settings) -> Self {
        let seed = settings.seed;
        let peers = (1..)
            .zip(settings.peers)
            .map(|(number, it)| Peer::new(PeerNumber(number), it, seed))
            .collect();
        Self {
            now: Timestamp::ZERO,
            domain: settings.domain,
            pace: settings.pace,
            peers,
            engines: BTreeMap::new(),
            next_engine: 1,
            records: Records::default(),
            descriptions: BTreeMap::new(),
            enforcer_is_armed: false,
            enforcer_waits_until: Timestamp::ZERO,
            databases: BTreeMap::new(),
            sessions: BTreeMap::new(),
            timers: BTreeMap::new(),
            next_timer: 0,
            effects: VecDeque::new(),
        }
    }

    /// Takes in one input, and everything that has become due by now, in the order it was due.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = now;
        self.run_timers(now);
        match input {
            Input::Begin { peer, start } => self.begin(peer, start),
            Input::Closed { session } => {
                self.sessions.remove(&session);
            }
            Input::Document { session, document } => self.document(now, session, &document),
            Input::EngineExited { engine, code } => self.engine_exited(now, engine, code),
            Input::EngineFailed { engine, reason } => self.engine_failed(now, engine, &reason),
            Input::EngineReady { engine, port } => self.engine_ready(now, engine, port),
            Input::EngineSpawned { engine, pid } => {
                if let Some(it) = self.engines.get_mut(&engine) {
                    it.pid = Some(pid);
                }
                self.note_engine(engine, |it, now| {
                    it.pid = Some(pid);
                    it.spawned = Some(now);
                });
            }
            Input::Fault { ticket, fault } => {
                let result = self.fault(fault);
                self.effects.push_back(Effect::Answer { ticket, result });
            }
            Input::Opened {
                session,
                peer,
                request,
                authorised,
            } => self.opened(now, session, peer, &request, authorised),
            Input::Timeout => (),
        }
        self.run_timers(now);
    }

    /// Returns the next thing to be done, if anything is left to do.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns when [`Input::Timeout`] is next due, if ever.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Returns every peer, present or lost, in order.
    pub fn peers(&self) -> Vec<PeerView> {
        self.peers.iter().map(Peer::view).collect()
    }

    /// Returns every engine that runs or is about to, in the order they were started.
    pub fn engines(&self) -> Vec<EngineView> {
        let is_real = |it: &Engine| !it.has_failed() && it.told != lie::Told::Invented;
        let views = self.engines.iter().filter(|(_, it)| is_real(it));
        views.map(|(id, it)| it.view(*id)).collect()
    }

    /// Returns every session that is told of changes, and at which peer it is.
    pub fn monitors(&self) -> Vec<(SessionId, PeerNumber)> {
        let all = self.sessions.iter();
        let monitors = all.filter(|(_, it)| it.purpose == Purpose::Monitor);
        monitors.map(|(id, it)| (*id, it.peer)).collect()
    }

    fn peer(&self, number: PeerNumber) -> Option<&Peer> {
        self.peers.get(number.index())
    }

    fn peer_mut(&mut self, number: PeerNumber) -> Option<&mut Peer> {
        self.peers.get_mut(number.index())
    }

    /// Sets `timer` to ring `after` now; those that ring together ring in the order they were set.
    fn set_timer(&mut self, at: Timestamp, timer: Timer) {
        self.timers.insert((at, self.next_timer), timer);
        self.next_timer += 1;
    }

    fn run_timers(&mut self, now: Timestamp) {
        while let Some(entry) = self.timers.first_entry()
            && entry.key().0 <= now
        {
            // What follows from a timer counts from when it was due, however late we are.
            let ((due, _), timer) = entry.remove_entry();
            match timer {
                Timer::Enforce => self.enforce_again(due),
                Timer::Fail {
                    peer,
                    agent_id,
                    start_id,
                    reason,
                } => self.tell_failure(peer, &agent_id, start_id, reason),
                Timer::Insist(engine) => self.insist(engine),
                Timer::Spawn { engine, agent_id } => self.spawn_late(engine, &agent_id),
                Timer::Step {
                    engine,
                    course,
                    state,
                } => self.step(engine, course, state),
                Timer::Stop(engine) => self.stop(due, engine),
            }
        }
    }
}
