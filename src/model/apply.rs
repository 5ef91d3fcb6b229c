//! From what was seen to what is known.

use super::change::{Change, Ending};
use super::ids::{AgentId, StartId};
use super::processes::Seen;
use super::sighting::{Sighting, Snapshot};
use super::state::{Freshness, Model, PeerId, Presence, Process, ProcessId};
use crate::mutation::Mutant;
use crate::time::Timestamp;

/// So many sightings of agents that were not announced yet are kept; a broker announces an agent
/// before its processes, so that more of them are nonsense.
const WAITING_MAX: usize = 1_024;

/// So many failed starts are remembered; the two messages about one come within seconds.
const FAILED_STARTS_MAX: usize = 64;

impl Model {
    /// Takes in one change that the domain told.
    pub fn observe(&mut self, now: Timestamp, sighting: Sighting, changes: &mut Vec<Change>) {
        self.sighted(now, sighting, changes);
    }

    pub(super) fn sighted(
        &mut self,
        now: Timestamp,
        sighting: Sighting,
        changes: &mut Vec<Change>,
    ) {
        let agent_id = match &sighting {
            Sighting::ProcessGone(it)
            | Sighting::ProcessJoined(it)
            | Sighting::StatusChanged(it) => Some(&it.agent_id),
            Sighting::PeerJoined(_) | Sighting::PeerLost(_) | Sighting::StartFailed { .. } => None,
        };
        if let Some(agent_id) = agent_id
            && self.peer_of_agent(agent_id).is_none()
        {
            let agent_id = agent_id.clone();
            self.wait(agent_id, sighting);
            return;
        }
        match sighting {
            Sighting::PeerJoined(peer) => {
                let known = self.resolve(&peer);
                self.peer_seen(now, peer, known, changes);
                self.review_view(now);
            }
            Sighting::PeerLost(peer) => {
                self.peer_lost(now, &peer, changes);
                self.review_view(now);
            }
            Sighting::ProcessGone(process) => self.process_gone(now, &process, changes),
            Sighting::ProcessJoined(process) => {
                self.process_seen(now, process, Seen::Joined, changes);
            }
            Sighting::StartFailed {
                agent_id,
                start_id,
                reason,
            } => {
                if self.is_first_failure(&agent_id, start_id.as_ref()) {
                    changes.push(Change::StartFailed {
                        peer: self.peer_of_agent(&agent_id),
                        agent_id,
                        start_id,
                        reason,
                    });
                }
            }
            Sighting::StatusChanged(process) => {
                self.process_seen(now, process, Seen::Status, changes);
            }
        }
    }

    /// Takes in the whole domain as it is now.
    ///
    /// What it lists is there. What it does not list is doubted, until a second one agrees: then
    /// such a peer is unreachable, and such a process of a listed peer is gone, nobody knows how.
    /// An unreachable process of a peer that is back has its grace first.
    pub fn snapshot(&mut self, now: Timestamp, snapshot: Snapshot, changes: &mut Vec<Change>) {
        self.generation += 1;
        self.waiting.clear();
        self.freshness = Freshness::Synced { since: now };
        self.domain = Some(snapshot.domain);
        self.touched.domain = true;
        self.forget_registrations();
        let known = self.identify(&snapshot.entry, &snapshot.peers);
        let listed = std::iter::once(snapshot.entry).chain(snapshot.peers);
        for (index, (seen, known)) in listed.zip(known).enumerate() {
            let peer = self.peer_seen(now, seen, known, changes);
            if index == 0 {
                self.entry = peer;
            }
        }
        for process in snapshot.processes {
            if self.peer_of_agent(&process.agent_id).is_some() {
                self.process_seen(now, process, Seen::Listed, changes);
            } else {
                let agent_id = process.agent_id.clone();
                self.wait(agent_id, Sighting::ProcessJoined(process));
            }
        }
        self.doubt_missing(now, changes);
        let generation = self.generation;
        // Whose loss only the snapshot shows is registered no more either, unless it is listed.
        for process in self.processes.iter_mut().flatten() {
            if let Presence::Unreachable { registered } = &mut process.presence
                && *registered
                && process.generation != generation
            {
                *registered = false;
                self.touched.processes.insert((process.peer, process.pid));
            }
        }
        if !self.is_minority() {
            self.await_missing(now);
        }
        self.plan_look(now);
    }

