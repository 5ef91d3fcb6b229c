//! Recorded events of one domain or of all, line by line, as listeners are told them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::letters::unusable;
use super::lines::{Pen, lines};
use super::office::Office;
use super::refusal::Refusal;
use super::routes::{Shared, wrong_query};
use crate::event::Recorded;
use crate::journal::Journal;
use crate::listener::{Expression, Record, Source};
use crate::time::WallTime;

/// What the daemon's own events have as domain in a query, and in their ids.
const DAEMON: &str = "-";

/// So many events of one domain are read at once.
const PAGE: usize = 256;

/// A piece of an answer is sent when it has this many bytes, or nothing else is there.
const PIECE: usize = 32 * 1024;

const ATTEMPTED: &str = "show events";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    domain: Option<String>,
    after: Option<u64>,
    since: Option<String>,
    #[serde(rename = "where")]
    condition: Option<String>,
    #[serde(default)]
    follow: bool,
}

/// Where to begin.
#[derive(Clone, Copy, Debug)]
enum Begin {
    /// Behind this number.
    After(u64),
    /// With the first that is kept.
    First,
    /// With what comes from now on.
    Now,
    /// With the first that is not older.
    Since(WallTime),
}

/// The events of one domain on their way into the answer.
struct Strand {
    name: String,
    journal: Journal,
    /// The number of the last event that was read.
    cursor: u64,
    /// When the latest that was told happened.
    told: WallTime,
    page: VecDeque<Arc<Recorded>>,
}

