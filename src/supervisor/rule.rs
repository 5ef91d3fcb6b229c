//! The rules of starting, in the one order in which they are asked.
//!
//! They are asked when a start is decided, and all of them again when its session stands: what
//! deciding asked, leaving cannot forget. A new rule takes its place in [`Rule::ALL`].

use super::Mode;
use super::facts::{HoldReason, WishFact};
use super::gate::Gate;
use super::state::{SlotId, Supervisor, Vacancy};
use crate::exchange::ActionId;
use crate::model::{Model, PeerId};
use crate::mutation::Mutant;
use crate::time::Timestamp;

/// Something that must be so of a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rule {
    /// Somebody should sit there, or somebody asks for it.
    Wanted,
    /// No person holds it.
    Hold,
    /// Nobody works at it.
    Maintenance,
    /// The healer may do what it has in mind.
    Mode,
    /// The domain is known as it is now, and what is done will be remembered.
    Gates,
    /// Nobody else heals the database.
    Alone,
    /// The domain has not had too many starts lately.
    Budget,
    /// No other start of the database is under way.
    Lane,
    /// It is clear that no person ended its processes.
    Confirm,
    /// The pause is over.
    Pace,
    /// There is something to join.
    Needs,
    /// The peer may take it.
    Peer,
    /// The process that it replaces does not keep it from running there.
    Evidence,
    /// At most one process of the seat may come to life beside it.
    Overlap,
}

impl Rule {
    /// Every rule, in the order in which they are asked: what holds for a whole domain first, then
    /// what holds for a database, a seat, and a place.
    pub(super) const ALL: [Self; 14] = [
        Self::Wanted,
        Self::Hold,
        Self::Maintenance,
        Self::Mode,
        Self::Gates,
        Self::Alone,
        Self::Budget,
        Self::Lane,
        Self::Confirm,
        Self::Pace,
        Self::Needs,
        Self::Peer,
        Self::Evidence,
        Self::Overlap,
    ];
}

/// A start that is thought about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) now: Timestamp,
    pub(super) model: &'a Model,
    pub(super) slot: SlotId,
    /// What is known of the empty seat.
    pub(super) vacancy: &'a Vacancy,
    /// Where; not known before it is decided.
    pub(super) target: Option<PeerId>,
    /// The start itself, if it is under way already and about to leave.
    pub(super) leaving: Option<ActionId>,
}

impl Case<'_> {
    /// Returns the same, at that peer.
    pub(super) const fn at(self, peer: PeerId) -> Self {
        Self {
            target: Some(peer),
            ..self
        }
    }
}

/// What speaks against a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Objection {
    /// The rule that it is by.
    pub(super) rule: Rule,
    /// What can be done about it.
    pub(super) hindrance: Hindrance,
}

impl Objection {
    /// Returns why a start that was decided on does not leave, as a sentence.
    pub(super) fn says(self) -> String {
        let says = match (self.rule, self.hindrance.gate()) {
            (Rule::Wanted, _) => "nobody wants it any more",
            (Rule::Hold, _) => "a person holds it now",
            (Rule::Maintenance, _) => "people work at it now",
            (Rule::Mode, _) => "the mode is another now",
            (Rule::Alone, _) => "somebody else heals the database",
            (Rule::Budget, _) => "the domain had too many starts lately",
            (Rule::Lane, _) => "another start of the database is under way",
            (Rule::Confirm, _) => "others of the database ended as well, maybe by a person",
            (Rule::Pace, _) => "the database is served by now, so there is time",
            (Rule::Needs, "database-down") => "nothing of the database runs now",
            (Rule::Needs, "asking-archives") => "the archives have to be asked again",
            (Rule::Gates | Rule::Needs, gate) => return format!("gate {gate} closed"),
            (Rule::Peer, "maintenance") => "people work at the peer now",
            (Rule::Peer, "peer-unreachable") => "the peer is out of reach now",
            (Rule::Peer, "return-grace") => "the peer was away meanwhile",
            (Rule::Peer, "host-out") => "the agent said that it cannot run there",
            (Rule::Peer, "labels") => "the peer has not the labels that the policy asks for",
            (Rule::Peer, "peer-busy") => "the peer starts something else now",
            (Rule::Peer, _) => "the peer has such a process now",
            (Rule::Evidence | Rule::Overlap, _) => "the one it replaces may be alive",
        };
        says.to_owned()
    }
}

/// What has to be asked before a start is thought about any further.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Query {
    /// Whether the agent of the peer it was on answers us.
    Agent(PeerId),
    /// Which of the archives of its database was used last.
    Archives,
}

