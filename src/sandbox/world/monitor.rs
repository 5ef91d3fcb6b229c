//! What is told of the domain: the snapshot a Monitor session begins with, and what comes after.

use std::sync::Arc;

use super::{Effect, Peer, PeerNumber, Purpose, Session, SessionId, World};
use crate::nuodb::message::{Event, Status};

impl World {
    /// Begins a Monitor session: from this very moment on it misses nothing and hears nothing
    /// twice.
    pub(super) fn subscribe(&mut self, session: SessionId, number: PeerNumber) {
        let Some(status) = self.status(number).map(Box::new) else {
            return;
        };
        self.effects.push_back(Effect::Status { session, status });
        let purpose = Purpose::Monitor;
        let peer = number;
        self.sessions.insert(session, Session { peer, purpose });
    }

    /// Returns the domain as the peer sees it: itself at the root and never among the others.
    pub(super) fn status(&self, number: PeerNumber) -> Option<Status> {
        let entry = self.peer(number)?.own_element();
        let others = self
            .peers
            .iter()
            .filter(|it| !it.is_lost && it.number() != number);
        let visible = self.engines.keys().filter(|it| self.is_visible(**it));
        let mut processes: Vec<_> = visible.filter_map(|it| self.process_element(*it)).collect();
        // One `Database` element for all processes of a database.
        processes.sort_by(|a, b| a.database.cmp(&b.database));
        Some(Status {
            domain: self.domain.clone(),
            entry,
            peers: others.map(Peer::element).collect(),
            processes,
        })
    }

    /// Tells every Monitor session.
    pub(super) fn tell(&mut self, event: &Event) {
        for (session, it) in &self.sessions {
            if it.purpose == Purpose::Monitor {
                self.effects.push_back(Effect::Event {
                    session: *session,
                    event: event.clone(),
                });
            }
        }
    }

    /// A peer's agent is gone: the others are told, and of its engines too.
    pub(super) fn lose(&mut self, number: PeerNumber, exits_first: bool) {
        let engines: Vec<_> = self
            .engines
            .iter()
            .filter(|(_, it)| it.peer == number)
            .map(|(id, _)| *id)
            .collect();
        let exits: Vec<Event> = engines
            .iter()
            .filter(|it| self.is_visible(**it))
            .filter_map(|it| self.process_element(*it))
            .map(Event::ProcessExit)
            .collect();
        // Whoever starts next knows nothing of what the lost agent was asked for.
        for engine in &engines {
            if let Some(it) = self.engines.get_mut(engine) {
                it.start_id = None;
            }
        }
        self.forget_sessions(number);
        let Some(peer) = self.peer_mut(number) else {
            return;
        };
        peer.is_lost = true;
        let exit = Event::BrokerExit(peer.element());
        self.effects.push_back(Effect::Listen {
            peer: number,
            listening: false,
        });
        self.effects.push_back(Effect::CutPeer { peer: number });
        if !exits_first {
            self.tell(&exit);
        }
        for event in &exits {
            self.tell(event);
        }
        if exits_first {
            self.tell(&exit);
        }
    }

    /// A peer's agent is started again under a new id; engines that live on find it.
    pub(super) fn bring_back(&mut self, number: PeerNumber) {
        let Some(peer) = self.peer_mut(number) else {
            return;
        };
        peer.start_agent();
        let joined = Event::NewBroker(peer.element());
        self.effects.push_back(Effect::Listen {
            peer: number,
            listening: true,
        });
        self.tell(&joined);
        let engines: Vec<_> = self
            .engines
            .iter()
            .filter(|(id, it)| it.peer == number && self.is_visible(**id))
            .filter_map(|(id, _)| self.process_element(*id))
            .collect();
        for process in engines {
            self.tell(&Event::NewProcess(process));
        }
    }

    /// Returns the id of the agent at `number`, if it is there.
    pub(super) fn agent_at(&self, number: PeerNumber) -> Option<&Arc<str>> {
        self.peer(number)
            .filter(|it| !it.is_lost)
            .map(|it| &it.agent_id)
    }

    pub(super) fn forget_sessions(&mut self, number: PeerNumber) {
        self.sessions.retain(|_, it| it.peer != number);
    }
}
