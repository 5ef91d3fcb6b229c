//! A small domain as it really is: peers, agents, engines, and a broker that tells of them.
//!
//! Written without a look at the model: what is told is told late and, between one entity and
//! another, out of order. What is wanted, and what is started, it does not know.

use std::collections::BTreeMap;
use std::time::Duration;

use super::driver::Driver;
use super::faults::{Fault, Trouble};
use super::plan::Plan;
use dbwarden::exchange::{ActionId, Deed, Loss, LossClass, Observation, Outcome};
use dbwarden::model::{
    Address, PeerSeen, ProcessSeen, Role, Sighting, Snapshot, Status, StatusSeen,
};
use dbwarden::sandbox::world::history::Dice;
use dbwarden::supervisor::Input;
use dbwarden::time::Timestamp;

/// How an engine is, in the protocol's words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Word {
    Active,
    Running,
    ShuttingDown,
    Syncing,
}

impl Word {
    fn seen(self) -> StatusSeen {
        let (status, word) = match self {
            Self::Active => (Status::Starting, "ACTIVE"),
            Self::Running => (Status::Up, "RUNNING"),
            Self::ShuttingDown => (Status::Stopping, "SHUTTING_DOWN"),
            Self::Syncing => (Status::Starting, "SYNCING"),
        };
        StatusSeen {
            status,
            word: word.into(),
        }
    }
}

/// An engine that lives.
#[derive(Clone, Debug)]
pub(super) struct Engine {
    pub(super) database: usize,
    pub(super) role: Role,
    /// Unique: no two lives share it.
    pub(super) start: u32,
    pub(super) word: Word,
    /// Whether the domain counts it as registered, and with which life of its agent.
    pub(super) registered: Option<u32>,
}

/// A host.
#[derive(Debug)]
pub(super) struct Peer {
    /// Which life of its agent it is.
    pub(super) agent: u32,
    /// Whether the domain reaches it.
    pub(super) seen: bool,
    /// Whether its agent lives and answers us.
    pub(super) answers: bool,
    pub(super) engines: BTreeMap<u32, Engine>,
    /// Engines that ended unseen, and that the domain still counts as registered.
    pub(super) ghosts: BTreeMap<u32, Engine>,
    /// What befalls starts there, and until when.
    pub(super) trouble: Option<(Trouble, Timestamp)>,
}

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Item {
    /// Faults end, and whatever is missing comes back.
    Calm,
    Connect,
    Deed(Deed),
    Exit {
        peer: usize,
        pid: u32,
        start: u32,
    },
    Fault(Fault),
    /// An agent that accepted a start sees its engine come up.
    Register {
        peer: usize,
        database: usize,
        role: Role,
        action: Option<ActionId>,
        lives_for: Option<Duration>,
    },
    Report {
        action: ActionId,
        outcome: Outcome,
    },
    Reattach {
        peer: usize,
        pid: u32,
        start: u32,
        agent: u32,
    },
    Return {
        peer: usize,
        restarted: bool,
    },
    Snapshot {
        session: u32,
    },
    Start {
        peer: usize,
        database: usize,
        role: Role,
    },
    Status {
        peer: usize,
        pid: u32,
        start: u32,
        word: Word,
    },
    /// The broker's word arrives, unless the session it was sent on is gone.
    Tell {
        session: u32,
        sighting: Sighting,
        finish: Option<(ActionId, Outcome)>,
    },
}

/// The domain.
#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) dice: Dice,
    pub(super) now: Timestamp,
    pub(super) peers: Vec<Peer>,
    pub(super) driver: Driver,
    /// The entry peer, while a session stands; sessions are numbered.
    pub(super) entry: Option<usize>,
    pub(super) session: u32,
    pub(super) calm: bool,
    pub(super) starts: u32,
    queue: BTreeMap<(Timestamp, u64), Item>,
    queued: u64,
    /// When the last word on a peer, or on a process, arrives.
    last_word: BTreeMap<(usize, u32), Timestamp>,
}

