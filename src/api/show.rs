//! What the wardens know, as a whole and list by list.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::lines::{NDJSON, Pen, lines};
use super::office::{Look, Office, is_same};
use super::record::{
    self, ActionRecord, DatabaseRecord, DomainRecord, GateRecord, NameRecord, OrderRecord,
    PeerRecord, ProcessRecord, SlotRecord, StatusRecord,
};
use super::refusal::Refusal;
use super::routes::{Of, Shared, wrong_query};
use crate::view::View;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct StatusQuery {
    /// The same as a line at once, and again whenever it changes
    #[serde(default)]
    follow: bool,
}

/// Everything that is known, of all domains
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "look",
    params(StatusQuery),
    responses((status = 200, description = "How things are", content(
        (StatusRecord = "application/json"),
        (StatusRecord = "application/x-ndjson"),
    )))
)]
pub(super) async fn status(
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
    Ok(lines(NDJSON, Some(place), async move |pen| {
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
    let port = &office.port;
    StatusRecord::new(port, &port.daemon.config.borrow(), looks)
}

/// The name and kind of each domain
#[utoipa::path(
    get,
    path = "/api/v1/domains",
    tag = "look",
    responses((status = 200, description = "As they are configured", body = [NameRecord]))
)]
pub(super) async fn domains(State(office): Shared) -> Json<Vec<NameRecord>> {
    let domains = office.domains();
    let names = domains.iter().map(|it| NameRecord {
        domain: it.name.to_string(),
        kind: it.kind,
    });
    Json(names.collect())
}

/// One domain of the status
#[utoipa::path(
    get,
    path = "/api/v1/domains/{domain}",
    tag = "look",
    responses((status = 200, description = "All that is known of it", body = DomainRecord))
)]
pub(super) async fn domain(
    State(office): Shared,
    Of(name): Of,
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
    ($($name:ident $path:literal $record:ident $what:literal;)*) => {$(
        #[doc = concat!("The ", $what)]
        #[utoipa::path(
            get,
            path = concat!("/api/v1/domains/{domain}/", $path),
            tag = "look",
            responses((status = 200, description = "A list of the status", body = [$record]))
        )]
        pub(super) async fn $name(
            State(office): Shared,
            Of(domain): Of,
        ) -> Result<Json<Vec<$record>>, Refusal> {
            list(&office, &domain, $what, record::$name).await
        }
    )*};
}

lists! {
    actions "actions" ActionRecord "starts that are under way";
    databases "databases" DatabaseRecord "databases";
    gates "gates" GateRecord "gates that are closed";
    maintenance "maintenance" OrderRecord "maintenances";
    orders "orders" OrderRecord "orders of people that hold";
    peers "peers" PeerRecord "peers";
    processes "processes" ProcessRecord "processes";
    slots "slots" SlotRecord "slots";
}

async fn list<T: Serialize>(
    office: &Office,
    name: &str,
    what: &str,
    records: impl FnOnce(&View) -> Vec<T>,
) -> Result<Json<Vec<T>>, Refusal> {
    let attempted = format!("show the {what} of the domain `{name}`");
    let domain = office.domain(name, &attempted)?;
    let view = office.view(&domain, &attempted).await?;
    Ok(Json(records(&view)))
}
