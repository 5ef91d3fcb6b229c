//! Facts on disk: one row each, the latest only.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::{Disk, Store, StoreError, execute, verified};
use crate::journal::record::cell::Cell;
use crate::journal::record::facts::to_json;
use crate::supervisor::{Fact, FactKey};

/// A fact as it lies on the disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::journal) struct StoredFact {
    pub(in crate::journal) kind: String,
    pub(in crate::journal) name: String,
    pub(in crate::journal) body: String,
}

/// Writes what changed, and returns how many facts there are then.
pub(super) fn write(
    connection: &Connection,
    facts: &BTreeMap<FactKey, Option<Fact>>,
    mut count: u64,
) -> Result<u64, rusqlite::Error> {
    const UPDATE: &str = "UPDATE fact SET body = ?3, sum = ?4 WHERE kind = ?1 AND name = ?2";
    const INSERT: &str = "INSERT INTO fact (kind, name, body, sum) VALUES (?1, ?2, ?3, ?4)";
    const DELETE: &str = "DELETE FROM fact WHERE kind = ?1 AND name = ?2";
    let mut update = connection.prepare_cached(UPDATE)?;
    let mut insert = connection.prepare_cached(INSERT)?;
    let mut delete = connection.prepare_cached(DELETE)?;
    for (key, fact) in facts {
        let kind = key.kind.as_str();
        if let Some(fact) = fact {
            let body = to_json(fact);
            let cells = [Cell::from(kind), (&*key.name).into(), body.as_str().into()];
            if execute(&mut update, &cells)? == 0 {
                execute(&mut insert, &cells)?;
                count += 1;
            }
        } else {
            let gone = delete.execute([kind, &*key.name])?;
            count = count.saturating_sub(gone as u64);
        }
    }
    Ok(count)
}

fn read(connection: &Connection) -> Result<Vec<StoredFact>, StoreError> {
    let mut statement = connection.prepare("SELECT kind, name, body, sum FROM fact")?;
    let mut rows = statement.query([])?;
    let mut facts = Vec::new();
    while let Some(row) = rows.next()? {
        let [kind, name, body] = verified(row, "a fact")?;
        facts.push(StoredFact {
            kind: kind.word("the kind")?.to_owned(),
            name: name.word("the name")?.to_owned(),
            body: body.word("the body")?.to_owned(),
        });
    }
    Ok(facts)
}

impl Store {
    /// Returns every fact, by kind and name.
    pub(in crate::journal) fn facts(&self) -> Result<Vec<StoredFact>, StoreError> {
        let facts = read(&self.connection)?;
        if facts.len() as u64 == self.state.facts {
            Ok(facts)
        } else {
            let why = format!("there are {} facts, not {}", facts.len(), self.state.facts);
            Err(StoreError::Damaged(why))
        }
    }
}

impl Disk {
    /// Returns every fact and how far the journal was with them.
    pub(in crate::journal) fn facts(&self) -> Result<(Vec<StoredFact>, super::State), StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        Ok((read(&transaction)?, super::read_state(&transaction)?))
    }
}
