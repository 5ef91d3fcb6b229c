//! A supervisor out of facts.

use std::collections::{BTreeMap, VecDeque};

use super::{Changed, Dangling};
use crate::model::{DatabaseId, DatabaseName, Life, Model, PeerId, PeerName, Presence, Role};
use crate::mutation::Mutant;
use crate::supervisor::Settings;
use crate::supervisor::cold::Cold;
use crate::supervisor::facts::{
    AgentFact, DatabaseFact, DomainFact, EvidenceFact, Fact, FactKey, PhaseFact, ProcessFact,
    SlotFact, VacancyFact, slot_name,
};
use crate::supervisor::gate::{Foreign, Gate};
use crate::supervisor::given_up::GivenUp;
use crate::supervisor::overlap::Unproven;
use crate::supervisor::state::{
    Action, Agent, Evidence, Lapsed, Phase, SlotId, Supervisor, Told, Vacancy,
};

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
                | Fact::Decisions(_)
                | Fact::Archive(_)
                | Fact::Failure(_)
                | Fact::Lapsed(_)
                | Fact::Order(_)
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
        supervisor.has_begun = true;
        // All is as it was recorded; what the settings add comes when the daemon begins.
        supervisor.changed = Changed::default();
        supervisor.notes.touched.clear();
        Ok(supervisor)
    }

    /// Finds out again what follows from the facts.
    fn take_stock(&mut self, model: &Model) {
        for (id, process) in model.processes() {
            match self.seat_of(id) {
                Some(slot) => {
                    let sits = matches!(self.slot(slot).phase, Phase::Filled(it) if it == id);
                    let is_away = matches!(process.presence, Presence::Unreachable { .. });
                    if !sits && !is_away {
                        // Another took its seat.
                        if let Some(row) = self.row_for(process) {
                            row.surplus.insert((process.life, id));
                        }
                    } else if !sits {
                        self.note_away(slot, id);
                    }
                }
                None => {
                    if let Some(row) = self.row_for(process) {
                        row.surplus.insert((process.life, id));
                    }
                }
            }
        }
    }
}

