//! Where a process is started: which peers may take it, and which of them does.
//!
//! Whether anything is started at all is decided elsewhere.

use std::time::Duration;

use super::decide::Decision;
use super::evidence::{Blocked, Verdict};
use super::facts::HoldReason;
use super::state::{Evidence, SlotId, Supervisor, Vacancy};
use crate::model::{DatabaseId, Model, PeerId, PeerPresence, Role};
use crate::policy::{Candidate, Place, Step, choose};
use crate::time::Timestamp;

/// A failure at a peer counts against it for so long.
const LATELY: Duration = Duration::from_secs(600);

/// So many failures at peers are remembered before the old ones are forgotten.
const FAILURES_MAX: usize = 10_000;

impl Supervisor {
    /// Decides where, now that something may be started.
    pub(super) fn decide_place(
        &self,
        now: Timestamp,
        model: &Model,
        id: SlotId,
        vacancy: &Vacancy,
        is_last: bool,
    ) -> Decision {
        let here = vacancy.evidence.here();
        let all = self.candidates(now, model, id);
        let elsewhere: Vec<Candidate> = all
            .iter()
            .filter(|it| Some(it.peer) != here)
            .cloned()
            .collect();
        if let Some(asked) = self.decide_as_asked(now, model, id, vacancy, &all) {
            return asked;
        }
        let tries = self.slot(id).tries;
        let step = if is_last && tries > 0 {
            // Nobody is served without it: one try as the stages begin, then everywhere in turn.
            Step::Tail
        } else {
            self.policy(id).step(tries, elsewhere.len())
        };
        let target = match step {
            Step::Hold => return Decision::Hold(HoldReason::StagesUsedUp),
            Step::Try(Place::Here) => all.iter().find(|it| Some(it.peer) == here),
            Step::Try(Place::Elsewhere) => choose(&elsewhere),
            Step::Tail => choose(&all),
        };
        let stay = self.may_stay_here(now, model, id, vacancy);
        if step == Step::Try(Place::Here)
            && let Verdict::Blocked(blocked) = stay
            && blocked.until.is_some()
        {
            // Here is where it belongs, and soon it may be.
            return Decision::Blocked(blocked);
        }
        match (target, stay) {
            (Some(it), Verdict::Allowed) if Some(it.peer) == here => {
                self.chosen(id, vacancy, it, "here")
            }
            _ if !elsewhere.is_empty() => {
                self.decide_elsewhere(now, model, id, vacancy, &elsewhere)
            }
            // Nowhere else to go: back to where it was, whatever the stage says.
            (_, Verdict::Allowed) if !all.is_empty() => self.chosen(id, vacancy, &all[0], "here"),
            _ => Decision::Blocked(Blocked {
                gate: "no-peer",
                until: self.next_settled_peer(now, model, id),
            }),
        }
    }

    pub(super) fn decide_elsewhere(
        &self,
        now: Timestamp,
        model: &Model,
        id: SlotId,
        vacancy: &Vacancy,
        elsewhere: &[Candidate],
    ) -> Decision {
        match self.may_go_elsewhere(now, model, id, vacancy) {
            Verdict::Allowed => match choose(elsewhere) {
                Some(it) => self.chosen(id, vacancy, it, "elsewhere"),
                None => Decision::Blocked(Blocked {
                    gate: "no-peer",
                    until: self.next_settled_peer(now, model, id),
                }),
            },
            Verdict::Ask => vacancy
                .evidence
                .here()
                .map_or(Decision::Blocked(Blocked::by("no-peer")), Decision::Ask),
            Verdict::Blocked(blocked) => Decision::Blocked(blocked),
            Verdict::Hold(reason) => Decision::Hold(reason),
        }
    }

    pub(super) fn chosen(
        &self,
        id: SlotId,
        vacancy: &Vacancy,
        candidate: &Candidate,
        place: &str,
    ) -> Decision {
        let evidence = match vacancy.evidence {
            Evidence::Declared => "declared, and missing",
            Evidence::Exit { .. } => "its exit was told",
            Evidence::Unreachable { .. } => "its peer is out of reach, of us too",
            Evidence::Vanished { .. } => "it was gone when we looked again",
        };
        let asked = vacancy.wish.as_ref();
        let asked = asked.map_or_else(String::new, |it| format!("{} asked for it; ", it.by));
        let why = format!(
            "{asked}{evidence}; try {}, {place}; processes there: {}",
            self.slot(id).tries + 1,
            candidate.processes,
        );
        Decision::Start {
            target: candidate.peer,
            why,
        }
    }

    /// Returns the peers that may take a transaction engine of the slot's database.
    fn candidates(&self, now: Timestamp, model: &Model, id: SlotId) -> Vec<Candidate> {
        let database = self.slot(id).database;
        let return_grace = self.policy(id).return_grace;
        let is_settled = |presence| match presence {
            PeerPresence::Connected { since } => since + return_grace <= now,
            PeerPresence::Unreachable { .. } => false,
        };
        model
            .peers()
            .filter(|(_, peer)| is_settled(peer.presence))
            .filter(|(peer, _)| !self.actions.values().any(|it| it.target == *peer))
            .filter(|(peer, _)| !has_engine(model, *peer, database))
            .map(|(peer, known)| Candidate {
                peer,
                name: known.name.clone(),
                processes: model.processes_at(peer).count(),
                failed: self
                    .failures
                    .get(&(database, peer))
                    .copied()
                    .filter(|at| now.since(*at) < LATELY),
            })
            .collect()
    }

    /// Returns when the next peer will have been there for long enough.
    fn next_settled_peer(&self, now: Timestamp, model: &Model, id: SlotId) -> Option<Timestamp> {
        let return_grace = self.policy(id).return_grace;
        model
            .peers()
            .filter_map(|(_, peer)| match peer.presence {
                PeerPresence::Connected { since } => Some(since + return_grace),
                PeerPresence::Unreachable { .. } => None,
            })
            .filter(|at| *at > now)
            .min()
    }

    /// Remembers that a start of a database failed at a peer.
    pub(super) fn remember_failure(&mut self, now: Timestamp, database: DatabaseId, peer: PeerId) {
        if self.failures.len() >= FAILURES_MAX {
            let changed = &mut self.changed.failures;
            self.failures.retain(|key, at| {
                let is_late = now.since(*at) < LATELY;
                if !is_late {
                    changed.insert(*key);
                }
                is_late
            });
        }
        self.changed.failures.insert((database, peer));
        self.failures.insert((database, peer), now);
    }
}

/// Returns whether a transaction engine of that database is known at the peer, in any state.
pub(super) fn has_engine(model: &Model, peer: PeerId, database: DatabaseId) -> bool {
    model
        .processes_at(peer)
        .any(|(_, it)| it.database == database && it.role == Role::Te)
}
