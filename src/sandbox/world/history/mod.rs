//! Whole histories in virtual time: warden and pilot as they run in the daemon, against simulated
//! brokers, peers and engines that speak real frames, XML and ciphers, with a swarm of faults drawn
//! from a seed. First things go wrong, then all is well and everything must come to rest.
//!
//! A history is a function of its seed and its [`Ground`]. It reads no clock and moves no byte
//! outside itself. What must hold is judged by `judge`, from what was told and done alone.

mod again;
mod archives;
mod clocks;
mod commands;
mod daemon;
mod dice;
mod disk;
mod fault;
mod figures;
mod hosts;
mod judge;
mod managers;
mod more;
mod people;
mod ports;
mod queue;
mod reload;
mod swarm;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::{EngineId, EngineState, Input, PeerNumber, Start, World};
use crate::model::{Address, Role};
use crate::mutation::{Mutant, Planted};
use crate::nuodb::client::{Credentials, Settings};
use crate::nuodb::pilot::PilotSettings;
use crate::nuodb::server::ServerSettings;
use crate::nuodb::srp::{Agreement, Password, Table};
use crate::supervisor::{Accepted, Effect, Fact, Mode};
use crate::time::Timestamp;

use again::Again;
use clocks::Clocks;
use daemon::Daemon;
use fault::{Fault, Later};
use hosts::{Hosts, Step};
use judge::Judge;
use more::More;
use queue::Queue;
use swarm::{Plan, STORM};
use wire::{LineId, Packet, Way, Wire};

pub use dice::Dice;
pub use figures::{Figures, Total};
pub use judge::{Broken, Law};

/// How much of a trace a broken history shows.
const TRACE: usize = 400;

/// So many things at one instant mean that time stands still.
const AT_ONCE: usize = 20_000;

/// What begins just before the end is given that long to come to one.
const LAST_START: Duration = Duration::from_secs(180);

/// How many key agreements are computed beforehand.
const ROWS: usize = 32;

/// What histories have in common.
#[derive(Clone, Debug)]
pub struct Ground {
    accepted: Option<Arc<Accepted>>,
    pilot: PilotSettings,
    password: Password,
    /// One history in so many is decided again from its record.
    decide_again: u64,
    planted: Planted,
    /// What becomes of a fact on the disk.
    through: Option<fn(Fact) -> Fact>,
}

impl Default for Ground {
    fn default() -> Self {
        let password = Password::new("bird".to_owned());
        let table = Arc::new(Table::new("domain", &password, 1, ROWS));
        let client = Settings {
            credentials: Credentials {
                user: "domain".to_owned(),
                password: password.clone(),
            },
            inside_tls: false,
            allow_legacy_ciphers: false,
            frame_limit: 1 << 24,
            agreement: Agreement::Known(table),
        };
        Self {
            accepted: None,
            pilot: PilotSettings::new(Vec::new(), client),
            password,
            decide_again: 16,
            planted: Planted::default(),
            through: None,
        }
    }
}

impl Ground {
    /// Returns the ground on which policies and the ways to a domain are the operator's own;
    /// otherwise they are drawn from the seed.
    #[must_use]
    pub fn with(mut accepted: Accepted, pilot: PilotSettings) -> Self {
        let ground = Self::default();
        // The peers are others here, and in a simulation nothing is only looked at.
        accepted.model.peers.clear();
        accepted.supervisor.mode = Mode::Heal;
        Self {
            accepted: Some(Arc::new(accepted)),
            pilot: PilotSettings {
                client: ground.pilot.client.clone(),
                dials: ground.pilot.dials.clone(),
                ..pilot
            },
            ..ground
        }
    }

    /// Returns the same, with every so-many-th history decided again from its record.
    #[must_use]
    pub fn deciding_again(self, every: u64) -> Self {
        Self {
            decide_again: every.max(1),
            ..self
        }
    }

    /// Returns the same, with a disk from which facts are read as `through` says: written down and
    /// read back, as a journal does.
    #[must_use]
    pub fn remembering(self, through: fn(Fact) -> Fact) -> Self {
        Self {
            through: Some(through),
            ..self
        }
    }

    /// Returns the same, with a mistake planted in the healer.
    #[must_use]
    pub fn planting(mut self, mutant: Mutant) -> Self {
        self.planted = Planted::plant(mutant);
        self.pilot.planted = self.planted;
        self
    }
}

/// What became of a history.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its seed.
    pub seed: u64,
    /// Which law was broken, if one was.
    pub broken: Option<Broken>,
    /// What was done, and how often each law had something to say.
    pub figures: Figures,
    /// How it ended, line by line, if that was asked for.
    pub trace: Vec<String>,
}

