//! A listener: what it is, and what it is told.

use super::listener_kind::{self, Given};
use crate::config::keys;
use crate::config::nearest::nearest;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::event::Severity;
use crate::listener::{
    Deliver, Expression, ExpressionError, Filter, ListenerKind, ListenerSettings, OnConnect, Terms,
    WishKind,
};

/// More instances of one listener than this are a slip of the keyboard.
const MAX_CONCURRENCY: u32 = 256;

/// The dispatcher has no more events than this under way.
const MAX_BATCH: u32 = 1_024;

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
    terms.where_ = condition(report, section);
    let severities = Severity::ALL.map(|it| (it.as_str(), it));
    let severity = &mut terms.severity;
    section.set(report, "severity", severity, value::choice(&severities));
    let tellings = [
        ("snapshot", OnConnect::Snapshot),
        ("changes", OnConnect::Changes),
    ];
    let on_connect = &mut terms.on_connect;
    section.set(report, "on-connect", on_connect, value::choice(&tellings));
    let choices = [("every", Deliver::Every), ("latest", Deliver::Latest)];
    let deliver = &mut terms.deliver;
    section.set(report, "deliver", deliver, value::choice(&choices));
    section.set(report, "timeout", &mut terms.timeout, value::pause);
    let at_once = value::number(1, MAX_CONCURRENCY);
    section.set(report, "concurrency", &mut terms.concurrency, at_once);
    let batch = &mut terms.batch;
    section.set(report, "batch", batch, value::number(1, MAX_BATCH));
    let best_effort = &mut terms.best_effort;
    section.set(report, "best-effort", best_effort, value::boolean);
    terms.heartbeat = section.optional(report, "heartbeat", value::pause);
    let wishes = WishKind::ALL.map(|it| (it.as_str(), it));
    let wishes = section.list(report, "may-request", value::choice(&wishes));
    terms.may_request = wishes.into_iter().flatten().collect();
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

/// Reads the `where` expression; what is wrong with it is told where it stands in the expression.
fn condition(report: &mut Report, section: &Section<'_>) -> Option<Expression> {
    let text = section.optional(report, "where", value::lines)?;
    let compiled = Expression::compile(&text);
    let wrong = |error: ExpressionError| {
        let place = format!("line {} column {}", error.line, error.column);
        let advice = match &error.nearest {
            Some(known) => format!("did you mean `{known}`?"),
            None => "docs/listeners.md has the language and every name".to_owned(),
        };
        Wrong::new(format!("{place} of the expression: {error}"), advice)
    };
    compiled
        .map_err(|error| section.complain(report, "where", wrong(error)))
        .ok()
}
