//! What a warden was fed with as a past: what its domain told, without what became of its deeds.
//!
//! Times without a session are not in it: what changed meanwhile changed when it was seen.

use super::past::{Host, HostId, How, Past, Spoken, key};
use crate::exchange::Observation;
use crate::model::{PeerSeen, ProcessSeen, Sighting, Snapshot};
use crate::supervisor::Input;
use crate::time::{Moment, Timestamp};

impl Past {
    /// Takes in the next input. Its time is the wall clock's, as people have it in mind.
    pub fn input(&mut self, now: Moment, input: &Input) {
        let at = self.pass(Timestamp::from_micros(now.wall.as_unix_micros()));
        match input {
            Input::Observed(Observation::Sighted(sighting)) => self.sighted(at, sighting),
            Input::Observed(Observation::Snapshot(snapshot)) => self.seen(at, snapshot),
            Input::Began(_)
            | Input::Configured(_)
            | Input::JournalFailed
            | Input::Lease(_)
            | Input::Probed(_)
            | Input::Observed(Observation::Lost(_) | Observation::Managed(_))
            | Input::Clock(_)
            | Input::Recovered(_)
            | Input::Reported { .. }
            | Input::Requested(_)
            | Input::Resumed { .. }
            | Input::Timeout => (),
        }
    }

    fn sighted(&mut self, at: Timestamp, sighting: &Sighting) {
        match sighting {
            Sighting::PeerJoined(peer) => {
                let host = self.host_seen(peer, false);
                self.peer_joined(at, host);
            }
            Sighting::PeerLost(peer) => {
                let host = self.host_seen(peer, true);
                self.peer_lost(at, host);
            }
            Sighting::ProcessGone(process) => {
                if let Some(spoken) = self.spoken(process) {
                    self.gone(at, spoken, true);
                }
            }
            Sighting::ProcessJoined(process) => {
                if let Some(spoken) = self.spoken(process) {
                    self.joined(at, spoken, process.status.clone());
                }
            }
            Sighting::StartFailed { .. } => (),
            Sighting::StatusChanged(process) => {
                if let (Some(spoken), Some(status)) = (self.spoken(process), &process.status) {
                    self.changed(at, spoken, status.clone());
                }
            }
        }
    }

    /// Takes in the whole domain: what it does not list is gone.
    fn seen(&mut self, at: Timestamp, snapshot: &Snapshot) {
        let is_first = self.hosts.iter().all(|it| !it.was_there);
        let peers = std::iter::once(&snapshot.entry).chain(&snapshot.peers);
        let listed: Vec<HostId> = peers.map(|it| self.host_seen(it, is_first)).collect();
        for host in (0..self.hosts.len()).map(HostId) {
            if listed.contains(&host) {
                self.peer_joined(at, host);
            } else if self.is_here(host) {
                self.peer_lost(at, host);
            }
        }
        let mut there = Vec::new();
        for process in &snapshot.processes {
            if let Some(spoken) = self.spoken(process) {
                there.push((spoken.host, spoken.pid));
                self.joined(at, spoken, process.status.clone());
            }
        }
        let gone = self.alive().filter(|it| {
            let life = &self.lives[it.0];
            !there.contains(&(life.host, life.pid))
        });
        for life in gone.collect::<Vec<_>>() {
            self.ended(at, life, How::Exit);
        }
    }

    fn host_seen(&mut self, peer: &PeerSeen, is_here: bool) -> HostId {
        if let Some(known) = self.called(peer.agent_id.as_str()) {
            return known;
        }
        let name = key(&peer.address);
        let host = self.host(&name, is_here, || Host {
            address: peer.address.clone(),
            hostname: peer.hostname.clone(),
            is_broker: peer.is_broker,
            was_there: is_here,
        });
        self.also_called(host, peer.agent_id.as_str());
        host
    }

    fn spoken(&self, process: &ProcessSeen) -> Option<Spoken> {
        Some(Spoken {
            host: self.called(process.agent_id.as_str())?,
            database: process.database.clone(),
            role: process.role,
            pid: process.pid,
        })
    }
}
