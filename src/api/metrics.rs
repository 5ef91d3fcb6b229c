//! What the wardens, journals and listeners are like, as numbers for Prometheus and its like.
//!
//! Nothing is kept for it: everything is read when somebody asks.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::office::{Look, Office};
use super::port::DomainPort;
use super::routes::Shared;
use crate::event::Kind;
use crate::journal::{Health, Journal};
use crate::listener::Source as _;
use crate::model::Freshness;
use crate::supervisor::{Gate, Mode};
use crate::telemetry::{Exposition, Metric, MetricFormat};
use crate::time::{Moment, Timestamp};
use crate::view::{DatabaseView, ProcessView, View};

/// What the daemon's own journal is called.
const DAEMON: &str = "-";

/// Numbers for Prometheus, or as `OpenMetrics` by `Accept`
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "docs/metrics.md has each", content(
        (String = "text/plain"),
        (String = "application/openmetrics-text"),
    )))
)]
pub(super) async fn metrics(State(office): Shared, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|it| it.to_str().ok());
    let format = MetricFormat::accepted(accept.unwrap_or_default());
    let text = gather(&office).await.to_text(format);
    ([(CONTENT_TYPE, format.content_type())], text).into_response()
}

async fn gather(office: &Office) -> Exposition {
    let mut page = Exposition::default();
    let daemon = &office.port.daemon;
    page.put(Metric::Build, &[daemon.version], 1);
    let started = Duration::from_micros(daemon.started.as_unix_micros());
    page.put_time(Metric::Started, &[], started);
    let config = daemon.config.borrow().clone();
    page.put(Metric::ConfigGeneration, &[], config.generation);
    page.put_whether(Metric::ConfigRejected, &[], config.rejected.is_some());
    let now = daemon.now.read();
    add_journal(&mut page, DAEMON, &daemon.journal);
    let looks = office.look().await;
    for port in office.domains().iter() {
        add_loop(&mut page, now, port);
        add_journal(&mut page, port.name.as_str(), &port.journal);
        add_listeners(&mut page, now, port).await;
        let look = looks.iter().find(|it| it.domain == port.name);
        add_domain(&mut page, port.name.as_str(), look);
    }
    page
}

fn add_loop(page: &mut Exposition, now: Moment, port: &DomainPort) {
    let (figures, of) = (&port.figures, [port.name.as_str()]);
    let turned = now.at.since(Timestamp::from_micros(figures.turned()));
    page.put_time(Metric::LoopTurnAge, &of, turned);
    page.put(Metric::LoopTurns, &of, figures.turns());
    page.put_shape(Metric::Decisions, &of, &figures.decisions.shape());
    page.put_shape(Metric::Reactions, &of, &figures.reactions.shape());
    page.put_shape(Metric::Commits, &of, &figures.commits.shape());
}

fn add_journal(page: &mut Exposition, name: &str, journal: &Journal) {
    for kind in Kind::ALL {
        let count = journal.told(*kind);
        page.put(Metric::Events, &[name, kind.as_str()], count);
    }
    let sessions = [Kind::DomainConnected, Kind::DomainFailover];
    if name != DAEMON {
        let count = sessions.map(|it| journal.told(it)).iter().sum();
        page.put(Metric::Sessions, &[name], count);
    }
    page.put(Metric::JournalSize, &[name], journal.size());
    let backlog = u64::try_from(journal.backlog()).unwrap_or(u64::MAX);
    page.put(Metric::JournalBacklog, &[name], backlog);
    let is_writable = journal.progress().borrow().health == Health::Working;
    page.put_whether(Metric::JournalWritable, &[name], is_writable);
}

async fn add_listeners(page: &mut Exposition, now: Moment, port: &DomainPort) {
    let last = port.journal.last_seq();
    for (listener, cursor) in port.cursors.iter() {
        let labels = [port.name.as_str(), listener.as_str()];
        let lag = last.saturating_sub(cursor.seq());
        page.put(Metric::ListenerLag, &labels, lag);
        page.put(Metric::ListenerQueue, &labels, cursor.queued());
        let mut age = Duration::ZERO;
        if lag > 0 {
            // One that cannot be read is told of by the journal's own numbers.
            let oldest = port.journal.read(cursor.seq(), 1).await;
            let oldest = oldest.ok().and_then(|it| it.events.first().cloned());
            age = oldest.map_or(Duration::ZERO, |it| now.wall.since(it.event.time.wall));
        }
        page.put_time(Metric::ListenerLagAge, &labels, age);
    }
}

