//! Processes: which life is meant, and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::change::{Change, Ending};
use super::ids::{DatabaseName, StartId};
use super::role::Role;
use super::sighting::{ProcessSeen, Status};
use super::state::{
    Database, DatabaseId, Life, MAX_ENTITIES, Model, PeerId, Presence, Process, ProcessId,
};
use crate::mutation::Mutant;
use crate::time::Timestamp;

/// In which kind of message a process was seen; it decides whose word on its status counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    /// As new. A status told before this message is the later one.
    Joined,
    /// In a snapshot, complete and current.
    Listed,
    /// With a new status.
    Status,
}

impl Model {
    /// Takes in that a process is there, whatever it was seen in.
    pub(super) fn process_seen(
        &mut self,
        now: Timestamp,
        seen: ProcessSeen,
        how: Seen,
        changes: &mut Vec<Change>,
    ) {
        let peer = self
            .peer_of_agent(&seen.agent_id)
            .expect("sightings of unannounced agents wait");
        let Some(id) = self.by_pid.get(&(peer, seen.pid)).copied() else {
            self.process_new(now, peer, seen, how, changes);
            return;
        };
        let process = self.kept(id);
        let is_ending = matches!(process.presence, Presence::Ending { .. });
        if is_ending && !self.is_pending(process, id) && self.is_same_life(process, &seen) {
            // Its exit was told when its agent went with it, and the session too. Both are back,
            // and nobody was told.
            self.kept_mut(id).presence = Presence::Live;
            self.process_again(now, id, seen, how, changes);
        } else if is_ending {
            // It was told to be gone before, so this is another life under the same pid.
            self.end(id, Ending::Exit, changes);
            self.process_new(now, peer, seen, how, changes);
        } else if self.is_same_life(process, &seen) {
            self.process_again(now, id, seen, how, changes);
        } else {
            self.end(id, Ending::Unknown, changes);
            self.process_new(now, peer, seen, how, changes);
        }
    }

    /// Takes in that a registered process is gone.
    pub(super) fn process_gone(
        &mut self,
        now: Timestamp,
        seen: &ProcessSeen,
        changes: &mut Vec<Change>,
    ) {
        let peer = self
            .peer_of_agent(&seen.agent_id)
            .expect("sightings of unannounced agents wait");
        let Some(id) = self.by_pid.get(&(peer, seen.pid)).copied() else {
            return;
        };
        let exit_settle = self.settings.exit_settle;
        let process = self.kept(id);
        if process.agent_id != seen.agent_id || !self.is_same_life(process, seen) {
            // The exit of a life before: since then it was told of by a later agent, or replaced.
            return;
        }
        let gone_with_peer = self
            .peer(peer)
            .lost
            .is_some_and(|lost| process.last_seen <= lost && now.since(lost) <= exit_settle);
        match (process.presence, process.status) {
            (Presence::Live, _) if !self.can_tell_of(peer) => self.set_aside(id, changes),
            (Presence::Live, _) if gone_with_peer => {
                // The loss and the return of its peer were both told before its exit.
                self.make_unreachable(id, true, changes);
                self.kept_mut(id).presence = Presence::Unreachable { registered: false };
                self.returns
                    .insert((now + self.settings.return_grace, peer));
            }
            (Presence::Ending { .. }, _) => (),
            (Presence::Unreachable { .. }, _) => {
                self.kept_mut(id).presence = Presence::Unreachable { registered: false };
            }
            (Presence::Live, Status::Stopping | Status::Down) => {
                self.end(id, Ending::Requested, changes);
            }
            (Presence::Live, Status::Starting | Status::Unknown | Status::Up) => {
                let due = now + exit_settle;
                let process = self.kept_mut(id);
                process.presence = Presence::Ending { due };
                let life = process.life;
                self.exits.insert((due, life, id));
            }
        }
    }

    /// Returns whether a process came after the exit of another was told, and before that was
    /// believed: it knew of it, and is there in its place.
    pub fn took_over(&self, new: &Process, ended: &Process) -> bool {
        match ended.presence {
            Presence::Ending { due } => due <= new.first_seen + self.settings.exit_settle,
            Presence::Live | Presence::Unreachable { .. } => false,
        }
    }

    /// Returns whether an exit at that peer can be believed: a broker that sees little itself knows
    /// what became of its own processes only.
    pub(super) fn can_tell_of(&self, peer: PeerId) -> bool {
        !self.is_minority() || self.entry == Some(peer)
    }

    /// Two sightings at one peer and pid are of one life unless both say otherwise.
    fn is_same_life(&self, process: &Process, seen: &ProcessSeen) -> bool {
        let differs = |a: Option<&str>, b: Option<&str>| a.zip(b).is_some_and(|(a, b)| a != b);
        let nodes = process.node_id.zip(seen.node_id);
        let is_other = differs(
            process.start_id.as_ref().map(StartId::as_str),
            seen.start_id.as_ref().map(StartId::as_str),
        ) || nodes.is_some_and(|(a, b)| a != b);
        (!is_other || self.settings.planted.has(Mutant::SamePidSameLife))
            && process.role == seen.role
            && self.database(process.database).name == seen.database
    }

