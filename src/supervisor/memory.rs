//! What a supervisor remembers: facts out of what it keeps, and back again.
//!
//! What follows from other facts is none: which seats are free, which slots need a look, which
//! policy applies. What died with the daemon is none either: a question that was on its way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Settings;
use super::facts::{
    ActionFact, ActionStage, AgentFact, DatabaseFact, DomainFact, EvidenceFact, Fact, FactKey,
    FailureFact, LapsedFact, PhaseFact, ProcessFact, SlotFact, VacancyFact,
};
use super::gate::Gate;
use super::state::{Action, Agent, Evidence, Lapsed, Phase, SlotId, Supervisor, Told, Vacancy};
use crate::exchange::ActionId;
use crate::model::{
    DatabaseId, DatabaseName, KnownDomain, KnownProcess, Life, Model, PeerId, PeerName, ProcessId,
    Role,
};
use crate::time::Timestamp;

/// Whose facts changed.
#[derive(Clone, Debug, Default)]
pub struct Changed {
    /// Those of the domain as a whole.
    pub domain: bool,
    /// Those of these databases.
    pub databases: BTreeSet<DatabaseId>,
    /// Those of these processes, by peer and pid; they may be gone.
    pub processes: BTreeSet<(PeerId, u32)>,
    pub(super) actions: BTreeSet<ActionId>,
    pub(super) failures: BTreeSet<(DatabaseId, PeerId)>,
    pub(super) lapsed: BTreeSet<ActionId>,
    pub(super) slots: BTreeSet<SlotId>,
}

/// A name in a fact that nothing known goes by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dangling {
    /// The fact.
    pub fact: FactKey,
    /// What is missing, such as `the peer db1:48004`.
    pub missing: String,
}

impl Supervisor {
    /// Returns whose facts changed since the last call.
    pub fn drain_changed(&mut self) -> Changed {
        std::mem::take(&mut self.changed)
    }

