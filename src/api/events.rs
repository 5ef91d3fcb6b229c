//! Recorded events of one domain or of all, as listeners are told them: line by line, page by page,
//! or as a stream.

use std::time::UNIX_EPOCH;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::letters::unreadable;
use super::lines::{EVENT_STREAM, NDJSON, lines};
use super::office::Office;
use super::refusal::Refusal;
use super::routes::{Shared, wrong_query};
use super::strands::{Begin, Position, Strand, Strands};
use super::telling::{Form, Teller, admits, follow};
use crate::journal::Journal;
use crate::listener::{Expression, Record};
use crate::time::WallTime;

/// What the daemon's own events have as domain in a query, and in their ids.
const DAEMON: &str = "-";

/// How many events a page may have.
const PAGE_MAX: usize = 1_000;

/// So many events are looked at for one page, whether they belong there or not.
const LOOKED_AT_MAX: usize = 50_000;

/// With which header a stream is taken up again.
const LAST_EVENT_ID: &str = "last-event-id";

pub(super) const ATTEMPTED: &str = "show events";

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EventsQuery {
    /// Only of this domain; `-` is the daemon itself
    domain: Option<String>,
    /// Begin behind this number; which needs a `domain` if there are several
    after: Option<u64>,
    /// Begin with the first that is not older than this time (RFC 3339, UTC)
    since: Option<String>,
    /// Begin with so many of the last of each domain
    last: Option<u64>,
    /// Begin where another page or stream ended
    position: Option<String>,
    /// Only those of which this expression is so
    #[serde(rename = "where")]
    condition: Option<String>,
    /// A page of at most so many
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Go on with what comes
    #[serde(default)]
    follow: bool,
}

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StreamQuery {
    /// Only of this domain; `-` is the daemon itself
    domain: Option<String>,
    /// Begin behind this number; which needs a `domain` if there are several
    after: Option<u64>,
    /// Begin with the first that is not older than this time (RFC 3339, UTC)
    since: Option<String>,
    /// Begin with so many of the last of each domain
    last: Option<u64>,
    /// Begin where another page or stream ended; `Last-Event-ID` wins over it and over the others
    position: Option<String>,
    /// Only those of which this expression is so
    #[serde(rename = "where")]
    condition: Option<String>,
}

/// Events, some at a time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Page)]
pub(super) struct PageRecord<'a> {
    events: Vec<Record<'a>>,
    /// Where the next page begins
    position: String,
    /// Whether there is more by now
    more: bool,
}

/// Recorded events
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "events",
    params(EventsQuery),
    responses((status = 200, description = "Line by line, or with `limit` a page", content(
        (PageRecord<'_> = "application/json"),
        (Record<'_> = "application/x-ndjson"),
    )))
)]
pub(super) async fn events(
    State(office): Shared,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|error| wrong_query(ATTEMPTED, &error))?;
    let (limit, follows) = (query.limit, query.follow);
    let (wanted, condition) = Wanted::new(query)?;
    let follows_all = wanted.domain.is_none();
    match limit {
        Some(_) if follows => Err(Refusal::nonsense(
            ATTEMPTED,
            "a page with a `limit` ends, and cannot `follow`",
            "leave one of them out",
        )),
        Some(limit) => page(wanted.strands(&office).await?, condition, limit).await,
        None => {
            let place = follows.then(|| office.place(ATTEMPTED)).transpose()?;
            let mut strands = wanted.strands(&office).await?;
            Ok(lines(NDJSON, place, async move |pen| {
                let form = Form::Lines;
                let teller = Teller {
                    condition,
                    form,
                    pen,
                };
                if follows {
                    follow(&office, strands, follows_all, teller).await;
                } else {
                    // Whoever does not read any more needs no reason.
                    let _ = teller.tell(&mut strands).await;
                }
            }))
        }
    }
}

/// Recorded events as Server-Sent Events, taken up again by `Last-Event-ID`
#[utoipa::path(
    get,
    path = "/api/v1/events/stream",
    tag = "events",
    params(
        StreamQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "Where another stream ended"),
    ),
    responses((
        status = 200,
        description = "Each with where its reader stands as `id`",
        body = String,
        content_type = "text/event-stream",
    ))
)]
pub(super) async fn stream(
    State(office): Shared,
    headers: HeaderMap,
    query: Result<Query<StreamQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|error| wrong_query(ATTEMPTED, &error))?;
    let mut query = query.following();
    // An empty one is what a client has that was told nothing yet.
    if let Some(id) = headers.get(LAST_EVENT_ID).filter(|it| !it.is_empty()) {
        query.position = Some(String::from_utf8_lossy(id.as_bytes()).into_owned());
        (query.after, query.since, query.last) = (None, None, None);
    }
    let (wanted, condition) = Wanted::new(query)?;
    let follows_all = wanted.domain.is_none();
    let place = office.place(ATTEMPTED)?;
    let strands = wanted.strands(&office).await?;
    Ok(lines(EVENT_STREAM, Some(place), async move |pen| {
        let form = Form::Stream;
        let teller = Teller {
            condition,
            form,
            pen,
        };
        follow(&office, strands, follows_all, teller).await;
    }))
}

impl StreamQuery {
    fn following(self) -> EventsQuery {
        EventsQuery {
            domain: self.domain,
            after: self.after,
            since: self.since,
            last: self.last,
            position: self.position,
            condition: self.condition,
            limit: None,
            follow: true,
        }
    }
}

