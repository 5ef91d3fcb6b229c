//! Processes that run and do not answer at their ports: told once, and nothing is done about it.
//!
//! Trying the ports and counting what fails is done elsewhere. Here it is only known whose port
//! counts, and who was told of: to start or to end something, this is no evidence.

use std::sync::Arc;
use std::time::Duration;

use super::Effect;
use super::state::{About, Supervisor};
use super::tell::in_words;
use crate::event::Kind;
use crate::exchange::{Finding, Probe, Probed};
use crate::model::{Address, Change, Model, Process, ProcessId, Status};
use crate::mutation::Mutant;
use crate::time::{Moment, Timestamp};

/// How the ports of processes are tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ProbeTerms {
    /// How often each is.
    pub every: Duration,
    /// How long it may take to answer.
    pub timeout: Duration,
    /// So many misses in a row mean that it does not.
    pub misses: u32,
    /// What counts as an answer.
    pub answer: SignOfLife,
}

impl Default for ProbeTerms {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            misses: 3,
            answer: SignOfLife::Accept,
        }
    }
}

/// What a port does that shows that somebody lives behind it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SignOfLife {
    /// It takes a connection, which the kernel does for the process.
    Accept,
    /// It closes a connection after we did, which the process does itself.
    Close,
}

impl SignOfLife {
    /// Every sign, the weakest first.
    pub const ALL: [Self; 2] = [Self::Accept, Self::Close];

    /// Returns the sign as a lower-case word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Close => "close",
        }
    }
}

/// A process that does not answer at its port, and was told of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unresponsive {
    /// Since when that is known.
    pub since: Timestamp,
    /// What the last try failed of, as a sentence.
    pub reason: Arc<str>,
}

impl Supervisor {
    /// Returns what is known of a process that does not answer at its port.
    pub fn unresponsive(&self, id: ProcessId) -> Option<&Unresponsive> {
        self.unresponsive.get(&id)
    }

    /// Returns whose port is to be tried by what is known now; nobody's if that is not asked for.
    pub fn probes<'a>(&'a self, model: &'a Model) -> impl Iterator<Item = Probe> + 'a {
        let is_asked_for = self.settings.probe.is_some() && self.gates.knows();
        let all = is_asked_for.then(|| model.processes());
        let all = all.into_iter().flatten();
        all.filter_map(|(id, process)| self.probe(model, id, process))
    }

    /// Returns how the port of a process is tried, if what comes of it counts: it is up, and its
    /// peer is reached.
    fn probe(&self, model: &Model, id: ProcessId, process: &Process) -> Option<Probe> {
        let port = process.port?;
        if !serves(process) || model.may_be_gone(id) {
            return None;
        }
        let peer = model.peer(process.peer);
        Some(Probe {
            peer: peer.name.clone(),
            pid: process.pid,
            life: process.life,
            address: Address::new(peer.agent_address().host.clone(), port),
            is_unresponsive: self.unresponsive.contains_key(&id),
        })
    }

    /// Takes in what trying a port has shown. It counts for the same life only, and by what is
    /// known now; what does not count is found again.
    pub fn probed(
        &mut self,
        now: Moment,
        model: &Model,
        probed: &Probed,
        effects: &mut Vec<Effect>,
    ) {
        let peer = model.peer_named(&probed.peer);
        let id = peer.and_then(|peer| model.process_with(peer, probed.pid));
        let Some((id, process)) = id.and_then(|id| Some((id, model.process(id)?))) else {
            return;
        };
        let is_it = process.life == probed.life;
        let is_asked_for = self.settings.probe.is_some() && self.gates.knows();
        if !is_it || !is_asked_for || self.probe(model, id, process).is_none() {
            return;
        }
        match &probed.finding {
            Finding::Answers => self.answers_again(now, model, id, effects),
            Finding::Silent { misses, reason } => {
                let again = self.settings.planted.has(Mutant::ToldAgain);
                if self.unresponsive.contains_key(&id) && !again {
                    return;
                }
                let unresponsive = Unresponsive {
                    since: now.at,
                    reason: reason.clone(),
                };
                self.unresponsive.insert(id, unresponsive);
                self.changed.processes.insert((process.peer, process.pid));
                let about = About {
                    slot: self.place_of(model, id),
                    process: Some(id),
                    text: format!(
                        "no answer at its port, {misses} times in a row: {reason}; look at its \
                         host and at its log"
                    ),
                    ..About::default()
                };
                self.raise(now, model, Kind::ProcessUnresponsive, about, effects);
            }
        }
    }

    fn answers_again(
        &mut self,
        now: Moment,
        model: &Model,
        id: ProcessId,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(was) = self.unresponsive.remove(&id) {
            let lasted = in_words(now.at.since(was.since));
            let text = format!("answers at its port again, after {lasted}");
            self.tell_over(now, model, id, text, effects);
        }
    }

    /// Forgets who does not answer if the settings say that nobody is asked any more.
    pub(super) fn stop_probing(&mut self, now: Moment, model: &Model, effects: &mut Vec<Effect>) {
        if self.settings.probe.is_some() {
            return;
        }
        let all = std::mem::take(&mut self.unresponsive).into_keys();
        let mut all: Vec<ProcessId> = all.collect();
        // Their numbers may be others after a restart.
        all.sort_by_key(|id| {
            let process = model.process(*id);
            process.map(|it| (model.peer(it.peer).name.clone(), it.pid))
        });
        for id in all {
            let text = "its port is not tried any more".to_owned();
            self.tell_over(now, model, id, text, effects);
        }
    }

    /// Tells that what was told of a process that did not answer does not hold any more.
    fn tell_over(
        &mut self,
        now: Moment,
        model: &Model,
        id: ProcessId,
        text: String,
        effects: &mut Vec<Effect>,
    ) {
        if let Some(process) = model.process(id) {
            self.changed.processes.insert((process.peer, process.pid));
        }
        let about = About {
            slot: self.place_of(model, id),
            process: Some(id),
            text,
            ..About::default()
        };
        self.raise(now, model, Kind::ProcessStatusChanged, about, effects);
    }

    /// Takes in what a change says about a process that did not answer: nothing is expected any
    /// more of one that is stopping, out of reach or gone, which is told by itself.
    pub(super) fn watch_responsive(&mut self, model: &Model, change: &Change) {
        let Some(id) = change.process_id() else {
            return;
        };
        // By now it may be back, or another in its place.
        let is_over = matches!(
            change,
            Change::ProcessJoined(_)
                | Change::ProcessEnded { .. }
                | Change::ProcessUnreachable { .. }
        );
        let process = model.process(id);
        if is_over || !process.is_some_and(serves) {
            let was = self.unresponsive.remove(&id);
            let touched = was.and(process).map(|it| (it.peer, it.pid));
            self.changed.processes.extend(touched);
        }
    }
}

/// Returns whether a process should answer, as far as the domain says.
fn serves(process: &Process) -> bool {
    process.is_live() && process.status == Status::Up
}
