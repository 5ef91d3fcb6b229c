//! What a warden was told, kept the plain way: the ground on which its deeds are judged.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::exchange::Observation;
use crate::model::{AgentId, ProcessSeen, Role, Sighting, Snapshot, Status};
use crate::time::Timestamp;

/// Losses of a peer and of its processes so close together are one event.
const SETTLE: Duration = Duration::from_millis(50);

/// How long a returned peer's processes have to show themselves.
pub(super) const RETURN_GRACE: Duration = Duration::from_secs(20);

/// After how long the second look of the same peer counts.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Whose view of the majority did not show something, and when; nobody's as yet if it is `None`.
type Doubt = Option<(Timestamp, usize)>;

/// How a process is, by everything told so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    /// Its exit was told just now; its peer may be lost with it.
    Ending(Timestamp),
    Live,
    /// Its peer is out of reach, or came back without it as yet.
    Unreachable(Timestamp),
}

#[derive(Clone, Debug)]
pub(super) struct ToldProcess {
    pub(super) peer: usize,
    pub(super) database: String,
    pub(super) role: Role,
    pub(super) status: Status,
    pub(super) state: State,
    /// When anything about it changed.
    pub(super) changed: Timestamp,
    /// When it was last told of.
    heard: Timestamp,
    /// Which entry of `lives` it is.
    pub(super) life: usize,
    agent: u32,
    start: Option<String>,
    node: Option<u32>,
    /// Whether the domain still counts it as registered.
    registered: bool,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToldPeer {
    pub(super) is_broker: bool,
    pub(super) agent: u32,
    pub(super) connected: bool,
    pub(super) since: Timestamp,
    /// How often it came into view.
    pub(super) comings: u32,
    pub(super) lost: Option<Timestamp>,
}

/// One process from its first sighting to its end.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) database: String,
    pub(super) role: Role,
    pub(super) peer: usize,
    pub(super) from: Timestamp,
    pub(super) to: Option<Timestamp>,
    /// When that was settled: not before whoever is told had time to look.
    pub(super) settled: Option<Timestamp>,
    /// Told to be gone though nobody asked it to leave, while its peer was there.
    pub(super) failed: Option<Timestamp>,
    /// Gone after somebody asked it to leave.
    pub(super) left: Option<Timestamp>,
    /// When it was seen last, if it is gone.
    pub(super) seen: Option<Timestamp>,
    /// Whether it was up when it was seen last.
    pub(super) was_up: bool,
    /// Which start it came from, once that is said.
    pub(super) start: Option<String>,
}

/// Everything told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    pub(super) now: Timestamp,
    pub(super) synced: Option<Timestamp>,
    /// When the last peer or process was told of that was not there before.
    pub(super) quiet: Timestamp,
    pub(super) peers: BTreeMap<usize, ToldPeer>,
    pub(super) processes: BTreeMap<(usize, u32), ToldProcess>,
    pub(super) lives: Vec<Life>,
    entry: usize,
    /// Whether fewer than half of the brokers are in view.
    pub(super) is_minority: bool,
    /// What the last look did not show: it is there until a second one agrees.
    doubted_peers: BTreeMap<usize, Doubt>,
    doubted: BTreeMap<(usize, u32), Doubt>,
    waiting: Vec<(usize, u32, Sighting)>,
    ending: Vec<(Timestamp, usize, u32)>,
    returning: Vec<(Timestamp, usize)>,
    /// Which processes appeared and went with what was told last, and which lives they were.
    pub(super) begun: Vec<((usize, u32), usize)>,
    pub(super) ended: Vec<((usize, u32), usize)>,
}

impl Told {
    pub(super) fn of(&self, database: &str) -> impl Iterator<Item = &ToldProcess> {
        self.processes
            .values()
            .filter(move |it| it.database == database)
    }