    /// Returns the facts that changed and that the supervisor alone knows of, with their keys.
    pub fn changed_facts<'a>(
        &'a self,
        model: &'a Model,
        changed: &'a Changed,
    ) -> impl Iterator<Item = (FactKey, Option<Fact>)> + 'a {
        let some = |fact: Fact| (fact.key(), Some(fact));
        let slots = changed.slots.iter().map(|id| self.slot_fact(model, *id));
        let actions = changed.actions.iter().map(|action| {
            let fact = self.actions.get(action);
            let fact = fact.map(|it| self.action_fact(model, *action, it));
            (FactKey::action(*action), fact)
        });
        let failures = changed.failures.iter().map(|(database, peer)| {
            let at = self.failures.get(&(*database, *peer));
            let fact = failure_fact(model, *database, *peer, at.copied().unwrap_or_default());
            (fact.key(), at.is_some().then_some(fact))
        });
        let lapsed = changed.lapsed.iter().map(|action| {
            let fact = self.lapsed.get(action);
            let fact = fact.map(|it| lapsed_fact(model, *action, it));
            (FactKey::lapsed(*action), fact)
        });
        let slots = slots.map(some);
        slots.chain(actions).chain(failures).chain(lapsed)
    }

    /// Returns every fact that the supervisor alone knows of.
    pub fn facts<'a>(&'a self, model: &'a Model) -> impl Iterator<Item = Fact> + 'a {
        let slots = (0..).map(SlotId).take(self.slots.len());
        let slots = slots.map(|id| self.slot_fact(model, id));
        let actions = self.actions.iter();
        let actions = actions.map(|(action, it)| self.action_fact(model, *action, it));
        let failures = self.failures.iter();
        let failures =
            failures.map(|((database, peer), at)| failure_fact(model, *database, *peer, *at));
        let lapsed = self.lapsed.iter();
        let lapsed = lapsed.map(|(action, it)| lapsed_fact(model, *action, it));
        slots.chain(actions).chain(failures).chain(lapsed)
    }

    /// Returns the facts of the domain as a whole, as far as the supervisor knows them.
    pub fn domain_fact(&self, known: KnownDomain) -> DomainFact {
        let told = |it: &Gate| *it != Gate::Journal && self.gates.told[*it as usize];
        DomainFact {
            known,
            told_loss: None,
            told_closed: Gate::ALL.into_iter().filter(told).collect(),
            memory_lost: self.gates.memory_lost,
            recovered_until: self.gates.recovered_until,
            last_action: ActionId(self.last_action),
            seed: self.settings.seed,
            generation: self.settings.generation,
        }
    }

    /// Returns the facts of a database.
    pub fn database_fact(&self, model: &Model, id: DatabaseId) -> Fact {
        let watch = self.watches.get(id.index());
        Fact::Database(DatabaseFact {
            known: model.known_database(id),
            exits: watch.map_or_else(Vec::new, |it| it.exits.iter().copied().collect()),
            confirm_until: watch.map_or(Timestamp::ZERO, |it| it.confirm_until),
            told_degraded: watch.is_some_and(|it| it.degraded),
        })
    }

    /// Returns the facts of a process.
    pub fn process_fact(&self, known: KnownProcess, id: ProcessId) -> Fact {
        let seat = self.seats.get(id.index()).copied().flatten();
        let seat = seat.map(|slot| self.slot(slot).ordinal);
        Fact::Process(ProcessFact { known, seat })
    }

    fn slot_fact(&self, model: &Model, id: SlotId) -> Fact {
        let slot = self.slot(id);
        let name = |peer: PeerId| model.peer(peer).name.clone();
        let phase = match &slot.phase {
            Phase::Acting { action, vacancy } => PhaseFact::Acting {
                action: *action,
                vacancy: vacancy_fact(model, vacancy),
            },
            Phase::Empty => PhaseFact::Empty,
            Phase::Filled(process) => {
                let process = model.process(*process);
                let process = process.expect("a process leaves its seat when it ends");
                PhaseFact::Filled {
                    peer: name(process.peer),
                    pid: process.pid,
                }
            }
            Phase::Held { reason, again } => PhaseFact::Held {
                reason: *reason,
                again: *again,
            },
            Phase::Leaving { until, peer } => PhaseFact::Leaving {
                until: *until,
                peer: name(*peer),
            },
            Phase::Vacant(vacancy) => PhaseFact::Vacant(vacancy_fact(model, vacancy)),
        };
        Fact::Slot(SlotFact {
            database: model.database(slot.database).name.clone(),
            ordinal: slot.ordinal,
            number: id.0,
            observed: slot.observed,
            tries: slot.tries,
            phase,
        })
    }

    fn action_fact(&self, model: &Model, action: ActionId, it: &Action) -> Fact {
        let slot = self.slot(it.slot);
        Fact::Action(ActionFact {
            action,
            database: model.database(slot.database).name.clone(),
            ordinal: slot.ordinal,
            target: model.peer(it.target).name.clone(),
            stage: it.stage,
            start_id: it.start_id.clone(),
            by: it.by.clone(),
        })
    }
}

fn failure_fact(model: &Model, database: DatabaseId, peer: PeerId, at: Timestamp) -> Fact {
    Fact::Failure(FailureFact {
        database: model.database(database).name.clone(),
        peer: model.peer(peer).name.clone(),
        at,
    })
}

fn lapsed_fact(model: &Model, action: ActionId, it: &Lapsed) -> Fact {
    Fact::Lapsed(LapsedFact {
        action,
        database: model.database(it.database).name.clone(),
        peer: model.peer(it.peer).name.clone(),
        start_id: it.start_id.clone(),
        at: it.at,
    })
}

fn vacancy_fact(model: &Model, vacancy: &Vacancy) -> VacancyFact {
    let name = |peer: PeerId| model.peer(peer).name.clone();
    VacancyFact {
        since: vacancy.since,
        pause_from: vacancy.pause.0,
        pause_until: vacancy.pause.1,
        evidence: match vacancy.evidence {
            Evidence::Declared => EvidenceFact::Declared,
            Evidence::Exit { peer } => EvidenceFact::Exit { peer: name(peer) },
            Evidence::Unreachable { peer, life } => EvidenceFact::Unreachable {
                peer: name(peer),
                life: life.number(),
            },
            Evidence::Vanished { peer } => EvidenceFact::Vanished { peer: name(peer) },
        },
        agent: match vacancy.agent {
            Agent::Answers { at } => AgentFact::Answers { at },
            Agent::Asked(_) | Agent::Unasked => AgentFact::Unasked,
            Agent::Silent => AgentFact::Silent,
        },
        told_blocked: vacancy.told.blocked,
        told_suggested: vacancy.told.suggested,
        wish: vacancy.wish.clone(),
    }
}

