//! Which start id is whose: starts that peers accepted, matched with what became of them.
//!
//! The word of a broker and the reply of a peer travel on different sessions, so either may come
//! first; what comes first is kept until the other arrives. Opens no session, decides nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::exchange::{ActionId, Outcome};
use crate::model::{Address, AgentId, DatabaseName, ProcessSeen, Role, Sighting, StartId};
use crate::mutation::{Mutant, Planted};
use crate::time::Timestamp;

/// How many fates wait for the reply they belong to. A reply is late by milliseconds, and every
/// fate of the whole domain is kept only while a reply is awaited.
const UNCLAIMED_MAX: usize = 1_024;

/// An accepted start whose fate is not known.
#[derive(Debug)]
pub(super) struct Accepted {
    /// The action it is for.
    pub(super) action: ActionId,
    /// The agent that accepted it.
    pub(super) agent_id: AgentId,
    /// Where it was dialled.
    pub(super) address: Address,
    /// What is started, in case the peer named no start id.
    pub(super) database: DatabaseName,
    /// What it shall do, likewise.
    pub(super) role: Role,
    /// What the agent calls the start.
    pub(super) start_id: Option<StartId>,
    /// When to stop waiting.
    pub(super) deadline: Timestamp,
}

/// What a broker told of some start.
#[derive(Debug)]
struct Fate {
    agent_id: AgentId,
    start_id: Option<StartId>,
    ending: Ending,
}

#[derive(Debug)]
enum Ending {
    Failed(Arc<str>),
    Registered {
        database: DatabaseName,
        role: Role,
        pid: u32,
    },
}

/// The starts between acceptance and fate.
#[derive(Debug, Default)]
pub(super) struct Starts {
    accepted: BTreeMap<ActionId, Accepted>,
    unclaimed: VecDeque<Fate>,
    /// How many requests have left whose reply has not come.
    in_flight: usize,
    planted: Planted,
}

impl Starts {
    pub(super) fn new(planted: Planted) -> Self {
        Self {
            planted,
            ..Self::default()
        }
    }

    /// Notes that a request left: from now on fates are kept for its reply.
    pub(super) fn sent(&mut self) {
        self.in_flight += 1;
    }

    /// Notes that a request got its reply, or never will.
    pub(super) fn replied(&mut self) {
        self.in_flight -= 1;
        if self.in_flight == 0 {
            self.unclaimed.clear();
        }
    }

    /// Takes in an accepted start; returns its outcome if its fate was told already. To be called
    /// before [`replied`](Self::replied).
    pub(super) fn accept(&mut self, start: Accepted) -> Option<Outcome> {
        let told = self
            .unclaimed
            .iter()
            .position(|it| it.belongs_to(&start, self.planted))
            .and_then(|it| self.unclaimed.remove(it));
        if told.is_none() {
            self.accepted.insert(start.action, start);
        }
        told.map(|it| it.ending.outcome())
    }

    /// Takes in a change; returns the action it ends. The first word on a start counts: real
    /// agents tell of each failure twice, and only the first time why.
    pub(super) fn notice(&mut self, sighting: &Sighting) -> Option<(ActionId, Outcome)> {
        if self.accepted.is_empty() && self.in_flight == 0 {
            return None;
        }
        let fate = match sighting {
            Sighting::ProcessJoined(process) => Fate::registered(process),
            Sighting::StartFailed {
                agent_id,
                start_id,
                reason,
            } => Fate {
                agent_id: agent_id.clone(),
                start_id: start_id.clone(),
                ending: Ending::Failed(Arc::clone(reason)),
            },
            Sighting::PeerJoined(_)
            | Sighting::PeerLost(_)
            | Sighting::ProcessGone(_)
            | Sighting::StatusChanged(_) => return None,
        };
        self.claim(fate)
    }

    /// Takes in a process of a snapshot, which may be the one a start was for.
    pub(super) fn notice_present(&mut self, process: &ProcessSeen) -> Option<(ActionId, Outcome)> {
        // Without a start id it may as well have been there before.
        let is_told = !self.accepted.is_empty() && process.start_id.is_some();
        is_told
            .then(|| Fate::registered(process))
            .and_then(|it| self.claim(it))
    }

    /// Returns when the next start has waited long enough.
    pub(super) fn next_timeout(&self) -> Option<Timestamp> {
        self.accepted.values().map(|it| it.deadline).min()
    }

    /// Removes a start that has waited long enough, if there is one.
    pub(super) fn take_overdue(&mut self, now: Timestamp) -> Option<Accepted> {
        let action = self
            .accepted
            .values()
            .find(|it| it.deadline <= now)
            .map(|it| it.action)?;
        self.accepted.remove(&action)
    }

    /// Returns how many starts are between acceptance and fate.
    pub(super) fn len(&self) -> usize {
        self.accepted.len()
    }

    /// Returns whether the action has an accepted start.
    pub(super) fn contains(&self, action: ActionId) -> bool {
        self.accepted.contains_key(&action)
    }

    fn claim(&mut self, fate: Fate) -> Option<(ActionId, Outcome)> {
        let action = self
            .accepted
            .values()
            .find(|it| fate.belongs_to(it, self.planted))
            .map(|it| it.action);
        if let Some(action) = action {
            self.accepted.remove(&action);
            return Some((action, fate.ending.outcome()));
        }
        if self.in_flight > 0 {
            if self.unclaimed.len() == UNCLAIMED_MAX {
                self.unclaimed.pop_front();
            }
            self.unclaimed.push_back(fate);
        }
        None
    }
}

impl Fate {
    fn registered(process: &ProcessSeen) -> Self {
        Self {
            agent_id: process.agent_id.clone(),
            start_id: process.start_id.clone(),
            ending: Ending::Registered {
                database: process.database.clone(),
                role: process.role,
                pid: process.pid,
            },
        }
    }

    /// Returns whether this is what became of `start`. A peer that names no start id leaves only
    /// what was started, and failures that carry no start id either.
    fn belongs_to(&self, start: &Accepted, planted: Planted) -> bool {
        if self.agent_id != start.agent_id {
            return false;
        }
        match (&start.start_id, &self.ending) {
            (_, Ending::Failed(_)) if planted.has(Mutant::AnyFailureIsMine) => true,
            (Some(_), _) => self.start_id == start.start_id,
            (None, Ending::Failed(_)) => self.start_id.is_none(),
            (None, Ending::Registered { database, role, .. }) => {
                *database == start.database && *role == start.role
            }
        }
    }
}

impl Ending {
    fn outcome(self) -> Outcome {
        match self {
            Self::Failed(reason) => Outcome::StartFailed(reason),
            Self::Registered { pid, .. } => Outcome::Registered { pid },
        }
    }
}
