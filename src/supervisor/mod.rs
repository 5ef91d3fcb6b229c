//! Decides what is started, when and where.
//!
//! The supervisor is told how the model changed and what became of its deeds, and answers with
//! effects. It alone asks for starts. It moves no bytes, reads no clock and keeps nothing that
//! cannot be written down.

mod actions;
mod archive;
mod begin;
mod budget;
mod cold;
mod decide;
mod decision;
mod evidence;
mod exits;
mod explain;
mod facts;
mod failed;
mod gate;
mod given_up;
mod histories;
mod lapsed;
mod leftover;
mod memory;
mod orders;
mod overlap;
mod place;
mod progress;
mod relief;
mod request;
mod responsive;
mod rule;
mod seats;
mod share;
mod state;
mod tell;
mod vacancy;
mod view;
mod wanted;
mod watch;
mod withdraw;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::event::Event;
use crate::exchange::{
    ActionId, Answer, Deed, EngineOption, Observation, Outcome, Probed, Request, RequestId,
};
use crate::model::{self, DatabaseName, DomainName};
use crate::mutation::Planted;
use crate::policy::{Doctrine, DomainWaits, NUODB, Pattern, Policy, Reason};
use crate::time::ClockTrouble;

pub use archive::{Archive, Ran, is_for_once};
pub use budget::Budget;
pub use explain::{Because, Explanation};
pub use facts::{
    ActionFact, ActionStage, AgentFact, ArchiveFact, ColdFact, DatabaseFact, Decision,
    DecisionStep, DecisionsFact, DomainFact, EvidenceFact, Extent, Fact, FactChange, FactKey,
    FactKind, FailureFact, HoldReason, LapsedFact, OrderFact, OrderKind, PhaseFact, ProcessFact,
    SlotFact, VacancyFact, WishFact, slot_name,
};
pub use gate::{Foreign, Gate, HealerLimits, LeaseTerms, Storm, StormLimits};
pub use histories::Experiment;
pub use memory::{Changed, Dangling};
pub use progress::Starting;
pub use request::Asked;
pub use responsive::{ProbeTerms, SignOfLife, Unresponsive};
pub use state::Supervisor;
pub use view::{ActionView, ClosedGate, Completeness, SlotView};

/// Everything that can make a warden act. The list is closed on purpose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Input {
    /// A daemon begins, or goes on from what is on record: it has no session, every deed it was at
    /// died with the one before, and it works by these settings. Fed first.
    Began(Arc<Accepted>),
    /// The clocks or the turns of the daemon did not go on as they should.
    Clock(ClockTrouble),
    /// Another configuration was accepted.
    Configured(Arc<Accepted>),
    /// The lease of the domain was had, or lost.
    Lease(Lease),
    /// What was recorded can no longer be written: nothing may be done until the warden is restored
    /// from what was.
    JournalFailed,
    /// A driver saw something.
    Observed(Observation),
    /// A process began to be silent at its port, or answers again.
    Probed(Probed),
    /// The journal could not be read as it was left: fed when the daemon has begun, before anything
    /// else happens.
    Recovered(Recovery),
    /// A driver tells what became of a deed.
    Reported {
        /// The action the deed belonged to.
        action: ActionId,
        /// What became of it.
        outcome: Outcome,
    },
    /// A listener or a person asks for something.
    Requested(Request),
    /// A person accepts that memory was lost.
    Resumed {
        /// Who.
        by: Arc<str>,
    },
    /// Time passed. An input like any other, or a replay would forget it.
    Timeout,
}

/// What a warden works by: the part of an accepted configuration that is about its domain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// How what the domain tells is understood.
    pub model: model::Settings,
    /// How it is healed.
    pub supervisor: Settings,
}

/// Whether this daemon heals a domain that several watch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lease {
    /// It does.
    Held {
        /// Whether another one did before it.
        taken_over: bool,
    },
    /// Another one does, or nobody knows.
    Lost,
}

