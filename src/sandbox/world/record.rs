//! What the world has on record: every start, who asked for it, and what became of it.
//!
//! It decides nothing. Tests ask it what was true, whatever was told.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{EngineId, PeerNumber, SessionId, Start, World};
use crate::time::Timestamp;

/// How many starts are remembered: those of hours, and bounded. The oldest is forgotten first.
const MAX_RECORDS: usize = 20_000;

/// Who asked for a start.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asker {
    /// A client, on this session.
    Client(SessionId),
    /// The domain itself, for a managed database.
    Enforcer,
    /// Nobody: it belongs to the beginning.
    Nobody,
}

/// One start, as it was: from the request to the end of the engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StartRecord {
    /// When the request was taken in.
    pub at: Timestamp,
    /// Who asked.
    pub asker: Asker,
    /// Where.
    pub peer: PeerNumber,
    /// What the answer called it.
    pub start_id: Option<Arc<str>>,
    /// What was asked for, if it made sense.
    pub start: Option<Start>,
    /// The engine that came of it, if one did.
    pub engine: Option<EngineId>,
    /// Its process id, once it was a process.
    pub pid: Option<u32>,
    /// When it was a process.
    pub spawned: Option<Timestamp>,
    /// When it registered.
    pub registered: Option<Timestamp>,
    /// When it was told that it had ended, though it lived on.
    pub disowned: Option<Timestamp>,
    /// When it had ended.
    pub ended: Option<Timestamp>,
}

impl StartRecord {
    /// Returns whether there was a process of it at that moment, whatever was told of it.
    pub fn lived_at(&self, at: Timestamp) -> bool {
        self.spawned.is_some_and(|it| it <= at) && self.ended.is_none_or(|it| it > at)
    }

    /// Returns the archive that its process held at that moment: it had opened it, and lived.
    pub fn held_at(&self, at: Timestamp) -> Option<&Arc<str>> {
        let archive = self.start.as_ref()?.archive.as_ref()?;
        let has_opened = self.registered.is_some_and(|it| it <= at);
        (has_opened && self.lived_at(at)).then_some(archive)
    }
}

/// All of them, each under a number that is used once.
#[derive(Debug, Default)]
pub(super) struct Records {
    first: u64,
    all: VecDeque<StartRecord>,
}

impl Records {
    pub(super) fn add(&mut self, record: StartRecord) -> u64 {
        if self.all.len() == MAX_RECORDS {
            self.all.pop_front();
            self.first += 1;
        }
        self.all.push_back(record);
        self.first + self.all.len() as u64 - 1
    }

    fn get_mut(&mut self, number: u64) -> Option<&mut StartRecord> {
        let index = number.checked_sub(self.first)?;
        self.all.get_mut(usize::try_from(index).ok()?)
    }
}

impl World {
    /// Returns every start that is on record, in the order in which they were asked for.
    pub fn starts(&self) -> Vec<StartRecord> {
        self.records.all.iter().cloned().collect()
    }

    /// Puts a request on record, and returns its number there.
    pub(super) fn record_start(
        &mut self,
        asker: Asker,
        peer: PeerNumber,
        start_id: Option<Arc<str>>,
        start: Option<Start>,
    ) -> u64 {
        self.records.add(StartRecord {
            at: self.now,
            asker,
            peer,
            start_id,
            start,
            engine: None,
            pid: None,
            spawned: None,
            registered: None,
            disowned: None,
            ended: None,
        })
    }

    /// Changes what is on record of a start, if it is not forgotten.
    pub(super) fn note_start(&mut self, number: u64, change: impl FnOnce(&mut StartRecord)) {
        if let Some(record) = self.records.get_mut(number) {
            change(record);
        }
    }

    /// Changes what is on record of an engine, if it is not forgotten.
    pub(super) fn note_engine(
        &mut self,
        engine: EngineId,
        change: impl FnOnce(&mut StartRecord, Timestamp),
    ) {
        let now = self.now;
        if let Some(number) = self.engines.get(&engine).map(|it| it.record) {
            self.note_start(number, |it| change(it, now));
        }
    }
}