/// Facts that are being read back, and what they are about.
struct Reading<'a> {
    model: &'a Model,
    peers: BTreeMap<&'a PeerName, PeerId>,
    supervisor: Supervisor,
}

impl Supervisor {
    /// Returns a supervisor of this model that remembers `facts`, in whatever order.
    ///
    /// # Errors
    ///
    /// Fails if a fact names something that is not known.
    pub fn restore(settings: Settings, model: &Model, facts: Vec<Fact>) -> Result<Self, Dangling> {
        let mut reading = Reading {
            model,
            peers: model.peers().map(|(id, it)| (&it.name, id)).collect(),
            supervisor: Self::new(settings),
        };
        // Seats first, then who sits on them.
        let mut slots = Vec::new();
        let mut rest = Vec::new();
        for fact in facts {
            match fact {
                Fact::Domain(it) => reading.domain(&it),
                Fact::Peer(_) => (),
                Fact::Slot(it) => slots.push(it),
                Fact::Action(_)
                | Fact::Database(_)
                | Fact::Failure(_)
                | Fact::Lapsed(_)
                | Fact::Process(_) => rest.push(fact),
            }
        }
        slots.sort_by_key(|it| it.number);
        for (_, database) in model.databases() {
            reading.supervisor.watch_next(&database.name);
        }
        for slot in slots {
            reading.slot(slot)?;
        }
        for fact in rest {
            reading.rest(fact)?;
        }
        let mut supervisor = reading.supervisor;
        supervisor.take_stock(model);
        // What the settings add is new; all else is as it was recorded.
        supervisor.changed = Changed::default();
        for (id, _) in model.databases() {
            supervisor.declare_seats(id);
        }
        Ok(supervisor)
    }

    /// Finds out again what follows from the facts.
    fn take_stock(&mut self, model: &Model) {
        for (id, process) in model.processes() {
            let is_seated = self.seats.get(id.index()).copied().flatten().is_some();
            if process.role == Role::Te && !is_seated {
                let surplus = &mut self.watch_mut(process.database).surplus;
                surplus.insert((process.life, id));
            }
        }
        let stages = self.actions.iter();
        let is_void = |it: &Action| matches!(it.stage, ActionStage::Preparing { .. });
        self.void = stages
            .filter(|(_, it)| is_void(it))
            .map(|(action, _)| *action)
            .collect();
    }
}

