//! A warden that is thrown away and restored from its facts decides what its twin decides, which
//! lives on.
//!
//! At seeded moments of a random history the daemon dies: the session is gone, and so is the
//! driver with every deed it was at. The warden is restored from the facts drained so far, written
//! down and read back as the journal does. Its twin lives on, and hears what a warden would whose
//! session and driver broke in that moment:
//!
//! - of the session: that it is lost. The restored one may be told as well, as a daemon is that
//!   cannot reach a broker, or not, as one that can. In the second case the twin alone knows that
//!   it told of the loss, until a session stands again;
//! - of a start that was only prepared: that it was not sent, since the daemon ended. A restored
//!   warden finds that out by itself, with its first input;
//! - of a start that was committed, and of a question: nothing, for ever. What is awaited from an
//!   agent is void for both once the session is lost; a commit stays open for both.
//!
//! From the first input after that both must do and remember the same, to the microsecond.
//!
//! `DBWARDEN_ROUNDS` sets how many histories are played, `DBWARDEN_SEED` where to begin.

use std::collections::{BTreeMap, BTreeSet};

use dbwarden::event::Kind;
use dbwarden::exchange::{
    ActionId, Answer, Deed, Loss, LossClass, Observation, Outcome, Place, Request, RequestId, Wish,
};
use dbwarden::journal::{fact_from_json, fact_to_json};
use dbwarden::model::{self, Address};
use dbwarden::supervisor::{
    ActionStage, Effect, Fact, FactChange, FactKey, FactKind, Input, Settings,
};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;

use super::dice::Dice;
use super::number;
use super::plan::{Plan, STORM};
use super::world::{Item, World, loss};

/// How many histories are played unless `DBWARDEN_ROUNDS` says otherwise: they are cheap.
const ROUNDS: u64 = 100;

/// What lies on the disk: facts as text, by kind and name.
type Disk = BTreeMap<FactKey, String>;

/// What a broken promise says.
type Broken = String;

/// Two wardens of one domain.
struct Twins {
    world: World,
    settings: Settings,
    /// The one that never dies.
    twin: Warden,
    twin_disk: Disk,
    /// The one that is restored again and again.
    other: Warden,
    disk: Disk,
    dice: Dice,
    now: Timestamp,
    /// The twin alone told of a loss, and no session stands since.
    differs_in_loss: bool,
    crashes: usize,
    /// Those in which something was doubted.
    doubting: usize,
    requests: u64,
    /// How many requests were not refused, and how many starts were committed.
    accepted: usize,
    commits: usize,
}

