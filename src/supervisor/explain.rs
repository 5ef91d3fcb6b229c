//! Why things are as they are: what was decided, by what evidence, and what is waited for.
//!
//! What holds now is found by asking the very rules that decide; what was decided before is read
//! from what was noted of it. It changes nothing.

mod seat;
mod words;

use std::sync::Arc;

use super::Mode;
use super::facts::{Decision, Extent, OrderFact, OrderKind};
use super::state::{Phase, SlotId, Supervisor};
use crate::model::{
    DatabaseId, DatabaseName, Freshness, Model, PeerId, PeerName, PeerPresence, Process, ProcessId,
    Role,
};
use crate::time::{Moment, Timestamp};

/// More seats or peers than this are counted and not listed.
const LISTED: usize = 20;

/// Why something is as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// What it is about, such as `teas/te/1`.
    pub about: String,
    /// How that is, in a word: that of a slot's phase, of a presence, or of a freshness.
    pub state: &'static str,
    /// How that is, as a sentence.
    pub says: String,
    /// What it is so for, and what is waited for.
    pub because: Vec<Because>,
    /// What was decided lately, the oldest first.
    pub history: Vec<Decision>,
}

/// One reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Because {
    /// The rule or gate, as operators know it.
    pub rule: &'static str,
    /// What it says, as a sentence.
    pub says: String,
    /// Since when, if that is known.
    pub since: Option<Timestamp>,
    /// When it opens or is looked at again, if time alone can change it.
    pub until: Option<Timestamp>,
    /// What a person can do about it.
    pub lift: Option<&'static str>,
}

impl Because {
    pub(super) fn new(rule: &'static str, says: impl Into<String>) -> Self {
        Self {
            rule,
            says: says.into(),
            since: None,
            until: None,
            lift: None,
        }
    }
}

/// What can be explained.
enum Entity {
    Database(DatabaseId),
    Domain,
    /// A process that is gone; the seat it sat on.
    Gone(SlotId),
    Peer(PeerId),
    Process(ProcessId),
    Slot(SlotId),
}

impl Supervisor {
    /// Explains a seat (`DATABASE/te/N`), a database, a peer, a process (`PEER/PID`), or the domain
    /// if nothing is named; `None` if nothing goes by that name.
    pub fn explain(&self, now: Moment, model: &Model, entity: &str) -> Option<Explanation> {
        let explanation = match self.entity(model, entity)? {
            Entity::Database(id) => self.explain_database(now, model, id),
            Entity::Domain => self.explain_domain(now, model),
            Entity::Gone(id) => {
                let of_slot = self.explain_slot(now, model, id);
                let (seat, says) = (of_slot.about, of_slot.says);
                Explanation {
                    about: entity.to_owned(),
                    says: format!("{entity} is gone; it sat on {seat}: {says}"),
                    ..of_slot
                }
            }
            Entity::Peer(id) => self.explain_peer(now, model, id),
            Entity::Process(id) => self.explain_process(now, model, id)?,
            Entity::Slot(id) => self.explain_slot(now, model, id),
        };
        Some(explanation)
    }

    fn entity(&self, model: &Model, entity: &str) -> Option<Entity> {
        if entity.is_empty() {
            return Some(Entity::Domain);
        }
        let peer = |name: &str| model.peer_named(&PeerName::from(name));
        if let Some(id) = peer(entity) {
            return Some(Entity::Peer(id));
        }
        let database = |name: &str| model.database_named(&DatabaseName::from(name));
        if let Some(id) = database(entity) {
            return Some(Entity::Database(id));
        }
        let (first, last) = entity.rsplit_once('/')?;
        if let Ok(pid) = last.parse::<u32>()
            && let Some(at) = peer(first)
        {
            let known = model.process_with(at, pid).map(Entity::Process);
            return known.or_else(|| self.seat_left_by(first, pid).map(Entity::Gone));
        }
        let (name, _) = first.rsplit_once('/')?;
        let mut seats = self.watches.get(database(name)?.index())?.seats();
        let named = |id: &SlotId| *self.full_name(model, *id) == *entity;
        seats.find(named).map(Entity::Slot)
    }

    /// Returns the seat on which a process sat that is gone, as far as that was noted.
    fn seat_left_by(&self, peer: &str, pid: u32) -> Option<SlotId> {
        let is_it = |it: &Decision| {
            let process = it.process.as_ref();
            process.is_some_and(|(at, it)| at.as_str() == peer && *it == pid)
        };
        let log = self.notes.log.iter();
        let mut found = log.filter(|(_, decisions)| decisions.iter().any(is_it));
        found.next_back().map(|(id, _)| *id)
    }

    fn full_name(&self, model: &Model, id: SlotId) -> String {
        let slot = self.slot(id);
        format!("{}/{}", model.database(slot.database).name, slot.name())
    }