impl World {
    pub(super) fn new(plan: Plan, dice: Dice) -> Self {
        let peers = (0..plan.peers)
            .map(|_| Peer {
                agent: 1,
                seen: true,
                answers: true,
                engines: BTreeMap::new(),
                ghosts: BTreeMap::new(),
                trouble: None,
            })
            .collect();
        let mut world = Self {
            plan,
            dice,
            now: Timestamp::ZERO,
            peers,
            driver: Driver::default(),
            entry: None,
            session: 0,
            calm: false,
            starts: 0,
            queue: BTreeMap::new(),
            queued: 0,
            last_word: BTreeMap::new(),
        };
        world.populate();
        world.schedule_faults();
        world.after(Duration::ZERO, Item::Connect);
        world
    }

    /// Puts the storage managers and the first transaction engines in place.
    fn populate(&mut self) {
        for database in 0..self.plan.databases.len() {
            let first = self.dice.below(self.peers.len());
            self.bear(first, database, Role::Sm, None, Word::Running);
            for at in 0..self.plan.databases[database].engines {
                let peer = (first + at) % self.peers.len();
                self.bear(peer, database, Role::Te, None, Word::Running);
            }
        }
    }

    /// Lets an engine come to life, registered if the domain sees its peer.
    fn bear(
        &mut self,
        at: usize,
        database: usize,
        role: Role,
        action: Option<ActionId>,
        word: Word,
    ) -> u32 {
        self.starts += 1;
        let start = action.map_or(self.starts, start_of);
        // Few pids, so that they are soon used again.
        let peer = &self.peers[at];
        let taken = |pid: &u32| peer.engines.contains_key(pid) || peer.ghosts.contains_key(pid);
        let first = 1 + u32::try_from(self.dice.below(4)).unwrap();
        let pid = (first..u32::MAX).find(|pid| !taken(pid)).unwrap();
        let peer = &mut self.peers[at];
        let registered = peer.seen.then_some(peer.agent);
        let engine = Engine {
            database,
            role,
            start,
            word,
            registered,
        };
        peer.engines.insert(pid, engine);
        pid
    }

    // --- time ------------------------------------------------------------------------------

    pub(super) fn after(&mut self, pause: Duration, item: Item) {
        self.at(self.now + pause, item);
    }

