//! Whether a file is what was written.
//!
//! SQLite notices a page that is no page, but not a value that is another one; so every row has a
//! sum. What must not be forgotten is looked at whole when a journal is opened. Events and inputs
//! are not, for there may be gigabytes of them: their rows are held to their sums when somebody
//! reads them, and one that is damaged is missing, not wrong.

use std::path::Path;

use super::{SCHEMA, Store, StoreError, schema};

/// A file up to this size is looked at page by page; it takes some milliseconds: 32 MiB.
const SMALL: u64 = 32 << 20;

/// The tables that are looked at in any case: what must not be forgotten.
const MEMORY: [&str; 7] = [
    "meta",
    "state",
    "fact",
    "listener",
    "beginning",
    "delivery",
    "dead_letter",
];

impl Store {
    /// Looks for damage. The log is written back first: then the file must have its whole size,
    /// and a long log slows nobody down. Without room for that the log is read as it is; returns
    /// the error then.
    pub(in crate::journal) fn check(&self, path: &Path) -> Result<Option<StoreError>, StoreError> {
        schema::check(&self.connection, SCHEMA)?;
        let full = match self.checkpoint() {
            Ok(()) => None,
            Err(error) if error.is_full() => Some(error),
            Err(error) => return Err(error),
        };
        let size = self.expected_size()?;
        if full.is_none() {
            check_size(path, size)?;
        }
        if size <= SMALL {
            self.quick_check("PRAGMA quick_check(1)")?;
        } else {
            for table in MEMORY {
                self.quick_check(&format!("PRAGMA quick_check({table})"))?;
            }
        }
        self.check_end("event", "seq", self.state.last_seq)?;
        self.check_end("input", "first + count - 1", self.state.last_input)?;
        Ok(full)
    }

    /// Returns how many bytes the file has when the log is written back.
    fn expected_size(&self) -> Result<u64, StoreError> {
        let number = |pragma| {
            self.connection
                .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
        };
        let pages = number("page_count")?.cast_unsigned();
        Ok(pages.saturating_mul(number("page_size")?.cast_unsigned()))
    }

    fn quick_check(&self, pragma: &str) -> Result<(), StoreError> {
        let said: String = self.connection.query_row(pragma, [], |row| row.get(0))?;
        if said == "ok" {
            Ok(())
        } else {
            Err(StoreError::Damaged(said.replace('\n', " ")))
        }
    }

    /// Holds the end of a table to what the state says of it, unless all of it was forgotten.
    fn check_end(&self, table: &str, end: &str, expected: u64) -> Result<(), StoreError> {
        let last = format!("SELECT {end} FROM {table} ORDER BY rowid DESC LIMIT 1");
        let mut statement = self.connection.prepare(&last)?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else {
            return Ok(());
        };
        let found = row.get::<_, i64>(0)?.cast_unsigned();
        if found == expected {
            Ok(())
        } else {
            let why = format!("the last {table} is {found}, not {expected}");
            Err(StoreError::Damaged(why))
        }
    }
}

fn check_size(path: &Path, expected: u64) -> Result<(), StoreError> {
    match path.metadata() {
        Ok(file) if file.len() < expected => {
            let why = format!("the file has {} bytes, not {expected}", file.len());
            Err(StoreError::Damaged(why))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}
