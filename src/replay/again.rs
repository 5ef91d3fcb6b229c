//! A past lived through once more, with a warden in it.
//!
//! What people and the domain did happens as it did. Engines that took the place of lost ones do
//! not come by themselves any more: the warden has to start them, and an oracle says how long they
//! live. It is as if the warden's session had stood all the time. Nothing is moved but values.

mod agents;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::fate::{Fate, Fates};
use super::past::{Happening, HostId, How, LifeId, Past, key, running};
use super::service::{Figures, Service};
use crate::event::{Event, Group, Kind};
use crate::exchange::{ActionId, Observation, Outcome};
use crate::model::{
    AgentId, DatabaseName, PeerSeen, ProcessSeen, Role, Sighting, Snapshot, StartId, Status,
    StatusSeen,
};
use crate::policy::Policy;
use crate::supervisor::{Accepted, Effect, Input, Mode};
use crate::time::{Moment, Timestamp};
use crate::warden::Warden;

/// Engines that never were have process ids from here on.
const PIDS: u32 = 1_000_000_000;

/// How starts are taken to fare.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bound {
    /// As on record: nothing is started but what was.
    AsItWas,
    /// Engines crash on every host as they did on record.
    Harsh,
    /// Engines live on where the record shows none of their database.
    Kind,
}

/// A past, lived through.
#[derive(Debug)]
pub struct Retold {
    /// How each database fared.
    pub figures: BTreeMap<DatabaseName, Figures>,
    /// What the healer did and what became of it, in order.
    pub timeline: Vec<Event>,
}

/// An engine that is alive.
#[derive(Clone, Debug)]
struct Engine {
    host: HostId,
    database: DatabaseName,
    role: Role,
    pid: u32,
    status: Option<StatusSeen>,
    start_id: Option<StartId>,
}

/// Something that is going to happen.
#[derive(Debug)]
enum Item {
    Ends(u32),
    Happens(Happening),
    Refresh,
    Registers(ActionId),
    Report(ActionId, Outcome),
    Serves(u32),
    /// A person stops an engine that took the place of a lost one.
    Stopped(LifeId),
}

/// A start that was asked for.
#[derive(Debug)]
struct Asked {
    host: HostId,
    database: DatabaseName,
    valid_until: Timestamp,
    has_left: bool,
}

/// The past with a warden in it.
#[derive(Debug)]
pub struct Replay<'a> {
    past: &'a Past,
    bound: Bound,
    warden: Warden,
    fates: Fates,
    now: Timestamp,
    queue: BTreeMap<(Timestamp, u64), Item>,
    queued: u64,
    here: Vec<bool>,
    /// By pid, which no two share: those on record get one of ours as well.
    engines: BTreeMap<u32, Engine>,
    /// Which engine a life on record is.
    of_life: BTreeMap<LifeId, u32>,
    last_engine: u32,
    asked: BTreeMap<ActionId, Asked>,
    service: Service,
    timeline: Vec<Event>,
}

impl<'a> Replay<'a> {
    /// Lives through a past by these settings.
    pub fn live(past: &'a Past, accepted: &Accepted, bound: Bound) -> Retold {
        let mut accepted = accepted.clone();
        if bound == Bound::AsItWas {
            accepted.supervisor.mode = Mode::Observe;
        }
        let settings = accepted.supervisor.clone();
        let is_healed = |database: &DatabaseName| {
            let applies = |it: &Policy| it.applies(settings.domain.as_str(), database.as_str());
            settings.mode == Mode::Heal
                && settings.te_options.contains_key(database)
                && settings.policies.iter().any(applies)
        };
        let mut replay = Self {
            past,
            bound,
            warden: Warden::new(accepted.model.clone(), accepted.supervisor.clone()),
            fates: Fates::of(past, is_healed),
            now: past.from,
            queue: BTreeMap::new(),
            queued: 0,
            here: past.hosts.iter().map(|it| it.was_there).collect(),
            engines: BTreeMap::new(),
            of_life: BTreeMap::new(),
            last_engine: 0,
            asked: BTreeMap::new(),
            service: Service::default(),
            timeline: Vec::new(),
        };
        replay.begin(Arc::new(accepted));
        replay.run();
        Retold {
            figures: replay.service.until(past.until),
            timeline: replay.timeline,
        }
    }

