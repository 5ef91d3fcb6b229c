//! What a warden remembers: gathered as it changes, and read back.
//!
//! Recovery decides nothing. A restored warden knows what it knew and asks for nothing; effects
//! come with inputs only.

use thiserror::Error;

use super::Warden;
use crate::model::{self, Known, Model, Unknown};
use crate::supervisor::{
    self, Accepted, Dangling, Effect, Fact, FactChange, FactKey, FactKind, Supervisor,
};
use crate::time::Moment;

/// Why facts do not make a warden.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("the fact `{fact}` speaks of {missing}, and no other fact does")]
pub struct RestoreError {
    /// Which fact.
    pub fact: FactKey,
    /// What it names.
    pub missing: String,
}

impl From<Dangling> for RestoreError {
    fn from(it: Dangling) -> Self {
        Self {
            fact: it.fact,
            missing: it.missing,
        }
    }
}

impl From<Unknown> for RestoreError {
    fn from(it: Unknown) -> Self {
        let domain = || FactKey::new(FactKind::Domain, "domain");
        Self {
            fact: it
                .process
                .map_or_else(domain, |(peer, pid)| FactKey::process(&peer, pid)),
            missing: it.missing,
        }
    }
}

impl Warden {
    /// Returns the facts that changed since the last call, the latest of each.
    pub fn drain_facts(&mut self) -> Vec<FactChange> {
        let touched = self.model.drain_touched();
        let mut changed = self.supervisor.drain_changed();
        changed.processes.extend(touched.processes);
        changed.databases.extend(touched.databases);
        let mut facts = Vec::new();
        if std::mem::take(&mut self.changed) | touched.domain | changed.domain {
            facts.push(self.domain_fact().into());
        }
        for peer in touched.peers {
            facts.push(Fact::Peer(self.model.known_peer(peer)).into());
        }
        for database in &changed.databases {
            let fact = self.supervisor.database_fact(&self.model, *database);
            facts.push(fact.into());
        }
        for (peer, pid) in &changed.processes {
            let key = FactKey::process(&self.model.peer(*peer).name, *pid);
            let id = self.model.process_with(*peer, *pid);
            let fact = id.and_then(|id| {
                let known = self.model.known_process(id, self.model.process(id)?);
                Some(self.supervisor.process_fact(known, id))
            });
            facts.push(FactChange { key, fact });
        }
        let own = self.supervisor.changed_facts(&self.model, &changed);
        facts.extend(own.map(|(key, fact)| FactChange { key, fact }));
        facts
    }

    /// Returns every fact.
    pub fn facts(&self) -> Vec<Fact> {
        let mut facts = vec![self.domain_fact()];
        let peers = self.model.peers();
        facts.extend(peers.map(|(id, _)| Fact::Peer(self.model.known_peer(id))));
        let databases = self.model.databases();
        facts.extend(databases.map(|(id, _)| self.supervisor.database_fact(&self.model, id)));
        let processes = self.model.processes();
        facts.extend(processes.map(|(id, it)| {
            let known = self.model.known_process(id, it);
            self.supervisor.process_fact(known, id)
        }));
        facts.extend(self.supervisor.facts(&self.model));
        facts
    }

    fn domain_fact(&self) -> Fact {
        let mut fact = self.supervisor.domain_fact(self.model.known_domain());
        fact.told_loss = self.told_loss;
        Fact::Domain(fact)
    }

    /// Returns a warden that remembers `facts`, in whatever order; without any it is a new one.
    ///
    /// It only reads, and decides nothing. [`Input::Began`] must be fed first: it says what died
    /// with the daemon. A start that was only prepared is void, since its session did, and is told
    /// as failed; one that may have left stays open until it is heard of, or until its time is up
    /// and a fresh snapshot says otherwise.
    ///
    /// [`Input::Began`]: supervisor::Input::Began
    ///
    /// # Errors
    ///
    /// Fails if a fact speaks of something that no other fact describes.
    pub fn restore(
        model: model::Settings,
        supervisor: supervisor::Settings,
        now: Moment,
        facts: Vec<Fact>,
    ) -> Result<Self, RestoreError> {
        if facts.is_empty() {
            return Ok(Self::new(model, supervisor));
        }
        let mut known = Known::default();
        let mut told_loss = None;
        for fact in &facts {
            match fact {
                Fact::Database(it) => known.databases.push(it.known.clone()),
                Fact::Domain(it) => {
                    known.domain = it.known.clone();
                    told_loss = it.told_loss;
                }
                Fact::Peer(it) => known.peers.push(it.clone()),
                Fact::Process(it) => known.processes.push(it.known.clone()),
                Fact::Action(_)
                | Fact::Archive(_)
                | Fact::Decisions(_)
                | Fact::Failure(_)
                | Fact::Lapsed(_)
                | Fact::Order(_)
                | Fact::Slot(_) => (),
            }
        }
        let domain = supervisor.domain.clone();
        let model = Model::restore(model, now.at, known)?;
        let supervisor = Supervisor::restore(supervisor, &model, facts)?;
        Ok(Self {
            domain,
            model,
            supervisor,
            told_loss,
            changed: false,
            changes: Vec::new(),
        })
    }

    /// The daemon begins: whatever it was at when the one before ended is gone. What it remembers
    /// stays, and what the settings add comes.
    pub(super) fn begin(&mut self, now: Moment, accepted: &Accepted, effects: &mut Vec<Effect>) {
        let Accepted { model, supervisor } = accepted.clone();
        self.model.begin(now.at, model);
        self.supervisor.begin(now, &self.model, supervisor, effects);
    }

    /// Takes over changed settings, and forgets nothing: slots keep their history, open actions go
    /// on to their outcome, and the seed stays.
    pub(super) fn configure(
        &mut self,
        now: Moment,
        accepted: &Accepted,
        effects: &mut Vec<Effect>,
    ) {
        let Accepted { model, supervisor } = accepted.clone();
        self.model.configure(model);
        self.supervisor
            .configure(now, &self.model, supervisor, effects);
    }
}
