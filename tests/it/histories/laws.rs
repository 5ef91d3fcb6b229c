//! What holds in every history, judged from what the warden was told and asked for alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use dbwarden::event::{Event, Kind};
use dbwarden::exchange::{ActionId, Deed, Observation, Outcome, Question};
use dbwarden::model::{Role, Status};
use dbwarden::policy::Policy;
use dbwarden::supervisor::{Effect, Input};
use dbwarden::time::Timestamp;

use super::driver::index_of;
use super::events::Events;
use super::plan::Plan;
use super::told::{Life, RETURN_GRACE, State, Told, ToldProcess};
use super::world::HEALED;

/// What a broken law says.
pub(super) type Broken = String;

/// How far a start got, seen from outside.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Told,
    Prepared,
    Ready,
    Committed,
}

/// A start between its telling and its end.
#[derive(Debug)]
struct Open {
    slot: String,
    database: String,
    peer: usize,
    stage: Stage,
    committed: Timestamp,
    /// Its fate was told.
    settled: bool,
    /// Nothing was heard of it, since then.
    doubted: Option<Timestamp>,
    /// A picture of the whole domain came after that.
    looked: bool,
    /// It is for the place of one that is out of reach.
    replaces: bool,
}

/// The judge.
#[derive(Debug)]
pub(super) struct Laws {
    plan: Plan,
    pub(super) told: Told,
    pub(super) events: Events,
    thawed: bool,
    open: BTreeMap<ActionId, Open>,
    begun: BTreeSet<ActionId>,
    failed: BTreeMap<String, Timestamp>,
    asked: BTreeMap<ActionId, usize>,
    /// When our own dial to a peer's agent last failed.
    silent: BTreeMap<usize, Timestamp>,
    prepares: BTreeMap<String, Vec<Timestamp>>,
    judged_lives: usize,
    pub(super) commits: usize,
}

macro_rules! ensure {
    ($holds:expr, $($text:tt)*) => {
        if !$holds {
            return Err(format!($($text)*));
        }
    };
}

