//! What people and listeners ask for: it is put to the warden, which decides.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::office::{Asker, Office};
use super::port::Errand;
use super::record::AcceptedRecord;
use super::refusal::Refusal;
use super::routes::Shared;
use super::server::BODY_TIMEOUT;
use crate::exchange::{Answer, Place, Request, RequestId, Wish};
use crate::listener::{WishError, WishKind, WishRecord};

/// What a request may fill.
const BODY_LIMIT: usize = 64 * 1024;

/// An object without any key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NothingRecord {}

/// Asks the warden for something.
pub(super) async fn request(
    State(office): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AcceptedRecord>, Refusal> {
    let attempted = format!("ask the domain `{name}` for something");
    let domain = office.domain(&name, &attempted)?;
    let wish: WishRecord = read(body, &attempted).await?;
    let (attempted, wish) = understand(wish)?;
    let by = office.permit(&Asker::of(&headers), WishKind::of(&wish), &attempted)?;
    let id = RequestId(0);
    let decide = |answer| Errand::Request {
        request: Request { id, by, wish },
        answer,
    };
    let answer = office.decide(&domain, &attempted, decide).await?;
    said(&answer, attempted)
}

/// Accepts that memory was lost.
pub(super) async fn resume(
    State(office): Shared,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<AcceptedRecord>, Refusal> {
    let attempted = format!("resume the domain `{name}`");
    let domain = office.domain(&name, &attempted)?;
    let NothingRecord {} = read(body, &attempted).await?;
    let by = Office::only_people(&Asker::of(&headers), &attempted)?;
    let decide = |answer| Errand::Resume { by, answer };
    let answer = office.decide(&domain, &attempted, decide).await?;
    said(&answer, attempted)
}

/// Returns what is attempted by a wish, and the wish.
fn understand(record: WishRecord) -> Result<(String, Wish), Refusal> {
    let wish = record.understand().map_err(|error| match error {
        WishError::Name { name, what } => Refusal::nonsense(
            "start a TE",
            format!("`{}` is no name of a {what}", name.escape_debug()),
            "a name has 1 to 1024 bytes and no control characters",
        ),
        WishError::Place { database } => Refusal::nonsense(
            format!("start a TE of {database}"),
            "it cannot be both `on` a peer and `elsewhere`",
            "leave one of them out",
        ),
    })?;
    let Wish::StartTe { database, place } = &wish;
    let attempted = format!("start a TE of {database}");
    let attempted = match place {
        Place::Anywhere => attempted,
        Place::Elsewhere => format!("{attempted} elsewhere"),
        Place::On(peer) => format!("{attempted} on {peer}"),
    };
    Ok((attempted, wish))
}

/// Returns the answer of a warden as ours.
fn said(answer: &Answer, attempted: String) -> Result<Json<AcceptedRecord>, Refusal> {
    AcceptedRecord::new(answer)
        .map(Json)
        .map_err(|reason| Refusal::new(StatusCode::CONFLICT, attempted, reason, ""))
}

/// Reads the body of a request, which is short and comes soon.
pub(super) async fn read<T: DeserializeOwned>(body: Body, attempted: &str) -> Result<T, Refusal> {
    let Ok(bytes) = timeout(BODY_TIMEOUT, to_bytes(body, BODY_LIMIT)).await else {
        return Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            attempted,
            "the request did not arrive in time",
            "send it at once",
        ));
    };
    let bytes = bytes.map_err(|error| {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            attempted,
            format!("the request cannot be read: {error}"),
            format!("it may have {BODY_LIMIT} bytes"),
        )
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Refusal::nonsense(
            attempted,
            format!("the request does not read: {error}"),
            "docs/api.md has every field",
        )
    })
}
