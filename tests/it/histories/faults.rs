//! What goes wrong, and what people do meanwhile.

use std::time::Duration;

use dbwarden::exchange::LossClass;
use dbwarden::exchange::Observation;
use dbwarden::model::Role;
use dbwarden::supervisor::Input;
use dbwarden::time::Timestamp;

use super::plan::STORM;
use super::world::{Item, Word, World, loss};

/// What befalls the starts at one peer for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    CrashLoop,
    Fails,
    Slow,
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    AgentRestarts,
    Crash,
    CrashTogether,
    Hang,
    LosePeer,
    LoseSession,
    OperatorRestarts,
    OperatorShutsDown,
    OperatorStarts,
    OperatorStops,
    SmCrash,
    Trouble(Trouble),
}

const ALL: [Fault; KINDS] = [
    Fault::AgentRestarts,
    Fault::Crash,
    Fault::CrashTogether,
    Fault::Hang,
    Fault::LosePeer,
    Fault::LoseSession,
    Fault::OperatorRestarts,
    Fault::OperatorShutsDown,
    Fault::OperatorStarts,
    Fault::OperatorStops,
    Fault::SmCrash,
    Fault::Trouble(Trouble::CrashLoop),
    Fault::Trouble(Trouble::Fails),
    Fault::Trouble(Trouble::Slow),
];

/// How many kinds of fault there are.
pub(super) const KINDS: usize = 14;

/// Nothing goes wrong before everything that runs is wanted.
const QUIET: Duration = Duration::from_secs(60);

impl World {
    pub(super) fn schedule_faults(&mut self) {
        let length = u64::try_from(STORM.saturating_sub(QUIET).as_millis()).unwrap();
        let mut at = Timestamp::ZERO + QUIET;
        for _ in 0..self.plan.faults {
            let which = self.dice.weigh(&self.plan.weights);
            // Faults like company.
            at = if self.dice.percent(35) {
                at + self.dice.whole_millis(0, 20_000)
            } else {
                Timestamp::ZERO + QUIET + self.dice.whole_millis(0, length)
            };
            at = at.min(Timestamp::ZERO + STORM);
            self.at(at, Item::Fault(which.map_or(Fault::Crash, |it| ALL[it])));
        }
        self.at(Timestamp::ZERO + STORM, Item::Calm);
    }

    pub(super) fn strike(&mut self, fault: Fault) -> Vec<Input> {
        match fault {
            Fault::AgentRestarts => return self.restart_agent(),
            Fault::Crash => {
                if let Some((peer, pid, start)) = self.pick(Role::Te) {
                    self.after(Duration::ZERO, Item::Exit { peer, pid, start });
                }
            }
            Fault::CrashTogether => {
                if let Some((at, pid, _)) = self.pick(Role::Te) {
                    let database = self.peers[at].engines[&pid].database;
                    self.end_all(database, Role::Te, 6_000);
                }
            }
            Fault::Hang => self.hang(),
            Fault::LosePeer => return self.strike_peer(),
            Fault::LoseSession => {
                let pause = self.outage();
                if self.entry.is_none() {
                    let again = loss(LossClass::Protocol);
                    return vec![Input::Observed(Observation::Lost(again))];
                }
                return self.disconnect(pause);
            }
            Fault::OperatorRestarts => self.restart(),
            Fault::OperatorShutsDown => self.shut_down(),
            Fault::OperatorStarts => {
                let (peer, database) = (self.some_peer(), self.some_database());
                let role = Role::Te;
                self.after(
                    Duration::ZERO,
                    Item::Start {
                        peer,
                        database,
                        role,
                    },
                );
            }
            Fault::OperatorStops => {
                if let Some((at, pid, start)) = self.pick(Role::Te) {
                    self.stop(at, pid, start);
                }
            }
            Fault::SmCrash => self.crash_sm(),
            Fault::Trouble(trouble) => self.trouble(trouble),
        }
        Vec::new()
    }

    fn trouble(&mut self, trouble: Trouble) {
        let until = self.now + self.outage() + self.outage();
        let everywhere = self.dice.percent(30);
        let one = self.some_peer();
        for (at, peer) in self.peers.iter_mut().enumerate() {
            if everywhere || at == one {
                peer.trouble = Some((trouble, until));
            }
        }
    }

    fn restart(&mut self) {
        if let Some((at, pid, start)) = self.pick(Role::Te) {
            let database = self.peers[at].engines[&pid].database;
            let down = self.stop(at, pid, start);
            let pause = down + self.dice.whole_millis(10, 40_000);
            let peer = if self.dice.percent(60) {
                at
            } else {
                self.some_peer()
            };
            let role = Role::Te;
            self.after(
                pause,
                Item::Start {
                    peer,
                    database,
                    role,
                },
            );
        }
    }

