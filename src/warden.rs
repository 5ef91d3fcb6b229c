//! Model and supervisor of one domain as one machine.
//!
//! A warden is what the event loop and the simulator drive: time and one input in, effects out. It
//! does no IO, and nothing outside it branches on the state of a domain.

mod memory;
mod parked;
mod present;

use std::sync::Arc;

use crate::event::{Cause, Event, Group, Kind, ProcessFacts, Subject};
use crate::exchange::{ActionId, Deed, Loss, LossClass, Observation, Probe};
use crate::model::{
    self, Change, DatabaseId, DomainName, Ending, Freshness, Model, PeerId, Process,
};
use crate::supervisor::{self, Effect, Explanation, Input, Supervisor};
use crate::time::{Moment, Timestamp};
use crate::view::View;

pub use memory::RestoreError;
pub use parked::{Leaving, Parked, Waiting};

/// Watches one domain and heals it.
///
/// The caller records every input before it feeds [`handle`](Self::handle), which it also calls
/// with [`Input::Timeout`] at [`next_timeout`](Self::next_timeout), and carries out the effects in
/// order. Times must not decrease.
#[derive(Debug)]
pub struct Warden {
    domain: DomainName,
    model: Model,
    supervisor: Supervisor,
    /// How the last try to talk to the domain ended.
    told_loss: Option<LossClass>,
    /// Whether that changed since somebody asked for facts.
    changed: bool,
    changes: Vec<Change>,
}

/// In which light a change is told.
#[derive(Clone, Copy, Debug, Default)]
struct Light {
    snapshot: bool,
    while_disconnected: bool,
}

impl Warden {
    /// Returns a warden that was told nothing yet.
    pub fn new(model: model::Settings, supervisor: supervisor::Settings) -> Self {
        Self {
            domain: supervisor.domain.clone(),
            model: Model::new(model),
            supervisor: Supervisor::new(supervisor),
            told_loss: None,
            changed: true,
            changes: Vec::new(),
        }
    }

    /// Returns what is known of the domain.
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Returns every deed that still awaits an outcome, and whether its request may have left.
    pub fn open_deeds(&self) -> Vec<(ActionId, bool)> {
        self.supervisor.open_deeds()
    }

    /// Returns whether a start that is committed may leave now.
    pub fn may_leave(&self, now: Moment, action: ActionId) -> bool {
        self.supervisor.may_leave(now.at, &self.model, action)
    }

    /// Returns all that is known and meant, for people to look at.
    pub fn view(&self, now: Moment) -> View {
        View::new(now, self.domain.clone(), &self.model, &self.supervisor)
    }

    /// Returns every process whose port is to be tried now; none if that is not asked for.
    pub fn probes(&self) -> Vec<Probe> {
        self.supervisor.probes(&self.model).collect()
    }

    /// Explains why something is as it is; `None` if nothing goes by that name.
    pub fn explain(&self, now: Moment, entity: &str) -> Option<Explanation> {
        self.supervisor.explain(now, &self.model, entity)
    }

    /// Takes in one input and appends what must be done about it to `effects`.
    pub fn handle(&mut self, now: Moment, input: Input, effects: &mut Vec<Effect>) {
        let before = effects.len();
        let has_ended = matches!(input, Input::Began(_));
        // What was due before this input happened before it, unless whoever waited for it is gone.
        if !has_ended && self.model.next_timeout().is_some_and(|due| due <= now.at) {
            self.model.timeout(now.at, &mut self.changes);
            self.tell_changes(now, Light::default(), effects);
            if self.model.take_second_look() {
                effects.push(Effect::Do(Deed::Refresh));
            }
        }
        let mut asked = None;
        match input {
            Input::Began(accepted) => self.begin(now, &accepted, effects),
            Input::Clock(trouble) => self.supervisor.clock_trouble(now, trouble, effects),
            Input::Configured(accepted) => self.configure(now, &accepted, effects),
            Input::Observed(Observation::Sighted(sighting)) => {
                self.model.observe(now.at, sighting, &mut self.changes);
                self.tell_changes(now, Light::default(), effects);
            }
            Input::Observed(Observation::Snapshot(snapshot)) => {
                let before = self.model.freshness();
                let light = Light {
                    snapshot: before == Freshness::Unknown,
                    while_disconnected: matches!(before, Freshness::Stale { .. }),
                };
                let was_entry = self.model.entry();
                self.model.snapshot(now.at, snapshot, &mut self.changes);
                self.connected(now, before, was_entry, effects);
                self.tell_differences(now, light, effects);
                self.supervisor.refreshed(now, &self.model, effects);
            }
            Input::Observed(Observation::Lost(loss)) => self.lost(now, &loss, effects),
            Input::Observed(Observation::Managed(all)) => {
                self.supervisor.note_managed(&self.model, all);
            }
            Input::Reported { action, outcome } => {
                self.supervisor
                    .report(now, &self.model, action, &outcome, effects);
            }
            Input::Requested(request) => {
                let found = self.supervisor.request(now, &self.model, request, effects);
                asked = Some(found);
            }
            Input::Lease(lease) => self.supervisor.leased(now.at, lease),
            Input::JournalFailed => self.supervisor.journal_failed(),
            Input::Probed(probed) => self.supervisor.probed(now, &self.model, &probed, effects),
            Input::Recovered(recovery) => self.supervisor.recovered(now.at, recovery),
            Input::Resumed { by } => self.supervisor.resumed(now, &self.model, &by, effects),
            Input::Timeout => (),
        }
        self.supervisor.act(now, &self.model, effects);
        let told = &effects[before..];
        self.supervisor.note_decisions(now, &self.model, told);
        if let Some(asked) = asked {
            effects.push(self.supervisor.answer(now.at, &self.model, &asked));
        }
    }