fn add_domain(page: &mut Exposition, name: &str, look: Option<&Look>) {
    let view = look.and_then(|it| it.view.as_ref());
    page.put_whether(Metric::LoopAnswers, &[name], view.is_some());
    let Some(view) = view else {
        return;
    };
    add_knowledge(page, name, view);
    let counted = |metric, counts: BTreeMap<Vec<&str>, u64>, page: &mut Exposition| {
        for (labels, count) in counts {
            page.put(metric, &[&[name], &labels[..]].concat(), count);
        }
    };
    let peers = view.peers.iter().map(|it| {
        let state = if it.is_connected {
            "connected"
        } else {
            "unreachable"
        };
        vec![state]
    });
    let known = [vec!["connected"], vec!["unreachable"]];
    counted(Metric::Peers, count(known, peers), page);
    let processes = view.processes.iter().map(process_state);
    counted(Metric::Processes, count([], processes), page);
    let silent = view.processes.iter().filter(|it| it.unresponsive.is_some());
    let silent = u64::try_from(silent.count()).unwrap_or(u64::MAX);
    page.put(Metric::ProcessesUnresponsive, &[name], silent);
    let databases = view.databases.iter().map(|it| vec![database_state(it)]);
    let known = ["active", "degraded", "inactive"].map(|it| vec![it]);
    counted(Metric::Databases, count(known, databases), page);
    let phases = ["filled", "empty", "leaving", "vacant", "acting", "held"].map(|it| vec![it]);
    let slots = view.slots.iter().map(|it| vec![it.phase]);
    counted(Metric::Slots, count(phases, slots), page);
    let orders = view.orders.iter().map(|it| vec![it.kind.as_str()]);
    let known = ["hold", "maintenance"].map(|it| vec![it]);
    counted(Metric::Orders, count(known, orders), page);
    for it in view
        .databases
        .iter()
        .filter(|it| it.is_known || it.wanted_te > 0)
    {
        let labels = [name, it.name.as_str()];
        page.put(Metric::EnginesRunning, &labels, it.running_te.into());
        page.put(Metric::EnginesWanted, &labels, it.wanted_te.into());
    }
    for gate in Gate::ALL {
        let is_closed = view.gates.iter().any(|it| it.name == gate.as_str());
        page.put_whether(Metric::Gates, &[name, gate.as_str()], is_closed);
    }
}

/// Adds how fresh the knowledge of a domain is, and what the healer may do by it.
fn add_knowledge(page: &mut Exposition, name: &str, view: &View) {
    let since = match view.freshness {
        Freshness::Stale { since } => Some(view.now.at.since(since)),
        Freshness::Synced { .. } => Some(Duration::ZERO),
        Freshness::Unknown => None,
    };
    if let Some(age) = since {
        page.put_time(Metric::ModelAge, &[name], age);
    }
    let is_synced = matches!(view.freshness, Freshness::Synced { .. });
    page.put_whether(Metric::ModelSynced, &[name], is_synced);
    let modes = [
        ("heal", Mode::Heal),
        ("observe", Mode::Observe),
        ("suggest", Mode::Suggest),
    ];
    for (word, mode) in modes {
        page.put_whether(Metric::Mode, &[name, word], view.mode == mode);
    }
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let blocked = view.slots.iter().filter(|it| it.is_told_blocked).count();
    page.put(Metric::SlotsBlocked, &[name], number(blocked));
    page.put(Metric::Actions, &[name], number(view.actions.len()));
    page.put(Metric::BudgetLeft, &[name], view.budget_left.into());
}

/// Counts what is alike; what is known beforehand is told though there is none.
fn count<'a>(
    known: impl IntoIterator<Item = Vec<&'a str>>,
    all: impl Iterator<Item = Vec<&'a str>>,
) -> BTreeMap<Vec<&'a str>, u64> {
    let mut counts: BTreeMap<_, u64> = known.into_iter().map(|it| (it, 0)).collect();
    for it in all {
        *counts.entry(it).or_default() += 1;
    }
    counts
}

fn process_state(it: &ProcessView) -> Vec<&str> {
    let state = if it.is_reachable {
        it.status.as_str()
    } else {
        "unreachable"
    };
    vec![it.role.as_str(), state]
}

fn database_state(it: &DatabaseView) -> &'static str {
    match (it.running_te > 0, it.is_degraded) {
        (false, _) => "inactive",
        (true, false) => "active",
        (true, true) => "degraded",
    }
}
