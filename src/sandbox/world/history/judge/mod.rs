//! What holds in every history, and how often each law had something to say.
//!
//! It is judged from what the warden was told, what it asked for, what left, and what is on
//! record, as it happens. The judge knows the rules of the promises and none of the healer's code;
//! of its own word only which seat is meant and why it is empty is taken, and both are verified.

mod archives;
mod clocks;
mod events;
mod heed;
mod histories;
mod known;
mod laws;
mod lives;
mod orders;
mod overlaps;
mod rest;
mod starts;
mod storms;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::disk::Batch;
use super::figures::Figures;
use super::swarm::{Database, Plan};
use crate::event::{Cause, Event, Kind};
use crate::exchange::{ActionId, Deed, Question};
use crate::model::DatabaseName;
use crate::policy::Policy;
use crate::supervisor::{Archive, Budget, Effect, Fact, FactChange, Input, StormLimits};
use crate::time::{Moment, Timestamp};

use events::Events;
use histories::Histories;
use known::{Known, Stage};

pub use laws::Law;

impl Law {
    /// Returns the law as broken, with what happened.
    pub(in crate::sandbox::world::history) fn broken(self, text: String) -> Broken {
        Broken { law: self, text }
    }
}

/// A law that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// What happened.
    pub text: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.law.as_str(), self.text)
    }
}

/// The judge.
#[derive(Debug)]
pub(super) struct Judge {
    databases: Vec<Database>,
    /// How many engines of each were ever declared.
    most: BTreeMap<Arc<str>, u32>,
    settle: Duration,
    budget: Budget,
    storm: StormLimits,
    archives: BTreeMap<DatabaseName, Vec<Archive>>,
    histories: Histories,
    /// How long answers are waited for.
    patience: Duration,
    /// Whether people say what the words of agents mean.
    has_own_words: bool,
    /// What the warden knows, and what it will know again if it dies now.
    known: Known,
    recorded: Known,
    /// What is on record and was not taken into `recorded` yet: only who dies needs it.
    unread: Vec<Arc<Batch>>,
    told: Events,
    /// What may be done by what is on record, and for which starts until when.
    allowed: BTreeSet<ActionId>,
    valid_until: BTreeMap<ActionId, Timestamp>,
    emitted: BTreeMap<ActionId, Timestamp>,
    /// Requests that left too late.
    expired: BTreeSet<ActionId>,
    premises: BTreeMap<Law, u64>,
    starts: u64,
    ends: [u64; 2],
    holds: u64,
    overlaps: u64,
    was_missing: bool,
    is_calm: bool,
}

