//! Whether the healer may act at all: only on knowledge that is fresh and has settled, and only
//! while it can remember what it does.

mod clock;
mod healer;
mod lease;
mod session;
mod storm;

use std::time::Duration;

use super::state::{About, Agent, Evidence, Supervisor, Vacancy};
use super::{Effect, Recovery};
use crate::event::Kind;
use crate::model::{Freshness, Model};
use crate::mutation::Mutant;
use crate::policy::Pattern;
use crate::time::{Moment, Timestamp};

pub(super) use clock::ClockDoubt;
pub use healer::{Foreign, HealerLimits};
pub(super) use lease::Holding;
pub use lease::LeaseTerms;
pub(super) use session::{Session, Settling};
pub use storm::{Storm, StormLimits};

/// A named reason not to act anywhere in a domain.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Gate {
    /// Somebody else heals: of one database.
    AnotherHealer,
    /// A clock jumped, a turn came late or the machine slept: what is known may be old.
    Clock,
    /// The journal cannot be written, so nothing that is done would be remembered.
    Journal,
    /// Another daemon has the lease of the domain, or had it just before.
    Lease,
    /// Memory was lost, and nobody has accepted that yet.
    Memory,
    /// We may see the smaller part of a domain that fell apart.
    MinorityView,
    /// There is no session, or what it tells has not settled yet.
    NotSynced,
    /// Memory comes from a backup: what was under way when it was taken may still show itself.
    Recovered,
    /// Many peers were lost at once.
    Storm,
    /// The domain lost peers that all answer us, and nothing else is to be done. It is shown: each
    /// slot is kept by it on its own.
    ViewsDiffer,
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 10] = [
        Self::AnotherHealer,
        Self::Clock,
        Self::Journal,
        Self::Lease,
        Self::Memory,
        Self::MinorityView,
        Self::NotSynced,
        Self::Recovered,
        Self::Storm,
        Self::ViewsDiffer,
    ];

    /// Returns the name operators know the gate by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AnotherHealer => "another-healer",
            Self::Clock => "clock",
            Self::Journal => "journal",
            Self::Lease => "lease",
            Self::Memory => "memory",
            Self::MinorityView => "minority-view",
            Self::NotSynced => "not-synced",
            Self::Recovered => "recovered",
            Self::Storm => "storm",
            Self::ViewsDiffer => "views-differ",
        }
    }

    /// Returns the gate of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == name)
    }
}

/// All gates of a domain.
#[derive(Debug)]
pub(super) struct Gates {
    pub(super) session: Session,
    pub(super) clock: Option<ClockDoubt>,
    pub(super) journal_failed: bool,
    pub(super) lease: Holding,
    pub(super) memory_lost: bool,
    pub(super) recovered_until: Option<Timestamp>,
    pub(super) sees_minority: bool,
    pub(super) minority_since: Option<Timestamp>,
    pub(super) storm: Option<Storm>,
    /// Since when all that is missing is kept by that.
    pub(super) views_differ: Option<Timestamp>,
    /// Which of them listeners know to be closed, in the order of [`Gate::ALL`].
    pub(super) told: [bool; Gate::ALL.len()],
}

impl Gates {
    /// Before the first session nobody expects anything to be done, so that is not told.
    pub(super) const fn new() -> Self {
        let mut told = [false; Gate::ALL.len()];
        told[Gate::NotSynced as usize] = true;
        Self {
            session: Session::None,
            clock: None,
            journal_failed: false,
            lease: Holding::NotNeeded,
            memory_lost: false,
            recovered_until: None,
            sees_minority: false,
            minority_since: None,
            storm: None,
            views_differ: None,
            told,
        }
    }

    /// The daemon begins: it has no session yet, and a journal that can be written.
    pub(super) fn begin(&mut self) {
        self.session = Session::None;
        self.clock = None;
        self.journal_failed = false;
        self.lease.begin();
        self.told[Gate::Journal as usize] = false;
    }

