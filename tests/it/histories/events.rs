//! Whether what listeners are told makes sense by itself, and agrees with what the warden was told.

use std::collections::{BTreeMap, BTreeSet};

use dbwarden::event::{Event, Kind};
use dbwarden::model::StartId;

use super::laws::Broken;
use super::told::{State, Told};

/// The domain as a listener would know it.
#[derive(Debug, Default)]
pub(super) struct Events {
    /// Whether each known process can be reached.
    pub(super) processes: BTreeMap<(usize, u32), bool>,
    peers: BTreeMap<usize, bool>,
    degraded: BTreeSet<String>,
    active: BTreeSet<String>,
    joined: BTreeSet<String>,
    held: BTreeSet<(String, String)>,
    blocked: BTreeSet<(String, String)>,
    /// Whether each gate that was told of is closed.
    gates: BTreeMap<String, bool>,
}

fn expect(holds: bool, event: &Event) -> Result<(), Broken> {
    if holds {
        Ok(())
    } else {
        Err(format!("this makes no sense now: {event:?}"))
    }
}

impl Events {
    pub(super) fn hear(&mut self, event: &Event, told: &Told) -> Result<(), Broken> {
        let peer = peer_of(event);
        let key = peer.zip(event.subject.process.as_ref().map(|it| it.pid));
        let database = event.subject.database.as_ref().map(ToString::to_string);
        let slot = database
            .clone()
            .zip(event.subject.slot.as_ref().map(ToString::to_string));
        let database = database.unwrap_or_default();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the other kinds stand for themselves"
        )]
        let holds = match event.kind {
            Kind::PeerJoined => self.peers.insert(peer.unwrap(), true).is_none(),
            Kind::PeerReturned => self.peers.insert(peer.unwrap(), true) == Some(false),
            Kind::PeerUnreachable => self.peers.insert(peer.unwrap(), false) == Some(true),
            Kind::ProcessJoined => self.processes.insert(key.unwrap(), true).is_none(),
            Kind::ProcessReturned => self.processes.insert(key.unwrap(), true) == Some(false),
            Kind::ProcessUnreachable => self.processes.insert(key.unwrap(), false) == Some(true),
            Kind::ProcessFailed | Kind::ProcessLeft => match key {
                Some(key) => {
                    Self::judge_stays(key, event, told)?;
                    self.processes.remove(&key).is_some()
                }
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
                self.held.insert(slot.unwrap());
                true
            }
            Kind::SlotReleased => self.held.remove(&slot.unwrap()),
            Kind::SlotBlocked => {
                self.blocked.insert(slot.unwrap());
                true
            }
            _ => true,
        };
        expect(holds, event)
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

    /// A process that is told to be gone is not told to be there.
    fn judge_stays(key: (usize, u32), event: &Event, told: &Told) -> Result<(), Broken> {
        let start = event
            .subject
            .process
            .as_ref()
            .and_then(|it| it.start_id.as_ref());
        let stays = told.processes.get(&key).is_some_and(|it| {
            it.state == State::Live
                // One that comes back just after its exit was told is another life.
                && told.lives[it.life].born < told.now
                && start.is_some()
                && told.lives[it.life].start.as_deref() == start.map(StartId::as_str)
        });
        expect(!stays, event)
    }

    /// Returns whether no gate that was told of is closed for all databases.
    pub(super) fn is_open(&self) -> bool {
        let mut all = self.gates.iter().filter(|(gate, _)| is_for_all(gate));
        all.all(|(_, is_closed)| !is_closed)
    }

    /// How many slots of a database listeners know not to be minded for now.
    pub(super) fn excused(&self, database: &str) -> usize {
        let slots: BTreeSet<&(String, String)> = self.held.union(&self.blocked).collect();
        slots.iter().filter(|(it, _)| it == database).count()
    }

    pub(super) fn is_degraded(&self, database: &str) -> bool {
        self.degraded.contains(database)
    }
}

pub(super) fn peer_of(event: &Event) -> Option<usize> {
    let name = event.subject.peer.as_ref()?.as_str();
    let index = name.strip_prefix('p')?.strip_suffix(":1")?;
    Some(index.parse().unwrap())
}

/// Returns whether a gate keeps all databases: not that of one, nor one that is only shown.
pub(super) fn is_for_all(gate: &str) -> bool {
    !gate.contains(" of ") && gate != "gate views-differ"
}
