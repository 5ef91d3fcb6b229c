//! A start that was decided on and waits for the disk: whether it may still leave, and what becomes
//! of it if not.

use super::Effect;
use super::facts::ActionStage;
use super::rule::{Case, Objection};
use super::state::{Phase, Supervisor};
use crate::exchange::ActionId;
use crate::model::Model;
use crate::time::{Moment, Timestamp};

impl Supervisor {
    /// Returns whether a start that is committed may leave now: every rule is asked a last time.
    pub fn may_leave(&self, now: Timestamp, model: &Model, action: ActionId) -> bool {
        self.speaks_against(now, model, action).is_none()
    }

    /// Returns what speaks against a committed start by now, as a sentence.
    fn speaks_against(&self, now: Timestamp, model: &Model, action: ActionId) -> Option<String> {
        let Some(it) = self.actions.get(&action) else {
            return Some("it is settled otherwise".to_owned());
        };
        let says = match (&self.slot(it.slot).phase, it.stage) {
            (
                Phase::Acting {
                    action: open,
                    vacancy,
                },
                ActionStage::Committed { deadline },
            ) if *open == action => {
                // Whoever gives it up counts from when it was decided on.
                if now + self.policy(it.slot).start_timeout > deadline {
                    return Some("its record was too long on the way to the disk".to_owned());
                }
                let case = Case {
                    now,
                    model,
                    slot: it.slot,
                    vacancy,
                    target: Some(it.target),
                    leaving: Some(action),
                };
                return self.objection(&case).map(Objection::says);
            }
            (Phase::Acting { action: open, .. }, _) if *open == action => "its time is up",
            (Phase::Filled(_), _) => "another process took the seat before anything was asked",
            (
                Phase::Acting { .. }
                | Phase::Empty
                | Phase::Held { .. }
                | Phase::Leaving { .. }
                | Phase::Vacant(_),
                _,
            ) => "another process had the seat meanwhile",
        };
        Some(says.to_owned())
    }

    /// A start never left, though it was to: it ends as one that was given up before.
    pub(super) fn withdrawn(
        &mut self,
        now: Moment,
        model: &Model,
        action: ActionId,
        effects: &mut Vec<Effect>,
    ) {
        let says = self.speaks_against(now.at, model, action);
        let says = says.unwrap_or_else(|| "it could not leave in time".to_owned());
        self.forget_unproven(action);
        self.abandoned(now, model, action, says, effects);
    }
}