    fn process_new(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        seen: ProcessSeen,
        how: Seen,
        changes: &mut Vec<Change>,
    ) {
        let (status, status_word) = read_status(&seen);
        if how == Seen::Status && status == Status::Down {
            // Nobody mourns a process that nobody knew.
            return;
        }
        let Some(database) = self.database_of(seen.database) else {
            return;
        };
        if self.by_pid.len() >= MAX_ENTITIES {
            return;
        }
        self.lives += 1;
        self.touched.domain = true;
        self.touched.processes.insert((peer, seen.pid));
        let reachable = self.peer(peer).is_connected();
        let process = Process {
            life: Life(self.lives),
            peer,
            database,
            pid: seen.pid,
            port: seen.port,
            role: seen.role,
            status,
            status_word,
            node_id: seen.node_id,
            start_id: seen.start_id,
            version: seen.version,
            agent_id: seen.agent_id,
            presence: if reachable {
                Presence::Live
            } else {
                Presence::Unreachable { registered: true }
            },
            first_seen: now,
            last_seen: now,
            generation: self.generation,
        };
        let running = process.is_running();
        let id = self.free.pop().unwrap_or_else(|| {
            self.processes.push(None);
            let last = self.processes.len() - 1;
            ProcessId(u32::try_from(last).expect("there are fewer than the limit"))
        });
        let pid = process.pid;
        let role = process.role;
        self.processes[id.index()] = Some(process);
        self.by_pid.insert((peer, pid), id);
        let entry = &mut self.databases[database.index()];
        entry.known += 1;
        if entry.known == 1 {
            changes.push(Change::DatabaseJoined(database));
        }
        changes.push(Change::ProcessJoined(id));
        if running {
            self.count(database, role, 1, changes);
        }
        if !reachable {
            changes.push(Change::ProcessUnreachable {
                id,
                with_peer: true,
            });
        }
    }

    fn process_again(
        &mut self,
        now: Timestamp,
        id: ProcessId,
        seen: ProcessSeen,
        how: Seen,
        changes: &mut Vec<Change>,
    ) {
        let (status, word) = read_status(&seen);
        let generation = self.generation;
        if self.doubts.clear_process(id) {
            self.touch(id);
        }
        let process = self.processes[id.index()]
            .as_mut()
            .expect("ids of processes come from the index");
        process.last_seen = now;
        process.generation = generation;
        let said = seen.status.is_some();
        if process.learn(seen) {
            self.touched.processes.insert((process.peer, process.pid));
        }
        let (peer, was) = (process.peer, process.presence);
        let counts = match how {
            Seen::Joined => {
                // With an agent that found it again it is said anew how it is.
                let is_back = was == Presence::Unreachable { registered: false };
                said && (is_back || process.status == Status::Unknown)
            }
            Seen::Listed => said,
            Seen::Status => true,
        };
        if matches!(was, Presence::Unreachable { .. }) {
            if self.peer(peer).is_connected() {
                self.make_live(id, changes);
            } else {
                self.kept_mut(id).presence = Presence::Unreachable { registered: true };
            }
        }
        if counts {
            self.change_status(id, status, word, changes);
        }
    }

    fn change_status(
        &mut self,
        id: ProcessId,
        status: Status,
        word: Arc<str>,
        changes: &mut Vec<Change>,
    ) {
        let process = self.kept(id);
        if process.status == status && process.status_word == word {
            return;
        }
        let process = self.kept_mut(id);
        let before = process.status;
        let was_running = process.is_running();
        process.status = status;
        process.status_word = word;
        let is_running = process.is_running();
        let (database, role) = (process.database, process.role);
        if process.is_live() {
            changes.push(Change::StatusChanged { id, before });
        }
        match (was_running, is_running) {
            (false, true) => self.count(database, role, 1, changes),
            (true, false) => self.count(database, role, -1, changes),
            (false, false) | (true, true) => (),
        }
    }

    /// Notes that a process is out of reach, with its peer or without.
    pub(super) fn make_unreachable(
        &mut self,
        id: ProcessId,
        with_peer: bool,
        changes: &mut Vec<Change>,
    ) {
        let is_missed = self.doubts.is_missed(id);
        if self.doubts.clear_process(id) {
            self.touch(id);
        }
        let was = self.kept(id).presence;
        if matches!(was, Presence::Unreachable { .. }) {
            return;
        }
        let process = self.kept_mut(id);
        let was_running = process.is_running();
        // One that was not shown though its peer was has to be told of anew.
        let registered = was == Presence::Live && !is_missed;
        process.presence = Presence::Unreachable { registered };
        let (database, role, life) = (process.database, process.role, process.life);
        if let Presence::Ending { due } = was {
            self.exits.remove(&(due, life, id));
        }
        changes.push(Change::ProcessUnreachable { id, with_peer });
        if was_running {
            self.count(database, role, -1, changes);
        }
    }

