//! The nine sorts of trouble.

use std::sync::Arc;
use std::time::Duration;

use dbwarden::model::Role;
use dbwarden::sandbox::serve::EngineInfo;
use dbwarden::sandbox::world::history::Dice;
use dbwarden::sandbox::world::{Fault, NextStart, PeerNumber};
use tokio::time::sleep;

use super::hand::Rival;
use super::stage::Stage;

/// What befalls a domain.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Trouble {
    /// Each engine is killed, one after the other.
    EachInTurn,
    /// Several engines are killed at once.
    SeveralAtOnce,
    /// A peer is lost and its engines live on, for long.
    LostForLong,
    /// A peer is lost, and returns.
    LostAndBack,
    /// An engine's end is told, and it lives on with its archive.
    Leftover,
    /// Whatever is started ends again.
    CrashLoop,
    /// Nothing is heard of a start, or late.
    SilentOrLate,
    /// The daemon is killed while a start of its own is under way.
    DaemonKilled,
    /// Somebody else starts what is missing.
    SecondHealer,
}

impl Trouble {
    pub(super) const ALL: [Self; 9] = [
        Self::EachInTurn,
        Self::SeveralAtOnce,
        Self::LostForLong,
        Self::LostAndBack,
        Self::Leftover,
        Self::CrashLoop,
        Self::SilentOrLate,
        Self::DaemonKilled,
        Self::SecondHealer,
    ];
}

/// What was done in a round.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) daemon_kills: usize,
    /// How many of them were while a start was under way.
    pub(super) kills_in_between: usize,
    pub(super) leftovers: usize,
}

impl Stage {
    pub(super) async fn befall(&mut self, trouble: Trouble, rivals: &mut Vec<Rival>) -> Done {
        self.note(&format!("{trouble:?}"));
        let mut done = Done::default();
        match trouble {
            Trouble::EachInTurn => self.kill_each().await,
            Trouble::SeveralAtOnce => self.kill_several().await,
            Trouble::LostForLong => {
                self.lose_peer().await;
                self.pause(400, 900).await;
                if self.dice.percent(50) {
                    self.return_peers().await;
                }
            }
            Trouble::LostAndBack => {
                self.lose_peer().await;
                self.pause(0, 600).await;
                self.return_peers().await;
            }
            Trouble::Leftover => done.leftovers = self.leave_over().await,
            Trouble::CrashLoop => self.crash_loop().await,
            Trouble::SilentOrLate => self.be_silent_or_late().await,
            Trouble::DaemonKilled => {
                done.kills_in_between = usize::from(self.kill_daemon().await);
                done.daemon_kills = 1;
            }
            Trouble::SecondHealer => {
                let database = self.some_database();
                let rival = Rival::start(
                    Arc::clone(&self.sandbox),
                    database,
                    self.plan.wanted(),
                    Arc::clone(&self.foreign),
                    Dice::new(self.dice.below(1_000_000) as u64),
                );
                rivals.push(rival);
                self.kill_some(Role::Te).await;
                self.pause(50, 400).await;
                self.kill_some(Role::Te).await;
            }
        }
        done
    }

    fn some_database(&mut self) -> Arc<str> {
        let index = self.dice.below(self.plan.databases.len());
        self.plan.databases[index].name.as_str().into()
    }

    fn some_peer(&mut self) -> PeerNumber {
        PeerNumber(1 + u16::try_from(self.dice.below(usize::from(self.plan.peers))).unwrap())
    }

    /// Returns an engine that its peer knows.
    async fn some_engine(&mut self, role: Role) -> Option<EngineInfo> {
        let engines = self.engines().await.into_iter();
        let runs = |it: &EngineInfo| it.role == role && it.status.is_some();
        let engines: Vec<EngineInfo> = engines.filter(runs).collect();
        let index = self.dice.below(engines.len().max(1));
        engines.into_iter().nth(index)
    }

    async fn kill_some(&mut self, role: Role) -> Option<EngineInfo> {
        let engine = self.some_engine(role).await?;
        self.slay(&engine);
        Some(engine)
    }

    async fn kill_each(&mut self) {
        for engine in self.engines().await {
            self.slay(&engine);
            self.pause(0, 300).await;
            if engine.role == Role::Sm {
                self.mind_archives().await;
            }
        }
    }