/// Plays the history of a seed.
pub fn play(seed: u64, ground: &Ground) -> Verdict {
    History::new(seed, ground, false).run()
}

/// Plays the history of a seed and writes down what happens.
pub fn trace(seed: u64, ground: &Ground) -> Verdict {
    History::new(seed, ground, true).run()
}

/// Something that happens later.
#[derive(Debug)]
enum Item {
    Arrived {
        line: LineId,
        way: Way,
        packet: Packet,
    },
    Broken {
        line: LineId,
    },
    Calm,
    Committed(u64),
    Dialled {
        line: LineId,
        address: Address,
    },
    Engine(EngineId, Step),
    Fault(Fault),
    Later(Later),
    /// The machine of the daemon wakes.
    Wakes,
}

/// A history while it lasts.
#[derive(Debug)]
struct History {
    seed: u64,
    now: Timestamp,
    plan: Plan,
    dice: Dice,
    queue: Queue<Item>,
    world: World,
    wire: Wire,
    hosts: Hosts,
    /// Which engine came of which start.
    born: BTreeMap<Arc<str>, EngineId>,
    daemon: Daemon,
    clocks: Clocks,
    judge: Judge,
    again: Option<Again>,
    figures: Figures,
    slow_disk_until: Timestamp,
    /// How often people asked for something.
    requests: u64,
    is_calm: bool,
    trace: Option<VecDeque<String>>,
}

impl History {
    fn new(seed: u64, ground: &Ground, is_traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let mut plan = Plan::draw(&mut dice, ground, More::draw(seed));
        let is_known = seed % 1_000 != 999;
        if !is_known {
            plan.pilot.client.agreement = Agreement::Computed;
        }
        let agreement = plan.pilot.client.agreement.clone();
        let server = ServerSettings {
            user: "domain".to_owned(),
            password: ground.password.clone(),
            ciphers: plan.ciphers.clone(),
            frame_limit: 1 << 20,
            agreement,
        };
        let world = World::new(super::Settings {
            domain: "prod".into(),
            peers: plan.peers.clone(),
            pace: plan.pace,
            seed,
        });
        let decides_again = seed.is_multiple_of(ground.decide_again);
        let mut history = Self {
            seed,
            now: Timestamp::ZERO,
            queue: Queue::default(),
            world,
            wire: Wire::new(server, plan.latency),
            hosts: Hosts::default(),
            born: BTreeMap::new(),
            daemon: Daemon::new(plan.accepted.clone(), plan.pilot.clone(), ground.through),
            clocks: Clocks::default(),
            judge: Judge::new(&plan),
            again: decides_again.then(|| Again::new(plan.accepted.clone())),
            figures: Figures::default(),
            slow_disk_until: Timestamp::ZERO,
            requests: 0,
            is_calm: false,
            trace: is_traced.then(VecDeque::new),
            plan,
            dice,
        };
        if is_traced {
            let plan = format!("{:#?}", history.plan);
            history.note(|| plan);
        }
        history
    }

    fn run(mut self) -> Verdict {
        let broken = self.play().err();
        self.judge.count(&mut self.figures);
        Verdict {
            seed: self.seed,
            broken,
            figures: self.figures,
            trace: self.trace.unwrap_or_default().into(),
        }
    }

    fn play(&mut self) -> Result<(), Broken> {
        self.populate();
        self.schedule_faults();
        let mut end = Timestamp::ZERO + STORM + self.plan.calm;
        let last_end = end + LAST_START;
        self.queue.put(Timestamp::ZERO + STORM, Item::Calm);
        self.begin_daemon()?;
        let mut at_once = (Timestamp::ZERO, 0);
        loop {
            let due = [
                self.queue.next(),
                self.world.next_timeout(),
                self.daemon.next().map(|at| at.max(self.clocks.wakes)),
            ];
            let Some(next) = due.into_iter().flatten().min() else {
                break;
            };
            if next > end && (next > last_end || self.may_end()) {
                break;
            }
            end = end.max(next);
            self.now = self.now.max(next);
            at_once = if at_once.0 == self.now {
                (self.now, at_once.1 + 1)
            } else {
                (self.now, 0)
            };
            if at_once.1 > AT_ONCE {
                return Err(Law::Progress.broken("time stands still".to_owned()));
            }
            self.step()?;
        }
        self.now = end;
        self.judge_rest()
    }

