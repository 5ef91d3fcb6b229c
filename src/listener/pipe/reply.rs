//! What a program answers, line by line.
//!
//! It only reads; what follows from an answer is said elsewhere.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::exchange::Wish;
use crate::listener::{WishError, WishRecord};

/// The longest pause that can be asked for.
const LONGEST: u32 = 86_400;

/// A line that answers an event.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) id: Cow<'a, str>,
    pub(super) result: Result<Option<Wish>, Refusal>,
}

/// An event that was not taken.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) is_permanent: bool,
    pub(super) after: Option<Duration>,
}

/// Why a line is no answer.
#[derive(Debug, Error)]
pub(super) enum LineError {
    /// It is no object with the fields of an answer.
    #[error("it is neither an id nor an object with one: {0}")]
    Json(serde_json::Error),
    /// What it asks for cannot be.
    #[error("{0}")]
    Nonsense(&'static str),
}

/// An answer as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerRecord<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    ok: Option<bool>,
    #[serde(default)]
    permanent: bool,
    error: Option<String>,
    after: Option<u32>,
    request: Option<WishRecord>,
}

impl<'a> Line<'a> {
    /// Reads a line; a blank one is none.
    pub(super) fn parse(line: &'a str) -> Result<Option<Self>, LineError> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(None);
        }
        if !line.starts_with('{') {
            return Ok(Some(Self {
                id: line.into(),
                result: Ok(None),
            }));
        }
        let record: AnswerRecord<'_> = serde_json::from_str(line).map_err(LineError::Json)?;
        let is_ok = record.ok.unwrap_or(record.error.is_none());
        let result = if is_ok {
            Ok(record.request.map(wish).transpose()?)
        } else {
            Err(Refusal {
                error: record.error.unwrap_or_else(|| "no".to_owned()),
                is_permanent: record.permanent,
                after: record
                    .after
                    .map(|it| Duration::from_secs(it.min(LONGEST).into())),
            })
        };
        Ok(Some(Self {
            id: record.id,
            result,
        }))
    }
}

fn wish(record: WishRecord) -> Result<Wish, LineError> {
    record.understand().map_err(|error| {
        LineError::Nonsense(match error {
            WishError::Name { .. } => "a name in its request is none",
            WishError::Place { .. } => "its request is both `on` a peer and `elsewhere`",
        })
    })
}
