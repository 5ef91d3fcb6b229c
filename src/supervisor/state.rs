//! What the supervisor keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::archive::{Archive, Ran};
use super::budget::Spent;
use super::decision::Notes;
use super::facts::{ActionStage, HoldReason, OrderFact, slot_name};
use super::gate::{Foreign, Gates};
use super::given_up::GivenUp;
use super::memory::Changed;
use super::overlap::{Extra, Unproven};
use super::progress::Progress;
use super::responsive::Unresponsive;
use super::watch::Watch;
use super::{Effect, Settings};
use crate::event::{Cause, Event, Kind, ProcessFacts, Subject};
use crate::exchange::ActionId;
use crate::model::{AgentId, DatabaseId, DatabaseName, Model, PeerId, ProcessId, Role, StartId};
use crate::mutation::Mutant;
use crate::policy::{Policy, RoleRule};
use crate::time::{Moment, Timestamp};

pub(super) use super::vacancy::{Agent, Evidence, Told, Vacancy};

/// Numbers a slot within one supervisor.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct SlotId(pub(super) u32);

/// A seat for one process of one database.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) database: DatabaseId,
    /// Who may sit there.
    pub(super) rule: &'static RoleRule,
    /// Which seat of that role in its database, from 0.
    pub(super) ordinal: u32,
    /// The peer it belongs to, if not just any will do.
    pub(super) home: Option<PeerId>,
    /// Whether a process sat here long enough to be wanted from then on.
    pub(super) observed: bool,
    /// How many starts were tried since the seat was last healthy.
    pub(super) tries: u32,
    /// Who sat there last, of a seat that belongs to a peer.
    pub(super) ran: Option<Ran>,
    /// The last one that was replaced though its agent was silent.
    pub(super) unproven: Option<Unproven>,
    /// What the healer gave up on, though a process sits there by now.
    pub(super) given_up: Option<GivenUp>,
    pub(super) phase: Phase,
}

impl Slot {
    /// Returns what operators call it, such as `te/1`.
    pub(super) fn name(&self) -> String {
        slot_name(self.rule.role, self.ordinal)
    }

    /// Returns what is known of the seat, if it is empty though somebody should sit there.
    pub(super) fn vacancy(&self) -> Option<&Vacancy> {
        match &self.phase {
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => Some(vacancy),
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } | Phase::Leaving { .. } => None,
        }
    }

    /// As [`vacancy`](Self::vacancy), to change it.
    pub(super) fn vacancy_mut(&mut self) -> Option<&mut Vacancy> {
        match &mut self.phase {
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => Some(vacancy),
            Phase::Empty | Phase::Filled(_) | Phase::Held { .. } | Phase::Leaving { .. } => None,
        }
    }

    /// As [`vacancy`](Self::vacancy), also if the healer gave up on it.
    pub(super) fn known(&self) -> Option<&Vacancy> {
        match &self.phase {
            Phase::Held { vacancy, .. } => vacancy.as_deref(),
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => Some(vacancy),
            Phase::Empty | Phase::Filled(_) | Phase::Leaving { .. } => None,
        }
    }

    /// As [`vacancy_mut`](Self::vacancy_mut), also if the healer gave up on it.
    pub(super) fn known_mut(&mut self) -> Option<&mut Vacancy> {
        match &mut self.phase {
            Phase::Held { vacancy, .. } => vacancy.as_deref_mut(),
            Phase::Acting { vacancy, .. } | Phase::Vacant(vacancy) => Some(vacancy),
            Phase::Empty | Phase::Filled(_) | Phase::Leaving { .. } => None,
        }
    }
}