    pub(super) fn is_closed(&self, gate: Gate) -> bool {
        match gate {
            // It is told by database.
            Gate::AnotherHealer => false,
            Gate::Clock => self.clock.is_some(),
            Gate::Journal => self.journal_failed,
            Gate::Lease => self.lease.is_closed(),
            Gate::Memory => self.memory_lost,
            Gate::MinorityView => self.sees_minority,
            Gate::NotSynced => self.session != Session::Settled,
            Gate::Recovered => self.recovered_until.is_some(),
            Gate::Storm => self.storm.is_some_and(|it| it.quiet_at.is_some()),
            Gate::ViewsDiffer => self.views_differ.is_some(),
        }
    }

    /// Returns when a gate opens if nothing else happens, as far as that is known.
    pub(super) fn opens_at(&self, gate: Gate) -> Option<Timestamp> {
        match gate {
            Gate::Lease => self.lease.opens(),
            Gate::Recovered => self.recovered_until,
            Gate::Storm => self.storm?.quiet_at,
            Gate::AnotherHealer
            | Gate::Clock
            | Gate::Journal
            | Gate::Memory
            | Gate::MinorityView
            | Gate::NotSynced
            | Gate::ViewsDiffer => None,
        }
    }

    /// Returns whether the domain is seen as it is now.
    pub(super) fn knows(&self) -> bool {
        self.session == Session::Settled && !self.sees_minority && self.clock.is_none()
    }

    /// Returns when a gate opens by itself, if one does.
    pub(super) fn opens(&self, settling: Settling) -> Option<Timestamp> {
        let recovered = self
            .recovered_until
            .filter(|_| self.session == Session::Settled);
        let clock = self.clock.filter(|_| self.session != Session::None);
        let storm = self.storm.map(|it| it.quiet_at.unwrap_or(it.slow_until));
        self.session
            .opens(settling)
            .into_iter()
            .chain(recovered)
            .chain(self.lease.opens())
            .chain(clock.map(|it| it.due(settling)))
            .chain(storm.filter(|_| self.knows()))
            .min()
    }
}

impl Supervisor {
    /// Returns a gate that is closed and keeps everything from being started, if one is and no
    /// person overrides it.
    pub(super) fn closed_gate(&self) -> Option<Gate> {
        let mut all = Gate::ALL.into_iter().filter(|it| *it != Gate::ViewsDiffer);
        all.find(|it| self.gates.is_closed(*it) && !self.is_thawed(*it))
    }

    /// Opens and closes gates as the model and the time say, and tells of it.
    pub(super) fn mind_gates(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        match (model.freshness(), self.gates.session) {
            (Freshness::Stale { .. } | Freshness::Unknown, _) => {
                self.gates.session = Session::None;
            }
            (Freshness::Synced { .. }, Session::None) => {
                self.gates.session = Session::Settling {
                    synced: now.at,
                    quiet: now.at,
                };
            }
            (Freshness::Synced { .. }, Session::Settled | Session::Settling { .. }) => (),
        }
        self.mind_minority(now.at, model);
        let settles = self.gates.session.opens(self.settings.settling());
        let is_hasty = self.settings.planted.has(Mutant::ThawAtOnce);
        if settles.is_some_and(|at| at <= now.at || is_hasty) {
            self.gates.session = Session::Settled;
        }
        let recovered = self.gates.recovered_until;
        if self.gates.session == Session::Settled && recovered.is_some_and(|at| at <= now.at) {
            self.gates.recovered_until = None;
            self.changed.domain = true;
        }
        self.mind_lease(now.at);
        self.mind_clock(now, effects);
        self.mind_storm(now.at, model);
        let since = self.gates.views_differ.unwrap_or(now.at);
        self.gates.views_differ = self.views_differ().then_some(since);
        for gate in Gate::ALL {
            let is_closed = self.gates.is_closed(gate) && !self.is_thawed(gate);
            if std::mem::replace(&mut self.gates.told[gate as usize], is_closed) == is_closed {
                continue;
            }
            self.changed.domain = true;
            let kind = if is_closed {
                Kind::DomainFrozen
            } else {
                Kind::DomainThawed
            };
            let about = About {
                text: format!("gate {}", gate.as_str()),
                ..About::default()
            };
            self.raise(now, model, kind, about, effects);
        }
        self.mind_healers(now, model, effects);
    }