impl Twins {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let settings = plan.settings();
        let mut twin = Warden::new(model::Settings::default(), settings.clone());
        let mut other = Warden::new(model::Settings::default(), settings.clone());
        let (mut twin_disk, mut disk) = (Disk::new(), Disk::new());
        store(&mut twin_disk, twin.drain_facts());
        store(&mut disk, other.drain_facts());
        Self {
            twin,
            twin_disk,
            other,
            disk,
            settings,
            dice: Dice::new(seed ^ 0xC4A5),
            now: Timestamp::ZERO,
            differs_in_loss: false,
            crashes: 0,
            doubting: 0,
            requests: 0,
            accepted: 0,
            commits: 0,
            world: World::new(plan, dice),
        }
    }

    fn play(&mut self) -> Result<(), Broken> {
        // The calm is long, and adds little: a part of it will do.
        let end = Timestamp::ZERO + STORM + STORM / 4;
        let mut crash = self.next_crash();
        let mut request = self.next_request();
        loop {
            let due = self.twin.next_timeout();
            let next = self.world.next();
            let at = due.into_iter().chain(next).min();
            let Some(at) = at.map(|it| it.max(self.now)).filter(|at| *at <= end) else {
                break;
            };
            // What is due by then has happened by then.
            if crash.min(request) < at {
                self.now = crash.min(request).max(self.now);
                self.world.now = self.now;
                if crash <= request {
                    self.crash()?;
                    crash = self.next_crash();
                } else {
                    let request_now = self.request();
                    self.both(&request_now)?;
                    request = self.next_request();
                }
                continue;
            }
            self.now = at;
            self.world.now = at;
            if next.is_none_or(|it| due.is_some_and(|due| due < it)) {
                self.both(&Input::Timeout)?;
            } else {
                for input in self.world.step() {
                    self.both(&input)?;
                }
                // A doubt lives for seconds only, so that few crashes would meet one.
                if self.twin.model().has_doubts() && self.dice.percent(30) {
                    crash = crash.min(self.now + self.dice.millis(0, 2_500));
                }
            }
        }
        self.compare_disks()
    }

    fn next_crash(&mut self) -> Timestamp {
        // Often soon after another, and often while something is under way.
        let longest = self.dice.pick(&[50, 2_000, 60_000, 600_000]);
        self.now + self.dice.millis(0, longest)
    }

    fn next_request(&mut self) -> Timestamp {
        self.now + self.dice.millis(0, 120_000)
    }

    fn request(&mut self) -> Input {
        self.requests += 1;
        let databases = &self.world.plan.databases;
        let database = &databases[self.dice.below(databases.len())].name;
        let peer = format!("p{}:1", self.dice.below(self.world.plan.peers));
        let place = match self.dice.below(3) {
            0 => Place::Anywhere,
            1 => Place::Elsewhere,
            _ => Place::On(peer.as_str().into()),
        };
        Input::Requested(Request {
            id: RequestId(self.requests),
            by: "listener script".into(),
            wish: Wish::StartTe {
                database: database.as_str().into(),
                place,
            },
        })
    }

    /// Feeds both with the same, and compares what they make of it.
    fn both(&mut self, input: &Input) -> Result<(), Broken> {
        let is_snapshot = matches!(input, Input::Observed(Observation::Snapshot(_)));
        let expected = feed(&mut self.twin, self.now, vec![input.clone()]);
        let told = feed(&mut self.other, self.now, vec![input.clone()]);
        self.compare(&|| format!("{input:?}"), expected, told)?;
        if is_snapshot {
            self.differs_in_loss = false;
        }
        Ok(())
    }

    fn compare(
        &mut self,
        said: &dyn Fn() -> String,
        expected: Vec<Effect>,
        mut told: Vec<Effect>,
    ) -> Result<(), Broken> {
        if self.differs_in_loss {
            // The twin told of it when it lost the session.
            told.retain(|it| !is_of(it, Kind::DomainDisconnected));
        }
        let mut visible = expected.clone();
        if self.differs_in_loss {
            visible.retain(|it| !is_of(it, Kind::DomainDisconnected));
        }
        let at = self.now;
        if visible != told {
            let (expected, told) = (lines(&visible), lines(&told));
            return Err(format!(
                "{at:?}: {}:\n-- the twin does\n{expected}-- the restored one\n{told}",
                said()
            ));
        }
        for effect in expected {
            let is_accepted = |it: &Answer| matches!(it, Answer::Accepted { .. });
            self.accepted += usize::from(
                matches!(&effect, Effect::Answer { answer, .. } if is_accepted(answer)),
            );
            if let Effect::Do(deed) = effect {
                self.commits += usize::from(matches!(deed, Deed::Commit { .. }));
                self.world
                    .after(std::time::Duration::ZERO, Item::Deed(deed));
            }
        }
        let keys: BTreeSet<FactKey> = store(&mut self.twin_disk, self.twin.drain_facts())
            .into_iter()
            .chain(store(&mut self.disk, self.other.drain_facts()))
            .collect();
        for key in keys {
            self.compare_fact(said, &key)?;
        }
        let (expected, due) = (self.twin.next_timeout(), self.other.next_timeout());
        if expected != due {
            return Err(format!(
                "{at:?}: {}: the twin is due at {expected:?}, the restored one at {due:?}",
                said()
            ));
        }
        Ok(())
    }

    fn compare_fact(&self, said: &dyn Fn() -> String, key: &FactKey) -> Result<(), Broken> {
        let (expected, known) = (self.twin_disk.get(key), self.disk.get(key));
        if expected == known || self.differs_in_loss && key.kind == FactKind::Domain {
            return Ok(());
        }
        Err(format!(
            "{:?}: {}: the twin remembers {expected:?}, the restored one {known:?}",
            self.now,
            said()
        ))
    }

    fn compare_disks(&self) -> Result<(), Broken> {
        for key in self.twin_disk.keys().chain(self.disk.keys()) {
            self.compare_fact(&|| "at last".to_owned(), key)?;
        }
        Ok(())
    }

    /// The daemon dies and comes back; its twin loses the session.
    fn crash(&mut self) -> Result<(), Broken> {
        self.crashes += 1;
        self.doubting += usize::from(self.twin.model().has_doubts());
        self.compare_disks()?;
        let known = disk_of(&self.other.facts());
        differ("what is known is not what was drained", &known, &self.disk)?;
        let now = Moment::simulated(self.now);
        let model = model::Settings::default();
        let restored = Warden::restore(model, self.settings.clone(), now, read(&self.disk));
        self.other = restored.map_err(|it| it.to_string())?;
        let known = disk_of(&self.other.facts());
        differ(
            "what was restored is not what was remembered",
            &known,
            &self.disk,
        )?;
        let void = self.void();
        let pause = self.dice.millis(1, 20_000);
        self.world.die(pause);
        let closed = Input::Observed(Observation::Lost(loss(LossClass::Connection)));
        let mut heard = vec![closed.clone()];
        heard.extend(void.into_iter().map(|action| Input::Reported {
            action,
            outcome: Outcome::NotSent(daemon_ended()),
        }));
        let expected = feed(&mut self.twin, self.now, heard);
        let is_told = self.dice.percent(50);
        let first = if is_told { closed } else { Input::Timeout };
        self.differs_in_loss |= !is_told;
        let said = || format!("the daemon died, first {first:?}");
        let told = feed(&mut self.other, self.now, vec![first.clone()]);
        self.compare(&said, expected, told)?;
        self.differs_in_loss &= !is_told;
        Ok(())
    }

    /// Starts that were prepared, and that died with their sessions.
    fn void(&self) -> Vec<ActionId> {
        let actions = read(&self.disk).into_iter().filter_map(|fact| match fact {
            Fact::Action(it) => Some(it),
            Fact::Database(_)
            | Fact::Domain(_)
            | Fact::Failure(_)
            | Fact::Lapsed(_)
            | Fact::Peer(_)
            | Fact::Process(_)
            | Fact::Slot(_) => None,
        });
        let void = actions.filter(|it| matches!(it.stage, ActionStage::Preparing { .. }));
        let mut void: Vec<ActionId> = void.map(|it| it.action).collect();
        void.sort_unstable();
        void
    }
}

