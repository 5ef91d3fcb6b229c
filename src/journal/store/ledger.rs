//! The ledger on disk: cursors, open deliveries, dead letters.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Connection;

use super::{Store, StoreError, execute, moment, verified};
use crate::journal::book::{Account, Attempts, Book, DeadLetter, Dirty};
use crate::journal::record::cell::Cell;
use crate::journal::record::event::{from_json, to_json};

pub(super) fn write(
    connection: &Connection,
    book: &Book,
    dirty: &Dirty,
) -> Result<(), rusqlite::Error> {
    write_accounts(connection, book, dirty)?;
    write_beginnings(connection, book, dirty)?;
    write_deliveries(connection, book, dirty)?;
    write_letters(connection, book, dirty)
}

fn write_accounts(
    connection: &Connection,
    book: &Book,
    dirty: &Dirty,
) -> Result<(), rusqlite::Error> {
    const WRITE: &str = "INSERT OR REPLACE INTO listener (name, cursor, failing, memo, sum)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    for name in &dirty.accounts {
        if let Some(account) = book.find(name) {
            let cells = [
                Cell::from(&**name),
                account.cursor.into(),
                account.failing.as_deref().into(),
                account.memo.as_deref().into(),
            ];
            execute(&mut *connection.prepare_cached(WRITE)?, &cells)?;
        } else {
            let mut forget = connection.prepare_cached("DELETE FROM listener WHERE name = ?1")?;
            forget.execute([&**name])?;
        }
    }
    Ok(())
}

fn write_beginnings(
    connection: &Connection,
    book: &Book,
    dirty: &Dirty,
) -> Result<(), rusqlite::Error> {
    const WRITE: &str = "INSERT OR REPLACE INTO beginning (listener, seq, sum) VALUES (?1, ?2, ?3)";
    const DELETE: &str = "DELETE FROM beginning WHERE listener = ?1";
    for name in &dirty.beginnings {
        match book.find(name).map(|it| it.begun).filter(|it| *it > 0) {
            Some(seq) => {
                let cells = [Cell::from(&**name), seq.into()];
                execute(&mut *connection.prepare_cached(WRITE)?, &cells)?;
            }
            None => {
                connection.prepare_cached(DELETE)?.execute([&**name])?;
            }
        }
    }
    Ok(())
}

