//! What the domain itself does about a managed database: it starts again what is missing, one
//! process of a database at a time, storage managers on their own archives first.
//!
//! It stops nothing, and it knows nothing of any other healer.

use std::sync::Arc;
use std::time::Duration;

use super::record::Asker;
use super::{EngineId, PeerNumber, Start, Timer, World};
use crate::model::Role;
use crate::time::Timestamp;

/// After how many failures a place is tried no more.
const MAX_RETRIES: u32 = 10;

/// What came of the enforcer's starts at one place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Timestamp,
}

impl Backoff {
    fn allows(self, now: Timestamp) -> bool {
        self.failures < MAX_RETRIES && self.until <= now
    }

    fn fail(&mut self, now: Timestamp, first: Duration) {
        let doubled = first.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        self.until = now + doubled;
    }
}

/// One process that is missing, and where it would go.
struct Missing {
    peer: PeerNumber,
    start: Start,
}

impl World {
    /// Has the enforcer look again after its usual pause, unless it will anyway.
    pub(super) fn arm_enforcer(&mut self) {
        if !self.enforcer_is_armed && !self.descriptions.is_empty() {
            self.enforcer_is_armed = true;
            self.set_timer(self.now + self.pace.enforce, Timer::Enforce);
        }
    }

    /// The usual look.
    pub(super) fn enforce_again(&mut self, now: Timestamp) {
        self.enforcer_is_armed = false;
        self.enforce(now);
        let is_started = |it: &super::description::Description| it.is_started;
        if self.descriptions.values().any(is_started) {
            self.arm_enforcer();
        }
    }

    /// Starts one missing process of each managed database that was started, if a broker is there
    /// to do it and nothing of that database is on its way.
    pub(super) fn enforce(&mut self, now: Timestamp) {
        let has_broker = self.peers.iter().any(|it| it.is_broker() && !it.is_lost);
        if !has_broker || now < self.enforcer_waits_until {
            return;
        }
        let started = self.descriptions.iter().filter(|(_, it)| it.is_started);
        let names: Vec<Arc<str>> = started.map(|(name, _)| name.clone()).collect();
        for name in names {
            if let Some(missing) = self.missing(now, &name) {
                self.enforce_start(now, &missing);
            }
        }
        self.arm_enforcer();
    }

    /// Returns what to start next of a database.
    fn missing(&self, now: Timestamp, name: &Arc<str>) -> Option<Missing> {
        let description = self.descriptions.get(name)?;
        let all = [Role::Sm, Role::Te].into_iter();
        let mut all = all.flat_map(|role| self.members(name, role));
        let is_coming = |it: EngineId| self.engines.get(&it).is_some_and(|it| !it.is_registered());
        if all.any(is_coming) {
            return None;
        }
        let start = |role, archive| Start {
            database: name.clone(),
            role,
            archive,
            initialize: false,
            has_dba: true,
        };
        let may = |peer: PeerNumber, role| {
            let backoff = description.backoffs.get(&(peer, role));
            self.agent_at(peer).is_some() && backoff.is_none_or(|it| it.allows(now))
        };
        let is_kept = |archive: &Arc<str>| {
            let mut managers = self.members(name, Role::Sm);
            managers.any(|it| self.engines[&it].start.archive.as_ref() == Some(archive))
        };
        let mut archives = description.archives.iter();
        let orphaned = archives.find(|(peer, archive)| !is_kept(archive) && may(*peer, Role::Sm));
        if let Some((peer, archive)) = orphaned {
            return Some(Missing {
                peer: *peer,
                start: start(Role::Sm, Some(archive.clone())),
            });
        }
        let serves = self.serving(name, Role::Sm).next().is_some();
        if !serves || self.members(name, Role::Te).count() >= description.engines {
            return None;
        }
        let taken = |peer| {
            let mut engines = self.members(name, Role::Te);
            engines.any(|it| self.engines[&it].peer == peer)
        };
        let mut peers = self.peers.iter().map(super::Peer::number);
        let peer = peers.find(|it| !taken(*it) && may(*it, Role::Te))?;
        Some(Missing {
            peer,
            start: start(Role::Te, None),
        })
    }

    fn enforce_start(&mut self, now: Timestamp, missing: &Missing) {
        let Some(peer) = self.peer_mut(missing.peer) else {
            return;
        };
        let start_id = peer.next_start_id();
        let start = missing.start.clone();
        let engines = self.engines.len();
        self.launch(now, missing.peer, Asker::Enforcer, start_id, Ok(start));
        if self.engines.len() == engines {
            // It neither joins nor fails in time, for all that is known: all databases wait.
            self.enforcer_waits_until = now + self.pace.enforcer_patience;
        }
    }

    /// An engine has ended, or never came: if it was short-lived, its place has to wait longer.
    pub(super) fn note_end(&mut self, now: Timestamp, engine: EngineId) {
        let Some(it) = self.engines.get(&engine) else {
            return;
        };
        let (place, name) = ((it.peer, it.start.role), it.start.database.clone());
        let (min_uptime, first) = (self.pace.min_uptime, self.pace.backoff);
        let lived = it.registered_at.map(|at| now.since(at));
        let was_stopped = it.is_shutting_down();
        let Some(description) = self.descriptions.get_mut(&name) else {
            return;
        };
        if lived.is_none_or(|it| it < min_uptime) && !was_stopped {
            description
                .backoffs
                .entry(place)
                .or_default()
                .fail(now, first);
        }
    }

    /// Minds the database of an engine that is no more.
    pub(super) fn mind_description(&mut self, now: Timestamp, name: &str) {
        match self.descriptions.get(name).map(|it| it.is_started) {
            Some(true) => self.enforce(now),
            Some(false) => self.wind_down(now, name),
            None => (),
        }
    }
}