    async fn kill_several(&mut self) {
        let mut engines = self.engines().await;
        // Now and then all that there are.
        let count = engines.len().min(2 + self.dice.below(4));
        for _ in 0..count {
            let engine = engines.swap_remove(self.dice.below(engines.len()));
            self.slay(&engine);
        }
        if self.dice.percent(70) {
            self.pause(0, 200).await;
            self.mind_archives().await;
        }
    }

    async fn lose_peer(&mut self) {
        let peer = self.some_peer();
        let exits_first = self.dice.percent(50);
        self.fault(Fault::Lose { peer, exits_first }).await;
    }

    async fn return_peers(&mut self) {
        for peer in self.sandbox.survey().await.unwrap().peers {
            if peer.is_lost {
                let peer = peer.number;
                self.fault(Fault::Return { peer }).await;
            }
        }
    }

    async fn leave_over(&mut self) -> usize {
        let mut leftovers = 0;
        for role in [Role::Sm, Role::Te] {
            if role == Role::Te && self.dice.percent(50) {
                continue;
            }
            if let Some(engine) = self.some_engine(role).await {
                self.fault(Fault::Orphan { pid: engine.pid }).await;
                leftovers += 1;
            }
        }
        self.pause(20, 200).await;
        // Whoever minds the archives finds this one in use.
        self.mind_archives().await;
        self.pause(50, 200).await;
        self.mind_archives().await;
        leftovers
    }

    async fn crash_loop(&mut self) {
        let crashes = 3 + self.dice.below(4);
        for peer in (1..=self.plan.peers).map(PeerNumber) {
            for _ in 0..crashes {
                let after = self.dice.whole_millis(0, 100);
                let how = NextStart::Crash { after };
                self.fault(Fault::FailNext { peer, how }).await;
            }
        }
        self.kill_some(Role::Te).await;
        self.pause(300, 900).await;
    }

    async fn be_silent_or_late(&mut self) {
        let engine = self.kill_some(Role::Te).await;
        for _ in 0..=self.dice.below(2) {
            // Often where it is started again at first.
            let here = engine.as_ref().map(|it| it.peer);
            let peer = match here.filter(|_| self.dice.percent(60)) {
                Some(peer) => peer,
                None => self.some_peer(),
            };
            let how = match self.dice.below(3) {
                0 => NextStart::Silent,
                1 => NextStart::Fail {
                    reason: "bad weather".into(),
                },
                _ => NextStart::Late {
                    by: self.dice.whole_millis(50, 1_500),
                },
            };
            self.fault(Fault::FailNext { peer, how }).await;
        }
        if let Some(engine) = engine {
            // What is started there goes another way.
            let engines = self.engines().await;
            let again = engines.iter().find(|it| {
                it.peer == engine.peer && it.role == Role::Te && it.database == engine.database
            });
            if let Some(again) = again {
                self.slay(again);
            }
        }
        self.pause(300, 900).await;
    }

    /// Kills the daemon while something is under way; returns whether it was.
    async fn kill_daemon(&mut self) -> bool {
        let by = self.dice.whole_millis(5, 60);
        for peer in (1..=self.plan.peers).map(PeerNumber) {
            self.fault(Fault::Delay { peer, by }).await;
        }
        let starts = self.starts().await.len();
        self.kill_some(Role::Te).await;
        // Either as soon as it means to, or when the request has arrived.
        let waits_for_request = self.dice.percent(50);
        let mut is_under_way = false;
        for _ in 0..300 {
            sleep(Duration::from_millis(5)).await;
            is_under_way = if waits_for_request {
                self.starts().await.len() > starts
            } else {
                let status = self.house.domain().await.unwrap_or_default();
                let actions = status["actions"].as_array();
                actions.is_some_and(|it| !it.is_empty())
            };
            if is_under_way {
                break;
            }
        }
        self.pause(0, 30).await;
        self.note(&format!(
            "kill the daemon, a start is under way: {is_under_way}"
        ));
        self.house.kill();
        self.pause(0, 500).await;
        self.house.start();
        let by = Duration::ZERO;
        for peer in (1..=self.plan.peers).map(PeerNumber) {
            self.fault(Fault::Delay { peer, by }).await;
        }
        is_under_way
    }
}