    fn explain_domain(&self, now: Moment, model: &Model) -> Explanation {
        let (state, says) = match model.freshness() {
            Freshness::Unknown => ("unknown", "no session to the domain ever stood"),
            Freshness::Stale { .. } => ("stale", "the session is gone; what is known grows old"),
            Freshness::Synced { .. } => ("synced", "its state is known as it changes"),
        };
        let mut because = self.mode_reason();
        because.extend(self.gate_reasons(now, model, None));
        because.extend(self.order_reasons(now, |_| true));
        let slots = (0..).map(SlotId).take(self.slots.len());
        let open = slots.filter(|id| {
            let phase = &self.slot(*id).phase;
            !matches!(phase, Phase::Empty | Phase::Filled(_))
        });
        because.extend(self.seat_reasons(now, model, open));
        if because.is_empty() {
            let says = "everything that is wanted runs, and no gate is closed";
            because.push(Because::new("complete", says));
        }
        Explanation {
            about: self.settings.domain.to_string(),
            state,
            says: says.to_owned(),
            because,
            history: Vec::new(),
        }
    }

    fn mode_reason(&self) -> Vec<Because> {
        let says = match self.settings.mode {
            Mode::Heal => return Vec::new(),
            Mode::Observe => "the mode is observe: nothing is started, and nothing suggested",
            Mode::Suggest => "the mode is suggest: what would be started is only told",
        };
        let lift = Some("set `mode` to \"heal\"");
        vec![Because {
            lift,
            ..Because::new("mode", says)
        }]
    }

    /// Returns every gate that is closed, of the whole domain and for a database.
    fn gate_reasons(
        &self,
        now: Moment,
        model: &Model,
        database: Option<DatabaseId>,
    ) -> impl Iterator<Item = Because> {
        let database = database.map(|id| model.database(id).name.clone());
        let closed = self.closed_gates(now.at, model).into_iter();
        let concerns = closed.filter(move |it| {
            it.database.is_none() || database.is_none() || it.database == database
        });
        concerns.map(|it| Because {
            since: it.since,
            until: it.until,
            lift: super::Gate::named(it.name).and_then(super::Gate::lift),
            ..Because::new(it.name, &*it.text)
        })
    }

    /// Returns what people said that holds and that concerns something.
    fn order_reasons(
        &self,
        now: Moment,
        concerns: impl Fn(&OrderFact) -> bool,
    ) -> impl Iterator<Item = Because> {
        let orders = self.orders().filter(move |it| concerns(it));
        orders.map(move |it| {
            let lasts = it.until.map(|until| until.since(now.wall));
            let why = it.reason.as_deref().map(|it| format!(": {it}"));
            let why = why.unwrap_or_default();
            let lift = match it.kind {
                OrderKind::Hold => Some("`dbwarden release` ends the hold"),
                OrderKind::Maintenance => Some("`dbwarden maintenance end` ends it at once"),
                OrderKind::Announced
                | OrderKind::ColdStart
                | OrderKind::Dead
                | OrderKind::Scale(_)
                | OrderKind::Thaw(_) => None,
            };
            Because {
                since: Some(it.since.at),
                until: lasts.map(|lasts| now.at + lasts),
                lift,
                ..Because::new(it.kind.as_str(), format!("{} by {}{why}", it.name(), it.by))
            }
        })
    }

    /// Returns one line for each seat, and a count of those beyond what is listed.
    fn seat_reasons(
        &self,
        now: Moment,
        model: &Model,
        seats: impl Iterator<Item = SlotId>,
    ) -> Vec<Because> {
        let seats: Vec<SlotId> = seats.collect();
        let listed = seats.iter().take(LISTED);
        let mut because: Vec<Because> =
            listed.map(|id| self.seat_reason(now, model, *id)).collect();
        if seats.len() > LISTED {
            let says = format!("{} further seats", seats.len() - LISTED);
            because.push(Because::new("seat", says));
        }
        because
    }

    fn explain_database(&self, now: Moment, model: &Model, id: DatabaseId) -> Explanation {
        let database = model.database(id);
        let (te, sm) = (database.running(Role::Te), database.running(Role::Sm));
        let Some(watch) = self.watches.get(id.index()) else {
            return Explanation {
                about: database.name.to_string(),
                state: "unknown",
                says: "nothing of it was ever seen".to_owned(),
                because: Vec::new(),
                history: Vec::new(),
            };
        };
        let wanted = self.completeness(now.at, model, id).wanted_te;
        let mut because = Vec::new();
        if !watch.is_healed() {
            let says = "no policy applies to it, so nothing of it is wanted or healed";
            let lift = Some("add a [[policy]] whose `databases` match it");
            because.push(Because {
                lift,
                ..Because::new("policy", says)
            });
        }
        because.extend(self.mode_reason());
        because.extend(self.cold_reason(id));
        because.extend(self.history_reason(now.at, model, id));
        because.extend(self.gate_reasons(now, model, Some(id)));
        let of_seat = |it: &OrderFact| watch.seats().any(|id| self.covers(model, &it.extent, id));
        because.extend(self.order_reasons(now, of_seat));
        because.extend(self.seat_reasons(now, model, watch.seats()));
        Explanation {
            about: database.name.to_string(),
            state: if te > 0 { "active" } else { "inactive" },
            says: format!(
                "transaction engines: {te} running, {wanted} wanted; storage managers: {sm} running"
            ),
            because,
            history: Vec::new(),
        }
    }

