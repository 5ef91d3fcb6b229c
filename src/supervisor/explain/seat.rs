//! Why a seat is as it is.

use std::collections::BTreeMap;

use super::{Because, Explanation, LISTED, named};
use crate::model::{Model, PeerPresence};
use crate::supervisor::Mode;
use crate::supervisor::decide::Decision;
use crate::supervisor::facts::{ActionStage, DecisionStep, OrderFact};
use crate::supervisor::rule::{Blocked, Case, Hindrance, Obstacle, Query};
use crate::supervisor::state::{Evidence, Phase, SlotId, Supervisor, Vacancy};
use crate::time::Moment;

/// How a seat is.
struct How {
    /// In a word: its phase.
    state: &'static str,
    /// As a sentence.
    says: String,
    /// What is in the way of filling it just now, if it is empty and something is.
    blocked: Option<Blocked>,
}

impl Supervisor {
    pub(super) fn explain_slot(&self, now: Moment, model: &Model, id: SlotId) -> Explanation {
        let How {
            state,
            says,
            blocked,
        } = self.how_it_is(now, model, id);
        let mut because = vec![self.wanted_reason(now, model, id)];
        let of_seat = |it: &OrderFact| self.covers(model, &it.extent, id);
        because.extend(self.order_reasons(now, of_seat));
        match &self.slot(id).phase {
            Phase::Acting { action, vacancy } => {
                because.push(evidence_reason(model, vacancy));
                if let Some(it) = self.actions.get(action) {
                    let says = format!(
                        "action {action} at {} is {}",
                        model.peer(it.target).name,
                        stage_says(it.stage)
                    );
                    because.push(Because {
                        until: Some(it.stage.deadline()),
                        ..Because::new("action", says)
                    });
                }
                because.extend(self.gate_reasons(now, model, Some(self.slot(id).database)));
            }
            Phase::Held {
                reason,
                again,
                vacancy,
            } => {
                because.extend(vacancy.as_deref().map(|it| evidence_reason(model, it)));
                because.push(Because {
                    until: Some(*again),
                    lift: Some(
                        "a process that runs for min-uptime ends it, `dbwarden release` at once",
                    ),
                    ..Because::new(reason.as_str(), "it is told again while the hold lasts")
                });
            }
            Phase::Leaving { until, peer } => because.push(Because {
                until: Some(*until),
                ..Because::new(
                    "return-grace",
                    format!("{} must stay connected", model.peer(*peer).name),
                )
            }),
            Phase::Vacant(vacancy) => {
                because.push(evidence_reason(model, vacancy));
                because.extend(self.vacant_reasons(now, model, id, (vacancy, blocked)));
            }
            Phase::Empty | Phase::Filled(_) => (),
        }
        Explanation {
            about: self.full_name(model, id),
            state,
            says,
            because,
            history: self.decisions(id).cloned().collect(),
        }
    }

