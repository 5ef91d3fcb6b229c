//! Archives: where storage managers belong, with which options they are started, and who of them
//! ran last.
//!
//! An archive is known from the configuration, or from a start of ours. A storage manager whose
//! archive is not known whole is not started: what is missing cannot be guessed.

use std::sync::Arc;

use super::facts::HoldReason;
use super::rule::{Case, Hindrance, Obstacle};
use super::state::{Phase, SlotId, Supervisor};
use crate::exchange::EngineOption;
use crate::model::{DatabaseId, Model, PeerId, PeerName, Process, StartId, Status};
use crate::mutation::Mutant;
use crate::policy::SeatKind;
use crate::time::Timestamp;

/// What must not be remembered of a start, for it is right once only.
const ONCE: [&str; 2] = ["--initialize", "--force"];

/// As [`ONCE`]: the names that begin so.
const ONCE_BEGINS: &str = "--dba-";

/// Where a storage manager belongs, and how it is started there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Archive {
    /// The peer that has it: our name for it, or an address it is known under.
    pub peer: PeerName,
    /// Where it is there.
    pub path: Arc<str>,
    /// Where its journal is, if not in it.
    pub journal: Option<Arc<str>>,
    /// Which archives keep the same data; those without a name are one group.
    pub group: Option<Arc<str>>,
    /// Engine options in order; archive and journal are not among them.
    pub options: Vec<EngineOption>,
}

impl Archive {
    /// Returns every option of a start on it.
    pub fn options(&self) -> Vec<EngineOption> {
        let own = [
            ("--archive", Some(&self.path)),
            ("--journal-dir", self.journal.as_ref()),
        ];
        let own = own.into_iter().filter_map(|(name, value)| {
            Some(EngineOption {
                name: name.to_owned(),
                value: Some(value?.to_string()),
            })
        });
        own.chain(self.options.iter().cloned()).collect()
    }

    /// Returns what is remembered of a start on it: without what is right once only, and without
    /// the values of secrets, which the configuration has.
    #[must_use]
    pub fn remembered(&self) -> Self {
        let options = self.options.iter().filter(|it| !is_for_once(&it.name));
        let options = options.map(|it| EngineOption {
            name: it.name.clone(),
            value: it.value.clone().filter(|_| !it.is_secret()),
        });
        Self {
            options: options.collect(),
            ..self.clone()
        }
    }

    /// Returns whether nothing is missing: what is remembered lacks the values of secrets.
    fn is_whole(&self) -> bool {
        let lacks = |it: &EngineOption| it.value.is_none() && it.name.contains("password");
        !self.options.iter().any(lacks)
    }
}

/// Returns whether an option is right once only: it makes an archive, or overrides a check.
pub fn is_for_once(name: &str) -> bool {
    ONCE.contains(&name) || name.starts_with(ONCE_BEGINS)
}

/// The last process of a seat that belongs to a peer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ran {
    /// Until when it was up; the beginning of time if it never was.
    pub until: Timestamp,
    /// Whether it left as somebody wished.
    pub is_stopped: bool,
    /// Its process id; none once it was ended for good.
    pub pid: Option<u32>,
    /// The start it came from.
    pub start_id: Option<StartId>,
}

impl Supervisor {
    /// Makes the seats of a database's archives that the configuration tells of.
    pub(super) fn declare_archives(&mut self, model: &Model, id: DatabaseId) {
        let Some(row) = self.keeper_row() else {
            return;
        };
        if self.watches[id.index()].rows[row].policy.is_none() {
            return;
        }
        let known = self.settings.archives.get(&model.database(id).name);
        let homes = known.into_iter().flatten();
        let homes: Vec<PeerId> = homes.filter_map(|it| model.peer_called(&it.peer)).collect();
        for home in homes {
            let mut seats = self.watches[id.index()].rows[row].seats.iter();
            if !seats.any(|it| self.slot(*it).home == Some(home)) {
                self.add_seat(id, row, Some(home));
            }
        }
        self.wake_row(id, row);
    }

    /// Makes the seats of archives whose peer was not known before.
    pub(super) fn declare_archives_anew(&mut self, model: &Model) {
        let known = model.databases().map(|(id, _)| id);
        let watched: Vec<_> = known.filter(|id| id.index() < self.watches.len()).collect();
        for id in watched {
            self.declare_archives(model, id);
        }
    }

    /// Looks at all empty seats of a row: whether they are wanted may hang on the others.
    pub(super) fn wake_row(&mut self, id: DatabaseId, row: usize) {
        for seat in &self.watches[id.index()].rows[row].seats {
            if matches!(self.slots[seat.0 as usize].phase, Phase::Empty) {
                self.busy.insert(*seat);
            }
        }
    }

    fn keeper_row(&self) -> Option<usize> {
        let mut roles = self.settings.doctrine.roles.iter();
        roles.position(|it| it.seat == SeatKind::Archive)
    }

    /// Returns the archive of a seat, if all of it is known.
    pub(super) fn archive_of(&self, model: &Model, id: SlotId) -> Option<&Archive> {
        let slot = self.slot(id);
        let home = slot.home?;
        let known = self
            .settings
            .archives
            .get(&model.database(slot.database).name);
        let mut known = known.into_iter().flatten();
        let configured = known.find(|it| model.peer_called(&it.peer) == Some(home));
        configured
            .or_else(|| self.archives.get(&(slot.database, home)))
            .filter(|it| it.is_whole())
    }