    pub(super) fn at(&mut self, at: Timestamp, item: Item) {
        self.queued += 1;
        self.queue.insert((at.max(self.now), self.queued), item);
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets the next thing happen; returns what the warden is told.
    pub(super) fn step(&mut self) -> Vec<Input> {
        let ((at, _), item) = self
            .queue
            .pop_first()
            .expect("the caller asked for the next");
        self.now = at.max(self.now);
        match item {
            Item::Calm => self.calm_down(),
            Item::Connect => return self.connect(),
            Item::Deed(deed) => self.deed(deed),
            Item::Exit { peer, pid, start } => self.exit(peer, pid, start),
            Item::Fault(fault) => return self.strike(fault),
            Item::Reattach {
                peer,
                pid,
                start,
                agent,
            } => self.reattach(peer, pid, start, agent),
            Item::Register {
                peer,
                database,
                role,
                action,
                lives_for,
            } => {
                if self.driver.dies_unborn(action) {
                    return Vec::new();
                }
                self.register(peer, database, role, action, lives_for);
            }
            Item::Report { action, outcome } => {
                return self.driver.report(action, outcome).into_iter().collect();
            }
            Item::Return { peer, restarted } => self.return_peer(peer, restarted),
            Item::Snapshot { session } => {
                if self.entry.is_some() && self.session == session {
                    return self.tell_snapshot();
                }
            }
            Item::Start {
                peer,
                database,
                role,
            } => {
                if self.peers[peer].answers {
                    self.register(peer, database, role, None, None);
                }
            }
            Item::Status {
                peer,
                pid,
                start,
                word,
            } => self.change_status(peer, pid, start, word),
            Item::Tell {
                session,
                sighting,
                finish,
            } => return self.arrive(session, sighting, finish),
        }
        Vec::new()
    }

    /// The broker's word arrives.
    fn arrive(
        &mut self,
        session: u32,
        sighting: Sighting,
        finish: Option<(ActionId, Outcome)>,
    ) -> Vec<Input> {
        if self.entry.is_none() || self.session != session {
            return Vec::new();
        }
        let mut told = vec![Input::Observed(Observation::Sighted(sighting))];
        let report = finish.and_then(|(action, outcome)| self.driver.report(action, outcome));
        told.extend(report);
        if told.len() == 2 && self.dice.percent(50) {
            told.swap(0, 1);
        }
        told
    }

    // --- the session -----------------------------------------------------------------------

    fn connect(&mut self) -> Vec<Input> {
        if self.entry.is_some() {
            return Vec::new();
        }
        let open = |it: &usize| self.peers[*it].seen && self.peers[*it].answers;
        let brokers: Vec<usize> = (0..self.peers.len()).filter(open).collect();
        if brokers.is_empty() || (!self.calm && self.now > Timestamp::ZERO && self.dice.percent(20))
        {
            let pause = self.dice.whole_millis(500, 8_000);
            self.after(pause, Item::Connect);
            let class = self.dice.pick(&[LossClass::Connection, LossClass::Denied]);
            return vec![Input::Observed(Observation::Lost(loss(class)))];
        }
        self.entry = Some(self.dice.pick(&brokers));
        self.session += 1;
        self.last_word.clear();
        self.tell_snapshot()
    }

    /// Ends the session; what is on its way is lost with it.
    pub(super) fn disconnect(&mut self, pause: Duration) -> Vec<Input> {
        if self.entry.take().is_none() {
            return Vec::new();
        }
        self.after(pause, Item::Connect);
        vec![Input::Observed(Observation::Lost(loss(
            LossClass::Connection,
        )))]
    }

    /// The daemon dies and comes back: its session and its driver are gone, and deeds that were on
    /// their way to the driver with them.
    pub(super) fn die(&mut self, pause: Duration) {
        self.disconnect(pause);
        self.queue.retain(|_, it| !matches!(it, Item::Deed(_)));
        self.driver.die();
    }

    fn tell_snapshot(&mut self) -> Vec<Input> {
        let snapshot = self.snapshot();
        let present: Vec<(String, u32)> = snapshot
            .processes
            .iter()
            .filter_map(|it| Some((it.start_id.as_ref()?.to_string(), it.pid)))
            .collect();
        let mut told = vec![Input::Observed(Observation::Snapshot(snapshot))];
        for (action, pid) in self.driver.find(&present) {
            told.extend(self.driver.report(action, Outcome::Registered { pid }));
        }
        told
    }

    /// The domain as it is now.
    pub(super) fn snapshot(&self) -> Snapshot {
        let entry = self.entry.expect("somebody must tell");
        let others = (0..self.peers.len()).filter(|it| *it != entry && self.peers[*it].seen);
        let processes = (0..self.peers.len()).flat_map(|at| {
            let peer = &self.peers[at];
            let all = peer.engines.iter().chain(&peer.ghosts);
            all.filter(|(_, it)| it.registered.is_some())
                .map(move |(pid, it)| self.seen_process(at, *pid, it))
        });
        Snapshot {
            domain: "domain".into(),
            entry: self.seen_peer(entry),
            peers: others.map(|it| self.seen_peer(it)).collect(),
            processes: processes.collect(),
        }
    }

    fn seen_peer(&self, at: usize) -> PeerSeen {
        PeerSeen {
            agent_id: format!("p{at}-{}", self.peers[at].agent).as_str().into(),
            address: Address::new(format!("p{at}"), 1),
            is_broker: true,
            hostname: "".into(),
            version: "".into(),
        }
    }

    fn seen_process(&self, at: usize, pid: u32, engine: &Engine) -> ProcessSeen {
        let agent = engine.registered.unwrap_or(self.peers[at].agent);
        ProcessSeen {
            agent_id: format!("p{at}-{agent}").as_str().into(),
            database: self.plan.databases[engine.database].name.as_str().into(),
            pid,
            port: None,
            role: engine.role,
            status: Some(engine.word.seen()),
            hostname: "".into(),
            version: "".into(),
            node_id: Some(engine.start),
            start_id: Some(format!("s{}", engine.start).as_str().into()),
        }
    }

    /// Tells something of a peer (`pid` 0) or of a process: late, but in order for each.
    pub(super) fn tell(
        &mut self,
        peer: usize,
        pid: u32,
        sighting: Sighting,
        finish: Option<(ActionId, Outcome)>,
    ) {
        if self.entry.is_none() {
            return;
        }
        let at = self.now + self.dice.whole_millis(0, self.plan.lag);
        let last = self.last_word.entry((peer, pid)).or_default();
        *last = at.max(*last);
        let (at, session) = (*last, self.session);
        self.at(
            at,
            Item::Tell {
                session,
                sighting,
                finish,
            },
        );
    }

    // --- engines ---------------------------------------------------------------------------

    pub(super) fn register(
        &mut self,
        at: usize,
        database: usize,
        role: Role,
        action: Option<ActionId>,
        lives_for: Option<Duration>,
    ) {
        let pid = self.bear(at, database, role, action, Word::Active);
        let engine = self.peers[at].engines[&pid].clone();
        let start = engine.start;
        if let Some(action) = action {
            self.driver.born(action, start);
        }
        if engine.registered.is_some() {
            let mut status = self.seen_process(at, pid, &engine);
            status.start_id = None;
            let mut joined = self.seen_process(at, pid, &engine);
            joined.status = None;
            joined.node_id = None;
            let finish = action.map(|it| (it, Outcome::Registered { pid }));
            let early = self.dice.percent(30);
            if early {
                self.tell(at, pid, Sighting::StatusChanged(status.clone()), None);
            }
            self.tell(at, pid, Sighting::ProcessJoined(joined), finish);
            if !early {
                self.tell(at, pid, Sighting::StatusChanged(status), None);
            }
        }
        let pause = self.dice.whole_millis(10, 4_000);
        let word = Word::Running;
        self.after(
            pause,
            Item::Status {
                peer: at,
                pid,
                start,
                word,
            },
        );
        if let Some(pause) = lives_for {
            self.after(
                pause,
                Item::Exit {
                    peer: at,
                    pid,
                    start,
                },
            );
        }
    }

    fn change_status(&mut self, at: usize, pid: u32, start: u32, word: Word) {
        let Some(engine) = self.peers[at].engines.get_mut(&pid) else {
            return;
        };
        if engine.start != start || engine.word == Word::ShuttingDown {
            return;
        }
        engine.word = word;
        let engine = engine.clone();
        if engine.registered.is_some() && self.peers[at].seen {
            let mut seen = self.seen_process(at, pid, &engine);
            seen.start_id = None;
            self.tell(at, pid, Sighting::StatusChanged(seen), None);
        }
    }

    fn exit(&mut self, at: usize, pid: u32, start: u32) {
        let peer = &mut self.peers[at];
        if peer.engines.get(&pid).is_none_or(|it| it.start != start) {
            return;
        }
        let engine = peer.engines.remove(&pid).unwrap();
        if engine.registered.is_none() {
            return;
        }
        if peer.seen {
            let seen = self.seen_process(at, pid, &engine);
            self.tell(at, pid, Sighting::ProcessGone(seen), None);
        } else {
            peer.ghosts.insert(pid, engine);
        }
    }

    fn reattach(&mut self, at: usize, pid: u32, start: u32, agent: u32) {
        let peer = &mut self.peers[at];
        if !peer.seen || peer.agent != agent {
            return;
        }
        let Some(engine) = peer.engines.get_mut(&pid).filter(|it| it.start == start) else {
            return;
        };
        engine.registered = Some(agent);
        let engine = engine.clone();
        let seen = self.seen_process(at, pid, &engine);
        let action = self.driver.action_of(start);
        let finish = action.map(|it| (it, Outcome::Registered { pid }));
        self.tell(at, pid, Sighting::ProcessJoined(seen), finish);
    }

    // --- peers -----------------------------------------------------------------------------

    /// The domain loses a peer. Its engines live on; whether their exits are told differs.
    pub(super) fn lose_peer(&mut self, at: usize, exits_told: bool) {
        let seen = self.seen_peer(at);
        self.peers[at].seen = false;
        self.tell(at, 0, Sighting::PeerLost(seen), None);
        if exits_told {
            self.deregister(at);
        }
    }

    fn deregister(&mut self, at: usize) {
        let peer = &mut self.peers[at];
        let ghosts = std::mem::take(&mut peer.ghosts);
        let registered = peer
            .engines
            .iter()
            .filter(|(_, it)| it.registered.is_some());
        let all: Vec<(u32, Engine)> = registered
            .map(|(pid, it)| (*pid, it.clone()))
            .chain(ghosts)
            .collect();
        for engine in peer.engines.values_mut() {
            engine.registered = None;
        }
        for (pid, engine) in all {
            let seen = self.seen_process(at, pid, &engine);
            self.tell(at, pid, Sighting::ProcessGone(seen), None);
        }
    }

    fn return_peer(&mut self, at: usize, restarted: bool) {
        let peer = &mut self.peers[at];
        if peer.seen {
            return;
        }
        peer.answers = true;
        if restarted {
            self.deregister(at);
            self.peers[at].agent += 1;
        }
        let peer = &mut self.peers[at];
        peer.seen = true;
        let agent = peer.agent;
        let ghosts = std::mem::take(&mut peer.ghosts);
        let missing = peer
            .engines
            .iter()
            .filter(|(_, it)| it.registered.is_none());
        let missing: Vec<(u32, u32)> = missing.map(|(pid, it)| (*pid, it.start)).collect();
        let seen = self.seen_peer(at);
        self.tell(at, 0, Sighting::PeerJoined(seen), None);
        for (pid, engine) in ghosts {
            let seen = self.seen_process(at, pid, &engine);
            self.tell(at, pid, Sighting::ProcessGone(seen), None);
        }
        for (pid, engine) in self.peers[at].engines.clone() {
            if engine.registered.is_some() {
                let seen = self.seen_process(at, pid, &engine);
                self.tell(at, pid, Sighting::StatusChanged(seen), None);
            }
        }
        let longest = self.plan.reattach;
        for (pid, start) in missing {
            let pause = self.dice.whole_millis(1, longest);
            self.after(
                pause,
                Item::Reattach {
                    peer: at,
                    pid,
                    start,
                    agent,
                },
            );
        }
    }

    /// From now on nothing goes wrong any more.
    fn calm_down(&mut self) {
        self.calm = true;
        for at in 0..self.peers.len() {
            self.peers[at].trouble = None;
            self.peers[at].answers = true;
            let restarted = self.dice.percent(50);
            self.return_peer(at, restarted);
        }
        self.after(Duration::from_secs(1), Item::Connect);
        // An operator sees to the storage managers.
        for database in 0..self.plan.databases.len() {
            let keeps = |it: &Engine| it.database == database && it.role == Role::Sm;
            let kept = self.peers.iter().any(|it| {
                it.engines
                    .values()
                    .any(|it| keeps(it) && it.word != Word::ShuttingDown)
            });
            if !kept {
                let peer = self.dice.below(self.peers.len());
                let role = Role::Sm;
                self.after(
                    Duration::from_secs(2),
                    Item::Start {
                        peer,
                        database,
                        role,
                    },
                );
            }
        }
    }
}

/// Returns the number of the start that an action asks for.
pub(super) fn start_of(action: ActionId) -> u32 {
    HEALED + u32::try_from(action.0).unwrap()
}

/// The starts of the healer are numbered from here on.
pub(super) const HEALED: u32 = 1_000_000;

pub(super) fn loss(class: LossClass) -> Loss {
    Loss {
        address: Address::new("p0", 1),
        class,
        reason: "gone".into(),
    }
}