/// Answers a page.
async fn page(
    mut strands: Strands,
    condition: Option<Expression>,
    limit: usize,
) -> Result<Response, Refusal> {
    if !(1..=PAGE_MAX).contains(&limit) {
        let problem = format!("`limit={limit}` is not from 1 to {PAGE_MAX}");
        let advice = "write another one, and follow `position` for the rest";
        return Err(Refusal::nonsense(ATTEMPTED, problem, advice));
    }
    let (ends, mut found) = (strands.ends(), Vec::new());
    for _ in 0..LOOKED_AT_MAX {
        if found.len() == limit {
            break;
        }
        let next = strands.next(&ends).await;
        let Some(recorded) = next.map_err(|error| unreadable(ATTEMPTED, &error))? else {
            break;
        };
        if admits(condition.as_ref(), &Record::new(&recorded)) {
            found.push(recorded);
        }
    }
    let page = PageRecord {
        events: found.iter().map(|it| Record::new(it)).collect(),
        position: strands.position(),
        more: strands.has_more(),
    };
    Ok(Json(page).into_response())
}

/// Whose events are wanted, and from where on.
struct Wanted {
    domain: Option<String>,
    begin: Begin,
}

impl Wanted {
    /// Reads a query; what is wanted of each event is for who looks at them.
    fn new(query: EventsQuery) -> Result<(Self, Option<Expression>), Refusal> {
        let begin = begin(&query)?;
        let condition = query.condition.as_deref().map(condition).transpose()?;
        let domain = query.domain;
        Ok((Self { domain, begin }, condition))
    }

    async fn strands(self, office: &Office) -> Result<Strands, Refusal> {
        let sources = sources(office, self.domain.as_deref(), &self.begin)?;
        let mut strands = Vec::with_capacity(sources.len());
        for (name, journal) in sources {
            strands.push(Strand::new(name, journal, &self.begin, ATTEMPTED).await?);
        }
        Ok(Strands(strands))
    }
}

fn condition(text: &str) -> Result<Expression, Refusal> {
    Expression::compile(text).map_err(|error| {
        let problem = format!(
            "`where`, line {} column {}: {error}",
            error.line, error.column
        );
        let advice = error.nearest.map_or_else(
            || "docs/listeners.md has the language and every name".to_owned(),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        Refusal::nonsense(ATTEMPTED, problem, advice)
    })
}

fn begin(query: &EventsQuery) -> Result<Begin, Refusal> {
    let said = [
        query.after.map(Begin::After),
        query.last.map(Begin::Last),
        query.since.as_deref().map(since).transpose()?,
        query.position.as_deref().map(at).transpose()?,
    ];
    let mut said = said.into_iter().flatten();
    match (said.next(), said.next()) {
        (Some(begin), None) => Ok(begin),
        (Some(_), Some(_)) => Err(Refusal::nonsense(
            ATTEMPTED,
            "it is said twice where to begin",
            "leave all but one of `after`, `since`, `last` and `position` out",
        )),
        (None, _) if query.follow => Ok(Begin::Now),
        (None, _) => Ok(Begin::First),
    }
}

fn since(text: &str) -> Result<Begin, Refusal> {
    wall_time(text).map(Begin::Since).ok_or_else(|| {
        Refusal::nonsense(
            ATTEMPTED,
            format!("`since={text}` is no time"),
            "write it as 2026-11-21T03:04:05Z, in UTC",
        )
    })
}

fn at(text: &str) -> Result<Begin, Refusal> {
    Position::read(text).map(Begin::At).ok_or_else(|| {
        Refusal::nonsense(
            ATTEMPTED,
            format!("`{}` is no position", text.escape_debug()),
            "take the one that a page or a stream ended with",
        )
    })
}

fn wall_time(text: &str) -> Option<WallTime> {
    let time = humantime::parse_rfc3339(text).ok()?;
    let micros = time.duration_since(UNIX_EPOCH).ok()?.as_micros();
    Some(WallTime::from_unix_micros(micros.try_into().ok()?))
}

/// Returns whose events are meant.
fn sources(
    office: &Office,
    name: Option<&str>,
    begin: &Begin,
) -> Result<Vec<(String, Journal)>, Refusal> {
    let all = all(office);
    match (name, begin) {
        (Some(name), _) => {
            let names: Vec<String> = all.iter().map(|(name, _)| name.clone()).collect();
            let found = all.into_iter().find(|(it, _)| it == name);
            let found = found.ok_or_else(|| {
                Refusal::no_domain(ATTEMPTED, name, names.iter().map(String::as_str))
            })?;
            Ok(vec![found])
        }
        // The daemon's own events have numbers of their own.
        (None, Begin::After(_)) if all.len() == 2 => Ok(all.into_iter().skip(1).collect()),
        (None, Begin::After(_)) => Err(Refusal::nonsense(
            ATTEMPTED,
            "each domain has numbers of its own",
            "say which `domain` is meant, or `since` when",
        )),
        (None, Begin::At(_) | Begin::First | Begin::Last(_) | Begin::Now | Begin::Since(_)) => {
            Ok(all)
        }
    }
}

/// Returns every journal there is, the daemon's own first.
pub(super) fn all(office: &Office) -> Vec<(String, Journal)> {
    let domains = office.domains();
    let of_domains = domains
        .iter()
        .map(|it| (it.name.to_string(), it.journal.clone()));
    let daemon = office.port.daemon.journal.clone();
    [(DAEMON.to_owned(), daemon)]
        .into_iter()
        .chain(of_domains)
        .collect()
}