    /// Takes in that nobody tells us any more.
    pub fn lose(&mut self, now: Timestamp) {
        if let Freshness::Synced { .. } = self.freshness {
            self.freshness = Freshness::Stale { since: now };
            // Who shows itself now is not told; the next snapshot begins the wait anew.
            self.returns.clear();
            self.cancel_look();
            // Whether the peers of those that just ended went as well is not told any more. The
            // next snapshot shows it.
            self.exits.clear();
        }
    }

    /// Gives the processes that are missing at peers that are there time to show themselves, unless
    /// they have it already.
    pub(super) fn await_missing(&mut self, now: Timestamp) {
        let due = now + self.settings.return_grace;
        let is_missing = |it: &Process| matches!(it.presence, Presence::Unreachable { .. });
        let mut peers: Vec<PeerId> = self
            .processes()
            .filter(|(_, it)| is_missing(it) && self.peer(it.peer).is_connected())
            .map(|(_, it)| it.peer)
            .collect();
        peers.dedup();
        for peer in peers {
            if self.returns.iter().all(|(_, it)| *it != peer) {
                self.returns.insert((due, peer));
            }
        }
    }

    /// Takes in that time has passed.
    pub fn timeout(&mut self, now: Timestamp, changes: &mut Vec<Change>) {
        while let Some((due, _, id)) = self.exits.first().copied() {
            if due > now {
                break;
            }
            if self.can_tell_of(self.kept(id).peer) {
                self.end(id, Ending::Exit, changes);
            } else {
                self.set_aside(id, changes);
            }
        }
        self.mind_look(now);
        while let Some((due, peer)) = self.returns.first().copied() {
            if due > now || self.is_minority() {
                break;
            }
            self.returns.remove(&(due, peer));
            self.give_up_missing(peer, changes);
        }
    }

    /// Makes ready for a complete picture: who is registered is for the snapshot to say.
    fn forget_registrations(&mut self) {
        for process in self.processes.iter_mut().flatten() {
            if let Presence::Unreachable { registered } = &mut process.presence
                && std::mem::replace(registered, false)
            {
                self.touched.processes.insert((process.peer, process.pid));
            }
        }
    }

    /// Ends the processes that did not show themselves though their peer is back.
    fn give_up_missing(&mut self, peer: PeerId, changes: &mut Vec<Change>) {
        if !self.peer(peer).is_connected() {
            return;
        }
        let missing: Vec<ProcessId> = self
            .processes_at(peer)
            .filter(|(_, it)| matches!(it.presence, Presence::Unreachable { .. }))
            .map(|(id, _)| id)
            .collect();
        for id in missing {
            self.end(id, Ending::Unknown, changes);
        }
    }

    /// A broker tells of one failed start twice, first with the engine's own reason.
    fn is_first_failure(&mut self, agent_id: &AgentId, start_id: Option<&StartId>) -> bool {
        let Some(start_id) = start_id else {
            return true;
        };
        let failure = (agent_id.clone(), start_id.clone());
        if self.failed_starts.contains(&failure) {
            return self.settings.planted.has(Mutant::DoubledFailure);
        }
        if self.failed_starts.len() >= FAILED_STARTS_MAX {
            self.failed_starts.pop_front();
        }
        self.failed_starts.push_back(failure);
        self.touched.domain = true;
        true
    }

    fn wait(&mut self, agent_id: AgentId, sighting: Sighting) {
        let waiting: usize = self.waiting.values().map(Vec::len).sum();
        if waiting >= WAITING_MAX {
            return;
        }
        self.waiting.entry(agent_id).or_default().push(sighting);
    }
}
