//! Inputs on disk: one row for those of one moment.
//!
//! A row of its own for each would double what is written; a view takes them apart for people.

use rusqlite::Connection;

use super::{Disk, StoreError, execute, moment, verified};
use crate::journal::record::cell::Cell;
use crate::journal::record::input::InputRecord;
use crate::supervisor::Input;
use crate::time::Moment;

/// So many inputs share a row at most, so that reading one does not mean reading thousands.
const ROW_MAX: usize = 128;

/// Inputs of one moment, as they are written.
#[derive(Debug)]
pub(in crate::journal) struct Turn {
    first: u64,
    count: u64,
    time: Moment,
    body: String,
}

impl Turn {
    /// Appends rows for these inputs, numbered from `first` on.
    pub(in crate::journal) fn append(
        turns: &mut Vec<Self>,
        mut first: u64,
        inputs: &[(Moment, Input)],
    ) {
        for same in inputs.chunk_by(|a, b| a.0 == b.0) {
            for piece in same.chunks(ROW_MAX) {
                let records: Vec<InputRecord<'_>> = piece.iter().map(|it| (&it.1).into()).collect();
                let count = piece.len() as u64;
                turns.push(Self {
                    first,
                    count,
                    time: piece[0].0,
                    body: serde_json::to_string(&records)
                        .expect("names, numbers and text have a form in JSON"),
                });
                first += count;
            }
        }
    }
}

pub(super) fn write(connection: &Connection, turns: &[Turn]) -> Result<(), rusqlite::Error> {
    const WRITE: &str = "INSERT INTO input (first, count, at, wall, body, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = connection.prepare_cached(WRITE)?;
    for turn in turns {
        let cells = [
            Cell::from(turn.first),
            turn.count.into(),
            turn.time.at.as_micros().into(),
            turn.time.wall.as_unix_micros().into(),
            turn.body.as_str().into(),
        ];
        execute(&mut statement, &cells)?;
    }
    Ok(())
}

impl Disk {
    /// Returns up to `limit` inputs with numbers above `after`.
    pub(in crate::journal) fn inputs(
        &self,
        after: u64,
        limit: usize,
    ) -> Result<Vec<(u64, Moment, Input)>, StoreError> {
        // The row that holds the next one may begin before it.
        const READ: &str = "SELECT first, count, at, wall, body, sum FROM input
            WHERE first > ?1 - ?2 ORDER BY first";
        let mut statement = self.connection.prepare_cached(READ)?;
        let row_max = u64::try_from(ROW_MAX).unwrap_or(u64::MAX);
        let mut rows = statement.query([after.cast_signed(), row_max.cast_signed()])?;
        let mut inputs = Vec::new();
        while inputs.len() < limit
            && let Some(row) = rows.next()?
        {
            let [first, _count, at, wall, body] = verified(row, "a row of inputs")?;
            let first = first.wide("the number")?;
            let time = moment(at, wall)?;
            let records: Vec<InputRecord<'_>> = serde_json::from_str(body.word("the inputs")?)
                .map_err(|error| StoreError::Damaged(error.to_string()))?;
            for (number, record) in (first..).zip(records) {
                if number > after && inputs.len() < limit {
                    inputs.push((number, time, record.try_into()?));
                }
            }
        }
        Ok(inputs)
    }
}
