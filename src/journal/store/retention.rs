//! Forgets the oldest events and inputs, a little at a time.
//!
//! What is freed is used again, so that the file stays about as large as it is allowed to be; it
//! is never made smaller.

use rusqlite::{Connection, OptionalExtension};

use super::{Store, StoreError};
use crate::journal::settings::JournalSettings;

/// So many events at once: few enough that commits wait for some milliseconds only.
pub(in crate::journal) const RETENTION_STEP: u64 = 2_048;

/// So many rows of inputs, each with up to 128 of them.
const INPUT_ROWS: u64 = RETENTION_STEP / 16;

impl Store {
    /// Forgets up to `step` of the oldest events that are too old or too many, and their inputs.
    /// `slowest` is where the last listener stands, which is waited for up to the limit. Returns
    /// whether there was anything to forget.
    pub(in crate::journal) fn forget(
        &mut self,
        settings: &JournalSettings,
        slowest: Option<u64>,
        step: u64,
    ) -> Result<bool, StoreError> {
        let last_seq = self.state.last_seq;
        let waited_for = last_seq.saturating_sub(settings.lag_limit);
        let done_with = slowest.unwrap_or(last_seq).max(waited_for);
        // The last one stays, so that the domain is known.
        let done_with = done_with.min(last_seq.saturating_sub(1));
        let age = u64::try_from(settings.retain_for.as_micros()).unwrap_or(u64::MAX);
        let now = self.state.last.map_or(0, |it| it.wall.as_unix_micros());
        let too_old = now.saturating_sub(age);
        let is_too_large = self.size()? > settings.retain_size;
        let events = oldest_event(&self.connection)?
            .filter(|(seq, wall)| *seq <= done_with && (is_too_large || *wall < too_old))
            .map(|(seq, _)| seq.saturating_add(step - 1).min(done_with));
        let inputs =
            oldest_input(&self.connection)?.is_some_and(|(_, wall)| is_too_large || wall < too_old);
        if events.is_none() && !inputs {
            return Ok(false);
        }
        let wall_limit = if is_too_large {
            i64::MAX
        } else {
            too_old.cast_signed()
        };
        self.transact(|store| {
            if let Some(until) = events {
                let forget = "DELETE FROM event WHERE seq <= ?1 AND wall < ?2";
                let mut forget = store.connection.prepare_cached(forget)?;
                forget.execute([until.cast_signed(), wall_limit])?;
            }
            if inputs {
                let forget = "DELETE FROM input WHERE wall < ?2 AND first IN
                    (SELECT first FROM input ORDER BY first LIMIT ?1)";
                let mut forget = store.connection.prepare_cached(forget)?;
                forget.execute([INPUT_ROWS.cast_signed(), wall_limit])?;
            }
            Ok(true)
        })
    }

    /// Returns how many bytes of the file are in use.
    fn size(&self) -> Result<u64, rusqlite::Error> {
        let number = |pragma| {
            self.connection
                .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
        };
        // Damaged numbers can be any; they must not end the daemon.
        let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
        let pages = u64::try_from(pages).unwrap_or(0);
        Ok(pages.saturating_mul(number("page_size")?.cast_unsigned()))
    }
}

fn oldest_event(connection: &Connection) -> Result<Option<(u64, u64)>, rusqlite::Error> {
    oldest(
        connection,
        "SELECT seq, wall FROM event ORDER BY seq LIMIT 1",
    )
}

fn oldest_input(connection: &Connection) -> Result<Option<(u64, u64)>, rusqlite::Error> {
    oldest(
        connection,
        "SELECT first, wall FROM input ORDER BY first LIMIT 1",
    )
}

fn oldest(connection: &Connection, find: &str) -> Result<Option<(u64, u64)>, rusqlite::Error> {
    let mut statement = connection.prepare_cached(find)?;
    let found = statement.query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
    let found = found.optional()?;
    Ok(found.map(|(number, wall)| (number.cast_unsigned(), wall.cast_unsigned())))
}