fn differ(what: &str, one: &Disk, other: &Disk) -> Result<(), Broken> {
    for key in one.keys().chain(other.keys()) {
        let (one, other) = (one.get(key), other.get(key));
        if one != other {
            return Err(format!("{what}: {key}: {one:?} and {other:?}"));
        }
    }
    Ok(())
}

fn daemon_ended() -> Loss {
    Loss {
        address: Address::new("here", 0),
        class: LossClass::Connection,
        reason: "the daemon ended before the request left".into(),
    }
}

/// Shows effects, a line for each.
fn lines(effects: &[Effect]) -> String {
    let line = |it: &Effect| match it {
        Effect::Answer { answer, .. } => format!("{answer:?}\n"),
        Effect::Do(deed) => format!("{deed:?}\n"),
        Effect::Raise(event) => format!(
            "{} {:?} {:?} {:?} {:?}\n",
            event.kind.as_str(),
            event.action,
            event.subject,
            event.text,
            (
                event.time.at,
                event.cause,
                event.snapshot,
                event.while_disconnected
            ),
        ),
    };
    effects.iter().map(line).collect()
}

fn is_of(effect: &Effect, kind: Kind) -> bool {
    matches!(effect, Effect::Raise(event) if event.kind == kind)
}

fn feed(warden: &mut Warden, now: Timestamp, inputs: Vec<Input>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for input in inputs {
        warden.handle(Moment::simulated(now), input, &mut effects);
    }
    effects
}

/// Puts changes on the disk, and returns their keys.
fn store(disk: &mut Disk, changes: Vec<FactChange>) -> Vec<FactKey> {
    let mut keys = Vec::new();
    for FactChange { key, fact } in changes {
        match fact {
            Some(fact) => disk.insert(key.clone(), fact_to_json(&fact)),
            None => disk.remove(&key),
        };
        keys.push(key);
    }
    keys
}

fn disk_of(facts: &[Fact]) -> Disk {
    let lines = facts.iter().map(|it| (it.key(), fact_to_json(it)));
    lines.collect()
}

fn read(disk: &Disk) -> Vec<Fact> {
    let facts = disk.iter().map(|(key, json)| {
        let fact = fact_from_json(key.kind, json).unwrap();
        assert_eq!(fact.key(), *key);
        fact
    });
    facts.collect()
}

#[test]
fn a_restored_warden_does_what_its_twin_does() {
    let first = number("DBWARDEN_SEED", 0);
    let (mut crashes, mut doubting, mut accepted, mut commits) = (0, 0, 0, 0);
    for seed in first..first + number("DBWARDEN_ROUNDS", ROUNDS) {
        let mut twins = Twins::new(seed);
        if let Err(broken) = twins.play() {
            panic!(
                "seed {seed}, after {} crashes: {broken}\nto play it again: DBWARDEN_ROUNDS=1 \
                 DBWARDEN_SEED={seed} cargo test --test it twin",
                twins.crashes
            );
        }
        crashes += twins.crashes;
        doubting += twins.doubting;
        accepted += twins.accepted;
        commits += twins.commits;
    }
    println!(
        "{crashes} crashes, {doubting} amid doubts, {accepted} requests accepted, {commits} starts"
    );
}