/// How a slot is; what is not wanted is not missed.
#[derive(Debug)]
pub(super) enum Phase {
    /// A start for it is under way.
    Acting {
        action: ActionId,
        vacancy: Box<Vacancy>,
    },
    /// Nobody sits there, and nobody has to.
    Empty,
    /// A process sits there.
    Filled(ProcessId),
    /// The healer gave up on it.
    Held {
        reason: HoldReason,
        again: Timestamp,
        /// What is known of the empty seat. Older records do not say.
        vacancy: Option<Box<Vacancy>>,
    },
    /// Its process left as somebody wished; until then it may turn out that it did not.
    Leaving { until: Timestamp, peer: PeerId },
    /// Nobody sits there, though somebody should.
    Vacant(Box<Vacancy>),
}

/// One start of the healer's.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) slot: SlotId,
    pub(super) target: PeerId,
    /// Which of the agents of that peer is asked. Older records do not say.
    pub(super) agent: Option<AgentId>,
    pub(super) stage: ActionStage,
    /// What the agent calls the start, once it said so.
    pub(super) start_id: Option<StartId>,
    /// Who asked for it, if it was not the healer's own idea.
    pub(super) by: Option<Arc<str>>,
}

/// A start that was given up, and may come to life after all.
#[derive(Clone, Debug)]
pub(super) struct Lapsed {
    /// The seat it was for. Older records do not say.
    pub(super) slot: Option<SlotId>,
    pub(super) database: DatabaseId,
    pub(super) role: Role,
    pub(super) peer: PeerId,
    /// Which of the agents of that peer was asked. Older records do not say.
    pub(super) agent: Option<AgentId>,
    pub(super) start_id: Option<StartId>,
    pub(super) at: Timestamp,
}

impl Lapsed {
    /// Returns what is left of an action that is given up now.
    pub(super) fn of(action: &Action, kind: (DatabaseId, Role), at: Timestamp) -> Self {
        let (database, role) = kind;
        Self {
            slot: Some(action.slot),
            database,
            role,
            peer: action.target,
            agent: action.agent.clone(),
            start_id: action.start_id.clone(),
            at,
        }
    }
}

/// Watches the slots of one domain and decides what is started.
///
/// `warden` tells it of every change of the model and of every outcome, then lets it act.
///
/// **Invariant:** no start is prepared or committed while the model is not synced and settled, and
/// a slot has at most one open action.
#[derive(Debug)]
pub struct Supervisor {
    pub(super) settings: Settings,
    /// What databases without a policy are watched by.
    pub(super) unhealed: Policy,
    pub(super) gates: Gates,
    pub(super) watches: Vec<Watch>,
    pub(super) slots: Vec<Slot>,
    /// The seat of each process, by its place in the model.
    pub(super) seats: Vec<Option<SlotId>>,
    /// Slots that need looking at.
    pub(super) busy: BTreeSet<SlotId>,
    /// Databases whose completeness may have changed.
    pub(super) touched: BTreeSet<DatabaseId>,
    pub(super) actions: BTreeMap<ActionId, Action>,
    /// Which slot wanted to know whether an agent answers.
    pub(super) dials: BTreeMap<ActionId, SlotId>,
    /// Which archive of which database was asked what is known of it.
    pub(super) inquiries: BTreeMap<ActionId, (DatabaseId, SlotId)>,
    pub(super) last_action: u64,
    pub(super) spent: Spent,
    pub(super) progress: Progress,
    /// Which processes are known not to answer at their ports.
    pub(super) unresponsive: BTreeMap<ProcessId, Unresponsive>,
    /// What others start, by database.
    pub(super) foreign: BTreeMap<DatabaseId, Foreign>,
    /// Which databases the domain manages itself, and what it says of them.
    pub(super) managed: BTreeMap<DatabaseName, Arc<str>>,
    /// When a process of a role of a database last failed at a peer.
    pub(super) failures: BTreeMap<(DatabaseId, Role, PeerId), Timestamp>,
    /// Where processes of a role of a database cannot run, by what an agent said.
    pub(super) out: BTreeSet<(DatabaseId, Role, PeerId)>,
    pub(super) lapsed: BTreeMap<ActionId, Lapsed>,
    /// What people said that holds for a while, by name.
    pub(super) orders: BTreeMap<Arc<str>, OrderFact>,
    /// When the next of the orders is to be looked at.
    pub(super) next_order: Option<Timestamp>,
    /// Seats that the healer gave up on and a process sits on.
    pub(super) probation: BTreeSet<SlotId>,
    /// Archives that we started something on, by database and peer.
    pub(super) archives: BTreeMap<(DatabaseId, PeerId), Archive>,
    /// Leftovers that are being ended, by the seat whose archive they hold.
    pub(super) clears: BTreeMap<ActionId, SlotId>,
    /// Who is out of reach, by the seat it has a claim to.
    pub(super) away: BTreeMap<SlotId, BTreeSet<ProcessId>>,
    /// Who came and found no seat, and is to be told of.
    pub(super) extra: Vec<Extra>,
    /// Starts that died with the daemon before anything was asked, and were not told of yet.
    pub(super) void: Vec<ActionId>,
    /// Whether a peer was lost since the gates were looked at.
    pub(super) lost_peer: bool,
    /// What was decided lately.
    pub(super) notes: Notes,
    /// Whether it began, now or before it was restored.
    pub(super) has_begun: bool,
    /// Whose facts changed since somebody asked last.
    pub(super) changed: Changed,
}

