//! Where a process is started: which peers may take it, and which of them does.
//!
//! Whether anything is started at all is decided elsewhere.

use super::facts::HoldReason;
use super::rule::{Blocked, Case, Hindrance, Objection, Obstacle, Rule};
use super::state::{SlotId, Supervisor};
use crate::exchange::ActionId;
use crate::model::{DatabaseId, Model, Peer, PeerId, PeerPresence, Role};
use crate::mutation::Mutant;
use crate::policy::{Candidate, Place, Step, choose};
use crate::time::Timestamp;

/// So many failures at peers are remembered before the old ones are forgotten.
const FAILURES_MAX: usize = 10_000;

/// Where a process is started, and why there.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) target: PeerId,
    pub(super) why: String,
}

impl Supervisor {
    /// Finds a place, now that something may be started.
    pub(super) fn find_place(&self, case: &Case<'_>) -> Result<Choice, Objection> {
        let strays = self.settings.planted.has(Mutant::SmAnywhere);
        if let Some(home) = self.slot(case.slot).home.filter(|_| !strays) {
            // Wherever the stage says: it belongs to one place.
            let taken = self.may_take(case, home);
            taken.map_err(|hindrance| Objection {
                rule: Rule::Peer,
                hindrance,
            })?;
        }
        let here = self.here(case);
        let all = self.candidates(case);
        let elsewhere: Vec<Candidate> = all
            .iter()
            .filter(|it| Some(it.peer) != here)
            .cloned()
            .collect();
        if let Some(asked) = self.find_place_as_asked(case, &all) {
            return asked;
        }
        let tries = self.slot(case.slot).tries;
        let step = if tries > 0 && self.is_last(case) {
            // Nobody is served without it: one try as the stages begin, then everywhere in turn.
            Step::Tail
        } else {
            self.policy(case.slot).step(tries, elsewhere.len())
        };
        let target = match step {
            Step::Hold => {
                let hindrance = Hindrance::Hold(HoldReason::StagesUsedUp);
                return Err(Objection {
                    rule: Rule::Pace,
                    hindrance,
                });
            }
            Step::Try(Place::Here) => all.iter().find(|it| Some(it.peer) == here),
            Step::Try(Place::Elsewhere) => choose(&elsewhere),
            Step::Tail => choose(&all),
        };
        let stay = self.may_stay_here(case);
        if step == Step::Try(Place::Here)
            && let Err(hindrance @ Hindrance::Blocked(Blocked { until: Some(_), .. })) = stay
        {
            // Here is where it belongs, and soon it may be.
            return Err(by_evidence(hindrance));
        }
        match (target, stay) {
            (Some(it), Ok(())) if Some(it.peer) == here => Ok(self.choice(case, it, "here")),
            _ if !elsewhere.is_empty() => self.find_place_elsewhere(case, &elsewhere),
            // Nowhere else to go: back to where it was, whatever the stage says.
            (_, Ok(())) if !all.is_empty() => Ok(self.choice(case, &all[0], "here")),
            _ => Err(self.no_peer(case)),
        }
    }

    pub(super) fn find_place_elsewhere(
        &self,
        case: &Case<'_>,
        elsewhere: &[Candidate],
    ) -> Result<Choice, Objection> {
        self.may_go_elsewhere(case).map_err(by_evidence)?;
        let chosen = choose(elsewhere).map(|it| self.choice(case, it, "elsewhere"));
        chosen.ok_or_else(|| self.no_peer(case))
    }

    fn no_peer(&self, case: &Case<'_>) -> Objection {
        let blocked = Blocked {
            by: Obstacle::NoPeer,
            until: self.next_settled_peer(case),
        };
        Objection {
            rule: Rule::Peer,
            hindrance: blocked.into(),
        }
    }

    pub(super) fn choice(&self, case: &Case<'_>, candidate: &Candidate, place: &str) -> Choice {
        let vacancy = case.vacancy;
        let evidence = vacancy.evidence.says();
        let asked = vacancy.wish.as_ref();
        let asked = asked.map_or_else(String::new, |it| match &it.reason {
            Some(reason) => format!("{} asked for it ({reason}); ", it.by),
            None => format!("{} asked for it; ", it.by),
        });
        let cold = self.cold_says(case);
        let why = format!(
            "{asked}{cold}{evidence}; try {}, {place}; processes there: {}",
            self.slot(case.slot).tries + 1,
            candidate.processes,
        );
        Choice {
            target: candidate.peer,
            why,
        }
    }

    /// Returns where a process of the slot belongs, else where the last one was.
    pub(super) fn here(&self, case: &Case<'_>) -> Option<PeerId> {
        let home = self.slot(case.slot).home;
        home.or_else(|| case.vacancy.evidence.here())
    }

