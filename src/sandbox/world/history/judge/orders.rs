//! What people said to the daemon and it agreed to: who holds what, where they work and until when,
//! what is wanted and what is not. That it holds is taken from the answer, the rest from them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::known::{Known, Open, Seat, index_of, is_manager, named};
use super::told::State;
use super::{Broken, Judge, Law, SeatName};
use crate::event::{Event, Kind};
use crate::exchange::{ActionId, Answer, Request, RequestId, Wish, Word};
use crate::policy::Policy;
use crate::supervisor::{Effect, EvidenceFact, Fact, Input};
use crate::time::{Moment, Timestamp, WallTime};

/// An end within this time is the one that was announced.
const ANNOUNCED_FOR: Duration = Duration::from_secs(60);

/// For so long what was asked for may wait.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a word is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Extent {
    Database(Arc<str>),
    Domain,
    Peer(usize),
    /// A process by peer and pid, and where it sat when that was said.
    Process(usize, u32, Option<SeatName>),
    Seat(SeatName),
}

impl Extent {
    /// Returns whether it is about that seat, whose process was at that peer.
    fn covers(&self, name: &SeatName, from: Option<usize>) -> bool {
        match self {
            Self::Database(database) => *database == name.0,
            Self::Domain => true,
            Self::Peer(peer) => from == Some(*peer),
            Self::Process(.., seat) => seat.as_ref() == Some(name),
            Self::Seat(seat) => seat == name,
        }
    }

    /// Returns whether people would call both by the same name: a process may sit elsewhere by now.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Process(peer, pid, _), Self::Process(there, number, _)) => {
                (peer, pid) == (there, number)
            }
            _ => self == other,
        }
    }
}

/// What holds by the word of people.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    wall: WallTime,
    held: BTreeSet<Extent>,
    worked_at: BTreeMap<Extent, WallTime>,
    /// Where people worked before, and until when.
    worked: Vec<(Extent, Timestamp)>,
    /// How many maintenances are over with what was told last.
    over: usize,
    dead: BTreeSet<usize>,
    announced: BTreeMap<Extent, Timestamp>,
    scales: BTreeMap<Arc<str>, u32>,
    thawed: BTreeMap<Arc<str>, WallTime>,
    /// Of which databases somebody asked for an engine, and when.
    asked: BTreeMap<Arc<str>, Timestamp>,
    /// Of which databases something was wanted, and forgotten.
    wanted: BTreeSet<Arc<str>>,
    forgot: BTreeSet<Arc<str>>,
    /// Seats that nobody wants since.
    forgotten: BTreeSet<SeatName>,
}

impl Orders {
    /// Returns how many are wanted of a database by its policy or by the word of a person.
    pub(super) fn declared(&self, database: &str, policy: &Policy) -> u32 {
        let scale = self.scales.get(database).copied().unwrap_or_default();
        policy.te_min().max(scale)
    }

    /// Returns whether a seat is wanted by the policy of its database or by the word of a person,
    /// whoever sat there.
    pub(super) fn declares(&self, database: &str, seat: &str, policy: &Policy) -> bool {
        if is_manager(seat) {
            return policy.sm.is_some();
        }
        let number = seat.rsplit('/').next().and_then(|it| it.parse().ok());
        number.is_some_and(|it: u32| it <= self.declared(database, policy))
    }

    /// Returns whether a person said how many are wanted of a database.
    pub(super) fn is_scaled(&self, database: &str) -> bool {
        self.scales.contains_key(database)
    }

    /// Returns whether people had something forgotten of a database.
    pub(super) fn forgot(&self, database: &str) -> bool {
        self.forgot.contains(database)
    }

    /// Returns whether people wanted what left of a database.
    pub(super) fn wanted(&self, database: &str) -> bool {
        self.wanted.contains(database)
    }

    /// Returns whether somebody asked for an engine of a database a while ago.
    pub(super) fn asked(&self, now: Timestamp, database: &str) -> bool {
        let asked = self.asked.get(database);
        asked.is_some_and(|at| now.since(*at) <= PATIENCE)
    }

    /// Returns whether a person said that a peer is dead.
    pub(super) fn is_dead(&self, peer: usize) -> bool {
        self.dead.contains(&peer)
    }

    /// Returns whether a person said that a gate does not count.
    pub(super) fn is_thawed(&self, gate: &str) -> bool {
        let until = self.thawed.get(gate);
        until.is_some_and(|it| *it > self.wall)
    }

