//! What people say to the daemon, and what they do then: mostly what they said, a little later.

use super::super::{EngineId, PeerNumber};
use super::fault::{Fault, Later};
use super::hosts::Step;
use super::judge::Broken;
use super::{History, Item, numbered};
use crate::exchange::{Place, Request, RequestId, Wish, Word};
use crate::model::Role;
use crate::supervisor::Input;

/// Gates that a person may say do not count.
const GATES: [&str; 3] = ["another-healer", "minority-view", "storm"];

impl History {
    /// A person says something to the daemon, if it is there to listen.
    pub(super) fn speak_up(&mut self, what: Fault) -> Result<(), Broken> {
        let database = self.dice.below(self.plan.databases.len());
        if what == Fault::PersonMaintains {
            self.maintain(database)
        } else if what == Fault::PersonHolds {
            self.hold(database)
        } else if what == Fault::PersonScales {
            self.scale(database)
        } else if what == Fault::PersonStops {
            self.announce(database)
        } else if what == Fault::PersonConfirmsDeath {
            self.confirm_death();
            Ok(())
        } else if what == Fault::PersonAsks {
            self.ask(database)
        } else if what == Fault::PersonThaws {
            let closed = self.judge.closed_gates();
            let closed = GATES.into_iter().find(|it| closed.contains(it));
            let gate = closed.unwrap_or_else(|| self.dice.pick(&GATES)).into();
            let lasts = self.dice.millis(10_000, 300_000);
            self.say_of(Word::Thaw { gate, lasts }, self.whole_domain())
        } else {
            let target = self.seat_or_database(database);
            let word = if what == Fault::PersonForgets {
                Word::Forget
            } else if what == Fault::PersonReleases {
                Word::Release
            } else if what == Fault::PersonRetries {
                Word::Retry
            } else {
                Word::Want
            };
            self.say_of(word, target)
        }
    }

    /// A person says that of that.
    pub(super) fn say_of(&mut self, word: Word, target: String) -> Result<(), Broken> {
        let target = target.into();
        self.wish(Wish::Person { word, target })
    }

    fn wish(&mut self, wish: Wish) -> Result<(), Broken> {
        if self.daemon.alive.is_none() {
            return Ok(());
        }
        self.requests += 1;
        let request = Request {
            id: RequestId(self.requests),
            by: "operator ada".into(),
            reason: None,
            wish,
        };
        self.turn(vec![Input::Requested(request)], true)
    }

    fn seat_or_database(&mut self, database: usize) -> String {
        let name = &self.plan.databases[database].name;
        match self.dice.below(6) {
            0 | 1 => name.to_string(),
            2 if self.plan.databases[database].is_managed() => format!("{name}/sm/1"),
            number => format!("{name}/te/{}", number - 1),
        }
    }

    /// People say that they work at something, and then something there often ends.
    fn maintain(&mut self, database: usize) -> Result<(), Broken> {
        let lasts = self.dice.millis(20_000, 400_000);
        let peer = self.some_peer();
        let (target, ends) = match self.dice.below(10) {
            0 => (self.whole_domain(), self.some_engine(Role::Te)),
            1..4 => (self.name_of(peer), self.one_of(&self.engines_at(peer))),
            4..7 => {
                let engine = self.some_engine(Role::Te);
                let name = engine.and_then(|it| self.name_of_engine(it));
                (name.unwrap_or_else(|| self.whole_domain()), engine)
            }
            _ => {
                let name = self.plan.databases[database].name.to_string();
                (name, self.some_of(database))
            }
        };
        self.say_of(Word::Maintain { lasts }, target.clone())?;
        self.ends_soon(ends);
        if self.dice.percent(40) {
            let pause = self.dice.millis(1_000, 300_000);
            self.later(pause, Later::Said(Word::EndMaintenance, target));
        }
        Ok(())
    }

    fn hold(&mut self, database: usize) -> Result<(), Broken> {
        let target = self.seat_or_database(database);
        self.say_of(Word::Hold, target.clone())?;
        let ends = self.some_of(database);
        self.ends_soon(ends);
        if self.dice.percent(70) {
            let pause = self.dice.millis(1_000, 400_000);
            self.later(pause, Later::Said(Word::Release, target));
        }
        Ok(())
    }

