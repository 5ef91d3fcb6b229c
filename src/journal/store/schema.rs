//! The tables, and how an older file becomes like a new one.
//!
//! A schema is a list of steps that is only ever added to. The number of steps a file has seen is
//! its `user_version`, and stands in its `meta` as well: a number that two places agree on was
//! written by somebody, and one they do not was damaged.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use super::{APPLICATION, StoreError};

/// Every step, the oldest first.
pub(in crate::journal) const SCHEMA: &[&str] = &[include_str!("1.sql"), include_str!("2.sql")];

/// Brings a file up to the last of `steps`, and returns whether it holds anything at all.
pub(super) fn migrate(connection: &Connection, steps: &[&str]) -> Result<bool, StoreError> {
    let objects: u32 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let version: u32 = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .map(|it| u32::try_from(it).unwrap_or(u32::MAX))?;
    if objects == 0 && version == 0 {
        return Ok(false);
    }
    let application: i64 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != i64::from(APPLICATION) {
        let why = "the file is a database, but not a journal".to_owned();
        return Err(StoreError::Damaged(why));
    }
    let said = connection
        .query_row("SELECT value FROM meta WHERE key = 'schema'", [], |row| {
            row.get::<_, String>(0)
        })
        .optional();
    if said.as_ref().ok().and_then(Option::as_ref) != Some(&version.to_string()) {
        let why = format!("the file does not agree with itself that its schema is {version}");
        return Err(StoreError::Damaged(why));
    }
    let Some(rest) = usize::try_from(version).ok().and_then(|it| steps.get(it..)) else {
        return Err(StoreError::Newer(version));
    };
    if !rest.is_empty() {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        apply(connection, rest, steps.len())?;
        connection.execute_batch("COMMIT")?;
    }
    Ok(true)
}

/// Takes every step in an empty file, as part of a transaction.
pub(super) fn create(connection: &Connection, steps: &[&str]) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "application_id", APPLICATION)?;
    apply(connection, steps, steps.len())
}

/// Holds the tables to what the steps make: what is ours must be there, and be as it was made;
/// what else somebody put there is theirs.
pub(super) fn check(connection: &Connection, steps: &[&str]) -> Result<(), StoreError> {
    let model = Connection::open_in_memory()?;
    apply(&model, steps, steps.len())?;
    let found = objects(connection)?;
    match objects(&model)?.difference(&found).next() {
        None => Ok(()),
        Some((kind, name, _)) => {
            let why = format!("the {kind} `{name}` is not as it was made");
            Err(StoreError::Damaged(why))
        }
    }
}

type Objects = BTreeSet<(String, String, Option<String>)>;

fn objects(connection: &Connection) -> Result<Objects, rusqlite::Error> {
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    rows.collect()
}

fn apply(connection: &Connection, steps: &[&str], version: usize) -> Result<(), rusqlite::Error> {
    for step in steps {
        connection.execute_batch(step)?;
    }
    connection.execute(
        "INSERT OR REPLACE INTO meta (key, value) VALUES ('schema', ?1)",
        [version.to_string()],
    )?;
    connection.pragma_update(None, "user_version", version.to_string())
}
