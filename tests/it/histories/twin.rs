//! A warden that is thrown away and restored from its facts decides what its twin decides, which
//! lives on.
//!
//! At seeded moments of a random history the daemon dies: the session is gone, and so is the
//! driver with every deed it was at. The warden is restored from the facts drained so far, written
//! down and read back as the journal does. Its twin lives on, and hears only what is on record of
//! that: that a daemon began, by the same settings or by others. So what was decided before and
//! after a restart can be decided again from the inputs alone.
//!
//! From that input on both must do and remember the same, to the microsecond. Sometimes they go on
//! with other settings without a restart.
//!
//! `DBWARDEN_ROUNDS` sets how many histories are played, `DBWARDEN_SEED` where to begin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::number;
use super::plan::{Plan, STORM, policy};
use super::world::{Item, World, loss};
use dbwarden::exchange::{Answer, Deed, LossClass, Observation, Place, Request, RequestId, Wish};
use dbwarden::journal::{fact_from_json, fact_to_json};
use dbwarden::model;
use dbwarden::sandbox::world::history::Dice;
use dbwarden::supervisor::{Accepted, Effect, Fact, FactChange, FactKey, Input};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::Warden;

/// How many histories are played unless `DBWARDEN_ROUNDS` says otherwise: they are cheap.
const ROUNDS: u64 = 100;

/// What lies on the disk: facts as text, by kind and name.
type Disk = BTreeMap<FactKey, String>;

/// What a broken promise says.
type Broken = String;

/// Two wardens of one domain.
struct Twins {
    world: World,
    /// How many configurations were accepted.
    generation: u64,
    /// The one that never dies.
    twin: Warden,
    twin_disk: Disk,
    /// The one that is restored again and again.
    other: Warden,
    disk: Disk,
    dice: Dice,
    now: Timestamp,
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
            generation: 1,
            dice: Dice::new(seed ^ 0xC4A5),
            now: Timestamp::ZERO,
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
                } else if self.dice.percent(20) {
                    let accepted = self.accept();
                    self.both(&Input::Configured(accepted))?;
                    request = self.next_request();
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
                    crash = crash.min(self.now + self.dice.whole_millis(0, 2_500));
                }
            }
        }
        self.compare_disks()
    }

    fn next_crash(&mut self) -> Timestamp {
        // Often soon after another, and often while something is under way.
        let longest = self.dice.pick(&[50, 2_000, 60_000, 600_000]);
        self.now + self.dice.whole_millis(0, longest)
    }

    fn next_request(&mut self) -> Timestamp {
        self.now + self.dice.whole_millis(0, 120_000)
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
            reason: self.dice.percent(50).then(|| "it is slow".into()),
            wish: Wish::StartTe {
                database: database.as_str().into(),
                place,
            },
        })
    }

    /// Feeds both with the same, and compares what they make of it.
    fn both(&mut self, input: &Input) -> Result<(), Broken> {
        let expected = feed(&mut self.twin, self.now, input);
        let told = feed(&mut self.other, self.now, input);
        self.compare(&|| format!("{input:?}"), expected, &told)
    }

    fn compare(
        &mut self,
        said: &dyn Fn() -> String,
        expected: Vec<Effect>,
        told: &[Effect],
    ) -> Result<(), Broken> {
        let at = self.now;
        if expected != told {
            let (expected, told) = (lines(&expected), lines(told));
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
        if expected == known {
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

    /// The daemon dies and comes back, and its twin hears of it.
    fn crash(&mut self) -> Result<(), Broken> {
        self.crashes += 1;
        self.doubting += usize::from(self.twin.model().has_doubts());
        self.compare_disks()?;
        let known = disk_of(&self.other.facts());
        differ("what is known is not what was drained", &known, &self.disk)?;
        let now = Moment::simulated(self.now);
        let accepted = self.accept();
        let Accepted { model, supervisor } = (*accepted).clone();
        let restored = Warden::restore(model, supervisor, now, read(&self.disk));
        self.other = restored.map_err(|it| it.to_string())?;
        let known = disk_of(&self.other.facts());
        differ(
            "what was restored is not what was remembered",
            &known,
            &self.disk,
        )?;
        let pause = self.dice.whole_millis(1, 20_000);
        self.world.die(pause);
        self.both(&Input::Began(accepted))?;
        if self.dice.percent(50) {
            let closed = loss(LossClass::Connection);
            self.both(&Input::Observed(Observation::Lost(closed)))?;
        }
        Ok(())
    }

    /// Returns what is configured now, which is mostly what was.
    fn accept(&mut self) -> Arc<Accepted> {
        let mut supervisor = self.world.plan.settings();
        if self.dice.percent(20) {
            let databases = supervisor.policies.len();
            match self.dice.below(4) {
                0 => supervisor.policies.clear(),
                1 => supervisor.policies.truncate(databases / 2),
                2 => supervisor.policies.insert(0, policy(&mut self.dice)),
                _ => supervisor.te_options.clear(),
            }
        }
        supervisor.generation = self.generation;
        self.generation += 1;
        Arc::new(Accepted {
            model: model::Settings::default(),
            supervisor,
        })
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

fn feed(warden: &mut Warden, now: Timestamp, input: &Input) -> Vec<Effect> {
    let mut effects = Vec::new();
    warden.handle(Moment::simulated(now), input.clone(), &mut effects);
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
