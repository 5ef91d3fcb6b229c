//! Events on disk: written by the number, and read again in pages by those who are far behind.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, Row};

use super::{SCHEMA, StoreError, connect, execute, look, verified};
use crate::event::Recorded;
use crate::journal::record::cell::Cell;
use crate::journal::record::event::{COLUMNS, cells, event};
use crate::listener::Page;
use crate::time::WallTime;

/// The columns of a row with its number, without its sum.
const WIDTH: usize = COLUMNS.len() + 1;

pub(super) fn write(
    connection: &Connection,
    events: &[Arc<Recorded>],
) -> Result<(), rusqlite::Error> {
    if events.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = (1..=WIDTH + 1).map(|at| format!("?{at}")).collect();
    let write = format!(
        "INSERT INTO event (seq, {}, sum) VALUES ({})",
        COLUMNS.join(", "),
        places.join(", ")
    );
    let mut statement = connection.prepare_cached(&write)?;
    let mut row = [Cell::Null; WIDTH];
    for recorded in events {
        row[0] = recorded.seq.into();
        row[1..].copy_from_slice(&cells(&recorded.event));
        execute(&mut statement, &row)?;
    }
    Ok(())
}

/// A connection that only reads.
#[derive(Debug)]
pub(in crate::journal) struct Disk {
    pub(super) connection: Connection,
    pub(super) epoch: u32,
}

impl Disk {
    /// Opens a journal that is there, for reading.
    pub(in crate::journal) fn open(path: &Path, epoch: u32) -> Result<Self, StoreError> {
        let connection = connect(path)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self { connection, epoch })
    }

    /// Opens a journal that is somebody else's: nothing of it is changed.
    pub(in crate::journal) fn look(path: &Path) -> Result<Self, StoreError> {
        let connection = look(path)?;
        let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if usize::try_from(version).is_ok_and(|it: usize| it > SCHEMA.len()) {
            return Err(StoreError::Newer(version));
        }
        let read = "SELECT value FROM meta WHERE key = 'epoch'";
        let epoch: String = connection.query_row(read, [], |row| row.get(0))?;
        let epoch = epoch.parse();
        let epoch = epoch.map_err(|_| StoreError::Damaged("the epoch is no number".to_owned()))?;
        Ok(Self { connection, epoch })
    }

    /// Returns which run of the numbers it holds.
    pub(in crate::journal) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns up to `limit` events with numbers above `after` and up to `until`.
    ///
    /// One that cannot be read any more is lost, and ends the page or is in its gap; the next page
    /// begins behind it.
    pub(in crate::journal) fn page(
        &self,
        after: u64,
        until: u64,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut skipped = 0;
        while after + skipped < until {
            match self.run_of(after + skipped, until, limit) {
                Ok(events) => {
                    let end = events.first().map_or(until, |it| it.seq - 1);
                    let gap = (end > after).then(|| after + 1..=end);
                    return Ok(Page { events, gap });
                }
                // The damage is around here; how far it goes is found out in growing strides.
                Err(error) if error.damage().is_some() => skipped = (skipped * 2).max(1),
                Err(error) => return Err(error),
            }
        }
        Ok(lost(after + 1..=until))
    }

    /// Returns events without a gap between them, and fails only if the first cannot be read.
    fn run_of(
        &self,
        after: u64,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Recorded>>, StoreError> {
        let read = format!(
            "SELECT seq, {}, sum FROM event WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
            COLUMNS.join(", ")
        );
        let mut statement = self.connection.prepare_cached(&read)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query([after.cast_signed(), until.cast_signed(), limit])?;
        let mut events: Vec<Arc<Recorded>> = Vec::new();
        loop {
            let read = match rows.next() {
                Ok(None) => break,
                Ok(Some(row)) => recorded(row, self.epoch),
                Err(error) => Err(error.into()),
            };
            match read {
                Ok(it) if events.last().is_none_or(|last| it.seq == last.seq + 1) => {
                    events.push(Arc::new(it));
                }
                Err(error) if events.is_empty() => return Err(error),
                // What comes behind is the next page's.
                Ok(_) | Err(_) => break,
            }
        }
        Ok(events)
    }

    /// Returns the number of the last event older than that by the wall clock, or the number
    /// before the first there is.
    pub(in crate::journal) fn seq_before(&self, wall: WallTime) -> Result<u64, StoreError> {
        const FIND: &str = "SELECT coalesce(
            (SELECT seq FROM event WHERE wall < ?1 ORDER BY seq DESC LIMIT 1),
            (SELECT min(seq) - 1 FROM event), 0)";
        let wall = wall.as_unix_micros().cast_signed();
        let mut statement = self.connection.prepare_cached(FIND)?;
        let seq: i64 = statement.query_row([wall], |row| row.get(0))?;
        Ok(seq.cast_unsigned())
    }
}

fn lost(gap: RangeInclusive<u64>) -> Page {
    Page {
        events: Vec::new(),
        gap: (!gap.is_empty()).then_some(gap),
    }
}

fn recorded(row: &Row<'_>, epoch: u32) -> Result<Recorded, StoreError> {
    let cells: [Cell<'_>; WIDTH] = verified(row, "an event")?;
    let [seq, columns @ ..] = &cells;
    Ok(Recorded {
        epoch,
        seq: seq.wide("the number")?,
        event: event(columns)?,
    })
}