    /// Somebody sits there: it is not forgotten any more.
    pub(super) fn taken(&mut self, name: &SeatName) {
        self.forgotten.remove(name);
    }

    /// What people work at is healed again when its time is over.
    fn expire(&mut self, now: Moment) {
        self.over = 0;
        let Self {
            worked_at,
            worked,
            over,
            ..
        } = self;
        worked_at.retain(|extent, until| {
            let goes_on = *until > now.wall;
            if !goes_on {
                worked.push((extent.clone(), now.at));
                *over += 1;
            }
            goes_on
        });
    }

    /// Returns whether people worked at a seat then, or later.
    pub(super) fn worked_at_since(
        &self,
        then: Timestamp,
        name: &SeatName,
        from: Option<usize>,
    ) -> bool {
        let mut worked = self.worked.iter();
        let worked = worked.any(|(it, until)| *until >= then && it.covers(name, from));
        worked || self.is_worked_at(name, from)
    }

    fn is_worked_at(&self, name: &SeatName, from: Option<usize>) -> bool {
        let mut all = self.worked_at.iter();
        all.any(|(it, _)| it.covers(name, from))
    }

    fn is_held(&self, name: &SeatName) -> bool {
        self.held.iter().any(|it| it.covers(name, None))
    }

    fn is_announced(&self, now: Timestamp, (peer, pid): (usize, u32), database: &str) -> bool {
        self.announced.iter().any(|(it, at)| {
            let is_meant = match it {
                Extent::Database(name) => **name == *database,
                Extent::Process(there, number, _) => (*there, *number) == (peer, pid),
                Extent::Domain | Extent::Peer(_) | Extent::Seat(_) => false,
            };
            is_meant && now.since(*at) <= ANNOUNCED_FOR
        })
    }
}

impl Known {
    /// Takes in what people say that was agreed to, and what follows from it and the time.
    pub(super) fn obey(&mut self, now: Moment, input: &Input, effects: &[Effect]) {
        self.orders.wall = now.wall;
        let Self { told, orders, .. } = self;
        orders.expire(now);
        if !orders.dead.is_empty() {
            let is_away = |peer: &usize| told.peers.get(peer).is_none_or(|it| !it.connected);
            orders.dead.retain(is_away);
        }
        if !orders.announced.is_empty() {
            for (key, life) in &told.ended {
                let life = &mut told.lives[*life];
                if life.failed.is_some() && orders.is_announced(now.at, *key, &life.database) {
                    life.left = life.failed.take();
                }
            }
        }
        if let Input::Requested(request) = input
            && is_accepted(request.id, effects)
        {
            self.agree(now, request);
        }
    }

    fn agree(&mut self, now: Moment, request: &Request) {
        let (word, target) = match &request.wish {
            Wish::Person { word, target } => (word, self.extent(target)),
            Wish::StartTe { database, .. } => {
                let name = database.as_str().into();
                self.orders.asked.insert(name, now.at);
                return;
            }
        };
        let orders = &mut self.orders;
        match word {
            Word::Announce => drop(orders.announced.insert(target, now.at)),
            Word::ColdStart { .. } => (),
            Word::ConfirmDead => {
                if let Extent::Peer(peer) = target {
                    orders.dead.insert(peer);
                }
            }
            Word::EndMaintenance => {
                let is_over = |it: &&Extent| it.is_same(&target);
                let over: Vec<_> = orders.worked_at.keys().filter(is_over).cloned().collect();
                for it in over {
                    orders.worked_at.remove(&it);
                    orders.worked.push((it, now.at));
                }
            }
            Word::Forget => self.forget(&target),
            Word::Hold => drop(orders.held.insert(target)),
            Word::Maintain { lasts } => {
                orders.worked_at.retain(|it, _| !it.is_same(&target));
                orders.worked_at.insert(target, now.wall + *lasts);
            }
            Word::Release => {
                orders.held.retain(|it| match it {
                    Extent::Seat(seat) => !target.covers(seat, None),
                    Extent::Database(_)
                    | Extent::Domain
                    | Extent::Peer(_)
                    | Extent::Process(..) => *it != target,
                });
                self.try_anew(&target);
                self.useless.retain(|it| !target.covers(it, None));
            }
            Word::Retry => self.try_anew(&target),
            Word::Scale { count } => {
                if let Extent::Database(name) = target {
                    orders.scales.insert(name, *count);
                }
            }
            Word::Thaw { gate, lasts } => {
                orders.thawed.insert(gate.clone(), now.wall + *lasts);
            }
            Word::Want => {
                orders.forgotten.retain(|it| !target.covers(it, None));
                orders.wanted.extend(database_of(&target));
            }
        }
    }

