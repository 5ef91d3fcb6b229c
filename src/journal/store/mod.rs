//! The database of one journal: statements and transactions.
//!
//! Every call waits for the disk, so only the journal's own threads are here. It decides neither
//! when to write nor what becomes of damage; it says which of its errors are damage.

mod check;
mod events;
mod facts;
mod inputs;
mod ledger;
mod retention;
mod schema;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Statement, ToSql, ffi};
use thiserror::Error;

use super::book::{Book, Dirty};
use super::record::RecordError;
use super::record::cell::{Cell, Sum};
use crate::event::Recorded;
use crate::supervisor::{Fact, FactKey};
use crate::time::{Moment, Timestamp, WallTime};

pub(super) use events::Disk;
pub(super) use facts::StoredFact;
pub(super) use inputs::Turn;
pub(super) use retention::RETENTION_STEP;
pub(super) use schema::SCHEMA;

/// How long a person with `sqlite3` may hold the file before it counts as not writable.
const BUSY: Duration = Duration::from_secs(5);

/// How much of the file the writer may keep in memory: the pages of the largest transaction, which
/// would be written twice if they did not fit, and those that the next one changes again.
const CACHE_KIB: i32 = 16 * 1024;

/// After so many pages the log is written back: 32 MiB, so that a burst syncs the file rarely and
/// recovery after a crash reads little.
const CHECKPOINT_PAGES: u32 = 8_192;

/// The log is cut to this when it was longer: 64 MiB.
const LOG_MAX: u32 = 64 << 20;

/// What marks the file as one of ours: `dbwd`.
const APPLICATION: u32 = 0x6462_7764;

/// Why something could not be done with the file.
#[derive(Debug, Error)]
pub(super) enum StoreError {
    /// What is in the file makes no sense.
    #[error("{0}")]
    Damaged(String),
    /// A newer version wrote it.
    #[error("the schema {0} is newer than this version")]
    Newer(u32),
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

impl From<RecordError> for StoreError {
    fn from(error: RecordError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl StoreError {
    /// Returns whether there is no room: what is there can be read, and nothing can be written.
    pub(super) fn is_full(&self) -> bool {
        let Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = self else {
            return false;
        };
        failure.code == ErrorCode::DiskFull || failure.extended_code == ffi::SQLITE_IOERR_WRITE
    }

    /// Returns what is wrong with the file, if that is what the error says.
    pub(super) fn damage(&self) -> Option<String> {
        match self {
            Self::Damaged(why) => Some(why.clone()),
            Self::Newer(_) => None,
            Self::Sqlite(error) => is_damage(error).then(|| error.to_string()),
        }
    }
}

/// Returns whether the file is damaged, and not just out of reach.
fn is_damage(error: &rusqlite::Error) -> bool {
    /// What SQLite says when a file is shorter than it says itself.
    const SHORT_READ: i32 = ffi::SQLITE_IOERR_SHORT_READ;
    if let rusqlite::Error::SqliteFailure(failure, _)
    | rusqlite::Error::SqlInputError { error: failure, .. } = error
    {
        let code = failure.code;
        // The statements are constants, so that only damage makes one that SQLite does not follow.
        return matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            || [ffi::SQLITE_ERROR, SHORT_READ].contains(&failure.extended_code);
    }
    // The columns are strict, so that only damage changes a type or the encoding of text.
    matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::QueryReturnedNoRows
            | rusqlite::Error::Utf8Error(..)
    )
}

/// How far a journal is: the one row of its state.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct State {
    /// How many transactions there were.
    pub(super) commits: u64,
    pub(super) last_seq: u64,
    pub(super) last_input: u64,
    pub(super) last: Option<Moment>,
    /// How many facts there are.
    pub(super) facts: u64,
    /// Whether somebody writes, or ended without goodbye.
    pub(super) is_open: bool,
    /// What was said of its predecessor, and not yet acted on.
    pub(super) condition: Option<String>,
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) turns: Vec<Turn>,
    pub(super) events: Vec<Arc<Recorded>>,
    pub(super) facts: BTreeMap<FactKey, Option<Fact>>,
    pub(super) dirty: Dirty,
    /// The state after it, but for the facts and the number of commits.
    pub(super) state: State,
}