    /// Lets time pass: what was told to be gone is, unless its peer went too.
    pub(super) fn pass(&mut self, now: Timestamp) {
        self.now = now;
        let due: Vec<_> = self
            .ending
            .iter()
            .filter(|it| it.0 <= now)
            .copied()
            .collect();
        self.ending.retain(|it| it.0 > now);
        for (at, peer, pid) in due {
            let is_it = |it: &ToldProcess| it.state == State::Ending(at);
            if self.processes.get(&(peer, pid)).is_some_and(is_it) {
                // Of its own processes a broker in a minority knows.
                if self.is_minority && peer != self.entry {
                    self.set_aside((peer, pid));
                } else {
                    self.end((peer, pid), at);
                }
            }
        }
        if self.synced.is_none() || self.is_minority {
            return;
        }
        let due: Vec<_> = self
            .returning
            .iter()
            .filter(|it| it.0 <= now)
            .copied()
            .collect();
        self.returning.retain(|it| it.0 > now);
        for (_, peer) in due {
            if self.peers.get(&peer).is_some_and(|it| it.connected) {
                let is_missing = |it: &ToldProcess| matches!(it.state, State::Unreachable(_));
                for key in self.keys_at(peer) {
                    if is_missing(&self.processes[&key]) {
                        self.end(key, now);
                    }
                }
            }
        }
    }

    pub(super) fn observe(&mut self, now: Timestamp, observation: &Observation) {
        self.pass(now);
        match observation {
            Observation::Lost(_) => self.forget_session(),
            Observation::Managed(_) => (),
            Observation::Sighted(sighting) => self.sight(sighting),
            Observation::Snapshot(snapshot) => self.snapshot(snapshot),
        }
    }

    /// There is no session any more: whether the peers of those that ended went too is not told.
    pub(super) fn forget_session(&mut self) {
        self.synced = None;
        self.ending.clear();
        self.returning.clear();
    }

    /// Another daemon begins: what was waited for in the last one's session is not any more.
    pub(super) fn begin(&mut self) {
        self.forget_session();
        self.waiting.clear();
    }

    fn sight(&mut self, sighting: &Sighting) {
        let of = |seen: &ProcessSeen| parse(&seen.agent_id);
        match sighting {
            Sighting::PeerJoined(seen) => {
                let (peer, agent) = parse(&seen.agent_id);
                self.peers.entry(peer).or_default().is_broker = seen.is_broker;
                self.peer_here(peer, agent);
                self.review();
            }
            Sighting::PeerLost(seen) => {
                let (peer, agent) = parse(&seen.agent_id);
                if self.peers.get(&peer).is_some_and(|it| it.agent == agent) {
                    self.peer_gone(peer);
                }
                self.review();
            }
            Sighting::ProcessGone(seen) => {
                let (peer, agent) = of(seen);
                if !self.defer(peer, agent, sighting) {
                    self.process_gone((peer, seen.pid), agent, seen);
                }
            }
            Sighting::ProcessJoined(seen) | Sighting::StatusChanged(seen) => {
                let (peer, agent) = of(seen);
                if !self.defer(peer, agent, sighting) {
                    let news = matches!(sighting, Sighting::StatusChanged(_));
                    self.process_here((peer, seen.pid), agent, seen, news);
                }
            }
            Sighting::StartFailed { .. } => (),
        }
    }

    /// Keeps what is told of an agent that was not announced yet.
    fn defer(&mut self, peer: usize, agent: u32, sighting: &Sighting) -> bool {
        let unknown = self.peers.get(&peer).is_none_or(|it| it.agent < agent);
        if unknown {
            self.waiting.push((peer, agent, sighting.clone()));
        }
        unknown
    }

