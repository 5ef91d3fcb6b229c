//! Facts out of what a supervisor keeps.

use super::Changed;
use crate::exchange::ActionId;
use crate::model::{DatabaseId, KnownDomain, KnownProcess, Model, PeerId, ProcessId, Role};
use crate::supervisor::facts::{
    ActionFact, AgentFact, ArchiveFact, ColdFact, DatabaseFact, DecisionsFact, DomainFact,
    EvidenceFact, Fact, FactKey, FactKind, FailureFact, LapsedFact, PhaseFact, ProcessFact,
    SlotFact, VacancyFact,
};
use crate::supervisor::gate::Gate;
use crate::supervisor::state::{
    Action, Agent, Evidence, Lapsed, Phase, SlotId, Supervisor, Vacancy,
};
use crate::time::Timestamp;

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
        let failures = changed.failures.iter().map(|key| {
            let at = self.failures.get(key);
            let fact = self.failure_fact(model, *key, at.copied().unwrap_or_default());
            (fact.key(), at.is_some().then_some(fact))
        });
        let lapsed = changed.lapsed.iter().map(|action| {
            let fact = self.lapsed.get(action);
            let fact = fact.map(|it| self.lapsed_fact(model, *action, it));
            (FactKey::lapsed(*action), fact)
        });
        let orders = changed.orders.iter().map(|name| {
            let fact = self.orders.get(name).cloned().map(Fact::Order);
            (FactKey::new(FactKind::Order, name.clone()), fact)
        });
        let archives = changed.archives.iter();
        let archives = archives.filter_map(|key| self.archive_fact(model, *key));
        let decisions = changed.decisions.iter();
        let decisions = decisions.map(|id| self.decisions_fact(model, *id));
        let slots = slots.chain(archives).chain(decisions).map(some);
        slots
            .chain(actions)
            .chain(failures)
            .chain(lapsed)
            .chain(orders)
    }

    /// Returns every fact that the supervisor alone knows of.
    pub fn facts<'a>(&'a self, model: &'a Model) -> impl Iterator<Item = Fact> + 'a {
        let slots = (0..).map(SlotId).take(self.slots.len());
        let slots = slots.map(|id| self.slot_fact(model, id));
        let actions = self.actions.iter();
        let actions = actions.map(|(action, it)| self.action_fact(model, *action, it));
        let failures = self.failures.iter();
        let failures = failures.map(|(key, at)| self.failure_fact(model, *key, *at));
        let lapsed = self.lapsed.iter();
        let lapsed = lapsed.map(|(action, it)| self.lapsed_fact(model, *action, it));
        let orders = self.orders().cloned().map(Fact::Order);
        let archives = self.archives.keys();
        let archives = archives.filter_map(|key| self.archive_fact(model, *key));
        let decisions = self.notes.log.keys();
        let decisions = decisions.map(|id| self.decisions_fact(model, *id));
        let slots = slots.chain(archives).chain(decisions);
        slots
            .chain(actions)
            .chain(failures)
            .chain(lapsed)
            .chain(orders)
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
            minority_since: self.gates.minority_since,
            storm: self.gates.storm,
            managed: self.managed().collect(),
            spent: self.spent.starts.iter().copied().collect(),
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
            keeps_observed: watch.map(|it| {
                let mut rows = it.rows.iter();
                rows.any(|row| row.rule.role == Role::Te && row.seats_all)
            }),
            cold: watch.map_or_else(ColdFact::default, |it| ColdFact {
                is_under_way: it.cold.is_under_way,
                begun_by: it.cold.begun_by,
                steps: it.cold.steps.iter().copied().collect(),
                is_asked_for: it.cold.is_asked_for,
                accepted: it.cold.accepted.iter().cloned().collect(),
            }),
            seats_others: watch.map_or_else(Vec::new, |it| {
                let rows = it.rows.iter().filter(|row| row.seats_all);
                let roles = rows.map(|row| row.rule.role);
                roles.filter(|role| *role != Role::Te).collect()
            }),
            storage_lost: watch.and_then(|it| it.storage_lost),
            foreign: self.foreign.get(&id).cloned().unwrap_or_default(),
        })
    }

    /// Returns the facts of a process.
    pub fn process_fact(&self, known: KnownProcess, id: ProcessId) -> Fact {
        let seat = self.seats.get(id.index()).copied().flatten();
        let seat = seat.map(|slot| self.slot(slot).ordinal);
        Fact::Process(ProcessFact {
            known,
            seat,
            starting: self.progress.of(id),
            unresponsive: self.unresponsive.get(&id).cloned(),
        })
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
            Phase::Held {
                reason,
                again,
                vacancy,
            } => PhaseFact::Held {
                reason: *reason,
                again: *again,
                vacancy: vacancy.as_deref().map(|it| vacancy_fact(model, it)),
            },
            Phase::Leaving { until, peer } => PhaseFact::Leaving {
                until: *until,
                peer: name(*peer),
            },
            Phase::Vacant(vacancy) => PhaseFact::Vacant(vacancy_fact(model, vacancy)),
        };
        Fact::Slot(SlotFact {
            database: model.database(slot.database).name.clone(),
            role: slot.rule.role,
            ordinal: slot.ordinal,
            home: slot.home.map(name),
            ran: slot.ran.clone(),
            number: id.0,
            observed: slot.observed,
            tries: slot.tries,
            unproven: slot.unproven.map(|it| (name(it.peer), it.at)),
            given_up: slot.given_up.map(|it| (it.reason, it.ends)),
            clearing: self.clearing(id),
            phase,
        })
    }

    fn decisions_fact(&self, model: &Model, id: SlotId) -> Fact {
        let slot = self.slot(id);
        Fact::Decisions(DecisionsFact {
            database: model.database(slot.database).name.clone(),
            role: slot.rule.role,
            ordinal: slot.ordinal,
            decisions: self.decisions(id).cloned().collect(),
        })
    }

    fn action_fact(&self, model: &Model, action: ActionId, it: &Action) -> Fact {
        let slot = self.slot(it.slot);
        Fact::Action(ActionFact {
            action,
            database: model.database(slot.database).name.clone(),
            role: slot.rule.role,
            ordinal: slot.ordinal,
            target: model.peer(it.target).name.clone(),
            agent: it.agent.clone(),
            stage: it.stage,
            start_id: it.start_id.clone(),
            by: it.by.clone(),
        })
    }

    fn failure_fact(&self, model: &Model, key: (DatabaseId, Role, PeerId), at: Timestamp) -> Fact {
        let (database, role, peer) = key;
        Fact::Failure(FailureFact {
            database: model.database(database).name.clone(),
            role,
            peer: model.peer(peer).name.clone(),
            at,
            is_out: self.out.contains(&key),
        })
    }

    fn archive_fact(&self, model: &Model, key: (DatabaseId, PeerId)) -> Option<Fact> {
        let archive = self.archives.get(&key)?.clone();
        let database = model.database(key.0).name.clone();
        Some(Fact::Archive(ArchiveFact { database, archive }))
    }

    fn lapsed_fact(&self, model: &Model, action: ActionId, it: &Lapsed) -> Fact {
        Fact::Lapsed(LapsedFact {
            action,
            database: model.database(it.database).name.clone(),
            role: it.role,
            ordinal: it.slot.map(|id| self.slot(id).ordinal),
            peer: model.peer(it.peer).name.clone(),
            agent: it.agent.clone(),
            start_id: it.start_id.clone(),
            at: it.at,
        })
    }
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
        not_ready_at: vacancy.not_ready_at.map(name),
        told_blocked: vacancy.told.blocked,
        told_suggested: vacancy.told.suggested,
        wish: vacancy.wish.clone(),
    }
}