    /// Returns a seat as one line of what it belongs to.
    pub(super) fn seat_reason(&self, now: Moment, model: &Model, id: SlotId) -> Because {
        let How {
            state,
            says,
            blocked,
        } = self.how_it_is(now, model, id);
        let until = match &self.slot(id).phase {
            Phase::Vacant(_) => blocked.and_then(|it| it.until),
            Phase::Leaving { until, .. } => Some(*until),
            Phase::Acting { action, .. } => self.actions.get(action).map(|it| it.stage.deadline()),
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } => None,
        };
        Because {
            until,
            ..Because::new(state, format!("{}: {says}", self.full_name(model, id)))
        }
    }

    fn how_it_is(&self, now: Moment, model: &Model, id: SlotId) -> How {
        let mut blocked = None;
        let (state, says) = match &self.slot(id).phase {
            Phase::Acting { action, .. } => {
                ("acting", format!("action {action} starts a process for it"))
            }
            Phase::Empty => ("empty", "nobody sits there, and nobody has to".to_owned()),
            Phase::Filled(process) => {
                let name = model.process(*process).map_or_else(
                    || "a process".to_owned(),
                    |it| super::process_name(model, it),
                );
                ("filled", format!("{name} runs; nothing is to be done"))
            }
            Phase::Held { reason, .. } => {
                ("held", format!("the healer gave up: {}", reason.says()))
            }
            Phase::Leaving { peer, .. } => {
                let peer = &model.peer(*peer).name;
                let says = format!("its process at {peer} ended as somebody wished");
                ("leaving", says)
            }
            Phase::Vacant(_) => {
                let decision = self.decide(now.at, model, id);
                blocked = match &decision {
                    Decision::Blocked(blocked) => Some(*blocked),
                    Decision::Ask(query) => Some(query.obstacle().blocks()),
                    Decision::Hold(_) | Decision::Start(_) => None,
                };
                ("vacant", self.why_vacant(model, id, &decision))
            }
        };
        How {
            state,
            says,
            blocked,
        }
    }

    /// Returns what is about to be done about an empty seat, or what is in the way.
    fn why_vacant(&self, model: &Model, id: SlotId, decision: &Decision) -> String {
        if !self.is_wanted(id) && self.slot(id).vacancy().is_none_or(|it| it.wish.is_none()) {
            return "nobody sits there, and nobody wants it".to_owned();
        }
        if self.settings.mode == Mode::Observe {
            return "nobody sits there, and the mode is observe".to_owned();
        }
        match decision {
            Decision::Ask(Query::Agent(peer)) => format!(
                "nobody sits there; {} is asked whether it lives",
                model.peer(*peer).name
            ),
            Decision::Ask(Query::Archives) => {
                "nobody sits there; the archives are asked which of them is the newest".to_owned()
            }
            Decision::Blocked(blocked) => {
                format!("nobody sits there: {}", &*self.in_the_way(blocked.by))
            }
            Decision::Hold(reason) => format!("nobody sits there: {}", reason.says()),
            Decision::Start(choice) => {
                let peer = &model.peer(choice.target).name;
                let obstacle = self.not_done(model, id);
                let but = obstacle.map_or_else(String::new, |it| format!("; not done: {it}"));
                format!("nobody sits there; {peer} would start it{but}")
            }
        }
    }

    /// Returns why what was decided is only suggested.
    fn not_done(&self, model: &Model, id: SlotId) -> Option<&'static str> {
        let database = &model.database(self.slot(id).database).name;
        match self.settings.mode {
            Mode::Heal if self.options(model, id, database).is_some() => None,
            Mode::Heal => Some("te-options are not configured ([] would do)"),
            Mode::Observe | Mode::Suggest => Some("the mode is suggest"),
        }
    }

    /// Returns why a seat is wanted, or why it is not.
    fn wanted_reason(&self, now: Moment, model: &Model, id: SlotId) -> Because {
        let (slot, policy) = (self.slot(id), self.policy(id));
        let min = policy.min(slot.rule.role);
        let uptime = policy.min_uptime;
        if !self.is_healed(id) {
            let role = slot.rule.role.as_str();
            let says = format!(
                "no policy heals a {role} of the database; only what is asked for is started"
            );
            let lift = Some("add a [[policy]] whose `databases` match it");
            return Because {
                lift,
                ..Because::new("policy", says)
            };
        }
        if let Some(order) = self.cold_order(model, slot.database) {
            let says = format!("{} has the database brought up", order.by);
            return Because::new("wanted", says);
        }
        if let Some(share) = self.share_of(id) {
            let says = format!(
                "the policy declares a minimum of {} at peers with {}",
                share.min,
                labels_say(&share.labels)
            );
            return Because::new("wanted", says);
        }
        if slot.ordinal < min {
            return Because::new("wanted", format!("the policy declares a minimum of {min}"));
        }
        if !policy.keep_observed {
            let says = format!("not wanted: beyond the minimum of {min}, and keep is not observed");
            return Because::new("unwanted", says);
        }
        if slot.observed || self.would_be_missed(now.at, model, id) {
            let says = format!("a process ran there for at least min-uptime ({uptime:?})");
            return Because::new("wanted", says);
        }
        if let Phase::Filled(process) = &slot.phase {
            let since = model.process(*process).map(|it| it.first_seen);
            let says = "not wanted yet: it has not run for min-uptime";
            return Because {
                since,
                until: since.map(|it| it + uptime),
                ..Because::new("min-uptime", says)
            };
        }
        let log = self.decisions(id);
        let lowered = log.filter(|it| it.step == DecisionStep::Unwanted).last();
        let says = match lowered {
            Some(it) => format!("not wanted: {}: {}", named(it.process.as_ref()), it.says),
            None => format!("not wanted: no process ran there for min-uptime ({uptime:?})"),
        };
        Because {
            since: lowered.map(|it| it.time.at),
            lift: Some("a process that joins and runs for min-uptime makes it wanted again"),
            ..Because::new("unwanted", says)
        }
    }

    /// Returns what is in the way of filling an empty seat: every rule of it that says no, and
    /// what speaks against each peer.
    fn vacant_reasons(
        &self,
        now: Moment,
        model: &Model,
        id: SlotId,
        (vacancy, blocked): (&Vacancy, Option<Blocked>),
    ) -> Vec<Because> {
        let mut because = self.mode_reason();
        if let Some(wish) = &vacancy.wish {
            because.push(Because {
                until: Some(wish.until),
                ..Because::new("asked-for", format!("{} asked for it and waits", wish.by))
            });
        }
        let domain: Vec<Because> = self
            .gate_reasons(now, model, Some(self.slot(id).database))
            .collect();
        if !domain.is_empty() {
            because.extend(domain);
            return because;
        }
        let is_said = |by| matches!(by, Obstacle::Held | Obstacle::Maintenance | Obstacle::Mode);
        if let Some(blocked) = blocked.filter(|it| !is_said(it.by)) {
            because.push(Because {
                until: blocked.until,
                lift: blocked.by.lift(),
                ..Because::new(blocked.by.as_str(), &*self.in_the_way(blocked.by))
            });
        }
        because.extend(self.history_reason(now.at, model, self.slot(id).database));
        if self.settings.mode == Mode::Heal
            && let Some(options) = self.not_done(model, id)
        {
            because.push(Because::new("te-options", options));
        }
        because.extend(self.peer_reasons(now, model, id, vacancy));
        because
    }

    /// Returns which peers may take it, and what speaks against the others.
    fn peer_reasons(
        &self,
        now: Moment,
        model: &Model,
        id: SlotId,
        vacancy: &Vacancy,
    ) -> Vec<Because> {
        let case = Case {
            now: now.at,
            model,
            slot: id,
            vacancy,
            target: None,
            leaving: None,
        };
        let reason = |(peer, name): (_, &_)| match self.may_take(&case, peer) {
            Ok(()) => Because::new("peer", format!("{name} may take it")),
            Err(Hindrance::Blocked(it)) => Because {
                until: it.until,
                ..Because::new(
                    it.by.as_str(),
                    format!("not at {name}: {}", self.in_the_way(it.by)),
                )
            },
            Err(hindrance @ (Hindrance::Ask(_) | Hindrance::Hold(_))) => {
                Because::new(hindrance.gate(), format!("not at {name} now"))
            }
        };
        let peers = model.peers();
        let mut because: Vec<Because> = peers
            .take(LISTED)
            .map(|(peer, known)| reason((peer, &known.name)))
            .collect();
        let count = model.peers().count();
        if count > LISTED {
            let says = format!("{} further peers", count - LISTED);
            because.push(Because::new("peer", says));
        }
        because
    }
}