impl Query {
    /// Returns what is in the way until it is answered.
    pub(super) const fn obstacle(self) -> Obstacle {
        match self {
            Self::Agent(_) => Obstacle::AskingAgent,
            Self::Archives => Obstacle::AskingArchives,
        }
    }
}

/// What keeps a start from being begun, by what can be done about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hindrance {
    /// First ask something.
    Ask(Query),
    /// Not now.
    Blocked(Blocked),
    /// Not without a person.
    Hold(HoldReason),
}

impl Hindrance {
    /// Returns the gate, as operators know it.
    pub(super) const fn gate(self) -> &'static str {
        match self {
            Self::Ask(query) => query.obstacle().as_str(),
            Self::Blocked(it) => it.by.as_str(),
            Self::Hold(reason) => reason.as_str(),
        }
    }
}

/// Why nothing is done about a slot just now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Blocked {
    /// What is in the way.
    pub(super) by: Obstacle,
    /// When to look again, if time alone can change it.
    pub(super) until: Option<Timestamp>,
}

impl From<Blocked> for Hindrance {
    fn from(blocked: Blocked) -> Self {
        Self::Blocked(blocked)
    }
}

/// What can be in the way of a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Obstacle {
    /// An archive of the database cannot be asked, and may be newer.
    ArchiveUnasked,
    /// A storm is only just over, and another start was begun a moment ago.
    AfterStorm,
    /// Somebody else heals the database.
    AnotherHealer,
    /// The agent of the peer it was on is being asked.
    AskingAgent,
    /// The archives of its database are being asked.
    AskingArchives,
    /// The domain had as many starts lately as it may have.
    Budget,
    /// What holds its archive is being ended.
    ClearingLeftover,
    /// Others of its database are started first.
    ColdStart,
    /// A person may have ended it.
    Confirm,
    /// Nothing of the database runs.
    DatabaseDown,
    /// A gate of the whole domain.
    Gate(Gate),
    /// It cannot run there, by what the agent said.
    HostOut,
    /// The peer has not the labels that the policy asks for.
    Labels,
    /// A person holds it.
    Held,
    /// Another start of the database is under way.
    Lane,
    /// People work at it.
    Maintenance,
    /// More than one process of the seat may come to life beside it.
    MayOverlap,
    /// The healer may not act.
    Mode,
    /// No peer may take it.
    NoPeer,
    /// Another archive of its group is newer.
    NotNewest,
    /// Somebody sits there, or is on the way.
    NotVacant,
    /// The pause between two tries.
    Pace,
    /// The peer starts something else.
    PeerBusy,
    /// The peer has such a process.
    PeerTaken,
    /// The peer is out of reach.
    PeerUnreachable,
    /// A peer has not been there for long enough.
    ReturnGrace,
    /// The one it replaces may be alive, and must never be doubled.
    StrictSiblings,
    /// The peer it was on has not been out of reach for long enough.
    UnreachableGrace,
    /// Nobody wants it.
    Unwanted,
    /// The domain lost the agent, and it answers us.
    ViewsDiffer,
}

impl Obstacle {
    /// Returns the gate, as operators know it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::AfterStorm => "after-storm",
            Self::AnotherHealer => Gate::AnotherHealer.as_str(),
            Self::ArchiveUnasked => "archive-unasked",
            Self::AskingAgent => "asking-agent",
            Self::AskingArchives => "asking-archives",
            Self::Budget => "budget",
            Self::ClearingLeftover => "leftover",
            Self::ColdStart => "cold-start",
            Self::Confirm => "confirm",
            Self::DatabaseDown => "database-down",
            Self::Gate(gate) => gate.as_str(),
            Self::HostOut => "host-out",
            Self::Labels => "labels",
            Self::Held => "held",
            Self::Lane => "lane",
            Self::Maintenance => "maintenance",
            Self::MayOverlap => "may-overlap",
            Self::Mode => "mode",
            Self::NoPeer => "no-peer",
            Self::NotNewest => "not-newest",
            Self::NotVacant => "not-vacant",
            Self::Pace => "pace",
            Self::PeerBusy => "peer-busy",
            Self::PeerTaken => "peer-taken",
            Self::PeerUnreachable => "peer-unreachable",
            Self::ReturnGrace => "return-grace",
            Self::StrictSiblings => "strict-siblings",
            Self::UnreachableGrace => "unreachable-grace",
            Self::Unwanted => "unwanted",
            Self::ViewsDiffer => Gate::ViewsDiffer.as_str(),
        }
    }

    /// Returns that this is in the way, for who knows how long.
    pub(super) const fn blocks(self) -> Blocked {
        Blocked {
            by: self,
            until: None,
        }
    }

    /// Returns that this is in the way until then.
    pub(super) const fn blocks_until(self, at: Timestamp) -> Blocked {
        Blocked {
            by: self,
            until: Some(at),
        }
    }
}

