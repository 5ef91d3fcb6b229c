//! A listener: what it is, and what it is told.

use std::path::Path;

use crate::config::file::Node;
use crate::config::keys;
use crate::config::nearest::nearest;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::event::Severity;
use crate::listener::{
    Filter, ListenerKind, ListenerSettings, OnConnect, ProgramSettings, Terms, check_program,
};
use crate::telemetry::chain;

/// Returns the listener that there is if there is none.
pub(super) fn log() -> ListenerSettings {
    ListenerSettings {
        name: "log".to_owned(),
        terms: Terms::default(),
        kind: ListenerKind::Log,
    }
}

/// Checks a listener; programs do not get the environment variables in `withhold`.
pub(super) fn check(
    report: &mut Report,
    section: &Section<'_>,
    name: String,
    withhold: &[String],
) -> ListenerSettings {
    let kinds = [("log", false), ("exec", true)];
    let is_exec = section.required(report, "kind", value::choice(&kinds));
    let kind = match is_exec {
        Some(true) => ListenerKind::Exec(ProgramSettings {
            command: check_command(report, section),
            withhold: withhold.to_vec(),
            socket: None,
        }),
        Some(false) if section.node("command").is_some() => {
            let wrong = Wrong::new(
                "a listener of kind \"log\" runs no program",
                "write kind = \"exec\", or leave it out",
            );
            section.complain(report, "command", wrong);
            ListenerKind::Log
        }
        Some(false) | None => ListenerKind::Log,
    };
    ListenerSettings {
        name,
        terms: check_terms(report, section),
        kind,
    }
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

/// Reads a program with its arguments.
fn check_command(report: &mut Report, section: &Section<'_>) -> Vec<String> {
    if !section.demand(report, "command") {
        return Vec::new();
    }
    if section.is_empty_list("command") {
        let wrong = Wrong::new("is empty", "write a program, by an absolute path");
        section.complain(report, "command", wrong);
    }
    let mut is_program = true;
    let read = |node: &Node| {
        let text = value::argument(node)?;
        if std::mem::take(&mut is_program) {
            check_program(Path::new(&text)).map_err(|error| {
                // What to do about it stands in the error.
                Wrong::new(chain(&error), "")
            })?;
        }
        Ok(text)
    };
    section.list(report, "command", read).unwrap_or_default()
}
