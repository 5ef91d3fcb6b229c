//! A journal that is only looked at: it may be a daemon's that runs, or a copy of one.
//!
//! Nothing is recovered, checked or changed, though SQLite may leave its empty side files beside
//! one that was closed. What cannot be read is an error; nothing is moved aside.

use std::path::Path;

use super::error::JournalError;
use super::recover::{Paths, open_error};
use super::store::{Disk, StoreError};
use crate::event::Recorded;
use crate::supervisor::Input;
use crate::time::Moment;

/// So many inputs or events are read at once.
const PAGE: usize = 4_096;

/// A journal to look at.
#[derive(Debug)]
pub struct Look {
    disk: Disk,
    paths: Paths,
}

impl Look {
    /// Opens the journal in a directory.
    ///
    /// # Errors
    ///
    /// Fails when there is none, when it cannot be read, and when a newer version wrote it.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let paths = Paths::new(dir);
        let disk = Disk::look(&paths.journal);
        let disk = disk.map_err(|error| open_error(&paths.journal, error))?;
        Ok(Self { disk, paths })
    }

    /// Hands out every input that is kept, with its number, in order.
    pub fn inputs(&self, mut take: impl FnMut(u64, Moment, Input)) -> Result<(), JournalError> {
        let mut after = 0;
        loop {
            let page = self.disk.inputs(after, PAGE).map_err(|it| self.error(it))?;
            let Some((last, ..)) = page.last() else {
                return Ok(());
            };
            after = *last;
            for (number, now, input) in page {
                take(number, now, input);
            }
        }
    }

    /// Hands out every event that is kept, in order.
    pub fn events(&self, mut take: impl FnMut(&Recorded)) -> Result<(), JournalError> {
        let mut after = 0;
        loop {
            let page = self.disk.page(after, i64::MAX.unsigned_abs(), PAGE);
            let page = page.map_err(|it| self.error(it))?;
            let Some(last) = page.events.last() else {
                return Ok(());
            };
            after = last.seq;
            for event in &page.events {
                take(event);
            }
        }
    }

    fn error(&self, error: StoreError) -> JournalError {
        open_error(&self.paths.journal, error)
    }
}
