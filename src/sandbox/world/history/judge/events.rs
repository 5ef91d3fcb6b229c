//! Whether what listeners are told makes sense by itself, and agrees with what the warden was told.

use std::collections::{BTreeMap, BTreeSet};

use super::known::index_of;
use super::{Broken, Law};
use crate::event::{Event, Kind};
use crate::model::Status;

/// The domain as a listener would know it.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    /// Whether each known process can be reached.
    pub(super) processes: BTreeMap<(usize, u32), bool>,
    peers: BTreeMap<usize, bool>,
    degraded: BTreeSet<String>,
    active: BTreeSet<String>,
    joined: BTreeSet<String>,
    held: BTreeSet<(String, String)>,
    blocked: BTreeSet<(String, String)>,
    stuck: BTreeSet<(usize, u32)>,
    /// Who does not answer at its port.
    silent: BTreeSet<(usize, u32)>,
    /// Whether each gate that was told of is closed.
    gates: BTreeMap<String, bool>,
}

fn expect(holds: bool, event: &Event) -> Result<(), Broken> {
    if holds {
        Ok(())
    } else {
        Err(Law::Sense.broken(format!("this makes no sense now: {event:?}")))
    }
}

impl Events {
    pub(super) fn hear(&mut self, event: &Event) -> Result<(), Broken> {
        let peer = peer_of(event);
        let key = peer.zip(event.subject.process.as_ref().map(|it| it.pid));
        let database = event.subject.database.as_ref().map(ToString::to_string);
        let slot = database
            .clone()
            .zip(event.subject.slot.as_ref().map(ToString::to_string));
        let database = database.unwrap_or_default();
        expect(self.hear_ports(event, key), event)?;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other kinds stand for themselves"
        )]
        let holds = match event.kind {
            Kind::PeerJoined => self.peers.insert(peer.unwrap_or_default(), true).is_none(),
            Kind::PeerReturned => self.peers.insert(peer.unwrap_or_default(), true) == Some(false),
            Kind::PeerUnreachable => {
                self.peers.insert(peer.unwrap_or_default(), false) == Some(true)
            }
            Kind::ProcessJoined => self
                .processes
                .insert(key.unwrap_or_default(), true)
                .is_none(),
            Kind::ProcessReturned => {
                self.processes.insert(key.unwrap_or_default(), true) == Some(false)
            }
            Kind::ProcessUnreachable => {
                self.processes.insert(key.unwrap_or_default(), false) == Some(true)
            }
            Kind::ProcessStuck => {
                self.stuck.extend(key);
                true
            }
            Kind::ProcessFailed | Kind::ProcessLeft => match key {
                Some(key) if self.stuck.remove(&key) => self.processes.remove(&key).is_some(),
                Some(key) => self.processes.remove(&key).is_some(),
                None => true,
            },
            Kind::DatabaseJoined => self.joined.insert(database),
            Kind::DatabaseLeft => self.joined.remove(&database),
            Kind::DatabaseActive => self.active.insert(database),
            Kind::DatabaseInactive => self.active.remove(&database),
            Kind::DatabaseDegraded => self.degraded.insert(database),
            Kind::DatabaseRestored => {
                self.blocked.retain(|(it, _)| *it != database);
                self.degraded.remove(&database)
            }
            Kind::DomainFrozen => self.turn(event, true),
            Kind::DomainThawed => self.turn(event, false),
            Kind::SlotHeld => {
                self.held.insert(slot.unwrap_or_default());
                true
            }
            Kind::SlotReleased => self.held.remove(&slot.unwrap_or_default()),
            Kind::SlotBlocked => {
                self.blocked.insert(slot.unwrap_or_default());
                true
            }
            _ => true,
        };
        expect(holds, event)
    }

    /// Notes whether a process answers at its port; returns whether that is news of one that
    /// should. That it stops, ends or is out of reach says by itself that nobody waits for it.
    fn hear_ports(&mut self, event: &Event, key: Option<(usize, u32)>) -> bool {
        let (Some(key), Some(process)) = (key, &event.subject.process) else {
            return event.kind != Kind::ProcessUnresponsive;
        };
        if event.kind == Kind::ProcessUnresponsive {
            let is_up = process.status == Status::Up;
            return is_up && self.processes.get(&key) == Some(&true) && self.silent.insert(key);
        }
        if event.kind == Kind::ProcessStatusChanged && event.text.is_some() {
            return self.silent.remove(&key);
        }
        let is_over = matches!(
            event.kind,
            Kind::ProcessFailed | Kind::ProcessLeft | Kind::ProcessUnreachable
        );
        if is_over || event.kind == Kind::ProcessStatusChanged && process.status != Status::Up {
            self.silent.remove(&key);
        }
        true
    }

    /// Notes that a gate opened or closed; returns whether it was the other way before. Of a new
    /// warden's nobody expects a session, so that one is closed without a word.
    fn turn(&mut self, event: &Event, is_closed: bool) -> bool {
        let mut gate = event.text.as_deref().unwrap_or_default().to_owned();
        if let Some(database) = &event.subject.database {
            gate = format!("{gate} of {database}");
        }
        let was_closed = self.gates.insert(gate.clone(), is_closed);
        was_closed.unwrap_or(gate == "gate not-synced") != is_closed
    }

    /// How many slots of a database and role listeners know not to be minded for now.
    pub(super) fn excused(&self, database: &str, role: &str) -> usize {
        let slots: BTreeSet<&(String, String)> = self.held.union(&self.blocked).collect();
        let is_it = |it: &&&(String, String)| it.0 == database && it.1.starts_with(role);
        slots.iter().filter(is_it).count()
    }

    /// Returns whether listeners know that a process gets no further.
    pub(super) fn is_stuck(&self, key: (usize, u32)) -> bool {
        self.stuck.contains(&key)
    }

    pub(super) fn is_degraded(&self, database: &str) -> bool {
        self.degraded.contains(database)
    }
}

/// Returns which peer an event is about.
fn peer_of(event: &Event) -> Option<usize> {
    index_of(event.subject.peer.as_ref()?)
}