fn write_deliveries(
    connection: &Connection,
    book: &Book,
    dirty: &Dirty,
) -> Result<(), rusqlite::Error> {
    const WRITE: &str = "INSERT OR REPLACE INTO delivery
        (listener, seq, attempts, crashes, is_told, is_under_way, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    const DELETE: &str = "DELETE FROM delivery WHERE listener = ?1 AND seq = ?2";
    for (name, seq) in &dirty.deliveries {
        let account = book.find(name);
        if let Some(it) = account.and_then(|it| it.deliveries.get(seq)) {
            let cells = [
                Cell::from(&**name),
                (*seq).into(),
                it.begun.into(),
                it.crashes.into(),
                it.is_told.into(),
                it.is_under_way.into(),
            ];
            execute(&mut *connection.prepare_cached(WRITE)?, &cells)?;
        } else {
            let mut delete = connection.prepare_cached(DELETE)?;
            delete.execute((&**name, seq.cast_signed()))?;
        }
    }
    Ok(())
}

fn write_letters(
    connection: &Connection,
    book: &Book,
    dirty: &Dirty,
) -> Result<(), rusqlite::Error> {
    const WRITE: &str = "INSERT OR REPLACE INTO dead_letter
        (id, listener, seq, event, attempts, error, at, wall, is_replayed, sum)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    for id in &dirty.letters {
        if let Some(it) = book.letter(*id) {
            let event = to_json(&it.event);
            let cells = [
                Cell::from(*id),
                (&*it.listener).into(),
                it.event.seq.into(),
                event.as_str().into(),
                it.attempts.into(),
                (&*it.error).into(),
                it.time.at.as_micros().into(),
                it.time.wall.as_unix_micros().into(),
                it.is_replayed.into(),
            ];
            execute(&mut *connection.prepare_cached(WRITE)?, &cells)?;
        } else {
            let mut delete = connection.prepare_cached("DELETE FROM dead_letter WHERE id = ?1")?;
            delete.execute([id.cast_signed()])?;
        }
    }
    Ok(())
}

impl Store {
    /// Returns where every listener stands.
    pub(in crate::journal) fn book(&self) -> Result<Book, StoreError> {
        let mut accounts = self.accounts()?;
        self.beginnings(&mut accounts)?;
        self.deliveries(&mut accounts)?;
        Ok(Book::restored(accounts, self.letters()?))
    }

    fn accounts(&self) -> Result<BTreeMap<Arc<str>, Account>, StoreError> {
        const READ: &str = "SELECT name, cursor, failing, memo, sum FROM listener";
        let mut statement = self.connection.prepare(READ)?;
        let mut rows = statement.query([])?;
        let mut accounts = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let [name, cursor, failing, memo] = verified(row, "the place of a listener")?;
            let account = Account {
                cursor: match cursor {
                    Cell::Null => None,
                    Cell::Number(_) | Cell::Text(_) => Some(cursor.wide("the cursor")?),
                },
                begun: 0,
                deliveries: BTreeMap::new(),
                failing: failing.text("why it fails")?.map(Into::into),
                memo: memo.text("the memo")?.map(Into::into),
            };
            accounts.insert(name.word("the name")?.into(), account);
        }
        Ok(accounts)
    }

    fn beginnings(&self, accounts: &mut BTreeMap<Arc<str>, Account>) -> Result<(), StoreError> {
        const READ: &str = "SELECT listener, seq, sum FROM beginning";
        let mut statement = self.connection.prepare(READ)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let [listener, seq] = verified(row, "where a listener has begun")?;
            let account = accounts.entry(listener.word("the listener")?.into());
            account.or_default().begun = seq.wide("the number")?;
        }
        Ok(())
    }

    fn deliveries(&self, accounts: &mut BTreeMap<Arc<str>, Account>) -> Result<(), StoreError> {
        const READ: &str = "SELECT listener, seq, attempts, crashes, is_told, is_under_way, sum
            FROM delivery";
        let mut statement = self.connection.prepare(READ)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let [listener, seq, attempts, crashes, is_told, is_under_way] =
                verified(row, "a delivery")?;
            let narrow = |it: Cell<'_>, what| {
                let missing = || StoreError::Damaged(format!("{what} is missing"));
                it.narrow(what)?.ok_or_else(missing)
            };
            let delivery = Attempts {
                begun: narrow(attempts, "the number of attempts")?,
                crashes: narrow(crashes, "the number of crashes")?,
                is_told: is_told.flag("is_told")?,
                is_under_way: is_under_way.flag("is_under_way")?,
            };
            let account = accounts.entry(listener.word("the listener")?.into());
            let deliveries = &mut account.or_default().deliveries;
            deliveries.insert(seq.wide("the number")?, delivery);
        }
        Ok(())
    }

    fn letters(&self) -> Result<BTreeMap<u64, DeadLetter>, StoreError> {
        const READ: &str = "SELECT id, listener, seq, event, attempts, error, at, wall,
            is_replayed, sum FROM dead_letter";
        let mut statement = self.connection.prepare(READ)?;
        let mut rows = statement.query([])?;
        let mut letters = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let [
                id,
                listener,
                _seq,
                event,
                attempts,
                error,
                at,
                wall,
                is_replayed,
            ] = verified(row, "a dead letter")?;
            let letter = DeadLetter {
                id: id.wide("the id")?,
                listener: listener.word("the listener")?.into(),
                event: Arc::new(from_json(event.word("the event")?)?),
                attempts: attempts
                    .narrow("the number of attempts")?
                    .unwrap_or_default(),
                error: error.word("the error")?.into(),
                time: moment(at, wall)?,
                is_replayed: is_replayed.flag("is_replayed")?,
            };
            letters.insert(letter.id, letter);
        }
        Ok(letters)
    }
}