    /// Nothing of that is wanted any more but what is declared, where nobody sits.
    fn forget(&mut self, target: &Extent) {
        let Self {
            told,
            seats,
            orders,
            ..
        } = self;
        if let Extent::Database(name) = target {
            orders.scales.remove(name);
        }
        for (name, seat) in seats.iter() {
            let sits = seat.bound.filter(|_| !seat.is_vacant);
            let sits = sits.is_some_and(|life| told.processes.values().any(|it| it.life == life));
            let is_at = seat.evidence.as_ref().and_then(peer_of);
            if !sits && target.covers(name, is_at) {
                orders.forgotten.insert(name.clone());
                orders.forgot.insert(name.0.clone());
            }
        }
        orders.forgot.extend(database_of(target));
        match target {
            Extent::Peer(peer) => self.out.retain(|it, _| it.2 != *peer),
            Extent::Database(_) => self.try_anew(target),
            Extent::Domain | Extent::Process(..) | Extent::Seat(_) => (),
        }
    }

    /// Tries of that do not count any more, nor what was said of its database.
    fn try_anew(&mut self, target: &Extent) {
        let database = database_of(target);
        self.out.retain(|it, _| Some(&it.0) != database.as_ref());
        for (name, seat) in &mut self.seats {
            if target.covers(name, None) {
                seat.prepares.clear();
            }
        }
    }

    /// Reads `prod`, `db0`, `db0/te/1`, `10.0.0.1:48004` or `10.0.0.1:48004/101`.
    fn extent(&self, target: &str) -> Extent {
        let mut parts = target.splitn(2, '/');
        let (name, rest) = (parts.next().unwrap_or_default(), parts.next());
        match (named(name), rest) {
            (Some(peer), None) => Extent::Peer(peer),
            (Some(peer), Some(pid)) => {
                let pid = pid.parse().unwrap_or_default();
                let process = self.told.processes.get(&(peer, pid));
                let life = process.map(|it| it.life);
                let sits = |it: &Seat| life.is_some() && it.bound == life;
                let seat = self.seats.iter().find(|(_, it)| sits(it));
                // Who may come back to a seat has it; who is more than is wanted has none.
                let away = process.filter(|it| it.state != State::Live);
                let claims = |it: &Seat| away.is_some_and(|away| it.is_claimed_by(away.life));
                let seat = seat.or_else(|| self.seats.iter().find(|(_, it)| claims(it)));
                Extent::Process(peer, pid, seat.map(|(name, _)| name.clone()))
            }
            (None, Some(seat)) => Extent::Seat((name.into(), seat.into())),
            (None, None) if self.told.lives.iter().all(|it| it.database != name) => Extent::Domain,
            (None, None) => Extent::Database(name.into()),
        }
    }
}

impl Judge {
    /// What was remembered of seats before a request is remembered after it, if it was refused and
    /// nothing was due that moment.
    pub(in crate::sandbox::world::history) fn judge_refused(
        &mut self,
        before: &[Fact],
        after: &[Fact],
        effects: &[Effect],
    ) -> Result<(), Broken> {
        let [
            Effect::Answer {
                answer: Answer::Refused { reason },
                ..
            },
        ] = effects
        else {
            return Ok(());
        };
        self.met(Law::Refused);
        let is_seat = |it: &&Fact| matches!(it, Fact::Slot(_));
        let mut seats = after.iter().filter(is_seat);
        match seats.find(|it| !before.contains(it)) {
            None => Ok(()),
            Some(fact) => {
                let text = format!("`{reason}`, and this was otherwise before: {fact:?}");
                Err(Law::Refused.broken(text))
            }
        }
    }