    fn snapshot(&mut self, snapshot: &Snapshot) {
        let now = self.now;
        if self.synced.is_none() {
            self.synced = Some(now);
            self.quiet = now;
        }
        self.waiting.clear();
        for process in self.processes.values_mut() {
            process.registered &= process.state == State::Live;
        }
        let mut listed = vec![parse(&snapshot.entry.agent_id)];
        listed.extend(snapshot.peers.iter().map(|it| parse(&it.agent_id)));
        for (peer, agent) in &listed {
            self.peer_here(*peer, *agent);
        }
        for seen in snapshot.peers.iter().chain([&snapshot.entry]) {
            let (peer, _) = parse(&seen.agent_id);
            self.peers.entry(peer).or_default().is_broker = seen.is_broker;
        }
        let absent = |peer: &usize| listed.iter().all(|it| it.0 != *peer);
        self.entry = listed[0].0;
        let brokers = |it: &&ToldPeer| it.is_broker;
        let seen = listed.iter().filter_map(|it| self.peers.get(&it.0));
        let seen = seen.filter(brokers).count();
        self.is_minority = 2 * seen < self.peers.values().filter(brokers).count();
        let lost = |it: &usize| absent(it) && self.peers[it].connected;
        let lost: Vec<usize> = self.peers.keys().copied().filter(lost).collect();
        for peer in lost {
            match self.weigh(self.doubted_peers.get(&peer)) {
                Some(doubt) => drop(self.doubted_peers.insert(peer, doubt)),
                None => self.peer_gone(peer),
            }
        }
        let mut present = Vec::new();
        for seen in &snapshot.processes {
            let (peer, agent) = parse(&seen.agent_id);
            present.push((peer, seen.pid));
            self.process_here((peer, seen.pid), agent, seen, true);
        }
        let all: Vec<(usize, u32)> = self.processes.keys().copied().collect();
        for key in all.into_iter().filter(|it| !present.contains(it)) {
            self.missing(key);
        }
        for (key, process) in &mut self.processes {
            let is_away = matches!(process.state, State::Unreachable(_));
            process.registered &= !is_away || present.contains(key);
        }
        if !self.is_minority {
            self.await_missing();
        }
    }

    /// Says what becomes of a process that the whole picture does not show.
    fn missing(&mut self, key: (usize, u32)) {
        let now = self.now;
        let is_with_peer = self.doubted_peers.contains_key(&key.0);
        let doubt = self.doubted.get(&key).copied().unwrap_or_default();
        match self.processes[&key].state {
            State::Unreachable(_) => (),
            State::Ending(_) if self.is_pending(key) => (),
            State::Ending(_) if is_with_peer || self.is_minority => {
                self.doubted.insert(key, doubt);
            }
            State::Ending(_) => self.end(key, now),
            State::Live if is_with_peer => drop(self.doubted.insert(key, doubt)),
            State::Live => match self.weigh(self.doubted.get(&key)) {
                Some(doubt) => drop(self.doubted.insert(key, doubt)),
                None => self.end(key, now),
            },
        }
    }

    /// Returns whether its end was told in this session and is about to count.
    fn is_pending(&self, key: (usize, u32)) -> bool {
        let State::Ending(at) = self.processes[&key].state else {
            return false;
        };
        self.ending.contains(&(at, key.0, key.1))
    }

    /// Returns the doubt after one more look that did not show it; none if it is certain.
    fn weigh(&self, doubt: Option<&Doubt>) -> Option<Doubt> {
        let doubt = doubt.copied().unwrap_or_default();
        match doubt {
            _ if self.is_minority => Some(doubt),
            None => Some(Some((self.now, self.entry))),
            Some((at, by)) if by == self.entry && self.now < at + LOOK_AGAIN => Some(doubt),
            Some(_) => None,
        }
    }

    fn review(&mut self) {
        let in_view = |(peer, it): &(&usize, &ToldPeer)| {
            it.is_broker && it.connected && !self.doubted_peers.contains_key(peer)
        };
        let seen = self.peers.iter().filter(in_view).count();
        let brokers = self.peers.values().filter(|it| it.is_broker).count();
        let was = std::mem::replace(&mut self.is_minority, 2 * seen < brokers);
        if was && !self.is_minority {
            self.returning.clear();
            self.await_missing();
        }
    }