fn evidence_reason(model: &Model, vacancy: &Vacancy) -> Because {
    let evidence = vacancy.evidence;
    let is_unreachable = matches!(evidence, Evidence::Unreachable { .. });
    let at = evidence.here().map(|it| model.peer(it));
    let says = match at {
        Some(peer) => {
            let reach = match peer.presence {
                PeerPresence::Unreachable { .. } if !is_unreachable => " (out of reach now)",
                PeerPresence::Connected { .. } | PeerPresence::Unreachable { .. } => "",
            };
            format!("it ran at {}{reach}: {}", peer.name, evidence.first_says())
        }
        None => evidence.first_says().to_owned(),
    };
    Because {
        since: Some(vacancy.since),
        ..Because::new(evidence.as_str(), says)
    }
}

const fn stage_says(stage: ActionStage) -> &'static str {
    match stage {
        ActionStage::Checking { .. } => "silent, and a fresh look at the domain is awaited",
        ActionStage::Committed { .. } => "asked for, and the process is awaited",
        ActionStage::Preparing { .. } => "being prepared: a session to the agent is opened",
        ActionStage::Registered { .. } => "up, and the domain's own word is awaited",
    }
}

/// Returns labels as part of a sentence.
fn labels_say(labels: &BTreeMap<String, String>) -> String {
    let labels = labels.iter().map(|(name, it)| format!("{name} = {it}"));
    labels.collect::<Vec<_>>().join(", ")
}