    /// Whoever asks is answered once, and what was limited ends.
    pub(super) fn judge_orders(&mut self, input: &Input, effects: &[Effect]) -> Result<(), Broken> {
        if let Input::Requested(request) = input {
            self.met(Law::Answered);
            let id = request.id;
            let is_it =
                |it: &&Effect| matches!(it, Effect::Answer { request, .. } if *request == id);
            let answers = effects.iter().filter(is_it).count();
            if answers != 1 {
                let text = format!("{request:?} has {answers} answers");
                return Err(Law::Answered.broken(text));
            }
        }
        self.judge_over(self.known.orders.over, effects)?;
        let orders = &self.known.orders;
        if orders.worked_at.is_empty() && orders.held.is_empty() {
            return Ok(());
        }
        let Known { seats, orders, .. } = &self.known;
        let missing = || seats.iter().filter(|(_, it)| it.is_vacant);
        let from = |it: &Seat| it.evidence.as_ref().and_then(peer_of);
        let is_worked_at = missing().any(|(name, it)| orders.is_worked_at(name, from(it)));
        let is_held = missing().any(|(name, _)| orders.is_held(name));
        if is_worked_at {
            self.met(Law::Maintained);
        }
        if is_held {
            self.met(Law::LeftAlone);
        }
        Ok(())
    }

    /// So many maintenances are over by the clock.
    fn judge_over(&mut self, over: usize, effects: &[Effect]) -> Result<(), Broken> {
        if over == 0 {
            return Ok(());
        }
        self.met(Law::Expires);
        let is_end = |it: &&Effect| {
            let is_end = |it: &Event| it.kind == Kind::MaintenanceEnded;
            matches!(it, Effect::Raise(event) if is_end(event))
        };
        let told = effects.iter().filter(is_end).count();
        if told < over {
            let text = format!("{over} maintenances are over, and {told} were told to be");
            return Err(Law::Expires.broken(text));
        }
        Ok(())
    }

    /// Nothing is started that people hold, work at, or had forgotten.
    pub(super) fn judge_obeyed(
        &mut self,
        now: Timestamp,
        action: ActionId,
        (it, policy): (&Open, &Policy),
    ) -> Result<(), Broken> {
        let name = (it.database.clone(), it.seat.clone());
        let Known { seats, orders, .. } = &self.known;
        let evidence = seats.get(&name).and_then(|it| it.evidence.as_ref());
        let from = evidence.and_then(peer_of);
        if orders.is_held(&name) {
            let text = format!("{action}: a person holds {} of {}", name.1, name.0);
            return Err(Law::LeftAlone.broken(text));
        }
        if orders.is_worked_at(&name, from) || orders.is_worked_at(&name, Some(it.peer)) {
            let text = format!("{action}: people work at {} of {}", name.1, name.0);
            return Err(Law::Maintained.broken(text));
        }
        if !orders.forgot(&name.0) {
            return Ok(());
        }
        let is_forgotten = orders.forgotten.contains(&name);
        let asked = orders.asked(now, &name.0);
        let is_declared = orders.declares(&name.0, &name.1, policy);
        self.met(Law::Forgotten);
        if is_forgotten && !is_declared && !asked {
            let text = format!("{action}: a person had {} of {} forgotten", name.1, name.0);
            return Err(Law::Forgotten.broken(text));
        }
        Ok(())
    }

    /// Returns the gates of the whole domain that are closed, as people name them.
    pub(in crate::sandbox::world::history) fn closed_gates(&self) -> BTreeSet<&str> {
        let of_databases = self.known.left_alone.values().any(|it| *it);
        let closed = self.known.gates.iter().filter(|(_, it)| **it);
        let closed = closed.filter_map(|(name, _)| name.strip_prefix("gate "));
        closed
            .chain(of_databases.then_some("another-healer"))
            .collect()
    }
}

fn is_accepted(id: RequestId, effects: &[Effect]) -> bool {
    effects.iter().any(|it| {
        matches!(
            it,
            Effect::Answer { request, answer: Answer::Accepted { .. } } if *request == id
        )
    })
}

fn database_of(extent: &Extent) -> Option<Arc<str>> {
    match extent {
        Extent::Database(name) | Extent::Seat((name, _)) => Some(name.clone()),
        Extent::Domain | Extent::Peer(_) | Extent::Process(..) => None,
    }
}

/// Returns where the process was whose end that tells of.
fn peer_of(evidence: &EvidenceFact) -> Option<usize> {
    match evidence {
        EvidenceFact::Declared => None,
        EvidenceFact::Exit { peer }
        | EvidenceFact::Unreachable { peer, .. }
        | EvidenceFact::Vanished { peer } => index_of(peer),
    }
}
