//! What a supervisor has in mind, as a value for people to look at.
//!
//! Names instead of numbers, and readings of the daemon's timeline. It changes nothing, and nothing
//! is decided by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Mode;
use super::facts::ActionStage;
use super::gate::{Gate, Session};
use super::state::{Phase, SlotId, Supervisor, Vacancy};
use super::watch::Watch;
use crate::exchange::ActionId;
use crate::model::{DatabaseId, DatabaseName, Freshness, Model, PeerName, Role, StartId};
use crate::time::Timestamp;

/// A gate that is closed: a reason why the healer does not act in this domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClosedGate {
    /// What operators know it by.
    pub name: &'static str,
    /// The database it is closed for, if not for all.
    pub database: Option<DatabaseName>,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// When it opens if nothing else happens, if that is known.
    pub until: Option<Timestamp>,
    /// What it waits for, as a sentence.
    pub text: Arc<str>,
}

/// A seat of a database, and what is done about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SlotView {
    /// The database it belongs to.
    pub database: DatabaseName,
    /// Which of its seats, such as `te/1`.
    pub slot: Arc<str>,
    /// Which labels a peer must have to be for it.
    pub labels: BTreeMap<String, String>,
    /// How it is: `acting`, `empty`, `filled`, `held`, `leaving` or `vacant`.
    pub phase: &'static str,
    /// Whether somebody should sit there.
    pub is_wanted: bool,
    /// How many starts were tried since it was last healthy.
    pub tries: u32,
    /// The peer of the process that sits there, or of the one that did.
    pub peer: Option<PeerName>,
    /// The process that sits there.
    pub pid: Option<u32>,
    /// Why nobody sits there, such as `exit`.
    pub evidence: Option<&'static str>,
    /// Since when nobody does.
    pub since: Option<Timestamp>,
    /// When it is looked at again if nothing else happens.
    pub next_try: Option<Timestamp>,
    /// The start that is under way for it.
    pub action: Option<ActionId>,
    /// Why it is held.
    pub reason: Option<&'static str>,
    /// Whether `slot_blocked` was told of it.
    pub is_told_blocked: bool,
    /// Whether `action_suggested` was told of it.
    pub is_told_suggested: bool,
}

/// A start that is under way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActionView {
    /// Names it.
    pub action: ActionId,
    /// The database it is for.
    pub database: DatabaseName,
    /// The seat it is for.
    pub slot: Arc<str>,
    /// The peer that is asked.
    pub peer: PeerName,
    /// How far it got: `preparing`, `committed`, `registered` or `checking`.
    pub stage: &'static str,
    /// When it is given up unless something is heard.
    pub deadline: Timestamp,
    /// What the peer's agent calls the start.
    pub start_id: Option<StartId>,
}

/// What is wanted of a database, and what is missing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Completeness {
    /// How many transaction engines are wanted.
    pub wanted_te: u32,
    /// Whether listeners were told that some are missing.
    pub is_degraded: bool,
}

impl Supervisor {
    /// Returns what the healer may do.
    pub fn mode(&self) -> Mode {
        self.settings.mode
    }

    /// Returns the gates that keep the healer from acting.
    pub fn closed_gates(&self, now: Timestamp, model: &Model) -> Vec<ClosedGate> {
        let counts = |it: &Gate| self.gates.is_closed(*it) && !self.is_thawed(*it);
        let closed = Gate::ALL.into_iter().filter(counts);
        let all = closed.map(|gate| ClosedGate {
            name: gate.as_str(),
            database: None,
            since: self.closed_since(model, gate),
            until: self.gates.opens_at(gate),
            text: self.waits_for(gate),
        });
        all.chain(self.closed_for_databases(now, model)).collect()
    }

    fn closed_since(&self, model: &Model, gate: Gate) -> Option<Timestamp> {
        match (gate, model.freshness()) {
            (Gate::Clock, _) => self.gates.clock.map(|it| it.since),
            (Gate::ViewsDiffer, _) => self.gates.views_differ,
            (Gate::NotSynced, Freshness::Stale { since } | Freshness::Synced { since }) => {
                Some(since)
            }
            (
                Gate::AnotherHealer
                | Gate::Journal
                | Gate::Lease
                | Gate::Memory
                | Gate::MinorityView
                | Gate::NotSynced
                | Gate::Recovered
                | Gate::Storm,
                _,
            ) => None,
        }
    }

    /// Returns what a closed gate waits for, as a sentence.
    pub(super) fn waits_for(&self, gate: Gate) -> Arc<str> {
        if gate == Gate::NotSynced && self.gates.session == Session::None {
            return "there is no session to the domain, so nothing is known for sure".into();
        }
        if gate == Gate::Clock {
            let trouble = self.gates.clock.map(|it| it.trouble.to_string());
            let trouble = trouble.unwrap_or_default();
            return format!("{trouble}; it opens when a fresh picture has settled").into();
        }
        gate.says().into()
    }

