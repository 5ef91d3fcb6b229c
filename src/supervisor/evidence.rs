//! What must be known before a process is started in place of another.

use super::facts::HoldReason;
use super::rule::{Case, Hindrance, Obstacle, Query};
use super::state::{Agent, Evidence, Supervisor};
use crate::model::PeerPresence;
use crate::mutation::Mutant;
use crate::policy::Needs;

impl Supervisor {
    /// Returns whether a process may be started elsewhere, as far as the one before it goes.
    ///
    /// An exit that was told is believed once the agent that watched it has answered us since. A
    /// silent agent, and a peer out of reach, prove nothing: then a replacement has to wait for
    /// `unreachable-grace`, and our own view has to agree with the domain's.
    pub(super) fn may_go_elsewhere(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let (policy, vacancy) = (self.policy(case.slot), case.vacancy);
        if vacancy
            .evidence
            .here()
            .is_some_and(|it| self.is_dead(case.model, it))
        {
            return Ok(());
        }
        let planted = self.settings.planted;
        let mut lost = vacancy.since;
        if let Evidence::Unreachable { peer, .. } = vacancy.evidence {
            match case.model.peer(peer).presence {
                // Its processes have time to show themselves.
                PeerPresence::Connected { .. } => {
                    return Err(Obstacle::ReturnGrace.blocks().into());
                }
                PeerPresence::Unreachable { since } => lost = lost.max(since),
            }
        }
        let after_grace = lost + policy.unreachable_grace;
        let obstacle = match (vacancy.evidence, vacancy.agent) {
            (Evidence::Declared, _)
            | (Evidence::Exit { .. } | Evidence::Vanished { .. }, Agent::Answers { .. }) => {
                return Ok(());
            }
            (Evidence::Unreachable { .. }, _) if planted.has(Mutant::UnreachableIsDead) => {
                return Ok(());
            }
            (Evidence::Exit { .. }, _) if planted.has(Mutant::ElsewhereUnasked) => return Ok(()),
            (_, Agent::Asked(_)) => Obstacle::AskingAgent.blocks(),
            (Evidence::Exit { peer } | Evidence::Vanished { peer }, Agent::Unasked) => {
                return Err(Hindrance::Ask(Query::Agent(peer)));
            }
            _ if policy.strict_siblings && !planted.has(Mutant::StrictIsLoose) => {
                Obstacle::StrictSiblings.blocks()
            }
            _ if case.now < after_grace => Obstacle::UnreachableGrace.blocks_until(after_grace),
            (Evidence::Unreachable { peer, .. }, Agent::Unasked) => {
                return Err(Hindrance::Ask(Query::Agent(peer)));
            }
            (Evidence::Unreachable { peer, .. }, Agent::Answers { at }) => {
                let again = at + policy.waits.ask_again;
                if case.now >= again {
                    return Err(Hindrance::Ask(Query::Agent(peer)));
                }
                Obstacle::ViewsDiffer.blocks_until(again)
            }
            (Evidence::Unreachable { .. }, Agent::Silent) => return Ok(()),
            (Evidence::Exit { .. } | Evidence::Vanished { .. }, Agent::Silent) => {
                return self.overlaps_nothing(case);
            }
        };
        Err(obstacle.into())
    }

    /// Returns whether a process may be started on the peer it was on.
    pub(super) fn may_stay_here(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let Some(here) = self.here(case) else {
            return Err(Obstacle::NoPeer.blocks().into());
        };
        self.is_there_for_good(case, here)?;
        if matches!(case.vacancy.evidence, Evidence::Unreachable { .. }) {
            // The peer is back, and its processes have time to show themselves.
            return Err(Obstacle::ReturnGrace.blocks().into());
        }
        Ok(())
    }

    /// Returns whether a process would find what it needs: a transaction engine cannot serve
    /// without another process of its database, and nothing else shows that the database is meant
    /// to run.
    pub(super) fn may_join(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let slot = self.slot(case.slot);
        let database = case.model.database(slot.database);
        let has_all = match slot.rule.needs {
            Needs::AnyRunning if self.awaits_archives(case) => {
                return Err(Obstacle::ColdStart.blocks().into());
            }
            Needs::AnyRunning => database.is_any_running(),
            Needs::Nothing => true,
            Needs::SiblingOrLast => return self.may_open(case),
        };
        if has_all || self.settings.planted.has(Mutant::NeedsNothing) {
            return Ok(());
        }
        Err(match case.vacancy.evidence {
            Evidence::Vanished { .. } => Hindrance::Hold(HoldReason::VanishedUnwatched),
            Evidence::Declared | Evidence::Exit { .. } | Evidence::Unreachable { .. } => {
                Obstacle::DatabaseDown.blocks().into()
            }
        })
    }
}
