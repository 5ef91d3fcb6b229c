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
            .filter(|it| !it.is_lost && it.number() != number && self.sees(number, it.number()));
        let visible = self
            .engines
            .iter()
            .filter(|(id, it)| self.is_visible(**id) && self.sees(number, it.peer));
        let visible = visible.map(|(id, _)| id);
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

    /// Returns whether one peer sees another, if both are there.
    fn sees(&self, one: PeerNumber, other: PeerNumber) -> bool {
        one == other || !self.is_isolated(one) && !self.is_isolated(other)
    }

    pub(super) fn is_isolated(&self, number: PeerNumber) -> bool {
        self.peer(number).is_some_and(|it| it.is_isolated)
    }

    /// Tells every Monitor session at a peer that sees the one it is about.
    pub(super) fn tell(&mut self, event: &Event) {
        let agent_id = subject(event);
        let about = self.peers.iter().find(|it| Some(&it.agent_id) == agent_id);
        let about = about.map(Peer::number);
        for (session, it) in &self.sessions {
            let in_view = about.is_none_or(|about| self.sees(it.peer, about));
            if it.purpose == Purpose::Monitor && in_view {
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

    /// A peer and the others lose sight of each other, and each side tells of it.
    pub(super) fn isolate(&mut self, number: PeerNumber) {
        self.tell_sides(number, false);
        if let Some(peer) = self.peer_mut(number) {
            peer.is_isolated = true;
        }
    }

    /// A peer and the others see each other again, and each side tells of it.
    pub(super) fn rejoin(&mut self, number: PeerNumber) {
        if let Some(peer) = self.peer_mut(number) {
            peer.is_isolated = false;
        }
        self.tell_sides(number, true);
    }

    /// Tells the sessions at one peer of all that it sees of others, and those at others of it:
    /// that it came, or that it went.
    fn tell_sides(&mut self, number: PeerNumber, came: bool) {
        let others = self.peers.iter().map(Peer::number);
        let seen: Vec<PeerNumber> = others
            .filter(|it| *it != number && self.sees(number, *it))
            .filter(|it| self.agent_at(*it).is_some())
            .collect();
        let sessions: Vec<(SessionId, PeerNumber)> = self.monitors();
        for (session, at) in sessions {
            if at == number {
                for other in &seen {
                    self.tell_of(session, *other, came);
                }
            } else if seen.contains(&at) {
                self.tell_of(session, number, came);
            }
        }
    }

    /// Tells one session that a peer came with its engines, or went with them.
    fn tell_of(&mut self, session: SessionId, number: PeerNumber, came: bool) {
        let Some(peer) = self.peer(number).map(Peer::element) else {
            return;
        };
        let engines = self.engines.iter();
        let engines = engines.filter(|(id, it)| it.peer == number && self.is_visible(**id));
        let processes = engines.filter_map(|(id, _)| self.process_element(*id));
        let processes = processes.map(|it| {
            if came {
                Event::NewProcess(it)
            } else {
                Event::ProcessExit(it)
            }
        });
        let first = if came {
            Event::NewBroker(peer)
        } else {
            Event::BrokerExit(peer)
        };
        let events: Vec<Event> = std::iter::once(first).chain(processes).collect();
        for event in events {
            self.effects.push_back(Effect::Event { session, event });
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

/// Returns the agent that an event is about.
fn subject(event: &Event) -> Option<&Arc<str>> {
    match event {
        Event::BrokerExit(peer) | Event::NewBroker(peer) => Some(&peer.agent_id),
        Event::NewProcess(process)
        | Event::ProcessExit(process)
        | Event::StatusChanged { process, .. } => Some(&process.agent_id),
        Event::ProcessFailed { broker, .. } => Some(&broker.agent_id),
        Event::Unknown(_) => None,
    }
}
