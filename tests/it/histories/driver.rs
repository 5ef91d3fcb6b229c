//! A stand-in for the driver, and for the agents it talks to: deeds in, outcomes out.
//!
//! It keeps the promises of `exchange`: one final outcome for each deed that is not abandoned, and
//! no request after `valid_until`.

use std::collections::BTreeMap;
use std::time::Duration;

use dbwarden::exchange::{ActionId, Deed, LossClass, Outcome, Question};
use dbwarden::model::{Address, Role, Sighting, StartId};
use dbwarden::supervisor::Input;
use dbwarden::time::Timestamp;

use super::faults::Trouble;
use super::world::{Item, World, loss, start_of};

/// How far a start got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Abandoned,
    Preparing,
    Ready,
    Sent,
    /// Its final outcome was told.
    Done,
}

#[derive(Debug)]
struct Errand {
    peer: usize,
    database: usize,
    stage: Stage,
    valid_until: Timestamp,
    /// The engine it gave life to.
    start: Option<u32>,
}

/// What the driver keeps of its deeds.
#[derive(Debug, Default)]
pub(super) struct Driver {
    errands: BTreeMap<ActionId, Errand>,
}

impl Driver {
    /// Takes note of an outcome; returns the report unless the action has had its last.
    pub(super) fn report(&mut self, action: ActionId, outcome: Outcome) -> Option<Input> {
        let errand = self.errands.get_mut(&action)?;
        match (&outcome, errand.stage) {
            (Outcome::Ready, Stage::Preparing) => errand.stage = Stage::Ready,
            // The preparation expires, unless the request has left.
            (_, Stage::Done | Stage::Abandoned)
            | (Outcome::Ready, Stage::Ready | Stage::Sent)
            | (Outcome::NotSent(_), Stage::Sent) => return None,
            (Outcome::Started(_), _) => (),
            (
                Outcome::Answered(_)
                | Outcome::NotSent(_)
                | Outcome::Refused(_)
                | Outcome::Registered { .. }
                | Outcome::StartFailed(_)
                | Outcome::Stopped { .. }
                | Outcome::Unanswered(_)
                | Outcome::Withdrawn,
                Stage::Preparing | Stage::Ready | Stage::Sent,
            ) => errand.stage = Stage::Done,
        }
        Some(Input::Reported { action, outcome })
    }

    /// Forgets what it was at: nothing of it is reported any more.
    pub(super) fn die(&mut self) {
        for errand in self.errands.values_mut() {
            errand.stage = Stage::Done;
        }
    }

    /// Notes which engine a start gave life to.
    pub(super) fn born(&mut self, action: ActionId, start: u32) {
        if let Some(errand) = self.errands.get_mut(&action) {
            errand.start = Some(start);
        }
    }

    /// Returns whether an engine that was to come up does not: its action never was.
    pub(super) fn dies_unborn(&self, action: Option<ActionId>) -> bool {
        action.is_some_and(|it| !self.errands.contains_key(&it))
    }

    /// Returns the starts under way whose engines are among these.
    pub(super) fn find(&self, present: &[(String, u32)]) -> Vec<(ActionId, u32)> {
        let open = self
            .errands
            .iter()
            .filter(|(_, it)| it.stage == Stage::Sent);
        open.filter_map(|(action, it)| {
            let start = format!("s{}", it.start?);
            let (_, pid) = present.iter().find(|(id, _)| *id == start)?;
            Some((*action, *pid))
        })
        .collect()
    }

    /// Returns the start under way that gave life to an engine.
    pub(super) fn action_of(&self, start: u32) -> Option<ActionId> {
        let mut open = self
            .errands
            .iter()
            .filter(|(_, it)| it.stage == Stage::Sent);
        open.find(|(_, it)| it.start == Some(start))
            .map(|(action, _)| *action)
    }
}

/// What becomes of a request that an agent accepted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Fails,
    LostThenRegisters,
    Refused,
    Registers,
    RegistersLate,
    ShortLived,
    Silent,
}

impl World {
    pub(super) fn deed(&mut self, deed: Deed) {
        match deed {
            Deed::Abandon { action } => {
                if let Some(errand) = self.driver.errands.get_mut(&action)
                    && errand.stage != Stage::Sent
                {
                    errand.stage = Stage::Abandoned;
                }
            }
            Deed::Ask { action, question } => {
                let Question::Identity(target) = question else {
                    panic!("the healer asks whether agents answer, and nothing else");
                };
                self.ask(action, index_of(&target.address));
            }
            Deed::Commit { action } => self.commit(action),
            Deed::Prepare {
                action,
                start,
                valid_until,
            } => {
                let peer = index_of(&start.target.address);
                let name = start.database.as_str();
                let database = self.plan.databases.iter().position(|it| it.name == name);
                let errand = Errand {
                    peer,
                    database: database.expect("only known databases are healed"),
                    stage: Stage::Preparing,
                    valid_until,
                    start: None,
                };
                self.driver.errands.insert(action, errand);
                self.prepare(action, peer, valid_until);
            }
            Deed::Refresh => {
                let session = self.session;
                let pause = self.dice.whole_millis(5, 2_000);
                self.after(pause, Item::Snapshot { session });
            }
            Deed::Stop { .. } => panic!("the healer stops nothing"),
        }
    }

