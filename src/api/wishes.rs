//! What people and listeners ask for: it is put to the warden, which decides.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::asker::Asker;
use super::office::Office;
use super::people::{Asked, Asking, RequestRecord};
use super::port::Errand;
use super::record::AcceptedRecord;
use super::refusal::Refusal;
use super::routes::{Of, Shared};
use super::server::BODY_TIMEOUT;
use crate::exchange::{Answer, Place, Request, RequestId, Wish};
use crate::listener::{WishError, WishKind, WishRecord};

/// What a request may fill.
const BODY_LIMIT: usize = 64 * 1024;

/// How many bytes the name of who asks may have.
const OWNER_MAX: usize = 128;

/// How many bytes a reason may have.
const REASON_MAX: usize = 512;

/// An object without any key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Nothing)]
pub(super) struct NothingRecord {}

/// Ask the healer for one thing
#[utoipa::path(
    post,
    path = "/api/v1/domains/{domain}/requests",
    tag = "ask",
    request_body = RequestRecord,
    responses((status = 200, description = "It is being done", body = AcceptedRecord))
)]
pub(super) async fn request(
    State(office): Shared,
    Of(name): Of,
    asker: Asker,
    body: Body,
) -> Result<Json<AcceptedRecord>, Refusal> {
    let attempted = format!("ask the domain `{name}` for something");
    put(
        &office,
        &name,
        &asker,
        body,
        &attempted,
        RequestRecord::asked,
    )
    .await
}

/// Reads what is asked for, and puts it to the warden.
pub(super) async fn put<T: DeserializeOwned>(
    office: &Office,
    name: &str,
    asker: &Asker,
    body: Body,
    attempted: &str,
    understood: impl FnOnce(T) -> Result<Asked, String>,
) -> Result<Json<AcceptedRecord>, Refusal> {
    let domain = office.domain(name, attempted)?;
    let record: T = read(body, attempted).await?;
    let Asked {
        asking,
        owner,
        reason,
    } = understood(record).map_err(|problem| {
        let advice = "docs/api.md has what can be asked for, and how";
        Refusal::nonsense(attempted, problem, advice)
    })?;
    let (attempted, wish) = match asking {
        Asking::StartTe(start) => understand(WishRecord::StartTe(start))?,
        Asking::Person(word, target) => {
            let attempted = format!("{} {target}", word.as_str());
            let target = target.into();
            (attempted, Wish::Person { word, target })
        }
    };
    let owner = said_by_people(owner, "owner", OWNER_MAX, &attempted)?;
    let reason = said_by_people(reason, "reason", REASON_MAX, &attempted)?;
    let by = office.permit(asker, owner.as_deref(), WishKind::of(&wish), &attempted)?;
    let request = Request {
        id: RequestId(0),
        by,
        reason: reason.map(Into::into),
        wish,
    };
    let decide = |answer| Errand::Request { request, answer };
    let answer = office.decide(&domain, &attempted, decide).await?;
    said(&answer, attempted)
}

/// Accept that memory was lost
#[utoipa::path(
    post,
    path = "/api/v1/domains/{domain}/resume",
    tag = "ask",
    request_body = NothingRecord,
    responses((status = 200, description = "It is accepted", body = AcceptedRecord))
)]
pub(super) async fn resume(
    State(office): Shared,
    Of(name): Of,
    asker: Asker,
    body: Body,
) -> Result<Json<AcceptedRecord>, Refusal> {
    let attempted = format!("resume the domain `{name}`");
    let domain = office.domain(&name, &attempted)?;
    let NothingRecord {} = read(body, &attempted).await?;
    let by = Office::only_people(&asker, &attempted)?;
    let decide = |answer| Errand::Resume { by, answer };
    let answer = office.decide(&domain, &attempted, decide).await?;
    said(&answer, attempted)
}

/// Returns a line that a person may have written, if it is one of at most so many bytes.
fn said_by_people(
    text: Option<String>,
    what: &str,
    max: usize,
    attempted: &str,
) -> Result<Option<String>, Refusal> {
    let is_line =
        |it: &String| !it.trim().is_empty() && it.len() <= max && !it.contains(char::is_control);
    if text.as_ref().is_none_or(is_line) {
        return Ok(text);
    }
    Err(Refusal::nonsense(
        attempted,
        format!("the {what} is none"),
        format!("it is one line of 1 to {max} bytes without control characters"),
    ))
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
    let attempted = match &wish {
        Wish::Person { word, target } => format!("{} {target}", word.as_str()),
        Wish::StartTe { database, place } => match place {
            Place::Anywhere => format!("start a TE of {database}"),
            Place::Elsewhere => format!("start a TE of {database} elsewhere"),
            Place::On(peer) => format!("start a TE of {database} on {peer}"),
        },
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