    fn begin(&mut self, accepted: Arc<Accepted>) {
        for (index, life) in self.past.lives.iter().enumerate() {
            if life.was_there {
                self.join(LifeId(index));
            }
        }
        for (at, happening) in &self.past.happened {
            let item = self.item(happening.clone());
            if let Some(item) = item {
                self.at(*at, item);
            }
        }
        self.handle(Input::Began(accepted));
        let snapshot = self.snapshot();
        self.handle(Input::Observed(Observation::Snapshot(snapshot)));
        self.count_all();
    }

    /// Returns what happens again, unless it is for the warden to bring about now.
    fn item(&self, happening: Happening) -> Option<Item> {
        let life = match &happening {
            Happening::Gone(life) | Happening::Joined(life) | Happening::Status(life, _) => *life,
            Happening::PeerJoined(_) | Happening::PeerLost(_) => {
                return Some(Item::Happens(happening));
            }
        };
        if !self.fates.replaced.contains(&life) {
            return Some(Item::Happens(happening));
        }
        let end = self.past.lives[life.0].end;
        let is_stop =
            matches!(happening, Happening::Gone(_)) && matches!(end, Some((_, How::Stopped)));
        is_stop.then_some(Item::Stopped(life))
    }

    fn run(&mut self) {
        loop {
            let queued = self.queue.first_key_value().map(|(key, _)| *key);
            let timeout = self.warden.next_timeout().map(|it| it.max(self.now));
            let next = queued.map(|it| it.0).into_iter().chain(timeout).min();
            let Some(next) = next.filter(|it| *it <= self.past.until) else {
                break;
            };
            if next == self.now && queued.is_none_or(|it| it.0 > next) {
                // Whoever wants to look again at once looks a moment later.
                self.now = next + Duration::from_micros(1);
                self.handle(Input::Timeout);
                continue;
            }
            self.now = next;
            match queued
                .filter(|it| it.0 == next)
                .and_then(|it| self.queue.remove(&it))
            {
                Some(item) => self.happen(item),
                None => self.handle(Input::Timeout),
            }
        }
    }

    fn at(&mut self, at: Timestamp, item: Item) {
        self.queued += 1;
        self.queue.insert((at, self.queued), item);
    }

    fn handle(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.warden
            .handle(Moment::simulated(self.now), input, &mut effects);
        for effect in effects {
            match effect {
                Effect::Do(deed) => self.deed(deed),
                Effect::Raise(event) if is_of_interest(&event) => self.timeline.push(event),
                Effect::Answer { .. } | Effect::Raise(_) => (),
            }
        }
    }

