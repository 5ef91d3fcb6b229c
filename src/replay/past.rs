//! What happened: which peers were there, and how long each engine lived.
//!
//! Both logs and journals become one. Whatever is first spoken of as something known was there from
//! the start. Times never run backwards: a line that does is taken to be as late as the one before.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Address, DatabaseName, Role, Status, StatusSeen};
use crate::time::Timestamp;

/// Numbers a host within a past.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct HostId(pub(super) usize);

/// Numbers the life of an engine within a past.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct LifeId(pub(super) usize);

/// A peer.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) address: Address,
    pub(super) hostname: Arc<str>,
    pub(super) is_broker: bool,
    /// Whether it was there from the start.
    pub(super) was_there: bool,
}

/// An engine, from when it registered until it was gone.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) database: DatabaseName,
    pub(super) role: Role,
    pub(super) host: HostId,
    pub(super) pid: u32,
    /// Whether it was there from the start.
    pub(super) was_there: bool,
    /// Whether it goes on with a life that only fell out of view.
    pub(super) is_back: bool,
    pub(super) joined: Timestamp,
    /// How it was when it registered, if it was said.
    pub(super) first: Option<StatusSeen>,
    pub(super) running: Option<Timestamp>,
    pub(super) is_stopping: bool,
    pub(super) end: Option<(Timestamp, How)>,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum How {
    /// By itself.
    Exit,
    /// As somebody wished.
    Stopped,
    /// Its peer was lost, and it fell out of view.
    WithPeer,
}

/// Something that was told.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Gone(LifeId),
    Joined(LifeId),
    PeerJoined(HostId),
    PeerLost(HostId),
    Status(LifeId, StatusSeen),
}

/// An engine as it is spoken of.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    pub(super) host: HostId,
    pub(super) database: DatabaseName,
    pub(super) role: Role,
    pub(super) pid: u32,
}

/// A recorded past.
#[derive(Clone, Debug, Default)]
pub struct Past {
    pub(super) hosts: Vec<Host>,
    pub(super) lives: Vec<Life>,
    pub(super) happened: Vec<(Timestamp, Happening)>,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    begun: bool,
    names: BTreeMap<String, HostId>,
    here: Vec<bool>,
    alive: BTreeMap<(HostId, u32), LifeId>,
}

impl Past {
    /// Returns when it begins and when it ends.
    pub const fn span(&self) -> (Timestamp, Timestamp) {
        (self.from, self.until)
    }

    /// Returns every address of every peer.
    pub fn addresses(&self) -> Vec<Address> {
        let of = |it: &Host| {
            let by_name = Address::new(it.hostname.clone(), it.address.port);
            [
                Some(it.address.clone()),
                (!it.hostname.is_empty()).then_some(by_name),
            ]
        };
        self.hosts.iter().flat_map(of).flatten().collect()
    }

