//! What a listener alone has, after its kind.

use std::collections::BTreeMap;
use std::path::Path;

use super::{domain, password};
use crate::config::file::{Entry, Node, Value};
use crate::config::keys;
use crate::config::section::{Report, Section, Wrong};
use crate::config::value;
use crate::event::Severity;
use crate::listener::{
    Address, AlertmanagerSettings, Deliver, Header, HttpSettings, ListenerKind, PIPE_BATCH,
    ProgramSettings, RESEND_EVERY, Secret, Terms, WebhookSettings, check_label, check_program,
};
use crate::telemetry::chain;

/// How many events an Alertmanager is told of in one call, at least.
const ALERTS_AT_ONCE: u32 = 256;

/// What the kinds are called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Word {
    Alertmanager,
    Exec,
    Log,
    Pipe,
    Webhook,
}

impl Word {
    const ALL: [(&'static str, Self); 5] = [
        ("log", Self::Log),
        ("exec", Self::Exec),
        ("pipe", Self::Pipe),
        ("webhook", Self::Webhook),
        ("alertmanager", Self::Alertmanager),
    ];

    /// Returns the keys that only some kinds have, and this one does.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Alertmanager => &["url", "headers", "tls", "labels", "resend-every", "batch"],
            Self::Exec => &["command", "may-request"],
            Self::Log => &[],
            Self::Pipe => &["command", "may-request", "batch"],
            Self::Webhook => &["url", "headers", "tls", "secret", "batch"],
        }
    }
}

/// What a kind is read with.
pub(super) struct Given<'a> {
    /// Looks up the environment.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
    /// The environment variables that programs do not get.
    pub(super) withhold: &'a [String],
    /// Where programs reach the daemon.
    pub(super) socket: &'a Path,
}

/// Reads which listener it is, and changes the terms where the kind needs others.
pub(super) fn check(
    report: &mut Report,
    section: &Section<'_>,
    given: &Given<'_>,
    terms: &mut Terms,
) -> ListenerKind {
    let Some(word) = section.required(report, "kind", value::choice(&Word::ALL)) else {
        return ListenerKind::Log;
    };
    check_keys(report, section, word);
    match word {
        Word::Alertmanager => alertmanager(report, section, given, terms)
            .map_or(ListenerKind::Log, ListenerKind::Alertmanager),
        Word::Exec => ListenerKind::Exec(program(report, section, given)),
        Word::Log => ListenerKind::Log,
        Word::Pipe => {
            // It reads as much at once as it likes, and answers each for itself.
            terms.batch = if section.node("batch").is_some() {
                terms.batch
            } else {
                PIPE_BATCH
            };
            ListenerKind::Pipe(program(report, section, given))
        }
        Word::Webhook => {
            webhook(report, section, given).map_or(ListenerKind::Log, ListenerKind::Webhook)
        }
    }
}

/// Adds the environment variables that hold secrets of this listener.
pub(super) fn withhold(section: &Section<'_>, variables: &mut Vec<String>) {
    let nodes = ["url", "headers", "secret"].map(|it| section.node(it));
    for node in nodes.into_iter().flatten() {
        add_variables(node, variables);
    }
}

fn add_variables(node: &Node, variables: &mut Vec<String>) {
    let Value::Table(entries) = &node.value else {
        return;
    };
    for entry in entries {
        match &entry.node.value {
            Value::Text(name) if entry.name == "env" => variables.push(name.clone()),
            Value::Array(_)
            | Value::Boolean(_)
            | Value::Integer(_)
            | Value::Other(_)
            | Value::Table(_)
            | Value::Text(_) => add_variables(&entry.node, variables),
        }
    }
}

/// Reports keys that another kind has.
fn check_keys(report: &mut Report, section: &Section<'_>, word: Word) {
    let mut keys: Vec<_> = Word::ALL.iter().flat_map(|(_, it)| it.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        if word.keys().contains(key) || section.node(key).is_none() {
            continue;
        }
        let owners = Word::ALL.iter().filter(|(_, it)| it.keys().contains(key));
        let owners: Vec<_> = owners.map(|(name, _)| format!("\"{name}\"")).collect();
        let wrong = Wrong::new(
            format!("is only for a listener of kind {}", owners.join(" or ")),
            "leave it out, or write that kind",
        );
        section.complain(report, key, wrong);
    }
}

fn webhook(
    report: &mut Report,
    section: &Section<'_>,
    given: &Given<'_>,
) -> Option<WebhookSettings> {
    let secret = section
        .node("secret")
        .and_then(|it| Section::open(report, it, &keys::LISTENER_SECRET))
        .and_then(|it| source(report, &it, "the secret", given));
    Some(WebhookSettings {
        http: http(report, section, given)?,
        secret,
    })
}

fn alertmanager(
    report: &mut Report,
    section: &Section<'_>,
    given: &Given<'_>,
    terms: &mut Terms,
) -> Option<AlertmanagerSettings> {
    let mut resend_every = RESEND_EVERY;
    section.set(report, "resend-every", &mut resend_every, value::pause);
    let labels = labels(report, section);
    // What ends an alert must be heard, however harmless it is.
    let events = std::mem::replace(&mut terms.events, AlertmanagerSettings::heard());
    let severity = std::mem::replace(&mut terms.severity, Severity::Info);
    if terms.concurrency > 1 || terms.deliver == Deliver::Latest {
        let wrong = Wrong::new(
            "is of kind \"alertmanager\", which must hear every event, one after the other",
            "leave out `concurrency` and `deliver`",
        );
        section.complain(report, "kind", wrong);
    }
    // What happens at once is told at once, and remembered once.
    terms.batch = terms.batch.max(ALERTS_AT_ONCE);
    if !AlertmanagerSettings::begins_any(&events) {
        let wrong = Wrong::new(
            "has no event that begins an alert",
            "docs/listeners.md lists those that do",
        );
        section.complain(report, "events", wrong);
    }
    Some(AlertmanagerSettings {
        http: http(report, section, given)?,
        labels,
        resend_every,
        events,
        severity,
    })
}

