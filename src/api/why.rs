//! Why something is as it is: the question is put to the warden, and its answer gets its form as
//! JSON.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use utoipa::ToSchema;

use super::office::ask;
use super::port::Errand;
use super::refusal::Refusal;
use super::routes::{Of, Shared, wrong_query};
use crate::supervisor::{Because, Decision, Explanation};
use crate::time::{Moment, Timestamp};

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct WhyQuery {
    /// A seat (`DATABASE/te/1`), a database, a peer or a process (`PEER/PID`); else the domain
    #[serde(default)]
    entity: String,
}

/// Why something is as it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Why)]
pub(super) struct WhyRecord {
    time: String,
    domain: String,
    about: String,
    state: &'static str,
    text: String,
    because: Vec<BecauseRecord>,
    history: Vec<DecisionRecord>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Because)]
struct BecauseRecord {
    rule: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_left: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Decision)]
struct DecisionRecord {
    time: String,
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    gate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<u64>,
    text: String,
}

/// Why something is as it is
#[utoipa::path(
    get,
    path = "/api/v1/domains/{domain}/why",
    tag = "look",
    params(WhyQuery),
    responses((status = 200, description = "Every reason, and what was lately", body = WhyRecord))
)]
pub(super) async fn why(
    State(office): Shared,
    Of(name): Of,
    query: Result<Query<WhyQuery>, QueryRejection>,
) -> Result<Json<WhyRecord>, Refusal> {
    let attempted = format!("explain the domain `{name}`");
    let Query(WhyQuery { entity }) = query.map_err(|error| wrong_query(&attempted, &error))?;
    let attempted = if entity.is_empty() {
        attempted
    } else {
        format!("explain `{entity}` of the domain `{name}`")
    };
    let domain = office.domain(&name, &attempted)?;
    let (answer, explained) = oneshot::channel();
    let errand = Errand::Why {
        entity: entity.as_str().into(),
        answer,
    };
    let (now, explanation) = ask(&domain, errand, explained, &attempted).await?;
    let Some(explanation) = explanation else {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            attempted,
            "nothing in the domain goes by that name",
            "name a seat (DATABASE/te/1), a database, a peer, or a process (PEER/PID), as the \
             status shows them",
        ));
    };
    Ok(Json(WhyRecord::new(name, now, explanation)))
}

impl WhyRecord {
    fn new(domain: String, now: Moment, it: Explanation) -> Self {
        Self {
            time: now.wall.to_string(),
            domain,
            about: it.about,
            state: it.state,
            text: it.says,
            because: it
                .because
                .iter()
                .map(|it| BecauseRecord::new(now, it))
                .collect(),
            history: it.history.into_iter().map(Into::into).collect(),
        }
    }
}

impl BecauseRecord {
    fn new(now: Moment, it: &Because) -> Self {
        let shown = |at: Timestamp| now.wall_at(at).to_string();
        let left = it.until.map(|at| at.since(now.at));
        Self {
            rule: it.rule,
            text: it.says.clone(),
            since: it.since.map(shown),
            until: it.until.map(shown),
            // Whoever waits for a second to pass waits for a whole one.
            seconds_left: left.map(|it| it.as_secs() + u64::from(it.subsec_nanos() > 0)),
            advice: it.lift,
        }
    }
}

impl From<Decision> for DecisionRecord {
    fn from(it: Decision) -> Self {
        let (peer, pid) = it.process.unzip();
        Self {
            time: it.time.wall.to_string(),
            step: it.step.as_str(),
            gate: it.gate.as_deref().map(str::to_owned),
            peer: peer.map(|it| it.to_string()),
            pid,
            action: it.action.map(|it| it.0),
            text: it.says.to_string(),
        }
    }
}