    /// Returns every database, in the order of names.
    pub fn databases(&self) -> Vec<DatabaseName> {
        let mut all: Vec<_> = self.lives.iter().map(|it| it.database.clone()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Returns how many peers there are, and how many lives of engines.
    pub const fn counts(&self) -> (usize, usize) {
        (self.hosts.len(), self.lives.len())
    }

    /// Adds a peer of which nothing is recorded: it is there all the time, and empty.
    pub fn add_host(&mut self, address: &Address) {
        let name = key(address);
        if !self.names.contains_key(&name) {
            self.host(&name, true, || Host {
                address: address.clone(),
                hostname: "".into(),
                is_broker: false,
                was_there: true,
            });
        }
    }

    /// Takes in that time has passed, and returns the time that counts.
    pub(super) fn pass(&mut self, at: Timestamp) -> Timestamp {
        if !std::mem::replace(&mut self.begun, true) {
            self.from = at;
        }
        self.until = self.until.max(at);
        self.until
    }

    /// Returns a host by what it is called, and makes it if it was not spoken of yet.
    pub(super) fn host(&mut self, name: &str, is_here: bool, make: impl Fn() -> Host) -> HostId {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let id = HostId(self.hosts.len());
        self.hosts.push(Host {
            was_there: is_here,
            ..make()
        });
        self.here.push(is_here);
        self.names.insert(name.to_owned(), id);
        id
    }

    /// Has a host be known by another name as well.
    pub(super) fn also_called(&mut self, host: HostId, name: &str) {
        self.names.insert(name.to_owned(), host);
    }

    /// Returns the host of that name.
    pub(super) fn called(&self, name: &str) -> Option<HostId> {
        self.names.get(name).copied()
    }

    pub(super) fn is_here(&self, host: HostId) -> bool {
        self.here[host.0]
    }

    /// Returns the lives that are not known to have ended.
    pub(super) fn alive(&self) -> impl Iterator<Item = LifeId> + '_ {
        self.alive.values().copied()
    }

    pub(super) fn peer_joined(&mut self, at: Timestamp, host: HostId) {
        if !std::mem::replace(&mut self.here[host.0], true) {
            self.happened.push((at, Happening::PeerJoined(host)));
        }
    }

    pub(super) fn peer_lost(&mut self, at: Timestamp, host: HostId) {
        if !std::mem::replace(&mut self.here[host.0], false) {
            return;
        }
        self.happened.push((at, Happening::PeerLost(host)));
        let with_it: Vec<_> = self
            .alive
            .keys()
            .filter(|it| it.0 == host)
            .copied()
            .collect();
        for key in with_it {
            if let Some(life) = self.alive.remove(&key) {
                self.lives[life.0].end = Some((at, How::WithPeer));
            }
        }
    }

    pub(super) fn joined(&mut self, at: Timestamp, it: Spoken, status: Option<StatusSeen>) {
        let key = (it.host, it.pid);
        if let Some(life) = self.alive.get(&key).copied() {
            if self.lives[life.0].database == it.database {
                return;
            }
            self.ended(at, life, How::Exit);
        }
        let life = self.live(at, it, false, status);
        self.happened.push((at, Happening::Joined(life)));
    }

    pub(super) fn changed(&mut self, at: Timestamp, it: Spoken, status: StatusSeen) {
        let life = self.known(it);
        let known = &mut self.lives[life.0];
        known.is_stopping |= status.status == Status::Stopping;
        if status.status == Status::Up && known.running.is_none() {
            known.running = Some(at);
        }
        self.happened.push((at, Happening::Status(life, status)));
    }

    /// Takes in that an engine is gone; `observed` if its exit was seen.
    pub(super) fn gone(&mut self, at: Timestamp, it: Spoken, observed: bool) {
        let is_known = self
            .lives
            .iter()
            .any(|life| life.host == it.host && life.pid == it.pid);
        if is_known && !self.alive.contains_key(&(it.host, it.pid)) {
            // It fell out of view with its peer.
            return;
        }
        let life = self.known(it);
        let how = match (observed, self.lives[life.0].is_stopping) {
            (_, true) => How::Stopped,
            (true, false) => How::Exit,
            (false, false) => How::WithPeer,
        };
        self.ended(at, life, how);
    }

    pub(super) fn ended(&mut self, at: Timestamp, life: LifeId, how: How) {
        let ended = &mut self.lives[life.0];
        ended.end = Some((at, how));
        let key = (ended.host, ended.pid);
        self.alive.remove(&key);
        self.happened.push((at, Happening::Gone(life)));
    }

    /// Returns the life of an engine that is spoken of as something known.
    fn known(&mut self, it: Spoken) -> LifeId {
        let known = self.alive.get(&(it.host, it.pid)).copied();
        let from = self.from;
        known.unwrap_or_else(|| self.live(from, it, true, Some(running())))
    }

    fn live(
        &mut self,
        joined: Timestamp,
        it: Spoken,
        was_there: bool,
        first: Option<StatusSeen>,
    ) -> LifeId {
        let Spoken {
            host,
            database,
            role,
            pid,
        } = it;
        let id = LifeId(self.lives.len());
        let before = self.lives.iter().rev();
        let mut before = before.filter(|it| it.host == host && it.pid == pid);
        let is_back = before.next().is_some_and(|it| {
            it.database == database && matches!(it.end, Some((_, How::WithPeer)))
        });
        let is_up = first.as_ref().is_some_and(|it| it.status == Status::Up);
        self.lives.push(Life {
            database,
            role,
            host,
            pid,
            was_there,
            is_back,
            joined,
            first,
            running: is_up.then_some(joined),
            is_stopping: false,
            end: None,
        });
        self.alive.insert((host, pid), id);
        id
    }
}

/// Returns the status of an engine that serves.
pub(super) fn running() -> StatusSeen {
    StatusSeen {
        status: Status::Up,
        word: "RUNNING".into(),
    }
}

/// Returns what a host at that address is called.
pub(super) fn key(address: &Address) -> String {
    let Address { host, port } = address;
    format!("{}:{port}", host.to_ascii_lowercase())
}