    fn ask(&mut self, action: ActionId, peer: usize) {
        self.driver.errands.insert(
            action,
            Errand {
                peer,
                database: 0,
                stage: Stage::Preparing,
                valid_until: self.now,
                start: None,
            },
        );
        // Whether it answers is decided now, told later.
        let outcome = if self.peers[peer].answers {
            Outcome::Answered(Vec::new())
        } else {
            Outcome::NotSent(loss(LossClass::Connection))
        };
        let pause = self.dice.whole_millis(1, 3_000);
        self.after(pause, Item::Report { action, outcome });
    }

    fn prepare(&mut self, action: ActionId, peer: usize, valid_until: Timestamp) {
        let slow = !self.calm && self.dice.percent(15);
        let pause = if slow {
            self.dice.whole_millis(500, 20_000)
        } else {
            self.dice.whole_millis(1, 300)
        };
        let lost = !self.calm && self.dice.percent(5);
        let stands = self.peers[peer].answers && !lost;
        let outcome = if stands && self.now + pause <= valid_until {
            Outcome::Ready
        } else {
            Outcome::NotSent(loss(LossClass::Connection))
        };
        let expired = Outcome::NotSent(loss(LossClass::Connection));
        let instant = Duration::from_micros(1);
        self.at(
            valid_until + instant,
            Item::Report {
                action,
                outcome: expired,
            },
        );
        self.after(pause, Item::Report { action, outcome });
    }

    fn commit(&mut self, action: ActionId) {
        let now = self.now;
        let errand = self.driver.errands.get_mut(&action);
        let errand = errand.expect("nothing is committed that was not prepared");
        if errand.stage != Stage::Ready || now > errand.valid_until {
            return;
        }
        errand.stage = Stage::Sent;
        let (peer, database) = (errand.peer, errand.database);
        let unanswered = || Outcome::Unanswered(loss(LossClass::Connection));
        self.after(
            self.plan.start_timeout,
            Item::Report {
                action,
                outcome: unanswered(),
            },
        );
        if self.peers[peer].answers {
            self.carry_out(action, peer, database);
        } else {
            // The session broke; whether the request was read nobody knows.
            self.report_soon(action, unanswered());
        }
    }

    /// An agent got the request.
    fn carry_out(&mut self, action: ActionId, peer: usize, database: usize) {
        let unanswered = || Outcome::Unanswered(loss(LossClass::Connection));
        let fate = self.fate(peer);
        let (quick, role) = (self.dice.whole_millis(20, 3_000), Role::Te);
        let started = |world: &mut Self| {
            let id = Some(StartId::from(format!("s{}", start_of(action)).as_str()));
            world.report_soon(action, Outcome::Started(id));
        };
        let mut lives_for = None;
        let mut pause = quick;
        match fate {
            Fate::Fails => {
                started(self);
                let agent = format!("p{peer}-{}", self.peers[peer].agent);
                for finish in [Some((action, Outcome::StartFailed("no".into()))), None] {
                    let sighting = Sighting::StartFailed {
                        agent_id: agent.as_str().into(),
                        start_id: Some(format!("s{}", start_of(action)).as_str().into()),
                        reason: "no".into(),
                    };
                    self.tell(peer, 0, sighting, finish);
                }
                return;
            }
            Fate::Refused => {
                return self.report_soon(action, Outcome::Refused("no".into()));
            }
            Fate::Silent => return started(self),
            Fate::LostThenRegisters => {
                self.report_soon(action, unanswered());
                if self.dice.percent(50) {
                    pause = self.dice.whole_millis(20, 90_000);
                }
            }
            Fate::Registers => started(self),
            Fate::RegistersLate => {
                started(self);
                pause = self.plan.start_timeout + self.dice.whole_millis(0, 120_000);
            }
            Fate::ShortLived => {
                started(self);
                lives_for = Some(self.dice.whole_millis(0, 3_000));
            }
        }
        let action = Some(action);
        self.after(
            pause,
            Item::Register {
                peer,
                database,
                role,
                action,
                lives_for,
            },
        );
    }

    fn fate(&mut self, peer: usize) -> Fate {
        if self.calm {
            return Fate::Registers;
        }
        let trouble = self.peers[peer]
            .trouble
            .filter(|(_, until)| *until > self.now);
        match trouble {
            Some((Trouble::CrashLoop, _)) => Fate::ShortLived,
            Some((Trouble::Fails, _)) => self.dice.pick(&[Fate::Fails, Fate::Refused]),
            Some((Trouble::Slow, _)) => {
                self.dice
                    .pick(&[Fate::RegistersLate, Fate::LostThenRegisters, Fate::Silent])
            }
            None if self.dice.percent(self.plan.bad_starts) => self.dice.pick(&[
                Fate::Fails,
                Fate::LostThenRegisters,
                Fate::Refused,
                Fate::RegistersLate,
                Fate::ShortLived,
                Fate::Silent,
            ]),
            None => Fate::Registers,
        }
    }

    fn report_soon(&mut self, action: ActionId, outcome: Outcome) {
        let pause = self.dice.whole_millis(1, 400);
        self.after(pause, Item::Report { action, outcome });
    }
}

/// Returns which peer is dialled there.
pub(super) fn index_of(address: &Address) -> usize {
    address.host.trim_start_matches('p').parse().unwrap()
}