impl Judge {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            databases: plan.databases.clone(),
            most: clocks::declared(&plan.databases).collect(),
            settle: plan.accepted.supervisor.settle,
            budget: plan.accepted.supervisor.budget,
            storm: plan.accepted.supervisor.storm,
            archives: plan.accepted.supervisor.archives.clone(),
            histories: Histories::default(),
            patience: plan.accepted.supervisor.prepare_timeout,
            has_own_words: !plan.accepted.supervisor.reasons.is_empty(),
            known: Known::default(),
            recorded: Known::default(),
            unread: Vec::new(),
            told: Events::default(),
            allowed: BTreeSet::new(),
            valid_until: BTreeMap::new(),
            emitted: BTreeMap::new(),
            expired: BTreeSet::new(),
            premises: BTreeMap::new(),
            starts: 0,
            ends: [0; 2],
            holds: 0,
            overlaps: 0,
            was_missing: false,
            is_calm: false,
        }
    }

    /// Notes that a law has something to say.
    fn met(&mut self, law: Law) {
        *self.premises.entry(law).or_default() += 1;
    }

    fn policy(&self, database: &str) -> Option<Policy> {
        let mut all = self.databases.iter();
        all.find(|it| *it.name == *database)?.policy.clone()
    }

    /// Takes in what the warden was told, what it knows since then, and what it wants, in order.
    pub(super) fn judge(
        &mut self,
        moment: Moment,
        input: &Input,
        facts: &[FactChange],
        effects: &[Effect],
    ) -> Result<(), Broken> {
        let now = moment.at;
        if let Input::Reported { action, outcome } = input
            && self.expired.contains(action)
            && known::has_left(outcome)
        {
            return Err(Law::InTime.broken(format!("{action} left after it had expired")));
        }
        if matches!(input, Input::Began(_)) && !self.known.told.peers.is_empty() {
            self.met(Law::Memory);
        }
        self.judge_counted(input, facts)?;
        self.known.hear(now, input);
        self.histories.hear(now, input, self.patience);
        self.known.obey(moment, input, effects);
        self.known.storms.hear(now, &self.known.told, &self.storm);
        self.judge_told(effects)?;
        self.known.learn(facts);
        self.judge_orders(input, effects)?;
        self.judge_reloaded(input, facts)?;
        if self.known.doubts.is_some() && self.known.is_anything_vacant() {
            self.met(Law::Clock);
        }
        self.judge_overlaps(now)?;
        if self.known.storms.rages(now) && self.known.is_anything_vacant() {
            self.met(Law::Storm);
        }
        if self.known.is_frozen() && self.known.is_anything_vacant() {
            self.met(Law::GateOpen);
        }
        if self.known.is_anything_left_alone() {
            self.met(Law::Alone);
        }
        for effect in effects {
            self.judge_effect(now, effect)?;
            self.known.want(now, effect);
            self.note_questions(now, effect);
        }
        Ok(())
    }

    /// Nobody begins by counting less.
    fn judge_counted(&mut self, input: &Input, facts: &[FactChange]) -> Result<(), Broken> {
        if !matches!(input, Input::Began(_)) {
            return Ok(());
        }
        if self.known.seats.values().any(|it| it.tries > 0) {
            self.met(Law::Counted);
        }
        for change in facts {
            let Some(Fact::Slot(slot)) = &change.fact else {
                continue;
            };
            let name = known::seat_name(slot);
            let before = self.known.seats.get(&name).map_or(0, |it| it.tries);
            if slot.tries < before {
                let text = format!(
                    "{} of {} tries count where a daemon begins",
                    slot.tries, before
                );
                return Err(Law::Counted.broken(text));
            }
        }
        Ok(())
    }

    fn judge_effect(&mut self, now: Timestamp, effect: &Effect) -> Result<(), Broken> {
        match effect {
            Effect::Do(Deed::Prepare {
                action,
                start,
                valid_until,
            }) => {
                self.valid_until.insert(*action, *valid_until);
                let open = self.known.open.get(action);
                let Some(open) = open.filter(|it| it.stage == Stage::Told) else {
                    let text = format!("{action} is prepared and was not told of");
                    return Err(Law::Intent.broken(text));
                };
                if *open.database != *start.database.as_str() {
                    let text = format!("{action} is another start than was told");
                    return Err(Law::Intent.broken(text));
                }
                self.judge_whole(*action, start)?;
                self.judge_budget(now, *action)?;
                self.judge_pace(now, *action)?;
                self.judge_start(now, *action)
            }
            Effect::Do(Deed::Commit { action }) => {
                let stage = self.known.open.get(action).map(|it| it.stage);
                if stage != Some(Stage::Ready) {
                    let text = format!("{action} is committed when {stage:?}");
                    return Err(Law::Intent.broken(text));
                }
                self.emitted.insert(*action, now);
                self.judge_start(now, *action)
            }
            Effect::Do(Deed::Ask { action, question }) => {
                let asks_agent =
                    matches!(question, Question::History { .. } | Question::Identity(_));
                if !asks_agent || self.known.is_frozen() {
                    let text = format!("{action} asks something while the gate is closed");
                    return Err(Law::GateOpen.broken(text));
                }
                Ok(())
            }
            Effect::Do(Deed::Abandon { action }) => {
                self.met(Law::StopsNothing);
                let open = self.known.open.get(action);
                if open.is_some_and(|it| it.stage == Stage::Committed) {
                    let text = format!("{action} left and is abandoned");
                    return Err(Law::StopsNothing.broken(text));
                }
                Ok(())
            }
            Effect::Do(Deed::Stop {
                action,
                target,
                pid,
                ..
            }) => self.judge_ending(*action, target, *pid),
            Effect::Answer { .. } | Effect::Do(Deed::Refresh) => Ok(()),
            Effect::Raise(event) => self.judge_event(now, event),
        }
    }

    fn judge_event(&mut self, now: Timestamp, event: &Event) -> Result<(), Broken> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other kinds are judged as they are told"
        )]
        match event.kind {
            Kind::DomainThawed if event.text.as_deref() == Some("gate not-synced") => {
                self.met(Law::Settled);
                let Some(synced) = self.known.told.synced else {
                    return Err(Law::Settled.broken("thawed without a session".to_owned()));
                };
                let quiet = self.known.told.quiet + self.settle;
                let longest = synced + Duration::from_secs(10).max(self.settle);
                if now < quiet.min(longest) {
                    return Err(Law::Settled.broken("thawed before it settled".to_owned()));
                }
            }
            Kind::ActionFailed | Kind::ActionSucceeded => self.judge_end(now, event)?,
            Kind::ActionStarted if !archives::is_ending(event) => self.judge_calming(now)?,
            Kind::ProcessFailed => self.judge_failure(event)?,
            Kind::ProcessSurplus => self.overlaps += u64::from(event.cause == Some(Cause::Overlap)),
            _ => (),
        }
        Ok(())
    }

    /// Something leaves the daemon.
    pub(super) fn left(&mut self, now: Timestamp, deed: &Deed) -> Result<(), Broken> {
        self.met(Law::Intent);
        let Deed::Commit { action } = deed else {
            return Ok(());
        };
        if !self.allowed.contains(action) {
            let text = format!("{action} leaves and is not on record");
            return Err(Law::Intent.broken(text));
        }
        if self.emitted.get(action).is_some_and(|at| *at < now) {
            self.met(Law::InTime);
        }
        if self.valid_until.get(action).is_some_and(|it| *it < now) {
            self.expired.insert(*action);
        }
        self.starts += 1;
        // Whatever happened while it waited for the disk.
        self.judge_start(now, *action)
    }

    /// Something is on record, and told.
    pub(super) fn on_record(&mut self, batch: Arc<Batch>) -> Result<(), Broken> {
        for change in &batch.facts {
            if let Some(action) = known::committed(change) {
                self.allowed.insert(action);
            }
        }
        for event in batch.events() {
            self.told.hear(event)?;
            self.ends[0] += u64::from(event.kind == Kind::ActionSucceeded);
            self.ends[1] += u64::from(event.kind == Kind::ActionFailed);
            self.holds += u64::from(event.kind == Kind::SlotHeld);
        }
        let events = batch.events().count() as u64;
        *self.premises.entry(Law::Sense).or_default() += events;
        *self.premises.entry(Law::DecidedAgain).or_default() += batch.inputs.len() as u64;
        self.unread.push(batch);
        Ok(())
    }

    /// Takes in what is on record, as one who begins with nothing else.
    fn read(&mut self, batch: &Batch) {
        let mut turns = batch.turns.iter();
        let (mut fact, mut effect) = (0, 0);
        for (now, input) in &batch.inputs {
            let ends = turns.next().copied();
            let (facts, effects) = ends.unwrap_or((batch.facts.len(), batch.effects.len()));
            self.recorded.hear(now.at, input);
            self.recorded
                .obey(*now, input, &batch.effects[effect..effects]);
            let Known { told, storms, .. } = &mut self.recorded;
            storms.hear(now.at, told, &self.storm);
            self.recorded.learn(&batch.facts[fact..facts]);
            self.recorded.settle_claims(now.at);
            for it in &batch.effects[effect..effects] {
                self.recorded.want(now.at, it);
            }
            (fact, effect) = (facts, effects);
        }
    }

    /// The warden knows no more than what is on record.
    pub(super) fn died(&mut self) {
        for batch in std::mem::take(&mut self.unread) {
            self.read(&batch);
        }
        self.known = self.recorded.clone();
    }

    /// From now on nothing goes wrong any more.
    pub(super) fn calm(&mut self) {
        self.is_calm = true;
        self.was_missing = self.known.is_anything_vacant();
    }

    /// Hands over what was counted.
    pub(super) fn count(&self, figures: &mut Figures) {
        figures.premises.clone_from(&self.premises);
        figures.starts = self.starts;
        [figures.succeeded, figures.failed] = self.ends;
        figures.holds = self.holds;
        figures.overlaps = self.overlaps;
    }
}

/// Names a seat: a database, and `te/1`.
type SeatName = (Arc<str>, Arc<str>);
