//! How values of the core are written down, and read back: all of it, and nothing else.
//!
//! Core types are not serialisable, so that they can change; these records are the form that stays.
//! A record that makes no sense is an error, never a guess.

pub(super) mod cell;
pub(super) mod event;
pub(super) mod facts;
pub(super) mod input;

use thiserror::Error;

/// Why a record could not be read. Its text says what was expected.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("a record makes no sense: {0}")]
pub struct RecordError(pub(super) String);

impl From<serde_json::Error> for RecordError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}