fn labels(report: &mut Report, section: &Section<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for entry in entries(report, section, "labels") {
        let path = format!("listener.labels.{}", entry.name);
        let value = value::text(&entry.node).and_then(|it| {
            check_label(&entry.name).map_err(|error| {
                let advice = "write letters, digits and `_`, and none that alerts have already";
                Wrong::new(chain(&error), advice)
            })?;
            Ok(it)
        });
        match value {
            Ok(value) => drop(labels.insert(entry.name.clone(), value)),
            Err(wrong) => report.add(&entry.node.place, &path, wrong),
        }
    }
    labels
}

/// Reads where and how an HTTP server is called.
fn http(report: &mut Report, section: &Section<'_>, given: &Given<'_>) -> Option<HttpSettings> {
    let headers = headers(report, section, given);
    let tls = domain::check_tls(report, section, &keys::LISTENER_TLS);
    let url = url(report, section, given)?;
    if tls.is_some() && !url.is_secure() {
        let wrong = Wrong::new(
            "is of no use: the address does not begin with https",
            "leave it out, or call it over https",
        );
        section.complain(report, "tls", wrong);
    }
    let mut http = HttpSettings {
        headers,
        ..HttpSettings::new(url)
    };
    if let Some(tls) = tls {
        http.tls = tls;
    }
    Some(http)
}

fn url(report: &mut Report, section: &Section<'_>, given: &Given<'_>) -> Option<Address> {
    if !section.demand(report, "url") {
        return None;
    }
    let node = section.node("url")?;
    let is_written = matches!(node.value, Value::Text(_));
    let text = if is_written {
        section.optional(report, "url", value::text)
    } else {
        Section::open(report, node, &keys::LISTENER_URL)
            .and_then(|it| source(report, &it, "the address", given))
            .map(|it| it.reveal().to_owned())
    }?;
    let address = Address::parse(&text)
        .map_err(|error| Wrong::new(error.to_string(), "write http://HOST or https://HOST"))
        .and_then(|it| {
            if is_written && it.has_credentials() {
                return Err(Wrong::new(
                    "has a user or a password in it, which everybody who reads this file sees",
                    "write url = { file = \"PATH\" }, or a header from a file",
                ));
            }
            Ok(it)
        });
    match address {
        Ok(address) => Some(address),
        Err(wrong) => {
            section.complain(report, "url", wrong);
            None
        }
    }
}

fn headers(report: &mut Report, section: &Section<'_>, given: &Given<'_>) -> Vec<Header> {
    let mut headers: Vec<Header> = Vec::new();
    for entry in entries(report, section, "headers") {
        let path = format!("listener.headers.{}", entry.name);
        let value = if let Value::Text(_) = &entry.node.value {
            value::text(&entry.node)
                .and_then(|it| {
                    if Header::is_secret(&entry.name) {
                        let problem = "carries a secret, which everybody who reads this file sees";
                        let advice = format!("write {} = {{ file = \"PATH\" }}", entry.name);
                        return Err(Wrong::new(problem, advice));
                    }
                    Ok(Secret::new(it))
                })
                .map_err(|wrong| report.add(&entry.node.place, &path, wrong))
                .ok()
        } else {
            Section::open(report, &entry.node, &keys::LISTENER_HEADER)
                .and_then(|it| source(report, &it, "the value", given))
        };
        let Some(value) = value else { continue };
        match Header::new(&entry.name, value) {
            Ok(header) if headers.iter().any(|it| it.name() == header.name()) => {
                let wrong = Wrong::new("is there already", "write each header once");
                report.add(&entry.place, &path, wrong);
            }
            Ok(header) => headers.push(header),
            Err(error) => {
                let wrong = Wrong::new(error.to_string(), "write another one, or leave it out");
                report.add(&entry.place, &path, wrong);
            }
        }
    }
    headers
}

/// Returns what stands in a table whose keys are not ours.
fn entries<'a>(report: &mut Report, section: &Section<'a>, key: &str) -> &'a [Entry] {
    match section.node(key).map(|it| &it.value) {
        None => &[],
        Some(Value::Table(entries)) => entries,
        Some(other) => {
            let problem = format!("is {}", other.noun());
            let wrong = Wrong::new(problem, format!("write {key} = {{ NAME = \"VALUE\" }}"));
            section.complain(report, key, wrong);
            &[]
        }
    }
}

/// Reads a secret; its variable is withheld already.
fn source(
    report: &mut Report,
    section: &Section<'_>,
    what: &str,
    given: &Given<'_>,
) -> Option<Secret> {
    password::read_from(report, section, what, given.variable, &mut Vec::new()).map(Secret::new)
}

/// Reads which program is run.
fn program(report: &mut Report, section: &Section<'_>, given: &Given<'_>) -> ProgramSettings {
    ProgramSettings {
        command: check_command(report, section),
        withhold: given.withhold.to_vec(),
        socket: Some(given.socket.to_owned()),
    }
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
                Wrong::of(&error)
            })?;
        }
        Ok(text)
    };
    section.list(report, "command", read).unwrap_or_default()
}