    fn sighted(&mut self, sighting: Sighting) {
        self.handle(Input::Observed(Observation::Sighted(sighting)));
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Ends(engine) => self.end(engine),
            Item::Happens(happening) => self.happen_again(happening),
            Item::Refresh => {
                let snapshot = self.snapshot();
                self.handle(Input::Observed(Observation::Snapshot(snapshot)));
            }
            Item::Registers(action) => self.register(action),
            Item::Report(action, outcome) => self.handle(Input::Reported { action, outcome }),
            Item::Serves(engine) => self.change(engine, running()),
            Item::Stopped(life) => self.stop_one(life),
        }
    }

    fn happen_again(&mut self, happening: Happening) {
        match happening {
            Happening::Gone(life) => {
                if let Some(engine) = self.of_life.get(&life) {
                    self.end(*engine);
                }
            }
            Happening::Joined(life) => {
                let engine = self.join(life);
                self.told_of(engine);
            }
            Happening::PeerJoined(host) => {
                self.here[host.0] = true;
                self.sighted(Sighting::PeerJoined(self.peer_seen(host)));
                let there = self.engines.iter().filter(|(_, it)| it.host == host);
                for engine in there.map(|(id, _)| *id).collect::<Vec<_>>() {
                    self.told_of(engine);
                }
                self.count_all();
            }
            Happening::PeerLost(host) => {
                self.here[host.0] = false;
                // Those on record register anew when they are back.
                let lives = self.past.lives.iter().enumerate();
                let went = lives
                    .filter(|(_, it)| it.host == host && it.end == Some((self.now, How::WithPeer)));
                for (index, _) in went {
                    if let Some(engine) = self.of_life.remove(&LifeId(index)) {
                        self.engines.remove(&engine);
                    }
                }
                self.sighted(Sighting::PeerLost(self.peer_seen(host)));
                self.count_all();
            }
            Happening::Status(life, status) => {
                if let Some(engine) = self.of_life.get(&life) {
                    self.change(*engine, status);
                }
            }
        }
    }

    /// Has an engine on record come to life.
    fn join(&mut self, life: LifeId) -> u32 {
        let it = &self.past.lives[life.0];
        let engine = Engine {
            host: it.host,
            database: it.database.clone(),
            role: it.role,
            pid: it.pid,
            status: it.first.clone(),
            start_id: None,
        };
        let id = self.add(engine);
        self.of_life.insert(life, id);
        id
    }

    fn add(&mut self, engine: Engine) -> u32 {
        self.last_engine += 1;
        self.engines.insert(self.last_engine, engine);
        self.last_engine
    }

    fn told_of(&mut self, engine: u32) {
        if let Some(it) = self.engines.get(&engine) {
            let (seen, database) = (self.process_seen(it), it.database.clone());
            self.sighted(Sighting::ProcessJoined(seen));
            self.count(&database);
        }
    }

    fn change(&mut self, engine: u32, status: StatusSeen) {
        let Some(it) = self.engines.get_mut(&engine) else {
            return;
        };
        it.status = Some(status);
        let it = it.clone();
        if self.here[it.host.0] {
            self.sighted(Sighting::StatusChanged(self.process_seen(&it)));
        }
        self.count(&it.database);
    }

    fn end(&mut self, engine: u32) {
        let Some(it) = self.engines.remove(&engine) else {
            return;
        };
        if self.here[it.host.0] {
            self.sighted(Sighting::ProcessGone(self.process_seen(&it)));
        }
        self.count(&it.database);
    }

    /// Somebody stops the engine that sits where one on record was stopped, else another one.
    fn stop_one(&mut self, life: LifeId) {
        let of = &self.past.lives[life.0];
        let ours = self
            .engines
            .iter()
            .filter(|(_, it)| it.pid >= PIDS && it.database == of.database && self.here[it.host.0]);
        let chosen = ours.min_by_key(|(id, it)| (it.host != of.host, **id));
        let Some(engine) = chosen.map(|(id, _)| *id) else {
            return;
        };
        let status = StatusSeen {
            status: Status::Stopping,
            word: "SHUTTING_DOWN".into(),
        };
        self.change(engine, status);
        self.end(engine);
    }

    fn count(&mut self, database: &DatabaseName) {
        let mut engines = self.engines.values();
        let runs = engines.any(|it| {
            let is_up = it.status.as_ref().is_some_and(|it| it.status == Status::Up);
            it.role == Role::Te && it.database == *database && is_up && self.here[it.host.0]
        });
        self.service.is(self.now, database, runs);
    }

    fn count_all(&mut self) {
        let all = self.engines.values().map(|it| it.database.clone());
        let mut all: BTreeSet<_> = all.collect();
        all.extend(self.past.databases());
        for database in all {
            self.count(&database);
        }
    }
}

/// Returns whether people want to see it in a timeline.
fn is_of_interest(event: &Event) -> bool {
    let is_te = event
        .subject
        .process
        .as_ref()
        .is_none_or(|it| it.role == Role::Te);
    match event.kind.group() {
        Group::Database | Group::Healing => true,
        Group::Process => is_te && event.kind != Kind::ProcessStatusChanged,
        Group::Daemon | Group::Domain | Group::Peer => false,
    }
}
