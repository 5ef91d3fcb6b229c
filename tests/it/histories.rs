//! Random histories of a domain and its healer in virtual time, and the laws that hold in each.
//!
//! A history is a function of its seed: sizes, rates and policies, half an hour in which things go
//! wrong, and a calm afterwards in which everything must come to rest. The world under `world` is
//! written without a look at the model, and `laws` judge by what was told alone.
//!
//! `DBWARDEN_HISTORIES` sets how many are played, `DBWARDEN_SEED` where to begin. A failure prints
//! its seed and how the history ended; `DBWARDEN_HISTORIES=1 DBWARDEN_SEED=n` plays it again.

pub(crate) mod dice;
mod driver;
mod events;
mod faults;
mod laws;
mod plan;
mod told;
mod twin;
mod world;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

use dbwarden::exchange::{Deed, Observation};
use dbwarden::model::{self, Model, Role};
use dbwarden::supervisor::{Effect, Input};
use dbwarden::time::{Moment, Timestamp};
use dbwarden::warden::{Parked, Waiting, Warden};

pub(crate) use dice::Dice;
use laws::{Broken, Laws};
use plan::{CALM, Plan, STORM};
use world::{Item, World};

/// How many histories are played unless `DBWARDEN_HISTORIES` says otherwise.
const HISTORIES: u64 = 2_000;

/// So many timeouts within one virtual second mean that time stands still.
const TIMEOUTS_PER_SECOND: usize = 60;

/// How much of a trace a failure shows.
const TAIL: usize = 90;

/// A warden, its world, and the judge between them.
struct History {
    world: World,
    warden: Warden,
    laws: Laws,
    late: Dice,
    /// What waits for the disk, until when.
    parked: Parked<Timestamp>,
    /// When the last record will be on the disk.
    on_record: Timestamp,
    disk: Dice,
    /// How late the disk may be, in milliseconds.
    slowness: u64,
    now: Timestamp,
    second: (u64, usize),
    inputs: usize,
    /// How many starts were kept back after they waited for the disk.
    withdrawn: usize,
    /// What happened, if that is asked for.
    trace: Option<VecDeque<String>>,
}

impl History {
    fn new(seed: u64, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice);
        let mut disk = Dice::new(seed ^ 0xD15C);
        let mut history = Self {
            parked: Parked::default(),
            on_record: Timestamp::ZERO,
            slowness: disk.pick(&[0, 0, 50, 2_000, 12_000]),
            disk,
            warden: Warden::new(model::Settings::default(), plan.settings()),
            laws: Laws::new(plan.clone()),
            late: Dice::new(seed ^ 0xDEAD),
            now: Timestamp::ZERO,
            second: (0, 0),
            inputs: 0,
            withdrawn: 0,
            trace: traced.then(VecDeque::new),
            world: World::new(plan, dice),
        };
        if traced {
            let plan = format!("{:#?}", history.world.plan);
            history.note(|| plan);
        }
        history
    }

    fn play(&mut self) -> Result<(), Broken> {
        let end = Timestamp::ZERO + STORM + CALM;
        loop {
            let due = self.warden.next_timeout();
            let next = self.world.next();
            let disk = self.parked.next();
            let first = due.into_iter().chain(next).min();
            if let Some(at) = disk.filter(|it| first.is_none_or(|first| *it < first)) {
                self.now = at.max(self.now);
                self.leave()?;
                continue;
            }
            let Some(at) = due.into_iter().chain(next).min().filter(|at| *at <= end) else {
                break;
            };
            let lateness = self.world.plan.lateness;
            // A late daemon reads what has come meanwhile first.
            let timer = due.map(|it| it.max(self.now) + self.late.millis(0, lateness));
            if timer.is_some_and(|it| next.is_none_or(|next| it < next)) {
                self.now = timer.unwrap().max(at);
                self.handle(Input::Timeout)?;
            } else {
                self.now = next.unwrap().max(self.now);
                for input in self.world.step() {
                    self.handle(input)?;
                }
            }
        }
        self.laws.judge_rest()?;
        self.judge_model()
    }

    fn handle(&mut self, input: Input) -> Result<(), Broken> {
        self.inputs += 1;
        let now = self.now;
        self.world.now = now;
        if input == Input::Timeout {
            self.count_timeout()?;
        } else {
            self.note(|| format!("> {input:?}"));
        }
        self.laws.hear(now, &input);
        let mut effects = Vec::new();
        self.warden
            .handle(Moment::simulated(now), input, &mut effects);
        let is_commit = |it: &Effect| matches!(it, Effect::Do(Deed::Commit { .. }));
        for effect in &effects {
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
            // A start is judged when it leaves.
            if !is_commit(effect) {
                self.laws.judge(now, effect)?;
            }
        }
        let (_, waiting) = Waiting::part(effects);
        let on_record = now + self.disk.millis(0, self.slowness);
        self.on_record = self.on_record.max(on_record);
        self.parked.park(self.on_record, waiting);
        self.leave()
    }

    /// Lets go what waited for the disk until now.
    fn leave(&mut self) -> Result<(), Broken> {
        let now = self.now;
        self.world.now = now;
        while let Some(waiting) = self.parked.due(now) {
            let is_start = matches!(waiting, Waiting::Deed(Deed::Commit { .. }));
            let is_late = self.warden.next_timeout().is_some_and(|due| due <= now);
            if is_start && is_late && self.slowness > 0 {
                // Which lets it go, or keeps it back.
                self.handle(Input::Timeout)?;
                continue;
            }
            let leaving = self.parked.leave(now, Moment::simulated(now), &self.warden);
            let leaving = leaving.expect("something was due");
            if let Waiting::Deed(deed) = leaving.what {
                if is_start {
                    self.note(|| format!("< {deed:?}"));
                    self.withdrawn += usize::from(leaving.report.is_some());
                    self.laws.judge(now, &Effect::Do(deed.clone()))?;
                }
                self.world.after(Duration::ZERO, Item::Deed(deed));
            }
            if let Some(report) = leaving.report {
                self.handle(report)?;
            }
        }
        Ok(())
    }

    fn count_timeout(&mut self) -> Result<(), Broken> {
        let second = self.now.as_micros() / 1_000_000;
        if self.second.0 != second {
            self.second = (second, 0);
        }
        self.second.1 += 1;
        if self.second.1 > TIMEOUTS_PER_SECOND {
            return Err(format!(
                "timeouts follow each other without end at {second}"
            ));
        }
        Ok(())
    }

    /// The live part of the model is what a fresh snapshot gives, and what listeners know.
    fn judge_model(&self) -> Result<(), Broken> {
        let mut fresh = Model::new(model::Settings::default());
        fresh.snapshot(self.now, self.world.snapshot(), &mut Vec::new());
        let (known, real) = (live(self.warden.model()), live(&fresh));
        if known != real {
            return Err(format!("the model is {known:#?}, the world is {real:#?}"));
        }
        let reachable = self.laws.events.processes.values().filter(|it| **it);
        let (heard, runs) = (reachable.count(), fresh.processes().count());
        if heard != runs || heard != self.laws.events.processes.len() {
            return Err(format!("listeners know of {heard} processes, {runs} run"));
        }
        for (id, database) in self.warden.model().databases() {
            let counts = |it: &model::Process| {
                it.database == id && it.role == Role::Te && it.status == model::Status::Up
            };
            let up = fresh_count(self.warden.model(), counts);
            if database.running(Role::Te) as usize != up {
                return Err(format!("{} counts wrong", database.name));
            }
        }
        Ok(())
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now;
        if let Some(trace) = &mut self.trace {
            let seconds = now.as_micros() / 1_000_000;
            let micros = now.as_micros() % 1_000_000;
            trace.push_back(format!("{seconds}.{micros:06} {}", line()));
        }
    }
}