impl Supervisor {
    /// Returns a supervisor that was told nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            unhealed: Policy::default(),
            gates: Gates::new(),
            watches: Vec::new(),
            slots: Vec::new(),
            seats: Vec::new(),
            busy: BTreeSet::new(),
            touched: BTreeSet::new(),
            actions: BTreeMap::new(),
            dials: BTreeMap::new(),
            inquiries: BTreeMap::new(),
            last_action: 0,
            spent: Spent::default(),
            progress: Progress::default(),
            unresponsive: BTreeMap::new(),
            foreign: BTreeMap::new(),
            managed: BTreeMap::new(),
            failures: BTreeMap::new(),
            out: BTreeSet::new(),
            lapsed: BTreeMap::new(),
            orders: BTreeMap::new(),
            next_order: None,
            probation: BTreeSet::new(),
            archives: BTreeMap::new(),
            clears: BTreeMap::new(),
            away: BTreeMap::new(),
            extra: Vec::new(),
            void: Vec::new(),
            lost_peer: false,
            notes: Notes::default(),
            has_begun: false,
            changed: Changed::default(),
        }
    }

    /// The daemon begins, and every deed of the one before died with it. `act` must follow.
    pub fn begin(
        &mut self,
        now: Moment,
        model: &Model,
        settings: Settings,
        effects: &mut Vec<Effect>,
    ) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.settings.seed = settings.seed;
        }
        self.gates.begin();
        self.lost();
        self.forget_clears(now, model, effects);
        let is_void = |it: &Action| matches!(it.stage, ActionStage::Preparing { .. });
        let void = self.actions.iter().filter(|(_, it)| is_void(it));
        self.void = void.map(|(action, _)| *action).collect();
        self.forget_on_purpose();
        self.configure(now, model, settings, effects);
    }

    /// Takes over changed settings; `act` must follow. Nothing is forgotten, and the seed stays.
    pub fn configure(
        &mut self,
        now: Moment,
        model: &Model,
        settings: Settings,
        effects: &mut Vec<Effect>,
    ) {
        let seed = self.settings.seed;
        let before = std::mem::replace(&mut self.settings, Settings { seed, ..settings });
        self.changed.domain = true;
        if self.settings.planted.has(Mutant::IgnoreReload) {
            self.settings.policies.clone_from(&before.policies);
        }
        let known = model.databases().map(|(id, _)| id);
        let watched: Vec<_> = known.filter(|id| id.index() < self.watches.len()).collect();
        // Who sits where depends on the policies of others too: none may be an earlier one's.
        for id in &watched {
            self.apply_policies(model, *id);
        }
        for id in watched {
            self.note_observed(model, id);
            self.touched.insert(id);
            for row in 0..self.settings.doctrine.roles.len() {
                self.configure_row(now, model, (id, row), effects);
            }
            let name = &model.database(id).name;
            if before.te_options.get(name) != self.settings.te_options.get(name) {
                self.release_options(now, model, id, effects);
            }
        }
        self.stop_probing(now, model, effects);
    }

    pub(super) fn slot(&self, id: SlotId) -> &Slot {
        &self.slots[id.0 as usize]
    }

    /// Returns a slot that is about to change.
    pub(super) fn slot_mut(&mut self, id: SlotId) -> &mut Slot {
        self.changed.slots.insert(id);
        self.notes.touched.insert(id);
        &mut self.slots[id.0 as usize]
    }

    pub(super) fn watch_mut(&mut self, id: DatabaseId) -> &mut Watch {
        &mut self.watches[id.index()]
    }

    /// Puts a slot into a phase, and keeps the books about it.
    pub(super) fn enter(&mut self, id: SlotId, phase: Phase) -> Phase {
        let idle = matches!(phase, Phase::Empty | Phase::Filled(_));
        let free = !matches!(phase, Phase::Filled(_));
        let slot = self.slot_mut(id);
        let (database, ordinal) = (slot.database, slot.ordinal);
        let before = std::mem::replace(&mut slot.phase, phase);
        if idle {
            self.busy.remove(&id);
        } else {
            self.busy.insert(id);
        }
        let (_, row_at) = self.row_of(id);
        let row = self.row_mut(database, row_at);
        if free {
            row.free.insert(ordinal);
        } else {
            row.free.remove(&ordinal);
        }
        if self.slot(id).home.is_some() {
            self.wake_row(database, row_at);
        }
        self.touched.insert(database);
        before
    }

    /// Returns every deed that still awaits an outcome, and whether its request may have left.
    pub fn open_deeds(&self) -> Vec<(ActionId, bool)> {
        let starts = self.actions.iter().map(|(id, it)| {
            let is_preparing = matches!(it.stage, ActionStage::Preparing { .. });
            (*id, !is_preparing)
        });
        starts
            .chain(self.dials.keys().map(|id| (*id, false)))
            .chain(self.inquiries.keys().map(|id| (*id, false)))
            .chain(self.clears.keys().map(|id| (*id, true)))
            .collect()
    }

    pub(super) fn new_action(&mut self) -> ActionId {
        self.changed.domain = true;
        self.last_action += 1;
        ActionId(self.last_action)
    }

    /// Raises an event about a slot.
    pub(super) fn raise(
        &self,
        now: Moment,
        model: &Model,
        kind: Kind,
        about: About,
        effects: &mut Vec<Effect>,
    ) {
        let slot = about.slot.map(|id| self.slot(id));
        let process = about.process.and_then(|id| model.process(id));
        let of_process = process.map(|it| it.database);
        let database = about.database.or(slot.map(|it| it.database)).or(of_process);
        let peer = about.peer.or(process.map(|it| it.peer));
        let peer = peer.map(|id| model.peer(id));
        let subject = Subject {
            peer: peer.map(|it| it.name.clone()),
            agent_id: peer.map(|it| it.agent_id.clone()),
            database: database.and_then(|id| model.database(id).shown_name().cloned()),
            process: process.map(ProcessFacts::of),
            slot: slot.map(|it| it.name().into()),
        };
        let domain = Some(self.settings.domain.clone());
        let mut event = Event::new(now, domain, kind, subject);
        event.text = (!about.text.is_empty()).then(|| Arc::from(about.text));
        event.action = about.action;
        event.cause = about.cause;
        effects.push(Effect::Raise(event));
    }
}

/// What an event of the supervisor's is about.
#[derive(Debug, Default)]
pub(super) struct About {
    pub(super) slot: Option<SlotId>,
    pub(super) database: Option<DatabaseId>,
    pub(super) peer: Option<PeerId>,
    pub(super) action: Option<ActionId>,
    pub(super) process: Option<ProcessId>,
    pub(super) cause: Option<Cause>,
    pub(super) text: String,
}