    /// Returns the peers that may take a process of the slot.
    fn candidates(&self, case: &Case<'_>) -> Vec<Candidate> {
        let (model, slot) = (case.model, self.slot(case.slot));
        let lately = self.policy(case.slot).waits.failed_lately;
        let candidate = |(peer, known): (PeerId, &Peer)| {
            self.may_host(case, peer).ok()?;
            let (processes, engines) = crowd(model, peer, slot.database, slot.rule.role);
            self.has_room(engines).ok()?;
            let failed = self.failures.get(&(slot.database, slot.rule.role, peer));
            Some(Candidate {
                peer,
                name: known.name.clone(),
                preferred: self.policy(case.slot).prefers(&known.labels),
                processes,
                failed: failed.copied().filter(|at| case.now.since(*at) < lately),
            })
        };
        model.peers().filter_map(candidate).collect()
    }

    /// Returns whether a peer may take a process of the slot.
    pub(super) fn may_take(&self, case: &Case<'_>, peer: PeerId) -> Result<(), Hindrance> {
        self.may_host(case, peer)?;
        let slot = self.slot(case.slot);
        let (_, engines) = crowd(case.model, peer, slot.database, slot.rule.role);
        self.has_room(engines)
    }

    /// Returns whether a peer that has so many of the kind may take one more.
    fn has_room(&self, engines: usize) -> Result<(), Hindrance> {
        if engines == 0 || self.settings.planted.has(Mutant::TwoPerPeer) {
            return Ok(());
        }
        Err(Obstacle::PeerTaken.blocks().into())
    }

    /// Returns whether a peer may take a process of the slot, whatever runs there.
    fn may_host(&self, case: &Case<'_>, peer: PeerId) -> Result<(), Hindrance> {
        let slot = self.slot(case.slot);
        let strays = self.settings.planted.has(Mutant::SmAnywhere);
        if slot.home.is_some_and(|home| home != peer) && !strays {
            return Err(Obstacle::NoPeer.blocks().into());
        }
        self.is_there_for_good(case, peer)?;
        if self.is_maintained(case.model, peer) {
            return Err(Obstacle::Maintenance.blocks().into());
        }
        let is_other = |action: ActionId| Some(action) != case.leaving;
        let mut starts = self.actions.iter();
        let obstacle = if starts.any(|(id, it)| it.target == peer && is_other(*id)) {
            Obstacle::PeerBusy
        } else if self.out.contains(&(slot.database, slot.rule.role, peer)) {
            Obstacle::HostOut
        } else if !self.policy(case.slot).allows(&case.model.peer(peer).labels)
            || !self.suits(case.model, case.slot, peer)
        {
            Obstacle::Labels
        } else {
            return Ok(());
        };
        Err(obstacle.blocks().into())
    }

    /// Returns whether a peer is connected, and has been so for long enough.
    pub(super) fn is_there_for_good(&self, case: &Case<'_>, peer: PeerId) -> Result<(), Hindrance> {
        let blocked = match case.model.peer(peer).presence {
            PeerPresence::Unreachable { .. } => Obstacle::PeerUnreachable.blocks(),
            PeerPresence::Connected { since } => {
                let settled = since + self.policy(case.slot).return_grace;
                if settled <= case.now || self.settings.planted.has(Mutant::IgnoreReturnGrace) {
                    return Ok(());
                }
                Obstacle::ReturnGrace.blocks_until(settled)
            }
        };
        Err(blocked.into())
    }

    /// Returns when the next peer will have been there for long enough.
    fn next_settled_peer(&self, case: &Case<'_>) -> Option<Timestamp> {
        let settled =
            case.model
                .peers()
                .filter_map(|(peer, _)| match self.is_there_for_good(case, peer) {
                    Err(Hindrance::Blocked(blocked)) => blocked.until,
                    Ok(()) | Err(Hindrance::Ask(_) | Hindrance::Hold(_)) => None,
                });
        settled.min()
    }

    /// Remembers that a process of a slot failed at a peer.
    pub(super) fn remember_failure(&mut self, now: Timestamp, slot: SlotId, peer: PeerId) {
        let slot = self.slot(slot);
        let key = (slot.database, slot.rule.role, peer);
        if self.failures.len() >= FAILURES_MAX {
            let is_over = |(key, at): &(&(DatabaseId, Role, PeerId), &Timestamp)| {
                now.since(**at) >= self.policy_of(key.0, key.1).waits.failed_lately
                    && !self.out.contains(key)
            };
            let over = self.failures.iter().filter(is_over);
            let over: Vec<_> = over.map(|(key, _)| *key).collect();
            for key in over {
                self.failures.remove(&key);
                self.changed.failures.insert(key);
            }
        }
        self.changed.failures.insert(key);
        self.failures.insert(key, now);
    }
}

const fn by_evidence(hindrance: Hindrance) -> Objection {
    Objection {
        rule: Rule::Evidence,
        hindrance,
    }
}

/// Returns how many processes are known at a peer, in any state, and how many of them are of that
/// role and database.
pub(super) fn crowd(
    model: &Model,
    peer: PeerId,
    database: DatabaseId,
    role: Role,
) -> (usize, usize) {
    model
        .processes_at(peer)
        .fold((0, 0), |(all, engines), (_, it)| {
            let is_one = it.database == database && it.role == role;
            (all + 1, engines + usize::from(is_one))
        })
}
