//! Facts on disk: one row each, the latest only.

use std::collections::{BTreeMap, HashSet};

use rusqlite::Connection;

use super::{Disk, Store, StoreError, execute, verified};
use crate::journal::record::cell::Cell;
use crate::journal::record::facts::to_json;
use crate::supervisor::{Fact, FactKey, FactKind};

/// A fact as it lies on the disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::journal) struct StoredFact {
    pub(in crate::journal) kind: String,
    pub(in crate::journal) name: String,
    pub(in crate::journal) body: String,
}

/// Which facts are on the disk.
pub(super) type Keys = HashSet<FactKey>;

/// Writes what changed. A fact that came and went between two transactions costs nothing.
pub(super) fn write(
    connection: &Connection,
    facts: &BTreeMap<FactKey, Option<Fact>>,
    keys: &Keys,
) -> Result<(), rusqlite::Error> {
    const UPDATE: &str = "UPDATE fact SET body = ?3, sum = ?4 WHERE kind = ?1 AND name = ?2";
    const INSERT: &str = "INSERT INTO fact (kind, name, body, sum) VALUES (?1, ?2, ?3, ?4)";
    const DELETE: &str = "DELETE FROM fact WHERE kind = ?1 AND name = ?2";
    let mut update = connection.prepare_cached(UPDATE)?;
    let mut insert = connection.prepare_cached(INSERT)?;
    let mut delete = connection.prepare_cached(DELETE)?;
    for (key, fact) in facts {
        let (kind, is_there) = (key.kind.as_str(), keys.contains(key));
        if let Some(fact) = fact {
            let body = to_json(fact);
            let cells = [Cell::from(kind), (&*key.name).into(), body.as_str().into()];
            let write = if is_there { &mut update } else { &mut insert };
            execute(write, &cells)?;
        } else if is_there {
            delete.execute([kind, &*key.name])?;
        }
    }
    Ok(())
}

/// Returns how many facts there are once this is written.
pub(super) fn count(facts: &BTreeMap<FactKey, Option<Fact>>, keys: &Keys) -> u64 {
    let mut count = keys.len();
    for (key, fact) in facts {
        match (keys.contains(key), fact) {
            (false, Some(_)) => count += 1,
            (true, None) => count -= 1,
            (false, None) | (true, Some(_)) => (),
        }
    }
    count as u64
}

/// Takes in that this was written.
pub(super) fn written(facts: &BTreeMap<FactKey, Option<Fact>>, keys: &mut Keys) {
    for (key, fact) in facts {
        if fact.is_none() {
            keys.remove(key);
        } else if !keys.contains(key) {
            keys.insert(key.clone());
        }
    }
}

/// Returns which facts are there; one of a kind that makes no sense is found when they are read.
pub(super) fn keys(connection: &Connection) -> Result<Keys, rusqlite::Error> {
    let mut statement = connection.prepare("SELECT kind, name FROM fact")?;
    let mut rows = statement.query([])?;
    let mut keys = Keys::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        let kind = FactKind::ALL.into_iter().find(|it| it.as_str() == kind);
        if let Some(kind) = kind {
            let name: String = row.get(1)?;
            keys.insert(FactKey::new(kind, name));
        }
    }
    Ok(keys)
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