impl Reading<'_> {
    fn domain(&mut self, fact: &DomainFact) {
        let supervisor = &mut self.supervisor;
        supervisor.last_action = fact.last_action.0;
        supervisor.settings.seed = fact.seed;
        supervisor.gates.memory_lost = fact.memory_lost;
        supervisor.gates.recovered_until = fact.recovered_until;
        for gate in Gate::ALL {
            supervisor.gates.told[gate as usize] = fact.told_closed.contains(&gate);
        }
    }

    fn slot(&mut self, fact: SlotFact) -> Result<(), Dangling> {
        let key = Fact::Slot(fact.clone()).key();
        let database = self.database(&key, &fact.database)?;
        let seats = self.supervisor.watches[database.index()].seats.len();
        if seats != fact.ordinal as usize {
            let missing = format!("a seat te/{} of that database", seats + 1);
            return Err(Dangling { fact: key, missing });
        }
        let phase = self.phase(&key, fact.phase)?;
        let id = self.supervisor.add_seat(database);
        let slot = self.supervisor.slot_mut(id);
        slot.observed = fact.observed;
        slot.tries = fact.tries;
        self.supervisor.enter(id, phase);
        Ok(())
    }

    fn phase(&self, key: &FactKey, fact: PhaseFact) -> Result<Phase, Dangling> {
        Ok(match fact {
            PhaseFact::Acting { action, vacancy } => Phase::Acting {
                action,
                vacancy: Box::new(self.vacancy(key, vacancy)?),
            },
            PhaseFact::Empty => Phase::Empty,
            PhaseFact::Filled { peer, pid } => {
                let at = self.peer(key, &peer)?;
                let Some(process) = self.model.process_with(at, pid) else {
                    let missing = format!("the process {peer}/{pid}");
                    let fact = key.clone();
                    return Err(Dangling { fact, missing });
                };
                Phase::Filled(process)
            }
            PhaseFact::Held { reason, again } => Phase::Held { reason, again },
            PhaseFact::Leaving { until, peer } => Phase::Leaving {
                until,
                peer: self.peer(key, &peer)?,
            },
            PhaseFact::Vacant(vacancy) => Phase::Vacant(Box::new(self.vacancy(key, vacancy)?)),
        })
    }

    fn vacancy(&self, key: &FactKey, fact: VacancyFact) -> Result<Vacancy, Dangling> {
        let evidence = match fact.evidence {
            EvidenceFact::Declared => Evidence::Declared,
            EvidenceFact::Exit { peer } => Evidence::Exit {
                peer: self.peer(key, &peer)?,
            },
            EvidenceFact::Unreachable { peer, life } => Evidence::Unreachable {
                peer: self.peer(key, &peer)?,
                life: Life::of(life),
            },
            EvidenceFact::Vanished { peer } => Evidence::Vanished {
                peer: self.peer(key, &peer)?,
            },
        };
        Ok(Vacancy {
            pause: (fact.pause_from, fact.pause_until),
            agent: match fact.agent {
                AgentFact::Answers { at } => Agent::Answers { at },
                AgentFact::Silent => Agent::Silent,
                AgentFact::Unasked => Agent::Unasked,
            },
            told: Told {
                blocked: fact.told_blocked,
                suggested: fact.told_suggested,
            },
            wish: fact.wish,
            // To be looked at as soon as time passes.
            ..Vacancy::new(fact.since, evidence)
        })
    }

    fn rest(&mut self, fact: Fact) -> Result<(), Dangling> {
        let key = fact.key();
        match fact {
            Fact::Action(it) => {
                let database = self.database(&key, &it.database)?;
                let action = Action {
                    slot: self.seat(&key, database, it.ordinal)?,
                    target: self.peer(&key, &it.target)?,
                    stage: it.stage,
                    start_id: it.start_id,
                    by: it.by,
                };
                self.supervisor.actions.insert(it.action, action);
            }
            Fact::Database(it) => {
                let database = self.database(&key, &it.known.name)?;
                let watch = self.supervisor.watch_mut(database);
                watch.exits = VecDeque::from(it.exits);
                watch.confirm_until = it.confirm_until;
                watch.degraded = it.told_degraded;
            }
            Fact::Failure(it) => {
                let at = (
                    self.database(&key, &it.database)?,
                    self.peer(&key, &it.peer)?,
                );
                self.supervisor.failures.insert(at, it.at);
            }
            Fact::Lapsed(it) => {
                let lapsed = Lapsed {
                    database: self.database(&key, &it.database)?,
                    peer: self.peer(&key, &it.peer)?,
                    start_id: it.start_id,
                    at: it.at,
                };
                self.supervisor.lapsed.insert(it.action, lapsed);
            }
            Fact::Process(it) => {
                let Some(ordinal) = it.seat else {
                    return Ok(());
                };
                let peer = self.peer(&key, &it.known.peer)?;
                let database = self.database(&key, &it.known.database)?;
                let slot = self.seat(&key, database, ordinal)?;
                if let Some(process) = self.model.process_with(peer, it.known.pid) {
                    self.supervisor.give_seat(process, slot);
                }
            }
            Fact::Domain(_) | Fact::Peer(_) | Fact::Slot(_) => (),
        }
        Ok(())
    }

    fn peer(&self, key: &FactKey, name: &PeerName) -> Result<PeerId, Dangling> {
        self.peers.get(name).copied().ok_or_else(|| Dangling {
            fact: key.clone(),
            missing: format!("the peer {name}"),
        })
    }

    fn database(&self, key: &FactKey, name: &DatabaseName) -> Result<DatabaseId, Dangling> {
        self.model.database_named(name).ok_or_else(|| Dangling {
            fact: key.clone(),
            missing: format!("the database {name}"),
        })
    }

    fn seat(&self, key: &FactKey, database: DatabaseId, ordinal: u32) -> Result<SlotId, Dangling> {
        let seats = &self.supervisor.watches[database.index()].seats;
        let seat = seats.get(ordinal as usize).copied();
        seat.ok_or_else(|| Dangling {
            fact: key.clone(),
            missing: format!("the seat te/{} of that database", ordinal + 1),
        })
    }
}