    /// Whatever is due next happens.
    fn step(&mut self) -> Result<(), Broken> {
        let now = self.now;
        if self.world.next_timeout().is_some_and(|at| at <= now) {
            self.tell_world(Input::Timeout);
            return Ok(());
        }
        if self.queue.next().is_none_or(|at| at > now) {
            return self.run_daemon();
        }
        let Some(item) = self.queue.take() else {
            return Ok(());
        };
        if now < self.clocks.wakes && clocks::waits(&item) {
            self.queue.put(self.clocks.wakes, item);
            return Ok(());
        }
        match item {
            Item::Arrived { line, way, packet } => self.arrived(line, way, packet),
            Item::Broken { line } => self.broken(line),
            Item::Calm => self.calm()?,
            Item::Committed(ticket) => self.committed(ticket)?,
            Item::Dialled { line, address } => self.dialled(line, &address),
            Item::Engine(engine, step) => self.engine(engine, step),
            Item::Fault(fault) => self.strike(fault)?,
            Item::Later(later) => self.catch_up(later)?,
            Item::Wakes => self.wake()?,
        }
        Ok(())
    }

    /// What runs before anybody watches.
    fn populate(&mut self) {
        let peers = self.plan.peers.len();
        for (index, database) in self.plan.databases.clone().into_iter().enumerate() {
            for number in 0..database.managers {
                let peer = numbered((index + number) % peers);
                self.begin_engine(peer, &database.name, Role::Sm);
            }
            let first = self.dice.below(peers);
            for number in 0..database.engines {
                let peer = numbered((first + number) % peers);
                self.begin_engine(peer, &database.name, Role::Te);
            }
        }
    }

    /// An engine is started by hand.
    fn begin_engine(&mut self, peer: PeerNumber, database: &Arc<str>, role: Role) {
        let archive = (role == Role::Sm).then(|| format!("/data/{database}").into());
        let start = Start {
            database: database.clone(),
            role,
            archive,
            initialize: false,
            has_dba: false,
        };
        self.tell_world(Input::Begin { peer, start });
    }

    /// The world takes something in, and what it wants is done; answers wait to be sent.
    fn feed_world(&mut self, input: Input) {
        self.world.handle(self.now, input);
        while let Some(effect) = self.world.poll() {
            self.carry_out(effect);
        }
    }

    /// The world takes something in, and all it has to say is sent.
    fn tell_world(&mut self, input: Input) {
        self.feed_world(input);
        self.speak();
        self.watch_service();
    }

    fn spawn_engine(&mut self, engine: EngineId, peer: PeerNumber, start: &Start) {
        let place = (engine, peer);
        let start_id = self
            .world
            .engines
            .get(&engine)
            .and_then(|it| it.start_id.clone());
        if let Some(start_id) = start_id {
            self.born.insert(start_id, engine);
        }
        let birth = self.hosts.spawn(self.now, &mut self.dice, place, start);
        for (pause, step) in birth.later {
            self.queue.put(self.now + pause, Item::Engine(engine, step));
        }
        for input in birth.now {
            self.feed_world(input);
        }
    }

    /// An engine is told to end, one way or the other.
    fn end_engine(&mut self, engine: EngineId, code: i32) {
        if self.hosts.doom(engine) {
            let pause = self.dice.micros(200, 30_000);
            self.queue
                .put(self.now + pause, Item::Engine(engine, Step::Exit(code)));
        }
    }

    fn engine(&mut self, engine: EngineId, step: Step) {
        match step {
            Step::Hang | Step::Ready if self.hosts.runs(engine) => {
                let port = u16::try_from(engine.0 % 10_000).expect("it is small") + 40_000;
                self.tell_world(Input::EngineReady { engine, port });
                if step == Step::Hang {
                    let step = (Duration::from_millis(100), EngineState::Active);
                    self.world.set_course(self.now, engine, &[step]);
                }
            }
            Step::Exit(code) if self.hosts.exit(engine) => {
                self.tell_world(Input::EngineExited { engine, code });
            }
            Step::Exit(_) | Step::Hang | Step::Ready => (),
        }
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            if trace.len() == TRACE {
                trace.remove(1);
            }
            let seconds = now.as_micros() / 1_000_000;
            let micros = now.as_micros() % 1_000_000;
            trace.push_back(format!("{seconds}.{micros:06} {}", line()));
        }
    }

    fn note_turn(&mut self, input: &crate::supervisor::Input, effects: &[Effect]) {
        if self.trace.is_none() {
            return;
        }
        if *input != crate::supervisor::Input::Timeout {
            self.note(|| format!("> {input:?}"));
        }
        for effect in effects {
            self.note(|| match effect {
                Effect::Answer { answer, .. } => format!("    {answer:?}"),
                Effect::Do(deed) => format!("    {deed:?}"),
                Effect::Raise(event) => format!(
                    "    {} {:?} {:?} {:?}",
                    event.kind.as_str(),
                    event.action,
                    event.subject,
                    event.text
                ),
            });
        }
    }
}

/// Returns the number of the peer that stands there in a list of all peers.
fn numbered(index: usize) -> PeerNumber {
    PeerNumber(u16::try_from(index + 1).expect("there are few peers"))
}
