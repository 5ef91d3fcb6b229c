//! Dead letters: events that a listener was not told, and what a person does about them.

use std::collections::BTreeMap;
use std::fmt;

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asker::Asker;
use super::events::all;
use super::office::Office;
use super::refusal::Refusal;
use super::routes::{Shared, wrong_query};
use super::wishes::read;
use crate::journal::{DeadLetter, Journal, JournalError};
use crate::listener::Record;
use crate::telemetry::chain;

/// What is done about dead letters.
#[derive(Clone, Copy)]
enum Deed {
    Drop,
    Replay,
}

/// Which of them are shown.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LettersQuery {
    /// Only those of this domain
    domain: Option<String>,
    /// Only those of this listener
    listener: Option<String>,
}

/// Which of them something is done about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Choice)]
pub(super) struct ChoiceRecord {
    /// All there are
    #[serde(default)]
    all: bool,
    /// Those of this listener
    listener: Option<String>,
    /// These, as `DOMAIN/NUMBER`
    letters: Option<Vec<String>>,
}

/// An event that a listener was not told.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(super) struct LetterRecord<'a> {
    letter: String,
    domain: &'a str,
    listener: &'a str,
    attempts: u32,
    error: &'a str,
    time: String,
    replayed: bool,
    event: Record<'a>,
}

/// What was done.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = Done)]
pub(super) struct DoneRecord {
    /// To these it was done.
    letters: Vec<String>,
    /// These do not exist.
    missing: Vec<String>,
}

/// A dead letter and the journal it lies in.
struct Found {
    domain: String,
    journal: Journal,
    letter: DeadLetter,
}

impl fmt::Display for Found {
    /// Writes what it is called outside: `DOMAIN/NUMBER`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.domain, self.letter.id)
    }
}

/// Events that a listener was not told
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters",
    tag = "dead letters",
    params(LettersQuery),
    responses((status = 200, description = "The oldest first", body = [LetterRecord<'_>]))
)]
pub(super) async fn list(
    State(office): Shared,
    query: Result<Query<LettersQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    const ATTEMPTED: &str = "show dead letters";
    let Query(query) = query.map_err(|error| wrong_query(ATTEMPTED, &error))?;
    let found = find(&office, ATTEMPTED).await?;
    let is_meant = |it: &&Found| {
        query.domain.as_ref().is_none_or(|name| *name == it.domain)
            && query
                .listener
                .as_ref()
                .is_none_or(|name| **name == *it.letter.listener)
    };
    let records: Vec<LetterRecord<'_>> = found.iter().filter(is_meant).map(record).collect();
    Ok(Json(records).into_response())
}

/// Have dead letters told again
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/replay",
    tag = "dead letters",
    request_body = ChoiceRecord,
    responses((status = 200, description = "To which it was done", body = DoneRecord))
)]
pub(super) async fn replay(
    State(office): Shared,
    asker: Asker,
    body: Body,
) -> Result<Response, Refusal> {
    change(&office, &asker, body, Deed::Replay).await
}

/// Forget dead letters
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/drop",
    tag = "dead letters",
    request_body = ChoiceRecord,
    responses((status = 200, description = "To which it was done", body = DoneRecord))
)]
pub(super) async fn drop(
    State(office): Shared,
    asker: Asker,
    body: Body,
) -> Result<Response, Refusal> {
    change(&office, &asker, body, Deed::Drop).await
}

async fn change(
    office: &Office,
    asker: &Asker,
    body: Body,
    deed: Deed,
) -> Result<Response, Refusal> {
    let attempted = match deed {
        Deed::Drop => "drop dead letters",
        Deed::Replay => "replay dead letters",
    };
    let choice: ChoiceRecord = read(body, attempted).await?;
    Office::only_people(asker, attempted)?;
    let found = find(office, attempted).await?;
    let (chosen, missing) = choose(found, choice, attempted)?;
    let mut by_journal: BTreeMap<String, (Journal, Vec<u64>)> = BTreeMap::new();
    for it in chosen {
        let entry = by_journal
            .entry(it.domain)
            .or_insert((it.journal, Vec::new()));
        entry.1.push(it.letter.id);
    }
    let mut done = DoneRecord {
        missing,
        ..DoneRecord::default()
    };
    for (domain, (journal, ids)) in by_journal {
        let changed = match deed {
            Deed::Drop => journal.drop_dead_letters(&ids).await,
            Deed::Replay => journal.replay(&ids).await,
        };
        let changed = changed.map_err(|error| unusable(attempted, &domain, &error))?;
        done.letters
            .extend(changed.iter().map(|id| format!("{domain}/{id}")));
    }
    Ok(Json(done).into_response())
}

/// Returns those that are meant, and the names of those that do not exist.
fn choose(
    found: Vec<Found>,
    choice: ChoiceRecord,
    attempted: &str,
) -> Result<(Vec<Found>, Vec<String>), Refusal> {
    match (choice.all, choice.listener, choice.letters) {
        (true, None, None) => Ok((found, Vec::new())),
        (false, Some(name), None) => {
            let of_it = found.into_iter().filter(|it| *it.letter.listener == *name);
            Ok((of_it.collect(), Vec::new()))
        }
        (false, None, Some(mut missing)) => {
            let chosen = found.into_iter().filter(|it| {
                let name = it.to_string();
                let before = missing.len();
                missing.retain(|it| *it != name);
                missing.len() < before
            });
            let chosen = chosen.collect();
            Ok((chosen, missing))
        }
        _ => Err(Refusal::nonsense(
            attempted,
            "it is not said which",
            "say either `letters`, or one `listener`, or `all`",
        )),
    }
}

/// Returns every dead letter there is.
async fn find(office: &Office, attempted: &str) -> Result<Vec<Found>, Refusal> {
    let mut found = Vec::new();
    for (domain, journal) in all(office) {
        let letters = journal.dead_letters().await;
        let letters = letters.map_err(|error| unusable(attempted, &domain, &error))?;
        found.extend(letters.into_iter().map(|letter| Found {
            domain: domain.clone(),
            journal: journal.clone(),
            letter,
        }));
    }
    Ok(found)
}

fn record(found: &Found) -> LetterRecord<'_> {
    let letter = &found.letter;
    LetterRecord {
        letter: found.to_string(),
        domain: &found.domain,
        listener: &letter.listener,
        attempts: letter.attempts,
        error: &letter.error,
        time: letter.time.wall.to_string(),
        replayed: letter.is_replayed,
        event: Record::new(&letter.event),
    }
}

/// Refuses what needs a journal that cannot be used.
pub(super) fn unusable(attempted: &str, domain: &str, error: &JournalError) -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        attempted,
        format!("the journal of `{domain}`: {}", chain(error)),
        "look at the disk and at the daemon's log",
    )
}

/// Refuses what needs events that cannot be read.
pub(super) fn unreadable(attempted: &str, error: &std::io::Error) -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        attempted,
        format!("a journal cannot be read: {}", chain(error)),
        "look at the disk and at the daemon's log",
    )
}