impl Supervisor {
    /// Returns what speaks against a start by the first rule that does.
    pub(super) fn objection(&self, case: &Case<'_>) -> Option<Objection> {
        Rule::ALL.into_iter().find_map(|rule| {
            let hindrance = self.ask_rule(rule, case).err()?;
            Some(Objection { rule, hindrance })
        })
    }

    /// Asks one rule. Those of a place have nothing to say before there is one.
    fn ask_rule(&self, rule: Rule, case: &Case<'_>) -> Result<(), Hindrance> {
        match (rule, case.target) {
            (Rule::Wanted, _) => self.is_called_for(case),
            (Rule::Hold, _) => self.is_let_go(case),
            (Rule::Maintenance, _) => self.is_in_service(case),
            (Rule::Mode, _) => self.mode_allows(case),
            (Rule::Gates, _) => self.gates_open(case),
            (Rule::Alone, _) => self.heals_alone(case),
            (Rule::Budget, _) => self.has_budget(case),
            (Rule::Lane, _) => self.lane_free(case),
            (Rule::Confirm, _) => self.is_confirmed(case),
            (Rule::Pace, _) => self.pause_over(case),
            (Rule::Needs, _) => self.may_join(case),
            (Rule::Peer | Rule::Evidence, None) => Ok(()),
            (Rule::Peer, Some(peer)) => self.may_take(case, peer),
            (Rule::Evidence, Some(peer)) if self.here(case) == Some(peer) => {
                self.may_stay_here(case)
            }
            (Rule::Evidence, Some(_)) => self.may_go_elsewhere(case),
            (Rule::Overlap, _) => self.overlaps_once(case),
        }
    }

    fn is_called_for(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let wish = case.vacancy.wish.as_ref();
        // An empty seat's is given up elsewhere, and told with what it waited for.
        let counts = |it: &WishFact| case.leaving.is_none() || case.now < it.until;
        if self.is_wanted(case.slot) || wish.is_some_and(counts) {
            return Ok(());
        }
        Err(Obstacle::Unwanted.blocks().into())
    }

    /// In the mode `suggest` a start is decided and not begun.
    fn mode_allows(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let may = match self.settings.mode {
            Mode::Heal => true,
            Mode::Observe => false,
            Mode::Suggest => case.leaving.is_none(),
        };
        if may {
            return Ok(());
        }
        Err(Obstacle::Mode.blocks().into())
    }

    fn gates_open(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let planted = self.settings.planted;
        let skips = |it: Gate| it == Gate::NotSynced && planted.has(Mutant::SkipStaleCheck);
        if let Some(closed) = self.closed_gate().filter(|it| !skips(*it)) {
            return Err(Obstacle::Gate(closed).blocks().into());
        }
        // What is under way has its turn already.
        let slowed = self.slowed_until().filter(|_| case.leaving.is_none());
        match slowed.filter(|until| *until > case.now) {
            Some(until) if !planted.has(Mutant::NoStormPace) => {
                Err(Obstacle::AfterStorm.blocks_until(until).into())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn lane_free(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let own = self.slot(case.slot);
        let is_other = |(action, slot): (ActionId, SlotId)| {
            let slot = self.slot(slot);
            let is_same = slot.database == own.database && slot.rule.lane == own.rule.lane;
            Some(action) != case.leaving && is_same
        };
        let mut starts = self.actions.iter().map(|(id, it)| (*id, it.slot));
        if starts.any(is_other) && !self.settings.planted.has(Mutant::NoLane) {
            return Err(Obstacle::Lane.blocks().into());
        }
        Ok(())
    }

    fn is_confirmed(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        let database = self.slot(case.slot).database;
        let until = self.watches[database.index()].confirm_until;
        if until > case.now && !self.settings.planted.has(Mutant::ConfirmNothing) {
            return Err(Obstacle::Confirm.blocks_until(until).into());
        }
        Ok(())
    }

    /// Returns whether no process of the slot's role runs in its database.
    pub(super) fn is_last(&self, case: &Case<'_>) -> bool {
        let slot = self.slot(case.slot);
        case.model.database(slot.database).running(slot.rule.role) == 0
    }
}