    /// Returns when [`Input::Timeout`] is next due, if ever.
    pub fn next_timeout(&self) -> Option<Timestamp> {
        let model = self.model.next_timeout();
        model
            .into_iter()
            .chain(self.supervisor.next_timeout())
            .min()
    }

    fn connected(
        &mut self,
        now: Moment,
        before: Freshness,
        was_entry: Option<PeerId>,
        effects: &mut Vec<Effect>,
    ) {
        let entry = self.model.entry();
        self.changed |= self.told_loss.take().is_some();
        let kind = match before {
            Freshness::Synced { .. } => return,
            Freshness::Stale { .. } if was_entry.is_some() && was_entry != entry => {
                Kind::DomainFailover
            }
            Freshness::Stale { .. } | Freshness::Unknown => Kind::DomainConnected,
        };
        let subject = entry.map_or_else(Subject::default, |id| self.peer_subject(id));
        let event = Event::new(now, Some(self.domain.clone()), kind, subject);
        effects.push(Effect::Raise(event));
    }

    /// Tells of a lost session once, and again only when the reason is of another sort.
    fn lost(&mut self, now: Moment, loss: &Loss, effects: &mut Vec<Effect>) {
        self.model.lose(now.at);
        self.supervisor.lost();
        if self.told_loss == Some(loss.class) {
            return;
        }
        self.told_loss = Some(loss.class);
        self.changed = true;
        let domain = Some(self.domain.clone());
        let mut event = Event::new(now, domain, Kind::DomainDisconnected, Subject::default());
        event.text = Some(loss.reason.clone());
        effects.push(Effect::Raise(event));
    }

    fn tell_changes(&mut self, now: Moment, light: Light, effects: &mut Vec<Effect>) {
        let mut changes = std::mem::take(&mut self.changes);
        for change in &mut changes {
            self.supervisor.heed_announced(now.at, &self.model, change);
            self.tell(now, light, change, effects);
            self.supervisor.learn(now, &self.model, change, effects);
        }
        changes.clear();
        self.changes = changes;
    }

    /// As [`tell_changes`](Self::tell_changes), but for differences that came about in an order
    /// nobody knows: whoever is there now may have taken the place of one that is gone.
    fn tell_differences(&mut self, now: Moment, light: Light, effects: &mut Vec<Effect>) {
        let mut changes = std::mem::take(&mut self.changes);
        let of_loss = Light {
            // Only comparing shows it, and it was doubted first: when it happened nobody knows.
            while_disconnected: !light.snapshot,
            ..light
        };
        for change in &mut changes {
            self.supervisor.heed_announced(now.at, &self.model, change);
            let light = if is_loss(change) { of_loss } else { light };
            self.tell(now, light, change, effects);
        }
        let is_end = |it: &&Change| matches!(it, Change::ProcessEnded { .. });
        let ends = changes.iter().filter(is_end);
        for change in ends.chain(changes.iter().filter(|it| !is_end(it))) {
            self.supervisor.learn(now, &self.model, change, effects);
        }
        changes.clear();
        self.changes = changes;
    }