/// Shows events.
pub(super) async fn events(
    State(office): Shared,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(query) = query.map_err(|error| wrong_query(ATTEMPTED, &error))?;
    let begin = begin(&query)?;
    let sources = sources(&office, query.domain.as_deref(), begin)?;
    let place = query.follow.then(|| office.place(ATTEMPTED)).transpose()?;
    let mut strands = Vec::with_capacity(sources.len());
    for (name, journal) in sources {
        strands.push(Strand::new(name, journal, begin).await?);
    }
    let condition = query.condition.as_deref().map(condition).transpose()?;
    let follows_all = query.domain.is_none();
    Ok(lines(place, async move |pen| {
        let teller = Teller { condition, pen };
        if query.follow {
            follow(&office, strands, follows_all, teller).await;
        } else {
            // Whoever does not read any more needs no reason.
            let _ = teller.tell(&mut strands).await;
        }
    }))
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
    match (query.after, &query.since) {
        (Some(_), Some(_)) => Err(Refusal::nonsense(
            ATTEMPTED,
            "both `after` and `since` say where to begin",
            "leave one of them out",
        )),
        (Some(seq), None) => Ok(Begin::After(seq)),
        (None, Some(text)) => wall_time(text).map(Begin::Since).ok_or_else(|| {
            Refusal::nonsense(
                ATTEMPTED,
                format!("`since={text}` is no time"),
                "write it as 2026-11-21T03:04:05Z, in UTC",
            )
        }),
        (None, None) if query.follow => Ok(Begin::Now),
        (None, None) => Ok(Begin::First),
    }
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
    begin: Begin,
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
        (None, Begin::First | Begin::Now | Begin::Since(_)) => Ok(all),
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

impl Strand {
    async fn new(name: String, journal: Journal, begin: Begin) -> Result<Self, Refusal> {
        let cursor = match begin {
            Begin::After(seq) => seq,
            Begin::First => 0,
            Begin::Now => journal.last_seq(),
            Begin::Since(time) => {
                let seq = journal.seq_since(time).await;
                seq.map_err(|error| unusable(ATTEMPTED, &name, &error))?
            }
        };
        Ok(Self {
            name,
            journal,
            cursor,
            told: WallTime::default(),
            page: VecDeque::new(),
        })
    }

    /// Takes the next event that was read.
    fn take(&mut self) -> Option<Arc<Recorded>> {
        let recorded = self.page.pop_front()?;
        self.told = self.told.max(recorded.event.time.wall);
        Some(recorded)
    }

    /// Reads on if nothing is left, up to the event of that number.
    async fn fill(&mut self, until: u64) -> Result<(), std::io::Error> {
        while self.page.is_empty() && self.cursor < until {
            let page = Source::read(&self.journal, self.cursor, PAGE)
                .await
                .map_err(std::io::Error::other)?;
            let Some(last) = page.events.last() else {
                self.cursor = until;
                return Ok(());
            };
            self.cursor = last.seq;
            self.page.extend(page.events);
        }
        Ok(())
    }
}

/// Writes events into an answer.
struct Teller {
    condition: Option<Expression>,
    pen: Pen,
}

impl Teller {
    /// Tells what is there now, in the order of time, each domain in the order of its numbers.
    ///
    /// Fails when nobody reads any more, or the journal cannot be read.
    async fn tell(&self, strands: &mut [Strand]) -> Result<(), ()> {
        let until: Vec<u64> = strands.iter().map(|it| it.journal.last_seq()).collect();
        let mut piece = String::new();
        loop {
            for (strand, until) in strands.iter_mut().zip(&until) {
                if let Err(error) = strand.fill(*until).await {
                    // Without an end the reader knows that it does not have everything.
                    return self.pen.send(Err(error)).await.map_err(drop).and(Err(()));
                }
            }
            let next = strands
                .iter_mut()
                .filter_map(|it| Some((it.page.front()?.event.time.wall, it)))
                .min_by_key(|(time, _)| *time);
            let Some(recorded) = next.and_then(|(_, it)| it.take()) else {
                break;
            };
            let record = Record::new(&recorded);
            if self.admits(&record) {
                piece.push_str(&record.to_line());
            }
            if piece.len() >= PIECE {
                self.send(std::mem::take(&mut piece)).await?;
            }
        }
        if piece.is_empty() {
            return Ok(());
        }
        self.send(piece).await
    }

    /// An event of which the condition makes no sense is none that was asked for.
    fn admits(&self, record: &Record<'_>) -> bool {
        let condition = self.condition.as_ref();
        condition.is_none_or(|it| it.holds(record).unwrap_or_default())
    }

    async fn send(&self, piece: String) -> Result<(), ()> {
        self.pen.send(Ok(piece.into())).await.map_err(drop)
    }
}

/// Tells what is there, and then whatever comes.
async fn follow(office: &Office, mut strands: Vec<Strand>, follows_all: bool, teller: Teller) {
    let mut stop = office.stop.clone();
    let mut domains = office.port.domains.clone();
    let more = Arc::new(Notify::new());
    let mut watches = watch(&strands, &more);
    loop {
        if teller.tell(&mut strands).await.is_err() {
            return;
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = teller.pen.closed() => return,
            () = more.notified() => continue,
            changed = domains.changed() => if changed.is_err() { return },
        }
        domains.borrow_and_update();
        let now = all(office);
        // Whoever is new has told nothing older.
        let newest = strands.iter().map(|it| it.told).max().unwrap_or_default();
        let begin = Begin::Since(newest.max(office.port.daemon.started));
        strands.retain(|it| now.iter().any(|(name, _)| *name == it.name));
        for (name, journal) in now {
            match strands.iter_mut().find(|it| it.name == name) {
                Some(strand) => strand.journal = journal,
                None if follows_all => match Strand::new(name, journal, begin).await {
                    Ok(strand) => strands.push(strand),
                    // Who follows everything is not told that it has everything.
                    Err(_) => return,
                },
                None => (),
            }
        }
        watches.abort_all();
        watches = watch(&strands, &more);
    }
}

/// Has `more` told whenever one of the journals has more.
fn watch(strands: &[Strand], more: &Arc<Notify>) -> JoinSet<()> {
    let mut watches = JoinSet::new();
    for strand in strands {
        let mut committed = Source::committed(&strand.journal);
        let more = more.clone();
        watches.spawn(async move {
            // What came before it began to watch is news as well.
            more.notify_one();
            while committed.changed().await.is_ok() {
                more.notify_one();
            }
        });
    }
    watches
}