    fn scale(&mut self, database: usize) -> Result<(), Broken> {
        let name = self.plan.databases[database].name.to_string();
        let count = u32::try_from(self.dice.below(5)).expect("it is small");
        self.say_of(Word::Scale { count }, name.clone())?;
        if self.dice.percent(40) {
            let pause = self.dice.millis(10_000, 600_000);
            self.later(pause, Later::Said(Word::Forget, name));
        }
        Ok(())
    }

    /// Something is ended by a tool that tells us first.
    fn announce(&mut self, database: usize) -> Result<(), Broken> {
        let Some(engine) = self.some_of(database) else {
            return Ok(());
        };
        if self.dice.percent(25) {
            let name = self.plan.databases[database].name.to_string();
            self.say_of(Word::Announce, name)?;
            for role in [Role::Te, Role::Sm] {
                for engine in self.siblings(engine, role) {
                    self.stop_by_hand(engine);
                }
            }
            return Ok(());
        }
        if let Some(name) = self.name_of_engine(engine) {
            self.say_of(Word::Announce, name)?;
        }
        if self.dice.percent(50) {
            self.stop_by_hand(engine);
        } else {
            self.end_engine(engine, 137);
        }
        Ok(())
    }

    /// A person sees to it that nothing lives on a host that is out of reach, and says so.
    fn confirm_death(&mut self) {
        let all = (0..self.plan.peers.len()).map(numbered);
        let is_lost = |it: &PeerNumber| self.world.peer(*it).is_some_and(|it| it.is_lost);
        let lost: Vec<PeerNumber> = all.filter(is_lost).collect();
        let peer = if lost.is_empty() {
            let (peer, outage) = (self.some_peer(), self.outage());
            self.lose(peer, outage);
            peer
        } else {
            self.dice.pick(&lost)
        };
        for engine in self.engines_at(peer) {
            self.end_engine(engine, 137);
        }
        let name = self.name_of(peer);
        // Said before it is known to be lost it would not be believed.
        let pause = self.dice.millis(100, 5_000);
        self.later(pause, Later::Said(Word::ConfirmDead, name));
    }

    fn ask(&mut self, database: usize) -> Result<(), Broken> {
        let peer = self.some_peer();
        let place = match self.dice.below(3) {
            0 => Place::Anywhere,
            1 => Place::Elsewhere,
            _ => Place::On(self.name_of(peer).as_str().into()),
        };
        let database = self.plan.databases[database].name.as_ref().into();
        self.wish(Wish::StartTe { database, place })
    }

    /// Whoever works there ends it, mostly.
    fn ends_soon(&mut self, engine: Option<EngineId>) {
        if let Some(engine) = engine.filter(|_| self.dice.percent(70))
            && self.hosts.doom(engine)
        {
            let pause = self.dice.millis(100, 20_000);
            let item = Item::Engine(engine, Step::Exit(137));
            self.queue.put(self.now + pause, item);
        }
    }

    fn some_of(&mut self, database: usize) -> Option<EngineId> {
        let name = &self.plan.databases[database].name;
        let all = self.world.engines.iter();
        let of = all.filter(|(_, it)| it.is_registered() && it.start.database == *name);
        let of = of.filter(|(_, it)| it.start.role == Role::Te);
        let of: Vec<EngineId> = of.map(|(id, _)| *id).collect();
        self.one_of(&of)
    }

    fn one_of(&mut self, all: &[EngineId]) -> Option<EngineId> {
        (!all.is_empty()).then(|| self.dice.pick(all))
    }

    fn whole_domain(&self) -> String {
        self.daemon.accepted.supervisor.domain.to_string()
    }

    /// Returns what we call a peer.
    fn name_of(&self, peer: PeerNumber) -> String {
        self.plan.peers[usize::from(peer.0) - 1].address.to_string()
    }

    fn name_of_engine(&self, engine: EngineId) -> Option<String> {
        let it = self.world.engines.get(&engine)?;
        Some(format!("{}/{}", self.name_of(it.peer), it.pid?))
    }
}