    fn tell(&self, now: Moment, light: Light, change: &Change, effects: &mut Vec<Effect>) {
        let (kind, subject) = match change {
            Change::DatabaseActive(id) => (Kind::DatabaseActive, self.database_subject(*id)),
            Change::DatabaseInactive(id) => (Kind::DatabaseInactive, self.database_subject(*id)),
            Change::DatabaseJoined(id) => (Kind::DatabaseJoined, self.database_subject(*id)),
            Change::DatabaseLeft(id) => (Kind::DatabaseLeft, self.database_subject(*id)),
            Change::PeerJoined(id) => (Kind::PeerJoined, self.peer_subject(*id)),
            Change::PeerReturned(id) => (Kind::PeerReturned, self.peer_subject(*id)),
            Change::PeerUnreachable(id) => (Kind::PeerUnreachable, self.peer_subject(*id)),
            Change::ProcessEnded {
                process, ending, ..
            } => {
                let kind = match ending {
                    Ending::Requested => Kind::ProcessLeft,
                    Ending::Exit | Ending::Unknown => Kind::ProcessFailed,
                };
                (kind, self.process_subject(process))
            }
            Change::ProcessJoined(id)
            | Change::ProcessReturned(id)
            | Change::ProcessUnreachable { id, .. }
            | Change::StatusChanged { id, .. } => {
                let Some(process) = self.model.process(*id) else {
                    // It came and went within one observation; its end is told.
                    return;
                };
                (kind_of(change), self.process_subject(process))
            }
            Change::StartFailed { peer, agent_id, .. } => {
                let mut subject = peer.map_or_else(Subject::default, |id| self.peer_subject(id));
                subject.agent_id = Some(agent_id.clone());
                (Kind::ProcessFailed, subject)
            }
        };
        if kind.group() == Group::Database && subject.database.is_none() {
            return;
        }
        let mut event = Event::new(now, Some(self.domain.clone()), kind, subject);
        event.snapshot = light.snapshot;
        event.while_disconnected = light.while_disconnected;
        (event.cause, event.text) = cause_of(change);
        effects.push(Effect::Raise(event));
    }

    fn peer_subject(&self, id: PeerId) -> Subject {
        let peer = self.model.peer(id);
        Subject {
            peer: Some(peer.name.clone()),
            agent_id: Some(peer.agent_id.clone()),
            ..Subject::default()
        }
    }

    fn database_subject(&self, id: DatabaseId) -> Subject {
        Subject {
            database: self.model.database(id).shown_name().cloned(),
            ..Subject::default()
        }
    }

    fn process_subject(&self, process: &Process) -> Subject {
        Subject {
            database: self.model.database(process.database).shown_name().cloned(),
            process: Some(ProcessFacts::of(process)),
            ..self.peer_subject(process.peer)
        }
    }
}

/// Returns whether something is gone or out of reach.
fn is_loss(change: &Change) -> bool {
    match change {
        Change::DatabaseInactive(_)
        | Change::DatabaseLeft(_)
        | Change::PeerUnreachable(_)
        | Change::ProcessEnded { .. }
        | Change::ProcessUnreachable { .. } => true,
        Change::DatabaseActive(_)
        | Change::DatabaseJoined(_)
        | Change::PeerJoined(_)
        | Change::PeerReturned(_)
        | Change::ProcessJoined(_)
        | Change::ProcessReturned(_)
        | Change::StartFailed { .. }
        | Change::StatusChanged { .. } => false,
    }
}

/// Returns the kind of event for a change of a process that is still known.
fn kind_of(change: &Change) -> Kind {
    match change {
        Change::ProcessJoined(_) => Kind::ProcessJoined,
        Change::ProcessReturned(_) => Kind::ProcessReturned,
        Change::ProcessUnreachable { .. } => Kind::ProcessUnreachable,
        Change::DatabaseActive(_)
        | Change::DatabaseInactive(_)
        | Change::DatabaseJoined(_)
        | Change::DatabaseLeft(_)
        | Change::PeerJoined(_)
        | Change::PeerReturned(_)
        | Change::PeerUnreachable(_)
        | Change::ProcessEnded { .. }
        | Change::StartFailed { .. }
        | Change::StatusChanged { .. } => Kind::ProcessStatusChanged,
    }
}

fn cause_of(change: &Change) -> (Option<Cause>, Option<Arc<str>>) {
    match change {
        Change::ProcessEnded { ending, .. } => {
            let cause = match ending {
                Ending::Exit => Cause::Exit,
                Ending::Requested => Cause::Requested,
                Ending::Unknown => Cause::Unknown,
            };
            (Some(cause), None)
        }
        Change::ProcessUnreachable { with_peer, .. } => {
            let cause = if *with_peer {
                Cause::WithPeer
            } else {
                Cause::MinorityView
            };
            (Some(cause), None)
        }
        Change::StartFailed { reason, .. } => (Some(Cause::StartFailed), Some(reason.clone())),
        Change::DatabaseActive(_)
        | Change::DatabaseInactive(_)
        | Change::DatabaseJoined(_)
        | Change::DatabaseLeft(_)
        | Change::PeerJoined(_)
        | Change::PeerReturned(_)
        | Change::PeerUnreachable(_)
        | Change::ProcessJoined(_)
        | Change::ProcessReturned(_)
        | Change::StatusChanged { .. } => (None, None),
    }
}