    /// A start on an archive leaves: how it is done is remembered.
    pub(super) fn remember_archive(&mut self, model: &Model, id: SlotId) {
        let (database, home) = (self.slot(id).database, self.slot(id).home);
        let Some(home) = home else {
            return;
        };
        let Some(archive) = self.archive_of(model, id).map(Archive::remembered) else {
            return;
        };
        let archive = Archive {
            peer: model.peer(home).name.clone(),
            ..archive
        };
        let known = self.archives.get(&(database, home));
        if known != Some(&archive) {
            self.archives.insert((database, home), archive);
            self.changed.archives.insert((database, home));
        }
    }

    /// Notes who sat on a seat that belongs to a peer, and sits there no more.
    pub(super) fn note_ran(&mut self, now: Timestamp, id: SlotId, process: &Process) {
        if self.slot(id).home.is_none() {
            return;
        }
        let was_up = matches!(process.status, Status::Stopping | Status::Up);
        let slot = self.slot_mut(id);
        let before = slot.ran.as_ref().map_or(Timestamp::ZERO, |it| it.until);
        slot.ran = Some(Ran {
            until: if was_up { now } else { before },
            is_stopped: process.status == Status::Stopping,
            pid: Some(process.pid),
            start_id: process.start_id.clone(),
        });
    }

    /// Notes until when a process used its archive that fills no seat: without a policy nobody gets
    /// one, and which archive was used last counts all the same once there is one again.
    ///
    /// A database that never had a policy has no seats, so that none of them is known to be older.
    pub(super) fn note_ran_at_home(&mut self, now: Timestamp, process: &Process) {
        let Some(row) = self.settings.doctrine.row(process.role) else {
            return;
        };
        let Some(watch) = self.watches.get(process.database.index()) else {
            return;
        };
        let seats = &watch.rows[row].seats;
        if !watch.rows[row].rule.seat.has_home() || seats.is_empty() {
            return;
        }
        let home = Some(process.peer);
        let known = seats.iter().copied().find(|it| self.slot(*it).home == home);
        let seat = known.unwrap_or_else(|| self.add_seat(process.database, row, home));
        self.note_ran(now, seat, process);
    }

    /// Returns whether a storage manager may open its archive: another of its group runs, or its
    /// own is the newest.
    pub(super) fn may_open(&self, case: &Case<'_>) -> Result<(), Hindrance> {
        if self.clears.values().any(|it| *it == case.slot) {
            return Err(Obstacle::ClearingLeftover.blocks().into());
        }
        let Some(archive) = self.archive_of(case.model, case.slot) else {
            return Err(Hindrance::Hold(HoldReason::ArchiveUnknown));
        };
        if self.has_sibling_up(case.model, case.slot, archive.group.as_ref()) {
            return Ok(());
        }
        let database = case.model.database(self.slot(case.slot).database);
        if !database.is_any_running() && !self.settings.planted.has(Mutant::AnyArchive) {
            return self.may_begin_cold(case);
        }
        let siblings = self.siblings(case.model, case.slot, archive.group.as_ref());
        let newest = siblings.filter_map(|it| self.ran_until(it)).max();
        let own = self.ran_until(case.slot);
        let is_any = self.settings.planted.has(Mutant::AnyArchive);
        if own.is_some() && own >= newest || is_any {
            return Ok(());
        }
        Err(Obstacle::NotNewest.blocks().into())
    }

    /// Returns until when the process of a seat was up, if one ever was.
    pub(super) fn ran_until(&self, id: SlotId) -> Option<Timestamp> {
        let ran = self.slot(id).ran.as_ref()?;
        Some(ran.until).filter(|it| *it > Timestamp::ZERO)
    }

    /// Returns whether another process that keeps the same data is up.
    pub(super) fn has_sibling_up(
        &self,
        model: &Model,
        id: SlotId,
        group: Option<&Arc<str>>,
    ) -> bool {
        let mut siblings = self.siblings(model, id, group);
        siblings.any(|it| self.is_up(model, it))
    }

    /// Returns whether the process of a seat is up, and seen to be.
    pub(super) fn is_up(&self, model: &Model, id: SlotId) -> bool {
        let Phase::Filled(process) = self.slot(id).phase else {
            return false;
        };
        let is_up = |it: &Process| it.is_live() && it.status == Status::Up;
        model.process(process).is_some_and(is_up)
    }

    /// Returns the other seats that keep the same data; of an archive nobody knows it is assumed.
    fn siblings<'a>(
        &'a self,
        model: &'a Model,
        id: SlotId,
        group: Option<&'a Arc<str>>,
    ) -> impl Iterator<Item = SlotId> + 'a {
        let (database, row) = self.row_of(id);
        let seats = self.watches[database.index()].rows[row].seats.iter();
        let is_same = move |it: &SlotId| {
            let other = self.archive_of(model, *it);
            *it != id && other.is_none_or(|it| it.group.as_ref() == group)
        };
        seats.copied().filter(is_same)
    }
}