/// What is left of a warden's memory after its journal was found damaged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recovery {
    /// A backup, which may be a little older than the last thing done.
    Backup,
    /// Nothing.
    Lost,
}

/// Something the shell must do. The core only asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Tell whoever asked what becomes of it.
    Answer {
        /// What was asked.
        request: RequestId,
        /// What becomes of it.
        answer: Answer,
    },
    /// Hand this to the driver, once everything before it is on record.
    Do(Deed),
    /// Record this event and tell the listeners.
    Raise(Event),
}

/// What the healer may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Mode {
    /// Start what is missing.
    #[default]
    Heal,
    /// Nothing at all.
    Observe,
    /// Say what it would start.
    Suggest,
}

/// What a supervisor must know beforehand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// What we call the domain.
    pub domain: DomainName,
    /// What its kind demands.
    pub doctrine: &'static Doctrine,
    /// What the healer may do.
    pub mode: Mode,
    /// The policies; the first that applies to a database counts.
    pub policies: Vec<Policy>,
    /// With which options transaction engines are started, by database. Without an entry a start is
    /// only suggested.
    pub te_options: BTreeMap<DatabaseName, Vec<EngineOption>>,
    /// Where storage managers belong, by database.
    pub archives: BTreeMap<DatabaseName, Vec<Archive>>,
    /// How long membership must have been quiet after a connect before anything is started.
    pub settle: Duration,
    /// After a connect that is waited for at most so long.
    pub settle_max: Duration,
    /// How long a session to an agent may take to stand; after that its start is void.
    pub prepare_timeout: Duration,
    /// A clock that jumps, a turn that is late and a machine that sleeps by more than this make
    /// what is known doubtful.
    pub clock_jump: Duration,
    /// What hardly anybody changes.
    pub waits: DomainWaits,
    /// When so many peers are lost at once that nothing is started.
    pub storm: StormLimits,
    /// When somebody else is taken for a healer.
    pub healer: HealerLimits,
    /// Where the lease is without which nothing is started, if several daemons watch the domain.
    pub lease: Option<LeaseTerms>,
    /// How the ports of processes are tried, if they are.
    pub probe: Option<ProbeTerms>,
    /// Databases that are watched and left alone.
    pub observe: Vec<Pattern>,
    /// Whether those are too that the domain manages itself.
    pub leave_managed: bool,
    /// What rests on a protocol that nobody confirmed, and is done all the same.
    pub experiments: BTreeSet<Experiment>,
    /// How many starts the domain has in a while.
    pub budget: Budget,
    /// What agents say of failed starts, and what it means; before what they are known to say.
    pub reasons: Vec<Reason>,
    /// Spreads pauses; the same seed gives the same pauses. A warden keeps the first one it began
    /// with.
    pub seed: u64,
    /// Numbers the accepted configuration these come from.
    pub generation: u64,
    /// A mistake on purpose, in simulations.
    pub planted: Planted,
}

impl Settings {
    /// Returns settings without policies: nothing is healed.
    pub fn new(domain: DomainName) -> Self {
        Self {
            domain,
            doctrine: &NUODB,
            mode: Mode::Heal,
            policies: Vec::new(),
            te_options: BTreeMap::new(),
            archives: BTreeMap::new(),
            settle: Duration::from_secs(2),
            settle_max: Duration::from_secs(10),
            prepare_timeout: Duration::from_secs(15),
            clock_jump: Duration::from_secs(5),
            waits: DomainWaits::default(),
            storm: StormLimits::default(),
            healer: HealerLimits::default(),
            lease: None,
            probe: None,
            observe: Vec::new(),
            leave_managed: true,
            experiments: BTreeSet::new(),
            budget: Budget::default(),
            reasons: Vec::new(),
            seed: 0,
            generation: 0,
            planted: Planted::default(),
        }
    }

    /// Returns when a view has settled.
    const fn settling(&self) -> gate::Settling {
        gate::Settling {
            quiet: self.settle,
            most: self.settle_max,
            look_again: self.waits.look_again,
        }
    }
}
