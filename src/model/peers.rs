//! Peers: which one is meant, and whether the domain reaches it.

use std::collections::BTreeSet;

use super::change::Change;
use super::ids::Address;
use super::sighting::PeerSeen;
use super::state::{MAX_ENTITIES, Model, Peer, PeerId, PeerPresence, Presence, ProcessId};
use crate::time::Timestamp;

impl Model {
    /// Takes in that a peer is there, in a snapshot or by itself.
    pub(super) fn peer_seen(
        &mut self,
        now: Timestamp,
        seen: PeerSeen,
        known: Option<PeerId>,
        changes: &mut Vec<Change>,
    ) -> Option<PeerId> {
        let agent_id = seen.agent_id.clone();
        let id = match known {
            Some(known) => {
                self.peer_known(now, known, seen, changes);
                known
            }
            None => self.peer_new(now, seen, changes)?,
        };
        for sighting in self.waiting.remove(&agent_id).unwrap_or_default() {
            self.sighted(now, sighting, changes);
        }
        Some(id)
    }

    fn peer_new(
        &mut self,
        now: Timestamp,
        seen: PeerSeen,
        changes: &mut Vec<Change>,
    ) -> Option<PeerId> {
        if self.peers.len() >= MAX_ENTITIES {
            return None;
        }
        let id = PeerId(u32::try_from(self.peers.len()).expect("there are fewer than the limit"));
        let aliases = seen.clone();
        let rule = self.rule_of(&seen).cloned();
        let name = self.name_of(&seen, rule.as_ref());
        self.names.insert(name.clone(), id);
        let (dial, labels) = rule.map_or_else(Default::default, |it| (it.dial, it.labels));
        self.peers.push(Peer {
            name,
            agent_id: seen.agent_id,
            agents: BTreeSet::new(),
            address: seen.address,
            addresses: BTreeSet::new(),
            is_broker: seen.is_broker,
            hostname: seen.hostname,
            version: seen.version,
            presence: PeerPresence::Connected { since: now },
            dial,
            labels,
            lost: None,
            is_retired: false,
            generation: self.generation,
        });
        self.remember_aliases(id, &aliases);
        self.touched.peers.insert(id);
        changes.push(Change::PeerJoined(id));
        Some(id)
    }

    fn peer_known(
        &mut self,
        now: Timestamp,
        id: PeerId,
        seen: PeerSeen,
        changes: &mut Vec<Change>,
    ) {
        let peer = self.peer(id);
        if peer.is_connected() && peer.agent_id != seen.agent_id {
            // Its agent was restarted, and the loss of the one before was not told, or not yet.
            self.lose_peer(now, id, changes);
        }
        self.clear_peer(id);
        self.remember_aliases(id, &seen);
        let rule = self.rule_of(&seen).cloned();
        let generation = self.generation;
        let peer = &mut self.peers[id.0 as usize];
        if let Some(rule) = rule {
            peer.dial = rule.dial;
            peer.labels = rule.labels;
        }
        let was_connected = peer.is_connected();
        let is_same = was_connected
            && peer.agent_id == seen.agent_id
            && peer.address == seen.address
            && peer.is_broker == seen.is_broker
            && peer.hostname == seen.hostname
            && peer.version == seen.version;
        if !is_same {
            self.touched.peers.insert(id);
        }
        peer.agent_id = seen.agent_id;
        peer.address = seen.address;
        peer.is_broker = seen.is_broker;
        peer.hostname = seen.hostname;
        peer.version = seen.version;
        peer.generation = generation;
        if !was_connected {
            peer.presence = PeerPresence::Connected { since: now };
            changes.push(Change::PeerReturned(id));
            self.await_processes(now, id, changes);
        }
    }

    /// Takes in that the domain no longer reaches a peer.
    pub(super) fn peer_lost(&mut self, now: Timestamp, seen: &PeerSeen, changes: &mut Vec<Change>) {
        // Only the present life of an agent can be lost: after a restart the loss of the agent
        // before it may still be on its way.
        let Some(id) = self.peer_of_agent(&seen.agent_id) else {
            return;
        };
        if self.peer(id).agent_id == seen.agent_id {
            self.lose_peer(now, id, changes);
        }
    }

    /// Makes a peer a tombstone, and its processes unreachable.
    pub(super) fn lose_peer(&mut self, now: Timestamp, id: PeerId, changes: &mut Vec<Change>) {
        self.clear_peer(id);
        let peer = &mut self.peers[id.0 as usize];
        if !peer.is_connected() {
            return;
        }
        peer.presence = PeerPresence::Unreachable { since: now };
        peer.lost = Some(now);
        self.touched.peers.insert(id);
        self.returns.retain(|(_, it)| *it != id);
        changes.push(Change::PeerUnreachable(id));
        let ids: Vec<ProcessId> = self.processes_at(id).map(|(id, _)| id).collect();
        for process in ids {
            self.make_unreachable(process, true, changes);
        }
    }

    /// Takes back the processes of a peer that is there again: those that the domain still counts
    /// as registered with this life of its agent at once; the others have time to show themselves.
    fn await_processes(&mut self, now: Timestamp, id: PeerId, changes: &mut Vec<Change>) {
        let agent_id = self.peer(id).agent_id.clone();
        let mut missing = false;
        let mut back = Vec::new();
        for (process_id, process) in self.processes_at(id) {
            match process.presence {
                Presence::Unreachable { registered } => {
                    if registered && process.agent_id == agent_id {
                        back.push(process_id);
                    } else {
                        missing = true;
                    }
                }
                Presence::Ending { .. } | Presence::Live => (),
            }
        }
        for process_id in back {
            self.make_live(process_id, changes);
        }
        if missing {
            self.returns.insert((now + self.settings.return_grace, id));
        }
    }

    /// Learns under which names a peer was seen.
    pub(super) fn remember_aliases(&mut self, id: PeerId, seen: &PeerSeen) {
        let mut is_news = false;
        if self.peer_of_agent(&seen.agent_id) != Some(id) {
            self.agents.insert(seen.agent_id.clone(), id);
            let peer = &mut self.peers[id.0 as usize];
            is_news |= peer.agents.insert(seen.agent_id.clone());
        }
        is_news |= self.claim_address(id, &seen.address.folded());
        if let Some(by_host) = seen.host_alias()
            && !self.addresses.contains_key(&by_host)
        {
            is_news |= self.claim_address(id, &by_host);
        }
        if is_news {
            self.touched.peers.insert(id);
        }
    }

    /// Makes an address lead to a peer, whoever had it before; returns whether that is news.
    fn claim_address(&mut self, id: PeerId, address: &Address) -> bool {
        let before = self.addresses.get(address).copied();
        if before == Some(id) {
            return false;
        }
        self.addresses.insert(address.clone(), id);
        if let Some(before) = before {
            self.peers[before.0 as usize].addresses.remove(address);
            self.touched.peers.insert(before);
        }
        self.peers[id.0 as usize].addresses.insert(address.clone())
    }
}
