//! Which address is answered by whom.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::lines::{Pen, lines};
use super::office::{Look, Office, is_same};
use super::record::{self, DomainRecord, NameRecord, StatusRecord};
use super::refusal::Refusal;
use super::{events, letters, why, wishes};
use crate::view::View;

/// What every handler gets.
pub(super) type Shared = State<Arc<Office>>;

/// Returns everything that can be asked.
pub(super) fn router(office: Arc<Office>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/events", get(events::events))
        .route("/v1/domains", get(domains))
        .route("/v1/domains/{domain}", get(domain))
        .route("/v1/domains/{domain}/peers", get(peers))
        .route("/v1/domains/{domain}/databases", get(databases))
        .route("/v1/domains/{domain}/processes", get(processes))
        .route("/v1/domains/{domain}/slots", get(slots))
        .route("/v1/domains/{domain}/actions", get(actions))
        .route("/v1/domains/{domain}/why", get(why::why))
        .route("/v1/domains/{domain}/requests", post(wishes::request))
        .route("/v1/domains/{domain}/resume", post(wishes::resume))
        .route("/v1/dead-letters", get(letters::list))
        .route("/v1/dead-letters/drop", post(letters::drop))
        .route("/v1/dead-letters/replay", post(letters::replay))
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .with_state(office)
}

/// Returns what those are answered who are not let in.
pub(super) fn closed_door() -> Router {
    Router::new().fallback(async || {
        Refusal::new(
            StatusCode::FORBIDDEN,
            "talk to the daemon",
            "its socket is for the user it runs as, and for root",
            "ask as one of them",
        )
    })
}

async fn nowhere(uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::NOT_FOUND,
        format!("answer `{}`", uri.path()),
        "there is nothing at this address",
        "docs/api.md has every address",
    )
}

async fn wrong_method(uri: Uri) -> Refusal {
    Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        format!("answer `{}`", uri.path()),
        "this address is not for that method",
        "GET looks, POST changes; docs/api.md has every address",
    )
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatusQuery {
    #[serde(default)]
    follow: bool,
}

async fn status(
    State(office): Shared,
    query: Result<Query<StatusQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    const ATTEMPTED: &str = "show the status";
    let Query(query) = query.map_err(|error| wrong_query(ATTEMPTED, &error))?;
    if !query.follow {
        let looks = office.look().await;
        return Ok(Json(status_record(&office, &looks)).into_response());
    }
    let place = office.place(ATTEMPTED)?;
    Ok(lines(Some(place), async move |pen| {
        follow_status(&office, pen).await;
    }))
}

/// Tells how things are, and again whenever that changes, until nobody reads it.
async fn follow_status(office: &Office, pen: Pen) {
    let mut stop = office.stop.clone();
    let mut looks = office.follow();
    let mut seen: Arc<[Look]> = office.look().await;
    let mut is_news = true;
    loop {
        if is_news {
            let mut line = serde_json::to_string(&status_record(office, &seen))
                .expect("names, numbers and text have a form in JSON");
            line.push('\n');
            if pen.send(Ok(line.into())).await.is_err() {
                return;
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = pen.closed() => return,
            changed = looks.changed() => if changed.is_err() { return },
        }
        let now = looks.borrow_and_update().clone();
        is_news = !is_same(&seen, &now);
        seen = now;
    }
}

fn status_record(office: &Office, looks: &[Look]) -> StatusRecord {
    let daemon = &office.port.daemon;
    StatusRecord::new(daemon, &daemon.config.borrow(), looks)
}

async fn domains(State(office): Shared) -> Json<Vec<NameRecord>> {
    let domains = office.domains();
    let names = domains.iter().map(|it| NameRecord {
        domain: it.name.to_string(),
        kind: it.kind,
    });
    Json(names.collect())
}

async fn domain(
    State(office): Shared,
    Path(name): Path<String>,
) -> Result<Json<DomainRecord>, Refusal> {
    let attempted = format!("show the domain `{name}`");
    let domain = office.domain(&name, &attempted)?;
    let view = office.view(&domain, &attempted).await?;
    Ok(Json(DomainRecord::new(&Look {
        domain: domain.name.clone(),
        kind: domain.kind,
        last_seq: domain.journal.last_seq(),
        view: Some(view),
    })))
}

/// Defines handlers that show one list of one domain each.
macro_rules! lists {
    ($($name:ident $list:ident $what:literal;)*) => {$(
        async fn $name(
            State(office): Shared,
            Path(domain): Path<String>,
        ) -> Result<Response, Refusal> {
            list(&office, &domain, $what, record::$list).await
        }
    )*};
}

lists! {
    actions actions "actions";
    databases databases "databases";
    peers peers "peers";
    processes processes "processes";
    slots slots "slots";
}

async fn list<T: Serialize>(
    office: &Office,
    name: &str,
    what: &str,
    records: impl FnOnce(&View) -> Vec<T>,
) -> Result<Response, Refusal> {
    let attempted = format!("show the {what} of the domain `{name}`");
    let domain = office.domain(name, &attempted)?;
    let view = office.view(&domain, &attempted).await?;
    Ok(Json(records(&view)).into_response())
}

/// Refuses a query that does not read.
pub(super) fn wrong_query(attempted: &str, error: &QueryRejection) -> Refusal {
    Refusal::nonsense(
        attempted,
        error.body_text(),
        "docs/api.md has every parameter",
    )
}