    fn set_aside(&mut self, key: (usize, u32)) {
        let now = self.now;
        if let Some(process) = self.processes.get_mut(&key) {
            process.state = State::Unreachable(now);
            process.registered = false;
        }
        self.doubted.remove(&key);
    }

    fn await_missing(&mut self) {
        let now = self.now;
        // Who was to show itself could not be heard of while nobody told.
        let mut missing: Vec<usize> = Vec::new();
        for (key, process) in &self.processes {
            if matches!(process.state, State::Unreachable(_)) && self.peers[&key.0].connected {
                missing.push(key.0);
            }
        }
        for peer in missing {
            if self.returning.iter().all(|it| it.1 != peer || it.0 <= now) {
                self.returning.push((now + RETURN_GRACE, peer));
            }
        }
    }

    fn peer_here(&mut self, peer: usize, agent: u32) {
        let now = self.now;
        self.doubted_peers.remove(&peer);
        let known = self.peers.entry(peer).or_default();
        if known.connected && known.agent != agent {
            self.peer_gone(peer);
        }
        let known = self.peers.get_mut(&peer).expect("it is known");
        known.agent = agent;
        if !known.connected {
            known.connected = true;
            known.since = now;
            known.comings += 1;
            self.quiet = now;
            let mut missing = false;
            for key in self.keys_at(peer) {
                let process = self.processes.get_mut(&key).expect("it is known");
                if matches!(process.state, State::Unreachable(_)) {
                    if process.registered && process.agent == agent {
                        process.state = State::Live;
                    } else {
                        missing = true;
                    }
                }
            }
            if missing {
                self.returning.push((now + RETURN_GRACE, peer));
            }
        }
        let (told, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|it| it.0 == peer && it.1 <= agent);
        self.waiting = waiting;
        let told: Vec<(usize, u32, Sighting)> = told;
        for (_, _, sighting) in told {
            self.sight(&sighting);
        }
    }

    fn peer_gone(&mut self, peer: usize) {
        let now = self.now;
        self.doubted_peers.remove(&peer);
        let known = self.peers.get_mut(&peer).expect("it is known");
        if !known.connected {
            self.doubted.retain(|it, _| it.0 != peer);
            return;
        }
        known.connected = false;
        known.lost = Some(now);
        self.quiet = now;
        self.returning.retain(|it| it.1 != peer);
        for key in self.keys_at(peer) {
            let process = self.processes.get_mut(&key).expect("it is known");
            let is_missed = self.doubted.get(&key).is_some_and(Option::is_some);
            process.registered = process.state == State::Live && !is_missed
                || matches!(process.state, State::Unreachable(_)) && process.registered;
            if !matches!(process.state, State::Unreachable(_)) {
                process.state = State::Unreachable(now);
            }
        }
        self.doubted.retain(|it, _| it.0 != peer);
    }