    fn crash_sm(&mut self) {
        if let Some((peer, pid, start)) = self.pick(Role::Sm) {
            let database = self.peers[peer].engines[&pid].database;
            self.after(Duration::ZERO, Item::Exit { peer, pid, start });
            let pause = self.dice.whole_millis(500, 200_000);
            let role = Role::Sm;
            self.after(
                pause,
                Item::Start {
                    peer,
                    database,
                    role,
                },
            );
        }
    }

    fn some_peer(&mut self) -> usize {
        let peers = self.peers.len();
        self.dice.below(peers)
    }

    fn some_database(&mut self) -> usize {
        let databases = self.plan.databases.len();
        self.dice.below(databases)
    }

    /// Returns for how long something is away: seconds or minutes.
    fn outage(&mut self) -> Duration {
        let longest = self.dice.pick(&[1_500, 15_000, 50_000, 240_000]);
        self.dice.whole_millis(100, longest)
    }

    fn pick(&mut self, role: Role) -> Option<(usize, u32, u32)> {
        let all: Vec<(usize, u32, u32)> = self
            .peers
            .iter()
            .enumerate()
            .flat_map(|(at, peer)| {
                let of_role = peer.engines.iter().filter(|(_, it)| it.role == role);
                of_role.map(move |(pid, it)| (at, *pid, it.start))
            })
            .collect();
        (!all.is_empty()).then(|| self.dice.pick(&all))
    }

    fn end_all(&mut self, database: usize, role: Role, within: u64) {
        for at in 0..self.peers.len() {
            let engines = self.peers[at].engines.clone();
            for (pid, engine) in engines {
                if engine.database == database && engine.role == role {
                    let (peer, start) = (at, engine.start);
                    let pause = self.dice.whole_millis(0, within);
                    self.after(pause, Item::Exit { peer, pid, start });
                }
            }
        }
    }

    /// An operator asks an engine to leave; returns how long that takes.
    fn stop(&mut self, at: usize, pid: u32, start: u32) -> Duration {
        let word = Word::ShuttingDown;
        let (peer, down) = (at, self.dice.whole_millis(60, 4_000));
        let status = Item::Status {
            peer,
            pid,
            start,
            word,
        };
        self.after(Duration::ZERO, status);
        self.after(down, Item::Exit { peer, pid, start });
        down
    }

    fn shut_down(&mut self) {
        let database = self.some_database();
        let back = self.dice.percent(50);
        let away = self.outage();
        for at in 0..self.peers.len() {
            let engines = self.peers[at].engines.clone();
            for (pid, engine) in engines
                .into_iter()
                .filter(|(_, it)| it.database == database)
            {
                let down = self.stop(at, pid, engine.start);
                if back || engine.role == Role::Sm {
                    let te = engine.role == Role::Te;
                    let pause = down + away + Duration::from_secs(if te { 5 } else { 0 });
                    let (peer, role) = (at, engine.role);
                    self.after(
                        pause,
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

    fn hang(&mut self) {
        let Some((peer, pid, start)) = self.pick(Role::Te) else {
            return;
        };
        let (syncing, running) = (Word::Syncing, Word::Running);
        let pause = self.outage();
        let ends = self.dice.percent(50);
        let status = |word| Item::Status {
            peer,
            pid,
            start,
            word,
        };
        self.after(Duration::ZERO, status(syncing));
        if ends {
            self.after(pause, Item::Exit { peer, pid, start });
        } else {
            self.after(pause, status(running));
        }
    }

    fn restart_agent(&mut self) -> Vec<Input> {
        let peer = self.some_peer();
        if !self.peers[peer].seen {
            return Vec::new();
        }
        let told = self.leave(peer, true);
        self.peers[peer].answers = false;
        let pause = self.dice.whole_millis(0, 2_000);
        let restarted = true;
        self.after(pause, Item::Return { peer, restarted });
        told
    }

    fn strike_peer(&mut self) -> Vec<Input> {
        let at = self.some_peer();
        let seen = self.peers.iter().filter(|it| it.seen).count();
        if !self.peers[at].seen || seen < 2 {
            return Vec::new();
        }
        let exits_told = self.dice.percent(60);
        let told = self.leave(at, exits_told);
        let host_dies = self.dice.percent(30);
        self.peers[at].answers = !host_dies && self.dice.percent(40);
        if host_dies {
            let engines = self.peers[at].engines.clone();
            for (pid, engine) in engines {
                let (peer, start) = (at, engine.start);
                self.after(Duration::ZERO, Item::Exit { peer, pid, start });
            }
        }
        let pause = self.outage();
        let restarted = host_dies || self.dice.percent(50);
        let peer = at;
        self.after(pause, Item::Return { peer, restarted });
        told
    }

    /// The domain loses a peer; a session there is lost with it.
    fn leave(&mut self, at: usize, exits_told: bool) -> Vec<Input> {
        let mut told = Vec::new();
        if self.entry == Some(at) {
            let pause = self.outage();
            told = self.disconnect(pause);
        }
        self.lose_peer(at, exits_told);
        told
    }
}