fn fresh_count(model: &Model, counts: impl Fn(&model::Process) -> bool) -> usize {
    model
        .processes()
        .filter(|(_, it)| it.is_live() && counts(it))
        .count()
}

/// The live part of a model: no tombstones, no unreachables, no times.
fn live(model: &Model) -> (Vec<String>, Vec<String>) {
    let mut peers: Vec<String> = model
        .peers()
        .filter(|(_, it)| it.is_connected())
        .map(|(_, it)| format!("{} {}", it.agent_id, it.address))
        .collect();
    peers.sort();
    let mut processes: Vec<String> = model
        .processes()
        .filter(|(_, it)| it.is_live())
        .map(|(_, it)| {
            let database = &model.database(it.database).name;
            let agent = &model.peer(it.peer).agent_id;
            format!(
                "{agent} {} {database} {:?} {} {:?} {:?}",
                it.pid, it.role, it.status_word, it.node_id, it.start_id
            )
        })
        .collect();
    processes.sort();
    (peers, processes)
}

/// Plays one history; a failure is played again to show how it ended.
fn play(seed: u64) -> (usize, usize, usize) {
    let mut history = History::new(seed, false);
    let Err(broken) = history.play() else {
        return (history.inputs, history.laws.commits, history.withdrawn);
    };
    let mut again = History::new(seed, true);
    let repeated = again.play();
    let trace = again.trace.unwrap_or_default();
    let mut text = trace.front().cloned().unwrap_or_default();
    for line in trace.iter().skip(trace.len().saturating_sub(TAIL).max(1)) {
        write!(text, "\n{line}").unwrap();
    }
    let again = if repeated.as_ref().err() == Some(&broken) {
        ""
    } else {
        " (and played again it ends otherwise)"
    };
    panic!(
        "{text}\n\nseed {seed}: {broken}{again}\nto play it again: DBWARDEN_HISTORIES=1 \
         DBWARDEN_SEED={seed} cargo test --test it histories"
    );
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |it| it.parse().expect("it is a number"))
}

#[test]
fn in_no_history_is_a_law_broken() {
    let first = number("DBWARDEN_SEED", 0);
    let (mut inputs, mut commits, mut withdrawn) = (0, 0, 0);
    let count = number("DBWARDEN_HISTORIES", HISTORIES);
    for seed in first..first + count {
        let played = play(seed);
        inputs += played.0;
        commits += played.1;
        withdrawn += played.2;
    }
    println!("{inputs} inputs, {commits} starts, {withdrawn} kept back");
    assert!(
        count < HISTORIES || withdrawn > 0,
        "no disk was ever too slow"
    );
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..20 {
        let mut one = History::new(seed, true);
        let mut other = History::new(seed, true);
        assert_eq!(one.play(), other.play());
        assert!(one.trace.is_some_and(|it| it.len() > 20), "seed {seed}");
    }
}

#[test]
fn a_judge_that_sees_a_start_too_many_says_so() {
    let seed = 0;
    let mut history = History::new(seed, false);
    history.play().unwrap();
    let lost = Observation::Lost(world::loss(dbwarden::exchange::LossClass::Connection));
    history.laws.hear(history.now, &Input::Observed(lost));
    let deed = Deed::Commit {
        action: dbwarden::exchange::ActionId(1),
    };
    assert!(history.laws.judge(history.now, &Effect::Do(deed)).is_err());
}