    /// Returns every seat, by database in the order in which those were seen, and by number.
    pub fn slot_views<'a>(
        &'a self,
        now: Timestamp,
        model: &'a Model,
    ) -> impl Iterator<Item = SlotView> + 'a {
        let slots = self.watches.iter().flat_map(Watch::seats);
        slots.map(move |id| self.slot_view(now, model, id))
    }

    /// Returns every start that is under way, the oldest first.
    pub fn action_views<'a>(&'a self, model: &'a Model) -> impl Iterator<Item = ActionView> + 'a {
        self.actions.iter().map(|(id, action)| {
            let slot = self.slot(action.slot);
            ActionView {
                action: *id,
                database: model.database(slot.database).name.clone(),
                slot: slot.name().into(),
                peer: model.peer(action.target).name.clone(),
                stage: match action.stage {
                    ActionStage::Checking { .. } => "checking",
                    ActionStage::Committed { .. } => "committed",
                    ActionStage::Preparing { .. } => "preparing",
                    ActionStage::Registered { .. } => "registered",
                },
                deadline: action.stage.deadline(),
                start_id: action.start_id.clone(),
            }
        })
    }

    /// Returns what is wanted of a database.
    pub fn completeness(
        &self,
        now: Timestamp,
        model: &Model,
        database: DatabaseId,
    ) -> Completeness {
        let Some(watch) = self.watches.get(database.index()) else {
            return Completeness::default();
        };
        let is_te = |id: &SlotId| self.slot(*id).rule.role == Role::Te;
        let seats = watch.seats().filter(is_te);
        let wanted = seats.filter(|id| self.would_be_missed(now, model, *id));
        let wanted = wanted.count();
        Completeness {
            wanted_te: u32::try_from(wanted).unwrap_or(u32::MAX),
            is_degraded: watch.degraded,
        }
    }

    /// Returns whether a seat is wanted, or will be once the process that sits there ends: what is
    /// observed is wanted after a while, which is only asked at the end.
    pub(super) fn would_be_missed(&self, now: Timestamp, model: &Model, id: SlotId) -> bool {
        let policy = self.policy(id);
        let is_observed = match &self.slot(id).phase {
            Phase::Filled(process) => model.process(*process).is_some_and(|it| {
                let uptime = now.since(it.first_seen);
                uptime >= policy.min_uptime && !self.stood_in(model, id, it.first_seen)
            }),
            Phase::Acting { .. }
            | Phase::Empty
            | Phase::Held { .. }
            | Phase::Leaving { .. }
            | Phase::Vacant(_) => false,
        };
        let is_healed = self.is_healed(id);
        self.is_wanted(id) || (is_healed && policy.keep_observed && is_observed)
    }

    fn slot_view(&self, now: Timestamp, model: &Model, id: SlotId) -> SlotView {
        let slot = self.slot(id);
        let plain = SlotView {
            labels: self
                .share_of(id)
                .map_or_else(BTreeMap::new, |it| it.labels.clone()),
            database: model.database(slot.database).name.clone(),
            slot: slot.name().into(),
            phase: "empty",
            is_wanted: self.would_be_missed(now, model, id),
            tries: slot.tries,
            peer: None,
            pid: None,
            evidence: None,
            since: None,
            next_try: None,
            action: None,
            reason: None,
            is_told_blocked: false,
            is_told_suggested: false,
        };
        match &slot.phase {
            Phase::Acting { action, vacancy } => SlotView {
                phase: "acting",
                action: Some(*action),
                ..of_vacancy(model, vacancy, plain)
            },
            Phase::Empty => plain,
            Phase::Filled(process) => {
                let process = model.process(*process);
                SlotView {
                    phase: "filled",
                    peer: process.map(|it| model.peer(it.peer).name.clone()),
                    pid: process.map(|it| it.pid),
                    ..plain
                }
            }
            Phase::Held {
                reason,
                again,
                vacancy,
            } => SlotView {
                phase: "held",
                reason: Some(reason.as_str()),
                next_try: Some(*again),
                ..match vacancy {
                    Some(vacancy) => of_vacancy(model, vacancy, plain),
                    None => plain,
                }
            },
            Phase::Leaving { until, peer } => SlotView {
                phase: "leaving",
                peer: Some(model.peer(*peer).name.clone()),
                next_try: Some(*until),
                ..plain
            },
            Phase::Vacant(vacancy) => SlotView {
                phase: "vacant",
                ..of_vacancy(model, vacancy, plain)
            },
        }
    }
}

fn of_vacancy(model: &Model, vacancy: &Vacancy, plain: SlotView) -> SlotView {
    let here = vacancy.evidence.here();
    SlotView {
        peer: here.map(|id| model.peer(id).name.clone()),
        evidence: Some(vacancy.evidence.as_str()),
        since: Some(vacancy.since),
        next_try: vacancy.look,
        is_told_blocked: vacancy.told.blocked,
        is_told_suggested: vacancy.told.suggested,
        ..plain
    }
}
