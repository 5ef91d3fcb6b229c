//! A listener: what it is, and what it is told.

use super::listener_kind::{self, Given};
use crate::config::keys;
use crate::config::nearest::nearest;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::event::Severity;
use crate::listener::{Filter, ListenerKind, ListenerSettings, OnConnect, Terms};

/// Returns the listener that there is if there is none.
pub(super) fn log() -> ListenerSettings {
    ListenerSettings {
        name: "log".to_owned(),
        terms: Terms::default(),
        kind: ListenerKind::Log,
    }
}

/// Checks a listener.
pub(super) fn check(
    report: &mut Report,
    section: &Section<'_>,
    name: String,
    given: &Given<'_>,
) -> ListenerSettings {
    let mut terms = check_terms(report, section);
    let kind = listener_kind::check(report, section, given, &mut terms);
    ListenerSettings { name, terms, kind }
}

/// Reads what every listener has.
fn check_terms(report: &mut Report, section: &Section<'_>) -> Terms {
    let mut terms = Terms::default();
    let mut filter = Filter::none();
    let events = section.list(report, "events", |node| {
        let name = value::name(node)?;
        filter.add(&name).map_err(|error| {
            let advice = match nearest(&name, Filter::names()) {
                Some(known) => format!("did you mean \"{known}\"?"),
                None => "reference.toml lists all events".to_owned(),
            };
            Wrong::new(error.to_string(), advice)
        })
    });
    if events.is_some() {
        terms.events = filter;
    }
    if section.is_empty_list("events") {
        let wrong = Wrong::new("is empty, so nothing is ever told", "leave it out");
        section.complain(report, "events", wrong);
    }
    let severities = Severity::ALL.map(|it| (it.as_str(), it));
    let severity = &mut terms.severity;
    section.set(report, "severity", severity, value::choice(&severities));
    let tellings = [
        ("snapshot", OnConnect::Snapshot),
        ("changes", OnConnect::Changes),
    ];
    let on_connect = &mut terms.on_connect;
    section.set(report, "on-connect", on_connect, value::choice(&tellings));
    section.set(report, "timeout", &mut terms.timeout, value::pause);
    if let Some(section) = section.table(report, "retry", &keys::RETRY) {
        let retry = &mut terms.retry;
        section.set(report, "tries", &mut retry.tries, value::number(1, 1000));
        section.set(report, "first", &mut retry.first, value::pause);
        section.set(report, "max", &mut retry.max, value::pause);
        let (first, max) = (("first", retry.first), ("max", retry.max));
        section.check_order(report, first, max);
    }
    terms
}
