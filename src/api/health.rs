//! Whether the daemon lives, and whether it is ready: for whoever starts it again or waits for it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::refusal::Refusal;
use super::routes::Shared;
use crate::model::Freshness;
use crate::time::Timestamp;

/// A loop turns at least every ten seconds; one that did not for so long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(30);

/// That it lives.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Live)]
pub(super) struct LiveRecord {
    /// Always true
    live: bool,
}

/// That it is ready.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ready)]
pub(super) struct ReadyRecord {
    /// Always true
    ready: bool,
    /// What each domain is like; one without a broker makes it no less ready
    domains: Vec<ReadyDomainRecord>,
}

/// A domain whose event loop answers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReadyDomain)]
struct ReadyDomainRecord {
    domain: String,
    /// `synced`, `stale` or `unknown`
    freshness: &'static str,
}

/// Whether every event loop turns
#[utoipa::path(
    get,
    path = "/live",
    tag = "health",
    responses((status = 200, description = "They all turned lately", body = LiveRecord))
)]
pub(super) async fn live(State(office): Shared) -> Result<Json<LiveRecord>, Refusal> {
    let now = office.port.daemon.now.read().at;
    let domains = office.domains();
    let turned = |micros| now.since(Timestamp::from_micros(micros));
    let stuck = domains
        .iter()
        .find(|it| turned(it.figures.turned()) >= STUCK_AFTER);
    match stuck {
        None => Ok(Json(LiveRecord { live: true })),
        Some(_) => Err(Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "vouch for the daemon",
            format!("an event loop did not turn for {} s", STUCK_AFTER.as_secs()),
            "look at its log, and start it again",
        )),
    }
}

/// Whether every event loop answers
#[utoipa::path(
    get,
    path = "/ready",
    tag = "health",
    responses((status = 200, description = "They all answer", body = ReadyRecord))
)]
pub(super) async fn ready(State(office): Shared) -> Result<Json<ReadyRecord>, Refusal> {
    let not_ready = |problem: String, advice: &str| {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Refusal::new(status, "say that the daemon is ready", problem, advice)
    };
    if *office.stop.borrow() || office.domains().is_empty() {
        let problem = "nothing is watched yet, or not any more".to_owned();
        return Err(not_ready(problem, "wait until it has started"));
    }
    let mut domains = Vec::new();
    for look in office.look().await.iter() {
        let Some(view) = &look.view else {
            let problem = format!("the event loop of `{}` does not answer", look.domain);
            return Err(not_ready(problem, "look at the daemon's log"));
        };
        domains.push(ReadyDomainRecord {
            domain: look.domain.to_string(),
            freshness: match view.freshness {
                Freshness::Stale { .. } => "stale",
                Freshness::Synced { .. } => "synced",
                Freshness::Unknown => "unknown",
            },
        });
    }
    Ok(Json(ReadyRecord {
        ready: true,
        domains,
    }))
}