    /// Returns that a database is being brought up from nothing, if it is.
    fn cold_reason(&self, id: DatabaseId) -> Option<Because> {
        let cold = &self.watches[id.index()].cold;
        let action = cold.begun_by.filter(|_| cold.is_under_way)?;
        let steps = cold.steps.len();
        let says = format!(
            "it is brought up from nothing since action {action}, in {steps} steps so far: storage \
             managers first, then engines"
        );
        Some(Because::new("cold-start", says))
    }

    fn explain_peer(&self, now: Moment, model: &Model, id: PeerId) -> Explanation {
        let peer = model.peer(id);
        let mut because = Vec::new();
        let (state, says) = match peer.presence {
            PeerPresence::Connected { since } => {
                because.push(Because {
                    since: Some(since),
                    ..Because::new("presence", "the domain reaches it")
                });
                ("connected", "it is there")
            }
            PeerPresence::Unreachable { since } => {
                let says = "the domain does not reach it, and what runs there may live on unseen";
                because.push(Because {
                    since: Some(since),
                    lift: Some("look after its host, its agent and the network between"),
                    ..Because::new("presence", says)
                });
                ("unreachable", "it is out of reach, which is not dead")
            }
        };
        let of_peer = |it: &OrderFact| {
            matches!(&it.extent, Extent::Domain) || it.extent == Extent::Peer(peer.name.clone())
        };
        because.extend(self.order_reasons(now, of_peer));
        let starts = self.actions.iter().filter(|(_, it)| it.target == id);
        for (action, it) in starts {
            let says = format!(
                "action {action} starts {} here",
                self.full_name(model, it.slot)
            );
            because.push(Because {
                until: Some(it.stage.deadline()),
                ..Because::new("peer-busy", says)
            });
        }
        let failed = self.failures.iter().filter(|((_, _, peer), _)| *peer == id);
        for ((database, role, _), at) in failed {
            let lately = self.policy_of(*database, *role).waits.failed_lately;
            if now.at.since(*at) < lately {
                let (name, role) = (&model.database(*database).name, role.as_str());
                let says = format!("a {role} of {name} failed here lately, so others go first");
                because.push(Because {
                    since: Some(*at),
                    until: Some(*at + lately),
                    ..Because::new("failed-lately", says)
                });
            }
        }
        let processes = model.processes_at(id);
        let seats = processes.filter_map(|(process, _)| self.place_of(model, process));
        because.extend(self.seat_reasons(now, model, seats));
        Explanation {
            about: peer.name.to_string(),
            state,
            says: says.to_owned(),
            because,
            history: Vec::new(),
        }
    }

    fn explain_process(&self, now: Moment, model: &Model, id: ProcessId) -> Option<Explanation> {
        let process = model.process(id)?;
        let name = process_name(model, process);
        let is_silent = self.unresponsive(id).is_some();
        let is_up = if is_silent {
            "is there, does not answer at its port,"
        } else if process.is_live() {
            "is there"
        } else {
            "is out of reach"
        };
        let role = process.role.as_str();
        let Some(slot) = self.place_of(model, id) else {
            let why = "it is one more than is wanted; nothing is stopped because of that";
            return Some(Explanation {
                about: name,
                state: if process.is_live() {
                    "live"
                } else {
                    "unreachable"
                },
                says: format!("this {role} {is_up}")
                    .trim_end_matches(',')
                    .to_owned(),
                because: self
                    .silence_of(id)
                    .into_iter()
                    .chain([Because::new("surplus", why)])
                    .collect(),
                history: Vec::new(),
            });
        };
        let mut of_slot = self.explain_slot(now, model, slot);
        of_slot.because.splice(..0, self.silence_of(id));
        let sits = matches!(self.slot(slot).phase, Phase::Filled(it) if it == id);
        let seat = self.full_name(model, slot);
        let says = if sits && is_silent {
            format!("this {role} {is_up} and sits on {seat}; nothing is done about it")
        } else if sits {
            format!("this {role} {is_up} and sits on {seat}; nothing is to be done")
        } else {
            format!(
                "this {role} {is_up} and may come back to {seat}: {}",
                of_slot.says
            )
        };
        Some(Explanation {
            about: name,
            says,
            ..of_slot
        })
    }

    /// Says of a process that it does not answer at its port, if that is so.
    fn silence_of(&self, id: ProcessId) -> Option<Because> {
        let silence = self.unresponsive(id)?;
        let says = format!("no answer at its port: {}", silence.reason);
        Some(Because {
            since: Some(silence.since),
            ..Because::new("unresponsive", says)
        })
    }
}

fn process_name(model: &Model, process: &Process) -> String {
    format!("{}/{}", model.peer(process.peer).name, process.pid)
}

/// Names a process for a sentence.
fn named(process: Option<&(PeerName, u32)>) -> Arc<str> {
    let known = process.map(|(peer, pid)| format!("{peer}/{pid}"));
    known.unwrap_or_else(|| "a process".to_owned()).into()
}
