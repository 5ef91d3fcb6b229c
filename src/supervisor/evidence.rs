//! What must be known before a process is started in place of another.

use std::time::Duration;

use super::Mode;
use super::facts::HoldReason;
use super::gate::Gate;
use super::place::has_engine;
use super::state::{Agent, Evidence, SlotId, Supervisor, Vacancy};
use crate::model::{Model, PeerId, PeerPresence, Role};
use crate::time::Timestamp;

/// How long an agent that answers us, though the domain lost it, is left alone before it is asked
/// again.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// Why nothing is done about a slot just now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Blocked {
    /// The gate, as operators know it.
    pub(super) gate: &'static str,
    /// When to look again, if time alone can change it.
    pub(super) until: Option<Timestamp>,
}

impl Blocked {
    pub(super) const fn by(gate: &'static str) -> Self {
        Self { gate, until: None }
    }

    pub(super) const fn until(gate: &'static str, at: Timestamp) -> Self {
        Self {
            gate,
            until: Some(at),
        }
    }
}

/// What the evidence allows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// First ask the agent of the peer it was on whether it answers us.
    Ask,
    /// Not now.
    Blocked(Blocked),
    /// Not without a person.
    Hold(HoldReason),
    /// Go on.
    Allowed,
}

impl Supervisor {
    /// Returns why a start that was decided on must not leave now, if anything speaks against it:
    /// whatever `decide` asked is asked again.
    pub(super) fn objection(
        &self,
        now: Timestamp,
        model: &Model,
        slot: SlotId,
        vacancy: &Vacancy,
        target: PeerId,
    ) -> Option<&'static str> {
        let database = self.slot(slot).database;
        let PeerPresence::Connected { since } = model.peer(target).presence else {
            return Some("the peer is out of reach now");
        };
        let place = if vacancy.evidence.here() == Some(target) {
            self.may_stay_here(now, model, slot, vacancy)
        } else {
            self.may_go_elsewhere(now, model, slot, vacancy)
        };
        if self.settings.mode != Mode::Heal {
            Some("the mode is another now")
        } else if !self.is_wanted(slot) && vacancy.wish.is_none() {
            Some("nobody wants it any more")
        } else if let Some(gate) = self.gates.closed() {
            Some(match gate {
                Gate::Journal => "gate journal closed",
                Gate::Memory => "gate memory closed",
                Gate::MinorityView => "gate minority-view closed",
                Gate::NotSynced => "gate not-synced closed",
                Gate::Recovered => "gate recovered closed",
            })
        } else if self.watches[database.index()].confirm_until > now {
            Some("others of the database ended as well, maybe by a person")
        } else if since + self.policy(slot).return_grace > now {
            Some("the peer was away meanwhile")
        } else if has_engine(model, target, database) {
            Some("the peer has such a process now")
        } else if self.may_join(model, slot, vacancy) != Verdict::Allowed {
            Some("nothing of the database runs now")
        } else if place != Verdict::Allowed {
            Some("the one it replaces may be alive")
        } else {
            None
        }
    }

    /// Returns whether a process may be started elsewhere, as far as the one before it goes.
    ///
    /// An exit that was told is believed once the agent that watched it has answered us since. A
    /// silent agent, and a peer out of reach, prove nothing: then a replacement has to wait for
    /// `unreachable-grace`, and our own view has to agree with the domain's.
    pub(super) fn may_go_elsewhere(
        &self,
        now: Timestamp,
        model: &Model,
        slot: SlotId,
        vacancy: &Vacancy,
    ) -> Verdict {
        let policy = self.policy(slot);
        let mut lost = vacancy.since;
        if let Evidence::Unreachable { peer, .. } = vacancy.evidence {
            match model.peer(peer).presence {
                // Its processes have time to show themselves.
                PeerPresence::Connected { .. } => {
                    return Verdict::Blocked(Blocked::by("return-grace"));
                }
                PeerPresence::Unreachable { since } => lost = lost.max(since),
            }
        }
        let after_grace = lost + policy.unreachable_grace;
        match (vacancy.evidence, vacancy.agent) {
            (Evidence::Declared, _)
            | (Evidence::Exit { .. } | Evidence::Vanished { .. }, Agent::Answers { .. }) => {
                Verdict::Allowed
            }
            (_, Agent::Asked(_)) => Verdict::Blocked(Blocked::by("asking-agent")),
            (Evidence::Exit { .. } | Evidence::Vanished { .. }, Agent::Unasked) => Verdict::Ask,
            _ if policy.strict_siblings => Verdict::Blocked(Blocked::by("strict-siblings")),
            _ if now < after_grace => {
                Verdict::Blocked(Blocked::until("unreachable-grace", after_grace))
            }
            (Evidence::Unreachable { .. }, Agent::Unasked) => Verdict::Ask,
            (Evidence::Unreachable { .. }, Agent::Answers { at }) => {
                if now >= at + ASK_AGAIN {
                    Verdict::Ask
                } else {
                    Verdict::Blocked(Blocked::until("views-differ", at + ASK_AGAIN))
                }
            }
            (
                Evidence::Exit { .. } | Evidence::Vanished { .. } | Evidence::Unreachable { .. },
                Agent::Silent,
            ) => Verdict::Allowed,
        }
    }

    /// Returns whether a process may be started on the peer it was on.
    pub(super) fn may_stay_here(
        &self,
        now: Timestamp,
        model: &Model,
        slot: SlotId,
        vacancy: &Vacancy,
    ) -> Verdict {
        let Some(here) = vacancy.evidence.here() else {
            return Verdict::Blocked(Blocked::by("no-peer"));
        };
        let PeerPresence::Connected { since } = model.peer(here).presence else {
            return Verdict::Blocked(Blocked::by("peer-unreachable"));
        };
        let back = since + self.policy(slot).return_grace;
        if now < back {
            return Verdict::Blocked(Blocked::until("return-grace", back));
        }
        if matches!(vacancy.evidence, Evidence::Unreachable { .. }) {
            // The peer is back, and its processes have time to show themselves.
            return Verdict::Blocked(Blocked::by("return-grace"));
        }
        Verdict::Allowed
    }

    /// Returns whether a transaction engine would find anything to join: without another process of
    /// its database it cannot serve, and nothing shows that the database is meant to run.
    pub(super) fn may_join(&self, model: &Model, slot: SlotId, vacancy: &Vacancy) -> Verdict {
        let database = model.database(self.slot(slot).database);
        if database.running(Role::Sm) + database.running(Role::Te) > 0 {
            return Verdict::Allowed;
        }
        match vacancy.evidence {
            Evidence::Vanished { .. } => Verdict::Hold(HoldReason::VanishedUnwatched),
            Evidence::Declared | Evidence::Exit { .. } | Evidence::Unreachable { .. } => {
                Verdict::Blocked(Blocked::by("database-down"))
            }
        }
    }
}