    /// Returns whether all that is missing was on peers that the domain lost and that answer us.
    fn views_differ(&self) -> bool {
        // While it is asked again nothing else is known.
        let was_so = self.gates.views_differ.is_some();
        let differs = |vacancy: &Vacancy| {
            matches!(vacancy.evidence, Evidence::Unreachable { .. })
                && match vacancy.agent {
                    Agent::Answers { .. } => true,
                    Agent::Asked(_) => was_so,
                    Agent::Silent | Agent::Unasked => false,
                }
        };
        if !self.actions.is_empty() || !self.gates.knows() {
            return false;
        }
        let wanted = self.busy.iter().filter(|id| self.is_wanted(**id));
        let mut vacant = wanted.filter_map(|id| self.slot(*id).vacancy()).peekable();
        vacant.peek().is_some() && vacant.all(differs)
    }

    fn mind_minority(&mut self, now: Timestamp, model: &Model) {
        self.gates.sees_minority = model.is_minority();
        match (self.gates.sees_minority, self.gates.minority_since) {
            (true, None) => self.gates.minority_since = Some(now),
            (false, Some(since)) => {
                self.gates.minority_since = None;
                self.relieve_domain(now, since);
            }
            (true, Some(_)) | (false, None) => return,
        }
        self.changed.domain = true;
    }

    fn mind_storm(&mut self, now: Timestamp, model: &Model) {
        let before = self.gates.storm;
        let is_blind = self.settings.planted.has(Mutant::NoStormGate);
        if std::mem::take(&mut self.lost_peer) && !is_blind {
            self.gates.storm = self.settings.storm.lost(now, model, before);
        }
        if let Some(storm) = self.gates.storm {
            let slow_for = self.settings.storm.slow_for;
            self.gates.storm = storm.pass(now, model, (self.gates.knows(), slow_for));
        }
        let raged = before.filter(|it| it.quiet_at.is_some());
        if let Some(storm) = raged.filter(|_| !self.gates.is_closed(Gate::Storm)) {
            self.relieve_domain(now, storm.began);
        }
        self.changed.domain |= self.gates.storm != before;
    }

    /// Returns until when the next start has to wait, since a storm is only just over.
    pub(super) fn slowed_until(&self) -> Option<Timestamp> {
        let storm = self.gates.storm?;
        storm.last_start.map(|at| at + self.settings.storm.pace)
    }

    /// Notes that a start was decided.
    pub(super) fn note_start(&mut self, now: Timestamp) {
        if let Some(storm) = &mut self.gates.storm {
            storm.last_start = Some(now);
            self.changed.domain = true;
        }
    }

    /// What is done would not be remembered: nothing is done until a warden is restored from what
    /// was recorded.
    pub fn journal_failed(&mut self) {
        self.gates.journal_failed = true;
    }

    /// Memory is older than what was done last, or gone.
    pub fn recovered(&mut self, now: Timestamp, recovery: Recovery) {
        self.changed.domain = true;
        match recovery {
            Recovery::Backup => {
                self.gates.recovered_until = Some(now + self.longest_start());
            }
            Recovery::Lost => self.gates.memory_lost = true,
        }
    }

    /// Returns how long a start may take before it counts as failed, whatever it is for.
    pub(super) fn longest_start(&self) -> Duration {
        let policies = &self.settings.policies;
        let domain = self.settings.domain.as_str();
        let is_for_all = policies.iter().any(|it| {
            it.databases.contains(&Pattern::any()) && it.domains.iter().any(|it| it.matches(domain))
        });
        let without = (!is_for_all).then_some(self.unhealed.start_timeout);
        let timeouts = policies.iter().map(|it| it.start_timeout).chain(without);
        timeouts.max().unwrap_or_default()
    }

    /// A person accepts that memory was lost.
    pub fn resumed(&mut self, now: Moment, model: &Model, by: &str, effects: &mut Vec<Effect>) {
        self.gates.memory_lost = false;
        self.changed.domain = true;
        let about = About {
            text: format!("{by} accepts that memory was lost"),
            ..About::default()
        };
        self.raise(now, model, Kind::OperatorCommand, about, effects);
    }
}