    /// Notes that a broker which sees little itself says that a process is gone: that it cannot
    /// be seen is all that is known.
    pub(super) fn set_aside(&mut self, id: ProcessId, changes: &mut Vec<Change>) {
        self.make_unreachable(id, false, changes);
        self.kept_mut(id).presence = Presence::Unreachable { registered: false };
    }

    /// Notes that an unreachable process was seen again.
    pub(super) fn make_live(&mut self, id: ProcessId, changes: &mut Vec<Change>) {
        let process = self.kept_mut(id);
        process.presence = Presence::Live;
        let (database, role, running) = (process.database, process.role, process.is_running());
        changes.push(Change::ProcessReturned(id));
        if running {
            self.count(database, role, 1, changes);
        }
    }

    /// Forgets a process that is gone.
    pub(super) fn end(&mut self, id: ProcessId, ending: Ending, changes: &mut Vec<Change>) {
        let process = self.processes[id.index()]
            .take()
            .expect("ids of processes come from the index");
        self.doubts.clear_process(id);
        self.by_pid.remove(&(process.peer, process.pid));
        self.touched.processes.insert((process.peer, process.pid));
        self.free.push(id);
        if let Presence::Ending { due } = process.presence {
            self.exits.remove(&(due, process.life, id));
        }
        let ending = match (ending, process.status) {
            (Ending::Exit | Ending::Unknown, Status::Stopping | Status::Down) => Ending::Requested,
            (other, _) => other,
        };
        let (database, role, running) = (process.database, process.role, process.is_running());
        changes.push(Change::ProcessEnded {
            id,
            process: Box::new(process),
            ending,
        });
        if running {
            self.count(database, role, -1, changes);
        }
        let entry = &mut self.databases[database.index()];
        entry.known -= 1;
        if entry.known == 0 {
            changes.push(Change::DatabaseLeft(database));
        }
    }

    /// Counts one running process more or less, and tells when that is the first or the last.
    fn count(&mut self, database: DatabaseId, role: Role, by: i32, changes: &mut Vec<Change>) {
        let entry = &mut self.databases[database.index()];
        for role in role.parts() {
            let running = entry.running.entry(role).or_default();
            *running = running
                .checked_add_signed(by)
                .expect("a process that stops running was counted");
            match (role, by, *running) {
                (Role::Te, 1, 1) => changes.push(Change::DatabaseActive(database)),
                (Role::Te, -1, 0) => changes.push(Change::DatabaseInactive(database)),
                _ => (),
            }
        }
    }

    pub(super) fn database_of(&mut self, name: DatabaseName) -> Option<DatabaseId> {
        if let Some(id) = self.database_names.get(&name) {
            return Some(*id);
        }
        if self.databases.len() >= MAX_ENTITIES {
            return None;
        }
        let count = self.databases.len();
        let id = DatabaseId(u32::try_from(count).expect("there are fewer than the limit"));
        self.databases.push(Database {
            name: name.clone(),
            known: 0,
            running: BTreeMap::new(),
        });
        self.database_names.insert(name, id);
        self.touched.databases.insert(id);
        Some(id)
    }

    pub(super) fn kept(&self, id: ProcessId) -> &Process {
        self.process(id)
            .expect("ids of processes come from the index")
    }

    /// Notes that the facts of a process changed.
    pub(super) fn touch(&mut self, id: ProcessId) {
        let process = self.kept(id);
        let key = (process.peer, process.pid);
        self.touched.processes.insert(key);
    }

    /// Returns a process that is about to change.
    pub(super) fn kept_mut(&mut self, id: ProcessId) -> &mut Process {
        let process = self.processes[id.index()]
            .as_mut()
            .expect("ids of processes come from the index");
        self.touched.processes.insert((process.peer, process.pid));
        process
    }
}

impl Process {
    /// Takes over what was said of it but its status; returns whether that is news.
    fn learn(&mut self, seen: ProcessSeen) -> bool {
        let port = seen.port.or(self.port);
        let node_id = seen.node_id.or(self.node_id);
        let version = Some(seen.version).filter(|it| !it.is_empty() && *it != self.version);
        let start_id = seen.start_id.filter(|_| self.start_id.is_none());
        let is_news = self.agent_id != seen.agent_id
            || self.port != port
            || self.node_id != node_id
            || version.is_some()
            || start_id.is_some();
        self.agent_id = seen.agent_id;
        self.port = port;
        self.node_id = node_id;
        if let Some(version) = version {
            self.version = version;
        }
        if start_id.is_some() {
            self.start_id = start_id;
        }
        is_news
    }
}

fn read_status(seen: &ProcessSeen) -> (Status, Arc<str>) {
    seen.status
        .as_ref()
        .map_or((Status::Unknown, "".into()), |it| {
            (it.status, it.word.clone())
        })
}
