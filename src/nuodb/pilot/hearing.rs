//! Whether a session that is silent has merely nothing to tell.
//!
//! A broker that answers probes may have forgotten whom it tells, or something between us and it
//! may hold one connection open and let nothing pass. Then the domain changes and the session does
//! not say so. Only looking at the domain in another way shows that; what is seen then is compared
//! and dropped, never told.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AgentId, Sighting, Snapshot};

/// What a session has told, and what it should have told.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    told: Picture,
    /// How many probes were sent since the session last said anything.
    probes: u32,
    /// Whether a look is under way, and the session has said nothing since it began.
    is_looking: bool,
    /// The domain is not as the session told.
    is_suspect: bool,
}

/// Who is there.
#[derive(Debug, Default, Eq, PartialEq)]
struct Picture {
    peers: BTreeSet<AgentId>,
    processes: BTreeMap<AgentId, BTreeSet<u32>>,
}

impl Hearing {
    /// Returns the state after a session began by showing the whole domain.
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        Self {
            told: Picture::of(snapshot),
            ..Self::default()
        }
    }

    /// Notes that the session said something. A look that is under way may be older than that.
    pub(super) const fn heard(&mut self) {
        self.probes = 0;
        self.is_looking = false;
        self.is_suspect = false;
    }

    /// Takes in a change that the session told.
    pub(super) fn told(&mut self, sighting: &Sighting) {
        self.told.follow(sighting);
    }

    /// Notes that a probe is due, and returns whether it shall look at the domain: each second one
    /// does.
    pub(super) const fn is_look_due(&mut self) -> bool {
        self.probes += 1;
        self.is_looking = self.probes.is_multiple_of(2);
        self.is_looking
    }

    /// Takes in the domain as another connection shows it. What differs may be on its way to us
    /// still: the session has until the next probe to say so.
    pub(super) fn looked(&mut self, snapshot: &Snapshot) {
        if self.is_looking {
            self.is_looking = false;
            self.is_suspect = self.told != Picture::of(snapshot);
        }
    }

    /// Returns whether the session is deaf.
    pub(super) const fn is_deaf(&self) -> bool {
        self.is_suspect
    }
}

impl Picture {
    fn of(snapshot: &Snapshot) -> Self {
        let peers = snapshot.peers.iter().map(|it| it.agent_id.clone());
        let mut picture = Self {
            peers: peers.collect(),
            processes: BTreeMap::new(),
        };
        for process in &snapshot.processes {
            picture.add(&process.agent_id, process.pid);
        }
        picture.peers.remove(&snapshot.entry.agent_id);
        picture
    }

    fn follow(&mut self, sighting: &Sighting) {
        match sighting {
            Sighting::PeerJoined(peer) => {
                self.peers.insert(peer.agent_id.clone());
            }
            Sighting::PeerLost(peer) => {
                self.peers.remove(&peer.agent_id);
                self.processes.remove(&peer.agent_id);
            }
            Sighting::ProcessGone(process) => {
                if let Some(pids) = self.processes.get_mut(&process.agent_id) {
                    pids.remove(&process.pid);
                    if pids.is_empty() {
                        self.processes.remove(&process.agent_id);
                    }
                }
            }
            Sighting::ProcessJoined(process) => self.add(&process.agent_id, process.pid),
            Sighting::StartFailed { .. } | Sighting::StatusChanged(_) => (),
        }
    }

    fn add(&mut self, agent_id: &AgentId, pid: u32) {
        match self.processes.get_mut(agent_id) {
            Some(pids) => drop(pids.insert(pid)),
            None => drop(self.processes.insert(agent_id.clone(), [pid].into())),
        }
    }
}