impl Laws {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            told: Told::default(),
            events: Events::default(),
            thawed: false,
            open: BTreeMap::new(),
            begun: BTreeSet::new(),
            failed: BTreeMap::new(),
            asked: BTreeMap::new(),
            silent: BTreeMap::new(),
            prepares: BTreeMap::new(),
            judged_lives: 0,
            commits: 0,
        }
    }

    pub(super) fn policy(&self, database: &str) -> Option<&Policy> {
        let mut all = self.plan.databases.iter();
        all.find(|it| it.name == database)?.policy.as_ref()
    }

    /// Takes in what the warden is told next.
    pub(super) fn hear(&mut self, now: Timestamp, input: &Input) {
        self.told.pass(now);
        self.lower(now);
        match input {
            Input::Observed(observation) => {
                self.told.observe(now, observation);
                match observation {
                    Observation::Lost(_) => self.thawed = false,
                    Observation::Snapshot(_) => {
                        for open in self.open.values_mut() {
                            open.looked |= open.doubted.is_some();
                        }
                    }
                    Observation::Sighted(_) => (),
                }
                self.judge_new_lives();
                self.seat_surplus();
            }
            Input::Reported { action, outcome } => self.report(now, *action, outcome),
            Input::Began(_)
            | Input::Clock(_)
            | Input::Configured(_)
            | Input::JournalFailed
            | Input::Recovered(_)
            | Input::Requested(_)
            | Input::Resumed { .. }
            | Input::Timeout => (),
        }
    }

    fn report(&mut self, now: Timestamp, action: ActionId, outcome: &Outcome) {
        if let Some(peer) = self.asked.remove(&action) {
            if matches!(outcome, Outcome::Answered(_)) {
                self.silent.remove(&peer);
            } else {
                self.silent.insert(peer, now);
            }
            return;
        }
        let Some(open) = self.open.get_mut(&action) else {
            return;
        };
        match outcome {
            Outcome::Ready => open.stage = Stage::Ready,
            Outcome::Started(_) => (),
            Outcome::Unanswered(_) => {
                open.doubted.get_or_insert(now);
            }
            Outcome::Answered(_)
            | Outcome::NotSent(_)
            | Outcome::Refused(_)
            | Outcome::Registered { .. }
            | Outcome::StartFailed(_)
            | Outcome::Stopped { .. }
            | Outcome::Withdrawn => open.settled = true,
        }
    }

    /// Judges what the warden wants done or told.
    pub(super) fn judge(&mut self, now: Timestamp, effect: &Effect) -> Result<(), Broken> {
        match effect {
            Effect::Do(Deed::Prepare { action, start, .. }) => {
                let peer = index_of(&start.target.address);
                let database = start.database.as_str();
                let open = self.open.get_mut(action);
                let Some(open) = open.filter(|it| it.stage == Stage::Told) else {
                    return Err(format!("{action} is prepared and was not told of"));
                };
                ensure!(
                    open.peer == peer && open.database == database && start.role == Role::Te,
                    "{action} is another start than was told"
                );
                open.stage = Stage::Prepared;
                let all = self.prepares.entry(format!("{database} {}", open.slot));
                let all = all.or_default();
                all.push(now);
                let lately = all
                    .iter()
                    .filter(|it| now.since(**it) < Duration::from_secs(60));
                ensure!(lately.count() <= 12, "starts of one slot follow too fast");
                self.judge_start(now, *action)
            }
            Effect::Do(Deed::Commit { action }) => {
                let Some(open) = self.open.get_mut(action) else {
                    return Err(format!("{action} is committed and not open"));
                };
                ensure!(
                    open.stage == Stage::Ready,
                    "{action} is committed when {:?}",
                    open.stage
                );
                open.stage = Stage::Committed;
                open.committed = now;
                self.commits += 1;
                self.judge_start(now, *action)?;
                let database = self.open[action].database.clone();
                let is_for_lost = self.open[action].replaces;
                let replaced = is_for_lost
                    .then(|| self.replaceable(now, &database))
                    .flatten();
                if let Some(life) = replaced {
                    self.told.lives[life].replaced = Some(now);
                } else {
                    let wanted = self.wanted(&database);
                    self.note_replaced(now, &database, 1, wanted);
                }
                Ok(())
            }
            Effect::Do(Deed::Ask { action, question }) => {
                if let Question::Identity(target) = question {
                    self.asked.insert(*action, index_of(&target.address));
                }
                ensure!(self.thawed, "an agent is asked while the gate is closed");
                Ok(())
            }
            Effect::Do(Deed::Abandon { action }) => {
                let committed = |it: &Open| it.stage == Stage::Committed;
                ensure!(
                    !self.open.get(action).is_some_and(committed),
                    "{action} left and is abandoned"
                );
                Ok(())
            }
            Effect::Answer { .. } | Effect::Do(Deed::Refresh) => Ok(()),
            Effect::Do(Deed::Stop { .. }) => Err("the healer stops something".to_owned()),
            Effect::Raise(event) => {
                self.events.hear(event, &self.told)?;
                self.judge_event(now, event)
            }
        }
    }

    /// What must hold when a start is prepared, and again when it leaves.
    fn judge_start(&self, now: Timestamp, action: ActionId) -> Result<(), Broken> {
        let it = &self.open[&action];
        ensure!(self.told.synced.is_some(), "{action}: there is no session");
        ensure!(self.thawed, "{action}: the gate is closed");
        let Some(policy) = self.policy(&it.database) else {
            return Err(format!("{action}: no policy applies to {}", it.database));
        };
        let peer = self.told.peers.get(&it.peer).copied().unwrap_or_default();
        ensure!(peer.connected, "{action}: p{} is lost", it.peer);
        ensure!(
            peer.since + policy.return_grace <= now,
            "{action}: p{} has only just come back",
            it.peer
        );
        for (other, open) in self.open.iter().filter(|(other, _)| **other != action) {
            ensure!(
                open.database != it.database,
                "{action}: {other} is open for the same database"
            );
            ensure!(
                open.peer != it.peer,
                "{action}: {other} is open at the same peer"
            );
        }
        let here = |known: &&ToldProcess| known.peer == it.peer && known.role == Role::Te;
        ensure!(
            self.told.of(&it.database).find(here).is_none(),
            "{action}: p{} has such an engine",
            it.peer
        );
        let runs = |known: &ToldProcess| {
            known.status == Status::Up && !matches!(known.state, State::Unreachable(_))
        };
        ensure!(
            self.told.of(&it.database).any(runs),
            "{action}: nothing of {} runs",
            it.database
        );
        self.judge_confirmation(now, action, policy)?;
        let (taken, wanted) = (
            self.taken(now, &it.database, policy),
            self.wanted(&it.database),
        );
        ensure!(
            taken < wanted,
            "{action}: {taken} of {wanted} wanted engines of {} are there, or may be",
            it.database
        );
        Ok(())
    }

    /// Several exits close together may be a person's doing.
    fn judge_confirmation(
        &self,
        now: Timestamp,
        action: ActionId,
        policy: &Policy,
    ) -> Result<(), Broken> {
        let it = &self.open[&action];
        let failed: Vec<(Timestamp, &Life)> = self
            .told
            .lives
            .iter()
            .filter(|life| life.database == it.database)
            .filter_map(|life| Some((life.failed?, life)))
            .filter(|(at, _)| now.since(*at) < policy.confirm_for)
            .collect();
        for (second, one) in &failed {
            for (first, other) in &failed {
                // A late daemon counts from when it looks.
                let late = Duration::from_millis(self.plan.lateness);
                let together = !std::ptr::eq(*one, *other)
                    && first <= second
                    && second.since(*first) + late <= Duration::from_secs(5);
                ensure!(
                    !together || one.born >= *first,
                    "{action}: two of {} ended together just now",
                    it.database
                );
            }
        }
        Ok(())
    }

    /// How many transaction engines of a database are there, or may be where we cannot see.
    fn taken(&self, now: Timestamp, database: &str, policy: &Policy) -> usize {
        let counts = |it: &&ToldProcess| {
            it.role == Role::Te
                && match it.state {
                    State::Ending(_) => false,
                    State::Live => true,
                    State::Unreachable(since) => {
                        let life = &self.told.lives[it.life];
                        let seated = life.filled || policy.keep_observed && !self.came_late(life);
                        seated
                            && life.replaced.is_none()
                            && !self.may_be_replaced(now, it, since, policy)
                    }
                }
        };
        let taken = self.told.of(database).filter(counts);
        let (live, away): (Vec<_>, Vec<_>) = taken.partition(|it| it.state == State::Live);
        // Once there was one too many, nobody can say of several out of reach which it is.
        let overlapped = |it: &Life| it.database == database && it.replaced.is_some();
        if self.told.lives.iter().any(overlapped) {
            live.len()
        } else {
            live.len() + away.len()
        }
    }

    fn may_be_replaced(
        &self,
        now: Timestamp,
        it: &ToldProcess,
        since: Timestamp,
        policy: &Policy,
    ) -> bool {
        let peer = self.told.peers[&it.peer];
        let lost = peer.lost.unwrap_or_default().max(since);
        !policy.strict_siblings
            && !peer.connected
            && lost + policy.unreachable_grace <= now
            && self.silent.get(&it.peer).is_some_and(|at| *at > lost)
    }

    /// How many transaction engines of a database are wanted at most.
    fn wanted(&self, database: &str) -> usize {
        let Some(policy) = self.policy(database) else {
            return 0;
        };
        let min = policy.te_min() as usize;
        if !policy.keep_observed {
            return min;
        }
        let counts = |it: &&Life| {
            let old = it
                .to
                .is_none_or(|to| to.since(it.from) >= policy.min_uptime);
            it.database == database
                && it.role == Role::Te
                && !it.lowered
                && (it.filled || old && !self.came_late(it))
        };
        let lives: Vec<&Life> = self.told.lives.iter().filter(counts).collect();
        let until = |it: &Life| it.replaced.or(it.to);
        let at = |when: Timestamp| {
            let there = |it: &&&Life| it.from <= when && until(it).is_none_or(|to| to > when);
            lives.iter().filter(there).count()
        };
        let peak = lives.iter().map(|it| at(it.from)).max();
        min.max(peak.unwrap_or_default())
    }

    /// Returns whether a life is a start of the healer's that had been given up.
    fn came_late(&self, life: &Life) -> bool {
        let given_up = life.start.as_ref().and_then(|it| self.failed.get(it));
        given_up.is_some_and(|at| {
            // Another that came there before it may have been taken for it.
            let earlier = |it: &Life| {
                it.database == life.database
                    && it.peer == life.peer
                    && it.role == Role::Te
                    && it.born >= *at
                    && it.born < life.born
            };
            *at <= life.from && !self.told.lives.iter().any(earlier)
        })
    }

    /// Returns an engine out of reach that a start may replace now.
    fn replaceable(&self, now: Timestamp, database: &str) -> Option<usize> {
        let policy = self.policy(database)?;
        let may = |it: &&ToldProcess| match it.state {
            State::Unreachable(since) => {
                let is_kept = self.told.lives[it.life].replaced.is_none();
                is_kept && it.role == Role::Te && self.may_be_replaced(now, it, since, policy)
            }
            State::Ending(_) | State::Live => false,
        };
        self.told.of(database).filter(may).map(|it| it.life).max()
    }

    /// Notes which unreachable engines a start that leaves now replaces.
    fn note_replaced(&mut self, now: Timestamp, database: &str, coming: usize, wanted: usize) {
        let mut there: Vec<(bool, usize)> = self
            .told
            .of(database)
            .filter(|it| it.role == Role::Te && !matches!(it.state, State::Ending(_)))
            .filter(|it| self.told.lives[it.life].replaced.is_none() || it.state == State::Live)
            .map(|it| (matches!(it.state, State::Unreachable(_)), it.life))
            .collect();
        there.sort_unstable();
        while there.len() + coming > wanted {
            match there.pop() {
                Some((true, life)) => self.told.lives[life].replaced = Some(now),
                Some((false, _)) | None => return,
            }
        }
    }

    fn judge_new_lives(&mut self) {
        while self.judged_lives < self.told.lives.len() {
            let index = self.judged_lives;
            self.judged_lives += 1;
            let database = self.told.lives[index].database.clone();
            let before = self.told.of(&database);
            let live = before
                .filter(|it| it.role == Role::Te && it.state == State::Live && it.life < index);
            let live = live.count();
            // Without the new one, which would count itself.
            self.told.lives[index].lowered = true;
            let wanted = self.wanted(&database);
            self.told.lives[index].lowered = false;
            self.told.lives[index].filled = live < wanted;
            if live < wanted {
                self.note_replaced(self.told.now, &database, 0, wanted);
            }
        }
    }

    /// Where less is there than is wanted, what was too much is so no longer.
    fn seat_surplus(&mut self) {
        for index in 0..self.plan.databases.len() {
            let database = self.plan.databases[index].name.clone();
            let away = |it: &ToldProcess| matches!(it.state, State::Unreachable(_));
            if self.told.of(&database).any(away) {
                let wanted = self.wanted(&database);
                self.note_replaced(self.told.now, &database, 0, wanted);
            }
        }
        let is_surplus = |it: &ToldProcess| {
            let life = &self.told.lives[it.life];
            it.role == Role::Te
                && it.state == State::Live
                && (life.replaced.is_some() || self.came_late(life) && !life.filled)
        };
        let all = self.told.processes.iter();
        let surplus: Vec<(usize, u32)> = all
            .filter(|(_, it)| is_surplus(it))
            .map(|(key, _)| *key)
            .collect();
        for key in surplus {
            let database = self.told.processes[&key].database.clone();
            let is_live = |it: &&ToldProcess| it.role == Role::Te && it.state == State::Live;
            let live = self.told.of(&database).filter(is_live).count();
            if live <= self.wanted(&database) {
                self.told.begin_anew(key);
                self.judged_lives = self.told.lives.len();
            }
        }
    }

    /// A graceful exit lowers what is wanted, if the peer stayed and the database did too.
    fn lower(&mut self, now: Timestamp) {
        if self.told.synced.is_none() {
            return;
        }
        for index in 0..self.told.lives.len() {
            let life = &self.told.lives[index];
            let Some(left) = life.left.filter(|_| !life.judged && !life.lowered) else {
                continue;
            };
            // A late daemon judges when it looks.
            let due = left + RETURN_GRACE + Duration::from_millis(self.plan.lateness);
            // Judged once, and within the second only: later all may have changed.
            if due > now || !self.thawed || now.since(due) > Duration::from_secs(1) {
                continue;
            }
            let peer = self.told.peers[&life.peer];
            let keeps = |it: &ToldProcess| {
                it.role == Role::Sm && it.status == Status::Up && it.state == State::Live
            };
            let again =
                |it: &Life| it.database == life.database && it.role == Role::Te && it.from >= left;
            let lowers = peer.connected
                && peer.since <= left
                && self.told.of(&life.database).any(keeps)
                && !self.told.lives.iter().any(again);
            self.told.lives[index].judged = true;
            self.told.lives[index].lowered = lowers;
        }
    }

    fn judge_event(&mut self, now: Timestamp, event: &Event) -> Result<(), Broken> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other kinds are judged as events"
        )]
        match event.kind {
            Kind::DomainThawed => {
                self.thawed = self.events.is_open();
                if event.text.as_deref() != Some("gate not-synced") {
                    return Ok(());
                }
                let Some(synced) = self.told.synced else {
                    return Err("thawed without a session".to_owned());
                };
                let quiet = self.told.quiet + self.plan.settle;
                let longest = synced + Duration::from_secs(10).max(self.plan.settle);
                ensure!(now >= quiet.min(longest), "thawed before it settled");
            }
            Kind::DomainFrozen => self.thawed = self.events.is_open(),
            Kind::ActionStarted => {
                let action = event.action.expect("a start has a number");
                ensure!(self.begun.insert(action), "{action} begins twice");
                let subject = &event.subject;
                let text = event.text.as_deref().unwrap_or_default();
                let open = Open {
                    slot: subject.slot.clone().expect("and a slot").to_string(),
                    database: subject
                        .database
                        .clone()
                        .expect("and a database")
                        .to_string(),
                    peer: super::events::peer_of(event).expect("and a peer"),
                    stage: Stage::Told,
                    committed: now,
                    settled: false,
                    doubted: None,
                    looked: false,
                    replaces: text.contains("out of reach"),
                };
                self.open.insert(action, open);
            }
            Kind::ActionFailed | Kind::ActionSucceeded => {
                let action = event.action.expect("a start has a number");
                let Some(open) = self.open.remove(&action) else {
                    return Err(format!("{action} ends and was not open"));
                };
                self.judge_end(now, event.kind, action, &open)?;
                if event.kind == Kind::ActionFailed {
                    let start = u64::from(HEALED) + action.0;
                    self.failed.insert(format!("s{start}"), now);
                }
            }
            _ => (),
        }
        Ok(())
    }

    /// A request that left is open until its fate was told, or nothing was heard of it and the
    /// whole domain was looked at since.
    fn judge_end(
        &self,
        now: Timestamp,
        kind: Kind,
        action: ActionId,
        open: &Open,
    ) -> Result<(), Broken> {
        let came = |it: &Life| {
            it.database == open.database
                && it.role == Role::Te
                && it.peer == open.peer
                && it.from >= open.committed
        };
        let came = self.told.lives.iter().any(came);
        if kind == Kind::ActionSucceeded {
            // While it waited for the disk somebody else may have done just that.
            ensure!(
                open.stage == Stage::Committed || open.stage == Stage::Ready && came,
                "{action} succeeds and never left"
            );
            ensure!(came || open.settled, "{action} succeeds and nothing came");
            return Ok(());
        }
        if open.stage == Stage::Committed && !open.settled {
            let waited = now.since(open.committed);
            let doubted = open.doubted.is_some() || waited >= self.plan.start_timeout;
            let looked = open.looked || waited >= Duration::from_secs(60);
            ensure!(
                doubted && looked,
                "{action} is given up and may still come ({waited:?})"
            );
        }
        Ok(())
    }

    /// What must hold when all has been well for long.
    pub(super) fn judge_rest(&self) -> Result<(), Broken> {
        ensure!(self.open.is_empty(), "actions stay open: {:?}", self.open);
        for database in &self.plan.databases {
            let Some(policy) = &database.policy else {
                continue;
            };
            let of = |it: &&Life| it.database == database.name && it.role == Role::Te;
            let left = self.told.lives.iter().filter(of);
            let left = left.filter(|it| it.left.is_some()).count();
            let observed = if policy.keep_observed {
                database.engines.saturating_sub(left)
            } else {
                0
            };
            let room = self.plan.peers;
            let wanted = observed.max(policy.te_min() as usize).min(room);
            let live = |it: &&ToldProcess| it.role == Role::Te && it.state == State::Live;
            let live = self.told.of(&database.name).filter(live).count();
            let excused = self.events.excused(&database.name);
            ensure!(
                live + excused >= wanted,
                "{}: {live} run, {excused} are held or blocked, {wanted} are wanted",
                database.name
            );
            ensure!(
                excused > 0 || !self.events.is_degraded(&database.name),
                "{} stays degraded, and nobody was told why",
                database.name
            );
        }
        Ok(())
    }
}
