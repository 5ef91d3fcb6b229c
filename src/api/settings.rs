//! What the daemon runs by: which configuration, and which lines it writes to its log.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asker::Asker;
use super::office::Office;
use super::refusal::Refusal;
use super::routes::Shared;
use super::wishes::read;
use crate::event::{Event, Kind, Subject};
use crate::journal::Batch;
use crate::telemetry::{LogFilter, chain, change_filter, filter};

/// How many bytes the directives of a log may have.
const FILTER_MAX: usize = 1_024;

/// Which configuration is in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Config)]
pub(super) struct ConfigRecord {
    /// How many configurations took effect, this one included
    generation: u64,
    /// When this one did
    loaded: String,
    /// What was wrong with a later one that was refused
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<String>,
}

/// Which lines are written to the log.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Log)]
pub(super) struct LogRecord {
    /// A level, such as `debug`, or directives, such as `info,dbwarden::driver=debug`
    filter: String,
}

/// Which configuration is in force
#[utoipa::path(
    get,
    path = "/api/v1/config",
    tag = "daemon",
    responses((status = 200, description = "Its generation", body = ConfigRecord))
)]
pub(super) async fn config(State(office): Shared) -> Json<ConfigRecord> {
    let config = office.port.daemon.config.borrow().clone();
    Json(ConfigRecord {
        generation: config.generation,
        loaded: config.loaded.to_string(),
        rejected: config.rejected.as_deref().map(str::to_owned),
    })
}

/// Which lines are written to the log
#[utoipa::path(
    get,
    path = "/api/v1/log",
    tag = "daemon",
    responses((status = 200, description = "By which directives", body = LogRecord))
)]
pub(super) async fn log() -> Result<Json<LogRecord>, Refusal> {
    let filter = filter().ok_or_else(|| no_log("show what is logged"))?;
    let filter = filter.to_string();
    Ok(Json(LogRecord { filter }))
}

/// Have other lines written to the log, until the daemon ends
#[utoipa::path(
    post,
    path = "/api/v1/log",
    tag = "daemon",
    request_body = LogRecord,
    responses((status = 200, description = "By which directives from now on", body = LogRecord))
)]
pub(super) async fn set_log(
    State(office): Shared,
    asker: Asker,
    body: Body,
) -> Result<Json<LogRecord>, Refusal> {
    const ATTEMPTED: &str = "change what is logged";
    let LogRecord { filter } = read(body, ATTEMPTED).await?;
    let by = Office::only_people(&asker, ATTEMPTED)?;
    let advice = "write a level, such as `info`, or directives, such as \
                  `info,dbwarden::driver=debug`";
    if filter.is_empty() || filter.len() > FILTER_MAX || filter.contains(char::is_control) {
        let problem = format!("`filter` is not of 1 to {FILTER_MAX} printable bytes");
        return Err(Refusal::nonsense(ATTEMPTED, problem, advice));
    }
    let wanted: LogFilter = filter
        .parse()
        .map_err(|error| Refusal::nonsense(ATTEMPTED, chain(&error), advice))?;
    if !change_filter(&wanted) {
        return Err(no_log(ATTEMPTED));
    }
    tell(&office, &by, &wanted);
    Ok(Json(LogRecord { filter }))
}

/// Has it on record who changed the log.
fn tell(office: &Office, by: &Arc<str>, filter: &LogFilter) {
    let daemon = &office.port.daemon;
    let now = daemon.now.read();
    let mut event = Event::new(now, None, Kind::OperatorCommand, Subject::default());
    event.text = Some(format!("{by} has the log written by `{filter}`").into());
    daemon.journal.write(Batch {
        events: vec![event],
        ..Batch::default()
    });
}

fn no_log(attempted: &str) -> Refusal {
    Refusal::new(
        StatusCode::CONFLICT,
        attempted,
        "this daemon writes no log of its own",
        "start it with `dbwarden run`",
    )
}
