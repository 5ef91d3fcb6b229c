//! Agents that lie: they tell of engines that are not there, and do not tell of some that are, or
//! say of their archives what is not so.
//!
//! What is true is in the records all the while; only what is told is not. A lie lasts until its
//! agent is made to tell the truth.

use std::sync::Arc;

use super::fault::FaultError;
use super::record::Asker;
use super::start::MAX_ENGINES;
use super::{Effect, EngineId, PeerNumber, Start, World};
use crate::model::Role;
use crate::nuodb::message::Event;
use crate::time::Timestamp;

/// No system has a process of such an id: the highest that Linux gives is 2^22.
const FIRST_PID: u32 = (1 << 22) + 1;

/// Where nobody listens.
const PORT: u16 = 9;

/// What an agent says that is not so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lie {
    /// That a transaction engine runs there, which does not.
    Invent {
        /// Of which database.
        database: Arc<str>,
    },
    /// That its archives were last used at some other time, or what is no time at all.
    LastUsed {
        /// What it says of when.
        at: Arc<str>,
    },
    /// Nothing: from here on it tells the truth.
    NoMore,
    /// That an engine does not run there, which lives on.
    Omit {
        /// Its process id.
        pid: u32,
    },
}

/// What an agent says of an engine.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Told {
    /// What is so.
    #[default]
    AsItIs,
    /// That it runs, and there is no such process.
    Invented,
    /// Nothing, and it runs.
    Omitted,
}

impl World {
    /// An agent lies, or does not any more.
    pub(super) fn lie(
        &mut self,
        now: Timestamp,
        peer: PeerNumber,
        lie: Lie,
    ) -> Result<(), FaultError> {
        match lie {
            Lie::Invent { database } => self.invent_another(now, peer, database),
            Lie::LastUsed { at } => {
                if let Some(it) = self.peer_mut(peer) {
                    it.last_used = Some(at);
                }
                Ok(())
            }
            Lie::NoMore => {
                self.confess(now, peer);
                Ok(())
            }
            Lie::Omit { pid } => self.omit(peer, pid),
        }
    }

    /// An agent tells of a transaction engine that nobody started.
    fn invent_another(
        &mut self,
        now: Timestamp,
        peer: PeerNumber,
        database: Arc<str>,
    ) -> Result<(), FaultError> {
        if self.engines.len() >= MAX_ENGINES {
            return Err(FaultError::NoRoom);
        }
        let start = Start {
            database,
            role: Role::Te,
            archive: None,
            initialize: false,
            has_dba: true,
        };
        let record = self.record_start(Asker::Nobody, peer, None, Some(start.clone()));
        let engine = self.add_engine(peer, start, record);
        self.invent(now, engine);
        Ok(())
    }

    /// An agent tells of an engine that it did not start, though it was asked to.
    pub(super) fn invent(&mut self, now: Timestamp, engine: EngineId) {
        let pids = self.engines.values().filter_map(|it| it.pid);
        let last = pids.max().unwrap_or_default();
        if let Some(it) = self.engines.get_mut(&engine) {
            it.told = Told::Invented;
            it.pid = Some(FIRST_PID.max(last + 1));
        }
        self.engine_ready(now, engine, PORT);
    }

    /// An agent does not tell any more of an engine of its own.
    fn omit(&mut self, peer: PeerNumber, pid: u32) -> Result<(), FaultError> {
        let engine = self.engine_of(pid)?;
        let Some(it) = self.engines.get_mut(&engine).filter(|it| it.peer == peer) else {
            return Err(FaultError::NotThere(pid, peer));
        };
        if !it.is_registered() {
            return Err(FaultError::NotRegistered(pid));
        }
        it.told = Told::Omitted;
        Ok(())
    }

    /// An agent tells the truth again: what is not there is gone, and what is there joins.
    fn confess(&mut self, now: Timestamp, peer: PeerNumber) {
        if let Some(it) = self.peer_mut(peer) {
            it.last_used = None;
        }
        let here = self.engines.iter().filter(|(_, it)| it.peer == peer);
        let lies: Vec<(EngineId, Told)> = here.map(|(id, it)| (*id, it.told)).collect();
        for (engine, told) in lies {
            match told {
                Told::AsItIs => (),
                Told::Invented => self.engine_exited(now, engine, 0),
                Told::Omitted => {
                    if let Some(it) = self.engines.get_mut(&engine) {
                        it.told = Told::AsItIs;
                    }
                    let process = self.process_element(engine);
                    if let Some(process) = process.filter(|_| self.is_visible(engine)) {
                        self.tell(&Event::NewProcess(process));
                    }
                }
            }
        }
    }

    /// Returns whether there is no such engine, whatever is told.
    pub(super) fn is_invented(&self, engine: EngineId) -> bool {
        let told = self.engines.get(&engine).map(|it| it.told);
        told == Some(Told::Invented)
    }

    /// Ends an engine at once. One that is not there is gone as soon as somebody says so.
    pub(super) fn kill(&mut self, engine: EngineId) {
        if self.is_invented(engine) {
            self.engine_exited(self.now, engine, 0);
        } else {
            self.effects.push_back(Effect::Kill { engine });
        }
    }
}