    fn process_here(&mut self, key: (usize, u32), agent: u32, seen: &ProcessSeen, news: bool) {
        let now = self.now;
        let start = seen.start_id.as_ref().map(ToString::to_string);
        let is_pending = self.processes.contains_key(&key) && self.is_pending(key);
        let same = |it: &ToldProcess| {
            !is_pending
                && (it.start.is_none() || start.is_none() || it.start == start)
                && (it.node.is_none() || seen.node_id.is_none() || it.node == seen.node_id)
                && (it.database == seen.database.as_str() && it.role == seen.role)
        };
        if self.processes.get(&key).is_some_and(|it| !same(it)) {
            self.end(key, now);
        }
        let connected = self.peers.get(&key.0).is_some_and(|it| it.connected);
        let there = if connected {
            State::Live
        } else {
            State::Unreachable(now)
        };
        let said = seen.status.as_ref().map(|it| it.status);
        self.doubted.remove(&key);
        if let Some(process) = self.processes.get_mut(&key) {
            if matches!(process.state, State::Ending(_)) {
                process.state = State::Live;
            }
            if process.state != State::Live || said.is_some_and(|it| it != process.status) {
                process.changed = now;
            }
            process.heard = now;
            process.agent = agent;
            process.start = process.start.take().or(start);
            process.node = process.node.or(seen.node_id);
            self.lives[process.life].start.clone_from(&process.start);
            let anew = news || !process.registered || process.status == Status::Unknown;
            process.status = said.filter(|_| anew).unwrap_or(process.status);
            process.registered = true;
            if connected {
                process.state = State::Live;
            }
            return;
        }
        self.quiet = now;
        self.lives.push(Life {
            database: seen.database.to_string(),
            role: seen.role,
            peer: key.0,
            from: now,
            to: None,
            failed: None,
            left: None,
            seen: None,
            was_up: false,
            settled: None,
            start: start.clone(),
        });
        let process = ToldProcess {
            peer: key.0,
            database: seen.database.to_string(),
            role: seen.role,
            status: said.unwrap_or(Status::Unknown),
            state: there,
            changed: now,
            heard: now,
            life: self.lives.len() - 1,
            agent,
            start,
            node: seen.node_id,
            registered: true,
        };
        self.begun.push((key, process.life));
        self.processes.insert(key, process);
    }

    fn process_gone(&mut self, key: (usize, u32), agent: u32, seen: &ProcessSeen) {
        let now = self.now;
        let start = seen.start_id.as_ref().map(ToString::to_string);
        let lost = self.peers.get(&key.0).and_then(|it| it.lost);
        let with_peer = lost.is_some_and(|it| now.since(it) <= SETTLE);
        let Some(process) = self.processes.get_mut(&key) else {
            return;
        };
        let is_other = process.start.is_some() && start.is_some() && process.start != start;
        if process.agent != agent || is_other {
            return;
        }
        process.registered = false;
        match process.state {
            State::Ending(_) | State::Unreachable(_) => (),
            State::Live if self.is_minority && key.0 != self.entry => self.set_aside(key),
            State::Live if with_peer && process.heard <= lost.unwrap_or_default() => {
                process.state = State::Unreachable(now);
                self.returning.push((now + RETURN_GRACE, key.0));
            }
            State::Live if process.status == Status::Stopping => {
                self.end(key, now);
            }
            State::Live => {
                let due = now + SETTLE;
                process.state = State::Ending(due);
                self.ending.push((due, key.0, key.1));
            }
        }
    }

    fn end(&mut self, key: (usize, u32), at: Timestamp) {
        self.doubted.remove(&key);
        if let Some(process) = self.processes.remove(&key) {
            self.ended.push((key, process.life));
            let life = &mut self.lives[process.life];
            life.to = Some(at);
            life.settled = Some(self.now);
            life.seen = Some(match process.state {
                State::Unreachable(since) => since,
                State::Ending(_) | State::Live => at,
            });
            life.was_up = matches!(process.status, Status::Stopping | Status::Up);
            if process.status == Status::Stopping {
                life.left = Some(at);
            } else if matches!(process.state, State::Ending(_)) {
                life.failed = Some(at);
            }
        }
    }

    fn keys_at(&self, peer: usize) -> Vec<(usize, u32)> {
        self.processes
            .range((peer, 0)..=(peer, u32::MAX))
            .map(|(key, _)| *key)
            .collect()
    }
}

/// Reads `5eed0000-3-2`: peer 3, in the second life of its agent.
fn parse(agent: &AgentId) -> (usize, u32) {
    let mut parts = agent.as_str().rsplitn(3, '-');
    let mut number = || {
        parts
            .next()
            .and_then(|it| it.parse().ok())
            .unwrap_or_default()
    };
    let life = number();
    let peer = number();
    (peer as usize, life)
}
