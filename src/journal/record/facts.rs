//! A fact as JSON: what a warden remembers, one line for each.
//!
//! The kind of a fact stands beside it and not in it. Nothing is left to a default that could be
//! mistaken for knowledge: only what is not known is left out.

mod archive;
mod decision;
mod healing;
mod order;
mod seen;
mod starts;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::RecordError;
use crate::model::Role;
use crate::supervisor::{Fact, FactKind};
use crate::time::Timestamp;
use archive::ArchiveRecord;
use decision::DecisionsRecord;
use healing::SlotRecord;
use order::OrderRecord;
use seen::{DatabaseRecord, DomainRecord, PeerRecord, ProcessRecord};
use starts::{ActionRecord, FailureRecord, LapsedRecord};

type Text<'a> = Cow<'a, str>;

/// Returns a fact as one line of JSON, without its kind.
///
/// # Panics
///
/// Never: a record has text for keys and no floats.
pub fn to_json(fact: &Fact) -> String {
    let line = match fact {
        Fact::Action(it) => line(&ActionRecord::from(it)),
        Fact::Archive(it) => line(&ArchiveRecord::from(it)),
        Fact::Database(it) => line(&DatabaseRecord::from(it)),
        Fact::Decisions(it) => line(&DecisionsRecord::from(it)),
        Fact::Domain(it) => line(&DomainRecord::from(it)),
        Fact::Failure(it) => line(&FailureRecord::from(it)),
        Fact::Lapsed(it) => line(&LapsedRecord::from(it)),
        Fact::Order(it) => line(&OrderRecord::from(it)),
        Fact::Peer(it) => line(&PeerRecord::from(it)),
        Fact::Process(it) => line(&ProcessRecord::from(it)),
        Fact::Slot(it) => line(&SlotRecord::from(it)),
    };
    line.expect("a record has text for keys and no floats")
}

fn line(record: &impl Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string(record)
}

/// Reads a fact of that kind from JSON.
///
/// # Errors
///
/// Fails if it is no such fact.
pub fn from_json(kind: FactKind, json: &str) -> Result<Fact, RecordError> {
    Ok(match kind {
        FactKind::Action => Fact::Action(read::<ActionRecord<'_>>(json)?.try_into()?),
        FactKind::Archive => Fact::Archive(read::<ArchiveRecord<'_>>(json)?.into()),
        FactKind::Database => Fact::Database(read::<DatabaseRecord<'_>>(json)?.try_into()?),
        FactKind::Decisions => Fact::Decisions(read::<DecisionsRecord<'_>>(json)?.try_into()?),
        FactKind::Domain => Fact::Domain(read::<DomainRecord<'_>>(json)?.try_into()?),
        FactKind::Failure => Fact::Failure(read::<FailureRecord<'_>>(json)?.try_into()?),
        FactKind::Lapsed => Fact::Lapsed(read::<LapsedRecord<'_>>(json)?.try_into()?),
        FactKind::Order => Fact::Order(read::<OrderRecord<'_>>(json)?.try_into()?),
        FactKind::Peer => Fact::Peer(read::<PeerRecord<'_>>(json)?.into()),
        FactKind::Process => Fact::Process(read::<ProcessRecord<'_>>(json)?.try_into()?),
        FactKind::Slot => Fact::Slot(read::<SlotRecord<'_>>(json)?.try_into()?),
    })
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_str(json)
}

/// Returns what a word means, by the function that knows.
fn meaning<T>(
    what: &str,
    word: &str,
    named: impl FnOnce(&str) -> Option<T>,
) -> Result<T, RecordError> {
    named(word).ok_or_else(|| RecordError(format!("nobody knows the {what} `{word}`")))
}

/// What a record without a role is about: older ones know of transaction engines only.
const OLDER: Role = Role::Te;

/// Returns a role as it is written: not at all if older records do not write it either.
fn role_word(role: &Role) -> Option<Text<'_>> {
    (*role != OLDER).then(|| role.as_str().into())
}

/// Reads a role; see [`role_word`].
fn role_of(word: Option<&Text<'_>>) -> Result<Role, RecordError> {
    word.map_or(Ok(OLDER), |it| meaning("role", it, Role::named))
}

fn shared(text: &Text<'_>) -> Arc<str> {
    Arc::from(&**text)
}

const fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(micros)
}
