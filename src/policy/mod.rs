//! What is wanted and at which pace: arithmetic and matching, without state.
//!
//! A policy says; it does not look at a domain, and it remembers nothing. Slots, evidence and gates
//! belong to `supervisor`.

mod doctrine;
mod pace;
mod pattern;
mod placement;
mod reason;
mod waits;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Role;

pub use doctrine::{Capabilities, Doctrine, NUODB, Needs, RoleRule, SeatKind};
pub use pace::{Backoff, Place, Stage, Step, noise};
pub use pattern::Pattern;
pub use placement::{Candidate, choose};
pub use reason::{Meaning, Reason};
pub use waits::{DomainWaits, Waits};

/// What the healer does when all stages are used up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AfterStages {
    /// Nothing, until a person releases the slot.
    Hold,
    /// One more try, wherever there is room, each time this much later.
    Slow(Duration),
}

/// What is done about a process that the domain forgot and that holds an archive.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Leftover {
    /// Nothing: a person looks at it.
    #[default]
    Hold,
    /// It is ended, if it is certain which one it is and another keeps the data.
    Kill,
}

/// How many processes of a role of a database are wanted, whatever was observed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bounds {
    /// So many are kept.
    pub min: u32,
    /// So many may be asked for.
    pub max: Option<u32>,
}

/// So many transaction engines of a database are kept on peers with certain labels, whatever was
/// observed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Share {
    /// All of these a peer must have.
    pub labels: BTreeMap<String, String>,
    /// How many.
    pub min: u32,
}

/// How the slots of some databases are healed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// The domains it applies to, by their configured names.
    pub domains: Vec<Pattern>,
    /// The databases it applies to.
    pub databases: Vec<Pattern>,
    /// The roles it applies to.
    pub roles: Vec<Role>,
    /// Whether a process that ran for `min_uptime` is wanted from then on.
    pub keep_observed: bool,
    /// How many transaction engines are wanted, whatever was observed.
    pub te: Option<Bounds>,
    /// How many of those are wanted where; an engine counts for one of them.
    pub te_per: Vec<Share>,
    /// How many storage managers are wanted, whatever was observed.
    pub sm: Option<Bounds>,
    /// What is done about a process that the domain forgot and that holds an archive.
    pub leftover: Leftover,
    /// Where to try, and how often, before `after_stages`.
    pub stages: Vec<Stage>,
    /// What comes after the last stage.
    pub after_stages: AfterStages,
    /// The pauses between tries.
    pub backoff: Backoff,
    /// A process that ran for this long is wanted, and its next start is not delayed.
    pub min_uptime: Duration,
    /// A process that ran for this long has its failures forgotten.
    pub healthy_after: Duration,
    /// Nothing heard of a start for this long means that it failed.
    pub start_timeout: Duration,
    /// A peer must have been there for this long before anything is started on it.
    pub return_grace: Duration,
    /// A peer must be unreachable for this long before what ran there is started elsewhere.
    pub unreachable_grace: Duration,
    /// When several processes of a database end together, it may be a person: wait this long.
    pub confirm_for: Duration,
    /// An agent that says it is not ready is asked again after this time.
    pub barrier_pause: Duration,
    /// Nothing is started elsewhere while the process it replaces may live on unseen.
    pub strict_siblings: bool,
    /// Only peers with all of these labels are allowed.
    pub require: BTreeMap<String, String>,
    /// Peers with more of these labels come first.
    pub prefer: BTreeMap<String, String>,
    /// What hardly anybody changes.
    pub waits: Waits,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            domains: vec![Pattern::any()],
            databases: vec![Pattern::any()],
            roles: vec![Role::Te],
            keep_observed: true,
            te: None,
            te_per: Vec::new(),
            sm: None,
            leftover: Leftover::Hold,
            stages: vec![
                Stage {
                    place: Place::Here,
                    tries: Some(2),
                },
                Stage {
                    place: Place::Elsewhere,
                    tries: None,
                },
            ],
            after_stages: AfterStages::Slow(Duration::from_secs(600)),
            backoff: Backoff::default(),
            min_uptime: Duration::from_secs(30),
            healthy_after: Duration::from_secs(600),
            start_timeout: Duration::from_secs(30),
            return_grace: Duration::from_secs(20),
            unreachable_grace: Duration::from_secs(30),
            confirm_for: Duration::from_secs(10),
            barrier_pause: Duration::from_secs(10),
            strict_siblings: false,
            require: BTreeMap::new(),
            prefer: BTreeMap::new(),
            waits: Waits::default(),
        }
    }
}

impl Policy {
    /// Returns whether the policy applies to that database of that domain.
    pub fn applies(&self, domain: &str, database: &str) -> bool {
        self.domains.iter().any(|it| it.matches(domain))
            && self.databases.iter().any(|it| it.matches(database))
    }

    /// Returns whether a peer with these labels may be asked.
    pub fn allows(&self, labels: &BTreeMap<String, String>) -> bool {
        self.require
            .iter()
            .all(|(name, it)| labels.get(name) == Some(it))
    }

    /// Returns how many of the labels that are preferred a peer with these has.
    pub fn prefers(&self, labels: &BTreeMap<String, String>) -> usize {
        let has = |(name, it): &(&String, &String)| labels.get(*name) == Some(*it);
        self.prefer.iter().filter(has).count()
    }

    /// Returns how many transaction engines are kept, whatever was observed.
    pub fn te_min(&self) -> u32 {
        let per = self.te_per.iter().map(|it| it.min);
        let per = per.fold(0, u32::saturating_add);
        self.te.map_or(0, |it| it.min).max(per)
    }

    /// Returns which labels the peer of a seat must have beside those that are required: the first
    /// seats belong to the shares, in their order.
    pub fn share_of(&self, role: Role, ordinal: u32) -> Option<&Share> {
        if role != Role::Te {
            return None;
        }
        let mut before = 0_u32;
        self.te_per.iter().find(|it| {
            before = before.saturating_add(it.min);
            ordinal < before
        })
    }

    /// Returns how many processes of a role are kept, whatever was observed.
    pub fn min(&self, role: Role) -> u32 {
        match role {
            Role::Te => self.te_min(),
            Role::Sm => self.sm.map_or(0, |it| it.min),
            Role::Named(_) => 0,
        }
    }

    /// Returns how many transaction engines a person may ask for, if that is limited.
    pub fn te_max(&self) -> Option<u32> {
        self.te.and_then(|it| it.max)
    }
}