impl Reading<'_> {
    fn domain(&mut self, fact: &DomainFact) {
        let supervisor = &mut self.supervisor;
        supervisor.last_action = fact.last_action.0;
        supervisor.settings.seed = fact.seed;
        supervisor.settings.generation = fact.generation;
        supervisor.recall_managed(&fact.managed);
        supervisor.gates.memory_lost = fact.memory_lost;
        supervisor.gates.recovered_until = fact.recovered_until;
        supervisor.gates.minority_since = fact.minority_since;
        supervisor.gates.storm = fact.storm;
        supervisor.spent.starts = fact.spent.iter().copied().collect();
        for gate in Gate::ALL {
            supervisor.gates.told[gate as usize] = fact.told_closed.contains(&gate);
        }
    }

    fn slot(&mut self, fact: SlotFact) -> Result<(), Dangling> {
        let key = Fact::Slot(fact.clone()).key();
        let database = self.database(&key, &fact.database)?;
        let row = self.row(&key, fact.role)?;
        let seats = self.supervisor.watches[database.index()].rows[row]
            .seats
            .len();
        if seats != fact.ordinal as usize {
            let name = format!("{}/{}", fact.role.word(), seats + 1);
            let missing = format!("a seat {name} of that database");
            return Err(Dangling { fact: key, missing });
        }
        let home = fact.home.map(|it| self.peer(&key, &it)).transpose()?;
        let phase = self.phase(&key, fact.phase)?;
        let unproven = match fact.unproven {
            Some((peer, at)) => Some(Unproven {
                peer: self.peer(&key, &peer)?,
                at,
            }),
            None => None,
        };
        let id = self.supervisor.add_seat(database, row, home);
        let slot = self.supervisor.slot_mut(id);
        slot.observed = fact.observed;
        slot.tries = fact.tries;
        slot.ran = fact.ran;
        slot.unproven = unproven;
        let given_up = fact.given_up;
        slot.given_up = given_up.map(|(reason, ends)| GivenUp { reason, ends });
        if given_up.is_some() {
            self.supervisor.probation.insert(id);
        }
        let clearing = fact.clearing.map(|action| (action, id));
        self.supervisor.clears.extend(clearing);
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
            PhaseFact::Held {
                reason,
                again,
                vacancy,
            } => Phase::Held {
                reason,
                again,
                vacancy: vacancy
                    .map(|it| self.vacancy(key, it).map(Box::new))
                    .transpose()?,
            },
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
            not_ready_at: match fact.not_ready_at {
                Some(peer) => Some(self.peer(key, &peer)?),
                None => None,
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
                    slot: self.seat(&key, database, it.role, it.ordinal)?,
                    target: self.peer(&key, &it.target)?,
                    agent: it.agent,
                    stage: it.stage,
                    start_id: it.start_id,
                    by: it.by,
                };
                self.supervisor.actions.insert(it.action, action);
            }
            Fact::Archive(it) => {
                let peer = self.peer(&key, &it.archive.peer)?;
                let at = (self.database(&key, &it.database)?, peer);
                self.supervisor.archives.insert(at, it.archive);
            }
            Fact::Database(it) => self.watched(&key, it)?,
            Fact::Decisions(it) => {
                let database = self.database(&key, &it.database)?;
                let slot = self.seat(&key, database, it.role, it.ordinal)?;
                let log = VecDeque::from(it.decisions);
                self.supervisor.notes.log.insert(slot, log);
            }
            Fact::Failure(_) if self.supervisor.settings.planted.has(Mutant::ForgetFailures) => (),
            Fact::Failure(it) => {
                let at = (
                    self.database(&key, &it.database)?,
                    it.role,
                    self.peer(&key, &it.peer)?,
                );
                self.supervisor.failures.insert(at, it.at);
                if it.is_out {
                    self.supervisor.out.insert(at);
                }
            }
            Fact::Lapsed(it) => {
                let database = self.database(&key, &it.database)?;
                let seat = it.ordinal;
                let seat = seat.map(|seat| self.seat(&key, database, it.role, seat));
                let lapsed = Lapsed {
                    slot: seat.transpose()?,
                    database,
                    role: it.role,
                    peer: self.peer(&key, &it.peer)?,
                    agent: it.agent,
                    start_id: it.start_id,
                    at: it.at,
                };
                self.supervisor.lapsed.insert(it.action, lapsed);
            }
            Fact::Order(it) => self.supervisor.keep_order(self.model, it),
            Fact::Process(it) => self.process(&key, &it)?,
            Fact::Domain(_) | Fact::Peer(_) | Fact::Slot(_) => (),
        }
        Ok(())
    }

    fn watched(&mut self, key: &FactKey, it: DatabaseFact) -> Result<(), Dangling> {
        let database = self.database(key, &it.known.name)?;
        let watch = self.supervisor.watch_mut(database);
        watch.exits = VecDeque::from(it.exits);
        watch.confirm_until = it.confirm_until;
        watch.degraded = it.told_degraded;
        watch.storage_lost = it.storage_lost;
        watch.cold = Cold {
            is_under_way: it.cold.is_under_way,
            begun_by: it.cold.begun_by,
            steps: it.cold.steps.into_iter().collect(),
            is_asked_for: it.cold.is_asked_for,
            accepted: it.cold.accepted.into_iter().collect(),
        };
        for row in &mut watch.rows {
            let said = match row.rule.role {
                Role::Te => it.keeps_observed,
                role @ (Role::Sm | Role::Named(_)) => Some(it.seats_others.contains(&role)),
            };
            row.seats_all = said.unwrap_or(row.seats_all);
        }
        if it.foreign != Foreign::default() {
            self.supervisor.foreign.insert(database, it.foreign);
        }
        Ok(())
    }

    fn process(&mut self, key: &FactKey, it: &ProcessFact) -> Result<(), Dangling> {
        let peer = self.peer(key, &it.known.peer)?;
        let process = self.model.process_with(peer, it.known.pid);
        if let Some((process, starting)) = process.zip(it.starting) {
            let model = self.model;
            self.supervisor.note_starting(model, process, starting);
        }
        let unresponsive = process.zip(it.unresponsive.clone());
        self.supervisor.unresponsive.extend(unresponsive);
        let Some(ordinal) = it.seat else {
            return Ok(());
        };
        let database = self.database(key, &it.known.database)?;
        let slot = self.seat(key, database, it.known.role, ordinal)?;
        if let Some(process) = process {
            self.supervisor.give_seat(process, slot);
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

    /// Returns which row of the doctrine that role has.
    fn row(&self, key: &FactKey, role: Role) -> Result<usize, Dangling> {
        let row = self.supervisor.settings.doctrine.row(role);
        row.ok_or_else(|| Dangling {
            fact: key.clone(),
            missing: format!("the role {}", role.as_str()),
        })
    }

    fn seat(
        &self,
        key: &FactKey,
        database: DatabaseId,
        role: Role,
        ordinal: u32,
    ) -> Result<SlotId, Dangling> {
        let row = self.row(key, role)?;
        let seats = &self.supervisor.watches[database.index()].rows[row].seats;
        let seat = seats.get(ordinal as usize).copied();
        seat.ok_or_else(|| Dangling {
            fact: key.clone(),
            missing: format!("the seat {} of that database", slot_name(role, ordinal)),
        })
    }
}