impl Group {
    /// Returns whether there is nothing to write.
    pub(super) fn is_empty(&self, before: &State) -> bool {
        self.turns.is_empty()
            && self.events.is_empty()
            && self.facts.is_empty()
            && self.dirty == Dirty::default()
            && self.state == *before
    }
}

/// One open database.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    state: State,
    /// Which facts are there.
    keys: facts::Keys,
    pub(super) epoch: u32,
}

impl Store {
    /// Opens a file that holds a journal; `None` if it holds nothing yet.
    pub(super) fn open(path: &Path, quota: Option<u64>) -> Result<Option<Self>, StoreError> {
        let connection = prepare(path, quota)?;
        if schema::migrate(&connection, SCHEMA)? {
            Self::adopt(connection).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Makes the tables in an empty file, with facts to begin with.
    pub(super) fn create(
        path: &Path,
        quota: Option<u64>,
        epoch: u32,
        group: &Group,
    ) -> Result<Self, StoreError> {
        let connection = prepare(path, quota)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        schema::create(&connection, SCHEMA)?;
        connection.execute(
            "INSERT INTO meta (key, value) VALUES ('epoch', ?1)",
            [epoch.to_string()],
        )?;
        let mut state = group.state.clone();
        facts::write(&connection, &group.facts, &facts::Keys::new())?;
        state.facts = group.facts.values().flatten().count() as u64;
        write_state(&connection, &state)?;
        connection.execute_batch("COMMIT")?;
        Self::adopt(connection)
    }

    fn adopt(connection: Connection) -> Result<Self, StoreError> {
        let epoch: String =
            connection.query_row("SELECT value FROM meta WHERE key = 'epoch'", [], |row| {
                row.get(0)
            })?;
        let epoch = epoch.parse();
        let epoch = epoch.map_err(|_| StoreError::Damaged("the epoch is no number".to_owned()))?;
        let state = read_state(&connection)?;
        let keys = facts::keys(&connection)?;
        Ok(Self {
            connection,
            state,
            keys,
            epoch,
        })
    }

    /// Returns how far the journal is.
    pub(super) const fn state(&self) -> &State {
        &self.state
    }

    /// Writes all of a group, or nothing.
    pub(super) fn write(&mut self, group: &Group, book: &Book) -> Result<(), StoreError> {
        self.transact(|store| {
            inputs::write(&store.connection, &group.turns)?;
            events::write(&store.connection, &group.events)?;
            ledger::write(&store.connection, book, &group.dirty)?;
            facts::write(&store.connection, &group.facts, &store.keys)?;
            let state = State {
                commits: store.state.commits + 1,
                facts: facts::count(&group.facts, &store.keys),
                ..group.state.clone()
            };
            write_state(&store.connection, &state)?;
            Ok(state)
        })
        .map(|state| {
            facts::written(&group.facts, &mut self.keys);
            self.state = state;
        })
    }

    /// Writes and takes back again something about as large as a group usually is: whether there
    /// is room.
    pub(super) fn probe(&mut self) -> Result<(), StoreError> {
        const PROBE: &str = "INSERT INTO meta (key, value) VALUES ('probe', ?1)";
        /// Of this size.
        const ROOM: usize = 256 * 1024;
        self.transact(|store| {
            store.connection.execute(PROBE, ["x".repeat(ROOM)])?;
            Ok(())
        })?;
        self.transact(|store| {
            let done = "DELETE FROM meta WHERE key = 'probe'";
            store.connection.execute(done, [])?;
            Ok(())
        })
    }

    /// Writes the log back into the file, and empties it, unless somebody reads from it.
    pub(super) fn checkpoint(&self) -> Result<(), StoreError> {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        Ok(self.connection.query_row(checkpoint, [], |_| Ok(()))?)
    }

    fn transact<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        let result = work(self).and_then(|it| {
            self.connection.execute_batch("COMMIT")?;
            Ok(it)
        });
        if result.is_err() {
            // After some failures SQLite has rolled back itself, and says so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        result
    }
}

/// Opens a file and sets what every connection that writes needs.
fn prepare(path: &Path, quota: Option<u64>) -> Result<Connection, StoreError> {
    let connection = connect(path)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        // In any other mode a reader would hold up the writer, and the other way round.
        let why = format!("the file cannot be used with a write-ahead log, only with `{mode}`");
        let cannot_open = ffi::Error::new(ffi::SQLITE_CANTOPEN);
        return Err(rusqlite::Error::SqliteFailure(cannot_open, Some(why)).into());
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", LOG_MAX)?;
    if let Some(quota) = quota {
        let page: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = quota / u64::from(page.max(1));
        let limit = format!("PRAGMA max_page_count = {pages}");
        connection.query_row(&limit, [], |_| Ok(()))?;
    }
    Ok(connection)
}

/// Opens a file with what every connection needs.
fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// Opens a file for reading alone.
fn look(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(connection)
}

fn write_state(connection: &Connection, state: &State) -> Result<(), rusqlite::Error> {
    const WRITE: &str = "INSERT OR REPLACE INTO state
        (id, commits, last_seq, last_input, at, wall, facts, is_open, condition, sum)
        VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let cells = [
        Cell::from(state.commits),
        state.last_seq.into(),
        state.last_input.into(),
        state.last.map(|it| it.at.as_micros()).into(),
        state.last.map(|it| it.wall.as_unix_micros()).into(),
        state.facts.into(),
        state.is_open.into(),
        state.condition.as_deref().into(),
    ];
    execute(&mut *connection.prepare_cached(WRITE)?, &cells)?;
    Ok(())
}

fn read_state(connection: &Connection) -> Result<State, StoreError> {
    const READ: &str = "SELECT commits, last_seq, last_input, at, wall, facts, is_open, condition,
        sum FROM state WHERE id = 1";
    let mut statement = connection.prepare(READ)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else {
        return Err(StoreError::Damaged(
            "the row of the state is gone".to_owned(),
        ));
    };
    let [
        commits,
        last_seq,
        last_input,
        at,
        wall,
        facts,
        is_open,
        condition,
    ] = verified(row, "the state")?;
    let last = match at {
        Cell::Null => None,
        Cell::Number(_) | Cell::Text(_) => Some(moment(at, wall)?),
    };
    Ok(State {
        commits: commits.wide("the number of commits")?,
        last_seq: last_seq.wide("the last number")?,
        last_input: last_input.wide("the last input")?,
        last,
        facts: facts.wide("the number of facts")?,
        is_open: is_open.flag("is_open")?,
        condition: condition.text("the condition")?.map(Into::into),
    })
}

fn moment(at: Cell<'_>, wall: Cell<'_>) -> Result<Moment, RecordError> {
    Ok(Moment {
        at: Timestamp::from_micros(at.wide("the time")?),
        wall: WallTime::from_unix_micros(wall.wide("the wall time")?),
    })
}

impl ToSql for Cell<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// Runs a statement with the values of a row, and their sum as the last one; returns how many rows
/// changed.
fn execute(statement: &mut Statement<'_>, cells: &[Cell<'_>]) -> Result<usize, rusqlite::Error> {
    for (at, cell) in cells.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, cell)?;
    }
    statement.raw_bind_parameter(cells.len() + 1, Sum::of(cells))?;
    statement.raw_execute()
}

/// Returns the values of a row, the last of which must be their sum.
fn verified<'a, const N: usize>(row: &'a Row<'_>, what: &str) -> Result<[Cell<'a>; N], StoreError> {
    let damaged = || StoreError::Damaged(format!("{what} does not match its checksum"));
    let mut cells = [Cell::Null; N];
    for (at, cell) in cells.iter_mut().enumerate() {
        *cell = match row.get_ref(at)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Number(number),
            ValueRef::Text(text) => Cell::Text(str::from_utf8(text).map_err(|_| damaged())?),
            ValueRef::Blob(_) | ValueRef::Real(_) => return Err(damaged()),
        };
    }
    if row.get_ref(N)? == ValueRef::Integer(Sum::of(&cells)) {
        Ok(cells)
    } else {
        Err(damaged())
    }
}
